"""GET /api/events: news as server-sent events."""

from __future__ import annotations

import asyncio

from tornado.iostream import StreamClosedError

from vibetunnel.handlers.base import BaseHandler
from vibetunnel.security.principal import Scope
from vibetunnel.sessions.attachments import Attachment
from vibetunnel.sessions.broadcast import Listener
from vibetunnel.sessions.events import encoded

STUCK_S = 30  # for one message to leave; a client that takes nothing for so long is cut off
QUIET_S = 15  # a comment after this much silence tells proxies and both ends that the other is there


class _Stream:
    """One listener as something that a logout can close."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Without a word: there is none in this protocol."""
        self._listener.close()


class EventsHandler(BaseHandler):
    """One stream; it ends when the client lags, logs out, or the server stops."""

    _listener: Listener | None = None

    def head(self, **arguments: str) -> None:
        self._set_stream_headers()

    async def get(self) -> None:
        principal = self.require_login()
        self.check_room(principal)
        only = (
            None
            if principal.may(Scope.VIEW)
            else frozenset(each for each in principal.grants if principal.may(Scope.VIEW, each))
        )
        self._set_stream_headers()
        self._listener = listener = self.context.registry.events.broadcast.listen(only)
        stream = _Stream(listener)
        self.context.attachments.add(Attachment(closes=stream, principal=principal, address=self.client.address))
        try:
            await self._send(b"data: " + encoded("connected") + b"\n\n")
            await self._pass_on(listener)
        except StreamClosedError:
            pass  # the client is gone, as clients do
        except TimeoutError:
            self.exchange.abort()
        finally:
            listener.close()
            self.context.attachments.discard(stream)

    async def _pass_on(self, listener: Listener) -> None:
        while True:
            try:
                async with asyncio.timeout(QUIET_S):
                    message = await listener.next()
            except TimeoutError:
                await self._send(b":\n\n")
                continue
            if message is None:
                return
            await self._send(b"data: " + message + b"\n\n")

    async def _send(self, event: bytes) -> None:
        self.write(event)
        async with asyncio.timeout(STUCK_S):
            await self.flush()

    def _set_stream_headers(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")  # proxies pass each event on at once

    def on_connection_close(self) -> None:
        if self._listener is not None:
            self._listener.close()
