"""What /metrics says: read from the registry and the pump when it is asked for, and the event loop's delays."""

from __future__ import annotations

import asyncio
import bisect
import itertools
from collections.abc import Iterable, Iterator, Sized
from typing import TYPE_CHECKING

from vibetunnel.security.audit import LogFile
from vibetunnel.security.limits import Limits
from vibetunnel.sessions.registry import Registry

if TYPE_CHECKING:
    from vibetunnel.exposition import Exposition

DELAY_PERIOD_S = 0.5  # between two looks at the event loop
DELAY_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, float("inf"))  # seconds, upper bounds


class Delays:
    """How late the event loop was, so many times up to each bound. total_s: all delays together."""

    def __init__(self) -> None:
        self.total_s = 0.0
        self._counts = [0] * len(DELAY_BUCKETS)

    def observe(self, delay_s: float) -> None:
        self.total_s += delay_s
        self._counts[bisect.bisect_left(DELAY_BUCKETS, delay_s)] += 1

    def up_to(self) -> Iterator[tuple[float, int]]:
        """(bound, how many were not above it)."""
        return zip(DELAY_BUCKETS, itertools.accumulate(self._counts), strict=True)


class Metrics:
    """The metrics of one server.

    watchers  the sockets of /buffers
    limits    whose refusals are counted; None: nobody's
    logs      whose losses are counted
    """

    def __init__(
        self, registry: Registry, watchers: Sized, limits: Limits | None = None, logs: Iterable[LogFile] = ()
    ) -> None:
        self._of = registry, watchers, limits, tuple(logs)
        self._delays = Delays()
        self._exposition: Exposition | None = None
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch the event loop."""
        self._watch = asyncio.create_task(self._watch_loop())  # owned: close() cancels it

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    def page(self) -> tuple[str, bytes]:
        """(content type, text for Prometheus)."""
        if self._exposition is None:
            from vibetunnel.exposition import Exposition  # here: most servers are never asked

            self._exposition = Exposition(*self._of, self._delays)
        return self._exposition.page()

    async def _watch_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(DELAY_PERIOD_S)
            self._delays.observe(max(0.0, loop.time() - before - DELAY_PERIOD_S))
