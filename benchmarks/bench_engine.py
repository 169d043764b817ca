"""How fast does a terminal engine take output in?

Measures    MiB a second of CPU time, for each kind of output and for a mix of all: 80x24, with scrollback, in pieces of
            64 KiB.
How         in a new process for each engine and round, and a new terminal for each kind. It takes the output twice, and
            the second time counts: then its scrollback is full and its code is compiled. CPU time is user and system,
            so that neither a pipe nor other processes are in it, of all threads: @xterm/headless collects garbage in
            others.
First       checks that each shows the same text as ours at the end of each kind.
Leaves out  drawing; and the cost of sending a screen (bench_screen.py).
Run         python -m benchmarks engine
"""

from pathlib import Path

from benchmarks import corpus
from benchmarks.engines import ENGINES
from benchmarks.engines.engine import Engine
from benchmarks.errors import Wrong
from benchmarks.figures import Figures, Row
from benchmarks.scale import Scale
from benchmarks.screens import Screen, normal

LABELS = {
    "mixed": "output of all kinds, mixed",
    "log": "... coloured log, 12 colours",
    "log-rgb": "... coloured log, any colour",
    "plain": "... plain words",
    "unicode": "... CJK, emoji, box drawing, combining",
    "screens": "... full-screen programs",
    "yes": "... `y`",
    "long": "... lines of 1,000 bytes",
}
TOPIC = "Terminal engine"
PEERS = ENGINES
FILES = ("mixed", *(f"kind-{kind}" for kind in corpus.KINDS))
ROUNDS, WARM_UP = 3, False  # CPU time varies little, and every process warms itself up
ROWS = tuple(Row(f"engine_{kind}", label, "MiB/s", ("rate",), higher=True) for kind, label in LABELS.items())


def measure(engine: Engine, _scale: Scale) -> Figures:
    figures: Figures = {}
    size = {"rows": corpus.ROWS, "cols": corpus.COLS}
    for kind in LABELS:
        file = "mixed" if kind == "mixed" else f"kind-{kind}"
        answer = engine.ask("feed", file=file, chunk=corpus.CHUNK, **size)
        data = Path(engine.files[file]).read_bytes()
        ours = Screen(corpus.ROWS, corpus.COLS)
        ours.feed(data + data)
        _same(kind, ours.text(), normal(answer["text"]))
        figures[f"engine_{kind}"] = (len(data) / 2**20 / answer["s"],)
    return figures


def _same(kind: str, ours: str, theirs: str) -> None:
    for row, (mine, other) in enumerate(zip(ours.split("\n"), theirs.split("\n"), strict=False)):
        if mine != other:
            raise Wrong(f"{kind}: row {row} of the screen: ours is {mine!r}, the other's {other!r}")
    if ours != theirs:
        raise Wrong(f"{kind}: ours has {ours.count(chr(10)) + 1} rows with text, the other {theirs.count(chr(10)) + 1}")
