"""What the pump tells Python at once, and what waits so that a program cannot flood the event loop."""

import os
import select
import threading
import time

import pytest
from bench import Bench, heard, printed
from harness import DEADLINE_S
from pump_peer import PumpPeer, events_until

from vibetunnel._ext.pump import Event
from vibetunnel._ext.vt import Notification, Variable

GAP_S = 0.05  # pump_state.pxd: EVENT_GAP
BURST = 32  # pump_state.pxd: MARK_BURST
BELL = b"\x07"
MARKS = {
    "prompt": b"\x1b]133;A\x07",
    "command line": b"\x1b]133;B\x07",
    "command": b"\x1b]133;C\x07",
    "end of a command": b"\x1b]133;D;1\x07",
}


def until_typed(bench: Bench, peer: PumpPeer) -> list[Event]:
    """All that was reported before a client's first key was. That report never waits."""
    heard(peer)
    peer.type_in(b"y")
    events = events_until(bench.pump, lambda events: any(e.kind == "typed" for e in events))
    assert events[-1].kind == "typed"
    return events


@pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS)
def test_a_mark_is_told_at_once_while_a_bell_has_to_wait(bench: Bench, mark: bytes) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal)
    printed(slave, terminal, BELL)
    events_until(bench.pump, lambda events: any(e.kind == "bell" for e in events))
    printed(slave, terminal, BELL + mark)
    assert "mark" in {e.kind for e in until_typed(bench, peer)}


def test_the_marks_of_a_short_command_are_told_at_once(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal)
    for mark in (MARKS["command"], b"out", MARKS["end of a command"], MARKS["prompt"], MARKS["command line"]):
        printed(slave, terminal, mark)
    kinds = [e.data.kind for e in until_typed(bench, peer) if e.kind == "mark"]  # type: ignore[union-attr]
    assert kinds == ["C", "D", "A", "B"]


def test_a_watched_change_comes_with_the_mark(bench: Bench) -> None:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal)
    terminal.watch(True)
    printed(slave, terminal, b"x")
    events_until(bench.pump, lambda events: any(e.kind == "changed" for e in events))
    printed(slave, terminal, b"y" + MARKS["prompt"])
    assert {"mark", "changed"} <= {e.kind for e in until_typed(bench, peer)}


def test_a_program_that_floods_marks_is_held_back(bench: Bench) -> None:
    _, slave = bench.bare()
    many = 3000  # all of them fit into the buffer (MARKS_LIMIT), so that none is dropped
    begun = time.monotonic()
    writer = threading.Thread(target=lambda: [os.write(slave, MARKS["prompt"]) for _ in range(many)])
    writer.start()
    reports: list[int] = []
    while sum(reports) < many:
        select.select([bench.pump], [], [], DEADLINE_S)
        reports.append(sum(e.kind == "mark" for e in bench.pump.take_events()))
    writer.join()
    gaps = (time.monotonic() - begun) / GAP_S + 2  # a slow machine may take longer, and get more reports
    assert len(reports) <= gaps * (BURST + 1)


def test_a_mark_that_was_held_back_comes_before_the_end(bench: Bench) -> None:
    terminal, slave = bench.bare()
    for _ in range(BURST + 2):
        printed(slave, terminal, MARKS["command"])
    printed(slave, terminal, MARKS["end of a command"])
    terminal.finish(0)
    os.close(bench.slaves.pop())
    events = events_until(bench.pump, lambda events: any(e.kind == "ended" for e in events))
    assert [e.data.kind for e in events if e.kind == "mark"][-1] == "D"  # type: ignore[union-attr]


def test_progress_and_the_pointers_shape_are_kept_and_told_once_they_change(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, b"\x1b]9;4;2;42\x07\x1b]22;wait\x07")
    events_until(bench.pump, lambda events: {"progress", "pointer"} <= {e.kind for e in events})
    assert terminal.shown[6:8] == ((2, 42), "wait")
    peer = bench.peer(terminal)
    printed(slave, terminal, b"\x1b]9;4;2;42\x07\x1b]22;wait\x07")
    assert {"progress", "pointer"}.isdisjoint({e.kind for e in until_typed(bench, peer)})
    printed(slave, terminal, b"\x1bc")
    events_until(bench.pump, lambda events: {"progress", "pointer"} <= {e.kind for e in events})
    assert terminal.shown[6:8] == ((0, 0), "")


def test_notifications_and_variables_are_told_with_the_time(bench: Bench) -> None:
    terminal, slave = bench.bare()
    printed(slave, terminal, b"\x1b]777;notify;build;done\x07\x1b]1337;SetUserVar=a=eA==\x07")
    events = events_until(bench.pump, lambda events: any(e.kind == "variable" for e in events))
    told = [e.data for e in events if e.kind in ("notification", "variable")]
    assert isinstance(told[0], Notification)
    assert (told[0].body, told[1]) == ("done", Variable("a", "x"))
    assert abs(time.time_ns() - told[0].at_ns) < 60 * 10**9
