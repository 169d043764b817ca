"""RFC 6455 frames: encode, decode, unmask. Pure: bytes in, bytes out."""

from typing import NamedTuple

CONTINUATION: int
TEXT: int
BINARY: int
CLOSE: int
PING: int
PONG: int
COMPRESSED: int  # RSV1, beside the opcode of a message with permessage-deflate (RFC 7692)

class Message(NamedTuple):
    """One whole message (fragments joined) or one control frame.

    data  of a message with COMPRESSED in its opcode: compressed still; nobody has looked whether it is whole, or UTF-8
    """

    opcode: int
    data: bytes

class FrameError(ValueError):
    """What the peer sent is not a frame; `code` is the close code for it (RFC 6455 §7.4.1)."""

    code: int

def encode(opcode: int, payload: bytes, *, fin: bool = True, mask: bytes | None = None) -> bytes:
    """One complete frame. `mask`: 4 bytes, as a client sends it."""

def mask(data: bytes, key: bytes, phase: int = 0) -> bytes:
    """data XOR key, the key starting at byte `phase` & 3 (RFC 6455 §5.3); its own inverse."""

def is_utf8(data: bytes) -> bool: ...

class Decoder:
    """Turns what a peer sends into messages, however it is cut.

    limit    bytes a message may have; more is FrameError 1009. A compressed one may have a sixteenth and 64 more
    masked   True: frames must be masked (we are the server); False: must not be
    deflate  compressed messages were negotiated
    """

    def __init__(self, *, limit: int = 65536, masked: bool = True, deflate: bool = False) -> None: ...
    def feed(self, data: bytes) -> list[Message]:
        """Messages completed by `data`. Raises FrameError at the first bad frame, and on every later call;
        messages before it are in the exception's `messages`."""
