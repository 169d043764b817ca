"""The case table of vt/cases.py: each case whole, byte by byte and cut at every place; what the oracles say of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from vt.cases import Case
from vt.corpus import ALL_CASES, CASES
from vt.oracles import Ghostty, Headless
from vt.screens import Screen, ours

from vibetunnel._ext.vt import Engine

ORACLES = (Ghostty, Headless)


def as_expected(screen: Screen, case: Case) -> str:
    """The differences between the screen and the case's screen; empty if there are none."""
    expected = case.rows.split("/")
    found = screen.text()
    expected = [row.rstrip(" ") for row in expected] + [""] * (case.size[0] - len(expected))
    if found != expected:
        return f"rows {found}, expected {expected}"
    if screen.cursor != (*case.cursor, case.pending):
        return f"cursor {screen.cursor}, expected {(*case.cursor, case.pending)}"
    for row, runs in case.styles.items():
        if screen.lines[row][1] != runs:
            return f"row {row}: {screen.lines[row][1]}, expected {runs}"
    wrapped = tuple(row for row, line in enumerate(screen.lines) if line[0])
    if wrapped != case.wrapped:
        return f"wrapped rows {wrapped}, expected {case.wrapped}"
    if screen.alternate != case.alternate:
        return f"alternate screen {screen.alternate}, expected {case.alternate}"
    return ""


def test_the_table_is_large_and_names_are_unique() -> None:
    assert len(ALL_CASES) >= 150
    assert len({case.name for case in ALL_CASES}) == len(ALL_CASES)


@pytest.mark.parametrize("group", CASES)
def test_the_screen_is_that_of_the_table(group: str) -> None:
    wrong = {}
    for case in CASES[group]:
        terminal = Engine(*case.size)
        terminal.feed(case.data)
        wrong[case.name] = as_expected(ours(terminal), case)
    assert {name: words for name, words in wrong.items() if words} == {}


@pytest.mark.parametrize("group", CASES)
def test_output_in_pieces_gives_the_same(group: str) -> None:
    wrong = []
    for case in CASES[group]:
        whole = Engine(*case.size)
        whole.feed(case.data)
        single = Engine(*case.size)
        for at in range(len(case.data)):
            single.feed(case.data[at : at + 1])
        if single.dump() != whole.dump():
            wrong.append(f"{case.name}: byte by byte")
        for cut in range(1, len(case.data)):
            halves = Engine(*case.size)
            halves.feed(case.data[:cut])
            halves.feed(case.data[cut:])
            if halves.dump() != whole.dump():
                wrong.append(f"{case.name}: cut at {cut}")
    assert wrong == []


@pytest.fixture(scope="module", params=ORACLES, ids=lambda oracle: oracle.name)
def oracle(request: pytest.FixtureRequest) -> Iterator[Ghostty | Headless]:
    found = request.param()
    yield found
    found.close()


def test_other_terminals_agree_except_where_the_table_says_so(oracle: Ghostty | Headless) -> None:
    shown = oracle.run([(*case.size, [case.data, None]) for case in ALL_CASES])
    wrong = []
    for case, (screen,) in zip(ALL_CASES, shown, strict=True):
        difference = as_expected(screen, case)
        if bool(difference) != (oracle.name in case.differs):
            wrong.append(f"{case.name}: {difference or 'agrees, against the table'}")
    assert wrong == []
