"""The files of the built web client, with their compressed forms and entity tags; nothing outside their folder."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass, field
from pathlib import Path

INDEX = "index.html"
BASE = b'<base href="/">'
SUFFIXES = {"br": ".br", "gzip": ".gz"}  # of the compressed forms that the build makes


@dataclass
class File:
    """One file and its compressed forms.

    forms   content coding, "" for none -> path
    bodies  content coding -> contents, read at the first request and shared by all answers
    tags    content coding -> entity tag
    """

    type: str
    immutable: bool
    forms: dict[str, Path] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    async def read(self, coding: str) -> bytes:
        """Return the contents in this form. Raises OSError if the file has vanished."""
        if coding not in self.bodies:
            self.keep(coding, await asyncio.to_thread(self.forms[coding].read_bytes))
        return self.bodies[coding]

    def keep(self, coding: str, body: bytes) -> None:
        self.bodies[coding] = body
        self.tags[coding] = f'"{hashlib.sha256(body).hexdigest()[:32]}"'


class Files:
    """All files below a folder, found once. A path that is not in this list is not served.

    base_path  is written into the page, whose other addresses are relative to it
    """

    def __init__(self, folder: Path, base_path: str = "") -> None:
        self._files: dict[str, File] = {}
        found = {
            path.relative_to(folder).as_posix(): path
            for path in (folder.rglob("*") if folder.is_dir() else ())
            if path.is_file() and not path.is_symlink()
        }
        for name, path in found.items():
            if path.suffix in SUFFIXES.values() and name.removesuffix(path.suffix) in found:
                continue
            file = File(_type(name), immutable=name.startswith("assets/"), forms={"": path})
            for coding, suffix in SUFFIXES.items():
                if name + suffix in found:
                    file.forms[coding] = found[name + suffix]
            self._files[name] = file
        if base_path and INDEX in self._files:
            _move(self._files[INDEX], base_path)

    def get(self, name: str) -> File | None:
        return self._files.get(name)


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
