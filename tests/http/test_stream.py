"""GET /api/sessions/{id}/stream, /ws/input and the text frames of /ws, as VibeTunnel's own client uses them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from harness import DEADLINE_S, Running, Serve, people, refused, until
from repositories import commit, repository, write
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from vibetunnel.sessions.keys import APPLICATION_KEYS, KEYS

ECHO = ["sh", "-c", "stty raw -echo; printf ready; exec cat"]


class Streamed:
    """A stream, event by event. text: the output since the last reset; last: the last event's id."""

    def __init__(self, status: int, headers: str, reader: asyncio.StreamReader) -> None:
        self.status = status
        self.headers = headers
        self.text = ""
        self.last = ""
        self.wire = 0
        self._reader = reader

    async def block(self) -> str:
        """The next event or comment; nothing at the end."""
        async with asyncio.timeout(DEADLINE_S):
            try:
                block = await self._reader.readuntil(b"\n\n")
            except asyncio.IncompleteReadError as end:
                block = end.partial
        assert not block or block.endswith(b"\n\n")
        self.wire += len(block)
        return block.decode()

    async def event(self) -> Any:
        """The data of the next event; None at the end."""
        while block := await self.block():
            if not block.startswith(":"):
                fields = dict(line.split(": ", 1) for line in block.strip().split("\n"))
                self.last = fields.get("id", self.last)
                data = json.loads(fields["data"])
                if isinstance(data, list) and data[1] == "o":
                    self.text = data[2] if data[2].startswith("\x1bc") else self.text + data[2]
                return data
        return None

    async def until(self, text: str) -> None:
        while text not in self.text:
            assert await self.event() is not None, self.text[-500:]

    async def exit(self) -> Any:
        while isinstance(event := await self.event(), dict) or event[0] != "exit":
            pass
        return event


@asynccontextmanager
async def streamed(
    server: Running, session: str, query: str = "", headers: dict[str, str] | None = None
) -> AsyncIterator[Streamed]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
    sent = {"Host": "localhost", "Accept-Encoding": "gzip, br"} | (server.bearer if headers is None else headers)
    lines = [
        f"GET /api/sessions/{session}/stream{query} HTTP/1.1",
        *(f"{name}: {value}" for name, value in sent.items()),
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    async with asyncio.timeout(DEADLINE_S):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    try:
        yield Streamed(int(head.split()[1]), head.lower(), reader)
    finally:
        writer.close()


@asynccontextmanager
async def input_socket(
    server: Running, query: str, headers: dict[str, str] | None = None
) -> AsyncIterator[WebSocketClientConnection]:
    url = f"{server.url.replace('http', 'ws', 1)}/ws/input{query}"
    connection = await websocket_connect(HTTPRequest(url, headers=server.bearer if headers is None else headers))
    try:
        yield connection
    finally:
        connection.close()
        async with asyncio.timeout(DEADLINE_S):
            assert connection.close_code or await connection.read_message() is None, "the server sends nothing"


# ---------------------------------------------------------------- the stream


async def test_a_stream_starts_a_lazy_session_and_ends_with_its_exit_code(server: Running) -> None:
    session = await server.session(["sh", "-c", "printf first; exit 3"], name="demo", rows=30, cols=100)
    async with streamed(server, session) as stream:
        assert stream.status == 200
        assert "content-type: text/event-stream\r\n" in stream.headers
        assert "content-encoding" not in stream.headers
        assert "access-control-allow-origin" not in stream.headers
        assert await stream.block() == ":ok\nretry: 5100\n\n"
        header = await stream.event()
        assert (header["version"], header["width"], header["height"], header["title"]) == (2, 100, 30, "demo")
        assert await stream.exit() == ["exit", 3, session]
        assert stream.text == "first"
        assert await stream.event() is None


async def test_a_reload_gets_the_screen_and_not_the_history(server: Running) -> None:
    session = await server.session(["sh", "-c", "seq 40000; printf 'the end'; cat"], spawn="now")
    await server.output(session, b"the end")
    async with streamed(server, session) as stream:
        await stream.until("the end")
        assert stream.text.startswith("\x1bc")
        assert stream.wire < 4096
    async with streamed(server, session, "?scrollback=100") as stream:
        await stream.until("the end")
        assert "39910" in stream.text


async def test_a_stream_goes_on_where_it_was_broken_off(server: Running) -> None:
    session = await server.session(ECHO)
    async with streamed(server, session) as stream:
        await stream.until("ready")
        last = stream.last
    await server.json("POST", f"/api/sessions/{session}/input", {"text": "missed"})
    await server.output(session, b"missed")
    async with streamed(server, session, headers=server.bearer | {"Last-Event-ID": last}) as stream:
        await stream.until("missed")
        assert stream.text == "missed"
    for unknown in ("99999999999", "x", "-1", "1" * 40):
        async with streamed(server, session, headers=server.bearer | {"Last-Event-ID": unknown}) as stream:
            await stream.until("readymissed")
            assert stream.text.startswith("\x1bc")


async def test_events_of_the_server_come_by_name(server: Running) -> None:
    session = await server.session(ECHO)
    async with streamed(server, session) as stream:
        await stream.until("ready")
        server.server.context.registry.get(session).note_event(b'event: session-update\ndata: {"type":"x"}\n\n')
        assert await stream.block() == 'event: session-update\ndata: {"type":"x"}\n\n'


async def test_a_stream_has_the_changes_of_its_repository_at_once_and_when_they_change(
    server: Running, folder: Path
) -> None:
    made = repository(folder / "home" / "proj", a="1", b="1")
    write(made, a="2", c="3")
    session = await server.session(ECHO, cwd=str(made))

    async def known() -> bool:
        return "gitBranch" in await server.json("GET", f"/api/sessions/{session}")

    async def told(stream: Streamed, modified: int, added: int) -> None:
        while not (block := await stream.block()).startswith("event: session-update\n"):
            assert block
        data = json.loads(block.split("data: ", 1)[1])
        assert (data["type"], data["sessionId"]) == ("git-status-update", session)
        assert (data["gitModifiedCount"], data["gitAddedCount"], data["gitDeletedCount"]) == (modified, added, 0)

    await until(known)  # the session has not started yet
    for _ in range(2):
        async with streamed(server, session) as stream:
            await told(stream, 1, 1)
    async with streamed(server, session) as stream:
        await told(stream, 1, 1)
        commit(made, "all")
        await told(stream, 0, 0)


async def test_a_stream_is_a_client_of_the_session_until_it_ends(server: Running) -> None:
    session = await server.session(ECHO)
    async with streamed(server, session) as stream:
        await stream.until("ready")
        (person,) = await people(server, session, 1)
        await server.json("DELETE", f"/api/sessions/{session}/clients/{person['id']}")
        while await stream.event() is not None:
            pass

    async def has_left() -> bool:
        return await server.json("GET", f"/api/sessions/{session}/clients") == []

    await until(has_left)


async def test_a_stream_needs_a_login(server: Running) -> None:
    session = await server.session(ECHO)
    for query in ("", f"?token={server.server.context.secret}", f"?auth=Bearer%20{server.server.context.secret}"):
        async with streamed(server, session, query, headers={}) as stream:
            assert stream.status == 401
    async with streamed(server, "nope") as stream:
        assert stream.status == 404


async def test_a_ticket_is_for_the_stream_of_its_session(server: Running) -> None:
    own, other = await server.session(ECHO), await server.session(ECHO)
    for session, query, status in ((own, "", 200), (other, "", 401), (other, f"&sessionId={own}", 401)):
        ticket = (await server.json("POST", "/api/auth/ticket", {"sessionId": own}))["ticket"]
        async with streamed(server, session, f"?ticket={ticket}{query}", headers={}) as stream:
            assert stream.status == status, (session == own, query)


async def test_a_token_may_be_in_the_url_if_that_is_allowed(serve: Serve) -> None:
    server = await serve(token_in_url=True)
    session = await server.session(ECHO)
    async with streamed(server, session, f"?token={server.server.context.secret}", headers={}) as stream:
        await stream.until("ready")


async def test_a_viewer_starts_nothing(server: Running) -> None:
    created = await server.json("POST", "/api/tokens", {"scope": ["view"], "expires": 60}, status=201)
    session = await server.session(ECHO)
    async with streamed(server, session, headers={"Authorization": f"Bearer {created['token']}"}) as stream:
        assert stream.status == 400
    assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "created"


# ---------------------------------------------------------------- input


async def test_every_text_message_is_typed_and_every_key_has_its_bytes(server: Running) -> None:
    session = await server.session(ECHO, spawn="now")
    await server.output(session, b"ready")
    async with input_socket(server, f"?sessionId={session}") as connection:
        for message in ("é", "\0enter\0", "\0no_such_key\0", "", "\0\0", '{"type":"input","data":"x"}', "\x12"):
            await connection.write_message(message)
        await connection.write_message(b"binary", binary=True)
        await connection.write_message("the end")
        output = await server.output(session, b"the end")
    assert output == 'readyé\r\0\0{"type":"input","data":"x"}\x12binarythe end'.encode()


async def test_a_program_that_asks_for_application_cursor_keys_gets_them(server: Running) -> None:
    session = await server.session(ECHO, spawn="now")
    await server.output(session, b"ready")
    usual, application = b"".join(KEYS.values()), b"".join((KEYS | APPLICATION_KEYS).values())
    expected = b"ready"
    async with input_socket(server, f"?sessionId={session}") as connection:
        for mode, keys in (("", usual), ("\x1b[?1h", application), ("\x1b[?1l", usual)):
            await connection.write_message(mode + "<")
            await server.output(session, expected := expected + mode.encode() + b"<")
            for name in KEYS:
                await connection.write_message(f"\0{name}\0")
            await connection.write_message("|")
            expected += keys + b"|"
            assert await server.output(session, expected) == expected
    await server.json("POST", f"/api/sessions/{session}/input", {"text": "\x1b[?1h"})
    await server.output(session, expected := expected + b"\x1b[?1h")
    await server.json("POST", f"/api/sessions/{session}/input", {"key": "arrow_up"})
    await server.output(session, expected + b"\x1bOA")


async def test_a_large_paste_arrives_whole(server: Running) -> None:
    session = await server.session(ECHO)
    async with input_socket(server, f"?sessionId={session}") as connection:
        await connection.write_message("x" * 200_000 + "END")
        async with streamed(server, session) as stream:
            await stream.until("END")


async def test_input_for_an_unknown_session_or_one_that_has_ended_is_dropped_in_silence(server: Running) -> None:
    ended = await server.session(["true"], spawn="now")
    await server.ended(ended)
    for session in ("nope", ended):
        async with input_socket(server, f"?sessionId={session}") as connection:
            await connection.write_message("typed")
            await connection.write_message("\0enter\0")
    url = f"{server.url.replace('http', 'ws', 1)}/ws/input"
    connection = await websocket_connect(HTTPRequest(url, headers=server.bearer))
    async with asyncio.timeout(DEADLINE_S):
        assert await connection.read_message() is None
    assert connection.close_code in (None, 1005)
    connection.close()


async def test_only_a_client_that_may_type_opens_the_input_socket(server: Running) -> None:
    session = await server.session(ECHO)
    created = await server.json("POST", "/api/tokens", {"scope": ["view"], "expires": 60}, status=201)
    for headers, status in (({}, 401), ({"Authorization": f"Bearer {created['token']}"}, 403)):
        assert await refused(input_socket(server, f"?sessionId={session}", headers).__aenter__()) == status


async def test_the_size_goes_back_to_a_client_that_shows_the_terminal(server: Running) -> None:
    session = await server.session(ECHO)
    desktop = await server.attach(session, "&rows=40&cols=120", v1=True)
    await server.json("POST", f"/api/sessions/{session}/resize", {"rows": 20, "cols": 50})
    response = await server.fetch(
        "POST", f"/api/sessions/{session}/reset-size", headers={"Content-Type": "application/json"}
    )
    assert (response.code, json.loads(response.body)) == (200, {"success": True})

    async def given_back() -> bool:
        shown = await server.json("GET", f"/api/sessions/{session}")
        return (shown["rows"], shown["cols"]) == (40, 120)

    await until(given_back)
    desktop.close()


# ---------------------------------------------------------------- text frames on /ws


async def test_text_frames_if_the_client_asks_for_them(server: Running) -> None:
    session = await server.session(ECHO)
    url = f"{server.url.replace('http', 'ws', 1)}/ws?sessionId={session}&format=text"
    connection = await websocket_connect(HTTPRequest(url, headers=server.bearer))
    assert "X-VibeTunnel-Offset" not in connection.headers
    got = ""

    async def shows(text: str) -> None:
        nonlocal got
        async with asyncio.timeout(DEADLINE_S):
            while text not in got:
                message = await connection.read_message()
                assert isinstance(message, str)
                got += message

    await shows("ready")
    await connection.write_message("é")
    await connection.write_message('{"type":"ping"}')
    await connection.write_message('{"type":"input","data":"漢"}')
    await connection.write_message('{"type":"resize","data":"{\\"cols\\":90,\\"rows\\":25}"}')
    await shows("é漢")
    await server.json("DELETE", f"/api/sessions/{session}")
    while await connection.read_message() is not None:
        pass
    assert connection.close_code == 1000
    connection.close()


@pytest.mark.parametrize(("query", "v1"), [("&format=text", True), ("&format=x", False)])
async def test_text_frames_and_the_subprotocol_exclude_each_other(server: Running, query: str, v1: bool) -> None:
    session = await server.session(ECHO)
    assert await refused(server.attach(session, query, v1=v1)) == 400


# ---------------------------------------------------------------- the control stream and the events


async def test_the_control_stream_stays_open_and_passes_its_messages_on(serve: Serve) -> None:
    server = await serve(token_in_url=True)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
    path = f"/api/control/stream?auth=Bearer%20{server.server.context.secret}"
    writer.write(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    async with asyncio.timeout(DEADLINE_S):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert await reader.readuntil(b"\n\n") == b":ok\n\n"
        server.server.context.control.publish(b'{"category":"git"}')
        assert await reader.readuntil(b"\n\n") == b'data: {"category":"git"}\n\n'
    writer.close()


async def test_events_have_the_names_that_the_client_knows_only_in_its_view(server: Running) -> None:
    kinds: dict[str, list[str]] = {}
    for view in ("node", "own"):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
        sent = server.bearer | {"Host": "localhost", "X-VibeTunnel-View": view}
        lines = ["GET /api/events HTTP/1.0", *(f"{name}: {value}" for name, value in sent.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(DEADLINE_S):
            await reader.readuntil(b"connected")
            session = await server.session(["sh", "-c", "exit 4"], name="demo", spawn="now")
            seen = kinds[view] = []
            while not seen or "exit" not in seen[-1]:
                event = json.loads((await reader.readuntil(b"\n\n")).partition(b"data: ")[2] or b"{}")
                if event.get("sessionId") == session:
                    seen.append(event["type"])
        writer.close()
    assert kinds["node"] == ["session-start", "session-exit"]
    assert kinds["own"] == ["session-created", "session-started", "session-exited"]


async def test_only_one_tab_of_a_browser_has_the_streams_that_each_tab_asks_for(serve: Serve, folder: Path) -> None:
    (folder / "client").mkdir()
    (folder / "client" / "index.html").write_text("<!doctype html>")
    server = await serve(web_client=folder / "client")
    tab = server.bearer | {"Host": "localhost", "Accept": "text/event-stream"}
    for path in ("/api/events", "/api/control/stream"):

        async def opened(headers: dict[str, str], path: str = path) -> tuple[bytes, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
            lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
            writer.write("\r\n".join([*lines, "", ""]).encode())
            async with asyncio.timeout(DEADLINE_S):
                return (await reader.readuntil(b"\r\n")).split()[1], writer

        status, first = await opened(tab)
        assert status == b"200"
        for headers, expected in ((tab, b"204"), (tab | {"Accept": "*/*"}, b"200")):
            status, other = await opened(headers)
            other.close()
            assert status == expected
        first.close()

        async def next_one(opened: Any = opened) -> bool:
            status, writer = await opened(tab)
            writer.close()
            return bool(status == b"200")

        await until(next_one)
