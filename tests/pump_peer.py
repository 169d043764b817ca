"""Blocking WebSocket peers of a pump or a server, and programs on real PTYs."""

import os
import pty
import select
import signal
import socket
import termios
import time
import tty
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from harness import DEADLINE_S

from vibetunnel import protocol
from vibetunnel._ext import frames
from vibetunnel._ext.pump import Client, Event, Pump, Terminal

KEY = b"\x01\x02\x03\x04"


def new_ring(size: int = 262144) -> int:
    fd = os.memfd_create("ring")
    os.ftruncate(fd, 4096 + size + 2 * 1024 * 1024)
    return fd


class Program:
    """A program on a PTY of its own. `fd` is the test's descriptor of the master."""

    def __init__(self, *argv: str, raw: bool = False) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.pop("LD_PRELOAD", None)  # the sanitizer is for the extension, not for cat
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell cannot trap a signal that was ignored at its start
            os.execvp(argv[0], argv)
        if raw:
            tty.setraw(self.fd, termios.TCSANOW)

    def give(self) -> int:
        """Another descriptor of the master, for a pump to own."""
        return os.dup(self.fd)

    def wait(self) -> int:
        """Reap it; its exit code."""
        if self.pid:
            pid, self.pid = self.pid, 0
            self.code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return self.code

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def deflated(data: bytes, level: int = 1) -> bytes:
    """A message's payload with permessage-deflate (RFC 7692 §7.2.1)."""
    engine = zlib.compressobj(level, zlib.DEFLATED, -15)
    whole = engine.compress(data) + engine.flush(zlib.Z_SYNC_FLUSH)
    return whole.removesuffix(b"\0\0\xff\xff")


def inflated(payload: bytes) -> bytes:
    """The contents of a compressed message (RFC 7692 §7.2.2), which must not depend on earlier messages."""
    engine = zlib.decompressobj(-15)
    data = engine.decompress(payload + b"\0\0\xff\xff")
    assert not engine.eof, "no block may be marked as the last"
    assert not engine.unconsumed_tail
    return data


class Peer:
    """A blocking WebSocket client on a connected socket, after the upgrade.

    received  bytes of frames that were read with the answer
    """

    def __init__(
        self, connected: socket.socket, *, v1: bool = False, deflates: bool = False, received: bytes = b""
    ) -> None:
        self.socket = connected
        self.socket.settimeout(DEADLINE_S)
        self.decoder = frames.Decoder(limit=1 << 24, masked=False, deflate=deflates)
        self.waiting: list[frames.Message] = self.decoder.feed(received)
        self.output = b""
        self.offset = 0  # v1: of the end of the output
        self.sent = 0  # v1: input bytes
        self.seen: list[protocol.ServerMessage] = []  # v1, without output
        self.compressed: list[tuple[int, int]] = []  # size of each compressed message, inflated and on the wire
        self.pings = 0
        self.pongs = 0
        self.ended = False
        self.close_code: int | None = None
        self.close_reason = ""
        self.v1 = v1

    def send(self, opcode: int, payload: bytes, *, fin: bool = True) -> None:
        self.socket.sendall(frames.encode(opcode, payload, fin=fin, mask=KEY))

    def answer(self, opcode: int, payload: bytes) -> None:
        """Send. If the other side has closed the connection, the next step() sees that."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.send(opcode, payload)

    def type_in(self, data: bytes) -> None:
        if self.v1:
            self.ask(protocol.Input(self.sent, data))
            self.sent += len(data)
        else:
            self.send(frames.BINARY, data)

    def paste(self, data: bytes) -> None:
        """Type `data` in pieces of 32 KiB, which blocks while the pump does not read."""
        for start in range(0, len(data), 32768):
            self.type_in(data[start : start + 32768])

    def ask(self, message: protocol.ClientMessage) -> None:
        self.send(frames.BINARY, protocol.encode(message))

    def step(self) -> bool:
        """Take one message. False after the end of the connection."""
        while not self.waiting:
            try:
                data = self.socket.recv(1 << 18)
            except ConnectionResetError:
                data = b""
            if not data:
                self.ended = True
                return False
            self.waiting = self.decoder.feed(data)
        message = self.waiting.pop(0)
        if message.opcode & frames.COMPRESSED:
            data = inflated(message.data)
            self.compressed.append((len(data), len(message.data)))
            message = frames.Message(message.opcode & ~frames.COMPRESSED, data)
        if message.opcode == frames.PING:
            self.pings += 1
            self.answer(frames.PONG, message.data)
        elif message.opcode == frames.PONG:
            self.pongs += 1
        elif message.opcode == frames.CLOSE:
            self.close_code = int.from_bytes(message.data[:2], "big") if message.data else 1005
            self.close_reason = message.data[2:].decode()
            self.answer(frames.CLOSE, message.data[:2])
        elif message.opcode == frames.BINARY and self.v1:
            self.take(protocol.decode(message.data))
        elif message.opcode == frames.BINARY:
            self.output += message.data
        return True

    def take(self, message: object) -> None:
        if isinstance(message, protocol.Output):
            assert message.offset == self.offset, "output is contiguous"
            self.output += message.data
            self.offset = message.offset + len(message.data)
            self.answer(frames.BINARY, protocol.encode(protocol.Ack(self.offset)))
        else:
            if isinstance(message, protocol.Hello):
                self.offset = message.start
            elif isinstance(message, protocol.Redraw | protocol.Damage):
                self.output += message.data
                self.offset = message.offset
                self.answer(frames.BINARY, protocol.encode(protocol.Ack(self.offset)))
            self.seen.append(message)  # type: ignore[arg-type]

    def until(self, wanted: bytes | Callable[[], bool]) -> bytes:
        """Read until the output contains `wanted`, or the condition holds."""
        limit = time.monotonic() + DEADLINE_S
        holds = wanted if callable(wanted) else lambda: wanted in self.output
        while not holds():
            assert time.monotonic() < limit, f"waited too long; output ends in {self.output[-200:]!r}"
            assert self.step(), f"connection over ({self.close_code}); output ends in {self.output[-200:]!r}"
        return self.output

    def until_over(self) -> None:
        """Read until the connection ends."""
        while self.step():
            pass

    def message(self, kind: type) -> Any:
        """Remove the first v1 message of this kind from `seen`; read until there is one."""
        self.until(lambda: any(isinstance(m, kind) for m in self.seen))
        found = next(m for m in self.seen if isinstance(m, kind))
        self.seen.remove(found)
        return found

    def close(self) -> None:
        self.socket.close()


class PumpPeer(Peer):
    """A peer on one end of a socketpair; a pump has the other, without any HTTP in between.

    buffer  size of the kernel's socket buffers (Linux doubles it); the pump sets its own size for `latest` clients
    narrow  keep `buffer` against the pump, so that each write sends only a part
    """

    def __init__(self, terminal: Terminal, *, buffer: int = 0, narrow: bool = False, **options: Any) -> None:
        ours, theirs = socket.socketpair()
        again = theirs.dup()
        if buffer:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        super().__init__(ours, v1=bool(options.get("v1")), deflates=bool(options.get("deflates")))
        try:
            self.client: Client = terminal.attach(theirs.detach(), options.pop("response", b""), **options)
            if narrow:
                again.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        except BaseException:
            ours.close()
            raise
        finally:
            again.close()


def connect(port: int, path: str, *, v1: bool = False, headers: dict[str, str] | None = None) -> Peer:
    """A peer of a server on this machine, after the upgrade. Raises ConnectionError with the answer if it is refused.

    Messages are compressed if `headers` ask for it (Sec-WebSocket-Extensions) and the server agrees.
    """
    connected = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        *([f"Sec-WebSocket-Protocol: {protocol.SUBPROTOCOL}"] if v1 else []),
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    connected.sendall("\r\n".join([*lines, "", ""]).encode())
    answer = b""
    while b"\r\n\r\n" not in answer:
        data = connected.recv(4096)
        answer += data
        if not data:
            break
    head, _, received = answer.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101 "):
        connected.close()
        raise ConnectionError(answer.decode(errors="replace"))
    return Peer(connected, v1=v1, deflates=b"permessage-deflate" in head, received=received)


def events_until(pump: Pump, condition: Callable[[list[Event]], bool]) -> list[Event]:
    """All events until the condition holds for them."""
    events: list[Event] = []
    limit = time.monotonic() + DEADLINE_S
    while True:
        events += pump.take_events()
        if condition(events):
            return events
        assert time.monotonic() < limit, f"waited too long; events so far: {[e.kind for e in events]}"
        select.select([pump], [], [], 1.0)


@contextmanager
def no_leaked_descriptors() -> Iterator[None]:
    before = set(os.listdir("/dev/fd"))
    yield
    after = set(os.listdir("/dev/fd"))
    assert len(after) <= len(before), f"descriptors left open: {after - before}"
