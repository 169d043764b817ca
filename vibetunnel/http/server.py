"""The HTTP server: its connections, their deadlines, and a bound on the bodies that they are sending.

A connection that becomes a WebSocket leaves at the upgrade; the server then no longer knows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import socket
import ssl
import struct
import termios
from collections.abc import Awaitable, Callable
from typing import Any

from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)

from vibetunnel.http.connection import Connection
from vibetunnel.http.deadlines import MIN_TAKEN, TAKEN_S, ConnectionDeadlines, StallDetector
from vibetunnel.http.exchange import Exchange
from vibetunnel.security.addresses import UNIX, ClientAddress, Networks, canonical, network

MAX_BODY = 1024 * 1024  # bytes of a request's body
FIRST_S = 10.0  # from the connection to the end of the first request's header, a TLS handshake included
IDLE_S = 20.0  # from the end of one request to the end of the next one's header
# The same for a proxy. It closes idle connections itself (nginx after 60 s, Caddy after 120 s), so it does not send a
# request into a connection that is about to be closed here. It could not repeat such a request.
PROXY_IDLE_S = 150.0
BODY_S = 60.0  # for a request's body
MAX_PARTIAL = 64 * 1024 * 1024  # bytes of unfinished bodies; above it the connection with the oldest one is closed
SWEEP_S = 1.0
FAREWELL_S = 1.0  # for answers to leave when the server stops
GOODBYE_S = 1.0  # for the client's close_notify of TLS; uvloop would wait for 30 s, outside all bounds

log = logging.getLogger(__name__)


class ConnectionContext:
    """The other end of a connection, in the form that Tornado expects as `context`.

    vibetunnel_client  set by security/addresses.py
    """

    def __init__(self, family: int, address: Any, *, encrypted: bool) -> None:  # Any: each family has its own
        self.address = address
        self.address_family = family
        internet = family in (socket.AF_INET, socket.AF_INET6)
        self.name = canonical(str(address[0])) if internet else UNIX
        self.remote_ip = self.name if internet else "0.0.0.0"  # noqa: S104 (Tornado wants some address)
        self.protocol = "https" if encrypted else "http"
        self.vibetunnel_client: ClientAddress | None

    def __str__(self) -> str:
        return self.name


class ServedConnection(Connection):
    """A connection of an HttpServer. It has a deadline while it has not sent a request or not read its answer.

    partial  bytes of a body that is not complete yet
    arrived  bytes of a streamed body since the deadline was last set
    stalled  the client does not read what was written to it
    """

    def __init__(
        self, server: HttpServer, taken: socket.socket, peer: ConnectionContext, tls: ssl.SSLContext | None
    ) -> None:
        super().__init__(peer, encrypted=tls is not None, keep_alive=server.keep_alive)
        self.network = server.network(peer.address)
        self.deadline = 0.0
        self.partial = 0
        self.arrived = 0
        self.stalled = False
        self._server = server
        self._name = peer.name
        self._socket = taken
        self._tls = tls
        self._detector = StallDetector()
        self._opening: asyncio.Task[Any] | None = None

    @property
    def name(self) -> str:
        """The other end: an IP address, or UNIX."""
        return self._name

    @property
    def writing(self) -> bool:
        """Whether something was still unsent at the last look."""
        return self._detector.writing

    def open(self) -> None:
        """Begin to serve, after the handshake of TLS if there is one."""
        handshake_s, shutdown_s = (None, None) if self._tls is None else (FIRST_S, GOODBYE_S)
        opening = self._loop.connect_accepted_socket(
            lambda: self,
            self._socket,
            ssl=self._tls,
            ssl_handshake_timeout=handshake_s,
            ssl_shutdown_timeout=shutdown_s,
        )
        self._opening = asyncio.create_task(opening)  # owned: abort() cancels it
        self._opening.add_done_callback(self._opened)

    def _opened(self, opening: asyncio.Task[Any]) -> None:
        self._opening = None
        error = None if opening.cancelled() else opening.exception()
        if opening.cancelled() or error is not None:
            self._socket.close()
            self._end()  # connection_lost() is not called for a connection that never opened
        if error is not None and not isinstance(error, OSError):  # a client's failure is not our error
            log.error("a connection could not be opened", exc_info=error)

    def abort(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        super().abort()

    def end(self) -> None:
        """Close the connection when what was written has left."""
        if self._opening is not None:
            self.abort()
        else:
            self.hang_up()

    def is_stuck(self, now: float) -> bool:
        """Whether the client does not read its answers. The server calls this from time to time."""
        writing = self.unsent > 0
        # The kernel may hold megabytes, and takes more only when a third of them has gone.
        taken = self.sent - _unacknowledged(self._socket) if writing else 0
        return self._detector.is_stuck(now, writing=writing, taken=taken, taken_s=TAKEN_S)

    @property
    def streaming(self) -> bool:
        """Whether it sends a body that is used while it arrives."""
        return self._exchange is not None and self._exchange.streamed

    def hold(self, exchange: Exchange) -> None:
        super().hold(exchange)
        self.deadline = float("inf")  # the server is slow, not the client

    def release(self, exchange: Exchange) -> None:
        super().release(exchange)
        self.deadline = self._loop.time() + BODY_S

    def on_request(self, exchange: Exchange) -> HTTPMessageDelegate:
        return self._server.start_request(self, exchange)

    def on_idle(self) -> None:
        self._server.on_idle(self)

    def on_close(self) -> None:
        self._server.on_close(self)


def _unacknowledged(connection: socket.socket) -> int:
    """Bytes that the kernel has taken and the client has not; 0 if the system does not tell (macOS)."""
    try:
        found: int = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(struct.calcsize("i"))))[0]
    except OSError:
        return 0
    return found


class HttpServer(HTTPServerConnectionDelegate):
    """All HTTP connections of one application.

    trusted     proxies: each carries many clients, so the bound for one network does not apply to them
    keep_alive  a connection may carry one request after the other
    partial     bytes of bodies that are not complete yet
    """

    def __init__(
        self,
        application: HTTPServerConnectionDelegate,
        deadlines: ConnectionDeadlines,
        trusted: Networks | None = None,
        *,
        keep_alive: bool = True,
    ) -> None:
        self._application = application
        self._deadlines = deadlines
        self._trusted = Networks() if trusted is None else trusted
        self._loop = asyncio.get_running_loop()
        self._all: set[ServedConnection] = set()
        self._ended = asyncio.Event()  # a connection has ended
        self._sending: dict[ServedConnection, None] = {}  # those with a partial body, the oldest first
        self.partial = 0
        self.keep_alive = keep_alive
        self._closed = False
        self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)

    def __len__(self) -> int:
        return len(self._all)

    async def close(self) -> None:
        """End all connections; what was written may leave for FAREWELL_S. Safe twice."""
        self._closed = True
        self._sweeping.cancel()
        for each in tuple(self._all):
            each.end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                while self._all:
                    await self._ended.wait()
                    self._ended.clear()
        while self._all:
            for each in tuple(self._all):
                each.abort()
            await asyncio.sleep(0)  # transports report their end in the next turn of the loop

    def end(self, which: Callable[[str], bool]) -> None:
        """End the connections whose other end (an IP address, or UNIX) satisfies `which`."""
        for each in [each for each in self._all if which(each.name)]:
            each.abort()

    def network(self, address: Any) -> str:  # Any: each family has its own
        """The network that ConnectionDeadlines counts a connection from `address` in."""
        name = canonical(str(address[0])) if isinstance(address, tuple) else UNIX
        return "" if name == UNIX or name in self._trusted else network(name)

    def serve(self, taken: socket.socket, address: Any, tls: ssl.SSLContext | None = None, *, since: float = 0) -> None:
        """Serve a connection, which belongs to this object from here.

        since  when it was made, by the loop's clock; 0: just now
        """
        if taken.family in (socket.AF_INET, socket.AF_INET6):
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = ConnectionContext(taken.family, address, encrypted=tls is not None)
        connection = ServedConnection(self, taken, peer, tls)
        self._all.add(connection)
        self._deadlines.add(connection, (since or self._loop.time()) + FIRST_S)
        connection.open()

    # What its connections call

    def start_request(self, server_conn: object, request_conn: object) -> HTTPMessageDelegate:
        assert isinstance(server_conn, ServedConnection)
        assert isinstance(request_conn, Exchange)
        return _Arriving(self, server_conn, self._application.start_request(server_conn, request_conn))

    def on_idle(self, connection: ServedConnection) -> None:
        """The connection may send another request."""
        connection.stalled = False
        self._deadlines.add(connection, self._loop.time() + (IDLE_S if connection.network else PROXY_IDLE_S))

    def on_close(self, server_conn: object) -> None:
        assert isinstance(server_conn, ServedConnection)
        self._all.discard(server_conn)
        self._ended.set()
        self.on_complete(server_conn)

    # What arriving requests call

    def on_header(self, connection: ServedConnection, *, body: bool) -> None:
        """The header is complete; with `body`, a body follows."""
        if body and connection in self._deadlines:
            connection.deadline = self._loop.time() + BODY_S

    def on_body(self, connection: ServedConnection, size: int) -> None:
        """`size` more bytes of a body were received. The application drops those above MAX_BODY.

        A streamed body does not stay in memory. It may take any time, if MIN_TAKEN of it arrive within BODY_S.
        """
        if connection.streaming:
            connection.arrived += size
            if connection.arrived >= MIN_TAKEN:
                connection.arrived = 0
                connection.deadline = self._loop.time() + BODY_S
            return
        size = min(size, MAX_BODY + 1 - connection.partial)
        self._sending.setdefault(connection)
        connection.partial += size
        self.partial += size
        while self.partial > MAX_PARTIAL:
            oldest = next(iter(self._sending))
            self.on_complete(oldest)
            oldest.abort()

    def on_complete(self, connection: ServedConnection) -> None:
        """The request is complete, or never will be. Safe twice."""
        self._deadlines.discard(connection)
        if connection.partial:
            self.partial -= connection.partial
            connection.partial = 0
            self._sending.pop(connection, None)

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in tuple(self._all):
            if connection.is_stuck(now):
                connection.abort()
                continue
            if connection.writing and connection.idle:  # the client is still reading the last answer
                connection.deadline = max(connection.deadline, now + IDLE_S)
            if connection.writing != connection.stalled:
                # A client that does not read counts among those with a deadline, and may have to make room.
                if connection.writing and connection not in self._deadlines:
                    connection.stalled = True
                    self._deadlines.add(connection, float("inf"))
                elif connection.stalled:
                    connection.stalled = False
                    self._deadlines.discard(connection)
        self._deadlines.sweep(now)
        if not self._closed:
            self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)


class _Arriving(HTTPMessageDelegate):
    """Passes a request on to the application, and tells the server how much of it has arrived."""

    def __init__(self, server: HttpServer, connection: ServedConnection, inner: HTTPMessageDelegate) -> None:
        self._server = server
        self._connection = connection
        self._inner = inner

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._server.on_header(self._connection, body="Content-Length" in headers or "Transfer-Encoding" in headers)
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._server.on_body(self._connection, len(chunk))
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        self._server.on_complete(self._connection)
        self._inner.finish()

    def on_connection_close(self) -> None:
        self._server.on_complete(self._connection)
        self._inner.on_connection_close()
