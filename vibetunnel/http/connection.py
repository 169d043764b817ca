"""One HTTP/1.1 connection (RFC 9112): requests are read, passed to an application, and answered one by one.

httptools parses the headers. A request that a proxy could read differently is refused (request smuggling), and nothing
after it is read.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from abc import ABC, abstractmethod
from typing import Any, cast

from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade, HttpRequestParser
from tornado.httputil import HTTPHeaders, HTTPInputError, HTTPMessageDelegate, RequestStartLine
from tornado.iostream import StreamClosedError

from vibetunnel.http.chunked import Chunks, MalformedChunks
from vibetunnel.http.exchange import Exchange, Written

MAX_HEADER = 32 * 1024  # bytes of a request line and its fields
MAX_FIELDS = 100
LARGE = 16 * 1024  # bytes; a larger body is not copied into one buffer with its header
AHEAD = 64 * 1024  # bytes of further requests that are read while one is being answered
AT_ONCE = 16  # requests of one client that are answered before other clients have their turn
EMPTY_LINES = 8  # that may precede a request (RFC 9112 §2.2 asks for one)

_END = b"\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_MALFORMED = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_TOO_LARGE_JSON = b'{"error": "expected a header of at most %d bytes and %d fields"}' % (MAX_HEADER, MAX_FIELDS)
_TOO_LARGE = (  # RFC 6585 §5
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: application/json\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_TOO_LARGE_JSON), _TOO_LARGE_JSON)
)
_NOT_IMPLEMENTED = (
    b"HTTP/1.1 501 Not Implemented\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)
_VERSIONS = ("HTTP/1.1", "HTTP/1.0")
_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^ ]+ HTTP/1\.[01]\r\n")  # RFC 9112 §3, for any method


class _UnknownMethod(HTTPInputError):
    """The request line is right, and no server knows its method."""


class _HeaderTooLarge(HTTPInputError):
    """A header of more than MAX_HEADER bytes or MAX_FIELDS fields."""


_REFUSALS = {_UnknownMethod: _NOT_IMPLEMENTED, _HeaderTooLarge: _TOO_LARGE}


class Connection(asyncio.Protocol, ABC):
    """The connection of one client.

    peer       the other end, in the form that Tornado expects
    encrypted  the connection uses TLS
    closed     the connection has ended, or no longer carries HTTP
    """

    def __init__(self, peer: Any, *, encrypted: bool = False, keep_alive: bool = True) -> None:  # Any: as in exchange
        self.peer = peer
        self.encrypted = encrypted
        self.closed = False
        self._keep_alive = keep_alive
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = HttpRequestParser(self)
        self._exchange: Exchange | None = None
        self._buffer = b""  # bytes that were received and not used yet
        self._consuming = False  # _consume() is running
        self._ending = False  # what was written may still leave; nothing more is read
        self._paused = False  # the transport does not read
        self._length = 0  # bytes of the body that are still to come
        self._chunks: Chunks | None = None  # the body comes in chunks instead
        self._written = 0  # bytes that were given to the transport
        self._full = False  # the transport's buffer is above its watermark
        self._waiting: list[Written] = []
        self._done: Written = self._loop.create_future()
        self._done.set_result(None)
        # Of the header that is being parsed
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._headers_complete = False
        self._wants_keep_alive = False  # the client may send another request after this one

    # What a subclass answers

    @abstractmethod
    def on_request(self, exchange: Exchange) -> HTTPMessageDelegate:
        """Return what takes the request, whose header is complete."""

    @abstractmethod
    def on_idle(self) -> None:
        """A request was answered; the connection waits for the next one."""

    @abstractmethod
    def on_close(self) -> None:
        """The connection has ended, or no longer carries HTTP."""

    @property
    def idle(self) -> bool:
        """Whether every request was answered, and little of the answers is still unsent."""
        return self._exchange is None

    # Writing

    def write(self, data: bytes, body: bytes = b"") -> Written:
        """Write both, as one. The future is done when this process holds little that is unsent.

        It fails with StreamClosedError if the client has disconnected.
        """
        if self.closed or self._transport is None:
            failed: Written = self._loop.create_future()
            failed.set_exception(StreamClosedError())
            failed.exception()  # marks it as seen: the caller need not await it
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
        """Wait until the kernel has taken everything. Raises StreamClosedError."""
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
        """Go on after an answer: all of it was written."""
        exchange.finished = True
        exchange.on_close = None
        exchange.delegate = None  # it refers to this exchange: both are freed at once, without the garbage collector
        if self.closed or exchange.upgraded:
            return
        assert self._transport is not None
        if not exchange.keep_alive or not exchange.request_complete:
            self.hang_up()
        elif not self._full:
            self._next()

    def _next(self) -> None:
        """Turn to the next request: most of the answer has left this process."""
        self._exchange = None
        self.on_idle()
        if not self._consuming:
            # In the next turn of the loop, because the handler that has just answered is still running.
            self._loop.call_soon(self._resume)

    # A body that arrives faster than it is used

    def hold(self, exchange: Exchange) -> None:
        """Read no more of the exchange's body until release()."""
        if self._exchange is exchange:
            self._pause()

    def release(self, exchange: Exchange) -> None:
        """Read on. Safe twice."""
        if self._exchange is exchange and self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    # Ending

    def abort(self) -> None:
        """Close the connection at once. Safe twice."""
        if self._transport is not None:
            self._transport.abort()

    def hang_up(self) -> None:
        """Close the connection when all answers are sent. Unread requests are dropped. Safe twice."""
        self._ending = True
        self._buffer = b""
        if self._transport is not None:
            self._transport.close()

    def take_socket(self) -> tuple[socket.socket, bytes]:
        """Give the socket away, with the bytes that were read after the request."""
        assert self._transport is not None
        assert not self.encrypted
        own = self._transport.get_extra_info("socket")
        taken = socket.socket(own.family, own.type, own.proto, os.dup(own.fileno()))
        taken.setblocking(False)
        self._pause()
        transport, received = self._leave()
        transport.abort()  # closes the transport's descriptor; the duplicate keeps the connection
        return taken, received

    def take_streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Give the connection away as streams."""
        reader = asyncio.StreamReader(limit=AHEAD)
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, received = self._leave()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._paused:
            transport.resume_reading()
        if received:
            reader.feed_data(received)  # after resume_reading(), because it may pause again
        return reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)

    def _leave(self) -> tuple[asyncio.Transport, bytes]:
        transport, self._transport = self._transport, None
        assert transport is not None
        received, self._buffer = self._buffer, b""
        self._exchange = None
        self._parser = None  # type: ignore[assignment]  # it refers to this object
        self._end()
        return transport, received

    def _end(self) -> None:
        if not self.closed:
            self.closed = True
            self.on_close()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has the same methods and another base class

    def data_received(self, data: bytes) -> None:
        if self.closed or self._ending:
            return
        self._consume(self._buffer + data if self._buffer else data)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)
        exchange = self._exchange
        if exchange is not None and exchange.finished and not (self.closed or self._ending or exchange.upgraded):
            self._next()  # not earlier: answers would pile up for a client that does not read

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is None:
            return  # it was given away
        exchange, self._exchange = self._exchange, None
        self._transport = None
        self._parser = None  # type: ignore[assignment]  # it refers to this object
        self._end()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_exception(StreamClosedError(real_error=exc))
                each.exception()
        if exchange is None or exchange.finished:
            return
        if not exchange.request_complete and exchange.delegate is not None:
            exchange.delegate.on_connection_close()
        if exchange.on_close is not None:
            exchange.on_close()

    # Reading

    def _consume(self, data: bytes) -> None:
        """Use as much of `data` as can be used now. `_buffer` holds the rest all the time: the handlers may take it."""
        self._consuming = True
        self._buffer = data
        started = 0
        try:
            while self._buffer and not self.closed:
                exchange = self._exchange
                if exchange is None:
                    if started == AT_ONCE:
                        self._pause()
                        self._loop.call_soon(self._resume)
                        break
                    head = self._take_head()
                    if not head:
                        break
                    started += 1
                    self._start_request(head)
                elif exchange.request_complete or exchange.finished:
                    break
                else:
                    self._consume_body(exchange)
        except HTTPInputError as error:
            self._refuse(_REFUSALS.get(type(error), _MALFORMED))
            return
        finally:
            self._consuming = False
        if len(self._buffer) > AHEAD and self._exchange is not None:
            self._pause()

    def _take_head(self) -> bytes:
        """Take a header out of the buffer. Returns b"" if it is not complete yet."""
        data, at = self._buffer, 0
        while data.startswith(b"\r\n", at):
            at += 2
        if at > 2 * EMPTY_LINES:
            raise HTTPInputError(f"more than {EMPTY_LINES} empty lines before a request")
        end = data.find(_END, at, at + MAX_HEADER + len(_END))
        if end < 0:
            if len(data) - at >= MAX_HEADER + len(_END):
                raise _HeaderTooLarge(f"a header of more than {MAX_HEADER} bytes")
            return b""
        end += len(_END)
        self._buffer = data[end:]
        return data[at:end]

    def _start_request(self, head: bytes) -> None:
        """Parse a complete header, and pass the request on."""
        self._target, self._fields, self._headers_complete = b"", [], False
        parser, used_up = self._parser, False
        try:
            parser.feed_data(head)
        except HttpParserUpgrade:  # raised after the header was parsed
            used_up = True
        except HttpParserInvalidMethodError as error:
            raise (_UnknownMethod if _LINE.match(head) else HTTPInputError)(str(error)) from error
        except HttpParserError as error:
            raise HTTPInputError(str(error)) from error
        method = parser.get_method().decode("ascii")
        version = f"HTTP/{parser.get_http_version()}"
        line = b"%b %b %b\r\n" % (method.encode("ascii"), self._target, version.encode("ascii"))
        if not self._headers_complete or version not in _VERSIONS or not head.startswith(line):
            raise HTTPInputError("a malformed request line")
        headers = self._headers(version)
        if used_up or self._length or self._chunks:  # that parser expects another protocol or the body next
            self._parser = HttpRequestParser(self)
        exchange = Exchange(self, method, version, keep_alive=self._keep_alive and self._wants_keep_alive)
        self._exchange = exchange
        exchange.request_complete = not self._length and self._chunks is None
        exchange.delegate = delegate = self.on_request(exchange)
        delegate.headers_received(RequestStartLine(method, self._target.decode("latin-1"), version), headers)
        if exchange.request_complete:
            delegate.finish()
        elif not self._buffer and not exchange.finished and _expects_continue(version, headers):
            self.write(_CONTINUE)

    def _headers(self, version: str) -> HTTPHeaders:
        headers = HTTPHeaders()
        if len(self._fields) > MAX_FIELDS:
            raise _HeaderTooLarge(f"more than {MAX_FIELDS} header fields")
        for raw, value in self._fields:
            name = raw.decode("latin-1")
            if name in headers:
                headers.add(name, value.decode("latin-1"))
            else:
                headers[name] = value.decode("latin-1")  # faster than add(); httptools has checked both
        self._length, self._chunks = 0, None
        if "Transfer-Encoding" in headers:
            if version != "HTTP/1.1" or headers["Transfer-Encoding"].lower() != "chunked":
                raise HTTPInputError("Transfer-Encoding: expected chunked, in HTTP/1.1")
            self._chunks = Chunks()
        elif "Content-Length" in headers:
            self._length = int(headers["Content-Length"])
        return headers

    def _consume_body(self, exchange: Exchange) -> None:
        data, self._buffer = self._buffer, b""
        delegate = exchange.delegate
        assert delegate is not None
        if self._chunks is None:
            piece, self._buffer = data[: self._length], data[self._length :]
            self._length -= len(piece)
            exchange.request_complete = not self._length
            delegate.data_received(piece)
        else:
            try:
                piece = self._chunks.feed(data)
            except MalformedChunks as error:
                raise HTTPInputError(str(error)) from error
            if piece and not exchange.finished:
                delegate.data_received(piece)
            self._buffer = self._chunks.rest
            exchange.request_complete = self._chunks.ended
        if exchange.request_complete and not exchange.finished:
            delegate.finish()

    def _resume(self) -> None:
        if self.closed or self._ending or self._exchange is not None:
            return
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        if self._buffer:
            self._consume(self._buffer)

    def _pause(self) -> None:
        if not self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _refuse(self, answer: bytes) -> None:
        """Answer and hang up: what follows a malformed request may be anything."""
        if self._exchange is None or not self._exchange.response_started:
            self.write(answer)
        self.hang_up()

    # What httptools calls

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields.append((name, value.strip(b" \t")))  # RFC 9112 §5.1

    def on_headers_complete(self) -> None:
        self._headers_complete = True
        self._wants_keep_alive = self._parser.should_keep_alive()  # the parser forgets it at the end of the message


def _expects_continue(version: str, headers: HTTPHeaders) -> bool:
    """Whether the client waits for 100 Continue before it sends the body (RFC 9110 §10.1.1)."""
    return version == "HTTP/1.1" and headers.get("Expect", "").lower() == "100-continue"
