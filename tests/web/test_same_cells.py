"""The browser shows the server's screen, cell by cell, whatever a program prints: live, and after it has come back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest
from engine.vt.corpus import ALL_CASES, RECORDINGS, load, places
from engine.vt.viewers import cut
from served import Served
from shown import PROFILE, WINDOWS, Batch, Chances, Stream, Window, compare, random_streams
from visitor import Visit

COUNT = 800  # streams; shown.py compares any number


@pytest.fixture
def windows(visit: Visit, server: Served) -> Iterator[list[Window]]:
    windows = [Window(visit(server, **PROFILE)) for _ in range(WINDOWS)]
    yield windows
    for window in windows:
        window.close()


def test_random_output_cut_anywhere(windows: list[Window]) -> None:
    assert list(compare(windows, random_streams(COUNT))) == []


def test_every_case_of_the_engine(windows: list[Window]) -> None:
    chances = Chances(redraw=1, come_back=0.02)
    sizes = sorted({case.size for case in ALL_CASES})
    batches = [
        Batch(
            rows,
            cols,
            [
                Stream(each.name, tuple(cut(each.data, random.Random(each.name))))
                for each in ALL_CASES
                if each.size == (rows, cols)
            ],
            chances,
        )
        for rows, cols in sizes
    ]
    assert list(compare(windows, batches)) == []


def test_every_recording_of_a_program(windows: list[Window]) -> None:
    batches = []
    for path in RECORDINGS:
        rows, cols, data = load(path)
        pieces = tuple(data[start:end] for start, end in pairwise((0, *places(data))))
        batches.append(Batch(rows, cols, [Stream(path.name, pieces)], Chances(redraw=0.2, come_back=0.05)))
    assert list(compare(windows, batches)) == []
