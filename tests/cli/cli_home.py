"""Folders of its own for the command line, and the command line as a process that uses them."""

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import DEADLINE_S

from vibetunnel import paths
from vibetunnel.cli.server_client import RunningServer
from vibetunnel.settings import Settings


class Home:
    """State and runtime folders of its own, and the command line that uses them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings(state_dir=folder / "s", runtime_dir=folder / "r")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VIBETUNNEL_")},
            "HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "VIBETUNNEL_STATE_DIR": str(self.settings.state_dir),
            "VIBETUNNEL_RUNTIME_DIR": str(self.settings.runtime_dir),
            "VIBETUNNEL_SHELL": "/bin/sh",
            "COLUMNS": "120",
        }

    def run(
        self, *arguments: str, stdin: str | bytes | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """stdin: what is there to read; None: nothing, and no terminal"""
        given = stdin.encode() if isinstance(stdin, str) else stdin or b""
        done = subprocess.run(
            [sys.executable, "-m", "vibetunnel", *arguments],
            env={**self.environment, **environment},
            input=given,
            capture_output=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        )

    def shell(self, line: str) -> subprocess.CompletedProcess[str]:
        """A line for sh, in which `vibetunnel` is the command line."""
        text = f'vibetunnel() {{ {shlex.quote(sys.executable)} -m vibetunnel "$@"; }}; {line}'
        return subprocess.run(
            ["/bin/sh", "-c", text],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """As if a server were running, as far as its lock says."""
        held = paths.lock_private(paths.private_dir(self.settings.runtime_dir) / paths.SERVER_LOCK)
        assert held is not None
        try:
            yield
        finally:
            os.close(held)

    def ok(self, *arguments: str, stdin: str | None = None) -> str:
        """What a command prints that must succeed and complain of nothing."""
        done = self.run(*arguments, stdin=stdin)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def refused(self, *arguments: str, code: int = 1, stdin: str | bytes | None = None) -> str:
        """The one sentence of a command that must fail."""
        done = self.run(*arguments, stdin=stdin)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr.strip()

    @contextlib.contextmanager
    def serve(self, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
        """A server that listens; yields it and the lines it announced."""
        server = subprocess.Popen(
            [sys.executable, "-m", "vibetunnel", "--port", "0", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout
            assert server.stderr
            lines = []
            for line in server.stdout:
                lines.append(line.rstrip())
                if line.strip().startswith("Stop"):
                    break
            else:
                pytest.fail(f"the server did not start: {server.stderr.read()}")
            yield server, lines
        finally:
            server.terminate()
            server.communicate(timeout=DEADLINE_S)

    def kill_keeper(self) -> None:
        """SIGKILL for the keeper; the server starts another."""
        log = (self.settings.runtime_dir / "keeper.log").read_text()
        os.kill(int(re.findall(r"keeper (\d+) listens", log)[-1]), signal.SIGKILL)

    def new_session(self, command: list[str], name: str = "", spawn: str = "now") -> dict[str, Any]:
        body = {"command": command, "name": name, "spawn": spawn, "workingDir": str(self.folder)}
        session: dict[str, Any] = RunningServer(self.settings).request("POST", "/api/sessions", body)
        return session


def post(home: Home, path: str, body: object) -> tuple[int, dict[str, Any]]:
    """A request without any credentials."""
    url = RunningServer(home.settings).url + path
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=DEADLINE_S) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
