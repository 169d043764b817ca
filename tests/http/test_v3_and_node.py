"""What WebSocket v3 has in common with VibeTunnel's Node server, compared with that server.

The published server (npm) has no v3. But its snapshots, keys, output, sizes and exits are those that v3 carries. So
the same program runs in both servers, and the same is typed.
"""

from __future__ import annotations

import asyncio
import json
import struct
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from harness import DEADLINE_S, Client, Running, until
from snapshot_client import parsed
from tornado.httpclient import HTTPRequest
from tornado.ioloop import IOLoop
from tornado.websocket import websocket_connect
from v3_client import EVENT, EVENTS, KEY, OUTPUT, RESIZE, SCREEN, SNAPSHOT, TEXT, V3Client, v3

from benchmarks.peers.node import Node
from benchmarks.peers.peer import ChildServer
from vibetunnel.sessions.keys import KEYS
from vibetunnel.sessions.snapshots import enveloped


class NodeClient(Client):
    """A client of the Node server, which takes no login here."""

    async def run(self, script: str) -> str:
        body = {"command": ["sh", "-c", script], "workingDir": "/", "cols": 80, "rows": 24}
        return str((await self.json("POST", "/api/sessions", body))["sessionId"])

    async def stream(self, session: str) -> AsyncIterator[Any]:
        """The events of a session's stream."""
        reader, writer = await asyncio.open_connection(*self.url.removeprefix("http://").split(":"))
        writer.write(f"GET /api/sessions/{session}/stream HTTP/1.0\r\n\r\n".encode())
        try:
            while line := await reader.readline():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        finally:
            writer.close()

    async def printed(self, session: str, end: str) -> str:
        """The output of a session, as soon as it ends like this."""
        text = ""
        async with asyncio.timeout(DEADLINE_S), aclosing(self.stream(session)) as events:
            async for event in events:
                if isinstance(event, dict):
                    text = ""  # what came before the header comes again after it
                elif event[1] == "o":
                    text += event[2]
                if text.endswith(end):
                    return text
        raise AssertionError(text)

    async def type(self, session: str, messages: list[str]) -> None:
        request = HTTPRequest(f"{self.url.replace('http', 'ws', 1)}/ws/input?sessionId={session}")
        connection = await websocket_connect(request)
        for each in messages:
            await connection.write_message(each)
        connection.close()
        assert await connection.read_message() is None


@pytest.fixture(scope="module")
def started() -> Iterator[ChildServer]:
    peer = Node()
    peer.prepare()
    with tempfile.TemporaryDirectory(prefix="vtn", ignore_cleanup_errors=True) as folder:
        server = peer.start({}, {}, Path(folder))
        assert isinstance(server, ChildServer)
        yield server
        server.stop()


@pytest.fixture
def node(io_loop: IOLoop, started: ChildServer) -> Iterator[NodeClient]:
    client = NodeClient("http://{}:{}".format(*started.address), "")
    yield client
    io_loop.run_sync(client.close)


async def screen(client: V3Client, session: str) -> bytes:
    """A snapshot of v3 with END on it."""
    await client.subscribe(session, SCREEN)
    while "END" not in parsed(enveloped(session, found := (await client.next(SNAPSHOT, session)).payload)).text:
        pass
    return found


async def theirs(node: NodeClient, session: str) -> bytes:
    async def shown() -> bytes | None:
        body = (await node.fetch("GET", f"/api/sessions/{session}/buffer", login=False)).body
        return body if "END" in parsed(enveloped(session, body)).text else None

    return await until(shown)


SCREENS = {
    "text": r"hello\r\nworld",
    "palette": r"\033[1;31mred\033[0m \033[48;5;200mpink\033[0m\033[94;103mbright\033[0m",
    "rgb": r"\033[38;2;200;210;220mlight\033[48;2;1;2;3mdark\033[0m\033[38;2;0;0;200mbecomes palette 200\033[0m",
    "attributes": r"\033[2mdim\033[0m\033[8mhidden\033[0m\033[7minverse\033[0m\033[3;4;9mx\033[0m\033[1mbold\033[0m",
    "not in the format": r"\033[5mblink\033[0m\033[53moverline\033[0m\033[4:3mcurly\033[0m",
    "wide": "漢字 é ж",
    "moves": r"\033[5;10Hthere\033[2;3Hhere\033[Kx\ty",
    "alternate": r"main\033[?1049h\033[2J\033[H",
    "scrolled": "".join(rf"line {n}\r\n" for n in range(60)),
    "scrolled, then alternate": "".join(rf"line {n}\r\n" for n in range(60)) + r"\033[?1049h\033[H",
    "scrollback erased": "".join(rf"line {n}\r\n" for n in range(60)) + r"\033[3J",
    "background": r"\033[44m\033[2J\033[Hblue\033[0m",
    "edited": r"abcdef\033[3D\033[P\033[2@\033[1L\033[5;20r\033[20;1H\n\r\033[r",
    "wrapped": "x" * 200,
}


@pytest.mark.parametrize("name", SCREENS)
async def test_a_snapshot_has_the_same_bytes(server: Running, node: NodeClient, name: str) -> None:
    script = f"stty raw -echo; printf '{SCREENS[name]}END'; exec cat"
    other, own = await node.run(script), await server.session(["sh", "-c", script], spawn="now")
    async with v3(server) as client:
        assert (await screen(client, own)).hex() == (await theirs(node, other)).hex()


DIFFERENT = {  # and why; the columns of the cursor
    "an emoji has two columns in a terminal": ("\U0001f600", 5, 4),
    "a line feed moves down, and not to the left, in a raw terminal": (r"a\n", 4, 3),
}


@pytest.mark.parametrize("why", DIFFERENT)
async def test_a_snapshot_differs_where_the_node_server_shows_what_no_terminal_does(
    server: Running, node: NodeClient, why: str
) -> None:
    text, column, their_column = DIFFERENT[why]
    script = f"stty raw -echo; printf '{text}END'; exec cat"
    other, own = await node.run(script), await server.session(["sh", "-c", script], spawn="now")
    async with v3(server) as client:
        ours = parsed(enveloped(own, await screen(client, own)))
    found = parsed(enveloped(other, await theirs(node, other)))
    assert (ours.cursor[1], found.cursor[1]) == (column, their_column)


async def test_keys_and_text_type_the_same_bytes(server: Running, node: NodeClient) -> None:
    script = "stty raw -echo; printf READY; exec od -An -v -tx1 -w1"
    other, own = await node.run(script), await server.session(["sh", "-c", script])
    typed = [*((KEY, name) for name in KEYS), (KEY, "no such key"), (KEY, "Enter"), (TEXT, "")]
    typed += [
        (TEXT, each) for each in ("a", "é漢\U0001f600", "\x03", "\x1b[200~two\rlines\x1b[201~", "\x12", "x" * 5000)
    ]
    typed.append((TEXT, "~~~"))
    end = " 7e\n" * 3
    await node.printed(other, "READY")
    await node.type(other, [f"\0{text}\0" if kind == KEY else text for kind, text in typed])
    async with v3(server) as client:
        await client.subscribe(own, OUTPUT)
        await client.until(own, "READY")
        for kind, text in typed:
            await client.say(kind, own, text.encode())
        assert await client.until(own, end) == await node.printed(other, end)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("printf out; exit 0", 0),
        ("printf out; exit 3", 3),
        (r"printf 'caf\303'; sleep 0.1; printf '\251 \377 \346\274'; printf '\242\r\n'; exit 200", 200),
        ("i=0; while [ $i -lt 50 ]; do echo line $i; i=$((i+1)); done", 0),
    ],
)
async def test_output_and_exit_are_those_of_the_stream(
    server: Running, node: NodeClient, script: str, code: int
) -> None:
    script = f"stty -echo; printf READY; read -r _; {script}"  # until a client has come: Node's stream begins late
    other, own = await node.run(script), await server.session(["sh", "-c", script])
    text, header, exited = "", {}, -1
    async with asyncio.timeout(DEADLINE_S), aclosing(node.stream(other)) as events:
        async for event in events:
            if isinstance(event, dict):
                header, text = event, ""
            elif event[0] == "exit":
                exited = event[1]
                break
            elif event[1] == "o":
                text += event[2]
            if header and text == "READY":
                await node.type(other, ["\r"])
    async with v3(server) as client:
        await client.subscribe(own, OUTPUT | EVENTS)
        shown = (await client.next(EVENT, own)).json
        await client.until(own, "READY")
        await client.say(TEXT, own, b"\r")
        end = (await client.next(EVENT, own)).json
    assert shown["kind"] == "header"
    for each in ("version", "width", "height"):
        assert shown["header"][each] == header[each]
    assert set(header) <= set(shown["header"])
    assert end == {"kind": "exit", "exitCode": exited}
    assert exited == code
    assert client.text[own] == text


async def test_a_size_is_told_in_the_same_words(server: Running, node: NodeClient) -> None:
    script = "stty raw -echo; printf READY; exec cat"
    other, own = await node.run(script), await server.session(["sh", "-c", script], spawn="now")
    await node.printed(other, "READY")
    await node.json("POST", f"/api/sessions/{other}/resize", {"cols": 100, "rows": 30}, login=False)
    async with v3(server) as client:
        await client.subscribe(own, EVENTS)
        await client.next(EVENT, own)
        await client.say(RESIZE, own, struct.pack("<II", 100, 30))
        ours = (await client.next(EVENT, own)).json
    async with asyncio.timeout(DEADLINE_S), aclosing(node.stream(other)) as events:
        async for event in events:
            if isinstance(event, list) and event[1] == "r":
                assert ours == {"kind": "resize", "dimensions": event[2]}
                return
