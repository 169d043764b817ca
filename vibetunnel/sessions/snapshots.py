"""Snapshots of watched sessions: one capture and one encoding per change, for any number of watchers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Protocol

from vibetunnel._ext.vt import Engine
from vibetunnel.errors import UnknownSession
from vibetunnel.sessions.rendering import Rendering
from vibetunnel.sessions.session import Session

LARGE = 64 * 1024  # bytes of a snapshot; after sending a larger one to one watcher, the loop takes a turn
FAREWELL_S = 1.0  # for the close frames to reach clients that still read

# The screen of a session that does not exist.
NOTHING = Engine(24, 80).snapshot()

log = logging.getLogger(__name__)


def enveloped(session_id: str, snapshot: bytes) -> bytes:
    """A snapshot as a binary message of /buffers: the session's id comes first."""
    name = session_id.encode()
    return b"\xbf" + len(name).to_bytes(4, "little") + name + snapshot


class Watcher(Protocol):
    """One socket of /buffers, which watches any number of sessions."""

    def show(self, session_id: str, message: bytes) -> None:
        """Send the newest snapshot of a session, in its envelope. Never waits, never raises."""

    def close(self, code: int, reason: str) -> None:
        """Send a close frame, and call leave() when the client has answered."""

    def abort(self) -> None:
        """Disconnect without a close frame, and call leave()."""


class Feed:
    """The snapshots of one session while it is watched.

    newest    the last snapshot, in its envelope; empty before the first
    watchers  receive every snapshot from here on
    joining   how many watchers are about to be added
    """

    def __init__(self, session: Session, rendering: Rendering) -> None:
        self.newest = b""
        self.watchers: set[Watcher] = set()
        self.joining = 0
        self._session = session
        self._rendering = rendering
        self._lock = asyncio.Lock()
        self._begun = self._done = 0  # captures are numbered: the newest that has begun, the newest that arrived
        watching = contextlib.ExitStack()
        self._changes = watching.enter_context(session.watch())  # before the first capture, so that no change is missed
        self.following = asyncio.create_task(self._follow())  # owned: Snapshots cancels it
        self.following.add_done_callback(lambda _: watching.close())  # a task may be cancelled before it has begun

    async def update(self) -> None:
        """Update `newest`, and send it to the watchers if it has changed. Raises UnknownSession."""
        before = self._begun
        async with self._lock:
            if self._done > before:
                return  # another call has captured a later state while this one waited
            self._begun += 1
            terminal = await self._session.capture()
            message = await self._rendering.run(
                lambda: enveloped(self._session.id, terminal.snapshot()), terminal.rows * terminal.cols
            )
            self._done = self._begun
        if message == self.newest:
            return
        self.newest = message
        for watcher in tuple(self.watchers):
            if self.newest is not message:
                return  # another call sends a later one
            if watcher in self.watchers:
                watcher.show(self._session.id, message)
            if len(message) > LARGE:
                await asyncio.sleep(0)  # each watcher's socket gets a copy: let other clients have their turn

    async def _follow(self) -> None:
        try:
            while True:
                await self._changes.changed()
                await self.update()
        except UnknownSession:
            pass  # the session was removed: its last screen stays on the clients' pages
        except Exception:
            log.exception("the snapshots of session %s have ended", self._session.id)


class Snapshots:
    """Every feed and every watcher of one server."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._feeds: dict[str, Feed] = {}
        self._following: set[asyncio.Task[None]] = set()
        self._watchers: set[Watcher] = set()
        self._no_watchers = asyncio.Event()

    def __len__(self) -> int:
        """How many watchers there are."""
        return len(self._watchers)

    @property
    def feeds(self) -> int:
        """How many sessions are watched."""
        return len(self._feeds)

    def enter(self, watcher: Watcher) -> None:
        self._no_watchers.clear()
        self._watchers.add(watcher)

    def leave(self, watcher: Watcher) -> None:
        """Remove a watcher. Safe twice."""
        for session_id in tuple(self._feeds):
            self.unsubscribe(session_id, watcher)
        self._watchers.discard(watcher)
        if not self._watchers:
            self._no_watchers.set()

    async def subscribe(self, session: Session, watcher: Watcher) -> bytes:
        """The session's screen as it is now, in its envelope. The watcher receives every later snapshot.

        Replaces the watcher's earlier subscription. Raises UnknownSession when the session is removed meanwhile.
        """
        feed = self._feeds.get(session.id)
        if feed is None:
            feed = self._feeds[session.id] = Feed(session, self._rendering)
            self._following.add(feed.following)
            feed.following.add_done_callback(lambda task: self._over(session.id, feed, task))
        feed.watchers.discard(watcher)
        feed.joining += 1
        try:
            await feed.update()
            if watcher in self._watchers:  # else the watcher has left meanwhile
                feed.watchers.add(watcher)
        finally:
            feed.joining -= 1
            self._end_if_unwatched(session.id, feed)
        return feed.newest

    def unsubscribe(self, session_id: str, watcher: Watcher) -> None:
        """Does nothing if there is no such subscription."""
        feed = self._feeds.get(session_id)
        if feed is not None:
            feed.watchers.discard(watcher)
            self._end_if_unwatched(session_id, feed)

    async def close(self) -> None:
        """Close every watcher (1001), and end all feeds."""
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
        """Return when every watcher has left, at the latest after FAREWELL_S."""
        if self._watchers:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL_S):
                    await self._no_watchers.wait()

    def _end_if_unwatched(self, session_id: str, feed: Feed) -> None:
        """End the feed if it has no watchers."""
        if not feed.watchers and not feed.joining:
            if self._feeds.get(session_id) is feed:
                del self._feeds[session_id]
            feed.following.cancel()

    def _over(self, session_id: str, feed: Feed, task: asyncio.Task[None]) -> None:
        self._following.discard(task)
        if self._feeds.get(session_id) is feed:
            del self._feeds[session_id]
