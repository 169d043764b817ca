"""How much memory does the server take?

Measures    resident memory of the server's own processes (the keeper's too, not the programs'): idle after its first
            answer; with 1,000 sessions that have not started, in all and for each; per idle client of one session, over
            500 of them.
How         as the growth between two states, after some sessions and clients that take the one-time costs.
Leaves out  the kernel's memory: sockets and PTYs.
Compares    with the floor's listening process; its process per connection shares nearly all pages with that.
Run         python -m benchmarks memory
"""

from benchmarks import bench_rest, processes
from benchmarks.client import Terminal
from benchmarks.figures import Figures, Row, Target
from benchmarks.http import Http
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.programs import READY
from benchmarks.scale import Scale

TOPIC = "Start and memory"
PEERS = SERVERS
ROWS = (
    Row("memory_idle", "memory, idle", "MiB", ("RSS",), targets=(Target(50),)),
    Row("memory_sessions", "... with 1,000 lazy sessions", "MB", ("RSS",), targets=(Target(60),)),
    Row("memory_session", "... for each of them", "KiB", ("RSS",)),
    Row("memory_client", "... per attached client, idle", "KiB", ("RSS",)),
)
FIRST = 20  # sessions and clients that take the one-time costs, and do not count


def measure(server: Server, scale: Scale) -> Figures:
    figures: Figures = {"memory_idle": (processes.rss(server.pids()) / 2**20,)}
    if server.sessions:
        http = Http(server.address)
        try:
            bench_rest.create(http, server, FIRST)
            before = processes.rss(server.pids())
            bench_rest.create(http, server, scale.sessions - FIRST)
            after = processes.rss(server.pids())
            figures["memory_sessions"] = (after / 1e6,)
            figures["memory_session"] = ((after - before) / (scale.sessions - FIRST) / 1024,)
        finally:
            http.close()
    if server.shares_sessions:
        figures["memory_client"] = (_per_client(server, scale.attached) / 1024,)
    return figures


def _per_client(server: Server, count: int) -> float:
    session = server.open("echo")
    clients: list[Terminal] = []

    def attach_until(target: int) -> int:
        while len(clients) < target:
            clients.append(server.attach(session))
            clients[-1].until(READY)  # it is attached, not only accepted
        return processes.rss(server.pids())

    try:
        before = attach_until(FIRST)
        return (attach_until(FIRST + count) - before) / count
    finally:
        for client in clients:
            client.close()
