"""Runs the program of a multiplexer: without a shell, and within bounds of time, output and number."""

from __future__ import annotations

import asyncio
import contextlib
import os
import selectors
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from vibetunnel.multiplexers.errors import MultiplexerBusy, MultiplexerFailed, MultiplexerMissing

T = TypeVar("T")

LIMIT_S = 5.0  # for one command; tmux answers in 5 ms
OUTPUT = 1 << 20  # bytes of standard output and error
AT_ONCE = 4
WAITING = 32  # commands, with those that run
TICK_S = 0.05  # a program that has ended is noticed after this, if a child of its holds its output open
KILLED_S = 1.0  # for a killed program to be gone; one that the kernel holds is left to end later
REASON = 200  # characters of what a program says about a failure


class Ran(NamedTuple):
    """What a program has left behind. error: on standard error."""

    code: int
    output: str
    error: str

    @property
    def reason(self) -> str:
        """What it says about its failure: the first line, without what a terminal would obey."""
        said = (self.error.strip() or self.output.strip() or f"exit code {self.code}").splitlines()[0]
        return "".join(each for each in said if each.isprintable())[:REASON]


class Commands:
    """environment: that of sessions, without the marks of a multiplexer around the server. folder: where programs run.

    close() does not wait: LIMIT_S bounds each command.
    """

    def __init__(self, environment: Mapping[str, str], folder: str, *, limit_s: float = LIMIT_S) -> None:
        self._environment = dict(environment)
        self._folder = folder
        self._limit_s = limit_s
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="multiplexer")
        self._places = threading.BoundedSemaphore(WAITING)

    async def installed(self, program: str) -> bool:
        return bool(await self._in_thread(lambda: self._path(program)))

    async def run(self, program: str, *arguments: str) -> Ran:
        """Raises MultiplexerMissing, MultiplexerBusy, MultiplexerFailed. An exit code other than 0 is no error here."""
        return await self._in_thread(lambda: self._run(program, arguments))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if not self._places.acquire(blocking=False):
            raise MultiplexerBusy("Too many requests wait for a multiplexer. Try again later.")
        running = self._threads.submit(work)
        # Not sooner: a caller that no longer waits frees no thread. Called in that thread.
        running.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(running)

    def _path(self, program: str) -> str:
        """The program's path on the PATH of sessions; "": there is none."""
        return shutil.which(program, path=self._environment.get("PATH", os.defpath)) or ""

    def _run(self, program: str, arguments: tuple[str, ...]) -> Ran:
        path = self._path(program)
        if not path:
            raise MultiplexerMissing(program)
        try:
            process = subprocess.Popen(
                (path, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
                cwd=self._folder,
                start_new_session=True,  # Ctrl-C in the server's terminal is the server's
            )
        except (OSError, ValueError) as error:
            raise MultiplexerFailed(f"{program} cannot be run: {error}") from error
        try:
            return _collected(process, program, time.monotonic() + self._limit_s)
        finally:
            _end(process)


def _collected(process: subprocess.Popen[bytes], program: str, deadline: float) -> Ran:
    """Wait for the end of the process, not for that of the children that it leaves behind."""
    assert process.stdout is not None
    assert process.stderr is not None
    kept = {process.stdout.fileno(): b"", process.stderr.fileno(): b""}
    with selectors.DefaultSelector() as selector:
        for descriptor in kept:
            selector.register(descriptor, selectors.EVENT_READ)
        ended = False
        while selector.get_map():
            if time.monotonic() > deadline:
                raise _silent(program)
            ready = selector.select(0 if ended else TICK_S)
            for key, _ in ready:
                piece = os.read(key.fd, 65536)
                kept[key.fd] += piece
                if not piece:
                    selector.unregister(key.fd)
                if sum(map(len, kept.values())) > OUTPUT:
                    raise MultiplexerFailed(f"{program} answers with more than {OUTPUT} bytes")
            if ended and not ready:
                break
            ended = process.poll() is not None
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise _silent(program) from None
    output, error = (each.decode("utf-8", "replace") for each in kept.values())
    return Ran(process.returncode, output, error)


def _silent(program: str) -> MultiplexerBusy:
    return MultiplexerBusy(f"{program} does not answer. Try again later.")


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    if process.poll() is None:
        process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(KILLED_S)
