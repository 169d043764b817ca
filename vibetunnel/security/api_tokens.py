"""The tokens of programs. A token that is not in this list is invalid, whatever its signature says."""

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

_Word = Literal["view", "type", "control", "admin", "files"]


class ApiToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The record of a token, without the token itself.

    id       its jti
    name     what it is for, as the user who made it says; printable, may be empty
    user     name of the account that it acts for, at most with the present rights of that account
    scope    words of principal.names()
    session  id of the only session that it allows; empty: all sessions
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
    """The tokens of programs. A change counts at once; the file follows as soon as it can be written.

    path   if the file is damaged, the log has a warning, and programs need new tokens
    clock  seconds since the epoch

    The constructor blocks: call it at the start. Raises paths.NotPrivate for a file that others may read.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._file = StateFile(path, lambda: _encode(self._tokens), "tokens of programs")
        self._tokens = {
            each.id: each for each in self._file.load(_decode, lost="programs need new tokens") or () if each.id
        }
        self._coming: dict[str, ApiToken] = {}  # those that are valid as soon as they are written

    @property
    def safe(self) -> bool:
        """False: after a restart of the server, a removed token would be valid again."""
        return self._file.safe

    async def add(self, claims: Claims, *, name: str = "") -> ApiToken:
        """Make a token of Tokens.issue("api", ...) valid.

        name  is made printable and cut

        Raises LimitReached if the user has OF_ONE tokens, or all users have LIMIT; NotStored; UnknownToken if the
        tokens of the user are revoked meanwhile.
        """
        made = ApiToken(
            id=claims.jti,
            name=clean(name, MAX_NAME),
            user=claims.sub,
            scope=tuple(principal.names(claims.scopes)),  # type: ignore[arg-type]  # they are those words
            session=claims.session,
            created=float(claims.iat),
            expires=float(claims.exp),
        )

        def draft() -> bytes:
            self.drop_expired()
            if sum(each.user == made.user for each in self._tokens.values()) >= OF_ONE:
                raise LimitReached("tokens of a user", OF_ONE)
            if len(self._tokens) >= LIMIT:
                raise LimitReached("tokens", LIMIT)
            return _encode({**self._tokens, made.id: made})

        def give() -> None:
            if made.id not in self._coming:
                raise UnknownToken  # its user's tokens were revoked meanwhile
            self._tokens[made.id] = made

        self._coming[made.id] = made
        try:
            await self._file.store(draft, give)
        finally:
            self._coming.pop(made.id, None)
        return made

    def get(self, token_id: str) -> ApiToken | None:
        """The token of this id (its jti); None: it does not exist, or has expired."""
        found = self._tokens.get(token_id)
        if found is None or found.expires > self._clock():
            return found
        self.drop_expired()
        return None

    def list(self, *, user: str | None = None) -> builtins.list[ApiToken]:
        """All that have not expired, or those of one account; the newest first."""
        self.drop_expired()
        found = [each for each in self._tokens.values() if user in (None, each.user)]
        return sorted(found, key=lambda each: each.created, reverse=True)

    async def remove(self, token_id: str) -> bool:
        """Revoke a token. False: a restart of the server would make it valid again. Raises UnknownToken."""
        if self.get(token_id) is None:
            raise UnknownToken
        del self._tokens[token_id]
        return await self._file.write_or_remove()

    async def remove_user(self, user: str) -> builtins.list[str]:
        """Revoke all tokens of an account, and return their ids. `safe` tells whether a restart would undo it."""
        ids = [each.id for each in (*self._tokens.values(), *self._coming.values()) if each.user == user]
        for each in ids:
            self._tokens.pop(each, None)
            self._coming.pop(each, None)
        if ids:
            await self._file.write_or_remove()
        return ids

    async def close(self) -> None:
        """Write changes that could not be written before, if possible now."""
        await self._file.close()

    def drop_expired(self) -> None:
        """Remove the tokens that have expired, for good: the clock may be set back. The file follows soon."""
        now = self._clock()
        left = {key: each for key, each in self._tokens.items() if each.expires > now}
        if len(left) < len(self._tokens):
            self._tokens = left
            self._file.write_soon()


def _encode(tokens: dict[str, ApiToken]) -> bytes:
    return msgspec.json.encode(_File([*tokens.values()]))


def _decode(data: bytes) -> list[ApiToken]:
    return msgspec.json.decode(data, type=_File).tokens
