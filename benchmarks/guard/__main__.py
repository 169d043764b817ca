"""`python -m benchmarks.guard [PATH...] [--write]`: count, and compare with FIGURES.json or renew it."""

import argparse
import platform
import re
import sys
import sysconfig
from pathlib import Path

from benchmarks.errors import Unavailable
from benchmarks.guard import callgrind, figures, syscalls
from benchmarks.guard.figures import Figures
from benchmarks.guard.paths import PATHS
from vibetunnel._ext import pump

SYSCALLS = "echo-syscalls"
RENEW = "make bench-guard ARGS=--write"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description="Count what the hot paths execute.")
    names = [*(path.name for path in PATHS), SYSCALLS]
    parser.add_argument("path", nargs="*", metavar="PATH", help=f"{', '.join(names)}; all of them when none is named")
    parser.add_argument("--write", action="store_true", help=f"renew {figures.FILE.name}, of those paths")
    options = parser.parse_args(arguments)
    chosen = list(dict.fromkeys(options.path)) or names
    for name in chosen:
        if name not in names:
            parser.error(f"expected one of {', '.join(names)}, got {name}")
    try:
        found, calls = _count(chosen)
    except Unavailable as error:
        print(f"bench-guard could not count: {error}", file=sys.stderr)
        return 1
    machine, now = platform.machine(), built()
    before = figures.read(machine)
    _print(found, before.counts if before else {}, calls)
    if options.write:
        kept = {name: count for name, count in (before.counts if before else {}).items() if name not in chosen}
        figures.write(machine, Figures(now, {**(kept if options.path else {}), **found}))
        print(f"Wrote {figures.FILE.name}: look at its diff before you commit it")
        return 0
    if before is None:
        print(f"No committed figures for {machine}: `{RENEW}` makes them")
        return 0
    expected = {name: count for name, count in before.counts.items() if name in chosen or not options.path}
    verdicts = figures.judge_all(expected, found)
    said = [verdict.text for verdict in verdicts if verdict.text]
    passes = all(verdict.passes for verdict in verdicts)
    if said:
        print("\n".join(said))
        print(f"If that is intended: `{RENEW}`, and say why in the commit")
    for difference in figures.differences(before.built, now):
        print(f"The committed figures come from another build, compared all the same. {difference}")
    print("bench-guard:", "no path takes more than before" if passes else "FAILED")
    return 0 if passes else 1


def built() -> dict[str, str]:
    """What the instructions depend on besides the source, read from the extension itself if it says so."""
    binary = Path(pump.__file__).read_bytes()
    compiler = re.search(rb"GCC: \([^)]*\) [\w.]+|[\w ]*clang version [\w.]+", binary)
    cython = re.search(rb"_cython_(\d+_\d+_\w+)", binary)  # the module in which Cython's extensions share their types
    flags = (sysconfig.get_config_var("CFLAGS") or "").split()  # before those of setup.py
    return {
        "compiler": compiler[0].decode() if compiler else "unknown",
        "flags": " ".join(flag for flag in flags if flag.startswith(("-O", "-f", "-m", "-D"))),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "cython": cython[1].decode().replace("_", ".") if cython else "unknown",
    }


def _count(chosen: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """The figures, and the number of each system call by name."""
    found: dict[str, float] = {}
    if below_valgrind := [name for name in chosen if name != SYSCALLS]:
        found.update(callgrind.count(below_valgrind))
    calls = syscalls.count() if SYSCALLS in chosen else {}
    if calls:
        found[SYSCALLS] = sum(calls.values())
    return found, calls


def _print(found: dict[str, float], expected: dict[str, float], calls: dict[str, float]) -> None:
    print("| path | instructions | committed | |\n| --- | ---: | ---: | ---: |")
    for path in PATHS:
        if path.name in found:
            print(_row(path.what, path.name, found, expected))
    if calls:
        each = ", ".join(f"{name} {count:g}" for name, count in calls.items())
        print(_row(f"pump: system calls for a key and its echo ({each})", SYSCALLS, found, expected))


def _row(what: str, name: str, found: dict[str, float], expected: dict[str, float]) -> str:
    before = expected.get(name)
    change = f"{found[name] / before - 1:+.1%}" if before else ""
    return f"| {what} (`{name}`) | {found[name]:,.10g} | {f'{before:,.10g}' if before else ''} | {change} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
