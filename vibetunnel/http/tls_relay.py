"""A plain socket, joined to a connection that is encrypted, or that has more to say than what is in its socket.

The pump knows plain sockets only. It gets one end of a socketpair; a task carries bytes between the other end and the
connection, as fast as the slower side takes them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket

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

    def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, plain: socket.socket) -> None:
        """Carry what a connection does through `plain`, one end of a pair(); both are the relay's from here."""
        _prepare(writer)
        task = asyncio.create_task(_relay(reader, writer, plain))
        self._tasks.add(task)  # owned: close() cancels it
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End them all; call it when the pump has closed its ends, so that little is under way any more."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FAREWELL_S)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def pair(buffer: int = BUFFER) -> tuple[socket.socket, socket.socket]:
    """Two plain sockets that are joined: one for the relay, one for the other. buffer: bytes on the way each way."""
    ends = socket.socketpair()
    for end in ends:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    return ends


def _prepare(writer: asyncio.StreamWriter) -> None:
    """An interrupt is not to wait behind megabytes of output.

    As the pump has it of its own sockets, and it sees only the plain one.
    """
    writer.transport.set_write_buffer_limits(high=1)  # with 0, asyncio's TLS would wait for nothing, and for ever
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    own = writer.get_extra_info("socket")
    if option is not None and own.family in (socket.AF_INET, socket.AF_INET6):
        own.setsockopt(socket.IPPROTO_TCP, option, BUFFER)


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, plain: socket.socket) -> None:
    """Carry both ways until both are done: either may end first, and what the other still has to say is said."""
    try:
        async with asyncio.TaskGroup() as both:
            inward = both.create_task(_inward(reader, plain))
            both.create_task(_outward(plain, writer, inward))
    except* OSError:
        writer.transport.abort()  # the client or the pump has hung up in the middle, or the client takes nothing
    except* Exception:
        log.exception("a relay failed")
    finally:
        writer.close()
        plain.close()


async def _inward(reader: asyncio.StreamReader, plain: socket.socket) -> None:
    """Client to pump. The end of the stream is passed on as the end of input; after the pump's own, nothing is."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            await loop.sock_sendall(plain, data)
    with contextlib.suppress(OSError):
        plain.shutdown(socket.SHUT_WR)


async def _outward(plain: socket.socket, writer: asyncio.StreamWriter, inward: asyncio.Task[None]) -> None:
    """Pump to client. When the pump has closed its end the conversation is over, both ways."""
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(plain, CHUNK):
        writer.write(data)
        async with asyncio.timeout(TAKEN_S):
            await writer.drain()
    inward.cancel()
