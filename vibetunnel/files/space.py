"""The file service of a server: its roots, its uploads, and the threads that do what may block."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from vibetunnel.errors import LimitReached
from vibetunnel.files.errors import FilesBusy
from vibetunnel.files.git import Git, NoGit
from vibetunnel.files.roots import Roots
from vibetunnel.files.uploads import PasteFolder, Uploads

T = TypeVar("T")

THREADS = 4  # a slow disk holds up other files, and nothing else
WAITING = 64  # requests that wait for a thread
STREAMS = 64  # uploads and downloads at the same time
STREAMS_OF_ONE = 8  # of one user, or of the guests of one session
SWEEP_S = 60.0
STUCK_S = 5.0  # after which a thread that works is left alone

logger = logging.getLogger(__name__)

PASTED = "uploads"  # in the state folder


class FileSpace:
    """All of it. close() it.

    folders      the roots, the first of which relative paths begin at
    private      files and folders that no client reaches; those that do not exist are ignored
    home         what `~` means
    state_dir    has the folder of pasted files
    limit_bytes  the largest file that may be uploaded
    """

    def __init__(
        self,
        folders: Sequence[Path],
        private: Sequence[Path],
        home: str,
        state_dir: Path,
        limit_bytes: int,
        git: Git | None = None,
    ) -> None:
        def hidden() -> list[bytes]:
            return [bytes(each) for each in private]

        self.roots = Roots([bytes(each) for each in folders], hidden, home.encode(errors="surrogateescape"))
        self.uploads = Uploads(limit_bytes)
        self.pasted = PasteFolder(state_dir / PASTED, limit_bytes)
        self.limit_bytes = limit_bytes
        self.git: Git = git or NoGit()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="files")
        self._running: set[asyncio.Future[Any]] = set()  # Any: what each work returns
        self._waiting = 0
        self._streams: Counter[str] = Counter()  # owner -> how many
        self._loop = asyncio.get_running_loop()
        self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)

    async def run(self, work: Callable[[], T]) -> T:
        """Do what may block in a thread. Raises FilesBusy, and what `work` raises."""
        if self._waiting >= WAITING:
            raise FilesBusy
        self._waiting += 1
        try:
            return await self.step(work)
        finally:
            self._waiting -= 1

    async def step(self, work: Callable[[], T]) -> T:
        """The same inside a stream(), which has its place.

        A caller that is cancelled waits for the end of the step: what it works on is about to be closed. A file system
        that has died gives no thread back, so the wait is bounded.
        """
        running = self._loop.run_in_executor(self._threads, work)
        self._running.add(running)
        running.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running], timeout=STUCK_S)
            raise

    @contextlib.contextmanager
    def stream(self, owner: str = "") -> Iterator[None]:
        """The place of one upload or download. owner: the one that it counts for; "": one without a share.

        Raises FilesBusy, and LimitReached for one that has its share already.
        """
        if owner and self._streams[owner] >= STREAMS_OF_ONE:
            raise LimitReached("uploads and downloads of one user at the same time", STREAMS_OF_ONE)
        if self._streams.total() >= STREAMS:
            raise FilesBusy
        self._streams[owner] += 1
        try:
            yield
        finally:
            self._streams[owner] -= 1
            if not self._streams[owner]:
                del self._streams[owner]

    def _sweep(self) -> None:
        for each in self.uploads.given_up():
            self._threads.submit(each.discard)
        self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)

    async def close(self) -> None:
        """End all uploads, and return when no thread works any longer, or a dead file system holds one. Safe twice."""
        self._sweeping.cancel()
        discarded = [self._threads.submit(each.discard) for each in self.uploads.all()]
        self._threads.shutdown(wait=False)
        left = [asyncio.wrap_future(each) for each in discarded] + [*self._running]
        if left:
            _, stuck = await asyncio.wait(left, timeout=STUCK_S)
            if stuck:
                logger.warning("files: a file system does not answer: %d requests to it are left", len(stuck))
