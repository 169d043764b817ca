"""The listening sockets of the server: one for each address of a name, or one at a path."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from vibetunnel import paths
from vibetunnel.errors import StartFailed

BACKLOG = 1024  # connections that may wait to be accepted; the kernel may allow fewer
LOCK_S = 1.0  # to wait for another server that creates its socket in the same folder
LOCK_POLL_S = 0.01
ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # errors for an address that this machine does not have


def listen(bind: str, port: int, *, flag: str = "--port") -> list[socket.socket]:
    """Return one socket for each address of `bind`, all with the same port. Raises StartFailed.

    port  0: any free port
    flag  the option that chooses the port, for error messages
    """
    host = bind.strip("[]")
    both = host == "::" and socket.has_dualstack_ipv6()
    wanted = port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise StartFailed(f"--bind: expected an address of this machine, got {bind} ({error.strerror})") from error
    with contextlib.ExitStack() as undo:
        sockets: list[socket.socket] = []
        absent: OSError | None = None
        for family, _, _, _, address in dict.fromkeys(found):  # a name may have one address twice
            try:
                made = socket.create_server(
                    (address[0], port, *address[2:]), family=family, backlog=BACKLOG, dualstack_ipv6=both
                )
            except OSError as error:
                if error.errno not in ABSENT:
                    raise StartFailed(_cannot_listen(bind, wanted, flag, error)) from error
                absent = error  # `localhost` includes ::1, even in a container without IPv6
                continue
            sockets.append(undo.enter_context(made))
            made.setblocking(False)
            port = made.getsockname()[1]  # with port 0 the first socket chooses
        if absent is not None and not sockets:
            raise StartFailed(_cannot_listen(bind, wanted, flag, absent)) from absent
        undo.pop_all()
        return sockets


def _cannot_listen(bind: str, port: int, flag: str, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            why = f"is in use: stop what uses it, or choose another with {flag}"
        case errno.EACCES:
            why = f"is not allowed for this user: choose one above 1023 with {flag}"
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return f"--bind: {bind} is not an address of this machine"
        case _:
            why = f"cannot be used: {error.strerror}"
    return f"port {port} on {bind} {why}"


class UnixListener:
    """A listening socket at a path. Only its owner can connect before it has its mode; close() removes it."""

    def __init__(self, path: Path, mode: int) -> None:
        """Create the socket; one that no server listens on is replaced. Raises StartFailed.

        mode  permissions of the socket: who may connect
        """
        self.path = path.absolute()
        if len(os.fsencode(self.path)) > paths.MAX_SOCKET_PATH:
            raise _refused(self.path, f"the path is too long: choose one of at most {paths.MAX_SOCKET_PATH} bytes")
        try:
            with _locked(self.path.parent):
                _make_room(self.path)
                self.sock = _bound(self.path, mode)
            found = self.path.lstat()
        except OSError as error:
            raise _refused(self.path, f"cannot be created: {error.strerror}") from error
        self._identity = (found.st_dev, found.st_ino)

    def close(self) -> None:
        """Stop listening, and remove the path unless another server has replaced it. Safe twice."""
        self.sock.close()
        with contextlib.suppress(OSError, StartFailed), _locked(self.path.parent):
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == self._identity:
                self.path.unlink()


def _refused(path: Path, why: str) -> StartFailed:
    return StartFailed(f"--bind: unix:{path}: {why}")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a lock on the folder, so that two servers that start together do not remove each other's socket."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        replaceable = found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX
        if replaceable or found.st_uid not in (0, os.geteuid()):
            raise _refused(folder, "other users can replace files in this folder: choose a folder of your own")
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(folder: int) -> None:
    """Lock a folder. Any user who can open it can lock it, but a server holds the lock only briefly.

    So this gives up waiting after LOCK_S, and goes on.
    """
    deadline = time.monotonic() + LOCK_S
    while time.monotonic() < deadline:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        time.sleep(LOCK_POLL_S)


def _make_room(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise _refused(path, "is not a socket: remove it, or choose another path")
    if found.st_uid != os.geteuid():
        raise _refused(path, f"belongs to user {found.st_uid}: choose another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:  # its queue is full, so a server listens
            pass
    raise _refused(path, "is in use: stop what uses it, or choose another path")


def _bound(path: Path, mode: int) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    try:
        made.setblocking(False)
        before = os.umask(0o177)
        try:
            made.bind(os.fspath(path))
        finally:
            os.umask(before)
        os.chmod(path, mode)  # no other user can have replaced it: _locked() has checked the folder
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made
