"""Connections that speak HTTP: how long they may take for what they owe us, and what they may hold up.

A connection that becomes a WebSocket has left at detach(): nothing here knows it any more.
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

from vibetunnel.http import connection as http1
from vibetunnel.http.connection import Exchange
from vibetunnel.http.deadlines import TAKEN_S, ConnectionDeadlines, StallDetector
from vibetunnel.security.addresses import UNIX, ClientAddress, Networks, canonical, network

MAX_BODY = 1024 * 1024  # bytes
FIRST_S = 10.0  # from the connection to the end of the first request's header, a TLS handshake included
IDLE_S = 20.0  # for the header of each next request, from the end of the one before
PROXY_IDLE_S = 150.0  # the same of a proxy: it ends what is idle itself (nginx after 60 s, Caddy after 120 s), and so
# never sends a request into a connection that we are about to close, which it could not send again
BODY_S = 60.0  # for a request's body
HELD = 64 * 1024 * 1024  # bytes of bodies that are arriving; the oldest of them make room
SWEEP_S = 1.0
FAREWELL_S = 1.0  # for answers to leave when the server stops
GOODBYE_S = 1.0  # for the other end's close_notify of TLS; uvloop would wait for 30 s, uncounted

log = logging.getLogger(__name__)


class Peer:
    """The other end of a connection, as Tornado wants to know it, and as it is.

    vibetunnel_client  kept by security/addresses.py
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


class Connection(http1.Connection):
    """One client's, with one request after the other. An entry of HalfOpen whenever it owes us something.

    held     bytes of a body that are here, without the rest of it
    stalled  it is not taking what was written to it
    """

    def __init__(
        self, owner: Connections, taken: socket.socket, peer: Peer, tls: ssl.SSLContext | None, network: str
    ) -> None:
        super().__init__(peer, encrypted=tls is not None, keep_alive=owner.keep_alive)
        self.network = network
        self.deadline = 0.0
        self.held = 0
        self.stalled = False
        self._owner = owner
        self._name = peer.name
        self._socket = taken
        self._tls = tls
        self._looked = StallDetector()
        self._opening: asyncio.Task[Any] | None = None

    @property
    def name(self) -> str:
        """The other end: an IP address, UNIX."""
        return self._name

    @property
    def behind(self) -> bool:
        """Whether there was something to take at the last look."""
        return self._looked.behind

    def open(self) -> None:
        """Begin to serve, after a handshake where there is TLS."""
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
            self._end()  # it has never begun
        if error is not None and not isinstance(error, OSError):  # what clients do is no incident
            log.error("a connection could not be opened", exc_info=error)

    def abort(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        super().abort()

    def end(self) -> None:
        """End it as soon as what was written has left."""
        if self._opening is not None:
            self.abort()
        else:
            self.hang_up()

    def is_stuck(self, now: float) -> bool:
        """Whether what was written is not being taken. To be asked from time to time."""
        writing = self.unsent > 0
        # The kernel may hold megabytes, and take more only when a third of them has gone.
        taken = self.sent - _unsent(self._socket) if writing else 0
        return self._looked.is_stuck(now, writing=writing, taken=taken, taken_s=TAKEN_S)

    def begins(self, exchange: Exchange) -> HTTPMessageDelegate:
        return self._owner.start_request(self, exchange)

    def idles(self) -> None:
        self._owner.idles(self)

    def ends(self) -> None:
        self._owner.on_close(self)


def _unsent(connection: socket.socket) -> int:
    """Bytes that the kernel has taken and the other end has not; 0 where the system does not tell (macOS)."""
    try:
        found: int = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(struct.calcsize("i"))))[0]
    except OSError:
        return 0
    return found


class Connections(HTTPServerConnectionDelegate):
    """Every HTTP connection of one server, for one application.

    trusted     proxies: each brings many clients, so that the bound for one network is not for them
    keep_alive  a connection may have one request after the other
    held        bytes of bodies of which the rest is still to come
    """

    def __init__(
        self,
        application: HTTPServerConnectionDelegate,
        half_open: ConnectionDeadlines,
        trusted: Networks | None = None,
        *,
        keep_alive: bool = True,
    ) -> None:
        self._application = application
        self._half_open = half_open
        self._trusted = Networks() if trusted is None else trusted
        self._loop = asyncio.get_running_loop()
        self._all: set[Connection] = set()
        self._ended = asyncio.Event()  # one of them
        self._holding: dict[Connection, None] = {}  # with part of a body, the oldest first
        self.held = 0
        self.keep_alive = keep_alive
        self._closed = False
        self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)

    def __len__(self) -> int:
        return len(self._all)

    async def close(self) -> None:
        """End them all; what was written may leave for FAREWELL_S. Safe twice."""
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
            await asyncio.sleep(0)  # the transports say that they have ended in the next turn of the loop

    def end(self, which: Callable[[str], bool]) -> None:
        """End those with a peer (an IP address, UNIX) of which `which` is true."""
        for each in [each for each in self._all if which(each.name)]:
            each.abort()

    def network(self, address: Any) -> str:  # Any: each family has its own
        """What HalfOpen counts a connection from `address` under."""
        name = canonical(str(address[0])) if isinstance(address, tuple) else UNIX
        return "" if name == UNIX or name in self._trusted else network(name)

    def serve(self, taken: socket.socket, address: Any, tls: ssl.SSLContext | None = None, *, since: float = 0) -> None:
        """Serve a connection, which is this object's from here.

        since  when it was made, by the loop's clock; 0: just now
        """
        if taken.family in (socket.AF_INET, socket.AF_INET6):
            taken.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(taken.family, address, encrypted=tls is not None)
        connection = Connection(self, taken, peer, tls, self.network(address))
        self._all.add(connection)
        self._half_open.add(connection, (since or self._loop.time()) + FIRST_S)
        connection.open()

    # What its connections call

    def start_request(self, server_conn: object, request_conn: object) -> HTTPMessageDelegate:
        assert isinstance(server_conn, Connection)
        assert isinstance(request_conn, Exchange)
        return _Arriving(self, server_conn, self._application.start_request(server_conn, request_conn))

    def idles(self, connection: Connection) -> None:
        """It may send another request."""
        connection.stalled = False
        self._half_open.add(connection, self._loop.time() + (IDLE_S if connection.network else PROXY_IDLE_S))

    def on_close(self, server_conn: object) -> None:
        assert isinstance(server_conn, Connection)
        self._all.discard(server_conn)
        self._ended.set()
        self.arrived(server_conn)

    # What the requests that are arriving call

    def begun(self, connection: Connection, *, body: bool) -> None:
        """The header is here; with a `body` there is more to come."""
        if body and connection in self._half_open:
            connection.deadline = self._loop.time() + BODY_S

    def hold(self, connection: Connection, size: int) -> None:
        """`size` bytes more of a body are here. What is beyond MAX_BODY, the application drops."""
        size = min(size, MAX_BODY + 1 - connection.held)
        self._holding.setdefault(connection)
        connection.held += size
        self.held += size
        while self.held > HELD:
            oldest = next(iter(self._holding))
            self.arrived(oldest)
            oldest.abort()

    def arrived(self, connection: Connection) -> None:
        """A whole request is here, or will never be. Safe twice."""
        self._half_open.discard(connection)
        if connection.held:
            self.held -= connection.held
            connection.held = 0
            self._holding.pop(connection, None)

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in tuple(self._all):
            if connection.is_stuck(now):
                connection.abort()
                continue
            if connection.behind and connection.idle:  # the answer to the last one is being taken
                connection.deadline = max(connection.deadline, now + IDLE_S)
            if connection.behind != connection.stalled:
                # One more that owes us something, and may have to make room; or no more.
                if connection.behind and connection not in self._half_open:
                    connection.stalled = True
                    self._half_open.add(connection, float("inf"))
                elif connection.stalled:
                    connection.stalled = False
                    self._half_open.discard(connection)
        self._half_open.sweep(now)
        if not self._closed:
            self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)


class _Arriving(HTTPMessageDelegate):
    """Passes a request on to the application, and tells when all of it is here."""

    def __init__(self, connections: Connections, connection: Connection, inner: HTTPMessageDelegate) -> None:
        self._connections = connections
        self._connection = connection
        self._inner = inner

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._connections.begun(self._connection, body="Content-Length" in headers or "Transfer-Encoding" in headers)
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._connections.hold(self._connection, len(chunk))
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        self._connections.arrived(self._connection)
        self._inner.finish()

    def on_connection_close(self) -> None:
        self._connections.arrived(self._connection)
        self._inner.on_connection_close()
