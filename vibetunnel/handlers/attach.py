"""/ws: everything that needs judgement, and then the connection is the pump's."""

from __future__ import annotations

import asyncio
import os
import socket
import uuid
from http import HTTPStatus

from tornado.iostream import IOStream, SSLIOStream, StreamClosedError

from vibetunnel.errors import InvalidField
from vibetunnel.handlers import shapes
from vibetunnel.handlers.base import BaseHandler, Refused
from vibetunnel.handlers.upgrade import NotAnUpgrade, handshake


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
        may_type = query.permission == "type"
        rows, cols = query.rows or 0, query.cols or 0
        session = self.context.registry.get(query.session_id)
        await session.attachable(may_type=may_type, rows=rows, cols=cols)
        # A start takes a while: the session may have been removed meanwhile, or the user logged out.
        session = self.context.registry.get(query.session_id)
        login = self.require_login()
        stream = self.detach()
        if stream.closed():
            return  # the client did not wait
        descriptor, received = self._take_socket(stream)
        client = session.attach(
            descriptor,
            agreed.response(),
            received=received,
            v1=agreed.v1,
            writable=may_type,
            since=query.since,
            rows=rows,
            cols=cols,
            client_id=client_id,
        )
        self.context.lasting.add(client, login.id)
        self.set_status(HTTPStatus.SWITCHING_PROTOCOLS)
        self.application.log_request(self)

    def head(self, *arguments: str) -> None:
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, "method: expected GET, got HEAD", {"Allow": "GET"})

    def _take_socket(self, stream: IOStream) -> tuple[int, bytes]:
        """(a descriptor of a plain socket, what has been read from it already); both are the caller's."""
        if isinstance(stream, SSLIOStream):
            # What the stream has read already comes through the relay, like the rest.
            return self.context.relays.join(stream).detach(), b""
        received = _received(stream)
        with socket.socket(fileno=os.dup(stream.socket.fileno())) as plain:
            stream.close()
            plain.setblocking(False)
            if plain.family in (socket.AF_INET, socket.AF_INET6):
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return plain.detach(), received


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
