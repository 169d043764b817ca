"""/buffers: the snapshot socket of VibeTunnel's own client (docs/terminal.md)."""

from __future__ import annotations

import asyncio
import socket
import time

import msgspec
from tornado.iostream import IOStream
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from vibetunnel.errors import UnknownSession, VibeTunnelError
from vibetunnel.handlers.access import Refused
from vibetunnel.handlers.base import BaseHandler, or_refused
from vibetunnel.handlers.context import Context
from vibetunnel.handlers.route import Route
from vibetunnel.http.tls_relay import pair
from vibetunnel.http.upgrade import NotAnUpgrade, handshake
from vibetunnel.security.principal import Scope
from vibetunnel.sessions.attachments import Attachment
from vibetunnel.sessions.snapshots import NOTHING, enveloped

MAX_MESSAGE = 64 * 1024  # bytes of one message of a client, as on /ws; a real one has a hundred
UNSENT = 16 * 1024  # bytes that the kernel keeps beyond what the network takes: what waits there cannot be replaced


class Said(msgspec.Struct):
    """A message of a client. Any JSON object is one: what makes no sense is ignored, as the Node server does."""

    type: object = None
    session_id: object = msgspec.field(name="sessionId", default=None)


class Connected(msgspec.Struct, tag="connected"):
    version: str = "1.0"


class Subscribed(msgspec.Struct, tag="subscribed", rename="camel"):
    session_id: str


class Pong(msgspec.Struct, tag="pong"):
    timestamp: int  # ms


class Failed(msgspec.Struct, tag="error"):
    message: str


_said = msgspec.json.Decoder(Said).decode
_encode = msgspec.json.Encoder().encode


class BuffersHandler(BaseHandler, WebSocketHandler):
    """GET /buffers: one socket, subscribed to any number of sessions.

    What it costs is bounded whatever the client does: the next message is read when the answers to the last one are
    written, and while anything is still to be written, only the newest snapshot of each session waits.
    """

    def initialize(self, context: Context, route: Route) -> None:
        super().initialize(context, route)
        self._waiting: dict[str, bytes] = {}  # session -> its newest snapshot that could not be written yet
        self._under_way = 0  # messages being written
        self._stream: IOStream | None = None
        self._pair: tuple[socket.socket, socket.socket]
        self._timer: asyncio.TimerHandle | None = None
        self._alive = True  # whether the client has said or taken anything since the last look
        self._quiet_s = 0.0  # for how long it has not

    async def get(self) -> None:
        try:
            handshake(self.request.version, self.request.headers)
        except NotAnUpgrade as refusal:
            raise Refused(refusal.status, str(refusal), refusal.headers) from None
        self.check_room(self.require_login())
        self._pair = or_refused(lambda: pair(UNSENT))
        await super().get()

    def check_origin(self, origin: str) -> bool:
        return True  # prepare() has: the same doors for every route

    @property
    def max_message_size(self) -> int:
        return MAX_MESSAGE

    def detach(self) -> IOStream:
        """For Tornado's WebSocket, which wants a stream of its own."""
        ours, theirs = self._pair
        self.context.relays.join(*self.exchange.take_streams(), ours)
        self._stream = IOStream(theirs)
        return self._stream

    def open(self) -> None:
        assert self.principal is not None
        self.context.attachments.add(Attachment(closes=self, principal=self.principal, address=self.client.address))
        self.context.snapshots.enter(self)
        self._look()
        self._write(Connected())

    async def on_message(self, message: str | bytes) -> None:
        self._heard()
        try:
            await self._take(message)
        except WebSocketClosedError:
            pass  # on_close does the rest

    def on_pong(self, data: bytes) -> None:
        self._heard()

    def on_close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()
        self.context.attachments.discard(self)
        self.context.snapshots.leave(self)

    def abort(self) -> None:
        """Hang up without a word."""
        if self._stream is not None:
            self._stream.close()

    # What it is told

    async def _take(self, message: str | bytes) -> None:
        try:
            said = _said(message)
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
                await self._write(Pong(time.time_ns() // 1_000_000))

    async def _subscribe(self, session_id: str) -> None:
        try:
            self.require_login()  # now: a link may have ended since the socket was opened
            self.require(Scope.VIEW, session_id)
            snapshot = await self.context.snapshots.subscribe(self.context.registry.get(session_id), self)
        except UnknownSession:  # the Node server shows an empty screen, and its client may ask before it knows better
            snapshot = enveloped(session_id, NOTHING)
        except (Refused, VibeTunnelError):
            await self._write(Failed("Failed to subscribe to session"))
            return
        self._waiting.pop(session_id, None)  # older than this one
        written = self._write(snapshot)
        await self._write(Subscribed(session_id))
        await written

    # What it says

    def show(self, session_id: str, message: bytes) -> None:
        """Write a snapshot, or have it wait in place of an older one of this session."""
        self._waiting[session_id] = message
        self._write_waiting()

    def _write_waiting(self) -> None:
        if not self._waiting or self._under_way:
            return
        session_id = next(iter(self._waiting))  # who has waited longest: nobody's flood keeps another out
        try:
            self._write(self._waiting.pop(session_id))
        except WebSocketClosedError:
            self._waiting.clear()

    def _write(self, message: bytes | msgspec.Struct) -> asyncio.Future[None]:
        """Bytes are a snapshot, all else is JSON. The future is done when the kernel has it; need not be awaited.

        Raises WebSocketClosedError, and so may the future.
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

    # Signs of life. Tornado's own keep-alive would drop a slow client whose pong waits behind a snapshot.

    def _heard(self) -> None:
        self._alive = True

    def _look(self) -> None:
        """Ask a quiet client for a sign of life, and hang up on one that gives none.

        Looks are counted, not seconds: what came while the loop was busy is heard before the next one.
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
                return  # goodbye was said already; Tornado waits for the answer
        self._timer = asyncio.get_running_loop().call_later(settings.ping_s, self._look)
