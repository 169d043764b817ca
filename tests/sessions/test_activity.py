"""Which sessions print something at the moment, and when they last did."""

from __future__ import annotations

from datetime import datetime

from harness import Running, ready, until
from principals import guest


async def test_a_session_is_active_while_it_prints(server: Running) -> None:
    quiet, busy = (
        await server.session(["cat"]),
        await server.session(["sh", "-c", "while :; do echo x; sleep 0.1; done"]),
    )
    await server.output(busy, b"x")

    async def found() -> bool:
        activities = await server.json("GET", "/api/sessions/activity")
        assert (set(activities), activities[quiet]["isActive"]) == ({quiet, busy}, False)
        assert activities[busy]["session"]["id"] == busy
        return bool(activities[busy]["isActive"])

    await until(found)
    await server.json("POST", f"/api/sessions/{busy}/signal", {"signal": "STOP"})

    async def calm() -> bool:
        return not (await server.json("GET", f"/api/sessions/{busy}/activity"))["isActive"]

    await until(calm)
    await server.json("GET", "/api/sessions/nope/activity", status=404)


async def test_a_session_that_has_ended_is_not_active(server: Running) -> None:
    session = await server.session(["echo", "x"])
    await server.output(session, b"x")
    await server.ended(session)
    assert not (await server.json("GET", f"/api/sessions/{session}/activity"))["isActive"]


async def test_a_guest_is_told_of_its_own_session_alone(server: Running) -> None:
    own, other = await server.session(["cat"]), await server.session(["cat"])
    visitor = await guest(server, own)
    assert set(await visitor.json("GET", "/api/sessions/activity")) == {own}
    assert (await visitor.fetch("GET", f"/api/sessions/{other}/activity")).code == 403


async def test_last_modified_moves_with_output_in_the_list_too(server: Running) -> None:
    session = await ready(server)
    await server.output(session, b"ready")

    async def modified() -> datetime:
        (listed,) = await server.json("GET", "/api/sessions")
        return datetime.fromisoformat(listed["lastModified"])

    first = await modified()
    socket = await server.attach(session)
    await socket.send(b"more\n")
    await socket.until(b"more")

    async def moved() -> bool:
        return await modified() > first

    await until(moved)
