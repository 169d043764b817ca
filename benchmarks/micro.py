"""What does each hot path of the extension cost by itself?

Measures    nanoseconds a step, best of 5 rounds; and instructions a step in user space, if the processor's counters can
            be read (`perf stat`), from the difference of two runs, which cancels everything before the steps.
Leaves out  for the pump's paths nothing: the kernel is in them, and this end of socket and PTY. bench_echo.py has the
            whole server. `make bench-guard` counts what the extension alone executes.
First       compares the output of each step of the pump's paths and of the decoder; tests/ checks the others.
Run         python -m benchmarks.micro [PATH...]
"""

import argparse
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import machine
from benchmarks.errors import Unavailable
from benchmarks.guard.paths import PATHS, Step, by_name, ready

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5
ROUND_NS = 50_000_000  # duration of a round, roughly
LIMIT_S = 60


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.micro", description="Time the hot paths.")
    names = [path.name for path in PATHS]
    parser.add_argument("path", nargs="*", metavar="PATH", help=f"{', '.join(names)}; all of them when none is named")
    parser.add_argument("--steps", type=int, help=argparse.SUPPRESS)  # take them and measure nothing: run by perf
    options = parser.parse_args(arguments)
    for name in options.path:
        if name not in names:
            parser.error(f"expected one of {', '.join(names)}, got {name}")
    if options.steps is not None:
        with ready(by_name(options.path[0])) as step:
            _take(step, options.steps)
        return 0
    print("\n".join(f"{name}: {value}" for name, value in machine.describe().items()))
    print("\n| path | ns | instructions |\n| --- | ---: | ---: |")
    why = ""
    for path in [by_name(name) for name in options.path] or PATHS:
        with ready(path) as step:
            ns, steps = _timed(step)
        counted = ""
        if not why:
            try:
                counted = f"{instructions(path.name, steps):,.0f}"
            except Unavailable as error:
                why = str(error)
        print(f"| {path.what} (`{path.name}`) | {ns:,.0f} | {counted} |", flush=True)
    if why:
        print(f"\nNo instructions: {why}")
    return 0


def instructions(name: str, steps: int) -> float:
    """Instructions a step in user space, of all code: from a run of `steps` and one of twice as many."""
    return (_counted(name, 2 * steps) - _counted(name, steps)) / steps


def counter(report: str) -> int:
    """The count in a report of `perf stat -x,`. Raises Unavailable without one, as in most virtual machines."""
    found = re.search(r"^(\d+),[^,]*,instructions", report, re.MULTILINE)
    if not found:
        raise Unavailable("perf stat has no counter of instructions on this machine")
    return int(found[1])


def _counted(name: str, steps: int) -> int:
    if not shutil.which("perf"):
        raise Unavailable("no perf: install it (Debian: apt install linux-perf)")
    command = [sys.executable, "-m", "benchmarks.micro", name, f"--steps={steps}"]
    done = subprocess.run(
        ["perf", "stat", "-x,", "-e", "instructions:u", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{name}: expected {steps} steps, got {done.stderr[-300:]!r}")
    return counter(done.stderr)


def _timed(step: Step) -> tuple[float, int]:
    """Nanoseconds a step in the best round, and the steps of a round."""
    began = time.perf_counter_ns()
    step()
    steps = max(1, ROUND_NS // (time.perf_counter_ns() - began))
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter_ns()
        _take(step, steps)
        rounds.append((time.perf_counter_ns() - began) / steps)
    return min(rounds), steps


def _take(step: Step, steps: int) -> None:
    for _ in range(steps):
        step()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
