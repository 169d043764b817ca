"""A session that prints what a test gives it, and the cells that a browser shows of it beside those of the server.

python tests/web/shown.py [COUNT [FIRST]]    compare after each of COUNT random streams, from seed FIRST on
"""

from __future__ import annotations

import codecs
import os
import random
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

if __name__ == "__main__":
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from engine.vt.grammar import generate
from engine.vt.screens import Screen, canonical, of_json
from engine.vt.viewers import cut, seen_otherwise
from playwright.sync_api import sync_playwright
from served import Served
from visitor import ARGUMENTS, DESKTOP, Visitor, find_chromium

LOOK = (Path(__file__).parents[1] / "engine/vt/look.mjs").read_text().replace("export function", "function")
SIZES = ((6, 10), (4, 20), (8, 12))
RELOAD_EVERY = 50  # streams
ANEW = b"\x18\x1bc"  # CAN ends what a stream left unfinished

# Reads (u32 length, bytes) from a FIFO and prints the bytes.
PRINTER = """
import os, struct, sys, tty
tty.setraw(0)
source = open(sys.argv[1], "rb")
while head := source.read(4):
    rest = source.read(*struct.unpack("<I", head))
    while rest:
        rest = rest[os.write(1, rest):]
"""

# Both screens, once server and page have everything up to an offset.
BOTH = f"""async (terminal, [session, offset]) => {{
    {LOOK}
    for (;;) {{
        const screen = await (await fetch(`/api/sessions/${{session}}/screen`)).json();
        const {{ view }} = terminal;
        if (screen.offset === offset && Number(view.offset) === offset) return [screen, look(view.term)];
        await new Promise((resolve) => setTimeout(resolve, 1));
    }}
}}"""


class Printer:
    """The session, open in a visitor's page."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        visitor.allow_complaint("xterm.js: Parsing error")  # it says so of DEL, which it then ignores
        path = visitor.server.home / "output"
        os.mkfifo(path)
        script = visitor.server.home / "printer.py"
        script.write_text(PRINTER)
        self.session = visitor.server.session([sys.executable, str(script), str(path)])
        visitor.open_session(self.session)
        self._fifo = path.open("wb", buffering=0)  # waits for the program
        self._offset = 0
        self.print(ANEW)
        self.screens()

    def resize(self, rows: int, cols: int) -> None:
        self.visitor.server.ask("POST", f"/api/sessions/{self.session}/resize", {"rows": rows, "cols": cols})
        self.visitor.until(lambda: self.visitor.size() == (rows, cols))

    def print(self, output: bytes) -> None:
        self._fifo.write(struct.pack("<I", len(output)) + output)
        self._offset += len(output)

    def screens(self) -> tuple[Screen, Screen]:
        """The server's and the browser's, with all that was printed. It must not end inside a character."""
        mine, seen = self.visitor.at("terminal").evaluate(BOTH, [self.session, self._offset])
        return of_json(mine), canonical(**seen)

    def difference(self) -> str:
        return seen_otherwise(*self.screens())

    def close(self) -> None:
        self._fifo.close()


def ends_inside_character(data: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    decoder.decode(data)
    return bool(decoder.getstate()[0])


def streams(count: int, first: int) -> Iterator[tuple[int, tuple[int, int], bytes, list[bytes]]]:
    """Seed, size, stream, and the stream in pieces. Streams of one size follow each other."""
    for number, size in enumerate(SIZES):
        for seed in range(first + number, first + count, len(SIZES)):
            r = random.Random(seed)
            stream = ANEW + b"".join(generate(seed, size=size)[2])
            yield seed, size, stream, cut(stream, r)


def compare(printer: Printer, count: int, first: int = 0) -> Iterator[str]:
    """What differs, live and after a reload of the page."""
    before: tuple[int, int] | None = None
    for done, (seed, size, stream, pieces) in enumerate(streams(count, first)):
        if size != before:
            printer.resize(*size)
            before = size
        printed = b""
        for piece in pieces:
            printer.print(piece)
            printed += piece
            if not ends_inside_character(printed) and (found := printer.difference()):
                yield f"seed {seed}, {size}, after {printed!r}: {found}"
                break
        if done % RELOAD_EVERY == RELOAD_EVERY - 1:
            printer.print(b"\x18")
            printer.visitor.open_session(printer.session)
            if found := printer.difference():
                yield f"seed {seed}, {size}, after a reload with {stream!r}: {found}"


def main(count: int = 100_000, first: int = 0) -> int:
    found = 0
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        server = Served(Path(folder))
        visitor = Visitor(browser.new_context(viewport=DESKTOP), server)
        visitor.log_in()
        printer = Printer(visitor)
        for each in compare(printer, count, first):
            found += 1
            print(each, flush=True)
        printer.close()
        visitor.close()
        browser.close()
        server.close()
    print(f"{count} streams from seed {first} on: {found} are shown otherwise")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
