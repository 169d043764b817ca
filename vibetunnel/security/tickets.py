"""One-time tickets for sockets and streams that cannot send a header: 30 seconds, once, for one purpose."""

from __future__ import annotations

import dataclasses
import hashlib
import secrets
import time
from collections.abc import Callable
from types import MappingProxyType
from typing import NamedTuple

from vibetunnel.errors import Forbidden
from vibetunnel.security.principal import NOTHING, Principal, Scope

LIFETIME_S = 30  # a page opens its socket at once
OWN_LIMIT = 100  # outstanding tickets of one principal; a newer one replaces its oldest
LIMIT = 10_000  # of all of them; a newer one replaces the oldest
TICKET_BYTES = 32


class _Ticket(NamedTuple):
    principal: Principal  # already narrowed
    session_id: str
    expires: float


class Tickets:
    """The tickets that are still good, by their hashes: the time of a look-up tells nothing about them.

    clock  seconds since the epoch
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._tickets: dict[bytes, _Ticket] = {}  # the oldest first
        self._own: dict[str, dict[bytes, None]] = {}  # principal id -> theirs, the oldest first

    def issue(self, principal: Principal, session_id: str, scope: Scope) -> str:
        """A new ticket, 43 characters of base64url, good for LIFETIME_S.

        principal   who asks; what they may do is the most that the ticket can do
        session_id  the one that it is for; empty: what is not about one session (/buffers, /api/events)
        scope       narrows: the ticket has no more than this

        Raises Forbidden when nothing is left of `scope`.
        """
        narrowed = narrow(principal, session_id, scope)
        if not narrowed.may_anywhere(Scope.VIEW):
            raise Forbidden("ticket: you have no access to this session with this permission")
        self._drop_expired()
        own = self._own.get(principal.id, {})
        if len(own) >= OWN_LIMIT:
            self._drop(next(iter(own)))
        elif len(self._tickets) >= LIMIT:
            self._drop(next(iter(self._tickets)))
        text = secrets.token_urlsafe(TICKET_BYTES)
        hashed = _hash(text)
        self._tickets[hashed] = _Ticket(narrowed, session_id, self._clock() + LIFETIME_S)
        self._own.setdefault(principal.id, {})[hashed] = None
        return text

    def redeem(self, text: str, session_id: str) -> Principal | None:
        """Use a ticket up: who may come in with it; None: it is none, is over, was used, or is for something else.

        A ticket that is tried for something else is used up too. The principal has by_cookie False, and else
        names whom it was issued to; whether their login still is there, the caller looks, or tells forget() of every
        end of one.
        """
        ticket = self._drop(_hash(text))
        if ticket is None or ticket.expires <= self._clock() or ticket.session_id != session_id:
            return None
        return ticket.principal

    def forget(self, principal_id: str) -> None:
        """Their login or token has ended: so do their tickets."""
        for hashed in list(self._own.get(principal_id, ())):
            self._drop(hashed)

    def forget_all(self) -> None:
        """Whoever has one takes another."""
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
        while self._tickets:  # all live equally long: the oldest ends first
            hashed, ticket = next(iter(self._tickets.items()))
            if ticket.expires > now:
                return
            self._drop(hashed)


def narrow(principal: Principal, session_id: str, scope: Scope) -> Principal:
    """The same principal with no more than `scope`, and for one session if one is named (no others, then)."""
    if session_id:
        may = (principal.scopes | principal.grants.get(session_id, NOTHING)) & scope
        scopes, grants = NOTHING, {session_id: may} if may else {}
    else:
        scopes = principal.scopes & scope
        grants = {each: may & scope for each, may in principal.grants.items() if may & scope}
    return dataclasses.replace(principal, scopes=scopes, grants=MappingProxyType(grants), by_cookie=False, narrow=True)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
