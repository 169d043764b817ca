"""One child process: started when it is needed, ended when it takes too long or is idle."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from vibetunnel.git.errors import GitBusy, GitTooSlow
from vibetunnel.git.messages import CONFINED, GO, HEAD, LONGEST, STOP, Setup

WAITING = 64  # requests to one child; more are refused
IDLE_S = 300.0  # after which the child is ended, to free its memory
SPARE_S = 1.0  # that the child has to end itself, before it is killed
GONE_S = 1.0  # for a killed process to be gone; one that the kernel holds is left to end later
LEFT = 4  # processes that are left so; with more no other is started
SLOW_S = 60.0  # for which a repository that took too long is not read again
SLOW = 256  # repositories
START_S = 10.0  # for Python and libgit2 to start on a busy machine
KEPT = ("HOME", "LANG", "LC_ALL", "PYTHONPATH", "XDG_CONFIG_HOME")  # of the environment: no GIT_* reaches libgit2
UNCONFINED = (
    "this kernel has no Landlock: only the checks of the git process keep it in the permitted folders. "
    "Use Linux 5.13 or later, with landlock among its security modules"
)

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
        self._leaving: set[asyncio.Task[int]] = set()  # of processes that were killed
        self._slow: dict[str, float] = {}  # repository -> until when it is left alone
        self.confined = True  # whether the kernel limits the last process, where it is one that can

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
            place = ""
            if self._process is None:
                await self._start()
            self._writer.write(len(request).to_bytes(HEAD, "big") + request)
            async with asyncio.timeout(self._setup.limit_s + SPARE_S):
                place = os.fsdecode(await self._message())
                slow = self._slow.get(place, 0) > time.monotonic()
                self._writer.write(STOP if slow else GO)
                answer = b"" if slow else await self._message()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            failed = await self._failed(error)
            if place and isinstance(failed, GitTooSlow):
                self._leave_alone(place)
            raise failed from error
        except OSError as error:
            await self._end()
            raise GitBusy(f"The git process cannot start: {error.strerror}. Try again later.") from error
        except BaseException:
            await self._end()
            raise
        self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._kill)
        if slow:
            raise GitTooSlow
        return answer

    async def _message(self) -> bytes:
        size = int.from_bytes(await self._reader.readexactly(HEAD), "big")
        if size > LONGEST:
            raise GitBusy("The git process sent something else than an answer.")
        return await self._reader.readexactly(size)

    def _leave_alone(self, place: str) -> None:
        now = time.monotonic()
        self._slow = {each: until for each, until in self._slow.items() if until > now}
        if len(self._slow) < SLOW:
            self._slow[place] = now + SLOW_S

    async def _failed(self, error: Exception) -> GitTooSlow | GitBusy:
        code = await self._end()
        if isinstance(error, TimeoutError) or code == -signal.SIGALRM:
            return GitTooSlow()
        log.warning("the git process has ended with %s", code)
        return GitBusy("The git process has ended unexpectedly. Try again later.")

    async def _start(self) -> None:
        if len(self._leaving) >= LEFT:
            raise GitBusy("Earlier git processes do not end: a file system does not answer. Try again later.")
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                spawning = asyncio.create_task(asyncio.to_thread(self._spawn, theirs))
                try:
                    await asyncio.shield(spawning)
                finally:
                    self._process = await spawning  # also if the server stops meanwhile: then _asked() ends it
                self._reader, self._writer = await asyncio.open_connection(sock=ours)
                async with asyncio.timeout(START_S):
                    self._tell_confined(await self._message() == CONFINED)
            except BaseException:
                ours.close()
                raise

    def _tell_confined(self, confined: bool) -> None:
        before, self.confined = self.confined, confined or sys.platform != "linux"  # no other kernel can
        if before and not self.confined:
            log.warning("%s", UNCONFINED)

    def _spawn(self, channel: socket.socket) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            (sys.executable, "-m", "vibetunnel.git.worker", msgspec.json.encode(self._setup).decode()),
            stdin=channel.fileno(),
            stdout=subprocess.DEVNULL,
            env=self._environment,
            cwd=Path(__file__).parents[2],  # where this package is imported from
            start_new_session=True,  # Ctrl-C in the server's terminal is the server's
        )

    def _kill(self) -> asyncio.Task[int] | None:
        """Kill the process, and let a task wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return None
        code = process.poll()
        process.kill()
        if hasattr(self, "_writer"):
            self._writer.close()
        leaving = asyncio.create_task(_gone(process, code))
        self._leaving.add(leaving)  # owned: it ends with its process, and close() cancels it
        leaving.add_done_callback(self._leaving.discard)
        return leaving

    async def _end(self) -> int | None:
        """Kill the process. Returns its exit code, or the negative number of the signal that ended it; None: not yet.

        A process that waits for a dead file system does not go before that answers, not even by SIGKILL.
        """
        leaving = self._kill()
        if leaving is None:
            return None
        done, _ = await asyncio.wait((leaving,), timeout=GONE_S)
        return leaving.result() if done else None

    async def close(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        await self._end()
        for leaving in self._leaving:
            leaving.cancel()
        await asyncio.gather(*self._leaving, return_exceptions=True)


async def _gone(process: subprocess.Popen[bytes], code: int | None) -> int:
    """Wait until the process is gone. By polling: a thread in `wait` would be held as long as the process is."""
    pause = 0.002
    while code is None:
        await asyncio.sleep(pause)
        pause = min(2 * pause, 5.0)
        code = process.poll()
    return code
