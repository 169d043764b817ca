"""Starts one program on a new pty with ptyprocess, where there is no ext/spawn.h for it: on macOS and the BSDs.

Linux has ext/spawn.h, which takes an eighth of the time: ptyprocess forks, and copies each page that the child touches.
"""

from __future__ import annotations

import os
import resource
import signal
import termios

from ptyprocess import PtyProcess

from vibetunnel.keeper.spawn import LACKING, CannotStart, NothingLeft, exec_reason, folder_reason, lowest_descriptors

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
) -> tuple[int, int]:
    """See spawn.start(), which has looked at what is asked for. size: rows, cols."""
    keeper = os.getpid()
    spare = lowest_descriptors()
    ignored = _ignored()

    def become() -> NoReturn:
        # Runs in the child, where ptyprocess turns an exception of it into one of `spawn`. ptyprocess would exec by
        # itself, but with the path as argv[0], which makes a login shell impossible; so this never returns.
        try:
            _prepare_child(folder, open_files, ignored)
        except OSError as error:
            raise RuntimeError(_printable(folder_reason(error, folder))) from None
        try:
            os.execve(program, argv, environment)
        except OSError as error:
            # Only its class and its text reach the parent.
            kind = MemoryError if error.errno in LACKING else RuntimeError
            raise kind(_printable(exec_reason(error, program))) from None

    reason = ""
    kind: type[CannotStart] = CannotStart
    try:
        child: _Child = _Child.spawn([program], preexec_fn=become, dimensions=size)
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


def _printable(text: str) -> str:
    # ptyprocess sends it as UTF-8, which a path of other bytes is not.
    return text.encode("utf-8", "replace").decode("utf-8")


def _close_leaked(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            continue  # this one was not left open
