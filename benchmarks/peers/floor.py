"""The bound: a pty behind a bare TCP socket, in C (floor.c), compiled when it is needed. Not a competitor."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from benchmarks import processes
from benchmarks.client import Terminal, connect
from benchmarks.errors import Unavailable
from benchmarks.link import FAST, Link
from benchmarks.peers.child import Child
from benchmarks.peers.peer import Peer, Server
from benchmarks.wires import RawWire

SOURCE = Path(__file__).with_name("floor.c")
CC_S = 60


class FloorServer(Server):
    """A process that listens, and one for each connection, which is a session of its own."""

    shares_sessions = False

    def __init__(self, programs: Mapping[str, str], folder: Path) -> None:
        binary = folder / "floor"
        built = subprocess.run(
            [_compiler(), "-O2", "-o", str(binary), str(SOURCE)], capture_output=True, text=True, timeout=CC_S
        )
        if built.returncode:
            raise Unavailable(f"floor.c does not compile: {built.stderr.strip()[-600:]}")
        self._numbers = {name: number for number, name in enumerate(programs)}
        self._child = Child([str(binary), *programs.values()], folder, os.environ)
        try:
            self.address = ("127.0.0.1", self._child.announced_port())
        except BaseException:
            self.stop()
            raise

    def pids(self, *, keeper: bool = True) -> list[int]:
        return [self._child.pid, *processes.children(self._child.pid)]

    def open(self, program: str) -> str:
        return program

    def attach(self, session: str, link: Link = FAST) -> Terminal:
        terminal = Terminal(connect(self.address, link), RawWire(), link=link)
        terminal.send(bytes([self._numbers[session]]))  # which of its programs to run
        return terminal

    def stop(self) -> None:
        self._child.stop()  # its others end with their connections


class Floor(Peer[Server]):
    name = "floor"

    def about(self) -> str:
        version = subprocess.run([_compiler(), "--version"], capture_output=True, text=True, timeout=CC_S).stdout
        return f"a pty behind a bare TCP socket, a process per connection; `cc -O2`, {version.splitlines()[0]}"

    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> Server:
        return FloorServer(programs, folder)


def _compiler() -> str:
    found = shutil.which("cc")
    if found is None:
        raise Unavailable("no C compiler (cc): the bound is not measured")
    return found
