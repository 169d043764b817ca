"""Sessions outlive the server; what happens when the server or the keeper is gone."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Running, Serve, until

from vibetunnel.errors import StartFailed
from vibetunnel.sessions import orphans

ExpectLog = Callable[[str], None]


async def test_a_restarted_server_goes_on_with_every_session(serve: Serve) -> None:
    first = await serve()
    running = await first.session(["sh", "-c", "echo before; cat"], name="lives")
    created = await first.session(["cat"], name="waits", rows=31)
    ended = await first.session("echo bye; exit 5", spawn="now")
    await first.ended(ended)
    await first.output(running, b"before\r\n")
    await first.json("POST", f"/api/sessions/{running}/resize", {"rows": 44, "cols": 99})
    await first.json("PATCH", f"/api/sessions/{created}", {"name": "renamed"})
    listed = await first.json("GET", "/api/sessions")
    await first.close()

    second = await serve()
    again = await second.json("GET", "/api/sessions")
    assert [each["id"] for each in again] == [each["id"] for each in listed]
    seen = {each["id"]: each for each in again}
    assert (seen[running]["status"], seen[running]["name"]) == ("running", "lives")
    assert (seen[running]["rows"], seen[running]["cols"]) == (44, 99)
    assert (seen[created]["status"], seen[created]["name"], seen[created]["rows"]) == ("created", "renamed", 31)
    assert (seen[ended]["status"], seen[ended]["exitCode"]) == ("exited", 5)
    for old, new in zip(listed, again, strict=True):
        for key in ("pid", "offset", "createdAt", "startedAt"):
            assert old.get(key) == new.get(key)

    response = await second.fetch("GET", f"/api/sessions/{running}/output?since=3")
    assert response.body == b"ore\r\n"
    await second.json("POST", f"/api/sessions/{running}/input", {"text": "after\n"})
    assert await second.output(running, b"after\r\nafter\r\n") == b"before\r\nafter\r\nafter\r\n"
    assert (await second.fetch("GET", f"/api/sessions/{ended}/output")).body == b"bye\r\n"
    await second.json("POST", f"/api/sessions/{created}/input", {"text": "begun\n"})
    await second.output(created, b"begun\r\nbegun")


async def test_an_exit_while_no_server_runs_is_told_by_the_next(serve: Serve, folder: Path) -> None:
    first = await serve()
    fifo = folder / "go"
    os.mkfifo(fifo)
    session = await first.session(f"read x < {fifo}; echo done; exit 7", spawn="now")
    pid = (await first.json("GET", f"/api/sessions/{session}"))["pid"]
    await first.close()
    fifo.write_text("go\n")

    async def over() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return False

    await until(over)
    second = await serve()
    assert (await second.ended(session))["exitCode"] == 7
    assert (await second.fetch("GET", f"/api/sessions/{session}/output")).body == b"done\r\n"


async def test_kill_on_exit_ends_the_sessions_with_the_server(serve: Serve) -> None:
    server = await serve(kill_on_exit=True)
    created = await server.json("POST", "/api/sessions", {"command": ["cat"], "spawn": "now"}, status=201)
    await server.close()
    with pytest.raises(ProcessLookupError):
        os.kill(created["pid"], 0)


# The keeper is killed


async def lose_the_keeper(server: Running) -> None:
    keeper = server.server.context.registry.keeper
    assert keeper.live is not None
    os.kill(keeper.live.pid, signal.SIGKILL)

    async def lost() -> bool:
        return keeper.live is None

    await until(lost)


async def test_running_sessions_go_on_without_the_keeper(server: Running, expect_log: ExpectLog) -> None:
    expect_log("the keeper is lost")
    session = await server.session(["cat"])
    socket = await server.attach(session)
    await lose_the_keeper(server)
    await socket.send(b"still there\n")
    await socket.until(b"still there\r\nstill there\r\n")
    await socket.send(b"\x04")
    assert (await socket.over())[0] == 1000
    seen = await server.ended(session)
    assert "exitCode" not in seen
    assert "the keeper" in seen["reason"]


async def test_a_session_without_keeper_can_be_signalled_and_killed(server: Running, expect_log: ExpectLog) -> None:
    expect_log("the keeper is lost")
    session = await server.session(["sh", "-c", "trap 'echo got it' INT; echo ready; while :; do sleep 0.01; done"])
    await server.output(session, b"ready")
    pid = (await server.json("GET", f"/api/sessions/{session}"))["pid"]
    await lose_the_keeper(server)
    await server.json("POST", f"/api/sessions/{session}/signal", {"signal": "INT"})
    await server.output(session, b"got it")
    assert (await server.json("DELETE", f"/api/sessions/{session}"))["message"] == "Session killed"
    assert not orphans.alive(pid, orphans.start_time(pid))
    assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "exited"


async def test_the_next_start_brings_a_new_keeper_which_knows_what_was_created(
    serve: Serve, server: Running, expect_log: ExpectLog
) -> None:
    expect_log("the keeper is lost")
    waiting = await server.session(["cat"], name="waits")
    await lose_the_keeper(server)
    session = await server.session(["cat"])
    await server.json("POST", f"/api/sessions/{session}/input", {"text": "new\n"})
    await server.output(session, b"new\r\nnew")
    await server.close()
    second = await serve()
    assert {each["id"]: each["status"] for each in await second.json("GET", "/api/sessions")} == {
        waiting: "created",
        session: "running",
    }


async def test_many_starts_after_a_loss_share_one_new_keeper(server: Running, expect_log: ExpectLog) -> None:
    expect_log("the keeper is lost")
    await lose_the_keeper(server)
    sessions = [await server.session(["echo", f"number {n}"]) for n in range(4)]
    await asyncio.gather(*(server.output(session, b"number %d" % n) for n, session in enumerate(sessions)))


async def test_a_second_server_on_the_same_keeper_is_refused(serve: Serve) -> None:
    await serve()
    with pytest.raises(StartFailed, match=r"another server|serves another"):
        await serve()
