"""The routes of VibeTunnel's own client to terminals and events: streams, its input socket, and the size."""

from __future__ import annotations

from http import HTTPStatus

from vibetunnel.handlers import events, input_socket, schemas, sessions, stream
from vibetunnel.handlers.route import Media, Operation, Permission, Route

_BUSY = HTTPStatus.TOO_MANY_REQUESTS
_NOT_FOUND = HTTPStatus.NOT_FOUND
_UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE
_EVENT_STREAM = Media("text/event-stream")

STREAM_ROUTES: tuple[Route, ...] = (
    Route(
        "/api/sessions/{session_id}/stream",
        stream.StreamHandler,
        {
            "GET": Operation(
                "Get a session's screen and output as server-sent events. Starts the session.",
                {200: _EVENT_STREAM},
                query=schemas.StreamQuery,
                errors=(_NOT_FOUND, _BUSY, _UNAVAILABLE),
                head=False,
                limit="upgrade",
            )
        },
        tickets=True,
    ),
    Route(
        "/api/sessions/{session_id}/reset-size",
        sessions.ResetSizeHandler,
        {
            "POST": Operation(
                "Give the size back to a client that shows the terminal.",
                {200: schemas.Done},
                permission=Permission.TYPE,
                errors=(_NOT_FOUND,),
            )
        },
    ),
    Route(
        "/api/control/stream",
        events.ControlHandler,
        {
            "GET": Operation(
                "Get what VibeTunnel's own client is told beside the events, as server-sent events.",
                {200: _EVENT_STREAM, 204: None},
                query=schemas.ControlQuery,
                errors=(_BUSY,),
                limit="upgrade",
            )
        },
        tickets=True,
    ),
    Route(
        "/ws/input",
        input_socket.InputSocketHandler,
        {
            "GET": Operation(
                "Type into a session: a WebSocket, which answers nothing.",
                {101: None},
                permission=Permission.TYPE,
                some=True,
                query=schemas.InputSocketQuery,
                errors=(HTTPStatus.UPGRADE_REQUIRED, _BUSY),
                head=False,
                limit="upgrade",
            )
        },
        tickets=True,
    ),
)
