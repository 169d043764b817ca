"""Changes of accounts, tokens and keys on the files of a server that is not running."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from vibetunnel import paths
from vibetunnel.account import account
from vibetunnel.cli.server_client import Answer
from vibetunnel.errors import Forbidden, InvalidField, UnknownUser, VibeTunnelError
from vibetunnel.security import principal, secret
from vibetunnel.security.api_tokens import ApiToken, ApiTokens
from vibetunnel.security.logins import Logins
from vibetunnel.security.passwords import hash_password
from vibetunnel.security.principal import Role
from vibetunnel.security.shares import Shares
from vibetunnel.security.signing import LONGEST_TOKEN_S, SigningKeys
from vibetunnel.security.tokens import Tokens
from vibetunnel.security.users import Changes, User, Users
from vibetunnel.sessions.model import iso
from vibetunnel.settings import Settings
from vibetunnel.units import show_duration

T = TypeVar("T")


class NotSaved(VibeTunnelError):
    """A file could not be written."""

    def __init__(self) -> None:
        super().__init__("the state folder cannot be written (is the disk full?): free space and repeat the command")


class LocalAccounts:
    """Does and answers the same as the server. Use it in `with`: this holds the server's lock, so none can start.

    A method raises NotStored or NotSaved if it could not write its change.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._state_dir = settings.state_dir
        self._lock = -1

    def __enter__(self) -> LocalAccounts:
        """Raises VibeTunnelError if a server is starting or stopping, paths.NotPrivate."""
        paths.private_dir(self._state_dir)
        paths.private_dir(self._settings.runtime_dir)
        held = paths.lock_private(self._settings.runtime_dir / paths.SERVER_LOCK)
        if held is None:
            raise VibeTunnelError("a server is starting or stopping: try again")
        self._lock = held
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._lock)

    # Users

    def users(self) -> list[Answer]:
        return [_user_view(each) for each in self._users().list()]

    def add_user(self, name: str, role: str, password: str | None) -> None:
        async def add(users: Users) -> None:
            await users.add(name, Role(role), None if password is None else await hash_password(password))

        self._change(add)

    def change_user(self, name: str, change: Mapping[str, object]) -> None:
        async def apply(users: Users) -> None:
            users.get_or_raise(name)
            changes = Changes()
            if "password" in change:
                changes["password"] = await hash_password(str(change["password"]))
            if "role" in change:
                changes["role"] = Role(str(change["role"]))
            if "disabled" in change:
                changes["disabled"] = bool(change["disabled"])
            await users.change(name, **changes)

        self._change(apply)
        if "password" in change or change.get("disabled"):
            self._end_all_of(name)  # an attacker may have known the old password

    def remove_user(self, name: str) -> None:
        if self._users().get(name) is None:
            raise UnknownUser(name)
        self._end_all_of(name)  # first: the next account of this name must not have them
        self._change(lambda users: users.remove(name))

    def add_key(self, name: str, line: str) -> None:
        self._change(lambda users: users.add_key(name, line))

    def remove_key(self, name: str, fingerprint: str) -> None:
        self._change(lambda users: users.remove_key(name, fingerprint))

    # Tokens and keys

    def tokens(self) -> list[Answer]:
        return [_token_view(each) for each in self._tokens().list()]

    def create_token(self, wanted: Mapping[str, object]) -> Answer:
        if "sessionId" in wanted:
            raise InvalidField("session", "a running server that has this session: start it first")
        owner = _owner()
        name = str(wanted.get("user", owner))
        scope = principal.parse(_words(wanted["scope"]))
        lifetime_s = wanted["expires"]
        if not isinstance(lifetime_s, int) or not 0 < lifetime_s <= LONGEST_TOKEN_S:
            raise InvalidField("expires", f"at most {show_duration(LONGEST_TOKEN_S)}")
        user = self._users().get(name)
        if user is None and name != owner:
            raise UnknownUser(name)
        if user is not None and user.disabled:
            raise InvalidField("user", "an account that is not disabled", repr(name)[:80])
        role = Role.OWNER if user is None else user.role
        if scope & ~role.scopes:
            raise Forbidden(f"scope: more than {name} may do, whose role is {role}")

        async def make() -> Answer:
            tokens, keys = self._tokens(), self._keys()
            installation = secret.installation(secret.load(self._state_dir))
            made, claims = Tokens(keys, installation, f"{installation}/api").issue(
                "api", name, scope, lifetime_s=lifetime_s
            )
            kept = await tokens.add(claims, name=str(wanted.get("name", "")))
            await tokens.close()
            await keys.close()
            if self._tokens().get(kept.id) is None:
                raise NotSaved
            return {**_token_view(kept), "token": made}

        return asyncio.run(make())

    def revoke_token(self, token_id: str) -> None:
        async def revoke() -> None:
            tokens = self._tokens()
            kept = await tokens.remove(token_id)
            await tokens.close()
            if not kept:
                raise NotSaved

        asyncio.run(revoke())

    def rotate_keys(self, *, forget: bool) -> None:
        async def rotate() -> None:
            keys = self._keys()
            key = await keys.rotate(forget=forget)
            await keys.close()
            if self._keys().current.kid != key.kid:
                raise NotSaved

        asyncio.run(rotate())

    def _change(self, change: Callable[[Users], Awaitable[object]]) -> None:
        async def run() -> None:
            users = self._users()
            await change(users)
            written = users.safe
            await users.close()
            if not written:
                raise NotSaved

        asyncio.run(run())

    def _end_all_of(self, name: str) -> None:
        async def end() -> None:
            tokens, logins = self._tokens(), Logins(self._state_dir / paths.LOGINS)
            await tokens.remove_user(name)
            await logins.revoke_user(name)
            shares = Shares(self._state_dir / paths.SHARES)
            for share_id in await shares.forget_user(name):
                await logins.drop_share(share_id)
            written = tokens.safe and logins.safe and shares.safe
            for store in (tokens, logins, shares):
                await store.close()
            if not written:
                raise NotSaved

        asyncio.run(end())

    def _users(self) -> Users:
        return Users(self._state_dir / paths.USERS)

    def _tokens(self) -> ApiTokens:
        return ApiTokens(self._state_dir / paths.TOKENS)

    def _keys(self) -> SigningKeys:
        return SigningKeys(self._state_dir / paths.KEYS, self._settings.jwt_algorithm)


def _owner() -> str:
    found = account()
    return found.pw_name if found else str(os.getuid())


def _words(scope: object) -> list[str]:
    return [str(each) for each in scope] if isinstance(scope, list) else []


def _user_view(user: User) -> Answer:
    return {
        "name": user.name,
        "role": user.role.value,
        "disabled": user.disabled,
        "createdAt": iso(int(user.created * 1e9)),
        "hasPassword": user.password is not None,
        "keys": [{"fingerprint": each.fingerprint, "type": each.type, "comment": each.comment} for each in user.keys],
    }


def _token_view(token: ApiToken) -> Answer:
    return {
        "id": token.id,
        "name": token.name,
        "user": token.user,
        "scope": list(token.scope),
        "sessionId": token.session,
        "createdAt": iso(int(token.created * 1e9)),
        "expiresAt": iso(int(token.expires * 1e9)),
    }
