"""Counts of requests by rule, key and window, in memory or in a store that implements `Counters`."""

from __future__ import annotations

from typing import NamedTuple, Protocol

LIMIT = 10_000  # keys of each rule; about 250 bytes each. A newer key replaces the oldest.


class Counts(NamedTuple):
    """previous: in the window before; current: in this one."""

    previous: int
    current: int


class Counters(Protocol):
    """Where counts are kept.

    A store that several servers share answers from a copy in memory, which it exchanges with them in the background:
    both methods return at once, because the event loop calls them between a request and its answer. So a limit may be
    passed by what the servers count between two exchanges. Their clocks must agree on the windows:
    Limits(clock=time.time).

    rule    name of a rule
    key     a user, an address or a network
    window  number of a window; windows follow each other without a gap
    """

    def get(self, rule: str, key: str, window: int) -> Counts: ...

    def add(self, rule: str, key: str, window: int) -> None:
        """Count one more in `window`."""


class MemoryCounters:
    """The counts of one server. Bounded, and without a thread."""

    def __init__(self) -> None:
        # rule -> key -> (window, counts). By rule, so that many keys of one rule cannot replace another rule's.
        self._tables: dict[str, dict[str, tuple[int, Counts]]] = {}

    def get(self, rule: str, key: str, window: int) -> Counts:
        found = self._tables.get(rule, {}).get(key)
        if found is None:
            return Counts(0, 0)
        last, counts = found
        if last == window:
            return counts
        return Counts(counts.current if last == window - 1 else 0, 0)

    def add(self, rule: str, key: str, window: int) -> None:
        table = self._tables.setdefault(rule, {})
        previous, current = self.get(rule, key, window)
        if current:
            table[key] = window, Counts(previous, current + 1)
            return
        table.pop(key, None)  # the first count of a window makes the key the newest
        if len(table) >= LIMIT:
            del table[next(iter(table))]
        table[key] = window, Counts(previous, 1)
