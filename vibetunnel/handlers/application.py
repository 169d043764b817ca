"""The application: finds the route of a request, and collects its body within a bound."""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest, RequestStartLine, ResponseStartLine
from tornado.routing import PathMatches, Rule, RuleRouter
from tornado.web import Application

from vibetunnel.handlers.access import cookie_name, declared_length
from vibetunnel.handlers.client_files import Files
from vibetunnel.handlers.context import Context, Site
from vibetunnel.handlers.route import Route
from vibetunnel.handlers.routes import ROUTES
from vibetunnel.handlers.streamed import DRAIN_LIMIT, StreamedHandler
from vibetunnel.handlers.unknown import NoPathHandler, OutsideHandler
from vibetunnel.handlers.websocket import log_upgrade
from vibetunnel.http.body import IncomingBody
from vibetunnel.http.exchange import Exchange
from vibetunnel.http.server import MAX_BODY

CLOSE_S = 0.5  # for handlers to finish when the server stops; one may be starting a session

STATIC = Path(__file__).parents[1] / "web" / "static"


class BodyCollector(HTTPMessageDelegate):
    """Collects the body of a request, and then has the request answered.

    A body is dropped as soon as it is larger than MAX_BODY. One beyond DRAIN_LIMIT is answered without waiting for its
    end, and the connection is closed after the answer.
    """

    def __init__(self, request: HTTPServerRequest, answer: Callable[[], None]) -> None:
        self._request = request
        self._answer = answer
        self._body = bytearray()
        self._seen = 0  # bytes
        self._answered = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        if declared_length(headers) > DRAIN_LIMIT:
            self.finish()
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        if self._seen <= MAX_BODY:
            self._body += chunk
        self._seen += len(chunk)
        if self._seen > DRAIN_LIMIT:
            self.finish()
        return None

    def finish(self) -> None:
        if not self._answered:
            self._answered = True
            self._request.body = bytes(self._body)
            self._answer()

    def on_connection_close(self) -> None:
        """The client disconnected before the end of the body: nothing is answered."""
        self._answered = True


class BodyStream(HTTPMessageDelegate):
    """Has a request answered as soon as its header is there, and passes its body on in parts."""

    def __init__(self, exchange: Exchange, answer: Callable[[IncomingBody], None]) -> None:
        self._exchange = exchange
        self._answer = answer
        self._body = IncomingBody(exchange)

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._exchange.streamed = True
        self._answer(self._body)
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._body.feed(chunk)
        return None

    def finish(self) -> None:
        self._body.end()

    def on_connection_close(self) -> None:
        self._body.break_off()


class VibeTunnelApplication(RuleRouter):
    """The routes of routes.py.

    whole_paths  path -> its route, for routes without parameters: they are found without a regular expression
    """

    def __init__(self, context: Context, static: Path = STATIC) -> None:
        base_path = context.settings.base_path

        @functools.cache
        def openapi() -> bytes:
            from vibetunnel.handlers.openapi import document  # here, because few servers are asked for it

            return document(ROUTES, cookie_name(tls=context.tls, base_path=base_path), base_path)

        self._site = Site(
            context,
            Files(static, base_path, context.settings.web_client),
            openapi,
            Application(log_function=log_upgrade),
        )
        self._no_route = Route("*", OutsideHandler if base_path else NoPathHandler, {}, hidden=True)
        self.whole_paths = {base_path + route.path: route for route in ROUTES if not route.parameters}
        super().__init__([Rule(PathMatches(re.escape(base_path) + route.pattern), route) for route in ROUTES])

    async def close(self) -> None:
        """Wait for the handlers that are still running, and cancel those that take too long."""
        self._site.context.control.close()
        running = self._site.running
        if running:
            await asyncio.wait(running, timeout=CLOSE_S)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate:  # Any: Tornado's
        route = self.whole_paths.get(request.path)
        if route is not None:
            return self._collector(request, route, {})
        return super().find_handler(request, **kwargs) or self._collector(request, self._no_route, {})

    def get_target_delegate(
        self,
        target: Any,  # Any: Tornado's; it is the route of a rule
        request: HTTPServerRequest,
        **target_params: Any,
    ) -> HTTPMessageDelegate:
        return self._collector(request, target, target_params.get("path_kwargs", {}))

    def _collector(self, request: HTTPServerRequest, route: Route, raw: dict[str, bytes]) -> HTTPMessageDelegate:
        handler = route.handler(self._site, route, request)
        if isinstance(handler, StreamedHandler) and handler.streamed:
            return BodyStream(handler.exchange, functools.partial(handler.receive, raw))
        return BodyCollector(request, functools.partial(handler.execute, raw))
