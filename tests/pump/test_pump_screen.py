"""The pump and the screen: late, returning and slow clients see the present screen, and Ctrl-C is felt at once."""

import contextlib
import os
import random
import socket
import threading
import time
from collections.abc import Callable

import pytest
from bench import LOG, STUCK, VIM, Bench, Screen, hang_up, printed, reading, screen_of
from harness import wait_for
from pump_peer import PumpPeer, events_until, new_ring

from vibetunnel import protocol
from vibetunnel._ext import frames
from vibetunnel._ext.pump import Event, Terminal
from vibetunnel._ext.vt import Clipboard, Engine, Mark

# ---------------------------------------------------------------- coming late


def test_a_late_client_sees_the_screen_and_not_the_history(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, LOG + VIM)
    late = bench.peer(terminal, v1=True)
    hello = late.message(protocol.Hello)
    redraw = late.message(protocol.Redraw)
    assert hello.start == hello.live == redraw.offset == terminal.head
    assert redraw.alternate
    assert (redraw.rows, redraw.cols) == (24, 80)
    assert redraw.top == 4000 - 23
    assert len(redraw.data) < 8000
    server = bench.capture(terminal)
    assert late.screen() == screen_of(server)
    assert "föö.py 漢字" in late.engine.text()
    printed(slave, terminal, b"typed \x1b[?1049l and left")
    late.until(lambda: late.offset == terminal.head)
    assert late.screen() == screen_of(bench.capture(terminal))


def test_a_client_of_a_new_session_gets_the_stream_itself(bench: Bench) -> None:
    terminal, slave = bench.bare()
    first = bench.peer(terminal, v1=True)
    assert first.message(protocol.Hello).start == 0
    printed(slave, terminal, b"one\r\n")
    first.until(b"one\r\n")
    assert first.redraws == []


def test_a_raw_client_gets_the_redraw_first_and_its_size_in_the_answer(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, LOG)
    head = b"Offset: " + b"0" * 20 + b"\r\nRedraw: " + b"0" * 20 + b"\r\n\r\n"
    raw = bench.peer(terminal, response=head, offset_at=8, redraw_at=38)
    answer = raw.socket.recv(len(head), socket.MSG_WAITALL)
    offset, redraw = int(answer[8:28]), int(answer[38:58])
    assert offset == terminal.head
    raw.step()
    assert len(raw.output) == redraw > 0
    engine = Engine(24, 80)
    engine.feed(raw.output)
    assert screen_of(engine) == screen_of(bench.capture(terminal))
    printed(slave, terminal, b"more")
    raw.until(b"more")
    exact = bench.peer(terminal, response=head, offset_at=8, redraw_at=38, since=offset)
    assert exact.socket.recv(len(head), socket.MSG_WAITALL) == b"Offset: %020d\r\nRedraw: %020d\r\n\r\n" % (offset, 0)
    exact.until(lambda: exact.output == b"more")


def test_scrollback_comes_with_the_first_redraw_when_it_is_asked_for(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, LOG)
    raw = bench.peer(terminal, scrollback=500)
    raw.step()
    engine = Engine(24, 80)
    engine.feed(raw.output)
    server = bench.capture(terminal, 500)
    assert engine.text(-500) == server.text(-500)
    v1 = bench.peer(terminal, v1=True, scrollback=500)
    v1.until(lambda: bool(v1.lines) and v1.lines[-1].last)
    assert sum(piece.count for piece in v1.lines) == 500
    assert v1.redraws[0].top == v1.lines[0].first + v1.lines[0].count


# ---------------------------------------------------------------- older lines


def test_older_lines_come_in_bounded_pieces_newest_first(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, LOG)
    peer = bench.peer(terminal, v1=True)
    top = peer.message(protocol.Redraw).top
    peer.ask(protocol.LinesRequest(protocol.TOP, 1000))
    peer.until(lambda: bool(peer.lines) and peer.lines[-1].last)
    assert len(peer.lines) > 2
    assert all(len(piece.data) <= 65536 for piece in peer.lines)
    assert [piece.last for piece in peer.lines] == [False] * (len(peer.lines) - 1) + [True]
    assert peer.lines[0].first + peer.lines[0].count == top
    for newer, older in zip(peer.lines, peer.lines[1:], strict=False):
        assert older.first + older.count == newer.first
    engine = Engine(24, 80)
    engine.feed(b"".join(piece.data for piece in reversed(peer.lines)) + b"\r\n" * 23 + peer.redraws[0].data)
    server = bench.capture(terminal, 1000)
    assert engine.text(-1000) == server.text(-1000)
    peer.lines.clear()
    peer.ask(protocol.LinesRequest(10, 100))
    peer.until(lambda: bool(peer.lines))
    assert (peer.lines[0].first, peer.lines[0].count, peer.lines[0].last, peer.lines[0].oldest) == (0, 10, True, 0)
    peer.lines.clear()
    peer.ask(protocol.LinesRequest(0, 100))
    peer.until(lambda: bool(peer.lines))
    assert (peer.lines[0].count, peer.lines[0].last, peer.lines[0].data) == (0, True, b"")


def test_a_redraw_can_be_asked_for(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, v1=True)
    printed(slave, terminal, LOG[:1000])
    peer.until(lambda: peer.offset == terminal.head)
    peer.ask(protocol.RedrawRequest())
    redraw = peer.message(protocol.Redraw)
    assert redraw.offset == terminal.head
    peer.ask(protocol.RedrawRequest())
    assert peer.message(protocol.Redraw) == redraw


# ---------------------------------------------------------------- coming back


def test_a_connection_cut_at_any_offset_ends_with_the_screen_of_an_uncut_one(bench: Bench) -> None:
    stream = (
        VIM
        + LOG[:3000]
        + b"\x1b[?1049l"
        + LOG[3000:5000]
        + "漢字é👍🏽".encode()
        + b"\x1b]0;t\xc3\xaftle\x1b\\\x1b[1;31"
    )
    cuts = sorted({*range(len(VIM) + 40), *random.Random(3).sample(range(len(stream)), 120)})
    terminal, slave = bench.bare()
    uncut = bench.peer(terminal, v1=True)
    held: list[Screen] = []
    at = 0
    for cut in cuts:
        printed(slave, terminal, stream[at:cut])
        at = cut
        late = bench.peer(terminal, v1=True)  # sees a redraw of what came before the cut
        back = Engine(24, 80)  # was there until the cut, and comes back with its offset
        back.feed(stream[:cut])
        if cut:
            late.message(protocol.Redraw)
        returned = bench.peer(terminal, v1=True, since=cut)
        returned.engine = back
        held += [late, returned]
        if len(held) > 40:
            held = settle(held, terminal, uncut)
    printed(slave, terminal, stream[at:])
    settle(held, terminal, uncut)


def settle(held: list[Screen], terminal: Terminal, uncut: Screen) -> list[Screen]:
    """All of them have drawn all there is, and look the same."""
    for peer in (uncut, *held):
        peer.until(lambda peer=peer: peer.offset == terminal.head)  # type: ignore[misc]
    for peer in held:
        assert peer.screen() == uncut.screen()
        peer.close()
    return []


@pytest.mark.parametrize("since", [0, 1 << 40])
def test_an_offset_that_is_not_kept_gets_a_redraw(bench: Bench, since: int) -> None:
    terminal, slave = bench.bare(size=32768)
    printed(slave, terminal, LOG)
    peer = bench.peer(terminal, v1=True, since=since)
    assert peer.message(protocol.Redraw).offset == terminal.head
    assert peer.screen() == screen_of(bench.capture(terminal))


def test_a_client_that_was_away_during_a_resize_gets_a_redraw(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, LOG[:2000])
    before = terminal.head
    terminal.resize(30, 100)
    wait_for(lambda: terminal.cols == 100)
    printed(slave, terminal, b"after")
    peer = bench.peer(terminal, v1=True, since=before - 10)
    redraw = peer.message(protocol.Redraw)
    assert (redraw.rows, redraw.cols) == (30, 100)
    exact = bench.peer(terminal, v1=True, since=before)
    exact.until(b"after")
    assert exact.redraws == []


def test_a_change_of_size_redraws_every_v1_client(bench: Bench) -> None:
    terminal, slave = bench.bare()
    # since: a client that attaches after something was printed gets it as output
    peers = [bench.peer(terminal, v1=True, since=0), bench.peer(terminal, v1=True, since=0, latest=True)]
    raw = bench.peer(terminal, since=0)
    printed(slave, terminal, LOG[:4000] + b"a line that is rather longer than forty columns, " * 3)
    for peer in (*peers, raw):
        peer.until(lambda peer=peer: len(peer.output) >= terminal.head)  # type: ignore[misc]
    terminal.resize(20, 40)
    for peer in peers:
        redraw = peer.message(protocol.Redraw)
        assert (redraw.rows, redraw.cols) == (20, 40)
        assert peer.seen[-1] == protocol.Resize(20, 40, False)
        assert peer.screen() == screen_of(bench.capture(terminal))
    printed(slave, terminal, b"end")
    raw.until(b"end")
    assert len(raw.output) == terminal.head


def test_a_flood_of_size_changes_gives_one_redraw_at_a_time(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, LOG)
    peer = bench.peer(terminal, v1=True, rows=24, cols=80)
    peer.message(protocol.Redraw)
    for cols in range(40, 240):
        peer.ask(protocol.ResizeRequest(30, cols))
    wait_for(lambda: terminal.cols == 239)
    printed(slave, terminal, b"end")
    peer.until(lambda: peer.engine.cols == 239 and peer.offset == terminal.head)
    assert peer.screen() == screen_of(bench.capture(terminal))


# ---------------------------------------------------------------- falling behind


@pytest.mark.parametrize("v1", [False, True])
def test_a_slow_client_is_skipped_ahead_and_holds_up_no_other(bench: Bench, v1: bool) -> None:
    terminal, slave = bench.bare()
    slow = bench.peer(terminal, v1=v1, latest=True, buffer=4096)
    fast = bench.peer(terminal)
    thread = reading(fast)
    printed(slave, terminal, LOG * 8)  # 2 MB that the slow one does not read meanwhile
    assert slow.client.lag > 1_000_000
    printed(slave, terminal, b"\x1b[2;5Hthe end")
    if v1:
        slow.until(lambda: slow.offset == terminal.head)
        assert slow.redraws
        assert slow.screen() == screen_of(bench.capture(terminal))
    else:
        slow.until(b"the end")
    assert len(slow.output) < 600_000
    engine = Engine(24, 80)
    engine.feed(slow.output)
    assert engine.text() == bench.capture(terminal).text()
    hang_up(fast, thread)


def test_a_client_that_never_reads_costs_a_frame_and_no_more(bench: Bench) -> None:
    terminal, slave = bench.bare(size=65536)
    dead = bench.peer(terminal, latest=True, buffer=4096)
    fast = bench.peer(terminal)
    thread = reading(fast)
    for _ in range(10):
        printed(slave, terminal, LOG)
    assert dead.client.lag > 2_000_000
    assert not dead.client.gone
    printed(slave, terminal, b"\x1b[2;5Hthe end")
    dead.until(b"the end")  # it reads after all: the rest of its frame, then the screen
    engine = Engine(24, 80)
    engine.feed(dead.output)
    assert engine.text() == bench.capture(terminal).text()
    hang_up(fast, thread)


def test_the_fastest_client_is_never_skipped_but_paces_the_program(bench: Bench) -> None:
    terminal, slave = bench.bare()
    only = bench.peer(terminal, v1=True, latest=True, buffer=4096)
    writer = threading.Thread(target=os.write, args=(slave, LOG * 4))
    writer.start()
    wait_for(lambda: only.client.lag >= STUCK)
    assert terminal.head <= 131072 + 65536
    only.until(lambda: len(only.output) == len(LOG * 4))
    writer.join()
    assert only.output == LOG * 4
    assert only.redraws == []


def test_the_program_goes_on_when_a_faster_client_comes(bench: Bench) -> None:
    terminal, slave = bench.bare()
    stuck = bench.peer(terminal, v1=True, latest=True)
    writer = threading.Thread(target=os.write, args=(slave, LOG * 4))
    writer.start()
    wait_for(lambda: stuck.client.lag >= STUCK)
    fast = bench.peer(terminal, v1=True, latest=True)
    thread = reading(fast)
    writer.join()
    wait_for(lambda: terminal.head == len(LOG * 4))
    stuck.until(lambda: stuck.offset == terminal.head)
    assert stuck.screen() == screen_of(bench.capture(terminal))
    hang_up(fast, thread)


def test_a_lossless_client_gets_every_byte_beside_one_that_is_skipped(bench: Bench) -> None:
    terminal, slave = bench.bare()
    skipped = bench.peer(terminal, latest=True, buffer=4096)
    whole = bench.peer(terminal)
    writer = threading.Thread(target=os.write, args=(slave, LOG * 8))
    writer.start()
    whole.until(lambda: len(whole.output) == len(LOG * 8))
    writer.join()
    assert whole.output == LOG * 8
    assert skipped.client.lag > 1_000_000


@pytest.mark.parametrize("v1", [False, True])
def test_an_interrupt_is_felt_at_once_however_much_was_under_way(bench: Bench, v1: bool) -> None:
    terminal, program = bench.sh("trap 'printf \"\\nstopped\\n\"; exec cat' INT; while :; do seq 1000000; done")
    peer = bench.peer(terminal, v1=v1, latest=True, buffer=4096)
    wait_for(lambda: peer.client.lag >= STUCK)
    peer.type_in(b"\x03")
    peer.until(b"stopped")
    # All but the backlog between what was under way (64 KiB) and the redraw with what follows it.
    assert terminal.head - len(peer.output) > STUCK // 4
    if v1:
        peer.until(lambda: peer.offset == terminal.head)
        assert peer.screen() == screen_of(bench.capture(terminal))
    assert program.pid


def test_an_interrupt_skips_nothing_for_a_lossless_client(bench: Bench) -> None:
    terminal, _ = bench.sh("trap 'echo stopped; exec cat' INT; read -r line; seq 100000; while :; do sleep 0.1; done")
    peer = bench.peer(terminal, buffer=4096, since=0)
    terminal.write(b"go\n")
    wait_for(lambda: peer.client.lag >= STUCK)
    peer.type_in(b"\x03")
    peer.until(b"stopped")
    numbers = [int(line) for line in peer.output.split(b"\r\n") if line.isdigit()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_ctrl_c_in_a_raw_mode_program_is_a_key(bench: Bench) -> None:
    terminal, _ = bench.sh("stty raw -echo; read -r line; seq 100000; cat -v")
    peer = bench.peer(terminal, v1=True, latest=True, buffer=4096)
    terminal.write(b"go\n")
    wait_for(lambda: peer.client.lag >= STUCK)
    peer.type_in(b"\x03")
    peer.until(b"^C")
    assert peer.redraws in ([], peer.redraws[:1])  # at most the one of its coming
    assert b"\n99999\n" in peer.output.replace(b"\r", b"")


def test_a_client_that_draws_nothing_and_asks_for_everything_costs_no_time(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, v1=True, latest=True)
    peer.message(protocol.Hello)
    peer.answer = lambda opcode, payload: None  # type: ignore[method-assign]
    printed(slave, terminal, LOG[:20_000])
    peer.until(lambda: peer.offset == 20_000)
    peer.ask(protocol.RedrawRequest())
    peer.message(protocol.Redraw)
    peer.ask(protocol.RedrawRequest())  # not before the one above is acknowledged, and so are the lines
    peer.ask(protocol.LinesRequest(2**64 - 1, 10))
    peer.ask(protocol.Ping(b"there"))
    peer.message(protocol.Pong)
    turns = bench.pump.statistics()["turns"]
    for _ in range(50):
        peer.ask(protocol.Ping(b"there"))
        peer.message(protocol.Pong)
    assert bench.pump.statistics()["turns"] - turns < 200
    del peer.answer
    peer.ask(protocol.Ack(20_000))
    peer.message(protocol.Redraw)


def test_a_redraw_never_goes_back_before_what_a_client_may_have_drawn(bench: Bench) -> None:
    terminal, slave = bench.bare(rows=900, cols=1000)
    peer = bench.peer(terminal, v1=True, latest=True)
    peer.message(protocol.Hello)
    dear = b"\x1b[44m" + b"\x1b[9999b\x1b[2J\x1b[50S" * 3_500  # takes the engine many turns
    writer = threading.Thread(target=os.write, args=(slave, dear))
    writer.start()
    peer.until(lambda: peer.offset > 0)
    peer.ask(protocol.RedrawRequest())
    drawn = 0
    while not peer.redraws:
        drawn = peer.offset
        assert peer.step()
    writer.join()
    assert peer.redraws[0].offset >= drawn


# ---------------------------------------------------------------- queries


@pytest.mark.parametrize("clients", [0, 1, 2])
def test_a_query_is_answered_once_for_any_number_of_clients(bench: Bench, clients: int) -> None:
    terminal, _ = bench.sh("stty raw -echo; printf x; read -r line; printf 'ab\\033[6n\\033[c'; exec cat -v")
    wait_for(lambda: terminal.head == 1)
    peers = [bench.peer(terminal, v1=True) for _ in range(clients)]
    terminal.write(b"go\n")
    wait_for(lambda: b"^[[1;4R" in terminal.read()[2])
    wait_for(lambda: b"^[[?" in terminal.read()[2])
    terminal.write(b"end")
    wait_for(lambda: terminal.read()[2].endswith(b"end"))
    output = terminal.read()[2]
    assert output.count(b"^[[1;4R") == 1
    assert output.count(b"^[[?") == 1
    for peer in peers:
        peer.until(b"end")


# ---------------------------------------------------------------- the end, and what comes after


def test_an_ended_session_shows_its_last_screen_and_its_scrollback(bench: Bench) -> None:
    terminal, program = bench.sh("seq 500; printf 'last words'")
    program.wait()
    terminal.finish(0)
    events_until(bench.pump, lambda events: any(e.kind == "ended" for e in events))
    late = bench.peer(terminal, v1=True, scrollback=1000)
    late.until_over()
    assert late.engine.text().endswith("500\nlast words\n")
    assert (late.lines[-1].first, late.lines[-1].last) == (0, True)
    assert late.lines[-1].data.startswith(b"\x1b[0m1\r\n\x1b[0m2\r\n")
    assert late.close_code == 1000
    assert bench.capture(terminal, 1000).text(-1000).startswith("1\n2\n3\n")


def test_the_redraw_of_a_last_change_of_size_comes_before_the_exit(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, v1=True, latest=True)
    peer.message(protocol.Hello)
    acknowledge, held = peer.answer, []
    peer.answer = lambda opcode, payload: held.append((opcode, payload))  # type: ignore[method-assign]
    printed(slave, terminal, LOG[:3000])
    peer.until(lambda: peer.offset == 3000)
    terminal.resize(10, 40)
    peer.until(lambda: len(peer.redraws) == 1)
    terminal.resize(12, 50)  # its redraw waits until the one above is acknowledged
    os.close(bench.slaves.pop())
    terminal.finish(0)
    events_until(bench.pump, lambda events: any(e.kind == "ended" for e in events))
    del peer.answer
    acknowledge(*held[-1])
    peer.until_over()
    assert [(redraw.rows, redraw.cols) for redraw in peer.redraws] == [(10, 40), (12, 50)]
    assert peer.close_code == 1000


@pytest.mark.parametrize("graceful", [True, False])
@pytest.mark.parametrize(
    "output", [LOG * 3 + VIM, LOG[:3000] + VIM, b"\x1b[6n\x1b]0;half a ti"], ids=["much", "some", "cut"]
)
def test_a_new_server_shows_the_screen_of_the_one_before(
    make: Callable[..., Bench], output: bytes, graceful: bool
) -> None:
    before, after = make(), make()
    ring = new_ring()
    terminal, slave = before.bare(ring=os.dup(ring), rows=30, cols=90)
    printed(slave, terminal, output)
    old = before.capture(terminal, 10_000)
    if graceful:
        before.pump.close(linger_s=0.2)
    copy = new_ring()  # what a killed server leaves: the ring as it is, without a goodbye
    size = os.fstat(ring).st_size
    os.pwrite(copy, os.pread(ring, size, 0), 0)
    os.close(ring)
    again, slave = after.bare(ring=copy, rows=30, cols=90)
    new = after.capture(again, 10_000)
    assert screen_of(new) == screen_of(old)
    assert new.offset == old.offset
    lines = 1000 if len(output) > len(LOG) else 20
    assert new.text(-lines) == old.text(-lines)
    assert new.take_replies() == b""  # the earlier server answered it
    printed(slave, again, b"\x07 more")
    peer = after.peer(again, v1=True)
    peer.message(protocol.Redraw)
    assert peer.screen() == screen_of(after.capture(again))


@pytest.mark.parametrize("finished", [True, False], ids=["ended", "calm"])
def test_scrollback_outlives_a_server_that_is_killed_when_things_are_calm(
    make: Callable[..., Bench], finished: bool
) -> None:
    before, after = make(ping_s=0.04), make()  # the lanes look around every 10 ms
    ring = new_ring()
    terminal, slave = before.bare(ring=os.dup(ring))
    printed(slave, terminal, LOG[:120_000])
    terminal.resize(30, 90)
    wait_for(lambda: terminal.rows == 30)
    printed(slave, terminal, LOG[120_000:200_000])
    if finished:
        terminal.finish(0)
        events_until(before.pump, lambda events: any(e.kind == "ended" for e in events))
    else:
        wait_for(lambda: os.pread(ring, 72, 0)[48:56] == bytes(8) or os.pread(ring, 96, 0)[72:80] == bytes(8))
    old = before.capture(terminal, 10_000)
    copy = new_ring()
    os.pwrite(copy, os.pread(ring, os.fstat(ring).st_size, 0), 0)
    os.close(ring)
    again, _ = after.bare(ring=copy, rows=30, cols=90)
    new = after.capture(again, 10_000)
    assert new.text(-10_000) == old.text(-10_000)
    assert "00000" in new.text(-10_000)


def left_behind(ring: int) -> int:
    """What a killed server leaves: the ring as it is, without a goodbye."""
    copy = new_ring()
    os.pwrite(copy, os.pread(ring, os.fstat(ring).st_size, 0), 0)
    return copy


def test_a_server_killed_soon_after_a_resize_leaves_the_screen_of_the_new_size(make: Callable[..., Bench]) -> None:
    before, after = make(), make()
    ring = new_ring()
    terminal, slave = before.bare(ring=os.dup(ring))
    printed(slave, terminal, LOG[:150_000])
    terminal.resize(40, 120)
    wait_for(lambda: terminal.rows == 40)
    before.capture(terminal)
    printed(slave, terminal, b"\x1b[?1049h" + b"x" * 110 + b"\x1b[35;100Hfar out\x1b[38;3Hlow")
    old = before.capture(terminal)
    again, _ = after.bare(ring=left_behind(ring), rows=40, cols=120)
    os.close(ring)
    assert screen_of(after.capture(again)) == screen_of(old)


def test_lines_keep_their_numbers_over_a_restart(make: Callable[..., Bench]) -> None:
    before, after = make(), make()
    ring = new_ring()
    terminal, slave = before.bare(ring=os.dup(ring))
    printed(slave, terminal, LOG * 3)
    old = before.capture(terminal, 10_000)
    again, _ = after.bare(ring=left_behind(ring))
    os.close(ring)
    new = after.capture(again, 10_000)
    assert new.top == old.top
    lines = new.top - new.oldest
    assert new.text(-lines) == old.text(-lines)


def test_a_screen_too_large_to_keep_does_not_hold_up_its_lane(bench: Bench) -> None:
    terminal, slave = bench.bare(rows=1000, cols=1000)
    row = b"".join(b"\x1b[38;2;%d;%d;0mx" % (i % 256, i % 255) for i in range(1000))
    filling = [b"\x1b[%dH" % i + row for i in range(1, 201)]
    writer = threading.Thread(target=lambda: [os.write(slave, each) for each in filling])
    writer.start()
    writer.join()
    wait_for(lambda: terminal.head == sum(map(len, filling)))
    assert bench.capture(terminal).offset == terminal.head
    begun = time.thread_time(), time.process_time()
    for _ in range(20):
        printed(slave, terminal, b"x")
    bench.capture(terminal)
    used = time.process_time() - begun[1] - (time.thread_time() - begun[0])  # the lanes', and nothing else
    assert used < 0.3


# ---------------------------------------------------------------- what Python sees


def test_a_copy_of_the_terminal_is_independent(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, LOG)
    first = bench.capture(terminal, 100)
    printed(slave, terminal, b"\x1b[2Jgone")
    second = bench.capture(terminal)
    assert "03999" in first.text()
    assert first.scrollback_count == 100
    assert first.top == second.top or second.top >= first.top
    assert "gone" in second.text()
    with pytest.raises(ValueError, match="scrollback_lines: expected 0 or more"):
        terminal.capture(-1)


def test_a_watched_terminal_reports_changes_and_an_unwatched_one_none(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, b"quiet")
    assert bench.pump.take_events() == []
    terminal.watch(True)
    printed(slave, terminal, b"one")
    events_until(bench.pump, lambda events: any(e.kind == "changed" for e in events))
    for _ in range(200):
        printed(slave, terminal, b"more")
    events = events_until(bench.pump, lambda events: any(e.kind == "changed" for e in events))
    assert sum(e.kind == "changed" for e in events) < 100
    terminal.resize(10, 10)
    events_until(bench.pump, lambda events: {"changed", "resized"} <= {e.kind for e in events})
    terminal.watch(False)
    printed(slave, terminal, b"quiet again\x07")
    late = events_until(bench.pump, lambda events: any(e.kind == "bell" for e in events))
    assert sum(e.kind == "changed" for e in late) <= 1  # one may have been held back


def test_an_event_that_cannot_be_reported_takes_no_other_with_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    terminals = [bench.bare() for _ in range(3)]
    for i, (terminal, slave) in enumerate(terminals):
        printed(slave, terminal, b"\x1b]2;number %d\x07" % i)
        wait_for(lambda terminal=terminal, i=i: terminal.title == f"number {i}")  # type: ignore[misc]

    def no_memory(kind: str, terminal: Terminal, *rest: object) -> Event:
        if terminal is terminals[1][0]:
            raise MemoryError
        return Event(kind, terminal, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr("vibetunnel._ext.pump.Event", no_memory)
        with pytest.raises(MemoryError):
            events_until(bench.pump, lambda _: False)
    titles = {"number 0", "number 2"}
    events_until(bench.pump, lambda events: titles <= {e.text for e in events if e.kind == "title"})


def test_prompt_marks_and_clipboards_come_as_events_in_order(bench: Bench) -> None:
    terminal, slave = bench.bare()
    before = b"\x1b]133;A\x07$ \x1b]133;B\x07ls -l\r\n"
    output = b"\x1b]133;C\x07total 0\r\n"
    printed(slave, terminal, before + output + b"\x1b]133;D;2\x07\x1b]52;c;aGVsbG8=\x07")
    found: list[Event] = []

    def all_there(events: list[Event]) -> bool:
        found[:] = [e for e in events if e.kind in ("mark", "clipboard")]
        return len(found) == 5

    events_until(bench.pump, all_there)
    marks = [e.data for e in found[:4]]
    assert all(isinstance(mark, Mark) for mark in marks)
    assert [mark.kind for mark in marks] == ["A", "B", "C", "D"]  # type: ignore[union-attr]
    begun, done = marks[2], marks[3]
    assert isinstance(begun, Mark)
    assert isinstance(done, Mark)
    assert begun.command == "ls -l"
    assert (done.exit_code, marks[0].exit_code) == (2, None)  # type: ignore[union-attr]
    stream = terminal.read()[2]
    assert stream[begun.offset : done.offset] == b"total 0\r\n"
    assert found[4].data == Clipboard("c", b"hello")


def test_output_that_is_expensive_to_draw_is_drawn_completely_and_others_go_on(bench: Bench) -> None:
    hostile, slave = bench.bare(rows=200, cols=500)
    quiet, _ = bench.sh("exec cat")
    dear = b"\x1b[44m" + b"\x1b[9999b\x1b[2J\x1b[50S" * 20_000 + b"\x1b[0m\x1b[H\x1b[2Jthe end"
    writer = threading.Thread(target=os.write, args=(slave, dear))
    writer.start()
    typist = bench.peer(quiet)
    for i in range(20):
        typist.type_in(b"%d\n" % i)
        typist.until(b"%d\r\n%d\r\n" % (i, i))
    writer.join()
    wait_for(lambda: hostile.head == len(dear))
    wait_for(lambda: bench.capture(hostile).offset == len(dear))
    assert bench.capture(hostile).text().startswith("the end\n")


def test_a_client_can_ask_for_too_much_only_in_words(bench: Bench) -> None:
    terminal, _ = bench.bare()
    with pytest.raises(ValueError, match=r"scrollback: expected 0\.\.10000 lines, got 10001"):
        PumpPeer(terminal, scrollback=10_001)
    with contextlib.closing(bench.peer(terminal, v1=True)) as peer:
        peer.send(frames.BINARY, b"\x85" + bytes(8) + (10_001).to_bytes(4, "big"))
        assert peer.message(protocol.Error).code == 2
        peer.until_over()
        assert peer.close_code == 1008
