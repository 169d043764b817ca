"""The bytes of a transfer, which can be made again from their number alone, and so be checked."""

import functools
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks.errors import Wrong

LINE = 64  # bytes, newline included
BLOCK = 1024  # lines made at a time


def blocks(size: int) -> Iterator[bytes]:
    """`size` bytes of numbered lines, no two alike, in ASCII: a peer that sends text can send them too."""
    number = 0
    while size > 0:
        lines = []
        for line in range(number, number + BLOCK):
            # The number shows lost and repeated lines; the rest, from a mixed counter, is not a run of one letter.
            mixed = line * 0x9E3779B97F4A7C15 % 2**64
            lines.append(f"{line:012d} {mixed:016x}{mixed * 0xBF58476D1CE4E5B9 % 2**64:016x} bytes of a line..\n")
        block = "".join(lines).encode("ascii")[:size]
        number += BLOCK
        size -= len(block)
        yield block


@dataclass(frozen=True)
class Content:
    """The bytes of blocks(size), known by their digest."""

    size: int
    lines: int
    sha256: str

    @classmethod
    @functools.cache
    def of(cls, size: int) -> "Content":
        digest = hashlib.sha256()
        for block in blocks(size):
            digest.update(block)
        return cls(size, size // LINE, digest.hexdigest())

    def check(self, received: Iterable[bytes | memoryview]) -> None:
        """Raises Wrong unless `received`, however it is cut, has every byte in order."""
        pieces = list(received)
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(piece)
        if digest.hexdigest() != self.sha256:
            raise Wrong(self._difference(b"".join(pieces)))

    def missing(self, received: Iterable[bytes | memoryview]) -> int:
        """Bytes of the lines that are missing or incomplete in `received`.

        Raises Wrong for lines out of order or repeated, and for more broken lines than there are gaps: a peer may lose
        output, but do nothing else to it.
        """
        pieces = list(received)
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(piece)
        if digest.hexdigest() == self.sha256:
            return 0
        whole = {line: number for number, line in enumerate(b"".join(blocks(self.size)).splitlines(keepends=True))}
        found, last, gaps, broken = 0, -1, 0, 0
        for line in b"".join(pieces).splitlines(keepends=True):
            number = whole.get(line)
            if number is None:
                broken += 1
                continue
            if number <= last:
                raise Wrong(f"output: expected a line after number {last}, got {line!r}")
            gaps += number != last + 1
            found, last = found + len(line), number
        if broken > gaps + 1:  # one more may be cut off at the end
            raise Wrong(f"output: expected lines of the content, got {broken} others with {gaps} gaps between its own")
        return self.size - found

    def _difference(self, received: bytes) -> str:
        offset = 0
        for block in blocks(self.size):
            here = received[offset : offset + len(block)]
            if here != block:
                wrong = next((at for at, (a, b) in enumerate(zip(here, block, strict=False)) if a != b), len(here))
                expected, got = block[wrong : wrong + LINE], here[wrong : wrong + LINE]
                return f"output differs at byte {offset + wrong}: expected {expected!r}, got {got!r}"
            offset += len(block)
        return f"output: expected {self.size} bytes, got {len(received) - self.size} more"
