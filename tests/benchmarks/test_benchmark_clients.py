"""The load clients of the benchmarks, on real sockets: schedules, checks, and the detection of a wrong peer."""

import json
import mmap
import os
import select
import socket
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks import content, deflate, frames
from benchmarks.asker import Question, answers_per_second
from benchmarks.audience import Audience
from benchmarks.client import Terminal
from benchmarks.content import Content
from benchmarks.errors import Wrong
from benchmarks.gather import Share, gather
from benchmarks.growth import Growth
from benchmarks.typists import Typists, schedule
from benchmarks.wires import BinaryWire, JsonWire, RawWire, Wire

MASK = b"\x00\x00\x00\x00"  # so that the frames of a client can be compared unmasked


def server_frame(payload: bytes, *, opcode: int = frames.BINARY, fin: bool = True, packed: bool = False) -> bytes:
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2, "big")
    return bytes([(0x80 if fin else 0) | (frames.RSV1 if packed else 0) | opcode]) + length + payload


@contextmanager
def server(count: int, serve: Callable[[Sequence[socket.socket]], None]) -> Iterator[list[socket.socket]]:
    """`count` connections. `serve` has their other ends, in a thread, until the end of the test."""
    pairs = [socket.socketpair() for _ in range(count)]

    def run() -> None:
        try:
            serve([theirs for _, theirs in pairs])
        except OSError:  # the test has closed them
            pass

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield [ours for ours, _ in pairs]
    finally:
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)  # wakes the reader
                except OSError:
                    pass
        thread.join()
        for pair in pairs:
            for end in pair:
                end.close()


# permessage-deflate


class Deflater:
    """The compression of a server, with Python's zlib."""

    def __init__(self, *, keeps_context: bool) -> None:
        self._keeps_context = keeps_context
        self._new()

    def _new(self) -> None:
        self._deflating = zlib.compressobj(wbits=-zlib.MAX_WBITS)

    def __call__(self, message: bytes) -> bytes:
        packed = self._deflating.compress(message) + self._deflating.flush(zlib.Z_SYNC_FLUSH)
        if not self._keeps_context:
            self._new()
        assert packed.endswith(b"\x00\x00\xff\xff")
        return packed[:-4]


@pytest.mark.parametrize("keeps_context", [False, True])
@pytest.mark.parametrize("cut", [1, 7, 100_000])
def test_compressed_output_is_inflated_wherever_it_is_cut(keeps_context: bool, cut: int) -> None:
    lines = [b"a line of output, number %d\r\n" % number * 20 for number in range(5)]
    packed = Deflater(keeps_context=keeps_context)
    sent = b""
    for line in lines:
        whole = packed(line)
        sent += server_frame(whole[:5], fin=False, packed=True) + server_frame(b"", opcode=frames.PING)
        sent += server_frame(whole[5:], opcode=0)
        sent += server_frame(b"as it is")  # a server may send small messages uncompressed
    wire = BinaryWire(MASK, inflater=deflate.Inflater(keeps_context=keeps_context))
    output = b"".join(wire.decode(memoryview(sent[at : at + cut])) for at in range(0, len(sent), cut))
    assert output == b"".join(line + b"as it is" for line in lines)
    assert len(sent) < len(output)


def test_messages_of_terminado_are_inflated_too() -> None:
    packed = Deflater(keeps_context=False)
    wire = JsonWire(MASK, inflater=deflate.Inflater(keeps_context=False))
    sent = server_frame(packed(b'["setup", {}]'), opcode=frames.TEXT, packed=True)
    sent += server_frame(packed(b'["stdout", "one\\r\\n"]'), opcode=frames.TEXT, packed=True)
    assert wire.decode(memoryview(sent)) == b"one\r\n"


@pytest.mark.parametrize(
    ("sent", "inflater"),
    [
        (server_frame(b"x", packed=True), None),
        (bytes([0x80 | 0x20 | frames.BINARY, 1]) + b"x", deflate.Inflater(keeps_context=False)),
        (
            server_frame(b"x", fin=False) + server_frame(b"x", opcode=0, packed=True),
            deflate.Inflater(keeps_context=False),
        ),
        (server_frame(b"no deflate stream", packed=True), deflate.Inflater(keeps_context=False)),
    ],
    ids=["not agreed", "another bit", "on a later frame", "damaged"],
)
def test_invalid_compression_is_detected(sent: bytes, inflater: deflate.Inflater | None) -> None:
    wire = BinaryWire(MASK, inflater=inflater)
    with pytest.raises(Wrong, match="frame: expected"):
        wire.decode(memoryview(sent))


def test_a_message_that_needs_an_earlier_one_is_wrong_without_an_agreed_context() -> None:
    packed = Deflater(keeps_context=True)
    first, second = (packed(b"the same words " * 30) for _ in range(2))
    wire = BinaryWire(MASK, inflater=deflate.agreed({deflate.HEADER.lower(): deflate.OFFER}))
    wire.decode(memoryview(server_frame(first, packed=True)))
    with pytest.raises(Wrong):
        wire.decode(memoryview(server_frame(second, packed=True)))


@pytest.mark.parametrize(
    ("answer", "compresses"),
    [({}, False), ({"sec-websocket-extensions": "permessage-deflate; server_no_context_takeover"}, True)],
)
def test_the_answer_of_a_server_tells_whether_it_compresses(answer: dict[str, str], compresses: bool) -> None:
    assert (deflate.agreed(answer) is not None) is compresses


@pytest.mark.parametrize("answer", ["x-webkit-deflate-frame", "permessage-deflate; server_max_window_bits=10"])
def test_an_extension_that_was_not_offered_is_wrong(answer: str) -> None:
    with pytest.raises(Wrong, match="permessage-deflate"):
        deflate.agreed({"sec-websocket-extensions": answer})


# Typists


def test_every_client_types_once_per_period_evenly_spread() -> None:
    keys = list(schedule(10, 3, 1.0))
    assert [due for due, _ in keys] == [number * 100_000_000 for number in range(30)]
    for second in range(3):
        assert sorted(number for _, number in keys[second * 10 : second * 10 + 10]) == list(range(10))
    assert [number for _, number in keys[:10]] != list(range(10))
    assert keys == list(schedule(10, 3, 1.0))


def echo(connections: Sequence[socket.socket]) -> None:
    left = list(connections)
    while left:
        for connection in select.select(left, (), ())[0]:
            if data := connection.recv(100):
                connection.sendall(data)
            else:
                left.remove(connection)


def typists(connections: Sequence[socket.socket], wire: Callable[[], Wire] = RawWire) -> Typists:
    found = Typists()
    for connection in connections:
        found.add(Terminal(connection, wire()))
    return found


def test_every_key_is_timed_from_when_it_was_due() -> None:
    with server(5, echo) as connections:
        clients = typists(connections)
        for _ in range(2):  # the keys continue the sequence
            typed = clients.type(0.1, period_s=0.02)
            assert len(typed.took_ns) == len(typed.late_ns) == 25
            assert all(late >= 0 for late in typed.late_ns)
            assert sum(typed.took_ns) > sum(typed.late_ns)
        assert len(clients) == 5
        clients.close()


def test_a_late_echo_delays_no_key() -> None:
    keys = 10

    def hold_back(connections: Sequence[socket.socket]) -> None:
        held = b""
        while len(held) < keys:
            held += connections[0].recv(100)
        connections[0].sendall(held)

    with server(1, hold_back) as connections:
        clients = typists(connections)
        typed = clients.type(0.1, period_s=0.01)
        assert len(typed.took_ns) == keys
        assert typed.took_ns[0] > 80_000_000  # it had to wait for the last key
        clients.close()


def test_an_echo_of_another_key_is_wrong() -> None:
    def other(connections: Sequence[socket.socket]) -> None:
        connections[0].recv(1)
        connections[0].sendall(b"?")

    with server(1, other) as connections:
        clients = typists(connections)
        with pytest.raises(Wrong, match=r"client 0: expected the echo of key 0, got b'\?'"):
            clients.type(0.01, period_s=0.01)
        clients.close()


def test_a_disconnected_client_is_counted_and_the_others_go_on_typing() -> None:
    def cut(connections: Sequence[socket.socket]) -> None:
        connections[1].recv(1)
        connections[1].shutdown(socket.SHUT_RDWR)
        echo([connections[0], connections[2]])

    with server(3, cut) as connections:
        clients = typists(connections)
        typed = clients.type(0.2, period_s=0.02)
        assert len(clients) == 2
        assert len(typed.took_ns) == 20
        clients.close()


def test_a_ping_is_answered_before_the_first_key() -> None:
    theirs, ours = socket.socketpair()
    with theirs, ours:
        theirs.sendall(server_frame(b"hello", opcode=frames.PING))
        clients = typists([ours], lambda: BinaryWire(MASK))
        clients.listen()
        assert theirs.recv(100) == frames.client_frame(frames.PONG, b"hello", MASK)
        clients.close()


def test_output_before_the_first_key_is_not_an_echo() -> None:
    theirs, ours = socket.socketpair()
    with theirs, ours:
        theirs.sendall(b"READY")
        clients = typists([ours])
        clients.listen()
        echoing = threading.Thread(target=echo, args=([theirs],))
        echoing.start()
        assert len(clients.type(0.05, period_s=0.01).took_ns) == 5
        ours.shutdown(socket.SHUT_WR)
        echoing.join()
        clients.close()


# Fan-out

SIZE = 64 * 1000


def fan_out(leave_out: slice, connections: Sequence[socket.socket]) -> None:
    """Send everything to the first client, and all but `leave_out` to the second."""
    assert connections[0].recv(100).endswith(b"g")
    whole = b"".join(content.blocks(SIZE))
    short = whole[: leave_out.start] + whole[leave_out.stop :]
    for connection, output in zip(connections, (whole, short), strict=True):
        for at in range(0, len(output), 1000):
            connection.sendall(server_frame(output[at : at + 1000]))
    for connection in connections:
        connection.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(
    ("leave_out", "missing"),
    [(slice(0, 0), 0), (slice(640, 1280), 640), (slice(100, 1000), 15 * 64)],
    ids=["nothing", "ten lines", "parts of lines"],
)
def test_missing_output_of_a_fan_out_client_is_counted(leave_out: slice, missing: int) -> None:
    with server(2, lambda ends: fan_out(leave_out, ends)) as connections:
        shares = [Share(Terminal(each, BinaryWire(MASK)), memoryview(bytearray(2 * SIZE))) for each in connections]
        expected = Content.of(SIZE)
        assert gather(shares, expected, b"g") > 0
        assert [share.missing(expected) for share in shares] == [0, missing]


# An audience

Receive = Callable[[Sequence[socket.socket], bytes], None]


def audience(send: Receive) -> Callable[[Sequence[socket.socket]], None]:
    """A server that passes every line of the first client to `send`."""

    def serve(connections: Sequence[socket.socket]) -> None:
        typed = b""
        while more := connections[0].recv(1000):
            typed += more
            while len(typed) >= 6 and len(typed) >= (end := 6 + (typed[1] & 0x7F)):
                frame, typed = typed[:end], typed[end:]
                if frame[0] & 0x0F != frames.PONG:
                    send(connections, frame[6:])  # after a header and its mask

    return serve


def to_all(connections: Sequence[socket.socket], line: bytes) -> None:
    for number, connection in enumerate(connections):
        cut = number * 10
        connection.sendall(server_frame(b"are you there", opcode=frames.PING))
        connection.sendall(server_frame(line[:cut]))
        for byte in server_frame(line[cut:]):
            connection.sendall(bytes([byte]))


def test_a_line_reaches_the_whole_audience_wherever_it_is_cut() -> None:
    with server(5, audience(to_all)) as connections:
        clients = Audience([Terminal(each, BinaryWire(MASK)) for each in connections])
        try:
            assert [clients.line() > 0 for _ in range(3)] == [True] * 3
            assert clients.line(wait_s=0.05) < 20
        finally:
            clients.close()


def test_a_line_may_come_inside_a_json_message() -> None:
    def in_json(connections: Sequence[socket.socket], line: bytes) -> None:
        text = json.loads(line)[1]
        for each in connections:
            each.sendall(server_frame(json.dumps(["stdout", text]).encode("ascii"), opcode=frames.TEXT))

    with server(3, audience(in_json)) as connections:
        clients = Audience([Terminal(each, JsonWire(MASK)) for each in connections])
        try:
            assert clients.line() > 0
        finally:
            clients.close()


def twice(connections: Sequence[socket.socket], line: bytes) -> None:
    connections[1].sendall(server_frame(line) * 2)


def else_(connections: Sequence[socket.socket], line: bytes) -> None:
    connections[1].sendall(server_frame(b"x" * 100) * 9)


def end(connections: Sequence[socket.socket], line: bytes) -> None:
    connections[1].shutdown(socket.SHUT_WR)


def close_frame(connections: Sequence[socket.socket], line: bytes) -> None:
    connections[1].sendall(server_frame(b"", opcode=frames.CLOSE))


@pytest.mark.parametrize(
    ("send", "message"),
    [(twice, "once, got line 000001"), (else_, "once, got xxx"), (end, "its end"), (close_frame, "close frame")],
)
def test_other_output_for_an_audience_is_an_error(send: Receive, message: str) -> None:
    with server(2, audience(send)) as connections:
        clients = Audience([Terminal(each, BinaryWire(MASK)) for each in connections])
        try:
            with pytest.raises(Wrong, match=message):
                clients.line()
        finally:
            clients.close()


# Requests

OK = b'{"status":"ok","uptime":12.5,"pid":7}'
REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize(
    ("first", "second", "others", "wrong"),
    [
        (OK, OK.replace(b"12.5", b"12.6"), [OK.replace(b"12.5", b"100.25")], [OK.replace(b"ok", b"no"), b"", OK[:-1]]),
        (b"ok", b"ok", [b"ok"], [b"no", b""]),
        (b'{"up":"912.3ms","n":0}', b'{"up":"915ms","n":0}', [b'{"up":"1m0.2s","n":0}'], [b'{"up":"1s","n":1}']),
        (
            b'{"at":"2026-01-01T09:59:59Z"}',
            b'{"at":"2026-01-01T10:00:00Z"}',
            [b'{"at":"2027-03-01T01:00:00Z"}'],
            [b"{}"],
        ),
    ],
    ids=["uptime", "always the same", "duration", "date"],
)
def test_answers_may_differ_in_their_times_only(
    first: bytes, second: bytes, others: list[bytes], wrong: list[bytes]
) -> None:
    question = Question.like(REQUEST, first, second)
    assert all(question.matches(body) for body in (first, second, *others))
    assert not any(question.matches(body) for body in wrong)


@contextmanager
def http(status: int, body: bytes, *, chunked: bool = False) -> Iterator[int]:
    """The port of a server that gives every request this answer."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(status)
            if chunked:
                self.send_header("transfer-encoding", "chunked")
            else:
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # the client disconnects after its last answer

    with Server(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield listening.server_port
        finally:
            listening.shutdown()
            thread.join()


@pytest.mark.parametrize("chunked", [False, True])
def test_right_answers_are_counted(chunked: bool) -> None:
    with http(200, OK, chunked=chunked) as port:
        question = Question.like(REQUEST, OK, OK.replace(b"12.5", b"12.6"))
        assert answers_per_second(("127.0.0.1", port), question, 4, 0.2) > 0


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("status", "body", "message"),
    [(429, OK, "expected HTTP/1.1 200"), (200, b'{"error":"x"}', "expected .*status"), (200, b"", "expected .*status")],
    ids=["status", "body", "no body"],
)
def test_a_wrong_answer_is_detected(status: int, body: bytes, message: str, chunked: bool) -> None:
    with http(status, body, chunked=chunked) as port, pytest.raises(Wrong, match=message):
        answers_per_second(("127.0.0.1", port), Question(REQUEST, b'{"status":"ok"', b"}"), 4, 5)


def test_a_missing_server_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(Wrong, match="connection 0: Connection refused"):
        answers_per_second(("127.0.0.1", port), Question(REQUEST, b"", b""), 4, 5)


# Memory


def test_growth_is_the_peak_and_not_the_remainder() -> None:
    size = 32 * 1024 * 1024
    seen = threading.Event()
    with Growth([os.getpid()]) as growth, mmap.mmap(-1, size) as memory:
        memory.write(b"x" * size)
        while growth.mib < size / 2**20 / 2:
            seen.wait(0.01)
    assert growth.mib < 4 * size / 2**20
