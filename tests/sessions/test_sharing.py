"""Shares of a session, its clients as they see each other, and the keyboard that an owner gives and takes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from harness import Browser, Running, Serve, Socket, people, ready, refused, still_there, until
from principals import guest, logged_in, share

from vibetunnel import protocol


async def message(socket: Socket, kind: type[Any], met: Any = lambda _: True) -> Any:
    """The next v1 message of this kind that satisfies `wanted`."""
    while True:
        data = await socket.receive()
        assert data is not None, socket.ending
        found = protocol.decode(data)
        if isinstance(found, kind) and met(found):
            return found


# Links


async def test_a_link_is_for_viewing_unless_it_says_otherwise(server: Running) -> None:
    session = await ready(server)
    writer = await server.attach(session)
    await writer.until(b"ready")
    made = await share(server, session)
    assert (made["role"], made["used"], made["uses"]) == ("view", 0, None)
    assert made["url"] == f"{server.url}/share#{made['code']}"
    browser = Browser(server)
    answer = json.loads((await browser.enter(made["code"])).body)
    assert (answer["sessionId"], answer["role"]) == (session, "view")
    user = await browser.user()
    assert (user["role"], user["sessionId"], user["scopes"]) == ("guest", session, ["view"])
    socket = await browser.attach(session)
    await socket.until(b"ready")
    await socket.send(b"typed\n")
    await still_there(writer)
    assert b"typed" not in await server.output(session, b"ping")
    assert (await browser.fetch("POST", f"/api/sessions/{session}/input", {"text": "x"})).code == 403


async def test_a_link_to_type_types(server: Running) -> None:
    session = await ready(server)
    browser = await guest(server, session, role="type", name="Ana")
    socket = await browser.attach(session)
    await still_there(socket)
    assert [each["user"] for each in await people(server, session, 1)] == ["Ana"]


async def test_a_guest_sees_one_session_and_nothing_else(server: Running) -> None:
    session, other = await ready(server), await ready(server)
    browser = await guest(server, session, role="type")
    assert [each["id"] for each in await browser.json("GET", "/api/sessions")] == [session]
    assert (await browser.json("GET", f"/api/sessions/{session}"))["id"] == session
    assert await refused(browser.attach(other)) == 403
    for method, path in (
        ("GET", f"/api/sessions/{other}"),
        ("GET", f"/api/sessions/{other}/text"),
        ("GET", "/api/sessions/no-such-session"),
        ("DELETE", f"/api/sessions/{session}"),
        ("GET", f"/api/sessions/{session}/shares"),
        ("GET", "/api/config"),
        ("GET", "/metrics"),
        ("GET", "/api/logins"),
        ("GET", "/api/tokens"),
        ("POST", "/api/auth/link"),
    ):
        assert (await browser.fetch(method, path)).code == 403, path


async def test_a_guest_hears_only_of_the_own_session(server: Running) -> None:
    session, other = await ready(server), await ready(server)
    browser = await guest(server, session)
    broadcast = server.server.context.registry.events.broadcast
    heard: list[bytes] = []
    streaming = server.fetch(
        "GET", "/api/events", login=False, headers=browser.headers, streaming_callback=heard.append
    )
    task = asyncio.ensure_future(streaming)

    async def listens() -> bool:
        return len(broadcast.listeners) == 1

    await until(listens)
    await server.json("PATCH", f"/api/sessions/{other}", {"name": "their secret"})
    await server.json("PATCH", f"/api/sessions/{session}", {"name": "ours"})

    async def told() -> bool:
        return b"ours" in b"".join(heard)

    await until(told)
    assert b"their secret" not in b"".join(heard)
    broadcast.close()
    await task


async def test_a_link_for_one_lets_one_in(server: Running) -> None:
    session = await ready(server)
    made = await share(server, session, uses=1)
    assert (await Browser(server).enter(made["code"])).code == 200
    assert (await Browser(server).enter(made["code"])).code == 401
    (listed,) = await server.json("GET", f"/api/sessions/{session}/shares")
    assert (listed["used"], listed["uses"]) == (1, 1)
    assert "code" not in listed


async def test_an_owner_who_tries_their_own_link_does_not_use_it_up(server: Running) -> None:
    session = await ready(server)
    made = await share(server, session, uses=1)
    owner = Browser(server)
    await owner.login(server.announcement.code)
    cookie = owner.cookie
    assert (await owner.enter(made["code"])).code == 200
    assert owner.cookie == cookie
    assert (await Browser(server).enter(made["code"])).code == 200


async def test_a_guest_may_follow_two_links(server: Running) -> None:
    first, second = await ready(server), await ready(server)
    browser = await guest(server, first)
    before = browser.cookie
    assert (await browser.enter((await share(server, second, role="type"))["code"])).code == 200
    assert browser.cookie != before
    assert {each["id"] for each in await browser.json("GET", "/api/sessions")} == {first, second}
    assert (await browser.fetch("POST", f"/api/sessions/{first}/input", {"text": "x"})).code == 403
    assert (await browser.fetch("POST", f"/api/sessions/{second}/input", {"text": "x"})).code == 200


async def test_an_account_that_may_only_see_can_be_given_more_by_a_link(server: Running) -> None:
    session = await ready(server)
    browser = await logged_in(server, "ada", "viewer")
    assert (await browser.enter((await share(server, session, role="type"))["code"])).code == 200
    assert (await browser.user())["role"] == "viewer"
    await still_there(await browser.attach(session))


@pytest.mark.parametrize(("how", "close_code"), [("revoked", 4401), ("expired", 4401), ("session removed", 1000)])
async def test_guests_of_a_link_are_out_when_it_ends(
    server: Running, how: str, close_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await ready(server)
    made = await share(server, session, expires=60)
    browser = Browser(server)
    await browser.enter(made["code"])
    (await server.attach(session)).close()
    socket = await browser.attach(session)
    await socket.until(b"ready")
    match how:
        case "revoked":
            await server.json("DELETE", f"/api/sessions/{session}/shares/{made['id']}")
        case "expired":
            shares = server.server.context.authority.shares
            later = shares._clock() + 61
            monkeypatch.setattr(shares, "_clock", lambda: later)
        case _:
            await server.json("DELETE", f"/api/sessions/{session}")
            await server.json("DELETE", f"/api/sessions/{session}")
    assert (await socket.over())[0] == close_code
    assert (await browser.fetch("GET", f"/api/sessions/{session}")).code == 401
    assert (await Browser(server).enter(made["code"])).code == 401


async def test_a_guest_that_loses_one_of_two_links_is_put_out_of_that_session_only(server: Running) -> None:
    first, second = await ready(server), await ready(server)
    made = await share(server, first)
    browser = Browser(server)
    await browser.enter(made["code"])
    await browser.enter((await share(server, second))["code"])
    for session in (first, second):
        await (await server.attach(session)).until(b"ready")
    sockets = [await browser.attach(session) for session in (first, second)]
    await server.json("DELETE", f"/api/sessions/{first}/shares/{made['id']}")
    assert await sockets[0].over() == (4403, "access has ended")
    assert await refused(browser.attach(first)) == 403
    assert len(await people(server, second, 2)) == 2


async def test_links_survive_a_restart(serve: Serve) -> None:
    first = await serve()
    session = await ready(first)
    made = await share(first, session)
    browser = Browser(first)
    await browser.enter(made["code"])
    await first.close()
    browser.server = second = await serve()
    assert (await browser.fetch("GET", f"/api/sessions/{session}")).code == 200
    assert (await Browser(second).enter(made["code"])).code == 200


async def test_a_writer_shares_the_own_sessions_only(server: Running) -> None:
    ours = await ready(server)
    browser = await logged_in(server, "ada")
    own = (await browser.json("POST", "/api/sessions", {"command": ["cat"]}, status=201))["id"]
    await browser.json("POST", f"/api/sessions/{own}/shares", {}, status=201)
    assert (await browser.fetch("POST", f"/api/sessions/{ours}/shares", {})).code == 403


# Presence


async def test_participants_are_told_who_is_here(server: Running) -> None:
    session = await ready(server)
    owner = await server.attach(session, v1=True)
    browser = await guest(server, session, name="Ana's phone")
    watching = await browser.attach(session, v1=True)
    access = await message(watching, protocol.Access)
    assert access.writable is False

    def both(presence: protocol.Presence) -> bool:
        return len(json.loads(presence.text)["people"]) == 2

    for socket in (owner, watching):
        presence = await message(socket, protocol.Presence, both)
        first, second = json.loads(presence.text)["people"]
        assert (first["writable"], second["writable"], second["guest"]) == (True, False, True)
        assert (second["user"], second["role"], second["id"]) == ("Ana's phone", "guest", access.id)


async def test_the_owner_gives_and_takes_the_keyboard(server: Running) -> None:
    session = await ready(server)
    browser = await guest(server, session)
    await server.attach(session)
    socket = await browser.attach(session, v1=True)
    mine = (await message(socket, protocol.Access)).id
    await server.json("PATCH", f"/api/sessions/{session}/clients/{mine}", {"writable": True})
    assert (await message(socket, protocol.Access)).writable is True
    await socket.send(protocol.encode(protocol.Input(0, b"given\n")))
    await server.output(session, b"given")
    await server.json("PATCH", f"/api/sessions/{session}/clients/{mine}", {"writable": False})
    assert (await message(socket, protocol.Access)).writable is False
    await socket.send(protocol.encode(protocol.Input(6, b"taken\n")))
    assert (await message(socket, protocol.Error)).code == 1
    assert b"taken" not in await server.output(session, b"given")
    assert (await browser.fetch("PATCH", f"/api/sessions/{session}/clients/{mine}", {"writable": True})).code == 403


async def test_a_keyboard_that_was_taken_is_not_got_back_by_coming_again(server: Running) -> None:
    session = await ready(server)
    browser = await guest(server, session, role="type")
    socket = await browser.attach(session)
    await still_there(socket)
    (mine,) = await people(server, session, 1)
    await server.json("PATCH", f"/api/sessions/{session}/clients/{mine['id']}", {"writable": False})
    again = await browser.attach(session, v1=True)
    assert (await message(again, protocol.Access)).writable is False
    for what, body in (("input", {"text": "x"}), ("resize", {"rows": 9, "cols": 9}), ("signal", {"signal": "INT"})):
        assert (await browser.fetch("POST", f"/api/sessions/{session}/{what}", body)).code == 403
    await server.json("PATCH", f"/api/sessions/{session}/clients/{mine['id']}", {"writable": True})
    assert (await message(again, protocol.Access)).writable is True


async def test_a_guest_who_is_put_out_does_not_come_back_by_the_same_cookie(server: Running) -> None:
    session = await ready(server)
    browser = await guest(server, session)
    await server.attach(session)
    socket = await browser.attach(session)
    await socket.until(b"ready")
    out = next(each["id"] for each in await people(server, session, 2) if each["guest"])
    await server.json("DELETE", f"/api/sessions/{session}/clients/{out}")
    assert await socket.over() == (4403, "the owner of the session has put you out")
    assert (await browser.fetch("GET", f"/api/sessions/{session}")).code == 401
    assert len(await people(server, session, 1)) == 1
    assert (await server.fetch("DELETE", f"/api/sessions/{session}/clients/{out}")).code == 404


async def test_a_user_who_is_put_out_of_one_session_stays_in_the_others(server: Running) -> None:
    first, second = await ready(server), await ready(server)
    browser = await guest(server, first, name="Grace A")
    await browser.enter((await share(server, second, name="Grace W"))["code"])
    for session in (first, second):
        await (await server.attach(session)).until(b"ready")
    sockets = [await browser.attach(session) for session in (first, second)]
    named = [next(each for each in await people(server, session, 2) if each["guest"]) for session in (first, second)]
    assert [each["user"] for each in named] == ["Grace A", "Grace W"]
    await server.json("DELETE", f"/api/sessions/{second}/clients/{named[1]['id']}")
    assert await sockets[1].over() == (4403, "the owner of the session has put you out")
    assert (await browser.fetch("GET", f"/api/sessions/{second}")).code == 403
    assert (await browser.fetch("GET", f"/api/sessions/{first}")).code == 200
    assert len(await people(server, first, 2)) == 2


async def test_a_guest_of_a_used_up_link_may_open_it_again(server: Running) -> None:
    session = await ready(server)
    made = await share(server, session, uses=1)
    browser = Browser(server)
    for _ in range(2):
        assert (await browser.enter(made["code"])).code == 200
    assert (await Browser(server).enter(made["code"])).code == 401


async def test_a_keyboard_that_was_taken_stays_so_after_a_restart(serve: Serve) -> None:
    first = await serve()
    session = await ready(first)
    browser = await guest(first, session, role="type")
    socket = await browser.attach(session)
    await still_there(socket)
    (mine,) = await people(first, session, 1)
    await first.json("PATCH", f"/api/sessions/{session}/clients/{mine['id']}", {"writable": False})
    await first.close()
    browser.server = await serve()
    again = await browser.attach(session, v1=True)
    assert (await message(again, protocol.Access)).writable is False
