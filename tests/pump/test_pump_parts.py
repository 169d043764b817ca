"""The pump's pure parts: v1 messages, the JSON objects of raw mode, and the ring."""

import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pump_peer import deflated, inflated

from vibetunnel import protocol
from vibetunnel._ext import probes

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "v1.json").read_text())["messages"]
RING_SIZE = 65536
CHECKPOINTS = 2 * 1024 * 1024


# ---------------------------------------------------------------- vibetunnel.v1


def fields(message: msgspec.Struct) -> dict[str, Any]:
    """A message of vibetunnel.protocol in the vectors' form: offsets as decimal strings, data as hex."""
    name = type(message).__name__
    result: dict[str, Any] = {"type": name.removesuffix("Request").lower()}
    for key, value in msgspec.structs.asdict(message).items():
        if isinstance(value, bytes):
            value = value.hex()
        elif key in ("offset", "start", "live", "accepted", "top", "oldest", "first", "before"):
            value = str(value)
        result[key] = list(value) if isinstance(value, tuple) else value
    return result


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_every_vector_decodes_and_encodes_in_python(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["hex"])
    message = protocol.decode(raw)
    assert message is not None
    assert fields(message) == vector["fields"]
    assert protocol.encode(message) == raw


def test_the_extension_writes_every_vector_from_the_server() -> None:
    seen = set()
    for vector in VECTORS:
        f = vector["fields"]
        match vector["from"], f["type"]:
            case "server", "output":
                made = probes.output(int(f["offset"]), bytes.fromhex(f["data"]))
            case "server", "hello":
                flags = f["writable"] + 2 * f["owner"]
                offsets = (int(f["start"]), int(f["live"]), int(f["accepted"]))
                made = probes.hello(flags, f["rows"], f["cols"], *offsets, f["window"])
            case "server", "redraw":
                lines = (int(f["top"]), int(f["oldest"]))
                made = probes.redraw(
                    int(f["offset"]), *lines, f["rows"], f["cols"], int(f["alternate"]), bytes.fromhex(f["data"])
                )
            case "server", "damage":
                made = probes.damage(int(f["offset"]), int(f["top"]), int(f["oldest"]), bytes.fromhex(f["data"]))
            case "server", "lines":
                flags = f["last"] + 2 * f["wrapped"]
                made = probes.lines(int(f["first"]), f["count"], int(f["oldest"]), flags, bytes.fromhex(f["data"]))
            case "server", "resize":
                made = probes.resize(f["rows"], f["cols"], int(f["owner"]))
            case "server", "exit":
                made = probes.exited(f["code"], f["signal"], f["reason"].encode())
            case "server", "error":
                made = probes.error(f["code"], f["text"].encode())
            case "server", "accepted":
                made = probes.accepted(int(f["offset"]))
            case "server", "access":
                made = probes.access(int(f["writable"]), f["id"].encode())
            case _:
                continue
        seen.add(f["type"])
        assert made.hex() == vector["hex"], vector["name"]
    assert seen == {"output", "hello", "redraw", "damage", "lines", "resize", "exit", "error", "accepted", "access"}


def test_the_extension_reads_every_vector_from_a_client() -> None:
    for vector in VECTORS:
        if vector["from"] == "server":
            continue
        f = vector["fields"]
        request = probes.read_request(bytes.fromhex(vector["hex"]))
        assert request is not None
        kind, offset, rows, cols, flags, count, data = request
        kinds = {"input": 0x81, "resize": 0x82, "ack": 0x83, "ping": 0x84, "lines": 0x85, "redraw": 0x86}
        assert kind == (kinds | {"appearance": 0x87})[f["type"]]
        if f["type"] == "appearance":
            stated = (f["dark"], f["cell_height"], f["cell_width"], tuple(f["colours"]))
            assert probes.read_appearance(bytes.fromhex(vector["hex"])) == stated
        if "offset" in f or "before" in f:
            assert str(offset) == f.get("offset", f.get("before"))
        assert count == f.get("count", 0)
        if "rows" in f:
            assert (rows, cols) == (f["rows"], f["cols"])
        assert flags == f.get("take_size", False) + 2 * f.get("hidden", False)
        assert data.hex() == f.get("data", "")


def test_a_resize_request_without_flags_only_states_the_viewport() -> None:
    message = bytes.fromhex("8200210065")
    assert protocol.decode(message) == protocol.ResizeRequest(33, 101)
    assert probes.read_request(message) == (0x82, 0, 33, 101, 0, 0, b"")


@pytest.mark.parametrize(
    "message",
    [
        *("", "81", "8100000000000000", "82001800", "8200000050", "82001803e9", "83"),
        *("84" + "00" * 65, "85" + "00" * 11, "85" + "00" * 8 + "00002711"),
        *("87" + "00" * 61, "870003e90000" + "00" * 57, "8700000003e9" + "00" * 57),
    ],
)
def test_a_malformed_request_is_refused(message: str) -> None:
    with pytest.raises(ValueError, match="malformed"):
        probes.read_request(bytes.fromhex(message))


def test_an_unknown_type_is_ignored_by_both() -> None:
    assert probes.read_request(b"\x99xyz") is None
    assert protocol.decode(b"\x99xyz") is None
    with pytest.raises(protocol.ProtocolError, match="empty"):
        protocol.decode(b"")
    with pytest.raises(protocol.ProtocolError, match="0x01"):
        protocol.decode(b"\x01abc")
    with pytest.raises(protocol.ProtocolError, match="0x0c"):
        protocol.decode(b"\x0c")


# ---------------------------------------------------------------- the JSON objects of raw mode


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"type":"input","data":"ls\\r"}', ("input", b"ls\r")),
        (
            '{"type":"input","data":"\\u00e9 \\ud83d\\ude00 \\ud800 \\"\\\\\\/\\b\\f\\n\\t"}',
            ("input", 'é 😀 \ufffd "\\/\b\f\n\t'.encode()),
        ),
        ('{"type":"input","data":""}', ("input", b"")),
        (' {"extra":[1,{"type":"x"}],"data":"a","type":"input"}\n', ("input", b"a")),
        ('{"type":"resize","rows":24,"cols":80}', ("resize", 24, 80)),
        ('{"type":"resize","data":{"cols":80,"rows":24}}', ("resize", 24, 80)),
        ('{"type":"resize","data":"{\\"cols\\":80,\\"rows\\":24}"}', ("resize", 24, 80)),
        ('{"type":"ping"}', ("ping",)),
        ('{"type":"input"}', ("bad",)),
        ('{"type":"input","data":5}', ("bad",)),
        ('{"type":"resize","rows":0,"cols":80}', ("bad",)),
        ('{"type":"resize","rows":24.0,"cols":80}', ("bad",)),
        ('{"type":"resize","rows":1001,"cols":80}', ("bad",)),
        ('{"type":"resize","data":"{"}', ("bad",)),
        ('{"type":"other","data":"x"}', None),
        ('{"data":"x"}', None),
        ('["type","input"]', None),
        ("{", None),
        ("7", None),
        ('"x"', None),
        ("ls -la", None),
        ("", None),
        ('{"type":"ping"} x', None),
        ('{"type":"ping",}', None),
        ('{"type":"input","data":"\\x"}', None),
        ('{"type":"input","data":"\t"}', None),
        ("[" * 40 + "]" * 40, None),
        ('{"type":"ping","x":' + "[" * 40 + "]" * 40 + "}", None),
    ],
)
def test_a_text_message_is_input_unless_it_is_one_of_the_objects(text: str, expected: object) -> None:
    assert probes.read_object(text.encode()) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=3), st.text(max_size=20), st.booleans())
def test_an_input_object_gives_its_text_whatever_stands_beside_it(
    rest: dict[str, Any], data: str, ascii_only: bool
) -> None:
    text = json.dumps({**rest, "type": "input", "data": data}, ensure_ascii=ascii_only)
    assert probes.read_object(text.encode()) == ("input", data.encode())


@given(st.text(alphabet='{}[]":,\\ue0123456789.-+tfnrs daypinputlz\n', max_size=40))
def test_text_that_python_does_not_read_as_an_object_is_input_unchanged(text: str) -> None:
    try:
        value = json.loads(text)
        ours = isinstance(value, dict) and value.get("type") in ("input", "resize", "ping")
    except ValueError:
        ours = False
    assert (probes.read_object(text.encode()) is not None) == ours


# ---------------------------------------------------------------- the ring


@pytest.fixture
def ring_fd() -> Iterator[int]:
    fd = os.memfd_create("ring")
    os.ftruncate(fd, 4096 + RING_SIZE + CHECKPOINTS)
    yield fd
    os.close(fd)


def test_a_ring_keeps_its_capacity_across_its_end(ring_fd: int) -> None:
    ring = probes.Ring(ring_fd)
    printed = b""
    for i in range(100):
        piece = bytes(f"{i:05}", "ascii") * 300
        ring.put(piece)
        printed += piece
        assert ring.head == len(printed)
        assert ring.oldest == max(0, ring.head - ring.capacity)
        assert ring.copy(ring.oldest, ring.head - ring.oldest) == printed[ring.oldest :]
    assert ring.capacity == RING_SIZE - 2 * ring.MARGIN


def test_the_next_server_goes_on_at_the_same_offset(ring_fd: int) -> None:
    ring = probes.Ring(ring_fd)
    ring.put(b"first")
    del ring
    again = probes.Ring(ring_fd)
    assert again.head == 5
    assert again.copy(0, 5) == b"first"


@given(st.lists(st.integers(1, 4096), max_size=30), st.text(min_size=1, max_size=900).map(str.encode))
def test_bytes_that_a_killed_server_read_but_did_not_count_are_found(sizes: list[int], lost: bytes) -> None:
    fd = os.memfd_create("ring")
    try:
        os.ftruncate(fd, 4096 + RING_SIZE + CHECKPOINTS)
        ring = probes.Ring(fd)
        for size in sizes:
            ring.put(b"z" * size)
        head = ring.head
        ring.put(lost, commit=False)
        del ring
        again = probes.Ring(fd)
        assert again.head == head + len(lost)
        assert again.copy(head, len(lost)) == lost
        del again
        assert probes.Ring(fd).head == head + len(lost)
    finally:
        os.close(fd)


def test_a_ring_whose_server_died_while_making_it_starts_afresh(ring_fd: int) -> None:
    os.pwrite(ring_fd, RING_SIZE.to_bytes(8, "little"), 8)  # the size is written, the magic is not
    ring = probes.Ring(ring_fd)
    ring.put(b"works")
    assert ring.copy(0, 5) == b"works"


@pytest.mark.parametrize("size", [0, 4096, 4096 + RING_SIZE, 4096 + 16384 + CHECKPOINTS, 4096 + 65537 + CHECKPOINTS])
def test_a_ring_of_a_bad_size_is_refused(ring_fd: int, size: int) -> None:
    os.ftruncate(ring_fd, size)
    with pytest.raises(ValueError, match="size"):
        probes.Ring(ring_fd)


def test_a_header_of_something_else_is_refused(ring_fd: int) -> None:
    os.pwrite(ring_fd, b"something else, longer than the magic", 0)
    with pytest.raises(ValueError, match="header"):
        probes.Ring(ring_fd)


def test_a_new_server_begins_with_the_older_checkpoint_that_the_output_goes_on_from(ring_fd: int) -> None:
    ring = probes.Ring(ring_fd)
    assert ring.found() is None
    ring.put(b"z" * 100)
    ring.checkpoint(100, 24, 80, b"first")
    assert ring.found() == (100, 24, 80, b"first")
    ring.put(b"z" * 100)
    ring.checkpoint(200, 30, 90, b"second")
    assert ring.found() == (100, 24, 80, b"first")
    ring.put(b"z" * 100)
    ring.checkpoint(300, 30, 91, b"third")
    assert ring.found() == (200, 30, 90, b"second")
    del ring
    again = probes.Ring(ring_fd)
    assert again.found() == (200, 30, 90, b"second")
    while again.oldest <= 300:
        again.put(b"z" * 4096)
    assert again.found() is None


@pytest.mark.parametrize("killed_at", [0, 1])
def test_a_checkpoint_that_a_kill_cut_short_is_not_used(ring_fd: int, killed_at: int) -> None:
    ring = probes.Ring(ring_fd)
    ring.checkpoint(0, 24, 80, b"first")
    ring.checkpoint(0, 24, 80, b"second")
    os.pwrite(ring_fd, bytes(8), 48 + 32 * killed_at)  # its number, which is written last
    assert probes.Ring(ring_fd).found() == (0, 24, 80, [b"second", b"first"][killed_at])


def test_an_input_stream_is_remembered_until_32_others_have_come(ring_fd: int) -> None:
    ring = probes.Ring(ring_fd)
    first, fresh = ring.slot(b"A" * 16)
    assert fresh
    assert ring.slot(b"A" * 16) == (first, False)
    others = {ring.slot(bytes([i]) * 16)[0] for i in range(31)}
    assert ring.slot(b"A" * 16) == (first, False)
    assert len(others | {first}) == 32
    stolen, fresh = ring.slot(b"B" * 16, taken=1 << first)
    assert fresh
    assert stolen != first
    assert ring.slot(b"C" * 16, taken=0xFFFFFFFF) == (-1, False)


# ---------------------------------------------------------------- permessage-deflate


@pytest.fixture(scope="module")
def codec() -> probes.Codec:
    return probes.Codec()


TEXTS = st.one_of(
    st.binary(max_size=3000),
    st.lists(st.sampled_from([b"\x1b[0m", b"\x1b[31m", b"INFO ", b"compiled ", b"1", b"2", b"\r\n"]), max_size=400).map(
        b"".join
    ),
    st.builds(lambda piece, n: piece * n, st.binary(min_size=1, max_size=30), st.integers(1, 2000)),
)


@given(messages=st.lists(st.lists(TEXTS, min_size=1, max_size=4), min_size=1, max_size=3))
def test_zlib_inflates_a_message_compressed_in_pieces(codec: probes.Codec, messages: list[list[bytes]]) -> None:
    for pieces in messages:  # on one stream, and each by itself
        whole = b"".join(pieces)
        payload = codec.deflate(pieces, len(whole) + 100 + len(whole) // 8)
        assert payload is not None
        assert inflated(payload) == whole
        assert codec.inflate(payload, len(whole)) == whole
        tight = codec.deflate(pieces, len(payload) + 5)
        assert tight == payload
        assert codec.deflate(pieces, len(payload) + 4) is None
        assert codec.deflate(pieces, 0) is None


def test_a_message_that_cannot_become_smaller_is_not_compressed(codec: probes.Codec) -> None:
    noise = os.urandom(5000)
    assert codec.deflate([noise], len(noise) + 4) is None
    log = b"\x1b[32mINFO\x1b[0m compiled in 13 ms\r\n" * 20
    pressed = codec.deflate([log], len(log) + 4)
    assert pressed is not None
    assert len(pressed) < len(log) // 8


@given(
    messages=st.lists(TEXTS, min_size=1, max_size=3),
    level=st.integers(0, 9),
    window=st.integers(9, 15),
    strategy=st.sampled_from([zlib.Z_DEFAULT_STRATEGY, zlib.Z_HUFFMAN_ONLY, zlib.Z_FIXED, zlib.Z_RLE]),
    flush=st.sampled_from([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH]),
)
def test_whatever_zlib_compresses_is_inflated_up_to_the_limit(
    codec: probes.Codec, messages: list[bytes], level: int, window: int, strategy: int, flush: int
) -> None:
    for data in messages:
        engine = zlib.compressobj(level, zlib.DEFLATED, -window, 8, strategy)
        payload = (engine.compress(data) + engine.flush(flush)).removesuffix(b"\0\0\xff\xff")
        assert codec.inflate(payload, len(data)) == data
        assert codec.inflate(payload, 65536) == data
        if data:
            with pytest.raises(ValueError, match="1009"):
                codec.inflate(payload, len(data) - 1)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ("f248cdc9c90700", b"Hello"),  # RFC 7692 §7.2.3: one block
        ("000500faff48656c6c6f00", b"Hello"),  # one that is not compressed
        ("f348cdc9c9070000", b"Hello"),  # one that says that it is the last
        ("f348cdc9c90700", b"Hello"),  # the same without what §7.2.3.4 adds to it
        ("f348cdc9c90700f348cdc9c9070000", b"HelloHello"),  # two of those
        ("f248050000 00ffffcac9c90700", b"Hello"),  # two blocks
        ("00", b""),
        ("01", b""),
        ("", b""),
    ],
)
def test_the_forms_that_a_message_can_have(codec: probes.Codec, payload: str, expected: bytes) -> None:
    assert codec.inflate(bytes.fromhex(payload), 65536) == expected


@pytest.mark.parametrize(
    "payload",
    [
        "f200110000",  # RFC 7692 §7.2.3.2: refers to the message before, which is not taken over
        "f248cdc9c907",  # ends inside a block
        "000500faff4865",  # the same, of one that is not compressed
        "07",  # a block of no kind
        "000500ffff48656c6c6f00",  # lengths that do not agree
        "ffffffffffffffff",
        "789c4bcecf2d284a2d2e4e4d01000ee60339",  # zlib's own format
    ],
)
def test_an_incomplete_message_is_refused(codec: probes.Codec, payload: str) -> None:
    with pytest.raises(ValueError, match="1007"):
        codec.inflate(bytes.fromhex(payload), 65536)
    assert codec.inflate(deflated(b"the next one"), 65536) == b"the next one"


def test_a_bomb_is_looked_at_up_to_the_limit(codec: probes.Codec) -> None:
    bomb = deflated(bytes(100_000_000), 9)
    assert len(bomb) < 100_000
    for limit in (0, 1, 65536):
        with pytest.raises(ValueError, match="1009"):
            codec.inflate(bomb, limit)
    assert codec.inflate(deflated(bytes(65536)), 65536) == bytes(65536)


@given(payload=st.binary(max_size=200), data=TEXTS, at=st.integers(0, 4000), bits=st.integers(1, 255))
def test_damaged_messages_give_the_same_as_zlib_or_nothing(
    codec: probes.Codec, payload: bytes, data: bytes, at: int, bits: int
) -> None:
    damaged = bytearray(deflated(data))
    damaged[at % len(damaged)] ^= bits
    for each in (payload, bytes(damaged)):
        try:
            expected = zlib.decompressobj(-15).decompress(each + b"\0\0\xff\xff", 65537)
        except zlib.error:
            expected = None
        found, code = b"", 0
        try:
            found = codec.inflate(each, 65536)
        except ValueError as error:
            code = error.args[0]
        assert code in (0, 1007, 1009)
        if code == 0:
            assert expected is not None
            assert found.startswith(expected)  # a block that said that it was the last ends it for zlib
        assert code != 1009 or expected is None or len(expected) > 65536
