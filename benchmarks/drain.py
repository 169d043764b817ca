"""A client of a flood in a process of its own: it reads as fast as it can, and only counts.

python -m benchmarks.drain FD   FD is a connected socket. Prints a line when the flood is under way, and a second one at
the end of the socket: bytes and seconds since the first.
"""

import socket
import subprocess
import sys
import time

from benchmarks.client import DEADLINE_S, RECEIVE, Terminal
from benchmarks.errors import Wrong

UNDER_WAY = 4 * 1024 * 1024  # bytes; enough for a server to notice the flood


class Drain:
    """Reads `terminal`, which floods, in another process until stop()."""

    def __init__(self, terminal: Terminal) -> None:
        self._connection = terminal.connection
        fd = self._connection.fileno()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.drain", str(fd)], pass_fds=[fd], stdout=subprocess.PIPE, text=True
        )
        self._line("the flood under way")

    def _line(self, expected: str) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()  # the reader gives up after DEADLINE_S without a byte
        if not line:
            self._process.wait()
            raise Wrong(f"flood: expected {expected}, got nothing within {DEADLINE_S} s")
        return line

    def stop(self) -> float:
        """Stop, and return the MiB a second on the wire since the flood was under way."""
        self._connection.shutdown(socket.SHUT_RDWR)
        size, took_s = self._line("a count").split()
        self.close()
        return int(size) / 2**20 / float(took_s)

    def close(self) -> None:
        """End the reader if it still runs. Safe twice."""
        self._connection.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def main(fd: int) -> None:
    connection = socket.socket(fileno=fd)
    buffer = memoryview(bytearray(RECEIVE))
    total, began = 0, 0.0
    try:
        while size := connection.recv_into(buffer):
            total += size
            if not began and total >= UNDER_WAY:
                print("under way", flush=True)
                total, began = 0, time.perf_counter()
    except BlockingIOError:  # connect() set a deadline: the flood has stopped
        return
    except ConnectionError:
        pass
    if began:
        print(total, time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
