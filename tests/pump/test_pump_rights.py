"""Rights of attached clients: typing, presence, rates, and the clients that are dropped."""

import os
import select
import socket
import threading
import time
from contextlib import closing, suppress

import pytest
from bench import Bench, at_once, heard
from harness import DEADLINE_S, wait_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pump_peer import PumpPeer, events_until, new_ring, no_leaked_descriptors

from vibetunnel import protocol
from vibetunnel._ext import frames

ID = b"0123456789abcdef"
END = b"<the end>"


def recorded(slave: int, end: bytes = END) -> bytes:
    """What the program got, up to and without `end`."""
    data = b""
    while not data.endswith(end):
        ready, _, _ = select.select([slave], [], [], DEADLINE_S)
        assert ready, f"waited too long for {end!r}; got {len(data)} bytes, the last {data[-100:]!r}"
        data += os.read(slave, 65536)
    return data.removesuffix(end)


# ---------------------------------------------------------------- the right to type


@pytest.mark.parametrize("v1", [False, True])
def test_not_one_byte_is_typed_after_the_right_was_taken_and_all_after_it_was_given(bench: Bench, v1: bool) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, v1=v1, name=b"me")
    peer.type_in(b"before,")
    heard(peer)
    peer.client.permit(False)
    assert not peer.client.writable
    peer.type_in(b"during,")
    peer.type_in(b"still,")
    if v1:
        peer.ask(protocol.ResizeRequest(5, 5))
    else:
        peer.send(frames.TEXT, b'{"type":"resize","rows":5,"cols":5}')
        peer.send(frames.TEXT, b'{"type":"input","data":"object,"}')
        peer.send(frames.TEXT, b"text,")
    heard(peer)
    assert (terminal.rows, terminal.cols) == (24, 80)
    peer.client.permit(True)
    assert peer.client.writable
    peer.type_in(b"after")
    peer.type_in(END)
    assert recorded(slave) == b"before,after"
    if v1:
        heard(peer)
        assert [m for m in peer.seen if isinstance(m, protocol.Access | protocol.Error)] == [
            protocol.Access(True, "me"),
            protocol.Access(False, "me"),
            protocol.Error(1, "read-only: this client may not type"),
            protocol.Access(True, "me"),
        ]
        told = [m for m in peer.seen if isinstance(m, protocol.Access | protocol.Accepted)]
        given = max(i for i, m in enumerate(told) if m == protocol.Access(True, "me"))
        assert isinstance(told[given + 1], protocol.Accepted)
        assert told[given + 1].offset >= len(b"before,during,still,")


def test_input_in_the_middle_of_a_frame_counts_as_of_its_end(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal)
    frame = frames.encode(frames.BINARY, b"a paste that is cut", mask=b"abcd")
    peer.socket.sendall(frame[:-3])
    bench.peer(terminal).type_in(b"other,")  # and so the first part has been looked at
    assert recorded(slave, b"other,") == b""
    peer.client.permit(False)
    peer.socket.sendall(frame[-3:])
    heard(peer)
    peer.client.permit(True)
    peer.type_in(END)
    assert recorded(slave) == b""


def test_input_that_waits_for_the_program_is_thrown_away_with_the_right_and_that_of_others_is_not(bench: Bench) -> None:
    terminal, slave = bench.bare()
    taken, kept = bench.peer(terminal, v1=True, client_id=ID), bench.peer(terminal)
    for _ in range(2):
        taken.type_in(b"t" * 60000)
    wait_for(lambda: bench.pump.statistics()["input_queued"] > 65536)
    kept.type_in(b"k" * 60000)
    kept.type_in(b"k" * 60000)  # this client is not read any more before that
    wait_for(lambda: bench.pump.statistics()["input_queued"] > 150_000)
    got = terminal.bytes_in
    taken.client.permit(False)
    wait_for(lambda: bench.pump.statistics()["input_queued"] < 65536 + 60000)
    ender = threading.Thread(target=lambda: kept.type_in(END))
    ender.start()
    data = recorded(slave)
    ender.join()
    assert data.count(b"k") == 120_000
    assert data.count(b"t") <= got
    taken.client.permit(True)
    taken.until(lambda: protocol.Accepted(120_000) in taken.seen)  # what was thrown away counts: the offsets go on
    taken.type_in(b"again" + END)
    assert recorded(slave) == b"again"


def test_a_client_that_waited_for_another_s_input_is_read_again_when_that_is_thrown_away(bench: Bench) -> None:
    terminal, slave = bench.bare()
    taken, kept = bench.peer(terminal), bench.peer(terminal, v1=True)
    for _ in range(3):
        taken.type_in(b"t" * 60000)
    wait_for(lambda: bench.pump.statistics()["input_queued"] > 65536)
    kept.type_in(b"k")
    heard_of = bench.pump.statistics()["frames_in"]
    kept.type_in(b"k" * 10)
    wait_for(lambda: bench.pump.statistics()["frames_in"] <= heard_of + 1)
    taken.client.permit(False)
    heard(kept)
    kept.type_in(END)
    assert recorded(slave).count(b"k") == 11


def test_a_client_that_was_not_read_is_read_again_when_its_right_is_taken(bench: Bench) -> None:
    terminal, _ = bench.bare()
    peer = bench.peer(terminal, v1=True)
    for _ in range(3):
        peer.type_in(b"x" * 60000)
    wait_for(lambda: bench.pump.statistics()["input_queued"] > 65536)
    peer.client.permit(False)
    heard(peer)
    assert bench.pump.statistics()["input_queued"] == 0


def test_a_client_without_the_right_to_type_does_not_keep_the_size(bench: Bench) -> None:
    terminal, _ = bench.bare()
    first = bench.peer(terminal, v1=True, rows=30, cols=100)
    viewer = bench.peer(terminal, v1=True, rows=10, cols=10, writable=False)
    second = bench.peer(terminal, v1=True, rows=40, cols=110)
    heard(second)
    first.client.permit(False)
    assert first.message(protocol.Resize) == protocol.Resize(30, 100, False)
    second.type_in(b"y")
    assert second.message(protocol.Resize) == protocol.Resize(40, 110, True)
    assert first.message(protocol.Resize) == protocol.Resize(40, 110, False)
    first.ask(protocol.ResizeRequest(31, 101, take_size=True))
    heard(first)
    second.client.permit(False)  # no client is left that may own it: it stays
    assert second.message(protocol.Resize) == protocol.Resize(40, 110, False)
    assert (terminal.rows, terminal.cols) == (40, 110)
    viewer.client.permit(True)
    heard(viewer)
    assert (terminal.rows, terminal.cols) == (40, 110)
    viewer.type_in(b"y")
    viewer.until(lambda: protocol.Resize(10, 10, True) in viewer.seen)
    assert (terminal.rows, terminal.cols) == (10, 10)


def test_input_of_one_that_was_given_the_right_survives_a_reconnect(bench: Bench) -> None:
    terminal, slave = bench.bare()
    viewer = bench.peer(terminal, v1=True, client_id=ID, writable=False)
    viewer.type_in(b"never")
    heard(viewer)
    viewer.client.permit(True)
    viewer.type_in(b"abc")
    viewer.until(lambda: protocol.Accepted(8) in viewer.seen)
    again = bench.peer(terminal, v1=True, client_id=ID)
    assert again.message(protocol.Hello).accepted == 8
    again.ask(protocol.Input(5, b"abcd"))
    again.ask(protocol.Input(9, END))
    assert recorded(slave) == b"abcd"
    again.close()
    bench.gone(again)
    back = bench.peer(terminal, v1=True, client_id=ID, writable=False)  # with less of a right than before
    accepted = 9 + len(END)
    assert back.message(protocol.Hello).accepted == accepted
    back.client.permit(True)
    back.ask(protocol.Input(accepted, b"on" + END))
    assert recorded(slave) == b"on"


def test_input_queued_by_an_earlier_connection_is_not_credited_to_one_that_gets_the_right(bench: Bench) -> None:
    terminal, slave = bench.bare()
    first = bench.peer(terminal, v1=True, client_id=ID)
    first.type_in(b"f" * 60000)
    wait_for(lambda: bench.pump.statistics()["input_queued"] > 0)
    first.close()
    bench.gone(first)
    viewer = bench.peer(terminal, v1=True, client_id=ID, writable=False)
    accepted = viewer.message(protocol.Hello).accepted
    assert 0 < accepted < 60000
    viewer.client.permit(True)
    viewer.ask(protocol.Input(accepted, END))
    assert recorded(slave) == b"f" * 60000
    again = bench.peer(terminal, v1=True, client_id=ID)
    assert again.message(protocol.Hello).accepted == accepted + len(END)


def test_viewers_take_no_input_stream_away_from_typing_clients(bench: Bench) -> None:
    terminal, _ = bench.bare()
    writer = bench.peer(terminal, v1=True, client_id=ID)
    writer.type_in(b"12345")
    writer.until(lambda: protocol.Accepted(5) in writer.seen)
    writer.close()
    bench.gone(writer)
    for i in range(40):
        heard(bench.peer(terminal, v1=True, client_id=bytes([i]) * 16, writable=False))
    assert bench.peer(terminal, v1=True, client_id=ID).message(protocol.Hello).accepted == 5


def test_a_client_given_the_right_gets_no_stream_that_another_uses(bench: Bench) -> None:
    terminal, slave = bench.bare()
    writer = bench.peer(terminal, v1=True, client_id=ID)
    writer.type_in(b"one,")
    writer.until(lambda: protocol.Accepted(4) in writer.seen)
    double = bench.peer(terminal, v1=True, client_id=ID, writable=False)
    double.sent = double.message(protocol.Hello).accepted
    double.client.permit(True)
    double.type_in(b"two,")
    heard(double)
    writer.type_in(b"three")
    writer.type_in(END)
    assert recorded(slave) == b"one,two,three"


def test_rights_that_change_all_the_time_leave_everything_in_order(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peers = [bench.peer(terminal, v1=i % 2 == 0, rows=20 + i, cols=80) for i in range(4)]
    over = threading.Event()

    def flip(peer: PumpPeer) -> None:
        for i in range(2000):
            peer.client.permit(i % 2 == 1)
        over.set()

    threads = [threading.Thread(target=flip, args=[peer]) for peer in peers]
    drain = threading.Thread(target=lambda: recorded(slave))
    for thread in [*threads, drain]:
        thread.start()
    while not over.is_set():
        for peer in peers:
            peer.type_in(b"x")
    for thread in threads:
        thread.join()
    for peer in peers:
        peer.type_in(b"last")
        heard(peer)
    peers[0].type_in(END)
    drain.join()
    assert all(peer.client.writable for peer in peers)
    peers[0].until(lambda: isinstance(peers[0].seen[-1], protocol.Accepted))


def test_a_right_can_be_set_for_a_client_that_has_not_come_yet_or_has_left(bench: Bench) -> None:
    terminal, _ = bench.bare()
    peer = bench.peer(terminal, v1=True, received=frames.encode(frames.BINARY, b"\x81" + bytes(8) + b"x", mask=b"abcd"))
    peer.client.permit(False)
    peer.client.permit(False)
    peer.close()
    bench.gone(peer)
    peer.client.permit(True)
    terminal.close()
    peer.client.permit(False)
    bench.pump.close()
    peer.client.permit(True)
    assert peer.client.writable


def test_an_ended_session_has_rights_as_well(bench: Bench) -> None:
    terminal, _ = bench.bare()
    peer = bench.peer(terminal, v1=True)
    peer.message(protocol.Hello)
    peer.client.permit(False)
    terminal.finish(0)
    peer.until_over()
    assert peer.close_code == 1000
    assert protocol.Access(False, "") in peer.seen


FRAME = st.builds(
    lambda opcode, payload, fin: frames.encode(opcode, payload, fin=fin, mask=b"\x01\x02\x03\x04"),
    st.sampled_from([0, 1, 2, 9, 10]),
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=50).map(str.encode),
        st.sampled_from(
            [
                b'{"type":"input","data":"rm -rf"}',
                b'{"type":"resize","rows":5,"cols":5}',
                b'{"type":"resize","data":{"rows":5,"cols":5}}',
                protocol.encode(protocol.Input(0, b"typed")),
                protocol.encode(protocol.Input(0, b"x" * 60000)),
                protocol.encode(protocol.Input(2**64 - 1, b"typed")),
                protocol.encode(protocol.ResizeRequest(5, 5)),
                protocol.encode(protocol.Ack(0)),
                protocol.encode(protocol.LinesRequest(protocol.TOP, 100)),
                protocol.encode(protocol.RedrawRequest()),
                b"\x1b[6n\x1b[c\x03\x1a\x1c",
            ]
        ),
    ),
    st.booleans() | st.just(True),
)
SPOILT = st.tuples(FRAME, st.integers(0, 30), st.integers(0, 255)).map(
    lambda t: t[0][: t[1]] + bytes([t[2]]) + t[0][t[1] + 1 :]
)
STREAM = st.lists(st.one_of(FRAME, SPOILT, st.binary(max_size=40)), max_size=20).map(b"".join)


@pytest.mark.parametrize("v1", [False, True])
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(stream=STREAM, lost=st.booleans(), split=st.integers(0, 2000))
def test_whatever_a_viewer_sends_the_program_gets_nothing_and_keeps_its_size(
    v1: bool, stream: bytes, lost: bool, split: int
) -> None:
    with closing(Bench()) as bench:
        terminal, slave = bench.bare()
        os.write(slave, b"$ \x1b[6n")  # the terminal's answer is the only thing that comes of what is printed
        assert recorded(slave, b"\x1b[1;3R") == b""
        if lost:
            viewer = bench.peer(terminal, v1=v1)
            viewer.client.permit(False)
        else:
            viewer = bench.peer(terminal, v1=v1, writable=False, received=stream[:split], rows=7, cols=7)
        with suppress(BrokenPipeError, ConnectionResetError):
            viewer.socket.sendall(stream if lost else stream[split:])
            viewer.socket.shutdown(1)
        with suppress(BrokenPipeError, ConnectionResetError):
            while viewer.socket.recv(1 << 16):
                pass
        bench.gone(viewer)
        assert (terminal.rows, terminal.cols) == (24, 80)
        writer = bench.peer(terminal)
        writer.type_in(END)
        assert recorded(slave) == b""


@pytest.mark.parametrize("v1", [False, True])
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(stream=STREAM)
def test_whatever_a_writer_sends_others_are_not_harmed(v1: bool, stream: bytes) -> None:
    with closing(Bench()) as bench:
        terminal, slave = bench.bare()
        good, bad = bench.peer(terminal), bench.peer(terminal, v1=v1)
        drain = threading.Thread(target=lambda: recorded(slave))
        drain.start()
        with suppress(BrokenPipeError, ConnectionResetError):
            bad.socket.sendall(stream)
            bad.socket.shutdown(1)
        with suppress(BrokenPipeError, ConnectionResetError):
            while bad.socket.recv(1 << 16):
                pass
        bench.gone(bad)
        good.type_in(END)
        drain.join()


@pytest.mark.parametrize("v1", [False, True])
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(st.booleans() | st.binary(min_size=1, max_size=60), max_size=30), with_id=st.booleans())
def test_the_program_gets_exactly_the_input_typed_with_the_right(
    v1: bool, steps: list[bool | bytes], with_id: bool
) -> None:
    with closing(Bench(ping_s=0.04)) as bench:  # that often it tells what was accepted
        terminal, slave = bench.bare()
        peer = bench.peer(terminal, v1=v1, client_id=ID if with_id else b"")
        expected, writable = b"", True
        for step in steps:
            if isinstance(step, bool):
                heard(peer)
                peer.client.permit(step)
                writable = step
            else:
                peer.type_in(step)
                expected += step if writable else b""
        heard(peer)
        peer.client.permit(True)
        peer.type_in(END)
        assert recorded(slave) == expected
        if v1:
            peer.until(lambda: protocol.Accepted(peer.sent) in peer.seen)


# ---------------------------------------------------------------- the first input


def test_the_first_input_of_a_client_is_reported_once(bench: Bench) -> None:
    terminal, slave = bench.bare()
    viewer = bench.peer(terminal, v1=True, writable=False)
    typist = bench.peer(terminal, v1=True)
    raw = bench.peer(terminal)
    viewer.type_in(b"x")
    typist.ask(protocol.ResizeRequest(20, 70))
    typist.ask(protocol.RedrawRequest())
    typist.type_in(b"")
    for peer in (viewer, typist, raw):
        heard(peer)
    terminal.write(b"by REST" + END)
    recorded(slave)
    assert "typed" not in {e.kind for e in bench.pump.take_events()}
    for _ in range(3):
        typist.type_in(b"a")
        raw.type_in(b"b")
    raw.type_in(b"\n")
    events = events_until(bench.pump, lambda events: sum(e.kind == "typed" for e in events) >= 2)
    heard(typist)
    heard(raw)
    raw.close()
    events += events_until(bench.pump, lambda events: any(e.kind == "gone" for e in events))
    typed = [e for e in events if e.kind == "typed"]
    assert {id(e.client) for e in typed} == {id(typist.client), id(raw.client)}
    assert len(typed) == 2
    assert all(e.terminal is terminal for e in typed)


def test_one_that_comes_is_counted_by_the_time_it_is_reported(bench: Bench) -> None:
    terminal, _ = bench.bare()
    for count in range(1, 30):
        peer = bench.peer(terminal)
        events_until(
            bench.pump, lambda events, peer=peer: ("came", peer.client) in [(e.kind, e.client) for e in events]
        )
        assert terminal.clients == count


def test_one_that_types_and_leaves_is_reported_in_that_order(bench: Bench) -> None:
    terminal, _ = bench.bare()
    peers = [bench.peer(terminal) for _ in range(50)]
    for peer in peers:
        peer.type_in(b"x")
        peer.close()
    events = events_until(bench.pump, lambda events: sum(e.kind == "gone" for e in events) == 50)
    for peer in peers:
        assert [e.kind for e in events if e.client is peer.client] == ["came", "typed", "gone"]


def test_input_into_a_session_that_has_ended_is_ignored(bench: Bench) -> None:
    ended = bench.pump.open(-1, new_ring(), rows=24, cols=80)
    peer = bench.peer(ended)
    peer.type_in(b"x")
    heard(peer)
    ended.finish(0)
    peer.until_over()
    assert "typed" not in {
        e.kind for e in events_until(bench.pump, lambda events: any(e.kind == "gone" for e in events))
    }


# ---------------------------------------------------------------- presence


def presences(peer: PumpPeer) -> list[str]:
    return [m.text for m in peer.seen if isinstance(m, protocol.Presence)]


def test_a_v1_client_is_told_its_name_and_who_is_there_from_the_beginning(bench: Bench) -> None:
    terminal, slave = bench.bare()
    os.write(slave, b"printed")
    wait_for(lambda: terminal.head == 7)
    terminal.present(b'{"people":[]}')
    peer = bench.peer(terminal, v1=True, name="zoë".encode(), writable=False)
    heard(peer)
    assert [type(m) for m in peer.seen[:3]] == [protocol.Hello, protocol.Access, protocol.Presence]
    assert peer.seen[1:3] == [protocol.Access(False, "zoë"), protocol.Presence('{"people":[]}')]
    assert isinstance(peer.seen[3], protocol.Redraw)


def test_every_client_gets_each_new_presence_once(bench: Bench) -> None:
    terminal, _ = bench.bare()
    peers = [bench.peer(terminal, v1=True) for _ in range(3)]
    raw = bench.peer(terminal)
    for text in (b"one", b"one", b"two", b"", b"three", b"two"):
        terminal.present(text)
        for peer in peers:
            heard(peer)
    for peer in peers:
        peer.until(lambda peer=peer: len(presences(peer)) >= 4)
        heard(peer)
        assert presences(peer) == ["one", "two", "three", "two"]
    terminal.present(b"")
    heard(raw)
    assert raw.output == b""
    late = bench.peer(terminal, v1=True)
    heard(late)
    assert presences(late) == []


def test_a_client_that_hardly_reads_gets_the_latest_and_is_not_given_up(bench: Bench) -> None:
    terminal, slave = bench.bare()
    slow = bench.peer(terminal, v1=True, buffer=4096)
    fast = bench.peer(terminal, v1=True)
    for i in range(300):
        terminal.present(b"%d" % i + b"x" * 16000)
        heard(fast)
        slow.waiting += slow.decoder.feed(slow.socket.recv(2000))
        os.write(slave, b"printed")
    terminal.present(b"the last")
    fast.until(lambda: "the last" in presences(fast))
    slow.until(lambda: "the last" in presences(slow))
    assert len(presences(slow)) < 100  # of 301
    assert min(presences(fast), key=len) == "the last"


def test_what_is_too_long_is_refused(bench: Bench) -> None:
    terminal, _ = bench.bare()
    terminal.present(b"x" * 16384)
    with pytest.raises(ValueError, match="expected at most 16384 bytes, got 16385"):
        terminal.present(b"x" * 16385)
    for bad in (b"n" * 65, b"\xff"):
        with pytest.raises(ValueError, match="name: expected at most 64 bytes of UTF-8"):
            PumpPeer(terminal, v1=True, name=bad)
    with pytest.raises(ValueError, match="input_rate: expected 0 or more"):
        PumpPeer(terminal, input_rate=-1)
    heard(bench.peer(terminal, input_rate=1 << 40))
    peer = bench.peer(terminal, v1=True, name=b"n" * 64, response=b"r" * 32768)
    assert peer.socket.recv(32768, socket.MSG_WAITALL) == b"r" * 32768
    assert peer.message(protocol.Access).id == "n" * 64
    assert len(peer.message(protocol.Presence).text) == 16384


# ---------------------------------------------------------------- signs of life


def dribble(bench: Bench, peer: PumpPeer, data: bytes) -> None:
    """Send it byte by byte, over and over, until the pump has given this client up."""
    sent = 0
    with suppress(BrokenPipeError, ConnectionResetError):
        while not peer.client.gone:
            assert sent < len(data), "it is still there"
            sent += peer.socket.send(data[sent : sent + 1])
            select.select([], [], [], 0.01)
    event = bench.gone(peer)
    assert event.number == 1006


@pytest.mark.parametrize("v1", [False, True])
def test_half_a_message_is_no_sign_of_life(v1: bool) -> None:
    frame = frames.encode(frames.BINARY, b"x" * 60000, mask=b"abcd")
    with no_leaked_descriptors(), closing(Bench(ping_s=0.1, timeout_s=0.4)) as bench:
        terminal, _ = bench.bare()
        peer = bench.peer(terminal, v1=v1, received=frame[:100])
        dribble(bench, peer, frame[100:])
        assert bench.pump.statistics()["dropped"] == 1


def test_a_message_without_end_is_no_sign_of_life() -> None:
    with no_leaked_descriptors(), closing(Bench(ping_s=0.1, timeout_s=0.4)) as bench:
        terminal, _ = bench.bare()
        peer = bench.peer(terminal)
        peer.send(frames.BINARY, b"", fin=False)
        dribble(bench, peer, frames.encode(frames.CONTINUATION, b"", fin=False, mask=b"abcd") * 10_000)


def test_whole_messages_are_signs_of_life_whatever_they_say() -> None:
    with no_leaked_descriptors(), closing(Bench(ping_s=0.1, timeout_s=0.4)) as bench:
        terminal, _ = bench.bare()
        peer = bench.peer(terminal, v1=True, writable=False)
        end = time.monotonic() + 1.2  # three times over
        while time.monotonic() < end:
            peer.ask(protocol.Ping(b""))
            select.select([], [], [], 0.05)
        heard(peer)
        assert bench.pump.statistics()["dropped"] == 0


@pytest.mark.parametrize("bit", [0x40, 0x20, 0x10])
@pytest.mark.parametrize("opcode", [0, 1, 2, 8, 9, 10])
def test_reserved_bits_are_refused_since_nothing_was_negotiated(bench: Bench, bit: int, opcode: int) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal)
    frame = bytearray(frames.encode(opcode, b"\x03\xe8" if opcode == 8 else b"typed", mask=b"abcd"))
    frame[0] |= bit
    peer.socket.sendall(frame)
    peer.until_over()
    assert peer.close_code == 1002
    bench.peer(terminal).type_in(END)
    assert recorded(slave) == b""


# ---------------------------------------------------------------- input by bytes


@pytest.mark.parametrize("v1", [False, True])
def test_a_client_is_read_no_faster_than_its_rate_and_nothing_is_lost(bench: Bench, v1: bool) -> None:
    terminal, slave = bench.bare()
    rate, size = 400_000, 1_000_000
    peer, other = bench.peer(terminal, v1=v1, input_rate=rate), bench.peer(terminal)
    got: list[bytes] = []
    drain = threading.Thread(target=lambda: got.append(recorded(slave)))
    drain.start()
    begun = time.monotonic()
    before = bench.pump.statistics()["turns"]

    def paste() -> None:
        for _ in range(size // 50_000):
            peer.type_in(b"p" * 50_000)
        peer.type_in(END)

    paster = threading.Thread(target=paste)
    paster.start()
    other.type_in(b"o")  # no other client waits for it
    paster.join()
    drain.join()
    took_s = time.monotonic() - begun
    assert len(got[0]) == size + 1
    # A second's worth comes at once, and one read may go beyond it: a lower bound, whatever the machine does.
    assert took_s >= (size - 150_000) / rate - 1
    assert bench.pump.statistics()["turns"] - before < 3000  # it sleeps meanwhile


def test_acks_and_pings_are_not_input(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, v1=True, input_rate=1)
    for _ in range(2000):
        peer.ask(protocol.Ack(0))
    heard(peer)
    assert bench.pump.statistics()["frames_in"] == 2001
    peer.type_in(END)
    assert recorded(slave) == b""


@pytest.mark.parametrize("end", ["close", "finish", "permit", "away"])
def test_a_client_that_has_sent_too_much_is_not_stuck(bench: Bench, end: str) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, v1=True, input_rate=1)
    peer.type_in(b"x" * 3000 + END)
    recorded(slave)
    peer.type_in(b"late")  # it is not read for an hour
    before = bench.pump.statistics()["frames_in"]
    if end == "close":
        peer.client.close(1008, "logged out")
        peer.until_over()
        assert peer.close_code == 1008
        bench.gone(peer)
        assert bench.pump.statistics()["frames_in"] == before + 2  # also its answer was read
    elif end == "finish":
        terminal.finish(0)
        peer.until_over()
        assert peer.close_code == 1000
    elif end == "permit":
        peer.client.permit(False)
        heard(peer)
    else:
        peer.close()
        terminal.close()
        terminal = bench.pump.open(-1, new_ring(), rows=24, cols=80)
        heard(bench.peer(terminal, v1=True))


def test_a_client_over_its_rate_is_not_dropped_for_its_silence() -> None:
    with no_leaked_descriptors(), closing(Bench(ping_s=0.1, timeout_s=0.4)) as bench:
        terminal, slave = bench.bare()
        peer = bench.peer(terminal, v1=True, input_rate=3000)
        peer.type_in(b"x" * 6000 + END)  # two seconds of which one is free: five time-outs later it is read again
        recorded(slave)
        heard(peer)
        assert bench.pump.statistics()["dropped"] == 0


def test_a_rate_goes_with_the_terminal_to_another_lane(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, v1=True, latest=True, input_rate=20_000)
    watcher = bench.peer(terminal)
    over = threading.Event()

    def flood() -> None:
        while not over.is_set():
            os.write(slave, b"flood " * 600)

    def watch() -> None:
        while watcher.socket.recv(1 << 18):
            pass

    threads = [threading.Thread(target=flood), threading.Thread(target=watch)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: terminal.lane > 0)
        peer.type_in(b"x" * 60_000 + END)
        assert recorded(slave) == b"x" * 60_000
        peer.type_in(b"late" + END)  # it is not read for two seconds, in which the terminal goes back
        over.set()
        wait_for(lambda: terminal.lane == 0)
        assert recorded(slave) == b"late"
    finally:
        over.set()
        watcher.socket.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


def test_everything_at_once_is_safe(bench: Bench) -> None:
    """Rights, presence, input and departures from several threads while the terminal moves between lanes."""
    terminal, slave = bench.bare()

    def visit() -> None:
        peer = PumpPeer(terminal, v1=True, name=b"n", client_id=os.urandom(16), latest=True, input_rate=50_000)
        peer.client.permit(False)
        with suppress(BrokenPipeError, ConnectionResetError, TimeoutError):
            for i in range(20):
                peer.client.permit(i % 2 == 0)
                peer.type_in(b"y" * 3000)
            peer.step()
        peer.close()

    numbers = iter(range(10**9))
    at_once(
        visit,
        visit,
        lambda: (terminal.present(b"%d" % next(numbers)), time.sleep(0.001)),
        lambda: (bench.pump.take_events(), time.sleep(0.001)),
        lambda: os.write(slave, b"flood " * 300),
        lambda: select.select([slave], [], [], 0.1)[0] and os.read(slave, 65536),
    )
    last = bench.peer(terminal, v1=True, latest=True)
    last.message(protocol.Hello)
