"""Durations and sizes: a shown value reads back as the same, and invalid ones are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibetunnel.units import BYTES, SECONDS, parse_duration, parse_size, show_duration, show_size


def refuses(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return True
    return False


@given(st.floats(min_value=0.001, max_value=1e10) | st.integers(0, 1 << 40).map(float))
def test_a_duration_is_read_back_as_it_was(seconds: float) -> None:
    shown = show_duration(seconds)
    assert parse_duration(shown) == parse_duration(shown.replace(" ", "").upper()) == seconds


@given(st.integers(0, 1 << 62))
def test_a_size_is_read_back_as_it_was(size: int) -> None:
    shown = show_size(size)
    assert parse_size(shown) == parse_size(shown.replace(" ", "").lower()) == size


@given(st.integers(1, 1000), st.sampled_from(["s", "min", "h", "d"]))
def test_a_duration_is_shown_in_its_own_unit_or_a_larger_one(number: int, unit: str) -> None:
    shown = show_duration(number * SECONDS[unit])
    assert SECONDS[shown.split()[1]] >= SECONDS[unit]


@given(st.text(max_size=12))
def test_no_text_breaks_it(text: str) -> None:
    for parse in (parse_duration, parse_size):
        refuses(parse, text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.5, "0.5 s"),
        (45, "45 s"),
        (90, "90 s"),
        (900, "15 min"),
        (5400, "90 min"),
        (604800, "7 d"),
        (2592000, "30 d"),
    ],
)
def test_durations_as_people_write_them(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1000, "1000 bytes"),
        (65536, "64 KiB"),
        (1536 * 1024, "1536 KiB"),
        (4 << 20, "4 MiB"),
        (1 << 40, "1 TiB"),
    ],
)
def test_sizes_as_people_write_them(size: int, text: str) -> None:
    assert show_size(size) == text


@pytest.mark.parametrize(
    ("text", "seconds"), [("15", 15), ("1.5 h", 5400), ("2w", 1209600), (" 1 D ", 86400), ("0.1", 0.1), ("1 m", 60)]
)
def test_other_forms_of_a_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "4 MiB", "1 d 2 h", "-1 s", "1. s", "1,5 h", "5 q", "inf", "nan", "\u0663 s"]
)
def test_no_duration(text: str) -> None:
    assert refuses(parse_duration, text)


@pytest.mark.parametrize(
    "text", ["", "MiB", "4 MB", "4 M", "1.5", "0.3 KiB", "1.5 bytes", "-1 KiB", "5 s", "\u0663 KiB"]
)
def test_no_size(text: str) -> None:
    assert refuses(parse_size, text)


def test_every_unit_has_one_spelling_in_what_is_shown() -> None:
    assert {show_duration(each).split()[1] for each in SECONDS.values()} == {"s", "min", "h", "d"}
    assert {show_size(each).split()[1] for each in BYTES.values()} == {"bytes", "KiB", "MiB", "GiB", "TiB"}
