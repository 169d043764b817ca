"""Sessions whose keeper has run out of descriptors, does not answer, or is killed."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
from collections.abc import Callable

import pytest
from harness import Running, Serve, until

from vibetunnel.keeper import client, orphans

ExpectLog = Callable[[str], None]


async def test_a_start_without_a_descriptor_left_is_not_the_commands_fault_and_works_later(server: Running) -> None:
    session = await server.session(["cat"])
    keeper = server.server.context.registry.keeper.live
    assert keeper is not None
    limit = resource.prlimit(keeper.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(keeper.pid, resource.RLIMIT_NOFILE, (3, limit[1]))
    for method, path, body in [
        ("POST", f"/api/sessions/{session}/input", {"text": "x"}),
        ("POST", "/api/sessions", {"command": ["cat"], "spawn": "now"}),
    ]:
        answer = await server.json(method, path, body, status=503)
        assert "Too many open files" in answer["error"]
    assert [each["status"] for each in await server.json("GET", "/api/sessions")] == ["created"]
    resource.prlimit(keeper.pid, resource.RLIMIT_NOFILE, limit)
    await server.json("POST", f"/api/sessions/{session}/input", {"text": "now\n"})
    await server.output(session, b"now\r\nnow")


async def test_a_start_that_the_keeper_does_not_answer_leaves_no_session_and_no_error(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = server.server.context.registry.keeper.live
    assert keeper is not None
    os.kill(keeper.pid, signal.SIGSTOP)
    try:
        monkeypatch.setattr(client, "ANSWER_S", 0.05)
        answer = await server.json("POST", "/api/sessions", {"command": ["cat"], "spawn": "now"}, status=503)
        assert "did not answer" in answer["error"]
    finally:
        os.kill(keeper.pid, signal.SIGCONT)
    monkeypatch.undo()
    assert await server.json("GET", "/api/sessions") == []
    log = server.server.settings.runtime_dir / "keeper.log"

    async def ended() -> bool:
        return "ended" in log.read_text()

    await until(ended)


async def test_connection_to_the_same_keeper_is_made_again_without_new_descriptors(
    server: Running, monkeypatch: pytest.MonkeyPatch, expect_log: ExpectLog
) -> None:
    expect_log("the keeper is lost")
    running = await server.session(["cat"], spawn="now")
    adopt, kept = client.KeeperClient.adopt, []

    async def adopted(self: client.KeeperClient, have: list[str]) -> list[client.KeptSession]:
        kept.extend(await adopt(self, have))
        return kept

    monkeypatch.setattr(client.KeeperClient, "adopt", adopted)
    link = server.server.context.registry.keeper
    before = link.live
    assert before is not None
    before._channel.sock.shutdown(socket.SHUT_RDWR)

    async def lost() -> bool:
        return link.live is not before

    await until(lost)
    await server.session(["cat"], spawn="now")
    assert [(one.session_id, one.pty_fd, one.ring_fd) for one in kept] == [(running, -1, -1)]
    await server.json("POST", f"/api/sessions/{running}/input", {"text": "still\n"})
    await server.output(running, b"still\r\nstill")


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


async def test_the_next_start_brings_a_new_keeper_which_knows_the_created_sessions(
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
