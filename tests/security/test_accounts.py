"""Accounts over HTTP: logging in by password and key, what each role may do, tokens, tickets, and how access ends."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from harness import Browser, Running, Serve, ready, refused, still_there, until
from principals import OTHER, PASSWORD, Program, account, logged_in, tokens_of

# Logging in


async def test_a_password_logs_a_browser_in_and_gives_a_program_tokens(server: Running) -> None:
    assert (await server.json("GET", "/api/auth/config", login=False))["passwords"] is False
    await account(server, "ada", "viewer")
    assert (await server.json("GET", "/api/auth/config", login=False))["passwords"] is True
    browser = Browser(server)
    answer = json.loads((await browser.password("ada", PASSWORD)).body)
    assert (answer["success"], answer["userId"], answer["authMethod"]) == (True, "ada", "password")
    user = await browser.user()
    assert (user["userId"], user["authenticated"], user["role"], user["scopes"]) == ("ada", True, "viewer", ["view"])
    program = Program(server, answer["token"])
    assert await program.json("GET", "/api/auth/verify") == {"valid": True, "userId": "ada"}
    refused = await program.json("GET", "/api/auth/verify", login=False, status=401)
    assert refused == {"error": "Authentication required", "valid": False}
    await program.close()


async def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(server: Running) -> None:
    await account(server, "ada")
    answers = []
    for name, password in (("ada", "wrong"), ("bob", PASSWORD), ("ada", PASSWORD[:-1])):
        response = await Browser(server).password(name, password)
        answers.append((response.code, response.body))
    assert set(answers) == {(401, b'{"error":"Invalid username or password","success":false}')}
    assert (await Browser(server).password("", PASSWORD)).code == 400


async def test_a_server_may_refuse_passwords_altogether(serve: Serve) -> None:
    server = await serve(disallow_user_password=True)
    await account(server, "ada")
    config = await server.json("GET", "/api/auth/config", login=False)
    assert (config["passwords"], config["disallowUserPassword"]) == (False, True)
    assert (await Browser(server).password("ada", PASSWORD)).code == 403


async def test_after_some_wrong_passwords_the_next_try_has_to_wait(server: Running) -> None:
    await account(server, "ada")
    codes = [(await Browser(server).password("ada", "wrong")).code for _ in range(6)]
    assert codes[0] == 401
    response = await Browser(server).password("ada", PASSWORD)
    assert response.code == 429
    assert int(response.headers["Retry-After"]) >= 1
    assert json.loads(response.body)["code"] == "rate"


async def test_a_new_login_replaces_that_of_the_browser(server: Running) -> None:
    browser = await logged_in(server, "ada")
    before = browser.cookie
    await browser.password("ada", PASSWORD)
    assert browser.cookie != before
    assert (await browser.fetch("GET", "/api/sessions")).code == 200
    browser.cookie = before
    assert (await browser.fetch("GET", "/api/sessions")).code == 401


async def test_an_ssh_key_of_an_account_logs_in(serve: Serve) -> None:
    server = await serve(enable_ssh_keys=True)
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    await account(server, "ada")
    await server.json("POST", "/api/users/ada/keys", {"key": f"{public} ada@example"}, status=201)

    async def attempt(name: str, signing: Ed25519PrivateKey) -> int:
        challenge = await server.json("POST", "/api/auth/challenge", {"userId": name}, login=False)
        body = {
            "challengeId": challenge["challengeId"],
            "publicKey": signing.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
            "signature": base64.b64encode(signing.sign(base64.b64decode(challenge["challenge"]))).decode(),
        }
        first = await server.fetch("POST", "/api/auth/ssh-key", body, login=False)
        again = await server.fetch("POST", "/api/auth/ssh-key", body, login=False)
        assert again.code == 401  # a challenge is good once
        return first.code

    assert await attempt("ada", key) == 200
    assert await attempt("bob", key) == 401
    assert await attempt("ada", Ed25519PrivateKey.generate()) == 401


async def test_ssh_keys_are_off_unless_asked_for(server: Running) -> None:
    for path, body in (
        ("/api/auth/challenge", {"userId": "ada"}),
        ("/api/auth/ssh-key", {"challengeId": "x", "publicKey": "x", "signature": "x"}),
    ):
        assert (await server.fetch("POST", path, body, login=False)).code == 403


# What a role may do


async def test_a_viewer_sees_and_changes_nothing(server: Running) -> None:
    session = await ready(server)
    await server.attach(session)
    browser = await logged_in(server, "ada", "viewer")
    assert [each["id"] for each in await browser.json("GET", "/api/sessions")] == [session]
    for method, path, body in (
        ("POST", "/api/sessions", {}),
        ("PATCH", f"/api/sessions/{session}", {"name": "x"}),
        ("DELETE", f"/api/sessions/{session}", None),
        ("POST", f"/api/sessions/{session}/input", {"text": "x"}),
        ("POST", f"/api/sessions/{session}/resize", {"rows": 9, "cols": 9}),
        ("POST", f"/api/sessions/{session}/signal", {"signal": "INT"}),
        ("POST", f"/api/sessions/{session}/shares", {}),
        ("GET", "/api/users", None),
        ("POST", "/api/users", {"name": "eve"}),
        ("POST", "/api/auth/rotate-keys", None),
    ):
        response = await browser.fetch(method, path, body)
        assert response.code == 403, path
        assert "which a viewer does not have" in json.loads(response.body)["error"]


async def test_a_viewers_socket_types_nothing(server: Running) -> None:
    session = await ready(server)
    writer = await server.attach(session)
    await writer.until(b"ready")
    browser = await logged_in(server, "ada", "viewer")
    watching = await browser.attach(session)
    await watching.until(b"ready")
    await watching.send(b"rm -rf /\n")
    await still_there(writer)
    assert b"rm" not in await watching.until(b"ping")
    assert b"rm" not in await server.output(session, b"ping")


async def test_a_viewer_starts_nothing(server: Running) -> None:
    session = await server.session(["cat"])
    browser = await logged_in(server, "ada", "viewer")
    assert (await browser.fetch("GET", f"/api/sessions/{session}/output")).body == b""
    assert await refused(browser.attach(session)) == 400
    assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "created"


async def test_a_writer_works_but_manages_no_users(server: Running) -> None:
    browser = await logged_in(server, "ada")
    session = (await browser.json("POST", "/api/sessions", {"command": ["cat"]}, status=201))["id"]
    await browser.json("POST", f"/api/sessions/{session}/input", {"text": "x"})
    assert (await browser.fetch("GET", "/api/users")).code == 403
    assert (await browser.fetch("POST", "/api/auth/revoke", {"user": "bob"})).code == 404


async def test_an_account_that_is_demoted_loses_the_keyboard_of_its_open_sockets(server: Running) -> None:
    session = await ready(server)
    browser = await logged_in(server, "ada")
    socket = await browser.attach(session)
    await socket.until(b"ready")
    await still_there(socket)
    await server.json("PATCH", "/api/users/ada", {"role": "viewer"})
    await socket.send(b"after\n")
    other = await server.attach(session)
    await other.send(b"ping\n")
    assert b"after" not in await socket.until(b"ping\r\n")


# Limits of a user


async def test_the_sessions_and_connections_of_a_user_are_bounded(serve: Serve) -> None:
    server = await serve(user_sessions=2, user_clients=1)
    browser = await logged_in(server, "ada")
    made = [await browser.json("POST", "/api/sessions", {"command": ["cat"]}, status=201) for _ in range(2)]
    assert "at most 2" in (await browser.json("POST", "/api/sessions", {}, status=429))["error"]
    await server.session(["cat"])  # others still can
    await browser.attach(made[0]["id"])
    assert await refused(browser.attach(made[0]["id"])) == 429
    await server.attach(made[0]["id"])


async def test_the_requests_of_a_user_a_minute_are_bounded(serve: Serve) -> None:
    server = await serve(rate_limit=5)
    browser = await logged_in(server, "ada")
    codes = [(await browser.fetch("GET", "/api/sessions")).code for _ in range(6)]
    assert codes[-1] == 429
    response = await browser.fetch("GET", "/api/sessions")
    assert int(response.headers["Retry-After"]) >= 1
    assert "RateLimit-Policy" in response.headers
    assert (await server.fetch("GET", "/api/sessions")).code == 200


async def test_an_address_without_a_login_has_a_hundred_requests_a_minute(server: Running) -> None:
    codes = [(await server.fetch("GET", "/api/health", login=False)).code for _ in range(101)]
    assert codes == [200] * 100 + [429]
    assert (await server.fetch("GET", "/login", login=False)).code != 429  # a page is no request of the API


# Tokens


async def test_a_token_is_refreshed_once_and_its_reuse_ends_the_login(server: Running) -> None:
    first = await tokens_of(server, "ada")
    session = await ready(server)
    second = await server.json("POST", "/api/auth/refresh", {"refreshToken": first["refreshToken"]}, login=False)
    assert second["refreshToken"] != first["refreshToken"]
    program = Program(server, second["token"])
    socket = await program.attach(session)
    await socket.until(b"ready")
    stolen = await server.fetch("POST", "/api/auth/refresh", {"refreshToken": first["refreshToken"]}, login=False)
    assert stolen.code == 401
    assert (await socket.over())[0] == 4401
    for token in (first["token"], second["token"]):
        dead = Program(server, token)
        assert (await dead.fetch("GET", "/api/sessions")).code == 401
        await dead.close()
    again = await server.fetch("POST", "/api/auth/refresh", {"refreshToken": second["refreshToken"]}, login=False)
    assert again.code == 401
    await program.close()


async def test_a_token_that_is_too_old_does_with_the_cookie_of_its_own_login(serve: Serve) -> None:
    server = await serve(access_s=5.0)
    browser = Browser(server)
    await account(server, "ada")
    token = json.loads((await browser.password("ada", PASSWORD)).body)["token"]

    async def over() -> bool:
        return (await server.fetch("GET", "/api/sessions", headers={"Authorization": f"Bearer {token}"})).code == 401

    await until(over)
    old = {"Authorization": f"Bearer {token}", "Cookie": browser.cookie}
    assert (await server.fetch("POST", "/api/sessions", {}, headers=old)).code == 201
    other = Browser(server)
    await other.password("ada", PASSWORD)
    assert (await server.fetch("GET", "/api/sessions", headers=old | {"Cookie": other.cookie})).code == 401


async def test_a_programs_token_does_what_it_is_for_until_it_is_revoked(server: Running) -> None:
    session, other = await ready(server), await ready(server)
    order = {"scope": ["view", "type"], "expires": 3600, "sessionId": session, "name": "build bot"}
    made = await server.json("POST", "/api/tokens", order, status=201)
    program = Program(server, made["token"])
    socket = await program.attach(session)
    await socket.until(b"ready")
    await still_there(socket)
    assert [each["id"] for each in await program.json("GET", "/api/sessions")] == [session]
    assert (await program.fetch("GET", f"/api/sessions/{other}")).code == 403
    assert (await program.fetch("DELETE", f"/api/sessions/{session}")).code == 403
    assert await refused(program.attach(other)) == 403
    assert [each["name"] for each in await server.json("GET", "/api/tokens")] == ["build bot"]
    await server.json("DELETE", f"/api/tokens/{made['id']}")
    assert (await socket.over())[0] == 4401
    assert (await program.fetch("GET", f"/api/sessions/{session}")).code == 401
    await program.close()


async def test_no_user_makes_a_token_with_more_rights_than_their_own(server: Running) -> None:
    browser = await logged_in(server, "ada", "viewer")
    for order in ({"scope": ["type"]}, {"scope": ["view"], "user": "root"}, {"scope": ["view", "admin"]}):
        assert (await browser.fetch("POST", "/api/tokens", {"expires": 60, **order})).code == 403
    made = await browser.json("POST", "/api/tokens", {"expires": 60, "scope": ["view"]}, status=201)
    assert made["user"] == "ada"


async def test_new_keys_log_no_user_out(server: Running) -> None:
    old = await tokens_of(server, "ada")
    await server.json("POST", "/api/auth/rotate-keys")
    new = await server.json("POST", "/api/auth/refresh", {"refreshToken": old["refreshToken"]}, login=False)
    kids = set()
    for token in (old["token"], new["token"]):
        program = Program(server, token)
        assert (await program.fetch("GET", "/api/sessions")).code == 200
        await program.close()
        kids.add(token.partition(".")[0])
    assert len(kids) == 2


async def test_tokens_and_logins_survive_a_restart(serve: Serve) -> None:
    first = await serve()
    browser = await logged_in(first, "ada")
    made = await first.json("POST", "/api/tokens", {"expires": 60, "scope": ["view"]}, status=201)
    await first.close()
    second = await serve()
    browser.server = second
    assert (await browser.fetch("GET", "/api/sessions")).code == 200
    program = Program(second, made["token"])
    assert (await program.fetch("GET", "/api/sessions")).code == 200
    await program.close()


# Tickets


async def test_a_ticket_lets_one_socket_in(server: Running) -> None:
    session = await ready(server)
    browser = await logged_in(server, "ada")
    order = {"sessionId": session, "permission": "view"}
    ticket = (await browser.json("POST", "/api/auth/ticket", order))["ticket"]
    await (await server.attach(session)).until(b"ready")  # who may only see starts nothing
    socket = await server.attach(session, f"&ticket={ticket}", headers={})
    await socket.until(b"ready")
    await socket.send(b"typed\n")
    other = await server.attach(session)
    await still_there(other)
    assert b"typed" not in await server.output(session, b"ping")
    assert await refused(server.attach(session, f"&ticket={ticket}", headers={})) == 401


async def test_a_ticket_is_for_its_session_alone(server: Running) -> None:
    session, other = await ready(server), await ready(server)
    ticket = (await server.json("POST", "/api/auth/ticket", {"sessionId": session}))["ticket"]
    assert await refused(server.attach(other, f"&ticket={ticket}", headers={})) == 401


async def test_a_token_in_an_address_counts_only_if_a_setting_allows_it(serve: Serve) -> None:
    server = await serve()
    session = await ready(server)
    token = (await tokens_of(server, "ada"))["token"]
    assert await refused(server.attach(session, f"&token={token}", headers={})) == 401
    await server.close()
    server = await serve(token_in_url=True)
    socket = await server.attach(session, f"&token={token}", headers={})
    await socket.until(b"ready")
    assert (await server.fetch("GET", f"/api/sessions?token={token}", login=False)).code == 401


# How access ends


@pytest.mark.parametrize("how", ["user revoked", "disabled", "removed", "password changed", "login revoked"])
async def test_whatever_ends_access_closes_the_open_sockets(server: Running, how: str) -> None:
    session = await ready(server)
    browser = await logged_in(server, "ada")
    bystander = await logged_in(server, "bob")
    sockets = [await each.attach(session) for each in (browser, bystander)]
    for socket in sockets:
        await socket.until(b"ready")
    streaming = asyncio.ensure_future(browser.fetch("GET", "/api/events"))
    match how:
        case "user revoked":
            await server.json("POST", "/api/auth/revoke", {"user": "ada"})
        case "disabled":
            await server.json("PATCH", "/api/users/ada", {"disabled": True})
        case "removed":
            await server.json("DELETE", "/api/users/ada")
        case "password changed":
            await server.json("PATCH", "/api/users/ada", {"password": OTHER})
        case _:
            logins = await server.json("GET", "/api/logins")
            login = next(each["id"] for each in logins if each["user"] == "ada")
            await server.json("POST", "/api/auth/revoke", {"login": login})
    assert (await sockets[0].over())[0] == 4401
    await streaming
    assert (await browser.fetch("GET", "/api/sessions")).code == 401
    await still_there(sockets[1])


async def test_an_idle_login_ends_and_an_open_socket_keeps_it(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await serve(login_idle_s=60.0)
    session = await ready(server)
    logins = server.server.context.authority.logins
    now = [logins._clock()]  # the test's own hand on the clock
    monkeypatch.setattr(logins, "_clock", lambda: now[0])
    busy, idle = await logged_in(server, "ada"), await logged_in(server, "bob")
    socket = await busy.attach(session)
    await socket.until(b"ready")
    now[0] += 40
    server.server.attachments.review()
    now[0] += 40
    assert (await idle.fetch("GET", "/api/sessions")).code == 401
    assert (await busy.fetch("GET", "/api/sessions")).code == 200


async def test_a_login_that_is_too_old_takes_its_sockets_along(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await serve(login_max_s=3600.0)
    session = await ready(server)
    browser = await logged_in(server, "ada")
    socket = await browser.attach(session)
    await socket.until(b"ready")
    logins = server.server.context.authority.logins
    later = logins._clock() + 3601
    monkeypatch.setattr(logins, "_clock", lambda: later)
    assert await socket.over() == (4401, "access has ended")


async def test_logging_out_clears_the_browsers_data(server: Running) -> None:
    browser = await logged_in(server, "ada")
    response = await browser.fetch("POST", "/api/auth/logout")
    assert response.code == 200
    assert '"storage"' in response.headers["Clear-Site-Data"]
    assert json.loads(response.body)["message"] == "Logged out successfully"
