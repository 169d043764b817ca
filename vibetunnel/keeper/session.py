"""One terminal that the keeper owns: its descriptors, its process, its metadata."""

from __future__ import annotations

import os

from vibetunnel.keeper.processes import living, send, signal_name
from vibetunnel.keeper.protocol import pack_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class KeeperSession:
    """What is known of one session. Without a pid it has metadata only: created, not started.

    meta      what the server wants kept; never looked into
    pty       the master, -1 without one
    ring      shared memory, -1 without one
    exited    the fields of its `exited` message; None as long as the process is not reaped
    known     to the present server: it started or adopted it, and so is told of its end
    released  the server has all output: the master may go as soon as the process has
    """

    __slots__ = ("exited", "forget", "id", "known", "meta", "pid", "pty", "released", "ring", "waiting")

    def __init__(self, session_id: str, meta: bytes) -> None:
        self.id = session_id
        self.meta = meta
        self.pid = 0
        self.pty = -1
        self.ring = -1
        self.exited: dict[str, Any] | None = None
        self.known = False
        self.released = False
        self.waiting: list[int] = []  # requests that wait for the end of the killing
        self.forget = False  # with the end of the killing

    @property
    def lives(self) -> bool:
        return self.pid > 0 and self.exited is None

    def describe(self) -> tuple[dict[str, Any], dict[str, int]]:
        """Fields and descriptors of its `kept` message."""
        fields = {"session": self.id, "pid": self.pid or None, "meta": pack_bytes(self.meta), "exited": self.exited}
        descriptors = {"pty": self.pty, "ring": self.ring}
        return fields, {name: descriptor for name, descriptor in descriptors.items() if descriptor >= 0}

    def reap(self) -> bool:
        """True when the process has just been found ended."""
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # nobody else reaps; but without this, a session would live for ever if one did
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
        """Send to the foreground group (as the keyboard would; the leader's when there is none), or to all groups."""
        groups = {process.group for process in living() if process.session == self.pid}
        if group == "foreground":
            try:
                foreground = os.tcgetpgrp(self.pty)
            except OSError:
                foreground = 0
            # A tty goes on naming a group that has ended, whose number may be another's by now.
            groups = {foreground} if foreground in groups else {self.pid}
        send(signum, groups)

    def close_pty(self) -> None:
        if self.pty >= 0:
            os.close(self.pty)
            self.pty = -1

    def close(self) -> None:
        """Drop both descriptors."""
        self.close_pty()
        if self.ring >= 0:
            os.close(self.ring)
            self.ring = -1
