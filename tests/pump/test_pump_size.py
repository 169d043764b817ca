"""Which client has the size: one that looks takes nothing, and what no person typed is no claim."""

import os
from collections.abc import Callable

import pytest
from bench import Bench, heard
from harness import wait_for
from pump_peer import PumpPeer, events_until, new_ring

from vibetunnel import protocol
from vibetunnel._ext import frames
from vibetunnel._ext.pump import Terminal

ID = b"0123456789abcdef"
OTHER = b"fedcba9876543210"
# Motion of the mouse, focus, answers: what a terminal sends by itself (tests/pump/test_typed.py has all of them).
REPORTS = [b"\x1b[<35;10;20M", b"\x1b[I", b"\x1b[O", b"\x1b[MC!!", b"\x1b[?62;22c", b"\x1b]11;rgb:0/0/0\x07"]


def size(terminal: Terminal) -> tuple[int, int]:
    return terminal.rows, terminal.cols


def read(slave: int, n: int) -> bytes:
    """What the program got, which may come in pieces."""
    data = b""
    while len(data) < n:
        data += os.read(slave, n - len(data))
    return data


def two(bench: Bench, terminal: Terminal) -> tuple[PumpPeer, PumpPeer]:
    """The owner of the size (30x100), and a viewer that may type (20x60)."""
    owner = bench.peer(terminal, v1=True, rows=30, cols=100, client_id=ID)
    hello = owner.message(protocol.Hello)
    assert (hello.rows, hello.cols, hello.owner) == (30, 100, True)
    viewer = bench.peer(terminal, v1=True, rows=20, cols=60, client_id=OTHER)
    hello = viewer.message(protocol.Hello)
    assert (hello.rows, hello.cols, hello.owner) == (30, 100, False)
    return owner, viewer


def test_the_first_client_keeps_the_size_while_another_types_and_resizes_its_window(bench: Bench) -> None:
    terminal, _ = bench.sh("stty -echo; while read -r x; do stty size; done")
    owner, viewer = two(bench, terminal)
    viewer.ask(protocol.ResizeRequest(21, 61))
    viewer.type_in(b"y\n")
    viewer.until(b"30 100")
    owner.ask(protocol.ResizeRequest(31, 101))
    assert viewer.message(protocol.Resize) == protocol.Resize(31, 101, False)
    viewer.type_in(b"y\n")
    viewer.until(b"31 101")
    assert size(terminal) == (31, 101)


def test_a_client_takes_the_size_on_purpose(bench: Bench) -> None:
    terminal, _ = bench.sh("stty -echo; while read -r x; do stty size; done")
    owner, viewer = two(bench, terminal)
    viewer.ask(protocol.ResizeRequest(20, 60, take_size=True))
    assert viewer.message(protocol.Resize) == protocol.Resize(20, 60, True)
    assert owner.message(protocol.Resize) == protocol.Resize(20, 60, False)
    owner.type_in(b"\n")
    owner.until(b"20 60")
    events = events_until(bench.pump, lambda events: any(e.text == "20x60" for e in events))
    assert {e.kind for e in events} <= {"resized", "came", "gone", "typed"}


def test_the_size_can_be_taken_without_a_change_of_it(bench: Bench) -> None:
    terminal, _ = bench.bare()
    owner, viewer = two(bench, terminal)
    viewer.ask(protocol.ResizeRequest(30, 100, take_size=True))
    assert viewer.message(protocol.Resize) == protocol.Resize(30, 100, True)
    assert owner.message(protocol.Resize) == protocol.Resize(30, 100, False)


def test_only_a_client_that_may_type_takes_the_size(bench: Bench) -> None:
    terminal, _ = bench.bare()
    owner, _ = two(bench, terminal)
    guest = bench.peer(terminal, v1=True, rows=5, cols=5, writable=False)
    guest.ask(protocol.ResizeRequest(5, 5, take_size=True))
    assert guest.message(protocol.Error).code == protocol.ERROR_READ_ONLY
    heard(owner)
    assert size(terminal) == (30, 100)


def test_after_its_owner_has_left_the_size_stays_until_a_client_types(bench: Bench) -> None:
    terminal, slave = bench.bare()
    owner, viewer = two(bench, terminal)
    owner.close()
    wait_for(lambda: terminal.clients == 1)
    viewer.ask(protocol.ResizeRequest(21, 61))  # its window, or a phone's keyboard
    third = bench.peer(terminal, v1=True, rows=50, cols=150)
    assert third.message(protocol.Hello).owner is False
    heard(viewer)
    assert size(terminal) == (30, 100)
    viewer.type_in(b"y")
    assert viewer.message(protocol.Resize) == protocol.Resize(21, 61, True)
    assert third.message(protocol.Resize) == protocol.Resize(21, 61, False)
    assert read(slave, 1) == b"y"


@pytest.mark.parametrize("report", REPORTS, ids=repr)
@pytest.mark.parametrize("v1", [True, False])
def test_what_a_terminal_sends_by_itself_reaches_the_program_and_takes_nothing(
    bench: Bench, v1: bool, report: bytes
) -> None:
    terminal, slave = bench.bare()
    owner, _ = two(bench, terminal)
    owner.close()
    wait_for(lambda: terminal.clients == 1)
    viewer = bench.peer(terminal, v1=v1, rows=10, cols=40)
    bench.pump.take_events()
    for piece in (report[:3], report[3:]) if len(report) > 3 else (report,):
        viewer.type_in(piece)
        heard(viewer)
    assert read(slave, len(report)) == report
    assert size(terminal) == (30, 100)
    assert terminal.last_input_ns == 0
    assert "typed" not in {e.kind for e in bench.pump.take_events()}
    viewer.type_in(b"y")
    wait_for(lambda: size(terminal) == (10, 40))
    wait_for(lambda: terminal.last_input_ns > 0)
    events_until(bench.pump, lambda events: "typed" in {e.kind for e in events})


def test_reports_that_rest_sends_are_not_typed_either(bench: Bench) -> None:
    terminal, slave = bench.bare()
    terminal.write(b"\x1b[<35;1;1M")
    assert read(slave, 10) == b"\x1b[<35;1;1M"
    assert terminal.last_input_ns == 0
    terminal.write(b"y")
    wait_for(lambda: terminal.last_input_ns > 0)


def test_a_hidden_owner_keeps_the_size_until_another_client_types(bench: Bench) -> None:
    terminal, _ = bench.bare()
    owner, viewer = two(bench, terminal)
    owner.ask(protocol.ResizeRequest(30, 100, hidden=True))
    heard(owner)
    viewer.ask(protocol.ResizeRequest(21, 61))
    viewer.type_in(b"\x1b[<35;1;1M")
    heard(viewer)
    owner.ask(protocol.ResizeRequest(31, 101))  # it is shown again
    assert viewer.message(protocol.Resize) == protocol.Resize(31, 101, False)
    viewer.type_in(b"y")
    heard(viewer)
    assert size(terminal) == (31, 101)
    owner.ask(protocol.ResizeRequest(31, 101, hidden=True))
    heard(owner)
    viewer.type_in(b"y")
    assert viewer.message(protocol.Resize) == protocol.Resize(21, 61, True)
    owner.ask(protocol.ResizeRequest(31, 101))
    owner.type_in(b"y")
    heard(owner)
    assert size(terminal) == (21, 61)


def test_an_owner_that_was_put_out_does_not_keep_the_size(bench: Bench) -> None:
    terminal, _ = bench.bare()
    owner, viewer = two(bench, terminal)
    owner.client.close(1008)  # it does not answer
    heard(viewer)
    viewer.type_in(b"y")
    assert viewer.message(protocol.Resize) == protocol.Resize(20, 60, True)


def test_an_owner_that_comes_back_has_the_size_if_no_other_took_it(bench: Bench) -> None:
    terminal, _ = bench.bare()
    owner, viewer = two(bench, terminal)
    owner.close()
    wait_for(lambda: terminal.clients == 1)
    again = bench.peer(terminal, v1=True, rows=32, cols=102, client_id=ID)
    hello = again.message(protocol.Hello)
    assert (hello.rows, hello.cols, hello.owner) == (32, 102, True)
    assert viewer.message(protocol.Resize) == protocol.Resize(32, 102, False)
    at_once = bench.peer(terminal, v1=True, rows=33, cols=103, client_id=ID)  # the old connection was not missed yet
    assert at_once.message(protocol.Hello).owner is True
    at_once.close()
    wait_for(lambda: terminal.clients == 1)
    viewer.type_in(b"y")
    viewer.until(lambda: protocol.Resize(20, 60, True) in viewer.seen)
    late = bench.peer(terminal, v1=True, rows=34, cols=104, client_id=ID)
    hello = late.message(protocol.Hello)
    assert (hello.rows, hello.cols, hello.owner) == (20, 60, False)


def test_after_a_restart_the_size_belongs_to_the_client_that_had_it(make: Callable[..., Bench]) -> None:
    before, after = make(), make()
    ring = new_ring()
    terminal, _ = before.bare(ring=os.dup(ring))
    two(before, terminal)
    again, _ = after.bare(ring=ring, rows=30, cols=100)
    viewer = after.peer(again, v1=True, rows=20, cols=60, client_id=OTHER)
    assert viewer.message(protocol.Hello).owner is False
    owner = after.peer(again, v1=True, rows=30, cols=100, client_id=ID)
    assert owner.message(protocol.Hello).owner is True


def test_after_many_have_left_the_next_that_types_gets_the_size(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    peers = [bench.peer(terminal, v1=True, rows=20 + i % 2, cols=80) for i in range(300)]
    last = bench.peer(terminal, v1=True, rows=40, cols=90)
    wait_for(lambda: terminal.clients == 301)
    for peer in peers:
        peer.close()
    wait_for(lambda: terminal.clients == 1)
    assert size(terminal) == (20, 80)
    last.type_in(b"\n")
    last.until(lambda: protocol.Resize(40, 90, True) in last.seen)
    assert size(terminal) == (40, 90)


def test_a_size_from_the_control_plane_stays_until_a_client_types(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    owner, viewer = two(bench, terminal)
    terminal.resize(40, 120)
    assert owner.message(protocol.Resize) == protocol.Resize(40, 120, False)
    assert os.get_terminal_size(bench.programs[0].fd) == (120, 40)
    owner.type_in(b"\x1b[O")
    heard(owner)
    assert size(terminal) == (40, 120)
    viewer.type_in(b"y")
    viewer.until(lambda: protocol.Resize(20, 60, True) in viewer.seen)
    with pytest.raises(ValueError, match=r"expected 1\.\.1000, got 0 and 80"):
        terminal.resize(0, 80)


def test_a_client_that_looks_does_not_change_a_size_that_was_set_before_it_came(bench: Bench) -> None:
    terminal, _ = bench.bare()
    terminal.resize(24, 80)
    viewer = bench.peer(terminal, v1=True, rows=20, cols=60)
    hello = viewer.message(protocol.Hello)
    assert (hello.rows, hello.cols, hello.owner) == (24, 80, False)


def test_a_raw_client_resizes_by_an_object(bench: Bench) -> None:
    terminal, _ = bench.run("cat")
    owner, _ = two(bench, terminal)
    peer = bench.peer(terminal)
    peer.send(frames.TEXT, b'{"type":"resize","data":"{\\"cols\\":90,\\"rows\\":33}"}')
    assert owner.message(protocol.Resize) == protocol.Resize(33, 90, False)
    peer.send(frames.TEXT, b'{"type":"resize","rows":0,"cols":3}')
    peer.until_over()
    assert peer.close_code == 1008
    assert "rows" in peer.close_reason
