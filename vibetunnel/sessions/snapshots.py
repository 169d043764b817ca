"""Snapshots of sessions for whoever watches them: one capture and one encoding per change, however many watch."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Protocol

from vibetunnel._ext.vt import Terminal
from vibetunnel.errors import UnknownSession
from vibetunnel.sessions.session import Session

FAREWELL_S = 1.0  # for the close frames to reach clients that still take anything

# What there is to see of a session that is not there.
NOTHING = Terminal(24, 80).snapshot()

log = logging.getLogger(__name__)


def enveloped(session_id: str, snapshot: bytes) -> bytes:
    """A snapshot as a binary message of /buffers: whose it is comes first."""
    name = session_id.encode()
    return b"\xbf" + len(name).to_bytes(4, "little") + name + snapshot


class Watcher(Protocol):
    """One who watches, any number of sessions."""

    def show(self, session_id: str, message: bytes) -> None:
        """The newest snapshot of a session, in its envelope. Never waits, never raises."""

    def close(self, code: int, reason: str) -> None:
        """Say goodbye, and then leave()."""

    def abort(self) -> None:
        """Go without a word, and then leave()."""


class Feed:
    """One session's snapshots, as long as it is watched.

    newest    the last one, in its envelope; empty: there was none yet
    watchers  who gets every one that follows
    joining   how many are about to be watchers
    """

    def __init__(self, session: Session) -> None:
        self.newest = b""
        self.watchers: set[Watcher] = set()
        self.joining = 0
        self._session = session
        self._lock = asyncio.Lock()
        self._begun = self._done = 0  # captures are numbered: the last one that has begun, and that has come
        watching = contextlib.ExitStack()
        self._changes = watching.enter_context(session.watch())  # before the first capture: nothing is missed
        self.following = asyncio.create_task(self._follow())  # owned: Snapshots cancels it
        self.following.add_done_callback(lambda _: watching.close())  # a task may end before it has begun

    async def look(self) -> None:
        """Make `newest` show what is there now, and tell the watchers. Raises UnknownSession when it was removed."""
        before = self._begun
        async with self._lock:
            if self._done > before:
                return  # another one has looked for us while we waited
            self._begun += 1
            terminal = await self._session.capture()
            message = enveloped(self._session.id, terminal.snapshot())
            self._done = self._begun
        if message != self.newest:
            self.newest = message
            for watcher in tuple(self.watchers):
                watcher.show(self._session.id, message)

    async def _follow(self) -> None:
        try:
            while True:
                await self._changes.changed()
                await self.look()
        except UnknownSession:
            pass  # removed: its last screen stays where it is shown
        except Exception:
            log.exception("the snapshots of a session have ended")


class Snapshots:
    """Every feed and every watcher of one server."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}
        self._following: set[asyncio.Task[None]] = set()
        self._watchers: set[Watcher] = set()
        self._nobody = asyncio.Event()

    def __len__(self) -> int:
        """How many watch."""
        return len(self._watchers)

    @property
    def feeds(self) -> int:
        """How many sessions are watched."""
        return len(self._feeds)

    def enter(self, watcher: Watcher) -> None:
        self._nobody.clear()
        self._watchers.add(watcher)

    def leave(self, watcher: Watcher) -> None:
        """It watches nothing any more. Safe twice."""
        for session_id in tuple(self._feeds):
            self.unsubscribe(session_id, watcher)
        self._watchers.discard(watcher)
        if not self._watchers:
            self._nobody.set()

    async def subscribe(self, session: Session, watcher: Watcher) -> bytes:
        """The session's screen as it is now, in its envelope; the watcher is shown whatever is new from here.

        A subscription that it has already is replaced by this one. Raises UnknownSession when it is removed meanwhile.
        """
        feed = self._feeds.get(session.id)
        if feed is None:
            feed = self._feeds[session.id] = Feed(session)
            self._following.add(feed.following)
            feed.following.add_done_callback(lambda task: self._over(session.id, feed, task))
        feed.watchers.discard(watcher)
        feed.joining += 1
        try:
            await feed.look()
            if watcher in self._watchers:  # else it has left meanwhile
                feed.watchers.add(watcher)
        finally:
            feed.joining -= 1
            self._unwatched(session.id, feed)
        return feed.newest

    def unsubscribe(self, session_id: str, watcher: Watcher) -> None:
        """Nothing happens when there is no such subscription."""
        feed = self._feeds.get(session_id)
        if feed is not None:
            feed.watchers.discard(watcher)
            self._unwatched(session_id, feed)

    async def close(self) -> None:
        """Say goodbye to everyone (1001), and end all feeds."""
        for watcher in tuple(self._watchers):
            watcher.close(1001, "the server stops")
        await self._empty()
        for watcher in tuple(self._watchers):
            watcher.abort()
        await self._empty()
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)

    async def _empty(self) -> None:
        """Return when nobody is left, or a moment later."""
        if self._watchers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_S):
                    await self._nobody.wait()

    def _unwatched(self, session_id: str, feed: Feed) -> None:
        """End the feed if nobody wants it."""
        if not feed.watchers and not feed.joining:
            if self._feeds.get(session_id) is feed:
                del self._feeds[session_id]
            feed.following.cancel()

    def _over(self, session_id: str, feed: Feed, task: asyncio.Task[None]) -> None:
        self._following.discard(task)
        if self._feeds.get(session_id) is feed:
            del self._feeds[session_id]
