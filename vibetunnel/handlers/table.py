"""Every route there is. What is not in this table is not served."""

from __future__ import annotations

from http import HTTPStatus

from vibetunnel.handlers import attach, auth, buffers, events, server, sessions, shapes, static, terminal
from vibetunnel.handlers.base import UnknownApiHandler
from vibetunnel.handlers.route import Media, Operation, Permission, Route
from vibetunnel.handlers.upgrade import OFFSET_HEADER

_OPEN = Permission.OPEN
_NOT_FOUND = HTTPStatus.NOT_FOUND
_CONFLICT = HTTPStatus.CONFLICT
_BUSY = HTTPStatus.TOO_MANY_REQUESTS
_UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE

_HEALTH = {
    "GET": Operation("Whether the server runs.", {200: shapes.Health}, permission=_OPEN),
}
_PAGE = {"GET": Operation("The web client.", {200: Media("text/html")}, permission=_OPEN, errors=(_UNAVAILABLE,))}
_SESSION = "/api/sessions/{session_id}"
_OFFSET = {OFFSET_HEADER: "Offset of the output, up to which it is."}
_LINES = {
    **_OFFSET,
    terminal.TOP_HEADER: "Absolute number of the screen's first line.",
    terminal.OLDEST_HEADER: "Absolute number of the oldest line that is kept.",
}
_SNAPSHOT = {
    "GET": Operation(
        'The screen as cells: VibeTunnel\'s binary snapshot ("VT", version 1).',
        {200: Media("application/octet-stream", _OFFSET)},
        errors=(_NOT_FOUND,),
    )
}

ROUTES: tuple[Route, ...] = (
    Route("/api/health", server.HealthHandler, _HEALTH),
    Route("/health", server.HealthHandler, _HEALTH),
    Route(
        "/api/sessions",
        sessions.SessionsHandler,
        {
            "GET": Operation("All sessions, newest first.", {200: list[shapes.SessionView]}),
            "POST": Operation(
                "A new session. It starts at its first use, or at once with `spawn`.",
                {201: shapes.CreatedSession},
                body=shapes.NewSession,
                body_optional=True,
                errors=(_BUSY, _UNAVAILABLE),
            ),
        },
    ),
    Route(
        _SESSION,
        sessions.OneSessionHandler,
        {
            "GET": Operation("One session.", {200: shapes.SessionView}, errors=(_NOT_FOUND,)),
            "PATCH": Operation("Rename.", {200: shapes.Renamed}, body=shapes.Rename, errors=(_NOT_FOUND,)),
            "DELETE": Operation(
                "End the process, and answer when it is gone; remove a session that has none.",
                {200: shapes.DoneWithMessage},
                errors=(_NOT_FOUND, _UNAVAILABLE),
            ),
        },
    ),
    Route(
        f"{_SESSION}/cleanup",
        sessions.CleanupHandler,
        {
            "DELETE": Operation(
                "Remove a session that has no process.", {200: shapes.DoneWithMessage}, errors=(_NOT_FOUND, _CONFLICT)
            )
        },
    ),
    Route(
        f"{_SESSION}/input",
        sessions.InputHandler,
        {
            "POST": Operation(
                "Type text, or press a key.",
                {200: shapes.Done},
                body=shapes.Input,
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
                {200: shapes.Resized},
                body=shapes.Resize,
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
                {200: shapes.Done},
                body=shapes.Signal,
                errors=(_NOT_FOUND, _UNAVAILABLE),
            )
        },
    ),
    Route(
        f"{_SESSION}/output",
        sessions.OutputHandler,
        {
            "GET": Operation(
                "What is kept of the output, from an offset on.",
                {
                    200: Media(
                        "application/octet-stream",
                        {
                            OFFSET_HEADER: "Offset of the first byte.",
                            sessions.NEXT_OFFSET_HEADER: "Offset behind the last byte: the next `since`.",
                        },
                    )
                },
                query=shapes.OutputQuery,
                errors=(_NOT_FOUND, _UNAVAILABLE),
            )
        },
    ),
    Route(
        f"{_SESSION}/text",
        terminal.TextHandler,
        {
            "GET": Operation(
                "What stands on the screen, or lines of it and its scrollback, as text.",
                {200: Media("text/plain", _LINES)},
                query=shapes.TextQuery,
                errors=(_NOT_FOUND,),
            )
        },
    ),
    Route(
        f"{_SESSION}/html",
        terminal.HtmlHandler,
        {
            "GET": Operation(
                "The same with styles: a page that needs nothing else.",
                {200: Media("text/html", _LINES)},
                query=shapes.LinesQuery,
                errors=(_NOT_FOUND,),
            )
        },
    ),
    Route(
        f"{_SESSION}/screen",
        terminal.ScreenHandler,
        {"GET": Operation("The screen with styles, cursor and modes.", {200: shapes.Screen}, errors=(_NOT_FOUND,))},
    ),
    Route(f"{_SESSION}/snapshot", terminal.SnapshotHandler, _SNAPSHOT),
    Route(f"{_SESSION}/buffer", terminal.SnapshotHandler, _SNAPSHOT),
    Route(
        f"{_SESSION}/commands",
        terminal.CommandsHandler,
        {
            "GET": Operation(
                "The commands of a shell that marks them (OSC 133), newest last; at most 1000.",
                {200: list[shapes.Command]},
                errors=(_NOT_FOUND,),
            )
        },
    ),
    Route(
        f"{_SESSION}/wait",
        terminal.WaitHandler,
        {
            "POST": Operation(
                "Answer when text is there, a pattern matches, nothing is printed, a prompt is there, or it has ended.",
                {200: shapes.Outcome},
                body=shapes.Wait,
                errors=(_NOT_FOUND, _CONFLICT, _BUSY, HTTPStatus.REQUEST_TIMEOUT),
            )
        },
    ),
    Route(
        "/api/cleanup-exited",
        sessions.CleanupExitedHandler,
        {"POST": Operation("Remove every session that has ended.", {200: shapes.CleanedUp})},
    ),
    Route(
        "/api/events",
        events.EventsHandler,
        {"GET": Operation("News of sessions, as server-sent events.", {200: Media("text/event-stream")})},
    ),
    Route("/api/config", server.ConfigHandler, {"GET": Operation("What a client should know.", {200: shapes.Config})}),
    Route(
        "/api/server/status",
        server.StatusHandler,
        {"GET": Operation("How the server is.", {200: shapes.ServerStatus})},
    ),
    Route(
        "/api/auth/config",
        auth.AuthConfigHandler,
        {"GET": Operation("How to log in.", {200: shapes.AuthConfig}, permission=_OPEN)},
    ),
    Route(
        "/api/auth/current-user",
        auth.CurrentUserHandler,
        {"GET": Operation("Who is logged in.", {200: shapes.CurrentUser}, permission=_OPEN)},
    ),
    Route(
        "/api/auth/code",
        auth.CodeHandler,
        {
            "POST": Operation(
                "Log in with a one-time code; the answer sets a cookie.",
                {200: shapes.LoggedIn},
                permission=_OPEN,
                body=shapes.Code,
                errors=(HTTPStatus.UNAUTHORIZED, _BUSY),
            )
        },
    ),
    Route(
        "/api/auth/logout",
        auth.LogoutHandler,
        {"POST": Operation("End this login.", {200: shapes.Done}, errors=(_UNAVAILABLE,))},
    ),
    Route(
        "/api/auth/link",
        auth.LinkHandler,
        {"POST": Operation("A one-time code for another device.", {200: shapes.Link})},
    ),
    Route(
        "/api/openapi.json",
        server.OpenApiHandler,
        {"GET": Operation("This document.", {200: Media("application/json")})},
    ),
    Route("/metrics", server.MetricsHandler, {"GET": Operation("For Prometheus.", {200: Media("text/plain")})}),
    Route(
        "/ws",
        attach.SocketHandler,
        {
            "GET": Operation(
                "Attach to a session: a WebSocket (docs/protocol.md).",
                {101: None},
                query=shapes.AttachQuery,
                errors=(_NOT_FOUND, HTTPStatus.UPGRADE_REQUIRED, _UNAVAILABLE),
                head=False,
            )
        },
    ),
    Route(
        "/buffers",
        buffers.BuffersHandler,
        {
            "GET": Operation(
                "Snapshots of sessions: a WebSocket (docs/terminal.md).",
                {101: None},
                errors=(HTTPStatus.BAD_REQUEST, HTTPStatus.UPGRADE_REQUIRED),
                head=False,
            )
        },
    ),
    Route(
        "/api/{rest*}",
        UnknownApiHandler,
        {method: Operation("Nothing.", {}) for method in ("GET", "POST", "PUT", "PATCH", "DELETE")},
        hidden=True,
    ),
    Route("/", static.PageHandler, _PAGE, page=True, hidden=True),
    Route("/login", static.PageHandler, _PAGE, page=True, hidden=True),
    Route("/session/{session_id}", static.PageHandler, _PAGE, page=True, hidden=True),
    Route(
        "/{name*}",
        static.FileHandler,
        {"GET": Operation("A file of the web client.", {200: Media("*/*")}, permission=_OPEN, errors=(_NOT_FOUND,))},
        page=True,
        hidden=True,
    ),
)
