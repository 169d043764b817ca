"""Does a slow client slow down one that gets every byte?

Measures    MiB/s of 100 MB to a client that gets every byte: alone, and while another client of the same session,
            attached as a browser, reads 100 KB/s.
How         with numbered lines that `cat` prints; every byte is checked by SHA-256 after the clock has stopped.
Compares    terminado keeps all that the slow client has not read. The floor has no two clients in a session.
Run         python -m benchmarks lossless
"""

from benchmarks.bench_flood import ROOM
from benchmarks.client import touched
from benchmarks.content import Content
from benchmarks.figures import Figures, Row
from benchmarks.link import Link
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.programs import READY
from benchmarks.reader import Reader
from benchmarks.scale import Scale

SLOW = 100_000  # bytes a second
TOPIC = "Floods"
PEERS = SERVERS
FILES = ("lossless",)
ROUNDS = 2
ROWS = (
    Row("lossless_alone", "100 MB to one client, every byte checked", "MiB/s", ("rate",), higher=True),
    Row("lossless_slow", "... another one reads 100 KB/s of it", "MiB/s", ("rate",), higher=True),
)


def measure(server: Server, scale: Scale) -> Figures:
    figures: Figures = {"lossless_alone": (_rate(server, scale, slow=False),)}
    if server.shares_sessions:
        figures["lossless_slow"] = (_rate(server, scale, slow=True),)
    return figures


def _rate(server: Server, scale: Scale, *, slow: bool) -> float:
    content, memory = Content.of(scale.lossless), touched(int(scale.lossless * ROOM))
    session = server.open("lossless")
    terminal = server.attach(session)
    reader = None
    try:
        terminal.until(READY)
        if slow:
            reader = Reader(server.view(session, Link.of(SLOW)))
        took_s = terminal.receive(content, memory, start=b"g")
        terminal.check_received(content, memory)
    finally:
        terminal.close()
        if reader is not None:
            reader.stop()
    return scale.lossless / 2**20 / took_s
