"""WebSockets whose frames Tornado reads and writes: /buffers and /api/events. Those of /ws belong to the pump."""

from __future__ import annotations

import asyncio
import logging
import socket
from types import TracebackType
from typing import Any

import msgspec
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.refusals import EXPECTED, or_refused, refusal_of
from vibetunnel.http.tls_relay import BUFFER, pair
from vibetunnel.http.upgrade import handshake
from vibetunnel.sessions.attachments import Attachment

MAX_MESSAGE = 64 * 1024  # bytes of one message of a client, as on /ws; real ones have a hundred

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode


def upgrade(opener: Handler, kind: type[RelayedSocket]) -> None:
    """Make a socket of the request that `opener` has checked. Raises NotAnUpgrade."""
    handshake(opener.request.version, opener.request.headers)
    # Tornado would parse a form, and answer a malformed one with an error. A socket has no use for a body.
    opener.request.headers.pop("Content-Type", None)
    opener.detach()
    opener.site.websockets.get_handler_delegate(opener.request, kind, {"opener": opener}).finish()


def log_upgrade(socket: RequestHandler) -> None:
    """Write the request's line of the log when Tornado has answered it."""
    assert isinstance(socket, RelayedSocket)
    socket.opener.set_status(socket.get_status())
    socket.opener.log_request()


class RelayedSocket(WebSocketHandler):
    """A socket with the checks, headers and limits of every other request. It is an attachment while it is open.

    opener  the handler that checked the request
    buffer  bytes that the kernel may hold on their way to the client's relay
    takes_as_read  whether a message counts as read by the client when the kernel has it
    """

    opener: Handler
    buffer = BUFFER
    takes_as_read = True

    def initialize(self, opener: Handler) -> None:
        self.opener = opener
        self.context = opener.context
        self._stream: IOStream | None = None
        self._pair: tuple[socket.socket, socket.socket]
        self._timer: asyncio.TimerHandle | None = None
        self._alive = True  # the client has sent or read something since the last look
        self._quiet_s = 0.0  # how long it has not

    def set_default_headers(self) -> None:
        self.clear_header("Server")

    def prepare(self) -> None:
        self._set_headers()

    async def get(self) -> None:
        if self.opener.exchange.closed:
            raise StreamClosedError
        # Here and not in the opener: Tornado runs this later, and open() follows without an await.
        self.opener.check_room(self.opener.require_login())
        self._pair = or_refused(lambda: pair(self.buffer))
        await super().get()

    def check_origin(self, origin: str) -> bool:
        return True  # the opener has checked it, as on every route

    @property
    def max_message_size(self) -> int:
        return MAX_MESSAGE

    def detach(self) -> IOStream:
        """Return a stream for Tornado's WebSocket: one end of a relay."""
        ours, theirs = self._pair
        self.context.relays.join(*self.opener.exchange.take_streams(), ours)
        self._stream = IOStream(theirs)
        return self._stream

    def _set_headers(self) -> None:
        for name, value in self.opener.headers.items():
            self.set_header(name, value)

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # Any: Tornado's signature
        refusal = refusal_of(kwargs["exc_info"][1] if "exc_info" in kwargs else None)
        self._set_headers()
        self.set_status(refusal.status)
        self.finish(refusal.body)

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        # Tornado would log the whole address, which may hold a ticket.
        if not isinstance(value, (*EXPECTED, StreamClosedError)):
            log.error("GET %s failed", self.request.path, exc_info=value)

    def open(self) -> None:
        principal, address = self.opener.required(self.opener.principal), self.opener.client.address
        self.context.attachments.add(Attachment(connection=self, principal=principal, address=address))
        self._look()

    def on_close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.context.attachments.discard(self)

    def abort(self) -> None:
        """Close the connection at once."""
        if self._stream is not None:
            self._stream.close()

    def send(self, message: bytes | msgspec.Struct, *, binary: bool = False) -> asyncio.Future[None]:
        """Write a message, or a struct as JSON. The future is done when the kernel has it.

        Raises WebSocketClosedError; so may the future, which need not be awaited.
        """
        written = self.write_message(message if isinstance(message, bytes) else _encode(message), binary=binary)
        if self.takes_as_read:
            written.add_done_callback(self._written)
        return written

    def _written(self, written: asyncio.Future[None]) -> None:
        if not written.cancelled() and written.exception() is None:
            self.heard()

    # Pings. Tornado's own would drop a slow client, whose pong comes only after it has read what was sent before.

    def on_pong(self, data: bytes) -> None:
        self.heard()

    def heard(self) -> None:
        """The client has sent or read something."""
        self._alive = True

    def _look(self) -> None:
        """Ping a quiet client, and disconnect one that stays quiet.

        Looks are counted and not seconds, so that a busy loop reads what the client has sent before it judges.
        """
        settings = self.context.settings
        self._quiet_s = 0.0 if self._alive else self._quiet_s + settings.ping_s
        self._alive = False
        if self._quiet_s >= settings.timeout_s:
            self.abort()
            return
        if self._quiet_s:
            try:
                self.ping()
            except WebSocketClosedError:
                return  # the close frame was sent; Tornado waits for the client's
        self._timer = asyncio.get_running_loop().call_later(settings.ping_s, self._look)
