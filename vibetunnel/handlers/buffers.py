"""/buffers: the snapshot socket of VibeTunnel's own client (docs/terminal.md)."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from types import TracebackType
from typing import Any

import msgspec
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from vibetunnel.errors import UnknownSession, VibeTunnelError
from vibetunnel.handlers import schemas
from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.refusals import EXPECTED, Refused, or_refused, refusal_of
from vibetunnel.http.tls_relay import pair
from vibetunnel.http.upgrade import handshake
from vibetunnel.security.principal import Scope
from vibetunnel.sessions.attachments import Attachment
from vibetunnel.sessions.snapshots import NOTHING, enveloped

MAX_MESSAGE = 64 * 1024  # bytes of one message of a client, as on /ws; real ones have a hundred
UNSENT = 16 * 1024  # bytes that the kernel may buffer; a snapshot that waits there cannot be replaced by a newer one

log = logging.getLogger(__name__)


class ClientMessage(msgspec.Struct):
    """A message of a client. Any JSON object is one; unknown types are ignored, as in the Node server."""

    type: object = None
    session_id: object = msgspec.field(name="sessionId", default=None)


class Connected(msgspec.Struct, tag="connected"):
    version: str = "1.0"


class Subscribed(msgspec.Struct, tag="subscribed", rename="camel"):
    session_id: str


class PongMessage(msgspec.Struct, tag="pong"):
    timestamp: int  # ms


class Failed(msgspec.Struct, tag="error"):
    message: str


_decode = msgspec.json.Decoder(ClientMessage).decode
_encode = msgspec.json.Encoder().encode


class BuffersHandler(Handler):
    """GET /buffers: the upgrade to a snapshot socket."""

    def get(self) -> None:
        handshake(self.request.version, self.request.headers)
        self.query(schemas.TicketQuery)
        # Tornado would parse a form, and answer a malformed one with an error. A socket has no use for a body.
        self.request.headers.pop("Content-Type", None)
        self.detach()
        self.site.websockets.get_handler_delegate(self.request, SnapshotSocket, {"opener": self}).finish()


def log_upgrade(socket: RequestHandler) -> None:
    """Write the request's line of the log when Tornado has answered it."""
    assert isinstance(socket, SnapshotSocket)
    socket.opener.set_status(socket.get_status())
    socket.opener.log_request()


class SnapshotSocket(WebSocketHandler):
    """A socket that is subscribed to any number of sessions. Tornado reads and writes its frames.

    Its cost is bounded, whatever the client does. The next message is read after the answers to the last one were
    written. Only the newest snapshot of each session waits to be written.
    """

    def initialize(self, opener: BuffersHandler) -> None:
        """opener: the handler that checked the request."""
        self.opener = opener
        self.context = opener.context
        self._waiting: dict[str, bytes] = {}  # session -> its newest snapshot that could not be written yet
        self._under_way = 0  # messages that are being written
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
        self._pair = or_refused(lambda: pair(UNSENT))
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
        self.context.snapshots.enter(self)
        self._look()
        self._write(Connected())

    async def on_message(self, message: str | bytes) -> None:
        self._heard()
        try:
            await self._take(message)
        except WebSocketClosedError:
            pass  # on_close() follows

    def on_pong(self, data: bytes) -> None:
        self._heard()

    def on_close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()
        self.context.attachments.discard(self)
        self.context.snapshots.leave(self)

    def abort(self) -> None:
        """Close the connection at once."""
        if self._stream is not None:
            self._stream.close()

    # What the client sends

    async def _take(self, message: str | bytes) -> None:
        try:
            said = _decode(message)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            await self._write(Failed("Invalid message format"))
            return
        session_id = said.session_id if isinstance(said.session_id, str) else ""
        match said.type:
            case "subscribe" if session_id:
                await self._subscribe(session_id)
            case "unsubscribe":
                self._waiting.pop(session_id, None)
                self.context.snapshots.unsubscribe(session_id, self)
            case "ping":
                await self._write(PongMessage(time.time_ns() // 1_000_000))

    async def _subscribe(self, session_id: str) -> None:
        try:
            self.opener.require_login()  # again, because it may have ended since the socket was opened
            self.opener.require(Scope.VIEW, session_id)
            snapshot = await self.context.snapshots.subscribe(self.context.registry.get(session_id), self)
        except UnknownSession:  # the Node server shows an empty screen: its client may subscribe before the list is new
            snapshot = enveloped(session_id, NOTHING)
        except (Refused, VibeTunnelError):
            await self._write(Failed("Failed to subscribe to session"))
            return
        self._waiting.pop(session_id, None)  # it is older than this one
        written = self._write(snapshot)
        await self._write(Subscribed(session_id))
        await written

    # What the client gets

    def show(self, session_id: str, message: bytes) -> None:
        """Write a snapshot, or let it wait in place of an older one of the same session."""
        self._waiting[session_id] = message
        self._write_waiting()

    def _write_waiting(self) -> None:
        if not self._waiting or self._under_way:
            return
        session_id = next(iter(self._waiting))  # the session that has waited longest, so that each gets its turn
        try:
            self._write(self._waiting.pop(session_id))
        except WebSocketClosedError:
            self._waiting.clear()

    def _write(self, message: bytes | msgspec.Struct) -> asyncio.Future[None]:
        """Write a snapshot (bytes) or a message as JSON. The future is done when the kernel has it.

        Raises WebSocketClosedError; so may the future, which need not be awaited.
        """
        binary = isinstance(message, bytes)
        written = self.write_message(message if isinstance(message, bytes) else _encode(message), binary=binary)
        self._under_way += 1
        written.add_done_callback(self._written)
        return written

    def _written(self, written: asyncio.Future[None]) -> None:
        self._under_way -= 1
        if not written.cancelled() and written.exception() is None:
            self._heard()
            self._write_waiting()

    # Pings. Tornado's own would drop a slow client, whose pong comes only after it has read a snapshot.

    def _heard(self) -> None:
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
