"""Attacks on logins: fixed, stolen, used after their end, or leaked in an address."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from attacker import PASSWORD, SOCKETS, Browser, Target, aim
from harness import Running, Serve, until
from tornado.httpclient import HTTPResponse

pytestmark = pytest.mark.attack


async def signed_out(browser: Browser) -> bool:
    response = await browser.target.fetch("GET", "/api/sessions", login=False, headers=browser.own)
    assert response.code in (200, 401)
    return response.code == 401


async def link(target: Target) -> str:
    return str((await target.json("POST", "/api/auth/link"))["code"])


async def ways_in(target: Target) -> list[tuple[str, dict[str, object]]]:
    """Every request whose answer sets a cookie."""
    account = await target.account()
    share = await target.share(await target.session(["cat"]))
    return [
        ("/api/auth/code", {"code": await link(target)}),
        ("/api/auth/password", {"userId": account.name, "password": PASSWORD}),
        ("/api/auth/share", {"code": share["code"]}),
    ]


async def test_session_fixation(target: Target) -> None:
    """CWE-384: a cookie from before a login is invalid after it, and is not taken over."""
    for path, body in await ways_in(target):
        browser = target.browser()
        planted = "fixed-by-the-attacker-0000000000000000000000"
        browser.jar = {"vibetunnel": planted, "__Host-vibetunnel": planted}
        response = await browser.fetch("POST", path, body, headers={"X-CSRF-Token": "x"})
        assert response.code == 200
        assert planted not in browser.cookie.split("vibetunnel=", 1)[1].partition(";")[0] or len(browser.jar) > 1
        (name,) = [each for each in browser.jar if browser.jar[each] != planted]
        assert name in ("vibetunnel", "__Host-vibetunnel")
        thief = target.browser()
        thief.jar = dict.fromkeys(browser.jar, planted)
        assert await signed_out(thief), path


async def test_a_login_is_rotated_at_login(target: Target) -> None:
    """CWE-384, CWE-613: a second login in a browser has a new cookie, and ends the first."""
    browser = await target.owner()
    old = target.browser()
    old.jar = dict(browser.jar)
    await browser.login(await link(target))
    assert browser.jar != old.jar
    assert await signed_out(old)
    assert not await signed_out(browser)


async def test_logging_out_ends_everything_of_the_login(target: Target) -> None:
    """CWE-613: its cookie, access token, refresh token, tickets and open sockets end with it."""
    browser = await target.user("writer")
    tokens = dict(browser.tokens)
    ticket = await target.ticket(headers=await browser.headers())
    session = json.loads((await browser.fetch("POST", "/api/sessions", {"command": ["cat"]})).body)["id"]
    socket = await target.attach(session, headers=browser.own)
    stolen = target.browser()
    stolen.jar = dict(browser.jar)
    response = await browser.fetch("POST", "/api/auth/logout")
    assert response.code == 200
    assert {'"cookies"', '"storage"'} <= {each.strip() for each in response.headers["Clear-Site-Data"].split(",")}
    assert await socket.over() == (4401, "logged out")
    assert await signed_out(stolen)
    bearer = {"Authorization": f"Bearer {tokens['token']}"}
    assert (await target.fetch("GET", "/api/sessions", login=False, headers=bearer)).code == 401
    body = {"refreshToken": tokens["refreshToken"]}
    assert (await target.fetch("POST", "/api/auth/refresh", body, login=False)).code == 401
    assert await target.upgrade(f"/buffers?ticket={ticket}", {}) == 401
    await target.json("DELETE", f"/api/sessions/{session}")


@pytest.mark.parametrize("end", ["disabled", "removed", "password", "revoked", "viewer"])
async def test_a_right_that_an_owner_takes_away_ends_at_once(target: Target, end: str) -> None:
    """CWE-613: no cookie, token or socket of a user outlives the right that it came from."""
    account = await target.account()
    browser = target.browser()
    tokens = json.loads((await browser.password(account.name, PASSWORD)).body)
    session = json.loads((await browser.fetch("POST", "/api/sessions", {"command": ["cat"]})).body)["id"]
    made = json.loads((await browser.fetch("POST", "/api/tokens", {"scope": ["view", "type"], "expires": 60})).body)
    socket = await target.attach(session, headers=browser.own)
    code = json.loads((await browser.fetch("POST", "/api/auth/link")).body)["code"]
    ticket = await target.ticket(headers=await browser.headers())
    path = f"/api/users/{account.name}"
    if end == "removed":
        await target.json("DELETE", path)
    elif end == "revoked":
        await target.json("POST", "/api/auth/revoke", {"user": account.name})
    else:
        await target.json("PATCH", path, {
            "disabled": {"disabled": True}, "password": {"password": PASSWORD * 2}, "viewer": {"role": "viewer"},
        }[end])  # fmt: skip
    credentials = [browser.own, *({"Authorization": f"Bearer {each}"} for each in (tokens["token"], made["token"]))]
    writes = f"/api/sessions/{session}/input"
    if end == "viewer":
        for each in credentials:
            headers = each | {"X-CSRF-Token": await browser.token()}
            assert (await target.fetch("POST", writes, {"text": "x"}, login=False, headers=headers)).code == 403
        await socket.send(b"typed by a viewer")
        await target.json("POST", writes, {"text": "typed by the owner\n"})
        assert b"viewer" not in await target.output(session, b"typed by the owner\r\ntyped by the owner")
    else:
        assert (await socket.over())[0] == 4401
        for each in credentials:
            assert (await target.fetch("GET", "/api/sessions", login=False, headers=each)).code == 401
        assert (await target.browser().login(code)).code == 401
        assert await target.upgrade(f"/buffers?ticket={ticket}", {}) == 401
    await target.json("DELETE", f"/api/sessions/{session}")


async def test_a_revoked_share_disconnects_its_guests(target: Target) -> None:
    """CWE-613: the guest's socket is closed, and neither cookie nor link is valid again."""
    session = await target.session(["cat"])
    share = await target.share(session, role="type")
    guest = target.browser()
    await guest.fetch("POST", "/api/auth/share", {"code": share["code"]})
    socket = await target.attach(session, headers=guest.own)
    await target.json("DELETE", f"/api/sessions/{session}/shares/{share['id']}")
    assert (await socket.over())[0] == 4401
    assert await signed_out(guest)
    response = await target.fetch("POST", "/api/auth/share", {"code": share["code"]}, login=False)
    assert response.code == 401
    assert "Set-Cookie" not in response.headers


async def test_an_expired_share_disconnects_its_guests(target: Target) -> None:
    """CWE-613: when a link expires, its guests' access ends, open sockets included."""
    session = await target.session(["cat"], spawn="now")
    share = await target.share(session, role="type", expires=2)
    guest = target.browser()
    assert (await guest.fetch("POST", "/api/auth/share", {"code": share["code"]})).code == 200
    socket = await target.attach(session, headers=guest.own)
    assert (await socket.over())[0] == 4401
    assert await signed_out(guest)


async def test_a_share_is_used_as_often_as_it_says(target: Target) -> None:
    """CWE-841, CWE-294: a link for one use lets in one guest."""
    share = await target.share(await target.session(["cat"]), uses=1)
    assert (await target.browser().fetch("POST", "/api/auth/share", {"code": share["code"]})).code == 200
    assert (await target.browser().fetch("POST", "/api/auth/share", {"code": share["code"]})).code == 401


async def test_one_time_means_once(target: Target) -> None:
    """CWE-294 (replay): codes and tickets are valid once, and a ticket only for its purpose."""
    code = await link(target)
    assert (await target.browser().login(code)).code == 200
    assert (await target.browser().login(code)).code == 401
    one, two = await target.session(["cat"], spawn="now"), await target.session(["cat"], spawn="now")
    ticket = await target.ticket(sessionId=one, permission="view")
    assert await target.upgrade(f"/ws?sessionId={one}&ticket={ticket}", {}) == 101
    assert await target.upgrade(f"/ws?sessionId={one}&ticket={ticket}", {}) == 401
    for made, path in (
        (one, f"/ws?sessionId={two}"),
        (one, "/buffers?"),
        ("", f"/ws?sessionId={one}"),
    ):
        ticket = await target.ticket(**({"sessionId": made} if made else {}))
        assert await target.upgrade(f"{path}&ticket={ticket}", {}) == 401, path
    ticket = await target.ticket()
    for method, path in (("GET", "/api/sessions"), ("POST", "/api/auth/link"), ("GET", f"/api/sessions/{one}/text")):
        assert (await target.fetch(method, f"{path}?ticket={ticket}", login=False)).code == 401, path
    for wrong in ("", "x", "A" * 43, f"{ticket}A", ticket[:-1], ticket.swapcase()):
        assert await target.upgrade(f"/buffers?ticket={wrong}", {}) == 401
    assert await target.upgrade(f"/buffers?ticket={ticket}", {}) == 101


def flags(response: HTTPResponse) -> dict[str, dict[str, str]]:
    return {
        morsel.key: {name: value for name, value in morsel.items() if value}
        for each in response.headers.get_list("Set-Cookie")
        for morsel in SimpleCookie(each).values()
    }


async def test_cookie_flags(target: Target) -> None:
    """CWE-1004, CWE-614, CWE-1275: no script reads the cookie, no other site sends it, no other host sets it."""
    secure = target.scheme == "https"
    for path, body in await ways_in(target):
        response = await target.browser().fetch("POST", path, body)
        ((name, found),) = flags(response).items()
        assert name.startswith("__Host-") == secure
        assert (found.get("httponly"), found.get("samesite"), found.get("path")) == (True, "Strict", "/")
        assert "domain" not in found
        assert bool(found.get("secure")) == secure


async def test_cookie_flags_under_tls(serve: Serve) -> None:
    """CWE-614, RFC 6265bis §4.1.3: under TLS the cookie has the prefix __Host-, and one without it is ignored."""
    target = aim(await serve(tls_self_signed=True))
    browser = target.browser()
    response = await browser.login(await link(target))
    ((name, found),) = flags(response).items()
    assert name.startswith("__Host-vibetunnel")
    assert found["secure"] is True  # type: ignore[comparison-overlap]
    assert not await signed_out(browser)
    tossed = target.browser()
    tossed.jar = {"vibetunnel": browser.jar[name]}
    assert await signed_out(tossed)
    await target.close()


async def test_a_login_that_is_over_is_not_accepted(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """CWE-613: an unused login expires, and a used one in the end, too."""
    server = await serve(login_idle_s=60.0, login_max_s=150.0)
    target, logins, ahead_s = aim(server), server.server.context.authority.logins, 0.0
    monkeypatch.setattr(logins, "_clock", lambda: time.time() + ahead_s)
    idle, used = await target.owner(), await target.owner()
    for _ in range(3):
        ahead_s += 45
        assert not await signed_out(used)
    assert await signed_out(idle)
    ahead_s += 45
    assert await signed_out(used)
    await target.close()


# Addresses end up in histories, logs and Referer headers


async def test_token_in_url(target: Target) -> None:
    """CWE-598: no long-lived credential is accepted in a query, under any name."""
    session = await target.session(["cat"], spawn="now")
    user = await target.user("owner")
    for credential in (
        target.secret,
        user.tokens["token"],
        await target.api_token("view"),
        next(iter(user.jar.values())),
    ):
        for name in ("token", "access_token", "auth", "bearer", "secret", "code", "ticket", "vibetunnel", "key"):
            for path in ("/api/sessions", f"/ws?sessionId={session}", *SOCKETS[1:]):
                full = f"{path}{'&' if '?' in path else '?'}{name}={credential}"
                assert await target.upgrade(full, {}) == 401, (name, path)


async def test_no_credential_reaches_an_address_or_a_referer(target: Target) -> None:
    """CWE-598, CWE-200: codes come after `#`, which no browser sends; and pages send no Referer."""
    made = await target.json("POST", "/api/auth/link")
    assert made["url"].endswith(f"#{made['code']}")
    share = await target.share(await target.session(["cat"]))
    assert share["url"].endswith(f"/share#{share['code']}")
    for path in ("/", "/login", "/share", "/api/health"):
        response = await target.fetch("GET", path, login=False)
        assert response.headers["Referrer-Policy"] == "no-referrer"


async def test_no_secret_reaches_a_log(serve: Serve, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """CWE-532: no credential that was used, right or wrong, is in any log, file or answer."""
    caplog.set_level(logging.DEBUG)
    server = await serve(token_in_url=True, rate_limit_anonymous=0)
    target = aim(server)
    account = await target.account()
    browser = target.browser()
    tokens = json.loads((await browser.password(account.name, PASSWORD)).body)
    session = await target.session(["cat"])
    share = await target.share(session, role="type")
    guest = target.browser()
    await guest.fetch("POST", "/api/auth/share", {"code": share["code"]})
    ticket = await target.ticket()
    code = await link(target)
    await target.browser().login(code)
    made = await target.api_token("view")
    for each in (tokens["token"], made, target.secret):
        assert await target.upgrade(f"/buffers?token={each}", {}) == 101
    await target.upgrade(f"/buffers?ticket={ticket}", {})
    await target.fetch("POST", "/api/auth/password", {"userId": "hunter1", "password": "hunter2hunter2"}, login=False)
    await target.fetch("POST", "/api/auth/password", {"userId": "hunter3hunter3", "password": "x"}, login=False)
    await target.fetch("GET", "/api/sessions?token=hunter4", login=False, headers={"Cookie": "vibetunnel=hunter5"})
    await target.fetch("GET", "/x?hunter6", headers={"Referer": "http://x/?hunter7", "User-Agent": "hunter8"})
    await target.json("POST", f"/api/sessions/{session}/input", {"text": "hunter9"})
    await target.json("POST", "/api/auth/refresh", {"refreshToken": tokens["refreshToken"]}, login=False)
    secrets = [target.secret, PASSWORD, tokens["token"], tokens["refreshToken"], share["code"], ticket, code]
    secrets += [code.replace("-", ""), made, *browser.jar.values(), *guest.jar.values(), await browser.token()]
    secrets += ["hunter2", "hunter4", "hunter5", "hunter6", "hunter7", "hunter9"]
    secrets += [each.split(".")[2] for each in (tokens["token"], tokens["refreshToken"], made)]
    await target.close()
    await server.close()
    written = {path.name: path.read_text() for path in (folder / "s" / "log").iterdir()}
    assert written
    for text in (caplog.text, *written.values()):
        assert [each for each in secrets if each in text] == []
    # On disk there are only hashes.
    kept = "".join(path.read_text() for path in (folder / "s").glob("*.json"))
    for each in (PASSWORD, tokens["token"], tokens["refreshToken"], share["code"], ticket, code, made):
        assert each not in kept
    assert not [each for each in (*browser.jar.values(), *guest.jar.values()) if each in kept]


ELSEWHERE = [
    "//evil.example", "//evil.example/", "///evil.example", "/\\evil.example", "/%5cevil.example", "/.//evil.example",
    "/%2f%2fevil.example", "//evil.example/%2e%2e", "//evil.example%2f..", "/login?next=http://evil.example",
    "/login?redirect=//evil.example", "/login?url=http://evil.example", "/session/http:%2f%2fevil.example",
    "/share?next=//evil.example", "/%0d%0aLocation:%20http://evil.example",
    "/login%0d%0aLocation:%20http://evil.example/",
]  # fmt: skip


async def test_open_redirect(target: Target) -> None:
    """CWE-601, CWE-113: no address makes this server redirect a browser to another site."""
    for method, path in ((method, path) for method in ("GET", "HEAD", "POST") for path in ELSEWHERE):
        for answer in await target.say(target.request(method, path, "Connection: close", "Content-Length: 0")):
            location = answer.headers.get("Location", "")
            assert "evil" not in location or location.startswith(f"{target.origin}/"), path
            assert not location.startswith(("//", "/\\")), path
            assert answer.headers.get_list("Location") in ([], [location]), path
            assert "refresh" not in {name.lower() for name in answer.headers}, path


async def test_the_redirect_to_https_leads_nowhere_else(serve: Serve) -> None:
    """CWE-601: plain HTTP on the TLS port is redirected to this server or not at all, for any Host."""
    server = await serve(tls_self_signed=True)
    for host in ("evil.example", f"evil.example:{server.server.port}", "localhost@evil.example", "", "localhost/x"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
        writer.write(f"GET //evil.example/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(20):
            answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        for line in answer.split("\r\n"):
            if line.lower().startswith("location:"):
                place = line.partition(":")[2].strip()
                assert place.startswith(("https://127.0.0.1:", "https://localhost:")), place


async def test_only_the_owner_puts_people_out(server: Running) -> None:
    """CWE-862: a guest can neither give itself the right to type nor disconnect the owner; the owner can do both."""
    target = aim(server)
    session = await target.session(["cat"])
    guest = await target.guest(session, "view")
    owner = await target.attach(session)
    viewer = await target.attach(session, headers=guest.own)

    async def both() -> list[dict[str, object]] | None:
        people: list[dict[str, object]] = await target.json("GET", f"/api/sessions/{session}/clients")
        return people if len(people) == 2 else None

    people = {bool(each["guest"]): each for each in await until(both)}
    for each in people.values():
        path = f"/api/sessions/{session}/clients/{each['id']}"
        assert (await guest.fetch("PATCH", path, {"writable": True})).code == 403
        assert (await guest.fetch("DELETE", path)).code == 403
    await viewer.send(b"from the guest")
    await owner.send(b"from the owner\n")
    assert b"guest" not in await target.output(session, b"from the owner\r\nfrom the owner")
    await target.json("DELETE", f"/api/sessions/{session}/clients/{people[True]['id']}")
    assert (await viewer.over())[0] == 4403
    assert await signed_out(guest)
    await target.close()
