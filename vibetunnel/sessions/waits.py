"""Waits for something to happen in a session: text, a regular expression, silence, a prompt, or its end."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from vibetunnel._ext import vt
from vibetunnel.errors import NoPromptMarks, SessionEnded, TooManyWaits, UnknownSession, WaitTimedOut
from vibetunnel.sessions.patterns import Found, Pattern
from vibetunnel.sessions.searches import Searcher, Searches
from vibetunnel.sessions.session import Session
from vibetunnel.sessions.shell_commands import ShellCommand

AT_ONCE = 64  # waits for one session
FIRST_PROMPT_S = 5.0  # after its start a shell may still read the file that loads the shell integration
GUESS = 256  # lines of scrollback in a capture; if more were printed since the last one, a second capture follows
AT_ONCE_CELLS = 64 * 1024  # in so many cells the event loop looks for a text itself, within 0.2 ms
PIECE = 256 * 1024  # bytes of text to find a plain text in at once: find() holds the GIL, for up to 5 ns a byte

Kind = Literal["text", "regex", "idle", "prompt", "exit"]
Groups = list[str | None]
Search = Callable[[bytes], Found | None]


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """A condition: exactly one of the first five.

    idle_ms    nothing is printed for this long, from now on
    prompt     the shell is at a prompt, and nothing was typed there yet (OSC 133)
    from_line  of text and regex: search from this line on (its absolute number); None: search the screen, too
    """

    text: str | None = None
    regex: str | None = None
    idle_ms: int | None = None
    prompt: bool = False
    exit: bool = False
    from_line: int | None = None
    timeout_ms: int


class Outcome(msgspec.Struct, kw_only=True, rename="camel"):
    """What has happened. Fields that do not apply, or are unknown, are left out.

    offset     of the output, when the condition was met
    text       the text that matched
    line       absolute number of the line in which the match begins, or of the prompt's line
    groups     of the regular expression; null: the group took no part in the match
    command    the newest command that has ended, with the text of its output
    """

    matched: Kind
    offset: int
    text: str | UnsetType = UNSET
    line: int | UnsetType = UNSET
    groups: Groups | UnsetType = UNSET
    command: ShellCommand | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    signal: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class Waits:
    """The waits of all sessions. The task that awaits one owns it; a cancelled wait leaves nothing."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()  # by session
        self._searches = Searches()

    async def close(self) -> None:
        await self._searches.close()

    def waiting(self, session_id: str) -> int:
        """How many requests wait for this session."""
        return self._counts[session_id]

    async def wait(self, session: Session, wanted: Wait, user: str) -> Outcome:
        """Return when the condition is met. user: the key under which the waits of one user are counted.

        Raises WaitTimedOut, SessionEnded, NoPromptMarks, UnknownSession when the session is removed meanwhile,
        TooManyWaits, TooManyPatterns, and InvalidField for a bad regular expression.
        """
        with self._counted(session.id):
            try:
                async with asyncio.timeout(wanted.timeout_ms / 1000) as deadline:
                    return await self._wait(session, wanted, user)
            except TimeoutError:
                if not deadline.expired():
                    raise
                raise WaitTimedOut(wanted.timeout_ms) from None

    @contextmanager
    def _counted(self, session_id: str) -> Iterator[None]:
        if self._counts[session_id] >= AT_ONCE:
            raise TooManyWaits(AT_ONCE)
        self._counts[session_id] += 1
        try:
            yield
        finally:
            self._counts[session_id] -= 1
            if not self._counts[session_id]:
                del self._counts[session_id]

    async def _wait(self, session: Session, wanted: Wait, user: str) -> Outcome:
        if wanted.text is not None:
            with self._searches.of(user, pattern=False) as searcher:
                return await _find(session, "text", _plain(wanted.text), wanted.from_line, searcher)
        if wanted.regex is not None:
            with self._searches.of(user, pattern=True) as searcher:
                pattern = await searcher.run(partial(Pattern, wanted.regex))
                return await _find(session, "regex", pattern.search, wanted.from_line, searcher)
        if wanted.idle_ms is not None:
            return await _idle(session, wanted.idle_ms / 1000)
        return await (_prompt(session) if wanted.prompt else _exit(session))


def _plain(text: str) -> Search:
    wanted = text.encode("utf-8", "surrogatepass")  # half a surrogate pair is on no screen

    def search(screen: bytes) -> Found | None:
        for begin in range(0, len(screen), PIECE):
            start = screen.find(wanted, begin, begin + PIECE + len(wanted) - 1)
            if start >= 0:
                return Found(start, text, [])
        return None

    return search


async def _find(session: Session, kind: Kind, search: Search, from_line: int | None, searcher: Searcher) -> Outcome:
    """Search the screen, and after each change the lines printed since, however far they have scrolled."""
    floor, cols, guess = from_line or 0, 0, 0
    begin = from_line  # the first line to search; None: the top of the screen
    with session.watch() as watch:
        while True:
            over = session.end is not None  # asked before the capture: otherwise output after the capture is missed
            copy = await (session.capture() if begin is None else session.capture_from(begin, guess))
            if cols not in (0, copy.cols):  # a resize has given the lines other numbers
                floor, begin = 0, None
            first = copy.top if begin is None else max(copy.oldest, begin)
            if first < copy.top + copy.rows:
                look = partial(_look, kind, copy, first, search)
                at_once = kind == "text" and (copy.top + copy.rows - first) * copy.cols <= AT_ONCE_CELLS
                outcome = look() if at_once else await searcher.run(look)
                if outcome is not None:
                    return outcome
            if over:
                raise SessionEnded
            begin, cols, guess = max(copy.top, floor), copy.cols, GUESS
            await watch.changed()


def _look(kind: Kind, copy: vt.Engine, first: int, search: Search) -> Outcome | None:
    """Search the lines of `copy` from line `first` on (its absolute number)."""
    found = search(copy.utf8(first - copy.top, unwrap=True))
    if found is None:
        return None
    outcome = Outcome(matched=kind, offset=copy.offset, text=found.text, line=_line_at(copy, first, found.start))
    if kind == "regex":
        outcome.groups = found.groups
    return outcome


def _line_at(copy: vt.Engine, first: int, position: int) -> int:
    """The absolute number of the line with the byte at `position` of the text that begins at line `first`."""
    low, high = first, copy.top + copy.rows - 1
    while low < high:
        middle = (low + high) // 2
        if len(copy.utf8(first - copy.top, middle + 1 - copy.top, unwrap=True)) > position:
            high = middle
        else:
            low = middle + 1
    return low


async def _idle(session: Session, idle_s: float) -> Outcome:
    with session.watch() as watch:
        while True:
            _check(session)
            if session.end is not None:
                raise SessionEnded
            try:
                await watch.changed(idle_s)
            except TimeoutError:
                return Outcome(matched="idle", offset=_head(session))


async def _prompt(session: Session) -> Outcome:
    with session.watch(output=False) as watch:
        while True:
            _check(session)
            if session.end is not None:
                raise SessionEnded
            prompt = session.commands.prompt
            if prompt is not None:
                outcome = Outcome(matched="prompt", offset=prompt.offset)
                if prompt.line >= 0:
                    outcome.line = prompt.line
                if (ended := session.commands.last_ended) is not None:
                    (outcome.command,) = await session.commands.with_text([ended])
                return outcome
            with contextlib.suppress(TimeoutError):  # then it raises NoPromptMarks, unless a mark has come
                await watch.changed(_patience_s(session))


def _patience_s(session: Session) -> float | None:
    """How long the first prompt mark may take; None: there is no limit. Raises NoPromptMarks when that is over."""
    started_ns = session.record.started_ns
    if session.marks_prompts or not started_ns:
        return None
    left_s = FIRST_PROMPT_S - (time.time_ns() - started_ns) / 1e9
    if left_s <= 0:
        raise NoPromptMarks
    return min(left_s, FIRST_PROMPT_S)  # a clock may be set back


async def _exit(session: Session) -> Outcome:
    with session.watch(output=False) as watch:
        while session.end is None:
            _check(session)
            await watch.changed()
        await session.settled()
    end = session.end
    return Outcome(
        matched="exit",
        offset=_head(session),
        exit_code=UNSET if end.code is None else end.code,
        signal=end.signal or UNSET,
        reason=end.reason or UNSET,
    )


def _check(session: Session) -> None:
    if session.removed:
        raise UnknownSession(session.id)


def _head(session: Session) -> int:
    return session.terminal.head if session.terminal is not None else 0
