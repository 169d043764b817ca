"""One session of the keeper: its descriptors, its process and its metadata."""

from __future__ import annotations

import os

from vibetunnel.keeper.processes import living, send, signal_name
from vibetunnel.keeper.protocol import pack_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class KeeperSession:
    """Without a pid it has metadata only.

    started   it is never to be started again; without a pid: another keeper, which is gone, has started it
    meta      stored for the server; the keeper never looks inside
    pty       the master; -1: none
    ring      shared memory; -1: none
    exited    the fields of its `exited` message; None until the process is reaped
    known     the present server has started or adopted it, and so is told of its end
    released  the server has all output: the master may be closed as soon as the process has ended
    waiting   requests that wait for the end of the killing
    forget    remove it at the end of the killing
    """

    __slots__ = ("exited", "forget", "id", "known", "meta", "pid", "pty", "released", "ring", "started", "waiting")

    def __init__(self, session_id: str, meta: bytes) -> None:
        self.id = session_id
        self.meta = meta
        self.started = False
        self.pid = 0
        self.pty = -1
        self.ring = -1
        self.exited: dict[str, Any] | None = None
        self.known = False
        self.released = False
        self.waiting: list[int] = []
        self.forget = False

    @property
    def lives(self) -> bool:
        return self.pid > 0 and self.exited is None

    def describe(self) -> tuple[dict[str, Any], dict[str, int]]:
        """The fields and descriptors of its `kept` message."""
        fields = {"session": self.id, "pid": self.pid or None, "meta": pack_bytes(self.meta), "exited": self.exited}
        descriptors = {"pty": self.pty, "ring": self.ring}
        return fields, {name: descriptor for name, descriptor in descriptors.items() if descriptor >= 0}

    def reap(self) -> bool:
        """True if the process has ended since the last call."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # another reaper has the status: without this, the session would live for ever
            pid, status = self.pid, 0
        if not pid:
            return False
        code = os.waitstatus_to_exitcode(status)
        signum = -code if code < 0 else None
        self.exited = {
            "session": self.id,
            "code": 128 + signum if signum else code,
            "signal": signum,
            "reason": f"ended by {signal_name(signum)}" if signum else None,
        }
        if self.released:
            self.close_pty()
        return True

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
