"""The files of the built web client, with their compressed forms and entity tags; nothing outside their folder."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass, field
from pathlib import Path

INDEX = "index.html"
BASE = b'<base href="/">'
ENCODINGS = {"br": ".br", "gzip": ".gz"}  # the preferred one first

_TAG = re.compile(r'\*|(?:W/)?("[^"]*")')


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


def choose_coding(accepted: str, offered: dict[str, Path]) -> str:
    """The preferred one of our codings that an Accept-Encoding header allows; "" for none."""
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


def has_tag(if_none_match: str, tag: str) -> bool:
    """Whether an If-None-Match header names the entity tag, by weak comparison (RFC 9110 §13.1.2)."""
    named = list(_TAG.finditer(if_none_match))
    return bool(named) and (named[0][0] == "*" or any(each[1] == tag for each in named))
