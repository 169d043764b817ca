"""The machine of a run."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUSY = 0.3  # load per core above which a machine is not quiet


def describe() -> dict[str, str]:
    """Name -> value, in the order in which they are printed."""
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_memory()}",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    load = os.getloadavg()[0]
    facts["load before"] = f"{load:.2f}"
    if load > BUSY * (os.cpu_count() or 1):
        facts["load before"] += ": others were at work; latencies, p99 above all, are not to be trusted"
    return facts


def terminals_left() -> int:
    """PTYs that can still be opened; a great many if the system does not say."""
    try:
        most, used = (int(Path(f"/proc/sys/kernel/pty/{name}").read_text()) for name in ("max", "nr"))
    except OSError:
        return 1 << 16
    return most - used


def _commit() -> str:
    commit = _output("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    changed = _output("git", "-C", str(ROOT), "status", "--porcelain")
    return (commit or "none") + (" and changes" if changed else "")


def _processor() -> str:
    if sys.platform == "darwin":
        return _output("sysctl", "-n", "machdep.cpu.brand_string")
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"


def _output(*argv: str) -> str:
    """What a command prints; "" if it does not exist or fails."""
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
