"""The server's side of the WebSocket handshake (RFC 6455 §4.2). Pure: headers in, a 101 answer or an error out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from vibetunnel.protocol import SUBPROTOCOL

VERSION = "13"
OFFSET_HEADER = "X-VibeTunnel-Offset"
REDRAW_HEADER = "X-VibeTunnel-Redraw"
NUMBER = "0" * 20  # digits that the pump overwrites
DEFLATE = "permessage-deflate"  # RFC 7692
NO_TAKEOVER = ("server_no_context_takeover", "client_no_context_takeover")
WINDOW_BITS = frozenset(str(bits) for bits in range(8, 16))
_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # a token of HTTP
_PARAMETER = rf'[ \t]*;[ \t]*({_WORD})(?:[ \t]*=[ \t]*(?:({_WORD})|"((?:[^"\\]|\\.)*)"))?'
_OFFER = re.compile(rf"[ \t]*(?:({_WORD})((?:{_PARAMETER})*)[ \t]*)?(?:,|\Z)")


class NotAnUpgrade(Exception):
    """The request cannot be upgraded. `headers` belong to the answer."""

    def __init__(self, status: HTTPStatus, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


@dataclass(frozen=True)
class Handshake:
    """A request that may be upgraded.

    v1         the client offered the subprotocol `vibetunnel.v1`; otherwise the socket is raw
    extension  the answer to its offers of permessage-deflate; "": messages are not compressed
    """

    accept: str
    v1: bool
    extension: str

    def response(self, *, numbers: bool = True) -> bytes:
        """Return the 101 answer. For a raw client, its headers have room for numbers (place()), if it counts bytes.

        A client of vibetunnel.v1 gets the same numbers in messages.
        """
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {self.accept}",
        ]
        if self.extension:
            lines.append(f"Sec-WebSocket-Extensions: {self.extension}")
        if self.v1:
            lines.append(f"Sec-WebSocket-Protocol: {SUBPROTOCOL}")
        elif numbers:
            lines += [f"{OFFSET_HEADER}: {NUMBER}", f"{REDRAW_HEADER}: {NUMBER}"]
        return "\r\n".join([*lines, "", ""]).encode("ascii")


def place(response: bytes, header: str) -> int:
    """The position of the digits of `header` in a 101 answer; 0 if it has no such header."""
    at = response.find(f"\r\n{header}: ".encode("ascii"))
    return at + len(header) + 4 if at >= 0 else 0


def asks_for_websocket(headers: Mapping[str, str]) -> bool:
    return "websocket" in _tokens(headers.get("Upgrade", ""))


def handshake(version: str, headers: Mapping[str, str], *, compression: bool = False) -> Handshake:
    """Check the request of a client. Raises NotAnUpgrade.

    version      of HTTP
    compression  accept permessage-deflate; otherwise the offered extensions are ignored
    """
    if not asks_for_websocket(headers):
        raise _not_upgrading("Upgrade: expected websocket")
    if "upgrade" not in _tokens(headers.get("Connection", "")) or version != "HTTP/1.1":
        raise _not_upgrading("Connection: expected Upgrade, over HTTP/1.1")
    if headers.get("Sec-WebSocket-Version", "").strip() != VERSION:
        raise NotAnUpgrade(
            HTTPStatus.UPGRADE_REQUIRED,
            f"Sec-WebSocket-Version: expected {VERSION}",
            {"Sec-WebSocket-Version": VERSION},
        )
    key = headers.get("Sec-WebSocket-Key", "").strip()
    try:
        if len(base64.b64decode(key, validate=True)) != 16:
            raise ValueError
    except (binascii.Error, ValueError):
        raise NotAnUpgrade(HTTPStatus.BAD_REQUEST, "Sec-WebSocket-Key: expected 16 bytes in base64") from None
    accept = base64.b64encode(hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()).decode()
    offered = {each.strip() for each in headers.get("Sec-WebSocket-Protocol", "").split(",")}
    extension = _agreed(headers.get("Sec-WebSocket-Extensions", "")) if compression else ""
    return Handshake(accept, SUBPROTOCOL in offered, extension)


def _agreed(header: str) -> str:
    """The answer to the first offer of permessage-deflate that can be accepted, or "".

    Raises NotAnUpgrade for a malformed list of extensions, as RFC 6455 §9.1 asks.
    """
    try:
        offers = list(_offers(header))
    except ValueError:
        message = "Sec-WebSocket-Extensions: expected a list of extensions with their parameters"
        raise NotAnUpgrade(HTTPStatus.BAD_REQUEST, message) from None
    answers = (_answer(parameters) for extension, parameters in offers if extension == DEFLATE)
    return next((answer for answer in answers if answer), "")


def _answer(parameters: list[tuple[str, str | None]]) -> str:
    """The answer to one offer of permessage-deflate; "" declines it, as RFC 7692 §7.1 asks for unknown parameters.

    No context is taken over between messages, so a connection needs no compressor of its own. The server's window
    always has its full size, because clients share compressed blocks.
    """
    answer = "; ".join((DEFLATE, *NO_TAKEOVER))
    if len({name for name, _ in parameters}) < len(parameters):
        return ""
    for name, value in parameters:
        if name == "server_max_window_bits" and value == "15":
            answer += "; server_max_window_bits=15"  # a client that asks must get an answer (§7.1.2.1)
        elif name == "client_max_window_bits":
            if value is not None and value not in WINDOW_BITS:
                return ""
        elif name not in NO_TAKEOVER or value is not None:
            return ""
    return answer


def _offers(header: str) -> Iterator[tuple[str, list[tuple[str, str | None]]]]:
    """Yield (extension, [(parameter, value or None)]) of each offer, in order (RFC 6455 §9.1). Raises ValueError."""
    at = 0
    while at < len(header):
        offer = _OFFER.match(header, at)
        if offer is None:
            raise ValueError(header)
        at = offer.end()
        if offer[1]:
            yield offer[1], [_parameter(each) for each in re.finditer(_PARAMETER, offer[2])]


def _parameter(found: re.Match[str]) -> tuple[str, str | None]:
    name, value, quoted = found.groups()
    if quoted is not None:
        value = re.sub(r"\\(.)", r"\1", quoted)
        if not re.fullmatch(_WORD, value):
            raise ValueError(quoted)
    return name, value


def _not_upgrading(message: str) -> NotAnUpgrade:
    return NotAnUpgrade(HTTPStatus.UPGRADE_REQUIRED, message, {"Upgrade": "websocket"})


def _tokens(header: str) -> set[str]:
    return {each.strip().lower() for each in header.split(",")}
