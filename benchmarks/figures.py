"""What is made of the samples: percentiles, medians over rounds, ratios. Pure."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

# Row key -> one value per part of the row, or in words why there is none.
Figures = dict[str, tuple[float, ...] | str]


@dataclass(frozen=True)
class Target:
    """What a value of ours has to come to: at most that, or at least, where a higher one is better.

    of   the peer whose value the bound is a multiple of; "": the bound is in the row's unit
    """

    bound: float
    of: str = ""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    parts     what the values are, in order; more than one are shown as `a / b`
    higher    a higher value is the better one
    targets   of the parts, as far as they have one
    """

    key: str
    label: str
    unit: str
    parts: tuple[str, ...]
    higher: bool = False
    targets: tuple[Target | None, ...] = ()


@dataclass
class Cell:
    """One row of one peer: what each counted round gave, or why there is nothing.

    said      it did what was asked, but has no figure to show for it
    failure   it did something else, or nothing; the reason stands below the table
    missing   it could not be measured on this machine; the reason stands there too
    """

    rounds: list[tuple[float, ...]] = field(default_factory=list)
    said: str = ""
    failure: str = ""
    missing: str = ""

    @property
    def medians(self) -> tuple[float, ...]:
        """Part by part; () without a round."""
        return tuple(statistics.median(values) for values in zip(*self.rounds, strict=True))


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least `percent` of all are not above (nearest rank). Raises ValueError for none."""
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
    """Ours divided by the peer's, part by part; () where either has no figure or the peer's is 0."""
    if not ours.rounds or not peer.rounds or not all(peer.medians):
        return ()
    return tuple(mine / theirs for mine, theirs in zip(ours.medians, peer.medians, strict=True))


def number(value: float) -> str:
    """Three digits, or as many as it has before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
