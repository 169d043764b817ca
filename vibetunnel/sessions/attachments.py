"""Attachments: long-lived connections, their principals and their rights, until either ends."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from vibetunnel._ext.pump import Client
from vibetunnel.protocol import CLOSE_LOGIN_OVER, CLOSE_POLICY, CLOSE_PUT_OUT
from vibetunnel.security.limits import nearby
from vibetunnel.security.principal import Principal, Scope
from vibetunnel.sessions.model import iso

REVIEW_S = 0.5  # between two checks of every principal's rights
SHOWN = 50  # people that a presence message names; it only counts the others
SETTLE_S = 0.05  # between a change and the presence message about it, with one person there
SETTLE_EACH_S = 0.005  # extra for each further person, so that 1,000 simultaneous joins are announced together

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Closable(Protocol):
    """A connection that the server can end, at a logout for example."""

    def close(self, code: int = 1000, reason: str = "") -> None: ...


class Person(msgspec.Struct, kw_only=True, rename="camel"):
    """A terminal client of a session, as the other clients see it."""

    id: str
    user: str
    role: str
    writable: bool
    guest: bool
    since: str


class PresenceBody(msgspec.Struct, kw_only=True):
    """The presence message of vibetunnel.v1 (docs/protocol.md). more: how many people it does not name."""

    people: list[Person]
    more: int = 0


def new_id() -> str:
    """An id for an attachment: random, but not secret."""
    return secrets.token_hex(9)


@dataclass(eq=False, kw_only=True)
class Attachment:
    """One long-lived connection.

    principal   that opened it, as of the last review
    session_id  the session that it is attached to; "": several sessions
    asked       the client asked for permission to type
    ruling      whether the session's owner lets it type; None: the owner has not said
    name        the name that other clients see
    """

    connection: Closable
    principal: Principal
    address: str
    session_id: str = ""
    asked: bool = False
    ruling: bool | None = None
    writable: bool = False
    name: str = ""
    id: str = field(default_factory=new_id)
    since_ns: int = field(default_factory=time.time_ns)

    @property
    def is_client(self) -> bool:
        """Whether it is a terminal client, which presence messages name."""
        return isinstance(self.connection, Client)

    def person(self) -> Person:
        return Person(
            id=self.id,
            user=self.name or self.principal.user,
            role=self.principal.role,
            writable=self.writable,
            guest=self.principal.guest,
            since=iso(self.since_ns),
        )

    def allowed(self) -> bool:
        """Whether it may type now."""
        if self.ruling is not None:
            return self.ruling
        return self.asked and self.principal.may(Scope.TYPE, self.session_id)


class Attachments:
    """All attachments of one server.

    current        the principal with its present rights, counted as a use of its login; None: the login is over
    send_presence  sends a presence message to the clients of a session
    muted          whether an owner took the keyboard of a session from a principal while an earlier server ran
    """

    def __init__(
        self,
        current: Callable[[Principal], Principal | None],
        send_presence: Callable[[str, bytes], None],
        muted: Callable[[Principal, str], bool] = lambda _principal, _session_id: False,
    ) -> None:
        self._current = current
        self._send_presence = send_presence
        self._muted = muted
        self._by_connection: dict[Closable, Attachment] = {}
        self._by_principal: defaultdict[str, set[Attachment]] = defaultdict(set)
        self._by_session: defaultdict[str, dict[Attachment, None]] = defaultdict(dict)  # oldest first
        self._by_user: defaultdict[str, int] = defaultdict(int)
        # session -> principal -> (whether the owner lets it type, whether it could type without that)
        self._rulings: dict[str, dict[str, tuple[bool, bool]]] = {}
        self._announcing: dict[str, asyncio.TimerHandle] = {}
        self._reviewing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to review all attachments, every REVIEW_S."""
        self._reviewing = asyncio.create_task(self._review_always())  # owned: close() cancels it

    async def close(self) -> None:
        if self._reviewing is not None:
            self._reviewing.cancel()
            await asyncio.gather(self._reviewing, return_exceptions=True)
        for timer in self._announcing.values():
            timer.cancel()
        self._announcing.clear()

    def __len__(self) -> int:
        return len(self._by_connection)

    def __iter__(self) -> Iterator[Attachment]:
        return iter(tuple(self._by_connection.values()))

    def of_session(self, session_id: str) -> list[Attachment]:
        """The terminal clients of a session, oldest first."""
        return list(self._by_session.get(session_id, ()))

    def of_user(self, principal: Principal, address: str) -> int:
        """How many attachments a user has; all guests of one address count together."""
        return self._by_user.get(counted(principal, address), 0)

    def of_principal(self, principal: Principal, address: str) -> list[Attachment]:
        """The attachments of this credential from this address."""
        return [each for each in self._by_principal.get(principal.id, ()) if each.address == address]

    def find(self, connection: Closable) -> Attachment | None:
        return self._by_connection.get(connection)

    def add(self, attachment: Attachment) -> None:
        self._by_connection[attachment.connection] = attachment
        self._by_principal[attachment.principal.id].add(attachment)
        self._by_user[counted(attachment.principal, attachment.address)] += 1
        if attachment.is_client:
            self._by_session[attachment.session_id][attachment] = None
            self._announce_later(attachment.session_id)

    def discard(self, connection: Closable) -> Attachment | None:
        """Forget an attachment whose connection has ended. Safe twice; None the second time."""
        attachment = self._by_connection.pop(connection, None)
        if attachment is None:
            return None
        _remove(self._by_principal, attachment.principal.id, attachment)
        user = counted(attachment.principal, attachment.address)
        self._by_user[user] -= 1
        if self._by_user[user] <= 0:
            del self._by_user[user]
        if attachment.is_client:
            here = self._by_session[attachment.session_id]
            here.pop(attachment, None)
            if not here:
                del self._by_session[attachment.session_id]
            self._announce_later(attachment.session_id)
        return attachment

    def end(self, principal_id: str, reason: str = "logged out") -> None:
        """Close all attachments of this principal."""
        for attachment in tuple(self._by_principal.get(principal_id, ())):
            self._close(attachment, CLOSE_LOGIN_OVER, reason)

    def refuse(self, refused: Callable[[str], bool], reason: str) -> int:
        """Close all attachments from addresses that are `refused`. Returns how many."""
        found = [attachment for attachment in self if refused(attachment.address)]
        for attachment in found:
            self._close(attachment, CLOSE_POLICY, reason)
        return len(found)

    def put_out(self, attachment: Attachment, reason: str, *, code: int = CLOSE_PUT_OUT) -> None:
        self._close(attachment, code, reason)

    def rule(self, attachment: Attachment, writable: bool) -> None:
        """Give or take the keyboard, for all attachments of its principal to this session, later ones included.

        Without logins, all clients are one principal; the ruling is then for this attachment alone.
        """
        principal_id, session_id = attachment.principal.id, attachment.session_id
        affected = [attachment]
        if not attachment.principal.local:
            here = self._by_session.get(session_id, ())
            affected = [each for each in here if each.principal.id == principal_id]
            could = attachment.principal.may(Scope.TYPE, session_id)
            self._rulings.setdefault(session_id, {})[principal_id] = writable, could
        for each in affected:
            each.ruling = writable
            self._permit(each)

    def ruling(self, principal: Principal, session_id: str) -> bool | None:
        """Whether the owner lets this principal type into the session; None: the owner has not said."""
        writable, could = self._rulings.get(session_id, {}).get(principal.id, (None, False))
        if writable and could and not principal.may(Scope.TYPE, session_id):
            return None  # a principal that has lost the right to type loses the owner's permission with it
        return False if writable is None and self._muted(principal, session_id) else writable

    def forget_session(self, session_id: str) -> None:
        """The session has been removed."""
        self._rulings.pop(session_id, None)

    def review(self) -> None:
        """Close attachments that lost their right to view, and take or give the keyboard if rights have changed.

        Checks every principal once, whatever the number of its attachments.
        """
        for attachments in tuple(self._by_principal.values()):
            checked: dict[Principal, Principal | None] = {}
            for attachment in tuple(attachments):
                before = attachment.principal
                if before.local:
                    break  # all attachments with this principal id are local
                if before not in checked:
                    checked[before] = self._current(before)
                now = checked[before]
                if now == before:
                    continue
                if now is None or not _may_stay(now, attachment):
                    lost = CLOSE_PUT_OUT if attachment.session_id else CLOSE_POLICY
                    self._close(attachment, CLOSE_LOGIN_OVER if now is None else lost, "access has ended")
                    continue
                if attachment.ruling:
                    attachment.ruling = self.ruling(now, attachment.session_id)
                attachment.principal = now
                self._permit(attachment)

    async def _review_always(self) -> None:
        while True:
            await asyncio.sleep(REVIEW_S)
            try:
                self.review()
            except Exception:  # the reviews must go on
                log.exception("the review of attachments failed")

    def _permit(self, attachment: Attachment) -> None:
        writable = attachment.allowed()
        if isinstance(attachment.connection, Client) and writable != attachment.writable:
            attachment.writable = writable
            attachment.connection.permit(writable)
            self._announce_later(attachment.session_id)

    def _close(self, attachment: Attachment, code: int, reason: str) -> None:
        if isinstance(attachment.connection, Client):
            attachment.connection.permit(False)  # input that is already on its way must not reach the terminal
        attachment.connection.close(code, reason)

    def _announce_later(self, session_id: str) -> None:
        if session_id not in self._announcing:
            delay_s = SETTLE_S + SETTLE_EACH_S * len(self._by_session.get(session_id, ()))
            loop = asyncio.get_running_loop()
            self._announcing[session_id] = loop.call_later(delay_s, self._announce, session_id)

    def _announce(self, session_id: str) -> None:
        self._announcing.pop(session_id, None)
        here = self._by_session.get(session_id)
        if here:
            people = [attachment.person() for attachment, _ in zip(here, range(SHOWN), strict=False)]
            self._send_presence(session_id, _encode(PresenceBody(people=people, more=len(here) - len(people))))


def _may_stay(principal: Principal, attachment: Attachment) -> bool:
    """Whether it may go on. One for several sessions ends with the right to any of them; its client reconnects."""
    if attachment.session_id:
        return principal.may(Scope.VIEW, attachment.session_id)
    before = attachment.principal
    if before.may(Scope.VIEW):
        return principal.may(Scope.VIEW)
    return all(principal.may(Scope.VIEW, each) for each in before.grants if before.may(Scope.VIEW, each))


def counted(principal: Principal, address: str) -> str:
    """The key under which a user's attachments and searches are counted.

    A guest's name proves nothing: it may be the name of a user.
    """
    return f"guest:{nearby(address)}" if principal.guest else f"user:{principal.user}"


def _remove(sets: defaultdict[str, set[Attachment]], key: str, attachment: Attachment) -> None:
    sets[key].discard(attachment)
    if not sets[key]:
        del sets[key]
