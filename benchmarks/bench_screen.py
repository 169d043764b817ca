"""What does it cost to keep a screen, and to tell a client what it shows?

Measures    memory of one 80x24 terminal that has taken 12,000 lines of coloured log, and the lines that it then has: as
            the engine reports it, and as the growth of the process by eight of them; us for the bytes that redraw a
            screen full of coloured log in another terminal, modes included; us for a snapshot of VibeTunnel's cells.
How         memory after garbage collection; times are the best of 5 batches, in CPU time of the one thread.
Leaves out  @xterm/headless's redraw: it needs an add-on.
Compares    with libghostty-vt's formatter in its VT format, modes included, through cffi.
Run         python -m benchmarks screen
"""

from benchmarks import corpus
from benchmarks.engines import ENGINES
from benchmarks.engines.engine import Engine
from benchmarks.figures import Figures, Row
from benchmarks.scale import Scale

HELD = 8  # terminals, after one more that takes the one-time costs
SIZES = ((24, 80), (50, 200))
TOPIC = "Terminal engine"
PEERS = ENGINES
FILES = ("lines", "screen-24x80", "screen-50x200")
ROUNDS, WARM_UP = 3, False
ROWS = (
    Row("screen_own", "terminal with 10,000 lines of log, as it says", "MiB", ("allocated",)),
    Row("screen_rss", "... growth of the process", "MiB", ("RSS",)),
    Row("screen_lines", "... lines of log kept", "lines", ("lines",), higher=True),
    Row("screen_redraw_24x80", "redraw, 80x24 full of log", "us", ("time",)),
    Row("screen_redraw_50x200", "redraw, 200x50 full of log", "us", ("time",)),
    Row("screen_snapshot_24x80", "snapshot, 80x24", "us", ("time",)),
    Row("screen_snapshot_50x200", "snapshot, 200x50", "us", ("time",)),
)


def measure(engine: Engine, scale: Scale) -> Figures:
    figures: Figures = {}
    held = {"file": "lines", "rows": corpus.ROWS, "cols": corpus.COLS}
    engine.ask("hold", count=1, **held)
    before = engine.rss()
    answer = engine.ask("hold", count=HELD, **held)
    figures["screen_rss"] = ((engine.rss() - before) / HELD / 2**20,)
    figures["screen_lines"] = (answer["lines"],)
    if answer["own"] is not None:
        figures["screen_own"] = (answer["own"] / 2**20,)
    for rows, cols in SIZES:
        size = f"{rows}x{cols}"
        answer = engine.ask("redraw", file=f"screen-{size}", rows=rows, cols=cols, repeat=scale.repeats)
        for what in ("redraw", "snapshot"):
            if answer[f"{what}_us"] is not None:
                figures[f"screen_{what}_{size}"] = (answer[f"{what}_us"],)
    return figures
