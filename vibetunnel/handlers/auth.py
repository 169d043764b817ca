"""The REST routes of logging in and out."""

from __future__ import annotations

from vibetunnel.handlers import shapes
from vibetunnel.handlers.base import COOKIE_DAYS, BaseHandler
from vibetunnel.security.codes import LINK_S


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
        self.context.codes.redeem(self.read(shapes.Code).code)
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
        if self.login is not None and self.login.by_cookie:
            await self.context.logins.revoke(self.login.id)
            self.context.lasting.end(self.login.id)
        self.clear_cookie(self.cookie_name, path="/", httponly=True, samesite="Strict", secure=self.context.tls)
        self.answer(shapes.Done())


class LinkHandler(BaseHandler):
    """POST /api/auth/link: a fresh one-time code, for another device."""

    def post(self) -> None:
        code = self.context.codes.issue(LINK_S)
        base = self.context.settings.url or f"{self.request.protocol}://{self.request.headers['Host']}"
        self.answer(shapes.Link(url=f"{base}/login#{code}", code=code))
