"""One request and how its answer is made: the base class of all handlers.

It takes the place of Tornado's RequestHandler, which costs more than most answers do (`python -m benchmarks rest`).
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from email.utils import formatdate
from http import HTTPStatus
from http.cookies import Morsel, SimpleCookie
from typing import Any, TypeVar

from tornado.httputil import HTTPServerRequest
from tornado.iostream import StreamClosedError

from vibetunnel.handlers.access import CheckedRequest
from vibetunnel.handlers.context import Site
from vibetunnel.handlers.refusals import EXPECTED, Refusal, Refused, encode, refusal_of
from vibetunnel.handlers.route import Route
from vibetunnel.handlers.validation import Given, decode_body, decode_query
from vibetunnel.http.exchange import Exchange, Written
from vibetunnel.logs.audit import Action
from vibetunnel.logs.record import Value
from vibetunnel.security.headers import HEADERS
from vibetunnel.security.principal import Principal

T = TypeVar("T", bound=Given)
V = TypeVar("V")

IN_A_TURN = 200  # items of a long list that are encoded in one turn of the loop: 1 to 2 ms

JSON = "application/json; charset=utf-8"

log = logging.getLogger(__name__)

_DEFAULTS = {"Content-Type": JSON, **HEADERS, "Cache-Control": "no-store"}
_DEFAULT_LINES = "".join(f"{name}: {value}\r\n" for name, value in _DEFAULTS.items())
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")  # RFC 9110 §5.5
_REASONS = {int(status): status.phrase for status in HTTPStatus}
_OF_BODIES = ("Content-Type", "Content-Encoding")  # headers that a 304 leaves out (RFC 9110 §15.4.5)
_KEPT = ("Strict-Transport-Security", "Set-Cookie")  # headers that stay if the answer becomes an error
_EXPIRED = "Thu, 01 Jan 1970 00:00:00 GMT"


class Handler(CheckedRequest):
    """One request. The method of its name (`get`, `post`, ...) answers it, once.

    answer()  sends JSON
    answer_each()  sends a long list as JSON
    finish()  sends a body
    write()   sends a part of a body; finish() then ends it
    length    of a body that is sent in parts, if it is known
    detach()  says that no answer follows: the connection was given away, or has ended

    The method may be a coroutine. It goes on when the client disconnects; on_connection_close() tells it.
    """

    def __init__(self, site: Site, route: Route, request: HTTPServerRequest) -> None:
        super().__init__(site.context, route, request)
        self.site = site
        self._status = 200
        self._own: dict[str, str] = {}  # headers beside the defaults
        self.length: int | None = None
        self._started = False
        self._finished = False

    @property
    def exchange(self) -> Exchange:
        """The request's part of the connection."""
        assert isinstance(self.request.connection, Exchange)
        return self.request.connection

    # The request

    def read(self, shape: type[T]) -> T:
        """Return the JSON body, as the route declares it. Raises InvalidField."""
        assert shape is self.operation.body
        body = self.request.body
        if not body and self.operation.body_optional:
            body = b"{}"
        return decode_body(body, shape)

    def query(self, shape: type[T]) -> T:
        """Return the query, as the route declares it. Raises InvalidField."""
        assert shape is self.operation.query
        return decode_query(self.request.query_arguments, shape)

    # The answer

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer."""
        return _DEFAULTS | self._own

    def set_status(self, status: int) -> None:
        self._status = int(status)

    def set_header(self, name: str, value: str) -> None:
        if not _VALUE.fullmatch(value):
            raise ValueError(f"{name}: expected a header's value of one line, got {value!r}")
        self._own[name] = value

    def set_login_cookie(self, cookie: str) -> None:
        """Give the browser its login."""
        self._set_cookie(cookie, "max-age", int(self.context.settings.login_max_s))

    def clear_login_cookie(self) -> None:
        """Make the browser forget its login."""
        self._set_cookie("", "expires", _EXPIRED)

    def _set_cookie(self, value: str, until: str, when: int | str) -> None:
        """Set the login's cookie, which no script can read and no request of another site carries."""
        morsel: Morsel[str] = SimpleCookie({self.cookie_name: value})[self.cookie_name]
        morsel.update({until: str(when), "path": "/", "httponly": "yes", "samesite": "Strict"})
        if self.secure:
            morsel["secure"] = "yes"
        self.set_header("Set-Cookie", morsel.OutputString())

    def answer(self, value: object, status: HTTPStatus = HTTPStatus.OK) -> None:
        """Answer with JSON."""
        self._status = int(status)
        self.finish(encode(value))

    async def answer_each(self, items: Sequence[V], view: Callable[[V], object]) -> None:
        """Answer with the JSON list of what `view` makes of each item. After some items other clients have a turn."""
        pieces = []
        for begin in range(0, len(items), IN_A_TURN):
            if begin:
                await asyncio.sleep(0)
            pieces.append(b",".join([encode(view(each)) for each in items[begin : begin + IN_A_TURN]]))
        self.finish(b"[" + b",".join(pieces) + b"]")

    def write(self, chunk: bytes) -> Written:
        """Send a part of an answer, the headers before the first one.

        Await the result before the next part: then a client that does not read costs no memory. It raises
        StreamClosedError when the client has disconnected.
        """
        assert not self._finished
        if self._started:
            return self.exchange.write(chunk)
        self._started = True
        return self.exchange.start(self._status, _REASONS[self._status], self.lines(), chunk, self.length)

    def finish(self, body: bytes | str = b"") -> Written:
        """Send the answer, or the last part of it. The result is done when little of it is left in this process."""
        if self._finished:
            raise RuntimeError("an answer was finished twice")
        self._finished = True
        content = body.encode() if isinstance(body, str) else body
        if self._started:
            written = self.exchange.write(content)
            self.exchange.finish()
        else:
            written = self.exchange.answer(self._status, _REASONS[self._status], self.lines(), content)
        self.log_request()
        return written

    def detach(self) -> None:
        """Send no answer: the connection was given away, or has ended."""
        self._finished = True

    def log_request(self) -> None:
        """Write the request's line of the log."""
        request = self.request
        self.context.requests.record(
            request.method or "",
            request.path,
            self._status,
            request.request_time() * 1000,
            self.client_address,
            None if self.principal is None else self.principal.user,
        )

    async def record(self, action: Action, result: str = "ok", *, by: Principal | None = None, **fields: Value) -> None:
        """Write a line of the audit. Await it before the answer, so that what was answered is in the audit.

        by  who did it; None: the principal of the request
        """
        await self.context.audit.keep(action, by or self.principal, self.client.address, result, **fields)

    async def obtain(self, waited: Awaitable[V]) -> V:
        """Wait for what an answer is made of. Raises as require_permission(): the login may have ended meanwhile."""
        found = await waited
        self.require_permission()
        return found

    def require_audit(self) -> None:
        """Raise Refused (507) while the audit cannot be written: no access is given to others without a record."""
        if not self.context.audit.writable:
            message = "Nothing was done: the audit log cannot be written. Make room on its disk, and try again"
            raise Refused(HTTPStatus.INSUFFICIENT_STORAGE, message)

    def check_saved(self) -> None:
        """Raise Refused (507) if a restart would bring back what this request has ended."""
        if not (self.context.authority.safe and self.context.keys.safe):
            message = (
                "Done, but the state folder cannot be written, and a restart of the server would undo it: "
                "make room on its disk, or make it writable, and try again"
            )
            raise Refused(HTTPStatus.INSUFFICIENT_STORAGE, message)

    def head(self, **arguments: str) -> Awaitable[None] | None:
        found: Awaitable[None] | None = getattr(self, "get")(**arguments)  # noqa: B009 (each handler has its own)
        return found  # the exchange leaves the body out, whole or in parts

    def on_connection_close(self) -> None:
        """The client has disconnected before the end of the answer."""

    def lines(self) -> str:
        lines = _DEFAULT_LINES
        if self._own:
            lines = "".join(
                [
                    f"{name}: {value}\r\n"
                    for name, value in self.headers.items()
                    if self._status != HTTPStatus.NOT_MODIFIED or name not in _OF_BODIES
                ]
            )
        return f"Date: {_date()}\r\n{lines}"

    # How it is made

    def execute(self, raw: dict[str, bytes]) -> None:
        """Answer the request, whose body is complete. raw: the parts of the path, unquoted."""
        try:
            coroutine = self.begin(raw)
        except Exception as error:
            self._fail(error)
            return
        if coroutine is not None:
            self.follow(coroutine)
        elif not self._finished:
            self.finish()

    def begin(self, raw: dict[str, bytes]) -> Coroutine[Any, Any, None] | None:
        """Check the request, and call the method that answers it. Raises what refuses it."""
        self.path_kwargs = {name: _decoded(value) for name, value in raw.items()}
        self.check()
        method = getattr(self, (self.request.method or "").lower())
        coroutine: Coroutine[Any, Any, None] | None = method(**self.path_kwargs)
        return coroutine

    def follow(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run what answers the request."""
        self.exchange.set_close_callback(self.on_connection_close)
        task = asyncio.create_task(self._run(coroutine))  # owned: the application's close() cancels it
        self.site.running.add(task)
        task.add_done_callback(self.site.running.discard)

    async def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            await coroutine
        except Exception as error:
            self._fail(error)
        except asyncio.CancelledError:
            self._break_off()
            raise
        else:
            if not self._finished:
                self.finish()

    def _fail(self, error: Exception) -> None:
        # Refusals and disconnected clients are not errors of the server.
        if not isinstance(error, (*EXPECTED, StreamClosedError)):
            path = self.request.path.encode("ascii", "backslashreplace").decode()
            log.error("%s %s failed", self.request.method, path, exc_info=error)
        if self._started:
            self._break_off()
        elif not self._finished:
            refusal = refusal_of(error)
            self._own = {name: value for name, value in self._own.items() if name in _KEPT} | refusal.headers
            self._status = int(refusal.status)
            self.refuse(refusal)

    def refuse(self, refusal: Refusal) -> None:
        """Answer with an error, whose status and headers are set."""
        self.finish(refusal.body)

    def _break_off(self) -> None:
        """Close the connection, so that the client does not take the part that it has for the whole answer."""
        if not self._finished:
            self._finished = True
            self.exchange.abort()
            self.log_request()


def _decoded(value: bytes) -> str:
    """Decode a part of the path. Raises Refused (400)."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Refused(HTTPStatus.BAD_REQUEST, "path: expected UTF-8, got other bytes") from None


_dated = (0, "")


def _date() -> str:
    """The time, for a Date header (RFC 9110 §6.6.1)."""
    global _dated
    now = int(time.time())
    if _dated[0] != now:
        _dated = now, formatdate(now, usegmt=True)
    return _dated[1]
