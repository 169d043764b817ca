"""Watches: waiting for the next change of a session."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from vibetunnel._ext.pump import Terminal


class Watch:
    """One watch. A change between two calls of changed() is not lost: the next call returns at once.

    output  woken by output too, and not only by prompt marks, the size, the end and the removal of the session
    """

    def __init__(self, *, output: bool) -> None:
        self.output = output
        self._happened = asyncio.Event()

    def wake(self) -> None:
        self._happened.set()

    async def changed(self, timeout_s: float | None = None) -> None:
        """Return when something has happened since the last call: output, a prompt mark, the end, and the like.

        Raises TimeoutError when nothing happens within `timeout_s`.
        """
        async with asyncio.timeout(timeout_s):
            await self._happened.wait()
        self._happened.clear()


class Watches:
    """The watches of one session. Its pump reports output only while a watch wants it."""

    __slots__ = ("_all", "_terminal")  # thousands of sessions have one each

    def __init__(self) -> None:
        self._all: set[Watch] = set()
        self._terminal: Terminal | None = None

    @contextlib.contextmanager
    def watch(self, *, output: bool) -> Iterator[Watch]:
        watch = Watch(output=output)
        self._all.add(watch)
        self._tell_pump()
        try:
            yield watch
        finally:
            self._all.discard(watch)
            self._tell_pump()

    def opened(self, terminal: Terminal) -> None:
        """The session has its terminal from here on."""
        self._terminal = terminal
        if self._output_wanted():
            terminal.watch(True)

    def changed(self) -> None:
        """Wake all watches."""
        for watch in self._all:
            watch.wake()

    def printed(self) -> None:
        """The program has printed something."""
        for watch in self._all:
            if watch.output:
                watch.wake()

    def noticed(self) -> None:
        """A prompt mark has arrived, or the repository has changed. A watch of output waits for output alone."""
        for watch in self._all:
            if not watch.output:
                watch.wake()

    def _output_wanted(self) -> bool:
        return any(watch.output for watch in self._all)

    def _tell_pump(self) -> None:
        if self._terminal is not None:
            with contextlib.suppress(ValueError):  # the session was removed meanwhile
                self._terminal.watch(self._output_wanted())
