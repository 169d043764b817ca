"""Requests that are answered in one piece, or handed to the pump, without what Tornado's RequestHandler makes for each.

To make that takes longer than most answers do (`python -m benchmarks rest`).
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Coroutine
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Protocol

from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import StreamClosedError

from vibetunnel import errors
from vibetunnel.handlers.access import JSON, Checks, Refused, answer_to, encode
from vibetunnel.handlers.context import Context
from vibetunnel.handlers.route import Route
from vibetunnel.http.exchange import Written
from vibetunnel.security.headers import HEADERS

log = logging.getLogger(__name__)

_DEFAULTS = {"Content-Type": JSON, **HEADERS, "Cache-Control": "no-store"}
_DEFAULT_LINES = "".join(f"{name}: {value}\r\n" for name, value in _DEFAULTS.items())
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 §5.5
_REASONS = {int(status): status.phrase for status in HTTPStatus}


class Running(Protocol):
    """Where a handler's coroutine lives until it ends."""

    def add(self, task: asyncio.Task[None]) -> None: ...
    def discard(self, task: asyncio.Task[None]) -> None: ...


class LeanHandler(Checks):
    """One request. A method named like the request's (`get`, `post`, ...) answers it, once: with
    answer(), finish() or detach().

    The method may be a coroutine, which goes on when the client hangs up.
    """

    def __init__(self, context: Context, route: Route, request: HTTPServerRequest, running: Running) -> None:
        self.request = request
        self.expect(context, route)
        self._running = running
        self._status = 200
        self._own: dict[str, str] = {}  # headers
        self._finished = False

    # What an answer is made of

    def set_status(self, status: int) -> None:
        self._status = int(status)

    def get_status(self) -> int:
        return self._status

    def set_header(self, name: str, value: str) -> None:
        if not _VALUE.fullmatch(value):
            raise ValueError(f"{name}: expected a header's value of one line, got {value!r}")
        self._own[name] = value

    def answer(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Finish with JSON."""
        self._status = int(status)
        self.finish(encode(value))

    def finish(self, body: bytes | str = b"") -> Written:
        """Send it. Returns what is done when little is left to leave for the kernel."""
        if self._finished:
            raise RuntimeError("an answer was finished twice")
        self._finished = True
        lines = _DEFAULT_LINES
        if self._own:
            lines = "".join([f"{name}: {value}\r\n" for name, value in (_DEFAULTS | self._own).items()])
        content = body.encode() if isinstance(body, str) else body
        written = self.exchange.answer(self._status, _REASONS[self._status], f"Date: {_date()}\r\n{lines}", content)
        self.log_request()
        return written

    def detach(self) -> None:
        """No answer comes from here: the connection is somebody else's, or has ended."""
        self._finished = True

    def head(self, **arguments: str) -> Awaitable[None] | None:
        found: Awaitable[None] | None = getattr(self, "get")(**arguments)  # noqa: B009 (each handler has its own)
        return found  # the exchange leaves the body out

    def on_connection_close(self) -> None:
        """The client has hung up while the answer was made."""

    # How it comes about

    def execute(self, raw: dict[str, bytes]) -> None:
        """Answer the request, all of which is here. raw: the parts of the path, unquoted."""
        try:
            self.path_kwargs = {name: self.decoded(value, name) for name, value in raw.items()}
            self.check()
            method = getattr(self, (self.request.method or "").lower())
            going_on: Coroutine[Any, Any, None] | None = method(**self.path_kwargs)
        except Exception as error:
            self._fail(error)
            return
        if going_on is not None:
            self.exchange.set_close_callback(self.on_connection_close)
            task = asyncio.create_task(self._go_on(going_on))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        elif not self._finished:
            self.finish()

    async def _go_on(self, method: Coroutine[Any, Any, None]) -> None:
        try:
            await method
        except Exception as error:
            self._fail(error)
        else:
            if not self._finished:
                self.finish()

    def _fail(self, error: Exception) -> None:
        # Answers, and clients that have left, are no incidents.
        if not isinstance(error, (errors.VibeTunnelError, Refused, StreamClosedError)):
            path = self.request.path.encode("ascii", "backslashreplace").decode()
            log.error("%s %s failed", self.request.method, path, exc_info=error)
        if self._finished:
            return
        answer = answer_to(error)
        kept = "Strict-Transport-Security"
        self._own = {name: value for name, value in self._own.items() if name == kept} | answer.headers
        self._status = int(answer.status)
        self.finish(answer.body)


class Lean(HTTPMessageDelegate):
    """Collects a request's body for its handler."""

    def __init__(self, handler: LeanHandler, raw: dict[str, bytes]) -> None:
        self._handler = handler
        self._raw = raw
        self._body = bytearray()

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._body += chunk
        return None

    def finish(self) -> None:
        self._handler.request.body = bytes(self._body)
        self._handler.execute(self._raw)

    def on_connection_close(self) -> None:
        """What was collected goes with this object."""


_dated = (0, "")


def _date() -> str:
    """The time, for a Date header (RFC 9110 §6.6.1)."""
    global _dated
    now = int(time.time())
    if _dated[0] != now:
        _dated = now, formatdate(now, usegmt=True)
    return _dated[1]
