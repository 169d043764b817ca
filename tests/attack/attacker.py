"""The tools of an attacker: raw connections, browsers that keep cookies, and every kind of credential.

Besides the address of its target, an attack has only the owner's secret: it makes all else through the target's REST.
So the target may run in this process or on another machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import ssl
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from harness import DEADLINE_S, WEBSOCKET, Client, Running
from tornado.httpclient import HTTPResponse
from tornado.httputil import HTTPHeaders

KEY = b"\x01\x02\x03\x04"  # masks frames
PASSWORD = "correct horse battery staple"  # of every account that an attack makes
SOCKETS = ("/ws", "/buffers", "/api/events")  # long-lived connections
STREAMS = ("/api/sessions/{session_id}/stream", "/ws/input", "/api/control/stream")  # those of VibeTunnel's client


def frame(
    opcode: int, payload: bytes = b"", *, first: int = 0x80, masked: bool = True, length: bytes | None = None
) -> bytes:
    """One frame, also an invalid one: `first` is FIN and the reserved bits, `length` the bytes of the length field."""
    size = len(payload)
    if length is None:
        short = size if size < 126 else 126 if size < 65536 else 127
        long = b"" if size < 126 else struct.pack(">H" if size < 65536 else ">Q", size)
        length = bytes([short | (0x80 if masked else 0)]) + long
    body = bytes(byte ^ KEY[at % 4] for at, byte in enumerate(payload)) if masked else payload
    return bytes([first | opcode]) + length + (KEY if masked else b"") + body


class Answer(NamedTuple):
    """One HTTP answer, unchanged."""

    status: int
    headers: HTTPHeaders
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """A connection that sends any bytes. Nothing waits longer than DEADLINE_S."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.accepted = HTTPHeaders()  # of a WebSocket: the headers of the 101 answer

    @property
    def gone(self) -> bool:
        """Whether the server is known to have closed the connection."""
        return self.writer.is_closing() or self.reader.at_eof() or self.reader.exception() is not None

    async def send(self, data: bytes) -> None:
        """Give `data` to the kernel. If the server has closed the connection, answer() shows it."""
        if self.gone:
            return
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            async with asyncio.timeout(DEADLINE_S):
                await self.writer.drain()

    async def answer(self, *, head: bool = False) -> Answer | None:
        """The next answer, `head`: to a HEAD request; None after the end of the connection."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(DEADLINE_S):
                return await self._answer(head)
        return None

    async def _answer(self, head: bool) -> Answer | None:
        try:
            lines = await self.reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as incomplete:
            if incomplete.partial:
                raise AssertionError(f"half an answer: {incomplete.partial!r}") from None
            return None
        first, _, rest = lines.decode("latin-1").partition("\r\n")
        assert first.startswith("HTTP/1.1 "), first
        status, headers = int(first.split()[1]), HTTPHeaders.parse(rest)
        if head or status < 200 or status in (204, 304):
            return Answer(status, headers, b"")
        if "Content-Length" in headers:
            return Answer(status, headers, await self.reader.readexactly(int(headers["Content-Length"])))
        body = b""
        if headers.get("Transfer-Encoding") == "chunked":
            while size := int(await self.reader.readuntil(b"\r\n"), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readuntil(b"\r\n")
        else:
            body = await self.reader.read()
        return Answer(status, headers, body)

    async def answers(self, *, head: bool = False) -> list[Answer]:
        """All answers until the server closes the connection."""
        found = []
        while (answer := await self.answer(head=head)) is not None:
            found.append(answer)
        return found

    def end(self) -> None:
        """Send no more: an incomplete request stays incomplete."""
        if self.writer.can_write_eof():
            self.writer.write_eof()
        else:
            self.writer.close()  # TLS ends both ways

    async def over(self) -> bytes:
        """The remaining bytes, after the server has closed the connection."""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(DEADLINE_S):
                return await self.reader.read()
        return b""

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


@dataclass(frozen=True)
class Account:
    """A user made by an attack, with PASSWORD."""

    name: str
    role: str


class Target(Client):
    """A server and its owner's secret. `fetch`, `json`, `session` and `attach` act as the owner."""

    def __init__(self, url: str, secret: str, *, patient: bool = False) -> None:
        """patient  wait and repeat after a 429: the limits of this server are not under attack"""
        super().__init__(url, secret)
        self._patient = patient
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.secret = secret
        self.scheme = parts.scheme
        self.host = parts.hostname
        self.port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        self.authority = parts.netloc
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.base = parts.path.rstrip("/")  # what everything is below
        self._undo: list[tuple[str, str]] = []  # what has been made here: (method, path) that removes it
        if self.scheme == "https":
            self.options["validate_cert"] = False

    async def fetch(self, method: str, path: str, body: object = None, **given: Any) -> HTTPResponse:
        response = await super().fetch(method, path, body, **given)
        while self._patient and response.code == HTTPStatus.TOO_MANY_REQUESTS:
            await asyncio.sleep(int(response.headers["Retry-After"]))
            response = await super().fetch(method, path, body, **given)
        return response

    # Raw

    async def wire(self) -> Wire:
        tls = None
        if self.scheme == "https":
            tls = ssl.create_default_context()
            tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        return Wire(*await asyncio.open_connection(self.host, self.port, ssl=tls, limit=1 << 24))

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[Wire]:
        wire = await self.wire()
        try:
            yield wire
        finally:
            await wire.close()

    def request(self, method: str, path: str, *lines: str, body: bytes = b"", host: str | None = None) -> bytes:
        """A request with these header lines and a Host, encoded as latin-1, so that it can hold any byte."""
        head = [f"{method} {self.base}{path} HTTP/1.1", f"Host: {self.authority if host is None else host}", *lines]
        return "\r\n".join([*head, "", ""]).encode("latin-1") + body

    async def say(self, *data: bytes) -> list[Answer]:
        """All answers to these bytes on one connection. The last request must ask the server to close it."""
        async with self.connected() as wire:
            for each in data:
                await wire.send(each)
            return await wire.answers(head=data[0].startswith(b"HEAD "))

    # Identities

    async def account(self, role: str = "writer") -> Account:
        account = Account(f"attack-{secrets.token_hex(6)}", role)
        await self.json("POST", "/api/users", {"name": account.name, "role": role, "password": PASSWORD}, status=201)
        self._undo.append(("DELETE", f"/api/users/{account.name}"))
        return account

    async def api_token(self, *scope: str, session: str | None = None, expires: int = 600) -> str:
        """A bearer token for a program."""
        body: dict[str, object] = {"scope": list(scope), "expires": expires}
        made = await self.json("POST", "/api/tokens", body | ({"sessionId": session} if session else {}), status=201)
        self._undo.append(("DELETE", f"/api/tokens/{made['id']}"))
        return str(made["token"])

    async def share(self, session: str, **fields: object) -> dict[str, Any]:
        made: dict[str, Any] = await self.json("POST", f"/api/sessions/{session}/shares", fields, status=201)
        return made

    async def session(self, command: object = None, **fields: object) -> str:
        made = await super().session(command, **fields)
        self._undo.append(("DELETE", f"/api/sessions/{made}"))
        return made

    def browser(self) -> Browser:
        return Browser(self)

    async def owner(self) -> Browser:
        """A browser logged in with a one-time code."""
        browser = self.browser()
        await browser.login((await self.json("POST", "/api/auth/link"))["code"])
        return browser

    async def user(self, role: str = "writer") -> Browser:
        """A browser where a new user of this role has logged in with a password."""
        account = await self.account(role)
        browser = self.browser()
        response = await browser.password(account.name, PASSWORD)
        assert response.code == 200, response.body
        browser.tokens = json.loads(response.body)
        return browser

    async def guest(self, session: str, role: str) -> Browser:
        """A browser that has opened a share link."""
        code = (await self.share(session, role=role))["code"]
        browser = self.browser()
        response = await browser.fetch("POST", "/api/auth/share", {"code": code})
        assert response.code == 200, response.body
        return browser

    async def headers(self, who: str, session: str = "") -> dict[str, str]:
        """The credentials that `who` sends: nobody, owner, writer, viewer (cookies), guest-view, guest-type,
        secret, access (a user's access token), token-view, token-type, token-control, token-admin,
        token-files, token-session."""
        kind, _, which = who.partition("-")
        match kind:
            case "nobody":
                return {}
            case "secret":
                return self.bearer
            case "owner" if not which:
                return await (await self.owner()).headers()
            case "writer" | "viewer":
                return await (await self.user(kind)).headers()
            case "guest":
                return await (await self.guest(session, which)).headers()
            case "access":
                return {"Authorization": f"Bearer {(await self.user('owner')).tokens['token']}"}
            case "token" if which == "session":
                return {"Authorization": f"Bearer {await self.api_token('view', 'type', session=session)}"}
            case "token":
                return {"Authorization": f"Bearer {await self.api_token(which)}"}
        raise AssertionError(who)

    async def ticket(self, headers: dict[str, str] | None = None, **body: object) -> str:
        made = await self.json("POST", "/api/auth/ticket", body, login=headers is None, headers=headers)
        return str(made["ticket"])

    # Sockets

    async def upgrade(self, path: str, headers: dict[str, str]) -> int:
        """The status of the answer to a WebSocket handshake or to a request for the event stream."""
        lines = [
            f"{name}: {value}" for name, value in ({} if "events" in path or "stream" in path else WEBSOCKET).items()
        ]
        lines += [f"{name}: {value}" for name, value in headers.items() if name != "Host"]
        async with self.connected() as wire:
            await wire.send(self.request("GET", path, *lines, host=headers.get("Host")))
            async with asyncio.timeout(DEADLINE_S):
                return int((await wire.reader.readuntil(b"\r\n")).split()[1])

    @contextlib.asynccontextmanager
    async def upgraded(self, path: str, headers: dict[str, str] | None = None, *more: str) -> AsyncIterator[Wire]:
        """A WebSocket after its handshake, as the owner or with other `headers`."""
        sent = WEBSOCKET | (self.bearer if headers is None else headers)
        async with self.connected() as wire:
            await wire.send(self.request("GET", path, *(f"{name}: {value}" for name, value in sent.items()), *more))
            answer = await wire.answer()
            assert answer is not None
            assert answer.status == 101, answer
            wire.accepted = answer.headers
            yield wire

    async def recorder(self) -> str:
        """The id of a session that prints `ready`, then every byte of its input."""
        session = await self.session(["sh", "-c", "stty raw -echo; printf ready; exec cat"], spawn="now")
        await self.output(session, b"ready")
        return session

    async def recorded(self, session: str, end: str = "the-end") -> bytes:
        """The input of a recorder until now."""
        await self.json("POST", f"/api/sessions/{session}/input", {"text": end})
        got = await self.output(session, end.encode())
        return got.removeprefix(b"ready").removesuffix(end.encode())

    async def close(self) -> None:
        """Remove all that was made through this target, and disconnect."""
        for method, path in reversed(self._undo):
            await self.fetch(method, path)
        await super().close()


class Browser:
    """Keeps its cookies, sends the headers of a browser, and the CSRF token with writes."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.jar: dict[str, str] = {}
        self.csrf: str | None = None
        self.tokens: dict[str, Any] = {}  # what the login was answered with

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.jar.items())

    @property
    def own(self) -> dict[str, str]:
        """The headers that a page of the server makes a browser send."""
        sent = {"Origin": self.target.origin, "Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}
        return sent | ({"Cookie": self.cookie} if self.jar else {})

    async def headers(self) -> dict[str, str]:
        """As `own`, with the CSRF token."""
        return self.own | {"X-CSRF-Token": await self.token()}

    async def token(self) -> str:
        """The CSRF token, obtained as a page does it."""
        if self.csrf is None:
            user = await self.target.json("GET", "/api/auth/current-user", login=False, headers=self.own)
            self.csrf = user["csrfToken"] or ""
        return self.csrf

    async def fetch(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None, **options: Any
    ) -> HTTPResponse:
        sent = await self.headers() if self.jar and method not in ("GET", "HEAD") else self.own
        sent = {name: value for name, value in (sent | (headers or {})).items() if value is not None}
        response = await self.target.fetch(method, path, body, login=False, headers=sent, **options)
        self.take(response)
        return response

    def take(self, response: HTTPResponse) -> None:
        for each in response.headers.get_list("Set-Cookie"):
            for morsel in SimpleCookie(each).values():
                self.csrf = None
                if morsel.value:
                    self.jar[morsel.key] = morsel.coded_value
                else:
                    self.jar.pop(morsel.key, None)

    async def login(self, code: str | None) -> HTTPResponse:
        return await self.fetch("POST", "/api/auth/code", {"code": code})

    async def password(self, name: str, password: str) -> HTTPResponse:
        return await self.fetch("POST", "/api/auth/password", {"userId": name, "password": password})


def filled(path: str, **values: str) -> str:
    """An OpenAPI path with its parameters filled in; `x` if not given."""
    for name in [part.partition("}")[0] for part in path.split("{")[1:]]:
        path = path.replace(f"{{{name}}}", quote(values.get(name, "x"), safe=""))
    return path


def opened(path: str, session: str) -> str:
    """The address of a socket or stream; those of one session name it."""
    return filled(path, session_id=session) + (f"?sessionId={session}" if path in ("/ws", "/ws/input") else "")


def aim(server: Running) -> Target:
    """A server in this process as a target. The caller closes the target before the server."""
    return Target(server.url, server.server.context.secret)
