"""Notifications through browsers' push services."""

from __future__ import annotations

import time
from http import HTTPStatus

from msgspec.structs import asdict

from vibetunnel.errors import Forbidden
from vibetunnel.handlers import push_schemas, schemas
from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.node_events import NodeEvent
from vibetunnel.handlers.refusals import Refusal
from vibetunnel.logs.audit import Action
from vibetunnel.push.errors import PushOff
from vibetunnel.push.service import PushService, Sent
from vibetunnel.security.principal import Principal
from vibetunnel.sessions.model import iso

TEST_TEXT = "This is a test notification from vibetunnel"


class PushHandler(Handler):
    """Routes that answer 503 while push is off. Errors have a `message` too, as the Node server's have."""

    @property
    def push(self) -> PushService:
        """Raises PushOff."""
        if isinstance(self.context.push, str):
            raise PushOff
        return self.context.push

    def member(self) -> Principal:
        """The principal, which has an account. Raises Forbidden."""
        principal = self.require_login()
        if principal.guest:
            raise Forbidden("This needs an account, which a guest does not have")
        return principal

    def refuse(self, refusal: Refusal) -> None:
        off = self.context.push
        why = off if isinstance(off, str) and refusal.status == HTTPStatus.SERVICE_UNAVAILABLE else refusal.message
        self.finish(refusal.encoded(message=why))


class PushKeyHandler(PushHandler):
    """GET /api/push/vapid-public-key."""

    def get(self) -> None:
        self.answer(push_schemas.PushKeyAnswer(public_key=self.push.public_key))


class SubscribeHandler(PushHandler):
    """POST /api/push/subscribe."""

    async def post(self) -> None:
        push, wanted = self.push, self.read(push_schemas.SubscribeBody)
        made = await push.subscribe(self.member(), wanted.endpoint, wanted.keys.p256dh, wanted.keys.auth)
        await self.record(Action.PUSH, id=made.id, change="subscribed")
        message = "Successfully subscribed to push notifications"
        self.answer(push_schemas.PushSubscribed(subscription_id=made.id, message=message))


class UnsubscribeHandler(PushHandler):
    """POST /api/push/unsubscribe. An unknown endpoint, or that of another user, is the same as none."""

    async def post(self) -> None:
        push, wanted = self.push, self.read(push_schemas.UnsubscribeBody)
        await push.subscriptions.remove(self.member().user, wanted.endpoint)
        await self.record(Action.PUSH, change="unsubscribed")
        self.answer(schemas.DoneWithMessage(message="Successfully unsubscribed from push notifications"))


class PushTestHandler(PushHandler):
    """POST /api/push/test."""

    async def post(self) -> None:
        push, wanted = self.push, self.read(push_schemas.PushTestBody)
        principal = self.member()
        self.context.limits.push_test(principal, self.counted_as)
        found = await push.test(principal.user, wanted.message or TEST_TEXT)
        message = f"Test notification sent to {found.sent} of {found.sent + found.failed} devices"
        self.answer(push_schemas.PushTested(**asdict(_result(found)), message=message))


class PushStatusHandler(PushHandler):
    """GET /api/push/status."""

    def get(self) -> None:
        count = len(self.push.subscriptions.of(self.member().user))
        self.answer(
            push_schemas.PushStatus(
                total_subscriptions=count,
                active_subscriptions=count,
                status=push_schemas.PushState(subscriptions=count),
            )
        )


class TestNotificationHandler(PushHandler):
    """POST /api/test-notification: an event for the user's open pages, and a message to the user's devices."""

    async def post(self) -> None:
        principal, push = self.member(), self.context.push
        self.context.limits.push_test(principal, self.counted_as)
        event = NodeEvent(
            type="test-notification",
            timestamp=iso(time.time_ns()),
            session_id="test-session",
            session_name="Test notification",
            title="vibetunnel",
            body=TEST_TEXT,
        )
        self.context.registry.events.test_notification(principal.user, "vibetunnel", TEST_TEXT)
        sent = None if isinstance(push, str) else _result(await push.test(principal.user, TEST_TEXT))
        message = "Test notification sent through SSE" + ("" if sent is None else " and push")
        self.answer(push_schemas.NotificationTested(message=message, event=event, push_result=sent))


def _result(found: Sent) -> push_schemas.PushResult:
    return push_schemas.PushResult(success=found.failed == 0, sent=found.sent, failed=found.failed, errors=found.errors)
