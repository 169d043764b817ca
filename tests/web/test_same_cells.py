"""The browser shows the server's screen, cell by cell, whatever a program prints: live, and after a reload."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engine.vt.cases import CASES
from shown import ANEW, Printer, compare, ends_inside_character
from visitor import Visitor

COUNT = 100  # streams; shown.py compares any number
ALL_CASES = [case for group in CASES.values() for case in group]


@pytest.fixture
def printer(visitor: Visitor) -> Iterator[Printer]:
    printer = Printer(visitor)
    yield printer
    printer.close()


def test_random_output_cut_anywhere(printer: Printer) -> None:
    assert list(compare(printer, COUNT)) == []


def test_every_case_of_the_engine(printer: Printer) -> None:
    wrong = []
    for size in sorted({case.size for case in ALL_CASES}):
        printer.resize(*size)
        for case in (each for each in ALL_CASES if each.size == size):
            printer.print(ANEW + case.data)
            if not ends_inside_character(case.data) and (found := printer.difference()):
                wrong.append(f"{case.name}: {found}")
    assert wrong == []
