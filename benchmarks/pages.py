"""The pages of the benchmark: every module bench_*.py, in the order of the report."""

from importlib import import_module
from pathlib import Path
from typing import cast

from benchmarks.harness import Page

# The order in which a whole run measures them. A page that is not named here comes last.
ORDER = (
    "echo",
    "crowd",
    "floods",
    "deaf",
    "flood",
    "fanout",
    "lossless",
    "interrupt",
    "slow",
    "late",
    "many",
    "audience",
    "rest",
    "requests",
    "polling",
    "first",
    "start",
    "memory",
    "compression",
    "security",
    "engine",
    "screen",
    "hostile",
)


def _place(name: str) -> tuple[int, str]:
    return ORDER.index(name) if name in ORDER else len(ORDER), name


NAMES = sorted((file.stem.removeprefix("bench_") for file in Path(__file__).parent.glob("bench_*.py")), key=_place)
PAGES = [cast(Page, import_module(f"benchmarks.bench_{name}")) for name in NAMES]
