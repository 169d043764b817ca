"""POST /api/sessions/{session_id}/wait: answers when something has happened on a session's screen."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from vibetunnel.handlers import schemas
from vibetunnel.handlers.refusals import Refused
from vibetunnel.handlers.sessions import SessionHandler
from vibetunnel.sessions.attachments import Attachment, counted
from vibetunnel.sessions.waits import Outcome, Wait

TIMEOUT_MS = 30_000  # of a wait without its own


class _Waiting:
    """A wait, as something that a logout can end."""

    def __init__(self, task: asyncio.Task[Outcome]) -> None:
        self._task = task
        self.ended = False

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.ended = True
        self._task.cancel()


class WaitHandler(SessionHandler):
    """POST /api/sessions/{session_id}/wait."""

    _task: asyncio.Task[Outcome] | None = None
    _left = False

    async def post(self, session_id: str) -> None:
        principal = self.require_login()
        wanted = _wanted(self.read(schemas.WaitBody))
        user = counted(principal, self.client.address)
        # A task of its own, which on_connection_close() and a logout can cancel.
        self._task = asyncio.create_task(self.context.waits.wait(self.session(session_id), wanted, user))
        waiting = _Waiting(self._task)
        self.context.attachments.add(
            Attachment(connection=waiting, principal=principal, address=self.client.address, session_id=session_id)
        )
        try:
            outcome = await self._task
        except asyncio.CancelledError:
            self._task.cancel()
            if waiting.ended:
                raise Refused(HTTPStatus.UNAUTHORIZED, "Authentication required") from None
            if not self._left:
                raise
        else:
            self.answer(outcome)
        finally:
            self.context.attachments.discard(waiting)

    def on_connection_close(self) -> None:
        self._left = True
        if self._task is not None:
            self._task.cancel()


def _wanted(given: schemas.WaitBody) -> Wait:
    """Return the condition to wait for."""
    idle_ms = given.idle_ms if given.idleMs is None else given.idleMs
    timeout_ms = given.timeout_ms if given.timeoutMs is None else given.timeoutMs
    return Wait(
        text=given.text,
        regex=given.regex,
        idle_ms=idle_ms,
        prompt=given.prompt,
        exit=given.exit,
        from_line=given.from_line if given.fromLine is None else given.fromLine,
        timeout_ms=TIMEOUT_MS if timeout_ms is None else timeout_ms,
    )
