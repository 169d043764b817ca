"""The text of a shell command's output."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibetunnel.sessions.command_output import TEXT_LIMIT, text_of

CLEAR = b"\x1b[H\x1b[2J\x1b[3J"
ZSH = b"\x1b[1m\x1b[7m%\x1b[27m\x1b[1m\x1b[0m" + b" " * 79 + b"\r \r"


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (b"", ""),
        (b"abc", "abc"),
        (b"abc\r\n", "abc\n"),
        (b"\r\n\r\nabc\r\n\r\n\r\n", "\n\nabc\n\n\n"),
        (b"a \tb \r\n", "a \tb \n"),
        (b"\x1b[30m\x1b(B\x1b[m\ra \r\n", "a \n"),
        (b"\r\n\ra \r\n", "\na\n"),
        (b"\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x07\r\n", "red link\n"),
        (b"gr\xc3\xbc\xc3\x9fe \xff\r\n", "grüße \ufffd\n"),
        (CLEAR, ""),
        (b"gone\r\n" + CLEAR + b"hi\r\n", "hi\n"),
        (CLEAR + b"hi", "hi"),
        (b"10%\r50%\r100%\r\n", "100%\n"),
        (b"a\x08b\r\n", "b\n"),
        (b"one\r\n\r\n\x1b[Atwo\r\n", "one\ntwo\n"),
        (b"\x1b[3;1Hbelow\x1b[Habove", "above\n\nbelow"),
        (b"\x1b[?1049h\x1b[Hscreen\x1b[?1049l", ""),
        (b"x" * 200 + b"\x1b[K\r\n", "x" * 200 + "\n"),
        (b"abc" + ZSH, "abc"),
        (b"abc\r\n" + ZSH, "abc\n"),
        (ZSH, ""),
        (CLEAR + b"hi\r\n" + ZSH, "hi\n"),
        (b"100%" + ZSH, "100%"),
        (b"a" + b" " * 9 + b"\r \r", "a"),  # zsh with an empty PROMPT_EOL_MARK
    ],
)
def test_output_as_text(output: bytes, text: str) -> None:
    assert text_of(output, 24, 80) == (text, False)


def test_output_that_is_too_long_keeps_its_end_and_says_so() -> None:
    lines = b"".join(b"line %d\r\n" % i for i in range(20_000))
    for output in (lines, lines + b"50%\r\x1b[K"):
        text, cut = text_of(output, 24, 80)
        assert cut
        assert text is not None
        assert len(text) <= TEXT_LIMIT
        assert text.startswith("line ")
        assert text.endswith("line 19999\n")
        assert text == "".join(f"line {i}\n" for i in range(20_000))[-len(text) :]
    assert text_of(b"x" * 2 * TEXT_LIMIT, 24, 80) == ("x" * TEXT_LIMIT, True)


def test_output_whose_beginning_is_no_longer_kept_begins_with_a_whole_line() -> None:
    assert text_of(b"1mhalf\r\nwhole\r\n", 24, 80, cut=True) == ("whole\n", True)
    assert text_of(b"all that is left", 24, 80, cut=True) == ("all that is left", True)


def test_output_that_takes_too_much_work_has_no_text() -> None:
    assert text_of(b"\x1b[2J" * 65_536, 1000, 1000) == (None, False)
    assert text_of(b"\x1b[2J" * 65_536 + b"x", 24, 80) == ("x", False)


@given(st.lists(st.text(alphabet="ab ü漢", max_size=100)))
def test_both_ways_agree_on_lines_without_blanks_at_their_ends(lines: list[str]) -> None:
    lines = [line.rstrip() for line in lines]
    output = "".join(line + "\r\n" for line in lines).encode()
    plain, drawn = text_of(output, 24, 80), text_of(output + b"\x1b[K", 24, 80)
    assert plain == drawn == ("".join(line + "\n" for line in lines), False)
