"""Attacks on the socket of newer VibeTunnel clients: malformed messages, and clients that do not read."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from random import Random

import pytest
from harness import Running, until
from tornado.websocket import WebSocketHandler
from v3_client import (
    ERROR,
    EVENT,
    EVENTS,
    KILL,
    OUTPUT,
    PING,
    PONG,
    SCREEN,
    SNAPSHOT,
    STDOUT,
    SUBSCRIBE,
    TAKEN,
    TEXT,
    UNSUBSCRIBE,
    WELCOME,
    framed,
    mutated,
    v3,
    well_formed,
)

from vibetunnel.handlers.v3 import KILLS, V3Socket

pytestmark = pytest.mark.attack

ECHO = ["sh", "-c", "stty raw -echo; printf ready; exec cat"]


async def test_rubbish_is_not_answered_and_disturbs_no_subscription(server: Running) -> None:
    """CWE-20: a thousand messages that are cut, changed or of a type that only a server sends."""
    rng, session = Random(15), await server.session(ECHO)
    async with v3(server) as client:
        await client.subscribe(session, OUTPUT | SCREEN | EVENTS)
        await client.until(session, "ready")
        sent = 0
        while sent < 1000:
            raw = mutated(rng) if sent % 10 else rng.randbytes(rng.randrange(200))
            found = well_formed(raw)
            if found is not None and found.kind in TAKEN:
                continue  # it is a message after all
            await client.connection.write_message(raw, binary=True)
            sent += 1
            if sent % 50 == 0:
                await client.say(TEXT, session, f"<{sent}>".encode())
                await client.until(session, f"<{sent}>")
        await client.settled()
    assert set(client.counts) <= {
        *((WELCOME, ""), (PONG, "")),
        *((STDOUT, session), (SNAPSHOT, session), (EVENT, session)),
    }
    assert client.counts[PONG, ""] == 1
    await until(lambda: len(server.server.context.snapshots) == 0)


async def test_messages_that_are_well_formed_and_absurd_are_refused_or_ignored(server: Running) -> None:
    """CWE-20, CWE-22: any type with any session and payload, where none of them can do anything."""
    session = await server.session(ECHO)
    payloads = (b"", b"\0", b"\xff" * 7, b"\xff" * 11, b"\xff" * 64, b"x" * 60_000)
    sessions = (
        "",
        "nope",
        "../../etc/passwd",
        "\0",
        "é\U0001f600",
        f"{session}\0",
        session.upper() + "x",
        "s" * 60_000,
    )
    async with v3(server) as client:
        await client.subscribe(session, OUTPUT)
        await client.until(session, "ready")
        for kind in (*TAKEN, 0, 3, 24, 255):
            for each in sessions:
                for payload in payloads:
                    await client.say(kind, each, payload)
                await client.settled()
        for name in (b"SIGNOPE", b"sigkill", b"9", b"SIGKILL\0", b" SIGKILL", b"\xff", b"-9", b"SIGKILL" * 1000):
            await client.say(KILL, session, name)
            assert "name of a signal" in (await client.next(ERROR, session)).json["message"]
        await client.say(TEXT, session, b"still there")
        await client.until(session, "still there")
    answered = {kind for kind, _ in client.counts}
    assert answered == {WELCOME, STDOUT, ERROR, PONG, EVENT}  # EVENT: that the socket gets the server's events


class Unwritten:
    """Counts the messages of v3 sockets that the kernel has not taken yet."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now: Counter[object] = Counter()
        self.most = 0
        real = WebSocketHandler.write_message

        def write(handler: WebSocketHandler, message: bytes | str, binary: bool = False) -> asyncio.Future[None]:
            written = real(handler, message, binary)
            if isinstance(handler, V3Socket) and not written.done():
                self.now[handler] += 1
                self.most = max(self.most, self.now[handler])
                written.add_done_callback(lambda _: self.now.subtract([handler]))
            return written

        monkeypatch.setattr(WebSocketHandler, "write_message", write)


async def meanwhile(server: Running, turns: int = 800) -> None:
    """Give the server turns, by default as many as it needs to read COUNT messages, if it reads on."""
    async with v3(server) as other:
        for _ in range(turns):
            await other.settled()


LONG = "s" * 60_000  # as a session's id: each refusal is as long
COUNT = 400  # more of them than the kernel's buffers take


@pytest.mark.parametrize(
    "message",
    [(SUBSCRIBE, b""), (SUBSCRIBE, struct.pack("<III", 7, 0, 0)), (TEXT, b"x"), (KILL, b"SIGTERM"), (PING, b"")],
)
async def test_answers_to_a_client_that_does_not_read_do_not_pile_up(
    server: Running, monkeypatch: pytest.MonkeyPatch, message: tuple[int, bytes]
) -> None:
    """CWE-400, CWE-770: the server reads no further until its last answer was taken."""
    unwritten, (kind, payload) = Unwritten(monkeypatch), message
    async with v3(server) as client:
        for _ in range(COUNT):
            client.connection.write_message(framed(kind, LONG, payload), binary=True)
        await meanwhile(server)
        assert unwritten.now.total(), "the client has read after all"
        for _ in range(COUNT):
            await client.next(PONG if kind == PING else ERROR, LONG)
    assert unwritten.most <= KILLS + 1


async def test_a_client_that_subscribes_again_and_again_and_does_not_read_is_not_read(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CWE-770: each subscription begins with a screen, and its successor does not take that back."""
    unwritten = Unwritten(monkeypatch)
    script = "i=0; while [ $i -lt 300 ]; do printf '%0500d' $i; i=$((i+1)); done; printf end; cat"
    session = await server.session(["sh", "-c", script], rows=300, cols=500, spawn="now")
    await server.output(session, b"end")
    async with v3(server) as client:
        wanted = struct.pack("<III", OUTPUT | SCREEN | EVENTS, 0, 0)
        for _ in range(COUNT // 2):
            client.connection.write_message(framed(SUBSCRIBE, session, wanted), binary=True)
            await meanwhile(server, turns=20)  # so that it begins, before the next one replaces it
        await meanwhile(server)
        assert unwritten.now.total(), "the client has read after all"
        await client.settled()
    assert unwritten.most <= 8


async def test_a_socket_has_only_some_subscriptions(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """CWE-770."""
    monkeypatch.setattr("vibetunnel.handlers.v3.MOST", 3)
    sessions = [await server.session(ECHO) for _ in range(4)]
    async with v3(server) as client:
        for each in sessions:
            await client.subscribe(each, SCREEN)
        assert "subscriptions of a socket" in (await client.next(ERROR, sessions[3])).json["message"]
        await client.say(UNSUBSCRIBE, sessions[0])
        await client.subscribe(sessions[1], SCREEN)  # again: it takes the place of its own
        await client.subscribe(sessions[3], SCREEN)
        await client.next(SNAPSHOT, sessions[3])


async def test_a_socket_ends_only_some_sessions_at_the_same_time(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CWE-770: an end may take seconds, and so a thousand of them would wait together."""
    registry, ending, most = server.server.context.registry, 0, 0
    held = asyncio.Event()

    async def kill(session_id: str) -> bool:
        nonlocal ending, most
        ending += 1
        most = max(most, ending)
        await held.wait()
        ending -= 1
        return True

    monkeypatch.setattr(registry, "kill", kill)
    session = await server.session(["cat"])
    async with v3(server) as client:
        for _ in range(100):
            await client.say(KILL, session)
        await until(lambda: ending == KILLS)
        held.set()
        await client.settled()
    assert most == KILLS


async def test_typing_does_not_wait_for_a_session_that_takes_long_to_end(server: Running) -> None:
    """Promise: a keystroke never waits for another session."""
    stubborn = await server.session(["sh", "-c", "trap '' TERM HUP; printf ready; while :; do sleep 0.05; done"])
    session = await server.session(ECHO)
    async with v3(server) as client:
        for each in (stubborn, session):
            await client.subscribe(each, OUTPUT)
            await client.until(each, "ready")
        await client.say(KILL, stubborn)
        await client.say(TEXT, session, b"typed")
        await client.until(session, "typed")
        assert (EVENT, stubborn) not in client.counts
        assert (await client.next(EVENT, stubborn)).json["kind"] == "exit"
