"""Bodies in chunks: whatever way they are cut, the same bytes; and nothing that the grammar does not say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibetunnel.http.chunked import MAX_LINE, MAX_TRAILER, Chunks, MalformedChunks


def decoded(data: bytes, sizes: list[int]) -> tuple[bytes, Chunks]:
    """The body in `data`, which is fed in pieces of these sizes, over and over."""
    chunks, found, turn = Chunks(), b"", 0
    while data:
        size = sizes[turn % len(sizes)]
        turn += 1
        found += chunks.feed(data[:size])
        data = data[size:]
    return found, chunks


@given(
    st.lists(st.binary(min_size=1, max_size=300), max_size=8),
    st.sampled_from([b"", b";a", b'; a="b;c"', b" \t;x=\xff"]),
    st.sampled_from([b"", b"A: b\r\n", b"A: b\r\nC: d\r\n"]),
    st.binary(max_size=50),
    st.lists(st.integers(1, 400), min_size=1, max_size=5),
)
def test_a_body_comes_out_as_it_went_in_and_the_rest_is_left(
    pieces: list[bytes], extension: bytes, trailer: bytes, behind: bytes, sizes: list[int]
) -> None:
    coded = b"".join(b"%x%b\r\n%b\r\n" % (len(each), extension, each) for each in pieces)
    found, chunks = decoded(coded + b"0" + extension + b"\r\n" + trailer + b"\r\n" + behind, sizes)
    assert found == b"".join(pieces)
    assert chunks.ended
    assert chunks.rest == behind


@given(st.binary(max_size=200), st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_anything_is_a_body_or_refused_however_it_is_cut(data: bytes, sizes: list[int]) -> None:
    def outcome(cuts: list[int]) -> tuple[bytes, bool, bytes] | None:
        try:
            found, chunks = decoded(data, cuts)
        except MalformedChunks:
            return None
        return found, chunks.ended, chunks.rest

    assert outcome(sizes) == outcome([len(data) + 1])


LONGEST = b"3;" + b"x" * (MAX_LINE - 2)


def test_a_line_may_be_as_long_as_is_said() -> None:
    assert decoded(LONGEST + b"\r\nabc\r\n0\r\n\r\n", [1])[0] == b"abc"


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n", b"g\r\n", b" 3\r\n", b"+3\r\n", b"0x3\r\n", b"3 \r\n", b"3\rabc\r\n", b"3\nabc\n", b"3;a\nb\r\n",
        b"3;\0\r\n", b"123456789\r\n", b"3\r\nabcd\r\n", b"3\r\nabc\n0\r\n\r\n", b"0\r\nA: b\nC: d\r\n\r\n",
        LONGEST + b"x\r\n", LONGEST + b"x" * 1000, b"0\r\n" + b"A: b\r\n" * (MAX_TRAILER // 6 + 1),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [1, 100_000])
def test_data_outside_the_grammar_is_refused(data: bytes, size: int) -> None:
    with pytest.raises(MalformedChunks):
        decoded(data, [size])
