"""Who asks, and what they may do. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


class Scope(enum.IntFlag):
    """What may be done. A route declares the one that it needs."""

    VIEW = 1  # see sessions and what they print
    TYPE = 2  # type, resize, send signals
    CONTROL = 4  # make, rename, end and remove sessions; share them
    ADMIN = 8  # users, other people's logins and tokens, keys


NOTHING = Scope(0)
VIEWER = Scope.VIEW
TYPIST = Scope.VIEW | Scope.TYPE
WRITER = TYPIST | Scope.CONTROL
OWNER = WRITER | Scope.ADMIN


class Role(enum.StrEnum):
    """Of an account."""

    OWNER = "owner"
    WRITER = "writer"
    VIEWER = "viewer"

    @property
    def scopes(self) -> Scope:
        return _SCOPES[self]


_SCOPES = {Role.OWNER: OWNER, Role.WRITER: WRITER, Role.VIEWER: VIEWER}
_NO_GRANTS: Mapping[str, Scope] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    id        names what let them in, and is not secret: `login:...`, `token:...`, `secret`, `no-auth`
    user      name of the account; of a guest, the name on the share link
    scopes    for every session
    grants    session id -> scopes for that one in addition
    role      owner, writer, viewer or guest
    by_cookie the browser sent it on its own account: other sites' requests carry it too
    token     id of the access token that was shown, if it was one
    narrow    has less than its login or token, for good: came by a ticket or an access token
    """

    id: str
    user: str
    scopes: Scope
    grants: Mapping[str, Scope] = field(default_factory=lambda: _NO_GRANTS, hash=False)
    role: str = "owner"
    by_cookie: bool = False
    token: str = ""
    narrow: bool = False

    @property
    def guest(self) -> bool:
        return self.role == "guest"

    @property
    def local(self) -> bool:
        """Whoever can read the state folder, or everybody where nobody logs in: no limit is for them."""
        return self.id in ("secret", "no-auth")

    @property
    def program(self) -> bool:
        """Came by a token of a program: whatever it may do, it makes nothing that would outlive it."""
        return self.id.startswith("token:")

    def may(self, scope: Scope, session_id: str | None = None) -> bool:
        """Whether they have all of `scope`, for this session or (None) for every one."""
        allowed = self.scopes
        if session_id is not None and self.grants:
            allowed |= self.grants.get(session_id, NOTHING)
        return allowed & scope == scope

    def may_anywhere(self, scope: Scope) -> bool:
        """Whether there could be a session for which they have `scope`; the answer is about those only, then."""
        return self.may(scope) or any(each & scope == scope for each in self.grants.values())


def names(scopes: Scope) -> list[str]:
    """`["view", "type"]`; as JSON, and as the scope claim of a token has them."""
    return [each.name.lower() for each in Scope if each & scopes and each.name]


def parse(words: Iterable[str]) -> Scope:
    """The other way. Raises ValueError with the word that is none."""
    found = NOTHING
    for word in words:
        try:
            found |= Scope[word.upper()]
        except KeyError:
            raise ValueError(word) from None
    return found
