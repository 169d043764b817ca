"""For TLS: a plain socket for the pump, joined to an encrypted stream.

The pump knows plain sockets only. It gets one end of a socketpair; a task carries bytes between the other end and the
stream, as fast as the slower side takes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

from tornado.iostream import IOStream, StreamClosedError

CHUNK = 65536  # bytes carried at once
BUFFER = 65536  # bytes the kernel keeps on the way; more would only make an interrupt wait behind output
TAKEN_S = 120.0  # for the client to take a CHUNK: the pump may have given up on it long before, unseen from here
FAREWELL_S = 1.0  # for the close frames to reach clients that still take anything

log = logging.getLogger(__name__)


class Relays:
    """Every relay of one server."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def join(self, stream: IOStream, plain: socket.socket) -> None:
        """Carry what `stream` does through `plain`, one end of a pair(); both are the relay's from here."""
        _prepare(stream)
        task = asyncio.create_task(_relay(stream, plain))
        self._tasks.add(task)  # owned: close() cancels it
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End them all; call it when the pump has closed its ends, so that little is under way any more."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FAREWELL_S)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def pair() -> tuple[socket.socket, socket.socket]:
    """Two plain sockets that are joined: one for the relay, one for the pump."""
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    return ends


def _prepare(stream: IOStream) -> None:
    """An echo is not to wait for the answer to the one before it, nor an interrupt behind megabytes of output.

    As the pump has it of its own sockets, and it sees only the plain one.
    """
    stream.set_nodelay(True)
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None and stream.socket is not None and stream.socket.family in (socket.AF_INET, socket.AF_INET6):
        stream.socket.setsockopt(socket.IPPROTO_TCP, option, BUFFER)


async def _relay(stream: IOStream, plain: socket.socket) -> None:
    """Carry both ways until both are done: either may end first, and what the other still has to say is said."""
    try:
        async with asyncio.TaskGroup() as both:
            inward = both.create_task(_inward(stream, plain))
            both.create_task(_outward(plain, stream, inward))
    except* (StreamClosedError, OSError):
        pass  # the client or the pump has hung up in the middle, or the client takes nothing (TimeoutError)
    except* Exception:
        log.exception("a TLS relay failed")
    finally:
        stream.close()
        plain.close()


async def _inward(stream: IOStream, plain: socket.socket) -> None:
    """Client to pump. The end of the stream is passed on as the end of input; after the pump's own, nothing is."""
    loop = asyncio.get_running_loop()
    try:
        while True:
            await loop.sock_sendall(plain, await stream.read_bytes(CHUNK, partial=True))
    except (StreamClosedError, OSError):
        with contextlib.suppress(OSError):
            plain.shutdown(socket.SHUT_WR)


async def _outward(plain: socket.socket, stream: IOStream, inward: asyncio.Task[None]) -> None:
    """Pump to client. When the pump has closed its end the conversation is over, both ways."""
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(plain, CHUNK):
        written = stream.write(data)
        if not written.done():
            await asyncio.wait((written,), timeout=TAKEN_S)  # which does not cancel it: Tornado could not bear that
            if not written.done():
                raise TimeoutError
        await written
    inward.cancel()
