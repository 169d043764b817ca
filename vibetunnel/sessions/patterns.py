"""Regular expressions that others give us: searched beside the event loop, bounded in time and memory. Pure but for its
threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import regex

from vibetunnel.errors import InvalidField
from vibetunnel.sessions.waits import PATTERN_LIMIT

# The library writes `(?:x{100}){100}` out, with the GIL held: so many parts take 2 to 15 ms.
PARTS_LIMIT = 4000
SEARCH_S = 0.5  # for one search; more is no pattern to look for again and again
THREADS = 2  # beside the event loop; a pattern that takes long holds up other patterns and nothing else

_COUNT = regex.compile(r"\{\s*(\d+)[^{}]*\}?")
_CLASS = regex.compile(r"\[\^?(?:\\.|.)(?:\\.|[^\]\\])*+\]?", regex.DOTALL)
_RECURSION = regex.compile(r"\(\?(?:R|[+-]?\d|&|P>)")  # it would use memory without a bound
_COMMENT = regex.compile(r"\(\?(?:#|[a-zA-Z0-9]*x)")  # parts() does not understand them

Pattern = regex.Pattern[str]
Found = regex.Match[str]


class Patterns:
    """Compiles and searches in threads of its own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="patterns")

    async def compile(self, text: str) -> Pattern:
        """The pattern; `^` and `$` match at every line. Raises InvalidField, which says what is wrong with it."""
        check(text)
        return await asyncio.get_running_loop().run_in_executor(self._threads, _compile, text)

    async def search(self, pattern: Pattern, text: str) -> Found | None:
        """The first match. Raises InvalidField when that takes longer than SEARCH_S."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _search, pattern, text)

    async def close(self) -> None:
        """Return when the searches that are under way have ended, which they do soon. Safe twice."""
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)


def check(text: str) -> None:
    """Raises InvalidField for what is too much for a server."""
    if len(text) > PATTERN_LIMIT:
        raise InvalidField("regex", f"at most {PATTERN_LIMIT} characters", str(len(text)))
    if _RECURSION.search(text):
        raise InvalidField("regex", "no recursion: (?R), (?1), (?&name)")
    if _COMMENT.search(text):
        raise InvalidField("regex", "no comments: (?x), (?#)")
    if parts(text) > PARTS_LIMIT:
        raise InvalidField("regex", f"smaller repeat counts ({{n}}): at most {PARTS_LIMIT} parts when written out")


def parts(text: str) -> int:
    """How many characters, classes and the like a pattern has when its `{n}` are written out; roughly, and not less."""
    outer: list[int] = []  # what was counted before each open group
    total = last = at = 0  # last: of the part that a `{n}` would repeat
    while at < len(text):
        here, width = text[at], 1
        if here == "(":
            outer.append(total)
            total = last = 0
        elif here == ")" and outer:
            last = total
            total += outer.pop()
        elif (count := _COUNT.match(text, at)) and last:
            times = int(count[1][:9])  # a longer number is too large anyway
            total += last * max(0, times - 1)
            last *= max(1, times)
            width = count.end() - at
        else:
            if here == "\\":
                width = 2
            elif here == "[" and (found := _CLASS.match(text, at)):
                width = found.end() - at
            total += 1
            last = 1
        at += width
    return total


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
