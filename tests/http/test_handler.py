"""What every handler gets from the class that they share: answers in parts, cookies, entity tags, errors."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from harness import DEADLINE_S, Running, Serve, until
from tornado.iostream import StreamClosedError

from vibetunnel.errors import InvalidField
from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.route import Media, Operation, Permission, Route
from vibetunnel.http.negotiation import has_tag

PART = b"x" * 65536

Get = Callable[[Handler], Awaitable[None]]
AddRoute = Callable[..., str]


@pytest.fixture
def route(server: Running) -> AddRoute:
    """Gives a server another open route, which a coroutine answers. Returns the start of its request."""

    def add(answer: Get, on_close: Callable[[], None] = lambda: None) -> str:
        class Made(Handler):
            async def get(self) -> None:
                await answer(self)

            def on_connection_close(self) -> None:
                on_close()

        operations = {"GET": Operation("", {200: Media("text/plain")}, permission=Permission.OPEN)}
        server.server.application.whole_paths["/made"] = Route("/made", Made, operations)
        return "GET /made HTTP/{}\r\nHost: localhost\r\n\r\n"

    return add


async def ask(server: Running, request: str) -> bytes:
    """All that comes back until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
    writer.write(request.encode())
    async with asyncio.timeout(DEADLINE_S):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def parts(handler: Handler) -> None:
    for each in (b"one", b"", b"two"):
        await handler.write(each)
    handler.finish("three")


# Answers in parts


async def test_an_answer_in_parts_is_chunked_and_the_connection_goes_on(server: Running, route: AddRoute) -> None:
    request = route(parts).format("1.1")
    head, _, rest = (
        await ask(server, request + request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"))
    ).partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head
    assert b"Content-Length" not in head
    body = b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"
    assert rest.startswith(body + b"HTTP/1.1 200 OK\r\n")
    assert rest.endswith(body)


async def test_with_an_older_http_an_answer_in_parts_ends_with_the_connection(server: Running, route: AddRoute) -> None:
    request = route(parts).format("1.0").replace("\r\n\r\n", "\r\nConnection: keep-alive\r\n\r\n")
    head, _, body = (await ask(server, request)).partition(b"\r\n\r\n")
    assert body == b"onetwothree"
    assert b"Connection: close" in head
    assert b"Transfer-Encoding" not in head
    assert b"Content-Length" not in head


async def test_an_answer_that_fails_half_way_does_not_look_complete(
    server: Running, route: AddRoute, expect_log: Callable[[str], None]
) -> None:
    async def fails(handler: Handler) -> None:
        await handler.write(b"one")
        raise ZeroDivisionError

    expect_log("GET /made failed")
    answer = await ask(server, route(fails).format("1.1"))
    assert answer.endswith(b"3\r\none\r\n")
    assert b"500" not in answer


async def test_an_answer_in_parts_to_head_is_its_header_alone(server: Running, route: AddRoute) -> None:
    request = route(parts).format("1.1").replace("GET", "HEAD", 1)
    answer = await ask(server, request + "GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert rest.startswith(b"HTTP/1.1 ")  # the next answer, and no part of a body


async def test_a_status_without_a_body_has_none(server: Running, route: AddRoute) -> None:
    async def not_modified(handler: Handler) -> None:
        handler.set_status(HTTPStatus.NOT_MODIFIED)
        handler.finish("body")

    request = route(not_modified).format("1.1")
    answer = await ask(server, request + "GET /api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 304 ")
    assert rest.startswith(b"HTTP/1.1 ")


async def test_a_coroutine_that_is_cancelled_does_not_leave_the_client_waiting(
    server: Running, route: AddRoute
) -> None:
    async def cancelled(handler: Handler) -> None:
        waiting = asyncio.get_running_loop().create_future()
        waiting.cancel()
        await waiting

    assert await ask(server, route(cancelled).format("1.1")) == b""


async def test_a_client_that_does_not_read_costs_no_memory_and_its_end_is_noticed(
    server: Running, route: AddRoute
) -> None:
    written, seen = 0, list[str]()

    async def endless(handler: Handler) -> None:
        nonlocal written
        try:
            while True:
                await handler.write(PART)
                written += len(PART)
        except StreamClosedError:
            seen.append("failed")
            raise

    _, writer = await asyncio.open_connection("127.0.0.1", server.server.port, limit=1)
    writer.write(route(endless, lambda: seen.append("closed")).format("1.1").encode())
    (connection,) = await until(lambda: _connections(server))

    async def stopped() -> bool:
        before = written
        for _ in range(100):
            await asyncio.sleep(0)
        return before > 0 and written == before

    await until(stopped)
    assert connection.unsent < 4 * len(PART)
    writer.transport.abort()

    async def noticed() -> bool:
        return len(seen) == 2

    await until(noticed)
    assert sorted(seen) == ["closed", "failed"]


async def _connections(server: Running) -> list[object]:
    return list(server.server._front._servers[0]._all)


# Headers


async def test_a_login_cookie_carries_any_value_and_every_attribute(server: Running, route: AddRoute) -> None:
    value = 'a;b, "c"\\d=e f'

    async def sets(handler: Handler) -> None:
        handler.set_login_cookie(value)

    route(sets)
    response = await server.fetch("GET", "/made")
    (given,) = response.headers.get_list("Set-Cookie")
    (morsel,) = SimpleCookie(given).values()
    assert (morsel.key, morsel.value) == ("vibetunnel", value)
    assert {name: each for name, each in morsel.items() if each} == {
        "max-age": str(int(server.server.settings.login_max_s)),
        "path": "/",
        "httponly": True,
        "samesite": "Strict",
    }


async def test_a_cookie_that_is_cleared_is_out_of_date_and_has_the_same_attributes(
    server: Running, route: AddRoute
) -> None:
    async def clears(handler: Handler) -> None:
        handler.clear_login_cookie()

    route(clears)
    response = await server.fetch("GET", "/made")
    (morsel,) = SimpleCookie(response.headers["Set-Cookie"]).values()
    assert (morsel.key, morsel.value, morsel["max-age"]) == ("vibetunnel", "", "")
    assert morsel["expires"].endswith("1970 00:00:00 GMT")
    assert (morsel["path"], morsel["httponly"], morsel["samesite"]) == ("/", True, "Strict")


async def test_an_error_keeps_the_cookie_and_nothing_else_of_the_answer(server: Running, route: AddRoute) -> None:
    async def fails(handler: Handler) -> None:
        handler.clear_login_cookie()
        handler.set_header("Content-Type", "text/plain")
        handler.set_header("Etag", '"1"')
        handler.set_status(201)
        raise InvalidField("x", "y")

    route(fails)
    response = await server.fetch("GET", "/made")
    assert (response.code, response.body) == (400, b'{"error":"x: expected y"}')
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    assert "Etag" not in response.headers
    assert "Set-Cookie" in response.headers


async def test_a_header_of_two_lines_is_a_bug_and_not_sent(
    server: Running, route: AddRoute, expect_log: Callable[[str], None]
) -> None:
    async def splits(handler: Handler) -> None:
        handler.set_header("X-Name", "a\r\nSet-Cookie: evil")

    expect_log("GET /made failed")
    route(splits)
    response = await server.fetch("GET", "/made")
    assert (response.code, response.body) == (500, b'{"error":"Internal Server Error"}')
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize("path", ["/", "/api/sessions", "/api/events", "/ws"])
async def test_a_method_that_no_route_has_is_answered_alike_everywhere(server: Running, path: str) -> None:
    for method in ("TRACE", "PROPFIND", "PUT"):
        response = await server.fetch(method, path)
        assert response.code == 405
        assert response.headers["Allow"].startswith("GET")
        without_login = await server.fetch(method, path, login=False)
        assert (without_login.code, "Allow" in without_login.headers) == ((405, True) if path == "/" else (401, False))


async def test_the_stream_of_events_answers_head_without_a_stream(server: Running) -> None:
    response = await server.fetch("HEAD", "/api/events")
    assert (response.code, response.body) == (200, b"")
    assert response.headers["Content-Type"] == "text/event-stream"
    assert "Transfer-Encoding" not in response.headers


# Entity tags


@pytest.mark.parametrize(
    ("header", "known"),
    [
        ("", False), ("*", True), ('"a"', True), ('W/"a"', True), ('"b", W/"a"', True), ('"b"', False), ("a", False),
        ('"b", *', False), ('"a b", "a"', True), ('"', False),
    ],
)  # fmt: skip
def test_a_tag_is_found_in_a_list_of_strong_and_weak_ones(header: str, known: bool) -> None:
    assert has_tag(header, '"a"') is known


async def test_a_known_file_is_not_sent_again_to_get_nor_to_head(serve: Serve, folder: Path) -> None:
    (folder / "static").mkdir()
    (folder / "static" / "main.js").write_text("let a;")
    (folder / "static" / "main.js.gz").write_bytes(gzip.compress(b"let a;"))
    server = await serve(static=folder / "static")
    headers = {"Accept-Encoding": "gzip"}
    first = await server.fetch("GET", "/main.js", headers=headers, decompress_response=False)
    for method in ("GET", "HEAD"):
        known = headers | {"If-None-Match": f'"other", {first.headers["Etag"]}'}
        again = await server.fetch(method, "/main.js", headers=known)
        assert (again.code, again.body) == (304, b"")
        for name in ("Etag", "Vary", "Cache-Control"):
            assert again.headers[name] == first.headers[name]
        for name in ("Content-Type", "Content-Encoding", "Content-Length", "Transfer-Encoding"):
            assert name not in again.headers
