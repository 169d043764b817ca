"""Whether a request may be answered: addresses, host policy, login, rates, permission, method, body, CSRF token."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from http import HTTPStatus

from tornado.httputil import HTTPHeaders, HTTPServerRequest

from vibetunnel import errors
from vibetunnel.handlers.context import Context
from vibetunnel.handlers.refusals import Refused
from vibetunnel.handlers.route import Operation, Permission, Route
from vibetunnel.handlers.validation import decode_path, listed
from vibetunnel.http.server import MAX_BODY
from vibetunnel.security.addresses import ClientAddress
from vibetunnel.security.hosts import is_loopback_host
from vibetunnel.security.principal import Principal, Scope, names

COOKIE = "vibetunnel"
CSRF_HEADER = "X-CSRF-Token"
STRICT_TRANSPORT = "max-age=31536000"  # seconds; without includeSubDomains, which is not this server's to decide
FROM_BROWSERS = ("Cookie", "Origin", "Sec-Fetch-Site")  # headers; programs rarely send one of them


def cookie_name(*, tls: bool, base_path: str = "") -> str:
    """The name of the login's cookie. Two servers with two base paths on one host have two names."""
    name = COOKIE + base_path.replace("/", "-")
    # With this prefix, browsers accept the cookie from this very host only (RFC 6265bis §4.1.3.2).
    return f"__Host-{name}" if tls else name


def cookie_of(header: str, name: str) -> str:
    """The value of a cookie, the last one of this name; "" for none.

    Tornado's get_cookie() makes an object of each cookie, which takes 40 ms for a header full of them.
    """
    found = ""
    for pair in header.split(";") if name in header else ():
        key, _, value = pair.partition("=")
        if key.strip() == name:
            found = value.strip()
    return found


def described(principal: Principal) -> str:
    """The principal's role, for a message to the client."""
    return "a guest" if principal.guest else f"a {principal.role}"


def declared_length(headers: HTTPHeaders) -> int:
    """The body's length according to Content-Length; 0 if there is none."""
    text = headers.get("Content-Length", "")
    return min(int(text[:20]), sys.maxsize) if text.isdecimal() else 0


class CheckedRequest(ABC):
    """A request and the checks that it must pass.

    principal    who sends it; None only on an open route, without a login
    client       the client's address
    counted_as   what limits count the client by
    operation    what the route declares for the method
    path_kwargs  the parts of the path that the route names
    """

    request: HTTPServerRequest
    context: Context
    route: Route
    principal: Principal | None
    client: ClientAddress
    counted_as: str
    operation: Operation
    path_kwargs: dict[str, str]

    def __init__(self, context: Context, route: Route, request: HTTPServerRequest) -> None:
        self.context = context
        self.route = route
        self.request = request
        self.principal = None
        self._forgeable = False  # another site could make a browser send this, so it needs a CSRF token

    @abstractmethod
    def set_header(self, name: str, value: str) -> None:
        """Set a header of the answer."""

    def check(self) -> None:
        """Raise Refused, Forbidden or RateLimited unless the request may be answered."""
        self.check_source()
        operation = self.route.operation(self.request.method or "")
        # A method that the route does not have is a secret only of routes that need a login.
        asked = [operation] if operation is not None else self.route.operations.values()
        opened = all(each.permission is Permission.OPEN for each in asked)
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
        # BodyCollector (application.py) drops the rest of a body that is too large.
        if not operation.takes and max(len(self.request.body), declared_length(self.request.headers)) > MAX_BODY:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: expected at most {MAX_BODY} bytes, got more")
        if any(name in self.request.headers for name in FROM_BROWSERS) and not self._by_bearer():
            self._check_content_type()
        if not opened:
            self._check_forgery()
        for name, kind in self.route.parts.items():
            decode_path(self.path_kwargs[name], kind, name)

    def check_source(self) -> None:
        """Check where the request comes from: the allow list, then Host, Origin and Sec-Fetch-Site."""
        context, headers = self.context, self.request.headers
        self.client = client = context.clients.of(self.request)
        self.counted_as = client.counted_as(headers)
        refusal = context.allow_list.refusal(client, headers)
        if refusal is not None:
            raise Refused(HTTPStatus.FORBIDDEN, refusal)
        host = client.host or headers.get("Host")
        forwarded = "X-Forwarded-Host" if "X-Forwarded-Host" in headers else "Forwarded"
        refusal = (
            # Both hosts: a proxy that does not set X-Forwarded-Host passes on the value that an attacker's page set.
            context.host_policy.refuse_host(headers.get("Host"))
            or (context.host_policy.refuse_host(client.host, forwarded) if client.host is not None else None)
            or context.host_policy.refuse_origin(headers.get("Origin"), host or "", client.scheme)
            or context.host_policy.refuse_site(
                headers.get("Sec-Fetch-Site"),
                headers.get("Sec-Fetch-Mode"),
                page=self.route.page and self.request.method in ("GET", "HEAD"),
            )
        )
        if refusal is not None:
            raise Refused(HTTPStatus.FORBIDDEN, refusal)
        # Not for a self-signed certificate, which the user must be able to accept, nor for `localhost`, which other
        # servers use too.
        if self.secure and not (context.settings.tls_self_signed or is_loopback_host(host or "")):
            self.set_header("Strict-Transport-Security", STRICT_TRANSPORT)

    @property
    def client_address(self) -> str:
        """The client's address for the log. The request may not have passed any check yet."""
        client: ClientAddress | None = getattr(self, "client", None)
        return (self.request.remote_ip or "") if client is None else client.address

    @property
    def secure(self) -> bool:
        """Whether the client uses HTTPS, to this server or to a trusted proxy."""
        return self.client.scheme == "https"

    @property
    def cookie_name(self) -> str:
        return cookie_name(tls=self.secure, base_path=self.context.settings.base_path)

    # Login and permission

    def authenticate(self) -> Principal | None:
        """Return who sends the request; None without a valid credential."""
        authority, headers = self.context.authority, self.request.headers
        if authority.no_auth:
            return authority.everybody()
        authorization = headers.get("Authorization")
        if authorization is not None:
            scheme, _, credentials = authorization.partition(" ")
            if scheme.lower() != "bearer":
                return None
            credentials = credentials.strip()
            # A wrong token fails even with a valid cookie, because the client chose to send it. Only an expired token
            # of the cookie's own login is ignored: the web client's page may hold one.
            return self._by_token(credentials)
        if self.route.tickets and self.request.query:
            query = self.request.query_arguments
            if "ticket" in query:
                asked = query.get("sessionId", [b""])[-1].decode("ascii", "replace")
                session_id = self.path_kwargs.get("session_id", asked)
                return authority.by_ticket(query["ticket"][-1].decode("ascii", "replace"), session_id)
            if self.context.settings.token_in_url and ("token" in query or "auth" in query):
                token = query["token" if "token" in query else "auth"][-1].decode("ascii", "replace")
                return self._by_token(token.removeprefix("Bearer "))  # as in `auth=Bearer%20TOKEN`
        principal = self._by_cookie()
        self._forgeable = principal is not None
        return principal

    def _by_cookie(self) -> Principal | None:
        cookie = cookie_of(self.request.headers.get("Cookie", ""), self.cookie_name)
        return self.context.authority.by_cookie(cookie) if cookie else None

    def _by_token(self, token: str) -> Principal | None:
        return self.context.authority.by_bearer(token) or self._by_old_token(token)

    def _by_old_token(self, credentials: str) -> Principal | None:
        principal = self._by_cookie()
        vouched = principal is not None and self.context.authority.vouches(credentials, principal)
        return principal if vouched else None

    def _by_bearer(self) -> bool:
        return (
            self.principal is not None
            and "Authorization" in self.request.headers
            and not self.context.authority.no_auth
        )

    def require_login(self) -> Principal:
        """Return the principal if the login is still valid: it may have ended during the request. Raises Refused."""
        before = self.principal
        self.principal = None if before is None else self.context.authority.still(before)
        return self.required(self.principal)

    def require_permission(self) -> Principal:
        """Return the principal if it may still do what the request asks for. Raises Refused, Forbidden."""
        principal = self.require_login()
        self._check_permission(self.operation, principal)
        return principal

    @staticmethod
    def required(principal: Principal | None) -> Principal:
        """Return the principal. Raises Refused (401) for none."""
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
            raise errors.Forbidden(
                f"This needs {operation.permission.value}, which {described(principal)} does not have"
            )

    def require(self, scope: Scope, session_id: str | None) -> Principal:
        """Return the principal if it has the scope, where a route cannot declare it. Raises Refused, Forbidden."""
        principal = self.required(self.principal)
        if not principal.may(scope, session_id):
            needed = " and ".join(names(scope))
            raise errors.Forbidden(f"This needs the right to {needed}, which {described(principal)} does not have")
        return principal

    # Limits

    def check_room(self, principal: Principal) -> None:
        """Check the limit on long-lived connections of a user. Raises LimitReached."""
        limit = 0 if principal.local else self.context.settings.user_clients
        if limit and self.context.attachments.of_user(principal, self.client.address) >= limit:
            raise errors.LimitReached("connections of a user", limit)

    def check_rate(self, operation: Operation | None) -> None:
        """Count the request. Pages and files do not count, because a browser requests a dozen at once."""
        kind = "api" if operation is None else operation.limit
        if kind == "none" or (self.route.page and operation is not None):
            return
        limits = self.context.limits
        if kind == "upgrade":
            limits.upgrade(self.principal, self.counted_as)
        elif kind == "login":  # of its own: what else a page asks for cannot use it up
            limits.login_request(self.principal, self.counted_as)
        elif kind == "api" or self.principal is None:  # input counts bytes of users, and requests of other clients
            limits.api(self.principal, self.counted_as)

    # Requests that another site forges

    def _check_forgery(self) -> None:
        """Check the CSRF token of this login, which the page of another site cannot know."""
        if not self._forgeable or self.principal is None or self.request.method in ("GET", "HEAD", "OPTIONS"):
            return
        if self.operation.same_origin and self.request.headers.get("Sec-Fetch-Site") == "same-origin":
            return
        if not self.context.authority.csrf_valid(self.principal, self.request.headers.get(CSRF_HEADER, "")):
            raise Refused(
                HTTPStatus.FORBIDDEN, f"{CSRF_HEADER}: expected the token from /api/auth/current-user", code="csrf"
            )

    def _check_content_type(self) -> None:
        """Check that the body is declared as JSON: a form of another site can send a cookie, but not JSON."""
        if self.request.method in ("GET", "HEAD") or not (self.request.body or self.operation.takes):
            return
        given = self.request.headers.get("Content-Type", "")
        if self.operation.takes:
            self._check_upload(given)
        elif given.partition(";")[0].strip().lower() != "application/json":
            message = f"Content-Type: expected application/json, got {given[:80] or 'none'}"
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)

    def _check_upload(self, given: str) -> None:
        """Check a body that is not JSON. A form can send a cookie with one, but says where it comes from.

        A form cannot PUT. Browsers without Origin and Sec-Fetch-Site are refused, unless a CSRF token is asked for.
        """
        named = "Origin" in self.request.headers or "Sec-Fetch-Site" in self.request.headers
        if self.request.method == "POST" and not (named or self._forgeable):
            message = (
                f"Content-Type: expected application/json from a browser without Origin, got {given[:80] or 'none'}"
            )
            raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message)
