"""The counted process, run under valgrind: `python -m benchmarks.guard.worker MARKS [PATH...]` takes steps."""

import ctypes
import sys

from benchmarks.guard.paths import PATHS, by_name, ready


def main(library: str, names: list[str]) -> None:
    """Make one dump for each step, with its path's name."""
    marks = ctypes.PyDLL(library)  # PyDLL keeps the GIL, so nothing else runs between a mark and its step
    marks.guard_start()
    for path in [by_name(name) for name in names] or PATHS:
        title = path.name.encode()
        with ready(path) as step:
            for _ in range(path.steps):
                marks.guard_zero()
                step()
                marks.guard_dump(title)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
