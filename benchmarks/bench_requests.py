"""How many requests a second can be answered?

Measures    health answers a second, the most that 32 connections get.
How         on connections that are kept alive, one request at a time on each. Every status is checked, and every body
            except for the time in it. The client is one epoll loop in C (asker.c), which takes 4.5 us of one core for
            an answer: from a server as cheap as itself it gets 220,000 a second.
Leaves out  the time that one client waits: bench_rest.py.
Run         python -m benchmarks requests
"""

import time

from benchmarks.asker import Question, answers_per_second
from benchmarks.figures import Figures, Row, Target
from benchmarks.http import Http, build
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.scale import Scale

CONNECTIONS = 32
CHANGE_S = 1.5  # after which any time in an answer has changed
TOPIC = "HTTP and sessions"
PEERS = SERVERS
ROUNDS = 3
ROWS = (Row("health_rate", "health, the most", "answers/s", ("rate",), higher=True, targets=(Target(15_000),)),)


def measure(server: Server, scale: Scale) -> Figures:
    if not server.health:
        return {}
    request = build(server.address, "GET", server.health)
    http = Http(server.address)
    try:
        first = second = bytes(http.exchange(request)[2])
        give_up = time.monotonic() + CHANGE_S
        while second == first and time.monotonic() < give_up:
            time.sleep(0.01)
            second = bytes(http.exchange(request)[2])
    finally:
        http.close()
    question = Question.like(request, first, second)
    return {"health_rate": (answers_per_second(server.address, question, CONNECTIONS, scale.requests_s),)}
