"""How long does a key take to its own echo?

Measures    us from before the send of one key until that very key is received, p50 and p99 of a round: alone; while
            another session prints without end into a client that reads all it can; with 100 more clients attached
            to the same session, which type nothing.
How         keys are typed on an irregular schedule, also when echoes are late (no coordinated omission); every
            echo is checked. The program is `cat` on a raw pty without echo.
Leaves out  drawing; and a network: all is loopback.
Compares    with the floor, where each of the 100 has a session of its own, since it shares none. What the flood
            carried meanwhile is in the table too: starving it would be a way to look good.
Run         python -m benchmarks echo
"""

from benchmarks.client import Terminal
from benchmarks.drain import Drain
from benchmarks.figures import Figures, Row, p50_p99_us
from benchmarks.peers.peer import Server
from benchmarks.programs import READY
from benchmarks.scale import Scale

ROWS = (
    Row("echo_idle", "echo, idle", "us", ("p50", "p99")),
    Row("echo_idle_clients", "echo, 100 idle clients attached", "us", ("p50", "p99")),
    Row("echo_flood", "echo while another session floods", "us", ("p50", "p99")),
    Row("echo_flood_rate", "... and that flood meanwhile", "MiB/s", ("on the wire",), higher=True),
)
WARMUP = 50  # keys of each condition that are not counted


def measure(server: Server, scale: Scale) -> Figures:
    figures: Figures = {}
    session = server.open("echo")
    terminal = _attach(server, session)
    others: list[Terminal] = []

    def typed() -> tuple[float, float]:
        return p50_p99_us(terminal.echoes(scale.keys, scale.interval_s, warmup=WARMUP))

    try:
        figures["echo_idle"] = typed()
        while len(others) < scale.idle_clients:
            others.append(_attach(server, session if server.shares_sessions else server.open("echo")))
        figures["echo_idle_clients"] = typed()
        while others:
            others.pop().close()
        flood = Drain(_attach(server, server.open("flood")))
        try:
            figures["echo_flood"] = typed()
            figures["echo_flood_rate"] = (flood.stop(),)
        finally:
            flood.close()
    finally:
        for each in [terminal, *others]:
            each.close()
    return figures


def _attach(server: Server, session: str) -> Terminal:
    terminal = server.attach(session)
    terminal.until(READY)
    return terminal
