"""Does a client that never reads slow down one that types?

Measures    us from before the send of one key until that very key is received, p50 and p99 of a round: alone; in a
            session that has just printed 64 MiB to the typist, every byte checked, and to a client that never reads;
            while another session floods a client that never reads. And by how much the p99 grows.
How         as bench_echo.py. The client that never reads attaches as a browser does, with a small receive buffer.
Compares    the floor has no two clients in a session.
Run         python -m benchmarks deaf
"""

from benchmarks.bench_echo import WARMUP, attach
from benchmarks.bench_flood import ROOM
from benchmarks.client import Terminal, touched
from benchmarks.content import Content
from benchmarks.figures import Figures, Row, p50_p99_us
from benchmarks.link import DEAF
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.scale import Scale

TOPIC = "Echo"
PEERS = SERVERS
FILES = ("transfer",)
ROUNDS = 3
ROWS = (
    Row("deaf_none", "echo, nobody else", "us", ("p50", "p99")),
    Row("deaf_same", "... a client of the same session never reads", "us", ("p50", "p99")),
    Row("deaf_other", "... another session floods a client that never reads", "us", ("p50", "p99")),
    Row("deaf_growth", "... p99 of the two, by that of the first", "x", ("same", "other")),
)


def measure(server: Server, scale: Scale) -> Figures:
    figures: dict[str, tuple[float, float]] = {}
    opened: list[Terminal] = []

    def typed(terminal: Terminal) -> tuple[float, float]:
        return p50_p99_us(terminal.echoes(scale.keys // 2, scale.interval_s, warmup=WARMUP))

    try:
        opened.append(alone := attach(server, server.open("echo")))
        figures["deaf_none"] = typed(alone)
        if server.shares_sessions:
            session = server.open("transfer")
            opened.append(typist := attach(server, session))
            opened.append(server.view(session, DEAF))
            content, memory = Content.of(scale.transfer), touched(int(scale.transfer * ROOM))
            typist.receive(content, memory, start=b"g")
            typist.check_received(content, memory)
            figures["deaf_same"] = typed(typist)
        # Last, because a flood without an attached client is not paced by any.
        opened.append(server.view(server.open("flood"), DEAF))
        figures["deaf_other"] = typed(alone)
        if server.shares_sessions:
            p99 = [figures[key][1] for key in ("deaf_none", "deaf_same", "deaf_other")]
            figures["deaf_growth"] = (p99[1] / p99[0], p99[2] / p99[0])
    finally:
        for terminal in opened:
            terminal.close()
    return dict(figures)
