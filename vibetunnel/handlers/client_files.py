"""The files of the web clients, with their compressed forms and entity tags; nothing outside their folders."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass, field
from pathlib import Path

from vibetunnel.errors import StartFailed
from vibetunnel.handlers.inline_scripts import policy_of
from vibetunnel.security.headers import CONTENT_SECURITY_POLICY

INDEX = "index.html"
BASE = b'<base href="/">'
SUFFIXES = {"br": ".br", "gzip": ".gz"}  # of the compressed forms that the build makes
OWN_PAGES = ("/login", "/share", "/files")  # addresses that no other client knows; links with codes lead to two
OTHER_PAGES = ("worktrees", "file-browser")  # addresses of another client that show its first page
COMPRESSIBLE = ("text/", "application/javascript", "application/json", "application/wasm", "image/svg")


@dataclass
class File:
    """One file and its compressed forms.

    forms   content coding, "" for none -> path
    bodies  content coding -> contents, read at the first request and shared by all answers
    tags    content coding -> entity tag
    """

    type: str
    immutable: bool
    policy: str = CONTENT_SECURITY_POLICY
    forms: dict[str, Path] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    async def read(self, coding: str) -> bytes:
        """Return the contents in this form. Raises OSError if the file has vanished."""
        if coding not in self.bodies:
            self.keep(coding, await asyncio.to_thread(self._load, coding))
        return self.bodies[coding]

    def _load(self, coding: str) -> bytes:
        body = self.forms[coding].read_bytes()
        return gzip.compress(body, mtime=0) if coding and self.forms[coding] == self.forms[""] else body

    def keep(self, coding: str, body: bytes) -> None:
        self.bodies[coding] = body
        self.tags[coding] = f'"{hashlib.sha256(body).hexdigest()[:32]}"'


class Files:
    """All files below a folder, found once. A path that is not in this list is not served.

    base_path  is written into the page, whose other addresses are relative to it
    other      folder of another client (--web-client), which is served in front of our own

    Raises StartFailed for a folder of another client without its page.
    """

    def __init__(self, folder: Path, base_path: str = "", other: Path | None = None) -> None:
        self._own = _found(folder)
        self._other = {} if other is None else _of_other_client(other)
        if base_path and INDEX in self._own:
            _move(self._own[INDEX], base_path)

    def page(self, path: str, *, guest: bool) -> File | None:
        """The document of a page's address; guests, who have links to one session, get our own.

        None: our own client was not built.
        """
        return self._own.get(INDEX) if guest or path in OWN_PAGES else self._other.get(path[1:]) or self.get(INDEX)

    def get(self, name: str) -> File | None:
        return self._other.get(name) or self._own.get(name)


def _found(folder: Path) -> dict[str, File]:
    """The files below a folder, by their paths in it."""
    found = {
        path.relative_to(folder).as_posix(): path
        for path in (folder.rglob("*") if folder.is_dir() else ())
        if path.is_file() and not path.is_symlink()
    }
    files: dict[str, File] = {}
    for name, path in found.items():
        if path.suffix in SUFFIXES.values() and name.removesuffix(path.suffix) in found:
            continue
        files[name] = file = File(_type(name), immutable=name.startswith("assets/"), forms={"": path})
        for coding, suffix in SUFFIXES.items():
            if name + suffix in found:
                file.forms[coding] = found[name + suffix]
    return files


def _of_other_client(folder: Path) -> dict[str, File]:
    """The files of a client that was not made for this server: `/logs` is logs.html, and nothing is immutable.

    What was not compressed when it was built is compressed at the first request.
    """
    files = _found(folder)
    if INDEX not in files:
        raise StartFailed(f"--web-client {folder}: no {INDEX} is there: give the folder of a built web client")
    for name, file in [*files.items()]:
        file.immutable = False
        if file.type.startswith(COMPRESSIBLE):
            file.forms.setdefault("gzip", file.forms[""])
        if name.endswith(".html"):
            file.policy = policy_of(file.forms[""].read_text("utf-8", "replace"))
            files.setdefault(name.removesuffix(".html"), file)
    for page in OTHER_PAGES:
        files.setdefault(page, files[INDEX])
    return files


def _move(page: File, base_path: str) -> None:
    """Make the page look for everything below `base_path`, in forms that replace those of the build."""
    text = page.forms[""].read_bytes()
    moved = text.replace(BASE, BASE.replace(b'"/"', b'"' + base_path.encode() + b'/"'))
    compressed = gzip.compress(moved, mtime=0)
    page.forms = {"": page.forms[""], "gzip": page.forms[""]}  # the paths are not read: keep() has the contents
    page.keep("", moved)
    page.keep("gzip", compressed)


def _type(name: str) -> str:
    if name.endswith(".webmanifest"):
        return "application/manifest+json"
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
