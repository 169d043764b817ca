"""How long does a key take to its own echo while a hundred other clients watch?

Measures    us from before the send of one key until that very key is received, p50 and p99 of a round, with 100 more
            clients attached to the same session, which type nothing and get every echo too.
How         as bench_echo.py: on an irregular schedule that late echoes do not slow down; every echo is checked. A peer
            that cannot keep up lags more and more until it fails; the reason stands below the table.
Compares    with the floor, which shares no session: there, each of the 100 clients has its own.
Run         python -m benchmarks crowd
"""

from benchmarks.bench_echo import WARMUP, attach
from benchmarks.client import Terminal
from benchmarks.figures import Figures, Row, Target, p50_p99_us
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.scale import Scale

TOPIC = "Echo"
PEERS = SERVERS
STARTS = True
ROWS = (
    Row("echo_idle_clients", "echo, 100 idle clients attached", "us", ("p50", "p99"), targets=(Target(1.15, "floor"),)),
)


def measure(server: Server, scale: Scale) -> Figures:
    session = server.open("echo")
    terminal = attach(server, session)
    others: list[Terminal] = []
    try:
        while len(others) < scale.idle_clients:
            others.append(attach(server, session if server.shares_sessions else server.open("echo")))
        return {"echo_idle_clients": p50_p99_us(terminal.echoes(scale.keys, scale.interval_s, warmup=WARMUP))}
    finally:
        for each in [terminal, *others]:
            each.close()
