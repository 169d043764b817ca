"""The REST routes of logging in and out."""

from __future__ import annotations

import platform
from functools import partial
from http import HTTPStatus
from typing import Literal

from vibetunnel import __version__
from vibetunnel.errors import (
    Forbidden,
    InvalidToken,
    RateLimited,
    ReusedRefresh,
    UnknownToken,
    WrongCode,
    WrongPassword,
)
from vibetunnel.handlers import account_schemas, schemas
from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.refusals import Refusal, Refused
from vibetunnel.logs.audit import Action
from vibetunnel.protocol import CLOSE_LOGIN_OVER
from vibetunnel.security import pam, ssh_login
from vibetunnel.security.authority import LOGIN, TOKEN
from vibetunnel.security.codes import LINK_S
from vibetunnel.security.hosts import is_loopback_host
from vibetunnel.security.logins import Login
from vibetunnel.security.principal import Principal, Scope, names
from vibetunnel.security.tickets import LIFETIME_S as TICKET_S
from vibetunnel.security.tokens import Claims, TokenType
from vibetunnel.sessions.model import iso

# Removes everything that the browser has stored for this login (Clear Site Data §3.1).
CLEAR_SITE_DATA = '"cache", "cookies", "storage"'


class AuthConfigHandler(Handler):
    """GET /api/auth/config."""

    def get(self) -> None:
        settings, authority = self.context.settings, self.context.authority
        allowed = not settings.disallow_user_password
        passwords = allowed and (settings.pam or any(user.password for user in authority.users.list()))
        self.answer(
            account_schemas.AuthConfig(
                no_auth=settings.no_auth,
                passwords=passwords,
                enable_ssh_keys=settings.enable_ssh_keys,
                disallow_user_password=not allowed,
                web_client=settings.web_client is not None,
                auth_required=not settings.no_auth,
                auth_methods=["password"] if passwords else [],
                ssh_key_auth=settings.enable_ssh_keys,
                password_auth=passwords,
                version=__version__,
            )
        )


class CurrentUserHandler(Handler):
    """GET /api/auth/current-user: open, so that a page can find out whether a login is needed."""

    def get(self) -> None:
        principal = self.principal
        if principal is None:
            self.answer(account_schemas.CurrentUser(user_id=self.context.user, authenticated=False, success=False))
            return
        csrf = self.context.authority.csrf_token(principal) if principal.by_cookie else None
        self.answer(
            account_schemas.CurrentUser(
                user_id=principal.user,
                authenticated=True,
                success=True,
                user=_go_user(principal.user, principal.role),
                role=_role(principal),
                scopes=_names(_all_scopes(principal)),
                session_id=list(principal.grants)[-1] if principal.grants and not principal.scopes else None,
                csrf_token=csrf,
            )
        )


def _go_user(name: str, role: str) -> account_schemas.GoUser:
    return account_schemas.GoUser(id=name, username=name, role=role)


def _role(principal: Principal) -> Literal["owner", "writer", "viewer", "guest"]:
    match principal.role:
        case "owner" | "writer" | "viewer":
            return principal.role
        case _:
            return "guest"


def _names(scopes: Scope) -> list[account_schemas.ScopeName]:
    found: list[account_schemas.ScopeName] = []
    for name in names(scopes):
        match name:
            case "view" | "type" | "control" | "admin" | "files":
                found.append(name)
    return found


def _all_scopes(principal: Principal) -> Scope:
    scopes = principal.scopes
    for each in principal.grants.values():
        scopes |= each
    return scopes


class AvatarHandler(Handler):
    """GET /api/auth/avatar/{user_id}: always null, so that it does not tell which accounts exist."""

    def get(self, user_id: str) -> None:
        self.answer(account_schemas.Avatar(avatar=None, platform=platform.system().lower()))


class LoginHandler(Handler):
    """The base of all routes that log in."""

    def refuse(self, refusal: Refusal) -> None:
        self.finish(refusal.encoded(success=False))

    async def began(self, account: str | None, method: str) -> bool:
        """Count a try to log in as `account`, or with a code. Return whether a stranger sends it.

        Raises RateLimited.
        """
        try:
            return self.context.limits.login(account, self.counted_as, self.principal)
        except RateLimited:
            await self.failed(account, method, "too many tries")
            raise

    async def failed(self, account: str | None, method: str, why: str) -> None:
        await self.context.audit.keep(
            Action.LOGIN_FAILURE, None, self.client.address, "refused", account=account, method=method, why=why
        )

    async def succeeded(self, user: str, method: str, *, account: str | None) -> Login:
        """Start a login with a new cookie. The login that this browser had ends, and so do its sockets.

        account  as began() got it
        Raises Refused (401) if the account was disabled meanwhile.
        """
        context = self.context
        # No await since the password was checked: whatever ends the user's logins from here on ends this one, too.
        login, cookie = await context.authority.log_in(
            user, method, address=self.client.address, agent=self.request.headers.get("User-Agent", "")
        )
        principal = context.authority.of_login(login) if context.authority.logins.get(login.id) else None
        if principal is None:
            await context.authority.logins.revoke(login.id)
            await self.failed(user, method, "the account is disabled")
            raise Refused(HTTPStatus.UNAUTHORIZED, "This account is disabled: ask an owner of the server to enable it")
        context.limits.login_succeeded(account, self.counted_as, self.principal)
        if self.principal is not None and self.principal.by_cookie:
            await self.end_login(self.principal)
        self.set_login_cookie(cookie)
        await self.record(Action.LOGIN, by=principal, method=method)
        return login

    async def end_login(self, principal: Principal) -> bool:
        """Return False if a restart of the server would bring the login back."""
        gone = await self.context.authority.logins.revoke(principal.id.removeprefix(LOGIN))
        self.context.attachments.end(principal.id)
        return gone

    async def check_password(self, account: str, password: str) -> Login:
        """Log in with a password. Raises Refused, WrongPassword, RateLimited."""
        settings = self.context.settings
        if settings.disallow_user_password:
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "Passwords are not accepted here (--disallow-user-password): log in with a code or an SSH key",
            )
        stranger = await self.began(account, "password")
        user = await self.context.authority.users.check_password(account, password, stranger=stranger)
        good = user is not None
        if not good and settings.pam and account == self.context.user and self.context.authority.role_of(account):
            good = await pam.check(account, password, settings.pam_service)
        if not good:
            await self.failed(account, "password", "wrong password")
            raise WrongPassword
        return await self.succeeded(account, "password", account=account)

    async def answer_with_tokens(self, login: Login, method: str) -> None:
        granted = await self.context.authority.grant(login)
        self.answer(
            account_schemas.TokensAnswer(
                token=granted.token,
                refresh_token=granted.refresh_token,
                expires_in=granted.expires_in,
                user_id=login.user,
                auth_method=method,
            )
        )


class CodeHandler(LoginHandler):
    """POST /api/auth/code: exchanges a one-time code for a cookie."""

    async def post(self) -> None:
        wanted = self.read(account_schemas.CodeBody)
        await self.began(None, "code")
        try:
            user = self.context.codes.redeem(wanted.code)
        except WrongCode:
            await self.failed(None, "code", "wrong code")
            raise
        login = await self.succeeded(user, "code", account=None)
        if wanted.token:
            await self.answer_with_tokens(login, "code")
        else:
            self.answer(account_schemas.LoggedIn(success=True, user_id=user))


class PasswordHandler(LoginHandler):
    """POST /api/auth/password."""

    async def post(self) -> None:
        wanted = self.read(account_schemas.PasswordBody)
        await self.answer_with_tokens(await self.check_password(wanted.user_id, wanted.password), "password")


class GoLoginHandler(LoginHandler):
    """POST /api/auth/login."""

    async def post(self) -> None:
        wanted, authority = self.read(account_schemas.GoLoginBody), self.context.authority
        login = await self.check_password(wanted.username or self.context.user, wanted.password)
        role = authority.role_of(login.user)
        granted = await authority.grant(login)
        self.answer(account_schemas.GoLoggedIn(token=granted.token, user=_go_user(login.user, str(role))))


class ChallengeHandler(LoginHandler):
    """POST /api/auth/challenge: answers for any name, so that it does not tell which accounts exist."""

    def post(self) -> None:
        wanted = self.read(account_schemas.ChallengeBody)
        if not self.context.settings.enable_ssh_keys:
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "SSH keys are not accepted here (--enable-ssh-keys is off): log in with a code or a password",
            )
        made = self.context.challenges.issue(wanted.user_id)
        self.answer(
            account_schemas.ChallengeAnswer(
                challenge_id=made.id,
                challenge=made.text,
                expires_at=int(made.expires * 1000),
            )
        )


class SshKeyHandler(LoginHandler):
    """POST /api/auth/ssh-key: exchanges a signed challenge for a login."""

    async def post(self) -> None:
        context, wanted = self.context, self.read(account_schemas.SshLoginBody)
        if not context.settings.enable_ssh_keys:
            raise Refused(
                HTTPStatus.FORBIDDEN,
                "SSH keys are not accepted here (--enable-ssh-keys is off): log in with a code or a password",
            )
        try:
            context.limits.key(self.counted_as, self.principal)
        except RateLimited:
            await self.failed(None, "ssh-key", "too many tries")
            raise
        challenge = context.challenges.take(wanted.challenge_id)
        refusal = "Invalid or expired challenge"  # the Node server's wording, like the other refusals
        if challenge is not None:
            refusal = await ssh_login.refusal(
                challenge, wanted.public_key, wanted.signature, context.authority.users, context.user, context.home
            )
        if challenge is None or refusal:
            await self.failed(None if challenge is None else challenge.user, "ssh-key", refusal)
            raise Refused(HTTPStatus.UNAUTHORIZED, refusal)
        login = await self.succeeded(challenge.user, "ssh-key", account=None)
        await self.answer_with_tokens(login, "ssh-key")


class RefreshHandler(LoginHandler):
    """POST /api/auth/refresh: returns the next tokens. A refresh token that was used before ends its login."""

    async def post(self) -> None:
        token = self.read(account_schemas.RefreshBody).refresh_token
        try:
            login, granted = await self.context.authority.refresh(token)
        except InvalidToken as error:
            await self.failed(error.user if isinstance(error, ReusedRefresh) else None, "refresh", error.why)
            self.context.attachments.review()  # this may have ended the login
            raise Refused(HTTPStatus.UNAUTHORIZED, f"{error}: log in again") from None
        await self.record(Action.REFRESH, by=self.context.authority.of_login(login))
        self.answer(
            account_schemas.TokensAnswer(
                token=granted.token,
                refresh_token=granted.refresh_token,
                expires_in=granted.expires_in,
                user_id=login.user,
                auth_method="refresh",
            )
        )


class VerifyHandler(Handler):
    """GET /api/auth/verify."""

    def refuse(self, refusal: Refusal) -> None:
        self.finish(refusal.encoded(valid=False))

    def get(self) -> None:
        principal = self.require_login()
        self.answer(account_schemas.Verified(user_id=principal.user))


class LogoutHandler(LoginHandler):
    """POST /api/auth/logout: ends this login everywhere, open sockets included."""

    refuse = Handler.refuse

    async def post(self) -> None:
        principal = self.require_login()
        self.set_header("Clear-Site-Data", CLEAR_SITE_DATA)
        self.clear_login_cookie()
        if principal.id.startswith(LOGIN):
            gone = await self.end_login(principal)
            await self.record(Action.LOGOUT, by=principal)
            if not gone:
                self.check_saved()
        self.answer(schemas.DoneWithMessage(message="Logged out successfully"))


class TicketHandler(Handler):
    """POST /api/auth/ticket: a ticket for one socket or stream whose client cannot send headers."""

    def post(self) -> None:
        principal, wanted = self.require_login(), self.read(account_schemas.TicketBody)
        scope = Scope.VIEW | Scope.TYPE if wanted.permission == "type" else Scope.VIEW
        ticket = self.context.authority.tickets.issue(principal, wanted.session_id, scope)
        self.answer(account_schemas.Ticket(ticket=ticket, expires_in=int(TICKET_S)))


class LinkHandler(Handler):
    """POST /api/auth/link: a login link for another device; without a code if no login is needed."""

    async def post(self) -> None:
        base = public_base(self)
        if self.context.settings.no_auth:
            self.answer(account_schemas.Link(url=base, code=None))
        else:
            principal = self.require_login()
            if principal.narrow or principal.program:
                raise Forbidden("This needs a login: a token cannot create one that outlives it or may do more")
            self.require_audit()
            code = self.context.codes.issue(principal.user, LINK_S, principal)
            await self.record(Action.LINK, by=principal)
            self.answer(account_schemas.Link(url=f"{base}/login#{code}", code=code))


def public_base(handler: Handler) -> str:
    """The server's address for a link that is used on another device, where `localhost` would be wrong."""
    context, client = handler.context, handler.client
    host = client.host or handler.request.headers["Host"]
    ours = context.settings.url or (not context.settings.is_loopback and is_loopback_host(host))
    return context.url if ours else f"{client.scheme}://{host}{context.settings.base_path}"


class LoginsHandler(Handler):
    """GET /api/logins: your own logins, or all of them with the right to manage users."""

    async def get(self) -> None:
        principal = self.require_login()
        admin = principal.may(Scope.ADMIN)
        found = [
            login
            for login in ([] if principal.program and not admin else self.context.authority.logins.list())
            if admin or (login.user == principal.user and not login.guest)
        ]
        await self.answer_each(found, partial(_login_view, principal=principal))


def _login_view(login: Login, *, principal: Principal) -> account_schemas.LoginView:
    return account_schemas.LoginView(
        id=login.id,
        user=login.name if login.guest else login.user,
        method=login.method,
        guest=login.guest,
        created_at=iso(int(login.created * 1e9)),
        last_used_at=iso(int(login.last_used * 1e9)),
        address=login.address,
        agent=login.agent,
        current=principal.id == f"{LOGIN}{login.id}",
    )


class RevokeHandler(Handler):
    """POST /api/auth/revoke: ends all logins of a user, one login with its tokens, or one token."""

    async def post(self) -> None:
        wanted, principal = self.read(account_schemas.RevokeBody), self.require_login()
        ended = await self._end(wanted, principal)
        for each in ended:
            self.context.attachments.end(each, "access has been revoked")
            self.context.authority.tickets.forget(each)
        self.context.attachments.review()  # connections of the user's share links, and of single access tokens
        await self.record(Action.REVOKE, by=principal, user=wanted.user or "", what=wanted.login or wanted.token or "")
        self.check_saved()
        self.answer(account_schemas.Revoked(ended=len(ended)))

    async def _end(self, wanted: account_schemas.RevokeBody, principal: Principal) -> list[str]:
        authority = self.context.authority
        admin = principal.may(Scope.ADMIN)
        if wanted.user is not None:
            if not admin and wanted.user != principal.user:
                raise UnknownToken
            if principal.program and not admin:
                raise UnknownToken
            self.context.codes.forget_user(wanted.user)
            return await authority.revoke_user(wanted.user)
        if wanted.login is not None:
            login = authority.logins.get(wanted.login)
            if login is None or not (
                admin or (not principal.program and login.user == principal.user and not login.guest)
            ):
                raise UnknownToken
            await authority.logins.revoke(login.id)
            return [f"{LOGIN}{login.id}"]
        assert wanted.token is not None
        return await self._end_token(wanted.token, principal, admin=admin)

    async def _end_token(self, given: str, principal: Principal, *, admin: bool) -> list[str]:
        """End a program's token by its id, or any token by itself (RFC 7009 §2.1)."""
        authority = self.context.authority
        jti = given
        if given.count(".") == 2:
            claims = self._claims(given)
            if claims.sub != principal.user and not admin:
                raise UnknownToken
            if claims.typ != "api":
                if principal.program and not admin:
                    raise UnknownToken
                if claims.typ == "refresh":
                    await authority.logins.revoke(claims.sid)
                    return [f"{LOGIN}{claims.sid}"]
                await authority.logins.revoke_access(claims.jti, claims.exp, claims.sid)
                return []
            jti = claims.jti
        found = authority.api_tokens.get(jti)
        mine = (
            found is not None
            and found.user == principal.user
            and not (principal.program and principal.id != f"{TOKEN}{jti}")
        )
        if found is None or not (admin or mine):
            raise UnknownToken
        await authority.api_tokens.remove(jti)
        return [f"{TOKEN}{jti}"]

    def _claims(self, token: str) -> Claims:
        """Return the claims of a token of any kind. Raises UnknownToken."""
        kinds: tuple[TokenType, ...] = ("access", "refresh", "api")
        for kind in kinds:
            try:
                return self.context.authority.tokens.verify(token, kind, allow_expired=True)
            except InvalidToken:
                continue
        raise UnknownToken


class RotateKeysHandler(Handler):
    """POST /api/auth/rotate-keys: signs new tokens with a new key. With `forget`, existing tokens become invalid."""

    async def post(self) -> None:
        context, forget = self.context, self.read(account_schemas.RotateKeysBody).forget
        if forget:
            # An attacker with the key may have used tokens of his own to open connections and to get tickets and codes.
            context.authority.tickets.forget_all()
            context.codes.forget_made()
        await context.keys.rotate(forget=forget)
        if forget:
            for attachment in context.attachments:
                if attachment.principal.token or attachment.principal.program:
                    context.attachments.put_out(attachment, "access has been revoked", code=CLOSE_LOGIN_OVER)
        change = "new key, old ones forgotten" if forget else "new key"
        await self.record(Action.KEYS, change=change)
        self.check_saved()
        self.answer(schemas.DoneWithMessage(message="New tokens are signed with a new key"))
