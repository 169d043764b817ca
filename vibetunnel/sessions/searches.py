"""Threads for searches, shared between users: each has one search at a time, and a bounded number of patterns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from vibetunnel.errors import TooManyPatterns

THREADS = 2  # a slow search holds up other searches and nothing else
PATTERNS_OF_USER = 64  # each takes up to patterns.MEMORY, with groups twice

T = TypeVar("T")


class Searcher:
    """The searches of one user.

    waits     how many waits use this
    patterns  how many of them have a pattern
    turn      held while a thread works for this user
    """

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.waits = 0
        self.patterns = 0
        self.turn = asyncio.Lock()
        self._threads = threads

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, from a thread.

        A caller that is cancelled does not wait for the thread. Its user does: the turn ends with the thread's work, so
        a client that hangs up and asks again occupies no second thread.
        """
        await self.turn.acquire()
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        except BaseException:
            self.turn.release()
            raise
        running.add_done_callback(lambda _: self.turn.release())
        return await asyncio.shield(running)


class Searches:
    """The searches of all users."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="search")
        self._searchers: dict[str, Searcher] = {}  # by user

    @contextmanager
    def of(self, user: str, *, pattern: bool) -> Iterator[Searcher]:
        """The user's searches, for one wait. pattern: it has a regular expression. Raises TooManyPatterns."""
        searcher = self._searchers.setdefault(user, Searcher(self._threads))
        if pattern and searcher.patterns >= PATTERNS_OF_USER:
            raise TooManyPatterns(PATTERNS_OF_USER)
        searcher.waits += 1
        searcher.patterns += pattern
        try:
            yield searcher
        finally:
            searcher.waits -= 1
            searcher.patterns -= pattern
            for name in [name for name, each in self._searchers.items() if not (each.waits or each.turn.locked())]:
                del self._searchers[name]

    async def close(self) -> None:
        """Return when the running searches have ended. Safe twice."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
