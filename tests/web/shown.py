"""Sessions that print what a test gives them, and the cells that browsers show of it beside the server's.

python tests/web/shown.py [COUNT [FIRST]]    compare COUNT random streams, from seed FIRST on

All of it is real: a server process, programs on PTYs, WebSockets, the client's pages in Chromium. Streams are cut
anywhere. A page asks its session's program for the next piece when it has drawn the last one, and looks at all cells of
the screen after each piece. They must be those of an engine in this process that has taken the same output. After each
batch of streams the same is asked of the server's engine (`GET .../screen`).

Each batch begins with a page that was loaded again. Some pieces come while the connection is lost. After others the
page gets a redraw, or is left and opened again (Chances). The cells are compared there too, and the stream goes on.
"""

from __future__ import annotations

import json
import random
import struct
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from engine.vt.grammar import SIZES, generate
from engine.vt.screens import Screen, canonical, of_json, ours
from engine.vt.viewers import cut, seen_otherwise
from playwright.sync_api import sync_playwright
from served import Served
from visitor import ARGUMENTS, Visitor, find_chromium

from vibetunnel._ext.vt import Engine

HERE = Path(__file__).parent
LOOK = (HERE.parent / "engine/vt/look.mjs").read_text().replace("export function", "function")
WATCH = f"steps => {{ {LOOK} {(HERE / 'shown.mjs').read_text()} window.seen = watch(steps); }}"
WINDOWS = 2
BATCH = 400  # streams
PROFILE: dict[str, Any] = {"viewport": {"width": 640, "height": 400}, "reduced_motion": "reduce"}  # of a browser
ANEW = b"\x18\x1bc"  # CAN ends what a stream left unfinished

# Prints a piece of a file, a u32 length and bytes, for each report on its terminal.
PRINTER = r"""
import os, struct, sys, tty
tty.setraw(0)
os.write(1, b"\x18\x1bc")
typed = b""
with open(sys.argv[1], "rb") as pieces:
    while more := os.read(0, 4096):
        *asked, typed = (typed + more).split(b"\x1b[7n")
        for _ in asked:
            piece = pieces.read(*struct.unpack("<I", pieces.read(4)))
            while piece:
                piece = piece[os.write(1, piece):]
"""


class Chances(NamedTuple):
    """How likely each of this is with a piece: shown.mjs has what it is."""

    lose: float = 0.02
    redraw: float = 0.05
    come_back: float = 0.002


class Stream(NamedTuple):
    name: str
    pieces: Sequence[bytes]


class Batch(NamedTuple):
    rows: int
    cols: int
    streams: Sequence[Stream]
    chances: Chances = Chances()


class Step(NamedTuple):
    what: str  # one of STEPS in shown.mjs
    offset: int  # how far the screen is drawn then
    stream: Stream
    printed: int  # pieces of the stream
    screen: Screen


class Window:
    """A session and the page that shows it."""

    def __init__(self, visitor: Visitor) -> None:
        self._page = visitor
        visitor.allow_complaint("xterm.js: Parsing error")  # it says so of DEL, which it then ignores
        visitor.context.add_init_script(path=HERE / "undrawn.mjs")
        home = visitor.server.home
        script = home / "printer.py"
        script.write_text(PRINTER)
        path = home / f"pieces-{len(list(home.glob('pieces-*')))}"
        self._pieces = path.open("wb")
        self._session = visitor.server.session([sys.executable, str(script), str(path)])
        visitor.open_session(self._session)
        self._terminal = Engine(*visitor.size())
        self._terminal.feed(ANEW)
        self._steps: list[Step] = []

    def begin(self, batch: Batch, seed: int) -> None:
        """Let the page take a batch, after it was loaded again."""
        size = {"rows": batch.rows, "cols": batch.cols}
        self._page.server.ask("POST", f"/api/sessions/{self._session}/resize", size)
        self._terminal.resize(**size)
        self._page.open_session(self._session)
        self._steps = [self._step("look", Stream("loaded again", []), 0)]
        r = random.Random(seed)
        for stream in batch.streams:
            self._print(stream, batch.chances, r)
        self._pieces.flush()
        self._page.page.evaluate(WATCH, [(step.what, step.offset) for step in self._steps])

    def end(self) -> Iterator[str]:
        """Wait until the page has taken the batch. What differs, the first of each stream."""
        seen, wrong = None, set()
        for step, now in zip(self._steps, json.loads(self._page.page.evaluate("() => window.seen")), strict=True):
            seen = canonical(**now) if now else seen
            words = seen_otherwise(step.screen, seen)
            if words and step.stream not in wrong:
                wrong.add(step.stream)
                printed = step.stream.pieces[: step.printed]
                yield f"{step.stream.name}, {step.what} after {printed}: {words}"
        server = self._page.server.ask("GET", f"/api/sessions/{self._session}/screen")
        assert server["offset"] == self._terminal.offset
        assert of_json(server) == of_json(json.loads(self._terminal.json()))

    def close(self) -> None:
        self._pieces.close()

    def _print(self, stream: Stream, chances: Chances, r: random.Random) -> None:
        for printed, piece in enumerate(stream.pieces):
            output = piece if printed else ANEW + piece
            self._pieces.write(struct.pack("<I", len(output)) + output)
            self._terminal.feed(output)
            self._steps.append(self._step("lose" if r.random() < chances.lose else "print", stream, printed + 1))
            if r.random() < chances.redraw:
                self._steps.append(self._step("redraw", stream, printed + 1))
            if r.random() < chances.come_back:
                self._steps.append(self._step("come back", stream, printed + 1))

    def _step(self, what: str, stream: Stream, printed: int) -> Step:
        return Step(what, self._terminal.shown, stream, printed, ours(self._terminal))


def random_streams(count: int, first: int = 0) -> Iterator[Batch]:
    for number, start in enumerate(range(first, first + count, BATCH)):
        rows, cols = SIZES[number % len(SIZES)]
        streams = []
        for seed in range(start, min(start + BATCH, first + count)):
            stream = b"".join(generate(seed, size=(rows, cols))[2])
            streams.append(Stream(f"seed {seed}, {rows} x {cols}", tuple(cut(stream, random.Random(seed)))))
        yield Batch(rows, cols, streams)


def compare(windows: Sequence[Window], batches: Iterable[Batch]) -> Iterator[str]:
    """What browsers show otherwise than the server. The windows take the batches side by side."""
    idle, busy = deque(windows), deque[Window]()
    for number, batch in enumerate(batches):
        if not idle:
            yield from busy[0].end()
            idle.append(busy.popleft())
        busy.append(idle.popleft())
        busy[-1].begin(batch, number)
    for window in busy:
        yield from window.end()


def main(count: int = 100_000, first: int = 0) -> int:
    found, began = 0, time.monotonic()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        server = Served(Path(folder))
        visitors = [Visitor(browser.new_context(**PROFILE), server) for _ in range(WINDOWS)]
        for visitor in visitors:
            visitor.log_in()
        windows = [Window(visitor) for visitor in visitors]
        for each in compare(windows, random_streams(count, first)):
            found += 1
            print(each, flush=True)
        for window in windows:
            window.close()
        for visitor in visitors:
            visitor.close()
        browser.close()
        server.close()
    took = time.monotonic() - began
    print(f"{count} streams from seed {first} on, in {took:.0f} s: {found} are shown otherwise")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
