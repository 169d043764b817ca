"""How long does the control plane take for an answer?

Measures    us from request to the answer's last byte, average and p99 of a round: for creating a session that does not
            start yet, for listing 1,000 of them, and for the health answer.
How         on one keep-alive connection, one request after the other: the time that one client waits, not the highest
            rate. Every status and body is checked: the ids are new, and each list has all of them.
Leaves out  logins (no-auth), and the start of a program, which happens at the first attach.
Compares    where a peer has the same: terminado and Node have no sessions without a process.
Run         python -m benchmarks rest
"""

from benchmarks.client import quiet
from benchmarks.errors import Wrong
from benchmarks.figures import Figures, Row, Target, avg_p99_us
from benchmarks.http import Http, build
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.scale import Scale

TOPIC = "HTTP and sessions"
PEERS = SERVERS
ROWS = (
    Row("health", "health, keep-alive", "us", ("avg", "p99"), targets=(Target(1.2, "go"),)),
    Row("create", "session create (lazy)", "us", ("avg", "p99"), targets=(Target(0.75, "go"),)),
    Row("list", "list of 1,000 sessions", "us", ("avg", "p99"), targets=(Target(0.2, "go"),)),
)
WARMUP = 50  # requests of each kind that do not count; the sessions that they create are listed too


def measure(server: Server, scale: Scale) -> Figures:
    figures: Figures = {}
    if not server.health:
        return figures
    http = Http(server.address)
    try:
        figures["health"] = avg_p99_us(_health(http, server, scale.healths))
        if server.sessions:
            took, ids = create(http, server, scale.sessions)
            figures["create"] = avg_p99_us(took[WARMUP:])
            figures["list"] = avg_p99_us(_list(http, server, scale.lists, ids))
    finally:
        http.close()
    return figures


def create(http: Http, server: Server, count: int) -> tuple[list[int], set[str]]:
    """Create `count` sessions. Returns the time of each in ns, and their ids."""
    request = build(server.address, "POST", server.sessions, server.creation())
    took: list[int] = []
    ids: set[str] = set()
    with quiet():
        for number in range(count):
            time_ns, answer = http.json(request, 201)
            took.append(time_ns)
            ids.add(session := server.created(answer))
            if len(ids) != number + 1:
                raise Wrong(f"create: expected a new id, got {session} again")
    return took, ids


def _list(http: Http, server: Server, count: int, ids: set[str]) -> list[int]:
    request = build(server.address, "GET", server.sessions)
    took: list[int] = []
    with quiet():
        for _ in range(5 + count):
            time_ns, answer = http.json(request, 200)
            took.append(time_ns)
            sessions = server.listed(answer)
            if len(sessions) != len(ids) or set(sessions) != ids:
                raise Wrong(f"list: expected the {len(ids)} sessions created, got {len(sessions)}")
    return took[5:]


def _health(http: Http, server: Server, count: int) -> list[int]:
    request = build(server.address, "GET", server.health)
    took: list[int] = []
    pids = server.pids()
    with quiet():
        for _ in range(WARMUP + count):
            time_ns, health = http.json(request, 200)
            took.append(time_ns)
            if not server.healthy(health, pids):
                raise Wrong(f"health: expected ok from the server's process, got {health!r}")
    return took[WARMUP:]
