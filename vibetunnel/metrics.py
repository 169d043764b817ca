"""The metrics of one server: the event loop's delays, and a page that is read from other objects on request."""

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

DELAY_PERIOD_S = 0.5  # between two measurements of the event loop's delay
DELAY_BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, float("inf"))  # seconds, upper bounds


class Delays:
    """A histogram of the event loop's delays. total_s: the sum of all delays."""

    def __init__(self) -> None:
        self.total_s = 0.0
        self._counts = [0] * len(DELAY_BUCKETS)

    def observe(self, delay_s: float) -> None:
        self.total_s += delay_s
        self._counts[bisect.bisect_left(DELAY_BUCKETS, delay_s)] += 1

    def up_to(self) -> Iterator[tuple[float, int]]:
        """(bound, how many delays were at most that long)."""
        return zip(DELAY_BUCKETS, itertools.accumulate(self._counts), strict=True)


class Metrics:
    """What GET /metrics reports.

    watchers  the sockets of /buffers
    limits    count the requests that they refused; None: no such count
    logs      count the records that they lost
    """

    def __init__(
        self, registry: Registry, watchers: Sized, limits: Limits | None = None, logs: Iterable[LogFile] = ()
    ) -> None:
        self._sources = registry, watchers, limits, tuple(logs)
        self._delays = Delays()
        self._exposition: Exposition | None = None
        self._measuring: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to measure the event loop's delay."""
        self._measuring = asyncio.create_task(self._measure())  # owned: close() cancels it

    async def close(self) -> None:
        if self._measuring is not None:
            self._measuring.cancel()
            await asyncio.gather(self._measuring, return_exceptions=True)

    def page(self) -> tuple[str, bytes]:
        """(content type, text for Prometheus)."""
        if self._exposition is None:
            from vibetunnel.exposition import Exposition  # here: it takes memory, and few servers are asked for metrics

            self._exposition = Exposition(*self._sources, self._delays)
        return self._exposition.page()

    async def _measure(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(DELAY_PERIOD_S)
            self._delays.observe(max(0.0, loop.time() - before - DELAY_PERIOD_S))
