"""The built web client: pages and files, compressed at build time, never from outside their folder."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from vibetunnel.handlers.access import Refused
from vibetunnel.handlers.base import BaseHandler

INDEX = "index.html"
BASE = b'<base href="/">'
LARGE = 16384  # bytes; less is copied sooner than it is written twice
ENCODINGS = {"br": ".br", "gzip": ".gz"}  # in the order of our choice

NOT_BUILT = """vibetunnel runs, but its web client has not been built.

In a git checkout: run `make run`, or `python setup.py build_web`, which needs a network the first time.
An installed package carries the client; if this is one, it is broken: install it again.
"""


@dataclass
class File:
    """One file and its compressed forms.

    forms   content coding, "" for none -> path
    bodies  content coding -> contents, read at the first request: one copy, for however many who are slow to take it
    tags    content coding -> entity tag
    """

    type: str
    immutable: bool
    forms: dict[str, Path] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    async def read(self, coding: str) -> bytes:
        """The contents in this form. A file that has vanished raises as reading it does."""
        if coding not in self.bodies:
            self.keep(coding, await asyncio.to_thread(self.forms[coding].read_bytes))
        return self.bodies[coding]

    def keep(self, coding: str, body: bytes) -> None:
        self.bodies[coding] = body
        self.tags[coding] = f'"{hashlib.sha256(body).hexdigest()[:32]}"'


class Files:
    """Every file below a folder, found once: what is not in the list is not served, whatever a path says.

    base_path  goes into the page, whose other addresses are relative to it
    """

    def __init__(self, folder: Path, base_path: str = "") -> None:
        self._files: dict[str, File] = {}
        found = {
            path.relative_to(folder).as_posix(): path
            for path in (folder.rglob("*") if folder.is_dir() else ())
            if path.is_file() and not path.is_symlink()
        }
        for name, path in found.items():
            if path.suffix in ENCODINGS.values() and name.removesuffix(path.suffix) in found:
                continue
            file = File(_type(name), immutable=name.startswith("assets/"), forms={"": path})
            for coding, suffix in ENCODINGS.items():
                if name + suffix in found:
                    file.forms[coding] = found[name + suffix]
            self._files[name] = file
        if base_path and INDEX in self._files:
            _move(self._files[INDEX], base_path)

    def get(self, name: str) -> File | None:
        return self._files.get(name)


def _move(page: File, base_path: str) -> None:
    """Have the page look for everything below `base_path`. Its forms are then ours, and not those of the build."""
    text = page.forms[""].read_bytes()
    moved = text.replace(BASE, BASE.replace(b'"/"', b'"' + base_path.encode() + b'/"'))
    compressed = gzip.compress(moved, mtime=0)
    page.forms = {"": page.forms[""], "gzip": page.forms[""]}  # the paths are of no use any more
    page.keep("", moved)
    page.keep("gzip", compressed)


def _type(name: str) -> str:
    if name.endswith(".webmanifest"):
        return "application/manifest+json"
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def choose_coding(accepted: str, offered: dict[str, Path]) -> str:
    """The best of our codings that an Accept-Encoding header allows; "" for none."""
    weights: dict[str, float] = {}
    for part in accepted.split(","):
        coding, _, parameter = part.strip().lower().partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            weights[coding.strip()] = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            weights[coding.strip()] = 0.0
    anything = weights.get("*", 0.0)
    return next((each for each in ENCODINGS if each in offered and weights.get(each, anything) > 0), "")


class StaticHandler(BaseHandler):
    """Answers with one file of the client."""

    async def send(self, name: str) -> None:
        file = self.files.get(name)
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
        if self.check_etag_header():
            self.set_status(HTTPStatus.NOT_MODIFIED)
            await self.finish()
            return
        if len(body) > LARGE and self.request.method != "HEAD":
            # By itself, it is written as it is; together with the header it would be copied for each client.
            self.set_header("Content-Length", len(body))
            self.flush()
        await self.finish(body)

    @property
    def files(self) -> Files:
        files = self.application.settings["files"]
        assert isinstance(files, Files)
        return files

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # Any: Tornado's signature
        """In words for a person."""
        error = kwargs["exc_info"][1] if "exc_info" in kwargs else None
        message = HTTPStatus(status_code).phrase
        if isinstance(error, Refused):
            message = error.message
            for name, value in error.headers.items():
                self.set_header(name, value)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(message)


class PageHandler(StaticHandler):
    """The pages of the client: one document, which looks at the address itself."""

    async def get(self, **_: str) -> None:
        if self.files.get(INDEX) is None:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, NOT_BUILT)
        await self.send(INDEX)


class FileHandler(StaticHandler):
    """Everything else in the client's folder."""

    async def get(self, name: str) -> None:
        if (
            self.files.get(name) is None
            and self.files.get(INDEX)
            and "text/html" in self.request.headers.get("Accept", "")
        ):
            self.set_status(HTTPStatus.NOT_FOUND)
            name = INDEX  # its page for addresses that lead nowhere
        await self.send(name)
