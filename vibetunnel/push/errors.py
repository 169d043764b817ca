"""The errors of push that users see."""

from __future__ import annotations

from vibetunnel.errors import VibeTunnelError


class PushOff(VibeTunnelError):
    """This server sends no notifications."""

    def __init__(self) -> None:
        super().__init__("Push notifications not configured")


class ForbiddenAddress(VibeTunnelError):
    """The name of a push service resolves to an address that no push service has."""
