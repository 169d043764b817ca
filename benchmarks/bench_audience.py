"""How many clients can watch one session?

Measures    the seconds that 10,000 clients take to attach to one session, one after the other, each of them shown its
            screen; resident memory of the server's own processes per idle client; ms from a line that one client
            types until the last client has it, p50 of 20 lines; and how much of that the load client's own reading
            takes, once such a line has arrived at all its sockets.
How         with clients that get every byte, all on 127.0.0.1. Every line is checked at every client. One epoll loop
            in C (audience.c) reads them, and answers pings. Both ends need a descriptor for each client: if fewer
            are allowed, there is no figure.
Leaves out  the kernel's memory for sockets; presence messages, which only browsers get.
Compares    with this server's defaults, but without logins: its limits on connections are for users.
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

FIRST = 20  # clients that take the one-time costs, and do not count
OTHERS = 200  # descriptors that a process needs for other things
COMING_S = 0.02  # for each client to attach; ten times what is usual
AT_ONCE = 100  # clients that attach before the earlier ones are read again
LEAST_S = 0.2  # for a line to arrive everywhere
TOPIC = "Scale"
PEERS = SERVERS
ROUNDS, WARM_UP = 1, False  # one round takes many samples
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
        raise Unavailable(f"needs {scale.audience + OTHERS} open files, {allowed} are allowed (ulimit -Hn)")
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
                terminal.until(READY)  # it is attached, not only accepted
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
            attached.epoll.close()  # from here on audience.c polls, and each socket wakes one poller only
            line_ms, alone_ms = _lines(attached.terminals, scale.lines)
            figures |= {"audience_line": (line_ms,), "audience_alone": (alone_ms,)}
        else:
            figures |= dict.fromkeys(("audience_line", "audience_alone"), "no WebSocket")
        return figures
    finally:
        attached.close()


def _lines(terminals: Sequence[Terminal], count: int) -> tuple[float, float]:
    """ms until the last client has a line, and how much of that is the load client's own reading; p50."""
    audience = Audience(terminals)
    try:
        audience.line()  # also reads what has arrived before, above all pings
        took = [audience.line() for _ in range(count)]
        there_s = max(LEAST_S, 3 * percentile(took, 50))
        alone = [audience.line(wait_s=there_s) for _ in range(count // 4)]
    finally:
        audience.close()
    return percentile(took, 50) * 1000, percentile(alone, 50) * 1000
