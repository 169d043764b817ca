"""Signals for processes whose keeper is gone: straight to the process, as nobody is left who could do it better.

A process id may be reused once its process has been reaped; its start time, kept since the spawn, tells the two apart.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

POLL_S = 0.05  # there is no portable way to wait for a process that is not ours


def start_time(pid: int) -> str:
    """Something that two processes with the same id do not share; empty where the system does not tell."""
    return _look(pid)[1]


def alive(pid: int, started: str) -> bool:
    """Whether it runs; one that only waits to be reaped does not."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    state, start = _look(pid)
    return start == started and state not in ("Z", "X")


def _look(pid: int) -> tuple[str, str]:
    """(state, start time) as Linux tells them."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return "", ""
    fields = stat.rpartition(")")[2].split()  # from field 3 on: the name before it may hold anything
    return fields[0], fields[19]


def send(pid: int, started: str, signum: int) -> None:
    """Signal the process group that `pid`, the leader of its session, leads."""
    if alive(pid, started):
        with contextlib.suppress(OSError):
            os.killpg(pid, signum)


async def end(pid: int, started: str, grace_s: float) -> None:
    """HUP and TERM, then KILL after the grace period; returns when the process is gone."""
    for signum in (signal.SIGHUP, signal.SIGTERM):
        send(pid, started, signum)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace_s):
            await gone(pid, started)
    send(pid, started, signal.SIGKILL)
    await gone(pid, started)


async def gone(pid: int, started: str) -> None:
    """Return when the process has ended."""
    while alive(pid, started):
        await asyncio.sleep(POLL_S)
