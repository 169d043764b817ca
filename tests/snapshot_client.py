"""A client of /buffers, the WebSocket of snapshots, with a decoder for VibeTunnel's binary screen format."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from harness import DEADLINE_S, Running
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect


@dataclass(frozen=True)
class Snapshot:
    """A snapshot read by the rules of the reference; styles are passed over."""

    session_id: str
    cols: int
    top: int
    cursor: tuple[int, int]  # row, column
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def parsed(message: bytes) -> Snapshot:
    assert message[0] == 0xBF
    (length,) = struct.unpack_from("<I", message, 1)
    session_id, data = message[5 : 5 + length].decode(), message[5 + length :]
    magic, version, flags, cols, rows, top, x, y, reserved = struct.unpack_from("<HBBIIiiiI", data)
    assert (magic, version, flags, reserved) == (0x5654, 1, 0, 0)
    lines, at = [], 28
    while at < len(data):
        if data[at] == 0xFE:
            lines += [""] * data[at + 1]
            at += 2
            continue
        assert data[at] == 0xFD
        (cells,) = struct.unpack_from("<H", data, at + 1)
        at += 3
        line = ""
        for _ in range(cells):
            character, at = cell(data, at)
            line += character
        lines.append(line)
    assert len(lines) == rows
    return Snapshot(session_id, cols, top, (y, x), tuple(lines))


def cell(data: bytes, at: int) -> tuple[str, int]:
    kind, at = data[at], at + 1
    character = " "
    if kind & 3 == 1:
        character, at = chr(data[at]), at + 1
    elif kind & 3 == 2:
        length = data[at]
        character, at = data[at + 1 : at + 1 + length].decode(), at + 1 + length
    if kind & 0x80:
        at += 1
        for present, rgb in ((0x20, 0x08), (0x10, 0x04)):
            if kind & present:
                at += 3 if kind & rgb else 1
    return character, at


class Watching:
    """One end of a /buffers socket. `connection` is Tornado's client."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self.connection = connection
        self.over = False

    async def message(self) -> bytes | dict[str, Any] | None:
        """The next one; None when the connection is over."""
        async with asyncio.timeout(DEADLINE_S):
            message = None if self.over else await self.connection.read_message()
        self.over = message is None
        return json.loads(message) if isinstance(message, str) else message

    async def said(self) -> dict[str, Any]:
        """The next message, which is a text."""
        message = await self.message()
        assert isinstance(message, dict), message
        return message

    async def snapshot(self) -> Snapshot:
        """The next message, which is a snapshot."""
        message = await self.message()
        assert isinstance(message, bytes), message
        return parsed(message)

    async def until(self, text: str, session_id: str = "") -> Snapshot:
        """The next snapshot (of this session) with `text` on the screen."""
        while True:
            snapshot = await self.snapshot()
            if text in snapshot.text and session_id in ("", snapshot.session_id):
                return snapshot

    async def say(self, message: object) -> None:
        raw = message if isinstance(message, (bytes, str)) else json.dumps(message)
        await self.connection.write_message(raw, binary=isinstance(raw, bytes))

    async def subscribe(self, session_id: str) -> bytes:
        """What comes before `subscribed`, which is one snapshot."""
        await self.say({"type": "subscribe", "sessionId": session_id})
        message = await self.message()
        assert isinstance(message, bytes), message
        assert await self.said() == {"type": "subscribed", "sessionId": session_id}
        return message

    async def ping(self) -> dict[str, Any]:
        await self.say({"type": "ping"})
        return await self.said()

    async def end(self) -> tuple[int | None, str | None]:
        """(close code, reason), after whatever comes before."""
        while await self.message() is not None:
            pass
        return self.connection.close_code, self.connection.close_reason


@asynccontextmanager
async def watching(server: Running, headers: dict[str, str] | None = None) -> AsyncIterator[Watching]:
    url = server.url.replace("http", "ws", 1) + "/buffers"
    request = HTTPRequest(url, headers=server.bearer if headers is None else headers, **server.options)
    watcher = Watching(await websocket_connect(request))
    assert await watcher.said() == {"type": "connected", "version": "1.0"}
    try:
        yield watcher
    finally:
        watcher.connection.close()
        await watcher.end()
