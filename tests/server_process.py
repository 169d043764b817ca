"""`vibetunnel serve` in a process of its own: `ServerProcess` for tests that block, `process` for async ones."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from harness import DEADLINE_S, Client

from vibetunnel import paths


class ServerProcess:
    """A server with folders of its own and its log in a file. start() after kill(): a new one on the same port.

    origin  its address without a path; url: with the base path
    link    the address that it printed
    """

    program: tuple[str, ...] = (sys.executable, "-m", "vibetunnel")

    def __init__(self, folder: Path, *options: str, **environment: str) -> None:
        self.folder = folder
        self.options = options
        self.environment = environment  # besides that of the test
        self.port = 0
        self.start()

    def start(self) -> None:
        folders = ["--state-dir", str(self.folder / "s"), "--runtime-dir", str(self.folder / "r")]
        own = ["--port", str(self.port), "--log-level", "warning"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.program, "serve", *folders, *own, *self.options],
                env=os.environ | self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"(http://127\.0\.0\.1:(\d+))(/\S*)?", line):
                self.origin, self.port, self.link = found[1], int(found[2]), found[0]
                return
        raise AssertionError(f"the server did not start: exit code {self.process.wait()}\n{self.log}")

    @property
    def url(self) -> str:
        return self.origin + self._base_path

    @property
    def _base_path(self) -> str:
        return self.options[self.options.index("--base-path") + 1] if "--base-path" in self.options else ""

    @property
    def log(self) -> str:
        """All warnings and errors of the server, over its restarts."""
        return (self.folder / "log").read_text()

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {(self.folder / 's' / paths.SECRET).read_text().strip()}"}

    def request(self, method: str, path: str, body: object = None) -> bytes:
        """The body of the answer, whose status must be a success."""
        headers = self.bearer | {"Content-Type": "application/json"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, self._base_path + path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        assert answer.status < 300, (answer.status, data)
        return data

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """The same as JSON."""
        return json.loads(self.request(method, path, body))

    def session(self, command: object = None, **fields: object) -> str:
        """The id of a new session, of the shell or of `command`, which starts when a client attaches."""
        return str(self.ask("POST", "/api/sessions", fields | ({} if command is None else {"command": command}))["id"])

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self.process.kill()
        self.wait()

    def wait(self) -> None:
        """Wait until it has ended."""
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def close(self) -> None:
        """Stop it; with --kill-on-exit, its sessions too."""
        if self.process.poll() is not None:  # a test that failed half-way has left the sessions to their keeper
            self.wait()
            self.start()
        self.process.terminate()
        self.wait()
        assert self.process.returncode == 0, self.log


class Process(Client):
    """A client of a server process. Its log comes on stderr."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.port = int(json.loads((folder / "r" / paths.SERVER_FILE).read_bytes())["port"])
        super().__init__(f"http://127.0.0.1:{self.port}", (folder / "s" / paths.SECRET).read_text().strip())
        self.process = process

    async def log_until(self, expected: str) -> str:
        """What the server logs, up to and with the line that has `expected`."""
        assert self.process.stderr is not None
        lines = ""
        async with asyncio.timeout(DEADLINE_S):
            while line := (await self.process.stderr.readline()).decode():
                lines += line
                if expected in line:
                    return lines
        raise AssertionError(lines)

    async def stopped(self) -> tuple[int, str]:
        """(exit code, the rest of the log)"""
        assert self.process.stderr is not None
        async with asyncio.timeout(DEADLINE_S):
            rest = await self.process.stderr.read()
            return await self.process.wait(), rest.decode()


@asynccontextmanager
async def process(folder: Path, *options: str, before: str = "") -> AsyncIterator[Process]:
    """A server process, until the end of the block. `before`: shell commands that come before it."""
    arguments = ["serve", "--port", "0", "--kill-on-exit", "--state-dir", folder / "s", "--runtime-dir", folder / "r"]
    command = shlex.join([sys.executable, "-m", "vibetunnel", *map(str, arguments), *options])
    piped = asyncio.subprocess.PIPE
    made = await asyncio.create_subprocess_shell(f"{before} exec {command}", stdout=piped, stderr=piped)
    try:
        assert made.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            while b"http" not in await made.stdout.readline():
                assert not made.stdout.at_eof()
        server = Process(made, folder)
        yield server
        server._client.close()
    finally:
        with suppress(ProcessLookupError):
            made.send_signal(signal.SIGTERM)
        await made.communicate()
