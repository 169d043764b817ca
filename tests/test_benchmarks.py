"""The harness computes and checks what it says; nothing here depends on time."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from benchmarks import bench_flood, content, figures, frames, report
from benchmarks.content import Content
from benchmarks.errors import Wrong
from benchmarks.figures import Cell, Row
from benchmarks.harness import Page, Results
from benchmarks.wires import BinaryWire, JsonWire, RawWire, Wire

ROOT = Path(__file__).resolve().parent.parent
MASK = b"\x01\x02\x03\x04"


def server_frame(payload: bytes, *, opcode: int = frames.BINARY, fin: bool = True) -> bytes:
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([(0x80 if fin else 0) | opcode]) + length + payload


@pytest.mark.parametrize(
    ("percent", "expected"), [(0.1, 1), (1, 1), (1.1, 2), (50, 50), (99, 99), (99.5, 100), (100, 100)]
)
def test_percentile_is_the_nearest_rank(percent: float, expected: float) -> None:
    assert figures.percentile(list(range(100, 0, -1)), percent) == expected


def test_percentile_of_one_sample_is_that_sample() -> None:
    assert [figures.percentile([7], percent) for percent in (1, 50, 100)] == [7, 7, 7]


@pytest.mark.parametrize(("samples", "percent"), [([], 50), ([1], 0), ([1], 101)])
def test_percentile_refuses_what_has_no_answer(samples: list[float], percent: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        figures.percentile(samples, percent)


def test_latencies_are_given_in_microseconds() -> None:
    samples = [1000 * each for each in range(1, 101)]
    assert figures.p50_p99_us(samples) == (50, 99)
    assert figures.avg_p99_us(samples) == (50.5, 99)


def test_a_cell_is_the_median_over_rounds_part_by_part() -> None:
    assert Cell(rounds=[(1.0, 30.0), (9.0, 10.0), (2.0, 20.0)]).medians == (2.0, 20.0)
    assert Cell().medians == ()


def test_ratios_are_ours_by_the_peer() -> None:
    assert figures.ratios(Cell(rounds=[(1.0, 9.0)]), Cell(rounds=[(2.0, 3.0)])) == (0.5, 3.0)
    assert figures.ratios(Cell(rounds=[(1.0,)]), Cell()) == ()
    assert figures.ratios(Cell(rounds=[(1.0,)]), Cell(rounds=[(0.0,)])) == ()


def test_content_is_the_same_every_time_and_no_line_comes_twice() -> None:
    size = 3 * content.BLOCK * content.LINE
    first = b"".join(content.blocks(size))
    assert len(first) == size
    assert first == b"".join(content.blocks(size))
    lines = first.splitlines(keepends=True)
    assert {len(line) for line in lines} == {content.LINE}
    assert len(set(lines)) == len(lines) == Content.of(size).lines
    assert first.isascii()


def test_content_of_any_length_begins_like_a_longer_one() -> None:
    assert b"".join(content.blocks(1000)) == b"".join(content.blocks(100_000))[:1000]


@pytest.mark.parametrize("cut", [1, 63, 64, 65, 4096])
def test_content_is_recognised_however_it_was_cut(cut: int) -> None:
    whole = b"".join(content.blocks(10_000))
    Content.of(10_000).check(whole[at : at + cut] for at in range(0, len(whole), cut))


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (lambda whole: whole[:-1], "differs at byte 9999"),
        (lambda whole: whole + b"x", "got 1 more"),
        (lambda whole: whole[:500] + b"\x00" + whole[501:], "differs at byte 500:"),
        (lambda whole: whole[:640] + whole[704:], "differs at byte"),
        (lambda whole: whole[64:128] + whole[:64] + whole[128:], "differs at byte"),
    ],
    ids=["lost", "added", "changed", "line lost", "lines swapped"],
)
def test_content_that_is_not_whole_is_found_out(spoilt: Callable[[bytes], bytes], message: str) -> None:
    with pytest.raises(Wrong, match=message):
        Content.of(10_000).check([spoilt(b"".join(content.blocks(10_000)))])


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_client_frames_are_masked_and_say_their_length(size: int) -> None:
    payload = bytes(at & 0xFF for at in range(size))
    frame = frames.client_frame(frames.BINARY, payload, MASK)
    header = {1: 2, 2: 4, 8: 10}[1 if size < 126 else 2 if size < 65536 else 8]
    assert frame[0] == 0x82
    assert frame[1] == 0x80 | (size if size < 126 else 126 if size < 65536 else 127)
    if size >= 126:
        assert int.from_bytes(frame[2:header], "big") == size
    assert frame[header : header + 4] == MASK
    assert bytes(byte ^ MASK[at & 3] for at, byte in enumerate(frame[header + 4 :])) == payload


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 1000])
def test_output_is_decoded_however_it_arrives(cut: int) -> None:
    sent = server_frame(b"a" * 300) + server_frame(b"b", fin=False) + server_frame(b"?", opcode=frames.PING)
    sent += server_frame(b"c", opcode=0) + server_frame(b"")
    wire = BinaryWire(MASK)
    got, replies = b"", b""
    for at in range(0, len(sent), cut):
        got += wire.decode(memoryview(sent[at : at + cut]))
        replies += wire.replies
    assert got == b"a" * 300 + b"bc"
    assert replies == frames.client_frame(frames.PONG, b"?", MASK)


def test_a_closed_connection_is_not_mistaken_for_output() -> None:
    with pytest.raises(Wrong, match="close frame"):
        BinaryWire(MASK).decode(memoryview(server_frame(b"\x03\xe8", opcode=frames.CLOSE)))


def test_terminado_speaks_json_arrays() -> None:
    wire = JsonWire(MASK)
    assert wire.encode(b"x") == frames.client_frame(frames.TEXT, b'["stdin", "x"]', MASK)
    sent = server_frame(b'["setup", {}]', opcode=frames.TEXT) + server_frame(b'["stdout", "a\\n"]', opcode=frames.TEXT)
    assert wire.decode(memoryview(sent)) == b"a\n"
    with pytest.raises(Wrong, match="disconnect"):
        wire.decode(memoryview(server_frame(b'["disconnect", 1]', opcode=frames.TEXT)))


def packed(wire: Wire, piece: bytes) -> bytes:
    if isinstance(wire, JsonWire):
        text = piece.decode("ascii").replace("\n", "\\n")
        return server_frame(f'["stdout", "{text}"]'.encode("ascii"), opcode=frames.TEXT)
    return server_frame(piece) if isinstance(wire, BinaryWire) else piece


@pytest.mark.parametrize("wire", [RawWire(), BinaryWire(MASK), JsonWire(MASK)], ids=["raw", "binary", "json"])
def test_a_transfer_ends_with_its_last_byte_and_not_before(wire: Wire) -> None:
    expected = Content.of(20_000)
    whole = b"".join(content.blocks(20_000))
    sent = b"".join(packed(wire, whole[at : at + 777]) for at in range(0, len(whole), 777))
    memory = memoryview(bytearray(sent))
    walk = frames.Walk()
    ends = [end for end in range(1, len(sent) + 1) if wire.whole(walk, memory, end, expected)]
    assert ends == [len(sent)]
    expected.check(wire.output_in(memory, len(sent)))


def test_the_table_shows_ratios_failures_and_what_a_peer_has_not() -> None:
    assert report._number(1234.5) == "1,234"
    assert report._cell(None) == "-"
    assert report._cell(Cell(failure="why")) == "failed"
    assert report._cell(Cell(rounds=[(1.0, 12.34)])) == "1.00 / 12.3"
    assert report._ratio(Cell(rounds=[(1.0,)]), Cell(rounds=[(2.0,)])) == "0.50x"
    assert report._ratio(Cell(rounds=[(1.0,)]), Cell(failure="why")) == "-"
    assert report._label(Row("key", "name", "us", ("p50", "p99"))) == "name, p50 / p99 us"
    assert report._label(bench_flood.ROWS[0]).endswith("MiB/s ↑")


def test_the_report_has_every_round_and_names_who_failed_and_why() -> None:
    results = Results()
    for rate in (10.0, 30.0, 20.0):
        results.add("vibetunnel", {"flood_rate": (rate,), "flood_cpu": (1.0,)})
    page = cast(Page, bench_flood)
    results.fail("terminado", page, "it lost a byte")
    peers = {"vibetunnel": "this one", "terminado": "that one"}
    whole = (results, {"machine": "a small one"})
    table = report.markdown([page], peers, {"floor": "no compiler"}, *whole)
    assert "| flood to one client, every byte checked, MiB/s ↑ | 20.0 | failed | - |" in table
    for line in ("- machine: a small one", "- floor: not measured: no compiler", "- flood, terminado: it lost a byte"):
        assert line in table.splitlines()
    rows = json.loads(report.as_json([page], peers, {}, *whole))["rows"]
    assert rows[0]["peers"]["vibetunnel"] == {"medians": [20.0], "rounds": [[10.0], [30.0], [20.0]]}
    assert rows[0]["peers"]["terminado"] == {"failure": "it lost a byte"}


def test_list_says_what_is_measured() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--list"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    for word in ("echo", "flood", "rest", "memory", "vibetunnel", "terminado", "floor"):
        assert f"\n{word} " in f"\n{listed}", word


def test_an_unknown_page_is_named() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks", "ecco"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert answer.returncode == 2
    assert "got ecco" in answer.stderr
