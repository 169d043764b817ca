"""How long does a new session take to its first output?

Measures    ms from before the request that creates a session to the first output of its program at a client: POST on a
            connection that is kept alive, WebSocket on a new one, start of the program; p50 and p99 of 100 in a row.
How         the program is a shell that prints a word and waits: the figure contains its start, and no other program's.
            All are ended after the last one: some servers take long for that, which is another question.
Compares    peers that create no sessions without the request: attach and first output.
Run         python -m benchmarks first
"""

import time

from benchmarks.client import Terminal, quiet
from benchmarks.figures import Figures, Row, Target, p50_p99_ms
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.programs import READY
from benchmarks.scale import Scale

WARMUP = 5
TOPIC = "HTTP and sessions"
PEERS = SERVERS
ROUNDS = 3
ROWS = (Row("first_output", "POST, attach, first output", "ms", ("p50", "p99"), targets=(Target(1, "go"),)),)


def measure(server: Server, scale: Scale) -> Figures:
    terminals: list[Terminal] = []
    took_s = []
    try:
        for _ in range(WARMUP + scale.firsts):
            with quiet():
                began = time.perf_counter()
                terminals.append(server.attach(server.open("hello")))
                terminals[-1].until(READY)
                took_s.append(time.perf_counter() - began)
    finally:
        for terminal in terminals:
            terminal.send(b"\n")  # ends the program
            terminal.close()
    return {"first_output": p50_p99_ms(took_s[WARMUP:])}
