"""The growth of processes' memory during a block of code."""

import threading
from collections.abc import Sequence
from types import TracebackType

from benchmarks import processes

INTERVAL_S = 0.05  # between two readings, each of which costs some 0.1 ms a process


class Growth:
    """Reads the memory of `pids` until the end of its `with`, in a thread that takes a thousandth of the client's time.

    mib   difference between the highest reading and the first one
    """

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids = pids
        self._before = self._most = processes.rss(pids)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def mib(self) -> float:
        return (self._most - self._before) / 2**20

    def __enter__(self) -> "Growth":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        if error is None:
            self._look()

    def _watch(self) -> None:
        try:
            while not self._over.wait(INTERVAL_S):
                self._look()
        except OSError:  # a process has ended: its client will report that
            pass

    def _look(self) -> None:
        self._most = max(self._most, processes.rss(self._pids))
