"""Threads for searches: which user gets one, and when."""

from __future__ import annotations

import asyncio
import threading

import pytest
from harness import until

from vibetunnel.errors import TooManyPatterns
from vibetunnel.sessions import searches
from vibetunnel.sessions.searches import Searches


class Slow:
    """Work that a test ends."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.end = threading.Event()

    def __call__(self) -> int:
        self.begun.set()
        assert self.end.wait(30)
        return threading.get_ident()


async def test_a_user_has_one_search_at_a_time_and_the_others_have_theirs() -> None:
    made, slow, other = Searches(), Slow(), Slow()
    with (
        made.of("ada", pattern=True) as first,
        made.of("ada", pattern=True) as second,
        made.of("bob", pattern=True) as other_user,
    ):
        running, waiting = asyncio.create_task(first.run(slow)), asyncio.create_task(second.run(other))
        await until(slow.begun.is_set)
        assert await other_user.run(threading.get_ident) != threading.get_ident()
        assert not other.begun.is_set()
        other.end.set()
        slow.end.set()
        assert await running
        assert await waiting
    await made.close()


async def test_a_user_that_hangs_up_gets_no_second_thread_before_the_first_is_free() -> None:
    made, slow, other = Searches(), Slow(), Slow()
    with made.of("ada", pattern=True) as before:
        running = asyncio.create_task(before.run(slow))
        await until(slow.begun.is_set)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    with made.of("ada", pattern=True) as after, made.of("bob", pattern=True) as bob:
        waiting = asyncio.create_task(after.run(other))
        assert await bob.run(lambda: 7) == 7
        assert not other.begun.is_set()
        other.end.set()
        slow.end.set()
        await waiting
    await made.close()


async def test_the_patterns_of_a_user_are_bounded_and_its_texts_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "PATTERNS_OF_USER", 1)
    made = Searches()
    with made.of("ada", pattern=True):
        with pytest.raises(TooManyPatterns), made.of("ada", pattern=True):
            raise AssertionError
        with made.of("ada", pattern=False), made.of("bob", pattern=True):
            pass
    with made.of("ada", pattern=True):
        pass
    await made.close()


async def test_an_error_of_the_work_ends_the_turn() -> None:
    made = Searches()
    with made.of("ada", pattern=True) as searcher:
        with pytest.raises(ZeroDivisionError):
            await searcher.run(lambda: 1 // 0)
        assert await searcher.run(lambda: 3) == 3
    await made.close()
    await made.close()
