"""Clients that get text: server-sent events and WebSocket text frames, straight from the pump."""

import json
import os
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from bench import LOG, Bench, hang_up, printed, reading, screen_of
from harness import wait_for
from text_peer import EVENTS, FRAMES, HEADER, EventPeer, TextPeer

from vibetunnel._ext import frames, probes
from vibetunnel._ext.vt import Engine

SAMPLES = [
    *(b"plain", b"\x1b[31mred\x1b[0m", b'"quoted" \\ /', bytes(range(32)), "é漢字😀e\u0301".encode(), b"\x7f\xc2\x80"),
    *(
        b"\xff\xfe",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x28\xa1",
        b"\xf0\x9f\x98",
        b"\xe6\xbc",
        b"\xc3",
    ),
]


def stream(bench: Bench, terminal: Any, **options: Any) -> EventPeer:
    peer = EventPeer(terminal, **options)
    bench.peers.append(peer)
    return peer


def text_client(bench: Bench, terminal: Any, **options: Any) -> TextPeer:
    peer = TextPeer(terminal, **options)
    bench.peers.append(peer)
    return peer


# ---------------------------------------------------------------- the decoder


def some_bytes(rng: random.Random) -> bytes:
    pieces = [rng.choice([rng.choice(SAMPLES), rng.randbytes(rng.randrange(6))]) for _ in range(rng.randrange(8))]
    whole = b"".join(pieces)
    return whole[rng.randrange(4) : len(whole) - rng.randrange(4)]


def begins_a_character(data: bytes, length: int) -> bool:
    """Whether these bytes are the beginning of one character, and not all of it."""
    if len(data) < length:
        return False
    for second in (b"", b"\x80", b"\x90", b"\xa0"):
        for last in (b"", b"\x80", b"\x80\x80"):
            try:
                if len((data + second + last).decode()) == 1 and second + last:
                    return True
            except UnicodeDecodeError:
                pass
    return False


def test_text_is_what_python_decodes_and_json_reads_back() -> None:
    rng = random.Random(15)
    for data in [*SAMPLES, *(some_bytes(rng) for _ in range(5_000))]:
        unfinished, plain, escaped = probes.text_of_output(data)
        expected = data.decode("utf-8", "replace")
        assert plain.decode() == expected, data
        assert json.loads(b'"' + escaped + b'"') == expected, data
        assert b"\n" not in escaped
        assert unfinished == next((k for k in (1, 2, 3) if begins_a_character(data[-k:], k)), 0), data


# ---------------------------------------------------------------- server-sent events


def test_a_stream_begins_with_a_header_a_reset_and_the_screen(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, LOG * 10)  # 40,000 lines
    peer = stream(bench, terminal, response=b":ok\n\n")
    peer.until(lambda: len(peer.events) == 2)
    assert peer.comments == 1
    assert peer.events[0] == {"version": 2, "width": 80, "height": 24, "command": "sh"}
    at, kind, text = peer.events[1]
    assert (at, kind, text[:2]) == (0, "o", "\x1bc")
    engine = Engine(24, 80)
    engine.feed(text.encode())
    assert screen_of(engine) == screen_of(bench.capture(terminal))
    assert peer.wire < 8192, "the history is not sent again"
    printed(slave, terminal, b"more")
    peer.until(b"more")
    at, kind, text = peer.events[-1]
    assert at >= 0
    assert (kind, text) == ("o", "more")


def test_a_stream_of_a_terminal_without_output_begins_with_its_first_byte(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = stream(bench, terminal, since=0)
    printed(slave, terminal, b"first")
    peer.until(b"first")
    assert [event[1:] for event in peer.events[1:]] == [["o", "first"]]


def test_scrollback_comes_with_the_screen_if_it_is_asked_for(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, LOG)
    peer = stream(bench, terminal, scrollback=100)
    peer.until(b"03999")
    assert b"03900" in peer.output
    assert b"03800" not in peer.output


@pytest.mark.parametrize("text", [EVENTS, FRAMES])
def test_output_that_is_cut_anywhere_arrives_as_the_same_text(bench: Bench, text: int) -> None:
    rng = random.Random(4)
    data = b"".join(rng.choice(SAMPLES[4:]) for _ in range(300))
    terminal, slave = bench.bare()
    peer = (stream if text == EVENTS else text_client)(bench, terminal, since=0)
    at = 0
    while at < len(data):
        step = rng.randrange(1, 5)
        printed(slave, terminal, data[at : at + step])
        at += step
    printed(slave, terminal, b"the end")
    peer.until(b"the end")
    assert peer.output.decode() == (data + b"the end").decode("utf-8", "replace")


@pytest.mark.parametrize("text", [EVENTS, FRAMES])
def test_a_redraw_inside_a_character_leaves_it_to_what_follows(bench: Bench, text: int) -> None:
    terminal, slave = bench.bare()
    for n in (1, 2, 3):
        printed(slave, terminal, "😀".encode()[:n])
        peer = (stream if text == EVENTS else text_client)(bench, terminal)
        peer.until(b"\x1bc")
        printed(slave, terminal, "😀".encode()[n:] + b"!")
        peer.until("😀!".encode())
        assert "\ufffd" not in peer.output.decode()


def test_an_unfinished_character_at_the_end_is_shown_as_invalid(bench: Bench) -> None:
    terminal, program = bench.sh("printf 'end\\303'; exit 3")
    peer = stream(bench, terminal, since=0)
    bench.finish(terminal, program)
    peer.until_over()
    assert peer.output.decode() == "end\ufffd"
    assert peer.events[-1] == ["exit", 3, "an-id"]
    assert peer.ended


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137)])
def test_a_stream_ends_with_the_exit_code(bench: Bench, script: str, code: int) -> None:
    terminal, program = bench.sh(script)
    peer = stream(bench, terminal)
    bench.finish(terminal, program)
    peer.until_over()
    assert peer.events[-1] == ["exit", code, "an-id"]
    late = stream(bench, terminal)
    late.until_over()
    assert late.events[0]["version"] == 2
    assert late.events[-1] == ["exit", code, "an-id"]


def test_a_change_of_size_soon_after_the_attach_brings_a_redraw(bench: Bench) -> None:
    """A page asks for its own size only after it has got the screen, which has the size of the client before."""
    terminal, slave = bench.bare()
    printed(slave, terminal, b"".join(b"line %d\r\n" % each for each in range(40)) + b"x" * 70 + b"\r\n$ ")
    peer = stream(bench, terminal, scrollback=30)
    peer.until(b"$ ")
    terminal.resize(30, 50)
    peer.until(lambda: peer.resets == 2)
    assert [each[1:] for each in peer.events if isinstance(each, list) and each[1] == "r"] == [["r", "50x30"]]
    shown = Engine(30, 50)
    shown.feed(peer.output)
    assert screen_of(shown) == screen_of(bench.capture(terminal))
    assert b"line 5" in peer.output  # the scrollback that it has asked for


def test_a_later_change_of_size_is_an_event_without_a_redraw(make: Callable[..., Bench]) -> None:
    """A redraw begins with a reset, which takes the client's scrollback away."""
    bench = make(settle_s=0)
    terminal, slave = bench.bare()
    printed(slave, terminal, b"here")
    peer = stream(bench, terminal)
    peer.until(b"here")
    terminal.resize(30, 100)
    peer.until(lambda: len(peer.events) == 3)
    assert peer.events[2][1:] == ["r", "100x30"]
    assert peer.resets == 1
    printed(slave, terminal, b"after")
    peer.until(b"after")
    assert peer.resets == 1


def test_a_client_that_returns_gets_what_it_missed_and_no_reset(bench: Bench) -> None:
    terminal, slave = bench.bare()
    first = stream(bench, terminal)
    printed(slave, terminal, "before é".encode())
    first.until("é".encode())
    assert first.last_id == terminal.head
    printed(slave, terminal, b"missed")
    again = stream(bench, terminal, since=first.last_id)
    again.until(b"missed")
    assert (again.output, again.resets) == (b"missed", 0)


def test_a_client_that_returns_after_a_change_of_size_gets_the_screen(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, b"before")
    since = terminal.head - 1
    terminal.resize(30, 100)
    printed(slave, terminal, b"after")
    again = stream(bench, terminal, since=since)
    again.until(b"after")
    assert again.resets == 1
    assert (again.events[0]["width"], again.events[0]["height"]) == (100, 30)


def test_a_slow_stream_is_skipped_ahead_and_costs_no_more_than_what_is_under_way(bench: Bench) -> None:
    terminal, slave = bench.bare()
    slow = stream(bench, terminal, buffer=4096)
    fast = bench.peer(terminal)
    thread = reading(fast)
    printed(slave, terminal, LOG * 20)  # 5 MB that the slow one does not read
    assert slow.client.lag > 4_000_000
    assert slow.client.bytes_sent < 400_000
    printed(slave, terminal, b"\x1b[2;5Hthe end")
    slow.until(b"the end")
    assert slow.wire < 800_000
    assert slow.resets >= 1
    engine = Engine(24, 80)
    engine.feed(slow.output)
    assert engine.text() == bench.capture(terminal).text()
    hang_up(fast, thread)


def test_a_stream_that_reads_gets_all_of_a_flood(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = stream(bench, terminal, since=0)
    writer = threading.Thread(target=os.write, args=(slave, LOG * 4))
    writer.start()
    peer.until(lambda: len(peer.output) == len(LOG * 4))
    writer.join()
    assert peer.output == LOG * 4


def test_a_quiet_stream_gets_comments_and_stays(bench: Bench, make: Any) -> None:
    quick = make(ping_s=0.05, timeout_s=0.3)
    terminal, slave = quick.bare()
    peer = stream(quick, terminal)
    peer.until(lambda: peer.comments >= 20)  # three times as long as a client may be silent
    printed(slave, terminal, b"still here")
    peer.until(b"still here")


def test_a_stream_that_takes_nothing_is_dropped(make: Any) -> None:
    quick = make(ping_s=0.05, timeout_s=0.3)
    terminal, slave = quick.bare()
    stuck = stream(quick, terminal, buffer=4096)
    fast = quick.peer(terminal)
    thread = reading(fast)
    printed(slave, terminal, LOG * 4)
    assert quick.gone(stuck).number == 1006
    hang_up(fast, thread)


def test_what_a_stream_sends_after_its_request_is_ignored(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = stream(bench, terminal, received=b"GET / HTTP/1.1\r\n\r\n")
    peer.socket.sendall(b"x" * 100_000)
    printed(slave, terminal, b"here")
    peer.until(b"here")
    assert terminal.bytes_in == 0


def test_an_event_of_the_server_goes_to_streams_now_and_later_and_to_no_other_client(bench: Bench) -> None:
    terminal, slave = bench.bare()
    before = stream(bench, terminal)
    raw = bench.peer(terminal)
    v1 = bench.peer(terminal, v1=True)
    terminal.note(b'event: session-update\ndata: {"n":1}\n\n')
    before.until(lambda: bool(before.named))
    after = stream(bench, terminal)
    after.until(lambda: bool(after.named))
    assert before.named == after.named == [("session-update", {"n": 1})]
    printed(slave, terminal, b"here")
    raw.until(b"here")
    v1.until(b"here")
    assert b"session-update" not in raw.output + v1.output
    for event in (b"", b"x" * 16385):
        with pytest.raises(ValueError, match="event"):
            terminal.note(event)


def test_a_removed_session_ends_its_streams(bench: Bench) -> None:
    terminal, _ = bench.bare()
    peer = stream(bench, terminal)
    peer.until(lambda: bool(peer.events))
    terminal.close()
    peer.until_over()
    assert len(peer.events) == 1


# ---------------------------------------------------------------- WebSocket text frames


def test_text_frames_begin_with_a_reset_and_the_screen_and_take_input(bench: Bench) -> None:
    terminal, _ = bench.sh("stty raw -echo; printf here; exec cat")
    first = bench.peer(terminal, since=0)
    first.until(b"here")
    peer = text_client(bench, terminal)
    peer.until(b"here")
    assert peer.messages[0].startswith("\x1bc")
    peer.send(frames.TEXT, b'{"type":"input","data":"typed"}')
    peer.until(b"typed")
    peer.send(frames.TEXT, b'{"type":"ping"}')
    peer.send(frames.TEXT, b'{"type":"resize","data":"{\\"cols\\":100,\\"rows\\":30}"}')
    wait_for(lambda: (terminal.rows, terminal.cols) == (30, 100))


def test_text_frames_end_with_a_close_frame(bench: Bench) -> None:
    terminal, program = bench.sh("exit 3")
    peer = text_client(bench, terminal)
    bench.finish(terminal, program)
    peer.until_over()
    assert (peer.close_code, peer.close_reason) == (1000, "exited 3")


def test_bad_options_are_refused(bench: Bench) -> None:
    terminal, _ = bench.bare()
    for options in ({"text": 3}, {"text": 1, "v1": True}, {"text": 2, "header": HEADER * 2000}):
        with pytest.raises(ValueError, match=r"text|header"):
            bench.peer(terminal, **options)


def test_the_size_goes_back_to_a_client_that_has_a_viewport(bench: Bench) -> None:
    terminal, _ = bench.bare()
    owner = bench.peer(terminal, v1=True, rows=24, cols=80)
    terminal.resize(30, 100)
    wait_for(lambda: terminal.cols == 100)
    terminal.reset_size()
    wait_for(lambda: (terminal.rows, terminal.cols) == (24, 80))
    owner.socket.close()
    terminal.resize(30, 100)
    terminal.reset_size()  # no client has a viewport: the size stays
    bench.capture(terminal)
    assert (terminal.rows, terminal.cols) == (30, 100)
