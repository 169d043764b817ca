"""The benchmark harness: figures, contents, protocols of the peers, and each page once with tiny numbers."""

import contextlib
import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from benchmarks import bench_compression, bench_engine, content, corpus, figures, frames, harness, materials
from benchmarks.chunked import Chunks
from benchmarks.client import Tail
from benchmarks.content import Content
from benchmarks.engines import ENGINES
from benchmarks.errors import Unavailable, Wrong
from benchmarks.figures import Cell
from benchmarks.harness import Page
from benchmarks.http import Http, build
from benchmarks.link import Bucket
from benchmarks.pages import NAMES, ORDER, PAGES
from benchmarks.peers import SERVERS, go, node, outside
from benchmarks.peers.child import Child
from benchmarks.peers.ours import Ours, OurServer
from benchmarks.scale import Scale
from benchmarks.screens import normal
from benchmarks.wires import BinaryWire, GottyWire, GoWire, JsonWire, RawWire, SseWire, TtydWire, V1Wire, Wire
from vibetunnel import protocol

ROOT = Path(__file__).resolve().parents[2]
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
def test_percentile_refuses_input_without_an_answer(samples: list[float], percent: float) -> None:
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
def test_content_is_recognised_wherever_it_is_cut(cut: int) -> None:
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
def test_incomplete_content_is_detected(spoilt: Callable[[bytes], bytes], message: str) -> None:
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
def test_output_is_decoded_wherever_it_is_cut(cut: int) -> None:
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


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_ttyd_tells_title_and_preferences_before_it_prints(cut: int) -> None:
    sent = b"\x82\x151sh dispatch.sh (box)\x82\x042{ }\x82\x060READY\x82\x030a\n"
    wire = TtydWire(MASK)
    assert b"".join(wire.decode(memoryview(sent[at : at + cut])) for at in range(0, len(sent), cut)) == b"READYa\n"
    assert wire.encode(b"x") == frames.client_frame(frames.BINARY, b"0x", MASK)
    hello = b'{"AuthToken": "", "columns": 80, "rows": 24}'
    assert wire.hello(24, 80) == frames.client_frame(frames.BINARY, hello, MASK)
    with pytest.raises(Wrong, match="ttyd: expected output, got b'9'"):
        wire.decode(memoryview(server_frame(b"9")))


def test_a_browser_tells_ttyd_now_and_then_that_it_has_drawn() -> None:
    wire = TtydWire(MASK, resume_every=250)
    replies = []
    for _ in range(6):
        wire.decode(memoryview(server_frame(b"0" + b"a" * 100)))
        replies.append(wire.replies)
    resume = frames.client_frame(frames.BINARY, b"3", MASK)
    assert replies == [b"", b"", resume, b"", b"", resume]


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_gotty_speaks_base64_and_tells_title_and_size_first(cut: int) -> None:
    sent = b"\x81\x073sh@box\x81\x0561024\x81\t1UkVBRFk=\x81\x051YQo="
    wire = GottyWire(MASK)
    assert b"".join(wire.decode(memoryview(sent[at : at + cut])) for at in range(0, len(sent), cut)) == b"READYa\n"
    assert wire.encode(b"xy") == frames.client_frame(frames.TEXT, b"1eHk=", MASK)
    hello = [b'{"Arguments": "?arg=echo", "AuthToken": ""}', b'3{"columns": 80, "rows": 24}', b"4base64"]
    assert wire.hello("?arg=echo", 24, 80) == b"".join(
        frames.client_frame(frames.TEXT, message, MASK) for message in hello
    )
    for unexpected in (b"9", b"1***"):
        with pytest.raises(Wrong, match="gotty: expected output in base64"):
            GottyWire(MASK).decode(memoryview(server_frame(unexpected, opcode=frames.TEXT)))


def test_the_go_server_prints_text_as_it_is_and_takes_objects() -> None:
    wire = GoWire(MASK)
    assert wire.decode(memoryview(b"\x81\x05READY\x81\x02a\n")) == b"READYa\n"
    assert wire.encode(b"\x03") == frames.client_frame(frames.TEXT, b'{"type": "input", "data": "\\u0003"}', MASK)
    assert go.ids([{"id": "a"}, {"id": "b"}]) == go.ids({"sessions": [{"id": "a"}, {"id": "b"}], "count": 2})


NODE_SENT = (
    b"5\r\n:ok\n\n\r\n"
    b'5d\r\ndata: {"version":2,"width":80,"height":24,"timestamp":1795912819,"title":"sh (/)","env":{}}\n\n\r\n'
    b'17\r\ndata: [0,"o","READY"]\n\n\r\n'
    b'28\r\ndata: [0.003000020980834961,"i","a\\n"]\n\n\r\n28\r\ndata: [0.004000186920166016,"o","a\\n"]\n\n\r\n'
)


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_the_node_server_sends_events_of_a_recording(cut: int) -> None:
    wire = SseWire(MASK)
    got = [wire.decode(memoryview(NODE_SENT[at : at + cut])) for at in range(0, len(NODE_SENT), cut)]
    assert b"".join(got) == b"READYa\n"
    assert wire.encode(b"\x03") == frames.client_frame(frames.TEXT, b"\x03", MASK)
    with pytest.raises(Wrong, match="expected an event of an asciicast"):
        wire.decode(memoryview(chunk(b'data: ["exit",0,"4c9f74d0"]\n\n')))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def test_chunks_say_where_they_end() -> None:
    chunks = Chunks()
    assert chunks.decode(chunk(b"ab\r\n0\r\n\r\n") + b"2;x=y\r\ncd\r\n") == b"ab\r\n0\r\n\r\ncd"
    assert not chunks.ended
    assert chunks.decode(Chunks.LAST) == b""
    assert chunks.ended
    for broken in (b"xy\r\n", b"1\r\nab\r\n"):
        with pytest.raises(Wrong, match="chunk: expected its"):
            Chunks().decode(broken)


class InChunks(http.server.BaseHTTPRequestHandler):
    """Answers with the requested text, in two chunks."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in (chunk(body[:5]), chunk(body[5:]), Chunks.LAST):
            self.wfile.write(piece)

    def log_message(self, *_: object) -> None:
        pass


def test_answers_in_chunks_are_read_whole_one_after_the_other() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), InChunks) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            address = ("127.0.0.1", server.server_port)
            with contextlib.closing(Http(address)) as client:
                for path in ("/a", "/b" * 2000):
                    assert client.json(build(address, "GET", path), 200)[1] == {"path": path}
        finally:
            server.shutdown()
            thread.join()


def packed(wire: Wire, piece: bytes) -> bytes:
    text = json.dumps(piece.decode("ascii"))
    match wire:
        case JsonWire():
            return server_frame(f'["stdout", {text}]'.encode("ascii"), opcode=frames.TEXT)
        case TtydWire():
            return server_frame(b"0" + piece)
        case GottyWire():
            message = wire.encode(piece)[8:]  # as long as the server's message, and masked
            message = bytes(byte ^ MASK[at & 3] for at, byte in enumerate(message))
            head, rest = server_frame(message[:1024], opcode=frames.TEXT, fin=len(message) <= 1024), message[1024:]
            return head + (server_frame(rest, opcode=0) if rest else b"")
        case SseWire():
            return chunk(b'data: [1.25,"i","g"]\n\n') + chunk(f'data: [1.5,"o",{text}]\n\n'.encode("ascii"))
        case BinaryWire():
            return server_frame(piece)
    return piece


WIRES = [RawWire(), *(kind(MASK) for kind in (BinaryWire, JsonWire, TtydWire, GottyWire, GoWire, SseWire))]


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: type(wire).__name__)
def test_a_transfer_ends_with_its_last_byte_and_not_before(wire: Wire) -> None:
    expected = Content.of(20_000)
    whole = b"".join(content.blocks(20_000))
    sent = b"".join(packed(wire, whole[at : at + 777]) for at in range(0, len(whole), 777))
    memory = memoryview(bytearray(sent))
    walk = frames.Walk()
    ends = [end for end in range(1, len(sent) + 1) if wire.whole(walk, memory, end, expected)]
    assert ends == [len(sent)]
    expected.check(wire.output_in(memory, len(sent)))


def server(name: str) -> harness.Peer[object]:
    return next(peer for peer in SERVERS if peer.name == name)


def test_ours_is_measured_first_and_the_bound_last() -> None:
    assert [peer.name for peer in SERVERS] == ["vibetunnel", "ttyd", "go", "gotty", "terminado", "node", "floor"]


@pytest.mark.parametrize("name", ["ttyd", "gotty", "go"])
def test_a_peer_that_is_not_configured_names_its_environment_variable(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = f"VIBETUNNEL_BENCH_{name.upper()}"
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(Unavailable, match=f"^set {variable} to its binary$"):
        server(name).about()
    monkeypatch.setenv(variable, "/nowhere")
    with pytest.raises(Unavailable, match=f"{variable}: expected a program, got '/nowhere'"):
        server(name).about()


def test_a_package_that_npm_does_not_install_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "FOLDER", tmp_path)  # an empty folder, which names nothing to install
    with pytest.raises(Unavailable, match="npm ci fails: "):
        server("node").prepare()


def test_a_server_with_one_command_is_told_which_program_to_run(tmp_path: Path) -> None:
    script = outside.dispatcher({"first": "printf '%s' \"it's $0\"", "second": "exit 3"}, tmp_path)

    def run(name: str) -> tuple[int, str]:
        done = subprocess.run(["sh", script, name], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout

    assert run("first") == (0, f"it's {script}")
    assert run("second") == (3, "")
    assert run("third") == (2, "")


def test_a_port_is_found_in_the_log_of_a_server_or_its_end_is_told(tmp_path: Path) -> None:
    child = Child(["sh", "-c", "echo 'Listening on port: 4021' >&2; read line"], tmp_path, os.environ)
    try:
        assert child.logged(r"port: (\d+)") == "4021"
    finally:
        child.stop()
    child = Child(["sh", "-c", "echo 'address in use' >&2"], tmp_path, os.environ)
    try:
        with pytest.raises(Wrong, match=r"expected 'port: .* it wrote: address in use"):
            child.logged(r"port: (\d+)")
    finally:
        child.stop()


def test_the_corpus_is_the_same_every_time_and_has_the_requested_length() -> None:
    for kind in corpus.KINDS:
        first = corpus.kind(kind, 100_000)
        assert first == corpus.kind(kind, 100_000)
        assert first.decode().isprintable() is False
        assert 100_000 <= len(first) < 200_000, kind
    assert len(corpus.mixed(100_000)) >= 400_000
    assert {len(chunk) for chunk in corpus.hostile().values()} == {corpus.CHUNK}


def test_a_late_client_must_see_the_end_of_the_output(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(materials, "LOG", 10_000)
    for size in (5_000, 10_000, 34_567):
        printed, tail = b"".join(materials.history(size)), materials.history_tail(size)
        assert len(printed) == size
        assert printed.startswith(materials.STATUS)
        assert tail.startswith(materials.STATUS)
        assert printed.endswith(tail.removeprefix(materials.STATUS))


LINES = [line.encode() for line in b"".join(content.blocks(64 * 100)).decode().splitlines(keepends=True)]


@pytest.mark.parametrize(
    ("received", "missing"),
    [
        (LINES, 0),
        (LINES[:-1], 64),
        (LINES[1:], 64),
        (LINES[:20] + LINES[50:], 30 * 64),
        ([*LINES[:20], LINES[20][:10] + LINES[50][30:], *LINES[51:]], 31 * 64),
        ([*LINES[:20], LINES[20][:10]], 80 * 64),
        ([LINES[3][:10]], 100 * 64),
        ([], 100 * 64),
    ],
    ids=["none", "end", "start", "middle", "cut within lines", "cut off", "nothing whole", "nothing"],
)
def test_output_with_pieces_left_out_is_counted(received: list[bytes], missing: int) -> None:
    assert Content.of(6400).missing(received) == missing


@pytest.mark.parametrize(
    ("received", "message"),
    [
        (LINES + LINES[-1:], "expected a line after number 99"),
        (LINES[:10] + LINES[8:], "expected a line after number 9"),
        ([*LINES[:10], b"something\n", b"else\n", *LINES[10:]], "2 others with 0 gaps"),
    ],
    ids=["doubled", "again", "not of it"],
)
def test_output_that_is_more_than_left_out_is_wrong(received: list[bytes], message: str) -> None:
    with pytest.raises(Wrong, match=message):
        Content.of(6400).missing(received)


def test_a_link_keeps_its_rate_and_allows_only_a_small_burst() -> None:
    now_s = 100.0
    bucket = Bucket(100_000, clock=lambda: now_s)
    read = 0
    for _ in range(1000):
        wait_s = bucket.wait_s()
        if wait_s:
            now_s += wait_s
            assert bucket.wait_s() < 1e-9
        bucket.took(bucket.room())
        read += bucket.room()
    assert read == pytest.approx((now_s - 100) * 100_000, rel=0.01)
    now_s += 3600
    assert bucket.wait_s() == 0
    assert bucket.room() == 2000


def test_a_marker_is_found_wherever_it_is_cut() -> None:
    for cut in range(1, 12):
        tail = Tail(b"<prompt 7>")
        text = b"x" * 300 + b"<prompt 7>" + b"y" * 300
        found = [tail.add(text[at : at + cut]) for at in range(0, len(text), cut)]
        assert found == sorted(found)
        assert found[-1]


def test_screens_are_compared_by_what_can_be_seen() -> None:
    assert normal("a  \n\n b \n   \n\n") == "a\n\n b"


def v1_frame(message: protocol.ServerMessage) -> bytes:
    return server_frame(protocol.encode(message))


def acked(wire: V1Wire) -> list[protocol.ServerMessage | protocol.ClientMessage | None]:
    """The client's replies, unmasked and decoded."""
    found, at = [], 0
    while at < len(wire.replies):
        end = at + 6 + (wire.replies[at + 1] & 0x7F)
        masked = wire.replies[at + 6 : end]
        found.append(protocol.decode(bytes(byte ^ MASK[index & 3] for index, byte in enumerate(masked))))
        at = end
    return found


@pytest.mark.parametrize("cut", [1, 7, 1000])
def test_a_v1_client_draws_redraws_and_acks_at_half_the_window(cut: int) -> None:
    wire = V1Wire(MASK)
    sent = v1_frame(protocol.Hello(True, True, 24, 80, 500, 500, 0, 400))
    sent += v1_frame(protocol.Output(500, b"a" * 100)) + v1_frame(protocol.Output(600, b"b" * 100))
    sent += v1_frame(protocol.Title("t"))
    sent += v1_frame(protocol.Redraw(9000, 7, 0, 24, 80, False, b"screen")) + v1_frame(protocol.Output(9000, b"c"))
    output, acks = b"", []
    for at in range(0, len(sent), cut):
        output += wire.decode(memoryview(sent[at : at + cut]))
        acks += acked(wire)
    assert output == b"a" * 100 + b"b" * 100 + b"\x1bcscreenc"
    assert wire.redraws == 1
    assert acks[-1] in (protocol.Ack(9000), protocol.Ack(9001))
    assert acks[:-1] == ([] if cut == 1000 else [protocol.Ack(700)])


def test_a_v1_client_numbers_its_input_and_finds_a_gap_in_the_output() -> None:
    wire = V1Wire(MASK)
    wire.decode(memoryview(v1_frame(protocol.Hello(True, True, 24, 80, 0, 0, 30, 400))))
    assert wire.input(b"ab") == protocol.encode(protocol.Input(30, b"ab"))
    assert wire.input(b"c") == protocol.encode(protocol.Input(32, b"c"))
    with pytest.raises(Wrong, match="expected offset 0, got 5"):
        wire.decode(memoryview(v1_frame(protocol.Output(5, b"x"))))


# Numbers so small that a page takes a second or two: they test whether it works, not its figures.
TINY = Scale(
    rounds=1,
    starts=2,
    keys=20,
    transfer=256 * 1024,
    corpus=64 * 1024,
    repeats=2,
    interrupts=2,
    settle_s=0.1,
    slow_clients=2,
    slow_s=0.1,
    history=512 * 1024,
    late_clients=2,
    lossless=512 * 1024,
    log=8 * 1024 * 1024,
    marks=5,
    fanout=256 * 1024,
    sessions=100,
    lists=5,
    healths=20,
    idle_clients=5,
    attached=5,
    requests_s=0.2,
    firsts=2,
    alone_s=0.2,
    packed=1024 * 1024,
    link_s=0.2,
    many=5,
    many_s=1,
    polled_few=2,
    polled=3,
    polled_s=1,
    audience=30,
    lines=4,
)


def test_every_page_has_its_place_in_the_report() -> None:
    assert list(ORDER) == NAMES


@pytest.mark.parametrize("page", [page for page in PAGES if harness.name(page) != "compression"], ids=harness.name)
def test_a_page_has_a_figure_for_each_of_its_rows(page: Page) -> None:
    ours = page.PEERS[0]
    results = harness.run([page], [ours], TINY, lambda _: None)
    for row in page.ROWS:
        cell = results.cells[row.key, ours.name]
        assert not cell.failure
        assert not cell.said
        starts = TINY.starts if getattr(page, "STARTS", False) else 1
        assert [len(figures) for figures in cell.rounds] == [len(row.parts)] * starts


def test_compression_is_measured_if_the_server_offers_it() -> None:
    page = cast(Page, bench_compression)
    terminado, floor = server("terminado"), server("floor")
    results = harness.run([page], [terminado, floor], TINY, lambda _: None)
    for row in page.ROWS:
        offered, bare = results.cells[row.key, "terminado"], results.cells[row.key, "floor"]
        assert [len(figures) for figures in offered.rounds] == [len(row.parts)], offered
        assert bare.said == ("not offered" if row.key.endswith("_on") else ""), bare


@pytest.mark.parametrize("engine", ENGINES[1:], ids=lambda engine: engine.name)
def test_other_engines_show_the_corpus_as_ours_does(engine: harness.Peer[object]) -> None:
    results = harness.run([cast(Page, bench_engine)], [engine], TINY, lambda _: None)
    assert [cell.failure for cell in results.cells.values()] == [""] * len(bench_engine.ROWS)


def test_list_names_every_measurement() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--list"], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    names = ["vibetunnel", "ttyd", "go", "gotty", "terminado", "node", "floor", "vt"]
    for word in ("echo", "flood", "rest", "memory", "interrupt", "engine", *names):
        assert f"\n{word} " in f"\n{listed}", word


def test_an_unknown_page_is_named() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks", "ecco"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert answer.returncode == 2
    assert "got ecco" in answer.stderr


def test_another_build_of_this_project_is_measured_in_the_same_way(tmp_path: Path) -> None:
    other = Ours("--compression").before(sys.executable)
    assert other == Ours("--compression").before(sys.executable)  # pages that run it alike name one peer
    other.prepare()
    assert "--compression" in other.about()
    subject = other.start({}, {}, tmp_path)
    try:
        assert isinstance(subject, OurServer)
        assert subject.healthy(subject.ask("GET", subject.health)[1], subject.pids(keeper=False))
    finally:
        subject.stop()


def test_a_build_that_is_not_there_is_named() -> None:
    with pytest.raises(Unavailable, match="--before /nowhere/python: No such file or directory"):
        Ours().before("/nowhere/python").prepare()
