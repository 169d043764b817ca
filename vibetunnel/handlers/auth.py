"""The REST routes of logging in and out."""

from __future__ import annotations

from http import HTTPStatus

from vibetunnel.handlers import shapes
from vibetunnel.handlers.base import COOKIE_DAYS, BaseHandler, Refused
from vibetunnel.security.codes import LINK_S
from vibetunnel.security.hosts import is_loopback_host


class AuthConfigHandler(BaseHandler):
    """GET /api/auth/config."""

    def get(self) -> None:
        self.answer(shapes.AuthConfig(no_auth=self.context.settings.no_auth))


class CurrentUserHandler(BaseHandler):
    """GET /api/auth/current-user: open, so that a page can find out whether it has to ask for a code."""

    def get(self) -> None:
        login = self.login or self.authenticate()
        self.answer(shapes.CurrentUser(user_id=self.context.user, authenticated=login is not None))


class CodeHandler(BaseHandler):
    """POST /api/auth/code: a one-time code for a cookie."""

    async def post(self) -> None:
        self.context.codes.redeem(self.read(shapes.Code).code, self.request.remote_ip or "")
        token = await self.context.logins.add()
        self.set_signed_cookie(
            self.cookie_name,
            token,
            expires_days=COOKIE_DAYS,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=self.context.tls,
        )
        self.answer(shapes.LoggedIn(user_id=self.context.user))


class LogoutHandler(BaseHandler):
    """POST /api/auth/logout: ends the login of this cookie everywhere, open sockets included."""

    async def post(self) -> None:
        self.clear_cookie(self.cookie_name, path="/", httponly=True, samesite="Strict", secure=self.context.tls)
        if self.login is not None and self.login.by_cookie:
            self.context.lasting.end(self.login.id)
            if not await self.context.logins.revoke(self.login.id):
                raise Refused(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "logged out, but the state folder cannot be written: a restart of the server before it can be "
                    "would bring this login back",
                )
        self.answer(shapes.Done())


class LinkHandler(BaseHandler):
    """POST /api/auth/link: a fresh one-time code, for another device; only the address where nobody needs one."""

    def post(self) -> None:
        context, host = self.context, self.request.headers["Host"]
        # What this machine calls itself leads another device nowhere.
        ours = context.settings.url or (not context.settings.is_loopback and is_loopback_host(host))
        base = context.url if ours else f"{self.request.protocol}://{host}"
        if context.settings.no_auth:
            self.answer(shapes.Link(url=base, code=None))
        else:
            code = context.codes.issue(LINK_S)
            self.answer(shapes.Link(url=f"{base}/login#{code}", code=code))
