"""Many clients that type in turn, on a schedule that no late echo slows down: one thread, one epoll."""

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

AWAKE_NS = 60_000  # before a key is due, stay awake: falling asleep and waking up takes as long
SLACK = 29  # PR_SET_TIMERSLACK (prctl(2)): by default a sleep may last 50 us too long


@dataclass
class Typed:
    """The times of all keys.

    took_ns   for each key, from the time it was due to its echo
    late_ns   for each key, from the time it was due to the time it was sent: the client's own share of took_ns
    """

    took_ns: list[int] = field(default_factory=list)
    late_ns: list[int] = field(default_factory=list)


def schedule(clients: int, seconds: float, period_s: float) -> Iterator[tuple[int, int]]:
    """(time in ns, client), in order of time: every client once a period, evenly spread, in a shuffled order.

    Neighbours on the schedule attached at different times. Otherwise a server's data about the next client would be in
    the processor's cache.
    """
    order = list(range(clients))
    random.Random(1).shuffle(order)
    step_ns = period_s * 1e9 / clients
    for number in range(int(seconds / period_s) * clients):
        yield int(number * step_ns), order[number % clients]


class Typists(Attached):
    """Clients of `echo` programs. An echo of another key than the next one is Wrong.

    Output before a client's first key is not an echo: a server may show a new client the screen twice.
    """

    def __init__(self) -> None:
        super().__init__()
        self._due: list[list[int]] = []  # for each client: when the keys without an echo were due
        self._sent: list[int] = []  # number of keys, for each client
        self._typed = Typed()

    def add(self, terminal: Terminal) -> None:
        super().add(terminal)
        self._due.append([])
        self._sent.append(0)

    def type(self, seconds: float, period_s: float = 1.0) -> Typed:
        """Each client types a key a period. Raises Wrong for an echo that does not come within DEADLINE_S."""
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
        """Listen at least once: even when a key is late, its client has to read echoes."""
        waiting = [self.epoll.fileno()]  # a descriptor too: epoll_wait(2) sleeps for whole ms, select(2) does not
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
    """Make sleeps of this thread end on time, not up to 50 us later, if the system can."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SLACK, ctypes.c_ulong(1), 0, 0, 0)
