"""Where vibetunnel keeps its own files: private folders and files, opened without following links."""

import contextlib
import fcntl
import os
import stat
import tempfile
import warnings
from pathlib import Path

APP = "vibetunnel"
MAX_SOCKET_PATH = 103  # bytes; sun_path of macOS and the BSDs without its NUL (Linux: 107)

SECRET = "secret"  # in the state folder  # noqa: S105 (a file's name)
LOGINS = "logins.json"
KEEPER_SOCKET = "keeper.sock"  # in the runtime folder
SERVER_FILE = "server.json"
SERVER_LOCK = "server.lock"  # held by the running server, for as long as SERVER_FILE is true


class NotPrivate(Exception):
    """A folder or file of ours belongs to someone else, is open to others, or is not what it should be."""


def default_state_dir() -> Path:
    import platformdirs  # here: the keeper imports this module and needs the standard library only

    return platformdirs.user_state_path(APP)


def default_runtime_dir(state_dir: Path) -> Path:
    """The system's folder for sockets when it has one for this user, else a folder below `state_dir`."""
    import platformdirs

    with warnings.catch_warnings(action="ignore"):  # it warns of the very fallback that is refused here
        folder = platformdirs.user_runtime_path(APP)
    # Where the system has none, that is a folder in /tmp: anyone could have made it.
    with contextlib.suppress(OSError):
        parent = folder.parent.lstat()
        if stat.S_ISDIR(parent.st_mode) and parent.st_uid == os.getuid() and not parent.st_mode & 0o022:
            return folder
    return state_dir / "run"


def default_config_file() -> Path:
    import platformdirs

    return platformdirs.user_config_path(APP) / "config.toml"


def private_dir(path: Path) -> Path:
    """Make `path` with mode 0700, or check that it is a folder of this user which nobody else may enter.

    Raises NotPrivate with a sentence that says what to do.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        found = path.lstat()
    except OSError as error:
        raise NotPrivate(f"cannot make the folder {path}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise NotPrivate(f"{path} should be a folder, and is {'a link' if stat.S_ISLNK(found.st_mode) else 'a file'}")
    _check_owner_and_mode(path, found, 0o700)
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
        raise NotPrivate(f"cannot open {path}: {error.strerror}") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NotPrivate(f"{path} should be a regular file")
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
    """Replace `path` by `data` at once: a reader sees the old or the new contents, after a crash too."""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
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
        raise NotPrivate(f"cannot write {path}: {error.strerror}") from error


def lock_private(path: Path) -> int | None:
    """A descriptor that holds the lock of this private file until it is closed; None when someone else holds it."""
    descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        raise NotPrivate(f"cannot lock {path}: {error.strerror}") from error
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether someone holds the lock of this private file. For that moment lock_private() may be refused."""
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


def _check_owner_and_mode(path: Path, found: os.stat_result, mode: int) -> None:
    if found.st_uid != os.getuid():
        raise NotPrivate(f"{path} should belong to user {os.getuid()}, and belongs to user {found.st_uid}")
    if found.st_mode & 0o077:
        raise NotPrivate(
            f"{path} is open to other users (mode {stat.S_IMODE(found.st_mode):04o}): expected {mode:04o}; "
            f"run `chmod {mode:o} {path}`"
        )
