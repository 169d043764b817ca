"""Damage: viewers get the rows that changed in place of output that their terminal would draw otherwise."""

from bench import Bench, Screen, printed

from vibetunnel import protocol

MARGINS = b"\x1b[?69h\x1b[10;40s"
FULL = b"\x1b[?69l"


def up_to_date(peer: Screen) -> str:
    """The text that the peer shows, with all that was printed."""
    peer.until(lambda: peer.offset == peer.terminal.head)
    return peer.engine.text().rstrip()


def viewer(bench: Bench) -> tuple[Screen, int]:
    terminal, slave = bench.bare()
    peer = bench.peer(terminal, v1=True, latest=True)
    peer.message(protocol.Hello)
    return peer, slave


def test_a_viewer_gets_damage_between_margins_and_output_before_and_after(bench: Bench) -> None:
    peer, slave = viewer(bench)
    printed(slave, peer.terminal, b"raw" + MARGINS + b"\x1b[1;36Hbetween")
    assert up_to_date(peer) == "raw" + " " * 32 + "betwe\n" + " " * 9 + "en"
    assert peer.output.startswith(b"raw\x1b[?69h\x18")  # CAN: the sequence that sets the margins is left out
    assert len(peer.damages) == 1
    printed(slave, peer.terminal, FULL)
    up_to_date(peer)
    before = len(peer.damages)
    printed(slave, peer.terminal, b"\x1b[5Hraw again")
    up_to_date(peer)
    assert peer.output.endswith(b"\x1b[5Hraw again")
    assert len(peer.damages) == before
    assert peer.redraws == []


def test_an_echo_between_margins_comes_as_one_small_message(bench: Bench) -> None:
    peer, slave = viewer(bench)
    printed(slave, peer.terminal, b"\r\n".join(b"%d " % row * 9 for row in range(24)) + MARGINS + b"\x1b[5;12H")
    up_to_date(peer)
    before = len(peer.damages)
    printed(slave, peer.terminal, b"x")
    assert "4 4x4" in up_to_date(peer)
    assert len(peer.damages) == before + 1
    assert len(peer.damages[-1].data) < 200


def test_lossless_and_raw_clients_get_every_byte(bench: Bench) -> None:
    terminal, slave = bench.bare()
    lossless, raw = bench.peer(terminal, v1=True), bench.peer(terminal)
    data = MARGINS + b"between" + b"\xff"
    printed(slave, terminal, data)
    for peer in (lossless, raw):
        peer.until(data)
    assert lossless.damages == []


def test_a_viewer_that_returns_into_a_damaged_stretch_is_redrawn(bench: Bench) -> None:
    peer, slave = viewer(bench)
    printed(slave, peer.terminal, b"raw" + MARGINS + b"one")
    up_to_date(peer)
    since = peer.offset
    printed(slave, peer.terminal, b"two" + FULL)
    up_to_date(peer)
    back = bench.peer(peer.terminal, v1=True, latest=True, since=since)
    back.message(protocol.Redraw)
    assert "onetwo" in up_to_date(back)
    assert len(back.redraws) == 1
    again = bench.peer(peer.terminal, v1=True, latest=True, since=peer.terminal.head)
    printed(slave, peer.terminal, b"raw")
    again.until(b"raw")
    assert again.redraws == []


def test_a_crowd_of_viewers_gets_damage_and_no_redraw(bench: Bench) -> None:
    terminal, slave = bench.bare()
    crowd = [bench.peer(terminal, v1=True, latest=True) for _ in range(40)]
    for peer in crowd:
        peer.message(protocol.Hello)  # one that came after the output would begin with a redraw
    printed(slave, terminal, b"raw" + MARGINS)
    for step in range(5):
        printed(slave, terminal, b"\r\nstep %d" % step)
        for peer in crowd:
            assert f"step {step}" in up_to_date(peer)
    assert [len(peer.redraws) for peer in crowd] == [0] * len(crowd)


def test_the_bell_rings_in_damage(bench: Bench) -> None:
    peer, slave = viewer(bench)
    printed(slave, peer.terminal, MARGINS)
    up_to_date(peer)
    printed(slave, peer.terminal, b"\a")
    up_to_date(peer)
    assert b"\a" in peer.damages[-1].data


def test_an_unfinished_character_waits_and_ends_with_the_session(bench: Bench) -> None:
    terminal, program = bench.sh(r"printf 'a\\303'; read line", raw=True)
    peer = bench.peer(terminal, v1=True, latest=True)
    peer.until(b"a")
    assert b"\xc3" not in peer.output
    peer.type_in(b"\n")
    bench.finish(terminal, program)
    peer.message(protocol.Exit)
