"""How many can look on?

Measures    how many seconds it takes 10,000 clients to attach to one session, one after the other, each served with its
            screen; resident memory of the server's own processes per client, idle; ms from one client's typing a line
            until the last of all has it, p50 of 20 lines; and what the load client alone needs to read such a line from
            all its sockets, when it is there already, which is in that.
How         clients that get every byte, all on 127.0.0.1. Every line is checked at every client. They are read by one
            epoll loop in C (audience.c), which answers pings too. Both ends need a descriptor for each client: with
            fewer allowed than that, there is no figure.
Leaves out  the kernel's side of memory: sockets. What browsers are told besides, who else is there.
Compares    ours with its defaults: limits on connections are for whoever logs in, and nobody does here.
Run         python -m benchmarks audience
"""

import resource
import time
from collections.abc import Sequence

from benchmarks import processes
from benchmarks.attached import Attached
from benchmarks.audience import Audience
from benchmarks.client import Terminal
from benchmarks.errors import Unavailable, Wrong
from benchmarks.figures import Figures, Row, Target, percentile
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.programs import READY
from benchmarks.scale import Scale
from benchmarks.wires import BinaryWire

FIRST = 20  # clients that pay for what only the first ones cost
OTHERS = 200  # descriptors that a process needs besides
COMING_S = 0.02  # that each may take; ten times what is usual
AT_ONCE = 100  # clients that come before the others are listened to
LEAST_S = 0.2  # before a line has arrived everywhere
TOPIC = "Scale"
PEERS = SERVERS
ROUNDS, WARM_UP = 1, False  # it takes its own samples
ROWS = (
    Row("audience_time", "10,000 idle clients attach to one session", "s", ("time",)),
    Row("audience_memory", "... memory for each of them", "KiB", ("RSS",), targets=(Target(8),)),
    Row("audience_line", "... a line of output at the last of them", "ms", ("p50",), targets=(Target(100),)),
    Row("audience_alone", "... of that, the load client's own reading", "ms", ("p50",)),
)


def measure(server: Server, scale: Scale) -> Figures:
    if not server.shares_sessions:
        return {}
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed < scale.audience + OTHERS:
        raise Unavailable(f"{scale.audience + OTHERS} open files are needed, {allowed} are allowed (ulimit -Hn)")
    session = server.open("echo")
    attached = Attached()

    give_up = time.monotonic() + scale.audience * COMING_S

    def attach_until(target: int) -> int:
        while len(attached.terminals) < target:
            if time.monotonic() > give_up:
                came, most_s = len(attached.terminals), scale.audience * COMING_S
                raise Wrong(f"expected {scale.audience} clients within {most_s:.0f} s, got {came}")
            try:
                terminal = server.attach(session)
                attached.add(terminal)
                terminal.until(READY)  # it is served, not only accepted
            except (Wrong, OSError) as error:
                raise Wrong(f"client {len(attached.terminals)} of {scale.audience}: {error}") from error
            if len(attached.terminals) % AT_ONCE == 0:
                attached.listen()
        if len(attached) < target:
            raise Wrong(f"expected {target} clients to stay, {target - len(attached)} were cut off")
        return processes.rss(server.pids())

    try:
        before = attach_until(FIRST)
        began = time.monotonic()
        after = attach_until(scale.audience)
        took_s = (time.monotonic() - began) * scale.audience / (scale.audience - FIRST)
        figures: Figures = {
            "audience_time": (took_s,),
            "audience_memory": ((after - before) / (scale.audience - FIRST) / 1024,),
        }
        if isinstance(attached.terminals[0].wire, BinaryWire):
            attached.epoll.close()  # from here on the C listens, and each socket wakes one poller only
            line_ms, alone_ms = _lines(attached.terminals, scale.lines)
            figures |= {"audience_line": (line_ms,), "audience_alone": (alone_ms,)}
        else:
            figures |= dict.fromkeys(("audience_line", "audience_alone"), "no WebSocket")
        return figures
    finally:
        attached.close()


def _lines(terminals: Sequence[Terminal], count: int) -> tuple[float, float]:
    """ms to the last one, and of that the load client's own; p50."""
    audience = Audience(terminals)
    try:
        audience.line()  # what has come besides, pings above all
        took = [audience.line() for _ in range(count)]
        there_s = max(LEAST_S, 3 * percentile(took, 50))
        alone = [audience.line(wait_s=there_s) for _ in range(count // 4)]
    finally:
        audience.close()
    return percentile(took, 50) * 1000, percentile(alone, 50) * 1000
