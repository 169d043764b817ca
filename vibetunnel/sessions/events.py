"""Events of the control plane: each is one JSON message, encoded once for all listeners."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from vibetunnel.git.messages import Summary
from vibetunnel.sessions.broadcast import Broadcast
from vibetunnel.sessions.model import iso
from vibetunnel.sessions.shell_commands import ShellCommand
from vibetunnel.sessions.view import Describes, NotificationView, ProgressView, SessionView

SETTLE_S = 0.05  # a program that sets its title or size in a loop causes one message in this time
LONG_COMMAND_MS = 3000  # of which users are told; a shorter command is no news
CLIPBOARD_LIMIT = 65536  # bytes; a longer text is not sent, since a part of it is of no use
NOTIFICATIONS_AT_ONCE = 5  # of one session within SETTLE_S: the newest are sent
COMMANDS_AT_ONCE = 20  # of one session within SETTLE_S: the newest are sent; GET .../commands has all

Kind = Literal[
    "connected",
    "session-created",
    "session-started",
    "session-exited",
    "session-renamed",
    "session-removed",
    "session-updated",
    "bell",
    "clipboard",
    "command",
    "title",
    "progress",
    "notification",
    "user-vars",
    "test-event",
    "git-status-update",
    "test-notification",
]


class SessionEvent(msgspec.Struct, kw_only=True, rename="camel"):
    """One message of GET /api/events."""

    type: Kind
    timestamp: str
    session_id: str | UnsetType = UNSET
    session: SessionView | UnsetType = UNSET
    count: int | UnsetType = UNSET
    title: str | UnsetType = UNSET
    selection: str | UnsetType = UNSET
    text: str | UnsetType = UNSET
    command: ShellCommand | UnsetType = UNSET
    progress: ProgressView | UnsetType | None = UNSET
    notification: NotificationView | UnsetType | None = UNSET
    user_vars: dict[str, str] | UnsetType = UNSET
    git_modified_count: int | UnsetType = UNSET
    git_added_count: int | UnsetType = UNSET
    git_deleted_count: int | UnsetType = UNSET
    git_ahead_count: int | UnsetType = UNSET
    git_behind_count: int | UnsetType = UNSET


_encode = msgspec.json.Encoder().encode


def encoded(kind: Kind) -> bytes:
    """A message that is not about a session."""
    return _encode(SessionEvent(type=kind, timestamp=iso(time.time_ns())))


class SessionEvents:
    """Publishes the events of all sessions.

    Events of a session's life are sent at once. Events that a program can repeat at will (title, bell, size) are
    coalesced for SETTLE_S.
    """

    def __init__(self) -> None:
        self.broadcast = Broadcast()
        self._titles: dict[str, str] = {}
        self._bells: dict[str, int] = {}
        self._updates: dict[str, Describes] = {}
        self._clipboards: dict[str, tuple[str, str]] = {}  # session -> (selection, text)
        self._commands: dict[str, deque[bytes]] = {}
        self._progress: dict[str, ProgressView | None] = {}
        self._notifications: dict[str, deque[NotificationView | None]] = {}
        self._variables: dict[str, dict[str, str]] = {}
        self._repositories: dict[str, Summary | None] = {}
        self._timer: asyncio.TimerHandle | None = None

    def session(self, kind: Kind, session: Describes) -> None:
        """Send an event about `session` at once."""
        self._updates.pop(session.id, None)  # this message has the same fields
        if self.broadcast.listeners:
            self._publish(SessionEvent(type=kind, timestamp=_now(), session_id=session.id, session=session.describe()))

    def test(self, title: str, text: str) -> int:
        """Send a text to all that get the events of all sessions. Returns how many clients they are."""
        self._publish(SessionEvent(type="test-event", timestamp=_now(), title=title, text=text))
        # Push listens too, for no user.
        return sum(listener.only is None and bool(listener.user) for listener in self.broadcast.listeners)

    def removed(self, session_id: str) -> None:
        for waiting in (
            *(self._titles, self._bells, self._updates, self._clipboards),
            *(self._commands, self._progress, self._notifications, self._variables, self._repositories),
        ):
            waiting.pop(session_id, None)
        if self.broadcast.listeners:
            self._publish(SessionEvent(type="session-removed", timestamp=_now(), session_id=session_id))

    def updated(self, session: Describes) -> None:
        """Clients, size or folder have changed."""
        if self._coalesce():
            self._updates[session.id] = session

    def title(self, session_id: str, title: str) -> None:
        if self._coalesce():
            self._titles[session_id] = title

    def bell(self, session_id: str, count: int) -> None:
        if self._coalesce():
            self._bells[session_id] = self._bells.get(session_id, 0) + count

    def clipboard(self, session_id: str, selection: str, data: bytes) -> None:
        """A program wants `data` in a clipboard. Not sent unless it is text of at most CLIPBOARD_LIMIT bytes."""
        if len(data) <= CLIPBOARD_LIMIT and self._coalesce():
            try:
                self._clipboards[session_id] = selection, data.decode()
            except UnicodeDecodeError:
                pass

    def progress(self, session_id: str, progress: ProgressView | None) -> None:
        if self._coalesce():
            self._progress[session_id] = progress

    def notification(self, session_id: str, notification: NotificationView | None) -> None:
        """None: the program has withdrawn the newest."""
        if self._coalesce():
            gathered = self._notifications.setdefault(session_id, deque(maxlen=NOTIFICATIONS_AT_ONCE))
            gathered.append(notification)

    def variables(self, session_id: str, variables: dict[str, str]) -> None:
        """All variables of the session, after one was set."""
        if self._coalesce():
            self._variables[session_id] = variables

    def git(self, session_id: str, repository: Summary | None) -> None:
        """The repository of the session's folder has changed. None: it is in none, and all counts are 0."""
        if self._coalesce():
            self._repositories[session_id] = repository

    def command(self, session_id: str, command: ShellCommand) -> None:
        """A command has ended."""
        if self._coalesce():
            gathered = self._commands.setdefault(session_id, deque(maxlen=COMMANDS_AT_ONCE))
            # Encoded now, because a resize may change the command's line numbers.
            gathered.append(
                _encode(SessionEvent(type="command", timestamp=_now(), session_id=session_id, command=command))
            )

    def test_notification(self, user: str, title: str, text: str) -> None:
        """Send a notification to the pages of one user."""
        event = SessionEvent(type="test-notification", timestamp=_now(), title=title, text=text)
        self.broadcast.publish_to(user, _encode(event))

    def close(self) -> None:
        """End every listener's stream."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.broadcast.close()

    def _coalesce(self) -> bool:
        if not self.broadcast.listeners:
            return False
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SETTLE_S, self._flush)
        return True

    def _flush(self) -> None:
        self._timer = None
        now = _now()
        updates, self._updates = self._updates, {}
        titles, self._titles = self._titles, {}
        bells, self._bells = self._bells, {}
        clipboards, self._clipboards = self._clipboards, {}
        commands, self._commands = self._commands, {}
        progresses, self._progress = self._progress, {}
        notifications, self._notifications = self._notifications, {}
        variables, self._variables = self._variables, {}
        repositories, self._repositories = self._repositories, {}
        for session in updates.values():
            self.session("session-updated", session)
        for session_id, title in titles.items():
            self._publish(SessionEvent(type="title", timestamp=now, session_id=session_id, title=title))
        for session_id, count in bells.items():
            self._publish(SessionEvent(type="bell", timestamp=now, session_id=session_id, count=count))
        for session_id, (selection, text) in clipboards.items():
            self._publish(
                SessionEvent(type="clipboard", timestamp=now, session_id=session_id, selection=selection, text=text)
            )
        for session_id, progress in progresses.items():
            self._publish(SessionEvent(type="progress", timestamp=now, session_id=session_id, progress=progress))
        for session_id, gathered in notifications.items():
            for each in gathered:
                self._publish(
                    SessionEvent(type="notification", timestamp=now, session_id=session_id, notification=each)
                )
        for session_id, all_of_one in variables.items():
            self._publish(SessionEvent(type="user-vars", timestamp=now, session_id=session_id, user_vars=all_of_one))
        for session_id, repository in repositories.items():
            self._publish(git_event(session_id, repository, now))
        for session_id, messages in commands.items():
            for message in messages:
                self.broadcast.publish(message, session_id)

    def _publish(self, message: SessionEvent) -> None:
        self.broadcast.publish(_encode(message), message.session_id or "")


def git_event(session_id: str, repository: Summary | None, now: str) -> SessionEvent:
    """`git-status-update`, as VibeTunnel's own client reads it."""
    event = SessionEvent(type="git-status-update", timestamp=now, session_id=session_id)
    event.git_modified_count = 0 if repository is None else repository.modified
    event.git_added_count = 0 if repository is None else repository.untracked
    event.git_deleted_count = 0 if repository is None else repository.deleted
    event.git_ahead_count = 0 if repository is None else repository.ahead
    event.git_behind_count = 0 if repository is None else repository.behind
    return event


def update_event(session_id: str, repository: Summary | None) -> bytes:
    """The same as a server-sent event of the session's streams."""
    return b"event: session-update\ndata: " + _encode(git_event(session_id, repository, _now())) + b"\n\n"


def _now() -> str:
    return iso(time.time_ns())
