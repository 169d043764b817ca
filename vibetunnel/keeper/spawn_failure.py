"""Why a program cannot be started: the exceptions, and their texts."""

from __future__ import annotations

import errno
import os
import resource

LACKING = (errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC)  # a retry may work


class CannotStart(Exception):
    """The program cannot be started; the text is the reason, fit for the user."""


class NothingLeft(CannotStart):
    """No terminal, process, memory or descriptor is left for it: the same program may start later."""


def shortage(error: OSError, wanted: str) -> str:
    """What the system has run out of, and what to do; or why it refuses.

    wanted  terminal (a pty), process (a fork), or output (its memory)
    """
    said = error.strerror or os.strerror(error.errno or 0)
    match wanted, error.errno:
        case _, errno.EMFILE:
            return no_descriptor(error, "the keeper")
        case _, errno.ENFILE:
            return f"no open file is left in the system ({said}): close programs, or raise the sysctl fs.file-max"
        case "terminal", errno.ENOSPC:
            return (
                f"No pseudo-terminals are left (kernel.pty.max{_pty_max()}): end sessions, or raise the limit, "
                "for example with `sysctl kernel.pty.max=8192`"
            )
        case "terminal", errno.ENOENT | errno.ENODEV | errno.ENXIO | errno.EACCES | errno.EPERM | errno.EIO:
            return (
                f"the system gives no pseudo-terminal ({said}): mount devpts at /dev/pts, with /dev/ptmx for all users"
            )
        case _, errno.EAGAIN:
            return (
                f"no process is left for this user ({said}): end programs, or raise the limit "
                "(`ulimit -u`, TasksMax= of a systemd service, pids.max of a container)"
            )
        case _, errno.ENOMEM:
            return f"no memory is left for the {wanted} ({said}): end programs, or give this machine more memory"
        case _:
            return f"no new {wanted}: {said}"


def no_descriptor(error: OSError, process: str) -> str:
    """`process` is at its limit of open files."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (
        f"no descriptor is left for another session: {process} has {limit} ({error.strerror}). End sessions, or raise "
        "the limit of open files (`ulimit -n`, `prlimit --nofile`, LimitNOFILE= of a systemd service) and restart it"
    )


def _pty_max() -> str:
    try:
        with open("/proc/sys/kernel/pty/max", encoding="ascii") as file:
            return f" is {file.read().strip()}"
    except OSError:
        return ""


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
