"""GET /api/sessions/{session_id}/stream: a session's output as server-sent events, as the Node server has them.

The pump makes the events (docs/pump.md), as it makes the frames of a WebSocket.
"""

from __future__ import annotations

import shlex
import socket
from http import HTTPStatus
from typing import Any

from vibetunnel.handlers import schemas
from vibetunnel.handlers.attach import TEXT_EVENTS, AttachHandler, Wish
from vibetunnel.handlers.refusals import encode
from vibetunnel.sessions.session import Session

LAST_EVENT = "Last-Event-ID"
TERM = "xterm-256color"

# Between two tries of a client that has lost its stream. VibeTunnel's own client takes three errors, each within 5 s of
# the one before it, as the end of the session. With a browser's usual 3 s, an outage of 6 s would be enough for that.
RETRY_MS = 5100


def header_fields(session: Session) -> dict[str, Any]:  # Any: JSON
    """The fields of an asciicast header (version 2) beside the size."""
    record = session.record
    return {
        "timestamp": (record.started_ns or record.created_ns) // 1_000_000_000,
        "command": shlex.join(record.order.argv),
        "title": record.name,
        "env": {"TERM": TERM},
    }


def events_of(session: Session) -> dict[str, Any]:  # Any: the arguments of Terminal.attach()
    """How a client gets a session's events."""
    return {
        "text": TEXT_EVENTS,
        "latest": True,
        "header": b"," + encode(header_fields(session)).removeprefix(b"{"),
        "session": encode(session.id)[1:-1],
    }


class StreamHandler(AttachHandler):
    """One stream. The client may be away for a while: `Last-Event-ID` then gives it the rest, if that is kept."""

    async def get(self, session_id: str) -> None:
        query = self.query(schemas.StreamQuery)
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("X-Accel-Buffering", "no")  # proxies pass each event on at once
        self.set_header("Connection", "close")  # the end of the connection ends the stream
        wish = Wish(
            session_id=session_id,
            types=True,
            since=_offset(self.request.headers.get(LAST_EVENT, "")),
            transport={
                "response": f"HTTP/1.1 200 OK\r\n{self.lines()}\r\n:ok\nretry: {RETRY_MS}\n\n".encode("latin-1"),
                "scrollback": query.scrollback,
                **events_of(self.session(session_id)),
            },
        )
        await self.give_away(wish, HTTPStatus.OK)

    def take_socket(self) -> tuple[int, bytes]:
        descriptor, received = super().take_socket()
        # A stream has no answers to pings. The kernel ends the connection if what was sent is not confirmed.
        option = getattr(socket, "TCP_USER_TIMEOUT", None)
        plain = socket.socket(fileno=descriptor)
        try:
            if option is not None and plain.family in (socket.AF_INET, socket.AF_INET6):
                plain.setsockopt(socket.IPPROTO_TCP, option, int(self.context.settings.timeout_s * 1000))
        finally:
            plain.detach()
        return descriptor, received


def _offset(given: str) -> int | None:
    """The offset that an event's id is; None for anything else."""
    return int(given) if given.isascii() and given.isdecimal() and len(given) <= 19 else None
