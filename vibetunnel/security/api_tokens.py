"""The tokens of programs, by name: one that is not here is not good, whatever its signature says."""

from __future__ import annotations

import builtins
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from vibetunnel.errors import LimitReached, UnknownToken
from vibetunnel.security import principal
from vibetunnel.security.logins import MAX_NAME, clean
from vibetunnel.security.principal import Scope
from vibetunnel.security.state_file import StateFile
from vibetunnel.security.tokens import Claims

LIMIT = 5000  # tokens
OF_ONE = 200  # of one user

_Word = Literal["view", "type", "control", "admin"]


class ApiToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is kept of a token; not the token.

    id       its jti
    name     what it is for, in its maker's words; printable, may be empty
    user     name of the account in whose name it acts, with no more rights than that has now
    scope    words of principal.names()
    session  id of the one session that it is for; empty: for all
    created, expires  seconds since the epoch
    """

    id: str
    name: str
    user: str
    scope: tuple[_Word, ...]
    session: str
    created: float
    expires: float

    @property
    def scopes(self) -> Scope:
        return principal.parse(self.scope)


class _File(msgspec.Struct, forbid_unknown_fields=True):
    tokens: list[ApiToken]
    format: Literal[1] = 1


class ApiTokens:
    """The tokens of programs. What is here counts at once; the file follows when it can be written.

    path   a damaged file is a warning, and programs need new tokens
    clock  seconds since the epoch

    Blocks while it is made: do so at the start. Raises paths.NotPrivate for a file that others may read.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._file = StateFile(path, self._encode, "tokens of programs")
        self._tokens = {
            each.id: each for each in self._file.load(_decode, lost="programs need new tokens") or () if each.id
        }

    @property
    def safe(self) -> bool:
        """False: a token that was removed would be there again after a restart of the server."""
        return self._file.safe

    async def add(self, claims: Claims, *, name: str = "") -> ApiToken:
        """Make a token good that Tokens.issue("api", ...) has just given.

        name  is made printable and cut

        Raises LimitReached when there are OF_ONE of the user's, or LIMIT.
        """
        self._drop_expired()
        if sum(each.user == claims.sub for each in self._tokens.values()) >= OF_ONE:
            raise LimitReached("tokens of a user", OF_ONE)
        if len(self._tokens) >= LIMIT:
            raise LimitReached("tokens", LIMIT)
        made = ApiToken(
            id=claims.jti,
            name=clean(name, MAX_NAME),
            user=claims.sub,
            scope=tuple(principal.names(claims.scopes)),  # type: ignore[arg-type]  # they are those words
            session=claims.session,
            created=float(claims.iat),
            expires=float(claims.exp),
        )
        self._tokens[made.id] = made
        await self._file.write()
        return made

    def get(self, token_id: str) -> ApiToken | None:
        """The token of this id (its jti); None: there is none, or it is over."""
        found = self._tokens.get(token_id)
        return None if found is None or found.expires <= self._clock() else found

    def list(self, *, user: str | None = None) -> builtins.list[ApiToken]:
        """All that are not over, or those of one account; the newest first."""
        now = self._clock()
        found = [each for each in self._tokens.values() if each.expires > now and user in (None, each.user)]
        return sorted(found, key=lambda each: each.created, reverse=True)

    async def remove(self, token_id: str) -> bool:
        """A token is void from now on. False: a restart of the server would bring it back. Raises UnknownToken."""
        if self.get(token_id) is None:
            raise UnknownToken
        del self._tokens[token_id]
        return await self._file.write_or_remove()

    async def remove_user(self, user: str) -> builtins.list[str]:
        """All tokens of an account are void; returns their ids. `safe` tells whether a restart brings them back."""
        ids = [each.id for each in self._tokens.values() if each.user == user]
        for each in ids:
            del self._tokens[each]
        if ids:
            await self._file.write_or_remove()
        return ids

    async def close(self) -> None:
        """Write what could not be written before, if it can be now."""
        await self._file.close()

    def _drop_expired(self) -> None:
        now = self._clock()
        self._tokens = {key: each for key, each in self._tokens.items() if each.expires > now}

    def _encode(self) -> bytes:
        return msgspec.json.encode(_File([*self._tokens.values()]))


def _decode(data: bytes) -> list[ApiToken]:
    return msgspec.json.decode(data, type=_File).tokens
