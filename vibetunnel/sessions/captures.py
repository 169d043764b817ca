"""Captures: copies of a session's terminal that are asked of the pump and arrive later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from vibetunnel._ext import vt
from vibetunnel._ext.pump import Terminal

MAX_LINES = 1 << 30  # of scrollback in a capture: more than any terminal has


class Captures:
    """The captures of one session that have not arrived yet."""

    __slots__ = ("_pending",)  # thousands of sessions have one each

    def __init__(self) -> None:
        self._pending: dict[int, asyncio.Future[vt.Engine]] = {}  # by ticket

    def __len__(self) -> int:
        return len(self._pending)

    async def take(self, terminal: Terminal, scrollback_lines: int) -> vt.Engine:
        """Copy `terminal` with the newest lines of its scrollback. Raises ValueError when it is closed."""
        ticket = terminal.capture(min(scrollback_lines, MAX_LINES))
        future: asyncio.Future[vt.Engine] = asyncio.get_running_loop().create_future()
        self._pending[ticket] = future
        try:
            return await future
        finally:
            self._pending.pop(ticket, None)

    def arrived(self, ticket: int, copy: vt.Engine | None) -> None:
        """Give the copy to the task that awaits it, if one still does. copy: None when memory ran out."""
        future = self._pending.pop(ticket, None)
        if future is None or future.done():
            return
        if copy is None:
            future.set_exception(MemoryError("no memory for a copy of the terminal"))
        else:
            future.set_result(copy)

    def fail(self, error: Exception) -> None:
        """End all that are pending with `error`."""
        for future in self._pending.values():
            if not future.done():
                future.set_exception(error)
        self._pending.clear()


async def reaching_back(capture: Callable[[int], Awaitable[vt.Engine]], line: int, guess: int) -> vt.Engine:
    """A capture that begins at this line (its absolute number), or at the oldest line that is kept.

    capture  takes the number of scrollback lines
    guess    lines of scrollback for the first capture; only that capture can tell how many are needed
    """
    copy = await capture(guess)
    # The program may print more between two captures. One that prints more than twice as much outruns any reader.
    while copy.oldest > line and copy.scrollback_count == guess and guess < MAX_LINES:
        guess = min(MAX_LINES, max(2 * (copy.top - line), 2 * guess))
        copy = await capture(guess)
    return copy
