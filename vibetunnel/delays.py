"""A histogram of how late the event loop was."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator

BOUNDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, float("inf"))  # seconds, upper bounds


class Delays:
    """Counts of delays by upper bound. total_s: the sum of all delays."""

    def __init__(self) -> None:
        self.total_s = 0.0
        self._counts = [0] * len(BOUNDS)

    def observe(self, delay_s: float) -> None:
        self.total_s += delay_s
        self._counts[bisect.bisect_left(BOUNDS, delay_s)] += 1

    def up_to(self) -> Iterator[tuple[float, int]]:
        """(bound, number of delays up to it), cumulative as Prometheus has it."""
        return zip(BOUNDS, itertools.accumulate(self._counts), strict=True)
