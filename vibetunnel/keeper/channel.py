"""A non-blocking unix socket that carries messages; the keeper and the server use it."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections import deque

from vibetunnel.keeper.protocol import DESCRIPTORS_LIMIT, KeeperDecoder, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from vibetunnel.keeper.protocol import KeeperMessage

READ_SIZE = 64 * 1024  # bytes; most frames are much smaller
ANCILLARY_SIZE = socket.CMSG_SPACE(8 * DESCRIPTORS_LIMIT * 4)  # for several frames: the BSDs may join them in one read
CLOEXEC_FLAG = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # absent on macOS, where the flag is set after the read


class Channel:
    """Sends and receives frames with their descriptors. Never blocks.

    pending  bytes queued to be sent; the owner bounds them: it stops reading requests
    mute     the peer has closed: nothing is sent any longer, but what it sent before may still be read
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.pending = 0
        self.mute = False
        self._decoder = KeeperDecoder()
        self._outbox: deque[tuple[memoryview, list[int]]] = deque()

    def fileno(self) -> int:
        return self.sock.fileno()

    def send(self, fields: Mapping[str, Any], descriptors: Mapping[str, int] | None = None) -> None:
        """Queue one message, and send as much as the socket takes.

        descriptors  duplicated if the frame has to be queued: the caller may close its own meanwhile
        Raises ProtocolError when the message is too large, OSError when the peer or the channel has closed, or when the
        frame cannot be queued for want of descriptors; nothing of it has been sent then.
        """
        if self.sock.fileno() < 0:
            raise BrokenPipeError(errno.EPIPE, "the channel is closed")
        if self.mute:
            return
        named = descriptors or {}
        data = memoryview(encode(fields, tuple(named)))
        if not self._outbox:
            data, named = self._send_now(data, named)
            if not data:
                return
        copies: list[int] = []
        try:
            for descriptor in named.values():
                copies.append(os.dup(descriptor))  # noqa: PERF401  # those made before a failure must be closed
        except OSError:
            _close_all(copies)
            raise
        self._outbox.append((data, copies))
        self.pending += len(data)
        self.flush()

    def _send_now(self, data: memoryview, named: Mapping[str, int]) -> tuple[memoryview, Mapping[str, int]]:
        """Send without a copy of the descriptors. Returns what is left to send."""
        try:
            sent = socket.send_fds(self.sock, [data], list(named.values())) if named else self.sock.send(data)
        except BlockingIOError:
            return data, named
        return data[sent:], {}

    def flush(self) -> None:
        """Send until the socket is full or nothing is left."""
        while self._outbox:
            data, descriptors = self._outbox[0]
            try:
                sent = socket.send_fds(self.sock, [data], descriptors) if descriptors else self.sock.send(data)
            except BlockingIOError:
                return
            # Descriptors travel with the first byte; the rest of the frame goes without them.
            _close_all(descriptors)
            self.pending -= sent
            if sent == len(data):
                self._outbox.popleft()
            else:
                self._outbox[0] = (data[sent:], [])

    def receive(self) -> bool:
        """Read once; False when the peer has closed. `messages` then has the complete messages."""
        try:
            # socket.recv_fds passes no flags on.
            data, ancillary, flags, _ = self.sock.recvmsg(READ_SIZE, ANCILLARY_SIZE, CLOEXEC_FLAG)
        except BlockingIOError:
            return True
        descriptors: list[int] = []
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                count = len(payload) // 4
                descriptors += struct.unpack(f"{count}i", payload[: count * 4])
        if not CLOEXEC_FLAG:
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)
        self._decoder.feed(data, descriptors, lost=bool(flags & socket.MSG_CTRUNC))
        return bool(data)

    def messages(self) -> Iterator[KeeperMessage]:
        """The messages that have arrived completely. Raises ProtocolError."""
        return self._decoder.messages()

    def peer_uid(self) -> int:
        """The user id of the peer, from the kernel."""
        if hasattr(socket, "SO_PEERCRED"):
            credentials = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            return int(struct.unpack("3i", credentials)[1])
        # LOCAL_PEERCRED gives a struct xucred, which begins with u_int cr_version and uid_t cr_uid (macOS, FreeBSD).
        return int(struct.unpack_from("2I", self.sock.getsockopt(0, 1, 76))[1])

    def silence(self) -> None:
        """Send nothing any longer; what the peer sent before it closed can still be read."""
        self.mute = True
        self._drop_outbox()

    def close(self) -> None:
        """Close the socket, and every descriptor that is still queued. Safe twice."""
        self.sock.close()
        self._decoder.close()
        self._drop_outbox()

    def _drop_outbox(self) -> None:
        while self._outbox:
            _close_all(self._outbox.popleft()[1])
        self.pending = 0


def _close_all(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())
