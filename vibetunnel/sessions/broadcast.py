"""Sending a message to many listeners: each has a bounded queue, and is dropped when that is full."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

QUEUE_LIMIT = 1024  # messages; a listener this far behind does not read, and has to start over anyway
BYTES_LIMIT = 4 * 1024 * 1024  # of a queue's messages; programs' clipboard texts have up to 64 KiB each


class Listener:
    """Iterate over it to receive messages. The iteration ends when the listener is closed or dropped.

    only  the topics that it may receive; None: all
    user  whose listener it is; "": the server's own
    """

    def __init__(self, broadcast: Broadcast, only: frozenset[str] | None = None, user: str = "") -> None:
        self._broadcast = broadcast
        self.only = only
        self.user = user
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_LIMIT + 1)  # one more, for the end
        self._bytes = 0  # of the queued messages

    async def next(self) -> bytes | None:
        """The next message; None at the end."""
        message = await self._queue.get()
        self._bytes -= len(message or b"")
        return message

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (message := await self.next()) is not None:
            yield message

    def push(self, message: bytes) -> None:
        """Queue `message`, or drop this listener when its queue is full."""
        if self._queue.qsize() >= QUEUE_LIMIT or self._bytes + len(message) > BYTES_LIMIT:
            self.close()
        else:
            self._bytes += len(message)
            self._queue.put_nowait(message)

    def close(self) -> None:
        """End the iteration after the queued messages. Safe twice."""
        if self in self._broadcast.listeners:
            self._broadcast.listeners.discard(self)
            self._queue.put_nowait(None)


class Broadcast:
    """Queues every message for every listener; never waits, never raises."""

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()

    def listen(self, only: frozenset[str] | None = None, user: str = "") -> Listener:
        """only: topics that this listener may receive; None: all."""
        listener = Listener(self, only, user)
        self.listeners.add(listener)
        return listener

    def publish(self, message: bytes, topic: str = "") -> None:
        """topic: what the message is about; with an empty one, only listeners of all topics receive it."""
        for listener in tuple(self.listeners):
            if listener.only is None or topic in listener.only:
                listener.push(message)

    def publish_to(self, user: str, message: bytes) -> None:
        """Queue `message` for the listeners of this user alone."""
        for listener in tuple(self.listeners):
            if listener.only is None and listener.user == user:
                listener.push(message)

    def close(self) -> None:
        """End every listener's iteration."""
        for listener in tuple(self.listeners):
            listener.close()
