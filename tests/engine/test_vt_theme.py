"""What programs ask of the viewer that owns the size: its colours, its pixels, and how it sends modified keys."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from vibetunnel._ext.vt import Engine, Theme

LIGHT = Theme(
    dark=False,
    palette=[0x111111 * (i % 10) for i in range(16)],
    foreground=0x1C1E21,
    background=0xFFFFFF,
    cursor=0xFF0000,
)

# XParseColor (libX11's man page): specification -> what xterm 379 answers. None: it is no colour.
COLOURS = {
    "rgb:1/12/123": "1111/1212/1212",
    "RGB:12/345/6789": "1212/3434/6767",
    "rgb:12/34": None,
    "rgb:12/34/": None,
    "rgb:1/2/3/4": None,
    "rgb:12345/0/0": None,
    "rgba:ff/00/ff/80": None,
    "#123": "1010/2020/3030",
    "#fedcba": "fefe/dcdc/baba",
    "#123456789": "1212/4545/7878",
    "#123456789abc": "1212/5656/9a9a",
    "#12": None,
    "#12g": None,
    "red": "ffff/0000/0000",
    "Light Steel BLUE 1": "caca/e1e1/ffff",
    "gray50": "7f7f/7f7f/7f7f",
    "grey": "bebe/bebe/bebe",
    "gray101": None,
    "": None,
    "rgbi:1/1/1": "ffff/ffff/ffff",
    "rgbi:1.0/.5/0e0": "ffff/bbbb/0000",
    "rgbi:0.5/0.5/0.5": "c1c1/bbbb/bbbb",
    "rgbi:2/0/0": None,
    "rgbi:1/1": None,
    "rgbi:1/1/x": None,
    "CIEXYZ:1/1/1": "ffff/ffff/ffff",
    "CIEXYZ:0.5/0.5/0.5": "dddd/b5b5/a0a0",
    "CIEuvY:0.5/0.5/0.5": "ffff/a3a3/aeae",
    "CIExyY:0.5/0.5/0.5": "f7f7/b3b3/0e0e",
    "CIELab:1/1/1": "6c6c/6767/6767",
    "CIELab:0.5/0.5/0.5": "5252/4f4f/4f4f",
    "CIELuv:1/1/1": "1616/1414/0e0e",
    "CIELuv:0.5/0.5/0.5": "0e0e/1313/0e0e",
    "TekHVC:1/1/1": "1a1a/1313/0f0f",
    "TekHVC:0.5/0.5/0.5": "1111/1313/0e0e",
    "TekHVC:1e99/-1e99/1e999": "0000/0000/0000",
}


def asked(question: bytes, *, theme: Theme | None = None) -> bytes:
    one = Engine(6, 10)
    one.set_theme(theme)
    one.feed(question)
    return one.take_replies()


@pytest.mark.parametrize("spec", COLOURS, ids=repr)
def test_a_colour_is_read_as_xparsecolor_reads_it(spec: str) -> None:
    answer = asked(b"\x1b]4;1;#010203\x07\x1b]4;1;%s\x07\x1b]4;1;?\x07" % spec.encode())
    expected = COLOURS[spec] or "0101/0202/0303"
    if spec.startswith("TekHVC:1e99"):  # any colour will do
        assert answer.startswith(b"\x1b]4;1;rgb:")
    else:
        assert answer == f"\x1b]4;1;rgb:{expected}\x07".encode()


def test_colours_are_those_of_the_size_owner_until_the_program_sets_and_after_it_resets_them() -> None:
    one = Engine(6, 10)
    one.set_theme(LIGHT)
    questions = b"\x1b]4;3;?\x07\x1b]10;?;?;?\x07"
    one.feed(questions)
    theirs = (
        b"\x1b]4;3;rgb:3333/3333/3333\x07\x1b]10;rgb:1c1c/1e1e/2121\x07"
        b"\x1b]11;rgb:ffff/ffff/ffff\x07\x1b]12;rgb:ffff/0000/0000\x07"
    )
    assert one.take_replies() == theirs
    one.feed(b"\x1b]4;3;#030303\x07\x1b]10;#101010;#111111;#121212\x07")
    one.set_theme(None)  # another owner
    one.feed(questions)
    assert one.take_replies() == (
        b"\x1b]4;3;rgb:0303/0303/0303\x07\x1b]10;rgb:1010/1010/1010\x07"
        b"\x1b]11;rgb:1111/1111/1111\x07\x1b]12;rgb:1212/1212/1212\x07"
    )
    one.set_theme(LIGHT)
    one.feed(b"\x1b]104;3\x07\x1b]110\x07\x1b]111\x07\x1b]112\x07" + questions)
    assert one.take_replies() == theirs


@pytest.mark.parametrize("number", range(10, 20))
def test_each_dynamic_colour_is_answered_set_and_reset(number: int) -> None:
    question = b"\x1b]%d;?\x1b\\" % number
    at_first = asked(question)
    assert at_first.startswith(b"\x1b]%d;rgb:" % number)
    assert asked(b"\x1b]%d;#123456\x07" % number + question) == b"\x1b]%d;rgb:1212/3434/5656\x1b\\" % number
    assert asked(b"\x1b]%d;#123456\x07\x1b]%d\x07" % (number, number + 100) + question) == at_first


def test_light_or_dark_is_told_on_request_and_on_change() -> None:
    one = Engine(6, 10)
    one.feed(b"\x1b[?996n")
    assert one.take_replies() == b"\x1b[?997;1n"
    one.set_theme(LIGHT)
    assert one.take_replies() == b""  # the program has not asked to be told
    one.feed(b"\x1b[?2031h\x1b[?996n")
    assert one.take_replies() == b"\x1b[?997;2n"
    one.set_theme(LIGHT._replace(cursor=0))
    assert one.take_replies() == b""  # it is as light as before
    one.set_theme(None)
    assert one.take_replies() == b"\x1b[?997;1n"


def test_the_size_is_reported_in_pixels() -> None:
    one = Engine(24, 80)
    questions = b"\x1b[14t\x1b[15t\x1b[16t\x1b[18t\x1b[19t"
    one.feed(questions)
    assert one.take_replies() == b"\x1b[4;408;640t\x1b[5;408;640t\x1b[6;17;8t\x1b[8;24;80t\x1b[9;24;80t"
    one.set_pixels(34, 16)
    one.feed(questions)
    assert one.take_replies() == b"\x1b[4;816;1280t\x1b[5;816;1280t\x1b[6;34;16t\x1b[8;24;80t\x1b[9;24;80t"


def test_in_band_resize_reports_the_size_at_once_and_at_each_change() -> None:
    one = Engine(24, 80)
    one.set_pixels(20, 10)
    assert one.take_replies() == b""
    one.feed(b"\x1b[?2048h")
    assert one.take_replies() == b"\x1b[48;24;80;480;800t"
    one.resize(30, 90)
    assert one.take_replies() == b"\x1b[48;30;90;600;900t"
    one.set_pixels(40, 20)
    assert one.take_replies() == b"\x1b[48;30;90;1200;1800t"
    one.set_pixels(40, 20)
    one.resize(30, 90)
    assert one.take_replies() == b""  # nothing has changed
    one.feed(b"\x1b[?2048l")
    one.resize(24, 80)
    assert one.take_replies() == b""


# As xterm 379 answers.
MODIFIED_KEYS = {
    b"\x1b[?4m": b"\x1b[>4;0m",
    b"\x1b[>4;1m\x1b[?4m": b"\x1b[>4;1m",
    b"\x1b[>4;2m\x1b[?4m": b"\x1b[>4;2m",
    b"\x1b[>4;2m\x1b[>4m\x1b[?4m": b"\x1b[>4;0m",
    b"\x1b[>4;2m\x1b[>4n\x1b[?4m": b"\x1b[>4;65535m",
    b"\x1b[>4;2m\x1b[!p\x1b[?4m": b"\x1b[>4;0m",
    b"\x1b[>4;2m\x1bc\x1b[?4m": b"\x1b[>4;0m",
    b"\x1b[?1m\x1b[?2m\x1b[?3m": b"\x1b[>1;2m\x1b[>2;2m\x1b[>3;0m",
}


@pytest.mark.parametrize("asked_for", MODIFIED_KEYS, ids=repr)
def test_how_modified_keys_are_sent_is_told(asked_for: bytes) -> None:
    assert asked(asked_for) == MODIFIED_KEYS[asked_for]


# As xterm 379 does: the last encoding that was set counts, and resetting another one changes nothing.
def test_only_the_encoding_of_the_mouse_that_is_on_is_turned_off() -> None:
    one = Engine(6, 10)
    states = b"\x1b[?1005$p\x1b[?1006$p\x1b[?1015$p\x1b[?1016$p"
    one.feed(b"\x1b[?1006h\x1b[?1015h" + states)
    assert one.take_replies() == b"\x1b[?1005;2$y\x1b[?1006;2$y\x1b[?1015;1$y\x1b[?1016;2$y"
    one.feed(b"\x1b[?1006l" + states)
    assert one.take_replies() == b"\x1b[?1005;2$y\x1b[?1006;2$y\x1b[?1015;1$y\x1b[?1016;2$y"
    one.feed(b"\x1b[?1015l" + states)
    assert one.take_replies() == b"\x1b[?1005;2$y\x1b[?1006;2$y\x1b[?1015;2$y\x1b[?1016;2$y"


def test_a_redraw_restores_dynamic_colours_and_modified_keys() -> None:
    one = Engine(6, 10)
    one.feed(b"\x1b]17;#123456\x07\x1b]13;red\x07\x1b[>4;2m\x1b[?2048h")
    other = Engine(6, 10)
    other.feed(b"\x1b]15;#123456\x07\x1b[>4;1m" + one.redraw())
    assert other.dump() == one.dump()


@pytest.mark.parametrize("theme", [LIGHT._replace(palette=[0] * 15), LIGHT._replace(cursor=1 << 24)])
def test_a_theme_is_checked(theme: Theme) -> None:
    with pytest.raises(ValueError, match="expected 16 colours"):
        Engine(6, 10).set_theme(theme)


@pytest.mark.parametrize("cell", [(-1, 8), (17, 1001)])
def test_the_size_of_a_cell_is_checked(cell: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"expected 0\.\.1000"):
        Engine(6, 10).set_pixels(*cell)


def test_the_keyboards_modes_are_those_of_the_browser() -> None:
    steps = json.loads((Path(__file__).parents[1] / "vectors" / "keyboard-modes.json").read_text())["steps"]
    one = Engine(6, 10)
    found = []
    for output, _, _ in steps:
        one.feed(output.encode() + b"\x1b[?u\x1b[?4m")
        flags, level = re.findall(rb"\x1b\[\?(\d+)u\x1b\[>4;(\d+)m", one.take_replies())[0]
        found.append([output, int(flags), int(level) % 65535])  # 65535: off, by its own sequence
    assert found == steps
