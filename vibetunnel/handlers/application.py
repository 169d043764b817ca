"""The Tornado application: the table of routes, and a bound on bodies."""

from __future__ import annotations

import re
from collections.abc import Awaitable
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest, RequestStartLine, ResponseStartLine
from tornado.routing import URLSpec
from tornado.web import Application, RequestHandler

from vibetunnel.handlers.base import MAX_BODY, BaseHandler, NoPathHandler, Refused, cookie_name, declared_length
from vibetunnel.handlers.context import Context
from vibetunnel.handlers.openapi import document
from vibetunnel.handlers.route import Route
from vibetunnel.handlers.static import Files
from vibetunnel.handlers.table import ROUTES

DRAIN_LIMIT = 64 * MAX_BODY  # bytes of a body that are read on, so that the client reads the 413 and not a reset

STATIC = Path(__file__).parents[1] / "web" / "static"


class Bounded(HTTPMessageDelegate):
    """Passes a body on until it is known to be too large; the rest is read and dropped.

    One beyond DRAIN_LIMIT is answered as soon as that is known, and Tornado closes the connection behind the answer.
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


class OutsideHandler(BaseHandler):
    """What is not below --base-path: nothing, but for the path itself without the / that makes it a folder."""

    def prepare(self) -> None:
        self._check_doors()
        base_path = self.context.settings.base_path
        if self.request.path == base_path and self.request.method in ("GET", "HEAD"):
            self.set_header("Location", f"{base_path}/")
            self.set_status(HTTPStatus.PERMANENT_REDIRECT)
            self.finish()
            return
        raise Refused(HTTPStatus.NOT_FOUND, f"path: expected one that begins with {base_path}/")


class VibeTunnelApplication(Application):
    """Routes of handlers/table.py; a body that is larger than MAX_BODY is never held whole."""

    def __init__(self, context: Context, static: Path = STATIC) -> None:
        def log_request(handler: RequestHandler) -> None:
            assert isinstance(handler, BaseHandler)
            request = handler.request
            context.requests.record(
                request.method or "",
                request.path,
                handler.get_status(),
                request.request_time() * 1000,
                handler.client_address,
                None if handler.principal is None else handler.principal.user,
            )

        base_path = context.settings.base_path
        outside = OutsideHandler if base_path else NoPathHandler
        super().__init__(
            [
                URLSpec(re.escape(base_path) + route.pattern, route.handler, {"context": context, "route": route})
                for route in ROUTES
            ],
            log_function=log_request,
            default_handler_class=outside,
            default_handler_args={"context": context, "route": Route("*", outside, {}, hidden=True)},
            files=Files(static, base_path),
            openapi=document(ROUTES, cookie_name(tls=context.tls, base_path=base_path), base_path),
        )

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
