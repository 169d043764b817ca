"""New files and folders: written beside the loop, complete or not there at all, and never in the place of another."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator

from vibetunnel.files.errors import FileTooLarge, NameTaken, NoRoomLeft, NotAllowed, WrongKind, WrongName, explained
from vibetunnel.files.names import MAX_NAME, bytes_of, numbered, safe_name, text_of
from vibetunnel.files.roots import FilePlace, Roots
from vibetunnel.files.walk import MAX_DEPTH, Walk
from vibetunnel.units import show_size

ATTEMPTS = 1000  # names that are tried for a file whose name is taken
MAX_REMOVED = 100_000  # entries that one request removes

RESERVE = 256 << 20  # bytes of a file system that uploads leave free; of a small one, a twentieth

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}  # what systems without hard links answer
_UNNAMED = {errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT}  # what systems without O_TMPFILE answer


class Draft:
    """A file that is being written into a folder. It has no name there until publish(), and vanishes without it.

    folder  is open, and stays the caller's; the draft has a descriptor of its own
    limit   bytes that it may have
    size    bytes that it has
    """

    def __init__(self, folder: int, limit: int) -> None:
        self.size = 0
        self._limit = limit
        self._temporary: bytes | None = None  # its name meanwhile, on systems where a file needs one
        self._folder = os.dup(folder)
        self._file = -1
        try:
            with explained("Directory"):
                self._file = self._create()
        except BaseException:
            self.discard()
            raise

    def _create(self) -> int:
        if hasattr(os, "O_TMPFILE"):
            try:
                return os.open(b".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666, dir_fd=self._folder)
            except OSError as error:
                if error.errno not in _UNNAMED:
                    raise
        temporary = f".{secrets.token_hex(8)}.upload".encode()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        created = os.open(temporary, flags, 0o666, dir_fd=self._folder)
        self._temporary = temporary
        return created

    def write(self, data: bytes) -> None:
        """Append. Raises FileTooLarge, NoRoomLeft; what was written before stays."""
        if self.size + len(data) > self._limit:
            raise FileTooLarge(f"The file is larger than {show_size(self._limit)} (--upload-bytes)")
        view = memoryview(data)
        with explained():
            self._check_room(len(data))
            while view:
                written = os.write(self._file, view)
                self.size += written
                view = view[written:]

    def _check_room(self, size: int) -> None:
        disk = os.statvfs(self._file)
        reserve = min(RESERVE, disk.f_blocks * disk.f_frsize // 20)
        if reserve and disk.f_bavail * disk.f_frsize - size < reserve:  # some file systems say 0 for all
            raise NoRoomLeft("The file cannot be stored: its file system is almost full. Make room, and try again")

    def publish(self, names: Iterable[str]) -> str:
        """Give the file the first of these names that is free, durably, and return it. Ends the draft.

        Raises NameTaken.
        """
        last = ""
        try:
            with explained():
                os.fsync(self._file)
                for last in names:
                    if self._link(bytes_of(last)):
                        os.fsync(self._folder)
                        return last
        finally:
            self.discard()
        raise NameTaken(last)

    def _link(self, name: bytes) -> bool:
        """Give the file a name, unless another has it."""
        try:
            if self._temporary is None:
                os.link(f"/proc/self/fd/{self._file}", name, dst_dir_fd=self._folder, follow_symlinks=True)
            else:
                os.link(self._temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder, follow_symlinks=False)
        except FileExistsError:
            return False
        except OSError as error:
            if self._temporary is None or error.errno not in _NO_LINKS:
                raise
            return self._rename(self._temporary, name)
        return True

    def _rename(self, temporary: bytes, name: bytes) -> bool:
        """The same on a file system without hard links (vfat): an empty file reserves the name for a moment."""
        try:
            os.close(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, dir_fd=self._folder))
        except FileExistsError:
            return False
        try:
            os.rename(temporary, name, src_dir_fd=self._folder, dst_dir_fd=self._folder)
        except OSError:
            os.unlink(name, dir_fd=self._folder)
            raise
        self._temporary = None
        return True

    def discard(self) -> None:
        """End the draft. Safe twice."""
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary, dir_fd=self._folder)
            self._temporary = None
        for each in (self._file, self._folder):
            if each >= 0:
                os.close(each)
        self._file = self._folder = -1


def choices(given: str) -> Iterator[str]:
    """The names to try for a file that a user calls `given`: a safe one, then the same with numbers."""
    name = safe_name(given)
    return (numbered(name, number) for number in range(1, ATTEMPTS + 1))


def draft_in(roots: Roots, place: FilePlace, limit: int) -> Draft:
    """Begin a file in a folder. Raises as Roots.open() does."""
    with roots.folder(place) as folder:
        return Draft(folder, limit)


def check_free(roots: Roots, place: FilePlace) -> None:
    """Raise NameTaken if the place of a new file is taken, before its bytes are sent. publish() has the last word."""
    parent = above(place)
    with roots.folder(parent) as folder:
        try:
            os.stat(place.name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return
    raise NameTaken(text_of(place.name))


def make_folder(roots: Roots, parent: FilePlace, name: str, mode: int = 0o777) -> FilePlace:
    """Make a folder. Raises NameTaken, WrongName, and as Roots.open() does."""
    wanted = folder_name(name)
    with roots.folder(parent) as folder, explained("Directory", name):
        os.mkdir(wanted, mode & 0o777, dir_fd=folder)
    return parent.child(wanted)


def folder_name(name: str) -> bytes:
    """The name of a new folder. Raises WrongName for one that the Node server refuses, too."""
    try:
        wanted = bytes_of(name)
    except ValueError:
        wanted = b""
    if not wanted or len(wanted) > MAX_NAME or name.startswith(".") or "/" in name or "\\" in name:
        raise WrongName("Invalid directory name")
    return wanted


def remove(roots: Roots, place: FilePlace, *, recursive: bool) -> None:
    """Remove a file, a link, an empty folder, or (recursive) a folder with all that is in it.

    Links are removed, not followed. Raises NotAllowed for a root, WrongKind for a folder that is not empty; other
    errors may leave a part of the folder.
    """
    parent = above(place)
    with roots.folder(parent) as folder, explained():
        _Removal(roots.walk(place.root), recursive=recursive).run(folder, place.name, 1)


class _Removal:
    def __init__(self, walk: Walk, *, recursive: bool) -> None:
        self._walk = walk
        self._recursive = recursive
        self._removed = 0

    def run(self, folder: int, name: bytes, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise FileTooLarge(
                f"The folder has more than {MAX_DEPTH} folders inside each other: remove inner ones first"
            )
        self._removed += 1
        if self._removed > MAX_REMOVED:
            raise FileTooLarge(f"The folder has more than {MAX_REMOVED} entries: {MAX_REMOVED} of them were removed")
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISDIR(found.st_mode):
            self._walk.check_own(found)
            os.unlink(name, dir_fd=folder)
            return
        inner = self._walk.enter_folder(folder, name)  # refuses the server's own folders, also while they are empty
        try:
            names = [os.fsencode(each) for each in os.listdir(inner)] if self._recursive else []
            for each in names:
                self.run(inner, each, depth + 1)
        finally:
            os.close(inner)
        try:
            os.rmdir(name, dir_fd=folder)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                raise WrongKind("The folder is not empty: remove it with `recursive`") from error
            raise


def above(place: FilePlace) -> FilePlace:
    """The folder of a file or folder to be made or removed. Raises NotAllowed for a root."""
    if place.parent is None:
        raise NotAllowed("path: expected one below a root, got the root itself")
    return place.parent
