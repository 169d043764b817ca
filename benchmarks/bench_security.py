"""What do logins, checks and logs cost?

Measures    us from request to the answer's last byte, p50 and p99 of a round, for one small answer and for a change of
            state (renaming a session); and from one key to its own echo.
How         on one keep-alive connection, one request after the other. Every status and body is checked. All checks are
            on: allow list, Host and Origin, login, rate limits, permissions, the token against forged requests, audit
            log and request log.
Leaves out  the login itself, which is slow on purpose (Argon2id).
Compares    with `--no-auth --no-request-log`: the difference between the columns is the cost of security. Frames pass
            no further check, so the echo is the same.
Run         python -m benchmarks security
"""

from benchmarks.bench_echo import WARMUP as KEYS
from benchmarks.bench_echo import attach
from benchmarks.client import quiet
from benchmarks.errors import Wrong
from benchmarks.figures import Figures, Row, p50_p99_us
from benchmarks.peers.guarded import Guarded
from benchmarks.peers.ours import Ours, OurServer
from benchmarks.peers.peer import Peer
from benchmarks.scale import Scale

TOPIC = "Closed doors"
PEERS: tuple[Peer[OurServer], ...] = (Ours(), Guarded("token"), Guarded("cookie"))
ROWS = (
    Row("guarded_read", "GET of one session", "us", ("p50", "p99")),
    Row("guarded_change", "PATCH of its name", "us", ("p50", "p99")),
    Row("guarded_echo", "echo, idle", "us", ("p50", "p99")),
)
WARMUP = 50


def measure(server: OurServer, scale: Scale) -> Figures:
    figures: Figures = {}
    session = server.open("echo")
    path = f"{server.sessions}/{session}"
    took: list[int] = []
    with quiet():
        for _ in range(WARMUP + scale.healths):
            time_ns, found = server.ask("GET", path)
            took.append(time_ns)
            if found["id"] != session:
                raise Wrong(f"GET {path}: expected that session, got {found!r}")
    figures["guarded_read"] = p50_p99_us(took[WARMUP:])
    took = []
    with quiet():
        for number in range(WARMUP + scale.healths):
            time_ns, renamed = server.ask("PATCH", path, {"name": f"n{number}"})
            took.append(time_ns)
            if renamed["name"] != f"n{number}":
                raise Wrong(f"PATCH {path}: expected the name n{number}, got {renamed!r}")
    figures["guarded_change"] = p50_p99_us(took[WARMUP:])
    terminal = attach(server, session)
    try:
        figures["guarded_echo"] = p50_p99_us(terminal.echoes(scale.keys, scale.interval_s, warmup=KEYS))
    finally:
        terminal.close()
    return figures
