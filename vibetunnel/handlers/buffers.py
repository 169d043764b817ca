"""/buffers: the snapshot socket of VibeTunnel's own client (docs/terminal.md)."""

from __future__ import annotations

import asyncio
import time

import msgspec
from tornado.websocket import WebSocketClosedError

from vibetunnel.errors import UnknownSession, VibeTunnelError
from vibetunnel.handlers import account_schemas
from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.refusals import Refused
from vibetunnel.handlers.websocket import RelayedSocket, upgrade
from vibetunnel.security.principal import Scope
from vibetunnel.sessions.snapshots import NOTHING, enveloped

UNSENT = 16 * 1024  # bytes that the kernel may buffer; a snapshot that waits there cannot be replaced by a newer one


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


class BuffersHandler(Handler):
    """GET /buffers: the upgrade to a snapshot socket."""

    def get(self) -> None:
        self.query(account_schemas.TicketQuery)
        upgrade(self, SnapshotSocket)


class SnapshotSocket(RelayedSocket):
    """A socket that is subscribed to any number of sessions.

    Its cost is bounded, whatever the client does. The next message is read after the answers to the last one were
    written. Only the newest snapshot of each session waits to be written.
    """

    buffer = UNSENT

    def initialize(self, opener: Handler) -> None:
        super().initialize(opener)
        self._waiting: dict[str, bytes] = {}  # session -> its newest snapshot that could not be written yet
        self._under_way = 0  # messages that are being written

    def open(self) -> None:
        super().open()
        self.context.snapshots.enter(self)
        self._write(Connected())

    async def on_message(self, message: str | bytes) -> None:
        self.heard()
        try:
            await self._take(message)
        except WebSocketClosedError:
            pass  # on_close() follows

    def on_close(self) -> None:
        super().on_close()
        self._waiting.clear()
        self.context.snapshots.leave(self)

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
        """Write a snapshot (bytes) or a message as JSON."""
        written = self.send(message, binary=isinstance(message, bytes))
        self._under_way += 1
        written.add_done_callback(self._next)
        return written

    def _next(self, written: asyncio.Future[None]) -> None:
        self._under_way -= 1
        if not written.cancelled() and written.exception() is None:
            self._write_waiting()
