"""Signals for processes whose keeper is gone, sent by the server itself.

A process id may be reused after its process has been reaped. The start time, read when the session starts, tells the
two processes apart.
"""

from __future__ import annotations

import asyncio
import os
import signal

from vibetunnel.keeper import processes

POLL_S = 0.05  # no portable way exists to await the end of a process that is not a child


def start_time(pid: int) -> str:
    """A text that differs between two processes with the same id; empty if the system does not tell."""
    return _look(pid)[1]


def alive(pid: int, started: str) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    ended, start = _look(pid)
    return start == started and not ended


def _look(pid: int) -> tuple[bool, str]:
    """(whether it is a zombie, its start time) on Linux; elsewhere neither is known."""
    try:
        fields = processes.stat_fields(pid)
    except OSError:
        return False, ""
    return fields[processes.STATE] in processes.ENDED, fields[processes.STARTTIME].decode("ascii")


def send(pid: int, started: str, signum: int) -> None:
    """Signal the process group of `pid`, which leads its session."""
    if alive(pid, started):
        processes.send(signum, [pid])


async def end(pid: int, started: str, grace_s: float) -> None:
    """HUP and TERM, then KILL after the grace period; returns when the process has ended."""
    for signum in (signal.SIGHUP, signal.SIGTERM):
        send(pid, started, signum)
    try:
        async with asyncio.timeout(grace_s):
            await gone(pid, started)
    except TimeoutError:
        send(pid, started, signal.SIGKILL)
        await gone(pid, started)


async def gone(pid: int, started: str) -> None:
    """Return when the process has ended."""
    while alive(pid, started):
        await asyncio.sleep(POLL_S)
