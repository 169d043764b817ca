"""Who is logged in: random tokens, of which only hashes are kept, in a file that outlives the server."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from vibetunnel import paths

LIFETIME_S = 30 * 24 * 3600
RETRY_S = 30.0  # after the file could not be written
LIMIT = 1000  # logins; a new one pushes the oldest out

log = logging.getLogger(__name__)


class _File(msgspec.Struct):
    """created: hash of a token -> seconds since the epoch."""

    created: dict[str, float]
    format: int = 1


class Logins:
    """The logins of browsers. An id is the hash of a token, and safe to keep and to compare.

    What is here counts at once; the file follows when it can be written.

    clock   seconds since the epoch
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._writing = asyncio.Lock()
        self._retry: asyncio.Task[None] | None = None
        self._created = self._read()

    def check(self, token: str) -> str | None:
        """The id of the login that `token` belongs to; None: none, or it is over."""
        login = _hash(token)
        created = self._created.get(login)
        if created is None or created + LIFETIME_S <= self._clock():
            return None
        return login

    async def add(self) -> str:
        """A new login. Returns its token; this is the only place that ever has it."""
        token = secrets.token_urlsafe(32)
        self._drop_expired()
        while len(self._created) >= LIMIT:
            del self._created[min(self._created, key=self._created.__getitem__)]
        self._created[_hash(token)] = self._clock()
        await self._write()  # else it ends with this server
        return token

    async def revoke(self, login: str) -> bool:
        """End a login. Nothing happens when it is not there. False: a restart of the server would bring it back."""
        if self._created.pop(login, None) is None or await self._write():
            return True
        # A full disk lets go of a file all the same. A restart then finds no login: too few rather than one too many.
        try:
            await asyncio.to_thread(self._path.unlink, missing_ok=True)
        except OSError:
            return False
        return True

    async def close(self) -> None:
        """Write what could not be written before, if it can be now."""
        if self._retry is not None:
            self._retry.cancel()
            await asyncio.gather(self._retry, return_exceptions=True)
            with contextlib.suppress(paths.NotPrivate):
                await self._replace()

    def _drop_expired(self) -> None:
        now = self._clock()
        self._created = {login: created for login, created in self._created.items() if created + LIFETIME_S > now}

    def _read(self) -> dict[str, float]:
        try:
            return msgspec.json.decode(paths.read_private(self._path), type=_File).created
        except FileNotFoundError:
            return {}
        except msgspec.MsgspecError as error:
            log.warning("%s cannot be read, everybody has to log in again: %s", self._path, error)
            return {}

    async def _write(self) -> bool:
        """False: it cannot be written now, and is tried again from time to time."""
        try:
            await self._replace()
        except paths.NotPrivate as error:
            log.warning("logins are not kept for the next start of the server: %s", error)
            if self._retry is None or self._retry.done():
                self._retry = asyncio.create_task(self._write_later())  # owned: close() cancels it
            return False
        return True

    async def _write_later(self) -> None:
        while True:
            await asyncio.sleep(RETRY_S)
            with contextlib.suppress(paths.NotPrivate):
                return await self._replace()

    async def _replace(self) -> None:
        async with self._writing:  # the last one to write has seen what the others did
            data = msgspec.json.encode(_File(self._created))
            await asyncio.to_thread(self._replace_by, data)

    def _replace_by(self, data: bytes) -> None:
        paths.private_dir(self._path.parent)  # somebody may have removed it
        paths.write_private(self._path, data)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
