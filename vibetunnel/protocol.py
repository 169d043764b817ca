"""The messages and close codes of `vibetunnel.v1`: the reference implementation of docs/protocol.md.

The server takes its close codes from here. ext/wire/v1.pxd and vibetunnel/web/src/protocol.ts have the same names;
tests/vectors/v1.json tests all three.
"""

import struct
from enum import IntEnum

import msgspec

SUBPROTOCOL = "vibetunnel.v1"
VERSION = 1
MAX_PING = 64  # bytes
MAX_LINES = 10_000  # per request
MAX_CELL = 1000  # pixels
THEME_COLOURS = 19  # of an appearance: 16 of the palette, foreground, background, cursor
TOP = 2**64 - 1  # in LinesRequest.before: the screen's first line, whatever its number


class Type(IntEnum):
    """The first byte of a message."""

    OUTPUT = 0x01
    REDRAW = 0x02
    HELLO = 0x03
    RESIZE = 0x04
    TITLE = 0x05
    EXIT = 0x06
    ERROR = 0x07
    PONG = 0x08
    ACCEPTED = 0x09
    PRESENCE = 0x0A
    LINES = 0x0B
    ACCESS = 0x0C
    DAMAGE = 0x0D
    INPUT = 0x81
    RESIZE_REQUEST = 0x82
    ACK = 0x83
    PING = 0x84
    LINES_REQUEST = 0x85
    REDRAW_REQUEST = 0x86
    APPEARANCE = 0x87


# Flags
MAY_TYPE = 1  # hello, access
OWNS_SIZE = 2  # hello
RESIZE_OWNS_SIZE = 1  # resize
ALTERNATE_SCREEN = 1  # redraw
LAST_PIECE = 1  # lines
WRAPPED = 2  # lines
TAKE_SIZE = 1  # resize request
HIDDEN = 2  # resize request
DARK = 1  # appearance

# Codes of error messages
ERROR_READ_ONLY = 1
ERROR_MALFORMED = 2
ERROR_INPUT_GAP = 3

# Close codes: what a client does about each is in docs/protocol.md
CLOSE_AWAY = 1001
CLOSE_UNSUPPORTED = 1003
CLOSE_POLICY = 1008
CLOSE_INTERNAL = 1011
CLOSE_LOGIN_OVER = 4401
CLOSE_PUT_OUT = 4403
CLOSE_SESSION_REMOVED = 4404


class ProtocolError(ValueError):
    """A message that is too short for its type; the text says what was expected and what came."""


class Hello(msgspec.Struct, frozen=True):
    writable: bool
    owner: bool  # of the size
    rows: int
    cols: int
    start: int  # offset of the first output byte that follows
    live: int  # end of the output printed before the attach
    accepted: int  # offset at which this client's input continues
    window: int  # bytes of output that the server sends without an ack
    version: int = VERSION


class Output(msgspec.Struct, frozen=True):
    offset: int
    data: bytes


class Redraw(msgspec.Struct, frozen=True):
    """The whole terminal at `offset`, where the output goes on. Line numbers are absolute."""

    offset: int
    top: int  # the screen's first line
    oldest: int  # the oldest line kept; `top`: no scrollback
    rows: int
    cols: int
    alternate: bool  # the alternate screen is on
    data: bytes  # for a terminal that was just reset to this size


class Damage(msgspec.Struct, frozen=True):
    """What has changed on the screen from the end of the output, redraw or damage before to `offset`."""

    offset: int
    top: int  # the screen's first line
    oldest: int  # the oldest line kept
    data: bytes  # for the terminal as it is


class Lines(msgspec.Struct, frozen=True):
    """A piece of scrollback: the lines from `first` up to `first + count`."""

    first: int
    count: int
    oldest: int  # the oldest line kept
    last: bool  # this is the last piece of the answer
    wrapped: bool  # the last line continues in the next one
    data: bytes


class Resize(msgspec.Struct, frozen=True):
    rows: int
    cols: int
    owner: bool


class Title(msgspec.Struct, frozen=True):
    title: str


class Exit(msgspec.Struct, frozen=True):
    code: int  # 128 + N after signal N; -1: the program never ran
    signal: int  # 0: no signal
    reason: str


class Error(msgspec.Struct, frozen=True):
    code: int
    text: str


class Pong(msgspec.Struct, frozen=True):
    data: bytes


class Accepted(msgspec.Struct, frozen=True):
    offset: int


class Presence(msgspec.Struct, frozen=True):
    text: str  # JSON, see docs/protocol.md


class Access(msgspec.Struct, frozen=True):
    """Whether this client may type from now on, and its id in the presence messages."""

    writable: bool
    id: str


class Input(msgspec.Struct, frozen=True):
    offset: int
    data: bytes


class ResizeRequest(msgspec.Struct, frozen=True):
    """The client's viewport. A message without the byte of flags has neither."""

    rows: int
    cols: int
    take_size: bool = False  # on purpose, whichever client has it
    hidden: bool = False  # the user cannot see the session: another client that types gets the size


class Appearance(msgspec.Struct, frozen=True):
    """The client's theme and the size of its cells, with which programs are answered while it owns the size."""

    dark: bool
    cell_height: int  # pixels, at most MAX_CELL; 0: unknown
    cell_width: int
    colours: tuple[int, ...]  # THEME_COLOURS of them, each 0xRRGGBB


class Ack(msgspec.Struct, frozen=True):
    offset: int


class Ping(msgspec.Struct, frozen=True):
    data: bytes


class LinesRequest(msgspec.Struct, frozen=True):
    before: int  # the first line after the wanted ones; TOP: the screen's first line
    count: int  # at most MAX_LINES


class RedrawRequest(msgspec.Struct, frozen=True):
    pass


ServerMessage = (
    Hello | Output | Redraw | Damage | Lines | Resize | Title | Exit | Error | Pong | Accepted | Presence | Access
)
ClientMessage = Input | ResizeRequest | Ack | Ping | LinesRequest | RedrawRequest | Appearance

_HELLO = struct.Struct(">BBBHHQQQI")
_OFFSET = struct.Struct(">BQ")
_REDRAW = struct.Struct(">BQQQHHB")
_DAMAGE = struct.Struct(">BQQQ")
_LINES = struct.Struct(">BQIQB")
_RESIZE = struct.Struct(">BHHB")
_EXIT = struct.Struct(">BiB")
_ERROR = struct.Struct(">BH")
_RESIZE_REQUEST = struct.Struct(">BHH")
_LINES_REQUEST = struct.Struct(">BQI")
_ACCESS = struct.Struct(">BB")
_APPEARANCE = struct.Struct(f">BBHH{3 * THEME_COLOURS}s")


def encode(message: ServerMessage | ClientMessage) -> bytes:
    """One message as the payload of a binary WebSocket message."""
    match message:
        case Output():
            return _OFFSET.pack(Type.OUTPUT, message.offset) + message.data
        case Hello():
            flags = MAY_TYPE * message.writable | OWNS_SIZE * message.owner
            size = (message.rows, message.cols)
            offsets = (message.start, message.live, message.accepted)
            return _HELLO.pack(Type.HELLO, message.version, flags, *size, *offsets, message.window)
        case Redraw():
            lines = (message.top, message.oldest)
            flags = ALTERNATE_SCREEN * message.alternate
            return _REDRAW.pack(Type.REDRAW, message.offset, *lines, message.rows, message.cols, flags) + message.data
        case Damage():
            return _DAMAGE.pack(Type.DAMAGE, message.offset, message.top, message.oldest) + message.data
        case Lines():
            flags = LAST_PIECE * message.last | WRAPPED * message.wrapped
            return _LINES.pack(Type.LINES, message.first, message.count, message.oldest, flags) + message.data
        case Resize():
            return _RESIZE.pack(Type.RESIZE, message.rows, message.cols, RESIZE_OWNS_SIZE * message.owner)
        case Title():
            return bytes((Type.TITLE,)) + message.title.encode()
        case Exit():
            return _EXIT.pack(Type.EXIT, message.code, message.signal) + message.reason.encode()
        case Error():
            return _ERROR.pack(Type.ERROR, message.code) + message.text.encode()
        case Pong():
            return bytes((Type.PONG,)) + message.data
        case Accepted():
            return _OFFSET.pack(Type.ACCEPTED, message.offset)
        case Presence():
            return bytes((Type.PRESENCE,)) + message.text.encode()
        case Access():
            return _ACCESS.pack(Type.ACCESS, MAY_TYPE * message.writable) + message.id.encode()
        case Input():
            return _OFFSET.pack(Type.INPUT, message.offset) + message.data
        case ResizeRequest():
            flags = TAKE_SIZE * message.take_size | HIDDEN * message.hidden
            return _RESIZE_REQUEST.pack(Type.RESIZE_REQUEST, message.rows, message.cols) + bytes((flags,))
        case Ack():
            return _OFFSET.pack(Type.ACK, message.offset)
        case Ping():
            return bytes((Type.PING,)) + message.data
        case LinesRequest():
            return _LINES_REQUEST.pack(Type.LINES_REQUEST, message.before, message.count)
        case RedrawRequest():
            return bytes((Type.REDRAW_REQUEST,))
        case Appearance():
            colours = b"".join(colour.to_bytes(3, "big") for colour in message.colours)
            cell = (message.cell_height, message.cell_width)
            return _APPEARANCE.pack(Type.APPEARANCE, DARK * message.dark, *cell, colours)


def decode(message: bytes) -> ServerMessage | ClientMessage | None:
    """Read one message; None for an unknown type. Raises ProtocolError if the message is too short for its type."""
    if not message:
        raise ProtocolError("expected a type byte, got an empty message")
    kind = message[0]
    try:
        match kind:
            case Type.OUTPUT:
                return Output(_OFFSET.unpack_from(message)[1], message[9:])
            case Type.REDRAW:
                _, offset, top, oldest, rows, cols, flags = _REDRAW.unpack_from(message)
                return Redraw(offset, top, oldest, rows, cols, bool(flags & ALTERNATE_SCREEN), message[_REDRAW.size :])
            case Type.DAMAGE:
                _, offset, top, oldest = _DAMAGE.unpack_from(message)
                return Damage(offset, top, oldest, message[_DAMAGE.size :])
            case Type.LINES:
                _, first, count, oldest, flags = _LINES.unpack_from(message)
                last, wrapped = bool(flags & LAST_PIECE), bool(flags & WRAPPED)
                return Lines(first, count, oldest, last, wrapped, message[_LINES.size :])
            case Type.HELLO:
                _, version, flags, rows, cols, start, live, accepted, window = _HELLO.unpack_from(message)
                may_type, owns_size = bool(flags & MAY_TYPE), bool(flags & OWNS_SIZE)
                return Hello(may_type, owns_size, rows, cols, start, live, accepted, window, version)
            case Type.RESIZE:
                _, rows, cols, flags = _RESIZE.unpack_from(message)
                return Resize(rows, cols, bool(flags & RESIZE_OWNS_SIZE))
            case Type.TITLE:
                return Title(message[1:].decode("utf-8", "replace"))
            case Type.EXIT:
                _, code, signal = _EXIT.unpack_from(message)
                return Exit(code, signal, message[6:].decode("utf-8", "replace"))
            case Type.ERROR:
                return Error(_ERROR.unpack_from(message)[1], message[3:].decode("utf-8", "replace"))
            case Type.PONG:
                return Pong(message[1:])
            case Type.ACCEPTED:
                return Accepted(_OFFSET.unpack_from(message)[1])
            case Type.PRESENCE:
                return Presence(message[1:].decode("utf-8", "replace"))
            case Type.ACCESS:
                may_type = bool(_ACCESS.unpack_from(message)[1] & MAY_TYPE)
                return Access(may_type, message[2:].decode("utf-8", "replace"))
            case Type.INPUT:
                return Input(_OFFSET.unpack_from(message)[1], message[9:])
            case Type.RESIZE_REQUEST:
                _, rows, cols = _RESIZE_REQUEST.unpack_from(message)
                flags = message[_RESIZE_REQUEST.size] if len(message) > _RESIZE_REQUEST.size else 0
                return ResizeRequest(rows, cols, bool(flags & TAKE_SIZE), bool(flags & HIDDEN))
            case Type.ACK:
                return Ack(_OFFSET.unpack_from(message)[1])
            case Type.PING:
                return Ping(message[1:])
            case Type.LINES_REQUEST:
                return LinesRequest(*_LINES_REQUEST.unpack_from(message)[1:])
            case Type.REDRAW_REQUEST:
                return RedrawRequest()
            case Type.APPEARANCE:
                _, flags, cell_height, cell_width, packed = _APPEARANCE.unpack_from(message)
                colours = tuple(int.from_bytes(packed[at : at + 3], "big") for at in range(0, len(packed), 3))
                return Appearance(bool(flags & DARK), cell_height, cell_width, colours)
            case _:
                return None
    except struct.error as error:
        raise ProtocolError(f"message of type 0x{kind:02x}: {error}, got {len(message)} bytes") from error
