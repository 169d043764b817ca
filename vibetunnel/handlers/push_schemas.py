"""The JSON of notifications. Names follow the Node server."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vibetunnel.handlers.node_events import NodeEvent
from vibetunnel.handlers.schemas import Ignored
from vibetunnel.handlers.validation import Given
from vibetunnel.push import endpoint
from vibetunnel.push.message import LONGEST_BODY

_Endpoint = Annotated[str, Meta(max_length=endpoint.LONGEST, description="An https address of a push service.")]
_Key = Annotated[str, Meta(max_length=128, description="In base64 or base64url.")]


class PushKeys(Given):
    p256dh: _Key
    auth: _Key


class SubscribeBody(Given, kw_only=True, rename="camel"):
    """POST /api/push/subscribe: a browser's PushSubscription."""

    endpoint: _Endpoint
    keys: PushKeys
    expiration_time: Ignored = None


class UnsubscribeBody(Given):
    """POST /api/push/unsubscribe."""

    endpoint: _Endpoint


class PushTestBody(Given):
    """POST /api/push/test."""

    message: Annotated[str, Meta(max_length=LONGEST_BODY)] | None = None


class PushKeyAnswer(msgspec.Struct, kw_only=True, rename="camel"):
    public_key: Annotated[str, Meta(description="For PushManager.subscribe(): 65 bytes in base64url.")]
    enabled: Literal[True] = True


class PushSubscribed(msgspec.Struct, kw_only=True, rename="camel"):
    success: Literal[True] = True
    subscription_id: str
    message: str


class PushResult(msgspec.Struct, kw_only=True):
    """What has become of a notification to the browsers of the user."""

    success: bool
    sent: int
    failed: int
    errors: list[str]


class PushTested(PushResult, kw_only=True):
    message: str


class PushState(msgspec.Struct, kw_only=True):
    enabled: Literal[True] = True
    configured: Literal[True] = True
    subscriptions: int


class PushStatus(msgspec.Struct, kw_only=True, rename="camel"):
    """The counts are those of the user."""

    enabled: Literal[True] = True
    configured: Literal[True] = True
    has_vapid_keys: Literal[True] = True
    total_subscriptions: int
    active_subscriptions: int
    status: PushState


class NotificationTested(msgspec.Struct, kw_only=True, rename="camel"):
    """push_result: null if push is off."""

    success: Literal[True] = True
    message: str
    event: NodeEvent
    push_result: PushResult | None
