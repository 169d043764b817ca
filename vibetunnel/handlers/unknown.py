"""Answers for paths that no route has."""

from __future__ import annotations

from http import HTTPStatus

from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.refusals import Refused


class UnknownApiHandler(Handler):
    """Paths below /api."""

    def check(self) -> None:
        super().check()
        raise Refused(HTTPStatus.NOT_FOUND, "API endpoint not found")


class RemotesHandler(Handler):
    """The routes of a Node server that stands before others (HQ): this one does not, and says so in its words."""

    def check(self) -> None:
        super().check()
        raise Refused(HTTPStatus.NOT_FOUND, "Not running in HQ mode")


class NoPathHandler(Handler):
    """Targets that are not paths: whole addresses, as a proxy gets them, and `OPTIONS *`."""

    def check(self) -> None:
        self.check_source()
        self.principal = self.authenticate()
        self.check_rate(None)
        self.required(self.principal)
        raise Refused(HTTPStatus.NOT_FOUND, "path: expected one that begins with /")


class OutsideHandler(Handler):
    """Paths outside --base-path. The base path itself is redirected to the one that ends in `/`."""

    def check(self) -> None:
        self.check_source()
        base_path = self.context.settings.base_path
        if self.request.path != base_path or self.request.method not in ("GET", "HEAD"):
            raise Refused(HTTPStatus.NOT_FOUND, f"path: expected one that begins with {base_path}/")

    def get(self) -> None:
        self.set_header("Location", f"{self.context.settings.base_path}/")
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_status(HTTPStatus.PERMANENT_REDIRECT)
