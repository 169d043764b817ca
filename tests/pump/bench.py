"""A pump under test, with programs that print and clients that see their output."""

import os
import pty
import socket
import threading
import tty
from collections.abc import Callable
from typing import Any

from harness import DEADLINE_S, wait_for
from pump_peer import Program, PumpPeer, events_until, new_ring

from vibetunnel import protocol
from vibetunnel._ext import frames
from vibetunnel._ext.pump import Event, Pump, Terminal
from vibetunnel._ext.vt import Engine

LOG = b"".join(
    b"\x1b[3%dm%05d\x1b[0m a line of a coloured log, \x1b[1mbold\x1b[0m and plain\r\n" % (i % 8, i) for i in range(4000)
)
VIM = (
    b"\x1b[?1049h\x1b[?1h\x1b[?2004h\x1b[2J\x1b[1;23r\x1b[1;1H\x1b[38;5;81mimport\x1b[0m os\r\n~\r\n~"
    b"\x1b[24;1H\x1b[7m f\xc3\xb6\xc3\xb6.py \xe6\xbc\xa2\xe5\xad\x97 \x1b[27m\x1b[3;5H"
    b"\x1b]2;vim f\xc3\xb6\xc3\xb6.py\x07"
)
STUCK = 120_000  # bytes of lag at which a client that is not read has stopped the program, nearly (half of a ring)


class Screen(PumpPeer):
    """A client with a terminal of its own, which knows only what it was sent."""

    def __init__(self, terminal: Terminal, **options: Any) -> None:
        self.terminal = terminal
        self.engine = Engine(terminal.rows, terminal.cols)
        self.redraws: list[protocol.Redraw] = []
        self.damages: list[protocol.Damage] = []
        self.lines: list[protocol.Lines] = []
        self.taken = 0
        super().__init__(terminal, **options)

    def take(self, message: object) -> None:
        if isinstance(message, protocol.Redraw):
            self.redraws.append(message)
            self.engine = Engine(message.rows, message.cols)
            self.engine.feed(message.data)
        elif isinstance(message, protocol.Damage):
            self.damages.append(message)
            self.engine.feed(message.data)
        elif isinstance(message, protocol.Output):
            self.engine.feed(message.data)
        elif isinstance(message, protocol.Lines):
            self.lines.append(message)
        super().take(message)

    def screen(self) -> str:
        """All fields of the terminal but scrollback."""
        return self.engine.dump().partition("-- scrollback --")[0]


class Bench:
    """A pump, programs on PTYs, PTYs whose slave is the test's, and clients.

    peers  makes the clients
    """

    def __init__(self, peers: Callable[..., Any] = Screen, **options: Any) -> None:
        self.pump = Pump(**options)
        self.programs: list[Program] = []
        self.peers: list[PumpPeer] = []
        self.slaves: list[int] = []
        self.reapers: list[threading.Thread] = []
        self._make_peer = peers

    def run(self, *argv: str, raw: bool = False, ring: int = 0, size: int = 262144) -> tuple[Terminal, Program]:
        program = Program(*argv, raw=raw)
        self.programs.append(program)
        return self.pump.open(program.give(), ring or new_ring(size), rows=24, cols=80), program

    def sh(self, script: str, **options: Any) -> tuple[Terminal, Program]:
        return self.run("sh", "-c", script, **options)

    def bare(self, *, size: int = 262144, ring: int = 0, rows: int = 24, cols: int = 80) -> tuple[Terminal, int]:
        """A terminal, and the raw slave side of its PTY for the test to print on."""
        master, slave = pty.openpty()
        tty.setraw(slave)
        self.slaves.append(slave)
        return self.pump.open(master, ring or new_ring(size), rows=rows, cols=cols), slave

    def peer(self, terminal: Terminal, **options: Any) -> Any:
        """A client of the kind that this bench makes."""
        peer = self._make_peer(terminal, **options)
        self.peers.append(peer)
        return peer

    def finish(self, terminal: Terminal, program: Program) -> None:
        """Do what the keeper's exit notice does, when the program ends."""

        def reap() -> None:
            code = program.wait()
            terminal.finish(code if code >= 0 else 128 - code, max(0, -code))

        self.reapers.append(threading.Thread(target=reap))
        self.reapers[-1].start()

    def capture(self, terminal: Terminal, lines: int = 0) -> Engine:
        ticket = terminal.capture(lines)

        def done(events: list[Event]) -> list[Event]:
            return [each for each in events if each.kind == "captured" and each.number == ticket]

        found = done(events_until(self.pump, lambda events: bool(done(events))))[0].data
        assert isinstance(found, Engine)
        return found

    def gone(self, peer: PumpPeer) -> Event:
        """Wait for a client's end, and take what was reported until then."""

        def of_it(events: list[Event]) -> list[Event]:
            return [e for e in events if e.kind == "gone" and e.client is peer.client]

        return of_it(events_until(self.pump, lambda events: bool(of_it(events))))[0]

    def close(self) -> None:
        """End everything. Once its clients have left, the pump holds no compressed block."""
        for reaper in self.reapers:
            reaper.join()
        for peer in self.peers:
            peer.close()
        wait_for(lambda: self.pump.statistics()["blocks"] == 0)
        self.pump.close(linger_s=0.2)
        for program in self.programs:
            program.close()
        for slave in self.slaves:
            os.close(slave)


def printed(slave: int, terminal: Terminal, data: bytes) -> None:
    """Print, and wait until the pump has it."""
    head = terminal.head + len(data)
    while data:
        data = data[os.write(slave, data) :]
    wait_for(lambda: terminal.head == head)


def screen_of(engine: Engine) -> str:
    return engine.dump().partition("-- scrollback --")[0]


def heard(peer: PumpPeer) -> None:
    """Wait until the pump has looked at all that this client has sent."""
    if peer.v1:
        pong = protocol.Pong(os.urandom(8))
        peer.ask(protocol.Ping(pong.data))
        peer.until(lambda: pong in peer.seen)
        return
    before = peer.pongs
    peer.send(frames.PING, b"heard?")
    peer.until(lambda: peer.pongs > before)


def reading(peer: Screen) -> threading.Thread:
    """Read a peer to its end on a thread of its own."""
    thread = threading.Thread(target=peer.until_over)
    thread.start()
    return thread


def hang_up(peer: Screen, thread: threading.Thread) -> None:
    peer.socket.shutdown(socket.SHUT_RDWR)
    thread.join()


def at_once(*actions: Callable[[], object], for_s: float = 2) -> None:
    """Repeat each action on a thread of its own, all at once, for this time. Raises the first failure."""
    over = threading.Event()
    failures: list[BaseException] = []

    def repeat(action: Callable[[], object]) -> None:
        try:
            while not over.is_set():
                action()
        except BaseException as error:
            failures.append(error)
            over.set()

    threads = [threading.Thread(target=repeat, args=(each,)) for each in actions]
    for thread in threads:
        thread.start()
    over.wait(for_s)
    over.set()
    for thread in threads:
        thread.join(DEADLINE_S)
        assert not thread.is_alive(), "an action hangs"
    if failures:
        raise failures[0]
