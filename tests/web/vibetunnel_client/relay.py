"""A server as it is behind a network that the test can cut."""

from __future__ import annotations

import selectors
import socket
import threading
from contextlib import suppress
from typing import Any

from served import Served

AT_ONCE = 65536  # bytes


class Relay:
    """Passes connections on to a server. All else is the server's own: `relay.ask()` and `relay.home`."""

    def __init__(self, server: Served) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.origin = self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._is_cut = False
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def cut(self) -> None:
        """End all connections, and each new one at once, until mend()."""
        with self._lock:
            self._is_cut = True
            for each in self._open:
                with suppress(OSError):  # its other end was faster
                    each.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        with self._lock:
            self._is_cut = False

    def end(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for each in self._threads:
            each.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._is_cut:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._server.port))
                self._open |= {client, server}
                self._threads.append(threading.Thread(target=self._pass_on, args=(client, server)))
                self._threads[-1].start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        """Pass bytes on in both directions, until one end of the connection has ended."""
        with suppress(OSError), selectors.DefaultSelector() as ready:  # OSError: a cut
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            over = False
            while not over:
                for key, _ in ready.select():
                    assert isinstance(key.fileobj, socket.socket)
                    data = key.fileobj.recv(AT_ONCE)
                    key.data.sendall(data)
                    over = over or not data
        with self._lock:
            self._open -= {client, server}
            client.close()
            server.close()
