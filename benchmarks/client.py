"""The load client: blocking sockets, no event loop, buffers made in advance, so that it costs next to nothing."""

import array
import base64
import gc
import hashlib
import mmap
import os
import random
import select
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from benchmarks import deflate
from benchmarks.content import Content
from benchmarks.errors import Wrong
from benchmarks.frames import Walk
from benchmarks.link import FAST, Bucket, Link
from benchmarks.wires import Wire

DEADLINE_S = 20  # for any one answer
LEAST_RATE = 1024 * 1024  # bytes of output a second, below which a transfer has failed
RECEIVE = 256 * 1024  # bytes asked for at once
MASK = os.urandom(4)  # one for the whole run, so that frames can be built in advance
KEYS = b"abcdefghijklmnopqrstuvwxyz0123456789"  # typed in turn; no interface has to escape them
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PAGE = 4096
ETHERNET = 1448  # bytes in a segment with time stamps
TAIL = 200  # bytes; more than any marker

Address = tuple[str, int]


class Upgraded(NamedTuple):
    """A connection after its upgrade to a WebSocket.

    headers    of the server's answer, their names in lower case
    received   bytes that came after the answer
    """

    connection: socket.socket
    headers: dict[str, str]
    received: bytes


def connect(address: Address, link: Link = FAST) -> socket.socket:
    """A blocking connection without Nagle's delay, whose calls fail after DEADLINE_S."""
    connection = socket.socket(socket.AF_INET)
    if link.receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, link.receive_buffer)
        # Loopback's segments of 64 KiB do not fit into such a buffer: the sender would wait for its timer.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, ETHERNET)
    try:
        connection.settimeout(DEADLINE_S)
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    # Not settimeout(): with a timeout, Python polls before every call.
    connection.setblocking(True)
    deadline = struct.pack("ll", DEADLINE_S, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, deadline)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, deadline)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def upgrade(
    address: Address, path: str, link: Link = FAST, *, protocol: str = "", headers: Mapping[str, str] | None = None
) -> Upgraded:
    """Ask for a WebSocket, with a subprotocol if one is named.

    headers   sent in addition
    Raises Wrong unless the answer agrees.
    """
    connection = connect(address, link)
    try:
        key = base64.b64encode(os.urandom(16))
        offered = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
        offered += "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key.decode()}\r\n{offered}\r\n".encode("ascii")
        )
        head, rest = read_head(connection, f"GET {path}")
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID).digest())
        if not head.startswith(b"HTTP/1.1 101 ") or accept not in head:
            raise Wrong(f"GET {path}: expected 101 and the right Sec-WebSocket-Accept, got {head[:300]!r}")
        lines = [line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:]]
        found = {name.strip().lower(): value.strip() for name, _, value in lines}
        if found.get("sec-websocket-protocol", "") != protocol:
            raise Wrong(f"GET {path}: expected the subprotocol {protocol!r}, got {head[:300]!r}")
        if deflate.HEADER.lower() in found and deflate.HEADER not in (headers or {}):
            raise Wrong(f"GET {path}: expected no extension, for none was offered, got {head[:300]!r}")
    except BaseException:
        connection.close()
        raise
    return Upgraded(connection, found, rest)


class Terminal:
    """One attached client.

    connection   blocking
    wire         the interface that its bytes are wrapped in
    taken        bytes that read() has taken from the socket, headers included
    """

    def __init__(self, connection: socket.socket, wire: Wire, received: bytes = b"", link: Link = FAST) -> None:
        self.connection = connection
        self.wire = wire
        self.taken = len(received)
        self._bucket = None if link.rate is None else Bucket(link.rate)
        self._buffer = memoryview(mmap.mmap(-1, RECEIVE))  # pages that are not used take no memory
        self._early = wire.decode(memoryview(received)) if received else b""
        self._received = 0  # bytes in receive()'s memory

    def send(self, data: bytes) -> None:
        self.connection.sendall(self.wire.encode(data))

    def readable(self, within_s: float) -> bool:
        """Whether something to read arrives within that time."""
        return bool(self._early or select.select([self.connection], (), (), max(0, within_s))[0])

    def read(self) -> bytes:
        """Wait for some bytes of the socket, and for the link. Returns the output in them, which may be empty."""
        if self._early:
            early, self._early = self._early, b""
            self._reply()
            return early
        buffer = self._buffer
        if self._bucket is not None:
            while (wait_s := self._bucket.wait_s()) > 0:
                time.sleep(wait_s)
            buffer = buffer[: self._bucket.room()]
        with answers("terminal"):
            size = self.connection.recv_into(buffer)
        if not size:
            raise Wrong("terminal: expected output, got the end of the connection")
        self.taken += size
        if self._bucket is not None:
            self._bucket.took(size)
        output = self.wire.decode(buffer[:size])
        self._reply()
        return output

    def _reply(self) -> None:
        if self.wire.replies:
            self.connection.sendall(self.wire.replies)

    def until(self, marker: bytes, *, size: int = 0) -> None:
        """Read until `marker` has come, and the redraw is complete.

        size   bytes that are printed before the marker
        Raises Wrong if it does not come within DEADLINE_S, plus the time that `size` takes at LEAST_RATE.
        """
        patience_s = DEADLINE_S + size / LEAST_RATE
        give_up = time.monotonic() + patience_s
        tail = Tail(marker)
        while not tail.found or self.wire.redraw:
            if time.monotonic() > give_up:
                raise Wrong(f"expected {marker!r} within {patience_s:.0f} s, got {tail.last!r}")
            tail.add(self.read())

    def echoes(self, keys: int, interval_s: float, *, warmup: int) -> list[int]:
        """Type on a schedule, even when echoes are late. Returns the ns from each key to its own echo.

        warmup   keys that are typed and checked first, and not returned
        Raises Wrong for an echo that is not the next key's, and if one is missing DEADLINE_S after the last key.
        """
        total = warmup + keys
        frames = [self.wire.encode(KEYS[at : at + 1]) for at in range(len(KEYS))]
        # Irregular, so that it does not beat with a server's timer; the same in every run.
        chance = random.Random(1)
        gaps = [int(interval_s * 1e9 * chance.uniform(0.75, 1.25)) for _ in range(total)]
        sent_at, took = array.array("q", bytes(8 * total)), array.array("q", bytes(8 * total))
        sent = echoed = 0
        connection, buffer, now_ns = self.connection, self._buffer, time.perf_counter_ns
        readable = [connection]
        with quiet(), answers("echo"):
            due = now_ns()
            while echoed < total:
                if sent < total:
                    early_ns = due - now_ns()
                    if early_ns <= 0:
                        sent_at[sent] = now_ns()
                        connection.sendall(frames[sent % len(KEYS)])
                        due += gaps[sent]
                        sent += 1
                        continue
                    wait_s = early_ns / 1e9
                else:
                    wait_s = max(0, DEADLINE_S + (due - now_ns()) / 1e9)
                if not select.select(readable, (), (), wait_s)[0] or not wait_s:
                    if sent == total:
                        raise Wrong(f"expected the echo of key {echoed} within {DEADLINE_S} s, got none")
                    continue
                size = connection.recv_into(buffer)
                at = now_ns()
                if not size:
                    raise Wrong(f"expected the echo of key {echoed}, got the end of the connection")
                for byte in self.wire.decode(buffer[:size]):
                    if echoed == sent or byte != KEYS[echoed % len(KEYS)]:
                        raise Wrong(f"expected the echo of key {echoed} of {sent} typed, got {bytes([byte])!r}")
                    took[echoed] = at - sent_at[echoed]
                    echoed += 1
        return took[warmup:].tolist()

    def receive(self, content: Content, memory: memoryview, *, start: bytes) -> float:
        """Type `start`, and receive as many bytes as `content` has. Returns the seconds until the last byte.

        memory   has room for content and framing, and touched pages; check_received() reads it
        Raises Wrong if nothing comes for DEADLINE_S, or if the whole is slower than LEAST_RATE.
        """
        walk, end = Walk(), 0
        patience_s = DEADLINE_S + content.size / LEAST_RATE
        connection, wire = self.connection, self.wire
        with quiet(), answers("transfer"):
            started = time.perf_counter()
            self.send(start)
            while not wire.whole(walk, memory, end, content):
                if end == len(memory):
                    raise Wrong(f"output: expected {content.size} bytes, got {end} on the wire and more to come")
                try:
                    size = connection.recv_into(memory[end : end + RECEIVE])
                except BlockingIOError:
                    got = f"{end} on the wire, then nothing for {DEADLINE_S} s"
                    raise Wrong(f"output: expected {content.size} bytes, got {got}") from None
                if not size:
                    raise Wrong(f"output: expected {content.size} bytes, got the end of the connection after {end}")
                end += size
                if time.perf_counter() - started > patience_s:
                    raise Wrong(f"output: expected {content.size} bytes in {patience_s:.0f} s, got {end} on the wire")
            took_s = time.perf_counter() - started
        self._received = end
        return took_s

    def check_received(self, content: Content, memory: memoryview) -> None:
        """Raises Wrong unless the last receive() got `content`, byte for byte."""
        content.check(self.wire.output_in(memory, self._received))

    def close(self) -> None:
        self.connection.close()


class Tail:
    """Looks for a marker in a stream, however the stream is cut, and keeps only the end of it.

    found   the marker has come
    last    the end of the stream so far
    """

    def __init__(self, marker: bytes) -> None:
        self.found = False
        self.last = b""
        self._marker = marker

    def add(self, piece: bytes) -> bool:
        """Whether the marker has come by now."""
        last = self.last + piece
        self.found = self.found or self._marker in last
        self.last = last[-TAIL:]
        return self.found


def touched(size: int) -> memoryview:
    """Memory for Terminal.receive(), with all its pages in place."""
    memory = memoryview(bytearray(size))
    memory[::PAGE] = b"\1" * len(memory[::PAGE])
    return memory


@contextmanager
def answers(what: str) -> Iterator[None]:
    """Raises Wrong for a peer that is silent for DEADLINE_S, or resets the connection."""
    try:
        yield
    except BlockingIOError:
        raise Wrong(f"{what}: expected something within {DEADLINE_S} s, got nothing") from None
    except ConnectionError as error:
        raise Wrong(f"{what}: {error}") from error


def read_head(connection: socket.socket, what: str) -> tuple[bytes, bytes]:
    """The head of an HTTP answer, without the empty line that ends it, and what has come after that line."""
    answer = b""
    with answers(what):
        while b"\r\n\r\n" not in answer:
            more = connection.recv(RECEIVE)
            if not more:
                raise Wrong(f"{what}: expected an answer, got {answer!r} and the end of the connection")
            answer += more
    head, _, rest = answer.partition(b"\r\n\r\n")
    return head, rest


@contextmanager
def quiet() -> Iterator[None]:
    """No garbage collection in this process during a measurement."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
