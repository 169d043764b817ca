"""Instructions by object file, from callgrind's dumps."""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.errors import Unavailable
from benchmarks.guard.paths import PATHS, by_name

ROOT = Path(__file__).resolve().parent.parent.parent
MARKS = Path(__file__).resolve().parent / "mark.c"
LIMIT_S = 300

_NAME = re.compile(r"\((\d+)\)(?: (.*))?")
_TITLE = "desc: Trigger: Client Request: "


def count(names: Sequence[str] = ()) -> dict[str, int]:
    """Path -> instructions a step in its module's object file: the median, which timers do not move."""
    for program, package in (("valgrind", "valgrind"), ("cc", "gcc")):
        if not shutil.which(program):
            raise Unavailable(f"no {program}: install it (Debian, Ubuntu: apt install {package})")
    steps: dict[str, list[int]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="guard-") as folder:
        library = Path(folder, "mark.so")
        _run(["cc", "-O1", "-shared", "-fPIC", "-o", str(library), str(MARKS)])
        _run(
            [
                *("valgrind", "--tool=callgrind", "--quiet", "--instr-atstart=no", "--fair-sched=try"),
                f"--callgrind-out-file={folder}/out",
                *(sys.executable, "-m", "benchmarks.guard.worker", str(library), *names),
            ]
        )
        for dump in Path(folder).glob("out.*"):
            title, objects = parse(dump.read_text(encoding="utf-8", errors="replace").splitlines())
            if title:
                steps[title].append(of_module(objects, by_name(title).module))
    counts = {path.name: round(statistics.median(steps[path.name])) for path in PATHS if path.name in steps}
    for name, each in counts.items():
        if each == 0:
            raise Unavailable(f"{name}: no instruction was counted in its module")
    return counts


def parse(lines: Iterable[str]) -> tuple[str, dict[str, int]]:
    """A dump's title ("" for the last dump) and the instructions of each object file, without those of callees."""
    title, current, called = "", "", False
    names: dict[str, str] = {}
    costs: dict[str, int] = defaultdict(int)
    for line in lines:
        if line.startswith(_TITLE):
            title = line.removeprefix(_TITLE)
        elif line.startswith(("ob=", "cob=")):
            kind, _, value = line.partition("=")
            if not (found := _NAME.fullmatch(value)):
                raise ValueError(f"expected `(number) name`, got {line!r}")
            number, name = found.groups()
            if name:
                names[number] = name
            if kind == "ob":
                current = names[number]
        elif line.startswith("calls="):
            called = True  # the next line is the cost of the callee, which is also counted there
        elif line[:1].isdigit() or line[:1] in ("+", "-", "*"):
            if not called:
                costs[current] += int(line.split()[1])
            called = False
    return title, dict(costs)


def of_module(objects: dict[str, int], module: str) -> int:
    return sum(cost for path, cost in objects.items() if Path(path).name.startswith(f"{module}."))


def _run(command: list[str]) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if done.returncode:
        raise Unavailable(f"{command[0]} failed ({done.returncode}):\n{done.stdout}{done.stderr}".rstrip())
