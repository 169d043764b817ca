"""A server process for a browser to visit: its link, its REST, and the axe."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

PROMPT = "ready$ "
PASSWORD = "correct horse battery"
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "LESSHISTFILE": "-", "BASH_SILENCE_DEPRECATION_WARNING": "1"}


class Serve(Protocol):
    """`serve("--no-auth")`: a server, with more options."""

    def __call__(self, *options: str) -> Served: ...


class Served:
    """`python -m vibetunnel serve` on folders of its own. start() after kill() is a new process on the same port.

    origin  its address without a path; url: with the base path
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.home = folder / "h"
        self.home.mkdir(mode=0o700)
        (self.home / ".profile").write_text(f"PS1='{PROMPT}'\n")  # after the system's, which sets one too
        self.port = 0
        self._environment = {**os.environ, "HOME": str(self.home), **ENVIRONMENT}
        self.start()

    def start(self) -> None:
        folders = ["--state-dir", str(self.folder / "s"), "--runtime-dir", str(self.folder / "r")]
        own = ["--port", str(self.port), "--shell", "/bin/sh", "--kill-on-exit", "--log-level", "warning", "--no-qr"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "vibetunnel", "serve", *folders, *own, *self.options],
                env=self._environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"(http://127\.0\.0\.1:(\d+))(/\S*)?", line):
                self.origin, self.port, self.link = found[1], int(found[2]), found[0]
                self.url = self.origin + self._base_path
                return
        raise AssertionError(f"the server did not start: exit code {self.process.wait()}\n{self.log}")

    @property
    def _base_path(self) -> str:
        return self.options[self.options.index("--base-path") + 1] if "--base-path" in self.options else ""

    @property
    def log(self) -> str:
        """All warnings and errors of the server, over its restarts."""
        return (self.folder / "log").read_text()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """What REST answers to somebody who is logged in."""
        return json.loads(self._ask(method, path, body))

    def text(self, session: str) -> str:
        """The session's screen as the server has it, without the blank rows at its end."""
        return self._ask("GET", f"/api/sessions/{session}/text").decode().rstrip()

    def metric(self, name: str) -> float:
        """The value of a metric without labels."""
        found = re.search(rf"^{name} (\S+)$", self._ask("GET", "/metrics").decode(), re.MULTILINE)
        assert found, name
        return float(found[1])

    def _ask(self, method: str, path: str, body: object = None) -> bytes:
        secret = (self.folder / "s" / "secret").read_text().strip()
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, self._base_path + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        assert answer.status < 300, (answer.status, data)
        return data

    def session(self, command: object = None, **fields: object) -> str:
        """The id of a new session, of the shell or of `command`, which waits for somebody to look."""
        return str(self.ask("POST", "/api/sessions", fields | ({} if command is None else {"command": command}))["id"])

    def user(self, name: str, role: str = "writer", password: str = PASSWORD) -> None:
        """A new account."""
        self.ask("POST", "/api/users", {"name": name, "role": role, "password": password})

    def share(self, session: str, role: str = "view", **order: object) -> str:
        """The address of a new link to a session."""
        return str(self.ask("POST", f"/api/sessions/{session}/shares", {"role": role, **order})["url"])

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self.process.kill()
        self._gone()

    def close(self) -> None:
        """Stop it with all its sessions."""
        if self.process.poll() is not None:  # a test that failed half-way has left the sessions to their keeper
            self._gone()
            self.start()
        self.process.send_signal(signal.SIGTERM)
        self._gone()
        assert self.process.returncode == 0, self.log

    def _gone(self) -> None:
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
