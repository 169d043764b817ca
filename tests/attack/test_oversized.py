"""Attacks by size and number: of headers, bodies, nesting, names, sessions, connections and keys."""

from __future__ import annotations

import json
import resource

import pytest
from attacker import PASSWORD, Target, aim
from harness import WEBSOCKET, Serve, no_more

pytestmark = pytest.mark.attack

MAX_BODY = 1024 * 1024
GIGABYTE = 1 << 30


@pytest.mark.parametrize(("path", "lines"), [
    ("/" + "x" * 70_000, []),
    ("/api/health?" + "x=1&" * 30_000, []),
    ("/api/health", ["X: " + "x" * 70_000]),
    ("/api/health", [f"X{number}: y" for number in range(10_000)]),
    ("/api/health", ["X: y"] * 10_000),
    ("/api/health", ["X: y"] * 2000),
    ("/api/health", ["Cookie: " + "; ".join(f"c{number}=v" for number in range(10_000))]),
    ("/api/health", ["x" * 70_000 + ": y"]),
    ("/api/sessions", ["Authorization: Bearer " + "x" * 70_000]),
], ids=lambda value: str(value)[:40])  # fmt: skip
async def test_oversized_headers(target: Target, path: str, lines: list[str]) -> None:
    """CWE-770, CWE-400, RFC 9110 §5.4: refused or disconnected, and never held whole in memory."""
    answers = await target.say(target.request("GET", path, *lines, "Connection: close"))
    assert all(answer.status >= 400 for answer in answers), answers
    assert (await target.fetch("GET", "/api/health")).code == 200


async def test_headers_without_end(target: Target) -> None:
    """CWE-770: a header that never ends ends the connection."""
    async with target.connected() as wire:
        await wire.send(target.request("GET", "/api/health")[:-2])
        for _ in range(4000):  # 4 MB
            await wire.send(b"X: " + b"x" * 1000 + b"\r\n")
            if wire.gone:
                break
        got = await wire.over()
    assert got == b"" or got.startswith(b"HTTP/1.1 4")


@pytest.mark.parametrize("login", [True, False])
async def test_oversized_bodies(target: Target, login: bool) -> None:
    """CWE-770: more than a megabyte is refused, announced or not, on every kind of route."""
    body = b'{"code": "' + b"A" * MAX_BODY + b'"}'
    for path in ("/api/auth/code", "/api/auth/password", "/api/sessions", "/api/nope", "/", "/metrics"):
        response = await target.fetch("POST", path, body, login=login)
        assert response.code in (401, 404, 405, 413), (path, response.code)
    chunk = b"10000\r\n" + b"A" * 65536 + b"\r\n"
    lines = ["Content-Type: application/json", "Transfer-Encoding: chunked", "Connection: close"]
    async with target.connected() as wire:
        await wire.send(target.request("POST", "/api/auth/code", *lines))
        for _ in range(2000):  # up to 128 MB
            await wire.send(chunk)
            if wire.gone:
                break
        assert not (await wire.over()).startswith(b"HTTP/1.1 2")


@pytest.mark.parametrize("length", [str(GIGABYTE), str(1 << 62), str(1 << 64), "9" * 4000])
async def test_a_body_that_is_only_announced(target: Target, length: str) -> None:
    """CWE-789: an announced length alone costs no memory."""
    lines = ["Content-Type: application/json", f"Content-Length: {length}"]
    async with target.connected() as wire:
        await wire.send(target.request("POST", "/api/auth/code", *lines) + b"{")
        answer = await wire.answer()
    assert answer is None or answer.status in (400, 413)


async def test_bodies_that_are_held_back(target: Target) -> None:
    """CWE-770: 200 bodies without their last byte are not all held; other clients are served."""
    lines = ["Content-Type: application/json", f"Content-Length: {MAX_BODY}"]
    wires = [await target.wire() for _ in range(200)]
    try:
        for wire in wires:
            await wire.send(target.request("POST", "/api/auth/code", *lines) + b"A" * (MAX_BODY - 1))
        assert (await target.fetch("GET", "/api/sessions")).code == 200
    finally:
        for wire in wires:
            wire.writer.transport.abort()


DEEP = 100_000


BODIES = [
    b"[" * DEEP + b"]" * DEEP,
    b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    b'{"rows":' + b"9" * 500_000 + b"}",
    b'{"rows":1e' + b"9" * 1000 + b"}",
    b'{"rows":-0.' + b"0" * 500_000 + b"1}",
    b"{" + b",".join(b'"k%d":1' % number for number in range(50_000)) + b"}",
    b'{"env":{' + b",".join(b'"k%d":"v"' % number for number in range(50_000)) + b"}}",
    b'{"command":[' + b",".join([b'"x"'] * 200_000) + b"]}",
    b'{"command":["/bin/true","' + b"x" * 900_000 + b'"]}',
    b'{"name":"' + b"x" * 900_000 + b'"}',
    b'{"name":"' + b"\\u0000" * 100_000 + b'"}',
    b'{"name":"\\ud800"}',
    b'{"name":"' + "﷽".encode() * 200 + b'"}',
    b'{"workingDir":"' + b"/x" * 400_000 + b'"}',
    b"\xff\xfe{\x00}\x00",
    b"null", b"true", b"1", b'""', b"[]", b"NaN", b"{'a':1}", b"{}{}", b"\x00" * 1000, b"",
]  # fmt: skip


async def test_oversized_json(target: Target) -> None:
    """CWE-674, CWE-400, CWE-1284: depth, digits and numbers of items are bounded; no answer is a 500."""
    names = ("sessions", "auth/code", "auth/password", "auth/revoke", "users", "tokens")
    for path, body in ((f"/api/{name}", body) for name in names for body in BODIES):
        response = await target.fetch("POST", path, body)
        assert response.code in (201, 400, 401, 404, 413, 429, 503), (path, response.code, response.body[:300])
        if response.code == 201:  # a valid request
            await target.fetch("DELETE", f"/api/sessions/{json.loads(response.body)['id']}")


async def test_form_bodies_are_not_parsed(target: Target, caplog: pytest.LogCaptureFixture) -> None:
    """CWE-400, CWE-779 (CVE-2025-47287: a log line for each malformed part): forms are neither parsed nor logged."""
    parts = b"--x\r\nno header\r\n\r\nbody\r\n" * 10_000
    for kind, body in (
        ("multipart/form-data; boundary=x", parts + b"--x--\r\n"),
        ("multipart/form-data", parts),
        ("multipart/form-data; boundary=" + "y" * 5000, parts),
        ("application/x-www-form-urlencoded", b"&".join(b"k%d=v" % number for number in range(80_000))),
        ("application/x-www-form-urlencoded", b"%zz=%u0000&" * 50_000),
    ):
        for path in ("/api/auth/code", "/api/nope", "/"):
            before = len(caplog.records)
            response = await target.fetch("POST", path, body, headers={"Content-Type": kind})
            assert response.code in (400, 404, 405, 415)
            assert len(caplog.records) - before < 10, [record.getMessage() for record in caplog.records[before:]][:5]


async def test_oversized_queries(target: Target) -> None:
    """CWE-400, CWE-407: thousands of parameters, and one parameter thousands of times."""
    for query in (
        "&".join(f"k{number}=v" for number in range(3000)),
        "since=0&" * 3000,
        "since=" + "9" * 20_000,
        "%" * 20_000,
    ):
        response = await target.fetch("GET", f"/api/sessions/x/output?{query}")
        assert response.code in (400, 404)


async def test_oversized_credentials(target: Target) -> None:
    """CWE-400 (long password denial of service): no long credential is hashed, compared or stored."""
    account = await target.account()
    for path, body in (
        ("/api/auth/password", {"userId": account.name, "password": "x" * 1_000_000}),
        ("/api/auth/password", {"userId": "x" * 1_000_000, "password": PASSWORD}),
        ("/api/auth/code", {"code": "A" * 1_000_000}),
        ("/api/auth/share", {"code": "A" * 1_000_000}),
        ("/api/auth/refresh", {"refreshToken": "A" * 1_000_000}),
        ("/api/auth/challenge", {"userId": "x" * 1_000_000}),
        ("/api/auth/ssh-key", {"challengeId": "x", "publicKey": "ssh-rsa " + "A" * 900_000, "signature": "AAAA"}),
        ("/api/users", {"name": "x" * 1_000_000, "role": "viewer", "password": PASSWORD}),
        ("/api/users", {"name": "attack-x", "role": "viewer", "password": "x" * 1_000_000}),
        ("/api/tokens", {"name": "x" * 1_000_000, "scope": ["view"], "expires": 60}),
        ("/api/tokens", {"scope": ["view"] * 100_000 + ["x"], "expires": 60}),
        ("/api/tokens", {"scope": ["view"], "expires": 10**30}),
        ("/api/tokens", {"scope": ["view"], "expires": -1}),
        ("/api/auth/ticket", {"sessionId": "x" * 1_000_000}),
    ):
        response = await target.fetch("POST", path, body, login=path != "/api/auth/code")
        assert response.code in (400, 401, 403, 404), (path, response.code, response.body[:200])
    response = await target.fetch(
        "POST", f"/api/users/{account.name}/keys", {"key": "ssh-rsa " + "A" * 900_000}
    )  # fmt: skip
    assert response.code == 400


async def test_shares_are_bounded(target: Target) -> None:
    """CWE-1284: no share is endless by mistake, and none has a negative number of uses."""
    session = await target.session(["cat"])
    for body in (
        {"expires": -1}, {"expires": 0}, {"expires": 10**20}, {"uses": 0}, {"uses": -1}, {"uses": 10**20},
        {"name": "x" * 100_000}, {"expires": "tomorrow"}, {"uses": 1.5},
    ):  # fmt: skip
        response = await target.fetch("POST", f"/api/sessions/{session}/shares", body)
        assert response.code == 400, (body, response.body)


async def test_sessions_of_a_user_are_bounded(serve: Serve) -> None:
    """CWE-770: sessions at once, and new ones a minute; other users go on."""
    target = aim(await serve(user_sessions=3, rate_limit_sessions=10))
    user, other = await target.user("writer"), await target.user("writer")
    codes = [(await user.fetch("POST", "/api/sessions", {"command": ["cat"]})).code for _ in range(4)]
    assert codes == [201, 201, 201, 429]
    assert (await other.fetch("POST", "/api/sessions", {"command": ["cat"]})).code == 201
    for _ in range(12):
        response = await user.fetch("POST", "/api/sessions", {"command": ["cat"]})
    assert response.code == 429
    for each in await target.json("GET", "/api/sessions"):
        await target.json("DELETE", f"/api/sessions/{each['id']}")
    assert (await user.fetch("POST", "/api/sessions", {"command": ["cat"]})).code == 429  # too many in a minute
    await target.close()


async def test_connections_of_a_user_are_bounded(serve: Serve) -> None:
    """CWE-770: sockets and streams of a user at once, and new ones a minute; other users go on."""
    target = aim(await serve(user_clients=5, rate_limit_upgrades=12))
    session = await target.recorder()
    user, other = await target.user("viewer"), await target.user("viewer")
    sockets = [await target.attach(session, headers=user.own) for _ in range(5)]
    for path in (f"/ws?sessionId={session}", "/buffers", "/api/events"):
        assert await target.upgrade(path, user.own) == 429
    assert await target.upgrade(f"/ws?sessionId={session}", other.own) == 101
    sockets[0].close()
    for _ in range(20):
        status = await target.upgrade("/buffers", user.own)
    assert status == 429
    await target.close()


@pytest.mark.parametrize("path", ["/ws?sessionId={}", "/buffers"])
async def test_connections_that_come_together_are_bounded_too(serve: Serve, path: str) -> None:
    """CWE-770, CWE-367: twenty upgrades in one packet each, at the same moment, get no more than the limit allows."""
    target = aim(await serve(user_clients=5))
    user = await target.user("viewer")
    session = await target.recorder()
    sent = [f"{name}: {value}" for name, value in (WEBSOCKET | user.own).items() if name != "Host"]
    request = target.request("GET", path.format(session), *sent, host=user.own.get("Host"))
    wires = [await target.wire() for _ in range(20)]
    for wire in wires:
        wire.writer.write(request)
    answers = [await wire.answer() for wire in wires]
    for wire in wires:
        await wire.close()
    assert sorted(answer.status for answer in answers if answer is not None) == [101] * 5 + [429] * 15
    await target.close()


async def test_typing_is_limited_by_bytes(serve: Serve) -> None:
    """CWE-770: a client that floods input through REST is told to wait; accepted input is typed."""
    target = aim(await serve(input_rate=1000, rate_limit=0))
    session = await target.recorder()
    user = await target.user("writer")
    for _ in range(40):
        response = await user.fetch("POST", f"/api/sessions/{session}/input", {"text": "x" * 100_000})
        if response.code == 429:
            break
    assert response.code == 429
    assert int(response.headers["Retry-After"]) >= 1
    await target.close()


async def test_requests_of_a_user_are_limited(serve: Serve) -> None:
    """CWE-770: the limit is per user, with any credential, and does not affect other users."""
    target = aim(await serve(rate_limit=30))
    user, other = await target.user("viewer"), await target.user("viewer")
    bearer = {"Authorization": f"Bearer {user.tokens['token']}"}
    codes = [
        (await target.fetch("GET", "/api/sessions", login=False, headers=each)).code
        for each in [user.own, bearer] * 20
    ]  # fmt: skip
    assert codes[0] == 200
    assert codes[-2:] == [429, 429]
    assert (await other.fetch("GET", "/api/sessions")).code == 200
    assert (await target.fetch("GET", "/api/sessions")).code == 200  # the installation's own secret
    await target.close()


async def test_descriptors_run_out(serve: Serve) -> None:
    """CWE-775, CWE-400: without a free descriptor new sockets are refused, and open ones go on."""
    target = aim(await serve())
    session = await target.recorder()
    socket = await target.attach(session)
    async with target.connected() as wire:
        with no_more(resource.RLIMIT_NOFILE):
            await socket.send(b"still here")
            await socket.until(b"still here")
            lines = [f"{name}: {value}" for name, value in (WEBSOCKET | target.bearer).items()]
            await wire.send(target.request("GET", f"/ws?sessionId={session}", *lines))
            answer = await wire.answer()
            assert answer is not None
            assert answer.status == 503
    await target.attach(session)
    await target.close()
