"""The body of a request in parts, for a handler that uses it while it arrives.

A handler that is slower than the client slows the client down: what waits here is bounded, and then the connection is
not read.
"""

from __future__ import annotations

import asyncio

from tornado.iostream import StreamClosedError

from vibetunnel.http.exchange import Exchange

WAITING = 256 * 1024  # bytes that may wait; one more read of the socket may come on top


class IncomingBody:
    """One body. The connection feeds it; one handler reads it."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._parts: list[bytes] = []
        self._waiting = 0  # bytes
        self._held = False  # the connection is not read
        self._ended = False
        self._broken = False
        self._changed = asyncio.Event()

    def feed(self, part: bytes) -> None:
        self._parts.append(part)
        self._waiting += len(part)
        if self._waiting > WAITING and not self._held:
            self._held = True
            self._exchange.hold()
        self._changed.set()

    def end(self) -> None:
        """The body is complete."""
        self._ended = True
        self._changed.set()

    def break_off(self) -> None:
        """The client disconnected before the end."""
        self._broken = True
        self._changed.set()

    async def read(self) -> bytes:
        """Return all that has arrived since the last call, at least one byte; b"" after the end.

        Raises StreamClosedError if the client disconnected before the end.
        """
        while not self._parts:
            if self._broken:
                raise StreamClosedError
            if self._ended:
                return b""
            self._changed.clear()
            await self._changed.wait()
        parts, self._parts, self._waiting = self._parts, [], 0
        if self._held:
            self._held = False
            self._exchange.release()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def skip(self, limit: int) -> None:
        """Read and drop the rest, at most `limit` bytes, so that the client reads the answer and gets no reset."""
        while limit > 0 and (part := await self.read()):
            limit -= len(part)
