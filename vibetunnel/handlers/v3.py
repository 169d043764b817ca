"""The socket of newer VibeTunnel clients (WebSocket v3): output, snapshots and events of any number of sessions."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
from tornado.websocket import WebSocketClosedError

from vibetunnel.errors import InvalidField, LimitReached, VibeTunnelError
from vibetunnel.handlers import v3_frames
from vibetunnel.handlers.attach import AttachHandler, Wish
from vibetunnel.handlers.events import LISTENER_GONE, listen
from vibetunnel.handlers.input_socket import press_when_allowed, type_when_allowed
from vibetunnel.handlers.node_events import as_node
from vibetunnel.handlers.refusals import Refused
from vibetunnel.handlers.stream import events_of, header_fields
from vibetunnel.handlers.v3_frames import EVERY_SESSION, Flag, Subscription, V3Type
from vibetunnel.handlers.websocket import RelayedSocket
from vibetunnel.http.tls_relay import pair
from vibetunnel.logs.audit import Action
from vibetunnel.protocol import CLOSE_AWAY
from vibetunnel.security.principal import Scope
from vibetunnel.sessions.events import git_event
from vibetunnel.sessions.model import iso
from vibetunnel.sessions.session import Session
from vibetunnel.sessions.snapshots import enveloped

UNSENT = 16 * 1024  # bytes that the kernel may buffer: what waits there cannot be skipped
LONGEST = 1024 * 1024 + 1024  # bytes of a message: a paste of 1 MiB, as on /ws/input, and the session's id
MOST = 500  # subscriptions of one socket
KILLS = 16  # sessions that one socket may be ending at the same time
RECEIVED = 65536  # bytes read from the pump at once
ENDING = ("", "SIGTERM", "SIGKILL", "SIGHUP")  # signals that end a session, as DELETE does
LEAST_COLS, LEAST_ROWS, LARGEST = 20, 10, 1000  # a RESIZE outside is taken as the nearest size

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


@dataclass(eq=False)
class _Followed:
    """A subscription. snapshot: the newest that was not sent; fresh: there is one."""

    session_id: str
    wanted: Subscription
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    snapshot: bytes = b""
    fresh: asyncio.Event = field(default_factory=asyncio.Event)


class V3Socket(RelayedSocket):
    """Any number of subscriptions on one socket. Each one is bounded, whatever the client does.

    Output comes from the pump, which skips a subscription ahead when its client does not read. Of each session's
    snapshots only the newest waits. A subscription has one message under way. The answer to a message is written before
    the next one is read, and all that is under way before a subscription begins: a client that subscribes again and
    again, and does not read, is not read either.
    """

    opener: AttachHandler
    buffer = UNSENT

    def initialize(self, opener: AttachHandler) -> None:  # type: ignore[override]  # terminal_socket.py opens it
        super().initialize(opener)
        self._followed: dict[str, _Followed] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._kills: set[asyncio.Task[None]] = set()
        self._newest: asyncio.Future[None] | None = None  # done when the kernel has the newest message

    @property
    def max_message_size(self) -> int:
        return LONGEST

    def open(self) -> None:
        super().open()
        self.context.snapshots.enter(self)
        welcome = _encode({"ok": True, "version": v3_frames.VERSION})
        self.send(v3_frames.encode(V3Type.WELCOME, payload=welcome), binary=True)

    def on_close(self) -> None:
        super().on_close()
        for task in self._running:
            task.cancel()
        self._followed.clear()
        self.context.snapshots.leave(self)

    async def on_message(self, message: str | bytes) -> None:
        self.heard()
        said = None if isinstance(message, str) else v3_frames.decode(message)
        if said is None:
            return
        try:
            await self._take(said)
        except (Refused, VibeTunnelError) as error:
            await self._refuse(said.session_id, str(error))
        except WebSocketClosedError:
            pass  # on_close() follows

    # What the client sends

    async def _take(self, said: v3_frames.V3Message) -> None:
        session_id = said.session_id
        match said.kind:
            case V3Type.PING:
                await self._say(V3Type.PONG, session_id, said.payload)
            case V3Type.SUBSCRIBE:
                await self._all_written()
                self._subscribe(session_id, said.payload)
            case V3Type.UNSUBSCRIBE:
                self._unsubscribe(session_id)
            case V3Type.INPUT_TEXT:
                await type_when_allowed(self.opener, session_id, said.payload)
            case V3Type.INPUT_KEY:
                await press_when_allowed(self.opener, session_id, said.payload.decode("utf-8", "replace"))
            case V3Type.RESIZE if (size := v3_frames.size(said.payload)) is not None:
                await self._resize(session_id, *size)
            case V3Type.RESET_SIZE:
                self.opener.typist(session_id)
                self.opener.session(session_id).reset_size()
            case V3Type.KILL:
                await self._begin_kill(session_id, said.payload.decode("utf-8", "replace"))

    def _subscribe(self, session_id: str, payload: bytes) -> None:
        wanted = v3_frames.subscription(payload)
        if wanted is None:
            raise Refused(HTTPStatus.BAD_REQUEST, "Invalid SUBSCRIBE payload")  # the words of the original
        self._unsubscribe(session_id)
        self.opener.require_login()  # again: it may have ended since the socket was opened
        if len(self._followed) >= MOST:
            raise LimitReached("subscriptions of a socket", MOST)
        parts: list[Coroutine[Any, Any, None]] = []
        followed = _Followed(session_id, wanted)
        if session_id == EVERY_SESSION:
            parts += [self._follow_server()] if wanted.flags & Flag.EVENTS else []
        else:
            self.opener.require(Scope.VIEW, session_id)
            session = self.opener.session(session_id)
            if wanted.flags & Flag.STDOUT:
                parts.append(self._follow_output(followed, session))
            elif wanted.flags & Flag.EVENTS:
                parts.append(self._follow_state(followed, session))
            if wanted.flags & Flag.SNAPSHOTS:
                parts.append(self._follow_screen(followed, session))
        self._followed[session_id] = followed
        for part in parts:
            followed.tasks.add(self._start(self._guarded(session_id, part)))

    def _unsubscribe(self, session_id: str) -> None:
        followed = self._followed.pop(session_id, None)
        if followed is not None:
            for task in followed.tasks:
                task.cancel()
            self.context.snapshots.unsubscribe(session_id, self)

    async def _resize(self, session_id: str, cols: int, rows: int) -> None:
        session = self.opener.session(session_id)
        rows, cols = min(max(rows, LEAST_ROWS), LARGEST), min(max(cols, LEAST_COLS), LARGEST)
        await self.opener.typist_of_running(session, rows, cols)
        session.resize(rows, cols)

    async def _begin_kill(self, session_id: str, name: str) -> None:
        """Let it take its time: input for other sessions does not wait for it, unless there are KILLS of them."""
        if len(self._kills) >= KILLS:
            await asyncio.wait(self._kills, return_when=asyncio.FIRST_COMPLETED)
        task = self._start(self._guarded(session_id, self._kill(session_id, name)))
        self._kills.add(task)
        task.add_done_callback(self._kills.discard)

    async def _kill(self, session_id: str, name: str) -> None:
        self.opener.require_login()
        session = self.opener.session(session_id)
        if name in ENDING:
            self.opener.require(Scope.CONTROL, session_id)
            async with self.opener.recorded(Action.KILL, session_id):
                await self.context.registry.kill(session_id)
            return
        try:
            number = signal.Signals[name]
        except KeyError:
            raise InvalidField("KILL", "the name of a signal, as SIGTERM", repr(name[:40])) from None
        await self.opener.typist_of_running(session)
        async with self.opener.recorded(Action.SIGNAL, session_id, sent=number.name):
            await session.signal(number)

    # What the client gets

    def show(self, session_id: str, message: bytes) -> None:
        """Have a snapshot sent, in place of an older one of the same session."""
        followed = self._followed.get(session_id)
        if followed is not None:
            followed.snapshot = message
            followed.fresh.set()

    async def _follow_screen(self, followed: _Followed, session: Session) -> None:
        envelope = len(enveloped(session.id, b""))
        first = await self.context.snapshots.subscribe(session, self)
        self.show(session.id, followed.snapshot or first)
        while True:
            await followed.fresh.wait()
            followed.fresh.clear()
            await self._say(V3Type.SNAPSHOT_VT, session.id, followed.snapshot[envelope:])
            await asyncio.sleep(followed.wanted.interval_s)

    async def _follow_output(self, followed: _Followed, session: Session) -> None:
        """Pass on what a stream of the session has: its messages, cut and bounded by the pump."""
        ours, theirs = pair(UNSENT)
        try:
            wish = Wish(session_id=session.id, types=True, transport={"response": b"", **events_of(session)})
            await self.opener.attach(wish, lambda: (theirs.detach(), b""))
            async for event in _events(ours):
                await self._pass_on(followed, event)
        finally:
            ours.close()
            theirs.close()

    async def _pass_on(self, followed: _Followed, event: Any) -> None:  # Any: JSON
        asks_for_events = bool(followed.wanted.flags & Flag.EVENTS)
        match event:
            case [_, "o", str(text)]:
                await self._say(V3Type.STDOUT, followed.session_id, text.encode())
            case ["exit", int(code), _]:
                await self._tell(followed.session_id, {"kind": "exit", "exitCode": code})
            case [_, "r", str(dimensions)] if asks_for_events:
                await self._tell(followed.session_id, {"kind": "resize", "dimensions": dimensions})
            case {"version": _} if asks_for_events:
                await self._tell(followed.session_id, {"kind": "header", "header": event})
            case {"type": str(kind)} if asks_for_events:
                await self._tell(followed.session_id, {"kind": kind, **event})

    async def _follow_state(self, followed: _Followed, session: Session) -> None:
        """The events of a session whose output is not asked for. It is not started."""
        with session.watch(output=False) as watch:
            (rows, cols), repository = session.size, None
            header = {"version": 2, "width": cols, "height": rows, **header_fields(session)}
            await self._tell(session.id, {"kind": "header", "header": header})
            while not session.removed:
                if session.repository != repository:
                    repository = session.repository
                    event = msgspec.to_builtins(git_event(session.id, repository, iso(time.time_ns())))
                    await self._tell(session.id, {"kind": event["type"], **event})
                if session.size != (rows, cols):
                    rows, cols = session.size
                    await self._tell(session.id, {"kind": "resize", "dimensions": f"{cols}x{rows}"})
                if session.end is not None:
                    await session.settled()
                    code = -1 if session.end.code is None else session.end.code
                    await self._tell(session.id, {"kind": "exit", "exitCode": code})
                    return
                await watch.changed()

    async def _follow_server(self) -> None:
        registry = self.context.registry
        listener = listen(registry.events.broadcast, self.opener.required(self.opener.principal))
        try:
            await self._tell(EVERY_SESSION, {"type": "connected", "timestamp": iso(time.time_ns())})
            async for message in listener:
                made = as_node(message, registry.name_of)
                if made is not None:
                    await self._say(V3Type.EVENT, *made)
            self.close(CLOSE_AWAY, LISTENER_GONE)
        finally:
            listener.close()

    async def _tell(self, session_id: str, event: dict[str, Any]) -> None:  # Any: JSON
        await self._say(V3Type.EVENT, session_id, _encode(event))

    async def _say(self, kind: V3Type, session_id: str, payload: bytes = b"") -> None:
        self._newest = self.send(v3_frames.encode(kind, session_id, payload), binary=True)
        await asyncio.shield(self._newest)  # a subscription that ends takes nothing back: it stays under way

    async def _all_written(self) -> None:
        if self._newest is not None:
            await asyncio.wait([self._newest])

    async def _refuse(self, session_id: str, message: str) -> None:
        await self._guarded(session_id, self._say(V3Type.ERROR, session_id, _encode({"message": message})))

    def _start(self, part: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(part)  # owned: on_close() cancels it
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _guarded(self, session_id: str, part: Coroutine[Any, Any, None]) -> None:
        try:
            await part
        except (Refused, VibeTunnelError) as error:
            await self._refuse(session_id, str(error))
        except (WebSocketClosedError, OSError):
            pass  # the client has disconnected
        except Exception:
            log.exception("a subscription of a v3 socket failed")


async def _events(stream: socket.socket) -> AsyncIterator[Any]:  # Any: JSON
    """The data of each server-sent event, until the pump closes its end."""
    loop, rest = asyncio.get_running_loop(), b""
    while data := await loop.sock_recv(stream, RECEIVED):
        *blocks, rest = (rest + data).split(b"\n\n")
        for block in blocks:
            for line in block.split(b"\n"):
                if line.startswith(b"data: "):
                    yield _decode(line[6:])
