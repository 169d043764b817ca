"""The keeper's peers: connections are accepted, greeted, refused and dropped here; one of them is the server."""

from __future__ import annotations

import os
import select
import selectors
import socket
import time

from vibetunnel.keeper.channel import Channel
from vibetunnel.keeper.protocol import VERSION, KeeperFrameError, KeeperMessage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from vibetunnel.keeper.log import Log
    from vibetunnel.keeper.requests import Requests
    from vibetunnel.keeper.runtime_dir import RuntimeDir

HELLO_S = 5.0  # for a new peer to say hello
FAREWELL_S = 1.0  # for a refused peer to read the reason
ACCEPT_AGAIN_S = 1.0  # after an accept that failed
STRANGERS_LIMIT = 8  # peers that are not the server
OUTBOX_HIGH = 256 * 1024  # bytes of unsent answers; above this no request is read


class Peer:
    """One connection.

    deadline  when it is dropped unless it has said hello, or read its refusal; None for the server
    """

    __slots__ = ("channel", "deadline", "refused", "watched")

    def __init__(self, channel: Channel, deadline: float) -> None:
        self.channel = channel
        self.deadline: float | None = deadline
        self.refused = False
        self.watched = 0  # events asked of the selector


class Peers:
    """All connections.

    server_pid  process id of the latest server; 0: there was none yet
    """

    def __init__(
        self, selector: selectors.BaseSelector, runtime_dir: RuntimeDir, requests: Requests, *, log: Log
    ) -> None:
        self.server_pid = 0
        self._selector = selector
        self._runtime_dir = runtime_dir
        self._requests = requests
        self._log = log
        self._peers: set[Peer] = set()
        self._server: Peer | None = None
        self._accept_again_at: float | None = None

    @property
    def served(self) -> bool:
        """Whether a server is connected."""
        return self._server is not None

    def listen(self) -> None:
        """Accept connections, unless accepting has just failed: on_time() then does it later."""
        if self._accept_again_at is None:
            self._runtime_dir.listener.setblocking(False)
            self._selector.register(self._runtime_dir.listener, selectors.EVENT_READ, self._accept)

    def stop_listening(self) -> None:
        if self._accept_again_at is None:
            self._selector.unregister(self._runtime_dir.listener)

    def deadlines(self) -> Iterator[float]:
        """The times at which on_time() has something to do."""
        if self._accept_again_at is not None:
            yield self._accept_again_at
        for peer in self._peers:
            if peer.deadline is not None:
                yield peer.deadline

    def on_time(self, now: float) -> None:
        """Accept again, and drop the peers whose deadline has passed."""
        if self._accept_again_at is not None and now >= self._accept_again_at:
            self._accept_again_at = None
            self.listen()
        if self._server is not None and self._requests.adoption_is_due(now):
            self.serve(self._server)
        for peer in list(self._peers):
            if peer.deadline is not None and now >= peer.deadline:
                self.drop(peer)

    def send(self, fields: dict[str, Any], descriptors: dict[str, int] | None = None) -> bool:
        """Send to the server. False: it may never get it, since a part is queued, or the connection was dropped.

        True for a server that has closed its end, too: it reads nothing any longer, so it misses no message.
        """
        server = self._server
        if server is None:
            return False
        try:
            self._tell(server, lambda: server.channel.send(fields, descriptors))
            self._watch(server)
        except OSError as error:
            self._log.write(f"the server cannot be reached: {error.strerror}")
            self.drop(server)
        return server is self._server and not server.channel.pending

    def serve(self, peer: Peer) -> None:
        """Send what is queued, read what has arrived, and answer it."""
        try:
            self._tell(peer, peer.channel.flush)
            alive = True
            if peer.channel.pending < OUTBOX_HIGH:
                alive = self._discard(peer) if peer.refused else self._read(peer)
            if peer is self._server:
                self._tell(peer, lambda: self._requests.continue_adoption(peer.channel))
        except OSError:
            alive = False
        if alive and peer in self._peers:
            self._watch(peer)
        else:
            self.drop(peer)

    def _tell(self, peer: Peer, send: Callable[[], None]) -> None:
        """Send. A peer that has closed gets no more, but what it sent before still counts and is read to its end."""
        try:
            send()
        except (BrokenPipeError, ConnectionResetError):
            peer.channel.silence()

    def drop(self, peer: Peer) -> None:
        if peer not in self._peers:
            return
        self._peers.remove(peer)
        if peer.watched:
            self._selector.unregister(peer.channel)
        peer.channel.close()
        if peer is self._server:
            self._server = None
            self._requests.server_left()
            self._log.write("the server has left")

    def close(self) -> None:
        self._runtime_dir.listener.close()
        for peer in list(self._peers):
            self.drop(peer)

    def _accept(self) -> None:
        try:
            sock, _ = self._runtime_dir.listener.accept()
        except OSError as error:
            # No descriptor is left, most likely. The peer stays in the queue, so an immediate retry would spin.
            self._log.write(f"a connection could not be accepted: {error.strerror}")
            self.stop_listening()
            self._accept_again_at = time.monotonic() + ACCEPT_AGAIN_S
            return
        channel = Channel(sock)
        strangers = sum(peer is not self._server for peer in self._peers)
        if channel.peer_uid() != os.geteuid() or strangers >= STRANGERS_LIMIT:
            self._log.write("turned a connection away: another user's, or one too many")
            channel.close()
            return
        peer = Peer(channel, time.monotonic() + HELLO_S)
        self._peers.add(peer)
        self._watch(peer)

    def _watch(self, peer: Peer) -> None:
        events = selectors.EVENT_READ if peer.channel.pending < OUTBOX_HIGH else 0
        if peer.channel.pending:
            events |= selectors.EVENT_WRITE
        if events == peer.watched:
            return
        if not peer.watched:
            self._selector.register(peer.channel, events, peer)
        else:
            self._selector.modify(peer.channel, events, peer)
        peer.watched = events

    def _discard(self, peer: Peer) -> bool:
        # Until the peer disconnects: a close with unread bytes would take the refusal from it.
        try:
            return bool(peer.channel.sock.recv(65536))
        except BlockingIOError:
            return True

    def _read(self, peer: Peer) -> bool:
        try:
            alive = peer.channel.receive()
            for message in peer.channel.messages():
                message.close()  # no request brings descriptors
                if peer is self._server:
                    self._requests.answer(message)
                else:
                    self._greet(peer, message)
                if peer.refused:
                    break
                if peer not in self._peers:
                    return False  # lost while it was answered
        except KeeperFrameError as error:
            self._refuse(peer, "error", str(error))
            return True
        return alive

    def _greet(self, peer: Peer, message: KeeperMessage) -> None:
        if message.kind != "hello":
            raise KeeperFrameError(f"the first message must be hello, not {message.kind}")
        version = message.get("version", int)
        if version != VERSION:
            self._refuse(
                peer, "refused", f"the keeper speaks protocol version {VERSION}, the server {version}", code="version"
            )
            return
        if self._server and not self._has_left(self._server):
            pid = self.server_pid
            self._refuse(peer, "refused", f"the keeper serves another server, process {pid}", code="busy", holder=pid)
            return
        self.server_pid = message.get("pid", int)
        self._server = peer
        self._requests.counts = message.get("left", bool, False)
        peer.deadline = None
        peer.channel.send({"type": "welcome", "version": VERSION, "pid": os.getpid(), "announces": True})
        self._log.write(f"serves process {self.server_pid}")

    def _refuse(self, peer: Peer, kind: str, reason: str, **fields: Any) -> None:
        """Send the reason, then leave the peer a moment to read it."""
        self._log.write(f"refused a connection: {kind}")
        if peer is self._server:
            self._server = None
            self._requests.server_left()
        peer.refused = True
        peer.deadline = time.monotonic() + FAREWELL_S
        peer.channel.send({"type": kind, "reason": reason, "version": VERSION, **fields})
        peer.channel.sock.shutdown(socket.SHUT_WR)

    def _has_left(self, server: Peer) -> bool:
        # The end of a server and the next one's hello may arrive in one turn. The first one's requests still count.
        poll = select.poll()
        poll.register(server.channel, 0)
        if not poll.poll(0):
            return False
        try:
            while server is self._server and self._read(server):
                continue
        except OSError:
            pass
        self.drop(server)
        return True
