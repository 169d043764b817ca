"""Starts one program on a new pty with ptyprocess, for macOS and the BSDs.

Linux has ext/spawn.h, which takes an eighth of the time: ptyprocess forks, and copies each page that the child touches.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import termios

from ptyprocess import PtyProcess

from vibetunnel.keeper.spawn_failure import LACKING, CannotStart, NothingLeft, exec_reason, folder_reason, shortage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

_SIGNALS = sorted(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
IUTF8 = 0x4000  # c_iflag: erase removes a whole UTF-8 character; the same on Linux and macOS, unknown to `termios`


def start(
    program: str,
    argv: list[str],
    folder: str,
    environment: Mapping[str, str],
    size: tuple[int, int],
    open_files: tuple[int, int],
    spare: list[int],
) -> tuple[int, int]:
    """See spawn.start(), which has checked the arguments.

    size   rows, cols
    spare  the descriptors that the kernel gives next (spawn.lowest_descriptors)
    """
    keeper = os.getpid()
    ignored = _ignored()

    def become() -> NoReturn:
        # Runs in the child. ptyprocess reports its exceptions to `spawn`. It would also exec, but with the path as
        # argv[0], which makes a login shell impossible. So this function does it, and never returns.
        try:
            _prepare_child(folder, open_files, ignored)
        except OSError as error:
            raise RuntimeError(_printable(folder_reason(error, folder))) from None
        try:
            os.execve(program, argv, environment)
        except OSError as error:
            # Only the exception's class and text reach the parent.
            kind = MemoryError if error.errno in LACKING else RuntimeError
            raise kind(_printable(exec_reason(error, program))) from None

    reason = ""
    kind: type[CannotStart] = CannotStart
    try:
        child: _Child = _Child.spawn([program], preexec_fn=become, dimensions=size)
    except BaseException as error:
        if os.getpid() != keeper:
            os._exit(127)  # the child failed where ptyprocess catches nothing: it must not go on as a second keeper
        if not isinstance(error, (RuntimeError, MemoryError, OSError)):
            raise
        reason = str(error)
        # FileNotFoundError: ptyprocess searches for the program again, and it may have been removed.
        if not isinstance(error, (RuntimeError, FileNotFoundError)):
            kind = NothingLeft
        if isinstance(error, OSError) and kind is NothingLeft:
            # No fork: no process or no pty is left. ptyprocess then leaks its pipe, and pty.fork() its pair.
            reason = shortage(error, "process" if error.errno == errno.EAGAIN else "terminal")
            _close_leaked(spare)
        # The exception refers to the frame of ptyprocess, which refers to the exception and the failed child.
        # Cut the circle, so that the child is closed and reaped here and not at the next garbage collection.
        error.__traceback__ = None
    if reason:
        raise kind(reason)
    return child.take()


class _Child(PtyProcess):  # type: ignore[misc]  # ptyprocess has no types
    """A child of ptyprocess without its reading and waiting, which the keeper does not need.

    Until `take`, dropping the object closes the master and reaps the child: its exec has failed.
    """

    def __init__(self, pid: int, fd: int) -> None:
        # Does not call the base class: that opens two buffered files of 16 KB, and queries a terminal.
        self.pid = pid
        self.fd = fd
        self.closed = False
        os.set_inheritable(fd, False)  # forkpty lets the next child inherit it

    def take(self) -> tuple[int, int]:
        """Pid and master; the caller owns them from here on."""
        self.closed = True
        return self.pid, self.fd

    def close(self, force: bool = True) -> None:
        """Give up a child that could not exec. It has reported why and only has to _exit, so the wait is short."""
        if not self.closed:
            self.closed = True
            os.close(self.fd)
            os.waitpid(self.pid, 0)


def _ignored() -> list[int]:
    """The signals that the program would find ignored. exec(2) makes only those with a handler default again.

    A server that was started in the background passes an ignored SIGINT on, and the keeper ignores some signals.
    """
    return [signum for signum in _SIGNALS if signal.getsignal(signum) in (signal.SIG_IGN, None)]


def _prepare_child(folder: str, open_files: tuple[int, int], ignored: list[int]) -> None:
    # As little as possible: every page that the child touches is copied first.
    signal.set_wakeup_fd(-1)
    for signum in ignored:
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    resource.setrlimit(resource.RLIMIT_NOFILE, open_files)
    modes = termios.tcgetattr(0)
    modes[0] |= IUTF8
    termios.tcsetattr(0, termios.TCSANOW, modes)
    os.chdir(folder)


def _printable(text: str) -> str:
    # ptyprocess sends the text as UTF-8, and a path may have other bytes.
    return text.encode("utf-8", "replace").decode("utf-8")


def _close_leaked(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            continue  # this one did not leak
