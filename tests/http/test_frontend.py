"""The HTTP front end, with a small application of the tests: real sockets, real TLS."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from harness import DEADLINE_S, until
from tornado.web import Application, RequestHandler

from vibetunnel import paths
from vibetunnel.errors import StartFailed
from vibetunnel.http import acceptor, connection, frontend, server, sockets
from vibetunnel.http.deadlines import MIN_TAKEN, TAKEN_S, ConnectionDeadlines, StallDetector
from vibetunnel.http.frontend import Front
from vibetunnel.security import certificates
from vibetunnel.security.hosts import host_policy
from vibetunnel.settings import Settings

BIG = 16 * 1024 * 1024  # bytes; more than any socket keeps
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
END = b"Connection: close\r\n\r\n"

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


class Hello(RequestHandler):
    def get(self) -> None:
        self.finish("hello")

    posted = 0

    def post(self) -> None:
        Hello.posted += 1
        self.finish(str(len(self.request.body)))


class Big(RequestHandler):
    def get(self) -> None:
        self.finish(b"x" * BIG)


class More(RequestHandler):
    def get(self) -> None:
        self.set_header("Content-Length", "2")
        self.finish("and more")


class Who(RequestHandler):
    def get(self) -> None:
        self.finish(self.application.settings["front"].clients.of(self.request)._asdict())


class Door:
    """A front door, and connections to it."""

    def __init__(self, made: Front, settings: Settings) -> None:
        self.front = made
        self.settings = settings
        self._writers: list[Writer] = []

    async def connect(self, tls: ssl.SSLContext | None = None) -> tuple[Reader, Writer]:
        async with asyncio.timeout(DEADLINE_S):
            if self.settings.unix_socket is not None:
                reader, writer = await asyncio.open_unix_connection(self.settings.unix_socket)
            else:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.front.port, ssl=tls)
        self._writers.append(writer)
        return reader, writer

    async def ask(self, request: bytes, tls: ssl.SSLContext | None = None) -> bytes:
        """All that comes back."""
        reader, writer = await self.connect(tls)
        writer.write(request)
        return await everything(reader)

    async def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()
        for writer in self._writers:
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def everything(reader: Reader) -> bytes:
    """What comes until the end, which a reset is too."""
    got = b""
    async with asyncio.timeout(DEADLINE_S):
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(65536):
                got += chunk
    return got


Open = Callable[..., contextlib.AbstractAsyncContextManager[Door]]


@pytest.fixture
def opened(folder: Path) -> Open:
    @contextlib.asynccontextmanager
    async def make(**given: Any) -> AsyncIterator[Door]:
        own: dict[str, Any] = {"port": 0, "state_dir": folder / "s", "runtime_dir": folder / "r"}
        settings = Settings(**own | given)
        paths.private_dir(settings.state_dir)
        before = len(os.listdir("/dev/fd"))
        made = Front(settings)
        application = Application(
            [("/", Hello), ("/big", Big), ("/more", More), ("/who", Who)],
            front=made,
            log_function=lambda _handler: None,
        )
        made.serve(application, host_policy(bind=settings.bind, allow_host=settings.allow_host, tls=settings.tls))
        door = Door(made, settings)
        try:
            yield door
        finally:
            await made.stop()
            made.close()
            await door.hang_up()
        assert len(os.listdir("/dev/fd")) <= before

    return make


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes long is over soon."""
    for module, names in (
        (server, ("FIRST_S", "IDLE_S", "BODY_S", "TAKEN_S", "SWEEP_S")),
        (acceptor, ("FIRST_S",)),
        (certificates, ("LOOK_S",)),
    ):
        for name in names:
            monkeypatch.setattr(module, name, 0.05)


def tls_to(door: Door) -> ssl.SSLContext:
    """Trusts the certificate that the server has made itself, and no other."""
    return ssl.create_default_context(cafile=str(door.settings.state_dir / "tls" / "cert.pem"))


# Requests


async def test_a_request_is_answered(opened: Open) -> None:
    async with opened() as door:
        assert (await door.ask(GET + END)).endswith(b"hello")


async def test_one_request_after_the_other_is_answered(opened: Open) -> None:
    async with opened() as door:
        assert (await door.ask((GET + b"\r\n") * 3 + GET + END)).count(b"hello") == 4


POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"

MALFORMED = {
    "a bare line feed": b"GET / HTTP/1.1\nHost: localhost\n\n",
    "a bare line feed between fields": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\nTransfer-Encoding: chunked\r\n\r\n",
    "a header that ends in bare line feeds": GET + b"X: a\n\n",
    "a bare carriage return": GET + b"X: a\rY: b\r\n\r\n",
    "a NUL": GET + b"X: a\0b\r\n\r\n",
    "a folded line": GET + b"X: a\r\n b\r\n\r\n",
    "a space before the colon": POST + b"Content-Length : 3\r\n\r\nabc",
    "a line without a colon": GET + b"nothing\r\n\r\n",
    "a name with a space": GET + b"X Y: a\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "the same length twice": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "a length with a sign": POST + b"Content-Length: +3\r\n\r\nabc",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length in hexadecimal": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "a length of other digits": POST + "Content-Length: ٣\r\n\r\nabc".encode(),
    "a length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding by another name": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks twice": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "chunks in 1.0": b"POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk that ends in a line feed": POST + b"Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
    "a chunk of negative length": POST + b"Transfer-Encoding: chunked\r\n\r\n-3\r\nabc\r\n0\r\n\r\n",
    "a chunk that is longer": POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "another version": b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "a target with a space": b"GET / / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a tab in the request line": b"GET\t/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


async def test_chunks_come_together_however_they_are_cut(opened: Open) -> None:
    body = b"3\r\nabc\r\n10;a=b\r\n" + b"d" * 16 + b"\r\n0\r\nTrailer: t\r\n\r\n"
    async with opened() as door:
        for cut in range(1, len(body)):
            reader, writer = await door.connect()
            writer.write(CHUNKED + body[:cut])
            await writer.drain()
            writer.write(body[cut:])
            async with asyncio.timeout(DEADLINE_S):
                assert (await reader.readuntil(b"\r\n\r\n19")).startswith(b"HTTP/1.1 200 ")
            writer.write(GET + END)
            assert (await everything(reader)).endswith(b"hello")


async def test_a_request_pipelined_after_chunks_is_answered(opened: Open) -> None:
    async with opened() as door:
        answer = await door.ask((CHUNKED + b"3\r\nabc\r\n0\r\n\r\n") * 2 + GET + END)
        assert answer.count(b"HTTP/1.1 200 ") == 3
        assert answer.endswith(b"hello")


async def test_more_requests_than_are_taken_in_one_turn_are_all_answered(opened: Open) -> None:
    async with opened() as door:
        count = 5 * connection.AT_ONCE
        answer = await door.ask((GET + b"\r\n") * count + GET + END)
        assert answer.count(b"HTTP/1.1 200 ") == count + 1


async def test_a_request_after_the_last_answer_is_ignored(opened: Open) -> None:
    """However slowly that one is taken, and although what it asks for would be harmless."""
    Hello.posted = 0
    async with opened() as door:
        reader, writer = await door.connect()
        last = b"GET /big HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"
        writer.write(last + POST + b"Content-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        answer = await everything(reader)
        assert len(answer) == BIG
        assert Hello.posted == 0


async def test_some_empty_lines_before_a_request_are_read_over_and_many_are_refused(opened: Open) -> None:
    async with opened() as door:
        assert (await door.ask(b"\r\n" * connection.EMPTY_LINES + GET + END)).endswith(b"hello")
        answer = await door.ask(b"\r\n" * 100_000 + GET + END)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"hello" not in answer


async def test_blanks_around_a_value_are_not_of_it(opened: Open) -> None:
    async with opened() as door:
        answer = await door.ask(b"POST / HTTP/1.1\r\nHost: \tlocalhost \t\r\nContent-Length: 3 \r\n" + END + b"abc")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"3")


async def test_an_answer_that_is_longer_than_it_says_is_cut_off(
    opened: Open, expect_log: Callable[[str], None]
) -> None:
    expect_log("Uncaught exception GET /more")
    expect_log("Cannot send error response")
    expect_log("Failed to flush partial response")
    async with opened() as door:
        assert b"more" not in await door.ask(b"GET /more HTTP/1.1\r\nHost: localhost\r\n\r\n" + GET + END)


async def test_chunks_that_are_mostly_something_else_are_refused(opened: Open) -> None:
    async with opened() as door:
        for around in (b";" + b"x" * 100_000, b";" + b'a="' + b"y" * 100_000 + b'"'):
            answer = await door.ask(CHUNKED + b"3" + around + b"\r\nabc\r\n0\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 400 ")
        trailer = b"".join(b"X-%d: %s\r\n" % (number, b"a" * 100) for number in range(100))
        answer = await door.ask(CHUNKED + b"3\r\nabc\r\n0\r\n" + trailer + b"\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_client_that_waits_to_be_told_is_told_to_go_on(opened: Open) -> None:
    async with opened() as door:
        reader, writer = await door.connect()
        writer.write(POST + b"Content-Length: 3\r\nExpect: 100-continue\r\n" + END)
        async with asyncio.timeout(DEADLINE_S):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        assert (await everything(reader)).endswith(b"3")


async def test_an_upgrade_that_no_handler_wants_is_an_ordinary_request(opened: Open) -> None:
    async with opened() as door:
        upgrade = b"Connection: Upgrade\r\nUpgrade: h2c\r\n"
        answer = await door.ask(GET + upgrade + b"\r\n" + POST + upgrade + b"Content-Length: 3\r\n\r\nabc" + GET + END)
        assert answer.count(b"HTTP/1.1 200 ") == 3


async def test_a_client_of_an_older_http_is_answered_and_disconnected(opened: Open) -> None:
    async with opened() as door:
        answer = await door.ask(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert answer.endswith(b"hello")
        attachments = b"GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
        answer = await door.ask(attachments + attachments + b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert answer.count(b"hello") == 3
        assert answer.count(b"Connection: keep-alive") == 2


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED)
async def test_requests_that_a_proxy_could_parse_differently_are_refused(opened: Open, request_: bytes) -> None:
    """Request smuggling (CWE-444): the bytes after such a request are not taken for another one."""
    async with opened() as door:
        answer = await door.ask(request_ + GET + END)
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1


async def test_a_hundred_fields_are_answered(opened: Open) -> None:
    async with opened() as door:
        fields = b"".join(b"X-%d: a\r\n" % i for i in range(connection.MAX_FIELDS - 2))
        assert (await door.ask(GET + fields + END)).endswith(b"hello")


@pytest.mark.parametrize(
    "fields",
    [b"X: %b\r\n" % (b"a" * connection.MAX_HEADER), b"".join(b"X-%d: a\r\n" % i for i in range(connection.MAX_FIELDS))],
    ids=["its bytes", "its fields"],
)
async def test_a_header_that_is_too_large_is_refused_and_ends_the_connection(opened: Open, fields: bytes) -> None:
    async with opened() as door:
        head, _, body = (await door.ask(GET + fields + END + GET + END)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert b"\r\nConnection: close" in head
    assert json.loads(body) == {"error": "expected a header of at most 32768 bytes and 100 fields"}


# Half-open connections, and their effect on others


async def test_a_header_that_does_not_come_ends_the_connection(opened: Open, soon: None) -> None:
    async with opened() as door:
        assert await door.ask(b"") == b""
        assert await door.ask(GET) == b""


async def test_a_next_request_that_does_not_come_ends_the_connection(
    opened: Open, soon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "FIRST_S", DEADLINE_S)
    async with opened() as door:
        assert (await door.ask(GET + b"\r\n")).endswith(b"hello")


async def test_idle_connections_of_a_proxy_are_left_to_the_proxy(
    opened: Open, folder: Path, soon: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "FIRST_S", DEADLINE_S)
    for given in ({"trusted_proxies": ("127.0.0.1",)}, {"bind": f"unix:{folder}/v.sock"}):
        async with opened(**given) as door:
            reader, writer = await door.connect()
            for end in (b"\r\n", END):
                writer.write(GET + end)
                await reader.readuntil(b"hello")
                await asyncio.sleep(0.3)  # IDLE_S and some sweeps


async def test_a_body_that_does_not_come_ends_the_connection(opened: Open, soon: None) -> None:
    async with opened() as door:
        assert await door.ask(POST + b"Content-Length: 10\r\n\r\nabc") == b""


async def test_a_header_byte_by_byte_is_no_sign_of_life(opened: Open, soon: None) -> None:
    async with opened() as door:
        reader, writer = await door.connect()

        async def dribbled() -> bool | None:
            with contextlib.suppress(ConnectionError):
                writer.write(b"X")
                await writer.drain()
            return reader.at_eof() or writer.is_closing() or None

        reading = asyncio.ensure_future(everything(reader))
        await until(dribbled)
        assert await reading == b""


async def test_an_answer_that_the_client_does_not_read_ends_the_connection(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "TAKEN_S", 0.05)
    monkeypatch.setattr(server, "SWEEP_S", 0.05)
    async with opened() as door:
        reader, writer = await door.connect()
        writer.write(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")  # and no more: asyncio stops reading soon
        await until(lambda: _open(door, 0))
        assert len(await everything(reader)) < BIG


async def test_answers_that_the_client_does_not_read_do_not_pile_up(opened: Open) -> None:
    async with opened() as door:
        reader, writer = await door.connect()
        writer.write(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n" * 4 + GET + END)
        await reader.readuntil(b"\r\n\r\n")
        (connection,) = door.front._servers[0]._all
        for _ in range(100):  # whatever would have come by now
            await asyncio.sleep(0)
        assert connection.unsent <= BIG
        size = 0
        async with asyncio.timeout(DEADLINE_S):
            while chunk := await reader.read(65536):
                size += len(chunk)
                end = chunk[-5:]
        assert size > 4 * BIG
        assert end == b"hello"


async def test_a_slow_client_of_a_tunnel_gets_all_of_its_answer(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    # On this machine the kernel takes megabytes at once, and then nothing until a third of them has gone.
    monkeypatch.setattr(server, "TAKEN_S", 0.5)
    monkeypatch.setattr(server, "SWEEP_S", 0.05)
    async with opened() as door:
        reader, writer = await door.connect()
        writer.write(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(60):
                await reader.readexactly(65536)
                await asyncio.sleep(0.05)  # as fast as its line is
        assert door.front.connections == 1


def test_an_answer_that_is_taken_slowly_is_no_reason_to_hang_up() -> None:
    taking, at_a_time = StallDetector(), MIN_TAKEN
    for minute in range(10):
        assert not taking.is_stuck(TAKEN_S * minute, writing=True, taken=at_a_time * minute)
        assert taking.writing
    assert not taking.is_stuck(TAKEN_S * 9.9, writing=True, taken=at_a_time * 9)
    assert taking.is_stuck(TAKEN_S * 10, writing=True, taken=at_a_time * 10 - 1)


def test_an_answer_that_was_taken_begins_anew() -> None:
    taking = StallDetector()
    assert not taking.is_stuck(0, writing=True, taken=0)
    assert not taking.is_stuck(TAKEN_S - 1, writing=False, taken=10)
    assert not taking.writing
    assert not taking.is_stuck(TAKEN_S, writing=True, taken=10)
    assert not taking.is_stuck(TAKEN_S * 2 - 1, writing=True, taken=10)
    assert taking.is_stuck(TAKEN_S * 2, writing=True, taken=10)


async def _open(door: Door, count: int) -> bool | None:
    return door.front.connections == count or None


async def test_bodies_that_are_arriving_are_bounded_together(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_PARTIAL", 3 * 65536)
    async with opened() as door:
        first, writer = await door.connect()
        writer.write(POST + b"Content-Length: 200000\r\n\r\n" + b"a" * 65536)
        await until(lambda: _held(door, 65536))
        answer = await door.ask(POST + b"Content-Length: 150000\r\n" + END + b"a" * 150000)
        assert answer.endswith(b"150000")
        assert await everything(first) == b""
        await until(lambda: _held(door, 0))


async def _held(door: Door, size: int) -> bool | None:
    return door.front.partial == size or None


async def test_many_silent_connections_keep_no_client_out(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend, "_deadlines", lambda: ConnectionDeadlines(total=50, per_network=20))
    async with opened() as door:
        silent = [await door.connect() for _ in range(100)]
        assert (await door.ask(GET + END)).endswith(b"hello")
        await until(lambda: _open(door, 19))  # one has made room for the one that was answered
        assert await everything(silent[0][0]) == b""
        silent[-1][1].write(GET + END)  # the youngest are still there
        assert (await everything(silent[-1][0])).endswith(b"hello")


class Entry:
    def __init__(self, network: str = "") -> None:
        self.network = network
        self.deadline = 0.0
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True


def test_the_oldest_of_a_network_makes_room_for_its_newest() -> None:
    bound = ConnectionDeadlines(total=10, per_network=2)
    others, own = [Entry("b"), Entry()], [Entry("a") for _ in range(3)]
    for each in (*others, *own):
        bound.add(each, 1.0)
    assert [each.aborted for each in own] == [True, False, False]
    assert not any(each.aborted for each in others)


def test_the_oldest_of_all_makes_room_when_there_are_too_many() -> None:
    bound = ConnectionDeadlines(total=3, per_network=2)
    entries = [Entry(str(i)) for i in range(4)]
    for each in entries[:3]:
        bound.add(each, 1.0)
    bound.add(entries[0], 1.0)  # begins again, as the newest
    bound.add(entries[3], 1.0)
    assert [each.aborted for each in entries] == [False, True, False, False]


def test_a_sweep_closes_connections_whose_time_is_over() -> None:
    bound = ConnectionDeadlines()
    entries = [Entry("a"), Entry("a"), Entry()]
    for each, deadline in zip(entries, (1.0, 3.0, 2.0), strict=True):
        bound.add(each, deadline)
    bound.sweep(2.0)
    assert [each.aborted for each in entries] == [True, False, True]
    assert len(bound) == 1
    bound.discard(entries[1])
    bound.discard(entries[1])
    assert len(bound) == 0


# Who may connect


async def test_a_client_outside_the_allow_list_is_not_even_read(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(allow_ip=("203.0.113.0/24",)) as door:
        assert (await door.ask(GET + END)).endswith(b"hello")  # this machine itself
        monkeypatch.setattr("vibetunnel.security.allow_list.is_local", lambda address: False)
        assert await door.ask(GET + END) == b""


async def test_a_changed_list_ends_connections_that_it_does_not_allow(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibetunnel.security.allow_list.is_local", lambda address: False)
    async with opened() as door:
        reader, writer = await door.connect()
        writer.write(GET + b"\r\n")
        assert (await reader.readuntil(b"hello")).endswith(b"hello")
        assert door.front.reload(_with(door.settings, allow_ip=("203.0.113.0/24",))) == ["allow_ip 203.0.113.0/24"]
        assert await everything(reader) == b""
        assert await door.ask(GET + END) == b""
        assert door.front.reload(_with(door.settings, allow_ip=("127.0.0.0/8",))) == ["allow_ip 127.0.0.0/8"]
        assert (await door.ask(GET + END)).endswith(b"hello")
        assert door.front.reload(_with(door.settings, allow_ip=("127.0.0.0/8",))) == []
        assert door.front.reload(door.settings) == ["allow_ip everybody"]


def _with(settings: Settings, **changed: Any) -> Settings:
    return Settings(**{**vars(settings), **changed})


async def _who(door: Door, fields: bytes = b"", tls: ssl.SSLContext | None = None) -> dict[str, Any]:
    answer = await door.ask(b"GET /who HTTP/1.1\r\nHost: localhost\r\n" + fields + END, tls)
    found: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])
    return found


FORGED = b"X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: box.example\r\n"


async def test_forwarding_headers_of_a_stranger_are_not_read(opened: Open) -> None:
    direct = {"address": "127.0.0.1", "scheme": "http", "host": None, "local": True}
    async with opened() as door:
        assert await _who(door, FORGED) == direct
        assert await _who(door, b"Forwarded: for=198.51.100.7\r\nX-Real-Ip: 198.51.100.7\r\n") == direct


async def test_forwarding_headers_of_a_trusted_proxy_are_read_for_each_request(opened: Open) -> None:
    async with opened(trusted_proxies=("127.0.0.1",)) as door:
        far = {"address": "198.51.100.7", "scheme": "https", "host": "box.example", "local": False}
        assert await _who(door, FORGED) == far
        answer = await door.ask(
            b"GET /who HTTP/1.1\r\nHost: localhost\r\n" + FORGED + b"\r\nGET /who HTTP/1.1\r\nHost: localhost\r\n" + END
        )
        assert b'"198.51.100.7"' in answer
        assert b'"127.0.0.1"' in answer


# TLS


async def test_a_certificate_is_made_kept_and_taken_again(opened: Open) -> None:
    async with opened(tls_self_signed=True, allow_host=("box.example",)) as door:
        folder = door.settings.state_dir / "tls"
        made = (folder / "cert.pem").read_bytes()
        assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert (await door.ask(GET + END, tls_to(door))).endswith(b"hello")
        assert await _who(door, tls=tls_to(door)) == {
            "address": "127.0.0.1", "scheme": "https", "host": None, "local": True,
        }  # fmt: skip
        certificate = door.front.certificate
        assert certificate is not None
        assert len(certificate.fingerprint.split(":")) == 32
    async with opened(tls_self_signed=True, allow_host=("box.example",)):
        assert (folder / "cert.pem").read_bytes() == made
    async with opened(tls_self_signed=True, allow_host=("other.example",)):
        assert (folder / "cert.pem").read_bytes() != made  # for the other name


async def test_a_certificate_that_lost_one_of_its_files_is_made_again(opened: Open) -> None:
    async with opened(tls_self_signed=True) as door:
        folder = door.settings.state_dir / "tls"
    certificates.make(folder / "other", ["localhost"])
    (folder / "other" / "key.pem").replace(folder / "key.pem")
    async with opened(tls_self_signed=True) as door:
        assert (await door.ask(GET + END, tls_to(door))).endswith(b"hello")
    (folder / "key.pem").unlink()
    async with opened(tls_self_signed=True) as door:
        assert (await door.ask(GET + END, tls_to(door))).endswith(b"hello")


async def test_a_key_that_others_may_read_is_refused(opened: Open) -> None:
    async with opened(tls_self_signed=True) as door:
        key = door.settings.state_dir / "tls" / "key.pem"
    key.chmod(0o644)
    with pytest.raises(paths.NotPrivate, match="open to other users"):
        async with opened(tls_self_signed=True):
            pass


async def test_a_certificate_near_its_end_is_made_again(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tls_self_signed=True) as door:
        before = (door.settings.state_dir / "tls" / "cert.pem").read_bytes()
    monkeypatch.setattr(certificates, "RENEW", certificates.LIFETIME)
    async with opened(tls_self_signed=True) as door:
        assert (door.settings.state_dir / "tls" / "cert.pem").read_bytes() != before


async def _true(condition: bool) -> bool | None:
    return condition or None


async def _with_certificate(door: Door, folder: Path) -> bytes | None:
    """The answer of a server that has the certificate in `folder`; None: it has another."""
    with contextlib.suppress(ssl.SSLError):
        return await door.ask(GET + END, ssl.create_default_context(cafile=str(folder / "cert.pem")))
    return None


async def test_files_that_change_are_taken_up_without_a_word_to_anybody(
    opened: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "LOOK_S", 0.05)
    paths.private_dir(folder / "s")
    own = folder / "own"
    certificates.make(own, ["localhost", "127.0.0.1"])
    async with opened(tls_cert=own / "cert.pem", tls_key=own / "key.pem") as door:
        trusting = ssl.create_default_context(cafile=str(own / "cert.pem"))
        reader, writer = await door.connect(trusting)
        certificates.make(own, ["localhost", "127.0.0.1"])
        assert (await until(lambda: _with_certificate(door, own))).endswith(b"hello")
        writer.write(GET + END)  # a client that is already connected stays
        assert (await everything(reader)).endswith(b"hello")


async def test_files_that_change_while_they_are_read_are_read_again(
    opened: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "LOOK_S", 0.05)
    read = certificates._context
    own = folder / "own"
    certificates.make(own, ["localhost", "127.0.0.1"])
    async with opened(tls_cert=own / "cert.pem", tls_key=own / "key.pem") as door:

        def read_and_replaced(chain: Path, key: Path) -> ssl.SSLContext:
            context = read(chain, key)
            monkeypatch.setattr(certificates, "_context", read)
            certificates.make(own, ["localhost", "127.0.0.1"])
            return context

        monkeypatch.setattr(certificates, "_context", read_and_replaced)
        certificates.make(own, ["localhost", "127.0.0.1"])

        await until(lambda: _true(certificates._context is read))
        assert (await until(lambda: _with_certificate(door, own))).endswith(b"hello")


async def test_a_look_that_fails_is_not_the_last(
    opened: Open, folder: Path, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    monkeypatch.setattr(certificates, "LOOK_S", 0.05)
    expect_log("the look at the certificate failed")
    state = certificates._state
    own = folder / "own"
    certificates.make(own, ["localhost", "127.0.0.1"])
    async with opened(tls_cert=own / "cert.pem", tls_key=own / "key.pem") as door:

        def fails(path: Path) -> tuple[int, int, int, int] | None:
            monkeypatch.setattr(certificates, "_state", state)
            raise MemoryError

        monkeypatch.setattr(certificates, "_state", fails)
        await until(lambda: _true(certificates._state is state))
        certificates.make(own, ["localhost", "127.0.0.1"])
        assert (await until(lambda: _with_certificate(door, own))).endswith(b"hello")


async def test_a_reload_takes_up_other_files(opened: Open, folder: Path) -> None:
    for name in ("one", "two"):
        certificates.make(folder / name, ["localhost", "127.0.0.1"])
    one, two = (
        {"tls_cert": folder / name / "cert.pem", "tls_key": folder / name / "key.pem"} for name in ("one", "two")
    )
    async with opened(**one) as door:
        assert (await door.ask(GET + END, ssl.create_default_context(cafile=str(one["tls_cert"])))).endswith(b"hello")
        certificate = door.front.certificate
        assert certificate is not None
        before = certificate.fingerprint
        assert door.front.reload(door.settings) == []
        assert door.front.reload(_with(door.settings, **two)) == [f"certificate {certificate.fingerprint}"]
        assert certificate.fingerprint != before
        assert (await door.ask(GET + END, ssl.create_default_context(cafile=str(two["tls_cert"])))).endswith(b"hello")


async def test_files_that_are_damaged_change_true(
    opened: Open, folder: Path, expect_log: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "LOOK_S", 0.01)
    expect_log("the certificate stays the old one")
    own = folder / "own"
    certificates.make(own, ["localhost", "127.0.0.1"])
    trusting = ssl.create_default_context(cafile=str(own / "cert.pem"))
    async with opened(tls_cert=own / "cert.pem", tls_key=own / "key.pem") as door:
        (own / "cert.pem").write_text("no certificate")
        with pytest.raises(StartFailed, match="expected a certificate and its key"):
            door.front.reload(door.settings)
        certificate = door.front.certificate
        assert certificate is not None

        async def noticed() -> bool | None:
            return certificate.given_up or None

        await until(noticed)
        assert (await door.ask(GET + END, trusting)).endswith(b"hello")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")  # that is what this is about
async def test_old_versions_of_tls_are_refused(opened: Open) -> None:
    async with opened(tls_self_signed=True) as door:
        certificate = door.front.certificate
        assert certificate is not None
        assert certificate.context.minimum_version is ssl.TLSVersion.TLSv1_2
        old = tls_to(door)
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await door.ask(GET + END, old)


async def test_a_handshake_that_does_not_come_ends_the_connection(opened: Open, soon: None) -> None:
    async with opened(tls_self_signed=True) as door:
        assert await door.ask(b"") == b""
        assert await door.ask(b"\x16\x03\x01") == b""


async def test_an_invalid_handshake_ends_the_connection_without_a_line_in_the_log(opened: Open) -> None:
    async with opened(tls_self_signed=True) as door:
        assert b"hello" not in await door.ask(b"\x16\x03\x01\x00\x05hello" * 100)


async def test_a_goodbye_of_tls_that_is_not_answered_ends_the_connection(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "GOODBYE_S", 0.05)

    def ask(door: Door) -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", door.front.port), timeout=DEADLINE_S)
        speaking = tls_to(door).wrap_socket(plain, server_hostname="localhost")
        speaking.sendall(GET + END)
        while speaking.recv(65536):
            pass
        return speaking  # it has been told that nothing more comes, and has said nothing itself

    async with opened(tls_self_signed=True) as door:
        with await asyncio.to_thread(ask, door):
            await until(lambda: _open(door, 0))


async def test_a_connection_that_waits_to_be_read_is_closed_at_the_end(opened: Open) -> None:
    async with opened(tls_self_signed=True) as door:
        reader, _ = await door.connect()
        await until(lambda: _waiting(door))
    assert await everything(reader) == b""


async def _waiting(door: Door) -> bool | None:
    return door.front.pending == 1 or None


# Redirects


def _status_and_location(answer: bytes) -> tuple[bytes, bytes]:
    head = answer.partition(b"\r\n\r\n")[0]
    location = [line[10:] for line in head.split(b"\r\n") if line.lower().startswith(b"location: ")]
    return head[9:12], location[0] if location else b""


async def test_plain_http_on_the_port_of_tls_is_sent_to_https(opened: Open) -> None:
    async with opened(tls_self_signed=True) as door:
        port = door.front.port
        answer = await door.ask(b"GET /session/1?a=b HTTP/1.1\r\nHost: localhost:1\r\n\r\n")
        assert _status_and_location(answer) == (b"308", b"https://localhost:%d/session/1?a=b" % port)
        assert b"\r\nConnection: close\r\n" in answer
        answer = await door.ask(b"GET //evil.example HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert _status_and_location(answer) == (b"308", b"https://127.0.0.1:%d//evil.example" % port)


async def test_a_redirect_leads_to_no_address_that_an_attacker_chose(opened: Open) -> None:
    """Open redirect (CWE-601)."""
    async with opened(tls_self_signed=True) as door:
        for request in (
            b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
            b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
        ):
            assert _status_and_location(await door.ask(request)) == (b"403", b"")
        answer = await door.ask(b"GET @evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert _status_and_location(answer) == (b"400", b"")


async def test_a_programs_request_without_tls_fails(opened: Open) -> None:
    async with opened(tls_self_signed=True) as door:
        answer = await door.ask(POST + b"Content-Length: 2\r\n\r\n{}")
        assert _status_and_location(answer) == (b"403", b"")


async def test_a_port_of_its_own_sends_to_https(opened: Open) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(10):  # another process may take the port in between
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            with contextlib.suppress(StartFailed):
                door = await stack.enter_async_context(opened(tls_self_signed=True, redirect_port=port))
                break
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET + b"\r\n")
        answer = await everything(reader)
        writer.close()
        await writer.wait_closed()
        assert _status_and_location(answer) == (b"308", b"https://localhost:%d/" % door.front.port)


# Unix sockets


async def test_a_unix_socket_is_this_users_only_and_gone_at_the_end(opened: Open, folder: Path) -> None:
    path = folder / "v.sock"
    async with opened(bind=f"unix:{path}") as door:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert door.front.port == 0
        assert (await door.ask(GET + END)).endswith(b"hello")
        assert await _who(door, FORGED) == {"address": "unix", "scheme": "http", "host": None, "local": True}
    assert not path.exists()


async def test_a_unix_socket_has_the_permissions_that_were_asked_for(opened: Open, folder: Path) -> None:
    async with opened(bind=f"unix:{folder / 'v.sock'}", unix_mode=0o660, trusted_proxies=("unix",)) as door:
        assert stat.S_IMODE((folder / "v.sock").stat().st_mode) == 0o660
        assert (await _who(door, FORGED))["address"] == "198.51.100.7"


async def test_a_process_of_another_user_is_not_heard(
    opened: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "_user", lambda connection: os.geteuid() + 1)
    async with opened(bind=f"unix:{folder / 'v.sock'}") as door:
        assert await door.ask(GET + END) == b""
    async with opened(bind=f"unix:{folder / 'v.sock'}", unix_mode=0o666) as door:
        assert (await door.ask(GET + END)).endswith(b"hello")


async def test_a_socket_left_by_an_earlier_server_is_replaced(opened: Open, folder: Path) -> None:
    path = folder / "v.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with opened(bind=f"unix:{path}") as door:
        assert (await door.ask(GET + END)).endswith(b"hello")


async def test_a_socket_with_a_listener_is_not_replaced(opened: Open, folder: Path) -> None:
    path = folder / "v.sock"
    async with opened(bind=f"unix:{path}") as door:
        with pytest.raises(StartFailed, match="is in use"):
            async with opened(bind=f"unix:{path}"):
                pass
        assert (await door.ask(GET + END)).endswith(b"hello")


@pytest.mark.parametrize("what", ["file", "link", "dangling link", "folder"])
def test_nothing_else_is_replaced(folder: Path, what: str) -> None:
    path, elsewhere = folder / "v.sock", folder / "elsewhere"
    match what:
        case "file":
            path.write_text("mine")
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to(elsewhere)
            if what == "link":
                elsewhere.write_text("mine")
    before = path.lstat()
    with pytest.raises(StartFailed, match="is not a socket: remove it"):
        sockets.UnixListener(path, 0o600)
    assert path.lstat().st_ino == before.st_ino
    assert elsewhere.exists() is (what == "link")


def test_a_folder_in_which_everybody_replaces_things_is_refused(folder: Path) -> None:
    folder.chmod(0o777)
    with pytest.raises(StartFailed, match="other users can replace files in this folder"):
        sockets.UnixListener(folder / "v.sock", 0o600)
    folder.chmod(0o1777)
    sockets.UnixListener(folder / "v.sock", 0o600).close()


def test_a_path_that_is_too_long_is_refused(folder: Path) -> None:
    with pytest.raises(StartFailed, match="at most 103 bytes"):
        sockets.UnixListener(folder / ("x" * 100), 0o600)


def test_a_user_who_locks_the_folder_for_ever_keeps_no_server_from_listening(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "LOCK_S", 0.05)
    stranger = os.open(folder, os.O_RDONLY)
    fcntl.flock(stranger, fcntl.LOCK_EX)
    try:
        sockets.UnixListener(folder / "v.sock", 0o600).close()
    finally:
        os.close(stranger)
    assert not (folder / "v.sock").exists()


def test_a_socket_that_another_server_has_put_there_is_left_alone(folder: Path) -> None:
    first = sockets.UnixListener(folder / "v.sock", 0o600)
    (folder / "v.sock").unlink()
    second = sockets.UnixListener(folder / "v.sock", 0o600)
    first.close()
    assert (folder / "v.sock").exists()
    second.close()
    assert not (folder / "v.sock").exists()


# Names of several addresses


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """What a name stands for from here on."""

    def stands_for(*given: str) -> None:
        found = [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (each, 0, 0, 0))
            if ":" in each
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0))
            for each in given
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)

    return stands_for


# 2001:db8::1 is for documentation: no machine has it.
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("127.0.0.1", "127.0.0.1"), ["127.0.0.1"]),
        (("2001:db8::1", "127.0.0.1"), ["127.0.0.1"]),
        (("127.0.0.1", "2001:db8::1"), ["127.0.0.1"]),
    ],
)
def test_a_name_may_have_addresses_twice_and_some_that_are_not_here(
    addresses: Callable[..., None], given: tuple[str, ...], expected: list[str]
) -> None:
    addresses(*given)
    listening = sockets.listen("localhost", 0)
    assert [each.getsockname()[0] for each in listening] == expected
    for each in listening:
        each.close()


def test_a_name_of_other_machines_is_refused(addresses: Callable[..., None]) -> None:
    addresses("2001:db8::1", "192.0.2.1")
    with pytest.raises(StartFailed, match=r"--bind: box\.example is not an address of this machine"):
        sockets.listen("box.example", 0)
