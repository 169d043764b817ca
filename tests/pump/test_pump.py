"""The pump with real PTYs and sockets: bytes arrive in order, once; no client waits for another; closing is safe."""

import hashlib
import os
import queue
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest
from bench import Bench
from harness import DEADLINE_S, wait_for
from pump_peer import Program, PumpPeer, events_until, new_ring, no_leaked_descriptors

from vibetunnel import protocol
from vibetunnel._ext import frames
from vibetunnel._ext.pump import Client, Pump, Terminal

ID = b"0123456789abcdef"
EVERY_BYTE = partial(PumpPeer, since=0)  # from the first on: redraws are for test_pump_screen.py


@pytest.fixture
def peers() -> Callable[..., PumpPeer]:
    return EVERY_BYTE


# ---------------------------------------------------------------- bytes


def test_the_upgrade_answer_comes_before_any_frame(bench: Bench) -> None:
    terminal, _ = bench.sh("echo ready; exec cat")
    wait_for(lambda: terminal.head > 0)
    peer = bench.peer(terminal, response=b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    assert peer.socket.recv(36, socket.MSG_WAITALL) == b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    peer.until(b"ready\r\n")


def test_the_upgrade_answer_can_say_at_which_offset_the_output_starts(bench: Bench) -> None:
    terminal, _ = bench.sh("seq 100000; exec cat")
    wait_for(lambda: terminal.read()[2].endswith(b"100000\r\n"))
    head = b"X-Offset: "
    for since in (terminal.head - 5, 3):
        peer = bench.peer(terminal, response=head + b"0" * 20 + b"\r\n\r\n", offset_at=len(head), since=since)
        expected = since if since > 3 else terminal.head  # what is not kept is redrawn
        assert peer.socket.recv(34, socket.MSG_WAITALL) == b"X-Offset: %020d\r\n\r\n" % expected
    with pytest.raises(ValueError, match="offset_at: expected 20 bytes"):
        PumpPeer(terminal, response=b"short", offset_at=2)


def test_input_reaches_the_program_and_comes_back(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    peer = bench.peer(terminal)
    peer.send(frames.BINARY, b"binary\n")
    peer.send(frames.TEXT, "téxt\n".encode())
    peer.send(frames.TEXT, b"frag", fin=False)
    peer.send(frames.CONTINUATION, b"mented\n")
    peer.send(frames.TEXT, b'{"type":"input","data":"object\\n"}')
    peer.send(frames.TEXT, b'{"type":"ping"}')
    peer.send(frames.TEXT, b'{"type":"other"}\n')
    peer.until(lambda: peer.output.count(b'{"type":"other"}\r\n') == 2)
    for word in ("binary", "téxt", "fragmented", "object"):
        assert peer.output.count(f"{word}\r\n".encode()) == 2, word  # echoed by the tty and by cat
    assert b"ping" not in peer.output


def test_bytes_that_came_with_the_request_are_input_too(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    early = frames.encode(frames.BINARY, b"early\n", mask=b"abcd")
    peer = bench.peer(terminal, received=early[:5])
    peer.socket.sendall(early[5:])
    peer.until(b"early\r\nearly\r\n")


def test_ten_megabytes_of_output_arrive_unchanged(bench: Bench) -> None:
    terminal, program = bench.sh("seq 1300000 | sha256sum; seq 1300000")
    peer = bench.peer(terminal)
    bench.finish(terminal, program)
    peer.until_over()
    digest, _, body = peer.output.partition(b"  -\r\n")
    assert len(body) > 10_000_000
    assert hashlib.sha256(body.replace(b"\r\n", b"\n")).hexdigest().encode() == digest
    assert peer.close_code == 1000
    assert peer.close_reason == "exited 0"


def test_a_large_paste_arrives_whole_at_a_program_that_reads_late(bench: Bench) -> None:
    paste = bytes(range(32, 127)) * 12000  # 1.1 MB
    terminal, _ = bench.sh(f"stty raw -echo; echo go; read -r line < /dev/null; head -c {len(paste)} | sha256sum")
    peer = bench.peer(terminal, v1=True, client_id=ID)
    peer.until(b"go")

    sender = threading.Thread(target=peer.paste, args=(paste,))
    sender.start()
    peer.until(b"  -")
    sender.join()
    assert hashlib.sha256(paste).hexdigest().encode() in peer.output
    assert terminal.bytes_in == len(paste)
    peer.until(lambda: any(m == protocol.Accepted(len(paste)) for m in peer.seen))


def test_a_client_is_not_read_while_the_program_takes_no_input(bench: Bench) -> None:
    terminal, program = bench.run("sleep", "1000", raw=True)
    peer = bench.peer(terminal)
    peer.socket.setblocking(False)
    frame = frames.encode(frames.BINARY, b"x" * 32768, mask=b"abcd")
    sent = 0
    for _ in range(400):  # 13 MB, if the pump did not stop it
        try:
            sent += peer.socket.send(frame)
        except BlockingIOError:
            if bench.pump.statistics()["input_queued"] > 65536:
                break
            wait_for(lambda: bench.pump.statistics()["input_queued"] > 65536)
    queued = bench.pump.statistics()["input_queued"]
    assert 65536 < queued < 65536 + 2 * 69632
    os.kill(program.pid, signal.SIGKILL)
    bench.finish(terminal, program)
    peer.socket.settimeout(30)
    peer.until_over()
    assert peer.close_code == 1000


def test_rest_input_is_refused_above_its_bound(bench: Bench) -> None:
    terminal, _ = bench.run("sleep", "1000", raw=True)
    for _ in range(16):
        terminal.write(b"x" * 1_000_000)
    wait_for(lambda: terminal.bytes_in + bench.pump.statistics()["input_queued"] == 16_000_000)
    with pytest.raises(BlockingIOError, match="wait for the PTY"):
        terminal.write(b"x" * 1_000_000)


def test_a_paste_into_a_program_that_echoes_never_stalls(bench: Bench) -> None:
    # The client's acks come after its own paste, which is not read while the program takes no input.
    terminal, _ = bench.sh("stty raw -echo; echo go; exec cat", size=32768)
    peer = bench.peer(terminal, v1=True, client_id=ID)
    peer.until(b"go\n")
    paste = bytes(range(256)) * 4000
    unsent: queue.Queue[bytes] = queue.Queue()
    for start in range(0, len(paste), 32768):
        message = protocol.encode(protocol.Input(start, paste[start : start + 32768]))
        unsent.put(frames.encode(frames.BINARY, message, mask=b"abcd"))
    peer.answer = lambda opcode, payload: unsent.put(frames.encode(opcode, payload, mask=b"abcd"))  # type: ignore[method-assign]

    def push() -> None:
        while data := unsent.get():
            peer.socket.sendall(data)

    sender = threading.Thread(target=push)
    sender.start()
    try:
        peer.until(lambda: len(peer.output) >= len(paste) + 3)
    finally:
        unsent.put(b"")
        sender.join()
    assert peer.output == b"go\n" + paste


def test_pongs_between_output_never_spoil_the_stream_of_a_slow_client(bench: Bench) -> None:
    terminal, program = bench.sh("stty -opost; seq 60000")
    peer = bench.peer(terminal, buffer=4096)
    bench.finish(terminal, program)
    pings = b"".join(frames.encode(frames.PING, b"%06d" % i, mask=b"abcd") for i in range(2000))
    sender = threading.Thread(target=peer.socket.sendall, args=(pings,))
    sender.start()
    pongs = []
    while True:
        while peer.waiting:
            message = peer.waiting.pop(0)
            if message.opcode == frames.PONG:
                pongs.append(message.data)
            elif message.opcode == frames.BINARY:
                peer.output += message.data
            else:
                assert message.opcode == frames.CLOSE
        data = peer.socket.recv(1500)
        if not data:
            break
        peer.waiting = peer.decoder.feed(data)
    sender.join()
    assert peer.output == b"".join(b"%d\n" % i for i in range(1, 60001))
    assert pongs == sorted(pongs)


# ---------------------------------------------------------------- many clients


def test_every_client_gets_every_byte_and_the_slowest_paces_the_program(bench: Bench) -> None:
    lines = 60000
    terminal, program = bench.sh(f"stty -opost; seq {lines}")
    fast = bench.peer(terminal)
    slow = bench.peer(terminal, buffer=4096)
    wait_for(lambda: slow.client.lag > 100000)
    paused = terminal.head
    wait_for(lambda: fast.client.lag == 0 or not fast.step())
    assert terminal.head - paused <= 131072  # not read any further while one client lags
    whole = b"".join(b"%d\n" % i for i in range(1, lines + 1))
    reader = threading.Thread(target=fast.until_over)
    reader.start()
    bench.finish(terminal, program)
    slow.until_over()
    reader.join()
    assert slow.output == whole
    assert fast.output == whole


def test_hundreds_of_clients_get_every_byte_once_while_others_type_and_leave(make: Callable[..., Bench]) -> None:
    bench = make(ping_s=1000, timeout_s=3000)  # or a ping would bring what was forgotten
    terminal, _ = bench.run("cat", raw=True)
    peers = [bench.peer(terminal) for _ in range(200)]  # more than one turn sends to
    wait_for(lambda: terminal.clients == len(peers))
    wanted = b""
    for number in range(100):
        piece = b"<%d>" % number
        peers[number * 37 % len(peers)].type_in(piece)  # a client that types moves to the front, where echoes go first
        wanted += piece
        if number % 5 == 4:
            first = peers[0]
            first.until(lambda first=first, wanted=wanted: len(first.output) >= len(wanted))
            peers.pop(number * 7 % len(peers)).close()  # while others wait for their turn
    for peer in peers:
        peer.until(lambda peer=peer: len(peer.output) >= len(wanted))
        assert peer.output == peers[0].output
    assert sorted(peers[0].output.split(b"<")) == sorted(wanted.split(b"<"))


def test_a_client_that_leaves_while_it_lags_lets_the_program_go_on(bench: Bench) -> None:
    terminal, program = bench.sh("yes | head -n 500000; echo done; exec cat")
    peer = bench.peer(terminal, buffer=4096)
    wait_for(lambda: peer.client.lag > 100000)
    peer.close()
    wait_for(lambda: b"done" in terminal.read()[2])
    events_until(bench.pump, lambda events: any(e.kind == "gone" and e.client is peer.client for e in events))
    assert program.pid


def test_the_client_that_starts_a_program_sees_its_first_byte_however_fast_it_prints(bench: Bench) -> None:
    program = Program("sh", "-c", "printf first; exec yes", raw=True)
    bench.programs.append(program)
    terminal = bench.pump.open(program.give(), new_ring(), rows=24, cols=80, awaits_client=True)
    assert select.select([program.fd], (), (), DEADLINE_S)[0]  # it prints, and the ring would be lapped soon
    assert terminal.head == 0
    peer = bench.peer(terminal)
    peer.until(lambda: len(peer.output) >= 5)
    assert peer.output.startswith(b"first")


def test_output_that_waits_for_a_client_that_never_comes_is_read_in_the_end(bench: Bench) -> None:
    program = Program("sh", "-c", "printf hello; exec cat")
    bench.programs.append(program)
    terminal = bench.pump.open(program.give(), new_ring(), rows=24, cols=80, awaits_client=True)
    wait_for(lambda: terminal.head >= 5)


def test_the_output_of_an_ended_program_waits_for_no_client(bench: Bench) -> None:
    program = Program("sh", "-c", "printf bye")
    bench.programs.append(program)
    terminal = bench.pump.open(program.give(), new_ring(), rows=24, cols=80, awaits_client=True)
    program.wait()
    terminal.finish(0)
    events_until(bench.pump, lambda events: any(event.kind == "ended" for event in events))
    assert terminal.head == 3


def test_output_is_read_while_no_client_is_attached(bench: Bench) -> None:
    terminal, program = bench.sh("seq 100000; echo over")
    wait_for(lambda: terminal.read()[2].endswith(b"over\r\n"))
    bench.finish(terminal, program)
    late = bench.peer(terminal)
    late.until_over()
    assert b"over" in late.output
    assert late.close_code == 1000


def test_a_read_only_client_sees_everything_and_types_nothing(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    viewer = bench.peer(terminal, v1=True, writable=False, rows=10, cols=10)
    raw_viewer = bench.peer(terminal, writable=False)
    hello = viewer.message(protocol.Hello)
    assert (hello.writable, hello.owner) == (False, False)
    assert (hello.rows, hello.cols) == (24, 80)
    viewer.type_in(b"never\n")
    viewer.ask(protocol.ResizeRequest(5, 5))
    raw_viewer.type_in(b"nor this\n")
    raw_viewer.send(frames.TEXT, b'{"type":"resize","rows":3,"cols":3}')
    error = viewer.message(protocol.Error)
    assert (error.code, "read-only" in error.text) == (1, True)
    writer = bench.peer(terminal)
    writer.type_in(b"typed\n")
    viewer.until(b"typed\r\ntyped\r\n")
    raw_viewer.until(b"typed\r\ntyped\r\n")
    assert viewer.output == raw_viewer.output == b"typed\r\ntyped\r\n"
    assert (terminal.rows, terminal.cols) == (24, 80)


# ---------------------------------------------------------------- coming back


def test_a_client_that_returns_with_its_offset_gets_exactly_the_rest(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    first = bench.peer(terminal, v1=True)
    first.type_in(b"one\n")
    first.until(b"one\r\none\r\n")
    first.close()
    events_until(bench.pump, lambda events: any(e.kind == "gone" for e in events))
    terminal.write(b"two\n")
    wait_for(lambda: terminal.head == 20)
    again = bench.peer(terminal, v1=True, since=first.offset)
    hello = again.message(protocol.Hello)
    assert (hello.start, hello.live) == (10, 20)
    again.until(b"two\r\ntwo\r\n")
    assert again.output == b"two\r\ntwo\r\n"
    raw = bench.peer(terminal, since=15)
    raw.until(b"two\r\n")
    assert raw.output == b"two\r\n"


def test_a_new_pump_goes_on_with_the_ring_and_the_pty_of_a_dead_one(make: Callable[..., Bench]) -> None:
    before, after = make(), make()
    ring = new_ring()
    terminal, program = before.run("cat", ring=os.dup(ring))
    peer = before.peer(terminal, v1=True, client_id=ID)
    peer.type_in(b"one\n")
    peer.until(b"one\r\none\r\n")
    terminal.write(b"\x1b]0;name\x07\n")
    events_until(before.pump, lambda events: any(e.kind == "title" for e in events))
    wait_for(lambda: terminal.head > 20)
    before.pump.close(linger_s=0)
    adopted = after.pump.open(program.give(), ring, rows=24, cols=80)
    assert adopted.title == "name"
    again = after.peer(adopted, v1=True, client_id=ID, since=peer.offset)
    hello = again.message(protocol.Hello)
    assert hello.start == peer.offset
    assert hello.accepted == 4
    again.sent = 4
    again.type_in(b"two\n")
    again.until(b"two\r\ntwo\r\n")


def test_input_sent_again_after_a_reconnect_is_written_once(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    first = bench.peer(terminal, v1=True, client_id=ID)
    first.type_in(b"abc\n")
    first.until(b"abc\r\nabc\r\n")
    again = bench.peer(terminal, v1=True, client_id=ID, since=first.offset)
    first.until_over()
    assert (first.close_code, first.close_reason) == (1001, "this client is back on another connection")
    assert again.message(protocol.Hello).accepted == 4
    again.ask(protocol.Input(0, b"abc\nd"))
    again.ask(protocol.Input(2, b"c\n"))
    again.ask(protocol.Input(5, b"ef\n"))
    again.until(b"def\r\ndef\r\n")
    assert again.output == b"def\r\ndef\r\n"
    other = bench.peer(terminal, v1=True, client_id=ID[::-1])
    assert other.message(protocol.Hello).accepted == 0


def test_an_input_offset_beyond_the_input_received_is_refused(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    peer = bench.peer(terminal, v1=True)
    peer.ask(protocol.Input(1, b"x"))
    assert peer.message(protocol.Error).code == 3
    peer.until_over()
    assert peer.close_code == 1008


def test_accepted_is_told_even_when_nothing_is_printed(make: Callable[..., Bench]) -> None:
    bench = make(ping_s=0.2)
    terminal, _ = bench.sh("stty -echo; echo go; cat > /dev/null")
    peer = bench.peer(terminal, v1=True, client_id=ID)
    peer.until(b"go")
    peer.type_in(b"secret\n")
    assert peer.message(protocol.Accepted).offset == 7


# ---------------------------------------------------------------- the end of a session


def test_exit_is_told_after_the_last_byte(bench: Bench) -> None:
    terminal, program = bench.sh("echo last words; exit 3")
    peer = bench.peer(terminal, v1=True)
    bench.finish(terminal, program)
    peer.until_over()
    assert peer.output == b"last words\r\n"
    assert peer.message(protocol.Exit) == protocol.Exit(3, 0, "")
    assert peer.close_code == 1000
    kinds = [e.kind for e in events_until(bench.pump, lambda events: any(e.kind == "ended" for e in events))]
    assert "ended" in kinds
    late = bench.peer(terminal, v1=True)
    late.until_over()
    assert late.output == b"last words\r\n"
    assert late.message(protocol.Exit).code == 3


def test_a_slow_client_gets_all_that_was_printed_before_the_exit(make: Callable[..., Bench]) -> None:
    bench = make()
    terminal, program = bench.sh("stty -opost; seq 20000; exit 7")
    peer = bench.peer(terminal, v1=True, buffer=4096)
    bench.finish(terminal, program)
    bench.reapers[-1].join()
    events_until(bench.pump, lambda events: any(e.kind == "ended" for e in events))
    started = time.monotonic()
    while peer.step():
        if len(peer.output) < 100_000 and time.monotonic() - started < 3:  # longer than an unanswered close lasts
            select.select([], [], [], 0.02)
    assert peer.output == b"".join(b"%d\n" % i for i in range(1, 20001))
    assert peer.message(protocol.Exit).code == 7
    assert peer.close_code == 1000


def test_a_removed_session_still_sends_its_exit_to_attached_clients(bench: Bench) -> None:
    terminal, program = bench.sh("stty -opost; seq 20000")
    peer = bench.peer(terminal, v1=True, buffer=4096)
    bench.finish(terminal, program)
    bench.reapers[-1].join()
    terminal.close()
    peer.until_over()
    assert peer.output.endswith(b"20000\n")
    assert (peer.message(protocol.Exit).code, peer.close_code) == (0, 1000)


def test_a_session_without_a_process_shows_its_ring(bench: Bench) -> None:
    ring = new_ring()
    terminal, program = bench.run("echo", "kept", ring=os.dup(ring))
    bench.finish(terminal, program)
    events_until(bench.pump, lambda events: any(e.kind == "ended" for e in events))
    terminal.close()
    restored = bench.pump.open(-1, ring, rows=24, cols=80)
    restored.finish(-1, 0, "no such file: /bin/nope")
    peer = bench.peer(restored, v1=True)
    peer.until_over()
    assert peer.output == b"kept\r\n"
    assert peer.message(protocol.Exit) == protocol.Exit(-1, 0, "no such file: /bin/nope")
    restored.write(b"into the void")
    assert restored.bytes_in == 0


def test_a_program_that_closes_its_terminal_is_reported_as_a_hangup(bench: Bench) -> None:
    terminal, _ = bench.sh("echo bye; trap '' HUP; exec sleep 1000 </dev/null >/dev/null 2>&1")
    events_until(bench.pump, lambda events: any(e.kind == "hangup" for e in events))
    assert terminal.read()[2] == b"bye\r\n"


# ---------------------------------------------------------------- keep-alive and bad peers


def test_an_idle_client_is_pinged_and_one_that_answers_stays(make: Callable[..., Bench]) -> None:
    bench = make(ping_s=0.05, timeout_s=0.4)
    terminal, _ = bench.run("cat")
    peer = bench.peer(terminal)
    peer.until(lambda: peer.pings > 20)  # well over the time-out
    assert bench.pump.statistics()["dropped"] == 0


def test_a_client_that_answers_nothing_is_dropped(make: Callable[..., Bench]) -> None:
    bench = make(ping_s=0.05, timeout_s=0.3)
    terminal, _ = bench.run("cat")
    peer = bench.peer(terminal)
    events = events_until(bench.pump, lambda events: any(e.kind == "gone" for e in events))
    assert [(e.client, e.number) for e in events if e.kind == "gone"] == [(peer.client, 1006)]
    assert bench.pump.statistics()["dropped"] == 1
    assert peer.client.gone


def test_a_ping_is_answered_with_its_payload(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    peer = bench.peer(terminal)
    peer.send(frames.PING, b"payload")
    while not peer.waiting:
        peer.waiting = peer.decoder.feed(peer.socket.recv(4096))
    assert peer.waiting == [(frames.PONG, b"payload")]


def test_a_v1_ping_comes_back(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    peer = bench.peer(terminal, v1=True)
    peer.ask(protocol.Ping(b"\x00\x01"))
    assert peer.message(protocol.Pong).data == b"\x00\x01"


@pytest.mark.parametrize(
    ("v1", "data", "code"),
    [
        (False, b"\x81\x00", 1002),
        (False, frames.encode(frames.TEXT, b"\xff", mask=b"abcd"), 1007),
        (False, frames.encode(frames.BINARY, b"x" * 65537, mask=b"abcd"), 1009),
        (True, frames.encode(frames.TEXT, b"{}", mask=b"abcd"), 1003),
        (True, frames.encode(frames.BINARY, b"", mask=b"abcd"), 1008),
        (True, frames.encode(frames.BINARY, b"\x82\x00\x00\x00\x00", mask=b"abcd"), 1008),
        (True, frames.encode(frames.BINARY, b"\x83" + b"\xff" * 8, mask=b"abcd"), 1008),
        (False, frames.encode(frames.CLOSE, b"\x0f\xa0bye", mask=b"abcd"), 4000),
    ],
)
def test_a_bad_peer_gets_its_close_code_and_harms_no_other(bench: Bench, v1: bool, data: bytes, code: int) -> None:
    terminal, _ = bench.run("cat")
    good, bad = bench.peer(terminal), bench.peer(terminal, v1=v1)
    bad.socket.sendall(data)
    bad.until_over()
    assert bad.close_code == code
    good.type_in(b"fine\n")
    good.until(b"fine\r\nfine\r\n")
    assert terminal.bytes_in == 5
    gone = events_until(bench.pump, lambda events: any(e.kind == "gone" for e in events))
    assert [e.number for e in gone if e.kind == "gone"] == [code]


def test_a_client_that_pings_and_never_reads_is_given_up(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    peer = bench.peer(terminal, buffer=4096)
    flood = frames.encode(frames.PING, b"x" * 125, mask=b"abcd") * 100
    sent = 0
    with suppress(BrokenPipeError, ConnectionResetError):
        while sent < 100_000_000:  # far more than any buffer on the way holds
            sent += peer.socket.send(flood)
    assert sent < 100_000_000
    gone = events_until(bench.pump, lambda events: any(e.kind == "gone" for e in events))
    assert gone[-1].client is peer.client


def test_a_client_that_is_not_read_can_be_closed_at_once(bench: Bench) -> None:
    terminal, _ = bench.run("sleep", "1000", raw=True)
    peer = bench.peer(terminal)
    for _ in range(3):
        peer.type_in(b"x" * 60000)
    wait_for(lambda: bench.pump.statistics()["input_queued"] > 65536)
    peer.client.close(1008, "logged out")
    peer.until_over()
    assert peer.close_code == 1008
    gone = events_until(bench.pump, lambda events: any(e.kind == "gone" for e in events))
    assert gone[-1].number == 1008


def test_a_v1_message_is_at_most_64_kib(bench: Bench) -> None:
    terminal, program = bench.sh("head -c 1000000 /dev/zero")
    peer = bench.peer(terminal, v1=True)
    bench.finish(terminal, program)
    longest = 0
    while peer.step():
        longest = max([longest, *(len(message.data) for message in peer.waiting)])
    assert len(peer.output) == 1_000_000
    assert longest <= 65536


# ---------------------------------------------------------------- lanes


def test_a_flood_moves_to_a_bulk_lane_and_comes_back_with_every_byte(bench: Bench) -> None:
    terminal, _ = bench.sh("stty -opost; seq 1000000; echo calm; exec cat")
    assert terminal.lane == 0
    peer = bench.peer(terminal)
    peer.until(lambda: terminal.lane > 0)
    peer.until(b"calm\n")
    assert peer.output == b"".join(b"%d\n" % i for i in range(1, 1000001)) + b"calm\n"
    wait_for(lambda: terminal.lane == 0)
    peer.type_in(b"typed")
    peer.until(b"typed")
    assert bench.pump.statistics()["moves"] >= 2


def test_commands_survive_moves_between_lanes(bench: Bench) -> None:
    terminal, _ = bench.sh("stty raw -echo; (while seq 20000; do :; done) & exec cat")
    peer = bench.peer(terminal)
    wanted = b""
    for i in range(200):
        mark = b"<%d>" % i
        terminal.write(mark)
        wanted += mark
        if i % 10 == 0:
            peer.until(lambda: terminal.lane > 0)
            late = bench.peer(terminal)
            late.until(lambda late=late: len(late.output) > 0)
            late.close()
    wait_for(lambda: terminal.bytes_in == len(wanted) or not peer.step())


def test_events_name_titles_folders_and_bells(bench: Bench) -> None:
    terminal, _ = bench.sh(r"printf '\033]2;my title\007\007\007\033]7;file://h/tmp\033\\'; exec cat")
    peer = bench.peer(terminal, v1=True)
    events = events_until(
        bench.pump,
        lambda events: {"title", "folder"} <= {e.kind for e in events} and sum(e.number for e in events) == 2,
    )
    assert {(e.kind, e.text) for e in events if e.text} == {("title", "my title"), ("folder", "file://h/tmp")}
    assert all(e.terminal is terminal for e in events)
    assert (terminal.title, terminal.folder) == ("my title", "file://h/tmp")
    assert peer.message(protocol.Title).title == "my title"
    late = bench.peer(terminal, v1=True)
    assert late.message(protocol.Title).title == "my title"


def test_no_event_is_lost_while_others_are_taken(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    for i in range(300):
        peer = bench.peer(terminal, rows=20 + i % 5, cols=80)
        peer.close()
        events_until(bench.pump, lambda events, peer=peer: any(e.client is peer.client for e in events))


def test_a_title_that_was_held_back_is_told_after_a_move(bench: Bench) -> None:
    terminal, _ = bench.sh(r"printf '\033]0;one\007'; printf '\033]0;two\007'; seq 400000; exec cat")
    events_until(bench.pump, lambda events: any(e.text == "two" for e in events))
    assert terminal.title == "two"


# ---------------------------------------------------------------- closing


def test_closing_a_terminal_closes_its_clients_and_then_refuses_everything(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    peers = [bench.peer(terminal, v1=v1) for v1 in (False, True)]
    terminal.close()
    terminal.close()
    for peer in peers:
        peer.until_over()
        assert (peer.close_code, peer.close_reason) == (4404, "session removed")
    for use in (
        lambda: terminal.head,
        lambda: terminal.write(b"x"),
        lambda: terminal.resize(1, 1),
        lambda: terminal.read(),
        lambda: terminal.finish(0),
        lambda: PumpPeer(terminal),
    ):
        with pytest.raises(ValueError, match="closed"):
            use()
    wait_for(lambda: peer.client.gone)
    peer.client.close()
    assert peer.client.lag == 0


def test_closing_a_client_sends_its_code_and_reason(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    peer = bench.peer(terminal)
    peer.client.close(1008, "logged out")
    peer.client.close(1000, "second")
    peer.until_over()
    assert (peer.close_code, peer.close_reason) == (1008, "logged out")
    wait_for(lambda: terminal.clients == 0)


def test_closing_the_pump_says_1001_and_leaves_the_programs(bench: Bench) -> None:
    terminal, program = bench.run("cat")
    peers = [bench.peer(terminal) for _ in range(5)]
    closer = threading.Thread(target=lambda: bench.pump.close(reason="restart"))
    closer.start()
    for peer in peers:
        peer.until_over()
    closer.join()
    assert {(p.close_code, p.close_reason) for p in peers} == {(1001, "restart")}
    os.kill(program.pid, 0)
    assert bench.pump.statistics()["clients"] == 0
    with pytest.raises(ValueError, match="closed"):
        terminal.write(b"x")
    with pytest.raises(ValueError, match="closed"):
        bench.pump.open(program.give(), new_ring(), rows=1, cols=1)
    bench.pump.close()
    peers[0].client.close()
    assert peers[0].client.gone


def test_a_pump_that_is_dropped_in_the_middle_of_a_flood_ends_by_itself() -> None:
    with no_leaked_descriptors():
        bench = Bench(EVERY_BYTE)
        terminal, _ = bench.sh("yes")
        peer = bench.peer(terminal)
        peer.until(lambda: len(peer.output) > 1_000_000)
        del terminal, peer.client
        bench.close()


def test_objects_are_only_made_by_their_owner() -> None:
    with pytest.raises(TypeError, match=r"Pump\.open"):
        Terminal()
    with pytest.raises(TypeError, match=r"Terminal\.attach"):
        Client()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bulk_lanes": 0}, "bulk_lanes: expected 1..16, got 0"),
        ({"ping_s": 5, "timeout_s": 5}, "ping_s < timeout_s"),
        ({"high_watermark": 1}, "at least 4096"),
    ],
)
def test_bad_options_say_what_was_expected(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Pump(**options)  # type: ignore[arg-type]


def test_bad_descriptors_are_closed_and_refused(bench: Bench) -> None:
    program = Program("cat")
    bench.programs.append(program)
    bad_ring = os.memfd_create("bad")
    with pytest.raises(ValueError, match="ring: expected 4096 bytes, a power of two from 32768 on, and 2097152 bytes"):
        bench.pump.open(program.give(), bad_ring, rows=24, cols=80)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(bad_ring)
    terminal = bench.pump.open(program.give(), new_ring(), rows=24, cols=80)
    with pytest.raises(OSError, match="socket: Bad file descriptor"):
        terminal.attach(-1, b"")
    with pytest.raises(ValueError, match="client_id: expected 16 bytes"):
        PumpPeer(terminal, client_id=b"short")
