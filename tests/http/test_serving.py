"""The server as a process of its own: when the system gives it no more connections, and when it is told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from harness import DEADLINE_S, Client

from vibetunnel import paths
from vibetunnel.keeper.client import KeeperClient


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


async def test_at_the_limit_of_descriptors_it_rests_and_says_so_once(folder: Path) -> None:
    async with process(folder, before="ulimit -n 64;") as server:
        writers = []  # that have a right to theirs: who has said nothing yet would make room
        bearer = f"Authorization: {server.bearer['Authorization']}"
        for _ in range(75):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(f"GET /api/events HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\n\r\n".encode())
            writers.append(writer)
        log = await server.log_until("no room for another connection")
        for writer in writers:
            writer.close()
        assert (await server.json("GET", "/api/health"))["status"] == "ok"
        server.process.send_signal(signal.SIGTERM)
        code, rest = await server.stopped()
    assert code == 0
    log += rest
    assert "Traceback" not in log
    assert len(re.findall("no room for another connection", log)) < 5  # one for each time that it came to this


async def test_a_second_interrupt_ends_it_at_once(folder: Path) -> None:
    async with process(folder, "--kill-grace-s", "60") as server:
        stubborn = ["sh", "-c", "trap '' HUP TERM; echo ready; while :; do sleep 60; done"]
        session = await server.session(stubborn, spawn="now")
        await server.output(session, b"ready")
        pid = (await server.json("GET", f"/api/sessions/{session}"))["pid"]
        try:
            server.process.send_signal(signal.SIGINT)
            await server.log_until("stopping")
            server.process.send_signal(signal.SIGINT)
            code, rest = await server.stopped()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            keeper = await KeeperClient.connect(folder / "r", on_exit=lambda _: None, on_lost=lambda: None)
            await keeper.stop(kill=True)
    assert (code, rest) == (-signal.SIGINT, "")
