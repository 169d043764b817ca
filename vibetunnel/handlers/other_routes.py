"""What the Node and the Go server have beside the areas with modules of their own."""

from __future__ import annotations

from http import HTTPStatus

from vibetunnel.handlers import activity, events, schemas, server
from vibetunnel.handlers.route import Operation, Permission, Route
from vibetunnel.handlers.unknown import RemotesHandler

OTHER_ROUTES: tuple[Route, ...] = (
    Route(
        "/api/sessions/activity",
        activity.ActivitiesHandler,
        {"GET": Operation("Tell which sessions print something now.", {200: dict[str, activity.Activity]}, some=True)},
    ),
    Route(
        "/api/sessions/{session_id}/activity",
        activity.ActivityHandler,
        {
            "GET": Operation(
                "Tell whether a session prints something now.",
                {200: activity.Activity},
                errors=(HTTPStatus.NOT_FOUND,),
            )
        },
    ),
    Route(
        "/api/sessions/tailscale/status",
        server.TailscaleHandler,
        {
            "GET": Operation(
                "Always false: this server starts no Tailscale.",
                {200: schemas.TailscaleStatus},
                permission=Permission.LOGIN,
            )
        },
    ),
    Route(
        "/api/events/test",
        events.TestEventHandler,
        {
            "POST": Operation(
                "Send a `test-event` to the streams of all users.",
                {200: schemas.TestEventSent},
                permission=Permission.ADMIN,
                body=schemas.TestEvent,
            )
        },
    ),
    *(
        Route(
            path,
            RemotesHandler,
            {method: Operation("Answer 404.", {}, permission=Permission.LOGIN)},
            hidden=True,
        )
        for method, path in (
            ("GET", "/api/remotes"),
            ("POST", "/api/remotes/register"),
            ("DELETE", "/api/remotes/{remote}"),
            ("POST", "/api/remotes/{remote}/refresh-sessions"),
        )
    ),
)
