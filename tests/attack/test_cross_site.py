"""Attacks by another site's page in a logged-in browser: sockets, DNS rebinding and forms."""

from __future__ import annotations

import json

import pytest
from attacker import SOCKETS, STREAMS, Browser, Target, aim, filled, opened
from harness import WEBSOCKET, Serve

pytestmark = pytest.mark.attack

WRITES = ("post", "put", "patch", "delete")


def foreign(target: Target) -> list[str]:
    """Origins that look like the target's, but are not."""
    scheme, host, port = target.scheme, target.host, target.port
    other = "https" if scheme == "http" else "http"
    return [
        "http://evil.example",
        "https://evil.example",
        "null",  # a sandboxed frame, a data: page
        "",
        "file://",
        "chrome-extension://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        f"{scheme}://{host}.evil.example:{port}",
        f"{scheme}://evil-{host}:{port}",
        f"{scheme}://evil.{host}:{port}",
        f"{scheme}://{host}@evil.example:{port}",
        f"{scheme}://{host}:{port}@evil.example",
        f"{scheme}://{host}:{port}.evil.example",
        f"{scheme}://{host}:{port}/evil",
        f"{scheme}://{host}:{port}#evil",
        f"{scheme}://{host}:{port} http://evil.example",
        f"{scheme}://{host}:{port}, http://evil.example",
        f"{scheme}://evil.example:{port}",
        f"{scheme}://xn--lcalhost-54a:{port}",
        f"{scheme}://{host}:{port + 1}",  # another program of this machine
        f"{scheme}://{host}:{port}0"[:60],
        f"{scheme}://{host}:99999",
        f"{other}://{host}:{port}",
        f"ws://{host}:{port}",
        f"{scheme}:{host}:{port}",
        f"{host}:{port}",
        *([f"{scheme}://{host}", f"{other}://{host}"] if port not in (80, 443) else []),
        *([f"{scheme}://localhost:{port}", f"{scheme}://[::1]:{port}"] if host == "127.0.0.1" else []),
    ]


@pytest.mark.parametrize("path", [*SOCKETS, *STREAMS])
@pytest.mark.parametrize("who", ["owner", "writer", "guest-type", "secret", "access", "token-view"])
async def test_cross_site_websocket_hijacking(target: Target, who: str, path: str) -> None:
    """CWE-1385 (CSWSH), CWE-346: no page of another origin gets a socket, with any credential."""
    session = await target.session(["cat"], spawn="now")
    own = {name: value for name, value in (await target.headers(who, session)).items() if name != "Origin"}
    full = opened(path, session)
    allowed = await target.upgrade(full, own | {"Origin": target.origin})
    # A guest may open only its session's sockets; from another origin it may open none.
    too_little = {"guest-type": session not in full, "token-view": path == "/ws/input"}
    assert allowed in (101, 200) or too_little[who]
    path = full
    for origin in foreign(target):
        assert await target.upgrade(path, own | {"Origin": origin}) == 403, origin


@pytest.mark.parametrize("path", SOCKETS)
async def test_cross_site_websocket_hijacking_with_a_stolen_ticket(target: Target, path: str) -> None:
    """CWE-1385: a ticket replaces a header, not the Origin check."""
    session = await target.session(["cat"])
    for origin in foreign(target):
        ticket = await target.ticket(**({"sessionId": session} if path == "/ws" else {}))
        full = f"{path}?ticket={ticket}" + (f"&sessionId={session}" if path == "/ws" else "")
        assert await target.upgrade(full, {"Origin": origin}) == 403, origin


@pytest.mark.parametrize("path", [*SOCKETS, *STREAMS])
async def test_cross_site_websocket_hijacking_without_logins(serve: Serve, path: str) -> None:
    """CWE-1385: --no-auth trusts the machine, not the pages its browser shows."""
    target = aim(await serve(no_auth=True))
    path = opened(path, await target.session(["cat"]))
    for origin in foreign(target):
        assert await target.upgrade(path, {"Origin": origin}) == 403, origin
    assert await target.upgrade(path, {"Origin": target.origin}) in (101, 200)
    await target.close()


async def test_a_second_origin_header_is_no_way_around(target: Target) -> None:
    """CWE-346, RFC 6454 §7.3: two Origin headers are refused, in either order."""
    bearer = f"Authorization: {target.bearer['Authorization']}"
    ours, theirs = f"Origin: {target.origin}", "Origin: http://evil.example"
    for pair in ((ours, theirs), (theirs, ours)):
        async with target.connected() as wire:
            upgrade = [f"{name}: {value}" for name, value in WEBSOCKET.items()]
            await wire.send(target.request("GET", "/buffers", *upgrade, bearer, *pair))
            answer = await wire.answer()
            assert answer is None or answer.status in (400, 403)


async def test_sec_fetch_site_counts_without_an_origin(target: Target) -> None:
    """CWE-352, CWE-1385: Fetch Metadata refuses requests of old forms and images, which have no Origin."""
    owner = await target.owner()
    sites = ("cross-site", "same-site", "evil", "same-origin, cross-site")
    for site, path in ((site, path) for site in sites for path in ("/api/sessions", *SOCKETS)):
        headers = {"Cookie": owner.cookie, "Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
        assert await target.upgrade(path, headers) == 403, (site, path)


REBOUND = [
    "evil.example",
    "evil.example:{port}",
    "{host}.evil.example:{port}",
    "127.0.0.1.nip.example:{port}",
    "localhost.evil.example",
    "localhost@evil.example",
    "evil.example#@localhost",
    "xlocalhost:{port}",
    "localhost.localdomain:{port}",
    "2130706433:{port}",  # 127.0.0.1 as browsers read it
    "0x7f000001:{port}",
    "017700000001:{port}",
    "127.1:{port}",
    "[::1]evil:{port}",
    "[::1].evil.example",
    "localhost:{port}:{port}",
    "localhost:{port}, evil.example",
    "localhost evil.example",
    "localhost/evil",
    "localhost\\evil.example",
    "localhost:",
    "localhost:-1",
    "localhost:99999",
    "",
    " ",
    "%6cocalhost:{port}",
    "\xb9\xb2\xb7.0.0.1",
]


async def test_dns_rebinding(target: Target) -> None:
    """CWE-350 (as CVE-2018-5702): a name that an attacker points at this machine is refused."""
    paths = ("/", "/login", "/api/health", "/api/auth/code", "/api/sessions", *SOCKETS, "/x.js")
    for path, name in ((path, name) for path in paths for name in REBOUND):
        host = name.format(host=target.host, port=target.port)
        status = await target.upgrade(path, target.bearer | {"Host": host})
        assert status in (400, 403), (path, host, status)


async def test_dns_rebinding_to_the_address_that_means_all(serve: Serve) -> None:
    """CWE-350 ("0.0.0.0 day"): a server on the loopback is called by a loopback name only."""
    target = aim(await serve())
    for host in ("0.0.0.0", "[::]", "[::ffff:0.0.0.0]", "192.0.2.1", "169.254.169.254"):
        assert await target.upgrade("/api/health", {"Host": f"{host}:{target.port}"}) == 403, host
    await target.close()


async def test_a_host_that_is_missing_or_there_twice(target: Target) -> None:
    """CWE-350, RFC 9112 §3.2: a request must have exactly one Host."""
    for lines in (
        ["Connection: close"],
        ["Connection: close", f"Host: {target.authority}", "Host: evil.example"],
        ["Connection: close", "Host: evil.example", f"Host: {target.authority}"],
    ):
        raw = "\r\n".join([f"GET {target.base}/api/health HTTP/1.1", *lines, "", ""]).encode()
        answers = await target.say(raw)
        assert [answer.status in (400, 403) for answer in answers] in ([], [True]), lines


# Requests that change something


async def writes(target: Target) -> list[tuple[str, str]]:
    """(method, path) of every route of the target that changes something."""
    paths = (await target.json("GET", "/api/openapi.json"))["paths"]
    return [(method.upper(), path) for path, each in paths.items() for method in each if method in WRITES]


# These requests need no login, so an attacker has no login to misuse.
BEFORE_LOGIN = {
    "/api/auth/code",
    "/api/auth/password",
    "/api/auth/login",
    "/api/auth/challenge",
    "/api/auth/ssh-key",
    "/api/auth/refresh",
    "/api/auth/share",
}


SAME_ORIGIN = {"/api/push/test", "/api/push/unsubscribe"}  # where Sec-Fetch-Site is as good as the token


async def refused_for_csrf(browser: Browser, method: str, path: str, headers: dict[str, str | None]) -> None:
    body = {} if method != "DELETE" else None
    sent = browser.own | {"X-CSRF-Token": None, "Content-Type": "application/json"} | headers
    given = {name: value for name, value in sent.items() if value is not None}
    response = await browser.target.fetch(method, path, body, login=False, headers=given)
    assert response.code == 403, (method, path, response.code, response.body)
    assert json.loads(response.body)["code"] == "csrf", response.body


async def test_csrf_every_write_wants_the_token(target: Target) -> None:
    """CWE-352: no route that changes something accepts a cookie alone."""
    owner = await target.owner()
    asked = 0
    for method, path in await writes(target):
        if path not in BEFORE_LOGIN:
            # Older browsers do not say where a request comes from.
            headers: dict[str, str | None] = {"Sec-Fetch-Site": None} if path in SAME_ORIGIN else {}
            await refused_for_csrf(owner, method, filled(path), headers)
            asked += 1
    assert asked >= 20
    assert (await owner.fetch("POST", "/api/cleanup-exited")).code == 200  # and with it, it does


async def test_csrf_where_the_browsers_word_is_enough_it_has_to_be_this_origins(target: Target) -> None:
    """CWE-352: a page of another origin, also of this host's other ports, sends another word."""
    owner = await target.owner()
    for path in SAME_ORIGIN:
        await refused_for_csrf(owner, "POST", path, {"Sec-Fetch-Site": None})
        for word in ("same-site", "cross-site", "none", "SAME-ORIGIN", "same-origin, cross-site", ""):
            sent = owner.own | {"Sec-Fetch-Site": word}
            assert (await target.fetch("POST", path, {}, login=False, headers=sent)).code == 403, word
        response = await target.fetch("POST", path, {}, login=False, headers=owner.own)
        assert response.code == 503, path  # push is off


def forged(token: str, other: str) -> list[str]:
    middle = len(token) // 2
    return [
        "",
        " ",
        "x",
        "null",
        token[:-4],
        token + "A",
        "A" + token,
        token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :],
        token[:3] + ("A" if token[3] != "A" else "B") + token[4:],
        token.swapcase(),
        other[:middle] + token[middle:],
        token[:middle] + other[middle:],
        "A" * len(token),
        f"{token},{token}",
        f"{token} ",
    ][:-1]


async def test_csrf_tokens_are_bound_to_their_login(target: Target) -> None:
    """CWE-352: a token that is missing, forged, or of another login (the attacker's own) is refused."""
    victim, attacker = await target.owner(), await target.owner()
    guest = await target.guest(await target.session(["cat"]), "type")
    own, other = await victim.token(), await attacker.token()
    assert own != other
    for token in (None, *forged(own, other), other, await guest.token(), target.secret):
        for origin in (target.origin, None):
            headers = {"X-CSRF-Token": token, "Origin": origin, "Sec-Fetch-Site": "same-origin" if origin else None}
            await refused_for_csrf(victim, "POST", "/api/sessions", headers)
    assert await target.json("GET", "/api/sessions") is not None
    assert (await victim.fetch("POST", "/api/cleanup-exited")).code == 200


async def test_csrf_tokens_end_with_their_login(target: Target) -> None:
    """CWE-352, CWE-613: the token of a browser's earlier login is not valid for the next one."""
    browser = await target.owner()
    old = await browser.token()
    assert (await browser.fetch("POST", "/api/auth/logout")).code == 200
    await browser.login((await target.json("POST", "/api/auth/link"))["code"])
    await refused_for_csrf(browser, "POST", "/api/sessions", {"X-CSRF-Token": old})


async def test_csrf_tokens_come_in_the_header_only(target: Target) -> None:
    """CWE-352: a form can fill a query, a body and (a subdomain's) cookies, but not a header."""
    browser = await target.owner()
    token = await browser.token()
    for query in ("csrfToken", "csrf_token", "_xsrf", "X-CSRF-Token"):
        cookie = f"{browser.cookie}; csrf={token}; {query}={token}; XSRF-TOKEN={token}"
        await refused_for_csrf(browser, "POST", f"/api/sessions?{query}={token}", {"Cookie": cookie})


async def test_csrf_a_right_token_from_another_site_is_refused(target: Target) -> None:
    """CWE-352: token, Origin and Sec-Fetch-Site are three checks, and each of them counts."""
    browser = await target.owner()
    token = {"X-CSRF-Token": await browser.token()}
    for wrong in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        response = await browser.fetch("POST", "/api/sessions", {}, headers=token | wrong)
        assert response.code == 403, wrong


async def test_csrf_a_form_is_no_json(target: Target) -> None:
    """CWE-352: content types that a page can send without a preflight are refused, even if all else is right."""
    browser = await target.owner()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        response = await browser.fetch("POST", "/api/sessions", b"{}", headers={"Content-Type": kind})
        assert response.code in (400, 415), kind


async def test_a_method_is_what_the_request_line_says(target: Target) -> None:
    """CWE-352, CWE-650: a GET that calls itself DELETE is a GET."""
    session = await target.session(["cat"])
    browser = await target.owner()
    for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        response = await browser.fetch("GET", f"/api/sessions/{session}?_method=DELETE", headers={header: "DELETE"})
        assert response.code == 200
        assert json.loads(response.body)["id"] == session


async def test_login_csrf(target: Target) -> None:
    """CWE-352: a foreign page cannot log its victim in as somebody else."""
    for path, body in (
        ("/api/auth/code", {"code": (await target.json("POST", "/api/auth/link"))["code"]}),
        ("/api/auth/share", {"code": "A" * 22}),
        ("/api/auth/password", {"userId": "x", "password": "x" * 12}),
    ):
        for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            response = await target.fetch("POST", path, body, login=False, headers=headers)
            assert response.code == 403
            assert "Set-Cookie" not in response.headers
        response = await target.fetch(
            "POST", path, json.dumps(body).encode(), login=False,
            headers={"Content-Type": "text/plain", "Origin": target.origin},
        )  # fmt: skip
        assert response.code in (400, 415)


async def test_nothing_is_shared_with_other_origins(target: Target) -> None:
    """CWE-942, CWE-1021: no CORS for any origin, and no frame around the pages."""
    for path in ("/", "/api/health", "/api/sessions", "/api/auth/config", "/api/events", "/nope"):
        for method in ("OPTIONS", "HEAD"):
            asked = {"Origin": target.origin, "Access-Control-Request-Method": "POST"}
            response = await target.fetch(method, path, headers=asked)
            assert not [name for name in response.headers if name.lower().startswith("access-control-")], path
            assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
