"""The floor: a PTY joined to a bare TCP socket, in C (floor.c). It is a bound, not a competitor."""

import os
from collections.abc import Mapping
from pathlib import Path

from benchmarks import compiled, processes
from benchmarks.client import Terminal, connect
from benchmarks.link import FAST, Link
from benchmarks.peers.child import Child
from benchmarks.peers.peer import ChildServer, Peer, Server
from benchmarks.wires import RawWire


class FloorServer(ChildServer):
    """A process that listens, and one for each connection. Each connection is a session of its own."""

    shares_sessions = False

    def __init__(self, programs: Mapping[str, str], folder: Path) -> None:
        binary = compiled.program("peers/floor.c")
        self._numbers = {name: number for number, name in enumerate(programs)}
        self.launch([str(binary), *programs.values()], folder, os.environ, Child.announced_port)

    def pids(self, *, keeper: bool = True) -> list[int]:
        return [*super().pids(), *processes.children(self._child.pid)]

    def open(self, program: str) -> str:
        return program

    def attach(self, session: str, link: Link = FAST) -> Terminal:
        terminal = Terminal(connect(self.address, link), RawWire(), link=link)
        terminal.send(bytes([self._numbers[session]]))  # says which program to run
        return terminal


class Floor(Peer[Server]):
    name = "floor"

    def about(self) -> str:
        return f"a PTY joined to a bare TCP socket, a process per connection; {compiled.about()}"

    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> Server:
        return FloorServer(programs, folder)
