"""What can be compared besides random output: the cases, and the recordings of real programs that record.py made."""

from __future__ import annotations

import gzip
from pathlib import Path

from . import cases, cases_charsets, cases_rectangles, cases_unicode, cases_xterm

CASES = cases.CASES | cases_charsets.CASES | cases_rectangles.CASES | cases_unicode.CASES | cases_xterm.XTERM_CASES
ALL_CASES = [case for group in CASES.values() for case in group]

RECORDINGS = sorted(Path(__file__).parent.joinpath("recordings").glob("*.gz"))
PLACES = 40


def load(recording: Path) -> tuple[int, int, bytes]:
    """Rows, columns, output."""
    rows, cols = recording.name.split(".")[-2].split("x")
    return int(rows), int(cols), gzip.decompress(recording.read_bytes())


def places(data: bytes) -> list[int]:
    """Where to stop and look: spread evenly, so as a rule in the middle of something."""
    return sorted({len(data) * n // PLACES for n in range(1, PLACES + 1)})
