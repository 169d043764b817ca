"""Starts a program on a new pty (ext/spawn.pyx). Linux only."""

from typing import Literal

class StepFailed(OSError):
    """A step failed; errno says why. No process and no descriptor is left."""

    step: Literal["terminal", "process", "prepare", "folder", "exec"]
    def __init__(self, number: int, step: str) -> None: ...

STEPS: dict[int, str]

def start(
    program: bytes,
    argv: list[bytes],
    environment: list[bytes],
    folder: bytes,
    *,
    rows: int,
    cols: int,
    open_files: tuple[int, int],
    cgroup: int = -1,
) -> tuple[int, int, bool]:
    """Run `program` as the leader of a new session on a new pty, and return when exec has succeeded.

    The program gets descriptors 0, 1 and 2, default signal handlers, no blocked signals, and a pty with IUTF8.
    environment  each `NAME=value`
    folder       absolute
    open_files   the program's soft and hard limit of open files; -1: no limit
    cgroup       descriptor of the folder of the program's cgroup; -1: that of this process
    Returns      the pid, the pty's master, which is close-on-exec, and whether the program is in that cgroup
    Raises       StepFailed
    """
