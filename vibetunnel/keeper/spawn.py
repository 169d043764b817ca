"""Starts one program on a new pty, or says why it cannot be started."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import termios

from ptyprocess import PtyProcess

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

SIZE_LIMIT = 65535  # rows or cols: what struct winsize holds
LACKING = (errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.ENOSPC)  # it may work later
_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
IUTF8 = 0x4000  # c_iflag: erase removes a whole UTF-8 character; the same on Linux and macOS, unknown to `termios`


class CannotStart(Exception):
    """The program cannot be started; the text is the reason, fit for the user."""


class NothingLeft(CannotStart):
    """No terminal, process, memory or descriptor is left for it: the same program may start later."""


def check_folder(folder: str) -> None:
    """Raise CannotStart unless a process of ours can start in this folder."""
    if not os.path.isabs(folder):
        raise CannotStart(f"the folder must be absolute: {folder!r}")
    try:
        mode = os.stat(folder).st_mode
    except (OSError, ValueError) as error:
        raise CannotStart(_folder_reason(error, folder)) from None
    if not stat.S_ISDIR(mode):
        raise CannotStart(f"not a folder: {folder}")
    if not os.access(folder, os.X_OK):
        raise CannotStart(f"folder not permitted: {folder}")


def find_program(name: str, search: str, folder: str) -> str:
    """The absolute path of the program that `name` means to a shell in `folder` whose PATH is `search`.

    Raises CannotStart when there is none, or none that may be run.
    """
    if not name:
        raise CannotStart("the command is empty")
    if "/" in name:
        path = os.path.join(folder, name)
        problem = _why_not_runnable(path)
        if problem:
            raise CannotStart(problem)
        return path
    problems = []
    for entry in search.split(os.pathsep):
        path = os.path.join(folder, entry, name)  # an empty entry means the current folder
        problem = _why_not_runnable(path)
        if not problem:
            return path
        problems.append(problem)
    # "permission denied: /usr/bin/thing" says more than that it is in no folder of PATH.
    found = [problem for problem in problems if problem.startswith("permission denied")]
    raise CannotStart(found[0] if found else f"no such command: {name} (searched in {search})")


def start(
    program: str,
    argv: list[str],
    *,
    folder: str,
    environment: Mapping[str, str],
    rows: int,
    cols: int,
    open_files: tuple[int, int],
) -> tuple[int, int]:
    """Run `program` as the leader of a new session on a new pty; returns its pid and the pty's master.

    program     absolute path; `argv[0]` may differ from it, as it does for a login shell
    open_files  soft and hard limit of open files that the program shall have
    Returns     when the program runs: its exec has succeeded. The master is close-on-exec.
    Raises      CannotStart; NothingLeft when it is the system's fault and not the program's
    """
    _check(argv, environment, rows, cols)
    keeper = os.getpid()
    spare = _lowest_descriptors()
    ignored = _ignored()

    def become() -> NoReturn:
        # Runs in the child, where ptyprocess turns an exception of it into one of `spawn`. ptyprocess would exec by
        # itself, but with the path as argv[0], which makes a login shell impossible; so this never returns.
        try:
            _prepare_child(folder, open_files, ignored)
        except OSError as error:
            raise RuntimeError(_printable(_folder_reason(error, folder))) from None
        try:
            os.execve(program, argv, environment)
        except OSError as error:
            # Only its class and its text reach the parent.
            kind = MemoryError if error.errno in LACKING else RuntimeError
            raise kind(_printable(_exec_reason(error, program))) from None

    reason = ""
    kind: type[CannotStart] = CannotStart
    try:
        child: _Child = _Child.spawn([program], preexec_fn=become, dimensions=(rows, cols))
    except BaseException as error:
        if os.getpid() != keeper:
            os._exit(127)  # the child, failed where ptyprocess catches nothing: it must not go on as a second keeper
        if not isinstance(error, (RuntimeError, MemoryError, OSError)):
            raise
        reason = str(error)
        # ptyprocess looks for the program once more, and may find it gone.
        if not isinstance(error, (RuntimeError, FileNotFoundError)):
            kind = NothingLeft
        if isinstance(error, OSError) and kind is NothingLeft:
            # No fork: no process or no pty left. ptyprocess forgets its pipe then, and pty.fork() the pair it opened.
            reason = f"no new terminal: {error.strerror or error}"
            _close_leaked(spare)
        # The exception holds the frame of ptyprocess, and that holds the exception and the child that could not exec.
        # Cut the circle, so that the child is closed and reaped here and not when garbage is collected.
        error.__traceback__ = None
    if reason:
        raise kind(reason)
    return child.take()


class _Child(PtyProcess):  # type: ignore[misc]  # ptyprocess has no types
    """What ptyprocess starts, without what it would do later: the keeper reads nothing, and never waits.

    Until `take`, dropping the object closes the master and reaps the child, which then is one whose exec failed.
    """

    def __init__(self, pid: int, fd: int) -> None:
        # Not the base's: that opens two buffered files for 16 KB, and asks a terminal which the keeper has not.
        self.pid = pid
        self.fd = fd
        self.closed = False
        os.set_inheritable(fd, False)  # forkpty leaves it open to the next child

    def take(self) -> tuple[int, int]:
        """Pid and master, the caller's from here."""
        self.closed = True
        return self.pid, self.fd

    def close(self, force: bool = True) -> None:
        """Give up a child that could not exec. It has said why and has only _exit left, so the wait is short."""
        if not self.closed:
            self.closed = True
            os.close(self.fd)
            os.waitpid(self.pid, 0)


def _check(argv: list[str], environment: Mapping[str, str], rows: int, cols: int) -> None:
    # What would raise in the child before exec, where it is hard to report.
    if not (1 <= rows <= SIZE_LIMIT and 1 <= cols <= SIZE_LIMIT):
        raise CannotStart(f"rows and cols must be 1 to {SIZE_LIMIT}, not {rows} and {cols}")
    if any("\0" in word for word in argv):
        raise CannotStart("an argument holds a NUL byte")
    for name, value in environment.items():
        if not name or "=" in name or "\0" in name + value:
            raise CannotStart(f"a name in the environment is empty or holds '=' or NUL, or its value NUL: {name!r}")


def _ignored() -> list[int]:
    """The signals that a program of ours would find ignored; those that we handle, exec(2) makes default again.

    A server started in the background passes an ignored SIGINT on, and the keeper ignores some itself.
    """
    return [signum for signum in _SIGNALS if signal.getsignal(signum) in (signal.SIG_IGN, None)]


def _prepare_child(folder: str, open_files: tuple[int, int], ignored: list[int]) -> None:
    # As little as there can be: every page that this touches is copied first.
    signal.set_wakeup_fd(-1)
    for signum in ignored:
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_NOFILE, open_files)
    modes = termios.tcgetattr(0)
    modes[0] |= IUTF8
    termios.tcsetattr(0, termios.TCSANOW, modes)
    os.chdir(folder)


def _why_not_runnable(path: str) -> str:
    # Empty when it can be run, as far as one can tell before exec.
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        return _exec_reason(error, path)
    if stat.S_ISDIR(mode):
        return f"is a folder: {path}"
    if not stat.S_ISREG(mode):
        return f"not a program: {path}"
    return "" if os.access(path, os.X_OK) else f"permission denied: {path}"


def _exec_reason(error: OSError | ValueError, path: str) -> str:
    code = getattr(error, "errno", None)
    if code in (errno.EACCES, errno.EPERM):
        return f"permission denied: {path}"
    if code in (errno.ENOENT, errno.ENOTDIR):
        if os.path.exists(path):
            return f"cannot run {path}: the interpreter that it asks for does not exist"
        return f"no such file: {path}"
    return f"cannot run {path!r}: {getattr(error, 'strerror', None) or error}"


def _folder_reason(error: Exception, folder: str) -> str:
    if isinstance(error, PermissionError):
        return f"folder not permitted: {folder}"
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return f"no such folder: {folder}"
    return f"cannot enter {folder!r}: {getattr(error, 'strerror', None) or error}"


def _printable(text: str) -> str:
    # ptyprocess sends it as UTF-8, which a path of other bytes is not.
    return text.encode("utf-8", "replace").decode("utf-8")


def _lowest_descriptors() -> list[int]:
    # The four that the kernel gives next; having them free also means that the answer's duplicates will find room.
    taken: list[int] = []
    try:
        taken += os.pipe()
        taken += os.pipe()
    except OSError as error:
        raise NothingLeft(f"no new terminal: {error.strerror}") from None
    finally:
        for descriptor in taken:
            os.close(descriptor)
    return taken


def _close_leaked(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            continue  # this one was not left open
