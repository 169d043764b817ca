"""Connections that speak HTTP: what is read from them, how long they may take for it, and what they may hold up.

A connection that becomes a WebSocket has left at detach(): nothing here knows it any more.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import ssl
import struct
import sys
import termios
from collections.abc import Awaitable, Callable
from typing import Any

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters, HTTP1ServerConnection
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream, SSLIOStream

from vibetunnel.handlers.half_open import TAKEN_S, HalfOpen, Taking
from vibetunnel.security.addresses import UNIX, Client, Networks, canonical, network

MAX_BODY = 1024 * 1024  # bytes
MAX_HEADER = 32 * 1024  # bytes of a request line and its fields
MAX_FIELDS = 100
FIRST_S = 10.0  # from the connection to the end of the first request's header, a TLS handshake included
IDLE_S = 20.0  # for the header of each next request, from the end of the one before
PROXY_IDLE_S = 150.0  # the same of a proxy: it ends what is idle itself (nginx after 60 s, Caddy after 120 s), and so
# never sends a request into a connection that we are about to close, which it could not send again
BODY_S = 60.0  # for a request's body
HELD = 64 * 1024 * 1024  # bytes of bodies that are arriving; the oldest of them make room
SWEEP_S = 1.0


class _Counted(IOStream):
    """A stream that counts. written: bytes that the kernel has taken."""

    written = 0

    def write_to_fd(self, data: memoryview) -> int:
        taken = super().write_to_fd(data)
        self.written += taken
        return taken

    @property
    def taken(self) -> int:
        """Bytes that have left the kernel too: it may hold megabytes, and take more only when a third has gone."""
        return self.written - _unsent(self.socket)


class PlainStream(_Counted):
    """Of a connection that is not encrypted."""


class TLSStream(_Counted, SSLIOStream):
    """Of one that is."""


def _unsent(connection: socket.socket) -> int:
    """Bytes that the kernel has taken and the other end has not; 0 where the system does not tell (macOS)."""
    try:
        found: int = struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(struct.calcsize("i"))))[0]
    except OSError:
        return 0
    return found


class Peer:
    """The other end of a connection, as Tornado wants to know it, and as it is.

    vibetunnel_client  kept by security/addresses.py
    """

    def __init__(self, stream: IOStream, address: Any) -> None:  # Any: each family has its own
        self.address = address
        self.address_family = None if stream.socket is None else stream.socket.family
        internet = self.address_family in (socket.AF_INET, socket.AF_INET6)
        self.name = canonical(str(address[0])) if internet else UNIX
        self.remote_ip = self.name if internet else "0.0.0.0"  # noqa: S104 (Tornado wants some address)
        self.protocol = "https" if isinstance(stream, SSLIOStream) else "http"
        self.vibetunnel_client: Client | None

    def __str__(self) -> str:
        return self.name


class _Strict(HTTP1Connection):
    """One request, with what Tornado lets pass refused: the ways in which a proxy may see another request than we do
    (RFC 9112, 2.2, 6.1 and 6.3)."""

    def _parse_headers(self, data: bytes) -> tuple[str, HTTPHeaders]:
        lines = data.count(b"\n")
        if lines != data.count(b"\r\n"):
            raise HTTPInputError("a line that ends without CR")
        if lines > MAX_FIELDS + 3:  # the request line, the empty one, and one that may be before them
            raise HTTPInputError("too many header fields")
        start_line, headers = super()._parse_headers(data)
        if len(headers.get_list("Content-Length")) > 1 or "," in headers.get("Content-Length", ""):
            raise HTTPInputError("more than one Content-Length")
        if "Transfer-Encoding" in headers and not start_line.endswith(" HTTP/1.1"):
            raise HTTPInputError("Transfer-Encoding in a request of HTTP/1.0")
        return start_line, headers


class Connection(HTTP1ServerConnection):
    """One client's, with one request after the other. An entry of HalfOpen whenever it owes us something.

    held     bytes of a body that are here, without the rest of it
    stalled  it is not taking what was written to it
    """

    def __init__(
        self, stream: PlainStream | TLSStream, parameters: HTTP1ConnectionParameters, peer: Peer, network: str
    ) -> None:
        super().__init__(stream, parameters, peer)
        self.counted = stream
        self.peer = peer
        self.network = network
        self.deadline = 0.0
        self.requests = 0
        self.held = 0
        self.stalled = False
        self.taking = Taking()

    def abort(self) -> None:
        self.counted.close()

    def is_stuck(self, now: float) -> bool:
        """Whether what was written is not being taken. To be asked from time to time."""
        stream = self.counted
        writing = stream.writing()
        return self.taking.is_stuck(now, writing=writing, taken=stream.taken if writing else 0, taken_s=TAKEN_S)


class Connections(HTTPServerConnectionDelegate):
    """Every HTTP connection of one server, for one application.

    trusted     proxies: each brings many clients, so that the bound for one network is not for them
    keep_alive  a connection may have one request after the other
    held        bytes of bodies of which the rest is still to come
    """

    def __init__(
        self,
        application: HTTPServerConnectionDelegate,
        half_open: HalfOpen,
        trusted: Networks | None = None,
        *,
        keep_alive: bool = True,
    ) -> None:
        self._application = application
        self._half_open = half_open
        self._trusted = Networks() if trusted is None else trusted
        self._loop = asyncio.get_running_loop()
        self._all: set[Connection] = set()
        self._holding: dict[Connection, None] = {}  # with part of a body, the oldest first
        self.held = 0
        self._closed = False
        self._parameters = HTTP1ConnectionParameters(
            no_keep_alive=not keep_alive,
            max_header_size=MAX_HEADER,
            max_body_size=sys.maxsize,  # the application has its own limit, and words for it
        )  # and no timeouts, which are a timer for each request: the sweep has them all
        self._sweeping = self._loop.call_later(SWEEP_S, self._sweep)

    def __len__(self) -> int:
        return len(self._all)

    async def close(self) -> None:
        """End them all. Safe twice."""
        self._closed = True
        self._sweeping.cancel()
        while self._all:
            await next(iter(self._all)).close()

    def end(self, which: Callable[[str], bool]) -> None:
        """End those with a peer (an IP address, UNIX) of which `which` is true."""
        for each in [each for each in self._all if which(each.peer.name)]:
            each.abort()

    def network(self, address: Any) -> str:  # Any: each family has its own
        """What HalfOpen counts a connection from `address` under."""
        name = canonical(str(address[0])) if isinstance(address, tuple) else UNIX
        return "" if name == UNIX or name in self._trusted else network(name)

    def serve(self, taken: socket.socket, address: Any, tls: ssl.SSLContext | None = None, *, since: float = 0) -> None:
        """Serve a connection, which is this object's from here.

        since  when it was made, by the loop's clock; 0: just now
        """
        stream: PlainStream | TLSStream
        if tls is None:
            stream = PlainStream(taken, max_buffer_size=MAX_BODY)
        else:
            try:
                wrapped = tls.wrap_socket(taken, server_side=True, do_handshake_on_connect=False)
            except OSError:  # it has hung up already
                taken.close()
                return
            stream = TLSStream(wrapped, max_buffer_size=MAX_BODY)
        connection = Connection(stream, self._parameters, Peer(stream, address), self.network(address))
        self._all.add(connection)
        self._half_open.add(connection, (since or self._loop.time()) + FIRST_S)
        connection.start_serving(self)

    # What Tornado calls

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        connection = server_conn
        assert isinstance(connection, Connection)
        connection.requests += 1
        if connection.requests > 1:
            connection.stalled = False
            idle_s = IDLE_S if connection.network else PROXY_IDLE_S
            self._half_open.add(connection, self._loop.time() + idle_s)
        # Tornado makes these by itself, and offers no other way to say which class.
        request_conn.__class__ = _Strict
        return _Arriving(self, connection, self._application.start_request(server_conn, request_conn))

    def on_close(self, server_conn: object) -> None:
        assert isinstance(server_conn, Connection)
        self._all.discard(server_conn)
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
            elif connection.taking.behind != connection.stalled:
                # One more that owes us something, and may have to make room; or no more.
                if connection.taking.behind and connection not in self._half_open:
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
