"""What real programs printed (vt/recordings, made by vt/record.py), beside the oracles, at many places in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from vt import gate
from vt.corpus import RECORDINGS, load, places
from vt.oracles import Ghostty, Headless
from vt.screens import difference, ours, wraps_apart

from vibetunnel._ext.vt import Engine

TABLES = ("rich", "rich-narrow", "textual", "textual-narrow", "ink", "ink-narrow")
# Textual cuts a flag in two, and prints over a half of what is left. There xterm.js leaves the other half.
OTHERWISE = {"textual-narrow": "xterm.js"}


@pytest.fixture(scope="module")
def oracles() -> Iterator[tuple[gate.Oracle, ...]]:
    found = (Ghostty(), Headless())
    yield found
    for oracle in found:
        oracle.close()


def screen_part(dump: str) -> str:
    return dump.partition("-- scrollback --")[0]


def test_there_are_recordings_of_the_programs_that_matter() -> None:
    assert {path.name.split(".")[0] for path in RECORDINGS} >= {
        "vim",
        "htop",
        "less",
        "tmux",
        "mc",
        "progress",
        "agent",
        *TABLES,
    }
    assert all(path.stat().st_size < 60_000 for path in RECORDINGS)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_a_program_looks_as_in_the_oracles(oracles: tuple[gate.Oracle, ...], path: Path) -> None:
    """When a row ends to go on in the next they do not agree (vt/differences.py): one of them has to be with us."""
    rows, cols, data = load(path)
    steps: list[bytes | None] = []
    mine = []
    terminal = Engine(rows, cols)
    before = 0
    for at in places(data):
        terminal.feed(data[before:at])
        mine.append(ours(terminal))
        steps += [data[before:at], None]
        before = at
    wrong = []
    apart: dict[int, list[set[int]]] = {}
    for oracle in oracles:
        (shown,) = oracle.run([(rows, cols, steps)])
        for at, a, b in zip(places(data), mine, shown, strict=True):
            words = difference(a, b)
            if words and "wrapped" not in words:
                if OTHERWISE.get(path.name.split(".")[0]) != oracle.name:
                    wrong.append(f"{oracle.name} at {at}: {words}")
            elif b is not None:
                apart.setdefault(at, []).append(set(wraps_apart(a, b)))
    assert wrong == []
    assert {at: set.intersection(*rows) for at, rows in apart.items() if set.intersection(*rows)} == {}


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_a_redraw_in_the_middle_loses_nothing(path: Path) -> None:
    rows, cols, data = load(path)
    whole = Engine(rows, cols)
    whole.feed(data)
    terminal = Engine(rows, cols)
    late = Engine(rows, cols)  # one client, skipped ahead again and again, so dirty each time
    before = 0
    for at in places(data):
        terminal.feed(data[before:at])
        late.feed(terminal.redraw())
        assert screen_part(late.dump()) == screen_part(terminal.dump()), at
        before = at
        rest = Engine(rows, cols)
        rest.feed(terminal.redraw())
        rest.feed(data[at:])
        assert screen_part(rest.dump()) == screen_part(whole.dump()), at


def borders(terminal: Engine) -> list[list[int]]:
    """The columns of the upright lines and corners of each row that has any. A border has a colour, so it is a run."""
    found = []
    for _, runs in ours(terminal).lines:
        columns, col = [], 0
        for text, width, _ in runs:
            if text.strip() and all("\u2500" <= char <= "\u257f" for char in text):
                columns += [col + at for at, char in enumerate(text) if char not in "─━"]
            col += width
        if columns:
            found.append(columns)
    return found


@pytest.mark.parametrize("name", TABLES)
def test_the_borders_of_a_table_with_emoji_stand_below_each_other(name: str) -> None:
    (path,) = (each for each in RECORDINGS if each.name.startswith(f"{name}."))
    rows, cols, data = load(path)
    terminal = Engine(rows, cols)
    terminal.feed(data)
    found = borders(terminal)
    assert len(found) >= 13
    assert found == [found[0]] * len(found)
    late = Engine(rows, cols)
    late.feed(terminal.redraw())
    assert borders(late) == found
    for off in (b"", b"\x1b[?2027l"):  # they are the clusters' doing
        terminal = Engine(rows, cols)
        terminal.feed(off + data)
        assert (borders(terminal) == found) is not bool(off)
