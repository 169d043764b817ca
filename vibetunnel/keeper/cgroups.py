"""A cgroup of its own for each session, where the system lets the keeper make one (Linux, cgroup v2).

The kernel then knows each process of the session, and kills them all at once. Without cgroups the keeper does what a
look at the processes can do.
"""

from __future__ import annotations

import errno
import os

from vibetunnel.keeper.processes import exists, read_file

PREFIX = "vibetunnel."  # of a session's cgroup: vibetunnel.KEEPER.NUMBER


class Cgroup:
    """One session's cgroup.

    path  its folder
    """

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def open(self) -> int:
        """A descriptor of the folder."""
        return os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def pids(self) -> list[int]:
        """The processes in it and in the cgroups below it, without zombies. Raises OSError if one cannot be read."""
        return [int(pid) for folder, _, _ in os.walk(self.path) for pid in _read(f"{folder}/cgroup.procs").split()]

    def populated(self) -> bool:
        """Whether the kernel knows a process in it, or below it, that is no zombie."""
        return b"populated 1" in _read(f"{self.path}/cgroup.events")

    def kill(self) -> None:
        """SIGKILL for every process in it and below it, and for those that they start meanwhile."""
        try:
            descriptor = os.open(f"{self.path}/cgroup.kill", os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return  # before Linux 5.14; the process groups have had the signal
        try:
            os.write(descriptor, b"1")
        finally:
            os.close(descriptor)


class Cgroups:
    """Makes and removes the sessions' cgroups. Every failure means: no cgroup.

    folder  the keeper's own cgroup, in which those of the sessions are; empty: it may make none
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._made = 0
        self._left: set[str] = set()  # of sessions that are gone, with a daemon in it that lives on
        if folder:
            self._remove_those_of_dead_keepers()

    def make(self) -> Cgroup | None:
        self._remove_empty()
        if not self._folder:
            return None
        self._made += 1
        path = f"{self._folder}/{PREFIX}{os.getpid()}.{self._made}"
        try:
            os.mkdir(path)
        except OSError:
            return None
        return Cgroup(path)

    def remove(self, cgroup: Cgroup) -> None:
        """Remove it now, or when its last process has ended."""
        self._left.add(cgroup.path)
        self._remove_empty()

    def _remove_empty(self) -> None:
        self._left = {path for path in self._left if not _remove(path)}

    def _remove_those_of_dead_keepers(self) -> None:
        for name in os.listdir(self._folder):
            keeper = name.removeprefix(PREFIX).partition(".")[0]
            if name.startswith(PREFIX) and keeper.isdigit() and not exists(int(keeper)):
                _remove(f"{self._folder}/{name}")


def delegated() -> str:
    """The folder of this process's cgroup, if the process may make others in it; empty if not.

    systemd delegates the cgroups of a user's services, and those of a service with Delegate=yes. Root may always.
    """
    try:
        with open("/proc/self/cgroup", "rb") as file:
            own = next(line[3:].rstrip(b"\n") for line in file if line.startswith(b"0::"))
        with open("/proc/self/mountinfo", "rb") as file:  # proc(5): "36 35 98:0 /root /mount/point options - type ..."
            mounts = [line.split() for line in file if b" - cgroup2 " in line]
    except (OSError, StopIteration):
        return ""
    for mount in mounts:
        root = mount[3].rstrip(b"/")
        if own == root or own.startswith(root + b"/"):
            folder = os.fsdecode(mount[4] + own[len(root) :]).rstrip("/")
            # A move into a new cgroup needs the right to write here, too.
            if os.access(folder, os.W_OK) and os.access(f"{folder}/cgroup.procs", os.W_OK):
                return folder
    return ""


def _read(path: str) -> bytes:
    try:
        return read_file(path)
    except FileNotFoundError:
        return b""  # the cgroup was removed, so that no process is in it
    except OSError as error:
        if error.errno != errno.ENODEV:  # the same, since the open
            raise
        return b""


def _remove(path: str) -> bool:
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return True
    except OSError:
        return False  # a process is in it
    return True
