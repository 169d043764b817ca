"""How long does a key take to its own echo?

Measures    us from before the send of one key until that very key is received, p50 and p99 of a round: alone, and while
            another session prints without end into a client that reads all it can.
How         keys are typed on an irregular schedule, even when echoes are late (no coordinated omission); every echo
            is checked. The program is `cat` on a raw PTY without echo.
Leaves out  drawing; and a network: everything is on loopback.
Compares    also how much output the flood gets meanwhile: starving it would be a way to look good.
Run         python -m benchmarks echo
"""

from benchmarks import processes
from benchmarks.client import Terminal
from benchmarks.drain import Drain
from benchmarks.figures import Figures, Row, Target, p50_p99_us
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.programs import READY
from benchmarks.scale import Scale

TOPIC = "Echo"
PEERS = SERVERS
STARTS = True
NEAR_FLOOR = (Target(1.15, "floor"), Target(1.15, "floor"))
ROWS = (
    Row("echo_idle", "echo, idle", "us", ("p50", "p99"), targets=NEAR_FLOOR),
    Row("echo_cpu", "... CPU of the server for each key", "us", ("CPU",)),
    Row("echo_flood", "echo while another session floods", "us", ("p50", "p99"), targets=NEAR_FLOOR),
    Row("echo_flood_rate", "... and that flood meanwhile", "MiB/s", ("on the wire",), higher=True),
)
WARMUP = 50  # keys of each condition that do not count


def measure(server: Server, scale: Scale) -> Figures:
    figures: Figures = {}
    terminal = attach(server, server.open("echo"))

    def typed() -> tuple[float, float]:
        return p50_p99_us(terminal.echoes(scale.keys, scale.interval_s, warmup=WARMUP))

    try:
        pids = server.pids()
        before_ms = processes.cpu_ms(pids)
        figures["echo_idle"] = typed()
        figures["echo_cpu"] = ((processes.cpu_ms(pids) - before_ms) * 1000 / (WARMUP + scale.keys),)
        flood = Drain(attach(server, server.open("flood")))
        try:
            figures["echo_flood"] = typed()
            figures["echo_flood_rate"] = (flood.stop(),)
        finally:
            flood.close()
    finally:
        terminal.close()
    return figures


def attach(server: Server, session: str) -> Terminal:
    """A terminal whose program is ready."""
    terminal = server.attach(session)
    terminal.until(READY)
    return terminal
