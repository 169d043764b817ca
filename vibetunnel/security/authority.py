"""The principal of a request: the one place that knows every kind of credential, and what each of them allows.

It decides from the present contents of the stores: a revoked login, a disabled account or an expired share counts at
the next request.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from vibetunnel.errors import InvalidToken, UnknownToken, WrongShare
from vibetunnel.security import csrf
from vibetunnel.security.api_tokens import ApiTokens
from vibetunnel.security.logins import Login, Logins
from vibetunnel.security.principal import NOTHING, OWNER, Principal, Role, Scope
from vibetunnel.security.secret import same
from vibetunnel.security.shares import Share, Shares
from vibetunnel.security.tickets import Tickets
from vibetunnel.security.tokens import Tokens
from vibetunnel.security.users import Users

LOGIN = "login:"  # the kinds of principals, by the beginning of their ids
TOKEN = "token:"  # noqa: S105 (the beginning of an id)
SECRET = "secret"  # noqa: S105 (as above)
NO_AUTH = "no-auth"


class Granted(NamedTuple):
    """The answer to a login. expires_in: seconds until `token` expires."""

    token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True, kw_only=True)
class Authority:
    """All stores of credentials.

    user      name of the account that runs the server. It has the role owner, unless there is an account of that name
    secret    of this installation
    csrf_key  for tokens against forged requests
    access_s  lifetime of an access token; None: that of its login, which the token's use keeps alive
    """

    user: str
    secret: str
    no_auth: bool
    csrf_key: str
    access_s: float | None
    users: Users
    logins: Logins
    tokens: Tokens
    api_tokens: ApiTokens
    tickets: Tickets
    shares: Shares

    # From credentials to a principal

    def everybody(self) -> Principal:
        """The principal of every request with --no-auth."""
        return Principal(NO_AUTH, self.user, OWNER)

    def by_bearer(self, credentials: str) -> Principal | None:
        """The principal of the installation's secret, an access token or a program's token."""
        if same(credentials, self.secret):
            return Principal(SECRET, self.user, OWNER)
        if credentials.count(".") != 2:
            return None
        try:
            return self._by_access(credentials) or self._by_api_token(credentials)
        except InvalidToken:
            return None

    def _by_access(self, token: str) -> Principal | None:
        try:
            claims = self.tokens.verify(token, "access")
        except InvalidToken:
            return None
        login = self.logins.get(claims.sid)
        if login is None or self.logins.is_revoked(claims.jti):
            return None
        if self.access_s is None:
            self.logins.touch(claims.sid)
        principal = self.of_login(login, token=claims.jti)
        if principal is None or principal.user != claims.sub:
            return None
        return _narrowed(principal, claims.scopes, principal.grants)

    def _by_api_token(self, token: str) -> Principal | None:
        claims = self.tokens.verify(token, "api")
        return self._of_api_token(claims.jti)

    def _of_api_token(self, jti: str) -> Principal | None:
        found = self.api_tokens.get(jti)
        role = None if found is None else self.role_of(found.user)
        if found is None or role is None:
            return None
        scopes = role.scopes & found.scopes
        if found.session:
            return Principal(f"{TOKEN}{jti}", found.user, NOTHING, {found.session: scopes}, role=str(role))
        return Principal(f"{TOKEN}{jti}", found.user, scopes, role=str(role))

    def by_cookie(self, cookie: str) -> Principal | None:
        """The principal of a browser's cookie."""
        login = self.logins.check(cookie)
        return None if login is None else self.of_login(login, by_cookie=True)

    def by_ticket(self, ticket: str, session_id: str) -> Principal | None:
        """The principal of a one-time ticket. This uses the ticket up."""
        found = self.tickets.redeem(ticket, session_id)
        return None if found is None else self.still(found)

    def vouches(self, expired: str, login: Principal) -> bool:
        """Whether this is an access token of that login which is valid but for its age.

        A page of another site could not have sent it, so it proves as much as a CSRF token.
        """
        try:
            claims = self.tokens.verify(expired, "access", allow_expired=True)
        except InvalidToken:
            return False
        return login.id == f"{LOGIN}{claims.sid}" and not self.logins.is_revoked(claims.jti)

    # What a principal may do now

    def role_of(self, user: str) -> Role | None:
        """The role of an account; None: there is no such account, or it is disabled."""
        found = self.users.get(user)
        if found is not None:
            return None if found.disabled else found.role
        return Role.OWNER if user == self.user else None

    def of_login(self, login: Login, *, by_cookie: bool = False, token: str = "") -> Principal | None:
        """The principal of a login; None: its account is gone or disabled, or the guest has no valid share."""
        role = None if login.guest else self.role_of(login.user)
        grants: dict[str, Scope] = {}
        for share_id in login.shares:
            share = self.shares.get(share_id)
            if share is not None and self._stands(share):
                grants[share.session_id] = grants.get(share.session_id, NOTHING) | share.scopes
        if role is None and not (login.guest and grants):
            return None
        return Principal(
            f"{LOGIN}{login.id}",
            login.user if role is not None else login.name or "guest",
            NOTHING if role is None else role.scopes,
            grants,
            role="guest" if role is None else str(role),
            by_cookie=by_cookie,
            token=token,
        )

    def _stands(self, share: Share) -> bool:
        """Whether the maker of a link could still make it. The server's own account always could, by the secret."""
        if share.token and self.api_tokens.get(share.token) is None:
            return False
        role = self.role_of(share.created_by)
        return share.created_by == self.user or (role is not None and Scope.CONTROL in role.scopes)

    def in_use(self, principal: Principal) -> Principal | None:
        """As still(), and the login counts as used: for sockets that stay open."""
        if principal.id.startswith(LOGIN):
            self.logins.touch(principal.id.removeprefix(LOGIN))
        return self.still(principal)

    def still(self, principal: Principal) -> Principal | None:
        """The principal with its present rights; None: its login or token is no longer valid."""
        if principal.local:
            return principal
        now: Principal | None = None
        if principal.id.startswith(LOGIN):
            login = self.logins.get(principal.id.removeprefix(LOGIN))
            if login is not None and not (principal.token and self.logins.is_revoked(principal.token)):
                now = self.of_login(login, by_cookie=principal.by_cookie, token=principal.token)
        elif principal.id.startswith(TOKEN):
            now = self._of_api_token(principal.id.removeprefix(TOKEN))
        return _narrowed(now, principal.scopes, principal.grants) if now is not None and principal.narrow else now

    # Logging in

    async def log_in(self, user: str, method: str, *, address: str = "", agent: str = "") -> tuple[Login, str]:
        """Make a login. Returns it and its cookie."""
        return await self.logins.add(user, method=method, address=address, agent=agent)

    async def grant(self, login: Login) -> Granted:
        """Make an access token and the next refresh token of a login."""
        role = self.role_of(login.user)
        scopes = NOTHING if role is None else role.scopes
        left_s = max(1.0, self.logins.left_s(login))
        access_s = left_s if self.access_s is None else self.access_s
        access, _ = self.tokens.issue("access", login.user, scopes, lifetime_s=access_s, sid=login.id)
        refresh, claims = self.tokens.issue("refresh", login.user, NOTHING, lifetime_s=left_s, sid=login.id)
        await self.logins.set_refresh(login.id, claims.jti)
        return Granted(access, refresh, int(access_s))

    async def refresh(self, refresh_token: str) -> tuple[Login, Granted]:
        """The next pair of tokens. Raises InvalidToken. A refresh token that is used a second time ends the login."""
        claims = self.tokens.verify(refresh_token, "refresh")
        try:
            login = await self.logins.refresh(claims.sid, claims.jti)
        except UnknownToken:
            raise InvalidToken("the login is over") from None
        if self.of_login(login) is None:
            raise InvalidToken("the account is gone or disabled")
        return login, await self.grant(login)

    def is_in(self, code: str, present: Principal | None) -> bool:
        """Whether the link of this code gives `present` only rights that they already have."""
        if present is None:
            return False
        try:
            share = self.shares.recognise(code)
        except WrongShare:
            return False
        return present.may(share.scopes, share.session_id)

    async def enter(
        self, code: str, present: Principal | None, *, address: str = "", agent: str = ""
    ) -> tuple[Share, str | None]:
        """Use a share's code up: (the share, a new cookie).

        A principal that already has the right does not use the code up, and gets no new cookie. A login gets the
        share's right in addition. A login that was shown by a token gets no cookie, which would outlive the token.
        Raises WrongShare.
        """
        share = self.shares.recognise(code)
        if not self._stands(share):
            raise WrongShare
        if self.is_in(code, present):
            return share, None
        share = await self.shares.exchange(code)
        if present is not None and present.id.startswith(LOGIN):
            login_id = present.id.removeprefix(LOGIN)
            await self.logins.add_share(login_id, share.id)
            return share, await self.logins.rotate_cookie(login_id) if present.by_cookie else None
        _, cookie = await self.logins.add(
            "", method="share", guest=True, name=share.name, shares=[share.id], address=address, agent=agent
        )
        return share, cookie

    def name_in(self, principal: Principal, session_id: str) -> str:
        """The name of a principal in a session: for a guest, the name on the link that led there."""
        if principal.guest:
            login = self.logins.get(principal.id.removeprefix(LOGIN))
            for share_id in reversed([] if login is None else login.shares):
                share = self.shares.get(share_id)
                if share is not None and share.session_id == session_id:
                    return share.name or "guest"
        return principal.user

    def muted(self, principal: Principal, session_id: str) -> bool:
        """Whether this login may not type into the session."""
        login = self.logins.get(principal.id.removeprefix(LOGIN)) if principal.id.startswith(LOGIN) else None
        return login is not None and session_id in login.muted

    async def mute(self, principal: Principal, session_id: str, *, muted: bool) -> None:
        """Forbid a login to type into this session, or allow it again. The file of logins keeps it."""
        if principal.id.startswith(LOGIN):
            await self.logins.mute(principal.id.removeprefix(LOGIN), session_id, muted=muted)

    async def put_out(self, guest: Principal, session_id: str) -> None:
        """Take all rights to this session from a guest, whatever links led there. Others keep theirs."""
        shares = [share.id for share in self.shares.of(session_id)]
        await self.logins.drop_shares_of(guest.id.removeprefix(LOGIN), shares)

    # Against forged requests

    def csrf_token(self, principal: Principal) -> str:
        return csrf.issue(self.csrf_key, principal.id)

    def csrf_valid(self, principal: Principal, token: str) -> bool:
        return csrf.valid(self.csrf_key, principal.id, token)

    # Revoking

    async def revoke_user(self, user: str) -> list[str]:
        """Revoke every login and token of an account, and the links it has made. Returns the principals' ids.

        Guests of these links are logged out. The caller has to review what other users of the links have open.
        """
        logins = await self.logins.revoke_user(user)
        tokens = await self.api_tokens.remove_user(user)
        for share_id in await self.shares.forget_user(user):
            await self.logins.drop_share(share_id)
        return [*(f"{LOGIN}{each}" for each in logins), *(f"{TOKEN}{each}" for each in tokens)]

    @property
    def safe(self) -> bool:
        """False: a restart of the server would make something valid again that was revoked."""
        return self.logins.safe and self.api_tokens.safe and self.shares.safe and self.users.safe


def _narrowed(principal: Principal, scopes: Scope, grants: Mapping[str, Scope]) -> Principal:
    """The principal with these rights at most, for good."""
    left = {key: scope & (principal.scopes | principal.grants.get(key, NOTHING)) for key, scope in grants.items()}
    kept = {key: scope for key, scope in left.items() if scope}
    return dataclasses.replace(principal, scopes=principal.scopes & scopes, grants=kept, by_cookie=False, narrow=True)
