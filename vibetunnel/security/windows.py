"""Counters for the rate limits of one process: the package `limits`, with memory that is bounded and has no thread."""

from __future__ import annotations

import time
from collections.abc import Callable

from limits import RateLimitItemPerMinute
from limits.storage import Storage
from limits.storage.base import SlidingWindowCounterSupport
from limits.strategies import SlidingWindowCounterRateLimiter

from vibetunnel.security.limits import WINDOW_S, Rule

LIMIT = 10_000  # keys of each rule; about 250 bytes each. Beyond it the one that was new first is forgotten.


class Windows:
    """Counts by rule and key in sliding windows. storage: None: in memory."""

    def __init__(self, storage: SlidingWindowCounterSupport | None, clock: Callable[[], float]) -> None:
        self.storage = Memory(clock) if storage is None else storage
        self._limiter = SlidingWindowCounterRateLimiter(self.storage)  # type: ignore[arg-type]
        self._items: dict[Rule, _PerMinute] = {}

    def hit(self, rule: Rule, key: str) -> bool:
        """Count one, unless that would be too many."""
        return self._limiter.hit(self._item(rule), key)

    def counts(self, rule: Rule, key: str) -> tuple[int, float, int, float]:
        """See Memory.get_sliding_window."""
        return self.storage.get_sliding_window(self._item(rule).key_for(key), WINDOW_S)

    def _item(self, rule: Rule) -> _PerMinute:
        found = self._items.get(rule)
        if found is None:
            found = self._items[rule] = _PerMinute(rule.amount, namespace=rule.name)
        return found


class _PerMinute(RateLimitItemPerMinute):
    """One of the package's items, with a key that is made in a tenth of the time."""

    def key_for(self, *identifiers: bytes | str | float) -> str:
        return f"{self.namespace}/{identifiers[0]!s}"


class Memory(Storage, SlidingWindowCounterSupport):
    """What `limits.strategies.SlidingWindowCounterRateLimiter` counts in.

    The package's own MemoryStorage starts a thread whenever it counts, which then looks at every key; it has no
    bound; and it reads the wall clock, which may jump. None of this may be between a request and its answer.

    clock   seconds from anywhere, never backwards
    """

    STORAGE_SCHEME = None

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        # Rule -> key -> [number of the window, count in it, count in the one before]. By rule, so that many keys of one
        # cannot put another's out.
        self._tables: dict[str, dict[str, list[int]]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError  # nothing here raises

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` unless there would be more than `limit` in the last `expiry` seconds."""
        now = self._clock()
        number = int(now // expiry)
        table = self._table(key)
        counts = table.get(key)
        if counts is None:
            if len(table) >= LIMIT:
                del table[next(iter(table))]
            counts = table[key] = [number, 0, 0]
        elif counts[0] != number:
            # A key that goes on counting is no longer the oldest.
            table[key] = table.pop(key)
            counts[2] = counts[1] if counts[0] == number - 1 else 0
            counts[0], counts[1] = number, 0
        before = counts[2] * (1 - now / expiry % 1) if counts[2] else 0
        if int(before + counts[1]) + amount > limit:
            return False
        counts[1] += amount
        return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """(count in the window before, seconds for which it still weighs, count in this one, seconds until it is
        forgotten)."""
        now = self._clock()
        number, left = int(now // expiry), (1 - now / expiry % 1) * expiry
        window, current, previous = self._table(key).get(key, (number, 0, 0))
        if window == number - 1:
            current, previous = 0, current
        elif window != number:
            current = previous = 0
        return previous, left if previous else 0.0, current, left + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        self.clear(key)

    def clear(self, key: str) -> None:
        self._table(key).pop(key, None)

    def _table(self, key: str) -> dict[str, list[int]]:
        return self._tables.setdefault(key.partition("/")[0], {})

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        found = sum(map(len, self._tables.values()))
        self._tables.clear()
        return found

    # What the other strategies would need.

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        raise NotImplementedError

    def get(self, key: str) -> int:
        raise NotImplementedError

    def get_expiry(self, key: str) -> float:
        raise NotImplementedError
