"""The server as a process of its own: when the system gives it no more connections, and when it is told to stop."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path

from harness import until
from server_process import process

from vibetunnel import paths
from vibetunnel.cli.server_client import RunningServer
from vibetunnel.keeper.client import KeeperClient
from vibetunnel.settings import Settings


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


BLOCKED = """
import os, threading
found = os.scandir
def scandir(*arguments):
    if threading.current_thread().name.startswith("files"):
        open("{begun}", "w").close()
        threading.Event().wait()
    return found(*arguments)
os.scandir = scandir
"""


async def test_a_thread_that_a_dead_file_system_holds_does_not_hold_up_the_end(folder: Path) -> None:
    (folder / "sitecustomize.py").write_text(BLOCKED.format(begun=folder / "begun"))
    async with process(folder, before=f"PYTHONPATH={folder}:$PYTHONPATH") as server:
        browsing = asyncio.ensure_future(server.fetch("GET", "/api/fs/browse"))
        await until((folder / "begun").exists)
        server.process.send_signal(signal.SIGTERM)
        code, rest = await server.stopped()
        await asyncio.gather(browsing, return_exceptions=True)
    assert code == 0
    assert "the process ends without it" in rest


def by_command_line(folder: Path) -> int:
    """The process id of the server that the command line finds; it has to answer."""
    found = RunningServer(Settings(state_dir=folder / "s", runtime_dir=folder / "r"))
    return int(found.request("GET", "/api/health")["pid"])


async def test_the_command_line_finds_a_server_whose_runtime_folder_was_removed(folder: Path) -> None:
    async with process(folder) as server:
        session = await server.session(["cat"], spawn="now")
        shutil.rmtree(folder / "r")
        await until(lambda: (folder / "r" / paths.SERVER_FILE).exists())
        assert await asyncio.to_thread(by_command_line, folder) == server.process.pid
        await server.json("POST", f"/api/sessions/{session}/input", {"text": "on\n"})
        await server.output(session, b"on\r\non")
        server.process.send_signal(signal.SIGTERM)
        code, rest = await server.stopped()
        assert (code, rest.count("Traceback")) == (0, 0)
        assert not (folder / "r" / paths.SERVER_FILE).exists()


async def test_running_sessions_are_reached_by_a_server_that_can_write_no_file(folder: Path) -> None:
    async with process(folder) as first:
        session = await first.session(["sh", "-c", "echo before; exec cat"], spawn="now")
        await first.output(session, b"before")
        first.process.kill()
        await first.process.wait()
    async with process(folder, "--port", str(first.port), before="ulimit -f 0;") as second:
        assert second.port == first.port
        await second.log_until(f"{folder / 's'} cannot be written (File too large)")
        await second.json("POST", f"/api/sessions/{session}/input", {"text": "after\n"})
        await second.output(session, b"after\r\nafter")
        await (await second.attach(session)).until(b"after")
        problems = (await second.json("GET", "/api/server/status"))["problems"]
        assert any(each.startswith(f"{folder / 's'} cannot be written") for each in problems)
        assert any(paths.SERVER_FILE in each for each in problems)
        second.process.send_signal(signal.SIGTERM)
        await second.close()
        code, rest = await second.stopped()
    assert (code, rest.count("Traceback")) == (0, 0)


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
