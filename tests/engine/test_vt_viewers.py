"""Viewers: they get output as it is, and damage where they would draw something else, and show the engine's cells."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest
from vt import gate
from vt.corpus import ALL_CASES
from vt.grammar import generate
from vt.oracles import Headless
from vt.screens import ours
from vt.viewers import Viewer, cut, seen_otherwise, watch

from vibetunnel._ext.vt import Engine, Mode

COUNT = 1000  # streams
LASTS = Mode.ORIGIN | Mode.MARGINS | Mode.REVERSE_WRAP  # while one of these is set, all that is printed may be damage
# So it is while a single shift waits for its character, while bytes stand for characters of a set in GR, while there
# are double rows, and after a character that variation selector 15 has made narrow.
LASTS_TOO = re.compile(
    r"^charsets .{4} \d [23] \d$"
    r"|^modes .*national"
    r"|^charsets ([^B]... . . 0|.[^B].. . . 1|..[^B]. . . 2|...[^B] . . 3)$"
    r"|^(main|alternate) \d+[> ] size \d$"
    r"|\ufe0e\\x02",
    re.MULTILINE,
)
# What nothing depends on but answers, events and later requests of the program is in redraws, but not in damage.
UNTOLD = re.compile(r"^(level|progress|rectangles|saved modes|pen pushed|attribute colour)\b.*\n", re.MULTILINE)


@pytest.fixture(scope="module")
def headless() -> Iterator[Headless]:
    found = Headless()
    yield found
    found.close()


def test_xterm_js_shows_the_same_after_every_piece_of_random_output(headless: Headless) -> None:
    assert list(gate.viewers(headless, range(COUNT))) == []


def test_xterm_js_shows_the_same_in_every_case(headless: Headless) -> None:
    watched = [watch(*case.size, [case.data]) for case in ALL_CASES]
    seen = headless.run([script for script, _ in watched])
    wrong = [
        f"{case.name}: {words}"
        for case, (_, (mine,)), (theirs,) in zip(ALL_CASES, watched, seen, strict=True)
        if (words := seen_otherwise(mine, theirs))
    ]
    assert wrong == []


def test_a_viewer_that_draws_as_the_engine_does_ends_in_the_same_state() -> None:
    for seed in range(COUNT):
        rows, cols, pieces = generate(seed, {"level"})  # damage does not tell of it: xterm.js has no levels
        terminal, shown = Engine(rows, cols), Engine(rows, cols)
        viewer, output = Viewer(terminal), b""
        for piece in cut(b"".join(pieces), random.Random(seed)):
            terminal.feed(piece)
            output += piece
            if terminal.shown != terminal.offset:
                continue  # CAN in damage prints what there is of a character, here as in xterm, but not in xterm.js
            shown.feed(viewer.take(output))
            assert shown.text(shown.oldest - shown.top) == terminal.text(terminal.oldest - terminal.top), seed
            dump = terminal.dump()
            wraps_early = "\npending 1\n" in dump and f" {cols - 1}\npending 1\n" not in dump
            if not (terminal.modes & LASTS or wraps_early or LASTS_TOO.search(dump)):
                assert UNTOLD.sub("", shown.dump()) == UNTOLD.sub("", dump), seed


def test_a_viewer_that_was_not_sent_each_step_gets_all_of_them_at_once() -> None:
    terminal, shown = Engine(5, 10), Engine(5, 10)
    near, far, output = Viewer(terminal), Viewer(terminal), b""
    for piece in (b"one\r\n\x1b[?69h\x1b[2;5s", b"two", b"\r\nthree", b"\x1b[5Hfour", b"\x1b[H\x1b[2Mfive"):
        terminal.feed(piece)
        output += piece
        near.take(output)
    shown.feed(far.take(output))
    assert ours(shown).lines == ours(terminal).lines
    assert (far.damages, far.redraws) == (1, 0)


def test_damage_has_only_the_rows_that_changed() -> None:
    terminal = Engine(24, 80)
    viewer, output = Viewer(terminal), b""
    for piece in (b"\r\n".join(b"%d " % row * 9 for row in range(24)) + b"\x1b[?69h\x1b[10;40s\x1b[5;12H", b"x"):
        terminal.feed(piece)
        output += piece
        sent = viewer.take(output)
    assert b"4 4 4 " in sent
    assert b"3 3 3 " not in sent
    assert b"5 5 5 " not in sent
    assert len(sent) < 200


def test_lines_that_scroll_off_in_a_stretch_of_damage_come_into_the_viewers_scrollback() -> None:
    terminal, shown = Engine(3, 10), Engine(3, 10)
    viewer, output = Viewer(terminal), b""
    for piece in (b"before\r\n\x1b[?6h\x1b[2H", *(b"%d\r\n" % line for line in range(9))):
        terminal.feed(piece)
        output += piece
        shown.feed(viewer.take(output))
    assert viewer.redraws == 0
    assert shown.text(-8) == terminal.text(-8) == "before\n0\n1\n2\n3\n4\n5\n6\n7\n8\n\n"


MOUSE = re.compile(rb"\x1b\[\?([\d;]+)([hl])")


def xterm_js_encodes(sent: bytes) -> int:
    """The encoding of xterm.js's mouse reports then; 0 is X10's."""
    encoding = 0
    for modes, final in MOUSE.findall(sent):
        for mode in map(int, modes.split(b";")):
            if mode in (1006, 1016):
                encoding = mode if final == b"h" else 0
    return encoding


@pytest.mark.parametrize(
    ("output", "encoding"),
    [
        (b"\x1b[?1006h", 1006),
        (b"\x1b[?1015h", 1006),
        (b"\x1b[?1005h", 1006),
        (b"\x1b[?1000;1006;1015h", 1006),
        (b"\x1b[?1016h|\x1b[?1015h", 1006),
        (b"\x1b[?1016h|\x1b[?1015l", 1016),
        (b"\x1b[?1015h|\x1b[?1006l", 1006),
        (b"\x1b[?1015h|\x1b[?1015l", 0),
        (b"\x1b[?1015h\x1b[?1015l", 0),
        (b"\x1b[?1005h|\x1b[?1016h", 1016),
        (b"\x1b[?1006h|\x1b[?1016l", 1006),
        (b"\x1b[?1016h|\x1b[?1006l", 1016),
        (b"\x1b[?1006h|\x1b[?1006l", 0),
    ],
)
def test_xterm_js_reports_the_mouse_as_the_page_needs_it(output: bytes, encoding: int) -> None:
    """The page makes UTF-8 (1005) and urxvt reports (1015) of SGR ones (1006)."""
    terminal, shown = Engine(5, 10), Engine(5, 10)
    viewer, fed, sent = Viewer(terminal), b"", b""
    for piece in output.split(b"|"):
        terminal.feed(piece)
        fed += piece
        sent += viewer.take(fed)
    shown.feed(sent)
    assert xterm_js_encodes(sent) == xterm_js_encodes(terminal.viewer_redraw()[0]) == encoding
    assert shown.modes == terminal.modes


def test_a_redraw_inside_a_character_lets_damage_make_a_double_row_single() -> None:
    terminal, shown = Engine(3, 10), Engine(3, 10)
    terminal.feed(b"\x1b#6abc\xe2\x82")
    redraw, known = terminal.viewer_redraw()
    terminal.feed(b"\xac\x1b[H\x1b#5")
    damage = terminal.damage(known)
    assert damage
    shown.feed(redraw + damage[0])
    assert "size 1" not in terminal.dump()
    assert "size 1" not in shown.dump()
