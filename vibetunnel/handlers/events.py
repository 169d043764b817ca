"""GET /api/events: what happens to sessions, as server-sent events, or as the messages of a WebSocket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError

from vibetunnel.handlers import account_schemas, schemas
from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.node_events import as_node
from vibetunnel.handlers.views import View, view_of
from vibetunnel.handlers.websocket import RelayedSocket, upgrade
from vibetunnel.http.upgrade import asks_for_websocket
from vibetunnel.protocol import CLOSE_AWAY, CLOSE_INTERNAL, CLOSE_UNSUPPORTED
from vibetunnel.security.principal import Principal, Scope
from vibetunnel.sessions.attachments import Attachment
from vibetunnel.sessions.broadcast import Broadcast, Listener
from vibetunnel.sessions.events import encoded

LISTENER_GONE = "the server stops, or the client has read too slowly"
STUCK_S = 30  # for one message to leave; a client that reads nothing for so long is disconnected
QUIET_S = 15  # without an event; a comment then shows proxies and the client that the stream is alive

log = logging.getLogger(__name__)


class _Stream:
    """A listener, as something that a logout can close. path: what was asked for."""

    def __init__(self, listener: Listener, path: str) -> None:
        self._listener = listener
        self.path = path

    def close(self, code: int = 1000, reason: str = "") -> None:
        """End the stream. This protocol has no message for it."""
        self._listener.close()


def listen(broadcast: Broadcast, principal: Principal) -> Listener:
    """A listener of the sessions that the principal may view."""
    if principal.may(Scope.VIEW):
        return broadcast.listen(user=principal.user)
    return broadcast.listen(frozenset(each for each in principal.grants if principal.may(Scope.VIEW, each)))


class EventSocket(RelayedSocket):
    """A WebSocket of events. Browsers allow a page few HTTP connections (six over all windows), but many of these."""

    takes_as_read = False  # few events are written at a time: the kernel takes them, also for a client that is gone

    def open(self) -> None:
        super().open()
        principal = self.opener.required(self.opener.principal)
        self._listener = listen(self.context.registry.events.broadcast, principal)
        self._passing = asyncio.create_task(self._pass_on())  # owned: it ends after on_close() closes the listener

    def on_message(self, message: str | bytes) -> None:
        self.close(CLOSE_UNSUPPORTED, "this socket takes no messages")

    def on_close(self) -> None:
        super().on_close()
        self._listener.close()

    async def _pass_on(self) -> None:
        try:
            await self.send(encoded("connected"))
            async for message in self._listener:
                await self.send(message)
            self.close(CLOSE_AWAY, LISTENER_GONE)
        except WebSocketClosedError:
            pass  # the client has disconnected
        except Exception:
            log.exception("GET /api/events failed")
            self.close(CLOSE_INTERNAL, "an error of the server, which its log explains")
        finally:
            self._listener.close()


class EventsHandler(Handler):
    """One stream. It ends when the client lags or logs out, or the server stops."""

    _listener: Listener | None = None

    def head(self, **arguments: str) -> None:
        self.query(account_schemas.TicketQuery)
        self._set_stream_headers()

    def get(self) -> Coroutine[Any, Any, None] | None:
        self.query(account_schemas.TicketQuery)
        if not asks_for_websocket(self.request.headers):
            return self._stream()
        upgrade(self, EventSocket)
        return None

    def listener(self, principal: Principal) -> Listener:
        return listen(self.context.registry.events.broadcast, principal)

    def greeting(self) -> bytes:
        """What comes first."""
        return b"data: " + encoded("connected") + b"\n\n"

    def shown(self, message: bytes) -> bytes | None:
        """The event as the client knows it; None if it knows no such event."""
        if view_of(self) is not View.NODE:
            return message
        made = as_node(message, self.context.registry.name_of)
        return None if made is None else made[1]

    async def _stream(self) -> None:
        principal = self.require_login()
        if self._has_another(principal):
            self.set_status(HTTPStatus.NO_CONTENT)
            return
        self.check_room(principal)
        self._set_stream_headers()
        self._listener = listener = self.listener(principal)
        stream = _Stream(listener, self.request.path)
        self.context.attachments.add(Attachment(connection=stream, principal=principal, address=self.client.address))
        try:
            await self._send(self.greeting())
            await self._pass_on(listener)
        except StreamClosedError:
            pass  # the client has disconnected
        except TimeoutError:
            self.exchange.abort()
        finally:
            listener.close()
            self.context.attachments.discard(stream)

    def _has_another(self, principal: Principal) -> bool:
        """Whether a browser that runs another web client has this stream already.

        A browser opens at most six connections to a server, and that client wants three for each of its tabs: with
        two tabs, no request of either would be sent. So only one tab has these streams. Told so, another one asks again
        from time to time.
        """
        if self.context.settings.web_client is None or self.request.headers.get("Accept") != "text/event-stream":
            return False  # only the EventSource of a browser sends this header alone
        others = self.context.attachments.of_principal(principal, self.client.address)
        path = self.request.path
        return any(isinstance(each.connection, _Stream) and each.connection.path == path for each in others)

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
            if (event := self.shown(message)) is not None:
                await self._send(b"data: " + event + b"\n\n")

    async def _send(self, event: bytes) -> None:
        async with asyncio.timeout(STUCK_S):
            await self.write(event)

    def _set_stream_headers(self) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")  # proxies pass each event on at once

    def on_connection_close(self) -> None:
        if self._listener is not None:
            self._listener.close()


class TestEventHandler(Handler):
    """POST /api/events/test."""

    def post(self) -> None:
        wanted = self.read(schemas.TestEvent)
        text = wanted.message + (f": {wanted.body}" if wanted.body else "")
        count = self.context.registry.events.test(wanted.title or wanted.type, text)
        self.answer(schemas.TestEventSent(message="Event sent", clients=count))


class ControlHandler(EventsHandler):
    """GET /api/control/stream: what VibeTunnel's own client asks for again and again, unless it stays open.

    Its events are those of `Context.control`: JSON with `category`, `action` and `data`.
    """

    def head(self, **arguments: str) -> None:
        self.query(schemas.ControlQuery)
        self._set_stream_headers()

    def get(self) -> Coroutine[Any, Any, None]:
        self.query(schemas.ControlQuery)
        return self._stream()

    def listener(self, principal: Principal) -> Listener:
        return listen(self.context.control, principal)

    def greeting(self) -> bytes:
        return b":ok\n\n"

    def shown(self, message: bytes) -> bytes:
        return message
