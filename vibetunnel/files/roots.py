"""The roots: the folders below which files may be reached, and the places that clients name in them."""

from __future__ import annotations

import contextlib
import functools
import os
import posixpath
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from vibetunnel.files.errors import OutsideRoots, WrongKind, WrongName, explained
from vibetunnel.files.names import MAX_NAME, MAX_PATH, bytes_of, text_of
from vibetunnel.files.walk import AWAY, Identity, Walk, open_root, split

# File systems whose files are switches and windows of the kernel. Each mount of one may have a device of its own.
KERNEL = {
    "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs", "fusectl", "mqueue", "nsfs",
    "proc", "pstore", "securityfs", "selinuxfs", "smackfs", "sysfs", "tracefs",
}  # fmt: skip
KERNEL_FOLDERS = (b"/proc", b"/sys")
MOUNTS_S = 5.0  # after which the list of mounts is read again


@dataclass(frozen=True)
class Root:
    """One folder, and everything below it.

    path     absolute and normal, as its operator wrote it
    spelled  all the ways to write it: with links, and without
    base     path of the root that it was found in
    inner    its parts below `base`; none for a root that the operator chose
    """

    path: bytes
    spelled: tuple[bytes, ...]
    base: bytes
    inner: tuple[bytes, ...] = ()

    def parts_of(self, path: bytes) -> list[bytes] | None:
        """The parts of an absolute, normal path below this root; None: it is elsewhere."""
        for each in self.spelled:
            if path == each:
                return []
            if path.startswith(each.rstrip(b"/") + b"/"):
                return split(path[len(each) :])
        return None

    def beneath(self, target: bytes) -> Sequence[bytes]:
        """The parts of a link's absolute target. Raises OutsideRoots."""
        parts = self.parts_of(posixpath.normpath(b"/" + target.lstrip(b"/")))
        if parts is None:
            raise OutsideRoots(AWAY)
        return parts


@dataclass(frozen=True)
class FilePlace:
    """A file or folder that a client names. It need not exist.

    parts  of its path below the root, without `.` and `..`
    """

    root: Root
    parts: tuple[bytes, ...]

    @property
    def path(self) -> bytes:
        """The absolute path, as the operator would write it."""
        return posixpath.join(self.root.path, *self.parts)

    @property
    def name(self) -> bytes:
        return self.parts[-1] if self.parts else posixpath.basename(self.root.path)

    def child(self, name: bytes) -> FilePlace:
        return FilePlace(self.root, (*self.parts, name))

    @property
    def parent(self) -> FilePlace | None:
        """The folder above; None for a root."""
        return FilePlace(self.root, self.parts[:-1]) if self.parts else None


class Roots:
    """All roots of a client. Relative paths begin at the first one.

    private  finds the files and folders that no client may reach (the server's state) at the time of each walk
    home     what `~` means
    """

    def __init__(self, folders: Sequence[bytes], private: Callable[[], Iterable[bytes]], home: bytes) -> None:
        self._roots = tuple(_chosen(each) for each in folders)
        self._private = private
        self._home = home

    def __iter__(self) -> Iterator[Root]:
        return iter(self._roots)

    def narrowed(self, folders: Iterable[str]) -> Roots:
        """Only what is below these folders, as far as it is below the roots. Raises OutsideRoots for none."""
        narrow = Roots((), self._private, self._home)
        places = []
        for each in folders:
            with contextlib.suppress(OutsideRoots, WrongName):
                places.append(self.place(each))
        narrow._roots = tuple(
            Root(
                place.path,
                tuple(posixpath.join(each, *place.parts) for each in place.root.spelled),
                place.root.base,
                (*place.root.inner, *place.parts),
            )
            for place in places
        )
        if not narrow._roots:
            raise OutsideRoots(AWAY)
        return narrow

    def place(self, text: str) -> FilePlace:
        """The place that a client's path names: absolute, with `~`, or relative to the first root.

        `..` takes away the part before it, as in a shell's `cd`. Raises WrongName, OutsideRoots.
        """
        try:
            path = bytes_of(text)
        except ValueError:
            raise WrongName("path: expected UTF-8 without NUL") from None
        if len(path) > MAX_PATH or any(len(part) > MAX_NAME for part in path.split(b"/")):
            raise WrongName(f"path: expected at most {MAX_PATH} bytes, in parts of at most {MAX_NAME}")
        if path == b"~" or path.startswith(b"~/"):
            path = self._home + path[1:]
        first = self._roots[0]
        path = posixpath.normpath(posixpath.join(first.path, path))
        if path.startswith(b"//"):
            path = path[1:]  # POSIX gives two slashes at the beginning a meaning of their own
        return self._at(path)

    def check(self, place: FilePlace) -> None:
        """Raise OutsideRoots for a place that is below none of these roots, but may be below those of earlier."""
        self._at(place.path)

    def _at(self, path: bytes) -> FilePlace:
        """The place in the root that is nearest to it. path: absolute and normal."""
        best: FilePlace | None = None
        for root in self._roots:
            parts = root.parts_of(path)
            if parts is not None and (best is None or len(parts) < len(best.parts)):
                best = FilePlace(root, tuple(parts))
        if best is None:
            roots = " or ".join(text_of(each.path) for each in self._roots)
            raise OutsideRoots(f"path: expected one below {roots} (--file-root)")
        return best

    def shown(self, place: FilePlace) -> str:
        """The path for the client to send again: relative in the first root, absolute in others."""
        return text_of(b"/".join(place.parts) or b"." if place.root is self._roots[0] else place.path)

    def open(self, place: FilePlace, what: str = "File") -> int:
        """Open a file or folder for reading. The caller closes the descriptor.

        what  the word for what may be missing

        Raises NoSuchFile, OutsideRoots, WrongKind, NotAllowed, WrongName, FileFailed.
        """
        with explained(what):
            return self._open(place.root, place.parts)

    def actual(self, place: FilePlace) -> bytes:
        """The path without links, for a library that opens paths by itself. Call it after open() has let it pass.

        Raises OutsideRoots.
        """
        root, path = place.root, os.path.realpath(place.path)
        if root.parts_of(path) is None and not (root.inner and self._reached_by_link(root, path)):
            raise OutsideRoots(AWAY)
        return path

    @staticmethod
    def _reached_by_link(root: Root, path: bytes) -> bool:
        """Whether a path without links is below a narrowed root to which a link leads from its base."""
        real = os.path.realpath(root.path)
        return _chosen(root.base).parts_of(real) is not None and Root(real, (real,), real).parts_of(path) is not None

    @contextlib.contextmanager
    def folder(self, place: FilePlace) -> Iterator[int]:
        """The descriptor of an open folder. Raises as open() does."""
        opened = self.open(place, "Directory")
        try:
            if not os.path.isdir(opened):
                raise WrongKind("Path is not a directory")
            yield opened
        finally:
            os.close(opened)

    @contextlib.contextmanager
    def file(self, place: FilePlace) -> Iterator[int]:
        """The descriptor of an open file. Raises as open() does."""
        opened = self.open(place)
        try:
            if os.path.isdir(opened):
                raise WrongKind("Path is a directory, and this needs a file")
            yield opened
        finally:
            os.close(opened)

    def _open(self, root: Root, parts: Sequence[bytes]) -> int:
        walk = self.walk(root)
        top = open_root(root.base)
        try:
            if root.inner:
                inner = self.walk(_chosen(root.base)).open(top, root.inner)
                os.close(top)
                top = inner
            return walk.open(top, parts)
        finally:
            os.close(top)

    def walk(self, root: Root) -> Walk:
        """The rules for walks from this root."""
        return Walk(root.beneath, self._identities(), _kernel())

    def _identities(self) -> set[Identity]:
        found = set()
        for each in self._private():
            with contextlib.suppress(OSError):
                seen = os.stat(each)
                found.add((seen.st_dev, seen.st_ino))
        return found


def _chosen(path: bytes) -> Root:
    normal = posixpath.normpath(posixpath.abspath(path))
    spelled = dict.fromkeys((normal, os.path.realpath(normal)))
    return Root(normal, tuple(spelled), normal)


def _kernel() -> set[int]:
    return _kernel_at(int(time.monotonic() / MOUNTS_S))


@functools.lru_cache(maxsize=1)
def _kernel_at(_period: int) -> set[int]:
    """The devices of the kernel's file systems, made anew in each period of the time."""
    found = set()
    with contextlib.suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        found |= kernel_devices(mounts)
    for each in KERNEL_FOLDERS:
        with contextlib.suppress(OSError):
            found.add(os.stat(each).st_dev)
    return found


def kernel_devices(mounts: Iterable[str]) -> set[int]:
    """The devices of the kernel's file systems in the lines of /proc/self/mountinfo."""
    found = set()
    for line in mounts:
        place, _, kind = line.partition(" - ")
        if kind.partition(" ")[0] in KERNEL:
            major, minor = place.split(" ", 3)[2].split(":")
            found.add(os.makedev(int(major), int(minor)))
    return found
