"""The declaration of a route: its path, permission, input and output.

The router, the checks (access.py), the validation and the OpenAPI document all follow from this declaration.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, Protocol

import msgspec
from tornado.httputil import HTTPServerRequest

from vibetunnel.handlers.context import Site
from vibetunnel.handlers.validation import Given
from vibetunnel.security.principal import Scope


class Permission(enum.Enum):
    """The right that a request needs, beside a Host and an Origin of this server.

    A route with {session_id} needs it for that session, any other route for all sessions.
    """

    OPEN = "nothing"
    LOGIN = "a login"
    VIEW = "the right to view"
    TYPE = "the right to type"
    CONTROL = "the right to create and end sessions"
    ADMIN = "the right to manage users"
    FILES = "the right to files"
    STORE = "the rights to files and to create and end sessions"

    @property
    def scope(self) -> Scope | None:
        return _SCOPES.get(self)


_SCOPES = {
    Permission.VIEW: Scope.VIEW,
    Permission.TYPE: Scope.TYPE,
    Permission.CONTROL: Scope.CONTROL,
    Permission.ADMIN: Scope.ADMIN,
    Permission.FILES: Scope.FILES,
    Permission.STORE: Scope.FILES | Scope.CONTROL,
}


@dataclass(frozen=True)
class Media:
    """An answer that is not JSON."""

    type: str
    headers: dict[str, str] = field(default_factory=dict)  # name -> its description


Answer = type[msgspec.Struct] | Any | Media | None  # a msgspec type, a medium, or nothing (an empty body)


@dataclass(frozen=True)
class Operation:
    """One method of a route.

    answers        the body for each status; errors are added: those of every route, and `errors`
    some           a principal with the permission for some sessions is let in; the handler serves those alone
    body           the struct of the JSON body; None: no body
    body_optional  an empty body is the same as `{}`
    takes          media types of a body of any length, which a StreamedHandler gets in parts
    query          the struct of the query
    head           a GET that also answers HEAD
    limit          the rate limit that the request counts against
    same_origin    no token against forged requests is needed where the browser says that our own page sends it
    """

    summary: str
    answers: dict[int, Answer]
    permission: Permission = Permission.VIEW
    some: bool = False
    body: type[Given] | None = None
    body_optional: bool = False
    takes: tuple[str, ...] = ()
    query: type[Given] | None = None
    errors: tuple[HTTPStatus, ...] = ()
    head: bool = True
    limit: Literal["api", "input", "upgrade", "login", "none"] = "api"
    same_origin: bool = False


class Answering(Protocol):
    """What answers the requests of a route: a Handler (handler.py)."""

    def __init__(self, site: Site, route: Route, request: HTTPServerRequest) -> None: ...

    def execute(self, raw: dict[str, bytes]) -> None:
        """Answer the request, whose body is complete. raw: the parts of the path, unquoted."""


@dataclass(frozen=True)
class Route:
    """One path with its methods. `{name}` stands for one segment of the path, `{name*}` for any number of them.

    page     a document or a file, which other sites may link to
    tickets  clients that cannot send headers may send a ticket in the query
    hidden   left out of the OpenAPI document: pages, files, and paths that answer 404
    parts    the types of parts of the path that are more than any text
    """

    path: str
    handler: type[Answering]
    operations: dict[str, Operation]
    page: bool = False
    hidden: bool = False
    tickets: bool = False
    parts: dict[str, Any] = field(default_factory=dict)  # Any: types, as msgspec takes them

    @property
    def pattern(self) -> str:
        """The regular expression for Tornado's router."""
        return "".join(
            f"(?P<{part[1:-2]}>.*)"
            if part.endswith("*}")
            else f"(?P<{part[1:-1]}>[^/]+)"
            if part.startswith("{")
            else re.escape(part)
            for part in re.split(r"(\{[a-z_]+\*?\})", self.path)
        )

    @property
    def shown(self) -> str:
        """The path as OpenAPI writes it."""
        return self.path.replace("*}", "}")

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"\{([a-z_]+)\*?\}", self.path)

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods, for the Allow header."""
        return (*self.operations, *(["HEAD"] if self.operation("HEAD") is not None else []))

    def operation(self, method: str) -> Operation | None:
        if method != "HEAD":
            return self.operations.get(method)
        found = self.operations.get("GET")
        return found if found is not None and found.head else None
