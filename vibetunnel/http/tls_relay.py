"""Relays between a plain socket and a connection that has no plain socket of its own: TLS, or bytes already read.

The pump knows plain sockets only. It gets one end of a socketpair. A task copies bytes between the other end and the
connection, as fast as the slower side reads them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

CHUNK = 65536  # bytes copied at once
BUFFER = 65536  # bytes that the kernel may buffer; more would only delay the echo of an interrupt
TAKEN_S = 120.0  # for the client to read a CHUNK; the pump may have dropped the client earlier, unseen from here
FAREWELL_S = 1.0  # for the close frames to reach clients that still read

log = logging.getLogger(__name__)


class Relays:
    """The relays of one server."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, plain: socket.socket) -> None:
        """Relay a connection through `plain`, one end of a pair(). Both belong to the relay from here."""
        _prepare(writer)
        task = asyncio.create_task(_relay(reader, writer, plain))
        self._tasks.add(task)  # owned: close() cancels it
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End all relays. To be called after the pump has closed its ends, when little is left to copy."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FAREWELL_S)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def pair(buffer: int = BUFFER) -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets, one for the relay. buffer: bytes that the kernel may hold in each direction."""
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    return ends


def _prepare(writer: asyncio.StreamWriter) -> None:
    """Keep the buffers of a connection small, so that output after an interrupt need not wait for megabytes.

    The pump does the same with its own sockets, but it sees only the plain end.
    """
    writer.transport.set_write_buffer_limits(high=1)  # with 0, asyncio's TLS would wait forever
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    own = writer.get_extra_info("socket")
    if option is not None and own.family in (socket.AF_INET, socket.AF_INET6):
        own.setsockopt(socket.IPPROTO_TCP, option, BUFFER)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, plain: socket.socket) -> None:
    """Copy both ways until both directions have ended: when one ends, the other is still copied to its end."""
    try:
        async with asyncio.TaskGroup() as both:
            inward = both.create_task(_inward(reader, plain))
            both.create_task(_outward(plain, writer, inward))
    except* OSError:
        writer.transport.abort()  # the client or the pump has disconnected, or the client does not read
    except* Exception:
        log.exception("a relay failed")
    finally:
        writer.close()
        plain.close()


async def _inward(reader: asyncio.StreamReader, plain: socket.socket) -> None:
    """Copy from client to pump, and pass the end of the stream on. After the pump has closed, nothing is copied."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            await loop.sock_sendall(plain, data)
    with contextlib.suppress(OSError):
        plain.shutdown(socket.SHUT_WR)


async def _outward(plain: socket.socket, writer: asyncio.StreamWriter, inward: asyncio.Task[None]) -> None:
    """Copy from pump to client. When the pump closes its end, both directions are over."""
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(plain, CHUNK):
        if writer.is_closing():  # the client has disconnected; uvloop's write would raise RuntimeError
            raise ConnectionResetError
        writer.write(data)
        async with asyncio.timeout(TAKEN_S):
            await writer.drain()
    inward.cancel()
