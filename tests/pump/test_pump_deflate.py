"""The pump with permessage-deflate: the same bytes, fewer on the wire, made once for everybody, and bounded."""

import os
import random
import select
import socket
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from bench import LOG, STUCK, VIM, Bench, Screen, at_once, hang_up, heard, printed, reading, screen_of
from harness import wait_for
from pump_peer import PumpPeer, deflated, events_until, new_ring

from vibetunnel import protocol
from vibetunnel._ext import frames
from vibetunnel._ext.pump import Pump, Terminal, load_zlib
from vibetunnel._ext.vt import Engine

MESSAGE = 65536  # bytes that a message may have
# Half as long when it is compressed: so much that a small socket takes no block of it whole. Nor is there a control
# sequence in it that an interrupt could cut.
HASHES = b"".join(random.Random(i).randbytes(36).hex().encode() + b"\r\n" for i in range(4000))
TEXT, BINARY = frames.TEXT | frames.COMPRESSED, frames.BINARY | frames.COMPRESSED


def counted(bench: Bench, name: str) -> int:
    return bench.pump.statistics()[name]


# ---------------------------------------------------------------- output


@pytest.mark.parametrize("v1", [False, True])
@pytest.mark.parametrize("latest", [False, True])
def test_a_flood_arrives_unchanged_and_smaller(bench: Bench, v1: bool, latest: bool) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, v1=v1, latest=latest, since=0, deflates=True)
    thread = threading.Thread(target=printed, args=(slave, terminal, LOG * 4))
    thread.start()
    peer.until(lambda: len(peer.output) == len(LOG * 4))
    thread.join()
    assert peer.output == LOG * 4
    whole = sum(inflated for inflated, _ in peer.compressed)
    assert whole > len(LOG * 4) * 0.9
    assert max(inflated for inflated, _ in peer.compressed) <= 16384 + (9 if v1 else 0)
    assert peer.client.bytes_sent < len(LOG * 4) // 3


def test_short_output_is_not_compressed(bench: Bench) -> None:
    terminal, _ = bench.sh("stty raw -echo; printf ready; exec cat")
    peer = bench.peer(terminal, since=0, deflates=True)
    peer.until(b"ready")
    for size in (1, 5, 80, 199):
        peer.type_in(b"x" * size)
        peer.until(b"x" * size)
        peer.output = b""
    assert counted(bench, "compressions") == 0
    peer.type_in(b"y" * 1000)
    peer.until(lambda: len(peer.output) == 1000)
    assert peer.compressed


def test_output_that_does_not_become_smaller_is_sent_uncompressed(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peers = [bench.peer(terminal, v1=v1, since=0, deflates=True) for v1 in (False, True)]
    noise = random.Random(7).randbytes(300_000)
    thread = threading.Thread(target=printed, args=(slave, terminal, noise))
    thread.start()
    threads = [
        threading.Thread(target=peer.until, args=(lambda p=peer: len(p.output) == len(noise),)) for peer in peers
    ]
    for each in threads:
        each.start()
    for each in (thread, *threads):
        each.join()
    for peer in peers:
        assert peer.output == noise
        assert peer.compressed == []
    assert counted(bench, "compressions") > 0


@pytest.mark.parametrize("v1", [False, True])
def test_a_batch_for_a_hundred_clients_is_compressed_once(bench: Bench, v1: bool) -> None:
    terminal, slave = bench.bare()
    peers = [bench.peer(terminal, v1=v1, since=0, latest=i % 2 == 0, deflates=True) for i in range(100)]
    wait_for(lambda: terminal.clients == 100)
    printed(slave, terminal, LOG[:3000])
    for peer in peers:
        peer.until(lambda peer=peer: len(peer.output) == 3000)  # type: ignore[misc]
        assert peer.output == LOG[:3000]
        assert peer.compressed == peers[0].compressed
    # (A terminal that moves to another lane in the middle takes nothing along.)
    assert 0 < len(peers[0].compressed) <= counted(bench, "compressions")
    assert counted(bench, "compressions") <= len(peers[0].compressed) + counted(bench, "moves")


def test_a_flood_for_many_clients_is_compressed_about_once(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peers = [bench.peer(terminal, v1=i % 2 == 0, since=0, deflates=True) for i in range(20)]
    wait_for(lambda: terminal.clients == 20)
    for start in range(0, len(LOG), 50_000):  # as much as every socket takes at once
        printed(slave, terminal, LOG[start : start + 50_000])
        for peer in peers:
            peer.until(lambda peer=peer: len(peer.output) == terminal.head)  # type: ignore[misc]
    sent = sum(len(peer.compressed) for peer in peers)
    assert all(peer.output == LOG for peer in peers)
    assert counted(bench, "compressions") <= sent // 5  # 2 of 20 if all went alike: one for each of both protocols


def test_clients_with_and_without_compression_see_the_same(bench: Bench) -> None:
    terminal, slave = bench.bare()
    kinds = [(v1, deflates) for v1 in (False, True) for deflates in (False, True)]
    peers = [bench.peer(terminal, v1=v1, since=0, deflates=deflates) for v1, deflates in kinds]
    threads = [threading.Thread(target=peer.until, args=(lambda p=peer: len(p.output) == len(LOG),)) for peer in peers]
    for thread in threads:
        thread.start()
    printed(slave, terminal, LOG)
    for thread in threads:
        thread.join()
    for peer, (_, deflates) in zip(peers, kinds, strict=True):
        assert peer.output == LOG
        assert bool(peer.compressed) is deflates


def test_the_redraw_and_the_lines_of_a_late_client_are_compressed_too(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, LOG)
    late = bench.peer(terminal, v1=True, deflates=True, scrollback=1000)
    late.until(lambda: bool(late.lines) and late.lines[-1].last)
    assert late.screen() == screen_of(bench.capture(terminal))
    assert sum(piece.count for piece in late.lines) == 1000
    assert len(late.compressed) == 1 + len(late.lines)
    assert sum(wire for _, wire in late.compressed) < sum(whole for whole, _ in late.compressed) // 3
    head = b"Redraw: " + b"0" * 20 + b"\r\n\r\n"
    raw = bench.peer(terminal, response=head, redraw_at=8, deflates=True, scrollback=500)
    answer = raw.socket.recv(len(head), socket.MSG_WAITALL)
    raw.until(lambda: bool(raw.output))
    assert int(answer[8:28]) == len(raw.output) == raw.compressed[0][0]
    engine = Engine(24, 80)
    engine.feed(raw.output)
    assert engine.text(-500) == bench.capture(terminal, 500).text(-500)


def test_a_redraw_too_large_to_be_compressed_in_one_turn_goes_out_as_it_is(bench: Bench) -> None:
    terminal, slave = bench.bare(rows=300, cols=300)
    printed(slave, terminal, b"".join(b"\x1b[38;2;%d;%d;7mx" % (i % 251, i % 241) for i in range(300 * 299)))
    peer = bench.peer(terminal, v1=True, deflates=True)
    assert len(peer.message(protocol.Redraw).data) > 262144
    assert peer.compressed == []
    assert peer.screen() == screen_of(bench.capture(terminal))


# ---------------------------------------------------------------- clients that are slow


def sip(peer: PumpPeer, rng: random.Random, until: Callable[[], bool]) -> None:
    """Read in small pieces of any size."""
    while not until():
        if not peer.waiting:
            data = peer.socket.recv(rng.randrange(1, 3000))
            assert data, peer.close_code
            peer.waiting = peer.decoder.feed(data)
            continue
        peer.step()


def half_sent(bench: Bench, peer: PumpPeer) -> None:
    """Read on, if the last frame has come whole, until one has not. The socket is a small one."""
    while counted(bench, "blocks") == 0:
        peer.waiting += peer.decoder.feed(peer.socket.recv(1000))
        select.select([], [], [], 0.01)


@pytest.mark.parametrize("size", [32768, 65536, 262144])
@pytest.mark.parametrize("v1", [False, True])
def test_a_slow_lossless_client_gets_every_byte(bench: Bench, v1: bool, size: int) -> None:
    terminal, slave = bench.bare(size=size)
    slow = bench.peer(terminal, v1=v1, since=0, deflates=True, buffer=4096)
    writer = threading.Thread(target=printed, args=(slave, terminal, HASHES * 2))
    writer.start()
    wait_for(lambda: slow.client.lag >= 12000)
    sip(slow, random.Random(v1), lambda: len(slow.output) == len(HASHES * 2))
    writer.join()
    assert slow.output == HASHES * 2


@pytest.mark.parametrize("v1", [False, True])
def test_a_client_that_never_reads_keeps_one_block_whatever_the_ring_does(bench: Bench, v1: bool) -> None:
    terminal, slave = bench.bare(size=65536)
    dead = [
        bench.peer(terminal, v1=v1, since=0, latest=True, deflates=True, buffer=4096, narrow=True) for _ in range(5)
    ]
    fast = bench.peer(terminal, deflates=True)
    thread = reading(fast)
    printed(slave, terminal, HASHES[:100_000])
    half_sent(bench, dead[0])
    for _ in range(6):
        printed(slave, terminal, HASHES)
        assert counted(bench, "blocks") <= 5 + 16
    assert all(each.client.lag > 1_000_000 for each in dead)
    wait_for(lambda: 1 <= counted(bench, "blocks") <= 5)
    printed(slave, terminal, b"\x1b[2;5Hthe end")
    for each in dead:  # they read after all: the rest of their frame, then the screen
        if v1:
            each.until(lambda each=each: each.offset == terminal.head)  # type: ignore[misc]
            assert each.screen() == screen_of(bench.capture(terminal))
        else:
            each.until(b"the end")
            engine = Engine(24, 80)
            engine.feed(each.output)
            assert engine.text() == bench.capture(terminal).text()
    hang_up(fast, thread)


@pytest.mark.parametrize("v1", [False, True])
def test_an_interrupt_skips_ahead_after_the_frame_that_is_under_way(bench: Bench, v1: bool, tmp_path: Path) -> None:
    flood = tmp_path / "flood"
    flood.write_bytes(HASHES)
    terminal, _ = bench.sh(
        f"trap 'printf \"\\nstopped\\n\"; exec cat' INT; stty -opost; read -r line; while :; do cat {flood}; done"
    )
    peer = bench.peer(terminal, v1=v1, latest=True, since=0, deflates=True, buffer=4096, narrow=True)
    terminal.write(b"go\n")
    wait_for(lambda: peer.client.lag >= STUCK)
    half_sent(bench, peer)
    peer.type_in(b"\x03")
    peer.until(b"stopped")
    assert peer.compressed
    assert terminal.head - len(peer.output) > STUCK // 4
    if v1:
        peer.until(lambda: peer.offset == terminal.head)
        assert peer.screen() == screen_of(bench.capture(terminal))


@pytest.mark.parametrize("size", [32768, 65536, 262144])
@pytest.mark.parametrize("latest", [False, True])
def test_a_client_that_acknowledges_as_late_as_it_may_gets_everything(bench: Bench, latest: bool, size: int) -> None:
    terminal, slave = bench.bare(size=size)
    peer = bench.peer(terminal, v1=True, since=0, latest=latest, deflates=True)
    window = peer.message(protocol.Hello).window
    acknowledge, acked = peer.answer, 0

    def answer(opcode: int, payload: bytes) -> None:
        nonlocal acked
        if peer.offset - acked >= window // 2:
            acked = peer.offset
            acknowledge(opcode, payload)

    peer.answer = answer  # type: ignore[method-assign]
    for start in range(0, len(HASHES), 70_001):  # it ends anywhere in a frame, and in the window
        writer = threading.Thread(target=printed, args=(slave, terminal, HASHES[start : start + 70_001]))
        writer.start()
        peer.until(lambda start=start: peer.offset == min(start + 70_001, len(HASHES)))  # type: ignore[misc]
        writer.join()
    assert peer.output == HASHES


def test_pongs_and_frames_never_mix(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, since=0, deflates=True, buffer=4096)
    first = b"in a frame as it is\r\n"
    printed(slave, terminal, first)
    peer.until(first)
    assert not peer.compressed
    writer = threading.Thread(target=printed, args=(slave, terminal, HASHES))
    writer.start()
    rng = random.Random(5)
    sent = 0

    def all_there() -> bool:
        nonlocal sent
        if sent < 500 and len(peer.output) > len(first) + sent * 200:
            for _ in range(100):  # more than the socket takes: answers are cut, in front of a frame that has not begun
                peer.send(frames.PING, b"%100d" % sent)
                sent += 1
        return len(peer.output) == len(first + HASHES)

    sip(peer, rng, all_there)
    writer.join()
    assert peer.output == first + HASHES
    heard(peer)
    assert peer.pongs == sent + 1


# ---------------------------------------------------------------- ends


def stuck(bench: Bench, v1: bool = False, **options: Any) -> tuple[Terminal, int, Screen]:
    """A client that has got half of a block, and reads no further."""
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, v1=v1, since=0, deflates=True, buffer=4096, **options)
    wait_for(lambda: terminal.clients == 1)
    printed(slave, terminal, HASHES[:100_000])
    half_sent(bench, peer)
    assert peer.client.bytes_sent > 0
    return terminal, slave, peer


@pytest.mark.parametrize("v1", [False, True])
def test_an_ended_session_sends_the_rest_and_its_exit(bench: Bench, v1: bool) -> None:
    terminal, _, peer = stuck(bench, v1)
    os.close(bench.slaves.pop())
    terminal.finish(3)
    events_until(bench.pump, lambda events: any(e.kind == "ended" for e in events))
    peer.until_over()
    assert peer.output == HASHES[:100_000]
    assert peer.close_code == 1000
    late = bench.peer(terminal, v1=v1, deflates=True)
    late.until_over()
    assert late.close_code == 1000
    assert late.compressed


def test_a_client_that_is_closed_gets_the_rest_of_its_frame_and_then_the_code(bench: Bench) -> None:
    terminal, slave, peer = stuck(bench)
    other = bench.peer(terminal, deflates=True)
    peer.client.close(1008, "logged out")
    printed(slave, terminal, b"who is left goes on")  # the closed one needs nothing of the ring
    other.until(b"goes on")
    peer.until_over()
    assert (peer.close_code, peer.close_reason) == (1008, "logged out")
    assert HASHES.startswith(peer.output)
    assert peer.output


def test_a_client_that_leaves_in_the_middle_of_a_block_leaves_no_block(bench: Bench) -> None:
    terminal, slave, peer = stuck(bench)
    peer.close()
    wait_for(lambda: terminal.clients == 0 and counted(bench, "blocks") == 0)
    printed(slave, terminal, HASHES)


@pytest.mark.parametrize("linger_s", [0.0, 0.2])
def test_a_pump_that_stops_lets_go_of_every_block(make: Callable[..., Bench], linger_s: float) -> None:
    bench = make()
    terminal, slave, _ = stuck(bench)
    bench.peer(terminal, v1=True, deflates=True, buffer=4096)
    printed(slave, terminal, HASHES[:1000])
    bench.pump.close(linger_s=linger_s)
    assert counted(bench, "blocks") == 0


def test_a_block_goes_along_to_another_lane(bench: Bench) -> None:
    terminal, slave = bench.bare()
    slow = bench.peer(terminal, v1=True, since=0, latest=True, deflates=True, buffer=4096, narrow=True)
    fast = bench.peer(terminal, deflates=True)
    thread = reading(fast)
    over = threading.Event()

    def flood() -> None:
        while not over.is_set():
            os.write(slave, HASHES[:4000])

    writer = threading.Thread(target=flood)
    writer.start()
    try:
        wait_for(lambda: terminal.lane > 0)
        half_sent(bench, slow)
        sip(slow, random.Random(1), lambda: bool(slow.redraws))  # in the other lane
        before = len(slow.compressed)
        sip(slow, random.Random(2), lambda: len(slow.compressed) > before)
    finally:
        over.set()
        writer.join()
    wait_for(lambda: terminal.lane == 0)  # with what is left of a block
    printed(slave, terminal, b"\x1b[H\x1b[2Jthe end")
    slow.until(lambda: slow.offset == terminal.head)
    assert slow.screen() == screen_of(bench.capture(terminal))
    hang_up(fast, thread)


# ---------------------------------------------------------------- input


def recorded(slave: int, n: int) -> bytes:
    """The next n bytes that the program gets."""
    data = b""
    while len(data) < n:
        ready, _, _ = select.select([slave], [], [], 30)
        assert ready, f"waited too long; got {len(data)} bytes of {n}"
        data += os.read(slave, min(65536, n - len(data)))
    return data


def test_compressed_messages_are_input_like_any_other(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, deflates=True)
    peer.send(BINARY, deflated(b"binary, "))
    peer.send(TEXT, deflated("téxt, ".encode()))
    peer.send(TEXT, deflated(b'{"type":"input","data":"object, "}'))
    peer.send(TEXT, deflated(b'{"type":"resize","rows":30,"cols":90}'))
    peer.send(BINARY, b"", fin=False)
    payload = deflated(b"in fragments, ")
    peer.send(frames.PING, b"between")
    peer.send(frames.CONTINUATION, b"", fin=True)  # an uncompressed one
    peer.send(BINARY, payload[:5], fin=False)
    peer.send(frames.PING, b"between")
    peer.send(frames.CONTINUATION, payload[5:9], fin=False)
    peer.send(frames.CONTINUATION, payload[9:])
    for nothing in (b"\0", b"", b"\x01"):
        peer.send(BINARY, nothing)
        peer.send(TEXT, nothing)
    peer.send(BINARY, b"\xf3H\xcd\xc9\xc9\x07\0\0")  # a block that says that it is the last
    peer.send(frames.BINARY, b", as it is")
    expected = "binary, téxt, object, in fragments, Hello, as it is".encode()
    assert recorded(slave, len(expected)) == expected
    heard(peer)
    assert (terminal.rows, terminal.cols) == (30, 90)


def test_compressed_requests_of_v1_are_understood(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, v1=True, deflates=True)
    peer.send(BINARY, deflated(protocol.encode(protocol.Input(0, b"typed"))))
    assert recorded(slave, 5) == b"typed"
    peer.send(BINARY, deflated(protocol.encode(protocol.Ping(b"there"))))
    assert peer.message(protocol.Pong).data == b"there"
    peer.send(BINARY, deflated(b""))
    peer.until_over()
    assert peer.close_code == 1008


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("cut", frames.encode(BINARY, deflated(LOG[:500])[:-20], mask=b"abcd"), 1007),
        ("noise", frames.encode(BINARY, b"\xff" * 50, mask=b"abcd"), 1007),
        ("what came before is needed", frames.encode(TEXT, b"\xf2\0\x11\0\0", mask=b"abcd"), 1007),
        ("text that is not UTF-8", frames.encode(TEXT, deflated(b"\xc3("), mask=b"abcd"), 1007),
        ("text that ends inside a character", frames.encode(TEXT, deflated(b"x\xc3"), mask=b"abcd"), 1007),
        ("a byte too many", frames.encode(BINARY, deflated(bytes(MESSAGE + 1)), mask=b"abcd"), 1009),
        ("a bomb", frames.encode(BINARY, deflated(bytes(30_000_000), 9), mask=b"abcd"), 1009),
        ("as long as it comes", frames.encode(BINARY, bytes(MESSAGE + 4161), mask=b"abcd"), 1009),
        ("RSV1 on a ping", frames.encode(frames.PING | frames.COMPRESSED, b"", mask=b"abcd"), 1002),
        ("RSV1 on a close", frames.encode(frames.CLOSE | frames.COMPRESSED, b"", mask=b"abcd"), 1002),
        ("RSV1 on a continuation", frames.encode(BINARY, b"\xf2", fin=False, mask=b"abcd") + b"\xc0\x80abcd", 1002),
        ("RSV2", b"\xe2\x80abcd", 1002),
    ],
)
def test_a_bad_peer_gets_its_close_code_and_harms_no_other(bench: Bench, name: str, data: bytes, code: int) -> None:
    terminal, slave = bench.bare()
    good, bad = bench.peer(terminal, deflates=True), bench.peer(terminal, deflates=True)
    bad.socket.sendall(data)
    bad.until_over()
    assert bad.close_code == code, name
    good.send(BINARY, deflated(b"fine"))
    assert recorded(slave, 4) == b"fine"
    wait_for(lambda: terminal.bytes_in == 4)


def test_a_message_of_the_limit_passes_even_when_it_does_not_become_smaller(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, deflates=True)
    noise = random.Random(3).randbytes(MESSAGE)
    engine = zlib.compressobj(9, zlib.DEFLATED, -15, 1)  # with the least of memory it is longest
    payload = engine.compress(noise) + engine.flush(zlib.Z_SYNC_FLUSH)
    assert len(payload) > MESSAGE
    peer.send(BINARY, payload[:-4])
    assert recorded(slave, MESSAGE) == noise


@pytest.mark.parametrize("v1", [False, True])
def test_few_bytes_that_are_a_great_deal_of_input_queue_up_no_further_than_others(bench: Bench, v1: bool) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, v1=v1, deflates=True, client_id=b"0123456789abcdef" if v1 else b"")
    line = b"a pasted line of a great deal of input\n" * 1600
    count = 80  # 5 MB, in some 20 KB

    def message(i: int) -> bytes:
        data = protocol.encode(protocol.Input(i * len(line), line)) if v1 else line
        return frames.encode(BINARY, deflated(data, 9), mask=b"abcd")

    peer.socket.sendall(b"".join(message(i) for i in range(count)) + frames.encode(frames.PING, b"last", mask=b"abcd"))
    wait_for(lambda: counted(bench, "input_queued") > 65536)
    most = 0
    taken = b""
    while len(taken) < count * len(line):
        most = max(most, counted(bench, "input_queued"))
        taken += recorded(slave, min(len(line), count * len(line) - len(taken)))
    assert taken == line * count
    assert most <= 65536 + 2 * 65536
    peer.until(lambda: peer.pongs == 1)


def bombs(n: int) -> bytes:
    return frames.encode(BINARY, deflated(b"\x99" + bytes(MESSAGE - 1), 9), mask=b"abcd") * n


def test_bombs_hold_up_no_other_session(bench: Bench) -> None:
    terminal, _ = bench.bare()
    quiet, _ = bench.sh("exec cat")
    bomber = bench.peer(terminal, v1=True, writable=False, deflates=True)  # messages of a type that is ignored
    typist = bench.peer(quiet, since=0)
    bomber.message(protocol.Hello)
    turns = counted(bench, "turns")
    bomber.socket.sendall(bombs(1500))
    for i in range(20):
        typist.type_in(b"%d\n" % i)
        typist.until(b"%d\r\n%d\r\n" % (i, i))
    heard(bomber)
    assert counted(bench, "frames_in") >= 1500
    assert counted(bench, "turns") - turns > 1500 // 5  # a few at a time


@pytest.mark.parametrize("end", ["close frame", "hang up", "finish", "close", "pump"])
def test_a_client_whose_messages_wait_can_end_in_any_way(bench: Bench, end: str) -> None:
    terminal, _ = bench.bare()
    peer = bench.peer(terminal, deflates=True, latest=True)
    peer.send(BINARY, deflated(b"x" * MESSAGE))
    peer.socket.sendall(bombs(300) + frames.encode(frames.CLOSE, b"\x03\xe8", mask=b"abcd"))
    wait_for(lambda: counted(bench, "input_queued") > 65536)  # the program does not read it, and the rest waits
    if end == "close frame":
        os.close(bench.slaves.pop())  # and no program will
        terminal.finish(0)
        peer.until_over()
    elif end == "hang up":
        peer.close()
        terminal.close()
    elif end == "finish":
        terminal.finish(0)
        peer.until_over()
    elif end == "close":
        peer.client.close(1008, "logged out")
        peer.until_over()
        assert peer.close_code == 1008
    else:
        bench.pump.close(linger_s=5)
        peer.until_over()
        assert peer.close_code == 1001
    wait_for(lambda: peer.client.gone)


def test_a_session_whose_client_has_messages_waiting_moves_between_lanes(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, deflates=True, latest=True)
    watcher = bench.peer(terminal)
    thread = reading(watcher)
    over = threading.Event()

    def flood() -> None:
        while not over.is_set():
            os.write(slave, LOG[:4000])

    writer = threading.Thread(target=flood)
    writer.start()
    try:
        peer.socket.sendall(frames.encode(BINARY, deflated(b"x" * 60_000), mask=b"abcd") * 40)
        wait_for(lambda: counted(bench, "input_queued") > 65536)
        wait_for(lambda: terminal.lane > 0)
        assert recorded(slave, 40 * 60_000) == b"x" * 40 * 60_000
    finally:
        over.set()
        writer.join()
    peer.until(lambda: bool(peer.output))
    hang_up(watcher, thread)


def test_everything_at_once_is_safe(bench: Bench) -> None:
    """Clients that come, read a little, send bombs and go, while the session floods and moves."""
    terminal, slave = bench.bare()

    def visit(rng: random.Random) -> None:
        peer = PumpPeer(
            terminal,
            v1=rng.random() < 0.5,
            latest=rng.random() < 0.5,
            buffer=4096,
            narrow=rng.random() < 0.5,
            deflates=True,
        )
        peer.socket.settimeout(0.2)
        with suppress(TimeoutError):
            for _ in range(rng.randrange(30)):
                peer.answer(BINARY, deflated(b"\x99" + bytes(rng.randrange(MESSAGE))))
                peer.step()
        peer.close()

    sizes = random.Random(10)
    at_once(
        *(partial(visit, random.Random(seed)) for seed in range(3)),
        lambda: os.write(slave, LOG[: sizes.randrange(8000)]),
        lambda: select.select([slave], [], [], 0.1)[0] and os.read(slave, 65536),
    )
    last = bench.peer(terminal, v1=True, latest=True, deflates=True)
    last.message(protocol.Redraw)


# ---------------------------------------------------------------- what comes of a restart, and zlib itself


def test_a_client_that_returns_with_its_offset_gets_exactly_the_rest(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, LOG[:50_000] + VIM)
    for since in (0, 1, 16384, 20_001, terminal.head - 250, terminal.head - 1):
        back = bench.peer(terminal, v1=True, since=since, deflates=True)
        back.until(lambda back=back: back.offset == terminal.head)  # type: ignore[misc]
        assert back.output == (LOG[:50_000] + VIM)[since:]


PROGRAM = """
import os, sys
from vibetunnel._ext import pump
before = pump.Pump()
with open("/proc/self/maps") as maps:
    assert "libz.so" not in maps.read(), "loaded without being asked for"
try:
    pump.load_zlib()
    pump.load_zlib()
except OSError as error:
    print(error)
else:
    with open("/proc/self/maps") as maps:
        print("loaded" if "libz.so" in maps.read() else "of its own")
before.close()
"""


def run_program(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", PROGRAM],  # the installed extension, which is not the tree's where it is sanitized
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_zlib_is_loaded_when_it_is_asked_for_and_not_before() -> None:
    assert run_program() == "loaded"


def test_a_zlib_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    (tmp_path / "libz.so.1").write_bytes(b"not a library")
    said = run_program(LD_LIBRARY_PATH=str(tmp_path))
    assert said.startswith("zlib cannot be loaded: ")
    assert "libz.so.1" in said


def test_pumps_share_nothing(make: Callable[..., Bench]) -> None:
    load_zlib()
    benches = [make(), make()]
    for bench in benches:
        terminal, slave = bench.bare(ring=new_ring())
        peer = bench.peer(terminal, since=0, deflates=True)
        printed(slave, terminal, LOG[:5000])
        peer.until(lambda peer=peer: len(peer.output) == 5000)  # type: ignore[misc]
    assert isinstance(benches[0].pump, Pump)
    assert [counted(bench, "compressions") > 0 for bench in benches] == [True, True]
