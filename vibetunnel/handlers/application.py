"""The Tornado application: the table of routes, and a bound on bodies."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Awaitable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest, RequestStartLine, ResponseStartLine
from tornado.routing import Router, URLSpec
from tornado.web import Application, RequestHandler

from vibetunnel.handlers.access import Refused, cookie_name, declared_length
from vibetunnel.handlers.base import BaseHandler, NoPathHandler
from vibetunnel.handlers.context import Context
from vibetunnel.handlers.handler import Lean, LeanHandler
from vibetunnel.handlers.route import Route
from vibetunnel.handlers.routes import ROUTES
from vibetunnel.handlers.static import Files
from vibetunnel.http.server import MAX_BODY

DRAIN_LIMIT = 64 * MAX_BODY  # bytes of a body that are read on, so that the client reads the 413 and not a reset
CLOSE_S = 0.5  # for what is being answered when the server stops: a start that is under way, say

STATIC = Path(__file__).parents[1] / "web" / "static"


class Bounded(HTTPMessageDelegate):
    """Passes a body on until it is known to be too large; the rest is read and dropped.

    One beyond DRAIN_LIMIT is answered as soon as that is known, and the connection is closed behind the answer.
    """

    def __init__(self, inner: HTTPMessageDelegate) -> None:
        self._inner = inner
        self._seen = 0  # bytes
        self._finished = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        received = self._inner.headers_received(start_line, headers)
        if declared_length(headers) > DRAIN_LIMIT:
            self.finish()
        return received

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        before, self._seen = self._seen, self._seen + len(chunk)
        if before <= MAX_BODY:
            return self._inner.data_received(chunk)
        if self._seen > DRAIN_LIMIT:
            self.finish()
        return None

    def finish(self) -> None:
        if not self._finished:
            self._finished = True
            self._inner.finish()

    def on_connection_close(self) -> None:
        self._inner.on_connection_close()


class LeanRoute(Router):
    """A route as a target of Tornado's own routing, which has taken the path apart."""

    def __init__(self, application: VibeTunnelApplication, route: Route) -> None:
        self._application = application
        self.route = route

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate:
        return self._application.lean(request, self.route, kwargs.get("path_kwargs", {}))


class OutsideHandler(BaseHandler):
    """What is not below --base-path: nothing, but for the path itself without the / that makes it a folder."""

    def prepare(self) -> None:
        self.check_doors()
        base_path = self.context.settings.base_path
        if self.request.path == base_path and self.request.method in ("GET", "HEAD"):
            self.set_header("Location", f"{base_path}/")
            self.set_status(HTTPStatus.PERMANENT_REDIRECT)
            self.finish()
            return
        raise Refused(HTTPStatus.NOT_FOUND, f"path: expected one that begins with {base_path}/")


class VibeTunnelApplication(Application):
    """Routes of handlers/routes.py; a body that is larger than MAX_BODY is never held whole.

    at_once  path -> its route, where that is the whole path and the handler is lean: no regular expression is tried
    """

    def __init__(self, context: Context, static: Path = STATIC) -> None:
        def log_request(handler: RequestHandler) -> None:
            assert isinstance(handler, BaseHandler)
            handler.log_request()

        base_path = context.settings.base_path

        @functools.cache
        def openapi() -> bytes:
            from vibetunnel.handlers.openapi import document  # here: few servers are asked for it

            return document(ROUTES, cookie_name(tls=context.tls, base_path=base_path), base_path)

        outside = OutsideHandler if base_path else NoPathHandler
        self._context = context
        self._running: set[asyncio.Task[None]] = set()
        self.at_once: dict[str, Route] = {}
        for route in ROUTES:
            if not route.parameters and issubclass(route.handler, LeanHandler):
                self.at_once[base_path + route.path] = route
        super().__init__(
            [self._rule(base_path, route) for route in ROUTES],
            log_function=log_request,
            default_handler_class=outside,
            default_handler_args={"context": context, "route": Route("*", outside, {}, hidden=True)},
            files=Files(static, base_path),
            openapi=openapi,
        )

    async def close(self) -> None:
        """End what is still at it, when nobody is left who would read the answer."""
        if self._running:
            await asyncio.wait(self._running, timeout=CLOSE_S)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _rule(self, base_path: str, route: Route) -> URLSpec:
        pattern = re.escape(base_path) + route.pattern
        if issubclass(route.handler, LeanHandler):
            return URLSpec(pattern, LeanRoute(self, route))
        return URLSpec(pattern, route.handler, {"context": self._context, "route": route})

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:  # Tornado names a private class here
        route = self.at_once.get(request.path)
        return super().find_handler(request, **kwargs) if route is None else self.lean(request, route, {})

    def lean(self, request: HTTPServerRequest, route: Route, raw: dict[str, bytes]) -> HTTPMessageDelegate:
        """What answers a request of such a route. raw: the parts of its path."""
        assert issubclass(route.handler, LeanHandler)
        delegate = Lean(route.handler(self._context, route, request, self._running), raw)
        headers = request.headers
        return Bounded(delegate) if "Content-Length" in headers or "Transfer-Encoding" in headers else delegate

    def get_handler_delegate(
        self,
        request: HTTPServerRequest,
        target_class: type[RequestHandler],
        target_kwargs: dict[str, Any] | None = None,
        path_args: list[bytes] | None = None,
        path_kwargs: dict[str, bytes] | None = None,
    ) -> Any:  # Tornado names a private class here
        delegate = super().get_handler_delegate(request, target_class, target_kwargs, path_args, path_kwargs)
        headers = request.headers
        return Bounded(delegate) if "Content-Length" in headers or "Transfer-Encoding" in headers else delegate
