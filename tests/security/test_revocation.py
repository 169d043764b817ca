"""Nothing is had, made or kept open beyond the access that it came from."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import Browser, Running, Serve, Socket, people, ready, refused, still_there, until
from principals import OTHER, PASSWORD, Program, account, guest, logged_in, share, tokens_of
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from vibetunnel.handlers.access import cookie_of
from vibetunnel.security.limits import Limits


async def audited(folder: Path, action: str, count: int) -> list[dict[str, Any]]:
    """The records of this action, as soon as there are so many."""

    async def look() -> list[dict[str, Any]] | None:
        found = [each for each in records(folder) if each["action"] == action]
        return found if len(found) >= count else None

    return await until(look)


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for log in folder.rglob("audit.log") for line in log.read_text().splitlines()]


async def program(server: Running, *scope: str, **order: Any) -> Program:
    made = await server.json("POST", "/api/tokens", {"scope": scope, "expires": 60, **order}, status=201)
    return Program(server, made["token"])


async def code_of(browser: Browser) -> str:
    return str((await browser.json("POST", "/api/auth/link"))["code"])


# Programs


async def test_a_programs_token_makes_no_login_and_no_other_token(server: Running) -> None:
    bot = await program(server, "view", "type", "control", "admin")
    assert (await bot.fetch("POST", "/api/auth/link")).code == 403
    order = {"scope": ["view"], "expires": 366 * 86400}
    assert (await bot.fetch("POST", "/api/tokens", order)).code == 403
    await bot.close()


async def test_an_access_token_makes_no_login_either(server: Running) -> None:
    holder = Program(server, (await tokens_of(server, "ada", "owner"))["token"])
    assert (await holder.fetch("POST", "/api/auth/link")).code == 403
    await holder.close()


async def test_a_programs_token_sees_and_ends_nothing_of_its_user_but_itself(server: Running) -> None:
    browser = await logged_in(server, "ada")
    other = await browser.json("POST", "/api/tokens", {"scope": ["view"], "expires": 60}, status=201)
    made = await browser.json("POST", "/api/tokens", {"scope": ["view"], "expires": 60}, status=201)
    bot = Program(server, made["token"])
    login = (await browser.json("GET", "/api/logins"))[0]["id"]
    assert await bot.json("GET", "/api/logins") == []
    assert [each["id"] for each in await bot.json("GET", "/api/tokens")] == [made["id"]]
    for order in ({"user": "ada"}, {"login": login}, {"token": other["id"]}, {"token": other["token"]}):
        assert (await bot.fetch("POST", "/api/auth/revoke", order)).code == 404, order
    assert (await bot.fetch("DELETE", f"/api/tokens/{other['id']}")).code == 404
    assert (await browser.fetch("GET", "/api/sessions")).code == 200
    await bot.json("DELETE", f"/api/tokens/{made['id']}")
    assert (await bot.fetch("GET", "/api/sessions")).code == 401
    await bot.close()


async def test_an_access_token_gets_no_cookie_for_a_share_link(server: Running) -> None:
    session = await ready(server)
    browser = await logged_in(server, "ada", "viewer")
    body = {"userId": "ada", "password": PASSWORD}
    token = (await server.json("POST", "/api/auth/password", body, login=False))["token"]
    holder = Program(server, token)
    code = (await share(server, session, role="type"))["code"]
    answer = await holder.fetch("POST", "/api/auth/share", {"code": code})
    assert (answer.code, answer.headers.get_list("Set-Cookie")) == (200, [])
    assert (await browser.fetch("GET", "/api/sessions")).code == 200
    await holder.close()


# Codes for other devices


@pytest.mark.parametrize("how", ["user revoked", "login revoked", "logged out", "keys forgotten"])
async def test_a_code_for_another_device_ends_with_the_access_of_its_maker(server: Running, how: str) -> None:
    browser = await logged_in(server, "ada")
    code = await code_of(browser)
    match how:
        case "user revoked":
            await server.json("POST", "/api/auth/revoke", {"user": "ada"})
        case "login revoked":
            login = (await browser.json("GET", "/api/logins"))[0]["id"]
            await server.json("POST", "/api/auth/revoke", {"login": login})
        case "logged out":
            await browser.fetch("POST", "/api/auth/logout")
        case _:
            await server.json("POST", "/api/auth/rotate-keys", {"forget": True})
    assert (await Browser(server).login(code)).code == 401


async def test_a_code_for_a_disabled_account_lets_no_client_in(server: Running) -> None:
    name = server.server.context.user
    code = server.announcement.code
    await account(server, name, "owner")
    await server.server.context.authority.users.change(
        name, disabled=True
    )  # as if by another server: the code is still there
    browser = Browser(server)
    assert (await browser.login(code)).code == 401
    assert browser.cookie == ""
    assert await server.json("GET", "/api/logins") == []


# Links to share


@pytest.mark.parametrize("how", ["disabled", "removed", "revoked", "demoted", "password changed"])
async def test_a_user_who_is_shut_out_does_not_come_back_by_their_own_share_link(server: Running, how: str) -> None:
    browser = await logged_in(server, "ada")
    session = (await browser.json("POST", "/api/sessions", {"command": ["cat"]}, status=201))["id"]
    path = f"/api/sessions/{session}/shares"
    code = (await browser.json("POST", path, {"role": "type", "expires": None}, status=201))["code"]
    friend = Browser(server)
    assert (await friend.enter(code)).code == 200
    socket = await friend.attach(session)
    match how:
        case "disabled":
            await server.json("PATCH", "/api/users/ada", {"disabled": True})
        case "removed":
            await server.json("DELETE", "/api/users/ada")
        case "revoked":
            await server.json("POST", "/api/auth/revoke", {"user": "ada"})
        case "demoted":
            await server.json("PATCH", "/api/users/ada", {"role": "viewer"})
        case _:
            await server.json("PATCH", "/api/users/ada", {"password": OTHER})
    assert (await socket.over())[0] == 4401
    assert (await friend.fetch("GET", f"/api/sessions/{session}")).code == 401
    assert (await Browser(server).enter(code)).code == 401


async def test_a_link_that_a_program_has_made_ends_with_its_token(server: Running) -> None:
    session = await ready(server)
    order = {"scope": ["view", "control"], "expires": 60}
    made = await server.json("POST", "/api/tokens", order, status=201)
    bot = Program(server, made["token"])
    code = (await bot.json("POST", f"/api/sessions/{session}/shares", {"expires": None}, status=201))["code"]
    (await server.attach(session)).close()
    friend = Browser(server)
    assert (await friend.enter(code)).code == 200
    socket = await friend.attach(session)
    await server.json("DELETE", f"/api/tokens/{made['id']}")
    assert (await socket.over())[0] == 4401
    assert (await Browser(server).enter(code)).code == 401
    await bot.close()


async def test_a_share_of_the_installations_secret_stands_whatever_the_account_of_that_name_is(server: Running) -> None:
    session = await ready(server)
    await account(server, server.server.context.user, "viewer")
    assert (await Browser(server).enter((await share(server, session))["code"])).code == 200


async def two_links(server: Running) -> tuple[Browser, str, str, str]:
    """(a guest of two sessions, the ids of both, that of the first one's link)"""
    first, second = await ready(server), await ready(server)
    made = await share(server, first)
    browser = Browser(server)
    await browser.enter(made["code"])
    await browser.enter((await share(server, second))["code"])
    return browser, first, second, made["id"]


async def test_events_of_a_session_end_with_the_link_to_it_though_there_is_another(server: Running) -> None:
    browser, first, second, link = await two_links(server)
    ticket = (await browser.json("POST", "/api/auth/ticket", {"permission": "view"}))["ticket"]
    heard: list[bytes] = []

    def listen(query: str, headers: dict[str, str]) -> asyncio.Task[Any]:
        streaming = server.fetch(
            "GET", f"/api/events{query}", login=False, headers=headers, streaming_callback=heard.append
        )
        return asyncio.ensure_future(streaming)

    broadcast = server.server.context.registry.events.broadcast

    async def listens() -> bool:
        return len(broadcast.listeners) == 1

    streaming = listen("", browser.headers)
    await until(listens)
    await server.json("DELETE", f"/api/sessions/{first}/shares/{link}")
    async with asyncio.timeout(5):
        await streaming
    assert heard
    later = listen(f"?ticket={ticket}", {})  # made when both links were good
    await until(listens)
    await server.json("PATCH", f"/api/sessions/{first}", {"name": "not for you"})
    await server.json("PATCH", f"/api/sessions/{second}", {"name": "for you"})

    async def told() -> bool:
        return b"for you" in b"".join(heard).replace(b"not for you", b"")

    await until(told)
    assert b"not for you" not in b"".join(heard)
    broadcast.close()
    await later


async def test_snapshots_of_a_session_end_with_the_link_to_it_though_there_is_another(server: Running) -> None:
    browser, first, _, link = await two_links(server)
    request = HTTPRequest(server.url.replace("http", "ws", 1) + "/buffers", headers=browser.headers)
    socket = Socket(await websocket_connect(request))
    await socket.send(json.dumps({"type": "subscribe", "sessionId": first}))
    await server.json("DELETE", f"/api/sessions/{first}/shares/{link}")
    async with asyncio.timeout(5):
        while await socket.connection.read_message() is not None:
            pass
    assert socket.connection.close_code == 1008
    socket.close()


async def test_a_right_to_type_given_in_a_session_ends_with_the_role(server: Running) -> None:
    session = await ready(server)
    browser = await logged_in(server, "ada")
    socket = await browser.attach(session)
    await socket.until(b"ready")
    await still_there(socket)
    mine = (await people(server, session, 1))[0]["id"]
    await server.json("PATCH", f"/api/sessions/{session}/clients/{mine}", {"writable": True})
    await server.json("PATCH", "/api/users/ada", {"role": "viewer"})
    assert [each["writable"] for each in await people(server, session, 1)] == [False]
    await (await browser.attach(session)).until(b"ready")
    assert [each["writable"] for each in await people(server, session, 2)] == [False, False]


# Keys


async def test_connections_opened_with_tokens_of_a_forgotten_key_are_closed(server: Running) -> None:
    session = await ready(server)
    bot = await program(server, "view", "type")
    holder = Program(server, (await tokens_of(server, "ada"))["token"])
    browser = await logged_in(server, "bob")
    kept = await browser.attach(session)
    ticket = (await holder.json("POST", "/api/auth/ticket", {"sessionId": session}))["ticket"]
    sockets = [await bot.attach(session), await holder.attach(session)]
    await server.json("POST", "/api/auth/rotate-keys", {"forget": True})
    for socket in sockets:
        assert (await socket.over())[0] == 4401
    assert await refused(server.attach(session, f"&ticket={ticket}", headers={})) == 401
    await kept.until(b"ready")
    await still_there(kept)
    await bot.close()
    await holder.close()


async def test_keys_that_cannot_be_forgotten_for_good_are_said_to_be(
    server: Running, expect_log: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = server.server.context.keys._file

    async def full() -> bool:
        file._changed += 1
        file._unsafe = file._changed
        return False

    monkeypatch.setattr(file, "write_or_remove", full)
    assert (await server.fetch("POST", "/api/auth/rotate-keys", {"forget": True})).code == 507


# At the same moment


async def test_a_login_made_while_access_ends_ends_too(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = await logged_in(server, "ada")
    logins = server.server.context.authority.logins
    revoke = logins.revoke

    async def slowly(login_id: str) -> bool:
        done = await revoke(login_id)
        await server.json("PATCH", "/api/users/ada", {"password": OTHER})  # in the middle of the next login
        return done

    monkeypatch.setattr(logins, "revoke", slowly)
    await browser.password("ada", PASSWORD)
    monkeypatch.undo()
    assert (await browser.fetch("GET", "/api/sessions")).code == 401
    assert await server.json("GET", "/api/logins") == []


async def test_an_account_has_no_access_while_it_is_being_removed(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = server.server.context.user  # without an account this is the owner
    browser = await logged_in(server, name, "viewer")
    users = server.server.context.authority.users
    remove, codes = users.remove, []

    async def slowly(user: str) -> None:
        await remove(user)
        codes.append((await browser.fetch("GET", "/api/users")).code)

    monkeypatch.setattr(users, "remove", slowly)
    await server.json("DELETE", f"/api/users/{name}")
    assert codes == [401]


# Counting


async def test_a_guest_named_like_a_user_takes_none_of_their_room(serve: Serve) -> None:
    server = await serve(user_clients=1)
    session = await ready(server)
    browser = await logged_in(server, "ada")
    visitor = await guest(server, session, name="ada")
    (await server.attach(session)).close()
    await (await visitor.attach(session)).until(b"ready")
    await (await browser.attach(session)).until(b"ready")
    assert await refused(visitor.attach(session)) == 429


async def test_a_guest_who_comes_again_and_again_shuts_no_client_out(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibetunnel.security.limits.EVERYBODY", 10)
    limits = Limits(server.server.settings)
    server.server.context.limits = limits
    session = await ready(server)
    code = (await share(server, session))["code"]
    browser = Browser(server)
    assert [(await browser.enter(code)).code for _ in range(15)] == [200] * 15
    assert (await Browser(server).login(server.announcement.code)).code == 200


async def test_typing_without_a_login_counts_as_a_request(serve: Serve) -> None:
    server = await serve(rate_limit_anonymous=3)
    codes = [(await server.fetch("POST", "/api/sessions/x/input", {"text": "x"}, login=False)).code for _ in range(5)]
    assert codes == [401, 401, 401, 429, 429]


# The audit


async def test_an_unknown_session_was_not_killed(server: Running, folder: Path) -> None:
    session = await ready(server)
    assert (await server.fetch("DELETE", "/api/sessions/no-such-session")).code == 404
    await server.json("DELETE", f"/api/sessions/{session}")
    assert [each["session"] for each in await audited(folder, "kill", 1)] == [session]


async def test_a_stolen_refresh_token_is_written_down_with_its_owner(server: Running, folder: Path) -> None:
    token = {"refreshToken": (await tokens_of(server, "ada"))["refreshToken"]}
    await server.json("POST", "/api/auth/refresh", token, login=False)
    assert (await server.fetch("POST", "/api/auth/refresh", token, login=False)).code == 401
    assert (await audited(folder, "login-failure", 1))[0]["account"] == "ada"


async def test_tries_of_links_that_are_too_many_are_written_down(server: Running, folder: Path) -> None:
    codes = [(await Browser(server).enter("wrong")).code for _ in range(12)]
    assert codes[-1] == 429
    tries = await audited(folder, "share-use", len(codes))
    assert {each["why"] for each in tries} == {"wrong code", "too many tries"}


# Cookies


def test_one_cookie_is_found_among_many() -> None:
    assert cookie_of("a=1; vibetunnel=x=y ;b=2", "vibetunnel") == "x=y"
    assert cookie_of("vibetunnel=1; vibetunnel=2", "vibetunnel") == "2"
    for header in ("", "vibetunnel", "xvibetunnel=1", "__Host-vibetunnel=1", "a=vibetunnel"):
        assert cookie_of(header, "vibetunnel") == "", header


def test_a_header_full_of_cookies_takes_little_time() -> None:
    header = "; ".join(f"vibetunnel{number}=1" for number in range(2000))
    began = time.perf_counter()
    for _ in range(10):
        cookie_of(header, "vibetunnel")
    assert time.perf_counter() - began < 0.1
