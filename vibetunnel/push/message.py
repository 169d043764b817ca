"""What a browser is told of an event: the message, and the preference that asks for it. Pure."""

from __future__ import annotations

import base64
import hashlib
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from vibetunnel.preferences import Notifications
from vibetunnel.sessions.events import LONG_COMMAND_MS, SessionEvent
from vibetunnel.sessions.shell_commands import ShellCommand

LONGEST_TITLE = 120  # characters; with the body below the 4096 bytes that every push service takes (RFC 8030 §7.2)
LONGEST_BODY = 300

Happening = Literal[
    "session-start", "session-exit", "command-finished", "command-error", "bell", "attention", "test-notification"
]


class Told(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """What the page needs when the user opens the notification. timestamp: ms since the epoch."""

    type: Happening
    timestamp: int
    session_id: str | UnsetType = UNSET


class PushMessage(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """One notification, with the names that VibeTunnel's own service worker reads."""

    title: str
    body: str
    tag: str
    silent: bool = False
    vibrate: bool = False
    data: Told


class News(NamedTuple):
    """Something that users may want to be told of."""

    type: Happening
    session_id: str
    title: str
    body: str

    def wanted(self, by: Notifications) -> bool:
        """Whether a user with these preferences wants to know it."""
        return by.enabled and (
            {
                "session-start": by.session_start,
                "session-exit": by.session_exit,
                "command-finished": by.command_completion,
                "command-error": by.command_error,
                "bell": by.bell,
                "attention": by.claude_turn,
            }.get(self.type, True)
        )

    @property
    def tag(self) -> str:
        """A newer notification with the same tag replaces this one."""
        return f"vibetunnel-{self.type}-{self.session_id}"

    @property
    def topic(self) -> str:
        """The same for the push service, which must not read it (RFC 8030 §5.4: at most 32 characters)."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.tag.encode()).digest()[:24]).decode()

    def message(self, preferences: Notifications, now_ms: int) -> bytes:
        return _encode(
            PushMessage(
                title=_cut(self.title, LONGEST_TITLE),
                body=_cut(self.body, LONGEST_BODY),
                tag=self.tag,
                silent=not preferences.sound_enabled,
                vibrate=preferences.vibration_enabled,
                data=Told(type=self.type, timestamp=now_ms, session_id=self.session_id or UNSET),
            )
        )


_encode = msgspec.json.Encoder().encode


def news(event: SessionEvent, name: str) -> News | None:
    """What an event tells users; None: nothing. name: of the session."""
    session_id = event.session_id or ""
    match event.type:
        case "session-started":
            return News("session-start", session_id, f"{name} has started", "")
        case "session-exited" if event.session is not UNSET:
            return News("session-exit", session_id, f"{name} has ended", _ending(event.session))
        case "command" if event.command is not UNSET and (event.command.duration_ms or 0) >= LONG_COMMAND_MS:
            return _of_command(event.command, session_id, name)
        case "bell":
            return News("bell", session_id, name, "The terminal rang.")
        case "notification" if event.notification:
            title, body = event.notification.title, event.notification.body
            return News("attention", session_id, title or name, f"{body}\n{name}".strip() if title else body)
    return None


def _ending(session: Any) -> str:  # Any: a SessionView
    if session.reason not in (UNSET, None, ""):
        return str(session.reason)
    return "" if session.exit_code is UNSET else f"Exit code {session.exit_code}"


def _of_command(command: ShellCommand, session_id: str, name: str) -> News:
    seconds = (command.duration_ms or 0) // 1000
    took = f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"
    if command.exit_code:
        return News(
            "command-error",
            session_id,
            f"Failed: {command.command}",
            f"{name}: exit code {command.exit_code} after {took}",
        )
    return News("command-finished", session_id, f"Done: {command.command}", f"{name}: after {took}")


def _cut(text: str, longest: int) -> str:
    """Without control characters, and short. What direction it is written in is for the browser to isolate."""
    plain = "".join(each if each.isprintable() or each == "\n" else " " for each in text[: 4 * longest]).strip()
    return plain if len(plain) <= longest else f"{plain[:longest]}…"
