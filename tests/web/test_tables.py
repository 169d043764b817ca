"""Recorded tables of rich, Textual and Ink with emoji: the browser shows the server's cells, also after a reload."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from shown import ANEW, Printer
from visitor import Visitor

RECORDINGS = Path(__file__).parents[1] / "engine/vt/recordings"
NAMES = ["rich", "rich-narrow", "textual", "textual-narrow", "ink", "ink-narrow"]


@pytest.fixture
def printer(visitor: Visitor) -> Iterator[Printer]:
    printer = Printer(visitor)
    yield printer
    printer.close()


def test_a_table_with_emoji_has_the_servers_cells(printer: Printer) -> None:
    wrong = {}
    for name in NAMES:
        (path,) = RECORDINGS.glob(f"{name}.*.gz")
        rows, cols = map(int, path.name.split(".")[1].split("x"))
        printer.resize(rows, cols)
        printer.print(ANEW + gzip.decompress(path.read_bytes()))
        live = printer.difference()
        printer.visitor.open_session(printer.session)
        if (found := (live, printer.difference())) != ("", ""):
            wrong[name] = found
    assert wrong == {}
