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


def key_of(message: str) -> str | None:
    """The name in `\\0name\\0`; None: the message is text."""
    return message[1:-1] if len(message) > 2 and message.startswith(NUL) and message.endswith(NUL) else None


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


async def press_when_allowed(handler: SessionHandler, session_id: str, name: str) -> None:
    """Press a key, as type_when_allowed() types. An unknown name presses none."""
    if name in KEYS:
        handler.typist(session_id)  # before the terminal is asked for its modes
        await type_when_allowed(handler, session_id, await handler.session(session_id).key(name))


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
        text = message if isinstance(message, str) else message.decode("utf-8", "replace")
        key = key_of(text)
        with contextlib.suppress(Refused, VibeTunnelError):
            if key is None:
                await type_when_allowed(self.opener, self.opener.session_id, text.encode())
            else:
                await press_when_allowed(self.opener, self.opener.session_id, key)
