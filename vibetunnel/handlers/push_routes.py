"""The routes of notifications. routes.py takes them into the table."""

from __future__ import annotations

from http import HTTPStatus

from vibetunnel.handlers import push, push_schemas, schemas
from vibetunnel.handlers.route import Operation, Route

_OFF = HTTPStatus.SERVICE_UNAVAILABLE
_UNSTORED = HTTPStatus.INSUFFICIENT_STORAGE

PUSH_ROUTES: tuple[Route, ...] = (
    Route(
        "/api/push/vapid-public-key",
        push.PushKeyHandler,
        {"GET": Operation("Get the key to subscribe with.", {200: push_schemas.PushKeyAnswer}, errors=(_OFF,))},
    ),
    Route(
        "/api/push/subscribe",
        push.SubscribeHandler,
        {
            "POST": Operation(
                "Let a browser be told of what happens in sessions, for as long as this login.",
                {200: push_schemas.PushSubscribed},
                body=push_schemas.SubscribeBody,
                errors=(_OFF, _UNSTORED),
            )
        },
    ),
    Route(
        "/api/push/unsubscribe",
        push.UnsubscribeHandler,
        {
            "POST": Operation(
                "Tell a browser of the user nothing more.",
                {200: schemas.DoneWithMessage},
                body=push_schemas.UnsubscribeBody,
                errors=(_OFF,),
                same_origin=True,  # VibeTunnel's client sends no token with it
            )
        },
    ),
    Route(
        "/api/push/test",
        push.PushTestHandler,
        {
            "POST": Operation(
                "Send a notification to the browsers of the user, and wait for what the push services say.",
                {200: push_schemas.PushTested},
                body=push_schemas.PushTestBody,
                body_optional=True,
                errors=(_OFF,),
                same_origin=True,  # as above
            )
        },
    ),
    Route(
        "/api/push/status",
        push.PushStatusHandler,
        {"GET": Operation("Count the browsers of the user.", {200: push_schemas.PushStatus}, errors=(_OFF,))},
    ),
    Route(
        "/api/test-notification",
        push.TestNotificationHandler,
        {
            "POST": Operation(
                "Send a notification to the open pages of the user, and as POST /api/push/test does.",
                {200: push_schemas.NotificationTested},
            )
        },
    ),
)
