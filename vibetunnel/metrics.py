"""The metrics of a server: read when /metrics is requested, except for the delays of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sized
from typing import TYPE_CHECKING

from vibetunnel.delays import Delays
from vibetunnel.logs.file import LogFile
from vibetunnel.security.limits import Limits
from vibetunnel.sessions.registry import Registry

if TYPE_CHECKING:
    from vibetunnel.exposition import Exposition

DELAY_PERIOD_S = 0.5  # between two measurements of the event loop's delay


class Metrics:
    """The metrics of one server.

    watchers  the sockets of /buffers
    limits    its refusals are counted; None: there are no limits
    logs      their lost records are counted
    """

    def __init__(
        self, registry: Registry, watchers: Sized, limits: Limits | None = None, logs: Iterable[LogFile] = ()
    ) -> None:
        self._of = registry, watchers, limits, tuple(logs)
        self._delays = Delays()
        self._exposition: Exposition | None = None
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start measuring the delays of the event loop."""
        self._watch = asyncio.create_task(self._watch_loop())  # owned: close() cancels it

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)

    def page(self) -> tuple[str, bytes]:
        """(content type, text for Prometheus)."""
        if self._exposition is None:
            from vibetunnel.exposition import Exposition  # here: most servers never get this request

            self._exposition = Exposition(*self._of, self._delays)
        return self._exposition.page()

    async def _watch_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            before = loop.time()
            await asyncio.sleep(DELAY_PERIOD_S)
            self._delays.observe(max(0.0, loop.time() - before - DELAY_PERIOD_S))
