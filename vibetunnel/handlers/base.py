"""What every request passes: doors, login, method, size; and how every answer and error leaves."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable
from http import HTTPStatus
from types import TracebackType
from typing import Any, NamedTuple, TypeVar

import msgspec
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from vibetunnel import errors
from vibetunnel.handlers.context import Context
from vibetunnel.handlers.route import Operation, Permission, Route
from vibetunnel.handlers.validation import decode_body, decode_query, listed
from vibetunnel.keeper.errors import KeeperBusy, KeeperFailed, NoResources, SpawnFailed
from vibetunnel.security.headers import HEADERS
from vibetunnel.security.secret import same

T = TypeVar("T", bound=msgspec.Struct)

MAX_BODY = 1024 * 1024  # bytes
COOKIE = "vibetunnel"
COOKIE_DAYS = 30
FROM_BROWSERS = ("Cookie", "Origin", "Sec-Fetch-Site")  # headers; programs rarely send one of them

STATUS: dict[type[errors.VibeTunnelError], HTTPStatus] = {
    errors.VibeTunnelError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.StartFailed: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.InvalidField: HTTPStatus.BAD_REQUEST,
    errors.UnknownSession: HTTPStatus.NOT_FOUND,
    errors.SessionLimitReached: HTTPStatus.TOO_MANY_REQUESTS,
    errors.SessionNotRunning: HTTPStatus.BAD_REQUEST,  # as the Node server
    errors.SessionStillRunning: HTTPStatus.CONFLICT,
    errors.SessionEnded: HTTPStatus.CONFLICT,
    errors.WaitTimedOut: HTTPStatus.REQUEST_TIMEOUT,
    errors.TooManyWaits: HTTPStatus.TOO_MANY_REQUESTS,
    errors.InputQueueFull: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.WrongCode: HTTPStatus.UNAUTHORIZED,
    errors.TooManyTries: HTTPStatus.TOO_MANY_REQUESTS,
    SpawnFailed: HTTPStatus.BAD_REQUEST,
    KeeperFailed: HTTPStatus.SERVICE_UNAVAILABLE,
    KeeperBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    NoResources: HTTPStatus.SERVICE_UNAVAILABLE,
}

log = logging.getLogger(__name__)
access_log = logging.getLogger("vibetunnel.access")
_encode = msgspec.json.Encoder().encode


class Refused(HTTPError):
    """A request that is turned down for what HTTP says about it; `message` is what the client reads."""

    def __init__(self, status: HTTPStatus, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.message = message
        self.headers = headers or {}


class Login(NamedTuple):
    """Who asks. id: hash of the cookie's token, or what else let the request in."""

    id: str
    by_cookie: bool = False


BEARER = Login("bearer")
NOBODY_NEEDED = Login("no-auth")


def log_access(request: HTTPServerRequest, status: int) -> None:
    """One line per request. Never a query, a header or a body: secrets and keystrokes are in those."""
    path = request.path.encode("ascii", "backslashreplace").decode()
    duration_ms = request.request_time() * 1000
    access_log.info("%s %s %d %.1fms %s", request.method, path, status, duration_ms, request.remote_ip)


def cookie_name(*, tls: bool) -> str:
    # Under TLS the prefix makes browsers refuse the cookie from anyone but this very host.
    return f"__Host-{COOKIE}" if tls else COOKIE


def declared_length(headers: HTTPHeaders) -> int:
    """The body's length as the client has announced it; 0: it has not."""
    text = headers.get("Content-Length", "")
    return min(int(text[:20]), sys.maxsize) if text.isdecimal() else 0


class BaseHandler(RequestHandler):
    """A request that has passed the doors. `login` is None only where the route is open and nobody is logged in."""

    SUPPORTED_METHODS = ("GET", "HEAD", "POST", "DELETE", "PATCH", "PUT", "OPTIONS")

    context: Context
    route: Route
    login: Login | None
    operation: Operation

    def initialize(self, context: Context, route: Route) -> None:
        self.context = context
        self.route = route
        self.login = None

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.set_header("Cache-Control", "no-store")  # files say otherwise

    def prepare(self) -> Awaitable[None] | None:
        self._check_doors()
        operation = self.route.operation(self.request.method or "")
        if operation is None or operation.permission is not Permission.OPEN:
            self.login = self.require_login()
        if operation is None:
            raise Refused(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"method: expected {listed(self.route.methods)}, got {self.request.method}",
                {"Allow": ", ".join(self.route.methods)},
            )
        self.operation = operation
        # Bounded (application.py) stops to collect it, or does not even begin.
        if max(len(self.request.body), declared_length(self.request.headers)) > MAX_BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: expected at most {MAX_BODY} bytes, got more")
        if self.login != BEARER and any(name in self.request.headers for name in FROM_BROWSERS):
            self._check_content_type()
        return None

    def _check_doors(self) -> None:
        headers, doors = self.request.headers, self.context.doors
        host = headers.get("Host")
        refusal = (
            doors.refuse_host(host)
            or doors.refuse_origin(headers.get("Origin"), host or "")
            or doors.refuse_site(
                headers.get("Sec-Fetch-Site"),
                headers.get("Sec-Fetch-Mode"),
                page=self.route.page and self.request.method in ("GET", "HEAD"),
            )
        )
        if refusal is not None:
            raise Refused(HTTPStatus.FORBIDDEN, refusal)

    def require_login(self) -> Login:
        """Who asks, now: a login may have ended since the request began. Raises Refused (401)."""
        login = self.authenticate()
        if login is None:
            challenge = {"WWW-Authenticate": 'Bearer realm="VibeTunnel"'}
            raise Refused(HTTPStatus.UNAUTHORIZED, "Authentication required", challenge)
        return login

    def authenticate(self) -> Login | None:
        """Who asks; None: nobody that we know."""
        if self.context.settings.no_auth:
            return NOBODY_NEEDED
        authorization = self.request.headers.get("Authorization")
        if authorization is not None:
            scheme, _, credentials = authorization.partition(" ")
            # A wrong one is not saved by a cookie: whoever sends it means it.
            return BEARER if scheme.lower() == "bearer" and same(credentials.strip(), self.context.secret) else None
        token = self.get_signed_cookie(self.cookie_name, max_age_days=COOKIE_DAYS, min_version=2)
        login = self.context.logins.check(token.decode()) if token else None
        return None if login is None else Login(login, by_cookie=True)

    @property
    def cookie_name(self) -> str:
        return cookie_name(tls=self.context.tls)

    def _check_content_type(self) -> None:
        """A form of another page can send a cookie along, or needs none, but it cannot send JSON."""
        if self.request.method in ("GET", "HEAD") or not self.request.body:
            return
        given = self.request.headers.get("Content-Type", "")
        if given.partition(";")[0].strip().lower() != "application/json":
            message = f"Content-Type: expected application/json, got {given[:80] or 'none'}"
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)

    # In

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise Refused(HTTPStatus.BAD_REQUEST, f"{name or 'path'}: expected UTF-8, got other bytes") from None

    def read(self, shape: type[T]) -> T:
        """The JSON body, as the route declares it. Raises InvalidField."""
        assert shape is self.operation.body
        body = self.request.body
        if not body and self.operation.body_optional:
            body = b"{}"
        return decode_body(body, shape)

    def query(self, shape: type[T]) -> T:
        """The query, as the route declares it. Raises InvalidField."""
        assert shape is self.operation.query
        return decode_query(self.request.query_arguments, shape)

    # Out

    def head(self, *arguments: str) -> Awaitable[None] | None:
        return self.get(*arguments)  # Tornado leaves the body out

    def answer(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Finish with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(_encode(value))

    def compute_etag(self) -> None:
        """None: hashing every answer would cost more than sending it; files have their own."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # Any: Tornado's signature
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        message = HTTPStatus(status_code).phrase
        match error:
            case errors.VibeTunnelError():
                self.set_status(next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS))
                message = str(error)
                if isinstance(error, errors.TooManyTries):
                    self.set_header("Retry-After", str(error.retry_after_s))
            case Refused():
                message = error.message
                for name, value in error.headers.items():
                    self.set_header(name, value)
            case _:  # a bug, or Tornado's own HTTPError: the log has the story, not the client
                pass
        self.answer({"error": message}, HTTPStatus(self.get_status()))

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
        self._check_doors()
        self.login = self.require_login()
        raise Refused(HTTPStatus.NOT_FOUND, "path: expected one that begins with /")
