"""The speed at which a client reads: a token bucket in the client, in front of its socket."""

import time
from collections.abc import Callable
from dataclasses import dataclass

BURST_S = 0.02  # of reading that may be saved up during a pause
LEAST = 512  # bytes asked for at once: a read of fewer is not worth its cost

# In the kernel, at a slow client's end. A real link holds no such buffer: with the usual 128 KiB, which grow to 6 MiB,
# the client would be late by far more than on a real link.
SLOW_RECEIVE_BUFFER = 8 * 1024  # bytes; Linux doubles it, and counts its own overhead in


@dataclass(frozen=True)
class Link:
    """How a client reads.

    rate             bytes a second that it reads from the socket, headers included; None: as many as come
    receive_buffer   SO_RCVBUF, set before connecting; None: the system's
    """

    rate: int | None = None
    receive_buffer: int | None = None

    @classmethod
    def of(cls, rate: int | None) -> "Link":
        """A link of `rate` with a small receive buffer; None: the fastest link."""
        return cls() if rate is None else cls(rate, SLOW_RECEIVE_BUFFER)


FAST = Link()
DEAF = Link(receive_buffer=SLOW_RECEIVE_BUFFER)  # for a client that never reads


class Bucket:
    """Limits a reader to `rate` bytes a second: the reader asks before each read, and reports its size afterwards."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._burst = max(LEAST, int(rate * BURST_S))
        self._tokens, self._at = 0.0, clock()

    def wait_s(self) -> float:
        """Seconds until something may be read."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return max(0.0, (LEAST - self._tokens) / self._rate)

    def room(self) -> int:
        """Bytes that may be read once wait_s() is 0 or has passed."""
        return max(LEAST, int(self._tokens))

    def took(self, size: int) -> None:
        self._tokens -= size
