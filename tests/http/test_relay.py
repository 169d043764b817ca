"""Relays between a client's connection and a socketpair."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from vibetunnel.http.tls_relay import Relays, pair


def test_output_for_a_client_that_has_just_disconnected_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        accepted: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        server = await asyncio.start_server(lambda *streams: accepted.put_nowait(streams), "127.0.0.1", 0)
        _, client = await asyncio.open_connection(*server.sockets[0].getsockname())
        relays, (ours, theirs) = Relays(), pair()
        with theirs:
            reader, writer = await accepted.get()
            relays.join(reader, writer, ours)
            writer.transport.abort()
            theirs.send(b"late")
            await relays.close()
        assert len(relays) == 0
        client.close()
        server.close()

    uvloop.run(scenario())  # as in a server; asyncio's own transports ignore such a write
    assert caplog.records == []
