"""Ends a unix session step by step: hang up and terminate, then kill, until nothing of it is left."""

from __future__ import annotations

import signal

from vibetunnel.keeper.processes import send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from vibetunnel.keeper.processes import Process

FIRST_LOOK_S = 0.02  # most programs end within that; the leader's SIGCHLD wakes the keeper even earlier
LAST_LOOK_S = 0.25  # a look reads all of /proc, so the pauses double up to this
GIVE_UP_S = 5.0  # after KILL: what is left then is another user's (sudo) or stuck in the kernel


class Killing:
    """One session that is being ended. Decides; whoever holds it looks at the processes when `next_at` has come.

    The leader is not reaped before the end. A zombie keeps its pid, and with it the session's number, from being
    given to others: whatever carries that number is of this session.
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
        """Signal what is left, as late as it is; True when nothing is."""
        mine = [process for process in processes if process.session == self.leader]
        self.left = [process.pid for process in mine]
        groups = {process.group for process in mine}
        if not self._asked:
            self._asked = True
            # A stopped job gets what is pending only when it goes on.
            for signum in (signal.SIGHUP, signal.SIGTERM, signal.SIGCONT):
                send(signum, groups)
        elif now >= self.kill_at:
            send(signal.SIGKILL, groups)  # each time anew: a fork may have slipped past the last look
        self.next_at = now + self._pause_s
        if now < self.kill_at:
            self.next_at = min(self.next_at, self.kill_at)
        self._pause_s = min(2 * self._pause_s, LAST_LOOK_S)
        return not mine

    def hopeless(self, now: float) -> bool:
        """Whether even KILL has had no effect for so long that the request must be answered."""
        return now >= self.give_up_at
