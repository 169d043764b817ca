"""Many clients that type, a key each in turn, on a schedule that no late echo slows down: one thread, one epoll."""

import ctypes
import random
import select
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.attached import Attached
from benchmarks.client import DEADLINE_S, KEYS, Terminal, answers, quiet
from benchmarks.errors import Wrong

AWAKE_NS = 60_000  # before a key is due: to fall asleep and wake up again would take as long
SLACK = 29  # PR_SET_TIMERSLACK (prctl(2)): a sleep may last 50 us longer by default


@dataclass
class Typed:
    """
    took_ns   of each key, from the time it was due to its echo, whenever it was sent
    late_ns   of each key, from the time it was due to its being sent: the client's own share of that
    """

    took_ns: list[int] = field(default_factory=list)
    late_ns: list[int] = field(default_factory=list)


def schedule(clients: int, seconds: float, period_s: float) -> Iterator[tuple[int, int]]:
    """(when in ns, which client), in order: every client once a period, evenly spread, in an order of its own.

    Neighbours on the schedule came at different times: or whatever a server keeps in that order would be in its cache.
    """
    order = list(range(clients))
    random.Random(1).shuffle(order)
    step_ns = period_s * 1e9 / clients
    for number in range(int(seconds / period_s) * clients):
        yield int(number * step_ns), order[number % clients]


class Typists(Attached):
    """Clients of `echo` programs. An echo of another key than the next one is Wrong.

    What comes to a client before its first key is none: a server may show a screen twice to who has just come.
    """

    def __init__(self) -> None:
        super().__init__()
        self._due: list[list[int]] = []  # of each client: when the keys were due whose echoes have not come
        self._sent: list[int] = []  # keys, of each client
        self._typed = Typed()

    def add(self, terminal: Terminal) -> None:
        super().add(terminal)
        self._due.append([])
        self._sent.append(0)

    def type(self, seconds: float, period_s: float = 1.0) -> Typed:
        """Each types a key a period for so long. Raises Wrong for an echo that does not come within DEADLINE_S."""
        keys = schedule(len(self.terminals), seconds, period_s)
        frames = [[terminal.wire.encode(bytes([key])) for key in KEYS] for terminal in self.terminals]
        self._typed = typed = Typed()
        precise()
        with quiet(), answers("echo"):
            began = time.perf_counter_ns()
            for due, number in keys:
                self._listen_until(began + due)
                terminal = self.terminals[number]
                if terminal not in self:
                    continue
                typed.late_ns.append(time.perf_counter_ns() - began - due)
                try:
                    terminal.connection.send(frames[number][self._sent[number] % len(KEYS)], socket.MSG_DONTWAIT)
                except ConnectionError:
                    self.lose(terminal)
                    continue
                self._due[number].append(began + due)
                self._sent[number] += 1
            give_up = time.monotonic() + DEADLINE_S
            while missing := sum(len(due) for due, each in zip(self._due, self.terminals, strict=True) if each in self):
                if time.monotonic() > give_up:
                    raise Wrong(f"expected every echo within {DEADLINE_S} s of the last key, {missing} are missing")
                self.listen(0.1)
        return typed

    def _listen_until(self, due: int) -> None:
        """Once at least: who is late with a key has echoes to take all the same."""
        waiting = [self.epoll.fileno()]  # a descriptor itself; epoll_wait(2) sleeps for whole ms, select(2) does not
        while True:
            early_ns = due - time.perf_counter_ns()
            if early_ns > AWAKE_NS:
                select.select(waiting, (), (), (early_ns - AWAKE_NS) / 1e9)
            self.listen()
            if early_ns <= 0:
                return

    def got(self, number: int, output: bytes, now_ns: int) -> None:
        if not self._sent[number]:
            return
        due = self._due[number]
        first = self._sent[number] - len(due)  # number of the key whose echo is next
        for at, byte in enumerate(output):
            if at >= len(due) or byte != KEYS[(first + at) % len(KEYS)]:
                raise Wrong(f"client {number}: expected the echo of key {first + at}, got {bytes([byte])!r}")
            self._typed.took_ns.append(now_ns - due[at])
        del due[: len(output)]


def precise() -> None:
    """Sleeps of this thread end when they should, not up to 50 us later. Where that cannot be said, they do not."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SLACK, ctypes.c_ulong(1), 0, 0, 0)
