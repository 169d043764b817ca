"""Connections that last: terminal clients, event streams, snapshot sockets; who holds them, and when they must end."""

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

REVIEW_S = 0.5  # between two looks at who may still be here
SHOWN = 50  # people that a session's participants are told of by name; of the others only how many
SETTLE_S = 0.05  # between a change and the message about it, with one person there
SETTLE_EACH_S = 0.005  # more for each other: a thousand who come at once are not told of each other a thousand times

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode


class Closable(Protocol):
    """What a logout can end."""

    def close(self, code: int = 1000, reason: str = "") -> None: ...


class Person(msgspec.Struct, kw_only=True, rename="camel"):
    """Who is attached to a session, as the others see it."""

    id: str
    user: str
    role: str
    writable: bool
    guest: bool
    since: str


class Presence(msgspec.Struct, kw_only=True):
    """The presence message of vibetunnel.v1 (docs/protocol.md). more: how many beyond the ones named."""

    people: list[Person]
    more: int = 0


def new_id() -> str:
    """A name for a connection: not secret, and of no meaning."""
    return secrets.token_hex(9)


@dataclass(eq=False, kw_only=True)
class Attachment:
    """One that lasts.

    principal   who opened it, as of the last look
    session_id  what it is about; "": several
    asked       it wants to type
    held        what the session's owner has said about typing; None: nothing
    name        what the others call it
    """

    closes: Closable
    principal: Principal
    address: str
    session_id: str = ""
    asked: bool = False
    held: bool | None = None
    writable: bool = False
    name: str = ""
    id: str = field(default_factory=new_id)
    since_ns: int = field(default_factory=time.time_ns)

    @property
    def attached(self) -> bool:
        """Whether it is a terminal client, one of a session's people."""
        return isinstance(self.closes, Client)

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
        if self.held is not None:
            return self.held
        return self.asked and self.principal.may(Scope.TYPE, self.session_id)


class Attachments:
    """Every connection that lasts.

    still    who a principal is now, counted as a use of their login; None: nobody any more
    present  gives a session's participants the news of who is there
    muted    whether the keyboard of a session was taken from somebody in an earlier server's time
    """

    def __init__(
        self,
        still: Callable[[Principal], Principal | None],
        present: Callable[[str, bytes], None],
        muted: Callable[[Principal, str], bool] = lambda _principal, _session_id: False,
    ) -> None:
        self._still = still
        self._present = present
        self._muted = muted
        self._by_closes: dict[Closable, Attachment] = {}
        self._by_principal: defaultdict[str, set[Attachment]] = defaultdict(set)
        self._by_session: defaultdict[str, dict[Attachment, None]] = defaultdict(dict)  # in the order of coming
        self._by_user: defaultdict[str, int] = defaultdict(int)
        # session -> principal -> (whether it may type, whether it might have without that)
        self._held: dict[str, dict[str, tuple[bool, bool]]] = {}
        self._telling: dict[str, asyncio.TimerHandle] = {}
        self._reviewing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look, every REVIEW_S, whether who is here still may be."""
        self._reviewing = asyncio.create_task(self._review_always())  # owned: close() cancels it

    async def close(self) -> None:
        if self._reviewing is not None:
            self._reviewing.cancel()
            await asyncio.gather(self._reviewing, return_exceptions=True)
        for timer in self._telling.values():
            timer.cancel()
        self._telling.clear()

    def __len__(self) -> int:
        return len(self._by_closes)

    def __iter__(self) -> Iterator[Attachment]:
        return iter(tuple(self._by_closes.values()))

    def of_session(self, session_id: str) -> list[Attachment]:
        """Who is attached, in the order of coming."""
        return list(self._by_session.get(session_id, ()))

    def of_user(self, principal: Principal, address: str) -> int:
        """How many connections a user has; of guests, all of one address."""
        return self._by_user.get(_counted(principal, address), 0)

    def find(self, closes: Closable) -> Attachment | None:
        return self._by_closes.get(closes)

    def add(self, connection: Attachment) -> None:
        self._by_closes[connection.closes] = connection
        self._by_principal[connection.principal.id].add(connection)
        self._by_user[_counted(connection.principal, connection.address)] += 1
        if connection.attached:
            self._by_session[connection.session_id][connection] = None
            self._tell(connection.session_id)

    def discard(self, closes: Closable) -> Attachment | None:
        """It is gone. Safe twice; None the second time."""
        connection = self._by_closes.pop(closes, None)
        if connection is None:
            return None
        _remove(self._by_principal, connection.principal.id, connection)
        user = _counted(connection.principal, connection.address)
        self._by_user[user] -= 1
        if self._by_user[user] <= 0:
            del self._by_user[user]
        if connection.attached:
            here = self._by_session[connection.session_id]
            here.pop(connection, None)
            if not here:
                del self._by_session[connection.session_id]
            self._tell(connection.session_id)
        return connection

    def end(self, principal_id: str, reason: str = "logged out") -> None:
        """Close all that this principal has opened."""
        for connection in tuple(self._by_principal.get(principal_id, ())):
            self._close(connection, CLOSE_LOGIN_OVER, reason)

    def refuse(self, refused: Callable[[str], bool], reason: str) -> int:
        """Close those from addresses that are `refused`. Returns how many."""
        found = [connection for connection in self if refused(connection.address)]
        for connection in found:
            self._close(connection, CLOSE_POLICY, reason)
        return len(found)

    def put_out(self, connection: Attachment, reason: str, *, code: int = CLOSE_PUT_OUT) -> None:
        self._close(connection, code, reason)

    def hold(self, connection: Attachment, writable: bool) -> None:
        """Give or take the keyboard: on all connections of its principal to this session, also those that come later.

        Where nobody logs in, all are one principal; then of this connection alone.
        """
        principal_id, session_id = connection.principal.id, connection.session_id
        concerned = [connection]
        if not connection.principal.local:
            here = self._by_session.get(session_id, ())
            concerned = [each for each in here if each.principal.id == principal_id]
            might = connection.principal.may(Scope.TYPE, session_id)
            self._held.setdefault(session_id, {})[principal_id] = writable, might
        for each in concerned:
            each.held = writable
            self._permit(each)

    def held(self, principal: Principal, session_id: str) -> bool | None:
        """What the owner has said about this principal's typing into the session; None: nothing."""
        writable, might = self._held.get(session_id, {}).get(principal.id, (None, False))
        if writable and might and not principal.may(Scope.TYPE, session_id):
            return None  # who has lost the right keeps nothing of what was given on top of it
        return False if writable is None and self._muted(principal, session_id) else writable

    def forget_session(self, session_id: str) -> None:
        """It has been removed."""
        self._held.pop(session_id, None)

    def review(self) -> None:
        """Close what its holder may not have any more, and take or give the keyboard as rights have changed.

        Looks at every principal once, whatever the number of its connections.
        """
        for connections in tuple(self._by_principal.values()):
            looked_at: dict[Principal, Principal | None] = {}
            for connection in tuple(connections):
                before = connection.principal
                if before.local:
                    break  # and so are the others of this id
                if before not in looked_at:
                    looked_at[before] = self._still(before)
                now = looked_at[before]
                if now == before:
                    continue
                if now is None or not _may_stay(now, connection):
                    lost = CLOSE_PUT_OUT if connection.session_id else CLOSE_POLICY
                    self._close(connection, CLOSE_LOGIN_OVER if now is None else lost, "access has ended")
                    continue
                if connection.held:
                    connection.held = self.held(now, connection.session_id)
                connection.principal = now
                self._permit(connection)

    async def _review_always(self) -> None:
        while True:
            await asyncio.sleep(REVIEW_S)
            try:
                self.review()
            except Exception:  # the next look must come all the same
                log.exception("the look at who may still be here failed")

    def _permit(self, connection: Attachment) -> None:
        writable = connection.allowed()
        if isinstance(connection.closes, Client) and writable != connection.writable:
            connection.writable = writable
            connection.closes.permit(writable)
            self._tell(connection.session_id)

    def _close(self, connection: Attachment, code: int, reason: str) -> None:
        if isinstance(connection.closes, Client):
            connection.closes.permit(False)  # what it has sent already does not reach the terminal any more
        connection.closes.close(code, reason)

    def _tell(self, session_id: str) -> None:
        if session_id not in self._telling:
            delay_s = SETTLE_S + SETTLE_EACH_S * len(self._by_session.get(session_id, ()))
            loop = asyncio.get_running_loop()
            self._telling[session_id] = loop.call_later(delay_s, self._told, session_id)

    def _told(self, session_id: str) -> None:
        self._telling.pop(session_id, None)
        here = self._by_session.get(session_id)
        if here:
            people = [connection.person() for connection, _ in zip(here, range(SHOWN), strict=False)]
            self._present(session_id, _encode(Presence(people=people, more=len(here) - len(people))))


def _may_stay(principal: Principal, connection: Attachment) -> bool:
    """Whether it may go on. What is about several sessions ends with the right to one of them, and is opened again."""
    if connection.session_id:
        return principal.may(Scope.VIEW, connection.session_id)
    before = connection.principal
    if before.may(Scope.VIEW):
        return principal.may(Scope.VIEW)
    return all(principal.may(Scope.VIEW, each) for each in before.grants if before.may(Scope.VIEW, each))


def _counted(principal: Principal, address: str) -> str:
    """Whose connections are counted together. A guest's name is what somebody wrote on a link, and may be a user's."""
    return f"guest:{nearby(address)}" if principal.guest else f"user:{principal.user}"


def _remove(sets: defaultdict[str, set[Attachment]], key: str, connection: Attachment) -> None:
    sets[key].discard(connection)
    if not sets[key]:
        del sets[key]
