"""A request that is answered with Tornado's RequestHandler, in as many pieces as it takes."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any, TypeVar

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from vibetunnel import errors
from vibetunnel.handlers.access import JSON, Checks, Refused, answer_to, encode
from vibetunnel.handlers.context import Context
from vibetunnel.handlers.route import Route
from vibetunnel.security.headers import HEADERS

T = TypeVar("T")

log = logging.getLogger(__name__)


def or_refused(make: Callable[[], T]) -> T:
    """What needs a descriptor is made before detach(): behind it there is no way to say that there is none left."""
    try:
        return make()
    except OSError as error:
        message = f"no room for another connection: {error.strerror}; try again later"
        raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, message) from error


class BaseHandler(RequestHandler, Checks):
    """Every route's but those of lean.py."""

    SUPPORTED_METHODS = ("GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS")

    def initialize(self, context: Context, route: Route) -> None:
        self.expect(context, route)

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.set_header("Cache-Control", "no-store")  # files say otherwise

    def prepare(self) -> Awaitable[None] | None:
        self.check()
        return None

    def set_login_cookie(self, cookie: str) -> None:
        """Give the browser its login; its own script never sees it."""
        self.set_cookie(
            self.cookie_name,
            cookie,
            max_age=int(self.context.settings.login_max_s),
            path="/",
            httponly=True,
            samesite="Strict",
            secure=self.secure,
        )

    def clear_login_cookie(self) -> None:
        self.clear_cookie(self.cookie_name, path="/", httponly=True, samesite="Strict", secure=self.secure)

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        return self.decoded(value, name)

    # Out

    def head(self, **arguments: str) -> Awaitable[None] | None:
        return self.get(**arguments)  # Tornado leaves the body out

    def answer(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Finish with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", JSON)
        self.finish(encode(value))

    def compute_etag(self) -> None:
        """None: hashing every answer would cost more than sending it; files have their own."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # Any: Tornado's signature
        answer = answer_to(kwargs["exc_info"][1] if "exc_info" in kwargs else None, status_code)
        for name, value in answer.headers.items():
            self.set_header(name, value)
        self.set_status(answer.status)
        self.set_header("Content-Type", JSON)
        self.finish(answer.body)

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        # Answers, and clients that have left, are no incidents.
        if not isinstance(value, (errors.VibeTunnelError, HTTPError, StreamClosedError)):
            path = self.request.path.encode("ascii", "backslashreplace").decode()
            log.error("%s %s failed", self.request.method, path, exc_info=value)


class UnknownApiHandler(BaseHandler):
    """What is below /api and is nothing."""

    def prepare(self) -> None:
        super().prepare()
        raise Refused(HTTPStatus.NOT_FOUND, "API endpoint not found")


class NoPathHandler(BaseHandler):
    """What no route matches: whole addresses, as a proxy is sent them, and `OPTIONS *`."""

    def prepare(self) -> None:
        self.check_doors()
        self.principal = self.authenticate()
        self.check_rate(None)
        self.required(self.principal)
        raise Refused(HTTPStatus.NOT_FOUND, "path: expected one that begins with /")
