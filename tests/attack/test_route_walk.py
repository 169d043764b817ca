"""Attacks on every route: without a login, and with every credential that allows too little."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, NamedTuple

import pytest
from attacker import PASSWORD, SOCKETS, STREAMS, Target, filled, opened
from harness import DEADLINE_S
from v3_client import ERROR, EVENT, EVENTS, KEY, KILL, OUTPUT, RESET_SIZE, RESIZE, SCREEN, SUBSCRIBE, TEXT, v3

pytestmark = pytest.mark.attack

VIEW, TYPE, CONTROL, ADMIN, LOGIN, OPEN = "view", "type", "control", "admin", "login", "open"
FILES, STORE = "files", "files and control"
FULL = "a full login"  # for routes that create credentials: refused to every restricted credential
METHODS = ("get", "post", "put", "patch", "delete")
SESSION = "/api/sessions/{session_id}"

# Reviewed, not derived from the product: the right that a route needs. `OPEN` ones tell nothing of sessions or users.
NEEDS = {
    ("GET", "/api/health"): OPEN,
    ("GET", "/health"): OPEN,
    ("GET", "/api/auth/config"): OPEN,
    ("GET", "/api/auth/current-user"): OPEN,
    ("GET", "/api/auth/avatar/{user_id}"): OPEN,
    ("POST", "/api/auth/code"): OPEN,
    ("POST", "/api/auth/password"): OPEN,
    ("POST", "/api/auth/login"): OPEN,
    ("POST", "/api/auth/challenge"): OPEN,
    ("POST", "/api/auth/ssh-key"): OPEN,
    ("POST", "/api/auth/refresh"): OPEN,
    ("POST", "/api/auth/share"): OPEN,
    ("GET", "/api/auth/verify"): LOGIN,
    ("GET", "/api/openapi.json"): LOGIN,
    ("POST", "/api/auth/logout"): LOGIN,
    ("POST", "/api/auth/ticket"): LOGIN,
    ("POST", "/api/auth/link"): FULL,
    ("POST", "/api/auth/revoke"): VIEW,
    ("GET", "/api/logins"): VIEW,
    ("GET", "/api/tokens"): VIEW,
    ("POST", "/api/tokens"): VIEW,
    ("DELETE", "/api/tokens/{token_id}"): VIEW,
    ("POST", "/api/auth/rotate-keys"): ADMIN,
    ("GET", "/api/users"): ADMIN,
    ("POST", "/api/users"): ADMIN,
    ("PATCH", "/api/users/{name}"): ADMIN,
    ("DELETE", "/api/users/{name}"): ADMIN,
    ("POST", "/api/users/{name}/keys"): ADMIN,
    ("DELETE", "/api/users/{name}/keys/{fingerprint}"): ADMIN,
    ("GET", "/api/config"): VIEW,
    ("PUT", "/api/config"): VIEW,
    ("GET", "/api/server/status"): VIEW,
    ("GET", "/metrics"): VIEW,
    ("GET", "/api/sessions"): VIEW,
    ("POST", "/api/sessions"): CONTROL,
    ("POST", "/api/cleanup-exited"): CONTROL,
    ("GET", SESSION): VIEW,
    ("PATCH", SESSION): CONTROL,
    ("DELETE", SESSION): CONTROL,
    ("DELETE", f"{SESSION}/cleanup"): CONTROL,
    ("POST", f"{SESSION}/input"): TYPE,
    ("POST", f"{SESSION}/resize"): TYPE,
    ("POST", f"{SESSION}/signal"): TYPE,
    ("GET", f"{SESSION}/output"): VIEW,
    ("GET", f"{SESSION}/text"): VIEW,
    ("GET", f"{SESSION}/html"): VIEW,
    ("GET", f"{SESSION}/screen"): VIEW,
    ("GET", f"{SESSION}/pictures/{{key}}"): VIEW,
    ("GET", f"{SESSION}/snapshot"): VIEW,
    ("GET", f"{SESSION}/buffer"): VIEW,
    ("GET", f"{SESSION}/commands"): VIEW,
    ("POST", f"{SESSION}/wait"): VIEW,
    ("GET", f"{SESSION}/shares"): CONTROL,
    ("POST", f"{SESSION}/shares"): CONTROL,
    ("DELETE", f"{SESSION}/shares/{{share_id}}"): CONTROL,
    ("GET", f"{SESSION}/clients"): VIEW,
    ("PATCH", f"{SESSION}/clients/{{client_id}}"): CONTROL,
    ("DELETE", f"{SESSION}/clients/{{client_id}}"): CONTROL,
    ("GET", f"{SESSION}/git-status"): VIEW,
    ("GET", "/api/git/repo-info"): FILES,
    ("GET", "/api/git/status"): FILES,
    ("GET", "/api/git/repository-info"): FILES,
    ("GET", "/api/git/changes"): FILES,
    ("GET", "/api/git/diff"): FILES,
    ("GET", "/api/git/remote"): FILES,
    ("GET", "/api/git/branches"): FILES,
    ("GET", "/api/git/follow"): FILES,
    ("POST", "/api/git/checkout"): STORE,
    ("POST", "/api/git/event"): STORE,
    ("GET", "/api/git/notifications"): FILES,
    ("GET", "/api/repositories"): FILES,
    ("GET", "/api/repositories/discover"): FILES,
    ("GET", "/api/repositories/branches"): FILES,
    ("GET", "/api/worktrees"): FILES,
    ("POST", "/api/worktrees"): STORE,
    ("POST", "/api/worktrees/prune"): STORE,
    ("POST", "/api/worktrees/follow"): STORE,
    ("DELETE", "/api/worktrees/{branch}"): STORE,
    ("GET", "/ws"): VIEW,
    ("GET", "/buffers"): VIEW,
    ("GET", "/api/events"): VIEW,
    ("GET", f"{SESSION}/stream"): VIEW,
    ("POST", f"{SESSION}/reset-size"): TYPE,
    ("GET", "/ws/input"): TYPE,
    ("GET", "/api/control/stream"): VIEW,
    ("GET", "/api/fs/browse"): FILES,
    ("GET", "/api/fs/completions"): FILES,
    ("GET", "/api/fs/preview"): FILES,
    ("GET", "/api/fs/content"): FILES,
    ("GET", "/api/fs/raw"): FILES,
    ("PUT", "/api/fs/raw"): STORE,
    ("GET", "/api/fs/archive"): FILES,
    ("GET", "/api/fs/diff"): FILES,
    ("GET", "/api/fs/diff-content"): FILES,
    ("POST", "/api/fs/mkdir"): STORE,
    ("POST", "/api/fs/uploads"): STORE,
    ("GET", "/api/fs/uploads/{upload_id}"): STORE,
    ("PUT", "/api/fs/uploads/{upload_id}"): STORE,
    ("DELETE", "/api/fs/uploads/{upload_id}"): STORE,
    ("POST", "/api/files/upload"): STORE,
    ("GET", "/api/files"): FILES,
    ("GET", "/api/files/{filename}"): FILES,
    ("DELETE", "/api/files/{filename}"): STORE,
    ("GET", "/api/filesystem/ls"): FILES,
    ("GET", "/api/filesystem/download/{path}"): FILES,
    ("POST", "/api/filesystem/upload"): STORE,
    ("POST", "/api/filesystem/mkdir"): STORE,
    ("DELETE", "/api/filesystem/rm"): STORE,
    ("GET", "/api/sessions/activity"): VIEW,
    ("GET", f"{SESSION}/activity"): VIEW,
    ("GET", "/api/sessions/tailscale/status"): LOGIN,
    ("POST", "/api/events/test"): ADMIN,
    ("GET", "/api/multiplexer/status"): CONTROL,
    ("GET", "/api/multiplexer/context"): CONTROL,
    ("POST", "/api/multiplexer/sessions"): CONTROL,
    ("POST", "/api/multiplexer/attach"): CONTROL,
    ("GET", "/api/multiplexer/tmux/sessions/{name}/windows"): CONTROL,
    ("GET", "/api/multiplexer/tmux/sessions/{name}/panes"): CONTROL,
    ("DELETE", "/api/multiplexer/tmux/sessions/{name}/windows/{window}"): CONTROL,
    ("DELETE", "/api/multiplexer/tmux/sessions/{name}/panes/{pane}"): CONTROL,
    ("DELETE", "/api/multiplexer/{kind}/sessions/{name}"): CONTROL,
    ("GET", "/api/tmux/available"): CONTROL,
    ("GET", "/api/tmux/context"): CONTROL,
    ("GET", "/api/tmux/sessions"): CONTROL,
    ("POST", "/api/tmux/sessions"): CONTROL,
    ("POST", "/api/tmux/attach"): CONTROL,
    ("GET", "/api/tmux/sessions/{name}/windows"): CONTROL,
    ("GET", "/api/tmux/sessions/{name}/panes"): CONTROL,
    ("POST", "/api/tmux/sessions/{name}/send"): CONTROL,
    ("DELETE", "/api/tmux/sessions/{name}"): CONTROL,
    ("POST", "/api/logs/client"): LOGIN,
    ("GET", "/api/logs"): ADMIN,
    ("GET", "/api/logs/info"): ADMIN,
    ("GET", "/api/logs/raw"): ADMIN,
    ("DELETE", "/api/logs/clear"): ADMIN,
    ("POST", "/api/logs/flush"): ADMIN,
    ("GET", "/api/push/vapid-public-key"): VIEW,
    ("POST", "/api/push/subscribe"): VIEW,
    ("POST", "/api/push/unsubscribe"): VIEW,
    ("POST", "/api/push/test"): VIEW,
    ("GET", "/api/push/status"): VIEW,
    ("POST", "/api/test-notification"): VIEW,
}

HAS = {  # full logins have these as well
    "viewer": {VIEW, LOGIN, FULL},
    "writer": {VIEW, TYPE, CONTROL, FILES, STORE, LOGIN, FULL},
    "owner": {VIEW, TYPE, CONTROL, ADMIN, FILES, STORE, LOGIN, FULL},
    "token-view": {VIEW, LOGIN},
    "token-type": {TYPE, LOGIN},
    "token-control": {CONTROL, LOGIN},
    "token-admin": {ADMIN, LOGIN},
    "token-files": {FILES, LOGIN},
}
HARMLESS = {"/api/cleanup-exited", "/api/auth/logout", "/api/auth/rotate-keys", "/api/auth/link", "/api/auth/ticket"}


class Reply(NamedTuple):
    code: int
    body: bytes


async def operations(target: Target) -> list[tuple[str, str, dict[str, Any]]]:
    paths = (await target.json("GET", "/api/openapi.json"))["paths"]
    return [
        (method.upper(), path, each[method]) for path, each in paths.items() for method in each if method in METHODS
    ]


async def ask(
    target: Target, method: str, path: str, operation: dict[str, Any], headers: dict[str, str], session: str = "x"
) -> Reply:
    """Send a body of the wrong kind: an authorized request gets a 400 and changes nothing."""
    full = filled(path, session_id=session, name="no-such-name")
    if path in (*SOCKETS, *STREAMS):
        return Reply(await target.upgrade(opened(path, session), headers), b"")
    body = b"[]" if "requestBody" in operation else None
    response = await target.fetch(method, full, body, login=False, headers=headers)
    return Reply(response.code, response.body)


async def test_every_route_is_in_the_reviewed_table(target: Target) -> None:
    """CWE-1059: a new route must be reviewed and added here."""
    assert {(method, path) for method, path, _ in await operations(target)} == set(NEEDS)


WRONG = [
    {},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer wrong"},
    {"Authorization": "Bearer null"},
    {"Authorization": "Bearer undefined"},
    {"Authorization": "Basic cm9vdDpyb290"},
    {"Authorization": ""},
    {"Cookie": "vibetunnel=x; __Host-vibetunnel=x"},
    {"Cookie": "vibetunnel=; __Host-vibetunnel="},
    {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"},
    {"Tailscale-User-Login": "root@example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"},
    {"X-VibeTunnel-Local": "1", "Remote-User": "root", "X-Forwarded-User": "root", "X-WEBAUTH-USER": "root"},
]


async def test_missing_authentication(target: Target) -> None:
    """CWE-306 (CVE-2026-39987: a terminal's WebSocket without the check that all other routes had): every route,
    method and socket, without a login."""
    session = await target.session(["cat"])
    known = await operations(target)
    for headers, (method, path, operation) in ((headers, each) for headers in WRONG for each in known):
        if NEEDS[method, path] == OPEN:
            continue
        for at in (session, "x"):
            response = await ask(target, method, path, operation, headers, at)
            assert response.code == 401, (method, path, headers)
    sessions = await target.json("GET", "/api/sessions")
    assert [each["status"] for each in sessions if each["id"] == session] == ["created"]


async def test_methods_that_no_route_has(target: Target) -> None:
    """CWE-650, CWE-749: a method that is not in the table does nothing and tells nothing."""
    paths = {path for _, path, _ in await operations(target)}
    methods = ("OPTIONS", "PUT", "PATCH", "DELETE", "POST", "TRACE", "CONNECT", "PROPFIND", "GARBAGE")
    for method, path in ((method, path) for method in methods for path in paths):
        if (method, path) not in NEEDS:
            answers = await target.say(target.request(method, filled(path), "Connection: close", "Content-Length: 0"))
            assert [answer.status in (400, 401, 403, 404, 405, 501) for answer in answers] in ([], [True]), path
            assert all(b"sessions" not in answer.body for answer in answers)


async def test_addresses_that_almost_are_a_route(target: Target) -> None:
    """CWE-22, CWE-425, CWE-178: no other spelling of a route's address bypasses its check."""
    for path in (
        "//api/sessions",
        "/api//sessions",
        "/api/sessions/",
        "/api/./sessions",
        "/api/x/../sessions",
        "/API/sessions",
        "/api/Sessions",
        "/api/sessions;x",
        "/api/sessions%2f",
        "/api%2fsessions",
        "/%61pi/sessions",
        "/api/sessions%00",
        "/api/sessions%20",
        "/api/sessions.json",
        "/api/sessions/.",
        "/api/auth/../sessions",
        "/api/auth/config/../../sessions",
        "/login/../api/sessions",
        "/assets/../api/sessions",
        "/health/../metrics",
        "/api/sessions?token=x",
        "/api/sessions#",
        "\\api\\sessions",
    ):
        answers = await target.say(target.request("GET", path, "Connection: close"))
        for answer in answers:
            assert answer.status in (400, 401, 403, 404) or b"<html" in answer.body, (path, answer)
            assert b'"command"' not in answer.body


@pytest.mark.parametrize("who", HAS)
async def test_missing_authorization(target: Target, who: str) -> None:
    """CWE-862, CWE-863: every route, with each role and with each scope of a program's token."""
    headers = await target.headers(who)
    own = {"login": False, "headers": headers} if CONTROL in HAS[who] else {}
    session = (await target.json("POST", "/api/sessions", {"command": ["cat"]}, status=201, **own))["id"]
    for method, path, operation in await operations(target):
        needs = NEEDS[method, path]
        if needs == OPEN or path == "/api/auth/logout":
            continue
        for at in (session, "x"):
            if needs in HAS[who] and not operation.get("requestBody") and method != "GET" and at == session:
                continue  # authorized
            response = await ask(target, method, path, operation, headers, at)
            if needs in HAS[who]:
                assert response.code not in (401, 403), (method, path, response.code)
            else:
                assert response.code == 403, (method, path, response.code)
    assert session in {each["id"] for each in await target.json("GET", "/api/sessions")}


@pytest.mark.parametrize("who", ["guest-view", "guest-type", "token-session"])
async def test_one_session_only(target: Target, who: str) -> None:
    """CWE-639 (IDOR), CWE-862: a guest of one session reaches no other session, and no route about all sessions."""
    own, other = await target.session(["cat"]), await target.session(["cat"], name="secret-name-of-another")
    headers = await target.headers(who, own)
    may = {VIEW, LOGIN} | ({TYPE} if who != "guest-view" else set())
    # Each shows only their own.
    lists = {("GET", path) for path in ("/api/sessions", "/api/sessions/activity", "/api/events", "/buffers")}
    for method, path, operation in await operations(target):
        needs = NEEDS[method, path]
        if needs == OPEN or path == "/api/auth/logout":
            continue
        of_session = "{session_id}" in path or path in ("/ws", "/ws/input")
        if not of_session:
            response = await ask(target, method, path, operation, headers)
            if needs == LOGIN or (method, path) in lists:
                assert response.code != 401, path
                assert other.encode() not in response.body, path
            else:
                assert response.code == 403, (method, path, response.code)
            continue
        response = await ask(target, method, path, operation, headers, other)
        assert response.code in (403, 404), (method, path, response.code)
        assert b"secret-name-of-another" not in response.body
        response = await ask(target, method, path, operation, headers, own)
        if needs in may:
            assert response.code not in (401, 403), (method, path, response.code)
        else:
            assert response.code == 403, (method, path, response.code)
    listed = await target.json("GET", "/api/sessions", login=False, headers=headers)
    assert [each["id"] for each in listed] == [own]


async def test_a_guest_subscribes_to_nothing_else(target: Target) -> None:
    """CWE-639: each session id in a message to /buffers is checked."""
    own, other = await target.session(["cat"]), await target.session(["sh", "-c", "echo hidden; cat"])
    await target.json("POST", f"/api/sessions/{other}/input", {"text": "x"})
    await target.output(other, b"hidden")
    guest = await target.guest(own, "view")
    from harness import Socket
    from tornado.httpclient import HTTPRequest
    from tornado.websocket import websocket_connect

    request = HTTPRequest(target.url.replace("http", "ws", 1) + "/buffers", headers=guest.own, **target.options)
    socket = Socket(await websocket_connect(request))
    for each in (other, own):
        socket.connection.write_message(json.dumps({"type": "subscribe", "sessionId": each}))
    seen = []
    while not any(own in str(message) and "subscribed" in str(message) for message in seen):
        message = await socket.connection.read_message()
        assert message is not None
        seen.append(message)
    assert not any(other in str(message) and "subscribed" in str(message) for message in seen)
    # A snapshot of the other session would have its cells; an empty screen has none.
    assert not any(isinstance(message, bytes) and b"h\x00\x00\x00i" in message for message in seen)
    socket.close()
    await socket.over()


async def test_a_guest_subscribes_to_nothing_else_on_a_v3_socket(target: Target) -> None:
    """CWE-639: each session id in a message of a v3 socket is checked, in both directions."""
    own, other = await target.session(["cat"]), await target.session(["sh", "-c", "echo hidden; cat"])
    await target.json("POST", f"/api/sessions/{other}/input", {"text": "x"})
    await target.output(other, b"hidden")
    guest = await target.guest(own, "view")
    async with v3(target, headers=guest.own) as client:
        for kind, payload in (
            *((SUBSCRIBE, bytes((flags, 0, 0, 0)) + b"\0" * 8) for flags in (OUTPUT, SCREEN, EVENTS, 7)),
            *((TEXT, b"x"), (KEY, b"enter"), (RESIZE, b"\x50\0\0\0\x18\0\0\0"), (RESET_SIZE, b""), (KILL, b"")),
        ):
            await client.say(kind, other, payload)
            frame = await client.frame()
            assert (frame.kind, frame.session) == (ERROR, other), kind
        await client.subscribe("", EVENTS)
        await client.next(EVENT, "")
        await target.json("DELETE", f"/api/sessions/{other}")
        await client.settled()
        assert not any(frame.session == other for frame in client.seen)


async def test_a_guest_hears_of_nothing_else(target: Target) -> None:
    """CWE-639: the socket of events tells a guest of the own session alone."""
    own, other = await target.session(["cat"]), await target.session(["cat"])
    guest = await target.guest(own, "view")
    async with target.upgraded("/api/events", guest.own) as wire:
        await target.json("PATCH", f"/api/sessions/{other}", {"name": "hidden"})
        await target.json("PATCH", f"/api/sessions/{own}", {"name": "shown"})
        async with asyncio.timeout(DEADLINE_S):
            heard = await wire.reader.readuntil(b"shown")
    assert b"hidden" not in heard


async def test_a_guest_with_the_name_of_a_user_is_a_guest(target: Target) -> None:
    """CWE-290, CWE-863: the name on a share link is a label, not an account."""
    victim = await target.user("writer")
    name = (await target.json("GET", "/api/auth/current-user", login=False, headers=victim.own))["userId"]
    session = await target.session(["cat"])
    code = (await target.share(session, role="type", name=name))["code"]
    guest = target.browser()
    assert (await guest.fetch("POST", "/api/auth/share", {"code": code})).code == 200
    for method, path, body in (
        ("POST", "/api/auth/revoke", {"user": name}),
        ("POST", "/api/auth/link", None),
        ("GET", "/api/logins", None),
        ("GET", "/api/tokens", None),
        ("POST", "/api/tokens", {"scope": ["view"], "expires": 60}),
        ("POST", f"/api/sessions/{session}/shares", {}),
    ):
        response = await guest.fetch(method, path, body)
        assert response.code == 403 or json.loads(response.body) == [], (method, path, response.body)
    assert (await victim.fetch("GET", "/api/sessions")).code == 200


async def test_a_token_gets_nothing_that_it_has_not(target: Target) -> None:
    """CWE-269: a restricted token creates no login, and no token with more rights or a later expiry."""
    narrow = {"Authorization": f"Bearer {await target.api_token('view', expires=60)}"}
    for path, body in (
        ("/api/auth/link", None),
        ("/api/tokens", {"scope": ["view", "type"], "expires": 60}),
        ("/api/tokens", {"scope": ["admin"], "expires": 60}),
        ("/api/tokens", {"scope": ["view"], "expires": 86400 * 300}),
        ("/api/tokens", {"scope": ["view"], "expires": 60, "user": "somebody"}),
    ):
        response = await target.fetch("POST", path, body, login=False, headers=narrow)
        assert response.code in (400, 403), (path, body, response.body)


async def test_a_user_cannot_raise_itself(target: Target) -> None:
    """CWE-269: no writer becomes an owner, with any field in any request."""
    writer = await target.user("writer")
    name = (await target.json("GET", "/api/auth/current-user", login=False, headers=writer.own))["userId"]
    for method, path, body in (
        ("PATCH", f"/api/users/{name}", {"role": "owner"}),
        ("POST", "/api/users", {"name": "mallory", "role": "owner", "password": PASSWORD}),
        ("POST", "/api/tokens", {"scope": ["admin"], "expires": 60}),
        ("POST", "/api/tokens", {"scope": ["view"], "expires": 60, "user": "root"}),
    ):
        assert (await writer.fetch(method, path, body)).code == 403, path
    user = await target.json("GET", "/api/auth/current-user", login=False, headers=writer.own)
    assert (user["role"], set(user["scopes"])) == ("writer", {"view", "type", "control", "files"})


async def test_one_user_is_not_another(target: Target) -> None:
    """CWE-639: a user who is not an owner does not see the logins, tokens and links of others."""
    victim, other = await target.user("writer"), await target.user("writer")
    name = (await target.json("GET", "/api/auth/current-user", login=False, headers=victim.own))["userId"]
    made = json.loads((await victim.fetch("POST", "/api/tokens", {"scope": ["view"], "expires": 60})).body)
    session = json.loads((await victim.fetch("POST", "/api/sessions", {"command": ["cat"]})).body)["id"]
    login = next(each for each in await target.json("GET", "/api/logins") if each["user"] == name)
    for method, path, body in (
        ("POST", "/api/auth/revoke", {"user": name}),
        ("POST", "/api/auth/revoke", {"login": login["id"]}),
        ("POST", "/api/auth/revoke", {"token": made["id"]}),
        ("POST", "/api/auth/revoke", {"token": made["token"]}),
        ("DELETE", f"/api/tokens/{made['id']}", None),
        ("POST", f"/api/sessions/{session}/shares", {}),
        ("GET", f"/api/sessions/{session}/shares", None),
    ):
        assert (await other.fetch(method, path, body)).code in (403, 404), (path, body)
    for path in ("/api/logins", "/api/tokens"):
        found = json.loads((await other.fetch("GET", path)).body)
        assert name not in {each["user"] for each in found}
    bearer = {"Authorization": f"Bearer {made['token']}"}
    assert (await target.fetch("GET", "/api/sessions", login=False, headers=bearer)).code == 200
    assert (await victim.fetch("GET", "/api/sessions")).code == 200


async def test_a_share_is_for_viewing_unless_typing_is_asked_for(target: Target) -> None:
    """CVE-2021-34182 (ttyd: writable by default): a link without a role, or a wrong one, does not give the keyboard."""
    session = await target.session(["cat"])
    made = await target.share(session)
    assert made["role"] == "view"
    guest = target.browser()
    entered = json.loads((await guest.fetch("POST", "/api/auth/share", {"code": made["code"]})).body)
    assert entered["role"] == "view"
    assert (await guest.fetch("POST", f"/api/sessions/{session}/input", {"text": "x"})).code == 403
    for role in ("", "TYPE", "type ", "owner", "control", "admin", "view,type", 1, True, ["type"], {"type": True}):
        response = await target.fetch("POST", f"/api/sessions/{session}/shares", {"role": role})
        assert response.code == 400, role
    # A misspelt field is refused: guests would get other rights than the owner means.
    for misspelt in ({"Role": "type"}, {"permission": "type"}, {"role": "type", "use": 1}, {"expire": 60}):
        response = await target.fetch("POST", f"/api/sessions/{session}/shares", misspelt)
        assert response.code == 400, misspelt
    assert (await target.share(session))["role"] == "view"


async def test_a_token_and_an_account_have_no_more_than_was_asked_for(target: Target) -> None:
    """CWE-276, CVE-2021-34182: a token needs a scope, and an account is an owner only if its creator says so."""
    for scope in (None, [], ["all"], "view", ["view", ""], ["*"]):
        body = {"expires": 60} | ({} if scope is None else {"scope": scope})
        response = await target.fetch("POST", "/api/tokens", body)
        made = json.loads(response.body)
        assert response.code == 400 or made["scope"] == [], (scope, made)
    account = await target.json("POST", "/api/users", {"name": "attack-default", "password": PASSWORD}, status=201)
    assert account["role"] != "owner"
    await target.json("DELETE", "/api/users/attack-default")


async def test_errors_tell_nothing_about_the_server(target: Target) -> None:
    """CWE-209, CWE-200: no error shows a traceback, path, version or secret."""
    for path in ("/api/nope", "/api/sessions/x", "/nope", "/api/auth/code", "/ws", "/%ff", "/api/sessions/%ff"):
        for method in ("GET", "POST"):
            for login in (True, False):
                response = await target.fetch(method, path, b"{" if method == "POST" else None, login=login)
                assert not re.search(rb"Traceback|\.py\b|site-packages|Tornado|/home|/usr|/tmp", response.body)
                assert target.secret.encode() not in response.body
                assert "Server" not in response.headers
