"""The pure parts of the pump as Python sees them, for tests and tools."""

from typing import Literal, NamedTuple

def hello(flags: int, rows: int, cols: int, start: int, live: int, accepted: int, window: int) -> bytes: ...
def output(offset: int, data: bytes) -> bytes: ...
def redraw(offset: int, top: int, oldest: int, rows: int, cols: int, flags: int, data: bytes) -> bytes: ...
def lines(first: int, count: int, oldest: int, flags: int, data: bytes) -> bytes: ...
def resize(rows: int, cols: int, flags: int) -> bytes: ...
def exited(code: int, signal: int, reason: bytes) -> bytes: ...
def error(code: int, text: bytes) -> bytes: ...
def accepted(offset: int) -> bytes: ...
def access(flags: int, name: bytes) -> bytes: ...
def read_request(message: bytes) -> tuple[int, int, int, int, int, bytes] | None:
    """(kind, offset, rows, cols, count, data), None for an unknown type; ValueError for a malformed message."""

def read_object(
    text: bytes,
) -> tuple[Literal["input"], bytes] | tuple[Literal["resize"], int, int] | tuple[Literal["ping", "bad"]] | None:
    """What a raw client's text message is; None: input as it stands."""

class Ring:
    """A session's ring, mapped. `fd` stays the caller's."""

    MARGIN: int
    def __init__(self, fd: int) -> None: ...
    @property
    def head(self) -> int: ...
    @property
    def oldest(self) -> int: ...
    @property
    def capacity(self) -> int: ...
    def put(self, data: bytes, *, commit: bool = True) -> None:
        """Write at the head, as a read() would; without `commit`, as one that was never counted."""
    def copy(self, offset: int, n: int) -> bytes: ...
    def checkpoint(self, offset: int, rows: int, cols: int, data: bytes) -> None:
        """Keep at most 1 MiB in place of the older of two."""
    def found(self) -> tuple[int, int, int, bytes] | None:
        """(offset, rows, cols, data) of the checkpoint that a new server begins with."""
    def slot(self, client: bytes, taken: int = 0) -> tuple[int, bool]:
        """(index or -1, whether it is new) of a client's input stream."""

class Place(NamedTuple):
    """Where one client stands, in the numbers of ext/pump/backlog.pxd."""

    cursor: int
    drawn: int
    window: int = 0
    step: int = 0
    latest: bool = False
    returning: bool = False
    closing: bool = False
    in_ring: bool = False
    skips_soon: bool = False

class Judged(NamedTuple):
    """What the rule says of one client."""

    caught_up: bool
    behind: bool
    sendable: int
    owed: int
    blocks: bool
    has_room: bool

class Backlog:
    """The rule of who is slow, of one terminal, and the gate of its PTY."""

    def __init__(self, *, capacity: int, batch: int, high: int, low: int) -> None: ...
    @property
    def paused(self) -> bool: ...
    def judge(self, head: int, place: Place) -> Judged: ...
    def decide(self, head: int, places: list[Place]) -> tuple[bool, list[int]]:
        """(whether to pause, indexes of the places to spill); those are not counted."""
    def pause(self, blockers: int) -> None: ...
    def opens(self, head: int, place: Place, blocking: bool) -> tuple[bool, bool]:
        """(whether the PTY may run again, whether the gate still counts the client)."""

class Codec:
    """Compressed messages (RFC 7692), each by itself. OSError without zlib."""

    def __init__(self) -> None: ...
    def deflate(self, pieces: list[bytes], room: int) -> bytes | None:
        """The payload of a message of up to eight pieces; None when it would need more than room - 5 bytes."""
    def inflate(self, payload: bytes, limit: int) -> bytes:
        """What is in a message. ValueError with the close code: 1007 is not whole, 1009 is longer than the limit."""
