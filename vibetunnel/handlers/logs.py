"""The newest lines of the server's log, and those that clients add."""

from __future__ import annotations

from http import HTTPStatus

from vibetunnel.handlers import log_schemas
from vibetunnel.handlers.handler import Handler
from vibetunnel.logs.audit import Action

KIB = 1024


class ClientLinesHandler(Handler):
    """POST /api/logs/client."""

    def post(self) -> None:
        principal, context = self.required(self.principal), self.context
        # A line too many is dropped, but not refused: VibeTunnel's client would log the refusal, and send that too.
        if context.limits.client_line(principal, self.counted_as):
            line = self.read(log_schemas.ClientLine)
            context.recent.client(principal.user, line.level, line.module, line.args)
        self.set_status(HTTPStatus.NO_CONTENT)


class LogHandler(Handler):
    """GET /api/logs."""

    async def get(self) -> None:
        lines = self.context.recent.lines(self.query(log_schemas.LogQuery).after)
        await self.answer_each(lines, lambda line: line)


class LogInfoHandler(Handler):
    """GET /api/logs/info."""

    def get(self) -> None:
        recent = self.context.recent
        lines, size = recent.lines(), recent.size
        human = f"{size} bytes" if size < KIB else f"{size / KIB:.1f} KiB"
        self.answer(
            log_schemas.LogInfo(size=size, size_human=human, last_modified=lines[-1].at if lines else None),
        )


class RawLogHandler(Handler):
    """GET /api/logs/raw."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(self.context.recent.text())


class ClearLogHandler(Handler):
    """DELETE /api/logs/clear."""

    async def delete(self) -> None:
        self.context.recent.clear()
        await self.record(Action.LOG)
        self.set_status(HTTPStatus.NO_CONTENT)


class FlushLogHandler(Handler):
    """POST /api/logs/flush: every line is there already."""

    def post(self) -> None:
        self.set_status(HTTPStatus.NO_CONTENT)
