"""The running processes, and the unix session to which each belongs."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# typing.NamedTuple would cost 600 KB of memory.
Process = namedtuple("Process", "pid group session zombie", defaults=(False,))
BEYOND_PIDS = 1 << 22  # Linux gives no process this number or a higher one

# Indexes into stat_fields(), with the names of proc(5).
STATE, PGRP, SESSION, STARTTIME = 0, 2, 3, 19
ENDED = (b"Z", b"X")  # states of a process that only waits to be reaped


def living() -> Iterator[Process]:
    """The processes of `all_processes` that are no zombies."""
    return (process for process in all_processes() if not process.zombie)


def all_processes() -> Iterator[Process]:
    """Every visible process. Not a snapshot: processes start and end while it is made.

    The newest come first on Linux: a process that forks and exits all the time is then seen before it is gone.
    Raises OSError when it cannot read /proc (no descriptor is left), rather than leave processes out.
    """
    return _from_proc() if sys.platform == "linux" else _from_ps()


def of_pid(pid: int) -> Process | None:
    """One process, on Linux; None if there is none, or it is hidden from this user. Raises OSError: see above."""
    try:
        fields = stat_fields(pid)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return Process(pid, int(fields[PGRP]), int(fields[SESSION]), fields[STATE] in ENDED)


def in_use(number: int) -> bool:
    """Whether a process, zombies included, has this number as its pid, its group or its session.

    Only Linux knows all three. Elsewhere, and on a Linux that does not tell, the group alone counts.
    """
    if sys.platform == "linux":
        # The number of the receiver of signals. fcntl(2) refuses one that the kernel does not know, and asks no more
        # of it: kill(2) would want a process or a group.
        descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if not _can_own(descriptor, BEYOND_PIDS):
                return _can_own(descriptor, number)
        finally:
            os.close(descriptor)
    return exists(-number)


def exists(pid: int) -> bool:
    """Whether there is a process with this id, zombies included; for a negative number: a group, as in kill(2)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's (sudo)
        return True
    return True


def began_with(pid: int, variable: bytes) -> bool:
    """Whether the process began with this variable (NAME=value) in its environment, or inherited it from its parent.

    Not if the environment cannot be read: the process has ended, or belongs to another user. Systems without /proc do
    not tell; there the answer is yes.
    """
    if sys.platform != "linux":
        return True
    try:
        return variable in read_file(f"/proc/{pid}/environ").split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def read_file(path: str) -> bytes:
    """All of a file whose size the kernel does not tell. One read(2) returns a page of it at most."""
    with open(path, "rb", buffering=0) as file:
        return file.read()


def _can_own(descriptor: int, number: int) -> bool:
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETOWN, number)
    except ProcessLookupError:
        return False
    return True


def send(signum: int, groups: Iterable[int]) -> None:
    """Send a signal to process groups; skips those that have ended, and those of another user (sudo)."""
    for group in groups:
        try:
            os.killpg(group, signum)
        except (ProcessLookupError, PermissionError):
            continue


def signal_name(signum: int) -> str:
    """SIGKILL for 9; realtime signals have a number only."""
    try:
        return signal.Signals(signum).name
    except ValueError:
        return f"signal {signum}"


def stat_fields(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the third on. Raises OSError when there are none: see `living`."""
    descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(descriptor, 1024)
    finally:
        os.close(descriptor)
    # "pid (name) state ppid group session ...": the name may contain anything, even parentheses and spaces.
    return text[text.rindex(b")") + 2 :].split(maxsplit=STARTTIME + 1)


def _from_proc() -> Iterator[Process]:
    pids = sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)
    newest = _newest()
    # Numbers above the newest one are from before the last wrap.
    for pid in [pid for pid in pids if pid <= newest] + [pid for pid in pids if pid > newest]:
        found = of_pid(pid)
        if found is not None:
            yield found


def _newest() -> int:
    """The number that was given to a process last."""
    with open("/proc/loadavg", "rb") as file:
        return int(file.read().split()[4])


def _from_ps() -> Iterator[Process]:
    # For systems without /proc. `ps -o sess` prints an address on macOS, so the session comes from getsid.
    import subprocess  # here: it costs the keeper a megabyte, and Linux does not need it

    for line in subprocess.run(
        ["/bin/ps", "-axo", "pid=,pgid=,stat="], capture_output=True, check=True, text=True
    ).stdout.splitlines():
        pid, group, state = line.split()[:3]
        try:
            session = os.getsid(int(pid))
        except OSError:
            continue  # it has ended meanwhile, or the kernel hides its session
        yield Process(int(pid), int(group), session, state.startswith("Z"))
