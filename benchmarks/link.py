"""How fast a client reads: a token bucket in the client, in front of its socket."""

import time
from collections.abc import Callable
from dataclasses import dataclass

BURST_S = 0.02  # of the rate, that may be saved up while nobody reads
LEAST = 512  # bytes asked for at once: fewer cost more than they are worth

# Of the kernel at a slow client's end. What it holds is on no link: with the usual 128 KiB, which grow to 6 MiB, a
# client would be late by what a real link never holds.
SLOW_RECEIVE_BUFFER = 8 * 1024  # bytes; Linux doubles it, and counts its own overhead in


@dataclass(frozen=True)
class Link:
    """
    rate             bytes a second that are read from the socket, headers and all; None: as many as come
    receive_buffer   SO_RCVBUF, set before connecting; None: the system's
    """

    rate: int | None = None
    receive_buffer: int | None = None

    @classmethod
    def of(cls, rate: int | None) -> "Link":
        """That slow, and honestly so; or as fast as it goes."""
        return cls() if rate is None else cls(rate, SLOW_RECEIVE_BUFFER)


FAST = Link()
DEAF = Link(receive_buffer=SLOW_RECEIVE_BUFFER)  # for who never reads


class Bucket:
    """Who asks before each read, and tells how much it was, reads `rate` bytes a second."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._burst = max(LEAST, int(rate * BURST_S))
        self._tokens, self._at = 0.0, clock()

    def wait_s(self) -> float:
        """Until something may be read; 0: now."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return max(0.0, (LEAST - self._tokens) / self._rate)

    def room(self) -> int:
        """Bytes that may be read, after wait_s() was 0 or has passed."""
        return max(LEAST, int(self._tokens))

    def took(self, size: int) -> None:
        self._tokens -= size
