"""/buffers: snapshots as VibeTunnel's own client wants them, of whatever becomes of a session and of its watchers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest
from harness import DEADLINE_S, WEBSOCKET, Browser, Running, Serve, until
from snapshot_client import parsed, watching

from vibetunnel._ext.vt import Engine
from vibetunnel.errors import UnknownSession
from vibetunnel.sessions.rendering import Rendering
from vibetunnel.sessions.session import Session
from vibetunnel.sessions.snapshots import Feed, Snapshots, enveloped

# The worked example of the reference: session `ab`, 20 columns, three rows.
EXAMPLE = bytes.fromhex(
    "bf020000006162545601001400000003000000000000000200000000000000"
    "00000000fd04000148a1690101000121fe01fd0200d602c3a9000ac81e900004"
)
# What a program prints to have that screen.
PRINTED = "H\x1b[1;31mi\x1b[m !\r\n\r\n\x1b[48;2;10;200;30mé\x1b[m\x1b[44m \x1b[m\x1b[1;3H"

# Of a session that is not there: 80 columns, one empty row.
NOTHING = bytes.fromhex("54560100500000000100000000000000000000000000000000000000fe01")


@contextlib.asynccontextmanager
async def by_hand(server: Running, receive_buffer: int = 65536) -> AsyncIterator[socket.socket]:
    """A connection after its upgrade, on which only the test reads and answers."""
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.setblocking(False)
        async with asyncio.timeout(DEADLINE_S):
            await loop.sock_connect(connection, ("127.0.0.1", server.server.port))
            key = base64.b64encode(os.urandom(16)).decode()
            head = ["GET /buffers HTTP/1.1", "Host: localhost", "Connection: Upgrade", "Upgrade: websocket"]
            head += ["Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}"]
            head += [f"{name}: {value}" for name, value in server.bearer.items()]
            await loop.sock_sendall(connection, "\r\n".join([*head, "", ""]).encode())
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):  # no more than that: frames stay in the socket
                answer += await loop.sock_recv(connection, 1)
        assert answer.startswith(b"HTTP/1.1 101 ")
        yield connection


async def send(connection: socket.socket, message: object) -> None:
    """One text frame, masked with zeros."""
    raw = json.dumps(message).encode()
    assert len(raw) < 126
    await asyncio.get_running_loop().sock_sendall(connection, bytes((0x81, 0x80 | len(raw), 0, 0, 0, 0)) + raw)


async def frame(connection: socket.socket) -> tuple[int, bytes]:
    """(opcode, payload) of the next frame; raises EOFError at the end."""
    loop = asyncio.get_running_loop()

    async def exactly(size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            more = await loop.sock_recv(connection, size - len(data))
            if not more:
                raise EOFError
            data += more
        return bytes(data)

    async with asyncio.timeout(DEADLINE_S):
        first, length = await exactly(2)
        if length >= 126:
            length = int.from_bytes(await exactly(2 if length == 126 else 8), "big")
        return first & 15, await exactly(length)


async def opcodes(connection: socket.socket) -> list[int]:
    """Of all frames until the connection is over."""
    found = []
    with contextlib.suppress(EOFError, ConnectionResetError):
        while True:
            found.append((await frame(connection))[0])
    return found


def snapshots(server: Running) -> Snapshots:
    return server.server.context.snapshots


async def forgotten(server: Running) -> None:
    """Return when no watcher is left, and no feed of one."""

    async def look() -> bool:
        hub, attachments = snapshots(server), server.server.context.attachments
        return (len(hub), hub.feeds, len(attachments)) == (0, 0, 0)

    await until(look)


def shell(script: str) -> list[str]:
    return ["sh", "-c", script]


async def type_line(server: Running, session: str, text: str) -> None:
    await server.json("POST", f"/api/sessions/{session}/input", {"text": text + "\n"})


# The form


async def test_the_worked_example_of_the_reference_byte_by_byte(server: Running) -> None:
    session = await server.session(shell(f"printf %s '{PRINTED}'; cat"), rows=24, cols=20, spawn="now")
    async with watching(server) as watcher:
        message: bytes | dict[str, Any] | None = await watcher.subscribe(session)
        name = session.encode()
        expected = b"\xbf" + struct.pack("<I", len(name)) + name + EXAMPLE[7:]
        while message != expected:
            message = await watcher.message()
            assert message is not None


def test_the_worked_example_without_a_session() -> None:
    terminal = Engine(24, 20)
    terminal.feed(PRINTED.encode())
    message = enveloped("ab", terminal.snapshot())
    assert len(message) == 63
    assert message.hex() == EXAMPLE.hex()


async def test_it_is_what_rest_gives(server: Running) -> None:
    session = await server.session(shell("printf '\\033[1;4;38;5;200mwide 漢字 e\\314\\201'; cat"), spawn="now")
    async with watching(server) as watcher:
        await watcher.subscribe(session)
        await type_line(server, session, "seen")
        while (message := await watcher.until("seen\nseen")).cursor[1]:
            pass  # the end of the line is still to come
        response = await server.fetch("GET", f"/api/sessions/{session}/snapshot")
        assert parsed(enveloped(session, response.body)) == message
        assert message.lines[0].startswith("wide 漢字 e\u0301")


# The messages


async def test_a_ping_is_answered_with_the_time(server: Running) -> None:
    async with watching(server) as watcher:
        before = time.time_ns() // 1_000_000
        pong = await watcher.ping()
        assert pong == {"type": "pong", "timestamp": pong["timestamp"]}
        assert before <= pong["timestamp"] <= time.time_ns() // 1_000_000


@pytest.mark.parametrize("message", ["nope", "", "[]", "5", "null", '{"type":', b"\xff", '"\\ud800"', '{"a":' * 12_000])
async def test_an_invalid_message_is_an_error_and_the_connection_stays(server: Running, message: str | bytes) -> None:
    async with watching(server) as watcher:
        await watcher.say(message)
        assert await watcher.said() == {"type": "error", "message": "Invalid message format"}
        assert (await watcher.ping())["type"] == "pong"


@pytest.mark.parametrize(
    ("kind", "body"),
    [("multipart/form-data", "x"), ("application/x-www-form-urlencoded", "&".join(f"a{n}=1" for n in range(2000)))],
)
async def test_a_body_of_the_upgrade_is_ignored_whatever_it_holds(server: Running, kind: str, body: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
    fields = {**WEBSOCKET, **server.bearer, "Host": "localhost", "Content-Type": kind, "Content-Length": len(body)}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    writer.write(f"GET /buffers HTTP/1.1\r\n{head}\r\n{body}".encode())
    async with asyncio.timeout(DEADLINE_S):
        assert (await reader.readline()).startswith(b"HTTP/1.1 101 ")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": "nope"},
        {"type": 5},
        {"type": "pong"},
        {"type": "subscribe"},
        {"type": "subscribe", "sessionId": 5},
        {"type": "subscribe", "sessionId": ""},
        {"type": "unsubscribe"},
        {"type": "unsubscribe", "sessionId": "never was"},
        {"type": "unsubscribe", "sessionId": [1]},
    ],
)
async def test_unknown_messages_are_ignored(server: Running, message: object) -> None:
    async with watching(server) as watcher:
        await watcher.say(message)
        assert (await watcher.ping())["type"] == "pong"


async def test_a_message_may_come_as_binary(server: Running) -> None:
    async with watching(server) as watcher:
        await watcher.say(b'{"type":"ping"}')
        assert (await watcher.said())["type"] == "pong"


async def test_an_unknown_session_is_an_empty_screen_and_no_error(server: Running) -> None:
    async with watching(server) as watcher:
        for name in ("nope", "ümlaut", "x" * 10_000):
            message = await watcher.subscribe(name)
            raw = name.encode()
            assert message == b"\xbf" + struct.pack("<I", len(raw)) + raw + NOTHING
        assert snapshots(server).feeds == 0


async def test_every_subscribe_is_answered_with_one_snapshot(server: Running) -> None:
    session = await server.session(shell("printf there; cat"), spawn="now")
    await server.output(session, b"there")
    async with watching(server) as watcher:
        await watcher.subscribe(session)
        for kind in ("subscribe", "unsubscribe", "subscribe", "subscribe"):
            await watcher.say({"type": kind, "sessionId": session})
        for _ in range(3):
            assert (await watcher.snapshot()).lines == ("there",)
            assert (await watcher.said())["type"] == "subscribed"
        assert (await watcher.ping())["type"] == "pong"


async def test_after_an_unsubscribe_nothing_comes(server: Running) -> None:
    session, other = [await server.session(["cat"], spawn="now") for _ in range(2)]
    async with watching(server) as watcher:
        await watcher.subscribe(session)
        await watcher.subscribe(other)
        await watcher.say({"type": "unsubscribe", "sessionId": session})
        assert (await watcher.ping())["type"] == "pong"
        await type_line(server, session, "unseen")
        await server.output(session, b"unseen\r\nunseen")
        await type_line(server, other, "seen")
        assert (await watcher.until("seen")).session_id == other
        assert snapshots(server).feeds == 1


# The screens of snapshots


async def test_output_is_shown_as_it_comes(server: Running) -> None:
    session = await server.session(["cat"], spawn="now", rows=5, cols=30)
    async with watching(server) as watcher:
        await watcher.subscribe(session)
        for number in range(10):
            await type_line(server, session, f"line {number}")
            await watcher.until(f"line {number}\nline {number}")


async def test_a_flood_is_shown_at_most_every_50_ms_and_its_end_for_sure(server: Running) -> None:
    loop = asyncio.get_running_loop()
    script = "read x; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo line $i; done; printf 'the end'; cat"
    session = await server.session(shell(script), spawn="now")
    async with watching(server) as watcher:
        await watcher.subscribe(session)
        started, count, text = loop.time(), 0, ""
        await type_line(server, session, "")
        while "the end" not in text:
            text, count = (await watcher.snapshot()).text, count + 1
        assert count <= (loop.time() - started) / 0.05 + 3


async def test_a_flood_without_end_is_shown_all_the_same(server: Running) -> None:
    session = await server.session(shell("i=0; while :; do i=$((i+1)); echo line $i; done"), spawn="now")
    async with watching(server) as watcher:
        await watcher.subscribe(session)
        for least in (100, 1000, 10_000):
            while int((await watcher.snapshot()).lines[0].removeprefix("line ") or 0) < least:
                pass
        await server.json("DELETE", f"/api/sessions/{session}")


async def test_another_size_is_shown(server: Running) -> None:
    session = await server.session(shell("printf hello; cat"), spawn="now")
    async with watching(server) as watcher:
        await watcher.subscribe(session)
        await server.json("POST", f"/api/sessions/{session}/resize", {"rows": 40, "cols": 100})
        while (snapshot := await watcher.until("hello")).cols != 100:
            pass
        assert snapshot.cursor == (0, 5)


async def test_a_session_that_has_not_started_is_empty_and_is_not_started(server: Running) -> None:
    session = await server.session(shell("printf started; cat"), rows=30, cols=90)
    async with watching(server) as watcher:
        snapshot = parsed(await watcher.subscribe(session))
        assert (snapshot.cols, snapshot.lines) == (90, ("",))
        assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "created"
        await type_line(server, session, "")
        await watcher.until("started")


async def test_the_last_words_of_a_session_are_shown(server: Running) -> None:
    session = await server.session(shell("read x; printf 'last words'"), spawn="now")
    async with watching(server) as watcher:
        await watcher.subscribe(session)
        await type_line(server, session, "")
        await watcher.until("last words")


async def test_an_ended_session_is_shown(server: Running) -> None:
    session = await server.session(shell("printf 'last words'"), spawn="now")
    await server.ended(session)
    async with watching(server) as watcher:
        assert parsed(await watcher.subscribe(session)).lines == ("last words",)
        assert (await watcher.ping())["type"] == "pong"


async def test_a_session_that_cannot_start_is_an_empty_screen(server: Running) -> None:
    session = await server.session(["/no/such/program"])
    await server.fetch("POST", f"/api/sessions/{session}/input", {"text": "x"})
    async with watching(server) as watcher:
        assert parsed(await watcher.subscribe(session)).lines == ("",)


async def test_the_next_server_shows_the_same(serve: Serve) -> None:
    server = await serve()
    session = await server.session(shell(f"printf %s '{PRINTED}'; read x; printf '\\033[HAgain'; cat"), cols=20)
    ended = await server.session(shell("printf 'last words'"), spawn="now")
    await server.ended(ended)
    async with watching(server) as watcher:
        await watcher.subscribe(session)
        await server.json("POST", f"/api/sessions/{session}/input", {"text": ""})
        while (before := await watcher.snapshot()).cursor != (0, 2):
            pass
        await server.close()
    server = await serve()
    async with watching(server) as watcher:
        assert parsed(await watcher.subscribe(session)) == before
        assert parsed(await watcher.subscribe(ended)).lines == ("last words",)
        await type_line(server, session, "")
        await watcher.until("Again")


async def test_a_session_that_is_removed_stays_as_it_was_shown(server: Running) -> None:
    session = await server.session(shell("printf gone"), spawn="now")
    await server.ended(session)
    async with watching(server) as watcher:
        await watcher.subscribe(session)
        await server.json("DELETE", f"/api/sessions/{session}/cleanup")

        async def over() -> bool:
            return snapshots(server).feeds == 0

        await until(over)
        assert (await watcher.ping())["type"] == "pong"
        assert (await watcher.subscribe(session)).endswith(NOTHING)


# Many watchers


async def test_two_sockets_of_one_session_see_the_same(server: Running) -> None:
    session = await server.session(["cat"], spawn="now")
    async with watching(server) as one, watching(server) as other:
        await one.subscribe(session)
        await other.subscribe(session)
        assert (len(snapshots(server)), snapshots(server).feeds) == (2, 1)
        await type_line(server, session, "both")
        assert await one.until("both\nboth") == await other.until("both\nboth")
        one.connection.close()
        await one.end()
        await type_line(server, session, "one left")
        await other.until("one left\none left")


class Counted:
    """A session that counts what is asked of it; `more` is what it prints."""

    id = "counted"

    def __init__(self) -> None:
        self.terminal = Engine(2, 20)
        self.captures = 0
        self.watches = 0
        self.removed = False
        self._changes = asyncio.Event()

    def more(self, data: bytes) -> None:
        self.terminal.feed(data)
        self._changes.set()

    async def capture(self) -> Engine:
        self.captures += 1
        await asyncio.sleep(0)
        if self.removed:
            raise UnknownSession(self.id)
        return self.terminal

    @contextlib.contextmanager
    def watch(self) -> Iterator[Counted]:
        self.watches += 1
        yield self
        self.watches -= 1

    async def changed(self) -> None:
        await self._changes.wait()
        self._changes.clear()


class Shown:
    """A watcher that keeps what it is shown."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[bytes] = asyncio.Queue()

    def show(self, session_id: str, message: bytes) -> None:
        assert session_id == Counted.id
        self.messages.put_nowait(message)

    def close(self, code: int, reason: str) -> None: ...

    def abort(self) -> None: ...


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_change_is_captured_and_encoded_once_for_all(io_loop: object) -> None:
    counted, hub = Counted(), Snapshots(Rendering())
    session = cast("Session", counted)
    watchers = [Shown() for _ in range(10)]
    for each in watchers:
        hub.enter(each)
    first = await asyncio.gather(*(hub.subscribe(session, each) for each in watchers))
    assert counted.captures <= 2  # watchers that come while one is under way share the next
    assert len(set(first)) == 1
    before = counted.captures
    counted.more(b"new")
    got = [await each.messages.get() for each in watchers]
    assert all(each is got[0] for each in got)
    assert counted.captures == before + 1
    counted.more(b"\x1b]2;a title is not on the screen\x07")
    await settle()
    assert counted.captures == before + 2
    assert all(each.messages.empty() for each in watchers)
    for each in watchers:
        hub.leave(each)
    await settle()
    assert (counted.watches, hub.feeds, len(hub)) == (0, 0, 0)
    await hub.close()


async def test_a_watch_is_given_back_however_short_it_was(io_loop: object) -> None:
    counted, hub, watcher = Counted(), Snapshots(Rendering()), Shown()
    session = cast("Session", counted)
    hub.enter(watcher)
    feed = Feed(session, Rendering())
    feed.following.cancel()  # before it has run at all
    await settle()
    assert counted.watches == 0
    for _ in range(2):
        await hub.subscribe(session, watcher)
        assert counted.watches == 1
        hub.unsubscribe(counted.id, watcher)
        hub.unsubscribe(counted.id, watcher)
        await settle()
        assert (counted.watches, hub.feeds) == (0, 0)
    joining = asyncio.ensure_future(hub.subscribe(session, watcher))
    await asyncio.sleep(0)
    hub.leave(watcher)  # while its first snapshot is made
    await joining
    await settle()
    assert (counted.watches, hub.feeds) == (0, 0)
    await hub.close()


async def test_subscribing_to_a_session_that_is_being_removed_fails(io_loop: object) -> None:
    counted, hub = Counted(), Snapshots(Rendering())
    watchers = [Shown() for _ in range(3)]
    for each in watchers:
        hub.enter(each)
    counted.removed = True
    joining = [hub.subscribe(cast("Session", counted), each) for each in watchers]
    for result in await asyncio.gather(*joining, return_exceptions=True):
        assert isinstance(result, UnknownSession)
    await settle()
    assert (counted.watches, hub.feeds) == (0, 0)
    for each in watchers:
        hub.leave(each)
    await hub.close()


# Slow, silent and gone


async def test_for_a_slow_socket_only_the_newest_waits(server: Running) -> None:
    fill = "printf '\\033[7m'; yes é | head -n 60000 | tr -d '\\n'; printf '\\033[m'"
    script = f"stty -echo; {fill}; while read x; do printf '\\033[Hchange %s.' $x; done"
    session = await server.session(shell(script), rows=200, cols=500, spawn="now")
    async with watching(server) as quick, by_hand(server, 4096) as slow:
        await quick.subscribe(session)
        await type_line(server, session, "0")
        await quick.until("change 0.")
        await send(slow, {"type": "subscribe", "sessionId": session})
        for number in range(1, 13):
            await type_line(server, session, str(number))
            await quick.until(f"change {number}.")
        seen: list[str] = []
        while not seen or "change 12." not in seen[-1]:
            opcode, payload = await frame(slow)
            if opcode == 2:
                seen.append(parsed(payload).text)
        assert len(seen) <= 4


async def test_a_client_that_vanishes_is_forgotten(server: Running) -> None:
    session = await server.session(["cat"], spawn="now")
    async with by_hand(server) as connection:
        await send(connection, {"type": "subscribe", "sessionId": session})
        assert [(await frame(connection))[0] for _ in range(3)] == [1, 2, 1]
        assert (len(snapshots(server)), snapshots(server).feeds) == (1, 1)
    await forgotten(server)
    await type_line(server, session, "for nobody")
    await server.output(session, b"for nobody")


async def test_a_client_that_vanishes_at_once_is_forgotten(server: Running) -> None:
    session = await server.session(["cat"], spawn="now")
    for _ in range(5):
        async with by_hand(server) as connection:
            await send(connection, {"type": "subscribe", "sessionId": session})
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await forgotten(server)


async def test_a_client_that_gives_no_sign_of_life_is_dropped_and_a_quiet_one_is_not(serve: Serve) -> None:
    server = await serve(ping_s=0.1, timeout_s=0.5)
    async with watching(server) as quiet, by_hand(server) as silent:
        assert 9 in await opcodes(silent)
        assert (await quiet.ping())["type"] == "pong"
        assert len(snapshots(server)) == 1


async def test_a_message_that_is_too_long_ends_the_connection(server: Running) -> None:
    async with watching(server) as watcher:
        await watcher.say("x" * 65536)
        assert (await watcher.said())["type"] == "error"
        with contextlib.suppress(Exception):  # it may be cut off while it says it
            await watcher.say("x" * 65537)
        assert (await watcher.end())[0] in (1009, None)
    await forgotten(server)


async def test_a_stopping_server_says_goodbye(serve: Serve) -> None:
    server = await serve()
    session = await server.session(["cat"], spawn="now")
    async with watching(server) as watcher, watching(server) as idle:
        await watcher.subscribe(session)
        await server.server.close()
        assert await watcher.end() == (1001, "the server stops")
        assert await idle.end() == (1001, "the server stops")


async def test_a_server_stops_though_a_client_takes_nothing(serve: Serve) -> None:
    server = await serve()
    async with by_hand(server) as connection:
        await server.server.close()
        assert (await frame(connection))[0] == 1
        opcode, payload = await frame(connection)
        assert (opcode, payload) == (8, b"\x03\xe9the server stops")
        assert await opcodes(connection) == []


# Doors (that it has those of every route: test_route_access.py)


async def test_a_browsers_login_is_enough_and_its_logout_closes_the_socket(server: Running) -> None:
    browser = Browser(server)
    await browser.login(server.announcement.code)
    own = browser.headers
    async with watching(server, own) as watcher, watching(server) as other:
        assert (await watcher.ping())["type"] == "pong"
        await server.json("POST", "/api/auth/logout", login=False, headers=own)
        assert await watcher.end() == (4401, "logged out")
        assert (await other.ping())["type"] == "pong"


async def test_a_request_that_is_no_upgrade_is_refused(server: Running) -> None:
    response = await server.fetch("GET", "/buffers")
    assert (response.code, response.headers["Upgrade"]) == (426, "websocket")
    assert json.loads(response.body)["error"].startswith("Upgrade: ")
    assert (await server.fetch("HEAD", "/buffers")).code == 405
    assert len(snapshots(server)) == 0


async def test_open_sockets_are_counted(server: Running) -> None:
    async def counted() -> float:
        page = (await server.fetch("GET", "/metrics")).body.decode()
        line = next(each for each in page.splitlines() if each.startswith("vibetunnel_buffer_sockets "))
        return float(line.split()[1])

    assert await counted() == 0
    async with watching(server):
        assert await counted() == 1
    await forgotten(server)
    assert await counted() == 0
