"""Sessions outlive their server: the next one adopts them with their records."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from harness import Serve, until

from vibetunnel.errors import StartFailed
from vibetunnel.keeper.client import KeeperClient, SpawnOrder
from vibetunnel.sessions.model import FORMAT, Order, Record

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


async def test_kill_on_exit_gives_the_grace_of_the_settings(serve: Serve, folder: Path) -> None:
    server = await serve(kill_on_exit=True, kill_grace_s=0)
    late = folder / "late"
    session = await server.session(f"trap '' HUP; trap 'sleep 2; touch {late}' TERM; echo ready; read line")
    await server.output(session, b"ready")
    pid = (await server.json("GET", f"/api/sessions/{session}"))["pid"]
    await server.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not late.exists()


async def test_a_second_server_on_the_same_keeper_is_refused(serve: Serve) -> None:
    await serve()
    with pytest.raises(StartFailed, match=r"another server|serves another"):
        await serve()


# What an earlier server wrote


async def leave_behind(folder: Path, notes: dict[str, bytes], *, running: bool = False) -> None:
    """A keeper with these records, and with a process for each when `running`."""
    keeper = await KeeperClient.connect(folder / "r", on_exit=lambda _: None, on_lost=lambda: None)
    for session_id, meta in notes.items():
        if running:
            spawned = await keeper.spawn(SpawnOrder(session_id, ["cat"], "/", meta=meta))
            os.close(spawned.pty_fd)
            os.close(spawned.ring_fd)
        else:
            keeper.note(session_id, meta)
    await keeper.close()


async def records(folder: Path) -> dict[str, bytes]:
    """What the keeper has now, while no server runs."""
    keeper = await KeeperClient.connect(folder / "r", on_exit=lambda _: None, on_lost=lambda: None)
    kept = await keeper.adopt()
    for one in kept:
        for descriptor in (one.pty_fd, one.ring_fd):
            if descriptor >= 0:
                os.close(descriptor)
    await keeper.close()
    return {one.session_id: one.meta for one in kept}


NEWER = msgspec.json.encode(
    Record(
        format=FORMAT + 1,
        id="newer",
        order=Order(name="cats", argv=["cat"], login=False, folder="/", env={}, rows=24, cols=80),
        name="cats",
        version="99",
        created_ns=1,
    )
)


async def test_a_session_whose_record_cannot_be_read_has_ended_and_says_why(
    serve: Serve, folder: Path, expect_log: ExpectLog
) -> None:
    expect_log("session newer: a newer version wrote its record: format 3, this version reads up to 2")
    expect_log("session broken: its record cannot be read")
    notes = {"newer": NEWER, "broken": b"\xff{"}
    await leave_behind(folder, notes)
    server = await serve()
    seen = {each["id"]: each for each in await server.json("GET", "/api/sessions")}
    assert {name: each["status"] for name, each in seen.items()} == {"newer": "exited", "broken": "exited"}
    assert (seen["newer"]["name"], seen["newer"]["command"]) == ("cats", ["cat"])
    assert "newer version" in seen["newer"]["reason"]
    assert "cannot be read" in seen["broken"]["reason"]
    await server.json("PATCH", "/api/sessions/newer", {"name": "mine"})
    answer = await server.json("POST", "/api/sessions/broken/input", {"text": "x"}, status=400)
    assert "cannot be read" in answer["error"]
    await server.close()
    assert await records(folder) == notes


async def test_a_program_whose_record_cannot_be_read_runs_on_and_its_record_is_left_alone(
    serve: Serve, folder: Path, expect_log: ExpectLog
) -> None:
    expect_log("session broken: its record cannot be read")
    notes = {"broken": b"{}"}
    await leave_behind(folder, notes, running=True)
    server = await serve()
    await server.json("POST", "/api/sessions/broken/input", {"text": "still here\n"})
    await server.output("broken", b"still here\r\nstill here")
    await server.json("DELETE", "/api/sessions/broken")
    await server.close()
    assert await records(folder) == notes
