"""The running processes, and the unix session to which each belongs."""

from __future__ import annotations

import os
import signal
import sys
from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

Process = namedtuple("Process", "pid group session")  # typing.NamedTuple would cost 600 KB of memory

# Indexes into stat_fields(), with the names of proc(5).
STATE, PGRP, SESSION, STARTTIME = 0, 2, 3, 19
ENDED = (b"Z", b"X")  # states of a process that only waits to be reaped


def living() -> list[Process]:
    """Every visible process except zombies. Not a snapshot: processes start and end while it is made.

    Raises OSError when it cannot read /proc (no descriptor is left), rather than leave processes out.
    """
    return _from_proc() if sys.platform == "linux" else _from_ps()


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


def _from_proc() -> list[Process]:
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            fields = stat_fields(int(name))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it has ended meanwhile, or is hidden from this user
        if fields[STATE] not in ENDED:
            found.append(Process(int(name), int(fields[PGRP]), int(fields[SESSION])))
    return found


def _from_ps() -> list[Process]:
    # For systems without /proc. `ps -o sess` prints an address on macOS, so the session comes from getsid.
    import subprocess  # here: it costs the keeper a megabyte, and Linux does not need it

    found = []
    for line in subprocess.run(
        ["/bin/ps", "-axo", "pid=,pgid=,stat="], capture_output=True, check=True, text=True
    ).stdout.splitlines():
        pid, group, state = line.split()[:3]
        if state.startswith("Z"):
            continue
        try:
            found.append(Process(int(pid), int(group), os.getsid(int(pid))))
        except OSError:
            continue  # it has ended meanwhile, or the kernel hides its session
    return found
