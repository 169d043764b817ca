"""Private folders and files: where they are, and how they are opened without following links."""

import contextlib
import errno
import fcntl
import os
import stat
import time
import warnings
from collections import deque
from collections.abc import Iterator
from pathlib import Path

APP = "vibetunnel"
MAX_SOCKET_PATH = 103  # bytes; sun_path of macOS and the BSDs without its NUL (Linux: 107)

SECRET = "secret"  # in the state folder  # noqa: S105 (a file's name)
LOGINS = "logins.json"
USERS = "users.json"
KEYS = "keys.json"
TOKENS = "tokens.json"
SHARES = "shares.json"
PREFERENCES = "preferences.json"
PUSH = "push.json"
AUDIT_LOG = "audit.log"  # in the log folder
REQUEST_LOG = "requests.log"
KEEPER_SOCKET = "keeper.sock"  # in the runtime folder
SERVER_FILE = "server.json"
SERVER_LOCK = "server.lock"  # held by the running server, for as long as SERVER_FILE is true

LEFTOVER_S = 3600.0  # a temporary file of this age belongs to a process that was killed: no write takes so long
PROBE = 4096  # bytes; a block of most file systems
MAX_LINKS = 40  # on the path to one folder, as in Linux


class NotPrivate(Exception):
    """A folder or file of ours belongs to another user, is open to others, or has the wrong type."""


class NotWritable(NotPrivate):
    """The file system takes no data (now): it is full or read-only, for example."""


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}


def _refusal(what: str, error: OSError) -> NotPrivate:
    return (NotWritable if error.errno in _NO_ROOM else NotPrivate)(f"{what}: {error.strerror}")


def default_state_dir() -> Path:
    import platformdirs  # here: the keeper imports this module, and only the standard library

    return platformdirs.user_state_path(APP)


def default_runtime_dir(state_dir: Path) -> Path:
    """The system's folder for the sockets of this user if there is one, else `run` in `state_dir`."""
    import platformdirs

    with warnings.catch_warnings(action="ignore"):  # it warns of the fallback that is refused below
        folder = platformdirs.user_runtime_path(APP)
    # If the system has none, platformdirs returns a folder in /tmp, which any user could have made.
    with contextlib.suppress(OSError):
        parent = folder.parent.lstat()
        if stat.S_ISDIR(parent.st_mode) and parent.st_uid == os.geteuid() and not parent.st_mode & 0o022:
            return folder
    return state_dir / "run"


def default_config_file() -> Path:
    import platformdirs

    return platformdirs.user_config_path(APP) / "config.toml"


def private_dir(path: Path) -> Path:
    """Make the folder `path` with mode 0700, or check that it belongs to this user and that no other user may enter it.

    Missing folders above it are made in the same way. All folders above must belong to this user or to root, and other
    users must not be able to write to them, except as in /tmp (sticky): otherwise they could replace the folder.
    Raises NotPrivate with a sentence that says what to do.
    """
    try:
        for each in (*reversed(path.parents), path):
            # With mode 0700 from the start, whatever the umask is.
            with contextlib.suppress(FileExistsError):
                if not each.exists():
                    each.mkdir(mode=0o700)
        found = path.lstat()
    except OSError as error:
        raise _refusal(f"cannot make the folder {path}", error) from error
    if not stat.S_ISDIR(found.st_mode):
        raise NotPrivate(
            f"{path} has to be a folder, and is {'a link' if stat.S_ISLNK(found.st_mode) else 'a file'}: move it away"
        )
    _check_owner_and_mode(path, found, 0o700)
    _check_above(path)
    return path


def open_private(path: Path, flags: int) -> int:
    """os.open() of a regular file of this user, mode 0600, following no link; the caller closes the descriptor.

    Raises FileNotFoundError as os.open() does, NotPrivate for a file that others own or may read.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _refusal(f"cannot open {path}", error) from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NotPrivate(f"{path} has to be a regular file: move it away")
        _check_owner_and_mode(path, found, 0o600)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_private(path: Path) -> bytes:
    """The contents of a private file. Raises as open_private does."""
    with open(open_private(path, os.O_RDONLY), "rb") as file:
        return file.read()


def write_private(path: Path, data: bytes) -> None:
    """Replace the contents of `path` atomically: a reader finds the old or the new ones, after a crash too."""
    try:
        temporary = path.parent / f".{path.name}.{os.urandom(8).hex()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise _refusal(f"cannot write {path}", error) from error
    with contextlib.suppress(OSError):  # not every file system can; then a power cut may restore the old contents
        _sync(path.parent)


def unwritable(folder: Path) -> str:
    """Why no file can be written in this folder now; "": one can. Blocks."""
    import tempfile  # here: the command line rarely needs it, and is to start fast

    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0" * PROBE)
            file.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of write_private() whose process was killed: they may have secrets in them."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            name, hidden = entry.name.removeprefix("."), entry.name.startswith(".")
            if not hidden or "." not in name or not entry.is_file(follow_symlinks=False):
                continue
            if entry.stat(follow_symlinks=False).st_mtime + LEFTOVER_S < time.time():
                os.unlink(entry.path)


def lock_private(path: Path) -> int | None:
    """A descriptor that holds the lock of this private file until it is closed; None: another process holds it."""
    try:
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    except NotWritable as error:
        try:
            descriptor = open_private(path, os.O_RDONLY)  # enough, except on NFS
        except FileNotFoundError:
            raise error from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        raise NotPrivate(f"cannot lock {path}: {error.strerror}") from error
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock of this private file. During this call lock_private() may get None."""
    try:
        descriptor = open_private(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_above(path: Path) -> None:
    """Raise NotPrivate if another user could replace `path` by another folder."""
    for each, found in _way(path):
        if found.st_uid not in (0, os.geteuid(), _unmapped_uid()):
            who = f"user {found.st_uid}, who"
        elif found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX and not stat.S_ISLNK(found.st_mode):
            who = f"user {found.st_uid} but is open to all (mode {stat.S_IMODE(found.st_mode):04o}), so that anyone"
        else:
            continue
        raise NotPrivate(f"{each} belongs to {who} could replace its contents: choose another place for {path}")


def _way(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """The folders and links on the kernel's way to `path`, without `path` itself."""
    place, links = Path("/"), 0
    parts = deque(path.absolute().parts[1:])
    yield place, place.lstat()
    while len(parts) > 1:
        part = parts.popleft()
        if part == "..":
            place = place.parent
            continue
        found = (place / part).lstat()
        yield place / part, found
        if not stat.S_ISLNK(found.st_mode):
            place /= part
            continue
        links += 1
        if links > MAX_LINKS:
            raise NotPrivate(f"the path {path} leads through too many links")
        target = (place / part).readlink()
        if target.is_absolute():
            place = Path("/")
        parts.extendleft(reversed(target.parts[target.is_absolute() :]))


def _unmapped_uid() -> int | None:
    """The uid that a user namespace (a container) shows for files of users outside it, such as its root folder.

    None: there is no such namespace.
    """
    try:
        if Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]:
            return None
        return int(Path("/proc/sys/kernel/overflowuid").read_text())
    except (OSError, ValueError):
        return None


def _check_owner_and_mode(path: Path, found: os.stat_result, mode: int) -> None:
    if found.st_uid != os.geteuid():
        raise NotPrivate(
            f"{path} belongs to user {found.st_uid}, not {os.geteuid()}: move it away, or change its owner"
        )
    if found.st_mode & 0o077:
        raise NotPrivate(
            f"{path} is open to other users (mode {stat.S_IMODE(found.st_mode):04o}): expected {mode:04o}; "
            f"run `chmod {mode:o} {path}`"
        )
