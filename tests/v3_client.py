"""A client of VibeTunnel's WebSocket v3, written from the table in docs/compatibility.md and not from the server."""

from __future__ import annotations

import asyncio
import json
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from harness import DEADLINE_S, Client
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

WELCOME, STDOUT, SNAPSHOT, EVENT, ERROR, PONG = 2, 20, 21, 22, 23, 41
HELLO, SUBSCRIBE, UNSUBSCRIBE, TEXT, KEY, RESIZE, KILL, RESET_SIZE, PING, VIEWING = (
    1,
    10,
    11,
    30,
    31,
    32,
    33,
    34,
    40,
    50,
)
OUTPUT, SCREEN, EVENTS = 1, 2, 4


class Frame(NamedTuple):
    kind: int
    session: str
    payload: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.payload)


def framed(kind: int, session: str = "", payload: bytes = b"") -> bytes:
    name = session.encode()
    return struct.pack("<HBBI", 0x5654, 3, kind, len(name)) + name + struct.pack("<I", len(payload)) + payload


def parsed(data: bytes) -> Frame:
    magic, version, kind, length = struct.unpack_from("<HBBI", data)
    assert (magic, version) == (0x5654, 3)
    (size,) = struct.unpack_from("<I", data, 8 + length)
    assert len(data) == 12 + length + size
    return Frame(kind, data[8 : 8 + length].decode(), data[12 + length :])


class V3Client:
    """seen: frames that were passed over by next(). text: the output of each session so far."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self.connection = connection
        self.seen: deque[Frame] = deque(maxlen=100)
        self.text: dict[str, str] = {}
        self.is_over = False

    async def over(self) -> int | None:
        """Read to the end; the close code."""
        async with asyncio.timeout(DEADLINE_S):
            while not self.is_over:
                self.is_over = await self.connection.read_message() is None
        return self.connection.close_code

    async def say(self, kind: int, session: str = "", payload: bytes = b"") -> None:
        await self.connection.write_message(framed(kind, session, payload), binary=True)

    async def subscribe(self, session: str, flags: int, shortest_ms: int = 0, longest_ms: int = 0) -> None:
        await self.say(SUBSCRIBE, session, struct.pack("<III", flags, shortest_ms, longest_ms))

    async def frame(self) -> Frame:
        async with asyncio.timeout(DEADLINE_S):
            message = await self.connection.read_message()
        assert isinstance(message, bytes), (self.connection.close_code, self.connection.close_reason)
        found = parsed(message)
        if found.kind == STDOUT:
            self.text[found.session] = self.text.get(found.session, "") + found.payload.decode()  # strict
        return found

    async def next(self, kind: int, session: str | None = None) -> Frame:
        """The next frame of this kind; others are passed over."""
        while True:
            found = await self.frame()
            if found.kind == kind and session in (None, found.session):
                return found
            self.seen.append(found)

    async def until(self, session: str, text: str) -> str:
        """Read until the session's output contains the text."""
        while text not in self.text.get(session, ""):
            self.seen.append(await self.frame())
        return self.text[session]

    async def settled(self) -> None:
        """Wait until the server has answered all that was sent."""
        await self.say(PING, payload=b"settled?")
        while (await self.next(PONG)).payload != b"settled?":
            pass


@asynccontextmanager
async def v3(server: Client, query: str = "", headers: dict[str, str] | None = None) -> AsyncIterator[V3Client]:
    url = f"{server.url.replace('http', 'ws', 1)}/ws{query}"
    request = HTTPRequest(url, headers=server.bearer if headers is None else headers, **server.options)
    client = V3Client(await websocket_connect(request))
    try:
        welcome = await client.frame()
        assert (welcome.kind, welcome.session, welcome.json) == (WELCOME, "", {"ok": True, "version": 3})
        yield client
    finally:
        client.connection.close()
        await client.over()
