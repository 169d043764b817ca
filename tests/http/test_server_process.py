"""The server as a process of its own: when the system gives it no more connections, and when it is told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
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


async def test_limit_that_no_server_can_work_with_is_refused_with_the_smallest_that_one_can(folder: Path) -> None:
    command = f"ulimit -n 20; exec {sys.executable} -m vibetunnel serve --state-dir {folder}/s --runtime-dir {folder}/r"
    made = await asyncio.create_subprocess_shell(command, stderr=asyncio.subprocess.PIPE)
    _, said = await made.communicate()
    assert made.returncode == 1
    assert said.startswith(b"vibetunnel: the limit of open files is 20, and a server needs at least 64: raise it")


async def test_full_server_refuses_a_start_and_loses_nothing(folder: Path) -> None:
    async with process(folder, before="ulimit -n 64;") as server:
        running: list[str] = []
        order = {"command": ["cat"], "spawn": "now"}
        while (answer := await server.fetch("POST", "/api/sessions", order)).code == 201:
            running.append(json.loads(answer.body)["id"])
        assert answer.code == 503
        assert b"no descriptor is left for another session" in answer.body
        assert b"raise the limit of open files" in answer.body
        assert running
        assert {each["id"] for each in await server.json("GET", "/api/sessions")} == set(running)
        gone = running.pop()
        assert (await server.json("DELETE", f"/api/sessions/{gone}"))["message"] == "Session killed"
        assert (await server.json("DELETE", f"/api/sessions/{gone}"))["message"] == "Session cleaned up"
        running.append((await server.json("POST", "/api/sessions", order, status=201))["id"])
        server.process.kill()
        await server.stopped()
    async with process(folder, before="ulimit -n 64;") as server:
        listed = await server.json("GET", "/api/sessions")
        assert {each["id"]: each["status"] for each in listed} == dict.fromkeys(running, "running")
