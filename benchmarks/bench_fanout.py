"""How fast does one program's output arrive at ten clients, and what does it cost?

Measures    MiB/s that the ten clients of one session get in all, from the key that starts the output to the last byte;
            CPU ms that the server's own processes use per MiB received; and the share of output that did not come, over
            all clients and at the client that lost most.
How         with 32 MiB of numbered lines that `cat` prints. Every byte is checked at every client, by SHA-256 after the
            clock has stopped; a peer that drops output is shown with the rate of what came. The clients are one loop
            over ten sockets, which stores what it reads, 256 KiB at a time: it could take some 2,500 MiB/s
            (`python -m benchmarks.bench_fanout`).
Leaves out  drawing.
Compares    the floor has no two clients in a session.
Run         python -m benchmarks fanout
"""

import os
import socket

from benchmarks import processes
from benchmarks.bench_flood import ROOM
from benchmarks.client import MASK, Terminal, touched
from benchmarks.content import Content, blocks
from benchmarks.figures import Figures, Row, Target
from benchmarks.frames import BINARY, FIN
from benchmarks.gather import Share, gather
from benchmarks.peers import SERVERS
from benchmarks.peers.peer import Server
from benchmarks.programs import READY
from benchmarks.scale import FULL, MIB, Scale
from benchmarks.wires import BinaryWire

CLIENTS = 10
TOPIC = "Floods"
PEERS = SERVERS
FILES = ("fanout",)
ROUNDS = 3
ROWS = (
    Row("fanout_rate", "one flood to 10 clients, in all", "MiB/s", ("rate",), higher=True, targets=(Target(1, "go"),)),
    Row("fanout_cpu", "... CPU of the server", "ms/MiB", ("CPU",)),
    Row(
        "fanout_lost",
        "... output that did not come",
        "%",
        ("of all", "at the worst client"),
        targets=(Target(0), Target(0)),
    ),
)


def measure(server: Server, scale: Scale) -> Figures:
    if not server.shares_sessions:
        return {}
    content = Content.of(scale.fanout)
    session = server.open("fanout")
    shares: list[Share] = []
    try:
        while len(shares) < CLIENTS:
            terminal = server.attach(session)
            shares.append(Share(terminal, touched(int(scale.fanout * ROOM))))
            terminal.until(READY)
        pids = server.pids()
        before_ms = processes.cpu_ms(pids)
        took_s = gather(shares, content, start=b"g")
        spent_ms = processes.cpu_ms(pids) - before_ms
        missing = [share.missing(content) for share in shares]
    finally:
        for share in shares:
            share.terminal.close()
    came = (CLIENTS * content.size - sum(missing)) / MIB
    return {
        "fanout_rate": (came / took_s,),
        "fanout_cpu": (spent_ms / came,),
        "fanout_lost": (sum(missing) / CLIENTS / content.size * 100, max(missing) / content.size * 100),
    }


def main() -> None:
    """How fast the clients are if the server costs nothing: another process sends frames of 64 KiB that are ready."""
    size = FULL.fanout
    listener = socket.create_server(("127.0.0.1", 0))
    pairs = [(socket.create_connection(listener.getsockname()), listener.accept()[0]) for _ in range(CLIENTS)]
    frames = [bytes([FIN | BINARY, 127]) + len(block).to_bytes(8, "big") + block for block in blocks(size)]
    if not os.fork():
        pairs[0][1].recv(100)
        for frame in frames:
            for _, server in pairs:
                server.sendall(frame)
        os._exit(0)
    shares = [Share(Terminal(client, BinaryWire(MASK)), touched(int(size * ROOM))) for client, _ in pairs]
    content = Content.of(size)
    took_s = gather(shares, content, start=b"g")
    os.wait()
    print(f"{CLIENTS * size / MIB / took_s:.0f} MiB/s, {sum(share.missing(content) for share in shares)} bytes missing")


if __name__ == "__main__":
    main()
