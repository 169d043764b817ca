"""Which sessions print something at the moment."""

from __future__ import annotations

import asyncio
import time

import msgspec
from msgspec import UNSET, UnsetType

from vibetunnel.handlers.handler import IN_A_TURN, Handler
from vibetunnel.handlers.refusals import encode
from vibetunnel.handlers.sessions import SessionHandler
from vibetunnel.security.principal import Scope
from vibetunnel.sessions.model import iso
from vibetunnel.sessions.session import Session
from vibetunnel.sessions.view import SessionView

ACTIVE_NS = 500_000_000  # since the last output, as in the Node server


class Activity(msgspec.Struct, kw_only=True, rename="camel"):
    """is_active: the session has printed something within the last half second. timestamp: of this answer."""

    is_active: bool
    timestamp: str
    session: SessionView | UnsetType = UNSET


def activity_of(session: Session, now_ns: int) -> Activity:
    return Activity(
        is_active=session.end is None and session.printed_ns + ACTIVE_NS > now_ns,
        timestamp=iso(now_ns),
        session=session.describe(),
    )


class ActivitiesHandler(Handler):
    """GET /api/sessions/activity."""

    async def get(self) -> None:
        principal, found = self.require_login(), dict[str, msgspec.Raw]()
        for number, session in enumerate(list(self.context.registry), 1):
            if number % IN_A_TURN == 0:  # other clients have a turn
                await asyncio.sleep(0)
                principal = self.require_login()
            if not session.removed and principal.may(Scope.VIEW, session.id):
                found[session.id] = msgspec.Raw(encode(activity_of(session, time.time_ns())))
        self.answer(found)


class ActivityHandler(SessionHandler):
    """GET /api/sessions/{session_id}/activity."""

    def get(self, session_id: str) -> None:
        self.answer(activity_of(self.session(session_id), time.time_ns()))
