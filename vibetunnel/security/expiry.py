"""Removes what has expired from memory and from the files, so that no clock brings it back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Protocol

PERIOD_S = 60.0

log = logging.getLogger(__name__)


class Expiring(Protocol):
    """A store of things that expire."""

    def drop_expired(self) -> None:
        """Remove what has expired. The file follows soon."""


class Expiry:
    """Looks at the stores every PERIOD_S. Between two looks a store refuses what has expired, too."""

    def __init__(self, stores: Iterable[Expiring]) -> None:
        self._stores = tuple(stores)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())  # owned: close() cancels it

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            for store in self._stores:
                try:
                    store.drop_expired()
                except Exception:  # the looks must go on
                    log.exception("removing what has expired failed")
            await asyncio.sleep(PERIOD_S)
