"""Every route refuses requests without a login and requests from other sites, in every mode."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import resource
import shutil
from collections.abc import Callable
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from harness import WEBSOCKET, Browser, Running, Serve, no_more, until
from tornado.httpclient import HTTPClientError, HTTPResponse
from tornado.httputil import HTTPHeaders

from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.route import Permission, Route
from vibetunnel.handlers.routes import ROUTES
from vibetunnel.security.headers import HEADERS
from vibetunnel.security.limits import NETWORK_FREE

# What may be asked for without a login. Reviewed: none of it tells about sessions or takes input.
OPEN = {
    ("GET", "/"),
    ("GET", "/api/auth/config"),
    ("GET", "/api/auth/current-user"),
    ("GET", "/api/health"),
    ("GET", "/health"),
    ("GET", "/changes"),
    ("GET", "/files"),
    ("GET", "/login"),
    ("GET", "/logs"),
    ("GET", "/session/{session_id}"),
    ("GET", "/share"),
    ("GET", "/{name*}"),
    ("GET", "/api/auth/avatar/{user_id}"),
    ("POST", "/api/auth/challenge"),
    ("POST", "/api/auth/code"),
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/password"),
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/auth/share"),
    ("POST", "/api/auth/ssh-key"),
}
LOGGING_IN = {path for method, path in OPEN if method == "POST"}

OPERATIONS = [(route, method) for route in ROUTES for method in route.operations]
IDS = [f"{method} {route.path}" for route, method in OPERATIONS]


async def ask(
    server: Running, route: Route, method: str, headers: dict[str, str], *, login: bool = True
) -> HTTPResponse:
    path = "/".join("x" if part.startswith("{") else part for part in route.path.split("/"))
    body: object = {} if route.operations[method].body is not None else None
    headers = (WEBSOCKET if route.path in ("/ws", "/ws/input", "/buffers") else {}) | headers
    return await server.fetch(method, path, body, login=login, headers=headers)


def test_every_route_on_the_router_is_declared(server: Running) -> None:
    for rule, route in zip(server.server.application.rules, ROUTES, strict=True):
        assert rule.target is route
    for route in ROUTES:
        assert issubclass(route.handler, Handler)
        for method in ("get", "post", "put", "patch", "delete", "options"):
            assert not hasattr(route.handler, method) or method.upper() in route.operations, (route.path, method)


def test_the_fast_lookup_finds_the_same_route_as_tornado(server: Running) -> None:
    application = server.server.application
    assert {"/api/health", "/api/sessions"} <= set(application.whole_paths)
    for path, route in application.whole_paths.items():
        assert next(each for each in ROUTES if re.fullmatch(each.pattern, path)) is route


def test_the_list_of_open_routes_is_the_reviewed_one() -> None:
    declared = {
        (method, route.path) for route, method in OPERATIONS if route.operations[method].permission is Permission.OPEN
    }
    assert declared == OPEN


@pytest.mark.parametrize(("route", "method"), OPERATIONS, ids=IDS)
async def test_every_route_wants_a_login_and_refuses_other_sites(server: Running, route: Route, method: str) -> None:
    response = await ask(server, route, method, {}, login=False)
    if (method, route.path) in OPEN:
        assert response.code not in (401, 403) or route.path in LOGGING_IN
    else:
        assert response.code == 401
        assert json.loads(response.body)["error"] == "Authentication required"
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="VibeTunnel"'
        for wrong in ("Bearer wrong", "Bearer", "Basic eDp4", "Bearer é"):
            assert (await ask(server, route, method, {"Authorization": wrong}, login=False)).code == 401
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ):
        for login in (True, False):
            response = await ask(server, route, method, headers, login=login)
            assert response.code == 403, headers
            assert response.headers.items() >= HEADERS.items()


@pytest.mark.parametrize(("route", "method"), OPERATIONS, ids=IDS)
async def test_without_logins_other_sites_are_refused_all_the_same(serve: Serve, route: Route, method: str) -> None:
    server = await serve(no_auth=True)
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert (await ask(server, route, method, headers, login=False)).code == 403


async def test_a_page_may_be_linked_to_and_the_api_may_not(server: Running) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert (await server.fetch("GET", "/login", headers=link)).code != 403
    assert (await server.fetch("GET", "/api/sessions", headers=link)).code == 403
    assert (await server.fetch("POST", "/login", headers=link)).code == 403


async def test_the_own_page_is_let_in(server: Running) -> None:
    own = {"Origin": server.url, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
    assert (await server.fetch("GET", "/api/sessions", headers=own)).code == 200


async def test_every_answer_carries_the_security_headers_and_no_server_name(server: Running) -> None:
    for path in ("/", "/nope", "/api/health", "/api/sessions", "/api/nope", "/api/sessions/x", "/metrics", "/ws"):
        response = await server.fetch("GET", path)
        assert response.headers.items() >= HEADERS.items(), path
        assert "Server" not in response.headers
        if path.startswith("/api"):
            assert response.headers["Cache-Control"] == "no-store"


async def test_a_forwarded_host_or_address_is_not_believed(server: Running) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "localhost", "X-Forwarded-For": "127.0.0.1"}
    assert (await server.fetch("GET", "/api/health", headers=headers)).code == 403


@pytest.mark.parametrize("target", ["http://evil.example/x", "*", "http://localhost/api/health"])
async def test_paths_without_a_route_pass_the_same_checks(server: Running, target: str) -> None:
    async def ask(host: str, *more: str) -> tuple[int, HTTPHeaders, bytes]:
        lines = [f"OPTIONS {target} HTTP/1.1", f"Host: {host}", "Connection: close", *more]
        reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        first, _, headers = head.decode().partition("\r\n")
        return int(first.split()[1]), HTTPHeaders.parse(headers), body

    bearer = f"Authorization: {server.bearer['Authorization']}"
    for asked, expected in (
        (("evil.example", bearer), 403),
        (("localhost", bearer, "Origin: http://evil.example"), 403),
        (("localhost",), 401),
        (("localhost", bearer), 404),
    ):
        status, headers, body = await ask(*asked)
        assert status == expected
        assert "error" in json.loads(body)
        assert headers.items() >= HEADERS.items()
        assert "Server" not in headers


async def test_an_allowed_name_opens_the_door_to_its_own_pages(serve: Serve) -> None:
    server = await serve(allow_host=("term.example",), url="https://public.example")
    assert server.announcement.link.startswith("https://public.example/login#")
    for headers in (
        {"Host": "term.example", "Origin": "http://term.example"},
        {"Host": "public.example", "Origin": "https://public.example"},
    ):
        assert (await server.fetch("GET", "/api/sessions", headers=headers)).code == 200
    headers = {"Host": "term.example", "Origin": "https://evil.example"}
    assert (await server.fetch("GET", "/api/sessions", headers=headers)).code == 403


# Logging in


async def test_the_printed_code_logs_in_once(server: Running) -> None:
    browser = Browser(server)
    assert json.loads((await browser.fetch("GET", "/api/auth/current-user")).body)["authenticated"] is False
    response = await browser.login(server.announcement.code)
    assert response.code == 200
    assert json.loads(response.body)["success"] is True
    morsel = SimpleCookie(response.headers["Set-Cookie"])["vibetunnel"]
    assert (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["secure"]) == (True, "Strict", "/", "")
    assert (await browser.fetch("GET", "/api/sessions")).code == 200
    assert json.loads((await browser.fetch("GET", "/api/auth/current-user")).body)["authenticated"] is True
    assert (await Browser(server).login(server.announcement.code)).code == 401


async def test_a_forged_cookie_is_no_login(server: Running) -> None:
    browser = Browser(server)
    await browser.login(server.announcement.code)
    name, _, value = browser.cookie.partition("=")
    for bad in ("", "x", value[:-1], value + "0", value.swapcase()):
        browser.cookie = f"{name}={bad}"
        assert (await browser.fetch("GET", "/api/sessions")).code == 401


async def test_too_many_wrong_codes_are_a_429(server: Running) -> None:
    browser = Browser(server)
    for _ in range(NETWORK_FREE + 1):
        response = await browser.login("AAAAA-AAAAA")
        assert response.code == 401
        assert "code" in json.loads(response.body)["error"]
    response = await browser.login(server.announcement.code)
    assert response.code == 429
    assert 0 < int(response.headers["Retry-After"]) <= 60


async def test_a_link_lets_another_device_in(server: Running) -> None:
    link = await server.json("POST", "/api/auth/link")
    assert link["url"] == f"{server.url}/login#{link['code']}"
    other = Browser(server)
    assert (await other.login(link["code"])).code == 200
    assert (await other.fetch("GET", "/api/sessions")).code == 200


async def test_a_link_asked_for_on_this_machine_leads_another_device_here(serve: Serve) -> None:
    server = await serve(bind="0.0.0.0")
    link = await server.json("POST", "/api/auth/link")
    assert link["url"] == f"{server.server.url}/login#{link['code']}"
    there = {"Host": f"192.0.2.77:{server.server.port}"}  # as the one who asks sees it
    link = await server.json("POST", "/api/auth/link", headers=there)
    assert link["url"] == f"http://192.0.2.77:{server.server.port}/login#{link['code']}"


async def test_without_logins_a_link_has_no_code(serve: Serve) -> None:
    server = await serve(no_auth=True)
    assert await server.json("POST", "/api/auth/link") == {"url": server.url, "code": None}


async def complained(caplog: pytest.LogCaptureFixture) -> bool:
    """Whether a log's thread, which gathers what it writes, has met what keeps it from writing."""
    return any(".log cannot be written" in each for each in caplog.messages)


async def test_a_login_needs_no_room_on_the_disk(
    server: Running, expect_log: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    expect_log(r"\.log")
    expect_log("logins are not kept for the next start")
    browser = Browser(server)
    with no_more(resource.RLIMIT_FSIZE):
        assert (await browser.login(server.announcement.code)).code == 200
        await until(lambda: complained(caplog))
    assert (await browser.fetch("GET", "/api/sessions")).code == 200


async def test_a_login_makes_a_removed_state_folder_again(server: Running, folder: Path) -> None:
    shutil.rmtree(folder / "s")
    assert (await Browser(server).login(server.announcement.code)).code == 200
    assert (folder / "s").stat().st_mode & 0o777 == 0o700
    assert (folder / "s" / "logins.json").is_file()


async def test_logging_out_is_final_without_room_on_the_disk(serve: Serve, expect_log: Callable[[str], None]) -> None:
    expect_log(r"\.log")
    expect_log("logins are not kept for the next start")
    first = await serve()
    browser = Browser(first)
    await browser.login(first.announcement.code)
    stolen = browser.cookie
    socket = await first.attach(await first.session(["cat"]), headers={"Cookie": stolen})
    with no_more(resource.RLIMIT_FSIZE):
        response = await browser.fetch("POST", "/api/auth/logout")
        assert response.code == 200
        assert 'vibetunnel="";' in response.headers["Set-Cookie"]
        assert await socket.over() == (4401, "logged out")
        browser.cookie = stolen
        assert (await browser.fetch("GET", "/api/sessions")).code == 401
        await first.close()
    browser.server = await serve()
    assert (await browser.fetch("GET", "/api/sessions")).code == 401


async def test_a_logout_that_cannot_be_written_down_counts_and_says_so(
    server: Running, folder: Path, expect_log: Callable[[str], None], caplog: pytest.LogCaptureFixture
) -> None:
    expect_log(r"\.log")
    expect_log("logins are not kept for the next start")
    browser = Browser(server)
    await browser.login(server.announcement.code)
    stolen = browser.cookie
    (folder / "s").rename(folder / "moved")
    (folder / "s").write_text("in its place")
    response = await browser.fetch("POST", "/api/auth/logout")
    assert response.code == 507
    assert "state folder" in json.loads(response.body)["error"]
    assert 'vibetunnel="";' in response.headers["Set-Cookie"]
    browser.cookie = stolen
    assert (await browser.fetch("GET", "/api/sessions")).code == 401
    await until(lambda: complained(caplog))
    (folder / "s").unlink()
    (folder / "moved").rename(folder / "s")
    await server.close()  # writes it at last
    assert json.loads((folder / "s" / "logins.json").read_bytes())["logins"] == []


async def test_a_login_survives_a_restart_and_logging_out_does_too(serve: Serve) -> None:
    first = await serve()
    browser = Browser(first)
    await browser.login(first.announcement.code)
    await first.close()
    browser.server = second = await serve()
    assert (await browser.fetch("GET", "/api/sessions")).code == 200
    stolen = browser.cookie
    assert (await browser.fetch("POST", "/api/auth/logout")).code == 200
    browser.cookie = stolen
    assert (await browser.fetch("GET", "/api/sessions")).code == 401
    await second.close()
    browser.server = await serve()
    assert (await browser.fetch("GET", "/api/sessions")).code == 401


async def test_logging_out_closes_the_sockets_and_streams_of_that_login_only(server: Running) -> None:
    session = await server.session(["sh", "-c", "echo ready; cat"])
    browser, other = Browser(server), Browser(server)
    await browser.login(server.announcement.code)
    await other.login((await server.json("POST", "/api/auth/link"))["code"])
    sockets = [await server.attach(session, headers={"Cookie": each.cookie}) for each in (browser, other)]
    for socket in sockets:
        await socket.until(b"ready")
    stream = server.fetch("GET", "/api/events", login=False, headers={"Cookie": browser.cookie})
    streaming = asyncio.ensure_future(stream)
    broadcast = server.server.context.registry.events.broadcast

    async def streams() -> bool:
        return len(broadcast.listeners) == 1

    await until(streams)
    await browser.fetch("POST", "/api/auth/logout")
    assert await sockets[0].over() == (4401, "logged out")
    assert b'"connected"' in (await streaming).body
    await sockets[1].send(b"still here\n")
    await sockets[1].until(b"still here")


async def test_a_cookie_needs_json_to_change_something(server: Running) -> None:
    browser = Browser(server)
    await browser.login(server.announcement.code)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        assert (await browser.fetch("POST", "/api/sessions", b"{}", Content_Type=kind)).code in (400, 415)
    assert (await browser.fetch("POST", "/api/sessions", {}, Origin="http://evil.example")).code == 403
    assert json.loads((await browser.fetch("GET", "/api/sessions")).body) == []
    response = await browser.fetch("POST", "/api/sessions", {}, Content_Type="application/json; charset=utf-8")
    assert response.code == 201
    assert (await browser.fetch("DELETE", f"/api/sessions/{json.loads(response.body)['id']}")).code == 200


async def test_without_logins_a_browser_needs_json_and_a_program_does_not(serve: Serve) -> None:
    server = await serve(no_auth=True)
    form = {"Content-Type": "text/plain"}
    for own in ({"Origin": server.url}, {"Sec-Fetch-Site": "same-origin"}, {"Cookie": "a=b"}):
        answer = await server.json("POST", "/api/sessions", b"{}", status=415, login=False, headers=form | own)
        assert answer["error"].startswith("Content-Type: ")
    await server.json("POST", "/api/sessions", b"{}", status=201, login=False, headers=form)


async def test_a_wrong_bearer_is_not_saved_by_a_cookie(server: Running) -> None:
    browser = Browser(server)
    await browser.login(server.announcement.code)
    assert (await browser.fetch("GET", "/api/sessions", Authorization="Bearer nope")).code == 401


async def test_without_logins_every_client_is_authenticated(serve: Serve) -> None:
    server = await serve(no_auth=True)
    assert server.announcement.code is None
    assert server.announcement.link == server.url
    assert (await server.json("GET", "/api/auth/config", login=False))["noAuth"] is True
    assert (await server.json("GET", "/api/auth/current-user", login=False))["authenticated"] is True
    assert await server.json("GET", "/api/sessions", login=False) == []


async def test_a_websocket_wants_a_login_and_the_own_origin(server: Running) -> None:
    session = await server.session(["cat"])
    for headers, code in (
        ({}, 401),
        ({"Authorization": "Bearer nope"}, 401),
        (server.bearer | {"Origin": "http://evil.example"}, 403),
        (server.bearer | {"Host": "evil.example"}, 403),
    ):
        with pytest.raises(HTTPClientError) as refused:
            await server.attach(session, headers=headers)
        assert refused.value.code == code
    assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "created"


async def test_the_logs_have_no_secrets(server: Running, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    session = await server.session(["cat"])
    await server.json("POST", f"/api/sessions/{session}/input", {"text": "hunter2"})
    await server.fetch("GET", "/api/sessions?token=hunter3")
    await server.fetch("GET", "/api/sessions", login=False, headers={"Authorization": "Bearer hunter4"})
    await server.fetch("POST", "/api/auth/code", {"code": "hunter5"}, login=False)
    (await server.attach(session, "&since=0")).close()
    await server.close()
    text = (folder / "s" / "log" / "requests.log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    asked = [(line["method"], line["path"], line["status"]) for line in lines]
    assert ("POST", "/api/sessions", 201) in asked
    assert ("GET", "/ws", 101) in asked
    assert not any("?" in path for _, path, _ in asked)
    text += (folder / "s" / "log" / "audit.log").read_text()
    for secret in ("hunter", server.server.context.secret, server.announcement.code or "?"):
        assert secret not in caplog.text + text
