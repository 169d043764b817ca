"""A real server in the test's process, and clients of it. Their fixtures are in conftest.py."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import time
from collections.abc import Awaitable, Callable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from tornado.websocket import WebSocketClientConnection, websocket_connect

from vibetunnel.server import Announcement, Server

DEADLINE_S = 30.0  # for any condition; a test that waits longer fails
WEBSOCKET = {  # the headers of an upgrade
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}

T = TypeVar("T")


async def until(condition: Callable[[], Awaitable[T | None] | T | None]) -> T:
    """Call `condition`, plain or async, again and again; return its first true result."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            result = condition()
            if isinstance(result, Awaitable):
                result = await result
            if result:
                return result
            await asyncio.sleep(0.01)


def wait_for(condition: Callable[[], object]) -> None:
    """Call `condition` until it is true, without an event loop: for what nothing announces."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.002)


def calm_fish(home: Path) -> None:
    """Let fish start without reading all manual pages, which it does in the background in a new home, for minutes."""
    (home / ".local/share/fish/generated_completions").mkdir(parents=True)


@contextlib.contextmanager
def no_more(what: int) -> Iterator[None]:
    """Let this process have no more descriptors (RLIMIT_NOFILE) or no more room in files (RLIMIT_FSIZE)."""
    soft, hard = resource.getrlimit(what)
    free = os.dup(0)  # the lowest free descriptor
    os.close(free)
    resource.setrlimit(what, (free if what == resource.RLIMIT_NOFILE else 0, hard))
    try:
        yield
    finally:
        resource.setrlimit(what, (soft, hard))


class Socket:
    """One end of a WebSocket. `connection` is Tornado's client, an implementation of its own."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self.connection = connection
        self._over = False

    @property
    def ending(self) -> tuple[int | None, str | None]:
        """(close code, reason) after receive() has returned None. Both are None if no close frame came."""
        return self.connection.close_code, self.connection.close_reason

    async def receive(self) -> bytes | None:
        """The next message; None after the end of the connection. This server sends binary messages only."""
        if self._over:
            return None
        async with asyncio.timeout(DEADLINE_S):
            message = await self.connection.read_message()
        assert not isinstance(message, str)
        self._over = message is None
        return message

    async def send(self, message: bytes | str) -> None:
        await self.connection.write_message(message, binary=isinstance(message, bytes))

    async def until(self, expected: bytes) -> bytes:
        """The output that a raw client gets, up to and including the message that completes `expected`."""
        got = b""
        while expected not in got:
            message = await self.receive()
            assert message is not None, (self.ending, got[-1000:])
            got += message
        return got

    async def over(self) -> tuple[int | None, str | None]:
        """Read to the end; (close code, reason)."""
        while await self.receive() is not None:
            pass
        return self.ending

    def close(self) -> None:
        self.connection.close()


class Client:
    """A program that uses a server's REST and WebSockets."""

    def __init__(self, url: str, secret: str) -> None:
        self.url = url
        self._secret = secret
        self._client = AsyncHTTPClient(force_instance=True)
        self.options: dict[str, Any] = {}  # of every request
        self._sockets: list[Socket] = []

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._secret}"}

    async def fetch(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        login: bool = True,
        headers: dict[str, str] | None = None,
        **given: Any,
    ) -> HTTPResponse:
        """body  sent as JSON, but bytes unchanged"""
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if raw is not None else {}
        sent |= self.bearer if login else {}
        sent |= headers or {}
        options: dict[str, Any] = {"allow_nonstandard_methods": True, "follow_redirects": False}
        options["request_timeout"] = DEADLINE_S
        options |= self.options | given
        request = HTTPRequest(self.url + path, method=method, body=raw, headers=sent, **options)
        return await self._client.fetch(request, raise_error=False)

    async def json(self, method: str, path: str, body: object = None, *, status: int = 200, **options: Any) -> Any:
        """The answer's JSON. The answer must have this status."""
        response = await self.fetch(method, path, body, **options)
        assert response.code == status, (response.code, response.body)
        return json.loads(response.body)

    async def session(self, command: object = None, **fields: object) -> str:
        """The id of a new session."""
        body = {**({} if command is None else {"command": command}), **fields}
        return str((await self.json("POST", "/api/sessions", body, status=201))["id"])

    async def output(self, session_id: str, expected: bytes) -> bytes:
        """All output, as soon as `expected` is in it."""

        async def look() -> bytes | None:
            response = await self.fetch("GET", f"/api/sessions/{session_id}/output")
            assert response.code == 200, response.body
            return response.body if expected in response.body else None

        return await until(look)

    async def ended(self, session_id: str) -> dict[str, Any]:
        """The session, as soon as it has ended."""

        async def look() -> dict[str, Any] | None:
            session = await self.json("GET", f"/api/sessions/{session_id}")
            return session if session["status"] == "exited" else None

        return await until(look)

    async def attach(
        self,
        session_id: str,
        query: str = "",
        *,
        v1: bool = False,
        deflates: bool = False,
        headers: dict[str, str] | None = None,
    ) -> Socket:
        """A WebSocket to the session. Raises HTTPClientError if the server refuses the upgrade.

        deflates  offer permessage-deflate
        """
        url = f"{self.url.replace('http', 'ws', 1)}/ws?sessionId={session_id}{query}"
        request = HTTPRequest(url, headers=self.bearer if headers is None else headers, **self.options)
        socket = Socket(
            await websocket_connect(
                request,
                subprotocols=["vibetunnel.v1"] if v1 else None,
                compression_options={} if deflates else None,
            )
        )
        self._sockets.append(socket)
        return socket

    async def close(self) -> None:
        """Close all connections, after the server has closed its WebSockets."""
        self._client.close()
        for socket in self._sockets:
            await socket.over()  # the connection's task ends only when its messages are read
            socket.close()


class Browser:
    """A client like a browser: it keeps its cookie and its CSRF token, and sends Origin and Sec-Fetch-Site."""

    def __init__(self, server: Client) -> None:
        self.server = server
        self.cookie = ""
        self.csrf = ""

    @property
    def headers(self) -> dict[str, str]:
        own = {"Origin": self.server.url, "Sec-Fetch-Site": "same-origin"}
        own |= {"Cookie": self.cookie} if self.cookie else {}
        return own | ({"X-CSRF-Token": self.csrf} if self.csrf else {})

    async def fetch(self, method: str, path: str, body: object = None, **headers: str) -> HTTPResponse:
        """headers  sent in addition; `_` stands for `-`"""
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.server.fetch(method, path, body, login=False, headers=sent)
        given = response.headers.get_list("Set-Cookie")
        for each in given:
            morsel = next(iter(SimpleCookie(each).values()))
            self.cookie = f"{morsel.key}={morsel.coded_value}"
        if given and response.code == 200:
            self.csrf = (await self.user())["csrfToken"] or ""
        return response

    async def json(self, method: str, path: str, body: object = None, *, status: int = 200) -> Any:
        """The answer's JSON. The answer must have this status."""
        response = await self.fetch(method, path, body)
        assert response.code == status, (response.code, response.body)
        return json.loads(response.body)

    async def user(self) -> Any:
        """The answer of GET /api/auth/current-user."""
        return json.loads((await self.fetch("GET", "/api/auth/current-user")).body)

    async def login(self, code: str | None) -> HTTPResponse:
        return await self.fetch("POST", "/api/auth/code", {"code": code})

    async def password(self, name: str, password: str) -> HTTPResponse:
        return await self.fetch("POST", "/api/auth/password", {"userId": name, "password": password})

    async def enter(self, code: str) -> HTTPResponse:
        """Log in with the code of a share link."""
        return await self.fetch("POST", "/api/auth/share", {"code": code})

    async def attach(self, session_id: str, query: str = "", *, v1: bool = False) -> Socket:
        return await self.server.attach(session_id, query, v1=v1, headers=self.headers)


class Running(Client):
    """One server in this process, and a client of it."""

    def __init__(self, server: Server, announcement: Announcement) -> None:
        super().__init__(server.local_url, server.context.secret)
        self.server = server
        self.announcement = announcement

    async def close(self) -> None:
        """Stop the server as SIGTERM does. A second call does nothing."""
        await self.server.close()
        await super().close()


class Serve(Protocol):
    """`await serve(no_auth=True, ...)` starts another server in this process."""

    async def __call__(self, **settings: Any) -> Running: ...


async def ready(server: Client) -> str:
    """The id of a new session whose program echoes."""
    return await server.session(["sh", "-c", "stty -echo; echo ready; exec cat"])


async def still_there(socket: Socket) -> None:
    await socket.send(b"ping\n")
    await socket.until(b"ping")


async def refused(attaching: Awaitable[object]) -> int:
    """The HTTP status with which the server refuses this upgrade."""
    with pytest.raises(HTTPClientError) as error:
        await attaching
    return error.value.code


async def people(server: Client, session: str, count: int) -> list[dict[str, Any]]:
    """The session's clients, as soon as there are `count`."""

    async def here() -> list[dict[str, Any]] | None:
        found: list[dict[str, Any]] = await server.json("GET", f"/api/sessions/{session}/clients")
        return found if len(found) == count else None

    return await until(here)
