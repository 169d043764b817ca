"""The frame codec: encoding, decoding wherever the bytes are cut, and the close code of each invalid frame."""

from itertools import pairwise

import pytest
from frame_oracle import Oracle
from hypothesis import example, given
from hypothesis import strategies as st

from vibetunnel._ext import frames

KEY = b"\x12\xff\x00\x9a"


def decode(data: bytes, *cuts: int, **options: int) -> tuple[list[tuple[int, bytes]], int]:
    """(messages, close code or 0) of data fed in pieces."""
    decoder = frames.Decoder(**options)
    messages: list[tuple[int, bytes]] = []
    bounds = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    try:
        for start, end in pairwise(bounds):
            messages += [tuple(message) for message in decoder.feed(data[start:end])]
    except frames.FrameError as error:
        return messages + [tuple(message) for message in error.messages], error.code
    return messages, 0


PRESSED_TEXT, PRESSED_BINARY = frames.TEXT | frames.COMPRESSED, frames.BINARY | frames.COMPRESSED


def close(payload: bytes) -> bytes:
    return frames.encode(frames.CLOSE, payload, mask=KEY)


@pytest.mark.parametrize(
    ("length", "header"),
    [
        (0, "8200"),
        (125, "827d"),
        (126, "827e007e"),
        (65535, "827effff"),
        (65536, "827f0000000000010000"),
    ],
)
def test_a_payload_length_is_written_in_its_shortest_form(length: int, header: str) -> None:
    assert frames.encode(frames.BINARY, b"x" * length).hex()[: len(header)] == header
    assert decode(frames.encode(frames.BINARY, b"x" * length), masked=False, limit=1 << 20)[0] == [(2, b"x" * length)]


def test_the_rfc_examples_decode() -> None:
    # RFC 6455 §5.7
    assert decode(bytes.fromhex("818537fa213d7f9f4d5158")) == ([(1, b"Hello")], 0)
    assert decode(bytes.fromhex("010348656c80026c6f"), masked=False) == ([(1, b"Hello")], 0)
    assert decode(bytes.fromhex("890548656c6c6f"), masked=False) == ([(9, b"Hello")], 0)
    assert decode(bytes.fromhex("8a8537fa213d7f9f4d5158")) == ([(10, b"Hello")], 0)


def test_a_control_frame_inside_a_fragmented_message_comes_first() -> None:
    data = (
        frames.encode(frames.TEXT, b"a", fin=False, mask=KEY)
        + frames.encode(frames.PING, b"p", mask=KEY)
        + frames.encode(frames.CONTINUATION, b"b", mask=KEY)
    )
    assert decode(data) == ([(9, b"p"), (1, b"ab")], 0)


def test_a_message_of_the_limit_passes_and_one_byte_more_is_1009() -> None:
    assert decode(frames.encode(frames.BINARY, b"x" * 65536, mask=KEY)) == ([(2, b"x" * 65536)], 0)
    assert decode(frames.encode(frames.BINARY, b"x" * 65537, mask=KEY)) == ([], 1009)
    whole = frames.encode(2, b"x" * 65536, fin=False, mask=KEY)
    assert decode(whole + frames.encode(0, b"y", mask=KEY)) == ([], 1009)
    assert decode(whole + frames.encode(0, b"", mask=KEY)) == ([(2, b"x" * 65536)], 0)


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("reserved bit", "c180" + KEY.hex(), 1002),
        ("unknown opcode", "8380" + KEY.hex(), 1002),
        ("unknown control opcode", "8b80" + KEY.hex(), 1002),
        ("unmasked", "8100", 1002),
        ("continuation of nothing", "8080" + KEY.hex(), 1002),
        ("fragmented ping", "0980" + KEY.hex(), 1002),
        ("ping of 126 bytes", "89fe007e" + KEY.hex(), 1002),
        ("long form of a short length", "81fe0005" + KEY.hex(), 1002),
        ("64-bit form of a short length", "81ff000000000000ffff" + KEY.hex(), 1002),
        ("length with the top bit", "81ff8000000000000000" + KEY.hex(), 1002),
        ("a message begun inside another", "0180" + KEY.hex() + "8180" + KEY.hex(), 1002),
        ("close of one byte", close(b"\x03").hex(), 1002),
        ("close 1005", close(b"\x03\xed").hex(), 1002),
        ("close 1006", close(b"\x03\xee").hex(), 1002),
        ("close 2999", close(b"\x0b\xb7").hex(), 1002),
        ("close reason not UTF-8", close(b"\x03\xe8\xff").hex(), 1007),
        ("text not UTF-8", frames.encode(1, b"\xc0\x80", mask=KEY).hex(), 1007),
        ("text that ends inside a character", frames.encode(1, b"\xe2\x82", mask=KEY).hex(), 1007),
    ],
)
def test_a_malformed_frame_gets_the_close_code_of_the_rfc(name: str, data: str, code: int) -> None:
    assert decode(bytes.fromhex(data)) == ([], code), name


def first(opcode: int, **options: bool) -> bytes:
    return frames.encode(opcode, b"payload", mask=KEY, **options)


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("text", first(PRESSED_TEXT), ([(PRESSED_TEXT, b"payload")], 0)),
        ("binary", first(PRESSED_BINARY), ([(PRESSED_BINARY, b"payload")], 0)),
        ("not compressed all the same", first(frames.TEXT), ([(frames.TEXT, b"payload")], 0)),
        (
            "in fragments, with a ping between",
            first(PRESSED_TEXT, fin=False) + first(frames.PING) + first(frames.CONTINUATION) + first(frames.BINARY),
            ([(9, b"payload"), (PRESSED_TEXT, b"payload" * 2), (2, b"payload")], 0),
        ),
        ("on a continuation", first(2, fin=False) + first(frames.COMPRESSED), ([], 1002)),
        (
            "on a continuation of a compressed one",
            first(PRESSED_BINARY, fin=False) + first(frames.COMPRESSED),
            ([], 1002),
        ),
        ("on a ping", first(frames.PING | frames.COMPRESSED), ([], 1002)),
        ("on a close", first(frames.CLOSE | frames.COMPRESSED), ([], 1002)),
        ("on an opcode that there is not", first(3 | frames.COMPRESSED), ([], 1002)),
        ("with another reserved bit", bytes([0xE2, 0x80]) + KEY, ([], 1002)),
        ("another reserved bit alone", bytes([0xA2, 0x80]) + KEY, ([], 1002)),
    ],
)
def test_rsv1_is_valid_only_on_the_first_frame_of_a_message(name: str, data: bytes, expected: object) -> None:
    assert decode(data, deflate=True) == expected, name
    assert decode(data, *range(len(data)), deflate=True) == expected, name
    if frames.COMPRESSED & data[0]:
        assert decode(data) == ([], 1002)


def test_a_compressed_message_may_be_a_little_longer_than_the_limit() -> None:
    limit = 1000 + 62 + 64
    whole = frames.encode(PRESSED_BINARY, b"x" * limit, mask=KEY)
    assert decode(whole, deflate=True, limit=1000) == ([(PRESSED_BINARY, b"x" * limit)], 0)
    assert decode(frames.encode(PRESSED_BINARY, b"x" * (limit + 1), mask=KEY), deflate=True, limit=1000) == ([], 1009)
    assert decode(frames.encode(frames.BINARY, b"x" * 1001, mask=KEY), deflate=True, limit=1000) == ([], 1009)
    half = frames.encode(PRESSED_BINARY, b"x" * 900, fin=False, mask=KEY)
    rest = frames.encode(frames.CONTINUATION, b"x" * (limit - 900), mask=KEY)
    assert decode(half + rest, deflate=True, limit=1000)[1] == 0
    more = frames.encode(frames.CONTINUATION, b"x" * (limit - 899), mask=KEY)
    assert decode(half + more, deflate=True, limit=1000) == ([], 1009)


def test_a_masked_frame_from_a_server_is_refused() -> None:
    assert decode(frames.encode(frames.TEXT, b"x", mask=KEY), masked=False) == ([], 1002)


def test_a_failed_decoder_stays_failed() -> None:
    decoder = frames.Decoder()
    for _ in range(2):
        with pytest.raises(frames.FrameError) as caught:
            decoder.feed(b"\x81\x00")
        assert caught.value.code == 1002


def test_messages_before_a_malformed_frame_are_kept() -> None:
    assert decode(frames.encode(2, b"ok", mask=KEY) + b"\x81\x00") == ([(2, b"ok")], 1002)


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4), st.integers(0, 7))
def test_masking_is_xor_with_the_repeated_key(data: bytes, key: bytes, phase: int) -> None:
    masked = frames.mask(data, key, phase)
    assert masked == bytes(c ^ key[(i + phase) % 4] for i, c in enumerate(data))
    assert frames.mask(masked, key, phase) == data


@given(
    st.one_of(
        st.binary(max_size=40),
        st.text(max_size=20).map(str.encode),
        st.text(max_size=8).map(lambda t: b"x" * 7 + t.encode()),
    )
)
@example(b"\xed\xa0\x80")
@example(b"\xf4\x90\x80\x80")
@example(b"\xe0\x9f\xbf")
@example(b"\xf0\x8f\xbf\xbf")
@example(b"x" * 8 + b"\xc3")
def test_utf8_check_agrees_with_python(data: bytes) -> None:
    try:
        data.decode()
        valid = True
    except UnicodeDecodeError:
        valid = False
    assert frames.is_utf8(data) is valid


FRAME = st.builds(
    lambda opcode, payload, fin, mask, reserved: (
        bytes([frame[0] | reserved << 4]) + frame[1:]
        if (frame := frames.encode(opcode, payload, fin=fin, mask=mask)) is not None
        else b""
    ),
    st.sampled_from([0, 1, 2, 8, 9, 10, 0, 1, 2, 3, 11]),
    st.one_of(
        st.binary(max_size=8),
        st.text(max_size=8).map(str.encode),
        st.sampled_from([b"x" * 125, b"x" * 126, b"\x03\xe8ok"]),
    ),
    st.booleans(),
    st.sampled_from([KEY, KEY, KEY, KEY, b"\0\0\0\0", None]),
    st.sampled_from([0] * 12 + [4]),
)


@given(
    st.lists(FRAME, max_size=8).map(b"".join), st.lists(st.integers(0, 2000), max_size=6), st.booleans(), st.booleans()
)
def test_any_frames_cut_anywhere_decode_as_the_oracle_says(
    data: bytes, cuts: list[int], small: bool, deflate: bool
) -> None:
    limit = 100 if small else 65536
    oracle = Oracle(limit=limit, deflate=deflate)
    oracle.feed(data)
    assert decode(data, *cuts, limit=limit, deflate=deflate) == (oracle.messages, oracle.error)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_any_bytes_decode_as_the_oracle_says(data: bytes, cuts: list[int]) -> None:
    oracle = Oracle()
    oracle.feed(data)
    assert decode(data, *cuts) == (oracle.messages, oracle.error)


def test_bad_arguments_say_what_was_expected() -> None:
    with pytest.raises(ValueError, match=r"opcode: expected 0\.\.15, COMPRESSED or not, got 16"):
        frames.encode(16, b"")
    with pytest.raises(ValueError, match="mask: expected 4 bytes, got 3"):
        frames.encode(1, b"", mask=b"abc")
    with pytest.raises(ValueError, match="key: expected 4 bytes, got 0"):
        frames.mask(b"x", b"")
    with pytest.raises(TypeError):
        frames.encode(1, "text")  # type: ignore[arg-type]
