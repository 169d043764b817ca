"""The walk from a root to a file below it, folder by folder, which nothing on the way can lead out of the root.

Each step opens one name in the folder that is open already, and follows no link. A link is read, and its text is walked
in the same way; `..` in it goes back to a folder that the walk came through. So no link, no `..`, no link of the
kernel's (/proc/PID/root), and no exchange of a folder for a link during the walk reaches anything outside. Linux has
openat2(RESOLVE_BENEATH) for this, but it refuses links with absolute targets, which many home folders are full of, and
no other system has it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Collection, Sequence

from vibetunnel.files.errors import NOT_OPENED, OutsideRoots, WrongKind

MAX_LINKS = 40  # on one way, as in Linux
MAX_DEPTH = 128  # folders on one way: each holds a descriptor

Identity = tuple[int, int]  # device and inode

_PASSED = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, a FIFO that takes the place of a file would hold the thread.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

AWAY = "The path leads out of the folders that may be reached (--file-root)"
HIDDEN = "This folder is never shown: it has the server's own secrets, or is the kernel's"


def open_root(path: bytes) -> int:
    """Open the folder at `path`, which the operator chose, so its links are followed."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


class Walk:
    """The rules of a walk.

    beneath   the parts below the root of an absolute target of a link. Raises OutsideRoots
    private   files and folders that are never opened or removed
    kernel    devices of file systems whose files are not files (/proc)
    """

    def __init__(
        self, beneath: Callable[[bytes], Sequence[bytes]], private: Collection[Identity], kernel: Collection[int]
    ) -> None:
        self._beneath = beneath
        self._private = private
        self._kernel = kernel

    def open(self, top: int, parts: Sequence[bytes]) -> int:
        """Open the file or folder for reading. The caller closes it.

        Raises OSError, OutsideRoots, and WrongKind for what is neither a file nor a folder.
        """
        way = [top]  # the open folders from the root to here; `top` stays the caller's
        left = deque(parts)
        links = 0
        try:
            self.check(os.fstat(top))
            while left:
                part = left.popleft()
                if part == b"..":
                    if len(way) == 1:
                        raise OutsideRoots(AWAY)
                    os.close(way.pop())
                    continue
                found = os.stat(part, dir_fd=way[-1], follow_symlinks=False)
                if stat.S_ISLNK(found.st_mode):
                    links += 1
                    if links > MAX_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                    target = os.readlink(part, dir_fd=way[-1])
                    if target.startswith(b"/"):
                        steps = self._beneath(target)
                        while len(way) > 1:
                            os.close(way.pop())
                    else:
                        steps = split(target)
                    left.extendleft(reversed(steps))
                elif stat.S_ISDIR(found.st_mode):
                    if len(way) > MAX_DEPTH:
                        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
                    way.append(os.open(part, _PASSED, dir_fd=way[-1]))
                    self.check(os.fstat(way[-1]))
                elif left:
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
                else:
                    return self._open_file(part, way[-1], found)
            return os.open(b".", _FOLDER, dir_fd=way[-1])
        finally:
            for each in way[1:]:
                os.close(each)

    def enter(self, folder: int, name: bytes) -> int:
        """Open a file or folder in an open folder, and follow no link. Raises as open() does."""
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        return self.enter_folder(folder, name) if stat.S_ISDIR(found.st_mode) else self._open_file(name, folder, found)

    def enter_folder(self, folder: int, name: bytes) -> int:
        """The same for a folder: what takes its place meanwhile is not opened."""
        opened = os.open(name, _FOLDER, dir_fd=folder)
        try:
            self.check(os.fstat(opened))
        except BaseException:
            os.close(opened)
            raise
        return opened

    def descend(self, top: int, parts: Sequence[bytes]) -> int:
        """Open a folder some folders below, and follow no link on the way. Raises as open() does."""
        folder = os.dup(top)
        for part in parts:
            try:
                inner = self.enter_folder(folder, part)
            finally:
                os.close(folder)
            folder = inner
        return folder

    def _open_file(self, name: bytes, folder: int, found: os.stat_result) -> int:
        self.check(found)
        opened = os.open(name, _FILE, dir_fd=folder)
        try:
            self.check(os.fstat(opened))  # another thing may have taken its place
        except BaseException:
            os.close(opened)
            raise
        return opened

    def check(self, found: os.stat_result) -> None:
        """Raise unless this is a file or folder that may be opened."""
        self.check_own(found)
        if found.st_dev in self._kernel or not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise WrongKind(NOT_OPENED)

    def check_own(self, found: os.stat_result) -> None:
        """Raise unless this may be read, changed or removed, as far as it is a file or folder of the server's."""
        if (found.st_dev, found.st_ino) in self._private:
            raise OutsideRoots(HIDDEN)


def split(path: bytes) -> list[bytes]:
    """The parts of a path, without empty ones and `.`."""
    return [part for part in path.split(b"/") if part not in (b"", b".")]
