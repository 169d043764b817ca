"""What goes wrong with a file, in sentences for the client."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from vibetunnel.errors import VibeTunnelError


class FileFailed(VibeTunnelError):
    """The system could not do it, for a reason that the client cannot change by another request."""


class OutsideRoots(VibeTunnelError):
    """The path, or a link on its way, leads out of the roots, or into a folder that is never shown."""


class NoSuchFile(VibeTunnelError):
    """Nothing is at this path."""

    def __init__(self, what: str = "File") -> None:
        super().__init__(f"{what} not found")


class WrongKind(VibeTunnelError):
    """The path leads to something else than the request needs, or that is never opened."""


class WrongName(VibeTunnelError):
    """The name or path cannot be one of a file."""


class NotAllowed(VibeTunnelError):
    """The account of the server has no permission for it."""


class NameTaken(VibeTunnelError):
    """A file or folder has the name already. Nothing is ever overwritten."""

    def __init__(self, name: str) -> None:
        super().__init__(f"There is already a file or folder {name!r}: choose another name, or remove it first")


class FileTooLarge(VibeTunnelError):
    """More bytes than are allowed."""


class NoRoomLeft(VibeTunnelError):
    """The file system is full, or a quota or limit of the system was reached."""


class FilesBusy(VibeTunnelError):
    """Too much file work is waiting."""

    def __init__(self) -> None:
        super().__init__("The server is busy with other files: try again later")


class UnknownUpload(VibeTunnelError):
    """No upload has this id."""

    def __init__(self) -> None:
        super().__init__("There is no upload with this id: it was finished, removed, or given up for lack of progress")


class UploadInUse(VibeTunnelError):
    """Two requests for one upload at the same time."""

    def __init__(self) -> None:
        super().__init__(
            "Another request is sending a piece of this upload: wait until it ends, then ask how far it is"
        )


class WrongOffset(VibeTunnelError):
    """A piece of an upload does not begin where the last one ended."""


class UploadBroken(VibeTunnelError):
    """The body of an upload is malformed, or ended early."""


_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ESTALE}
_BAD_NAME = {errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.EILSEQ}
_NOT_OPENED = {errno.ENXIO, errno.ENODEV, errno.EISDIR}


@contextlib.contextmanager
def explained(what: str = "File", name: str = "") -> Iterator[None]:
    """Turn an OSError into its error here. what: the word for what is missing. name: what is being made."""
    try:
        yield
    except OSError as error:
        raise _explanation(error, what, name) from error


def _explanation(error: OSError, what: str, name: str) -> VibeTunnelError:
    reason = error.strerror or "the system refused"
    if error.errno == errno.EEXIST:
        return NameTaken(name)
    if error.errno in _ABSENT:
        return NoSuchFile(what)
    if error.errno in _NO_ROOM:
        return NoRoomLeft(f"The file cannot be stored: {reason}. Make room, and try again")
    if error.errno in _REFUSED:
        return NotAllowed(f"The account that runs the server may not do this: {reason}")
    if error.errno in _BAD_NAME:
        return WrongName(f"path: expected the path of a file or folder: {reason}")
    if error.errno in _NOT_OPENED:
        return WrongKind(NOT_OPENED)
    return FileFailed(f"The system failed: {reason}")


NOT_OPENED = "Only files and folders are opened, and this is a FIFO, a socket, a device, or a file of the kernel"
