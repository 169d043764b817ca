"""Principals: who sends a request, and what they may do. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


class Scope(enum.IntFlag):
    """A right. Each route declares the one that it needs."""

    VIEW = 1  # see sessions and what they print
    TYPE = 2  # type, resize, send signals
    CONTROL = 4  # make, rename, end and remove sessions; share them
    ADMIN = 8  # manage users, keys, and the logins and tokens of others
    FILES = 16  # read files; with CONTROL, also store and remove them


NOTHING = Scope(0)
VIEWER = Scope.VIEW
TYPIST = Scope.VIEW | Scope.TYPE
WRITER = TYPIST | Scope.CONTROL | Scope.FILES
OWNER = WRITER | Scope.ADMIN


class Role(enum.StrEnum):
    """The role of an account."""

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
    """The sender of a request.

    id        names the credential, and is not secret: `login:...`, `token:...`, `secret`, `no-auth`
    user      name of the account; of a guest, the name on the share link
    scopes    for every session
    grants    session id -> scopes for that one in addition
    role      owner, writer, viewer or guest
    by_cookie the credential is a cookie, which a browser also sends with requests of other sites
    token     id of the access token, if the credential is one
    narrow    has fewer rights than its login or token, for good: the credential is a ticket or an access token
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
        """Has the installation's secret, or the server runs with --no-auth: no limits apply."""
        return self.id in ("secret", "no-auth")

    @property
    def program(self) -> bool:
        """The credential is a program's token: it may not make another credential that could outlive it."""
        return self.id.startswith("token:")

    def may(self, scope: Scope, session_id: str | None = None) -> bool:
        """Whether it has all of `scope`, for this session or (None) for every session."""
        allowed = self.scopes
        if session_id is not None and self.grants:
            allowed |= self.grants.get(session_id, NOTHING)
        return allowed & scope == scope

    def may_anywhere(self, scope: Scope) -> bool:
        """Whether it has `scope` for all sessions or for some; the answer must then be about those only."""
        return self.may(scope) or any(each & scope == scope for each in self.grants.values())


def names(scopes: Scope) -> list[str]:
    """`["view", "type"]`: the words of JSON, and of a token's scope claim."""
    return [each.name.lower() for each in Scope if each & scopes and each.name]


def parse(words: Iterable[str]) -> Scope:
    """The scopes of words. Raises ValueError with an unknown word."""
    found = NOTHING
    for word in words:
        try:
            found |= Scope[word.upper()]
        except KeyError:
            raise ValueError(word) from None
    return found
