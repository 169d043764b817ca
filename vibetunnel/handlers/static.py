"""The web clients: their pages and files, compressed at build time."""

from __future__ import annotations

from http import HTTPStatus

from vibetunnel.handlers.client_files import INDEX, File
from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.refusals import Refusal, Refused
from vibetunnel.http.negotiation import choose_coding, has_tag
from vibetunnel.security.headers import CONTENT_SECURITY_POLICY

NOT_BUILT = """The server runs, but its web client was not built.

In a git checkout: run `make run`, or `python setup.py build_web`, which needs a network the first time.
An installed package contains the client. If this is one, it is broken: install it again.
"""


class StaticHandler(Handler):
    """Answers with one file of a client."""

    async def send(self, file: File) -> None:
        coding = choose_coding(self.request.headers.get("Accept-Encoding", ""), file.forms)
        body = await file.read(coding)
        self.set_header("Content-Type", file.type)
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if file.immutable else "no-cache")
        if file.policy != CONTENT_SECURITY_POLICY:
            self.set_header("Content-Security-Policy", file.policy)
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
    """The pages of a client: one document, whose script reads the address."""

    async def get(self, **_: str) -> None:
        path = self.request.path.removeprefix(self.context.settings.base_path)
        page = self.site.files.page(path, guest=self.principal is not None and self.principal.guest)
        if page is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, NOT_BUILT)
        await self.send(page)


class FileHandler(StaticHandler):
    """The other files of the clients."""

    async def get(self, name: str) -> None:
        file, wants_page = self.site.files.get(name), "text/html" in self.request.headers.get("Accept", "")
        if file is None and wants_page:
            self.set_status(HTTPStatus.NOT_FOUND)
            file = self.site.files.get(INDEX)  # which then says that the page does not exist
        if file is None:
            raise Refused(HTTPStatus.NOT_FOUND, "404 - Page not found")
        await self.send(file)
