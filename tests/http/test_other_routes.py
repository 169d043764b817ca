"""What the Node and the Go server have beside sessions, files and git."""

from __future__ import annotations

import asyncio
import json

import pytest
from harness import Running, until
from principals import guest, logged_in


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/remotes"),
        ("POST", "/api/remotes/register"),
        ("DELETE", "/api/remotes/x"),
        ("POST", "/api/remotes/x/refresh-sessions"),
    ],
)
async def test_a_server_without_remotes_says_so_after_a_login(server: Running, method: str, path: str) -> None:
    assert await server.json(method, path, status=404) == {"error": "Not running in HQ mode"}
    assert (await server.fetch(method, path, login=False)).code == 401


async def test_tailscale_does_not_run_here(server: Running) -> None:
    assert await server.json("GET", "/api/sessions/tailscale/status") == {"isRunning": False}


async def test_a_test_event_reaches_the_streams_of_all_users_and_no_guest(server: Running) -> None:
    session = await server.session(["cat"])
    writer, visitor = await logged_in(server, "walt"), await guest(server, session)
    got: dict[str, bytes] = {"writer": b"", "visitor": b""}

    order = {"type": "test", "message": "hello", "title": "Title", "body": "more"}
    assert (await writer.fetch("POST", "/api/events/test", order)).code == 403
    listeners = server.server.context.registry.events.broadcast.listeners

    async def listen(who: str, headers: dict[str, str]) -> None:
        def receive(chunk: bytes) -> None:
            got[who] += chunk

        await server.fetch("GET", "/api/events", login=False, headers=headers, streaming_callback=receive)

    streams = [
        asyncio.ensure_future(listen(who, each.headers)) for who, each in (("writer", writer), ("visitor", visitor))
    ]
    await until(lambda: len(listeners) == 2)
    assert await server.json("POST", "/api/events/test", order) == {
        "success": True, "message": "Event sent", "clients": 1,
    }  # fmt: skip
    await until(lambda: b"test-event" in got["writer"])
    data = [line.removeprefix(b"data: ") for line in got["writer"].splitlines() if b"test-event" in line]
    event = json.loads(data[0])
    assert (event["title"], event["text"]) == ("Title", "hello: more")
    assert b"test-event" not in got["visitor"]
    await server.close()
    await asyncio.gather(*streams, return_exceptions=True)
