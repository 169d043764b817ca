"""How the command line finds the running server: its lock and server.json, made again if they are removed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from pathlib import Path

import msgspec

from vibetunnel import paths
from vibetunnel.errors import StartFailed

LOCK_S = 1.0  # the command line holds the lock for a moment, to see whether a server has it
LOCK_POLL_S = 0.02
LOOK_S = 2.0  # between two checks; until then the command line finds no server

log = logging.getLogger(__name__)


class ServerFile(msgspec.Struct):
    """The contents of server.json.

    url        for this machine, without base_path; or `unix:/path`
    base_path  the path below which the application is
    """

    pid: int
    url: str
    port: int
    version: str
    base_path: str = ""


class Whereabouts:
    """The lock and server.json in one runtime folder.

    The lock is held before the first file of the state folder is read and until the last is written, because without a
    server the command line writes them. The kernel releases it however this process ends, and the command line trusts
    server.json only with it.

    problem  why server.json is not there; "": it is
    """

    def __init__(self, folder: Path) -> None:
        self.problem = ""
        self._folder = folder
        self._lock_path = folder / paths.SERVER_LOCK
        self._path = folder / paths.SERVER_FILE
        self._lock = -1
        self._data = b""
        self._watching: asyncio.Task[None] | None = None

    async def lock(self) -> None:
        """Take the lock, until close(). Raises StartFailed if another server holds it; NotPrivate."""
        try:
            async with asyncio.timeout(LOCK_S):
                while (held := paths.lock_private(self._lock_path)) is None:
                    await asyncio.sleep(LOCK_POLL_S)
        except TimeoutError:
            raise StartFailed(
                f"another server holds {self._lock_path}: stop it, or choose another --runtime-dir"
            ) from None
        self._lock = held

    async def announce(self, found: ServerFile) -> None:
        """Write server.json, and see to it that it stays. If it cannot be written, this is tried again."""
        self._data = msgspec.json.encode(found)
        await asyncio.to_thread(self._write)
        self._watching = asyncio.create_task(self._watch())  # owned: close() cancels it

    async def close(self) -> None:
        """Remove server.json, and release the lock. Safe twice."""
        if self._lock < 0:
            return
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if self._data and self._holds_lock():
            with contextlib.suppress(OSError):
                self._path.unlink()
        os.close(self._lock)
        self._lock = -1

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            # Shielded: close() waits for a look under way, which may be taking the lock.
            look = asyncio.ensure_future(asyncio.to_thread(self._look))
            try:
                await asyncio.shield(look)
            except asyncio.CancelledError:
                await look
                raise

    def _look(self) -> None:
        try:
            paths.private_dir(self._folder)
            if not self._holds_lock():
                held = paths.lock_private(self._lock_path)
                if held is None:  # another server has the folder now, until it ends
                    self._say(f"another server holds {self._lock_path}")
                    return
                os.close(self._lock)
                self._lock = held
        except (OSError, paths.NotPrivate) as error:
            self._say(str(error))
            return
        if self.problem or not os.path.lexists(self._path):
            self._write()

    def _holds_lock(self) -> bool:
        """Whether the path of the lock leads to the file that is locked."""
        try:
            found = os.lstat(self._lock_path)
        except OSError:
            return False
        ours = os.fstat(self._lock)
        return (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)

    def _write(self) -> None:
        try:
            try:
                paths.write_private(self._path, self._data)
            except paths.NotPrivate as error:
                self._write_over(error)
        except paths.NotPrivate as error:
            self._say(f"{error}: until it can, the command line does not find this server")
            return
        if self.problem:
            log.warning("%s is there again", self._path)
        self.problem = ""

    def _write_over(self, error: paths.NotPrivate) -> None:
        """Write into the file of a killed server, which needs no more room. The lock says that it is ours."""
        try:
            descriptor = paths.open_private(self._path, os.O_WRONLY)
        except FileNotFoundError:
            raise error from None
        try:
            if os.pwrite(descriptor, self._data, 0) < len(self._data):
                raise error
            os.ftruncate(descriptor, len(self._data))
        except OSError:
            raise error from None
        finally:
            os.close(descriptor)

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            log.warning("%s", problem)
        self.problem = problem
