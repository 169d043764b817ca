"""CPU time and memory of processes, and which processes exist. Linux: /proc and CPU clocks; elsewhere: ps."""

import ctypes
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

LINUX = sys.platform == "linux"
PROC = Path("/proc")
PR_SET_CHILD_SUBREAPER = 36
SETTLE_S = 20


def cpu_ms(pids: Iterable[int]) -> float:
    """CPU time of these processes so far: all threads, user and system."""
    return sum(_cpu_ms(pid) for pid in pids)


def rss(pids: Iterable[int]) -> int:
    """Resident bytes of these processes. A page that two of them share counts twice."""
    return sum(_rss(pid) for pid in pids)


def children(parent: int) -> list[int]:
    """The child processes of `parent` that are not reaped yet."""
    if not LINUX:
        return [pid for pid, ppid, _ in _ps() if ppid == parent]
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text(encoding="ascii", errors="replace")
            except OSError:  # the process has ended meanwhile
                continue
            # The name, in parentheses, may contain any characters; state and parent follow the last parenthesis.
            if int(status.rpartition(")")[2].split()[1]) == parent:
                found.append(int(entry.name))
    return found


def with_argument(argument: str) -> list[int]:
    """The processes with exactly this argument on their command line."""
    if not LINUX:
        return [pid for pid, _, args in _ps() if f" {argument} " in f"{args} "]
    wanted = os.fsencode(argument)
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                if wanted in (entry / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def alive(pid: int) -> bool:
    """Whether `pid` runs. A process that has ended and is not reaped does not."""
    try:
        os.kill(pid, 0)
        return not LINUX or (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


def adopt() -> None:
    """Become the parent of orphaned descendants. Linux only; elsewhere reap() does not wait."""
    if LINUX:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap() -> None:
    """Wait until all children have ended: a thousand hung-up programs would take processor time from the next peer."""
    give_up = time.monotonic() + SETTLE_S
    while time.monotonic() < give_up:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.01)
        except ChildProcessError:
            return


def _cpu_ms(pid: int) -> float:
    if LINUX:
        # The clock id of another process, as clock_getcpuclockid(3) makes it: exact to the nanosecond, while
        # /proc/PID/stat counts ticks of 10 ms.
        return time.clock_gettime_ns(~pid << 3 | 2) / 1e6
    clock = _ps_field(pid, "time")  # [[dd-]hh:]mm:ss[.cc]
    days, _, rest = clock.rpartition("-")
    seconds = 0.0
    for part in rest.split(":"):
        seconds = seconds * 60 + float(part)
    return (seconds + 86400 * int(days or 0)) * 1000


def _rss(pid: int) -> int:
    if LINUX:
        # smaps_rollup walks the page tables. statm lacks what each thread and CPU has not added yet.
        for line in (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        return 0
    return int(_ps_field(pid, "rss")) * 1024


def _ps_field(pid: int, field: str) -> str:
    answer = subprocess.run(["ps", "-o", f"{field}=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def _ps() -> list[tuple[int, int, str]]:
    """pid, parent, command line of every process."""
    answer = subprocess.run(["ps", "-A", "-ww", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    rows = []
    for line in answer.stdout.splitlines():
        pid, ppid, *args = line.split(None, 2)
        rows.append((int(pid), int(ppid), args[0] if args else ""))
    return rows
