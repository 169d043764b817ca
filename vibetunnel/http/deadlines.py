"""Connections that owe us something: a handshake, a request, the taking of an answer. How many there may be, how long.

Pure: entries and times in, decisions out. The oldest makes room for the newest, so that whoever holds all the places
has to fight for them without pause, and everybody else needs only a moment.
"""

from __future__ import annotations

from typing import Protocol

TOTAL = 2048  # entries; each costs a descriptor and some KiB, in the middle of a TLS handshake 75
PER_NETWORK = 512  # of them, from one address or /64; a browser has six, an office behind one address some hundred
TAKEN_S = 60.0  # for the client to take an answer, or MIN_TAKEN of it
MIN_TAKEN = 32 * 1024  # bytes; half of what one of this machine (a proxy, a tunnel) takes at once


class Entry(Protocol):
    """One of them.

    network   where it comes from; "": a proxy or a socket of this machine, which many share
    deadline  when it must be done, by the clock of the sweeps
    """

    network: str
    deadline: float

    def abort(self) -> None:
        """Close it at once. It is out of the list before."""


class StallDetector:
    """Whether an answer is being taken. To be looked at from time to time."""

    def __init__(self) -> None:
        self._mark: tuple[float, int] | None = None  # (when, taken by then)

    @property
    def behind(self) -> bool:
        """Whether there was something to take at the last look."""
        return self._mark is not None

    def is_stuck(self, now: float, *, writing: bool, taken: int, taken_s: float = TAKEN_S) -> bool:
        """Whether the other end has taken less than MIN_TAKEN within `taken_s`, with more to take all the time.

        writing  something is left to take
        taken    bytes until now
        """
        if not writing:
            self._mark = None
        elif self._mark is None:
            self._mark = now, taken
        elif now - self._mark[0] >= taken_s:
            if taken - self._mark[1] < MIN_TAKEN:
                return True
            self._mark = now, taken
        return False


class ConnectionDeadlines:
    """All of one server, in the order of their beginning; at most `total`, and `per_network` from one network."""

    def __init__(self, total: int = TOTAL, per_network: int = PER_NETWORK) -> None:
        self.total = total
        self.per_network = per_network
        self._entries: dict[Entry, None] = {}
        self._by_network: dict[str, dict[Entry, None]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, entry: Entry) -> bool:
        return entry in self._entries

    def add(self, entry: Entry, deadline: float) -> None:
        """Begin to count one, as the newest. Others may be aborted for it."""
        self.discard(entry)
        entry.deadline = deadline
        if entry.network:
            peers = self._by_network.setdefault(entry.network, {})
            if len(peers) >= self.per_network:
                self._abort(next(iter(peers)))
                peers = self._by_network.setdefault(entry.network, {})
            peers[entry] = None
        while len(self._entries) >= self.total:
            self._abort(next(iter(self._entries)))
        self._entries[entry] = None

    def discard(self, entry: Entry) -> None:
        """It owes nothing any more. Safe twice."""
        if entry not in self._entries:
            return
        del self._entries[entry]
        if entry.network:
            peers = self._by_network[entry.network]
            del peers[entry]
            if not peers:
                del self._by_network[entry.network]

    def sweep(self, now: float) -> None:
        """Abort all whose time is over."""
        for entry in [each for each in self._entries if each.deadline <= now]:
            if entry in self._entries:  # aborting another may have ended it too
                self._abort(entry)

    def _abort(self, entry: Entry) -> None:
        self.discard(entry)
        entry.abort()
