"""Events with the names that VibeTunnel's own client knows, made of this server's events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from vibetunnel.sessions.events import LONG_COMMAND_MS, SessionEvent

_decode = msgspec.json.Decoder(SessionEvent).decode
_encode = msgspec.json.Encoder().encode


class NodeEvent(msgspec.Struct, kw_only=True, rename="camel"):
    """One event. session_name: the session's, as far as it is known."""

    type: Literal[
        "connected",
        "session-start",
        "session-exit",
        "command-finished",
        "command-error",
        "bell",
        "claude-turn",
        "test-notification",
    ]
    timestamp: str
    session_id: str | UnsetType = UNSET
    session_name: str | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    command: str | UnsetType = UNSET
    duration: int | UnsetType = UNSET  # ms
    title: str | UnsetType = UNSET
    body: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


def as_node(message: bytes, name_of: Callable[[str], str | None]) -> tuple[str, bytes] | None:
    """(session id, the event for that client) for an event of this server; None if it knows no such event.

    name_of  the name of a session
    """
    event = _decode(message)
    if event.type == "connected":
        return "", _encode(NodeEvent(type="connected", timestamp=event.timestamp))
    session_id = event.session_id or ""
    made = NodeEvent(
        type="bell",
        timestamp=event.timestamp,
        session_id=session_id,
        session_name=event.session.name if event.session is not UNSET else name_of(session_id) or UNSET,
    )
    match event.type:
        case "session-started":
            made.type = "session-start"
        case "session-exited":
            made.type = "session-exit"
            made.exit_code = event.session.exit_code if event.session is not UNSET else UNSET
        case "command" if event.command is not UNSET and (event.command.duration_ms or 0) >= LONG_COMMAND_MS:
            made.type = "command-error" if event.command.exit_code else "command-finished"
            made.command = event.command.command
            made.duration = event.command.duration_ms
            made.exit_code = event.command.exit_code
        case "bell":
            pass
        case "notification" if event.notification:  # of any program: agents say so that they wait
            made.type = "claude-turn"
            made.title, made.message = event.notification.title, event.notification.body
        case "test-notification":
            made.type, made.title, made.body = event.type, event.title, event.text
        case _:
            return None
    return session_id, _encode(made)
