"""What was answered is in the audit: after a `kill -9`, on a disk that hangs, and what happens on a full one."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import resource
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Browser, Running, Serve, no_more, until, wait_for
from principals import PASSWORD, logged_in
from server_process import ServerProcess

from vibetunnel.keeper.client import KeeperClient
from vibetunnel.keeper.errors import KeeperLost
from vibetunnel.logs import file as log_file
from vibetunnel.logs.file import LogFile
from vibetunnel.logs.read import read
from vibetunnel.sessions.session import Session

ROUNDS = 4
CLIENTS = 4
ANSWERS = 60  # of each round, before the kill


class Changer(threading.Thread):
    """A client that changes things until the server has gone.

    answered  for each answer the action of its line in the audit, and a word of it
    """

    def __init__(self, server: ServerProcess, name: str) -> None:
        super().__init__()
        self.server = server
        self.prefix = name
        self.answered: list[tuple[str, str]] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        try:
            for number in range(10_000):
                session = self.ask(connection, "POST", "/api/sessions", {"command": ["cat"]})["id"]
                self.answered.append(("create", session))
                name = f"{self.prefix}-{number}"
                self.ask(connection, "PATCH", f"/api/sessions/{session}", {"name": name})
                self.answered.append(("rename", name))
                self.ask(connection, "POST", "/api/users", {"name": name, "role": "viewer"})
                self.answered.append(("user", name))
                share = self.ask(connection, "POST", f"/api/sessions/{session}/shares", {})
                self.answered.append(("share", share["id"]))
                self.ask(connection, "DELETE", f"/api/sessions/{session}")
                self.answered.append(("kill", session))
        except (http.client.HTTPException, OSError):
            return  # killed
        finally:
            connection.close()

    def ask(self, connection: http.client.HTTPConnection, method: str, path: str, body: object = None) -> Any:
        headers = self.server.bearer | {"Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status < 300, (answer.status, data)
        return json.loads(data)


def test_after_a_kill_every_answered_change_is_in_the_audit(folder: Path) -> None:
    server = ServerProcess(folder, "--kill-on-exit", "--max-sessions", "0", "--no-request-log")
    answered: list[tuple[str, str]] = []
    try:
        for number in range(ROUNDS):
            clients = [Changer(server, f"r{number}c{each}") for each in range(CLIENTS)]
            for each in clients:
                each.start()
            wait_for(lambda clients=clients: sum(len(each.answered) for each in clients) >= ANSWERS)
            server.kill()
            for each in clients:
                each.join()
                answered += each.answered
            server.start()
    finally:
        server.close()
    written = set()
    for record in read(folder / "s" / "log" / "audit.log"):
        for name in ("session", "name", "target_user", "what"):
            written.add((record["action"], record.get(name)))
    assert len(answered) >= ROUNDS * ANSWERS
    assert [each for each in answered if each not in written] == []


# A disk that hangs


class Gate:
    """Holds every write to the audit while it is closed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.open.set()
        write = LogFile._write_some

        def gated(file: LogFile) -> None:
            if file.path.name == "audit.log":
                self.open.wait()
            write(file)

        monkeypatch.setattr(LogFile, "_write_some", gated)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    made = Gate(monkeypatch)
    yield made
    made.open.set()


async def test_no_answer_comes_before_its_line_and_the_event_loop_goes_on(server: Running, gate: Gate) -> None:
    session = await server.session(["cat"])
    tokens = await logged_in(server, "ada")
    code = (await server.json("POST", "/api/auth/link"))["code"]
    file = server.server.audit._file
    assert file is not None
    gate.open.clear()
    asked: list[asyncio.Task[Any]] = []
    for method, path, body, more in (
        ("POST", "/api/sessions", {"command": ["cat"]}, {}),
        ("PATCH", f"/api/sessions/{session}", {"name": "x"}, {}),
        ("POST", "/api/users", {"name": "bob", "role": "viewer"}, {}),
        ("POST", "/api/tokens", {"scope": ["view"], "expires": 60}, {}),
        ("POST", f"/api/sessions/{session}/shares", {}, {}),
        ("POST", "/api/auth/code", {"code": code}, {"login": False}),
        ("POST", "/api/auth/code", {"code": "AAAAA-AAAAA"}, {"login": False}),
        ("POST", "/api/auth/logout", None, {"login": False, "headers": tokens.headers}),
    ):
        asked.append(asyncio.create_task(server.fetch(method, path, body, **more)))

        async def waits(count: int = len(asked)) -> bool:
            return len(file._waiters) == count

        await until(waits)
    assert (await server.fetch("GET", "/api/sessions")).code == 200
    assert not any(each.done() for each in asked)
    gate.open.set()
    assert sorted([(await each).code for each in asked]) == [200, 200, 200, 201, 201, 201, 201, 401]
    assert len([each for each in read(file.path) if each["action"] != "login"]) >= len(asked)


async def test_no_client_sees_a_session_before_the_audit_says_so(server: Running, gate: Gate) -> None:
    session = await server.session(["sh", "-c", "echo secret; exec cat"], spawn="now")
    file = server.server.audit._file
    assert file is not None
    gate.open.clear()
    attaching = asyncio.create_task(server.attach(session))
    await until(lambda: bool(file._waiters))
    assert not attaching.done()
    gate.open.set()
    await (await attaching).until(b"secret")
    assert [each["session"] for each in read(file.path) if each["action"] == "attach"] == [session]


async def test_every_first_input_of_a_user_waits_for_the_line(server: Running, gate: Gate) -> None:
    session = await server.session(["cat"], spawn="now")
    file = server.server.audit._file
    assert file is not None
    gate.open.clear()
    inputs = [
        asyncio.create_task(server.fetch("POST", f"/api/sessions/{session}/input", {"text": each})) for each in "ab"
    ]
    await until(lambda: bool(file._waiters))

    async def both_echoed() -> bool:
        output = (await server.fetch("GET", f"/api/sessions/{session}/output")).body
        return sorted(output.strip()) == sorted(b"ab")  # two connections have no order

    await until(both_echoed)
    assert not any(each.done() for each in inputs)
    gate.open.set()
    assert [(await each).code for each in inputs] == [200, 200]
    assert [each["session"] for each in read(file.path) if each["action"] == "input-start"] == [session]


# What failed


async def test_what_the_keeper_does_not_confirm_is_recorded_with_the_reason(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await server.session(["cat"], spawn="now")

    async def lost(*_: object, **__: object) -> None:
        raise KeeperLost("a test", undone=False)

    monkeypatch.setattr(Session, "kill", lost)
    monkeypatch.setattr(Session, "signal", lost)
    await server.json("POST", f"/api/sessions/{session}/signal", {"signal": "INT"}, status=503)
    await server.json("DELETE", f"/api/sessions/{session}", status=503)
    monkeypatch.setattr(KeeperClient, "spawn", lost)
    await server.json("POST", "/api/sessions", {"command": ["cat"], "spawn": "now"}, status=503)
    monkeypatch.undo()
    await server.json("DELETE", f"/api/sessions/{session}")
    lines = list(read(server.server.settings.log_dir / "audit.log"))
    reason = "the keeper is lost: a test"
    assert [(each["action"], each["result"].partition(": the program")[0]) for each in lines] == [
        ("create", "ok"),
        ("signal", reason),
        ("kill", reason),
        ("create", reason),
        ("kill", "ok"),
    ]
    assert lines[1]["signal"] == "SIGINT"


async def test_a_kill_is_not_recorded_as_done_before_it_is(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await server.session(["cat"], spawn="now")
    asked, go = asyncio.Event(), asyncio.Event()
    kill = Session.kill

    async def held(session: Session, grace_s: float) -> None:
        asked.set()
        await go.wait()
        await kill(session, grace_s)

    monkeypatch.setattr(Session, "kill", held)
    killing = asyncio.create_task(server.fetch("DELETE", f"/api/sessions/{session}"))
    await until(asked.is_set)
    path = server.server.settings.log_dir / "audit.log"
    assert [each["action"] for each in read(path)] == ["create"]
    go.set()
    assert (await killing).code == 200
    assert [each["action"] for each in read(path)] == ["create", "kill"]


async def test_a_disk_that_hangs_holds_no_answer_for_ever(
    server: Running, gate: Gate, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    expect_log("audit.log: a write takes longer than")
    monkeypatch.setattr(log_file, "STUCK_S", 0.05)
    gate.open.clear()
    session = await server.session(["cat"])
    assert not server.server.audit.writable
    again = await server.session(["cat"])  # does not wait
    gate.open.set()
    await until(lambda: server.server.audit.writable)
    await server.close()
    written = [each["session"] for each in read(server.server.settings.log_dir / "audit.log") if "session" in each]
    assert [each for each in (session, again) if each not in written] == []


async def test_a_write_that_ends_when_it_is_given_up_does_not_leave_the_file_unwritable(
    folder: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    expect_log("audit.log: a write takes longer than")
    monkeypatch.setattr(log_file, "STUCK_S", 0.05)
    file = LogFile(folder / "log" / "audit.log", max_bytes=1 << 20, files=2)
    try:
        gate.open.clear()
        keeping = asyncio.create_task(file.keep(lambda: {"action": "login"}))
        await until(lambda: bool(file._waiters))
        given_up = asyncio.get_running_loop().time() + log_file.STUCK_S
        gate.open.set()
        # Without a turn of the event loop: the thread is done, and the time is over.
        wait_for(lambda: not file._waiters and asyncio.get_running_loop().time() > given_up)
        assert await keeping is False
        await until(lambda: file.writable)
    finally:
        await file.close()


# A power cut


@pytest.mark.parametrize("end", ["failure", "move", "rotation"])
async def test_no_file_is_closed_before_the_disk_has_its_lines(
    folder: Path, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None], end: str
) -> None:
    monkeypatch.setattr(log_file, "RETRY_S", 0.02)
    monkeypatch.setattr(log_file, "SYNC_S", 3600.0)
    path = folder / "log" / "audit.log"
    file = LogFile(path, max_bytes=100 if end == "rotation" else 4096, files=3, durable=True)
    synced: list[int] = []  # inodes
    monkeypatch.setattr(log_file.os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    try:
        assert await file.keep(lambda: {"action": "login"})
        first = path.stat().st_ino
        assert not synced
        if end == "failure":
            expect_log("audit.log cannot be written")
            with no_more(resource.RLIMIT_FSIZE):
                assert not await file.keep(lambda: {"action": "logout"})
                assert synced == [first]
        else:
            if end == "move":
                path.rename(folder / "log" / "moved.log")
            assert await file.keep(lambda: {"action": "logout"})
        assert synced == [first]
    finally:
        await file.close()
    assert synced[-1] == path.stat().st_ino


# A full disk


async def test_on_a_full_disk_work_goes_on_and_no_access_is_given_without_a_record(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    monkeypatch.setattr(log_file, "RETRY_S", 0.02)
    expect_log("log cannot be written, records wait or are lost")
    expect_log("logins are not kept")
    expect_log("share links are not kept")
    server = await serve()
    session = await server.session(["cat"])
    ada = await logged_in(server, "ada")
    share = await server.json("POST", f"/api/sessions/{session}/shares", {}, status=201)
    code = (await server.json("POST", "/api/auth/link"))["code"]
    with no_more(resource.RLIMIT_FSIZE):
        other = await server.session(["cat"])
        await until(lambda: not server.server.audit.writable)
        for path, body in (
            ("/api/users", {"name": "bob", "role": "viewer"}),
            ("/api/users/ada/keys", {"key": "ssh-ed25519 AAAA"}),
            ("/api/tokens", {"scope": ["view"], "expires": 60}),
            (f"/api/sessions/{session}/shares", {}),
            ("/api/auth/link", None),
        ):
            error = (await server.json("POST", path, body, status=507))["error"]
            assert error.startswith("Nothing was done: the audit log cannot be written."), error
        for change in ({"role": "owner"}, {"disabled": False, "role": "owner", "password": PASSWORD}):
            assert (await server.fetch("PATCH", "/api/users/ada", change)).code == 507
        assert (await server.fetch("GET", "/api/users")).body.count(b'"name"') == 1
        assert (await Browser(server).login(code)).code == 200  # the owner has to be able to make room
        socket = await server.attach(session)
        await socket.send(b"works\n")
        await socket.until(b"works")
        [person] = await server.json("GET", f"/api/sessions/{session}/clients")
        keyboard = f"/api/sessions/{session}/clients/{person['id']}"
        assert (await server.fetch("PATCH", keyboard, {"writable": False})).code == 200
        assert (await server.fetch("PATCH", keyboard, {"writable": True})).code == 507
        deleted = await server.fetch("DELETE", f"/api/sessions/{session}/shares/{share['id']}")
        assert deleted.code == 200  # access is taken away in any case; the file of links is gone
    await until(lambda: server.server.audit.writable)
    assert (await ada.password("ada", PASSWORD)).code == 200
    await server.close()
    lines = list(read(folder / "s" / "log" / "audit.log"))
    assert other in [each.get("session") for each in lines if each["action"] == "create"]
    assert share["id"] in [each.get("what") for each in lines if each["action"] == "share-revoke"]
    assert not [each for each in lines if each["action"] == "lost"]
