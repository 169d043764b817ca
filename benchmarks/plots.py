"""The main rows of the tables as bars: SVG, narrow enough for a phone, light or dark as the reader prefers. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from benchmarks.figures import Cell, number

WIDTH = 480  # px; a phone shows it at three quarters of this size
LEFT, RIGHT = 116, 138  # px for the peers' names, and for the figures
BAR, PITCH, GROUP, HEAD, FOOT = 13, 19, 30, 44, 30  # px; all are heights
LEAST = 1.5  # px; the shortest bar that can be seen
STYLE = """
svg { font: 12px system-ui, sans-serif; }
.card { fill: #ffffff; stroke: #d1d9e0; } .grid { stroke: #e4e8ec; } text { fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; } .group { font-weight: 600; } .faint { fill: #59636e; font-weight: 400; }
.bar { fill: #8c96a0; } .whisker { stroke: #59636e; } .ours .bar { fill: #0a7d5c; } .ours text { font-weight: 600; }
.bound .bar { fill: none; stroke: #59636e; stroke-dasharray: 3 2; }
@media (prefers-color-scheme: dark) {
.card { fill: #0d1117; stroke: #3d444d; } .grid { stroke: #262c34; } text { fill: #e6edf3; }
.faint { fill: #9198a1; } .bar { fill: #6e7681; } .whisker { stroke: #b1bac4; } .ours .bar { fill: #2fbf8f; }
.bound .bar { stroke: #9198a1; }
}"""


@dataclass(frozen=True)
class Plot:
    """One picture.

    topic   topic of the pages that its rows come from
    rows    key -> name of the group of bars; the first part of a row is the bar, a second one a line beyond it
    log     each step of the axis is ten times the one before
    """

    name: str
    topic: str
    title: str
    unit: str
    rows: Mapping[str, str]
    log: bool = False


PLOTS = (
    Plot(
        "echo",
        "Echo",
        "Key to its own echo: p50, line to p99",
        "us",
        {
            "echo_idle": "idle",
            "echo_flood": "another session floods",
            "floods_echo": "four other sessions flood",
            "echo_idle_clients": "100 idle clients attached",
        },
        log=True,
    ),
    Plot(
        "floods",
        "Floods",
        "Output at its clients, more is better",
        "MiB/s",
        {"flood_rate": "one client", "fanout_rate": "ten clients, in all"},
    ),
    Plot(
        "cpu",
        "Floods",
        "CPU of the server for each MiB at a client",
        "ms",
        {"flood_cpu": "one client", "fanout_cpu": "ten clients"},
    ),
    Plot(
        "interrupt",
        "Ctrl-C, slow and late clients",
        "Ctrl-C to prompt under yes: p50, line to p95",
        "ms",
        {
            "interrupt_yes_100k": "client reads 100 KB/s",
            "interrupt_yes_1m": "client reads 1 MiB/s",
            "interrupt_yes_all": "client reads all it can",
        },
        log=True,
    ),
    Plot(
        "many",
        "Scale",
        "Echo of 1,000 typists: p50, line to p99",
        "us",
        {"many_echo": "a program and a key a second each"},
        log=True,
    ),
    Plot(
        "requests",
        "HTTP and sessions",
        "Health answers, more is better",
        "answers/s",
        {"health_rate": "32 connections"},
    ),
    Plot(
        "memory",
        "Start and memory",
        "Memory of the server",
        "MiB",
        {
            "memory_idle": "idle",
            "flood_memory": "growth in a flood",
            "slow_alone": "growth, yes to a client that reads 1 MiB/s",
        },
    ),
    Plot(
        "engine",
        "Terminal engine",
        "Output taken in, more is better",
        "MiB/s",
        {"engine_mixed": "one core"},
    ),
)


def svg(plot: Plot, cells: Mapping[tuple[str, str], Cell], peers: Sequence[str], ours: str) -> str:
    """The picture; "" if there is nothing to show.

    cells   (row key, peer) -> cell
    peers   in the order of the bars
    """
    groups = [
        (label, [(peer, cells[key, peer]) for peer in peers if (key, peer) in cells])
        for key, label in plot.rows.items()
    ]
    groups = [(label, bars) for label, bars in groups if any(cell.medians for _, cell in bars)]
    values = [value for _, bars in groups for _, cell in bars for value in cell.medians[:2]]
    if not values:
        return ""
    axis = Axis.of(values, log=plot.log)
    bottom = HEAD + sum(GROUP + PITCH * len(bars) for _, bars in groups)
    lines = [_grid(axis, bottom)]
    y = HEAD
    for label, bars in groups:
        lines.append(f'<text class="group" x="16" y="{y + 18}">{escape(label)}</text>')
        y += GROUP
        for peer, cell in bars:
            lines.append(_bar(axis, y, peer, cell, kind="ours" if peer == ours else "bound" if peer == "floor" else ""))
            y += PITCH
    height = bottom + FOOT
    title = f'{escape(plot.title)} <tspan class="faint">({escape(plot.unit)})</tspan>'
    size = f'width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title">',
        f"<style>{STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        f'<text id="title" class="title" x="16" y="28">{title}</text>',
    ]
    return "\n".join([*head, *lines, "</svg>\n"])


@dataclass(frozen=True)
class Axis:
    """The place of each value, in px from the left.

    ticks   values that get a line
    """

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float], *, log: bool) -> "Axis":
        high = max(*values, 1e-9)
        if not log:
            step = _step(high)
            return cls(0, high, False, tuple(step * at for at in range(int(high / step) + 1)))
        # Five powers of ten are enough, and 0 has no place. The shortest bar stands for a factor of two or more.
        least = min(max(value, high / 1e5) for value in values) / 2
        unit = 10.0 ** math.floor(math.log10(least))
        low = max(unit * factor for factor in (1, 2, 5) if unit * factor <= least)
        first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
        return cls(low, high, True, tuple(10.0**at for at in range(first, last + 1)))

    def x(self, value: float) -> float:
        if self.log:
            share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            share = value / self.high
        return LEFT + share * (WIDTH - LEFT - RIGHT)


def _step(high: float) -> float:
    """1, 2 or 5 times a power of ten, so that there are two to five steps up to `high`."""
    unit = 10.0 ** math.floor(math.log10(high))
    return next(unit * factor for factor in (0.2, 0.5, 1, 2) if high / (unit * factor) <= 5)


def _grid(axis: Axis, bottom: float) -> str:
    lines = []
    for tick in axis.ticks:
        x, text = axis.x(tick), _short(tick)
        lines.append(f'<path class="grid" d="M{x:.1f} {HEAD}V{bottom}"/>')
        lines.append(f'<text class="faint" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{text}</text>')
    return "\n".join(lines)


def _short(tick: float) -> str:
    """A tick's label, narrow enough to fit beside its neighbours."""
    return f"{tick / 1e6:g}M" if tick >= 1e6 else f"{tick / 1e3:g}k" if tick >= 1e4 else f"{tick:,.9g}"


def _bar(axis: Axis, y: float, peer: str, cell: Cell, *, kind: str) -> str:
    middle, right = y + BAR / 2, y + BAR - 2
    parts = [f'<text x="16" y="{right}">{escape(peer)}</text>']
    end: float = LEFT
    if cell.medians:
        end = max(axis.x(cell.medians[0]), LEFT + LEAST)
        parts.append(f'<rect class="bar" x="{LEFT}" y="{y}" width="{end - LEFT:.1f}" height="{BAR}"/>')
        if len(cell.medians) > 1:
            start, end = end, max(axis.x(cell.medians[1]), end)
            parts.append(f'<path class="whisker" d="M{start:.1f} {middle}H{end:.1f}m0 -3v6"/>')
    text = " / ".join(number(value) for value in cell.medians[:2]) or cell.said
    text = text or ("not measured" if cell.missing else "failed")
    parts.append(f'<text class="faint" x="{end + 6:.1f}" y="{right}">{escape(text)}</text>')
    return f"<g{f' class={chr(34)}{kind}{chr(34)}' if kind else ''}>{''.join(parts)}</g>"
