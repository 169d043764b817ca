"""Waiting for the next change of a session."""

from __future__ import annotations

import asyncio


class Watch:
    """What Session.watch() gives. What happens between two calls of changed() is not lost: the next returns at once.

    output  told of what is printed too, and not only of marks, the end and the removal
    """

    def __init__(self, *, output: bool) -> None:
        self.output = output
        self._happened = asyncio.Event()

    def wake(self) -> None:
        self._happened.set()

    async def changed(self, timeout_s: float | None = None) -> None:
        """Return when something has happened since the last call: output, a mark, the end, the removal.

        Raises TimeoutError when nothing does in this time.
        """
        async with asyncio.timeout(timeout_s):
            await self._happened.wait()
        self._happened.clear()
