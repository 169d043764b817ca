"""VibeTunnel's Go server, if VIBETUNNEL_BENCH_GO names its binary: lazy sessions, shared by clients of /ws."""

import hashlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import deflate
from benchmarks.client import DEADLINE_S, MASK, RECEIVE, Tail, Terminal, Upgraded, answers, upgrade
from benchmarks.errors import Wrong
from benchmarks.frames import FIN, PING, PONG, TEXT, client_frame
from benchmarks.http import KeepAlive, build
from benchmarks.link import FAST, Link
from benchmarks.peers import outside
from benchmarks.peers.child import HOST, free_port
from benchmarks.peers.peer import ChildServer, Peer, Server, if_compressed
from benchmarks.programs import READY
from benchmarks.wires import GoWire

VARIABLE = "VIBETUNNEL_BENCH_GO"
IDLE_S = 30  # before a connection is opened anew; the server closes it after 60
# Environment variables; it has no logins by default. Later versions write each session to a file, the first did not.
SETTINGS = {"ENABLE_RATE_LIMIT": "false", "ENABLE_REQUEST_LOG": "false", "ENABLE_PERSISTENCE": "false"}


class GoServer(ChildServer):
    """It keeps no output: a client gets only what is printed after it has come."""

    health = "/health"
    sessions = "/api/sessions"

    def __init__(self, programs: Mapping[str, str], folder: Path) -> None:
        self._programs = programs
        self._begun: set[str] = set()  # sessions that have had a client
        port = free_port()
        self._http = KeepAlive((HOST, port), IDLE_S)
        environment = os.environ | SETTINGS | {"HOST": HOST, "PORT": str(port), "HOME": str(folder)}
        self.launch([outside.binary(VARIABLE)], folder, environment, lambda child: child.until_it_listens(port))

    def healthy(self, answer: Any, pids: list[int]) -> bool:
        return bool(answer["status"] == "ok")  # the answer does not name the process

    def creation(self) -> object:
        return {"command": "/bin/sh", "cwd": "/", "title": "benchmark"}

    def created(self, answer: Any) -> str:
        if answer["command"] != "/bin/sh" or answer["active"] is not True:
            raise Wrong(f"create: expected a session, got {answer!r}")
        return str(answer["id"])

    def listed(self, answer: Any) -> list[str]:
        return ids(answer)

    def open(self, program: str) -> str:
        body = {"command": self._programs[program], "cwd": "/", "title": program, "rows": 24, "cols": 80}
        _, session = self._http.open().json(build(self.address, "POST", self.sessions, body), 201)
        return str(session["id"])

    def attach(self, session: str, link: Link = FAST) -> Terminal:
        """Attach. The first client starts the program, and sees all its output.

        A later client does not get earlier output, so this method adds READY once that client is attached.
        """
        if session not in self._begun:
            return self.view(session, link)
        upgraded = self._upgrade(session, link, {})
        shown = bytes([FIN | TEXT, len(READY)]) + READY
        return Terminal(upgraded.connection, GoWire(MASK), shown + _served(upgraded), link)

    def view(self, session: str, link: Link = FAST, *, raw: bool = False) -> Terminal:
        upgraded = self._upgrade(session, link, {})
        return Terminal(upgraded.connection, GoWire(MASK), upgraded.received, link)

    def compressed(self, session: str, link: Link = FAST) -> Terminal | None:
        upgraded = self._upgrade(session, link, {deflate.HEADER: deflate.OFFER})
        wire = GoWire(MASK, inflater=deflate.agreed(upgraded.headers))
        return if_compressed(Terminal(upgraded.connection, wire, upgraded.received, link))

    def _upgrade(self, session: str, link: Link, headers: Mapping[str, str]) -> Upgraded:
        self._begun.add(session)
        return upgrade(self.address, f"/ws?sessionId={session}", link, headers=headers)

    def stop(self) -> None:
        self._http.close()
        super().stop()


def ids(answer: Any) -> list[str]:
    """The ids in a list of sessions, which an earlier version wraps in an object."""
    return [each["id"] for each in (answer["sessions"] if isinstance(answer, dict) else answer)]


def _served(upgraded: Upgraded) -> bytes:
    """Everything up to the answer to a ping, which the server gives only once the client is in its session."""
    connection, received = upgraded.connection, [upgraded.received]
    tail = Tail(bytes([FIN | PONG, 4]) + b"here")
    give_up = time.monotonic() + DEADLINE_S
    try:
        connection.sendall(client_frame(PING, b"here", MASK))
        with answers("ping"):
            while not tail.add(received[-1]):
                received.append(connection.recv(RECEIVE))
                if not received[-1] or time.monotonic() > give_up:
                    raise Wrong(f"ping: expected an answer within {DEADLINE_S} s, got none")
    except BaseException:
        connection.close()
        raise
    return b"".join(received)


class Go(Peer[Server]):
    name = "go"
    quick = False

    def about(self) -> str:
        # It does not tell its version, so the digest of the binary identifies it.
        digest = hashlib.sha256(Path(outside.binary(VARIABLE)).read_bytes()).hexdigest()
        settings = " ".join(f"{name}={value}" for name, value in SETTINGS.items())
        return f"VibeTunnel's Go server, a binary of SHA-256 {digest[:12]}; {settings}, no login"

    def start(self, programs: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> Server:
        return GoServer(programs, folder)
