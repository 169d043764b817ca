"""GET /api/events: what happens to sessions, as server-sent events."""

from __future__ import annotations

import asyncio

from tornado.iostream import StreamClosedError

from vibetunnel.handlers import schemas
from vibetunnel.handlers.handler import Handler
from vibetunnel.security.principal import Scope
from vibetunnel.sessions.attachments import Attachment
from vibetunnel.sessions.broadcast import Listener
from vibetunnel.sessions.events import encoded

STUCK_S = 30  # for one message to leave; a client that reads nothing for so long is disconnected
QUIET_S = 15  # without an event; a comment then shows proxies and the client that the stream is alive


class _Stream:
    """A listener, as something that a logout can close."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End the stream. This protocol has no message for it."""
        self._listener.close()


class EventsHandler(Handler):
    """One stream. It ends when the client lags or logs out, or the server stops."""

    _listener: Listener | None = None

    def head(self, **arguments: str) -> None:
        self.query(schemas.TicketQuery)
        self._set_stream_headers()

    async def get(self) -> None:
        self.query(schemas.TicketQuery)
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
        self.context.attachments.add(Attachment(connection=stream, principal=principal, address=self.client.address))
        try:
            await self._send(b"data: " + encoded("connected") + b"\n\n")
            await self._pass_on(listener)
        except StreamClosedError:
            pass  # the client has disconnected
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
        async with asyncio.timeout(STUCK_S):
            await self.write(event)

    def _set_stream_headers(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")  # proxies pass each event on at once

    def on_connection_close(self) -> None:
        if self._listener is not None:
            self._listener.close()
