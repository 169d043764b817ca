"""A keeper in a folder of its own, and the servers and peers that connect to it: real processes and ptys."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import resource
import socket
import struct
import subprocess
import sys
from pathlib import Path

import uvloop
from harness import until

from vibetunnel.keeper import processes
from vibetunnel.keeper.client import KeeperClient, KeptSession, Spawned, SpawnOrder
from vibetunnel.keeper.protocol import encode

DEADLINE_S = 60  # of one test; only a failing test takes that long
ROOT = Path(__file__).parents[2]
LIMITS = resource.getrlimit(resource.RLIMIT_NOFILE)


def on(loop_factory):
    """Run an async test on this kind of loop."""

    def decorate(test):
        @functools.wraps(test)
        def run(*args, **fixtures):
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(asyncio.wait_for(test(*args, **fixtures), DEADLINE_S))

        return run

    return decorate


on_uvloop = on(uvloop.new_event_loop)
on_asyncio = on(asyncio.new_event_loop)


def alive(pid: int) -> bool:
    return any(process.pid == pid for process in processes.living())


def words(text: bytes) -> list[str]:
    return text.decode().split()


class Terminal:
    """The master of a pty."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.seen = b""
        os.set_blocking(fd, False)

    def write(self, data: bytes) -> None:
        assert os.write(self.fd, data) == len(data)

    async def _more(self) -> bool:
        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        loop.add_reader(self.fd, lambda: readable.done() or readable.set_result(None))
        try:
            await readable
        finally:
            loop.remove_reader(self.fd)
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return True
        except OSError:  # EIO: no process has the pty open
            return False
        self.seen += data
        return bool(data)

    async def until(self, expected: bytes) -> bytes:
        """The output up to and including `expected`; later calls return what follows."""
        while expected not in self.seen:
            assert await self._more(), f"ended without {expected!r}: {self.seen!r}"
        end = self.seen.index(expected) + len(expected)
        found, self.seen = self.seen[:end], self.seen[end:]
        return found

    async def rest(self) -> bytes:
        while await self._more():
            continue
        return self.seen


class Server:
    """A vibetunnel server, as the keeper sees it."""

    def __init__(self, client: KeeperClient, lost: asyncio.Event, exits: dict, left: dict, owned: set[int]) -> None:
        self.client = client
        self.lost = lost
        self.exits = exits
        self.left = left  # session id -> number of its processes that are left after its end
        self.owned = owned

    async def spawn(self, order: SpawnOrder) -> Spawned:
        spawned = await self.client.spawn(order)
        self.owned |= {spawned.pty_fd, spawned.ring_fd}
        return spawned

    async def adopt(self) -> list[KeptSession]:
        kept = await self.client.adopt()
        self.owned |= {fd for one in kept for fd in (one.pty_fd, one.ring_fd) if fd >= 0}
        return kept

    def close(self, *fds: int) -> None:
        for fd in fds:
            self.owned.remove(fd)
            os.close(fd)

    async def start(self, name: str, *argv: str, **order) -> Terminal:
        order.setdefault("cwd", "/")
        spawned = await self.spawn(SpawnOrder(name, list(argv), **order))
        self.pid = spawned.pid
        self.ring_fd = spawned.ring_fd
        return Terminal(spawned.pty_fd)

    async def output(self, *argv: str, **order) -> bytes:
        """The whole output of a program."""
        return await (await self.start("output", *argv, **order)).rest()

    async def exit(self, name: str):
        return await until(lambda: self.exits.get(name))


class KeeperHome:
    """A runtime folder, its keeper, and the servers that connect to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clients: list[KeeperClient] = []
        self.peers = contextlib.ExitStack()
        self.owned: set[int] = set()  # descriptors that the keeper handed over

    async def server(self, idle_s: float = 30) -> Server:
        exits: dict = {}
        left: dict = {}
        losses = []
        lost = asyncio.Event()

        def on_lost():
            losses.append(None)
            assert len(losses) == 1, "reported twice"
            lost.set()

        def on_exit(exited):
            assert exited.session_id not in exits, "reported twice"
            exits[exited.session_id] = exited

        client = await KeeperClient.connect(
            self.folder, on_exit=on_exit, on_left=left.__setitem__, on_lost=on_lost, idle_s=idle_s
        )
        self.clients.append(client)
        return Server(client, lost, exits, left, self.owned)

    def log(self) -> str:
        return (self.folder / "keeper.log").read_text()

    def raw(self) -> RawPeer:
        return self.peers.enter_context(RawPeer(self.folder))


class RawPeer(contextlib.ExitStack):
    """A peer that sends any message."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.sock = self.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        self.sock.settimeout(DEADLINE_S)
        self.sock.connect(str(folder / "keeper.sock"))

    def send(self, **fields) -> None:
        self.sock.sendall(encode(fields))

    def receive(self) -> dict:
        (length,) = struct.unpack(">I", self._exactly(4))
        return json.loads(self._exactly(length))

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            assert more, f"closed after {data!r}"
            data += more
        return data

    def ask(self, **fields) -> dict:
        self.send(**fields)
        return self.receive()

    def closed(self) -> bool:
        return self.sock.recv(1) == b""


def descriptors() -> set[int]:
    """The open descriptors of this process."""
    with os.scandir("/dev/fd") as entries:
        found = [int(entry.name) for entry in entries]
    return {fd for fd in found if fd not in (0, 1, 2) and _is_open(fd)}


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def members(leader: int) -> set[int]:
    return {process.pid for process in processes.living() if process.session == leader}


def ps(column: str, pid: int) -> str:
    """What ps prints in this column; empty if there is no such process."""
    command = ["ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, check=False, text=True).stdout.strip()


def altered_keeper(folder: Path, change: str, idle_s: float = 30) -> list[str]:
    """The command of a keeper in the foreground that first carries out `change`: statements that set its constants."""
    script = (
        f"import sys; from vibetunnel.keeper import __main__, killing, process; {change}; "
        "sys.exit(__main__.main(sys.argv[1:]))"
    )
    return [sys.executable, "-c", script, "--runtime-dir", str(folder), "--idle-s", str(idle_s)]


def keeper_that_checks_often(folder: Path, idle_s: float = 30) -> list[str]:
    """The command of a keeper in the foreground that checks its folder every 20 ms."""
    return altered_keeper(folder, "process.LOOK_S = 0.02", idle_s)
