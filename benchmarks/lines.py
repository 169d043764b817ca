"""What does a line of scrollback cost in memory?

Measures    bytes of resident memory a line, as the growth of a process that feeds an engine LINES lines of one kind.
How         in a new process for each kind, so that no memory is free in it. The lines are printed in pieces, and what
            is on the screen and in tables is small against them.
Leaves out  the ring, which is of one size whatever is in it.
Run         python -m benchmarks.lines [KIND...]
"""

import argparse
import os
import subprocess
import sys

from benchmarks import corpus, processes
from vibetunnel._ext import vt

KINDS = ("plain", "log", "log-rgb", "unicode")
LINES = 100_000
LIMIT_S = 120
ENOUGH = 1 << 30  # bytes: the limit is lines alone


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lines", description="Memory for a line of scrollback.")
    parser.add_argument("kind", nargs="*", metavar="KIND", help=f"{', '.join(KINDS)}; all of them when none is named")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)  # measure in this process
    options = parser.parse_args(arguments)
    for kind in options.kind:
        if kind not in KINDS:
            parser.error(f"expected one of {', '.join(KINDS)}, got {kind}")
    if options.here:
        print(measured(options.kind[0]))
        return 0
    print("| kind | bytes printed a line | bytes kept a line |\n| --- | ---: | ---: |", flush=True)
    for kind in options.kind or KINDS:
        command = [sys.executable, "-m", "benchmarks.lines", "--here", kind]
        kept = float(subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=True).stdout)
        piece = corpus.kind(kind, corpus.CHUNK)
        print(f"| {kind} | {len(piece) / piece.count(10):.1f} | {kept:.1f} |", flush=True)
    return 0


def measured(kind: str) -> float:
    """Bytes that this process grows by for each line."""
    piece = corpus.kind(kind, corpus.CHUNK)
    engine = vt.Engine(corpus.ROWS, corpus.COLS, scrollback_lines=LINES, scrollback_bytes=ENOUGH)
    engine.feed(piece)
    before, lines = processes.rss([os.getpid()]), 0
    while lines < LINES - piece.count(10):
        engine.feed(piece)
        engine.take_events()
        lines += piece.count(10)
    return (processes.rss([os.getpid()]) - before) / lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
