"""Attacks by slowness (slow loris): half a request, half a handshake, half a frame, and clients that never read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import stat
from collections.abc import AsyncIterator, Iterator

import pytest
from attacker import Target, Wire, aim, frame
from harness import Serve, until

from vibetunnel.http import server

pytestmark = pytest.mark.attack

MANY = 2000


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Raise the limit: both ends of all connections are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    assert hard == resource.RLIM_INFINITY or hard > 3 * MANY, "ulimit -Hn is too small for this attack"
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.asynccontextmanager
async def half_open(target: Target, count: int, said: bytes) -> AsyncIterator[list[socket.socket]]:
    """Connections, `count` of them, that have sent this and send no more."""
    loop = asyncio.get_running_loop()
    sockets = []
    try:
        for number in range(count):
            each = socket.socket()
            each.setblocking(False)
            sockets.append(each)
            await loop.sock_connect(each, (target.host, target.port))
            with contextlib.suppress(ConnectionError):
                await loop.sock_sendall(each, said)
            if number % 100 == 0:
                await asyncio.sleep(0)
        yield sockets
    finally:
        for each in sockets:
            each.close()


def is_open(connection: socket.socket) -> bool:
    try:
        return connection.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


async def works(target: Target, session: str, text: bytes) -> None:
    """Check that a new client can log in, attach, type, and see its input."""
    browser = await target.owner()
    assert (await browser.fetch("GET", "/api/sessions")).code == 200
    terminal = await target.attach(session, headers=browser.own)
    await terminal.send(text)
    await terminal.until(text)
    terminal.close()
    await terminal.over()


STAGES = {
    "nothing": b"",
    "a byte": b"G",
    "half a header": b"GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-a: b\r\n",
    "half a body": b"POST /api/auth/code HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    b'Content-Length: 1000\r\n\r\n{"code": "',
    "half a handshake": b"GET /buffers HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
}


@pytest.mark.usefixtures("many_descriptors")
@pytest.mark.parametrize("stage", STAGES)
async def test_slow_loris(serve: Serve, stage: str) -> None:
    """CWE-400, CWE-772 (CVE-2007-6750): 2,000 half-open connections, and other clients work as before."""
    target = aim(await serve())
    session = await target.recorder()
    terminal = await target.attach(session)
    async with half_open(target, MANY, STAGES[stage].replace(b"{host}", target.authority.encode())) as sockets:
        await terminal.send(b"<typed during the attack>")
        await terminal.until(b"<typed during the attack>")
        await works(target, session, b"<typed by somebody who came during the attack>")
        assert sum(map(is_open, sockets)) < MANY  # the oldest one made room
    await works(target, session, b"<typed afterwards>")
    await target.close()


@pytest.mark.usefixtures("many_descriptors")
async def test_slow_loris_in_tls(serve: Serve) -> None:
    """CWE-400: half a ClientHello, two thousand times."""
    target = aim(await serve(tls_self_signed=True))
    session = await target.recorder()
    async with half_open(target, MANY, bytes.fromhex("16030100c4010000c00303")):
        await works(target, session, b"<typed during the attack>")
    await target.close()


@pytest.mark.usefixtures("many_descriptors")
async def test_slow_loris_in_frames(serve: Serve) -> None:
    """CWE-400: a logged-in attacker holds 2,000 sockets, each with half a frame, and other clients work."""
    target = aim(await serve(user_clients=0, rate_limit_upgrades=0, rate_limit=0))
    session = await target.recorder()
    guest = await target.guest(session, "view")
    lines = [f"{name}: {value}" for name, value in guest.own.items()]
    lines += ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    lines += ["Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="]
    said = target.request("GET", f"/ws?sessionId={session}", *lines) + frame(2, b"half a message")[:-7]
    async with half_open(target, MANY, said):
        await works(target, session, b"<typed during the attack>")

    async def alone() -> bool:
        return (await target.json("GET", f"/api/sessions/{session}"))["clients"] == 0

    await until(alone)
    assert b"half" not in await target.recorded(session)
    await target.close()


# No such connection is held for ever


async def drip(wire: Wire, data: bytes, pace_s: float = 0.02) -> None:
    """Send byte by byte until the server disconnects, which it must do before the last byte."""
    for at in range(len(data)):
        wire.writer.write(data[at : at + 1])
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(pace_s):
                if await wire.reader.read(65536) == b"":
                    return
        if wire.gone:
            return
    raise AssertionError("it took every byte")


@pytest.fixture
def short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the product's deadlines, which are several seconds."""
    for name, value_s in (("FIRST_S", 0.4), ("IDLE_S", 0.4), ("BODY_S", 0.4), ("TAKEN_S", 0.4), ("SWEEP_S", 0.05)):
        monkeypatch.setattr(server, name, value_s)


@pytest.mark.usefixtures("short_deadlines")
async def test_a_client_that_dribbles_is_disconnected(serve: Serve) -> None:
    """CWE-400: a byte from time to time is no progress: in a first or later header, a body, or a handshake."""
    target = aim(await serve())
    async with target.connected() as wire:
        await drip(wire, target.request("GET", "/", "X: " + "x" * 3000))
    async with target.connected() as wire:
        await wire.send(target.request("GET", "/api/health"))
        assert await wire.answer() is not None
        await drip(wire, target.request("GET", "/", "X: " + "x" * 3000))
    async with target.connected() as wire:
        await wire.send(
            target.request("POST", "/api/auth/code", "Content-Length: 3000", "Content-Type: application/json")
        )
        await drip(wire, b'{"code": "' + b"A" * 2990)
    async with target.connected() as wire:
        lines = ["Transfer-Encoding: chunked", "Content-Type: application/json"]
        await wire.send(target.request("POST", "/api/auth/code", *lines))
        await drip(wire, b"1\r\nA\r\n" * 500)
    async with target.connected() as wire:
        await wire.over()  # nothing at all
    await target.close()


@pytest.mark.usefixtures("short_deadlines")
async def test_a_client_that_dribbles_in_tls_is_disconnected(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """CWE-400: neither silence nor half a ClientHello keeps a connection."""
    from vibetunnel.http import acceptor

    monkeypatch.setattr(acceptor, "FIRST_S", 0.4)
    server = await serve(tls_self_signed=True)
    for first in (b"", b"\x16", b"\x16\x03\x01\x10\x00"):
        wire = Wire(*await asyncio.open_connection("127.0.0.1", server.server.port))
        await wire.send(first)
        assert await wire.over() == b""
        await wire.close()


def has_connection_from(name: object) -> bool:
    """Whether a socket of this process, which includes the server, is connected to this address."""
    for each in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(int(each)).st_mode):
                with socket.socket(fileno=os.dup(int(each))) as found:
                    if found.getpeername() == name:
                        return True
    return False


@pytest.mark.usefixtures("short_deadlines")
async def test_a_client_that_never_reads_is_disconnected(serve: Serve) -> None:
    """CWE-400: answers that the client does not read are not kept for ever."""
    target = aim(await serve())
    files = [name for name in (await target.fetch("GET", "/", login=False)).body.decode().split('"') if ".js" in name]
    assert files
    path = "/" + files[0].removeprefix("./").removeprefix("/")
    reading = socket.socket()
    reading.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reading.setblocking(False)
    with reading:
        await asyncio.get_running_loop().sock_connect(reading, (target.host, target.port))
        await asyncio.get_running_loop().sock_sendall(reading, target.request("GET", path) * 50)
        name = reading.getsockname()
        assert has_connection_from(name)

        async def hung_up() -> bool:  # the client cannot see it: the answers that it did not read come first
            return not has_connection_from(name)

        await until(hung_up)
    await target.close()


@pytest.mark.parametrize("path", ["/ws", "/buffers"])
async def test_a_client_that_dribbles_frames_is_disconnected(serve: Serve, path: str) -> None:
    """CWE-400: an incomplete frame is no sign of life."""
    target = aim(await serve(ping_s=0.2, timeout_s=0.6))
    session = await target.recorder()
    async with target.upgraded(f"{path}?sessionId={session}" if path == "/ws" else path) as wire:
        await drip(wire, frame(2, b"x" * 3000))
    assert await target.recorded(session) == b""
    await target.close()


async def test_a_viewer_that_reads_nothing_does_not_hold_up_the_others(serve: Serve) -> None:
    """CWE-400: a guest that does not read its socket stops neither the program nor the owner."""
    target = aim(await serve())
    session = await target.session(["sh", "-c", "read x; seq 1 300000; echo the-end; exec cat"], spawn="now")
    guest = await target.guest(session, "view")
    async with target.upgraded(f"/ws?sessionId={session}", guest.own, "Sec-WebSocket-Protocol: vibetunnel.v1") as deaf:
        deaf.writer.transport.pause_reading()  # type: ignore[attr-defined]
        owner = await target.attach(session)
        await owner.send(b"\n")
        await owner.until(b"the-end")
        await owner.send(b"still here\n")
        await owner.until(b"still here")
        deaf.writer.transport.abort()
    await target.close()
