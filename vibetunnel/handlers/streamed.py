"""Handlers whose request has a body of any length, which they use while it arrives."""

from __future__ import annotations

from collections.abc import Coroutine
from http import HTTPStatus
from typing import Any

from tornado.iostream import StreamClosedError

from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.refusals import EXPECTED, Refused
from vibetunnel.http.body import IncomingBody
from vibetunnel.http.server import MAX_BODY

DRAIN_LIMIT = 64 * MAX_BODY  # bytes of a body that are read and dropped, so that the client gets the 413 and no reset


class StreamedHandler(Handler):
    """The methods whose operation `takes` media types find the request's body in `body`; all checks have passed."""

    body: IncomingBody

    @property
    def streamed(self) -> bool:
        """Whether this request's body comes in parts."""
        operation = self.route.operation(self.request.method or "")
        return operation is not None and bool(operation.takes)

    def receive(self, raw: dict[str, bytes], body: IncomingBody) -> None:
        """Answer the request, whose header is complete. raw: the parts of the path, unquoted."""
        self.body = body
        try:
            coroutine = self.begin(raw)
        except Exception as error:
            if self.request.headers.get("Expect"):
                self._fail(error)  # the client has not sent the body, and now it will not
            else:
                self.follow(self._refused(error))
            return
        assert coroutine is not None
        self.follow(self._used(coroutine))

    async def _used(self, coroutine: Coroutine[Any, Any, None]) -> None:
        try:
            await coroutine
        except StreamClosedError:
            raise Refused(HTTPStatus.BAD_REQUEST, "body: expected all of it, got a part") from None
        except EXPECTED as error:
            await self._refused(error)

    async def _refused(self, error: Exception) -> None:
        await self.body.skip(DRAIN_LIMIT)
        raise error
