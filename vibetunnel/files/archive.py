"""A folder as a ZIP file, made while it is sent: in steps, with constant memory, within bounds.

Links, FIFOs, sockets and devices are left out, and so are files that the server may not read.
"""

from __future__ import annotations

import io
import os
import time
import zipfile
from collections.abc import Generator, Iterator

from vibetunnel.files.errors import FileTooLarge
from vibetunnel.files.listing import MAX_SCANNED, below, scan
from vibetunnel.files.names import text_of
from vibetunnel.files.reading import LAST_S, STEP
from vibetunnel.files.roots import FilePlace, Roots
from vibetunnel.files.walk import MAX_DEPTH, Walk
from vibetunnel.units import show_size

MAX_MEMBERS = 100_000  # the list of them, at the end of the archive, is kept in memory: about 30 MB
MAX_BYTES = 64 << 30  # of files, before they are compressed

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # of the format
_LATEST = (2107, 12, 31, 23, 59, 58)


class _Sink(io.RawIOBase):
    """Keeps what was written until it is taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.held = 0  # bytes

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # zipfile writes bytes
        self._pieces.append(bytes(data))
        self.held += len(data)
        return len(data)

    def take(self) -> bytes:
        pieces, self._pieces, self.held = self._pieces, [], 0
        return b"".join(pieces)


def zipped(roots: Roots, place: FilePlace) -> Generator[bytes]:
    """The archive, in parts of about one STEP. Each step blocks.

    Raises as Roots.open() does at the first step, and FileTooLarge later. Close the iterator: it holds descriptors.
    """
    with roots.folder(place) as folder:
        name = text_of(place.name) or "root"
        yield from _Archive(roots.walk(place.root)).run(folder, _safe(name))


class _Archive:
    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._members = 0
        self._bytes = 0

    def run(self, folder: int, name: str) -> Iterator[bytes]:
        try:
            yield from self._folder(folder, f"{name}/", 1)
        finally:
            self._zip.close()
        yield self._sink.take()

    def _folder(self, folder: int, path: str, depth: int) -> Iterator[bytes]:
        if depth > MAX_DEPTH:
            raise FileTooLarge(f"The folder has more than {MAX_DEPTH} folders inside each other")
        self._zip.writestr(self._member(path, os.fstat(folder)), b"")
        found, more = scan(folder)
        if more:
            raise FileTooLarge(f"A folder has more than {MAX_SCANNED} entries")
        for _, name in found:
            try:
                opened = below(self._walk, folder, os.fsencode(name))
            except OSError:
                continue  # it has gone, or may not be read
            if opened is None:
                continue
            try:
                inner = path + _safe(text_of(os.fsencode(name)))
                if os.path.isdir(opened):
                    yield from self._folder(opened, f"{inner}/", depth + 1)
                else:
                    yield from self._file(opened, inner)
            finally:
                os.close(opened)
            if self._sink.held >= STEP:  # of many small files
                yield self._sink.take()

    def _file(self, file: int, path: str) -> Iterator[bytes]:
        with self._zip.open(self._member(path, os.fstat(file)), "w", force_zip64=True) as member:
            while data := os.read(file, STEP):
                self._bytes += len(data)
                if self._bytes > MAX_BYTES:
                    raise FileTooLarge(f"The folder has more than {show_size(MAX_BYTES)}")
                member.write(data)
                if self._sink.held >= STEP:
                    yield self._sink.take()

    def _member(self, path: str, found: os.stat_result) -> zipfile.ZipInfo:
        self._members += 1
        if self._members > MAX_MEMBERS:
            raise FileTooLarge(f"The folder has more than {MAX_MEMBERS} files and folders")
        modified = time.localtime(min(max(found.st_mtime, 0), LAST_S))[:6]
        member = zipfile.ZipInfo(path, min(max(modified, _EARLIEST), _LATEST))
        member.external_attr = (found.st_mode & 0xFFFF) << 16 | (0x10 if path.endswith("/") else 0)
        member.compress_type = zipfile.ZIP_STORED if path.endswith("/") else zipfile.ZIP_DEFLATED
        return member


def _safe(name: str) -> str:
    """A name that means one member everywhere: `\\` separates folders on Windows, and `:` a drive."""
    return name.replace("\\", "_").replace(":", "_")
