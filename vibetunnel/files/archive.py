"""A folder as a ZIP file, made while it is sent: in steps, within bounds of memory and time.

Links, FIFOs, sockets and devices are left out, and so are files that the server may not read.
"""

from __future__ import annotations

import io
import os
import re
import time
import zipfile
from collections.abc import Generator, Iterator

from vibetunnel.errors import VibeTunnelError
from vibetunnel.files.errors import FileTooLarge
from vibetunnel.files.listing import MAX_SCANNED, below, scan
from vibetunnel.files.names import in_order, text_of
from vibetunnel.files.reading import LAST_S, STEP
from vibetunnel.files.roots import FilePlace, Roots
from vibetunnel.files.walk import MAX_DEPTH, Walk
from vibetunnel.units import show_size

MAX_ENTRIES = 100_000  # the list of them, at the end of the archive, is kept in memory: about 30 MB
MAX_NAMES = 32 << 20  # bytes of their paths, which are kept too
TURN = 256  # entries, after which a step ends even if there is nothing to send
MAX_BYTES = 64 << 30  # of files, before they are compressed

_EARLIEST = (1980, 1, 1, 0, 0, 0)  # of the format
_LATEST = (2107, 12, 31, 23, 59, 58)
_LINES = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # line breaks, and other characters of control


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
    """The archive, in parts of about one STEP, some of them empty. Each step blocks.

    Raises as Roots.open() does at the first step, and FileTooLarge later. Close the iterator: it holds descriptors.
    """
    with roots.folder(place) as folder:
        name = text_of(place.name) or "root"
        yield from _Archive(roots.walk(place.root), folder).run(_safe(name))


class _Archive:
    """One archive. It holds the descriptor of its top, and of one folder at a time."""

    def __init__(self, walk: Walk, top: int) -> None:
        self._walk = walk
        self._top = top
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        self._waiting: list[tuple[tuple[bytes, ...], str]] = []  # folders: (way from the top, path in the archive)
        self._entries = 0
        self._names = 0  # bytes of their paths
        self._bytes = 0

    def run(self, name: str) -> Iterator[bytes]:
        self._waiting.append(((), f"{name}/"))
        try:
            while self._waiting:
                way, path = self._waiting.pop()
                try:
                    folder = self._walk.descend(self._top, way)
                except (OSError, VibeTunnelError):
                    continue  # it has gone, or may not be read
                try:
                    yield from self._folder(folder, way, path)
                finally:
                    os.close(folder)
        finally:
            self._zip.close()
        yield self._sink.take()

    def _folder(self, folder: int, way: tuple[bytes, ...], path: str) -> Iterator[bytes]:
        self._zip.writestr(self._member(path, os.fstat(folder)), b"")
        found, more = scan(folder)
        if more:
            raise FileTooLarge(f"A folder has more than {MAX_SCANNED} entries")
        for is_other, name in found:
            entry = os.fsencode(name)
            inner = path + _safe(text_of(entry))
            self._count(inner)
            if is_other:
                yield from self._other(folder, entry, inner)
            elif len(way) + 1 >= MAX_DEPTH:
                raise FileTooLarge(f"The folder has more than {MAX_DEPTH} folders inside each other")
            else:
                self._waiting.append(((*way, entry), f"{inner}/"))
            if self._sink.held >= STEP or self._entries % TURN == 0:  # of many small files, or of none
                yield self._sink.take()

    def _other(self, folder: int, name: bytes, path: str) -> Iterator[bytes]:
        """What is no folder, as far as it is a file."""
        try:
            opened = below(self._walk, folder, name)
        except OSError:
            return  # it has gone, or may not be read
        if opened is None:
            return
        try:
            if not os.path.isdir(opened):  # it may have become one
                yield from self._file(opened, path)
        finally:
            os.close(opened)

    def _count(self, path: str) -> None:
        self._entries += 1
        self._names += len(path.encode())
        if self._entries > MAX_ENTRIES:
            raise FileTooLarge(f"The folder has more than {MAX_ENTRIES} entries")
        if self._names > MAX_NAMES:
            raise FileTooLarge(f"The paths in the folder have more than {show_size(MAX_NAMES)} together")

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
        modified = time.localtime(min(max(found.st_mtime, 0), LAST_S))[:6]
        member = zipfile.ZipInfo(path, min(max(modified, _EARLIEST), _LATEST))
        member.external_attr = (found.st_mode & 0xFFFF) << 16 | (0x10 if path.endswith("/") else 0)
        member.compress_type = zipfile.ZIP_STORED if path.endswith("/") else zipfile.ZIP_DEFLATED
        return member


def _safe(name: str) -> str:
    """A name that means one member everywhere, and is read as it is: `\\` separates folders on Windows, `:` a drive."""
    return _LINES.sub("_", in_order(name).replace("\\", "_").replace(":", "_"))
