"""The REST routes that show what stands on a session's terminal, or wait for it."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

from vibetunnel._ext import vt
from vibetunnel.errors import InvalidField
from vibetunnel.handlers import schemas
from vibetunnel.handlers.access import Refused
from vibetunnel.handlers.sessions import SessionHandler
from vibetunnel.handlers.upgrade import OFFSET_HEADER
from vibetunnel.sessions.attachments import Attachment
from vibetunnel.sessions.waits import Wait

TOP_HEADER = "X-VibeTunnel-Top"
OLDEST_HEADER = "X-VibeTunnel-Oldest"
TIMEOUT_MS = 30_000  # of a wait that names none

# Nothing of it runs, loads or links anywhere, whatever a program has printed.
HTML_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HTML = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Terminal</title>
<style>body {{ background: #1e1e1e; color: #d4d4d4 }} pre {{ font-family: monospace }}</style>
{}
</html>
"""


class LinesHandler(SessionHandler):
    """What answers with some lines of a terminal."""

    async def captured(self, session_id: str, query: schemas.LinesQuery) -> tuple[vt.Terminal, int, int]:
        """A copy of the terminal, and the wanted lines as it counts them: [first, last). Sets the headers."""
        session = self.session(session_id)
        first, last = query.first or 0, query.last
        if query.top is None:
            copy = await session.capture(max(0, -first))
        else:
            copy = await session.capture_from(query.top + first)
            first += query.top - copy.top
            last = None if last is None else last + query.top - copy.top
        last = copy.rows if last is None else last
        if last < first:
            raise InvalidField("last", "a line behind the first", str(query.last))
        self.set_header(OFFSET_HEADER, str(copy.offset))
        self.set_header(TOP_HEADER, str(copy.top))
        self.set_header(OLDEST_HEADER, str(copy.original_oldest))
        return copy, first, last


class TextHandler(LinesHandler):
    """GET /api/sessions/{session_id}/text."""

    async def get(self, session_id: str) -> None:
        query = self.query(schemas.TextQuery)
        copy, first, last = await self.captured(session_id, query)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        await self.finish(copy.text(first, last, unwrap=query.unwrap))


class HtmlHandler(LinesHandler):
    """GET /api/sessions/{session_id}/html."""

    async def get(self, session_id: str) -> None:
        copy, first, last = await self.captured(session_id, self.query(schemas.LinesQuery))
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", HTML_POLICY)
        await self.finish(HTML.format(copy.html(first, last)))


class ScreenHandler(SessionHandler):
    """GET /api/sessions/{session_id}/screen: as the engine writes it."""

    async def get(self, session_id: str) -> None:
        copy = await self.session(session_id).capture()
        self.set_header("Content-Type", "application/json; charset=utf-8")
        await self.finish(copy.json())


class SnapshotHandler(SessionHandler):
    """GET /api/sessions/{session_id}/snapshot, and .../buffer, as the Node server calls it."""

    async def get(self, session_id: str) -> None:
        copy = await self.session(session_id).capture()
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header(OFFSET_HEADER, str(copy.offset))
        await self.finish(copy.snapshot())


class CommandsHandler(SessionHandler):
    """GET /api/sessions/{session_id}/commands."""

    def get(self, session_id: str) -> None:
        self.answer(self.session(session_id).commands.newest())


class _Waiting:
    """A wait as something that a logout can end."""

    def __init__(self, task: asyncio.Task[schemas.Outcome]) -> None:
        self._task = task
        self.ended = False

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.ended = True
        self._task.cancel()


class WaitHandler(SessionHandler):
    """POST /api/sessions/{session_id}/wait."""

    _task: asyncio.Task[schemas.Outcome] | None = None
    _left = False

    async def post(self, session_id: str) -> None:
        principal = self.require_login()
        wanted = _wanted(self.read(schemas.Wait))
        # A task of its own, so that there is something to cancel when the client leaves.
        self._task = asyncio.create_task(self.context.waits.wait(self.session(session_id), wanted))
        waiting = _Waiting(self._task)
        self.context.attachments.add(
            Attachment(closes=waiting, principal=principal, address=self.client.address, session_id=session_id)
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


def _wanted(given: schemas.Wait) -> Wait:
    """What is waited for. Raises InvalidField."""
    idle_ms = given.idle_ms if given.idleMs is None else given.idleMs
    timeout_ms = given.timeout_ms if given.timeoutMs is None else given.timeoutMs
    conditions = [given.text is not None, given.regex is not None, idle_ms is not None, given.prompt, given.exit]
    if sum(conditions) != 1:
        got = "none" if not any(conditions) else f"{sum(conditions)} of them"
        raise InvalidField("text, regex, idleMs, prompt, exit", "exactly one of them", got)
    if "" in (given.text, given.regex):
        raise InvalidField("text" if given.text == "" else "regex", "something to look for", "an empty text")
    return Wait(
        text=given.text,
        regex=given.regex,
        idle_ms=idle_ms,
        prompt=given.prompt,
        exit=given.exit,
        from_line=given.from_line if given.fromLine is None else given.fromLine,
        timeout_ms=TIMEOUT_MS if timeout_ms is None else timeout_ms,
    )
