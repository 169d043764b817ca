"""What does compression gain on a slow link, and what does it cost?

Measures    with and without permessage-deflate: KB of output a second at a client whose link carries 100 KB/s; CPU ms
            that the server's own processes use per MiB of output, to a client that reads all it can; us from before
            the send of one key until that very key is received, p50 and p99.
How         with a coloured log that `cat` prints, every byte compared; echo as in bench_echo.py. The client offers the
            extension without context takeover, as a server with many clients wants it: each message stands alone.
Leaves out  the cost of inflating in a browser; the first half second on the slow link, while buffers fill.
Compares    ours with --compression, peers with their defaults. `not offered`: the server does not agree to it.
Run         python -m benchmarks compression
"""

import time

from benchmarks import materials, processes
from benchmarks.bench_echo import WARMUP
from benchmarks.client import Terminal
from benchmarks.errors import Wrong
from benchmarks.figures import Figures, Row, p50_p99_us
from benchmarks.link import FAST, Link
from benchmarks.peers import SERVERS
from benchmarks.peers.ours import Ours
from benchmarks.peers.peer import Peer, Server
from benchmarks.programs import READY
from benchmarks.scale import MIB, Scale

RATE = 100_000  # bytes a second
FILLING_S = 0.5
HOW = {"off": "without", "on": "with"}
TOPIC = "Compression"
PEERS: tuple[Peer[Server], ...] = (Ours("--compression"), *SERVERS[1:])
FILES = ("packed",)
ROUNDS, WARM_UP = 2, False
ROWS = (
    *(
        Row(f"compression_rate_{how}", f"coloured log at 100 KB/s, {word} compression", "KB/s", ("rate",), higher=True)
        for how, word in HOW.items()
    ),
    *(
        Row(f"compression_cpu_{how}", f"... CPU of the server at any speed, {word}", "ms/MiB", ("CPU",))
        for how, word in HOW.items()
    ),
    *(Row(f"compression_echo_{how}", f"... echo, idle, {word}", "us", ("p50", "p99")) for how, word in HOW.items()),
)


def measure(server: Server, scale: Scale) -> Figures:
    figures: Figures = {}
    expected = b"".join(materials.log(scale.packed))
    for how in HOW:
        echoing, whole, part = (
            _attach(server, program, link, how)
            for program, link in (("echo", FAST), ("packed", FAST), ("packed", Link.of(RATE)))
        )
        if echoing is None or whole is None or part is None:
            figures |= dict.fromkeys((f"compression_{what}_{how}" for what in ("rate", "cpu", "echo")), "not offered")
            continue
        try:
            keys = echoing.echoes(scale.keys // 2, scale.interval_s, warmup=WARMUP)
            figures[f"compression_echo_{how}"] = p50_p99_us(keys)
            figures[f"compression_cpu_{how}"] = (_cpu(server, whole, expected),)
            figures[f"compression_rate_{how}"] = (_rate(part, expected, scale.link_s) / 1000,)
        finally:
            for terminal in (echoing, whole, part):
                terminal.close()
    return figures


def _attach(server: Server, program: str, link: Link, how: str) -> Terminal | None:
    session = server.open(program)
    terminal = server.compressed(session, link) if how == "on" else server.attach(session, link)
    if terminal is not None:
        terminal.until(READY)
    return terminal


def _cpu(server: Server, terminal: Terminal, expected: bytes) -> float:
    """CPU ms of the server for each MiB of output."""
    pids = server.pids()
    before_ms = processes.cpu_ms(pids)
    terminal.send(b"g")
    received = bytearray()
    while len(received) < len(expected):
        received += terminal.read()
    spent_ms = processes.cpu_ms(pids) - before_ms
    _check(received, expected)
    return spent_ms / (len(expected) / MIB)


def _rate(terminal: Terminal, expected: bytes, seconds: float) -> float:
    """Bytes of output a second."""
    terminal.send(b"g")
    received, filled, began = bytearray(), 0, time.monotonic()
    counted = began + FILLING_S
    while len(received) < len(expected) and time.monotonic() < counted + seconds:
        received += terminal.read()
        if not filled and time.monotonic() >= began + FILLING_S:
            filled, counted = len(received), time.monotonic()
    ended = time.monotonic()
    _check(received, expected)
    return (len(received) - filled) / (ended - (counted if filled else began))


def _check(received: bytearray, expected: bytes) -> None:
    if not expected.startswith(received):
        at = next(at for at, (a, b) in enumerate(zip(received, expected, strict=False)) if a != b)
        raise Wrong(f"output differs at byte {at}: expected {expected[at:][:40]!r}, got {bytes(received[at:][:40])!r}")
