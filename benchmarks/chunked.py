"""HTTP's chunked coding (RFC 9112 §7.1), decoded as it arrives."""

from benchmarks.errors import Wrong


class Chunks:
    """One body.

    ended   the last chunk has arrived
    """

    LAST = b"0\r\n\r\n"

    def __init__(self) -> None:
        self.ended = False
        self._rest = b""  # an incomplete chunk

    def decode(self, piece: bytes | memoryview) -> bytes:
        """The content of the chunks that `piece` completes."""
        data, at = self._rest + piece, 0
        found = []
        while not self.ended and (line := data.find(b"\r\n", at)) >= 0:
            start = line + 2
            stop = start + _size(data[at:line])
            if len(data) < stop + 2:
                break
            if data[stop : stop + 2] != b"\r\n":
                raise Wrong(f"chunk: expected its end, got {data[stop : stop + 2]!r}")
            found.append(data[start:stop])
            self.ended = start == stop
            at = stop + 2
        self._rest = data[at:]
        return b"".join(found)


def _size(line: bytes) -> int:
    try:
        return int(line.partition(b";")[0], 16)
    except ValueError:
        raise Wrong(f"chunk: expected its size, got {line[:40]!r}") from None
