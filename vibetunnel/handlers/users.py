"""The REST routes of accounts and of programs' tokens."""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from msgspec import UNSET

from vibetunnel.errors import Forbidden, InvalidField, UnknownToken
from vibetunnel.handlers import account_schemas, schemas
from vibetunnel.handlers.handler import Handler
from vibetunnel.logs.audit import Action
from vibetunnel.security.api_tokens import ApiToken
from vibetunnel.security.authority import TOKEN
from vibetunnel.security.passwords import hash_password
from vibetunnel.security.principal import Principal, Role, Scope, parse
from vibetunnel.security.users import Changes, User, gives
from vibetunnel.sessions.model import iso


def user_view(user: User) -> account_schemas.UserView:
    return account_schemas.UserView(
        name=user.name,
        role=user.role.value,
        disabled=user.disabled,
        created_at=iso(int(user.created * 1e9)),
        has_password=user.password is not None,
        keys=[
            account_schemas.UserKey(fingerprint=key.fingerprint, type=key.type, comment=key.comment)
            for key in user.keys
        ],
    )


class UsersRoute(Handler):
    """The base of the routes of accounts."""

    async def note(self, name: str, change: str) -> None:
        await self.record(Action.USER, user=name, change=change)

    async def end_all_of(self, name: str) -> None:
        """End all logins and tokens of a user, and their connections."""
        self.context.codes.forget_user(name)
        self.context.limits.forget_account(name)
        for principal_id in await self.context.authority.revoke_user(name):
            self.context.attachments.end(principal_id, "access has been revoked")
        self.context.attachments.review()


class UsersHandler(UsersRoute):
    """GET and POST /api/users."""

    async def get(self) -> None:
        await self.answer_each(self.context.authority.users.list(), user_view)

    async def post(self) -> None:
        wanted = self.read(account_schemas.NewUser)
        self.require_audit()
        phc = None if wanted.password is None else await hash_password(wanted.password)
        user = await self.context.authority.users.add(wanted.name, Role(wanted.role), phc)
        await self.note(user.name, f"added as {user.role}")
        self.answer(user_view(user), HTTPStatus.CREATED)


class UserHandler(UsersRoute):
    """PATCH and DELETE /api/users/{name}."""

    async def patch(self, name: str) -> None:
        wanted, users = self.read(account_schemas.UserChange), self.context.authority.users
        users.get_or_raise(name)  # before the work of hashing
        changes, said = Changes(), []
        if wanted.password is not UNSET:
            changes["password"] = await hash_password(wanted.password)
            said.append("password")
        if wanted.role is not UNSET:
            changes["role"] = Role(wanted.role)
            said.append(f"role {wanted.role}")
        if wanted.disabled is not UNSET:
            changes["disabled"] = wanted.disabled
            said.append("disabled" if wanted.disabled else "enabled")
        if gives(users.get_or_raise(name), changes):
            self.require_audit()
        await users.change(name, **changes)
        if wanted.password is not UNSET or wanted.disabled is True:
            await self.end_all_of(name)  # they may belong to someone who knew the old password
        self.context.attachments.review()
        await self.note(name, ", ".join(said) or "nothing")
        self.check_saved()
        self.answer(user_view(users.get_or_raise(name)))

    async def delete(self, name: str) -> None:
        users = self.context.authority.users
        # First disabled: until the removal is written, its logins must not count for a new account of the same name.
        await users.change(name, disabled=True)
        await self.end_all_of(name)
        await users.remove(name)
        self.context.preferences.forget(name)
        await self.note(name, "removed")
        self.check_saved()
        self.answer(schemas.DoneWithMessage(message="User removed"))


class UserKeysHandler(UsersRoute):
    """POST /api/users/{name}/keys."""

    async def post(self, name: str) -> None:
        self.require_audit()
        user = await self.context.authority.users.add_key(name, self.read(account_schemas.NewKey).key)
        await self.note(name, "key added")
        self.answer(user_view(user), HTTPStatus.CREATED)


class UserKeyHandler(UsersRoute):
    """DELETE /api/users/{name}/keys/{fingerprint*}."""

    async def delete(self, name: str, fingerprint: str) -> None:
        user = await self.context.authority.users.remove_key(name, fingerprint)
        await self.note(name, "key removed")
        self.check_saved()
        self.answer(user_view(user))


def may_end(principal: Principal, other: str) -> bool:
    """Whether a principal may end its user's logins and tokens. A program's token may end only itself.

    other  id of the login or token to end
    """
    return not principal.program or principal.may(Scope.ADMIN) or principal.id == other


def token_view(token: ApiToken) -> account_schemas.TokenView:
    return account_schemas.TokenView(
        id=token.id,
        name=token.name,
        user=token.user,
        scope=list(token.scope),
        session_id=token.session,
        created_at=iso(int(token.created * 1e9)),
        expires_at=iso(int(token.expires * 1e9)),
    )


class TokensHandler(Handler):
    """GET and POST /api/tokens: your own tokens, or all of them with the right to manage users."""

    async def get(self) -> None:
        principal = self.require_login()
        admin = principal.may(Scope.ADMIN)
        tokens = self.context.authority.api_tokens.list()
        own = [each for each in tokens if each.user == principal.user and may_end(principal, f"{TOKEN}{each.id}")]
        await self.answer_each(tokens if admin else own, token_view)

    async def post(self) -> None:
        wanted, principal = self.read(account_schemas.NewToken), self.require_login()
        if principal.program:
            raise Forbidden("This needs a login: a program's token cannot create one that outlives it")
        authority = self.context.authority
        user = wanted.user or principal.user
        if user != principal.user and not principal.may(Scope.ADMIN):
            raise Forbidden("user: expected your own name; a token for another user needs the right to manage users")
        role = authority.role_of(user)
        if role is None:
            authority.users.get_or_raise(user)
            raise InvalidField("user", "an account that is not disabled", repr(user)[:80])
        scope = parse(wanted.scope)
        if scope & ~role.scopes or (user == principal.user and scope & ~principal.scopes):
            raise Forbidden(f"scope: expected no more than {user} may do as {role}")
        if wanted.session_id:
            self.context.registry.get(wanted.session_id)
        self.require_audit()
        made, claims = authority.tokens.issue("api", user, scope, lifetime_s=wanted.expires, session=wanted.session_id)
        kept = await authority.api_tokens.add(claims, name=wanted.name)
        await self.record(Action.TOKEN, by=principal, user=user, what=kept.id)
        self.answer(
            account_schemas.CreatedToken(**msgspec.structs.asdict(token_view(kept)), token=made), HTTPStatus.CREATED
        )


class TokenHandler(Handler):
    """DELETE /api/tokens/{token_id}."""

    async def delete(self, token_id: str) -> None:
        principal, tokens = self.require_login(), self.context.authority.api_tokens
        found = tokens.get(token_id)
        if not may_end(principal, f"{TOKEN}{token_id}"):
            raise UnknownToken
        if found is None or not (found.user == principal.user or principal.may(Scope.ADMIN)):
            raise UnknownToken
        await tokens.remove(token_id)
        self.context.attachments.end(f"{TOKEN}{token_id}", "access has been revoked")
        self.context.authority.tickets.forget(f"{TOKEN}{token_id}")
        await self.record(Action.REVOKE, by=principal, user=found.user, what=token_id)
        self.check_saved()
        self.answer(schemas.DoneWithMessage(message="Token revoked"))
