"""permessage-deflate (RFC 7692) for a client: it offers it and inflates messages, and compresses none of its own."""

import zlib
from collections.abc import Mapping

from benchmarks.errors import Wrong

HEADER = "Sec-WebSocket-Extensions"
OFFER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
_FLUSHED = b"\x00\x00\xff\xff"  # the bytes that end each message and are not sent (§7.2.1)


class Inflater:
    """Inflates the messages of one connection.

    keeps_context   a message may refer to earlier ones
    """

    def __init__(self, *, keeps_context: bool) -> None:
        self._kept = zlib.decompressobj(-zlib.MAX_WBITS) if keeps_context else None

    def message(self, compressed: bytes) -> bytes:
        inflating = self._kept or zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            return inflating.decompress(compressed + _FLUSHED)
        except zlib.error as error:
            raise Wrong(f"frame: expected a compressed message, got {compressed[:40]!r}: {error}") from None


def agreed(headers: Mapping[str, str]) -> Inflater | None:
    """The inflater that an answer to OFFER asks for; None: no compression. Raises Wrong for another agreement."""
    answer = headers.get(HEADER.lower(), "")
    if not answer:
        return None
    name, *parameters = [part.strip() for part in answer.split(";")]
    if name != "permessage-deflate" or set(parameters) - {part.strip() for part in OFFER.split(";")}:
        raise Wrong(f"{HEADER}: expected {OFFER}, got {answer!r}")
    # Tornado agrees to keep no context without saying so. An inflater with context also reads messages without.
    return Inflater(keeps_context="server_no_context_takeover" not in parameters)
