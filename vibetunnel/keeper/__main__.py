"""python -m vibetunnel.keeper: takes the runtime folder, and runs the keeper until it has nothing left to keep."""

from __future__ import annotations

import os
import resource
import sys

from vibetunnel.keeper.log import Log
from vibetunnel.keeper.process import Keeper
from vibetunnel.keeper.protocol import ANOTHER_RUNS, LOG_NAME
from vibetunnel.keeper.runtime_dir import AnotherRuns, CannotRun, RuntimeDir

USAGE = "usage: python -m vibetunnel.keeper --runtime-dir DIR [--idle-s SECONDS] [--detach]"
IDLE_S = 30.0
OPEN_FILES = 10240  # two for each of the 4096 ptys that Linux has by default; macOS grants no more


def main(arguments: list[str]) -> int:
    """Exit code 0 at the end (with --detach: once the socket accepts), 1 with a reason, 3: another keeper runs."""
    try:
        folder, idle_s, detach = _parse(arguments)
        folder = os.path.abspath(folder)
        os.chdir("/")  # so that the folder in which it was started can be removed
        _close_inherited_descriptors()
        runtime_dir = RuntimeDir(folder)
        log = Log(os.path.join(folder, LOG_NAME))
        _leave_terminal(detach)
        Keeper(runtime_dir, log=log, idle_s=idle_s, open_files=_raise_open_files()).run()
        runtime_dir.leave()
    except CannotRun as error:
        print(error, file=sys.stderr)
        return ANOTHER_RUNS if isinstance(error, AnotherRuns) else 1
    except OSError as error:
        print(f"{error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: list[str]) -> tuple[str, float, bool]:
    # Without argparse, which would stay in the keeper's memory.
    folder, idle_s, detach = "", IDLE_S, False
    words = iter(arguments)
    for word in words:
        if word == "--detach":
            detach = True
        elif word == "--runtime-dir":
            folder = next(words, "")
        elif word == "--idle-s":
            try:
                idle_s = float(next(words, ""))
            except ValueError:
                raise CannotRun(USAGE) from None
        else:
            raise CannotRun(USAGE)
    if not folder:
        raise CannotRun(USAGE)
    return folder, idle_s, detach


def _close_inherited_descriptors() -> None:
    """Close all but 0, 1 and 2; open those on /dev/null if the starter has closed them."""
    # uvloop leaves some of the server's open, such as the pipe whose end tells it that the starter has finished.
    os.closerange(3, OPEN_FILES)
    # A socket must not get one of the three numbers: programs and libraries write to them.
    while True:
        descriptor = os.open(os.devnull, os.O_RDWR)
        if descriptor > 2:
            os.close(descriptor)
            return


def _leave_terminal(detach: bool) -> None:
    """detach: go on in a child with a session of its own, without the starter's descriptors; the starter exits."""
    if detach:
        if os.fork():
            os._exit(0)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        if null > 2:
            os.close(null)


def _raise_open_files() -> tuple[int, int]:
    """Raise the keeper's limit to OPEN_FILES; returns the limits as they were."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    # A higher limit is lowered: without close_range(2), a start closes every number below the limit.
    if soft != wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return soft, hard


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
