"""Starting a program on a new pty (ext/spawn.pyx). Linux only."""

from typing import Literal

class StepFailed(OSError):
    """What could not be done; errno says why. Nothing is left of it."""

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
) -> tuple[int, int]:
    """Run `program` as the leader of a new session on a new pty; its pid and the pty's master, close-on-exec.

    environment  `NAME=value` each
    folder       absolute
    open_files   soft and hard limit of open files that it shall have; -1: none
    Returns      when exec has succeeded. It has descriptors 0, 1 and 2, default signals, none blocked, and IUTF8.
    Raises       StepFailed
    """
