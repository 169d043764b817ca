"""spawn.start() and its two implementations, in this process."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import re
import signal
import sys

import pytest
from keeper_home import LIMITS, descriptors

from vibetunnel.keeper import ring, spawn, spawn_failure, spawn_ptyprocess
from vibetunnel.keeper.environment import session_environment


def test_environment_of_an_account_is_made_up_when_the_server_has_none():
    made = session_environment({}, {}, session_id="x", folder="/")
    assert {"HOME", "SHELL", "USER", "LOGNAME", "PATH"} <= set(made)


def test_folder_that_is_not_permitted_says_so(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # for root, access() is always true
    with pytest.raises(spawn_failure.CannotStart, match="folder not permitted: /usr"):
        spawn.check_folder("/usr")


def test_ring_without_memfd_is_a_file_without_a_name(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    made = ring.make_ring(65536, str(tmp_path))
    try:
        assert os.fstat(made).st_size == 4096 + 65536 + 2 * 1024 * 1024
        assert list(tmp_path.iterdir()) == []
    finally:
        os.close(made)


def by_vfork(program: str, *arguments: str, folder: str = "/") -> tuple[int, int]:
    """How the keeper starts a program on Linux."""
    argv, environment = [program, *arguments], {"PATH": "/bin:/usr/bin"}
    return spawn.start(program, argv, folder=folder, environment=environment, rows=24, cols=80, open_files=LIMITS)[:2]


def by_ptyprocess(program: str, *arguments: str, folder: str = "/") -> tuple[int, int]:
    """How it does so on other systems."""
    spare = spawn.lowest_descriptors()
    environment = {"PATH": "/bin:/usr/bin"}
    return spawn_ptyprocess.start(program, [program, *arguments], folder, environment, (24, 80), LIMITS, spare)


each_way = pytest.mark.parametrize(
    "start_here", [by_vfork, by_ptyprocess] if sys.platform == "linux" else [by_ptyprocess]
)


@each_way
def test_failed_exec_leaves_no_descriptor_and_no_child(tmp_path, start_here):
    program = tmp_path / "program"
    program.write_text("neither binary nor script\n")
    program.chmod(0o755)
    before = descriptors()
    gc.disable()  # no cleanup may depend on it
    try:
        with pytest.raises(spawn_failure.CannotStart):
            start_here(str(program))
    finally:
        gc.enable()
    assert descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def settable_signals(field: str, status: bytes) -> set[int]:
    """The signals in a mask of /proc/PID/status, except those of the C library, which no program can reset."""
    found = re.search(rf"{field}:\s+([0-9a-f]+)".encode(), status)
    assert found is not None, status
    mask = int(found[1], 16)
    return {signum for signum in signal.valid_signals() if mask >> (signum - 1) & 1}


@each_way
def test_the_program_inherits_nothing_else_from_the_keeper(start_here):
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    handled = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        pid, master = start_here("/bin/cat", "/proc/self/status", "/proc/self/limits")
        assert signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, ())  # this process's mask is unchanged
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGUSR2, before)
        signal.signal(signal.SIGTERM, handled)
        os.close(write_end)
    try:
        said = b""
        with contextlib.suppress(OSError):  # EIO: the last process has closed the terminal
            while chunk := os.read(master, 65536):
                said += chunk
        for field in ("SigBlk", "SigIgn", "SigCgt"):
            assert not settable_signals(field, said)
        assert re.search(rb"Max open files\s+%d\s+%d " % LIMITS, said)
        assert os.read(read_end, 1) == b""  # no process has the other end open
    finally:
        os.close(read_end)
        os.close(master)
        os.waitpid(pid, 0)


@each_way
def test_the_program_leads_a_session_on_a_terminal_of_its_size(start_here):
    pid, master = start_here("/bin/sh", "-c", "ps -o pid=,sid=,tty= -p $$; stty size; stty -a | grep -o iutf8; pwd")
    try:
        said = b""
        with contextlib.suppress(OSError):
            while chunk := os.read(master, 65536):
                said += chunk
        who, size, mode, folder = said.split(b"\r\n")[:4]
        assert who.split()[:2] == [b"%d" % pid, b"%d" % pid]
        assert who.split()[2].startswith(b"pts/")
        assert (size, mode, folder) == (b"24 80", b"iutf8", b"/")
        assert not os.get_inheritable(master)
    finally:
        os.close(master)
        os.waitpid(pid, 0)


@each_way
@pytest.mark.parametrize(
    ("program", "folder", "reason"),
    [
        ("/bin/true", "/nowhere", "no such folder: /nowhere"),
        ("/nowhere", "/", "no such file: /nowhere"),
        ("/etc/passwd", "/", "permission denied: /etc/passwd"),
    ],
)
def test_a_program_that_cannot_be_started_says_why_and_leaves_nothing(start_here, program, folder, reason):
    before = descriptors()
    if start_here is by_ptyprocess and program != "/bin/true":  # it searches itself, and has another text
        reason = "The command was not found or was not executable"
    with pytest.raises(spawn_failure.CannotStart, match=reason):
        start_here(program, folder=folder)
    assert descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize(
    ("step", "number", "kind", "reason"),
    [
        ("terminal", errno.ENOSPC, spawn_failure.NothingLeft, "No pseudo-terminals are left"),
        ("process", errno.EAGAIN, spawn_failure.NothingLeft, "no process is left for this user"),
        ("terminal", errno.ENOENT, spawn_failure.NothingLeft, "the system gives no pseudo-terminal"),
        ("terminal", errno.EMFILE, spawn_failure.NothingLeft, "no descriptor is left .* End sessions, or raise the"),
        ("terminal", errno.ENFILE, spawn_failure.NothingLeft, "raise the sysctl fs.file-max"),
        ("process", errno.ENOMEM, spawn_failure.NothingLeft, "no memory is left for the process"),
        ("exec", errno.ENOMEM, spawn_failure.NothingLeft, "cannot run '/bin/true': Cannot allocate memory"),
        ("exec", errno.ENOEXEC, spawn_failure.CannotStart, "cannot run '/bin/true': Exec format error"),
        ("folder", errno.EACCES, spawn_failure.CannotStart, "folder not permitted: /"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="ptyprocess does it elsewhere")
def test_a_lack_of_resources_is_not_blamed_on_the_program(monkeypatch, step, number, kind, reason):
    from vibetunnel._ext import spawn as system

    def refused(*_, **__):
        raise system.StepFailed(number, step)

    monkeypatch.setattr(system, "start", refused)
    with pytest.raises(spawn_failure.CannotStart, match=reason) as raised:
        by_vfork("/bin/true")
    assert type(raised.value) is kind


def test_failed_fork_leaves_no_descriptor(monkeypatch):
    def no_process_left(*_):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "forkpty", no_process_left)
    monkeypatch.setattr(os, "fork", no_process_left)
    before = descriptors()
    with pytest.raises(spawn_failure.NothingLeft, match="no process is left for this user"):
        by_ptyprocess("/bin/true")
    assert descriptors() == before


def test_exec_without_memory_is_not_blamed_on_the_program(monkeypatch):
    def no_memory_left(*_):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr(os, "execve", no_memory_left)  # in the child, which inherits the patch
    before = descriptors()
    with pytest.raises(spawn_failure.NothingLeft, match="cannot run '/bin/true': Cannot allocate memory"):
        by_ptyprocess("/bin/true")
    assert descriptors() == before
