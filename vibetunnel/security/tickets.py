"""One-time tickets for sockets and streams that cannot send a header: valid once, for 30 seconds."""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

from vibetunnel.errors import Forbidden
from vibetunnel.security.clock import steady
from vibetunnel.security.principal import NOTHING, Principal, Scope

LIFETIME_S = 30  # pages open their sockets at once
OWN_LIMIT = 100  # valid tickets of one principal; a newer one replaces its oldest
LIMIT = 10_000  # valid tickets of all principals; a newer one replaces the oldest of the principal with the most
TICKET_BYTES = 32


class _Ticket(NamedTuple):
    principal: Principal  # already narrowed
    session_id: str
    expires: float


class Tickets:
    """The valid tickets. Look-up is by hash, so that its time reveals nothing about them.

    clock  seconds from any start, never backwards
    """

    def __init__(self, clock: Callable[[], float] = steady) -> None:
        self._clock = clock
        self._tickets: dict[bytes, _Ticket] = {}  # the oldest first
        self._own: dict[str, dict[bytes, None]] = {}  # principal id -> hashes of its tickets, the oldest first

    def issue(self, principal: Principal, session_id: str, scope: Scope) -> str:
        """A new ticket, 43 characters of base64url, valid for LIFETIME_S.

        principal   the ticket has at most its rights
        session_id  the session that the ticket is for; empty: for requests without a session (/buffers, /api/events)
        scope       the ticket has at most these rights

        Raises Forbidden if no right is left.
        """
        narrowed = narrow(principal, session_id, scope)
        if not narrowed.may_anywhere(Scope.VIEW):
            raise Forbidden("ticket: you have no access to this session with this permission")
        self._drop_expired()
        own = self._own.get(principal.id, {})
        if len(own) >= OWN_LIMIT:
            self._drop(next(iter(own)))
        elif len(self._tickets) >= LIMIT:
            most = max(self._own.values(), key=len)  # so many tickets of others push out no principal's only one
            self._drop(next(iter(most)))
        text = secrets.token_urlsafe(TICKET_BYTES)
        hashed = _hash(text)
        self._tickets[hashed] = _Ticket(narrowed, session_id, self._clock() + LIFETIME_S)
        self._own.setdefault(principal.id, {})[hashed] = None
        return text

    def redeem(self, text: str, session_id: str) -> Principal | None:
        """Use a ticket up. Returns its principal; None: it is unknown, expired, used, or for another session.

        A ticket that is tried for another session is used up too. The principal is the one that the ticket was issued
        to, with by_cookie False. The caller checks that its login has not ended.
        """
        ticket = self._drop(_hash(text))
        if ticket is None or ticket.expires <= self._clock() or ticket.session_id != session_id:
            return None
        return ticket.principal

    def forget(self, principal_id: str) -> None:
        """Drop the tickets of a principal whose login or token has ended."""
        for hashed in list(self._own.get(principal_id, ())):
            self._drop(hashed)

    def forget_all(self) -> None:
        """Drop all tickets: pages ask for new ones."""
        self._tickets.clear()
        self._own.clear()

    def _drop(self, hashed: bytes) -> _Ticket | None:
        ticket = self._tickets.pop(hashed, None)
        if ticket is not None:
            own = self._own[ticket.principal.id]
            del own[hashed]
            if not own:
                del self._own[ticket.principal.id]
        return ticket

    def _drop_expired(self) -> None:
        now = self._clock()
        while self._tickets:  # all have the same lifetime: the oldest expires first
            hashed, ticket = next(iter(self._tickets.items()))
            if ticket.expires > now:
                return
            self._drop(hashed)


def narrow(principal: Principal, session_id: str, scope: Scope) -> Principal:
    """The principal with `scope` at most, and for one session only if one is named."""
    if session_id:
        may = (principal.scopes | principal.grants.get(session_id, NOTHING)) & scope
        scopes, grants = NOTHING, {session_id: may} if may else {}
    else:
        scopes = principal.scopes & scope
        grants = {each: may & scope for each, may in principal.grants.items() if may & scope}
    return dataclasses.replace(principal, scopes=scopes, grants=MappingProxyType(grants), by_cookie=False, narrow=True)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
