"""ttyd, if VIBETUNNEL_BENCH_TTYD names its binary: one process and one loop, a program for each connection."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import deflate
from benchmarks.client import MASK, Terminal, upgrade
from benchmarks.link import FAST, Link
from benchmarks.peers import outside
from benchmarks.peers.child import free_port
from benchmarks.peers.peer import ChildServer, Peer, Server, if_compressed
from benchmarks.wires import TtydWire

VARIABLE = "VIBETUNNEL_BENCH_TTYD"
# By default it pings after 5 s, and closes after 10 s without an answer. The load client does not answer while typing.
PING_S = 3600
# Debug level 3: no line for each request, as for the other peers.
FLAGS = ("--interface=127.0.0.1", "--writable", "--url-arg", f"--ping-interval={PING_S}", "--debug=3")


class TtydServer(ChildServer):
    """Its sessions are names of programs, which the address contains."""

    shares_sessions = False
    health = "/token"  # its only JSON

    def __init__(self, programs: Mapping[str, str], folder: Path) -> None:
        command = ["sh", str(outside.dispatcher(programs, folder))]
        port = free_port()
        argv = [outside.binary(VARIABLE), f"--port={port}", *FLAGS, *command]
        self.launch(argv, folder, os.environ, lambda child: child.until_it_listens(port))

    def healthy(self, answer: Any, pids: list[int]) -> bool:
        return bool(answer == {"token": ""})  # there is no login

    def open(self, program: str) -> str:
        return program

    def attach(self, session: str, link: Link = FAST) -> Terminal:
        return self._terminal(session, link, TtydWire(MASK))

    def view(self, session: str, link: Link = FAST, *, raw: bool = False) -> Terminal:
        return self._terminal(session, link, TtydWire(MASK, TtydWire.RESUME_EVERY))

    def compressed(self, session: str, link: Link = FAST) -> Terminal | None:
        return if_compressed(self._terminal(session, link, TtydWire(MASK), {deflate.HEADER: deflate.OFFER}))

    def _terminal(self, session: str, link: Link, wire: TtydWire, headers: Mapping[str, str] | None = None) -> Terminal:
        upgraded = upgrade(self.address, f"/ws?arg={session}", link, protocol=wire.PROTOCOL, headers=headers)
        wire.inflater = deflate.agreed(upgraded.headers)
        upgraded.connection.sendall(wire.hello(24, 80))
        return Terminal(upgraded.connection, wire, upgraded.received, link)


class Ttyd(Peer[Server]):
    name = "ttyd"
    quick = False

    def about(self) -> str:
        return f"{outside.version(outside.binary(VARIABLE))}; {' '.join(FLAGS)}"

    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> Server:
        return TtydServer(programs, folder)
