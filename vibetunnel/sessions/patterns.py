"""Searches for regular expressions in threads, outside the event loop and bounded in time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import regex

from vibetunnel.errors import InvalidField
from vibetunnel.sessions.pattern_check import check

SEARCH_S = 0.5  # for one search; a wait repeats its search after every change, so a slower pattern costs too much
THREADS = 2  # a slow pattern holds up other patterns and nothing else

Pattern = regex.Pattern[str]
Found = regex.Match[str]


class Patterns:
    """Compiles and searches in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="patterns")

    async def compile(self, text: str) -> Pattern:
        """The pattern; `^` and `$` match at every line. Raises InvalidField with the reason."""
        check(text)
        return await asyncio.get_running_loop().run_in_executor(self._threads, _compile, text)

    async def search(self, pattern: Pattern, text: str) -> Found | None:
        """The first match. Raises InvalidField when the search takes longer than SEARCH_S."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _search, pattern, text)

    async def close(self) -> None:
        """Return when the running searches have ended; none takes longer than SEARCH_S. Safe twice."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)


def _compile(text: str) -> Pattern:
    try:
        return regex.compile(text, regex.MULTILINE, cache_pattern=False)
    except regex.error as error:
        raise InvalidField("regex", f"a regular expression ({error})") from None
    except (RecursionError, OverflowError, MemoryError, ValueError):
        raise InvalidField("regex", "a simpler regular expression") from None


def _search(pattern: Pattern, text: str) -> Found | None:
    try:
        return pattern.search(text, timeout=SEARCH_S, concurrent=True)  # concurrent: without the GIL
    except TimeoutError:
        took = f"one that takes longer than {SEARCH_S:g} s on {len(text)} characters"
        raise InvalidField("regex", "a regular expression that is quick to search for", took) from None
    except (RecursionError, MemoryError):
        raise InvalidField("regex", "a simpler regular expression") from None
