"""Durations and sizes as people write them: `30 d`, `15 min`, `4 MiB`."""

import math
import re

DURATION_FORMS = "90 s, 15 min, 12 h or 30 d"  # for messages
SIZE_FORMS = "64 KiB, 4 MiB or 1 GiB"

SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
BYTES = {"b": 1, "byte": 1, "bytes": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}

_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)", re.ASCII | re.IGNORECASE)


def parse_duration(text: str) -> float:
    """Seconds; a number without a unit is seconds too. Raises ValueError."""
    found = _QUANTITY.fullmatch(text.strip())
    seconds = float(text) if found is None else float(found[1]) * _factor(SECONDS, found[2])
    if not math.isfinite(seconds):
        raise ValueError(text)
    return seconds


def parse_size(text: str) -> int:
    """Bytes; a number without a unit is bytes too. Raises ValueError, also for a part of a byte."""
    found = _QUANTITY.fullmatch(text.strip())
    if found is None:
        return int(text)
    factor = _factor(BYTES, found[2])
    if "." not in found[1]:
        return int(found[1]) * factor
    size = float(found[1]) * factor
    if not size.is_integer():
        raise ValueError(text)
    return int(size)


def show_duration(seconds: float) -> str:
    """A whole number of the largest unit that allows it, else of seconds. parse_duration() reads it back."""
    for unit in ("d", "h", "min"):
        if seconds and seconds % SECONDS[unit] == 0:
            return f"{int(seconds // SECONDS[unit])} {unit}"
    return f"{int(seconds) if seconds == int(seconds) else seconds!r} s"


def show_size(size: int) -> str:
    """A whole number of the largest unit that allows it. parse_size() reads it back."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % BYTES[unit.lower()] == 0:
            return f"{size // BYTES[unit.lower()]} {unit}"
    return f"{size} bytes"


def _factor(units: dict[str, int], unit: str) -> int:
    if unit.lower() not in units:
        raise ValueError(f"unknown unit {unit}")
    return units[unit.lower()]
