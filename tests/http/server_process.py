"""A server as a process of its own, and a client of it."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from harness import DEADLINE_S, Client

from vibetunnel import paths


class Process(Client):
    """A server of its own process, and a client of it."""

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
    """before: what the shell does first"""
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
