"""Accepts connections from the listening sockets, checks their address, and passes them to an HTTP server."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from typing import Any

from vibetunnel.http.deadlines import ConnectionDeadlines
from vibetunnel.http.server import FIRST_S, HttpServer
from vibetunnel.security.addresses import UNIX, canonical

AT_ONCE = 128  # connections accepted in one turn of the loop, so that requests are answered in between
REST_S = 1.0  # before the next try if the system has no room for another connection
HANDSHAKE = b"\x16"  # the first byte of every TLS connection (RFC 8446, 5.1: content type `handshake`)

log = logging.getLogger(__name__)


class Acceptor:
    """Accepts connections from `sockets`, which belong to it from here.

    Tornado's acceptor raises when the process has no free descriptor, and is called again at once, forever.

    http       serves the connections
    deadlines  bound the connections that have not sent their first byte
    admits     whether an address (an IP address, or UNIX) may connect
    users      ids of the users who may connect to a unix socket; None: its permissions decide
    tls        the context for the next connections, which may be replaced at any time; None: no TLS
    plain      serves clients that speak plain HTTP to a port with TLS; None: they get TLS errors
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        http: HttpServer,
        deadlines: ConnectionDeadlines,
        *,
        admits: Callable[[str], bool] = lambda _: True,
        users: frozenset[int] | None = None,
        tls: ssl.SSLContext | None = None,
        plain: HttpServer | None = None,
    ) -> None:
        self.tls = tls
        self._sockets = sockets
        self._http = http
        self._deadlines = deadlines
        self._admits = admits
        self._users = users
        self._plain = plain
        self._loop = asyncio.get_running_loop()
        # Few enough per turn that new connections cannot evict each other before their requests are read.
        self._at_once = max(1, min(AT_ONCE, deadlines.per_network // 4))
        self._undecided: set[_Undecided] = set()
        self._rest: asyncio.TimerHandle | None = None
        self._refused = False  # the warning was logged; no second one before a connection is accepted
        self._listen()

    def close(self) -> None:
        """Stop accepting. Safe twice."""
        if self._rest is not None:
            self._rest.cancel()
        self._ignore()
        for each in self._sockets:
            each.close()
        for undecided in tuple(self._undecided):
            undecided.abort()

    def _ignore(self) -> None:
        for each in self._sockets:
            if each.fileno() >= 0:
                self._loop.remove_reader(each)

    def _listen(self) -> None:
        for each in self._sockets:
            self._loop.add_reader(each, self._accept, each)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(self._at_once):
            try:
                connection, address = listening.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue  # the client disconnected before it was accepted
            except OSError as error:  # no descriptor or no memory: the next try would fail in the same way
                if not self._refused:
                    log.warning("no room for another connection: %s; new connections wait", error.strerror)
                self._refused = True
                self._ignore()
                self._rest = self._loop.call_later(REST_S, self._listen)
                return
            self._refused = False
            if not self._may_connect(connection, address):
                connection.close()
                continue
            connection.setblocking(False)
            if self.tls is None or self._plain is None:
                self._http.serve(connection, address, self.tls)
            else:
                _Undecided(self, connection, address)

    def _may_connect(self, connection: socket.socket, address: Any) -> bool:  # Any: each family has its own
        if connection.family == socket.AF_UNIX:
            return self._admits(UNIX) and (self._users is None or _user(connection) in self._users)
        return self._admits(canonical(str(address[0])))

    # What the undecided call

    def decide(self, undecided: _Undecided, connection: socket.socket, *, tls: bool) -> None:
        """Serve a connection whose first byte shows whether it uses TLS."""
        if tls:
            self._http.serve(connection, undecided.address, self.tls, since=undecided.since)
        else:
            assert self._plain is not None
            self._plain.serve(connection, undecided.address, since=undecided.since)

    def expect(self, undecided: _Undecided) -> None:
        """Give a new connection its deadline."""
        self._undecided.add(undecided)
        undecided.network = self._http.network(undecided.address)
        self._deadlines.add(undecided, undecided.since + FIRST_S)

    def forget(self, undecided: _Undecided) -> None:
        """Drop a connection that was decided or closed."""
        self._undecided.discard(undecided)
        self._deadlines.discard(undecided)


class _Undecided:
    """A connection to a port with TLS that has not sent its first byte. It costs no more than a socket."""

    def __init__(self, acceptor: Acceptor, connection: socket.socket, address: Any) -> None:
        self.address = address
        self.network = ""
        self.deadline = 0.0
        self._acceptor = acceptor
        self._connection: socket.socket | None = connection
        self._loop = asyncio.get_running_loop()
        self.since = self._loop.time()
        acceptor.expect(self)
        self._loop.add_reader(connection, self._look)

    def abort(self) -> None:
        """Close it. Safe twice."""
        connection = self._release()
        if connection is not None:
            connection.close()

    def _look(self) -> None:
        assert self._connection is not None
        try:
            first = self._connection.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        if not first:
            self.abort()
            return
        connection = self._release()
        assert connection is not None
        self._acceptor.decide(self, connection, tls=first == HANDSHAKE)

    def _release(self) -> socket.socket | None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._loop.remove_reader(connection)
        self._acceptor.forget(self)
        return connection


def _user(connection: socket.socket) -> int:
    """The user id of the process at the other end of a unix socket, from the kernel."""
    if hasattr(socket, "SO_PEERCRED"):
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[1])
    # LOCAL_PEERCRED gives a struct xucred, which starts with u_int cr_version and uid_t cr_uid (macOS, FreeBSD).
    return int(struct.unpack_from("2I", connection.getsockopt(0, 1, 76))[1])
