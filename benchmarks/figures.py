"""Figures from samples: percentiles, medians over rounds, ratios. Pure."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

# Row key -> one value per part of the row, or the reason for none in words.
Figures = dict[str, tuple[float, ...] | str]


@dataclass(frozen=True)
class Target:
    """The bound for a value of ours: an upper one, or a lower one if higher values are better.

    of   the bound is a multiple of this peer's value; "": it is in the row's unit
    """

    bound: float
    of: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    parts     names of the values, in order; several are shown as `a / b`
    higher    a higher value is better
    targets   the targets of the first parts, in order
    """

    key: str
    label: str
    unit: str
    parts: tuple[str, ...]
    higher: bool = False
    targets: tuple[Target | None, ...] = ()


@dataclass
class Cell:
    """One row of one peer: its figures from each round, or why there are none.

    said      the peer worked, but has no figure, for this reason
    failure   the peer failed; the reason stands below the table
    missing   the peer could not be measured on this machine; the reason stands there too
    """

    rounds: list[tuple[float, ...]] = field(default_factory=list)
    said: str = ""
    failure: str = ""
    missing: str = ""

    @property
    def medians(self) -> tuple[float, ...]:
        """The median of each part; () without a round."""
        return tuple(statistics.median(values) for values in zip(*self.rounds, strict=True))


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample with at least `percent` of all samples at or below it (nearest rank).

    Raises ValueError without samples, and for a percentage out of range.
    """
    if not samples:
        raise ValueError("expected at least one sample, got none")
    if not 0 < percent <= 100:
        raise ValueError(f"expected a percentage above 0, up to 100, got {percent}")
    return sorted(samples)[math.ceil(percent / 100 * len(samples)) - 1]


def p50_p99_us(samples_ns: Sequence[int]) -> tuple[float, float]:
    return percentile(samples_ns, 50) / 1000, percentile(samples_ns, 99) / 1000


def p50_p99_ms(samples_s: Sequence[float]) -> tuple[float, float]:
    return percentile(samples_s, 50) * 1000, percentile(samples_s, 99) * 1000


def p50_p95_ms(samples_s: Sequence[float]) -> tuple[float, float]:
    return percentile(samples_s, 50) * 1000, percentile(samples_s, 95) * 1000


def avg_p99_us(samples_ns: Sequence[int]) -> tuple[float, float]:
    return statistics.fmean(samples_ns) / 1000, percentile(samples_ns, 99) / 1000


def ratios(ours: Cell, peer: Cell) -> tuple[float, ...]:
    """Our figures divided by the peer's, part by part; () if either has none or the peer's is 0."""
    if not ours.rounds or not peer.rounds or not all(peer.medians):
        return ()
    return tuple(mine / theirs for mine, theirs in zip(ours.medians, peer.medians, strict=True))


def number(value: float) -> str:
    """Three significant digits, and all digits before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
