"""Time as everything that expires counts it: it never goes back, whatever is done to the system's clock."""

from __future__ import annotations

import time
from collections.abc import Callable

_AWAKE_AND_ASLEEP = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux's CLOCK_MONOTONIC stops in suspend


def steady() -> float:
    """Seconds from any start, never backwards. The time in which the machine is suspended counts."""
    return time.clock_gettime(_AWAKE_AND_ASLEEP)


class ForwardClock:
    """Seconds since the epoch. If the system's clock is set back, this one goes on from the latest time it has seen.

    wall    seconds since the epoch, which may jump
    steady  seconds from any start, which never go back
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = steady) -> None:
        self._wall = wall
        self._steady = steady
        self._latest, self._at = wall(), steady()  # the latest jump forwards, and when it was by the steady clock

    def __call__(self) -> float:
        wall, steady = self._wall(), self._steady()
        now = self._latest + (steady - self._at)
        if wall <= now:
            return now
        self._latest, self._at = wall, steady
        return wall

    def not_before(self, seen: float) -> None:
        """Go on from `seen` at least: the time of an earlier run of the server."""
        if seen > self():
            self._latest, self._at = seen, self._steady()
