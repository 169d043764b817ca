"""/ws/input: the keys that VibeTunnel's own client types, one text message each. The server sends nothing."""

from __future__ import annotations

import asyncio
import contextlib

from vibetunnel.errors import RateLimited, VibeTunnelError
from vibetunnel.handlers import schemas
from vibetunnel.handlers.refusals import Refused
from vibetunnel.handlers.sessions import SessionHandler
from vibetunnel.handlers.websocket import RelayedSocket, upgrade
from vibetunnel.security.principal import Scope
from vibetunnel.sessions.keys import KEYS

LARGEST = 1024 * 1024  # bytes of a message: a paste is one
NUL = "\0"


def typed(message: str) -> bytes:
    """The bytes that a message writes: text as it is, a key's for `\\0name\\0`; none for an unknown name."""
    if len(message) > 2 and message.startswith(NUL) and message.endswith(NUL):
        return KEYS.get(message[1:-1], b"")
    return message.encode()


async def type_when_allowed(handler: SessionHandler, session_id: str, data: bytes) -> None:
    """Type into a session. Input above the rate waits: the socket's next message is read after this one.

    Raises what type_in() raises for other reasons.
    """
    while data:
        try:
            await handler.type_in(handler.session(session_id), data)
        except RateLimited as limited:
            await asyncio.sleep(limited.retry_after_s)
        else:
            return


class InputSocketHandler(SessionHandler):
    """GET /ws/input: the upgrade."""

    session_id = ""

    def get(self) -> None:
        self.session_id = self.query(schemas.InputSocketQuery).session_id
        self.require(Scope.TYPE, self.session_id or None)
        upgrade(self, InputSocket)


class InputSocket(RelayedSocket):
    """Types into one session, and says nothing: not that there is no such session, and not that it has ended."""

    opener: InputSocketHandler

    @property
    def max_message_size(self) -> int:
        return LARGEST

    def open(self) -> None:
        super().open()
        if not self.opener.session_id:
            self.close()

    async def on_message(self, message: str | bytes) -> None:
        self.heard()
        data = typed(message if isinstance(message, str) else message.decode("utf-8", "replace"))
        with contextlib.suppress(Refused, VibeTunnelError):
            await type_when_allowed(self.opener, self.opener.session_id, data)
