"""How long does a client that comes late wait, and how much does it download?

Measures    ms from connecting until the client's screen is right, p50 and p95 of 20 clients that come one after the
            other; and KiB on the wire until then, after the handshake.
How         after 100 MB of output: a line that stays at the bottom, as package managers draw one, and coloured log that
            scrolls above it. The right screen is computed here, from what the program printed. What the client gets
            goes into a terminal of its own, and the two screens are compared after each read.
First       checks that the server's own text of the screen is the right one, if the server gives one.
Compares    a peer that keeps only the last output shows another screen. The floor has no late clients.
Run         python -m benchmarks late
"""

import time

from benchmarks.errors import Wrong
from benchmarks.figures import Figures, Row, p50_p95_ms, percentile
from benchmarks.materials import history_tail
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.programs import END, READY
from benchmarks.scale import Scale
from benchmarks.screens import Screen, normal

SILENCE_S = 1.0  # after which no more output is expected
TOPIC = "Ctrl-C, slow and late clients"
PEERS = SERVERS
FILES = ("history",)
ROUNDS, WARM_UP = 1, False  # one round takes many samples
ROWS = (
    Row("late_time", "client after 100 MB of output: time to the right screen", "ms", ("p50", "p95")),
    Row("late_bytes", "... and what that took on the wire", "KiB", ("size",)),
)


def measure(server: Server, scale: Scale) -> Figures:
    if not server.shares_sessions:
        return {}
    session = server.open("history")
    first = server.attach(session)
    try:
        first.until(READY)
        first.send(b"g")
        first.until(END, size=scale.history)
    finally:
        first.close()
    right = Screen()
    right.feed(history_tail(scale.history) + END)
    screen = server.screen(session)
    if screen is not None and normal(screen) != right.text():
        raise Wrong(f"the screen is {right.text()!r}, the server says {screen!r}")
    took_s, sizes = [], []
    for _ in range(scale.late_clients):
        came = _come(server, session, right.text())
        if came is None:
            return dict.fromkeys(("late_time", "late_bytes"), "another screen")
        took_s.append(came[0])
        sizes.append(came[1])
    return {"late_time": p50_p95_ms(took_s), "late_bytes": (percentile(sizes, 50) / 1024,)}


def _come(server: Server, session: str, right: str) -> tuple[float, int] | None:
    """Seconds and bytes to the right screen; None if another screen came, and then nothing more."""
    screen = Screen()
    began = time.monotonic()
    terminal = server.view(session)
    try:
        while terminal.readable(SILENCE_S):
            screen.feed(terminal.read())
            if screen.text() == right:
                return time.monotonic() - began, terminal.taken
    finally:
        terminal.close()
    return None
