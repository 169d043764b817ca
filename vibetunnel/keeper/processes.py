"""Which processes there are, and to which unix session each belongs."""

from __future__ import annotations

import os
import signal
import sys
from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

Process = namedtuple("Process", "pid group session")  # typing.NamedTuple would cost 600 KB of memory


def living() -> list[Process]:
    """Every visible process but zombies. Not a snapshot: processes come and go while it is made.

    Raises OSError when it cannot look (no descriptor left), rather than leave some out.
    """
    return _from_proc() if sys.platform == "linux" else _from_ps()


def send(signum: int, groups: Iterable[int]) -> None:
    """Send a signal to process groups; those that are gone, or wholly another user's (sudo), are passed over."""
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


def _from_proc() -> list[Process]:
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            descriptor = os.open(f"/proc/{name}/stat", os.O_RDONLY | os.O_CLOEXEC)
            try:
                text = os.read(descriptor, 1024)
            finally:
                os.close(descriptor)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended meanwhile, or is hidden from us
        # "pid (name) state ppid group session ...": the name may hold anything, parentheses and spaces too.
        state, _, group, session = text[text.rindex(b")") + 2 :].split(maxsplit=4)[:4]
        if state not in (b"Z", b"X"):
            found.append(Process(int(name), int(group), int(session)))
    return found


def _from_ps() -> list[Process]:
    # Where there is no /proc. `ps -o sess` prints an address on macOS, so the session comes from getsid.
    import subprocess  # only here: it would cost the keeper a megabyte

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
            continue  # it ended meanwhile, or the kernel does not tell
    return found
