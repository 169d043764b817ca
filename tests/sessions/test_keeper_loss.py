"""Sessions whose keeper has run out of descriptors, does not answer, or is killed."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from harness import Running, Serve, no_more, until

from vibetunnel.keeper import client, killing, orphans, processes
from vibetunnel.sessions.session import Session

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
    killed = keeper.live
    assert killed is not None
    os.kill(killed.pid, signal.SIGKILL)

    async def lost() -> bool:
        return killed.lost

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


# A command starts once in a session's life, whatever dies


def appends(folder: Path, *, then: str = "exec cat") -> list[str]:
    """A command that adds one line to folder/starts, and outlives the hang-up that comes with its keeper's death."""
    return ["sh", "-c", f"trap '' HUP; echo started >> {folder}/starts; echo ready; {then}"]


def starts(folder: Path) -> int:
    try:
        return (folder / "starts").read_text().count("started")
    except FileNotFoundError:
        return 0


async def use(server: Running, session: str) -> None:
    """Attach and type, as a user does to whom the session looks as if it had not started."""
    await (await server.attach(session)).over()
    await server.fetch("POST", f"/api/sessions/{session}/input", {"text": "x"})


async def test_what_happens_to_sessions_after_the_loss_of_their_keeper_outlives_the_server(
    serve: Serve, server: Running, folder: Path, expect_log: ExpectLog
) -> None:
    expect_log("the keeper is lost")
    names = ("ends", "killed", "renamed", "removed", "runs")
    sessions = {name: await server.session(appends(folder), name=name) for name in names}
    ended_before = await server.session(["sh", "-c", "exit 5"], name="before", spawn="now")
    await server.ended(ended_before)
    for session in sessions.values():
        await server.output(session, b"ready")
    await lose_the_keeper(server)
    await server.json("POST", f"/api/sessions/{sessions['ends']}/input", {"text": "\x04"})
    await server.ended(sessions["ends"])
    await server.json("DELETE", f"/api/sessions/{sessions['killed']}")
    await server.json("PATCH", f"/api/sessions/{sessions['renamed']}", {"name": "new name"})
    await server.json("DELETE", f"/api/sessions/{sessions['removed']}")
    await server.json("DELETE", f"/api/sessions/{sessions['removed']}/cleanup")
    await server.close()

    second = await serve()
    seen = {each["name"]: each for each in await second.json("GET", "/api/sessions")}
    assert {name: each["status"] for name, each in seen.items()} == dict.fromkeys(
        ("ends", "killed", "new name", "runs", "before"), "exited"
    )
    assert seen["before"]["exitCode"] == 5
    assert all("the keeper" in each["reason"] for name, each in seen.items() if name != "before")
    for each in seen.values():
        await use(second, each["id"])
    assert (await second.fetch("GET", f"/api/sessions/{ended_before}/output")).body == b""
    assert starts(folder) == len(names)


@pytest.mark.parametrize("way", ["input", "spawn"])
async def test_a_start_that_a_dead_keeper_never_read_is_made_by_the_next(
    server: Running, folder: Path, expect_log: ExpectLog, way: str
) -> None:
    expect_log("the keeper is lost")
    keeper = server.server.context.registry.keeper.live
    assert keeper is not None
    os.kill(keeper.pid, signal.SIGSTOP)
    if way == "input":
        session = await server.session(appends(folder))
        asking = asyncio.create_task(server.fetch("POST", f"/api/sessions/{session}/input", {"text": "x"}))
    else:
        body = {"command": appends(folder), "spawn": "now"}
        asking = asyncio.create_task(server.fetch("POST", "/api/sessions", body))

    async def asked() -> bool:
        return any(each["status"] == "starting" for each in await server.json("GET", "/api/sessions"))

    await until(asked)
    os.kill(keeper.pid, signal.SIGKILL)
    assert (await asking).code in (200, 201)
    (found,) = await server.json("GET", "/api/sessions")
    await server.output(found["id"], b"ready")
    assert starts(folder) == 1


async def test_requests_right_after_the_keepers_death_wait_for_the_next(
    server: Running, folder: Path, expect_log: ExpectLog
) -> None:
    expect_log("the keeper is lost")
    keeper = server.server.context.registry.keeper
    for _ in range(5):
        running = await server.session(appends(folder), spawn="now")
        await server.output(running, b"ready")
        assert keeper.live is not None
        os.kill(keeper.live.pid, signal.SIGKILL)
        body = {"command": appends(folder), "spawn": "now"}
        asked = [server.fetch("POST", "/api/sessions", body) for _ in range(3)]
        asked += [server.fetch("POST", "/api/sessions", {"command": ["cat"]})]
        asked += [server.fetch("DELETE", f"/api/sessions/{running}")]
        assert [answer.code for answer in await asyncio.gather(*asked)] == [201, 201, 201, 201, 200]
    assert {each["status"] for each in await server.json("GET", "/api/sessions")} == {"created", "running", "exited"}
    for each in await server.json("GET", "/api/sessions"):
        if each["status"] == "running":
            await server.output(each["id"], b"ready")
    assert starts(folder) == 5 * 4


async def test_kill_on_exit_ends_sessions_without_keeper_too(serve: Serve, folder: Path, expect_log: ExpectLog) -> None:
    expect_log("the keeper is lost")
    server = await serve(kill_on_exit=True, kill_grace_s=0)
    session = await server.session(appends(folder, then="while :; do sleep 0.05; done"), spawn="now")
    await server.output(session, b"ready")
    pid = (await server.json("GET", f"/api/sessions/{session}"))["pid"]
    started = orphans.start_time(pid)
    await lose_the_keeper(server)
    assert (await server.json("GET", f"/api/sessions/{session}"))["keeperLost"] is True
    await server.close()
    assert not orphans.alive(pid, started)


@asynccontextmanager
async def keeper_that(does: str, folder: Path) -> AsyncIterator[None]:
    """A keeper with a changed part, for what cannot be hit in time from outside. `does`: Python, run before it."""
    script = f"import os, sys; from vibetunnel.keeper import __main__, peers, requests; {does}"
    script += "; sys.exit(__main__.main(sys.argv[1:]))"
    keeper = await asyncio.create_subprocess_exec(sys.executable, "-c", script, "--runtime-dir", str(folder / "r"))
    try:
        await until(lambda: (folder / "r" / "keeper.sock").exists())
        yield
    finally:
        if keeper.returncode is None:
            keeper.kill()
        await keeper.wait()


@pytest.mark.parametrize("way", ["input", "attach", "spawn"])
async def test_a_program_whose_keeper_dies_as_it_starts_is_not_started_again(
    serve: Serve, folder: Path, expect_log: ExpectLog, way: str
) -> None:
    expect_log("the keeper is lost")
    dies = "real = requests.start; requests.start = lambda *a, **k: (real(*a, **k), os.kill(os.getpid(), 9))"
    async with keeper_that(dies, folder):
        server = await serve()
        if way == "spawn":
            body = {"command": appends(folder), "spawn": "now"}
            answer = await server.json("POST", "/api/sessions", body, status=503)
            assert "may have started" in answer["error"]
            assert await server.json("GET", "/api/sessions") == []
            return
        session = await server.session(appends(folder))
        if way == "input":
            answer = await server.json("POST", f"/api/sessions/{session}/input", {"text": "x"}, status=503)
            assert "may have started" in answer["error"]
        else:
            await (await server.attach(session)).over()
    for _ in range(2):
        (found,) = await server.json("GET", "/api/sessions")
        assert (found["status"], "may have started" in found["reason"]) == ("exited", True)
        await use(server, session)
        await server.close()
        server = await serve()
    assert starts(folder) <= 1


@pytest.mark.parametrize("starts_all_the_same", [False, True])
async def test_a_start_that_a_living_keeper_could_not_announce_is_made_once(
    serve: Serve, folder: Path, expect_log: ExpectLog, starts_all_the_same: bool
) -> None:
    expect_log("the keeper is lost")
    # As if no descriptor were left: the keeper drops the connection, and the server finds it again.
    fails = (
        "real = peers.Channel.send; once = iter([True]); peers.Channel.send = lambda self, fields, fds=None: "
        "self.no if fields['type'] == 'starting' and next(once, False) else real(self, fields, fds); "
        "peers.Channel.no = property(lambda self: os.stat('/nowhere'))"
    )
    if starts_all_the_same:
        fails += "; tell = peers.Peers.send; peers.Peers.send = lambda *all: tell(*all) or True"
    async with keeper_that(fails, folder):
        server = await serve()
        session = await server.session(appends(folder))
        await server.json("POST", f"/api/sessions/{session}/input", {"text": "hello\n"})
        await server.output(session, b"ready")
        assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "running"
        await server.json("DELETE", f"/api/sessions/{session}")
        await server.ended(session)
        await server.close()
    assert starts(folder) == 1


async def test_a_program_whose_start_was_not_answered_by_a_living_keeper_is_found(
    serve: Serve, folder: Path, expect_log: ExpectLog
) -> None:
    expect_log("the keeper is lost")
    # As if no descriptor were left for the answer: the keeper then drops the connection.
    fails = (
        "real = peers.Peers.send; once = iter([True]); peers.Peers.send = lambda self, fields, fds=None: "
        "self.drop(self._server) if fds and next(once, False) else real(self, fields, fds)"
    )
    async with keeper_that(fails, folder):
        server = await serve()
        session = await server.session(appends(folder))
        await server.json("POST", f"/api/sessions/{session}/input", {"text": "hello\n"})
        await server.output(session, b"ready")
        found = await server.json("GET", f"/api/sessions/{session}")
        assert (found["status"], found["pid"] > 0) == ("running", True)
        await server.json("DELETE", f"/api/sessions/{session}")
        assert "signal" in await server.ended(session)  # its keeper reports the end
        await server.close()
    assert starts(folder) == 1


async def test_what_is_removed_or_renamed_while_a_living_keeper_is_disconnected_stays_so(
    serve: Serve, server: Running, folder: Path, expect_log: ExpectLog
) -> None:
    expect_log("the keeper is lost")
    registry = server.server.context.registry
    created, failed = await server.session(["cat"]), await server.session(["/no/such/program"])
    ended = await server.session(["true"], spawn="now")
    renamed = await server.session(appends(folder), spawn="now")
    await server.ended(ended)
    await server.fetch("POST", f"/api/sessions/{failed}/input", {"text": "x"})
    keeper = registry.keeper.live
    assert keeper is not None
    keeper._channel.sock.shutdown(socket.SHUT_RDWR)
    for each in (created, failed, ended):
        await registry.remove(each)
    registry.rename(renamed, "new name")
    await registry.ready()
    again = registry.keeper.live
    assert again is not None
    assert again.pid == keeper.pid
    await server.close()
    second = await serve()
    (found,) = await second.json("GET", "/api/sessions")
    assert (found["name"], found["status"]) == ("new name", "running")
    await second.json("DELETE", f"/api/sessions/{renamed}")


async def test_a_session_that_could_not_start_is_not_offered_again_after_it_was_renamed(
    serve: Serve, server: Running, folder: Path
) -> None:
    session = await server.session([str(folder / "program")])
    await server.fetch("POST", f"/api/sessions/{session}/input", {"text": "x"})
    await server.json("PATCH", f"/api/sessions/{session}", {"name": "new name"})
    await server.close()
    assert await (await serve()).json("GET", "/api/sessions") == []


async def test_a_session_that_is_starting_as_the_server_stops_is_adopted_by_the_next(
    serve: Serve, server: Running, folder: Path
) -> None:
    session = await server.session(appends(folder))
    starting = asyncio.create_task(server.server.context.registry.get(session).started())
    await asyncio.sleep(0)
    assert (server.server.context.registry.get(session).status, starting.done()) == ("starting", False)
    await server.close()
    await starting
    second = await serve()
    assert (await second.json("GET", f"/api/sessions/{session}"))["status"] == "running"
    await second.output(session, b"ready")
    await second.json("DELETE", f"/api/sessions/{session}")
    assert starts(folder) == 1


# Processes of a session whose keeper is gone

STUBBORN = "trap '' HUP TERM; "
JOB = "sh -c \"trap '' HUP TERM; sleep 1000; :\" >/dev/null 2>&1 & "


def of_session(leader: int) -> set[int]:
    return {process.pid for process in processes.living() if process.session == leader}


async def test_processes_that_a_session_has_left_are_ended_without_the_keeper_that_knew_them(
    serve: Serve, expect_log: ExpectLog
) -> None:
    expect_log("the keeper is lost")
    server = await serve(kill_grace_s=0)
    session = await server.session(["sh", "-c", STUBBORN + JOB + "echo $$."], spawn="now")
    leader = int((await server.output(session, b".")).partition(b".")[0])

    async def left() -> int:
        return int((await server.json("GET", f"/api/sessions/{session}")).get("processesLeft", 0))

    await until(left)
    await lose_the_keeper(server)
    await server.server.context.registry.ready()
    assert of_session(leader)
    assert await left() == len(of_session(leader))
    await server.json("DELETE", f"/api/sessions/{session}/cleanup", status=409)
    answer = await server.json("DELETE", f"/api/sessions/{session}")
    assert answer["message"] == "Session cleaned up"
    assert of_session(leader) == set()
    assert await server.json("GET", "/api/sessions") == []


async def test_processes_left_are_counted_without_the_keeper_that_knew_them(
    server: Running, expect_log: ExpectLog
) -> None:
    expect_log("the keeper is lost")
    session = await server.session(["sh", "-c", STUBBORN + JOB + "echo $$."], spawn="now")
    leader = int((await server.output(session, b".")).partition(b".")[0])

    async def told() -> bool:
        seen = await server.json("GET", f"/api/sessions/{session}")
        return bool(seen.get("processesLeft", 0)) == bool(of_session(leader))

    await server.ended(session)
    await until(told)
    await lose_the_keeper(server)
    for each in of_session(leader):
        os.kill(each, signal.SIGKILL)
    await until(lambda: not of_session(leader))
    await until(told)
    await server.json("DELETE", f"/api/sessions/{session}/cleanup")


async def test_a_session_without_keeper_is_killed_with_its_background_jobs(serve: Serve, expect_log: ExpectLog) -> None:
    expect_log("the keeper is lost")
    server = await serve(kill_grace_s=0)
    session = await server.session(["sh", "-mc", STUBBORN + JOB + "echo $$.; while :; do sleep 0.05; done"])
    leader = int((await server.output(session, b".")).partition(b".")[0])
    await lose_the_keeper(server)
    assert len({process.group for process in processes.living() if process.session == leader}) > 1
    assert (await server.json("DELETE", f"/api/sessions/{session}"))["message"] == "Session killed"
    assert of_session(leader) == set()


async def test_processes_that_the_server_cannot_end_without_a_keeper_are_named(
    serve: Serve, expect_log: ExpectLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    expect_log("the keeper is lost")
    server = await serve(kill_grace_s=0)
    session = await server.session(["sh", "-c", STUBBORN + "echo $$.; exec sleep 1000"])
    leader = int((await server.output(session, b".")).partition(b".")[0])
    await lose_the_keeper(server)
    with monkeypatch.context() as patched:  # as for another user's
        patched.setattr(killing, "send", lambda *_: None)
        patched.setattr(killing, "GIVE_UP_S", 0.1)
        refusal = await server.json("DELETE", f"/api/sessions/{session}", status=503)
    assert f"1 process of the session cannot be ended: {leader} " in refusal["error"]
    assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "running"
    assert (await server.json("DELETE", f"/api/sessions/{session}"))["message"] == "Session killed"
    assert of_session(leader) == set()


async def test_a_process_that_cannot_be_looked_at_is_alive_and_gets_its_signals() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "1000", start_new_session=True)
    started = orphans.start_time(process.pid)
    with no_more(resource.RLIMIT_NOFILE):
        assert orphans.start_time(process.pid) == ""
        assert orphans.alive(process.pid, started)
        orphans.send(process.pid, started, signal.SIGTERM)
    assert await process.wait() == -signal.SIGTERM
    assert not orphans.alive(process.pid, started)


async def test_a_process_whose_start_time_is_not_known_is_ended() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "1000", start_new_session=True)
    await orphans.end(process.pid, "", 0)
    assert await process.wait() < 0


async def test_a_process_that_has_got_the_number_of_an_ended_session_is_not_signalled() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "1000", start_new_session=True)
    await orphans.end(process.pid, "1", 0)
    assert process.returncode is None
    assert orphans.alive(process.pid, orphans.start_time(process.pid))
    process.kill()
    await process.wait()


async def test_a_session_is_not_removed_before_its_processes_are_counted(server: Running) -> None:
    for _ in range(5):
        session = await server.session(["sh", "-c", STUBBORN + JOB + "echo $$."], spawn="now")
        leader = int((await server.output(session, b".")).partition(b".")[0])
        await server.server.context.registry.get(session).exited.wait()
        await server.json("DELETE", f"/api/sessions/{session}/cleanup", status=409)
        assert (await server.json("POST", "/api/cleanup-exited"))["localCleaned"] == 0
        assert of_session(leader)
        await server.json("DELETE", f"/api/sessions/{session}")
        assert of_session(leader) == set()


async def test_end_of_a_session_whose_keeper_is_found_again_is_told_by_the_keeper(
    server: Running, folder: Path, expect_log: ExpectLog
) -> None:
    expect_log("the keeper is lost")
    script = f"trap '' HUP; exec <&- >&- 2>&-; while [ ! -e {folder}/go ]; do sleep 0.02; done; exit 7"
    session = await server.session(["sh", "-c", script], spawn="now")
    registry = server.server.context.registry
    found = registry.get(session)
    await until(lambda: found._hung_up)
    before = registry.keeper.live
    assert before is not None
    found.keeper_lost()  # at once, so that the next keeper is not found first
    watching = found._orphan_watch
    assert watching is not None
    before._channel.sock.shutdown(socket.SHUT_RDWR)
    await until(watching.done)
    assert not found.orphan
    (folder / "go").touch()
    assert (await server.ended(session))["exitCode"] == 7


async def test_delete_of_a_session_whose_start_then_fails_removes_it(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await server.session(["cat"])
    begun, kill = asyncio.Event(), Session.kill

    async def killed(self: Session, grace_s: float) -> None:
        begun.set()
        await kill(self, grace_s)

    monkeypatch.setattr(Session, "kill", killed)
    keeper = server.server.context.registry.keeper.live
    assert keeper is not None
    limit = resource.prlimit(keeper.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(keeper.pid, resource.RLIMIT_NOFILE, (3, limit[1]))
    os.kill(keeper.pid, signal.SIGSTOP)
    starting = asyncio.create_task(server.fetch("POST", f"/api/sessions/{session}/input", {"text": "x"}))
    await until(lambda: server.server.context.registry.get(session).status == "starting")
    killing_it = asyncio.create_task(server.json("DELETE", f"/api/sessions/{session}"))
    await begun.wait()
    os.kill(keeper.pid, signal.SIGCONT)
    assert (await starting).code == 503
    resource.prlimit(keeper.pid, resource.RLIMIT_NOFILE, limit)
    assert (await killing_it)["message"] == "Session cleaned up"
    assert await server.json("GET", "/api/sessions") == []


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """While the list is not empty, adoptions bring no descriptors, as if the server had none left."""
    adopt, blocked = client.KeeperClient.adopt, [True]

    async def adopted(self: client.KeeperClient, have: Sequence[str] = ()) -> list[client.KeptSession]:
        found = await adopt(self, have)
        if not blocked:
            return found
        client._close(*(each.pty_fd for each in found), *(each.ring_fd for each in found))
        return [replace(each, pty_fd=-1, ring_fd=-1) for each in found]

    monkeypatch.setattr(client.KeeperClient, "adopt", adopted)
    monkeypatch.setattr("vibetunnel.sessions.registry.ADOPT_AGAIN_S", 0.05)
    return blocked


async def test_sessions_for_which_no_descriptor_is_left_are_reported_and_taken_over_later(
    serve: Serve, full: list[bool], expect_log: ExpectLog
) -> None:
    expect_log("cannot be adopted: no descriptor is left")
    expect_log("sessions? of an earlier server")
    first = await serve()
    session = await first.session(["cat"], spawn="now")
    await first.close()
    second = await serve()
    assert await second.json("GET", "/api/sessions") == []
    (problem,) = (await second.json("GET", "/api/server/status"))["problems"]
    assert problem.startswith("1 session of an earlier server runs on, but is in no list")
    full.clear()
    await until(lambda: len(second.server.context.registry))
    await second.json("POST", f"/api/sessions/{session}/input", {"text": "still\n"})
    await second.output(session, b"still\r\nstill")
    assert (await second.json("GET", "/api/server/status"))["problems"] == []


async def test_a_program_that_started_and_cannot_be_taken_over_is_ended(
    serve: Serve, folder: Path, full: list[bool], expect_log: ExpectLog
) -> None:
    expect_log("the keeper is lost")
    expect_log("cannot be taken over from the keeper, and is ended")
    fails = (
        "real = peers.Peers.send; once = iter([True]); peers.Peers.send = lambda self, fields, fds=None: "
        "self.drop(self._server) if fds and next(once, False) else real(self, fields, fds)"
    )
    async with keeper_that(fails, folder):
        server = await serve()
        session = await server.session(["sh", "-c", f"echo $$ > {folder}/pid; exec sleep 1000"])
        await server.json("POST", f"/api/sessions/{session}/input", {"text": "x"}, status=503)
        assert "may have started" in (await server.ended(session))["reason"]
        await until(lambda: (folder / "pid").exists() and (folder / "pid").read_text().strip())
        await until(lambda: not of_session(int((folder / "pid").read_text())))
        await server.close()


@pytest.mark.parametrize("integrated", [True, False])
async def test_a_shell_marks_prompts_if_the_server_that_started_it_had_it_do_so(serve: Serve, integrated: bool) -> None:
    first = await serve(shell="/bin/bash", shell_integration=integrated)
    session = await first.session(spawn="now")
    await first.close()
    second = await serve(shell="/bin/bash", shell_integration=not integrated)
    found = second.server.context.registry.get(session)
    assert found.record.integrated is integrated
    assert found.marks_prompts is (integrated or found.commands.marked)


async def test_an_adopted_session_has_a_start_time(serve: Serve) -> None:
    server = await serve()
    session = await server.session(["cat"], spawn="now")
    registry = server.server.context.registry
    registry.get(session).record.started_ns = 0  # as an earlier version stores it
    registry.get(session).note()
    await server.close()
    second = await serve()
    record = second.server.context.registry.get(session).record
    assert record.started_ns == record.created_ns
