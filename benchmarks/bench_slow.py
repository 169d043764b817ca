"""How much memory does a slow client of a flood take?

Measures    growth of the server's resident memory (not the keeper's) per slow client, 60 s after they came; and those
            seconds: fewer, where the growth of all had come to 256 MiB before.
How         16 clients, half of which read 100 KB/s, half 1 MB/s (token bucket, a small receive buffer), half of each on
            a session that runs `yes`, half on one that prints a coloured log without end. Before the counting both
            have printed more than is kept of them, and have one such client of each rate.
Leaves out  the kernel's side: the send buffers of sockets.
Compares    terminado, which paces no program and bounds no buffer. The floor has no two clients in a session.
Run         python -m benchmarks slow
"""

import time

from benchmarks import processes
from benchmarks.figures import Figures, Row
from benchmarks.link import Link
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.programs import prompt
from benchmarks.reader import Reader
from benchmarks.scale import Scale

RATES = (100_000, 1_000_000)  # bytes a second
PRINTED = 4 * 1024 * 1024  # bytes, before; more than a ring and the scrollback keep
ENOUGH = 256 * 1024 * 1024  # bytes of growth
PEERS = SERVERS
FILES = ("log",)
ROUNDS, WARM_UP = 1, False  # it takes its own samples
ROWS = (Row("slow_memory", "memory per slow client of a flood", "s", ("KiB", "after")),)


def measure(server: Server, scale: Scale) -> Figures:
    if not server.shares_sessions:
        return {}
    sessions = [server.open("prompt-yes"), server.open("prompt-log")]
    readers: list[Reader] = []
    try:
        for session in sessions:
            _start(server, session)
        places = [(session, Link.of(rate)) for session in sessions for rate in RATES]
        readers += [Reader(server.view(*place)) for place in places]
        time.sleep(1)  # a second of slowness, which is theirs alone
        before = processes.rss(server.pids(keeper=False))
        began = time.monotonic()
        readers += [Reader(server.view(*places[at % len(places)])) for at in range(scale.slow_clients)]
        while True:
            growth = processes.rss(server.pids(keeper=False)) - before
            passed_s = time.monotonic() - began
            if passed_s >= scale.slow_s or growth > ENOUGH:
                return {"slow_memory": (growth / scale.slow_clients / 1024, passed_s)}
            time.sleep(0.1)
    finally:
        for reader in readers:
            reader.stop()


def _start(server: Server, session: str) -> None:
    """The flood is under way, and nobody is attached any more."""
    terminal = server.attach(session)
    try:
        terminal.until(prompt(1))
        terminal.send(b"\n")
        while terminal.taken < PRINTED:
            terminal.read()
    finally:
        terminal.close()
