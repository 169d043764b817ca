"""A redraw brings any terminal of the same size to the same state, whatever that one has shown before.

Skip-ahead, late and returning clients and the restart of a server stand on this. vt_dump() has everything that counts.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from vt.grammar import FEATURES, generate

from vibetunnel._ext.vt import Engine

SIZES = ((6, 10), (1, 2), (3, 7), (24, 80))
DIRTY = b"\x1b[?1049h\x1b[?69h\x1b[2;5s\x1b[1;2r\x1b[?6h\x1b[4h\x1b[?7l\x1b[1;31mx\x1b(0\x0e\x1b[3g\x1b[>5u\x1b]0;abc"


def screen_part(terminal: Engine) -> str:
    return terminal.dump().partition("-- scrollback --")[0]


def pieces(rows: int, cols: int) -> st.SearchStrategy[bytes]:
    made = st.tuples(st.sampled_from(sorted(FEATURES)), st.integers(0, 1000)).map(
        lambda choice: FEATURES[choice[0]][1](random.Random(choice[1]), rows, cols).encode("utf-8", "surrogateescape")
    )
    raw = st.one_of(st.binary(max_size=6), st.binary(max_size=6).map(lambda tail: b"\x1b[" + tail))
    return st.one_of(made, made, made, raw)


@st.composite
def outputs(draw: st.DrawFn) -> tuple[int, int, bytes, bytes, bytes]:
    """Rows, columns; what a terminal gets, what another has shown before, and what both get then."""
    rows, cols = draw(st.sampled_from(SIZES))
    output, before, live = (b"".join(draw(st.lists(pieces(rows, cols), max_size=n))) for n in (25, 8, 8))
    return rows, cols, output[: draw(st.integers(0, 4)) * -1 or None], before, live


def check(rows: int, cols: int, output: bytes, before: bytes, live: bytes, lines: int = 0) -> None:
    first = Engine(rows, cols)
    first.feed(output)
    second = Engine(rows, cols)
    second.feed(before)
    offset = second.offset
    redraw = first.redraw(scrollback_lines=lines)
    second.feed(redraw)
    assert second.offset == offset + len(redraw)
    assert screen_part(second) == screen_part(first)
    first.take_replies()
    second.take_replies()
    first.feed(live)
    second.feed(live)
    assert screen_part(second) == screen_part(first)
    assert second.take_replies() == first.take_replies()


@settings(deadline=None, max_examples=600)
@given(outputs())
@example((6, 10, b"0123456789", DIRTY, b"x"))
@example((6, 10, "01234567中".encode(), DIRTY, b"x"))
@example((6, 10, b"\x1b[?1049h\x1b[2;3r\x1b7\x1b[?6h", b"\x1b]0;", b"\x1b[?1049lx"))
def test_a_terminal_that_gets_a_redraw_is_as_the_one_that_made_it(case: tuple[int, int, bytes, bytes, bytes]) -> None:
    check(*case)


@settings(deadline=None, max_examples=200)
@given(outputs(), st.integers(1, 50))
def test_also_with_lines_of_scrollback(case: tuple[int, int, bytes, bytes, bytes], lines: int) -> None:
    rows, cols, output, before, live = case
    output = b"a line\r\nand one that is longer than that\r\n" * 5 + output
    check(rows, cols, output, before, live, lines)


@settings(deadline=None, max_examples=200)
@given(outputs())
def test_resizes_between(case: tuple[int, int, bytes, bytes, bytes]) -> None:
    rows, cols, output, before, live = case
    first = Engine(rows, cols)
    first.feed(output)
    first.resize(5, 13)
    second = Engine(5, 13)
    second.feed(before)
    second.feed(first.redraw())
    assert screen_part(second) == screen_part(first)
    first.feed(live)
    second.feed(live)
    assert screen_part(second) == screen_part(first)


@settings(deadline=None, max_examples=200)
@given(outputs())
def test_a_clone_is_as_its_original(case: tuple[int, int, bytes, bytes, bytes]) -> None:
    rows, cols, output, _, live = case
    first = Engine(rows, cols)
    first.feed(output)
    second = first.clone(scrollback_lines=10_000)
    assert second.dump() == first.dump()
    first.feed(live)
    second.feed(live)
    assert second.dump() == first.dump()


def test_scrollback_of_a_redraw_is_in_the_other_terminal() -> None:
    first = Engine(4, 20)
    first.feed(b"".join(b"\x1b[3%dm%d\x1b[0m %s\r\n" % (n % 8, n, b"word " * (n % 9)) for n in range(100)))
    second = Engine(4, 20)
    second.feed(first.redraw(scrollback_lines=50))
    assert second.scrollback_count == 50
    assert second.text(-50) == first.text(-50)
    assert second.html(-50) == first.html(-50)
    everything = Engine(4, 20)
    everything.feed(first.redraw(scrollback_lines=1_000_000))
    assert everything.text(-1000) == first.text(-1000)
    assert everything.lines(-1000, 4) == first.lines(-1000, 4)


SEQUENCES = (
    b"\x1b[1;31mX\x1b[2;3H",
    b"\x1b[?2026$p",
    b"\x1b]0;title\x07",
    b"\x1b]8;id=a;http://x/\xc3\xa9\x1b\\link\x1b]8;;\x1b\\",
    b"\x1bP$qm\x1b\\",
    b"\x1b_apc\x1b\\",
    b"a\xc2\x98sos\x1b\\b",
    "a中😀e\u0301".encode(),
    b"\xf0\x9f\x98\x1b[m",
    b"\x1b(0q\x1b(B",
    b"\x1b#8",
    b"\x1b[38:2::1:2:3;4:3mY",
    b"\x1b[1\r\n2C",
    b"\x1b]52;c;aGVsbG8=\x07",
    b"\x1b[" + b"1;" * 40 + b"mZ",
    b"\x1b]0;" + b"t" * 5000 + b"\x07after",
    b"\x1bP" + b"q" * 5000 + b"\x1b\\after",
    b"0123456789A",
)


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: repr(sequence[:16]))
def test_a_redraw_in_the_middle_of_a_sequence_carries_its_beginning(sequence: bytes) -> None:
    whole = Engine(6, 10)
    whole.feed(b"before" + sequence)
    cuts = (
        range(len(sequence) + 1)
        if len(sequence) < 200
        else (1, 2, 3, 4, 100, 4094, 4095, 4096, 4097, 4098, 4099, 4100, 4101)
    )
    for cut in cuts:
        first = Engine(6, 10)
        first.feed(b"before" + sequence[:cut])
        second = Engine(6, 10)
        second.feed(DIRTY)
        second.feed(first.redraw())
        assert screen_part(second) == screen_part(first), cut
        second.feed(sequence[cut:])
        if len(sequence) < 200:
            assert screen_part(second) == screen_part(whole), cut
        else:  # a string too long to be carried: what it would have done is lost, and nothing else
            assert second.text() == whole.text(), cut


def test_grammar_fuzz_at_every_kind_of_place() -> None:
    for seed in range(400):
        rows, cols, made = generate(seed)
        output = b"".join(made)
        cut = seed * 7919 % (len(output) + 1)
        check(rows, cols, output[:cut], b"".join(generate(seed + 1)[2]), output[cut:])
