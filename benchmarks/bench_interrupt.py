"""How long does Ctrl-C take to bring the prompt back, whatever is on its way to the client?

Measures    ms from the send of Ctrl-C to the prompt in what the client has received, p50 and p95; and the KB/s that the
            client got until then, since starving it would be a way to look good.
How         with `yes`, and with a 64 MiB coloured log printed over and over, started by a shell on a cooked tty; a
            client that reads 100 KB/s, 1 MiB/s (token bucket, benchmarks/link.py), or all it can. 20 interrupts for
            each, after a flood of 0.3 s each. A peer gets 5 s for each prompt, and 30 s for a whole condition. The
            conditions of one rate run at the same time, each in a session of its own: they wait nearly all the time.
First       sets the client's receive buffer to 8 KiB, since what waits there is no longer on the link. The client
            acknowledges what it has read.
After       checks that the client's last screen is the server's own text of the screen, if the server gives one.
Compares    ours as a browser attaches (vibetunnel.v1, latest), and raw with lag=latest; peers have one way.
Run         python -m benchmarks interrupt
"""

import functools
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from benchmarks.client import Tail, Terminal
from benchmarks.errors import Wrong
from benchmarks.figures import Figures, Row, Target, p50_p95_ms, percentile
from benchmarks.link import Link
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.programs import prompt
from benchmarks.scale import Scale
from benchmarks.screens import Screen, normal

PROGRAMS = {"yes": "`yes`", "log": "coloured log"}
RATES = {"100k": 100_000, "1m": 1024 * 1024, "all": None}  # bytes a second
AT = {"100k": "100 KB/s", "1m": "1 MiB/s", "all": "all it can"}
TARGETS = dict.fromkeys(("yes_1m", "yes_1m_raw"), (Target(300), Target(300)))
IN_ALL = 6  # times the patience for one interrupt
TOPIC = "Ctrl-C, slow and late clients"
PEERS = SERVERS
FILES = ("log",)
ROUNDS, WARM_UP = 1, False  # one round takes many samples
ROWS = (
    *(
        Row(
            f"interrupt_{program}_{rate}{raw}",
            label.format(PROGRAMS[program], AT[rate]),
            "ms",
            ("p50", "p95"),
            targets=TARGETS.get(f"{program}_{rate}{raw}", ()),
        )
        for raw, label in (("", "Ctrl-C under {}, client reads {}"), ("_raw", "... raw, latest: {}, {}"))
        for program in PROGRAMS
        for rate in RATES
    ),
    *(
        Row(f"interrupt_used_{rate}", f"... log that came meanwhile, of {AT[rate]}", "KB/s", ("rate",), higher=True)
        for rate in ("100k", "1m")
    ),
)


@dataclass
class Condition:
    """One program at one rate, and its samples.

    took_s    duration of each interrupt
    rates     bytes a second before each
    patient   every prompt came in time
    shown     the client's last screen
    """

    key: str
    session: str
    raw: bool
    took_s: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    patient: bool = True
    shown: str = ""


def measure(server: Server, scale: Scale) -> Figures:
    figures: Figures = {}
    for name, rate in RATES.items():
        conditions = [
            Condition(f"{program}_{name}{'_raw' if raw else ''}", server.open(f"prompt-{program}"), raw)
            for raw in ((False, True) if server.raw_viewers else (False,))
            for program in PROGRAMS
        ]

        with ThreadPoolExecutor(len(conditions) if rate else 1) as pool:
            list(pool.map(functools.partial(_interrupt, server, Link.of(rate), scale), conditions))
        for condition in conditions:
            figures[f"interrupt_{condition.key}"] = _figure(condition, scale)
            screen = server.screen(condition.session)
            if condition.patient and screen is not None and normal(screen) != condition.shown:
                raise Wrong(f"{condition.key}: the server's screen is {screen!r}, the client's {condition.shown!r}")
            if condition.key == f"log_{name}" and rate:
                figures[f"interrupt_used_{name}"] = (percentile(condition.rates, 50) / 1000,)
    return figures


def _figure(condition: Condition, scale: Scale) -> tuple[float, ...] | str:
    if condition.patient:
        return p50_p95_ms(condition.took_s)
    before = f", after {len(condition.took_s)} others" if condition.took_s else ""
    return f"no prompt in {scale.patience_s:.0f} s{before}"


def _interrupt(server: Server, link: Link, scale: Scale, condition: Condition) -> None:
    """Flood and interrupt until there are enough samples, or the time for all of them is over."""
    screen = Screen()
    terminal = server.view(condition.session, link, raw=condition.raw)
    give_up = time.monotonic() + IN_ALL * scale.patience_s
    try:
        screen.feed(_until(terminal, prompt(1), scale.patience_s))
        while condition.patient and len(condition.took_s) < scale.interrupts and time.monotonic() < give_up:
            screen.feed(_once(terminal, condition, scale))
    finally:
        terminal.close()
    condition.shown = screen.text()


def _once(terminal: Terminal, condition: Condition, scale: Scale) -> bytes:
    """Take one sample. Returns all output that came."""
    pieces: list[bytes] = []
    terminal.send(b"\n")
    before, began = terminal.taken, time.monotonic()
    while time.monotonic() < began + scale.settle_s:
        pieces.append(terminal.read())
    condition.rates.append((terminal.taken - before) / (time.monotonic() - began))
    began = time.monotonic()
    terminal.send(b"\x03")
    pieces.append(_until(terminal, prompt(len(condition.took_s) + 2), scale.patience_s))
    took_s = time.monotonic() - began
    if took_s < scale.patience_s:
        condition.took_s.append(took_s)
    else:
        condition.patient = False
    return b"".join(pieces)


def _until(terminal: Terminal, marker: bytes, patience_s: float) -> bytes:
    """All output up to `marker`, or within `patience_s`."""
    give_up = time.monotonic() + patience_s
    pieces, tail = [], Tail(marker)
    while not tail.found and time.monotonic() < give_up:
        if terminal.readable(give_up - time.monotonic()):
            pieces.append(terminal.read())
            tail.add(pieces[-1])
    return b"".join(pieces)
