"""What a route declares: path, permission, what comes in, what goes out.

From this one declaration come Tornado's router, those of checks.py, the validation, and /api/openapi.json.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from tornado.web import RequestHandler

from vibetunnel.security.principal import Scope

if TYPE_CHECKING:
    from vibetunnel.handlers.handler import LeanHandler


class Permission(enum.Enum):
    """What a request needs beside a Host and an Origin of this server.

    Of a route with {session_id} it is needed for that session, else for every one.
    """

    OPEN = "nothing"
    LOGIN = "a login, a guest's too"
    VIEW = "the right to see"
    TYPE = "the right to type"
    CONTROL = "the right to make and end sessions"
    ADMIN = "the right to manage users"

    @property
    def scope(self) -> Scope | None:
        return _SCOPES.get(self)


_SCOPES = {
    Permission.VIEW: Scope.VIEW,
    Permission.TYPE: Scope.TYPE,
    Permission.CONTROL: Scope.CONTROL,
    Permission.ADMIN: Scope.ADMIN,
}


@dataclass(frozen=True)
class Media:
    """An answer that is not JSON."""

    type: str
    headers: dict[str, str] = field(default_factory=dict)  # name -> what it says


Answer = type[msgspec.Struct] | Any | Media | None  # a msgspec type, a medium, or nothing (an empty body)


@dataclass(frozen=True)
class Operation:
    """One method of a route.

    some       who may do it for some sessions only is let in too: the handler looks at those alone
    limit      which of the limits on rates it counts against
    body       the struct of the JSON body; None: there is none
    body_optional  an empty body is the same as `{}`
    query      the struct of the query
    head       a GET that HEAD may ask for too
    answers    what comes with each status; errors are added to them: every route's and `errors`
    """

    summary: str
    answers: dict[int, Answer]
    permission: Permission = Permission.VIEW
    some: bool = False
    body: type[msgspec.Struct] | None = None
    body_optional: bool = False
    query: type[msgspec.Struct] | None = None
    errors: tuple[HTTPStatus, ...] = ()
    head: bool = True
    limit: Literal["api", "input", "upgrade", "login", "none"] = "api"


@dataclass(frozen=True)
class Route:
    """One path, `{name}` standing for a segment of it and `{name*}` for any number of them, with its methods.

    page     a document for the address bar, or a file: may be linked to from anywhere
    tickets  clients that cannot send headers may have a ticket in the query
    hidden   left out of the OpenAPI document: pages, files, and what answers 404
    """

    path: str
    handler: type[RequestHandler] | type[LeanHandler]
    operations: dict[str, Operation]
    page: bool = False
    hidden: bool = False
    tickets: bool = False

    @property
    def pattern(self) -> str:
        """The regular expression for Tornado."""
        return "".join(
            f"(?P<{part[1:-2]}>.*)"
            if part.endswith("*}")
            else f"(?P<{part[1:-1]}>[^/]+)"
            if part.startswith("{")
            else re.escape(part)
            for part in re.split(r"(\{[a-z_]+\*?\})", self.path)
        )

    @property
    def parameters(self) -> list[str]:
        return re.findall(r"\{([a-z_]+)\*?\}", self.path)

    @property
    def methods(self) -> tuple[str, ...]:
        """As the Allow header has them."""
        return (*self.operations, *(["HEAD"] if self.operation("HEAD") is not None else []))

    def operation(self, method: str) -> Operation | None:
        if method != "HEAD":
            return self.operations.get(method)
        found = self.operations.get("GET")
        return found if found is not None and found.head else None
