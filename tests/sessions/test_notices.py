"""Notifications, progress, variables and the pointer's shape: in the session's object and in the events."""

from __future__ import annotations

from typing import Any

import pytest
from event_stream import listening
from harness import Running, Serve, until

from vibetunnel._ext.vt import Notification, Variable
from vibetunnel.sessions.notices import VARIABLES_LIMIT, Notices

EVERYTHING = r"\033]9;4;1;42\007\033]777;notify;build;done\007\033]1337;SetUserVar=branch=bWFpbg==\007\033]22;wait\007"


async def session_of(server: Running, session: str) -> dict[str, Any]:
    found: dict[str, Any] = await server.json("GET", f"/api/sessions/{session}")
    return found


async def until_shown(server: Running, session: str, **expected: Any) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found = await session_of(server, session)
        return found if {name: found.get(name) for name in expected} == expected else None

    return await until(look)


async def test_a_session_shows_what_its_program_wants_noticed(server: Running) -> None:
    session = await server.session(f"printf '{EVERYTHING}'; read x; printf '\\033c'; cat", spawn="now")
    shown = await until_shown(server, session, progress={"state": "set", "percent": 42}, pointer="wait")
    shown = await until_shown(server, session, userVars={"branch": "main"})
    at = shown["notification"].pop("at")
    assert shown["notification"] == {"title": "build", "body": "done", "urgency": "normal"}
    assert shown["startedAt"] <= at
    await server.json("POST", f"/api/sessions/{session}/input", {"key": "enter"})
    shown = await until_shown(server, session, progress=None, pointer=None)
    assert shown["notification"]["title"] == "build"


async def test_progress_and_pointer_end_with_the_program(server: Running) -> None:
    session = await server.session(f"printf '{EVERYTHING}'; read x", spawn="now")
    await until_shown(server, session, progress={"state": "set", "percent": 42}, pointer="wait")
    await server.json("POST", f"/api/sessions/{session}/input", {"key": "enter"})
    await until_shown(server, session, status="exited", progress=None, pointer=None)


async def test_what_a_program_wants_noticed_is_told_as_events(server: Running) -> None:
    async with listening(server) as stream:
        session = await server.session(f"read x; printf '{EVERYTHING}'; read x; printf '\\033]9;4;0\\007'; cat")
        await server.json("POST", f"/api/sessions/{session}/input", {"key": "enter"})
        told: dict[str, dict[str, Any]] = {}
        while len(told) < 3:
            message = await stream.next("progress", "notification", "user-vars")
            told[message["type"]] = message
        assert {message["sessionId"] for message in told.values()} == {session}
        assert told["progress"]["progress"] == {"state": "set", "percent": 42}
        assert told["notification"]["notification"]["body"] == "done"
        assert told["user-vars"]["userVars"] == {"branch": "main"}
        await server.json("POST", f"/api/sessions/{session}/input", {"key": "enter"})
        assert (await stream.next("progress"))["progress"] is None


async def test_a_withdrawn_notification_is_gone(server: Running) -> None:
    async with listening(server) as stream:
        session = await server.session(
            r"printf '\033]99;i=a;hello\007'; read x; printf '\033]99;i=b:p=close;\007\033]99;i=a:p=close;\007'; cat",
            spawn="now",
        )
        assert (await stream.next("notification"))["notification"]["title"] == "hello"
        await server.json("POST", f"/api/sessions/{session}/input", {"key": "enter"})
        assert (await stream.next("notification"))["notification"] is None
        assert "notification" not in await session_of(server, session)


async def test_of_a_flood_of_notifications_few_are_told(server: Running) -> None:
    async with listening(server) as stream:
        flood = r"seq 10000 | sed 's/.*/\x1b]9;n&\x07/'; printf '\033]2;done\007'; cat"
        session = await server.session(flood, spawn="now")
        await until_shown(server, session, title="done")
        events = server.server.context.registry.events
        for _ in range(1000):
            events.notification("other", None)
        events.notification("last", None)
        told: list[str] = []
        while not told or told[-1] != "last":
            told.append((await stream.next("notification"))["sessionId"])
        assert told.count("other") == 5
        assert told.count(session) < 1000


async def test_progress_and_pointer_outlive_the_server(serve: Serve) -> None:
    first = await serve()
    session = await first.session(f"printf '{EVERYTHING}'; cat", spawn="now")
    await until_shown(first, session, progress={"state": "set", "percent": 42}, pointer="wait")
    await until_shown(first, session, userVars={"branch": "main"})
    await first.server.close()
    second = await serve()
    shown = await session_of(second, session)
    assert (shown["progress"], shown["pointer"]) == ({"state": "set", "percent": 42}, "wait")
    assert {"notification", "userVars"}.isdisjoint(shown)
    await second.json("POST", f"/api/sessions/{session}/input", {"text": "\n"})
    shown = await until_shown(second, session, progress={"state": "set", "percent": 42}, pointer="wait")


def test_the_variables_of_a_session_are_bounded() -> None:
    notices = Notices()
    for number in range(1000):
        notices.set(Variable(f"v{number}", "x"))
    assert list(notices.variables) == [f"v{number}" for number in range(1000 - VARIABLES_LIMIT, 1000)]
    notices.set(Variable("v999", ""))
    assert len(notices.variables) == VARIABLES_LIMIT - 1


@pytest.mark.parametrize(("withdrawn", "left"), [("a", None), ("b", "a"), ("", "a")])
def test_only_the_newest_notification_can_be_withdrawn(withdrawn: str, left: str | None) -> None:
    notices = Notices()
    assert notices.notified(Notification("a", "title", "", 1))
    assert notices.notified(Notification(withdrawn, "", "", 1)) == (left is None)
    assert (notices.newest and notices.newest.id) == left
