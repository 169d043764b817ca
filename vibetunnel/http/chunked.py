"""The chunked coding of bodies (RFC 9112 §7.1). Pure: bytes in, bytes out; anything outside the grammar is refused.

httptools reads chunks too, but it would read on into the next request, and accepts a chunk of any size.
"""

from __future__ import annotations

import enum
import re

MAX_LINE = 256  # bytes of a chunk's size line, extensions included, and of each line of a trailer
MAX_TRAILER = 4096  # bytes

# Extensions are ignored, as §7.1.1 asks. Eight digits allow 4 GiB, more than any body may have.
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?")


class MalformedChunks(Exception):
    """The body breaks the grammar of chunks, so nothing after it can be understood."""


class _Next(enum.Enum):
    SIZE = enum.auto()
    DATA = enum.auto()
    DATA_END = enum.auto()
    TRAILER = enum.auto()


class Chunks:
    """One body.

    ended  its last byte was seen
    rest   the bytes after the body
    """

    def __init__(self) -> None:
        self.ended = False
        self.rest = b""
        self._next = _Next.SIZE
        self._left = 0  # bytes of the chunk that are still to come
        self._line = b""  # the start of a line that is not complete
        self._trailer = MAX_TRAILER  # bytes that the trailer may still have

    def feed(self, data: bytes) -> bytes:
        """Return the part of the body in `data`, which follows the data of the last call. Raises MalformedChunks."""
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
        """Read a line, or the part of it that is there. Returns where the next item starts."""
        line = self._line + data[at : at + MAX_LINE + 2]
        end = line.find(b"\r\n")
        if end < 0 and len(line) <= MAX_LINE + 1 and b"\n" not in line:
            self._line = line
            return len(data)
        if not 0 <= end <= MAX_LINE:
            raise MalformedChunks(f"expected a line of at most {MAX_LINE} bytes")
        at += end + 2 - len(self._line)
        self._line = b""
        self._on_line(line[:end])
        return at

    def _on_line(self, line: bytes) -> None:
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
