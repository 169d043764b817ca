"""Ends a unix session step by step: HUP and TERM, then KILL, until no process of it is left."""

from __future__ import annotations

import signal

from vibetunnel.keeper.processes import send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from vibetunnel.keeper.processes import Process

FIRST_LOOK_S = 0.02  # most programs end within this time; the leader's SIGCHLD wakes the keeper even earlier
LAST_LOOK_S = 0.25  # a look reads all of /proc, so the pauses double up to this one
GIVE_UP_S = 5.0  # after KILL: a process that is left then belongs to another user (sudo), or is stuck in the kernel


class Killing:
    """The end of one session. Its owner looks at the processes at `next_at`, and calls `step` with them.

    The leader is not reaped before the end. As a zombie it keeps its pid, which is the session's number, so every
    process with that number belongs to this session.
    """

    def __init__(self, leader: int, grace_s: float, now: float) -> None:
        self.leader = leader
        self.kill_at = now + grace_s
        self.give_up_at = self.kill_at + GIVE_UP_S
        self.next_at = now
        self.left: list[int] = []
        self._pause_s = FIRST_LOOK_S
        self._asked = False

    def hasten(self, grace_s: float, now: float) -> None:
        """A second request: the shorter grace counts."""
        self.kill_at = min(self.kill_at, now + grace_s)
        self.give_up_at = self.kill_at + GIVE_UP_S
        self.next_at = now

    def step(self, processes: Iterable[Process], now: float) -> bool:
        """Signal the processes that are left, with HUP and TERM or with KILL. True when none is left."""
        mine = [process for process in processes if process.session == self.leader]
        self.left = [process.pid for process in mine]
        groups = {process.group for process in mine}
        if not self._asked:
            self._asked = True
            # A stopped job receives its pending signals only after CONT.
            for signum in (signal.SIGHUP, signal.SIGTERM, signal.SIGCONT):
                send(signum, groups)
        elif now >= self.kill_at:
            send(signal.SIGKILL, groups)  # at every step: the last look may have missed a fork
        self.next_at = now + self._pause_s
        if now < self.kill_at:
            self.next_at = min(self.next_at, self.kill_at)
        self._pause_s = min(2 * self._pause_s, LAST_LOOK_S)
        return not mine

    def hopeless(self, now: float) -> bool:
        """Whether KILL has had no effect for so long that the request must be answered."""
        return now >= self.give_up_at
