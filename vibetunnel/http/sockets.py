"""The sockets that the server listens on: every address that a name stands for, or a path."""

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

BACKLOG = 1024  # connections that wait to be accepted; the kernel may allow fewer
LOCK_S = 1.0  # to wait for another server that makes its socket in the same folder
LOCK_POLL_S = 0.01
ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)  # of an address that this machine does not have


def listen(bind: str, port: int, *, flag: str = "--port") -> list[socket.socket]:
    """One socket for each address that `bind` stands for, all with the same port. Raises StartFailed.

    port  0: any free one
    flag  where another port is chosen
    """
    host = bind.strip("[]")
    both = host == "::" and socket.has_dualstack_ipv6()
    wanted = port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        expected = "--bind: expected an address of this machine"
        raise StartFailed(f"{expected}, got {bind} ({error.strerror})") from error
    with contextlib.ExitStack() as undo:
        sockets: list[socket.socket] = []
        absent: OSError | None = None
        for family, _, _, _, address in dict.fromkeys(found):  # a name may stand for one address twice
            try:
                made = socket.create_server(
                    (address[0], port, *address[2:]), family=family, backlog=BACKLOG, dualstack_ipv6=both
                )
            except OSError as error:
                if error.errno not in ABSENT:
                    raise StartFailed(_cannot_listen(bind, wanted, flag, error)) from error
                absent = error  # `localhost` is ::1 too, also where there is no IPv6 (containers)
                continue
            sockets.append(undo.enter_context(made))
            made.setblocking(False)
            port = made.getsockname()[1]  # with port 0 the first one chooses
        if absent is not None and not sockets:
            raise StartFailed(_cannot_listen(bind, wanted, flag, absent)) from absent
        undo.pop_all()
        return sockets


def _cannot_listen(bind: str, port: int, flag: str, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            why = f"is in use: stop what uses it, or choose another with {flag}"
        case errno.EACCES:
            why = f"may not be used by this user: choose one above 1023 with {flag}"
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            return f"--bind: {bind} is not an address of this machine"
        case _:
            why = f"cannot be used: {error.strerror}"
    return f"port {port} on {bind} {why}"


class UnixListener:
    """A listening socket at a path. It is nobody's before it has its permissions, and gone after close()."""

    def __init__(self, path: Path, mode: int) -> None:
        """Take the place of a socket that nobody listens on any more. Raises StartFailed.

        mode  of the socket: who may connect
        """
        self.path = path.absolute()
        if len(os.fsencode(self.path)) > paths.MAX_SOCKET_PATH:
            raise _refused(self.path, f"expected at most {paths.MAX_SOCKET_PATH} bytes for the path of a socket")
        try:
            with _locked(self.path.parent):
                _make_room(self.path)
                self.sock = _bound(self.path, mode)
            found = self.path.lstat()
        except OSError as error:
            raise _refused(self.path, f"cannot be made: {error.strerror}") from error
        self._identity = (found.st_dev, found.st_ino)

    def close(self) -> None:
        """Listen no more; remove the path, unless it is another's by now. Safe twice."""
        self.sock.close()
        with contextlib.suppress(OSError, StartFailed), _locked(self.path.parent):
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == self._identity:
                self.path.unlink()


def _refused(path: Path, why: str) -> StartFailed:
    return StartFailed(f"--bind: unix:{path}: {why}")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two servers that start at the same moment do not remove each other's socket."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        replaceable = found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX
        if replaceable or found.st_uid not in (0, os.geteuid()):
            raise _refused(folder, "expected a folder in which only this user can replace what is there")
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(folder: int) -> None:
    """Whoever may look into a folder can lock it, and a server does so for a moment: who has it longer is none."""
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
        raise _refused(path, "expected nothing there, or a socket that a server has left behind")
    if found.st_uid != os.geteuid():
        raise _refused(path, f"belongs to user {found.st_uid}")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:  # its queue is full: somebody has one
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
        os.chmod(path, mode)  # the folder is ours: nobody has put anything else there
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made
