"""The runtime folder: one keeper's lock and socket, restored if they are removed."""

from __future__ import annotations

import fcntl
import os
import socket
import stat

from vibetunnel.keeper.protocol import LOCK_NAME, PATH_LIMIT, SOCKET_NAME


class CannotRun(Exception):
    """The keeper cannot run here; the text is the reason."""


class AnotherRuns(CannotRun):
    """Another keeper has the folder."""


class RuntimeDir:
    """Constructing it takes the folder. Raises CannotRun, AnotherRuns, OSError.

    folder    absolute
    listener  bound and listening; a new one after `restore`
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._lock_path = os.path.join(folder, LOCK_NAME)
        self._path = os.path.join(folder, SOCKET_NAME)
        _check_folder(folder)
        self._lock = _lock(self._lock_path)
        self.listener = _listen(self._path)
        self._socket = _file(self._path)

    def intact(self) -> bool:
        """Whether the socket's path leads to this keeper."""
        return self._socket is not None and _file(self._path) == self._socket

    def restore(self) -> None:
        """Make the missing parts again. Raises as constructing does; AnotherRuns if another keeper has started."""
        _check_folder(self.folder)
        locked = os.fstat(self._lock)
        if _file(self._lock_path) != (locked.st_dev, locked.st_ino):
            lock = _lock(self._lock_path)
            os.close(self._lock)
            self._lock = lock
        listener = _listen(self._path)
        self.listener.close()
        self.listener = listener
        self._socket = _file(self._path)

    def leave(self) -> None:
        """Give the folder up to the next keeper."""
        self.listener.close()
        if self.intact():
            _unlink(self._path)
        os.close(self._lock)  # last: the next keeper must not find this socket


def _file(path: str) -> tuple[int, int] | None:
    """A file's identity (device, inode); a socket keeps its own while a process listens. None: no such file."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _check_folder(folder: str) -> None:
    before = os.umask(0o077)  # for the folders above it that are made, too
    try:
        os.makedirs(folder, 0o700)
    except FileExistsError:
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode):
            raise CannotRun(f"not a folder: {folder}") from None
        # Not corrected: the folder may have been given by mistake, and chmod 0700 on /tmp would break the system.
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise CannotRun(
                f"{folder} must belong to user {os.geteuid()} with mode 0700, "
                f"not to {found.st_uid} with {stat.S_IMODE(found.st_mode):04o}"
            ) from None
    finally:
        os.umask(before)


def open_own(path: str, flags: int) -> int:
    """os.open() of a file that only this user may open; created with mode 0600. The caller closes it.

    Follows no link and waits for no FIFO. Raises CannotRun, OSError.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        os.close(descriptor)
        raise CannotRun(f"{path} must be a file of user {os.geteuid()} with mode 0600")
    return descriptor


def _lock(path: str) -> int:
    lock = open_own(path, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            raise AnotherRuns(f"another keeper holds {path}") from None
        raise
    return lock


def _listen(path: str) -> socket.socket:
    """Call it with the lock taken: an existing socket then belongs to a dead keeper."""
    if len(os.fsencode(path)) > PATH_LIMIT:
        raise CannotRun(f"a socket's path has at most {PATH_LIMIT} bytes, choose a shorter runtime folder: {path}")
    _unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o177)  # so that the socket never exists with another mode
        try:
            listener.bind(path)
        finally:
            os.umask(before)
        listener.listen(16)
    except BaseException:
        listener.close()
        raise
    return listener


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
