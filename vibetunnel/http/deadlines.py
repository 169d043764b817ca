"""Deadlines of connections that have not finished their handshake, their request, or reading their answer.

Pure: entries and times in, decisions out. The number of entries is bounded, and the oldest makes room for the newest.
So an attacker must reconnect constantly to keep the slots; a real client needs one only briefly.
"""

from __future__ import annotations

from typing import Protocol

TOTAL = 2048  # entries; each costs a descriptor and some KiB, or 75 KiB during a TLS handshake
PER_NETWORK = 512  # entries from one address or /64; a browser has six, an office with one address some hundred
TAKEN_S = 60.0  # for the client to read an answer, or MIN_TAKEN of it
MIN_TAKEN = 32 * 1024  # bytes; half of what a client on this machine (a proxy, a tunnel) reads at once


class Entry(Protocol):
    """A connection with a deadline.

    network   where it comes from; "": a proxy or a unix socket, which many clients share
    deadline  when it must be done, by the clock of the sweeps
    """

    network: str
    deadline: float

    def abort(self) -> None:
        """Close it at once. It was removed from the list before."""


class StallDetector:
    """Finds a client that does not read its answer. To be asked from time to time."""

    def __init__(self) -> None:
        self._mark: tuple[float, int] | None = None  # (when, bytes taken until then)

    @property
    def writing(self) -> bool:
        """Whether something was unsent at the last look."""
        return self._mark is not None

    def is_stuck(self, now: float, *, writing: bool, taken: int, taken_s: float = TAKEN_S) -> bool:
        """Whether the client has taken less than MIN_TAKEN within `taken_s` while something was always unsent.

        writing  something is unsent
        taken    bytes that the client has taken until now
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
    """The deadlines of one server, in the order of their start: at most `total`, and `per_network` from one network."""

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
        """Add an entry, as the newest. Others may be aborted to make room."""
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
        """Remove an entry: it is done. Safe twice."""
        if entry not in self._entries:
            return
        del self._entries[entry]
        if entry.network:
            peers = self._by_network[entry.network]
            del peers[entry]
            if not peers:
                del self._by_network[entry.network]

    def sweep(self, now: float) -> None:
        """Abort the entries whose deadline has passed."""
        for entry in [each for each in self._entries if each.deadline <= now]:
            if entry in self._entries:  # aborting another one may have removed it
                self._abort(entry)

    def _abort(self, entry: Entry) -> None:
        self.discard(entry)
        entry.abort()
