"""Many attached clients, listened to by one thread: pings are answered, and who is cut off is noticed."""

import select
import time

from benchmarks.client import RECEIVE, Terminal
from benchmarks.errors import Wrong


class Attached:
    """Clients whose programs are ready. One that is cut off is out; the others stay.

    terminals   in the order of their coming, also those that are out
    """

    def __init__(self) -> None:
        self.terminals: list[Terminal] = []
        self.epoll = select.epoll()
        self._numbers: dict[int, int] = {}  # descriptor -> number of each that is attached
        self._buffer = memoryview(bytearray(RECEIVE))

    def __len__(self) -> int:
        """Clients that are not cut off."""
        return len(self._numbers)

    def __contains__(self, terminal: Terminal) -> bool:
        return terminal.connection.fileno() in self._numbers

    def add(self, terminal: Terminal) -> None:
        fd = terminal.connection.fileno()
        self._numbers[fd] = len(self.terminals)
        self.terminals.append(terminal)
        self.epoll.register(fd, select.EPOLLIN)

    def listen(self, wait_s: float = 0) -> None:
        """Take what has come, or comes within `wait_s` if nothing has."""
        for fd, _ in self.epoll.poll(wait_s):
            number = self._numbers[fd]
            terminal = self.terminals[number]
            try:
                size = terminal.connection.recv_into(self._buffer)
                now_ns = time.perf_counter_ns()
                output = terminal.wire.decode(self._buffer[:size])
            except (ConnectionError, Wrong):  # Wrong: it says that it closes
                size = 0
            if not size:
                self.lose(terminal)
                continue
            if terminal.wire.replies:
                terminal.connection.sendall(terminal.wire.replies)
            if output:
                self.got(number, output, now_ns)

    def got(self, number: int, output: bytes, now_ns: int) -> None:
        """That client's output has come; nobody here is interested."""

    def lose(self, terminal: Terminal) -> None:
        """It is cut off."""
        fd = terminal.connection.fileno()
        self.epoll.unregister(fd)
        del self._numbers[fd]

    def close(self) -> None:
        self.epoll.close()
        for terminal in self.terminals:
            terminal.close()
