"""GET /api/events: the events of sessions as they happen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from unittest.mock import Mock

import pytest
from event_stream import EventSocket, Stream, listening, listening_by_socket
from harness import Browser, Running, Serve, until
from tornado.httpclient import HTTPClientError

from vibetunnel.handlers.websocket import RelayedSocket
from vibetunnel.protocol import CLOSE_AWAY, CLOSE_INTERNAL, CLOSE_LOGIN_OVER, CLOSE_UNSUPPORTED
from vibetunnel.sessions import broadcast
from vibetunnel.sessions.broadcast import Broadcast

BOTH = pytest.mark.parametrize("listen", [listening, listening_by_socket], ids=["stream", "socket"])
Listen = Callable[[Running], AbstractAsyncContextManager[Stream | EventSocket]]


async def forgotten(server: Running) -> None:
    """Return when nothing listens any longer."""
    listeners, attachments = (
        server.server.context.registry.events.broadcast.listeners,
        server.server.context.attachments,
    )

    async def look() -> bool:
        return (len(listeners), len(attachments)) == (0, 0)

    await until(look)


@BOTH
async def test_a_sessions_life_is_told_in_order(server: Running, listen: Listen) -> None:
    async with listen(server) as stream:
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


@BOTH
async def test_bells_titles_sizes_and_clients_are_told(server: Running, listen: Listen) -> None:
    async with listen(server) as stream:
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


@BOTH
async def test_a_listener_that_leaves_is_forgotten(server: Running, listen: Listen) -> None:
    context = server.server.context
    async with listen(server):
        assert (len(context.registry.events.broadcast.listeners), len(context.attachments)) == (1, 1)
    await forgotten(server)


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
    async with listening(server):
        for _ in range(broadcast.QUEUE_LIMIT):
            server.server.context.registry.events.broadcast.publish(b"x" * 65536)
        await forgotten(server)


# The WebSocket


async def test_a_socket_that_takes_nothing_is_cut_off(serve: Serve) -> None:
    server = await serve(ping_s=0.1, timeout_s=0.5)
    async with listening_by_socket(server) as socket:
        for _ in range(broadcast.QUEUE_LIMIT):
            server.server.context.registry.events.broadcast.publish(b'"' + b"x" * 65536 + b'"')
        await forgotten(server)
        assert (await socket.end())[0] is None


async def test_a_socket_that_lags_is_closed_after_what_was_queued(server: Running) -> None:
    hub = server.server.context.registry.events.broadcast
    async with listening_by_socket(server) as socket:
        for _ in range(broadcast.QUEUE_LIMIT + 2):  # without a pause, so that nothing is sent meanwhile
            hub.publish(b'{"type": "x"}')
        assert not hub.listeners
        for _ in range(broadcast.QUEUE_LIMIT):
            assert await socket.said() == {"type": "x"}
        assert (await socket.end())[0] == CLOSE_AWAY


async def test_a_socket_that_reads_nothing_is_cut_off_while_few_events_come(serve: Serve) -> None:
    server = await serve(ping_s=0.1, timeout_s=0.5)
    hub = server.server.context.registry.events.broadcast
    async with listening_by_socket(server):

        async def told() -> bool:
            hub.publish(b'"an event"')
            return not hub.listeners

        await until(told)
    await forgotten(server)


async def test_a_socket_whose_client_answers_pings_stays(serve: Serve) -> None:
    server = await serve(ping_s=0.05, timeout_s=0.3)
    async with listening_by_socket(server) as socket:
        pings: list[bytes] = []
        socket.connection.on_ping = pings.append  # type: ignore[method-assign]
        await until(lambda: len(pings) > 10)
        server.server.context.registry.events.broadcast.publish(b'{"type": "x"}')
        assert await socket.said() == {"type": "x"}


async def test_an_error_of_the_server_closes_the_socket_and_is_logged(
    server: Running, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    expect_log("GET /api/events failed")
    async with listening_by_socket(server) as socket:
        monkeypatch.setattr(RelayedSocket, "send", Mock(side_effect=RuntimeError("a fault")))
        server.server.context.registry.events.broadcast.publish(b'{"type": "x"}')
        assert (await socket.end())[0] == CLOSE_INTERNAL
    await forgotten(server)


async def test_a_stopping_server_closes_the_socket(serve: Serve) -> None:
    server = await serve()
    async with listening_by_socket(server) as socket:
        await server.server.close()
        assert (await socket.end())[0] == CLOSE_AWAY


async def test_a_socket_takes_no_messages(server: Running) -> None:
    async with listening_by_socket(server) as socket:
        await socket.say({"type": "ping"})
        assert await socket.end() == (CLOSE_UNSUPPORTED, "this socket takes no messages")
    await forgotten(server)


async def test_a_browsers_login_opens_a_socket_and_its_logout_closes_it(server: Running) -> None:
    browser = Browser(server)
    await browser.login(server.announcement.code)
    async with listening_by_socket(server, browser.headers) as socket, listening_by_socket(server) as other:
        await browser.fetch("POST", "/api/auth/logout")
        assert await socket.end() == (CLOSE_LOGIN_OVER, "logged out")
        await server.session(name="still told")
        assert (await other.next("session-created"))["session"]["name"] == "still told"


async def test_a_ticket_opens_a_socket_once(server: Running) -> None:
    ticket = (await server.json("POST", "/api/auth/ticket", {"permission": "view"}))["ticket"]
    async with listening_by_socket(server, {}, f"?ticket={ticket}"):
        with pytest.raises(HTTPClientError, match="401"):
            async with listening_by_socket(server, {}, f"?ticket={ticket}"):
                pass


async def test_a_guests_socket_hears_only_of_the_own_session(server: Running) -> None:
    own, other = await server.session(name="own"), await server.session(name="other")
    share = await server.json("POST", f"/api/sessions/{own}/shares", {}, status=201)
    browser = Browser(server)
    await browser.enter(share["code"])
    async with listening_by_socket(server, browser.headers) as socket:
        await server.json("PATCH", f"/api/sessions/{other}", {"name": "their secret"})
        await server.json("PATCH", f"/api/sessions/{own}", {"name": "ours"})
        assert (await socket.said())["session"]["name"] == "ours"
        await server.json("DELETE", f"/api/sessions/{own}/shares/{share['id']}")
        assert (await socket.end())[0] == CLOSE_LOGIN_OVER


async def test_sockets_count_as_connections_of_a_user(serve: Serve) -> None:
    server = await serve(user_clients=1)
    browser = Browser(server)
    await browser.login(server.announcement.code)
    async with listening_by_socket(server, browser.headers):
        with pytest.raises(HTTPClientError, match="429"):
            async with listening_by_socket(server, browser.headers):
                pass


# The queue


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


async def test_a_listener_is_dropped_before_long_messages_fill_the_memory() -> None:
    hub = Broadcast()
    slow, quick = hub.listen(), hub.listen()
    clipboard = b"x" * 65536
    fit = broadcast.BYTES_LIMIT // len(clipboard)
    for _ in range(2 * fit):
        hub.publish(clipboard)
        assert await quick.next() == clipboard
    assert hub.listeners == {quick}
    assert [message async for message in slow] == [clipboard] * fit
