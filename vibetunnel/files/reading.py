"""What is in a file: its bytes in steps, its text within a bound, and what a client may show of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

from vibetunnel.files import names
from vibetunnel.files.errors import FileFailed, FileTooLarge, WrongKind, explained
from vibetunnel.files.names import text_of
from vibetunnel.files.roots import FilePlace, Roots
from vibetunnel.units import show_size

STEP = 256 * 1024  # bytes that are read at once
MAX_TEXT = 1024 * 1024  # bytes of a text that is answered as JSON
MAX_DIFF = 1024 * 1024  # bytes of each side of a diff

# The types that a file is served with. Others could run in the browser: a script, a style sheet, a page. They go out
# as plain text if they are text, and else as bytes.
SHOWN = {
    "image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/avif", "image/x-icon",
    "image/vnd.microsoft.icon", "image/svg+xml", "application/pdf", "audio/mpeg", "audio/ogg", "audio/wav",
    "audio/x-wav", "audio/flac", "video/mp4", "video/webm", "video/ogg",
}  # fmt: skip
LAST_S = 253_402_300_799  # the end of 9999: no date that HTTP can write is later
_TEXTS = {"application/json", "application/javascript", "application/xml", "application/x-sh", "application/toml"}


@dataclass(frozen=True)
class Preview:
    """What a client may show of a file.

    content    of a text
    truncated  the text is longer than `content`
    """

    kind: Literal["text", "image", "binary"]
    media_type: str
    size: int
    content: str = ""
    truncated: bool = False


class OpenFile:
    """An open file. Close it.

    modified_s  as far as it is a date from 1970 on that HTTP can write
    tag         changes when the file changes (RFC 9110 §8.8.3)
    """

    def __init__(self, descriptor: int, name: bytes) -> None:
        self._descriptor = descriptor
        found = os.fstat(descriptor)
        self.name = name
        self.size = found.st_size
        self.modified_s = min(max(found.st_mtime, 0), LAST_S)
        self.tag = f'"{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}"'

    def read(self, begin: int, end: int) -> bytes:
        """The bytes from `begin` up to `end` or one STEP. Raises FileFailed if they are no longer there."""
        with explained():
            data = os.pread(self._descriptor, min(STEP, end - begin), begin)
        if not data:
            raise FileFailed("The file became shorter while it was read")
        return data

    def close(self) -> None:
        """Safe twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def open_file(roots: Roots, place: FilePlace) -> OpenFile:
    """Open a file for reading in steps. Raises as Roots.open() does, and WrongKind for a folder."""
    descriptor = roots.open(place)
    if os.path.isdir(descriptor):
        os.close(descriptor)
        raise WrongKind("Path is a directory, and this needs a file")
    return OpenFile(descriptor, place.name)


def served_type(name: bytes) -> str:
    """The media type to send a file with: one that runs nothing."""
    found = names.media_type(text_of(name))
    if found in SHOWN:
        return found
    is_text = found.startswith("text/") or found in _TEXTS or names.language(text_of(name)) != "plaintext"
    return f"{names.TEXT}; charset=utf-8" if is_text else names.BINARY


def preview(roots: Roots, place: FilePlace) -> Preview:
    """Look into a file. A text is cut at MAX_TEXT bytes."""
    kind = names.media_type(text_of(place.name))
    with roots.file(place) as file:
        size = os.fstat(file).st_size
        if kind.startswith("image/") and kind in SHOWN:
            return Preview("image", kind, size)
        data = read_some(file, MAX_TEXT)
    text = decoded(data, cut=size > len(data))
    if text is None:
        return Preview("binary", kind, size)
    return Preview("text", names.TEXT if kind == names.BINARY else kind, size, text, truncated=size > len(data))


def text(roots: Roots, place: FilePlace) -> str:
    """The whole text of a file; bytes that are no UTF-8 become U+FFFD. Raises FileTooLarge."""
    with roots.file(place) as file:
        return bounded(file, MAX_TEXT).decode(errors="replace")


def bounded(file: int, limit: int) -> bytes:
    """All of an open file. Raises FileTooLarge."""
    data = read_some(file, limit + 1)
    if len(data) > limit:
        raise FileTooLarge(f"The file is longer than {show_size(limit)}: download it with /api/fs/raw instead")
    return data


def read_some(file: int, limit: int) -> bytes:
    """The first `limit` bytes of an open file."""
    pieces, at = [], 0
    with explained():
        while at < limit:
            piece = os.pread(file, min(STEP, limit - at), at)
            if not piece:
                break
            pieces.append(piece)
            at += len(piece)
    return b"".join(pieces)


def decoded(data: bytes, *, cut: bool) -> str | None:
    """The text; None: it is none. cut: the end may be in the middle of a character."""
    if b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if cut and error.start >= len(data) - 3:
            return data[: error.start].decode()
        return None
