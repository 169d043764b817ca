"""How long does a server take until it answers?

Measures    ms from its exec to its first answer to a health request, on an empty state folder; and the same after the
            server was killed, if something outlives it: for ours the keeper.
How         its address is looked for every millisecond until it exists, then asked. Files are in the page cache.
Compares    with the floor, which has no health answer: until it listens.
Run         python -m benchmarks start
"""

from benchmarks.figures import Figures, Row, Target
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.scale import Scale

TOPIC = "Start and memory"
PEERS = SERVERS
ROWS = (
    Row("start", "start to first health answer", "ms", ("time",), targets=(Target(300),)),
    Row("start_again", "... killed, and started again", "ms", ("time",)),
)


def measure(server: Server, _scale: Scale) -> Figures:
    figures: Figures = {}
    if server.start_ms is not None:
        figures["start"] = (server.start_ms,)
    again_ms = server.restart()
    if again_ms is not None:
        figures["start_again"] = (again_ms,)
    return figures
