"""Ten thousand clients that watch one session, read by a loop that costs little (audience.c)."""

import ctypes
from collections.abc import Sequence

from benchmarks import compiled
from benchmarks.client import DEADLINE_S, Terminal
from benchmarks.errors import Wrong

LINE = 80  # bytes


class Audience:
    """WebSocket clients of one session, whose program sends back its input.

    Only one can exist at a time: audience.c has one list of clients.
    """

    def __init__(self, terminals: Sequence[Terminal]) -> None:
        self._library = compiled.library("audience.c")
        self._typist = terminals[0]
        self._count = len(terminals)
        self._lines = 0
        fds = (ctypes.c_int * self._count)(*(terminal.connection.fileno() for terminal in terminals))
        if self._library.audience_open(fds, self._count) < 0:
            raise self._wrong()

    def line(self, *, wait_s: float = 0) -> float:
        """The first client types a line, and all clients get it. Returns the seconds until the last one has it.

        wait_s   pause before the clock starts and anything is read: then only the reading is timed
        Raises Wrong if a client has not got it once within DEADLINE_S, and for other output.
        """
        self._lines += 1
        line = b"line %06d " % self._lines
        line += b"." * (LINE - len(line))
        frame = self._typist.wire.encode(line)
        expected = self._typist.wire.message(line)
        took_ns = ctypes.c_int64()
        reached = self._library.audience_line(
            frame, len(frame), expected, len(expected), int(wait_s * 1000), DEADLINE_S * 1000, ctypes.byref(took_ns)
        )
        if reached < 0:
            raise self._wrong()
        if reached < self._count:
            raise Wrong(f"expected {line!r} at {self._count} clients within {DEADLINE_S} s, got it at {reached}")
        return took_ns.value / 1e9

    def close(self) -> None:
        self._library.audience_close()

    def _wrong(self) -> Wrong:
        return Wrong(compiled.problem(self._library))
