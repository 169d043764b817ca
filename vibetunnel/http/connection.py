"""HTTP/1.1 on one connection: requests are read, passed to an application, and answered, one by one (RFC 9112).

httptools reads their headers. An `Exchange` is what the application writes its answer to, by Tornado's interface.
"""

from __future__ import annotations

import asyncio
import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import StreamClosedError

from vibetunnel.http.chunked import Chunks, MalformedChunks

MAX_HEADER = 32 * 1024  # bytes of a request line and its fields
MAX_FIELDS = 100
LARGE = 16 * 1024  # bytes of a body that is not copied behind its header, but written with it
AHEAD = 64 * 1024  # bytes of further requests that are read while one is being answered
AT_ONCE = 16  # requests of one client that are answered before others have their turn
EMPTY_LINES = 8  # that may precede a request (RFC 9112 §2.2 asks for one)

_END = b"\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_MALFORMED = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_VERSIONS = ("HTTP/1.1", "HTTP/1.0")

Written = asyncio.Future[None]


class Exchange(HTTPConnection):
    """One request and its answer.

    context     the other end, as Tornado wants to know it
    keep_alive  another request may follow
    whole       all of the request is here
    begun       some of the answer has been written
    finished    all of it has
    switches    it was 101: what comes next is not HTTP
    """

    def __init__(self, connection: Connection, method: str, version: str, *, keep_alive: bool) -> None:
        self.context = connection.peer
        self.method = method
        self.version = version
        self.keep_alive = keep_alive
        self.whole = False
        self.begun = False
        self.finished = False
        self.switches = False
        self.delegate: HTTPMessageDelegate | None = None
        self.on_close: Callable[[], None] | None = None
        self._connection = connection
        self._left = 0  # bytes of the answer's body that Content-Length has announced
        self._bounded = True  # there may be no more than that
        self._chunked = False

    # Tornado's interface

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """To be called when the client hangs up before the answer is finished."""
        self.on_close = callback

    def write_headers(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> Written:
        assert isinstance(start_line, ResponseStartLine)
        code = start_line.code
        bodiless = self.method == "HEAD" or code in (101, 204, 304)
        self.switches = code == 101
        if "Content-Length" in headers:
            self._left = 0 if bodiless else int(headers["Content-Length"])
        elif not bodiless and self.version == "HTTP/1.0":
            self.keep_alive = self._bounded = False  # the end of the connection is that of the body
        elif not bodiless:
            self._chunked = True
            headers["Transfer-Encoding"] = "chunked"
        lines = [f"{name}: {value}\r\n" for name, value in headers.get_all()]
        if not self.switches and (connection := self._connection_field()):
            lines.append(connection)
        head = f"HTTP/1.1 {code} {start_line.reason}\r\n{''.join(lines)}\r\n"
        if head.count("\n") != len(lines) + 2:
            raise ValueError(f"expected headers of one line each, got {head!r}")
        self.begun = True
        return self._connection.write(head.encode("latin-1") + self._framed(chunk or b""))

    def write(self, chunk: bytes) -> Written:
        return self._connection.write(self._framed(chunk))

    def finish(self) -> None:
        if self._left > 0:
            self._connection.abort()
            raise ValueError(f"an answer has ended {self._left} bytes before its Content-Length")
        if self._chunked:
            self._connection.write(b"0\r\n\r\n")
        self._connection.answered(self)

    def detach(self) -> None:
        """What follows RequestHandler.detach(), which finishes the handler: take_socket() or take_streams()."""

    # Ours

    def answer(self, code: int, reason: str, fields: str, body: bytes) -> Written:
        """All of an answer at once. fields: whole lines, checked by the caller; Content-Length is added."""
        head = f"HTTP/1.1 {code} {reason}\r\n{fields}Content-Length: {len(body)}\r\n{self._connection_field()}\r\n"
        self.begun = True
        written = self._connection.write(head.encode("latin-1"), b"" if self.method == "HEAD" else body)
        self._connection.answered(self)
        return written

    @property
    def plain(self) -> bool:
        """Whether it is not encrypted."""
        return not self._connection.encrypted

    @property
    def closed(self) -> bool:
        return self._connection.closed

    def abort(self) -> None:
        """Hang up without a word."""
        self._connection.abort()

    async def drained(self) -> None:
        """All that was written before this request's answer has left for the kernel. Raises StreamClosedError."""
        await self._connection.drained()

    def take_socket(self) -> tuple[socket.socket, bytes]:
        """(the socket, what was read from it behind the request); the caller's, and HTTP's no more. drained() first."""
        return self._connection.take_socket()

    def take_streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection as it is, the caller's, and HTTP's no more."""
        return self._connection.take_streams()

    def _connection_field(self) -> str:
        self.keep_alive = self.keep_alive and self.whole  # who answers early does not want to know the rest
        if not self.keep_alive:
            return "Connection: close\r\n"
        return "Connection: keep-alive\r\n" if self.version == "HTTP/1.0" else ""

    def _framed(self, chunk: bytes) -> bytes:
        if self._chunked:
            return b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunk else b""  # an empty one would be the last
        if self._bounded:
            self._left -= len(chunk)
            if self._left < 0:
                self._connection.abort()
                raise ValueError(f"an answer goes on for {-self._left} bytes behind its Content-Length")
        return chunk


class Connection(asyncio.Protocol, ABC):
    """One client's. What somebody on the way may have read otherwise is refused, and nothing behind it is read.

    peer       the other end, as Tornado wants to know it
    encrypted  with TLS
    closed     it has ended, or is not HTTP's any more
    """

    def __init__(self, peer: Any, *, encrypted: bool = False, keep_alive: bool = True) -> None:  # Any: Tornado's
        self.peer = peer
        self.encrypted = encrypted
        self.closed = False
        self._keep_alive = keep_alive
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = HttpRequestParser(self)
        self._exchange: Exchange | None = None
        self._buffer = b""  # what has come and is not used up
        self._taking = False  # _take() is at work
        self._ending = False  # what was written may leave; nothing is read any more
        self._paused = False  # nothing is read
        self._length = 0  # bytes of the body that are still to come
        self._chunks: Chunks | None = None  # or it comes in these
        self._written = 0  # bytes that the transport was given
        self._full = False  # it wants no more just now
        self._waiting: list[Written] = []
        self._done: Written = self._loop.create_future()
        self._done.set_result(None)
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._headed = False  # the header has ended
        self._lasting = False  # the client wants to go on behind it

    # What follows from it

    @abstractmethod
    def begins(self, exchange: Exchange) -> HTTPMessageDelegate:
        """The header of a request is here: who takes it?"""

    @abstractmethod
    def idles(self) -> None:
        """A request was answered, and the next is waited for."""

    @abstractmethod
    def ends(self) -> None:
        """The connection has ended, or is not HTTP's any more."""

    @property
    def idle(self) -> bool:
        """Whether there is no request that is not answered yet, nor an answer of which much is still to leave."""
        return self._exchange is None

    # What is written

    def write(self, data: bytes, body: bytes = b"") -> Written:
        """Write both. Returns what is done when little is left in this process, or fails with StreamClosedError."""
        if self.closed or self._transport is None:
            failed: Written = self._loop.create_future()
            failed.set_exception(StreamClosedError())
            failed.exception()  # who wants to know may look; nobody has to
            return failed
        self._written += len(data) + len(body)
        if len(body) > LARGE:
            self._transport.writelines((data, body))
        else:
            self._transport.write(data + body)
        return self._wait() if self._full else self._done

    @property
    def unsent(self) -> int:
        """Bytes that wait in this process."""
        return 0 if self._transport is None else self._transport.get_write_buffer_size()

    @property
    def sent(self) -> int:
        """Bytes that the kernel has taken."""
        return self._written - self.unsent

    async def drained(self) -> None:
        if self._transport is None or not self.unsent:
            return
        self._transport.set_write_buffer_limits(high=1)
        try:
            await self._wait()
        finally:
            if self._transport is not None:
                self._transport.set_write_buffer_limits()

    def _wait(self) -> Written:
        waiting: Written = self._loop.create_future()
        self._waiting.append(waiting)
        return waiting

    def answered(self, exchange: Exchange) -> None:
        """The answer has been written, all of it."""
        exchange.finished = True
        exchange.on_close = None
        if self.closed or exchange.switches:
            return
        assert self._transport is not None
        if not exchange.keep_alive or not exchange.whole:
            self.hang_up()
        elif not self._full:
            self._go_on()

    def _go_on(self) -> None:
        """The answer has been taken, as far as that matters: to the next request."""
        self._exchange = None
        self.idles()
        if not self._taking:
            # Soon, not now: whoever has answered is still at it.
            self._loop.call_soon(self._resume)

    # What ends it

    def abort(self) -> None:
        """Hang up without a word. Safe twice."""
        if self._transport is not None:
            self._transport.abort()

    def hang_up(self) -> None:
        """End it as soon as what was written has left. What has come behind it is not read. Safe twice."""
        self._ending = True
        self._buffer = b""
        if self._transport is not None:
            self._transport.close()

    def take_socket(self) -> tuple[socket.socket, bytes]:
        assert self._transport is not None
        assert not self.encrypted
        own = self._transport.get_extra_info("socket")
        taken = socket.socket(own.family, own.type, own.proto, os.dup(own.fileno()))
        taken.setblocking(False)
        self._pause()
        transport, received = self._leave()
        transport.abort()  # its descriptor, not the connection
        return taken, received

    def take_streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader = asyncio.StreamReader(limit=AHEAD)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, received = self._leave()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._paused:
            transport.resume_reading()
        if received:
            reader.feed_data(received)  # behind that: it may pause again
        return reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)

    def _leave(self) -> tuple[asyncio.Transport, bytes]:
        transport, self._transport = self._transport, None
        assert transport is not None
        received, self._buffer = self._buffer, b""
        self._exchange = None
        self._parser = None  # type: ignore[assignment]  # it refers to us
        self._end()
        return transport, received

    def _end(self) -> None:
        if not self.closed:
            self.closed = True
            self.ends()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def data_received(self, data: bytes) -> None:
        if self.closed or self._ending:
            return
        self._take(self._buffer + data if self._buffer else data)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)
        exchange = self._exchange
        if exchange is not None and exchange.finished and not (self.closed or self._ending or exchange.switches):
            self._go_on()  # only now: answers that nobody takes are not piled up

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is None:
            return  # it was taken
        exchange, self._exchange = self._exchange, None
        self._transport = None
        self._parser = None  # type: ignore[assignment]  # it refers to us
        self._end()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_exception(StreamClosedError(real_error=exc))
                each.exception()
        if exchange is None or exchange.finished:
            return
        if not exchange.whole and exchange.delegate is not None:
            exchange.delegate.on_connection_close()
        if exchange.on_close is not None:
            exchange.on_close()

    # What comes in

    def _take(self, data: bytes) -> None:
        """Use what has come, as far as that can be done now. What is left is in `_buffer`, whoever may look there."""
        self._taking = True
        self._buffer = data
        begun = 0
        try:
            while self._buffer and not self.closed:
                exchange = self._exchange
                if exchange is None:
                    if begun == AT_ONCE:
                        self._pause()
                        self._loop.call_soon(self._resume)
                        break
                    head = self._head()
                    if not head:
                        break
                    begun += 1
                    self._begin(head)
                elif exchange.whole or exchange.finished:
                    break
                else:
                    self._take_body(exchange)
        except HTTPInputError:
            self._refuse()
            return
        finally:
            self._taking = False
        if len(self._buffer) > AHEAD and self._exchange is not None:
            self._pause()  # no more than that is read while a request is being answered

    def _head(self) -> bytes:
        """Take a header from what has come; b"": it is not all here."""
        data, at = self._buffer, 0
        while data.startswith(b"\r\n", at):
            at += 2
        if at > 2 * EMPTY_LINES:
            raise HTTPInputError(f"more than {EMPTY_LINES} empty lines before a request")
        end = data.find(_END, at, at + MAX_HEADER + len(_END))
        if end < 0:
            if len(data) - at >= MAX_HEADER + len(_END):
                raise HTTPInputError(f"a header of more than {MAX_HEADER} bytes")
            return b""
        end += len(_END)
        self._buffer = data[end:]
        return data[at:end]

    def _begin(self, head: bytes) -> None:
        """A whole header is here."""
        self._target, self._fields, self._headed = b"", [], False
        parser, used_up = self._parser, False
        try:
            parser.feed_data(head)
        except HttpParserUpgrade:  # it has looked at the header before that
            used_up = True
        except HttpParserError as error:
            raise HTTPInputError(str(error)) from error
        method = parser.get_method().decode("ascii")
        version = f"HTTP/{parser.get_http_version()}"
        line = b"%b %b %b\r\n" % (method.encode("ascii"), self._target, version.encode("ascii"))
        if not self._headed or version not in _VERSIONS or not head.startswith(line):
            raise HTTPInputError("a request line that is none")
        headers = self._headers(version)
        if used_up or self._length or self._chunks:  # that one would go on with another protocol, or the body
            self._parser = HttpRequestParser(self)
        exchange = Exchange(self, method, version, keep_alive=self._keep_alive and self._lasting)
        self._exchange = exchange
        exchange.whole = not self._length and self._chunks is None
        exchange.delegate = self.begins(exchange)
        exchange.delegate.headers_received(RequestStartLine(method, self._target.decode("latin-1"), version), headers)
        if exchange.whole:
            exchange.delegate.finish()
        elif not self._buffer and not exchange.finished and _waits(version, headers):
            self.write(_CONTINUE)

    def _headers(self, version: str) -> HTTPHeaders:
        headers = HTTPHeaders()
        if len(self._fields) > MAX_FIELDS:
            raise HTTPInputError(f"more than {MAX_FIELDS} header fields")
        for raw, value in self._fields:
            name = raw.decode("latin-1")
            if name in headers:
                headers.add(name, value.decode("latin-1"))
            else:
                headers[name] = value.decode("latin-1")  # httptools has looked at both already
        self._length, self._chunks = 0, None
        if "Transfer-Encoding" in headers:
            if version != "HTTP/1.1" or headers["Transfer-Encoding"].lower() != "chunked":
                raise HTTPInputError("Transfer-Encoding: expected chunked, in HTTP/1.1")
            self._chunks = Chunks()
        elif "Content-Length" in headers:
            self._length = int(headers["Content-Length"])
        return headers

    def _take_body(self, exchange: Exchange) -> None:
        data, self._buffer = self._buffer, b""
        assert exchange.delegate is not None
        if self._chunks is None:
            piece, self._buffer = data[: self._length], data[self._length :]
            self._length -= len(piece)
            exchange.whole = not self._length
            exchange.delegate.data_received(piece)
        else:
            try:
                piece = self._chunks.feed(data)
            except MalformedChunks as error:
                raise HTTPInputError(str(error)) from error
            if piece and not exchange.finished:
                exchange.delegate.data_received(piece)
            self._buffer = self._chunks.rest
            exchange.whole = self._chunks.ended
        if exchange.whole and not exchange.finished:
            exchange.delegate.finish()

    def _resume(self) -> None:
        if self.closed or self._ending or self._exchange is not None:
            return
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        if self._buffer:
            self._take(self._buffer)

    def _pause(self) -> None:
        if not self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _refuse(self) -> None:
        """What has come is no request, and what is behind it may be anything."""
        if self._exchange is None or not self._exchange.begun:
            self.write(_MALFORMED)
        self.hang_up()

    # What httptools calls

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value.strip(b" \t")))  # RFC 9112 §5.1

    def on_headers_complete(self) -> None:
        self._headed = True
        self._lasting = self._parser.should_keep_alive()  # which it forgets at the end of the message


def _waits(version: str, headers: HTTPHeaders) -> bool:
    """Whether the client sends the body only when it is told to (RFC 9110 §10.1.1)."""
    return version == "HTTP/1.1" and headers.get("Expect", "").lower() == "100-continue"
