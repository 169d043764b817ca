"""Output of one flood at several clients: received in one loop, stored, and checked after the clock has stopped."""

import select
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.client import RECEIVE, Terminal, answers, quiet
from benchmarks.content import Content
from benchmarks.errors import Wrong
from benchmarks.frames import Walk

SILENCE_S = 4.0  # without a byte for any client: the rest will not come


@dataclass
class Share:
    """The output of one client.

    memory   has room for content and framing, and touched pages
    end      bytes of it that are filled
    """

    terminal: Terminal
    memory: memoryview
    end: int = 0
    done: bool = False
    walk: Walk = field(default_factory=Walk)

    def receive(self, content: Content) -> int:
        """Read once, and return the number of bytes."""
        if self.end == len(self.memory):
            raise Wrong(f"output: expected {content.size} bytes, got {self.end} on the wire and more to come")
        size = self.terminal.connection.recv_into(self.memory[self.end : self.end + RECEIVE])
        self.end += size
        # A socket at its end stays readable, and brings no more.
        self.done = not size or self.terminal.wire.whole(self.walk, self.memory, self.end, content)
        return size

    def missing(self, content: Content) -> int:
        """Bytes of `content` that have not come. Raises Wrong for other bytes."""
        return content.missing(self.terminal.wire.output_in(self.memory, self.end))


def gather(shares: Sequence[Share], content: Content, start: bytes) -> float:
    """The first client types `start`, and all receive. Returns the seconds until the last byte of any of them.

    Ends when all clients have received `content`, or when no more output comes to the others.
    """
    poller = select.poll()
    by_fd = {share.terminal.connection.fileno(): share for share in shares}
    for fd in by_fd:
        poller.register(fd, select.POLLIN)
    with quiet(), answers("transfer"):
        last = began = time.perf_counter()
        shares[0].terminal.send(start)
        while by_fd:
            ready = poller.poll(SILENCE_S * 1000)
            if not ready:
                break
            for fd, _ in ready:
                share = by_fd[fd]
                if share.receive(content):
                    last = time.perf_counter()
                if share.done:
                    poller.unregister(fd)
                    del by_fd[fd]
    return last - began
