"""A private file that follows what is in memory: what is in memory counts at once, a full disk is tried again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

import msgspec

from vibetunnel import paths
from vibetunnel.errors import StartFailed

RETRY_S = 30.0  # after the file could not be written

T = TypeVar("T")

log = logging.getLogger(__name__)


class StateFile:
    """One file, written whole by one process, in a thread; a reader finds the old or the new contents.

    path    in a folder that is private; made again when somebody has removed it
    encode  gives the contents, from memory, in the event loop
    what    what is in the file, for the log: `logins`

    Not for several threads: everything is called in the event loop, or where none runs.
    """

    def __init__(self, path: Path, encode: Callable[[], bytes], what: str) -> None:
        self.path = path
        self._encode = encode
        self._what = what
        self._changed = 0  # versions: of what is in memory, of what is in the file,
        self._followed = 0
        self._unsafe = 0  # and of an end that neither the file nor its absence tells of
        self._failing = False
        self._writing = asyncio.Lock()
        self._retry: asyncio.Task[None] | None = None
        self._soon: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[bool]] = set()  # close() waits for them

    @property
    def safe(self) -> bool:
        """False: what has ended (a login, a token) would be there again after a restart of the server."""
        return self._followed >= self._unsafe

    def load(self, read: Callable[[bytes], T], *, lost: str | None) -> T | None:
        """What the file has; None: there is no file, or it is damaged, of which the log then tells. Blocks.

        read  decodes the contents; raises msgspec.MsgspecError or ValueError for what it cannot be
        lost  what follows from a damaged file: `everybody has to log in again`; None: the server does not start

        Raises paths.NotPrivate for a file that others own or may read; StartFailed when `lost` is None.
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
        """Write at the start, before there is a loop to wait in. Blocks. Raises paths.NotPrivate."""
        self._changed += 1
        self._replace(self._encode())
        self._followed = self._changed

    async def write(self) -> bool:
        """Write what is in memory now. False: it cannot be written now, and is tried again from time to time.

        Cancelling the caller does not cancel the write.
        """
        self._changed += 1
        return await self._own(self._follow(self._changed))

    async def write_or_remove(self) -> bool:
        """As write(), after something has ended. False: a restart of the server would bring it back.

        A full disk lets go of a file all the same. A restart then finds nothing: too little rather than one too many.
        """
        self._changed += 1
        return await self._own(self._follow_or_remove(self._changed))

    def write_soon(self, delay_s: float = 0.0) -> None:
        """Write within `delay_s`, without waiting for it; where no event loop runs, at close()."""
        self._changed += 1
        if self._soon is not None:
            return
        with contextlib.suppress(RuntimeError):
            self._soon = asyncio.get_running_loop().call_later(delay_s, self._begin)

    async def close(self) -> None:
        """Write what has not been written yet, if it can be now."""
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None
        if self._retry is not None:
            self._retry.cancel()
            await asyncio.gather(self._retry, return_exceptions=True)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._retry is not None:  # one of them has failed just now
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

    async def _own(self, work: Coroutine[None, None, bool]) -> bool:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _follow(self, version: int) -> bool:
        async with self._writing:
            return await self._follow_locked(version)

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
        if self._followed >= version:  # whoever wrote before has seen this too
            return True
        taken, data = self._changed, self._encode()
        try:
            await asyncio.to_thread(self._replace, data)
        except paths.NotPrivate as error:
            if not self._failing:  # once for a disk that stays full
                log.warning("%s are not kept for the next start of the server: %s", self._what, error)
            self._failing = True
            if self._retry is None or self._retry.done():
                self._retry = asyncio.create_task(self._write_later())  # owned: close() cancels it
            return False
        self._followed = taken
        self._failing = False
        return True

    async def _write_later(self) -> None:
        while True:
            await asyncio.sleep(RETRY_S)
            async with self._writing:
                if await self._follow_locked(self._changed):
                    return

    def _replace(self, data: bytes) -> None:
        paths.private_dir(self.path.parent)  # somebody may have removed it
        paths.write_private(self.path, data)
