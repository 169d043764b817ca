"""The end of one unix session, step by step: HUP and TERM, then KILL, until no process of it is left."""

from __future__ import annotations

import signal

from vibetunnel.keeper.processes import send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from vibetunnel.keeper.processes import Process

FIRST_LOOK_S = 0.02  # most programs end within this time; the leader's SIGCHLD wakes the keeper even earlier
LAST_LOOK_S = 0.25  # a look reads all of /proc, so the pauses double up to this one
IDLE_LOOK_S = 30.0  # the same while nothing is being killed: only the number of processes left may change
GIVE_UP_S = 5.0  # after KILL: a process that is left then belongs to another user (sudo), or is stuck in the kernel
PIDS_SHOWN = 10  # of the processes that cannot be ended


def cannot_end(pids: Collection[int]) -> str:
    """The reason why a session cannot be ended: these processes are left after KILL. A look may have missed one."""
    number = max(1, len(pids))
    shown = ", ".join(map(str, sorted(pids)[:PIDS_SHOWN])) + (", ..." if len(pids) > PIDS_SHOWN else "")
    return (
        f"{number} {'process' if number == 1 else 'processes'} of the session cannot be ended: {shown or 'unseen'} "
        "(they belong to another user, or are stuck in the kernel)"
    )


class Ending:
    """One session that is being killed, or whose leader has ended.

    Its owner takes steps at `next_at`: `begin`, then `saw` for each process that it finds, then `pause`. A process is
    signalled as soon as it is seen. One that forks and exits at once would be gone when the look is over.

    left       the session's processes in the last look, without zombies
    steps      that were taken
    seen       whether the last step has seen one of them
    strangers  whether the session's cgroup has, or may have, processes of other unix sessions: daemons, which live on
    """

    def __init__(self, leader: int, now: float) -> None:
        self.leader = leader
        self.next_at = now + FIRST_LOOK_S
        self.left: set[int] = set()
        self.seen = False
        self.strangers = False
        self.steps = 0
        self._zombies: set[int] = set()  # in the last look
        self._known_zombies: set[int] = set()  # in the step before
        self._pause_s = FIRST_LOOK_S
        self._kill_at: float | None = None  # None: not being killed
        self._kills = False  # in this step
        self._asked: set[int] | None = None  # groups that got HUP and TERM in the first step
        self._asks = False
        self._signalled: set[int] = set()  # groups, in this step

    @property
    def ordered(self) -> bool:
        """Whether the session is being killed."""
        return self._kill_at is not None

    @property
    def kills(self) -> bool:
        """Whether the present step sends KILL."""
        return self._kills

    def order(self, grace_s: float, now: float) -> None:
        """Kill the session after `grace_s`. A second order counts if its grace is shorter."""
        self._kill_at = now + grace_s if self._kill_at is None else min(self._kill_at, now + grace_s)
        self._pause_s = FIRST_LOOK_S
        self.next_at = now

    def begin(self, now: float, *, reaped: bool) -> None:
        """The leader's group is signalled whether a process of it is seen or not: the kernel misses none.

        reaped  the leader's: its number may be a foreign group's, so that only processes that are seen are signalled
        """
        self._kills = self._kill_at is not None and now >= self._kill_at
        self._asks = self.ordered and not self._kills and not self._asked
        self._signalled = set()
        self._known_zombies = self._zombies
        self.seen = False
        self.strangers = False
        if not reaped:
            self._signal(self.leader)

    def look(self) -> None:
        """Another look of the same step begins."""
        self.left = set()
        self._zombies = set()

    def saw(self, process: Process) -> None:
        """A process of this session."""
        if process.pid == self.leader and process.zombie:
            return  # the keeper has not reaped it yet
        if process.zombie:
            self._zombies.add(process.pid)
        else:
            self.seen = True
            self.left.add(process.pid)
            self._signal(process.group)

    @property
    def only_zombies(self) -> bool:
        """Whether nothing was seen but zombies that were there in the step before. Processes that are missed because
        they fork and end at once leave new ones."""
        return not self.seen and bool(self._zombies) and self._zombies <= self._known_zombies

    def _signal(self, group: int) -> None:
        if group in self._signalled:
            return
        if self._kills:
            self._signalled.add(group)
            send(signal.SIGKILL, [group])
        elif self._asks:
            self._signalled.add(group)
            # A stopped job receives its pending signals only after CONT.
            for signum in (signal.SIGHUP, signal.SIGTERM, signal.SIGCONT):
                send(signum, [group])

    def pause(self, now: float) -> None:
        """The step is over: choose the time of the next one."""
        self.steps += 1
        if self._asks:
            self._asked = self._signalled
        self.next_at = now + self._pause_s
        if self._kill_at is not None and now < self._kill_at:
            self.next_at = min(self.next_at, self._kill_at)
        self._pause_s = min(2 * self._pause_s, LAST_LOOK_S if self.ordered else IDLE_LOOK_S)

    def hopeless(self, now: float) -> bool:
        """Whether KILL has had no effect for so long that the request must be answered."""
        return self._kill_at is not None and now >= self._kill_at + GIVE_UP_S

    def give_up(self) -> None:
        """Only look from here on."""
        self._kill_at = None
        self._asked = None
