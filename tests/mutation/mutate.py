"""Remove the product's security checks one at a time: does an attack test fail?

Measures    for each check in checks.py, whether at least one of its tests fails without the check.
First       runs all of these tests on the unchanged product: each must pass.
Fails       if no test fails without a check, or if the check's text does not occur exactly once in its file.
Run         make test-mutation [ARGS="--only hosts --jobs 4"]
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from checks import CHECKS, Check

ROOT = Path(__file__).resolve().parents[2]
ATTACKS = ROOT / "tests" / "attack"
LIMIT_S = 300.0  # for the tests of one check; tests that hang have noticed, too
NOT_COPIED = shutil.ignore_patterns("__pycache__", "web")

NOTICED, SURVIVED, BROKEN = "noticed", "SURVIVED", "BROKEN"


class Outcome(NamedTuple):
    """said: the first test that failed, or the fault in the check itself."""

    check: Check
    result: str
    said: str
    seconds: float


@contextmanager
def copy(check: Check | None = None) -> Iterator[Path]:
    """A folder that holds the package without the check. Raises ValueError if its text does not occur exactly once."""
    with tempfile.TemporaryDirectory(prefix="vtm") as name:
        folder = Path(name)
        package = folder / "vibetunnel"
        shutil.copytree(ROOT / "vibetunnel", package, ignore=NOT_COPIED)
        (package / "web").mkdir()
        (package / "web" / "static").symlink_to(ROOT / "vibetunnel" / "web" / "static")
        if check is not None:
            path = package / check.file
            text = path.read_text()
            if text.count(check.text) != 1:
                raise ValueError(f"its text must occur once in {check.file}, but occurs {text.count(check.text)} times")
            path.write_text(text.replace(check.text, check.instead))
        yield folder


def attack(folder: Path, tests: list[str]) -> subprocess.CompletedProcess[str]:
    """Run these tests with the package in `folder`. Raises TimeoutExpired."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    options = ["-q", "-x", "-rf", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-seed=0"]
    where = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *where, *(str(ATTACKS / each) for each in tests)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=LIMIT_S)
    except BaseException:  # KeyboardInterrupt too: pytest runs in a session of its own and gets no signal
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return subprocess.CompletedProcess(process.args, process.returncode, output)


def examine(check: Check) -> Outcome:
    begun = time.monotonic()

    def outcome(result: str, said: str) -> Outcome:
        return Outcome(check, result, said, time.monotonic() - begun)

    try:
        with copy(check) as folder:
            ran = attack(folder, list(check.tests))
    except ValueError as error:
        return outcome(BROKEN, str(error))
    except subprocess.TimeoutExpired:
        return outcome(NOTICED, f"the tests did not end within {LIMIT_S:g} s")
    if ran.returncode == 0:
        return outcome(SURVIVED, ", ".join(check.tests))
    if ran.returncode != 1:
        return outcome(BROKEN, f"pytest ended with {ran.returncode}: {ran.stdout.strip().splitlines()[-1:]}")
    failed = re.search(r"^(?:FAILED|ERROR) \S*?([^/\s]+::.*?)(?: - .*)?$", ran.stdout, re.MULTILINE)
    return outcome(NOTICED, failed[1] if failed else "?")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="checks to test at the same time")
    parser.add_argument("--only", default="", help="only checks with this text in their description or file name")
    parser.add_argument("--list", action="store_true", help="run no test; see whether each text occurs exactly once")
    arguments = parser.parse_args()
    chosen = [each for each in CHECKS if arguments.only in f"{each.what} {each.file}"]
    if not chosen:
        parser.error(f"--only {arguments.only}: no check has this text in its description or file name")
    if arguments.list:
        return look(chosen)
    with copy() as folder:
        ran = attack(folder, sorted({test for each in chosen for test in each.tests}))
    if ran.returncode:
        print(ran.stdout)
        print("The attack tests fail on the unchanged product: correct that first.")
        return 2
    counts = dict.fromkeys((NOTICED, SURVIVED, BROKEN), 0)
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for outcome in pool.map(examine, chosen):
            counts[outcome.result] += 1
            print(
                f"{outcome.result:8} {outcome.seconds:5.1f} s  {outcome.check.file:24} {outcome.check.what:60} "
                f"{outcome.said}",
                flush=True,
            )
    print(f"{len(chosen)} checks: " + ", ".join(f"{count} {result}" for result, count in counts.items()))
    return 1 if counts[SURVIVED] or counts[BROKEN] else 0


def look(chosen: list[Check]) -> int:
    missing = 0
    for each in chosen:
        count = (ROOT / "vibetunnel" / each.file).read_text().count(each.text)
        if count != 1:
            missing += 1
            print(f"{each.file}: {each.what}: its text must occur once, but occurs {count} times")
    print(f"{len(chosen)} checks, {missing} of them without a text that occurs exactly once")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
