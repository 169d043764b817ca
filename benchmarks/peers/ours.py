"""This project: `python -m vibetunnel serve` from the work tree."""

import compileall
import contextlib
import dataclasses
import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import deflate, processes
from benchmarks.client import MASK, Terminal, upgrade
from benchmarks.errors import Unavailable, Wrong
from benchmarks.http import KeepAlive, build
from benchmarks.link import FAST, Link
from benchmarks.peers.child import ROOT, STOP_S, Child
from benchmarks.peers.peer import ChildServer, Peer, Server, if_compressed
from benchmarks.wires import BinaryWire, V1Wire

OPEN = ("--no-auth", "--no-request-log")
IDLE_S = 10  # before a connection is opened anew; the server closes it after 20
QUIET = ("--kill-on-exit", "--log-level=warning")


class OurServer(ChildServer):
    """The server and its keeper.

    flags    additional flags of the command line
    python   that has the build to run
    headers  additional headers of every request
    """

    health = "/api/health"
    sessions = "/api/sessions"
    raw_viewers = True

    def __init__(
        self, programs: Mapping[str, str], folder: Path, flags: Sequence[str] = OPEN, python: str = sys.executable
    ) -> None:
        self._programs = programs
        self._folder = folder
        self.state_dir = folder / "state"
        self.headers: dict[str, str] = {}
        self._runtime_dir = folder / "run"
        empty = folder / "config.toml"
        empty.touch()
        options = {
            "config": empty,  # not the user's
            "state-dir": self.state_dir,
            "runtime-dir": self._runtime_dir,
            "port": 0,
        }
        # Most pages measure terminals and answers, not logins. The server listens on loopback, for seconds.
        self._argv = [python, "-m", "vibetunnel", "serve", *QUIET, *flags]
        for name, value in options.items():
            self._argv += [f"--{name}", str(value)]
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("VIBETUNNEL_")}
        self._connections = contextlib.ExitStack()
        self._start()

    def _start(self) -> None:
        self.launch(self._argv, self._folder, self._environment, self._written_port)
        self._http = self._connections.enter_context(contextlib.closing(KeepAlive(self.address, IDLE_S)))

    def _written_port(self, child: Child) -> int:
        file = self._runtime_dir / "server.json"
        child.until_exists(file)
        return int(json.loads(file.read_bytes())["port"])

    def restart(self) -> float | None:
        self._connections.close()
        self._child.kill()
        (self._runtime_dir / "server.json").unlink()  # so that launch() waits for the next one
        self._start()
        return self.start_ms

    def pids(self, *, keeper: bool = True) -> list[int]:
        return processes.with_argument(str(self._runtime_dir)) if keeper else super().pids()

    def creation(self) -> object:
        return {"command": ["/bin/sh"], "workingDir": "/", "name": "benchmark"}

    def created(self, answer: Any) -> str:
        if answer["status"] != "created" or answer["lazy"] is not True or answer["command"] != ["/bin/sh"]:
            raise Wrong(f"create: expected a session that has not started, got {answer!r}")
        return str(answer["id"])

    def listed(self, answer: Any) -> list[str]:
        return [each["id"] for each in answer]

    def open(self, program: str) -> str:
        body = {"command": ["/bin/sh", "-c", self._programs[program]], "name": program, "rows": 24, "cols": 80}
        _, session = self.ask("POST", self.sessions, body, status=201)
        return str(session["id"])

    def ask(self, method: str, path: str, body: object = None, *, status: int = 200) -> tuple[int, Any]:
        """Time in ns, and the JSON answer. Raises Wrong for another status."""
        return self._http.open().json(build(self.address, method, path, body, self.headers), status)

    def cookie(self, path: str, body: object) -> str:
        """`name=value` of the cookie in the answer to a POST."""
        return self._http.open().cookie(build(self.address, "POST", path, body))

    def attach(self, session: str, link: Link = FAST) -> Terminal:
        return self._raw(f"/ws?sessionId={session}", link)

    def view(self, session: str, link: Link = FAST, *, raw: bool = False) -> Terminal:
        if raw:
            return self._raw(f"/ws?sessionId={session}&lag=latest", link)
        upgraded = upgrade(
            self.address, f"/ws?sessionId={session}", link, protocol=V1Wire.PROTOCOL, headers=self.headers
        )
        return Terminal(upgraded.connection, V1Wire(MASK), upgraded.received, link)

    def compressed(self, session: str, link: Link = FAST) -> Terminal | None:
        return if_compressed(self._raw(f"/ws?sessionId={session}", link, {deflate.HEADER: deflate.OFFER}))

    def _raw(self, path: str, link: Link, headers: Mapping[str, str] | None = None) -> Terminal:
        upgraded = upgrade(self.address, path, link, headers={**self.headers, **(headers or {})})
        redraw = int(upgraded.headers.get("x-vibetunnel-redraw", "0"))
        wire = BinaryWire(MASK, redraw, inflater=deflate.agreed(upgraded.headers))
        return Terminal(upgraded.connection, wire, upgraded.received, link)

    def screen(self, session: str) -> str | None:
        request = build(self.address, "GET", f"{self.sessions}/{session}/text", headers=self.headers)
        return self._http.open().text(request, 200)

    def stop(self) -> None:
        self._connections.close()
        super().stop()
        # The keeper ends by itself after its sessions. If it hangs, its arguments with our folder identify it.
        for number in (signal.SIGTERM, signal.SIGKILL):
            if _gone(self.pids):
                return
            for pid in self.pids():
                os.kill(pid, number)


def _gone(pids: Callable[[], list[int]]) -> bool:
    give_up = time.monotonic() + STOP_S
    while any(processes.alive(pid) for pid in pids()):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)
    return True


class Ours(Peer[Server]):
    """flags: additional flags of the command line; unknown ones are left out, for older work trees."""

    name = "vibetunnel"

    def __init__(self, *flags: str) -> None:
        self._more = flags

    def prepare(self) -> None:
        # As pip does. If Python is told to write no bytecode, each start would compile all modules.
        compileall.compile_dir(ROOT / "vibetunnel", maxlevels=1, quiet=1)

    def about(self) -> str:
        try:
            from vibetunnel import __version__
            from vibetunnel._ext import pump
        except ImportError as error:
            raise Unavailable(f"{error}; the extension is built by `make bench`, or `pip install -e .`") from None
        assert pump
        versions = " ".join(f"{name} {importlib.metadata.version(name)}" for name in ("tornado", "uvloop"))
        return (
            f"{__version__} of this work tree, {versions}; `serve {' '.join((*self._flags(), *QUIET))}`, else defaults"
        )

    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> Server:
        return OurServer(programs, folder, self._flags())

    def before(self, python: str) -> "Before":
        """Another build of this project, run with the same flags."""
        return Before(python, self._flags())

    def _flags(self) -> tuple[str, ...]:
        from vibetunnel.settings import Settings

        known = {field.name.replace("_", "-") for field in dataclasses.fields(Settings)}
        return (*OPEN, *(flag for flag in self._more if flag.removeprefix("--").partition("=")[0] in known))


@dataclass(frozen=True)
class Before(Peer[Server]):
    """Another build of this project, usually an older one.

    python   the Python of the virtual environment in which it is installed
    flags    of the command line
    """

    name = "before"
    python: str
    flags: tuple[str, ...]

    def prepare(self) -> None:
        """Compile its modules, like those of this work tree. Raises Unavailable if it is not there."""
        script = "import compileall, vibetunnel; compileall.compile_dir(vibetunnel.__path__[0], maxlevels=1, quiet=1)"
        try:
            subprocess.run([self.python, "-c", script], cwd="/", check=True, capture_output=True, text=True)
        except OSError as error:
            raise Unavailable(f"--before {self.python}: {error.strerror}") from None
        except subprocess.CalledProcessError as error:
            raise Unavailable(f"--before {self.python}: {error.stderr.strip().splitlines()[-1]}") from None

    def about(self) -> str:
        return f"the build of --before; `serve {' '.join((*self.flags, *QUIET))}`, else defaults"

    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> Server:
        return OurServer(programs, folder, self.flags, self.python)
