"""News for whoever listens: one bounded queue per listener, and a listener that lags is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

QUEUE_LIMIT = 1024  # messages; a listener this far behind reads nothing, and has to start over anyway


class Listener:
    """One who listens. Iterate over it; the iteration ends when it is closed or has been dropped.

    only  the topics that it may hear of; None: all
    """

    def __init__(self, broadcast: Broadcast, only: frozenset[str] | None = None) -> None:
        self._broadcast = broadcast
        self.only = only
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_LIMIT + 1)  # one place for the end
        self.dropped = False

    async def next(self) -> bytes | None:
        """The next message; None at the end."""
        return await self._queue.get()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (message := await self.next()) is not None:
            yield message

    def push(self, message: bytes) -> None:
        """Queue `message`, or drop this listener when its queue is full."""
        if self._queue.qsize() >= QUEUE_LIMIT:
            self.dropped = True
            self.close()
        else:
            self._queue.put_nowait(message)

    def close(self) -> None:
        """End the iteration behind what is queued. Safe twice."""
        if self in self._broadcast.listeners:
            self._broadcast.listeners.discard(self)
            self._queue.put_nowait(None)


class Broadcast:
    """Gives every message to every listener; never waits, never raises."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()

    def listen(self, only: frozenset[str] | None = None) -> Listener:
        """only: topics that this listener may hear of; None: all."""
        listener = Listener(self, only)
        self.listeners.add(listener)
        return listener

    def publish(self, message: bytes, topic: str = "") -> None:
        """topic: what it is about; empty: nothing that everybody may hear of."""
        for listener in tuple(self.listeners):
            if listener.only is None or topic in listener.only:
                listener.push(message)

    def close(self) -> None:
        """End every listener's iteration."""
        for listener in tuple(self.listeners):
            listener.close()
