"""The web client: its pages and files, compressed at build time."""

from __future__ import annotations

from http import HTTPStatus

from vibetunnel.handlers.client_files import INDEX
from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.refusals import Refusal, Refused
from vibetunnel.http.negotiation import choose_coding, has_tag

NOT_BUILT = """The server runs, but its web client was not built.

In a git checkout: run `make run`, or `python setup.py build_web`, which needs a network the first time.
An installed package contains the client. If this is one, it is broken: install it again.
"""


class StaticHandler(Handler):
    """Answers with one file of the client."""

    async def send(self, name: str) -> None:
        file = self.site.files.get(name)
        if file is None:
            raise Refused(HTTPStatus.NOT_FOUND, "404 - Page not found")
        coding = choose_coding(self.request.headers.get("Accept-Encoding", ""), file.forms)
        body = await file.read(coding)
        self.set_header("Content-Type", file.type)
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if file.immutable else "no-cache")
        self.set_header("Etag", file.tags[coding])
        if len(file.forms) > 1:
            self.set_header("Vary", "Accept-Encoding")
        if coding:
            self.set_header("Content-Encoding", coding)
        if has_tag(self.request.headers.get("If-None-Match", ""), file.tags[coding]):
            self.set_status(HTTPStatus.NOT_MODIFIED)
            body = b""
        self.finish(body)

    def refuse(self, refusal: Refusal) -> None:
        """Answer with a sentence for a person, without JSON."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(refusal.message)


class PageHandler(StaticHandler):
    """The pages of the client: one document, whose script reads the address."""

    async def get(self, **_: str) -> None:
        if self.site.files.get(INDEX) is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, NOT_BUILT)
        await self.send(INDEX)


class FileHandler(StaticHandler):
    """The other files of the client."""

    async def get(self, name: str) -> None:
        files, wants_page = self.site.files, "text/html" in self.request.headers.get("Accept", "")
        if files.get(name) is None and files.get(INDEX) is not None and wants_page:
            self.set_status(HTTPStatus.NOT_FOUND)
            name = INDEX  # which then says that the page does not exist
        await self.send(name)
