"""A client of VibeTunnel's WebSocket v3, written from the table in docs/compatibility.md and not from the server."""

from __future__ import annotations

import asyncio
import json
import struct
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
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
TAKEN = {HELLO, SUBSCRIBE, UNSUBSCRIBE, TEXT, KEY, RESIZE, KILL, RESET_SIZE, PING, VIEWING}  # what a server reads

VECTORS = json.loads((Path(__file__).parent / "vectors" / "v3.json").read_text())["messages"]
EXAMPLES = [bytes.fromhex(each["hex"]) for each in VECTORS]


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


def well_formed(data: bytes) -> Frame | None:
    """The message as the table has it; None: a server drops it."""
    length = int.from_bytes(data[4:8], "little")
    name, rest = data[8 : 8 + length], data[8 + length :]
    size = int.from_bytes(rest[:4], "little")
    if len(data) < 12 or data[:3] != b"TV\x03" or len(rest) < 4 + size:
        return None
    try:
        return Frame(data[3], name.decode(), rest[4 : 4 + size])
    except UnicodeDecodeError:
        return None


def parsed(data: bytes) -> Frame:
    """A message of the server, which has nothing after its payload."""
    found = well_formed(data)
    assert found is not None, data[:100]
    assert len(data) == 12 + len(found.session.encode()) + len(found.payload)
    return found


def mutated(rng: Random) -> bytes:
    """An example with a few faults: bytes that are cut off, changed, doubled or put in, and lengths that lie."""
    raw = bytearray(rng.choice(EXAMPLES))
    for _ in range(rng.randint(1, 3)):
        at = rng.randint(0, len(raw))
        match rng.randrange(5):
            case 0:
                del raw[at:]
            case 1:
                raw[at : at + rng.randint(1, 4)] = rng.randbytes(rng.randint(0, 4))
            case 2:
                raw[at:at] = raw[: rng.randint(0, len(raw))]
            case 3:
                lie = rng.choice((0, 1, 2**31, 2**32 - 1, len(raw), max(0, len(raw) - 12)))
                raw[4:8] = lie.to_bytes(4, "little")
            case 4:
                raw[-4:] = rng.choice((b"\xff" * 4, b"\0\0\0\x80", b"\0" * 5))
    return bytes(raw)


class V3Client:
    """seen: frames that were passed over by next(). text: the output of each session so far.

    counts: how many frames of each type came, by type and session
    """

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self.connection = connection
        self.seen: deque[Frame] = deque(maxlen=100)
        self.text: dict[str, str] = {}
        self.counts: Counter[tuple[int, str]] = Counter()
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
        self.is_over = message is None
        assert isinstance(message, bytes), (self.connection.close_code, self.connection.close_reason)
        found = parsed(message)
        self.counts[found.kind, found.session] += 1
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
