"""Connections come in here: from listening sockets to the HTTP server, with a rest when there is room for no more."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Sequence
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, SSLIOStream

AT_ONCE = 128  # connections taken in one turn of the loop; requests are to be answered in between
REST_S = 1.0  # before the next try when the system refuses one more

log = logging.getLogger(__name__)


class Acceptor:
    """Takes connections from `sockets`, which are its own from here.

    Tornado's own lets the error of a process without free descriptors escape, and is called again at once: for ever.
    """

    def __init__(self, sockets: Sequence[socket.socket], http: HTTPServer, tls: ssl.SSLContext | None) -> None:
        self._sockets = sockets
        self._http = http
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._rest: asyncio.TimerHandle | None = None
        self._refused = False  # said once, until a connection comes in again
        self._listen()

    def close(self) -> None:
        """Take no more. Safe twice."""
        if self._rest is not None:
            self._rest.cancel()
        self._ignore()
        for each in self._sockets:
            each.close()

    def _ignore(self) -> None:
        for each in self._sockets:
            if each.fileno() >= 0:
                self._loop.remove_reader(each)

    def _listen(self) -> None:
        for each in self._sockets:
            self._loop.add_reader(each, self._accept, each)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, address = listening.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue  # gone before its turn came
            except OSError as error:  # no descriptor, no memory: the next try would fail in the same way
                if not self._refused:
                    log.warning("no room for another connection: %s; connections wait until there is", error.strerror)
                self._refused = True
                self._ignore()
                self._rest = self._loop.call_later(REST_S, self._listen)
                return
            self._refused = False
            self._serve(connection, address)

    def _serve(self, connection: socket.socket, address: Any) -> None:  # Any: each family has its own
        size = self._http.max_buffer_size
        if self._tls is None:
            self._http.handle_stream(IOStream(connection, max_buffer_size=size), address)
            return
        try:
            wrapped = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        except OSError:  # it has hung up already
            connection.close()
            return
        self._http.handle_stream(SSLIOStream(wrapped, max_buffer_size=size), address)
