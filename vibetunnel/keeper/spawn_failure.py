"""Why a program cannot be started: the exceptions, and their texts."""

from __future__ import annotations

import errno
import os

LACKING = (errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC)  # a retry may work


class CannotStart(Exception):
    """The program cannot be started; the text is the reason, fit for the user."""


class NothingLeft(CannotStart):
    """No terminal, process, memory or descriptor is left for it: the same program may start later."""


def exec_reason(error: OSError | ValueError, path: str) -> str:
    code = getattr(error, "errno", None)
    if code in (errno.EACCES, errno.EPERM):
        return f"permission denied: {path}"
    if code in (errno.ENOENT, errno.ENOTDIR):
        if os.path.exists(path):
            return f"cannot run {path}: its interpreter does not exist"
        return f"no such file: {path}"
    return f"cannot run {path!r}: {getattr(error, 'strerror', None) or error}"


def folder_reason(error: Exception, folder: str) -> str:
    if isinstance(error, PermissionError):
        return f"folder not permitted: {folder}"
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return f"no such folder: {folder}"
    return f"cannot enter {folder!r}: {getattr(error, 'strerror', None) or error}"
