"""Clients of GET /api/events: of the server-sent events, and of the WebSocket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from harness import DEADLINE_S, Running
from snapshot_client import Watching
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect


class Stream:
    """What arrives, message by message. Plain HTTP/1.0, so that nothing but the events is on the line."""

    def __init__(self, reader: asyncio.StreamReader, headers: str) -> None:
        self._reader = reader
        self.headers = headers

    async def event(self) -> bytes:
        """The next event or comment; nothing at the end."""
        async with asyncio.timeout(DEADLINE_S):
            try:
                return await self._reader.readuntil(b"\n\n")
            except asyncio.IncompleteReadError as end:
                return end.partial

    async def next(self, *kinds: str) -> dict[str, Any]:
        """The next message of one of these types; others are passed over."""
        while True:
            event = await self.event()
            assert event.startswith((b"data: ", b":"))
            if event.startswith(b"data: "):
                message: dict[str, Any] = json.loads(event[6:])
                if message["type"] in kinds:
                    return message


@asynccontextmanager
async def listening(server: Running) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
    lines = ["GET /api/events HTTP/1.0", "Host: localhost", "Accept-Encoding: gzip, br"]
    lines += [f"{name}: {value}" for name, value in server.bearer.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    async with asyncio.timeout(DEADLINE_S):
        stream = Stream(reader, (await reader.readuntil(b"\r\n\r\n")).decode().lower())
    first = await stream.next("connected")
    assert first["timestamp"].endswith("Z")
    yield stream
    writer.close()
    await writer.wait_closed()


class EventSocket(Watching):
    """One end of the WebSocket."""

    async def next(self, *kinds: str) -> dict[str, Any]:
        """The next message of one of these types; others are passed over."""
        while True:
            message = await self.said()
            if message["type"] in kinds:
                return message


@asynccontextmanager
async def listening_by_socket(
    server: Running, headers: dict[str, str] | None = None, query: str = ""
) -> AsyncIterator[EventSocket]:
    url = f"{server.url.replace('http', 'ws', 1)}/api/events{query}"
    request = HTTPRequest(url, headers=server.bearer if headers is None else headers, **server.options)
    socket = EventSocket(await websocket_connect(request))
    try:
        assert (await socket.said())["type"] == "connected"
        yield socket
    finally:
        socket.connection.close()
        await socket.end()
