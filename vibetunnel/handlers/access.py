"""What every request passes: doors, login, method, size; and which answer an error is."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

import msgspec
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import HTTPError

from vibetunnel import errors
from vibetunnel.handlers.context import Context
from vibetunnel.handlers.route import Operation, Permission, Route
from vibetunnel.handlers.validation import decode_body, decode_query, listed
from vibetunnel.http.exchange import Exchange
from vibetunnel.http.server import MAX_BODY
from vibetunnel.keeper.errors import KeeperBusy, KeeperFailed, NoResources, SpawnFailed
from vibetunnel.security.addresses import ClientAddress
from vibetunnel.security.hosts import is_loopback_host
from vibetunnel.security.limits import headers as rate_headers
from vibetunnel.security.principal import Principal, Scope, names

T = TypeVar("T", bound=msgspec.Struct)

COOKIE = "vibetunnel"
CSRF_HEADER = "X-CSRF-Token"
STRICT_TRANSPORT = "max-age=31536000"  # seconds; of this host only: what its subdomains do is not ours to say
JSON = "application/json; charset=utf-8"
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
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.UnknownUser: HTTPStatus.NOT_FOUND,
    errors.UserExists: HTTPStatus.CONFLICT,
    errors.WrongPassword: HTTPStatus.UNAUTHORIZED,
    errors.InvalidToken: HTTPStatus.UNAUTHORIZED,
    errors.ReusedRefresh: HTTPStatus.UNAUTHORIZED,
    errors.WrongShare: HTTPStatus.UNAUTHORIZED,
    errors.UnknownShare: HTTPStatus.NOT_FOUND,
    errors.UnknownClient: HTTPStatus.NOT_FOUND,
    errors.UnknownToken: HTTPStatus.NOT_FOUND,
    errors.LimitReached: HTTPStatus.TOO_MANY_REQUESTS,
    SpawnFailed: HTTPStatus.BAD_REQUEST,
    KeeperFailed: HTTPStatus.SERVICE_UNAVAILABLE,
    KeeperBusy: HTTPStatus.SERVICE_UNAVAILABLE,
    NoResources: HTTPStatus.SERVICE_UNAVAILABLE,
}

encode = msgspec.json.Encoder().encode


class Refused(HTTPError):
    """A request that is turned down for what HTTP says about it; `message` is what the client reads."""

    def __init__(
        self, status: HTTPStatus, message: str, headers: dict[str, str] | None = None, *, code: str = ""
    ) -> None:
        super().__init__(status)
        self.message = message
        self.headers = headers or {}
        self.code = code


def cookie_name(*, tls: bool, base_path: str = "") -> str:
    """Of the login's cookie. Two servers below two paths of one host have two."""
    name = COOKIE + base_path.replace("/", "-")
    # Under TLS the prefix makes browsers refuse the cookie from anyone but this very host (RFC 6265bis §4.1.3.2).
    return f"__Host-{name}" if tls else name


def cookie_of(header: str, name: str) -> str:
    """The value of one cookie, the last of this name; "" for none.

    Not Tornado's get_cookie(): it makes an object of every cookie, which takes 40 ms for a header full of them.
    """
    found = ""
    for pair in header.split(";") if name in header else ():
        key, _, value = pair.partition("=")
        if key.strip() == name:
            found = value.strip()
    return found


def shown(principal: Principal) -> str:
    """Who asks, in a message to them."""
    return "a guest" if principal.guest else f"a {principal.role}"


def declared_length(headers: HTTPHeaders) -> int:
    """The body's length as the client has announced it; 0: it has not."""
    text = headers.get("Content-Length", "")
    return min(int(text[:20]), sys.maxsize) if text.isdecimal() else 0


@dataclass(frozen=True)
class Answer:
    """What an error is answered with."""

    status: HTTPStatus
    message: str
    code: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return encode({"error": self.message} | ({"code": self.code} if self.code else {}))


def answer_to(error: BaseException | None, status: int = HTTPStatus.INTERNAL_SERVER_ERROR) -> Answer:
    """status: of what says nothing else: a bug, or Tornado's own errors. The log has their story, not the client."""
    match error:
        case errors.RateLimited():
            return Answer(HTTPStatus.TOO_MANY_REQUESTS, str(error), "rate", rate_headers(error))
        case errors.VibeTunnelError():
            return Answer(next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), str(error))
        case Refused():
            return Answer(HTTPStatus(error.status_code), error.message, error.code, error.headers)
        case _:
            return Answer(HTTPStatus(status), HTTPStatus(status).phrase)


class Checks(ABC):
    """A request that has passed the doors. `principal` is None only where the route is open and nobody is logged in."""

    request: HTTPServerRequest
    context: Context
    route: Route
    principal: Principal | None
    client: ClientAddress
    operation: Operation
    path_kwargs: dict[str, str]

    def expect(self, context: Context, route: Route) -> None:
        """A request of this route has begun."""
        self.context = context
        self.route = route
        self.principal = None
        self._forgeable = False  # other sites could make a browser send this: it needs a token against that

    @abstractmethod
    def set_header(self, name: str, value: str) -> None:
        """Of the answer."""

    @abstractmethod
    def get_status(self) -> int:
        """Of the answer."""

    def log_request(self) -> None:
        """It has been answered."""
        request = self.request
        self.context.requests.record(
            request.method or "",
            request.path,
            self.get_status(),
            request.request_time() * 1000,
            self.client_address,
            None if self.principal is None else self.principal.user,
        )

    def check(self) -> None:
        """Whether it may be answered. Raises Refused, Forbidden, RateLimited."""
        self.check_doors()
        operation = self.route.operation(self.request.method or "")
        opened = operation is not None and operation.permission is Permission.OPEN
        self.principal = self.authenticate()
        self.check_rate(operation)
        if not opened:
            principal = self.required(self.principal)
            if operation is not None:
                self._check_permission(operation, principal)
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
        if any(name in self.request.headers for name in FROM_BROWSERS) and not self._by_bearer():
            self._check_content_type()
        if not opened:
            self._check_forgery()

    def check_doors(self) -> None:
        context, headers = self.context, self.request.headers
        self.client = client = context.clients.of(self.request)
        refusal = context.allow_list.refusal(client, headers)
        if refusal is not None:
            raise Refused(HTTPStatus.FORBIDDEN, refusal)
        host = client.host or headers.get("Host")
        refusal = (
            # Both: a proxy that does not set X-Forwarded-Host passes on what the page of a rebound name has set.
            context.host_policy.refuse_host(headers.get("Host"))
            or (context.host_policy.refuse_host(client.host) if client.host is not None else None)
            or context.host_policy.refuse_origin(headers.get("Origin"), host or "", client.scheme)
            or context.host_policy.refuse_site(
                headers.get("Sec-Fetch-Site"),
                headers.get("Sec-Fetch-Mode"),
                page=self.route.page and self.request.method in ("GET", "HEAD"),
            )
        )
        if refusal is not None:
            raise Refused(HTTPStatus.FORBIDDEN, refusal)
        # Not for a certificate that the browser has to be talked into, nor for a name that other servers have too.
        if self.secure and not (context.settings.tls_self_signed or is_loopback_host(host or "")):
            self.set_header("Strict-Transport-Security", STRICT_TRANSPORT)

    @property
    def exchange(self) -> Exchange:
        """The connection's part in this request."""
        assert isinstance(self.request.connection, Exchange)
        return self.request.connection

    @property
    def client_address(self) -> str:
        """For the log, of a request that may not have come as far as prepare()."""
        client: ClientAddress | None = getattr(self, "client", None)
        return (self.request.remote_ip or "") if client is None else client.address

    @property
    def secure(self) -> bool:
        """Whether the client speaks HTTPS, to us or to a proxy that we trust."""
        return self.client.scheme == "https"

    # Who asks, and whether they may

    def authenticate(self) -> Principal | None:
        """Who asks; None: nobody that we know."""
        authority, headers = self.context.authority, self.request.headers
        if authority.no_auth:
            return authority.everybody()
        authorization = headers.get("Authorization")
        if authorization is not None:
            scheme, _, credentials = authorization.partition(" ")
            if scheme.lower() != "bearer":
                return None
            credentials = credentials.strip()
            # A wrong one is not saved by a cookie: whoever sends it means it. Only the own page of the same login may
            # have one that is merely too old.
            return authority.by_bearer(credentials) or self._by_old_token(credentials)
        if self.route.tickets and self.request.query:
            query = self.request.query_arguments
            if "ticket" in query:
                session_id = query.get("sessionId", [b""])[-1].decode("ascii", "replace")
                return authority.by_ticket(query["ticket"][-1].decode("ascii", "replace"), session_id)
            if "token" in query and self.context.settings.token_in_url:
                return authority.by_bearer(query["token"][-1].decode("ascii", "replace"))
        principal = self._by_cookie()
        self._forgeable = principal is not None
        return principal

    def _by_cookie(self) -> Principal | None:
        cookie = cookie_of(self.request.headers.get("Cookie", ""), self.cookie_name)
        return self.context.authority.by_cookie(cookie) if cookie else None

    def _by_old_token(self, credentials: str) -> Principal | None:
        principal = self._by_cookie()
        vouched = principal is not None and self.context.authority.vouches(credentials, principal)
        return principal if vouched else None

    def require_login(self) -> Principal:
        """Who asks, now: a login may have ended since the request began. Raises Refused (401)."""
        before = self.principal
        self.principal = None if before is None else self.context.authority.still(before)
        return self.required(self.principal)

    @staticmethod
    def required(principal: Principal | None) -> Principal:
        if principal is None:
            challenge = {"WWW-Authenticate": 'Bearer realm="VibeTunnel"'}
            raise Refused(HTTPStatus.UNAUTHORIZED, "Authentication required", challenge)
        return principal

    def _check_permission(self, operation: Operation, principal: Principal) -> None:
        scope = operation.permission.scope
        if scope is None:
            return
        session_id = self.path_kwargs.get("session_id")
        allowed = principal.may_anywhere(scope) if operation.some else principal.may(scope, session_id)
        if not allowed:
            raise errors.Forbidden(f"this needs {operation.permission.value}, which {shown(principal)} has not")

    def require(self, scope: Scope, session_id: str | None) -> Principal:
        """Whoever asks, if they may; for what a route cannot declare. Raises Refused, Forbidden."""
        principal = self.required(self.principal)
        if not principal.may(scope, session_id):
            needed = " and ".join(names(scope))
            raise errors.Forbidden(f"this needs the right to {needed}, which {shown(principal)} has not")
        return principal

    def check_room(self, principal: Principal) -> None:
        """Whether they may open one more connection that lasts. Raises LimitReached."""
        limit = 0 if principal.local else self.context.settings.user_clients
        if limit and self.context.attachments.of_user(principal, self.client.address) >= limit:
            raise errors.LimitReached("connections of a user", limit)

    def check_rate(self, operation: Operation | None) -> None:
        """Pages and files are free: a browser asks for a dozen at once."""
        kind = "api" if operation is None else operation.limit
        if kind == "none" or (self.route.page and operation is not None):
            return
        limits = self.context.limits
        if kind == "upgrade":
            limits.upgrade(self.principal, self.client.address)
        elif kind == "api" or self.principal is None:  # what counts bytes of users counts nothing of nobody
            limits.api(self.principal, self.client.address)

    def _check_forgery(self) -> None:
        """A token of this very login, which no other site's page can know."""
        if not self._forgeable or self.principal is None or self.request.method in ("GET", "HEAD", "OPTIONS"):
            return
        if not self.context.authority.csrf_valid(self.principal, self.request.headers.get(CSRF_HEADER, "")):
            raise Refused(
                HTTPStatus.FORBIDDEN, f"{CSRF_HEADER}: expected the token from /api/auth/current-user", code="csrf"
            )

    def _by_bearer(self) -> bool:
        return (
            self.principal is not None
            and "Authorization" in self.request.headers
            and not self.context.authority.no_auth
        )

    def check_safe(self) -> None:
        """Raises Refused (503) when what was ended would be there again after a restart."""
        if not (self.context.authority.safe and self.context.keys.safe):
            message = "done, but the state folder cannot be written: a restart of the server before it can be undoes it"
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, message)

    # Cookies

    @property
    def cookie_name(self) -> str:
        return cookie_name(tls=self.secure, base_path=self.context.settings.base_path)

    def _check_content_type(self) -> None:
        """A form of another page can send a cookie along, or needs none, but it cannot send JSON."""
        if self.request.method in ("GET", "HEAD") or not self.request.body:
            return
        given = self.request.headers.get("Content-Type", "")
        if given.partition(";")[0].strip().lower() != "application/json":
            message = f"Content-Type: expected application/json, got {given[:80] or 'none'}"
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)

    # In

    def decoded(self, value: bytes, name: str | None = None) -> str:
        """A part of the address. Raises Refused (400)."""
        try:
            return value.decode()
        except UnicodeDecodeError:
            where = "path" if name is None or name in self.route.parameters else name
            raise Refused(HTTPStatus.BAD_REQUEST, f"{where}: expected UTF-8, got other bytes") from None

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
