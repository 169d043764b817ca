"""A private file that follows the state in memory, and is written again later if the disk is full."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from vibetunnel import paths
from vibetunnel.errors import NotStored, StartFailed

RETRY_S = 30.0  # after the file could not be written

T = TypeVar("T")

log = logging.getLogger(__name__)


class StateFile:
    """One file, written whole by one process, in a thread. A reader finds the old or the new contents.

    What was written outlives the end of the process and a power cut. If the file cannot be written, it depends on the
    change what happens, so each has its method:

    store()            something is given: it counts after it was written; if it cannot be, NotStored is raised
    write_or_remove()  something is taken away: that counts at once, and the caller says if a restart would undo it
    write_or_tell()    as well, for a file that is worth more than that
    write()            anything else: it counts until the server ends

    path    its folder is private, and is made again if it was removed
    encode  encodes the contents from memory; called in the event loop
    what    the name of the contents for the log: `logins`

    Not for several threads: call everything in the event loop, or where none runs.
    """

    def __init__(self, path: Path, encode: Callable[[], bytes], what: str) -> None:
        self.path = path
        self._encode = encode
        self._what = what
        self._changed = 0  # the version in memory,
        self._followed = 0  # the version in the file,
        self._unsafe = 0  # and the version of a revocation that could neither be written nor, by deleting, be kept
        self._failing = False
        self._writing = asyncio.Lock()
        self._retry: asyncio.Task[None] | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._soon_at = 0.0  # when, by the loop's clock
        self._tasks: set[asyncio.Task[Any]] = set()  # close() waits for them

    @property
    def safe(self) -> bool:
        """False: after a restart of the server, something revoked (a login, a token) would be valid again."""
        return self._followed >= self._unsafe

    def load(self, read: Callable[[bytes], T], *, lost: str | None) -> T | None:
        """The contents of the file; None: there is no file, or it is damaged and the log has a warning. Blocks.

        read  decodes the contents; raises msgspec.MsgspecError or ValueError if they are damaged
        lost  the effect of a damaged file, for the log; None: the server does not start with a damaged file

        Raises paths.NotPrivate for a file that others own or may read; StartFailed for a damaged one if `lost` is None.
        """
        try:
            return read(paths.read_private(self.path))
        except FileNotFoundError:
            return None
        except (msgspec.MsgspecError, ValueError) as error:
            if lost is None:
                raise StartFailed(
                    f"{self.path} is damaged ({error}): it should have the {self._what}; "
                    "restore a copy of it, or move it away"
                ) from error
            log.warning("%s is damaged, %s: %s", self.path, lost, error)
            return None

    def write_now(self) -> None:
        """Write at the start, without an event loop. Blocks. If that fails, the log has a warning."""
        self._changed += 1
        try:
            self._replace(self._encode())
        except paths.NotPrivate as error:
            self._warn(error)
        else:
            self._followed = self._changed

    async def store(self, draft: Callable[[], bytes], give: Callable[[], T]) -> T:
        """Write the contents with something added, and only then add it to the memory. Raises NotStored.

        So nothing has to be undone: what could not be written was never in memory, for a login or for another write.
        No other store() comes between draft() and give(). Something may be taken away there, because that does not
        wait: give() changes what is in memory then, and the write of what was taken away follows.

        draft  encodes the contents as they would be. Raises an error if the change is not allowed: check it here
        give   makes the change in memory; may raise an error if the memory does not allow it any longer
        """
        return await self._own(self._give(draft, give))

    async def write(self) -> bool:
        """Write the state in memory. False: that failed, and is tried again every RETRY_S.

        Cancelling the caller does not cancel the write.
        """
        self._changed += 1
        return await self._own(self._follow(self._changed))

    async def write_or_tell(self) -> bool:
        """As write(), after something was taken away. False: a restart of the server would give it back."""
        self._changed += 1
        version = self._changed

        def tell() -> None:
            self._unsafe = version

        return await self._own(self._follow(version, tell))

    async def write_or_remove(self) -> bool:
        """As write(), after something was revoked. False: a restart of the server would make it valid again.

        If the file cannot be written, it is deleted, which works on a full disk too. After a restart nothing is
        restored then, rather than something that was revoked.
        """
        self._changed += 1
        return await self._own(self._follow_or_remove(self._changed))

    def write_soon(self, delay_s: float = 0.0) -> None:
        """Write within `delay_s`, without waiting for it; without an event loop, at close()."""
        self._changed += 1
        with contextlib.suppress(RuntimeError):
            loop = asyncio.get_running_loop()
            at = loop.time() + delay_s
            if self._soon is not None:
                if self._soon_at <= at:
                    return
                self._soon.cancel()
            self._soon, self._soon_at = loop.call_later(delay_s, self._begin), at

    async def close(self) -> None:
        """Write changes that have not been written yet, if possible."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._retry is not None:
            self._retry.cancel()
            await asyncio.gather(self._retry, return_exceptions=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._retry is not None:  # one of the tasks has just failed
            self._retry.cancel()
            await asyncio.gather(self._retry, return_exceptions=True)
        if self._followed < self._changed:
            with contextlib.suppress(paths.NotPrivate):
                await asyncio.to_thread(self._replace, self._encode())
                self._followed = self._changed

    def _begin(self) -> None:
        self._soon = None
        task = asyncio.ensure_future(self._follow(self._changed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _own(self, work: Coroutine[None, None, T]) -> T:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _give(self, draft: Callable[[], bytes], give: Callable[[], T]) -> T:
        async with self._writing:
            if not await self._write(draft()):
                self._changed += 1  # the failed write may have replaced the file: the next one puts it right
                raise NotStored(self._what)
            return give()

    async def _follow(self, version: int, failed: Callable[[], None] = lambda: None) -> bool:
        async with self._writing:
            written = await self._follow_locked(version)
            if not written:
                failed()
            return written

    async def _follow_or_remove(self, version: int) -> bool:
        async with self._writing:
            if await self._follow_locked(version):
                return True
            try:
                await asyncio.to_thread(self.path.unlink, missing_ok=True)
            except OSError:
                self._unsafe = version
                return False
            self._unsafe = 0
            return True

    async def _follow_locked(self, version: int) -> bool:
        if self._followed >= version:  # an earlier write has included this version
            return True
        return await self._write(self._encode())

    async def _write(self, data: bytes) -> bool:
        """Write `data`, which has all changes so far."""
        taken = self._changed
        try:
            await asyncio.to_thread(self._replace, data)
        except paths.NotPrivate as error:
            self._warn(error)
            if self._retry is None or self._retry.done():
                self._retry = asyncio.create_task(self._write_later())  # owned: close() cancels it
            return False
        self._followed = taken
        self._failing = False
        return True

    def _warn(self, error: paths.NotPrivate) -> None:
        if not self._failing:  # one warning for a disk that stays full
            log.warning("changes of %s are not kept for the next start of the server: %s", self._what, error)
        self._failing = True

    async def _write_later(self) -> None:
        while True:
            await asyncio.sleep(RETRY_S)
            async with self._writing:
                if await self._follow_locked(self._changed):
                    return

    def _replace(self, data: bytes) -> None:
        paths.private_dir(self.path.parent)  # it may have been removed
        paths.write_private(self.path, data)
