"""How fast does output arrive, and what does it cost?

Measures    MiB/s of a program's output, from the key that starts it to the last byte at one client; CPU ms that the
            server's own processes (the keeper's too, not the program's) use per MiB; and the most MiB by which their
            resident memory grows meanwhile.
How         with 64 MiB of numbered lines that `cat` prints; every byte is checked by SHA-256 after the clock has
            stopped. Memory is read twenty times a second.
Leaves out  drawing.
Compares    with the floor: one read of the PTY and one write to the socket at a time.
Run         python -m benchmarks flood
"""

from benchmarks import processes
from benchmarks.client import touched
from benchmarks.content import Content
from benchmarks.figures import Figures, Row, Target
from benchmarks.growth import Growth
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.programs import READY
from benchmarks.scale import Scale

TOPIC = "Floods"
PEERS = SERVERS
FILES = ("transfer",)
STARTS = True
ROWS = (
    Row(
        "flood_rate",
        "flood to one client, every byte checked",
        "MiB/s",
        ("rate",),
        higher=True,
        targets=(Target(0.95, "floor"),),
    ),
    Row("flood_cpu", "... CPU of the server", "ms/MiB", ("CPU",), targets=(Target(1, "ttyd"),)),
    Row("flood_memory", "... growth of the server's memory", "MiB", ("RSS",), targets=(Target(1),)),
)
ROOM = 1.5  # times the output: room for framing, escapes and base64


def measure(server: Server, scale: Scale) -> Figures:
    content = Content.of(scale.transfer)
    memory = touched(int(scale.transfer * ROOM))
    terminal = server.attach(server.open("transfer"))
    try:
        terminal.until(READY)
        pids = server.pids()
        before_ms = processes.cpu_ms(pids)
        with Growth(pids) as growth:
            took_s = terminal.receive(content, memory, start=b"g")
        spent_ms = processes.cpu_ms(pids) - before_ms
        terminal.check_received(content, memory)
    finally:
        terminal.close()
    size = scale.transfer / 2**20
    return {"flood_rate": (size / took_s,), "flood_cpu": (spent_ms / size,), "flood_memory": (growth.mib,)}
