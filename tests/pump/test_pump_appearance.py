"""Programs are answered with the theme and the cells of the client that owns the size."""

import fcntl
import os
import struct
import termios

from bench import Bench
from harness import wait_for

from vibetunnel import protocol

ID = b"0123456789abcdef"
OTHER = b"fedcba9876543210"
LIGHT = protocol.Appearance(
    dark=False,
    cell_height=34,
    cell_width=16,
    colours=(*(0x010101 * i for i in range(16)), 0x1C1E21, 0xFFFFFF, 0xFF0000),
)
DARK = protocol.Appearance(dark=True, cell_height=20, cell_width=10, colours=(0x123456,) * 19)


def told(slave: int, n: int) -> bytes:
    """What the program got, which may come in pieces."""
    data = b""
    while len(data) < n:
        data += os.read(slave, n - len(data))
    return data


def ask(slave: int, question: bytes, answer: bytes) -> None:
    os.write(slave, question)
    assert told(slave, len(answer)) == answer


def fields(appearance: protocol.Appearance) -> bytes:
    return protocol.encode(appearance)[1:]


def test_the_first_question_is_answered_with_what_the_client_stated_at_attach(bench: Bench) -> None:
    terminal, slave = bench.bare()
    owner = bench.peer(terminal, v1=True, rows=30, cols=100, client_id=ID, appearance=fields(LIGHT))
    owner.message(protocol.Hello)
    ask(slave, b"\x1b]11;?\x07", b"\x1b]11;rgb:ffff/ffff/ffff\x07")
    ask(slave, b"\x1b]4;3;?\x07", b"\x1b]4;3;rgb:0303/0303/0303\x07")
    ask(slave, b"\x1b[14t", b"\x1b[4;1020;1600t")
    ask(slave, b"\x1b[?996n", b"\x1b[?997;2n")


def test_without_a_stated_appearance_the_answers_are_those_of_the_web_client(bench: Bench) -> None:
    terminal, slave = bench.bare()
    bench.peer(terminal, v1=True, rows=30, cols=100, client_id=ID).message(protocol.Hello)
    ask(slave, b"\x1b]11;?\x07", b"\x1b]11;rgb:0e0e/0f0f/1111\x07")
    ask(slave, b"\x1b[16t", b"\x1b[6;17;8t")
    assert pixels(slave) == (0, 0)


def test_the_appearance_changes_with_the_owner_of_the_size(bench: Bench) -> None:
    terminal, slave = bench.bare()
    owner = bench.peer(terminal, v1=True, rows=30, cols=100, client_id=ID)
    owner.message(protocol.Hello)
    viewer = bench.peer(terminal, v1=True, rows=20, cols=60, client_id=OTHER)
    viewer.ask(LIGHT)
    owner.ask(DARK)
    wait_for(lambda: pixels(slave) == (1000, 600))
    ask(slave, b"\x1b]11;?\x07", b"\x1b]11;rgb:1212/3434/5656\x07")
    viewer.ask(protocol.ResizeRequest(20, 60, take_size=True))
    wait_for(lambda: pixels(slave) == (960, 680))
    ask(slave, b"\x1b]11;?\x07", b"\x1b]11;rgb:ffff/ffff/ffff\x07")
    ask(slave, b"\x1b[14t", b"\x1b[4;680;960t")


def test_a_program_that_asked_is_told_of_another_theme_and_of_another_size(bench: Bench) -> None:
    terminal, slave = bench.bare()
    owner = bench.peer(terminal, v1=True, rows=30, cols=100, client_id=ID, appearance=fields(DARK))
    owner.message(protocol.Hello)
    ask(slave, b"\x1b[?2031h\x1b[?2048h", b"\x1b[48;30;100;600;1000t")
    owner.ask(LIGHT)
    changes = b"\x1b[?997;2n\x1b[48;30;100;1020;1600t"
    assert told(slave, len(changes)) == changes
    owner.ask(protocol.ResizeRequest(31, 100))
    taller = b"\x1b[48;31;100;1054;1600t"
    assert told(slave, len(taller)) == taller
    terminal.resize(20, 60)  # REST
    unowned = b"\x1b[48;20;60;680;960t"
    assert told(slave, len(unowned)) == unowned


def pixels(slave: int) -> tuple[int, int]:
    """Width and height, as programs read them (TIOCGWINSZ)."""
    _, _, width, height = struct.unpack("4H", fcntl.ioctl(slave, termios.TIOCGWINSZ, bytes(8)))
    return width, height


def test_the_pty_knows_the_owners_pixels(bench: Bench) -> None:
    terminal, slave = bench.bare()
    owner = bench.peer(terminal, v1=True, rows=30, cols=100, client_id=ID, appearance=fields(DARK))
    owner.message(protocol.Hello)
    assert pixels(slave) == (1000, 600)
    owner.ask(LIGHT)
    wait_for(lambda: pixels(slave) == (1600, 1020))
    owner.ask(protocol.ResizeRequest(1000, 1000))
    wait_for(lambda: pixels(slave) == (16000, 34000))
    other = bench.peer(terminal, v1=True, rows=20, cols=60, client_id=OTHER)  # states none
    other.ask(protocol.ResizeRequest(20, 60, take_size=True))
    wait_for(lambda: pixels(slave) == (0, 0))


def test_a_client_that_may_not_type_states_nothing(bench: Bench) -> None:
    terminal, slave = bench.bare()
    owner = bench.peer(terminal, v1=True, rows=30, cols=100, client_id=ID, appearance=fields(DARK))
    owner.message(protocol.Hello)
    viewer = bench.peer(terminal, v1=True, writable=False, rows=20, cols=60, appearance=fields(LIGHT))
    viewer.message(protocol.Hello)
    viewer.ask(LIGHT)
    assert viewer.message(protocol.Error).code == protocol.ERROR_READ_ONLY
    assert pixels(slave) == (1000, 600)
