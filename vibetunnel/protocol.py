"""The messages of `vibetunnel.v1` as typed values: the reference that docs/protocol.md describes.

The pump has the same in Cython and the browser in TypeScript; tests/vectors/v1.json is tested against all three.
"""

import struct
from dataclasses import dataclass

SUBPROTOCOL = "vibetunnel.v1"
VERSION = 1

_MAY_TYPE = 1
_OWNS_SIZE = 2
_RESIZE_OWNS_SIZE = 1
_ALTERNATE_SCREEN = 1
_LAST_PIECE = 1
_WRAPPED = 2

TOP = 2**64 - 1
MAX_LINES = 10_000


class ProtocolError(ValueError):
    """A message that docs/protocol.md does not know; says what was expected and what came."""


@dataclass(frozen=True, slots=True)
class Hello:
    writable: bool
    owner: bool  # of the size
    rows: int
    cols: int
    start: int  # offset of the first output byte that follows
    live: int  # offset behind what was printed before the attach
    accepted: int  # bytes of this client's input that the PTY has taken
    window: int  # bytes of output that may be under way without an ack
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Output:
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Redraw:
    """The terminal as it is at `offset`, where the output goes on. Line numbers are absolute."""

    offset: int
    top: int  # the line that is the screen's first
    oldest: int  # the first line that is kept
    rows: int
    cols: int
    alternate: bool  # which screen is on
    data: bytes  # for a terminal that has just been reset to that size


@dataclass(frozen=True, slots=True)
class Lines:
    """A piece of scrollback: `count` lines from line `first` on."""

    first: int
    count: int
    oldest: int  # the first line that is kept
    last: bool  # nothing more follows of what was asked for
    wrapped: bool  # the last line goes on in the one behind it
    data: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    rows: int
    cols: int
    owner: bool


@dataclass(frozen=True, slots=True)
class Title:
    title: str


@dataclass(frozen=True, slots=True)
class Exit:
    code: int  # 128 + N after signal N; -1: it never ran
    signal: int
    reason: str


@dataclass(frozen=True, slots=True)
class Error:
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Pong:
    data: bytes


@dataclass(frozen=True, slots=True)
class Accepted:
    offset: int


@dataclass(frozen=True, slots=True)
class Presence:
    text: str  # JSON, see docs/protocol.md


@dataclass(frozen=True, slots=True)
class Access:
    """What this client may do, and what it is called in the presence messages."""

    writable: bool
    id: str


@dataclass(frozen=True, slots=True)
class Input:
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class ResizeRequest:
    rows: int
    cols: int


@dataclass(frozen=True, slots=True)
class Ack:
    offset: int


@dataclass(frozen=True, slots=True)
class Ping:
    data: bytes


@dataclass(frozen=True, slots=True)
class LinesRequest:
    before: int  # the line behind the newest that is wanted; TOP: the screen's first
    count: int  # at most MAX_LINES


@dataclass(frozen=True, slots=True)
class RedrawRequest:
    pass


ServerMessage = Hello | Output | Redraw | Lines | Resize | Title | Exit | Error | Pong | Accepted | Presence | Access
ClientMessage = Input | ResizeRequest | Ack | Ping | LinesRequest | RedrawRequest

_HELLO = struct.Struct(">BBBHHQQQI")
_OFFSET = struct.Struct(">BQ")
_REDRAW = struct.Struct(">BQQQHHB")
_LINES = struct.Struct(">BQIQB")
_RESIZE = struct.Struct(">BHHB")
_EXIT = struct.Struct(">BiB")
_ERROR = struct.Struct(">BH")
_RESIZE_REQUEST = struct.Struct(">BHH")
_LINES_REQUEST = struct.Struct(">BQI")
_ACCESS = struct.Struct(">BB")


def encode(message: ServerMessage | ClientMessage) -> bytes:
    """One message as the payload of a binary WebSocket message."""
    match message:
        case Output():
            return _OFFSET.pack(0x01, message.offset) + message.data
        case Hello():
            flags = _MAY_TYPE * message.writable | _OWNS_SIZE * message.owner
            size = (message.rows, message.cols)
            offsets = (message.start, message.live, message.accepted)
            return _HELLO.pack(0x03, message.version, flags, *size, *offsets, message.window)
        case Redraw():
            lines = (message.top, message.oldest)
            flags = _ALTERNATE_SCREEN * message.alternate
            return _REDRAW.pack(0x02, message.offset, *lines, message.rows, message.cols, flags) + message.data
        case Lines():
            flags = _LAST_PIECE * message.last | _WRAPPED * message.wrapped
            return _LINES.pack(0x0B, message.first, message.count, message.oldest, flags) + message.data
        case Resize():
            return _RESIZE.pack(0x04, message.rows, message.cols, _RESIZE_OWNS_SIZE * message.owner)
        case Title():
            return b"\x05" + message.title.encode()
        case Exit():
            return _EXIT.pack(0x06, message.code, message.signal) + message.reason.encode()
        case Error():
            return _ERROR.pack(0x07, message.code) + message.text.encode()
        case Pong():
            return b"\x08" + message.data
        case Accepted():
            return _OFFSET.pack(0x09, message.offset)
        case Presence():
            return b"\x0a" + message.text.encode()
        case Access():
            return _ACCESS.pack(0x0C, _MAY_TYPE * message.writable) + message.id.encode()
        case Input():
            return _OFFSET.pack(0x81, message.offset) + message.data
        case ResizeRequest():
            return _RESIZE_REQUEST.pack(0x82, message.rows, message.cols)
        case Ack():
            return _OFFSET.pack(0x83, message.offset)
        case Ping():
            return b"\x84" + message.data
        case LinesRequest():
            return _LINES_REQUEST.pack(0x85, message.before, message.count)
        case RedrawRequest():
            return b"\x86"


def decode(message: bytes) -> ServerMessage | ClientMessage | None:
    """Read one message; None for a type that this version does not know. Raises ProtocolError when it is too short."""
    kind = message[:1]
    try:
        match kind:
            case b"\x01":
                return Output(_OFFSET.unpack_from(message)[1], message[9:])
            case b"\x02":
                _, offset, top, oldest, rows, cols, flags = _REDRAW.unpack_from(message)
                return Redraw(offset, top, oldest, rows, cols, bool(flags & _ALTERNATE_SCREEN), message[_REDRAW.size :])
            case b"\x0b":
                _, first, count, oldest, flags = _LINES.unpack_from(message)
                last, wrapped = bool(flags & _LAST_PIECE), bool(flags & _WRAPPED)
                return Lines(first, count, oldest, last, wrapped, message[_LINES.size :])
            case b"\x03":
                _, version, flags, rows, cols, start, live, accepted, window = _HELLO.unpack_from(message)
                may_type, owns_size = bool(flags & _MAY_TYPE), bool(flags & _OWNS_SIZE)
                return Hello(may_type, owns_size, rows, cols, start, live, accepted, window, version)
            case b"\x04":
                _, rows, cols, flags = _RESIZE.unpack_from(message)
                return Resize(rows, cols, bool(flags & _RESIZE_OWNS_SIZE))
            case b"\x05":
                return Title(message[1:].decode("utf-8", "replace"))
            case b"\x06":
                _, code, signal = _EXIT.unpack_from(message)
                return Exit(code, signal, message[6:].decode("utf-8", "replace"))
            case b"\x07":
                return Error(_ERROR.unpack_from(message)[1], message[3:].decode("utf-8", "replace"))
            case b"\x08":
                return Pong(message[1:])
            case b"\x09":
                return Accepted(_OFFSET.unpack_from(message)[1])
            case b"\x0a":
                return Presence(message[1:].decode("utf-8", "replace"))
            case b"\x0c":
                may_type = bool(_ACCESS.unpack_from(message)[1] & _MAY_TYPE)
                return Access(may_type, message[2:].decode("utf-8", "replace"))
            case b"\x81":
                return Input(_OFFSET.unpack_from(message)[1], message[9:])
            case b"\x82":
                return ResizeRequest(*_RESIZE_REQUEST.unpack_from(message)[1:])
            case b"\x83":
                return Ack(_OFFSET.unpack_from(message)[1])
            case b"\x84":
                return Ping(message[1:])
            case b"\x85":
                return LinesRequest(*_LINES_REQUEST.unpack_from(message)[1:])
            case b"\x86":
                return RedrawRequest()
            case b"":
                raise ProtocolError("expected a type byte, got an empty message")
            case _:
                return None
    except struct.error as error:
        raise ProtocolError(f"message of type 0x{kind.hex()}: {error}, got {len(message)} bytes") from error
