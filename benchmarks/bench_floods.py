"""How long does a key take while several sessions flood, or the typist's own session does?

Measures    us from before the send of one key until that very key is received, p50 and p99 of a round, while four other
            sessions print without end into a client each; us from the time a key was due, in a session that prints
            without end itself, to the program's answer to that key, p50 and p99; and how much output the floods get
            meanwhile: starving them would be a way to look good.
How         as bench_echo.py. In the flooding session a shell reads the keys while `yes` writes to the same raw PTY, and
            answers each with a number of its own. The client reads all it can and looks for that number. What the PTY
            holds comes before an answer, and so does everything that a server has read ahead.
Compares    ours for a client that gets every byte, and as a browser attaches (latest); peers have one way.
Run         python -m benchmarks floods
"""

import random
import time

from benchmarks.bench_echo import WARMUP, attach
from benchmarks.client import TAIL, Terminal, quiet
from benchmarks.drain import Drain
from benchmarks.figures import Figures, Row, p50_p99_us
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.programs import ENOUGH, READY, mark
from benchmarks.scale import MIB, Scale

FLOODS = 4
INTERVAL_S = 0.02  # mean time between two keys in the flood
MARKS_WARMUP = 10  # keys that do not count
TOPIC = "Echo"
PATIENCE_S = 10  # for one answer
LOST = "an answer lost"
PEERS = SERVERS
ROUNDS, WARM_UP = 3, False
ROWS = (
    Row("floods_echo", "echo while 4 other sessions flood", "us", ("p50", "p99")),
    Row("floods_rate", "... and those floods meanwhile, in all", "MiB/s", ("on the wire",), higher=True),
    Row("floods_own", "key to its answer in a session that floods", "us", ("p50", "p99")),
    Row("floods_own_rate", "... and that flood meanwhile", "MiB/s", ("on the wire",), higher=True),
    Row("floods_latest", "... key to its answer, as a browser attaches", "us", ("p50", "p99")),
    Row("floods_latest_rate", "... and that flood meanwhile", "MiB/s", ("on the wire",), higher=True),
)


def measure(server: Server, scale: Scale) -> Figures:
    figures: Figures = {}
    typist = attach(server, server.open("echo"))
    flooded = [attach(server, server.open("marks")) for _ in range(FLOODS)]
    floods: list[Drain] = []
    try:
        floods += [Drain(terminal) for terminal in flooded]
        figures["floods_echo"] = p50_p99_us(typist.echoes(scale.keys, scale.interval_s, warmup=WARMUP))
        for terminal in flooded:
            terminal.send(ENOUGH)  # ends the flood, which would go on without its client and disturb the next part
        figures["floods_rate"] = (sum(flood.stop() for flood in floods),)
    finally:
        for flood in floods:
            flood.close()
        typist.close()
    figures["floods_own"], figures["floods_own_rate"] = _answers(server.attach(server.open("marks")), scale.marks)
    if server.raw_viewers:  # other servers have one way to attach
        figures["floods_latest"], figures["floods_latest_rate"] = _answers(
            server.view(server.open("marks")), scale.marks
        )
    return figures


def _answers(terminal: Terminal, keys: int) -> tuple[tuple[float, float], tuple[float]] | tuple[str, str]:
    """us from key to answer, p50 and p99, and MiB a second meanwhile; or the reason for none. Closes `terminal`."""
    try:
        terminal.until(READY)
        before, began = terminal.taken, time.perf_counter()
        took_ns = _type(terminal, MARKS_WARMUP + keys)
        rate = (terminal.taken - before) / MIB / (time.perf_counter() - began)
        terminal.send(ENOUGH)
    finally:
        terminal.close()
    if len(took_ns) < MARKS_WARMUP + keys:
        return LOST, LOST
    return p50_p99_us(took_ns[MARKS_WARMUP:]), (rate,)


def _type(terminal: Terminal, keys: int) -> list[int]:
    """Type Enter on an irregular schedule, even when answers are late. Returns ns from when each was due to its answer.

    They are fewer than `keys` if an answer has not come for PATIENCE_S: the peer has lost it, or will not get to it.
    """
    chance = random.Random(1)
    due, took_ns = [time.perf_counter_ns()], list[int]()
    stream, sent, give_up = b"", 0, time.monotonic() + PATIENCE_S
    with quiet():
        while len(took_ns) < keys and time.monotonic() < give_up:
            now = time.perf_counter_ns()
            if sent < keys and now >= due[sent]:
                terminal.send(b"\n")
                sent += 1
                due.append(due[-1] + int(INTERVAL_S * 1e9 * chance.uniform(0.75, 1.25)))
                continue
            wanted = mark(len(took_ns) + 1)
            if terminal.readable((due[sent] - now) / 1e9 if sent < keys else PATIENCE_S):
                stream += terminal.read()
                while (at := stream.find(wanted)) >= 0:  # more than one may have come at once
                    took_ns.append(time.perf_counter_ns() - due[len(took_ns)])
                    stream, wanted = stream[at + len(wanted) :], mark(len(took_ns) + 1)
                    give_up = time.monotonic() + PATIENCE_S
                stream = stream[-TAIL:]
    return took_ns
