"""A codec for WebSocket frames (RFC 6455), without I/O."""

from typing import NamedTuple

CONTINUATION: int
TEXT: int
BINARY: int
CLOSE: int
PING: int
PONG: int
COMPRESSED: int  # RSV1, set together with the opcode of a compressed message (RFC 7692)

class Message(NamedTuple):
    """One whole message (fragments joined) or one control frame.

    data  if the opcode has COMPRESSED: the compressed bytes, not checked for completeness or UTF-8
    """

    opcode: int
    data: bytes

class FrameError(ValueError):
    """The peer sent an invalid frame. `code` is the close code for it (RFC 6455 §7.4.1)."""

    code: int

def encode(opcode: int, payload: bytes, *, fin: bool = True, mask: bytes | None = None) -> bytes:
    """Return one complete frame. mask: 4 bytes for a client's frame, or None for a server's."""

def mask(data: bytes, key: bytes, phase: int = 0) -> bytes:
    """Return data XOR key, which begins at its byte `phase` & 3 (RFC 6455 §5.3). It also unmasks."""

def is_utf8(data: bytes) -> bool: ...

class Decoder:
    """Decodes a peer's bytes into messages, wherever TCP cut them.

    limit    bytes of a message; a longer one is FrameError 1009. Compressed, it may be 1/16 and 64 bytes longer
    masked   True: the peer is a client, so its frames must be masked; False: they must not be
    deflate  compressed messages were negotiated
    """

    def __init__(self, *, limit: int = 65536, masked: bool = True, deflate: bool = False) -> None: ...
    def feed(self, data: bytes) -> list[Message]:
        """Return the messages that `data` completes.

        Raises FrameError at the first invalid frame, and on every later call. Its `messages` are the ones before.
        """
