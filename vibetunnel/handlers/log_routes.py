"""The routes of the log. routes.py takes them into the table."""

from __future__ import annotations

from vibetunnel.handlers import log_schemas, logs
from vibetunnel.handlers.route import Media, Operation, Permission, Route
from vibetunnel.logs.recent import LogLine

_ADMIN = Permission.ADMIN

LOG_ROUTES: tuple[Route, ...] = (
    Route(
        "/api/logs/client",
        logs.ClientLinesHandler,
        {
            "POST": Operation(
                "Add a line of a client to the log. A line too many is dropped.",
                {204: None},
                permission=Permission.LOGIN,
                body=log_schemas.ClientLine,
                limit="input",
            )
        },
    ),
    Route(
        "/api/logs",
        logs.LogHandler,
        {
            "GET": Operation(
                "Get the newest lines of the server's log and of its clients, oldest first.",
                {200: list[LogLine]},
                permission=_ADMIN,
                query=log_schemas.LogQuery,
            )
        },
    ),
    Route(
        "/api/logs/info",
        logs.LogInfoHandler,
        {"GET": Operation("Get the log's size.", {200: log_schemas.LogInfo}, permission=_ADMIN)},
    ),
    Route(
        "/api/logs/raw",
        logs.RawLogHandler,
        {"GET": Operation("Get the log as text.", {200: Media("text/plain")}, permission=_ADMIN)},
    ),
    Route(
        "/api/logs/clear",
        logs.ClearLogHandler,
        {"DELETE": Operation("Forget all lines.", {204: None}, permission=_ADMIN)},
    ),
    Route(
        "/api/logs/flush",
        logs.FlushLogHandler,
        {"POST": Operation("Do nothing: no line waits to be written.", {204: None}, permission=_ADMIN)},
    ),
)
