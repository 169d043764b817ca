"""The table of routes. The first match answers, so a new route stands above `/api/{rest*}`.

An area with many routes declares them in a module of its own (`account_routes.py`), which the table takes in.
"""

from __future__ import annotations

from http import HTTPStatus

from vibetunnel.handlers import (
    account_schemas,
    buffers,
    events,
    schemas,
    screen,
    server,
    sessions,
    static,
    terminal_socket,
    wait,
)
from vibetunnel.handlers.account_routes import ACCOUNT_ROUTES
from vibetunnel.handlers.file_routes import FILE_ROUTES
from vibetunnel.handlers.git_routes import GIT_ROUTES
from vibetunnel.handlers.log_routes import LOG_ROUTES
from vibetunnel.handlers.multiplexer_routes import MULTIPLEXER_ROUTES
from vibetunnel.handlers.other_routes import OTHER_ROUTES
from vibetunnel.handlers.push_routes import PUSH_ROUTES
from vibetunnel.handlers.route import Media, Operation, Permission, Route
from vibetunnel.handlers.stream_routes import STREAM_ROUTES
from vibetunnel.handlers.unknown import UnknownApiHandler
from vibetunnel.http.upgrade import OFFSET_HEADER
from vibetunnel.sessions.shell_commands import ShellCommand
from vibetunnel.sessions.view import SessionView
from vibetunnel.sessions.waits import Outcome

_OPEN = Permission.OPEN
_LOGIN = Permission.LOGIN
_TYPE = Permission.TYPE
_CONTROL = Permission.CONTROL
_NOT_FOUND = HTTPStatus.NOT_FOUND
_CONFLICT = HTTPStatus.CONFLICT
_BUSY = HTTPStatus.TOO_MANY_REQUESTS
_UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE

_HEALTH = {
    "GET": Operation("Show that the server runs.", {200: schemas.Health}, permission=_OPEN),
}
_GO_HEALTH = {
    "GET": Operation("Show that the server runs, as the Go server does.", {200: schemas.GoHealth}, permission=_OPEN),
}
_PAGE = {"GET": Operation("Get the web client.", {200: Media("text/html")}, permission=_OPEN, errors=(_UNAVAILABLE,))}
_SESSION = "/api/sessions/{session_id}"
_OFFSET = {OFFSET_HEADER: "Offset of the output that the answer includes."}
_LINES = {
    **_OFFSET,
    screen.TOP_HEADER: "The absolute number of the screen's first line.",
    screen.OLDEST_HEADER: "The absolute number of the oldest line that is kept.",
}
_SNAPSHOT = {
    "GET": Operation(
        'Get the screen as cells: VibeTunnel\'s binary snapshot ("VT", version 1).',
        {200: Media("application/octet-stream", _OFFSET)},
        errors=(_NOT_FOUND,),
    )
}

ROUTES: tuple[Route, ...] = (
    Route("/api/health", server.HealthHandler, _HEALTH),
    Route("/health", server.GoHealthHandler, _GO_HEALTH),
    *OTHER_ROUTES,  # before the sessions: `activity` is no session's id
    Route(
        "/api/sessions",
        sessions.SessionsHandler,
        {
            "GET": Operation("List the sessions, newest first.", {200: list[SessionView]}, some=True),
            "POST": Operation(
                "Create a session. Its process starts at the first use, or at once with `spawn`.",
                {201: schemas.CreatedSession},
                permission=_CONTROL,
                body=schemas.NewSession,
                body_optional=True,
                errors=(_BUSY, _UNAVAILABLE),
            ),
        },
    ),
    Route(
        _SESSION,
        sessions.OneSessionHandler,
        {
            "GET": Operation("Get a session.", {200: SessionView}, errors=(_NOT_FOUND,)),
            "PATCH": Operation(
                "Rename a session.",
                {200: schemas.Renamed},
                permission=_CONTROL,
                body=schemas.RenameBody,
                errors=(_NOT_FOUND,),
            ),
            "DELETE": Operation(
                "End a session's process and wait for its end, or end what an ended session has left, and remove it.",
                {200: schemas.DoneWithMessage},
                permission=_CONTROL,
                errors=(_NOT_FOUND, _UNAVAILABLE),
            ),
        },
    ),
    Route(
        f"{_SESSION}/cleanup",
        sessions.CleanupHandler,
        {
            "DELETE": Operation(
                "Remove a session without a process.",
                {200: schemas.DoneWithMessage},
                permission=_CONTROL,
                errors=(_NOT_FOUND, _CONFLICT),
            )
        },
    ),
    Route(
        f"{_SESSION}/input",
        sessions.InputHandler,
        {
            "POST": Operation(
                "Type or paste a text, or press a key.",
                {200: schemas.Done},
                permission=_TYPE,
                body=schemas.InputBody,
                limit="input",
                errors=(_NOT_FOUND, _UNAVAILABLE),
            )
        },
    ),
    Route(
        f"{_SESSION}/resize",
        sessions.ResizeHandler,
        {
            "POST": Operation(
                "Set the size of the terminal.",
                {200: schemas.Resized},
                permission=_TYPE,
                body=schemas.ResizeBody,
                errors=(_NOT_FOUND, _UNAVAILABLE),
            )
        },
    ),
    Route(
        f"{_SESSION}/signal",
        sessions.SignalHandler,
        {
            "POST": Operation(
                "Send a signal to the foreground process group.",
                {200: schemas.Done},
                permission=_TYPE,
                body=schemas.SignalBody,
                errors=(_NOT_FOUND, _UNAVAILABLE),
            )
        },
    ),
    Route(
        f"{_SESSION}/output",
        sessions.OutputHandler,
        {
            "GET": Operation(
                "Get the output that is kept, from an offset.",
                {
                    200: Media(
                        "application/octet-stream",
                        {
                            OFFSET_HEADER: "Offset of the first byte.",
                            sessions.NEXT_OFFSET_HEADER: "Offset after the last byte: the next `since`.",
                        },
                    )
                },
                query=schemas.OutputQuery,
                errors=(_NOT_FOUND, _UNAVAILABLE),
            )
        },
    ),
    Route(
        f"{_SESSION}/text",
        screen.TextHandler,
        {
            "GET": Operation(
                "Get the screen, or lines of it and the scrollback, as text.",
                {200: Media("text/plain", _LINES)},
                query=schemas.TextQuery,
                errors=(_NOT_FOUND,),
            )
        },
    ),
    Route(
        f"{_SESSION}/html",
        screen.HtmlHandler,
        {
            "GET": Operation(
                "Get the same with styles, as a page without further files.",
                {200: Media("text/html", _LINES)},
                query=schemas.LinesQuery,
                errors=(_NOT_FOUND,),
            )
        },
    ),
    Route(
        f"{_SESSION}/screen",
        screen.ScreenHandler,
        {
            "GET": Operation(
                "Get the screen with styles, cursor and modes.", {200: schemas.Screen}, errors=(_NOT_FOUND,)
            )
        },
    ),
    Route(
        f"{_SESSION}/pictures/{{key}}",
        screen.PictureHandler,
        {
            "GET": Operation(
                "Get a picture of the terminal, by its key in the screen: PNG, JPEG, GIF or WebP.",
                {200: Media("image/*")},
                errors=(_NOT_FOUND,),
            )
        },
    ),
    Route(f"{_SESSION}/snapshot", screen.SnapshotHandler, _SNAPSHOT),
    Route(f"{_SESSION}/buffer", screen.SnapshotHandler, _SNAPSHOT),
    Route(
        f"{_SESSION}/commands",
        screen.CommandsHandler,
        {
            "GET": Operation(
                "List the last 1000 commands of a shell that marks them (OSC 133), newest last.",
                {200: list[ShellCommand]},
                errors=(_NOT_FOUND,),
            )
        },
    ),
    Route(
        f"{_SESSION}/wait",
        wait.WaitHandler,
        {
            "POST": Operation(
                "Wait for a text, a pattern, silence, a prompt, or the end of the session.",
                {200: Outcome},
                body=schemas.WaitBody,
                errors=(_NOT_FOUND, _CONFLICT, _BUSY, HTTPStatus.REQUEST_TIMEOUT),
            )
        },
    ),
    Route(
        "/api/cleanup-exited",
        sessions.CleanupExitedHandler,
        {
            "POST": Operation(
                "Remove all sessions that have ended and have no process left.",
                {200: schemas.CleanedUp},
                permission=_CONTROL,
            )
        },
    ),
    Route(
        "/api/events",
        events.EventsHandler,
        {
            "GET": Operation(
                "Get the events of sessions, as server-sent events; with an upgrade, as messages of a WebSocket.",
                {101: None, 200: Media("text/event-stream"), 204: None},
                some=True,
                query=account_schemas.TicketQuery,
                errors=(HTTPStatus.UPGRADE_REQUIRED, _BUSY, _UNAVAILABLE),
                limit="upgrade",
            )
        },
        tickets=True,
    ),
    Route(
        "/api/config",
        server.ConfigHandler,
        {
            "GET": Operation("Get the settings that clients need.", {200: schemas.Config}),
            "PUT": Operation(
                "Choose commands, a folder and notifications, for all devices of the user.",
                {200: schemas.ChangedConfig},
                body=schemas.ConfigChanges,
            ),
        },
    ),
    Route(
        "/api/server/status",
        server.StatusHandler,
        {"GET": Operation("Get the server's state.", {200: schemas.ServerStatus})},
    ),
    *ACCOUNT_ROUTES,
    *STREAM_ROUTES,
    *FILE_ROUTES,
    Route(
        "/api/openapi.json",
        server.OpenApiHandler,
        {"GET": Operation("Get this document.", {200: Media("application/json")}, permission=_LOGIN)},
    ),
    Route(
        "/metrics",
        server.MetricsHandler,
        {"GET": Operation("Get the metrics, for Prometheus.", {200: Media("text/plain")})},
    ),
    Route(
        "/ws",
        terminal_socket.SocketHandler,
        {
            "GET": Operation(
                "Attach to a session: a WebSocket (docs/protocol.md).",
                {101: None},
                some=True,
                query=schemas.AttachQuery,
                errors=(_NOT_FOUND, HTTPStatus.UPGRADE_REQUIRED, _BUSY, _UNAVAILABLE),
                head=False,
                limit="upgrade",
            )
        },
        tickets=True,
    ),
    Route(
        "/buffers",
        buffers.BuffersHandler,
        {
            "GET": Operation(
                "Snapshots of sessions: a WebSocket (docs/terminal.md).",
                {101: None},
                some=True,
                query=account_schemas.TicketQuery,
                errors=(HTTPStatus.BAD_REQUEST, HTTPStatus.UPGRADE_REQUIRED, _BUSY),
                head=False,
                limit="upgrade",
            )
        },
        tickets=True,
    ),
    *GIT_ROUTES,
    *LOG_ROUTES,
    *MULTIPLEXER_ROUTES,
    *PUSH_ROUTES,
    Route(
        "/api/{rest*}",
        UnknownApiHandler,
        {
            method: Operation("Answer 404.", {}, permission=_LOGIN)
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        },
        hidden=True,
    ),
    Route("/", static.PageHandler, _PAGE, page=True, hidden=True),
    Route("/login", static.PageHandler, _PAGE, page=True, hidden=True),
    Route("/share", static.PageHandler, _PAGE, page=True, hidden=True),
    Route("/files", static.PageHandler, _PAGE, page=True, hidden=True),
    Route("/logs", static.PageHandler, _PAGE, page=True, hidden=True),
    Route("/session/{session_id}", static.PageHandler, _PAGE, page=True, hidden=True),
    Route("/changes", static.PageHandler, _PAGE, page=True, hidden=True),
    Route(
        "/{name*}",
        static.FileHandler,
        {
            "GET": Operation(
                "Get a file of the web client.", {200: Media("*/*")}, permission=_OPEN, errors=(_NOT_FOUND,)
            )
        },
        page=True,
        hidden=True,
    ),
)
