"""One session of the keeper: its descriptors, its process and its metadata."""

from __future__ import annotations

import os

from vibetunnel.keeper.processes import began_with, exists, in_use, living, send, signal_name
from vibetunnel.keeper.protocol import pack_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from vibetunnel.keeper.cgroups import Cgroup
    from vibetunnel.keeper.processes import Process


class KeeperSession:
    """Without a pid it has metadata only.

    started   it is never to be started again; without a pid: another keeper, which is gone, has started it
    meta      stored for the server; the keeper never looks inside
    pty       the master; -1: none
    ring      shared memory; -1: none
    exited    the fields of its `exited` message; None until the process has ended
    reaped    the number of its unix session may be given to another process
    over      it has ended, and so have all processes of its unix session
    left      how many of them live on after it has ended, as the last look found; None before the first
    cgroup    for its processes alone; None: the system gives none
    known     the present server has started or adopted it, and so is told of its end
    released  the server has all output: the master may be closed as soon as the process has ended
    waiting   requests that wait for the end of the killing
    forget    remove it at the end of the killing
    """

    __slots__ = (
        "cgroup",
        "exited",
        "forget",
        "id",
        "known",
        "left",
        "meta",
        "over",
        "pid",
        "pty",
        "reaped",
        "released",
        "ring",
        "started",
        "waiting",
    )

    def __init__(self, session_id: str, meta: bytes) -> None:
        self.id = session_id
        self.meta = meta
        self.started = False
        self.pid = 0
        self.pty = -1
        self.ring = -1
        self.exited: dict[str, Any] | None = None
        self.over = False
        self.left: int | None = None
        self.cgroup: Cgroup | None = None
        self.known = False
        self.released = False
        self.waiting: list[int] = []
        self.forget = False
        self.reaped = False

    @property
    def lives(self) -> bool:
        return self.pid > 0 and self.exited is None

    def describe(self) -> dict[str, Any]:
        """The fields of its `kept` message."""
        return {
            "session": self.id,
            "pid": self.pid or None,
            "meta": pack_bytes(self.meta),
            "exited": self.exited,
            "left": self.left,
        }

    def descriptors(self) -> dict[str, int]:
        """Those that are open, by name."""
        named = {"pty": self.pty, "ring": self.ring}
        return {name: descriptor for name, descriptor in named.items() if descriptor >= 0}

    @property
    def has_processes(self) -> bool:
        """Whether the program runs, or has left processes behind."""
        return self.pid > 0 and not self.over

    def ended(self) -> bool:
        """Whether the program has ended; sets `exited`.

        It stays a zombie until `vanished`. So its pid, which is the number of its unix session and of a process group,
        belongs to this session as long as signals may be sent there.
        """
        if self.exited is not None:
            return True
        try:
            if hasattr(os, "waitid"):
                found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if found is None:
                    return False
                code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
            else:  # macOS before Python 3.13: POSIX gives no process the number of a group or session that still exists
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if not pid:
                    return False
                self.reaped = True
                code = os.waitstatus_to_exitcode(status)
        except ChildProcessError:  # another reaper has the status: without this, the session would live for ever
            self.reaped = True
            code = 0
        signum = -code if code < 0 else None
        self.exited = {
            "session": self.id,
            "code": 128 + signum if signum else code,
            "signal": signum,
            "reason": f"ended by {signal_name(signum)}" if signum else None,
            "left": None,  # how many processes are left is counted after the end
        }
        if self.released:
            self.close_pty()
        return True

    def vanished(self) -> bool:
        """Reap the program that has ended. Whether no process of its session is left then, not even a zombie."""
        if not self.reaped:
            self.reaped = True
            try:
                os.waitpid(self.pid, 0)  # a zombie: returns at once
            except ChildProcessError:
                pass  # another reaper was faster
        return not in_use(self.pid)

    def recycled(self) -> bool:
        """Whether another process has the number of the program that was reaped. Then no group of ours has it."""
        return self.reaped and exists(self.pid)

    def owns(self, process: Process) -> bool:
        """Whether a process whose unix session has this session's number belongs to this session.

        After the reaping the number may be a foreign session's. The environment then tells: the program began with the
        session's id, and its children inherit that. (A zombie has none, and gets no signal.)
        """
        if not self.reaped or process.zombie:
            return True
        return began_with(process.pid, f"VIBETUNNEL_SESSION_ID={self.id}".encode("ascii"))

    def signal(self, signum: int, group: str) -> None:
        """group: foreground (as the keyboard does; the leader's if that has ended), or session: all groups."""
        groups = {process.group for process in living() if process.session == self.pid}
        if group == "foreground":
            try:
                foreground = os.tcgetpgrp(self.pty)
            except OSError:
                foreground = 0
            # A tty goes on naming a group that has ended, and its number may have been reused.
            groups = {foreground} if foreground in groups else {self.pid}
        send(signum, groups)

    def close_pty(self) -> None:
        if self.pty >= 0:
            os.close(self.pty)
            self.pty = -1

    def close(self) -> None:
        """Close both descriptors."""
        self.close_pty()
        if self.ring >= 0:
            os.close(self.ring)
            self.ring = -1
