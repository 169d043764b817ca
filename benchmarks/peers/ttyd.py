"""ttyd, when VIBETUNNEL_BENCH_TTYD names its binary: one process and one loop, a program for each connection."""

import os
from collections.abc import Mapping
from pathlib import Path

from benchmarks.client import MASK, Terminal, upgrade
from benchmarks.link import FAST, Link
from benchmarks.peers import outside
from benchmarks.peers.child import Child
from benchmarks.peers.peer import Peer, Server
from benchmarks.wires import TtydWire

VARIABLE = "VIBETUNNEL_BENCH_TTYD"
# By default it pings after 5 s, and hangs up after 10 on a client that has not answered. Ours do not, while they type.
PING_S = 3600
FLAGS = ("--interface=127.0.0.1", "--writable", "--url-arg", f"--ping-interval={PING_S}")


class TtydServer(Server):
    """Its sessions are the names of programs, which the address says."""

    shares_sessions = False

    def __init__(self, programs: Mapping[str, str], folder: Path) -> None:
        command = ["sh", str(outside.dispatcher(programs, folder))]
        self._child = Child([outside.binary(VARIABLE), "--port=0", *FLAGS, *command], folder, os.environ)
        try:
            self.address = ("127.0.0.1", int(self._child.logged(r"Listening on port: (\d+)")))
            self.has_started(self._child)
        except BaseException:
            self.stop()
            raise

    def pids(self, *, keeper: bool = True) -> list[int]:
        return [self._child.pid]

    def open(self, program: str) -> str:
        return program

    def attach(self, session: str, link: Link = FAST) -> Terminal:
        return self._terminal(session, link, TtydWire(MASK))

    def view(self, session: str, link: Link = FAST, *, raw: bool = False) -> Terminal:
        return self._terminal(session, link, TtydWire(MASK, TtydWire.RESUME_EVERY))

    def _terminal(self, session: str, link: Link, wire: TtydWire) -> Terminal:
        upgraded = upgrade(self.address, f"/ws?arg={session}", link, protocol=wire.PROTOCOL)
        upgraded.connection.sendall(wire.hello(24, 80))
        return Terminal(upgraded.connection, wire, upgraded.received, link)

    def stop(self) -> None:
        self._child.stop()  # the kernel hangs up its programs


class Ttyd(Peer[Server]):
    name = "ttyd"

    def about(self) -> str:
        return f"{outside.version(outside.binary(VARIABLE))}; {' '.join(FLAGS)}"

    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> Server:
        return TtydServer(programs, folder)
