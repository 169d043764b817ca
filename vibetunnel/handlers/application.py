"""The Tornado application: the table of routes, and a bound on bodies."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest, RequestStartLine, ResponseStartLine
from tornado.routing import URLSpec
from tornado.web import Application, RequestHandler

from vibetunnel.handlers.base import MAX_BODY, log_access
from vibetunnel.handlers.context import Context
from vibetunnel.handlers.static import Files
from vibetunnel.handlers.table import ROUTES
from vibetunnel.openapi import document
from vibetunnel.security.secret import derive

DRAIN_LIMIT = 64 * MAX_BODY  # bytes of a body that are read on, so that the client reads the 413 and not a reset

STATIC = Path(__file__).parents[1] / "web" / "static"


class Bounded(HTTPMessageDelegate):
    """Passes a body on until it is known to be too large; the rest is read and dropped."""

    def __init__(self, inner: HTTPMessageDelegate) -> None:
        self._inner = inner
        self._passed = 0

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if self._passed > MAX_BODY:
            return None
        self._passed += len(chunk)
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        self._inner.finish()

    def on_connection_close(self) -> None:
        self._inner.on_connection_close()


class VibeTunnelApplication(Application):
    """Routes of handlers/table.py; a body that is larger than MAX_BODY is never held whole."""

    def __init__(self, context: Context, static: Path = STATIC) -> None:
        def log_request(handler: RequestHandler) -> None:
            if context.settings.request_log:
                log_access(handler.request, handler.get_status())

        super().__init__(
            [URLSpec(route.pattern, route.handler, {"context": context, "route": route}) for route in ROUTES],
            cookie_secret=derive(context.secret, "cookie"),
            log_function=log_request,
            files=Files(static),
            openapi=document(ROUTES),
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
