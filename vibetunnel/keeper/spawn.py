"""Starts one program on a new pty."""

from __future__ import annotations

import os
import stat
import sys

from vibetunnel.keeper.spawn_failure import LACKING, CannotStart, NothingLeft, exec_reason, folder_reason, shortage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LINUX = sys.platform == "linux"
if LINUX:
    # At the start, not on first use: by then the package may have been upgraded, or no descriptor may be left.
    from vibetunnel._ext import spawn as by_vfork

# Descriptors that no spawn takes: the next server's connection needs one, a queued answer two, and a look at the
# processes one or two at a time.
SPARE = 8
SIZE_LIMIT = 65535  # rows or cols: what struct winsize holds


def check_folder(folder: str) -> None:
    """Raise CannotStart unless a process can start in this folder."""
    if not os.path.isabs(folder):
        raise CannotStart(f"the folder must be absolute: {folder!r}")
    try:
        mode = os.stat(folder).st_mode
    except (OSError, ValueError) as error:
        raise CannotStart(folder_reason(error, folder)) from None
    if not stat.S_ISDIR(mode):
        raise CannotStart(f"not a folder: {folder}")
    if not os.access(folder, os.X_OK):
        raise CannotStart(f"folder not permitted: {folder}")


def find_program(name: str, search: str, folder: str) -> str:
    """The absolute path of the program `name`, as a shell in `folder` with the PATH `search` finds it.

    Raises CannotStart when no such program exists, or none may be run.
    """
    if not name:
        raise CannotStart("the command is empty")
    if "/" in name:
        path = os.path.join(folder, name)
        problem = _why_not_runnable(path)
        if problem:
            raise CannotStart(problem)
        return path
    problems = []
    for entry in search.split(os.pathsep):
        path = os.path.join(folder, entry, name)  # an empty entry means the current folder
        problem = _why_not_runnable(path)
        if not problem:
            return path
        problems.append(problem)
    # "permission denied: /usr/bin/thing" says more than "no such command".
    found = [problem for problem in problems if problem.startswith("permission denied")]
    raise CannotStart(found[0] if found else f"no such command: {name} (searched in {search})")


def start(
    program: str,
    argv: list[str],
    *,
    folder: str,
    environment: Mapping[str, str],
    rows: int,
    cols: int,
    open_files: tuple[int, int],
    cgroup: int = -1,
) -> tuple[int, int, bool]:
    """Run `program` as the leader of a new session on a new pty.

    program     absolute path; `argv[0]` may differ from it, as it does for a login shell
    open_files  the program's soft and hard limit of open files
    cgroup      descriptor of the folder of its cgroup; -1: the keeper's
    Returns     when its exec has succeeded: its pid, the pty's master (close-on-exec), whether it is in that cgroup
    Raises      CannotStart; NothingLeft when the system is at fault, and not the program
    """
    _check(argv, environment, rows, cols)
    spare = lowest_descriptors()
    if not LINUX:
        from vibetunnel.keeper import spawn_ptyprocess  # here: Linux does not need ptyprocess

        return *spawn_ptyprocess.start(program, argv, folder, environment, (rows, cols), open_files, spare), False
    try:
        return by_vfork.start(
            os.fsencode(program),
            [os.fsencode(word) for word in argv],
            [os.fsencode(f"{name}={value}") for name, value in environment.items()],
            os.fsencode(folder),
            rows=rows,
            cols=cols,
            open_files=open_files,
            cgroup=cgroup,
        )
    except by_vfork.StepFailed as error:
        kind = NothingLeft if error.errno in LACKING else CannotStart
        match error.step:
            case "folder":
                why = OSError(error.errno, error.strerror)  # its class depends on errno
                raise kind(folder_reason(why, folder)) from None
            case "exec":
                raise kind(exec_reason(error, program)) from None
            case _:
                raise NothingLeft(shortage(error, "process" if error.step == "process" else "terminal")) from None


def _check(argv: list[str], environment: Mapping[str, str], rows: int, cols: int) -> None:
    # What would raise in the child before exec, which could hardly report it.
    if not (1 <= rows <= SIZE_LIMIT and 1 <= cols <= SIZE_LIMIT):
        raise CannotStart(f"rows and cols must be 1 to {SIZE_LIMIT}, not {rows} and {cols}")
    if any("\0" in word for word in argv):
        raise CannotStart("an argument contains a NUL byte")
    for name, value in environment.items():
        if not name or "=" in name or "\0" in name + value:
            raise CannotStart(f"an environment variable has no name, a name with '=', or a NUL byte: {name!r}")


def lowest_descriptors() -> list[int]:
    """The four that the kernel gives next. Raises NothingLeft unless SPARE others are left for the keeper itself."""
    taken: list[int] = []
    try:
        for _ in range((4 + SPARE) // 2):
            taken += os.pipe()
    except OSError as error:
        raise NothingLeft(shortage(error, "terminal")) from None
    finally:
        for descriptor in taken:
            os.close(descriptor)
    return taken[:4]


def _why_not_runnable(path: str) -> str:
    # Empty when it can be run, as far as can be seen before exec.
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        return exec_reason(error, path)
    if stat.S_ISDIR(mode):
        return f"is a folder: {path}"
    if not stat.S_ISREG(mode):
        return f"not a program: {path}"
    return "" if os.access(path, os.X_OK) else f"permission denied: {path}"
