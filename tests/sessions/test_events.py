"""GET /api/events: the events of sessions as they happen."""

from __future__ import annotations

import pytest
from event_stream import listening
from harness import Running, Serve, until

from vibetunnel.sessions import broadcast
from vibetunnel.sessions.broadcast import Broadcast


async def test_a_sessions_life_is_told_in_order(server: Running) -> None:
    async with listening(server) as stream:
        session = await server.session("read x; exit 3", name="told")
        created = await stream.next("session-created")
        assert (created["sessionId"], created["session"]["name"]) == (session, "told")
        assert created["session"]["status"] == "created"
        await server.json("PATCH", f"/api/sessions/{session}", {"name": "renamed"})
        assert (await stream.next("session-renamed"))["session"]["name"] == "renamed"
        await server.json("POST", f"/api/sessions/{session}/input", {"key": "enter"})
        assert (await stream.next("session-started"))["session"]["status"] == "running"
        assert (await stream.next("session-exited"))["session"]["exitCode"] == 3
        await server.json("DELETE", f"/api/sessions/{session}")
        removed = await stream.next("session-removed")
        assert removed["sessionId"] == session
        assert "session" not in removed


async def test_bells_titles_sizes_and_clients_are_told(server: Running) -> None:
    async with listening(server) as stream:
        session = await server.session(["sh", "-c", "read x; printf '\\a\\a'; printf '\\033]2;a title\\007'; cat"])
        socket = await server.attach(session)
        while (await stream.next("session-updated"))["session"]["clients"] != 1:
            pass
        await socket.send(b"\n")
        bell, title = None, None
        while bell is None or title is None:
            message = await stream.next("bell", "title")
            if message["type"] == "bell":
                bell = message
            else:
                title = message
        assert bell["count"] == 2
        assert (title["sessionId"], title["title"]) == (session, "a title")
        assert (await server.json("GET", f"/api/sessions/{session}"))["title"] == "a title"
        await server.json("POST", f"/api/sessions/{session}/resize", {"rows": 40, "cols": 100})
        while (await stream.next("session-updated"))["session"]["rows"] != 40:
            pass
        socket.close()
        while (await stream.next("session-updated"))["session"]["clients"] != 0:
            pass


async def test_the_stream_is_never_compressed_nor_kept(server: Running) -> None:
    async with listening(server) as stream:
        assert "content-type: text/event-stream" in stream.headers
        assert "content-encoding" not in stream.headers
        assert "cache-control: no-store" in stream.headers


async def test_a_listener_that_leaves_is_forgotten(server: Running) -> None:
    listeners, attachments = (
        server.server.context.registry.events.broadcast.listeners,
        server.server.context.attachments,
    )
    async with listening(server):
        assert (len(listeners), len(attachments)) == (1, 1)

    async def forgotten() -> bool:
        return (len(listeners), len(attachments)) == (0, 0)

    await until(forgotten)


async def test_the_stream_ends_when_the_server_stops(serve: Serve) -> None:
    server = await serve()
    async with listening(server) as stream:
        await server.server.close()
        assert await stream.event() == b""


async def test_silence_is_filled_with_comments(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vibetunnel.handlers.events.QUIET_S", 0.01)
    async with listening(server) as stream:
        assert await stream.event() == b":\n\n"
        assert await stream.event() == b":\n\n"


async def test_a_client_that_takes_nothing_is_cut_off(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vibetunnel.handlers.events.STUCK_S", 0.1)
    events, attachments = server.server.context.registry.events, server.server.context.attachments
    async with listening(server):
        for _ in range(broadcast.QUEUE_LIMIT):
            events.broadcast.publish(b"x" * 65536)

        async def forgotten() -> bool:
            return (len(events.broadcast.listeners), len(attachments)) == (0, 0)

        await until(forgotten)


async def test_a_listener_that_lags_is_dropped_and_the_others_are_not() -> None:
    hub = Broadcast()
    slow, quick = hub.listen(), hub.listen()
    for number in range(broadcast.QUEUE_LIMIT + 1):
        hub.publish(b"%d" % number)
        assert await quick.next() == b"%d" % number
    assert hub.listeners == {quick}
    got = [message async for message in slow]
    assert len(got) == broadcast.QUEUE_LIMIT
    hub.close()
    assert await quick.next() is None
