"""Do a thousand people, each with a program of their own, notice each other?

Measures    how many of 1,000 clients, each on a session of its own, are still attached after each has typed a key a
            second for 70 s; us from the time a key was due to that key's own echo, p50 and p99; how late the load
            client itself was with its keys, which is part of that; and the server's resident memory (the keeper's too),
            in all and per session with its client.
How         the keys of a second are spread evenly over it, in another order of clients than that in which they came; a
            late echo delays no key. Every echo is checked. The program is `cat` on a raw PTY.
Leaves out  the memory of the programs and of the kernel; the start of the programs (bench_first.py).
Compares    memory with servers that have no process per client.
Run         python -m benchmarks many
"""

import time

from benchmarks import processes
from benchmarks.bench_echo import attach
from benchmarks.errors import Unavailable, Wrong
from benchmarks.figures import Figures, Row, Target, p50_p99_us
from benchmarks.machine import terminals_left
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.scale import Scale
from benchmarks.typists import Typists

AT_ONCE = 50  # clients that attach before the earlier ones are read again
COMING_S = 0.1  # for each client to attach; ten times what is usual
FIRST_S = 1  # of typing that does not count
TOPIC = "Scale"
PEERS = SERVERS
WARM_UP = False  # each round has FIRST_S for that
ROWS = (
    Row(
        "many_attached",
        "1,000 clients on 1,000 programs, a key a second each for 70 s: attached",
        "%",
        ("share",),
        higher=True,
        targets=(Target(100),),
    ),
    Row("many_echo", "... echo", "us", ("p50", "p99"), targets=(Target(1.15, "floor"), Target(1, "ttyd"))),
    Row("many_late", "... of that, the load client's own lateness", "us", ("p50", "p99")),
    Row("many_memory", "... the server's memory, in all", "MiB", ("RSS",), targets=(Target(100),)),
    Row("many_session", "... a session's and its client's share", "KiB", ("RSS",), targets=(Target(64),)),
)


def measure(server: Server, scale: Scale) -> Figures:
    if (left := terminals_left()) < scale.many:
        raise Unavailable(f"needs {scale.many} PTYs, the system has {left} left (/proc/sys/kernel/pty/max)")
    before, processes_before = processes.rss(server.pids()), len(server.pids())
    typists = Typists()
    try:
        give_up = time.monotonic() + scale.many * COMING_S
        for number in range(scale.many):
            typists.add(attach(server, server.open("echo")))
            if number % AT_ONCE == 0:
                typists.listen()
            if time.monotonic() > give_up:
                raise Wrong(f"expected {scale.many} clients within {scale.many * COMING_S:.0f} s, got {number + 1}")
        typists.type(FIRST_S)
        typed = typists.type(scale.many_s)
        if not typed.took_ns:
            raise Wrong(f"expected {scale.many} clients to type, got none that was not cut off before")
        figures: Figures = {
            "many_attached": (len(typists) / scale.many * 100,),
            "many_echo": p50_p99_us(typed.took_ns),
            "many_late": p50_p99_us(typed.late_ns),
        }
        pids = server.pids()
        if len(pids) < processes_before + scale.many:  # processes per client would share most of their resident memory
            after = processes.rss(pids)
            figures["many_memory"] = (after / 2**20,)
            figures["many_session"] = ((after - before) / scale.many / 1024,)
    finally:
        typists.close()
    return figures
