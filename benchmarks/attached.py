"""Many attached clients, read by one thread, which answers pings and notices clients that are cut off."""

import select
import time

from benchmarks.client import RECEIVE, Terminal
from benchmarks.errors import Wrong


class Attached:
    """Clients whose programs are ready. A client that is cut off no longer counts; the others stay.

    terminals   all clients in the order in which they came, including those that were cut off
    """

    def __init__(self) -> None:
        self.terminals: list[Terminal] = []
        self.epoll = select.epoll()
        self._numbers: dict[int, int] = {}  # descriptor -> number, for each attached client
        self._buffer = memoryview(bytearray(RECEIVE))

    def __len__(self) -> int:
        """The number of clients that are not cut off."""
        return len(self._numbers)

    def __contains__(self, terminal: Terminal) -> bool:
        return terminal.connection.fileno() in self._numbers

    def add(self, terminal: Terminal) -> None:
        fd = terminal.connection.fileno()
        self._numbers[fd] = len(self.terminals)
        self.terminals.append(terminal)
        self.epoll.register(fd, select.EPOLLIN)

    def listen(self, wait_s: float = 0) -> None:
        """Read what has come, or what comes within `wait_s`."""
        for fd, _ in self.epoll.poll(wait_s):
            number = self._numbers[fd]
            terminal = self.terminals[number]
            try:
                size = terminal.connection.recv_into(self._buffer)
                now_ns = time.perf_counter_ns()
                output = terminal.wire.decode(self._buffer[:size])
            except (ConnectionError, Wrong):  # Wrong: a close frame
                size = 0
            if not size:
                self.lose(terminal)
                continue
            if terminal.wire.replies:
                terminal.connection.sendall(terminal.wire.replies)
            if output:
                self.got(number, output, now_ns)

    def got(self, number: int, output: bytes, now_ns: int) -> None:
        """Output of that client has come. Does nothing here."""

    def lose(self, terminal: Terminal) -> None:
        """Forget a client that is cut off."""
        fd = terminal.connection.fileno()
        self.epoll.unregister(fd)
        del self._numbers[fd]

    def close(self) -> None:
        self.epoll.close()
        for terminal in self.terminals:
            terminal.close()
