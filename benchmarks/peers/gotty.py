"""gotty, if VIBETUNNEL_BENCH_GOTTY names its binary: a program for each connection, output in base64."""

import os
from collections.abc import Mapping
from pathlib import Path

from benchmarks import deflate
from benchmarks.client import MASK, Terminal, upgrade
from benchmarks.link import FAST, Link
from benchmarks.peers import outside
from benchmarks.peers.peer import ChildServer, Peer, Server, if_compressed
from benchmarks.wires import GottyWire

VARIABLE = "VIBETUNNEL_BENCH_GOTTY"
FLAGS = ("--address=127.0.0.1", "--permit-write", "--permit-arguments")


class GottyServer(ChildServer):
    """Its sessions are names of programs; the first message of a client has the name."""

    shares_sessions = False

    def __init__(self, programs: Mapping[str, str], folder: Path) -> None:
        command = ["sh", str(outside.dispatcher(programs, folder))]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GOTTY_")}
        environment["HOME"] = str(folder)  # without the user's configuration
        argv = [outside.binary(VARIABLE), "--port=0", *FLAGS, *command]
        self.launch(
            argv, folder, environment, lambda child: int(child.logged(r"listening at: http://127\.0\.0\.1:(\d+)/"))
        )

    def open(self, program: str) -> str:
        return program

    def attach(self, session: str, link: Link = FAST) -> Terminal:
        return self._terminal(session, link, {})

    def compressed(self, session: str, link: Link = FAST) -> Terminal | None:
        return if_compressed(self._terminal(session, link, {deflate.HEADER: deflate.OFFER}))

    def _terminal(self, session: str, link: Link, headers: Mapping[str, str]) -> Terminal:
        wire = GottyWire(MASK)
        upgraded = upgrade(self.address, "/ws", link, protocol=wire.PROTOCOL, headers=headers)
        wire.inflater = deflate.agreed(upgraded.headers)
        upgraded.connection.sendall(wire.hello(f"?arg={session}", 24, 80))
        return Terminal(upgraded.connection, wire, upgraded.received, link)


class Gotty(Peer[Server]):
    name = "gotty"
    quick = False

    def about(self) -> str:
        return f"{outside.version(outside.binary(VARIABLE))}; {' '.join(FLAGS)}"

    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> Server:
        return GottyServer(programs, folder)
