"""The server as a process of its own: when the system gives it no more connections, and when it is told to stop."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import suppress
from pathlib import Path

from server_process import process

from vibetunnel.keeper.client import KeeperClient


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
