"""Text, HTML, JSON and snapshots of captures: large ones are made in threads, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

# Cells: the event loop makes so many itself, in at most 3 ms (HTML in which each cell has colours of its own).
AT_ONCE = 8 * 1024
THREADS = 2  # a large page holds up other large pages and nothing else


class Rendering:
    """The threads, which start at the first large capture."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="render")

    async def run(self, make: Callable[[], bytes], cells: int) -> bytes:
        """The bytes that `make` makes of so many cells. It has to release the GIL, as the engine's methods do."""
        if cells <= AT_ONCE:
            return make()
        return await asyncio.get_running_loop().run_in_executor(self._threads, make)

    async def close(self) -> None:
        """Return when no thread works any longer. Safe twice."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
