"""Bodies in chunks (RFC 9112 §7.1). Pure: bytes in, bytes out; what the grammar does not say is refused.

httptools reads chunks too, but would go on into the request behind them, and wait for whatever a chunk announces.
"""

from __future__ import annotations

import enum
import re

MAX_LINE = 256  # bytes of a chunk's size and extensions, and of each line of a trailer
MAX_TRAILER = 4096  # bytes

# Extensions are read over, as §7.1.1 asks. Eight digits: 4 GiB, more than any body may have.
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")


class MalformedChunks(Exception):
    """The body is not one in chunks; nothing behind it can be understood."""


class _Next(enum.Enum):
    SIZE = enum.auto()
    DATA = enum.auto()
    DATA_END = enum.auto()
    TRAILER = enum.auto()


class Chunks:
    """One body.

    ended  the last byte of it has been seen
    rest   what has come behind it
    """

    def __init__(self) -> None:
        self.ended = False
        self.rest = b""
        self._next = _Next.SIZE
        self._left = 0  # bytes of the chunk
        self._line = b""  # what has come of one
        self._trailer = MAX_TRAILER

    def feed(self, data: bytes) -> bytes:
        """What `data` has of the body; it goes on where the last one ended. Raises MalformedChunks."""
        pieces, at = [], 0
        while at < len(data) and not self.ended:
            if self._next is _Next.DATA:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                if not self._left:
                    self._next = _Next.DATA_END
                pieces.append(piece)
            else:
                at = self._take_line(data, at)
        self.rest += data[at:]
        return b"".join(pieces)

    def _take_line(self, data: bytes, at: int) -> int:
        """Take a line, or what has come of it. Returns where the next thing is."""
        line = self._line + data[at : at + MAX_LINE + 2]
        end = line.find(b"\r\n")
        if end < 0 and len(line) <= MAX_LINE + 1 and b"\n" not in line:
            self._line = line
            return len(data)
        if not 0 <= end <= MAX_LINE:
            raise MalformedChunks(f"expected a line of at most {MAX_LINE} bytes")
        at += end + 2 - len(self._line)
        self._line = b""
        self._ends(line[:end])
        return at

    def _ends(self, line: bytes) -> None:
        match self._next:
            case _Next.SIZE:
                found = _SIZE.fullmatch(line)
                if found is None:
                    raise MalformedChunks(f"expected the size of a chunk, got {line[:40]!r}")
                self._left = int(found[1], 16)
                self._next = _Next.DATA if self._left else _Next.TRAILER
            case _Next.DATA_END:
                if line:
                    raise MalformedChunks("expected the end of a chunk")
                self._next = _Next.SIZE
            case _:
                self._trailer -= len(line) + 2
                if self._trailer < 0 or b"\r" in line or b"\n" in line:
                    raise MalformedChunks(f"expected a trailer of at most {MAX_TRAILER} bytes, in whole lines")
                self.ended = not line
