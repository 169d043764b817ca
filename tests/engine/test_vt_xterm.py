"""What xterm does with scrollback, hidden screens, wide rows and pending wraps, beyond the screen that a case shows."""

from __future__ import annotations

import pytest

from vibetunnel._ext.vt import Engine

FULL = b"".join(b"\x1b[%dHrow %d" % (row, row) for row in range(1, 7))
DIRTY = b"\x1b[?47hxyz\x1b[?47l\x1b[?69h\x1b[2;5s\x1b[1;2r\x1b[?6h\x1b[4h\x1b[?7l\x1b[1;31mx\x1b(0\x0e\x1b[3g"


def terminal(data: bytes, rows: int = 6, cols: int = 10) -> Engine:
    one = Engine(rows, cols)
    one.feed(data)
    return one


def screen(one: Engine) -> str:
    return one.dump().partition("-- scrollback --")[0]


@pytest.mark.parametrize(
    ("sequence", "kept"),
    [
        (b"\x1b[2S", ["row 1", "row 2"]),
        (b"\x1b[99S", [f"row {n}" for n in range(1, 7)]),
        (b"\x1b[1;4r\x1b[2S", ["row 1", "row 2"]),
        (b"\x1b[1;4r\x1b[99S", ["row 1", "row 2", "row 3", "row 4"]),
        (b"\x1b[1;4r\x1b[4H\n\n", ["row 1", "row 2"]),
        (b"\x1b[H\x1b[2M", ["row 1", "row 2"]),
        (b"\x1b[1;3r\x1b[H\x1b[9M", ["row 1", "row 2", "row 3"]),
    ],
)
def test_rows_that_leave_the_top_of_the_main_screen_are_in_scrollback(sequence: bytes, kept: list[str]) -> None:
    one = terminal(FULL + sequence)
    assert one.text(-one.scrollback_count, 0).split("\n")[:-1] == kept


@pytest.mark.parametrize(
    "sequence",
    [
        b"\x1b[2;4r\x1b[2S",
        b"\x1b[2H\x1b[2M",
        b"\x1b[2T",
        b"\x1b[H\x1b[2L",
        b"\x1b[?69h\x1b[1;5s\x1b[2S",
        b"\x1b[?69h\x1b[1;5s\x1b[H\x1b[2M",
        b"\x1b[?1049h\x1b[2S\x1b[H\x1b[2M",
    ],
)
def test_no_other_rows_are_in_scrollback(sequence: bytes) -> None:
    assert terminal(FULL + sequence).scrollback_count == 0


def test_a_line_that_su_parts_from_its_end_is_joined_across_scrollback_and_screen() -> None:
    one = terminal(b"0123456789ab\x1b[S")
    assert one.text(-1, 6, unwrap=True).split("\n")[0] == "0123456789ab"


def test_a_line_that_a_region_parts_is_not_joined() -> None:
    one = terminal(b"\x1b[1;2r\x1b[2;1H0123456789\x1b[r\x1b[2;10H9ab\x1b[1;2r\x1b[2S")
    assert one.text(-1, 6, unwrap=True).split("\n")[:3] == ["0123456789", "", ""]


@pytest.mark.parametrize("alternate", [b"", b"\x1b[?1049h"])
def test_columns_that_a_wider_screen_adds_have_no_background(alternate: bytes) -> None:
    one = terminal(alternate + b"\x1b[41mab\x1b[K\x1b[m\x1b[2;1Hc")
    one.resize(6, 14)
    other = terminal(alternate + b"\x1b[41mab        \x1b[m\x1b[2;1Hc", 6, 14)
    assert screen(one) == screen(other)
    one.resize(6, 8)
    narrow = terminal(alternate + b"\x1b[41mab\x1b[K\x1b[m\x1b[2;1Hc", 6, 8)
    assert screen(one) == screen(narrow)


def test_nor_do_lines_of_scrollback_get_a_wider_background() -> None:
    one = terminal(b"\x1b[41mab\x1b[K\x1b[m\r\n" + b"\n" * 8)
    one.resize(6, 14)
    wide = terminal(b"\x1b[41mab        \x1b[m\r\n" + b"\n" * 8, 6, 14)
    assert one.html(-3, 6) == wide.html(-3, 6)
    one.resize(6, 8)
    narrow = terminal(b"\x1b[41mab\x1b[K\x1b[m\r\n" + b"\n" * 8, 6, 8)
    assert one.html(-3, 6) == narrow.html(-3, 6)


PENDING = {
    "CBT": b"\x1b[1;3Hab\x1b[2;1H0123456789\x1b[Z",
    "CBT to the first column": b"0123456789\x1b[9Z",
    "CBT between stops": b"\x1b[1;4H\x1bH\x1b[1;6H\x1bH\r0123456789\x1b[2Z\x1b[2;4H\x1b[0g\x1b[2;1H0123456789\x1b[3Z",
    "CBT within margins": b"\x1b[?69h\x1b[2;7s\x1b[3;4H\x1bH\x1b[3;2Habcdef\x1b[Z",
    "CBT right of the margins": b"\x1b[?69h\x1b[2;4s\x1b[3;6Habcde\x1b[Z",
    "CBT in origin mode": b"\x1b[?69h\x1b[2;7s\x1b[2;5r\x1b[?6h\x1b[2;1Habcdef\x1b[Z",
    "margins off": b"\x1b[?69h\x1b[2;7s\x1b[3;2Habcdef\x1b[?69l",
    "other margins": b"0123456789\x1b7\x1b[?69h\x1b[2;7s\x1b8",
    "DECSTR": b"\x1b[?69h\x1b[2;7s\x1b[3;2Habcdef\x1b[!p",
    "DECSC": b"0123456789\x1b7\x1b[3;3H",
    "DECSC in the middle": b"\x1b[?69h\x1b[2;7s\x1b[3;2Habcdef\x1b7\x1b[?69l\x1b[5;5H",
    "DECSC after CBT": b"0123456789\x1b[Z\x1b7\x1b[3;3H",
    "DECSC of a wide character": "01234567中\x1b7\x1b[3;3H".encode(),
    "DECSC in origin mode": b"\x1b[2;4r\x1b[?6h0123456789\x1b7\x1b[H",
    "DECSC of both screens": b"\x1b[?47h\x1b[2;1H0123456789\x1b7\x1b[?47l\x1b[3;1H0123456789\x1b7\x1b[H",
    "47": b"0123456789\x1b[?47h",
    "47 and back": b"\x1b[?47h0123456789\x1b[?47l",
    "without autowrap": b"\x1b[?7l0123456789\x1b[Z",
    "scrolled away": b"\x1b[6;1H0123456789\x1b[2S",
}


@pytest.mark.parametrize("data", PENDING.values(), ids=PENDING)
def test_a_redraw_brings_a_pending_wrap_wherever_it_stands(data: bytes) -> None:
    for live in (b"X", b"\x1b8X", b"\x1b[ZX", b"\x1b[?47h\x1b8X", b"\x1b[?47l\x1b8X", b"\x1b[KX"):
        first, second = terminal(data), terminal(DIRTY)
        second.feed(first.redraw())
        assert screen(second) == screen(first)
        first.feed(live)
        second.feed(live)
        assert screen(second) == screen(first), live


def test_a_redraw_brings_the_hidden_alternate_screen() -> None:
    first = terminal(b"main\x1b[?1049h\x1b[H\x1b[41mab\x1b[K\x1b[m\x1b[2;3Hhidden\x1b[?1049l")
    second = terminal(DIRTY)
    second.feed(first.redraw())
    assert screen(second) == screen(first)
    for each in (first, second):
        each.feed(b"\x1b[?47h")
        assert each.text().split("\n")[:2] == ["ab", "  hidden"]


def test_a_hidden_alternate_screen_that_is_blank_costs_a_redraw_nothing() -> None:
    cleared = terminal(b"main\x1b[?1047hgone\x1b[?1047l\x1b[1;5H")
    never = terminal(b"main\x1b[1;5H")
    assert cleared.redraw() == never.redraw()
