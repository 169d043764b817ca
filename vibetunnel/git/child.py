"""One child process: started when it is needed, ended when it takes too long or is idle."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from vibetunnel.git.errors import GitBusy, GitTooSlow
from vibetunnel.git.messages import HEAD, LONGEST, Setup

WAITING = 64  # requests to one child; more are refused
IDLE_S = 300.0  # after which the child is ended, to free its memory
SPARE_S = 1.0  # that the child has to end itself, before it is killed
START_S = 10.0  # for Python and libgit2 to start on a busy machine
KEPT = ("HOME", "LANG", "LC_ALL", "PYTHONPATH", "XDG_CONFIG_HOME")  # of the environment: no GIT_* reaches libgit2

log = logging.getLogger(__name__)


class Child:
    """Asks one process, one request at a time. After each failure the next request starts another process."""

    def __init__(self, setup: Setup, environment: Mapping[str, str]) -> None:
        self._setup = setup
        self._environment = {name: environment[name] for name in KEPT if name in environment}
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._idle: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int:
        """0: none runs."""
        return 0 if self._process is None else self._process.pid

    async def ask(self, request: bytes) -> bytes:
        """Raises GitBusy, GitTooSlow."""
        if self._waiting >= WAITING:
            raise GitBusy
        self._waiting += 1
        try:
            async with self._turn:
                return await self._asked(request)
        finally:
            self._waiting -= 1

    async def _asked(self, request: bytes) -> bytes:
        if self._idle is not None:
            self._idle.cancel()
        try:
            fresh = self._process is None
            if fresh:
                await self._start()
            self._writer.write(len(request).to_bytes(HEAD, "big") + request)
            async with asyncio.timeout(self._setup.limit_s + SPARE_S + (START_S if fresh else 0)):
                size = int.from_bytes(await self._reader.readexactly(HEAD), "big")
                if size > 2 * LONGEST:
                    raise GitBusy("The git process sent something else than an answer.")
                answer = await self._reader.readexactly(size)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            raise await self._failed(error) from error
        except OSError as error:
            await self._end()
            raise GitBusy(f"The git process cannot start: {error.strerror}. Try again later.") from error
        except BaseException:
            await self._end()
            raise
        self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._kill)
        return answer

    async def _failed(self, error: Exception) -> GitTooSlow | GitBusy:
        code = await self._end()
        if isinstance(error, TimeoutError) or code == -signal.SIGALRM:
            return GitTooSlow()
        log.warning("the git process has ended with %s", code)
        return GitBusy("The git process has ended unexpectedly. Try again later.")

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                spawning = asyncio.create_task(asyncio.to_thread(self._spawn, theirs))
                try:
                    await asyncio.shield(spawning)
                finally:
                    self._process = await spawning  # also if the server stops meanwhile: then _asked() ends it
                self._reader, self._writer = await asyncio.open_connection(sock=ours)
            except BaseException:
                ours.close()
                raise

    def _spawn(self, channel: socket.socket) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            (sys.executable, "-m", "vibetunnel.git.worker", msgspec.json.encode(self._setup).decode()),
            stdin=channel.fileno(),
            stdout=subprocess.DEVNULL,
            env=self._environment,
            cwd=Path(__file__).parents[2],  # where this package is imported from
            start_new_session=True,  # Ctrl-C in the server's terminal is the server's
        )

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()  # at once, after SIGKILL
            self._process = None
            self._writer.close()

    async def _end(self) -> int | None:
        """Kill the process. Returns its exit code, or the negative number of the signal that had ended it."""
        process, self._process = self._process, None
        if process is None:
            return None
        code = process.poll()
        process.kill()
        if hasattr(self, "_writer"):
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()
        return await asyncio.to_thread(process.wait) if code is None else code

    async def close(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        await self._end()
