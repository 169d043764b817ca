"""One HTTP/1.1 request and its answer (RFC 9112).

A handler answers with `answer()`, all at once, or with `start()`, `write()` and `finish()`. Tornado's own handlers use
`write_headers()`, `write()` and `finish()`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Protocol

from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine

BODILESS = (101, 204, 304)  # statuses of answers that have no body (RFC 9112 §6.3)

Written = asyncio.Future[None]


class ExchangeConnection(Protocol):
    """The part of a connection that an exchange uses.

    peer       the other end, in the form that Tornado expects
    encrypted  the connection uses TLS
    closed     the connection has ended, or no longer carries HTTP
    """

    peer: Any  # Any: Tornado has no public type for it
    encrypted: bool
    closed: bool

    def write(self, data: bytes, body: bytes = b"") -> Written:
        """Write both, as one. The future is done when this process holds little that is unsent."""

    def answered(self, exchange: Exchange) -> None:
        """Go on after an answer: all of it was written."""

    def abort(self) -> None:
        """Close the connection at once."""

    async def drained(self) -> None:
        """Wait until the kernel has taken everything. Raises StreamClosedError."""

    def hold(self, exchange: Exchange) -> None:
        """Read no more of the exchange's body until release()."""

    def release(self, exchange: Exchange) -> None:
        """Read on. Safe twice."""

    def take_socket(self) -> tuple[socket.socket, bytes]:
        """Give the socket away, with the bytes that were read after the request."""

    def take_streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Give the connection away as streams."""


class Exchange(HTTPConnection):
    """One request and its answer.

    context           the other end, in the form that Tornado expects
    keep_alive        another request may follow
    request_complete  all of the request was received
    response_started  part of the answer was written
    finished          all of the answer was written
    upgraded          the answer was 101: what follows is not HTTP
    streamed          the body is used while it arrives, so it may be of any length
    """

    def __init__(self, connection: ExchangeConnection, method: str, version: str, *, keep_alive: bool) -> None:
        self.context = connection.peer
        self.method = method
        self.version = version
        self.keep_alive = keep_alive
        self.request_complete = False
        self.response_started = False
        self.finished = False
        self.upgraded = False
        self.streamed = False
        self.delegate: HTTPMessageDelegate | None = None
        self.on_close: Callable[[], None] | None = None
        self._connection = connection
        self._left = 0  # bytes of the answer's body that Content-Length still promises
        self._bounded = True  # the answer may not be longer than that
        self._chunked = False
        self._bodiless = False  # the answer has a header only: to HEAD, or of a status without a body

    # Tornado's interface

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Set the function to call when the client disconnects before the answer is finished."""
        self.on_close = callback

    def write_headers(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> Written:
        assert isinstance(start_line, ResponseStartLine)
        lines = [f"{name}: {value}\r\n" for name, value in headers.get_all()]
        if "\n" in start_line.reason or "".join(lines).count("\n") != len(lines):
            raise ValueError(f"expected a reason and headers of one line each, got {start_line.reason!r}, {lines!r}")
        length = headers.get("Content-Length")
        return self._start(start_line.code, start_line.reason, lines, None if length is None else int(length), chunk)

    def write(self, chunk: bytes) -> Written:
        """Write a part of the body. The future is done when the client may be sent more; it fails when it has gone."""
        return self._connection.write(self._framed(chunk))

    def finish(self) -> None:
        """End the answer. Raises ValueError if it is shorter than its Content-Length."""
        if self._left > 0:
            self._connection.abort()
            raise ValueError(f"the answer is {self._left} bytes shorter than its Content-Length")
        if self._chunked:
            self._connection.write(b"0\r\n\r\n")
        self._connection.answered(self)

    def detach(self) -> None:
        """Do nothing. RequestHandler.detach() calls this; take_socket() or take_streams() follows."""

    # Ours

    def answer(self, code: int, reason: str, fields: str, body: bytes) -> Written:
        """Send a whole answer. fields: whole lines, checked by the caller; Content-Length is added."""
        self._bodiless = self.method == "HEAD" or code in BODILESS
        length = "" if code in BODILESS else f"Content-Length: {len(body)}\r\n"
        head = f"HTTP/1.1 {code} {reason}\r\n{fields}{length}{self._connection_field()}\r\n"
        self.response_started = True
        written = self._connection.write(head.encode("latin-1"), b"" if self._bodiless else body)
        self._connection.answered(self)
        return written

    def start(self, code: int, reason: str, fields: str, chunk: bytes, length: int | None = None) -> Written:
        """Send the header and the first part of an answer. fields: as answer() takes them. length: None if unknown."""
        lines = [fields] if length is None else [fields, f"Content-Length: {length}\r\n"]
        return self._start(code, reason, lines, length, chunk)

    def hold(self) -> None:
        """Read no more of the request's body until release(): TCP then slows the client down."""
        self._connection.hold(self)

    def release(self) -> None:
        """Read on. Safe twice."""
        self._connection.release(self)

    @property
    def plain(self) -> bool:
        """Whether the connection is without TLS."""
        return not self._connection.encrypted

    @property
    def closed(self) -> bool:
        """Whether the connection has ended, or no longer carries HTTP."""
        return self._connection.closed

    def abort(self) -> None:
        """Close the connection at once, whatever is still unsent."""
        self._connection.abort()

    async def drained(self) -> None:
        """Wait until the kernel has taken all earlier answers. Raises StreamClosedError."""
        await self._connection.drained()

    def take_socket(self) -> tuple[socket.socket, bytes]:
        """Return the socket and the bytes that were read after the request. Call drained() first.

        Both belong to the caller, and the connection no longer carries HTTP.
        """
        return self._connection.take_socket()

    def take_streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return the connection as streams. They belong to the caller, and the connection no longer carries HTTP."""
        return self._connection.take_streams()

    def _start(self, code: int, reason: str, lines: list[str], length: int | None, chunk: bytes | None) -> Written:
        """Choose the framing (Content-Length, chunks, or the end of the connection), and write the header."""
        self._bodiless = self.method == "HEAD" or code in BODILESS
        self.upgraded = code == 101
        if length is not None:
            self._left = 0 if self._bodiless else length
        elif not self._bodiless and self.version == "HTTP/1.0":
            self.keep_alive = self._bounded = False  # the body ends with the connection
        elif not self._bodiless:
            self._chunked = True
            lines.append("Transfer-Encoding: chunked\r\n")
        if not self.upgraded and (connection := self._connection_field()):
            lines.append(connection)
        head = f"HTTP/1.1 {code} {reason}\r\n{''.join(lines)}\r\n"
        self.response_started = True
        return self._connection.write(head.encode("latin-1") + self._framed(chunk or b""))

    def _connection_field(self) -> str:
        # An answer before the end of the request means that the rest of the request is not wanted.
        self.keep_alive = self.keep_alive and self.request_complete
        if not self.keep_alive:
            return "Connection: close\r\n"
        return "Connection: keep-alive\r\n" if self.version == "HTTP/1.0" else ""

    def _framed(self, chunk: bytes) -> bytes:
        if self._bodiless:
            return b""
        if self._chunked:
            return b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunk else b""  # an empty chunk would end the body
        if self._bounded:
            self._left -= len(chunk)
            if self._left < 0:
                self._connection.abort()
                raise ValueError(f"the answer is {-self._left} bytes longer than its Content-Length")
        return chunk
