"""Grapheme clusters in the engine and in the web client's terminal: the same code points into the same cells."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path

import pytest
import wcwidth
from vt.oracles import Headless, Script
from vt.screens import difference, ours

from vibetunnel._ext.vt import Engine

ENGINE = Path(__file__).resolve().parents[2] / "ext/vt"
COLS = 10
BEFORE = ("", "abcd", "abcdefgh", "abcdefghi")  # the first column, the middle, the last two, the last one

# A code point or two of each class and width that the rules tell apart.
CLASSES = (
    "a1中"  # other, narrow and wide
    "\u00ad\u200b"  # controls
    "\u0301\u200c\u0e33\uff9e"  # extenders, with and without a column
    "\u094d\u0915\u093e"  # of an Indic conjunct: linker, consonant, spacing mark
    "\u200d\u0600🇩"  # ZWJ, prepend, regional indicator
    "\u1100\u1161\u11a8가각\u3164"  # Hangul
    "👩☎❤©🏽"  # emoji, narrow and wide, and a skin tone
    "\ufe0f"  # variation selector 16; after the other one the cursor of xterm.js is elsewhere
)
MODIFIERS = "".join(map(chr, range(0x1F3FB, 0x1F400)))


def emoji() -> list[str]:
    """The sequences that UTS 51's rules allow, of every emoji that has variants, and those of every flag."""
    bases = [chr(code) for code in range(0x203C, 0x1FBFF) if is_pictograph(code)]
    flags = ["".join(pair) for pair in product(map(chr, range(0x1F1E6, 0x1F200)), repeat=2)]
    keycaps = [f"{key}\ufe0f\u20e3" for key in "0123456789#*"]
    toned = [base + tone for base in bases for tone in MODIFIERS[::4]]
    joined = [f"{one}\ufe0f\u200d{two}\ufe0f" for one, two in product("👩❤🏳👁🧑⛓", "❤🔥🌈⚧🗨🚀♀💥")]
    people = [
        f"{one}{first}\u200d❤\ufe0f\u200d💋\u200d{two}{second}"
        for one, two in product("👩👨🧑", repeat=2)
        for first, second in product(MODIFIERS, repeat=2)
    ]
    regions = ["🏴" + "".join(chr(0xE0000 + ord(char)) for char in tag) + "\U000e007f" for tag in ("gbeng", "gbsct")]
    return bases + [base + "\ufe0f" for base in bases] + flags + keycaps + toned + joined + people + regions


def is_pictograph(code: int) -> bool:
    return any(first <= code <= last for first, last in wcwidth.table_grapheme.EXTENDED_PICTOGRAPHIC)


def emoji_width(text: str) -> int:
    """Columns that a program counts. wcwidth leaves a toned hand narrow, against its picture."""
    return 2 if text[1:2] in MODIFIERS and text[1:] else wcwidth.wcswidth(text)


@pytest.fixture(scope="module")
def browser() -> Iterator[Headless]:
    found = Headless()
    yield found
    found.close()


def screen(data: bytes) -> Engine:
    terminal = Engine(3, COLS)
    terminal.feed(data)
    return terminal


def apart(browser: Headless, texts: list[str]) -> list[str]:
    """Where the browser's terminal and the engine differ, or the engine and what its redraw makes."""
    wrong = []
    for first in range(0, len(texts), 2000):
        outputs = [(before + text + "|").encode() for text in texts[first : first + 2000] for before in BEFORE]
        scripts: list[Script] = [(3, COLS, (data, None)) for data in outputs]
        for data, (theirs,) in zip(outputs, browser.run(scripts), strict=True):
            mine = screen(data)
            if words := difference(ours(mine), theirs):
                wrong.append(f"{data.decode()!a}: {words}")
            late = Engine(3, COLS)
            late.feed(mine.redraw())
            if late.dump() != mine.dump():
                wrong.append(f"{data.decode()!a}: the redraw {mine.redraw()!r}")
    return wrong


def test_an_emoji_sequence_is_one_character_of_two_columns(browser: Headless) -> None:
    sequences = emoji()
    wrong = {text: ours(screen(text.encode())).cursor[1] for text in sequences}
    assert {ascii(text): cols for text, cols in wrong.items() if cols != emoji_width(text)} == {}
    assert apart(browser, sequences[::11]) == []


@pytest.mark.parametrize("length", [2, 3])
def test_engine_and_browser_join_the_same_code_points(browser: Headless, length: int) -> None:
    # What joins nothing is lost here and has a column in xterm.js, whose viewers then get rows: begin with a letter.
    texts = ["x" + "".join(codes) for codes in product(CLASSES, repeat=length)]
    assert apart(browser, texts if length == 2 else texts[::9]) == []


@pytest.mark.parametrize("length", [2, 3])
def test_boundaries_are_those_of_uax_29(length: int) -> None:
    """A cell for each cluster: a code point of no width cannot begin one, and a skin tone joins only an emoji."""
    wrong = []
    for codes in product(CLASSES, repeat=length):
        text = "".join(codes)
        if any(char == "🏽" and not is_pictograph(ord(before)) for before, char in pairwise("x" + text)):
            continue
        wanted = list(wcwidth.iter_graphemes("x" + text))
        for at in range(len(wanted) - 1, 0, -1):
            if not wcwidth.wcwidth(wanted[at][0]) and wanted[at][0] != "\u093e":
                wanted[at - 1 : at + 1] = ["".join(wanted[at - 1 : at + 1])]
        found = cells(screen(("x" + text).encode()))
        if found != wanted:
            wrong.append((ascii(text), found, wanted))
    assert wrong == []


def cells(terminal: Engine) -> list[str]:
    """The text of each cell of the first row, which the snapshot has by cell."""
    data = terminal.snapshot()
    at, found = 28, []
    assert data[at] == 0xFD
    count = data[at + 1] | data[at + 2] << 8
    at += 3
    for _ in range(count):
        kind = data[at] & 3
        size = (0, 1, data[at + 1] if kind == 2 else 0)[kind]
        at += 2 if kind == 2 else 1
        found.append(data[at : at + size].decode() or " ")
        at += size
    return found


NARROWED = "⌚\ufe0e"


@pytest.mark.parametrize(
    "output",
    [
        NARROWED + "\x1b[H\x1b[9@",
        "\x1b[41m" + NARROWED + "\x1b[m\x1b[K\x1b[3Gx",
        NARROWED * 12 + "x",
        "abcdefgh" + NARROWED + "\x1b[H\x1b[@",
        "中文字a" + NARROWED + "\x1b[H\x1b[@",
        "\x1b[4mabcdefg" + NARROWED + "\x1b[H\x1b[@",
        "\x1b[10G\x1b[>1N" + NARROWED,
        "\x1b[4hab\r" + NARROWED,
        "\x1b[>1N⌚x",
        "\x1b[>1N⌚\ufe0fx",
        "\x1b[>1N☎\ufe0fx",
        "\x1b[>1N",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("cols", [COLS, 7, 5])
def test_a_redraw_shows_an_emoji_that_was_made_narrow_in_any_column(browser: Headless, output: str, cols: int) -> None:
    terminal = screen(output.encode())
    terminal.resize(3, cols)
    late = Engine(3, cols)
    late.feed(b"zzz\x1b[>1N" + terminal.redraw())
    assert late.dump() == terminal.dump()
    ((shown,),) = browser.run([(3, cols, [b"zzz\x1b[>1N", terminal.redraw(), None])])
    assert difference(ours(terminal), shown) == ""


def test_a_character_has_a_bound(browser: Headless) -> None:
    """Beyond it code points are dropped. xterm.js has none, so its viewers get the row."""
    terminal = screen(("e" + "\u0301" * 1000).encode())
    assert terminal.text(0, 1) == "e" + "\u0301" * 31 + "\n"
    pictures = "👩" + "\u200d👩" * 100
    terminal = screen(pictures.encode())
    (text,) = cells(terminal)
    assert len(text.encode()) <= 120
    assert pictures.startswith(text)
    late = Engine(3, COLS)
    late.feed(terminal.redraw())
    assert late.dump() == terminal.dump()


@pytest.mark.parametrize(
    "text", ["👩\u200d👩\u200d👧", "🇩🇪", "☎\ufe0f", "⌚\ufe0e", "\u0915\u094d\u0937\u093e", "\u06001"]
)
@pytest.mark.parametrize("off", ["", "\x1b[?2027l"], ids=["clusters", "code points"])
def test_a_character_survives_scrollback_and_reflow(text: str, off: str) -> None:
    wide = Engine(3, 40)
    wide.feed(("a" + off + text * 12 + "\r\n" * 5 + "end").encode())
    before = wide.text(-wide.scrollback_count)
    late = Engine(3, 40)
    late.feed(wide.redraw(scrollback_lines=100))
    assert late.dump().partition("unfinished")[2] == wide.dump().partition("unfinished")[2]
    for cols in (7, 3, 40):
        wide.resize(3, cols)
    assert wide.text(-wide.scrollback_count).replace("\n", "") == before.replace("\n", "")
    assert wide.clone(scrollback_lines=100).dump() == wide.dump()


def test_mode_2027_is_reported_and_survives_a_soft_reset() -> None:
    terminal = screen(b"\x1b[?2027$p\x1b[?2027l\x1b[!p\x1b[?2027$p\x1bc\x1b[?2027$p")
    assert terminal.take_replies() == b"\x1b[?2027;1$y\x1b[?2027;2$y\x1b[?2027;1$y"


def test_the_tables_are_those_that_the_generator_makes() -> None:
    sys.path.insert(0, str(ENGINE))
    try:
        import make_unicode
    finally:
        sys.path.remove(str(ENGINE))
    header = make_unicode.HEADER.read_text(encoding="ascii")
    made = next(word for word in header.split() if word.endswith(".0:"))[:-1]
    assert tuple(map(int, made.split("."))) >= (17, 0, 0)
    if made == make_unicode.VERSION:
        for path, text in make_unicode.generated().items():
            assert path.read_text(encoding="ascii") == text, f"{path.name}: run make unicode"
