"""The terminal engine beside two others: random output with a grammar, and what a redraw shows in them.

A bounded part of the gate; `make fuzz` runs it at length. vt/differences.py lists what is different on purpose.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from vt import gate
from vt.differences import DIFFERENCES, LACKS, Difference, Lack
from vt.grammar import FEATURES, generate
from vt.oracles import Ghostty, Headless
from vt.regressions import REGRESSIONS
from vt.screens import difference, ours

from vibetunnel._ext.vt import Engine

COUNT = 1500  # sequences for each oracle
GARBAGE = b"\x1b[?1049h\x1b[2;3r\x1b[?6h\x1b[4h\x1b[31mxyz\x1b(0\x1b]0;unfinished"


@pytest.fixture(scope="module")
def oracles() -> Iterator[dict[str, gate.Oracle]]:
    found: dict[str, gate.Oracle] = {oracle.name: oracle for oracle in (Ghostty(), Headless())}
    yield found
    for oracle in found.values():
        oracle.close()


@pytest.mark.parametrize("name", [Ghostty.name, Headless.name])
def test_random_output_gives_the_screen_that_the_oracle_shows(oracles: dict[str, gate.Oracle], name: str) -> None:
    (other,) = (oracle for each, oracle in oracles.items() if each != name)
    unexplained = [str(found) for found in gate.fuzz(oracles[name], other, range(COUNT)) if found.cause is None]
    assert unexplained == []


@pytest.mark.parametrize("name", [Ghostty.name, Headless.name])
def test_sequences_that_once_differed_agree(oracles: dict[str, gate.Oracle], name: str) -> None:
    wrong = []
    for rows, cols, data in REGRESSIONS:
        (words,) = gate.compare(oracles[name], rows, cols, [data])
        (other,) = (oracle for each, oracle in oracles.items() if each != name)
        if words and not gate.lacks(name, data) and not gate.cause_of(name, other, rows, cols, words, data):
            wrong.append(f"{data!r}: {words}")
    assert wrong == []


@pytest.mark.parametrize("entry", DIFFERENCES, ids=lambda entry: f"{entry.oracle}: {entry.why}")
def test_a_known_difference_is_still_there(oracles: dict[str, gate.Oracle], entry: Difference) -> None:
    (words,) = gate.compare(oracles[entry.oracle], 6, 10, [entry.example])
    assert entry.explains(entry.oracle, words, entry.example), words
    (other,) = (oracle for name, oracle in oracles.items() if name != entry.oracle)
    assert gate.cause_of(entry.oracle, other, 6, 10, words, entry.example), gate.compare(other, 6, 10, [entry.example])


@pytest.mark.parametrize("entry", LACKS, ids=lambda entry: f"{entry.oracle}: {entry.feature}")
def test_the_listed_gaps_of_an_oracle_still_exist(oracles: dict[str, gate.Oracle], entry: Lack) -> None:
    assert entry.feature in FEATURES
    assert gate.compare(oracles[entry.oracle], 6, 10, [entry.example]) != [""]


def test_a_redraw_shows_the_same_screen_in_xterm_js(oracles: dict[str, gate.Oracle]) -> None:
    """What our own client does with it, whatever it has shown before.

    Not while the state differs (vt_viewer.c): a viewer's redraw then ends otherwise (test_vt_viewers.py).
    """
    scripts, mine, seeds = [], [], range(600)
    for seed in seeds:
        rows, cols, pieces = generate(seed, {"margins", "narrowed"})
        terminal = Engine(rows, cols)
        terminal.feed(b"".join(pieces))
        scripts.append((rows, cols, [GARBAGE, terminal.redraw(), None]))
        row, col, pending = (screen := ours(terminal)).cursor
        if pending and col < cols - 1:  # CBT has taken a pending wrap back, and in xterm.js it does nothing then
            screen = screen._replace(cursor=(row, cols - 1, True))
        mine.append(screen)
    shown = oracles[Headless.name].run(scripts)
    wrong = {seed: difference(a, b) for seed, a, (b,) in zip(seeds, mine, shown, strict=True)}
    assert {seed: words for seed, words in wrong.items() if words} == {}
