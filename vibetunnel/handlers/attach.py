"""/ws: everything that needs judgement, and then the connection is the pump's."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from tornado.http1connection import HTTP1Connection
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError

from vibetunnel.errors import InvalidField
from vibetunnel.handlers import shapes
from vibetunnel.handlers.base import BaseHandler, Refused
from vibetunnel.handlers.lasting import Connection, new_id
from vibetunnel.handlers.relay import pair
from vibetunnel.handlers.upgrade import OFFSET_HEADER, REDRAW_HEADER, NotAnUpgrade, handshake, place
from vibetunnel.security.principal import Scope

T = TypeVar("T")


class SocketHandler(BaseHandler):
    """GET /ws (docs/protocol.md). Not tornado.websocket: frames are the pump's business."""

    async def get(self) -> None:
        try:
            agreed = handshake(self.request.version, self.request.headers)
        except NotAnUpgrade as refusal:
            raise Refused(refusal.status, str(refusal), refusal.headers) from None
        query = self.query(shapes.AttachQuery)
        if (query.rows is None) != (query.cols is None):
            raise InvalidField("rows, cols", "both or neither")
        client_id = _stream_name(query.client)
        principal = self.require(Scope.VIEW, query.session_id)
        self.check_room(principal)
        asked = query.permission == "type"
        may_type = asked and principal.may(Scope.TYPE, query.session_id)
        rows, cols = query.rows or 0, query.cols or 0
        session = self.context.registry.get(query.session_id)
        begins = session.terminal is None  # who starts a session sees it from its first byte on, however fast that came
        await session.attachable(may_type=may_type, rows=rows, cols=cols)
        # A start takes a while: the session may have been removed meanwhile, or the user logged out.
        session = self.context.registry.get(query.session_id)
        self.require_login()
        principal = self.require(Scope.VIEW, session.id)
        self.check_room(principal)  # others may have come at the same time
        held = self.context.lasting.held(principal, session.id)
        may_type = asked and (principal.may(Scope.TYPE, session.id) if held is None else held)
        connection_id = new_id()
        response = agreed.response()
        taken = self._take_socket()
        if taken is None:
            return  # the client did not wait
        descriptor, received = taken
        client = session.attach(
            descriptor,
            response,
            received=received,
            v1=agreed.v1,
            writable=may_type,
            since=0 if begins and query.since is None else query.since,
            rows=rows,
            cols=cols,
            client_id=client_id,
            offset_at=place(response, OFFSET_HEADER),
            redraw_at=place(response, REDRAW_HEADER),
            latest=agreed.v1 if query.lag is None else query.lag == "latest",
            scrollback=query.scrollback,
            name=connection_id.encode("ascii"),
            input_rate=0 if principal.local else self.context.settings.input_rate,
        )
        self.context.lasting.add(
            Connection(
                id=connection_id,
                closes=client,
                principal=principal,
                address=self.client.address,
                session_id=session.id,
                asked=asked,
                name=self.context.authority.name_in(principal, session.id),
                held=held if asked else None,
                writable=may_type,
            )
        )
        self.context.audit.record(
            "attach", principal, self.client.address, "ok", session=session.id, client=connection_id, writable=may_type
        )
        self.set_status(HTTPStatus.SWITCHING_PROTOCOLS)
        self.application.log_request(self)

    def _take_socket(self) -> tuple[int, bytes] | None:
        """(a descriptor of a plain socket, what has been read from it already), both the caller's; None: it is closed.

        Raises Refused (503), and the connection is still HTTP's then.
        """
        connection = self.request.connection
        assert isinstance(connection, HTTP1Connection)
        stream = connection.stream
        if stream.closed():
            self.detach()
            return None
        if isinstance(stream, SSLIOStream):
            ours, theirs = _or_refused(pair)
            self.detach()
            # What the stream has read already comes through the relay, like the rest.
            self.context.relays.join(stream, ours)
            return theirs.detach(), b""
        plain = _or_refused(stream.socket.dup)
        self.detach()
        with plain, contextlib.closing(stream):
            plain.setblocking(False)
            if plain.family in (socket.AF_INET, socket.AF_INET6):
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            received = _received(stream)
            return plain.detach(), received


def _or_refused(make: Callable[[], T]) -> T:
    """What needs a descriptor is made before detach(): behind it there is no way to say that there is none left."""
    try:
        return make()
    except OSError as error:
        message = f"no room for another connection: {error.strerror}; try again later"
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, message) from error


def _received(stream: IOStream) -> bytes:
    """What the client has sent behind its request, as far as it is here; the stream is of no use afterwards."""
    reading = asyncio.ensure_future(stream.read_bytes(stream.max_buffer_size, partial=True))
    if not reading.done():
        # Closing the stream fails it; nobody needs to know.
        reading.add_done_callback(lambda future: future.cancelled() or future.exception())
        return b""
    try:
        return reading.result()
    except StreamClosedError:
        return b""


def _stream_name(client: str | None) -> bytes:
    if client is None:
        return b""
    try:
        return uuid.UUID(client).bytes
    except ValueError:
        raise InvalidField("client", "a UUID", repr(client)[:40]) from None
