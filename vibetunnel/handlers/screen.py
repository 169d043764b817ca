"""The REST routes that show a session's screen, its lines and its shell commands."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from vibetunnel._ext import vt
from vibetunnel.errors import InvalidField, UnknownPicture
from vibetunnel.handlers import schemas
from vibetunnel.handlers.sessions import SessionHandler
from vibetunnel.http.upgrade import OFFSET_HEADER
from vibetunnel.sessions import pictures
from vibetunnel.sessions.rendering import AT_ONCE
from vibetunnel.sessions.styled_text import styled_text

TOP_HEADER = "X-VibeTunnel-Top"
OLDEST_HEADER = "X-VibeTunnel-Oldest"

# The page runs no script and loads nothing, whatever a program has printed.
HTML_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HTML_BEFORE = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Terminal</title>
<style>body { background: #1e1e1e; color: #d4d4d4 } pre { font-family: monospace }</style>
"""
HTML_AFTER = b"\n</html>\n"
PICTURE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"  # a program chose the bytes
PART = 1024 * 1024  # bytes of an answer that are written at once


class CaptureHandler(SessionHandler):
    """Answers with what is made of a capture."""

    async def made(self, copy: vt.Engine, make: Callable[[], bytes], lines: int) -> bytes:
        """The result of `make`, which takes so many lines of `copy`; in a thread if they are many."""
        kept = copy.rows + copy.scrollback_count
        return await self.context.rendering.run(make, min(lines, kept) * copy.cols)

    async def send(self, *pieces: bytes) -> None:
        """Answer with the pieces, one after the other. A long one goes out in parts: joining 100 MB takes 0.1 s."""
        if sum(map(len, pieces)) <= PART:
            await self.finish(b"".join(pieces))
            return
        for piece in pieces:
            for begin in range(0, len(piece), PART):
                await self.write(piece[begin : begin + PART])
        self.finish()


class LinesHandler(CaptureHandler):
    """Answers with lines of a terminal."""

    async def captured(self, session_id: str, query: schemas.LinesQuery) -> tuple[vt.Engine, int, int]:
        """Return a copy of the terminal, and the wanted lines in its numbers: [first, last). Sets the headers."""
        session = self.session(session_id)
        first, last = query.first or 0, query.last
        if query.top is None:
            copy = await session.capture(max(0, -first))
        else:
            copy = await session.capture_from(query.top + first)
            first += query.top - copy.top
            last = None if last is None else last + query.top - copy.top
        last = max(first, copy.rows if last is None else last)
        self.set_header(OFFSET_HEADER, str(copy.offset))
        self.set_header(TOP_HEADER, str(copy.top))
        self.set_header(OLDEST_HEADER, str(copy.original_oldest))
        return copy, first, last


class TextHandler(LinesHandler):
    """GET /api/sessions/{session_id}/text."""

    async def get(self, session_id: str) -> None:
        query = self.query(schemas.TextQuery)
        copy, first, last = await self.captured(session_id, query)
        if query.styles is None:
            text = await self.made(copy, partial(copy.utf8, first, last, unwrap=query.unwrap), last - first)
        elif query == schemas.TextQuery(styles=query.styles):
            text = await self.made(copy, lambda: styled_text(copy.json()), copy.rows)
        else:
            raise InvalidField("styles", "the whole screen, without first, last, top and unwrap", "one of them")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        await self.send(text)


class HtmlHandler(LinesHandler):
    """GET /api/sessions/{session_id}/html."""

    async def get(self, session_id: str) -> None:
        copy, first, last = await self.captured(session_id, self.query(schemas.LinesQuery))
        lines = await self.made(copy, partial(copy.html, first, last), last - first)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", HTML_POLICY)
        rules = b""
        if b'<span class="' in lines:
            rules = await self.context.rendering.run(partial(pictures.rules, copy, lines), AT_ONCE + 1)
        await self.send(HTML_BEFORE, rules, lines, HTML_AFTER)


class ScreenHandler(CaptureHandler):
    """GET /api/sessions/{session_id}/screen: the screen as JSON, from the engine."""

    async def get(self, session_id: str) -> None:
        copy = await self.session(session_id).capture()
        screen = await self.made(copy, copy.json, copy.rows)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        await self.send(screen)


class PictureHandler(CaptureHandler):
    """GET /api/sessions/{session_id}/pictures/{key}: a picture on the screen or in scrollback, as a file."""

    async def get(self, session_id: str, key: str) -> None:
        copy = await self.session(session_id).capture()
        number = pictures.key_of(key)
        if number is None:
            raise UnknownPicture
        file = await self.context.rendering.run(partial(pictures.as_file, copy, number), AT_ONCE + 1)
        if not file:
            raise UnknownPicture
        self.set_header("Content-Type", pictures.media_type(file))
        self.set_header("Content-Security-Policy", PICTURE_POLICY)
        await self.send(file)


class SnapshotHandler(CaptureHandler):
    """GET /api/sessions/{session_id}/snapshot, and .../buffer, its name in the Node server."""

    async def get(self, session_id: str) -> None:
        copy = await self.session(session_id).capture()
        snapshot = await self.made(copy, copy.snapshot, copy.rows)
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header(OFFSET_HEADER, str(copy.offset))
        await self.send(snapshot)


class CommandsHandler(SessionHandler):
    """GET /api/sessions/{session_id}/commands."""

    async def get(self, session_id: str) -> None:
        commands = self.session(session_id).commands
        self.answer(await commands.with_text(commands.newest()))
