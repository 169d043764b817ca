"""A real pump that gets one event at a time: this process is the program on its PTY, and its clients.

Nothing is sent before every lane is waiting again, so each event is a turn of its own, whatever else the machine does.
Linux: the kernel says in /proc which system call a thread is in.
"""

import os
import select
import socket
import termios
import time
import tty
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.errors import Wrong
from vibetunnel import protocol
from vibetunnel._ext import frames
from vibetunnel._ext.pump import Pump

ROWS, COLS = 24, 80
RING = 4096 + (1 << 18) + 2 * 1024 * 1024  # bytes: header, output, checkpoints
WAITS = {"22", "232", "281", "441"}  # epoll_pwait on arm64; epoll_wait, epoll_pwait, epoll_pwait2 on x86-64
DEADLINE_S = 60.0  # for one step, under valgrind on a busy machine
PING_S = 10_000.0  # no ping during a run
ANSWER = b"go"  # in place of the 101 answer


class _Peer:
    """The client's end of a socketpair."""

    def __init__(self, connected: socket.socket, *, v1: bool) -> None:
        self.socket = connected
        self.socket.settimeout(DEADLINE_S)
        self._v1 = v1
        self._decoder = frames.Decoder(limit=1 << 20, masked=False)
        self._output = b""

    def fileno(self) -> int:
        return self.socket.fileno()

    def take(self) -> None:
        """Read what has come, or wait for it, and skip other messages than output."""
        piece = self.socket.recv(1 << 16)
        if not piece:
            raise Wrong("the pump closed a client")
        for message in self._decoder.feed(piece):
            if not self._v1:
                self._output += message.data
            elif isinstance(said := protocol.decode(message.data), protocol.Output):
                self._output += said.data

    def output(self, size: int) -> bytes:
        """At least the next `size` bytes of the program's output."""
        while len(self._output) < size:
            self.take()
        got, self._output = self._output, b""
        return got


class Lockstep:
    """A pump with one session and its clients, all at rest."""

    def __init__(self, *, clients: int, v1: bool = False) -> None:
        before = _threads()
        self._pump = Pump(ping_s=PING_S, timeout_s=2 * PING_S)
        self.lanes = _threads() - before
        master, self._program = os.openpty()
        tty.setraw(self._program, termios.TCSANOW)
        ring = os.memfd_create("ring")
        os.ftruncate(ring, RING)
        self._terminal = self._pump.open(master, ring, rows=ROWS, cols=COLS)
        self._peers: list[_Peer] = []
        for at in range(clients):
            ours, theirs = socket.socketpair()
            self._peers.append(_Peer(ours, v1=v1))
            self._terminal.attach(
                theirs.detach(), ANSWER, v1=v1, latest=v1, client_id=at.to_bytes(16, "big") if v1 else b""
            )
        for peer in self._peers:
            if peer.socket.recv(len(ANSWER), socket.MSG_WAITALL) != ANSWER:
                raise Wrong("expected the answer to the upgrade first")
        self._settled()

    def echo(self, frame: bytes, key: bytes) -> None:
        """A key goes through the pump to the program, and its echo back."""
        (peer,) = self._peers
        peer.socket.sendall(frame)
        if (typed := self._read()) != key:
            raise Wrong(f"expected the key {key!r} in the PTY, got {typed!r}")
        self._settled()
        self.output(key)

    def output(self, data: bytes) -> None:
        """Output goes from the program to every client."""
        os.write(self._program, data)
        for peer in self._peers:
            if (got := peer.output(len(data))) != data:
                raise Wrong(f"expected {data!r} at every client, got {got!r}")
        self._settled()

    def statistics(self) -> dict[str, int]:
        return self._pump.statistics()

    def _read(self) -> bytes:
        if not select.select([self._program], [], [], DEADLINE_S)[0]:
            raise Wrong("the key did not reach the PTY")
        return os.read(self._program, 4096)

    def _settled(self) -> None:
        """Wait until all lanes wait, and read what they have sent meanwhile."""
        limit = time.monotonic() + DEADLINE_S
        while not all(_system_call(lane) in WAITS for lane in self.lanes):
            if time.monotonic() > limit:
                raise Wrong("expected the lanes to wait, but they go on working")
            os.sched_yield()
        for peer in select.select(self._peers, [], [], 0)[0]:
            peer.take()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        for peer in self._peers:
            peer.socket.close()
        self._pump.close(linger_s=0.0)
        os.close(self._program)


def _threads() -> set[int]:
    return {int(each) for each in os.listdir("/proc/self/task")}


def _system_call(thread: int) -> str:
    """The number of the system call that a thread of this process is in; "running" if it is in none."""
    return Path(f"/proc/self/task/{thread}/syscall").read_text(encoding="ascii").split()[0]
