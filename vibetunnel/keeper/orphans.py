"""Signals for processes whose keeper is gone, sent by the server itself.

A process id may be reused after its process has been reaped. The start time, read when the session starts, tells the
two processes apart. While a process of a unix session lives, the kernel gives the session's number to no other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from vibetunnel.keeper import processes
from vibetunnel.keeper.errors import KeeperFailed
from vibetunnel.keeper.killing import FIRST_LOOK_S, IDLE_LOOK_S, Ending, cannot_end

POLL_S = 0.05  # no portable way exists to await the end of a process that is not a child


def start_time(pid: int) -> str:
    """A text that differs between two processes with the same id; empty if the system does not tell."""
    return _look(pid)[1]


def alive(pid: int, started: str) -> bool:
    """Whether the process runs; a zombie does not. A process that cannot be looked at counts as running."""
    if not processes.exists(pid):
        return False
    ended, start = _look(pid)
    return not ended and not _differ(start, started)


def _look(pid: int) -> tuple[bool, str]:
    """(whether it is a zombie, its start time) on Linux. Not known elsewhere, and while no descriptor is left."""
    try:
        fields = processes.stat_fields(pid)
    except OSError:
        return False, ""
    return fields[processes.STATE] in processes.ENDED, fields[processes.STARTTIME].decode("ascii")


def _differ(start: str, other: str) -> bool:
    return bool(start) and bool(other) and start != other


def send(pid: int, started: str, signum: int) -> None:
    """Signal the process group of `pid`, which leads its session."""
    if alive(pid, started):
        processes.send(signum, [pid])


async def gone(pid: int, started: str) -> None:
    """Return when the process has ended."""
    while alive(pid, started):
        await asyncio.sleep(POLL_S)


async def counts(leader: int, started: str) -> AsyncIterator[int]:
    """The number of processes in the unix session of `leader`, which has ended; looked up now and then, until it is 0.

    The pauses grow up to IDLE_LOOK_S. While no look is possible, nothing is yielded.
    """
    ending, pause = Ending(leader, time.monotonic()), FIRST_LOOK_S
    while True:
        over = await asyncio.to_thread(_step, ending, leader, started)
        if over:
            yield 0
            return
        if ending.left:
            yield len(ending.left)
        await asyncio.sleep(pause)
        pause = min(2 * pause, IDLE_LOOK_S)


async def end(leader: int, started: str, grace_s: float) -> None:
    """HUP and TERM, then KILL after the grace period, to every process of the unix session of `leader`.

    Returns when none is left. Raises KeeperFailed with those that cannot be ended.
    """
    now = time.monotonic()
    ending = Ending(leader, now)
    ending.order(grace_s, now)
    while not await asyncio.to_thread(_step, ending, leader, started):
        now = time.monotonic()
        if ending.hopeless(now):
            raise KeeperFailed(cannot_end(ending.left or {leader}))
        await asyncio.sleep(max(0.0, ending.next_at - now))


def _step(ending: Ending, leader: int, started: str) -> bool:
    """Look at the processes of the session, and signal them if they are being ended. Whether none is left."""
    now = time.monotonic()
    zombie, start = _look(leader)
    if _differ(start, started):
        return True  # the number was given away, so no process of the session is left
    try:
        if not processes.in_use(leader):
            return True
    except OSError:  # no descriptor is left: the signals need none
        zombie = False
    ending.begin(now, reaped=not processes.exists(leader))
    try:
        _see(ending, leader)
        # A zombie that its parent does not reap keeps the number. A process that is missed leaves new zombies.
        zombies = ending.only_zombies or (zombie and ending.steps > 0)
        return not ending.seen and (zombies or not processes.in_use(leader))
    except OSError:
        return False
    finally:
        ending.pause(now)


def _see(ending: Ending, leader: int) -> None:
    for _ in range(2):  # /proc is not read at one moment: a process may fork and end meanwhile
        ending.look()
        for process in processes.all_processes():
            if process.session == leader:
                ending.saw(process)
