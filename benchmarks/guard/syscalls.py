"""System calls of the pump's lanes for one key and its echo, from strace."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from benchmarks.errors import Unavailable
from benchmarks.guard.lockstep import Lockstep
from benchmarks.guard.paths import KEY
from vibetunnel._ext import frames

ROOT = Path(__file__).resolve().parent.parent.parent
ECHOES = 50
LIMIT_S = 120
_BEGIN, _END = "/guard/begin", "/guard/end"  # paths that do not exist; looking them up leaves a mark in the trace
_CALL = re.compile(r"(\d+) +(\w+)\(")


def count() -> dict[str, float]:
    """Name -> calls for each echo, of all lanes together."""
    if not shutil.which("strace"):
        raise Unavailable("no strace: install it (Debian, Ubuntu: apt install strace)")
    with tempfile.TemporaryDirectory(prefix="guard-") as folder:
        trace = Path(folder, "trace")
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", str(trace), sys.executable, "-m", "benchmarks.guard.syscalls"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        if done.returncode:
            raise Unavailable(f"strace failed ({done.returncode}):\n{done.stderr}".rstrip())
        lanes = {int(each) for each in done.stdout.split()}
        calls = parse(trace.read_text(encoding="utf-8", errors="replace").splitlines(), lanes)
    return {name: number / ECHOES for name, number in sorted(calls.items())}


def parse(lines: Iterable[str], threads: set[int]) -> Counter[str]:
    """The calls of these threads between the marks. A call in two lines counts where it began."""
    calls: Counter[str] = Counter()
    counting = False
    for line in lines:
        if _BEGIN in line or _END in line:
            counting = _BEGIN in line
        elif counting and (found := _CALL.match(line)) and int(found[1]) in threads:
            calls[found[2]] += 1
    return calls


def main() -> None:
    """The traced process: prints the kernel's thread numbers of its lanes, then types."""
    frame = frames.encode(frames.BINARY, b"k", mask=KEY)
    with Lockstep(clients=1) as pump:
        print(*pump.lanes)
        pump.echo(frame, b"k")
        os.access(_BEGIN, os.F_OK)
        for _ in range(ECHOES):
            pump.echo(frame, b"k")
        os.access(_END, os.F_OK)


if __name__ == "__main__":
    main()
