"""The pure parts of the pump, for tests and tools."""

from typing import Literal, NamedTuple

def hello(flags: int, rows: int, cols: int, start: int, live: int, accepted: int, window: int) -> bytes: ...
def output(offset: int, data: bytes) -> bytes: ...
def damage(offset: int, top: int, oldest: int, data: bytes) -> bytes: ...
def redraw(offset: int, top: int, oldest: int, rows: int, cols: int, flags: int, data: bytes) -> bytes: ...
def lines(first: int, count: int, oldest: int, flags: int, data: bytes) -> bytes: ...
def resize(rows: int, cols: int, flags: int) -> bytes: ...
def exited(code: int, signal: int, reason: bytes) -> bytes: ...
def error(code: int, text: bytes) -> bytes: ...
def accepted(offset: int) -> bytes: ...
def access(flags: int, name: bytes) -> bytes: ...
def read_request(message: bytes) -> tuple[int, int, int, int, int, int, bytes] | None:
    """Return (kind, offset, rows, cols, flags, count, data); None: unknown type. ValueError if it is malformed."""

def read_appearance(message: bytes) -> tuple[bool, int, int, tuple[int, ...]]:
    """Return (dark, cell_height, cell_width, colours). ValueError if it is malformed."""

def text_of_output(data: bytes) -> tuple[int, bytes, bytes]:
    """(bytes at the end that more may finish to a character, UTF-8 text, the same as the inside of a JSON string)."""

def read_object(
    text: bytes,
) -> tuple[Literal["input"], bytes] | tuple[Literal["resize"], int, int] | tuple[Literal["ping", "bad"]] | None:
    """Read a raw client's text message. None: the whole text is input."""

class Typing:
    """The messages of one client: which of them did a person type, and which are reports of its terminal?"""

    def typed(self, message: bytes) -> bool: ...

class Ring:
    """A session's ring, mapped. The caller keeps and closes `fd`."""

    MARGIN: int
    def __init__(self, fd: int) -> None: ...
    @property
    def head(self) -> int: ...
    @property
    def oldest(self) -> int: ...
    @property
    def capacity(self) -> int: ...
    def put(self, data: bytes, *, commit: bool = True) -> None:
        """Write at most MARGIN bytes at the head, as a read() would. Without `commit` the head does not move."""
    def copy(self, offset: int, n: int) -> bytes: ...
    def checkpoint(self, offset: int, rows: int, cols: int, data: bytes) -> None:
        """Replace the older of the two checkpoints. data: at most 1 MiB."""
    def found(self) -> tuple[int, int, int, bytes] | None:
        """(offset, rows, cols, data) of the checkpoint from which a new server starts."""
    def slot(self, client: bytes, taken: int = 0) -> tuple[int, bool]:
        """(index or -1, whether it is new) of the slot for a client's input stream."""

class Place(NamedTuple):
    """The position of one client: the numbers of ext/pump/backlog.pxd."""

    cursor: int
    drawn: int
    window: int = 0
    step: int = 0
    latest: bool = False
    returning: bool = False
    closing: bool = False
    in_ring: bool = False
    is_interrupted: bool = False

class Judged(NamedTuple):
    """The rule's answers for one client."""

    caught_up: bool
    behind: bool
    sendable: int
    owed: int
    blocks: bool
    has_room: bool

class Backlog:
    """One terminal's backpressure rule, and the gate of its PTY."""

    def __init__(self, *, capacity: int, batch: int, high: int, low: int) -> None: ...
    @property
    def paused(self) -> bool: ...
    def judge(self, head: int, place: Place) -> Judged: ...
    def decide(self, head: int, places: list[Place]) -> tuple[bool, list[int]]:
        """(whether to pause, indexes of the places to spill). Spilled places do not count for the pause."""
    def pause(self, blockers: int) -> None: ...
    def opens(self, head: int, place: Place, blocking: bool) -> tuple[bool, bool]:
        """(whether the PTY may run again, whether the gate still counts the client)."""

class Lists:
    """Two intrusive lists, 0 and 1, and twelve things with a link each (ext/pump/list.h).

    A thing is put into a list only while it is in none, and removed from the list that holds it: nothing checks it.
    """

    def linked(self, thing: int) -> bool: ...
    def put_first(self, which: int, thing: int) -> None: ...
    def put_last(self, which: int, thing: int) -> None: ...
    def remove(self, which: int, thing: int) -> None: ...
    def take_first(self, which: int) -> int | None: ...
    def take_all(self, which: int) -> None:
        """Move all to the other list, which must be empty."""
    def walk(self, which: int, leave: set[int]) -> list[int]:
        """The things that a loop comes to, while its body removes those of `leave` as it stands at them."""

class Codec:
    """Compressed messages (RFC 7692), without context takeover. OSError without zlib."""

    def __init__(self) -> None: ...
    def deflate(self, pieces: list[bytes], room: int) -> bytes | None:
        """Compress a message of up to eight pieces. None if that needs more than room - 5 bytes."""
    def inflate(self, payload: bytes, limit: int) -> bytes:
        """Inflate a message. ValueError with the close code: 1007 if it is incomplete, 1009 if over the limit."""
