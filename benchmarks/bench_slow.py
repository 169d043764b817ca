"""How much memory does a slow client of a flood take?

Measures    the most MiB by which the server's resident memory (the keeper's too) grows while `yes` runs for 10 s into
            one client that reads 1 MiB/s. Then, with more clients, the growth of the server alone per slow client, 20 s
            after they came; and the number of those seconds, which ends early at a growth of 256 MiB in all.
How         with 16 clients: half of them read 100 KB/s, half 1 MB/s (token bucket, a small receive buffer); half of
            each watch a session that runs `yes`, half one that prints a coloured log without end. Before the counting,
            both sessions have printed more than is kept of them, and have one such client of each rate. The growth with
            the one client begins before any output: it includes what a server keeps of a session.
Leaves out  the kernel's memory: the send buffers of sockets.
Compares    with terminado, which slows no program down and bounds no buffer. The floor has no two clients in a session.
Run         python -m benchmarks slow
"""

import time

from benchmarks import processes
from benchmarks.figures import Figures, Row, Target
from benchmarks.growth import Growth
from benchmarks.link import Link
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.programs import prompt
from benchmarks.reader import Reader
from benchmarks.scale import Scale

ALONE = 1024 * 1024  # bytes a second
RATES = (100_000, 1_000_000)  # bytes a second
PRINTED = 4 * 1024 * 1024  # bytes of output before the counting; more than ring and scrollback keep
ENOUGH = 256 * 1024 * 1024  # bytes of growth
TOPIC = "Ctrl-C, slow and late clients"
PEERS = SERVERS
FILES = ("log",)
ROUNDS, WARM_UP = 1, False  # one round takes many samples
ROWS = (
    Row("slow_alone", "memory growth, `yes` to a client that reads 1 MiB/s", "MiB", ("RSS",), targets=(Target(0.5),)),
    Row("slow_memory", "memory per slow client of a flood", "KiB", ("RSS",)),
    Row("slow_after", "... which is after", "s", ("time",), higher=True),
)


def measure(server: Server, scale: Scale) -> Figures:
    figures: Figures = {"slow_alone": (_alone(server, scale),)}
    if server.shares_sessions:
        memory_kib, after_s = _per_client(server, scale)
        figures |= {"slow_memory": (memory_kib,), "slow_after": (after_s,)}
    return figures


def _alone(server: Server, scale: Scale) -> float:
    terminal = server.view(server.open("prompt-yes"), Link.of(ALONE))
    try:
        terminal.until(prompt(1))
        with Growth(server.pids()) as growth:
            terminal.send(b"\n")
            over = time.monotonic() + scale.alone_s
            while time.monotonic() < over:
                terminal.read()
        terminal.send(b"\x03")
    finally:
        terminal.close()
    return growth.mib


def _per_client(server: Server, scale: Scale) -> tuple[float, float]:
    sessions = [server.open("prompt-yes"), server.open("prompt-log")]
    readers: list[Reader] = []
    try:
        for session in sessions:
            _start(server, session)
        places = [(session, Link.of(rate)) for session in sessions for rate in RATES]
        readers += [Reader(server.view(*place)) for place in places]
        time.sleep(1)  # a second in which only these clients are slow
        before = processes.rss(server.pids(keeper=False))
        began = time.monotonic()
        readers += [Reader(server.view(*places[at % len(places)])) for at in range(scale.slow_clients)]
        while True:
            growth = processes.rss(server.pids(keeper=False)) - before
            passed_s = time.monotonic() - began
            if passed_s >= scale.slow_s or growth > ENOUGH:
                return growth / scale.slow_clients / 1024, passed_s
            time.sleep(0.1)
    finally:
        for reader in readers:
            reader.stop()


def _start(server: Server, session: str) -> None:
    """Start the flood, and detach."""
    terminal = server.attach(session)
    try:
        terminal.until(prompt(1))
        terminal.send(b"\n")
        while terminal.taken < PRINTED:
            terminal.read()
    finally:
        terminal.close()
