"""The keeper, as its server and its programs see it: a real process, real ptys, real signals."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import gc
import json
import mmap
import os
import re
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import uvloop

from vibetunnel.keeper import client as client_module
from vibetunnel.keeper import processes, ring, spawn, spawn_failure, spawn_ptyprocess
from vibetunnel.keeper.channel import Channel
from vibetunnel.keeper.client import KeeperClient, KeptSession, Spawned, SpawnOrder
from vibetunnel.keeper.environment import session_environment
from vibetunnel.keeper.errors import KeeperBusy, KeeperFailed, NoResources, SpawnFailed
from vibetunnel.keeper.log import LIMIT as LOG_LIMIT
from vibetunnel.keeper.log import Log
from vibetunnel.keeper.protocol import (
    FRAME_LIMIT,
    META_LIMIT,
    VERSION,
    Decoder,
    Message,
    ProtocolError,
    encode,
)

DEADLINE_S = 60  # of one test; nothing waits for it but a failure
ROOT = Path(__file__).parents[2]
LIMITS = resource.getrlimit(resource.RLIMIT_NOFILE)


def on(loop_factory):
    """Run an async test on this kind of loop."""

    def decorate(test):
        @functools.wraps(test)
        def run(*args, **fixtures):
            with asyncio.Runner(loop_factory=loop_factory) as runner:
                runner.run(asyncio.wait_for(test(*args, **fixtures), DEADLINE_S))

        return run

    return decorate


on_uvloop = on(uvloop.new_event_loop)
on_asyncio = on(asyncio.new_event_loop)


async def until(condition):
    """Wait for what no event tells; returns its first true value."""
    while not (value := condition()):
        await asyncio.sleep(0.01)
    return value


def alive(pid: int) -> bool:
    return any(process.pid == pid for process in processes.living())


def words(text: bytes) -> list[str]:
    return text.decode().split()


class Terminal:
    """A pty's master in the test's hands."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.seen = b""
        os.set_blocking(fd, False)

    def write(self, data: bytes) -> None:
        assert os.write(self.fd, data) == len(data)

    async def _more(self) -> bool:
        loop = asyncio.get_running_loop()
        readable = loop.create_future()
        loop.add_reader(self.fd, lambda: readable.done() or readable.set_result(None))
        try:
            await readable
        finally:
            loop.remove_reader(self.fd)
        try:
            data = os.read(self.fd, 65536)
        except BlockingIOError:
            return True
        except OSError:  # EIO: no process has the other side open
            return False
        self.seen += data
        return bool(data)

    async def until(self, expected: bytes) -> bytes:
        """All that was printed up to and with `expected`; later calls see what follows."""
        while expected not in self.seen:
            assert await self._more(), f"ended without {expected!r}: {self.seen!r}"
        end = self.seen.index(expected) + len(expected)
        found, self.seen = self.seen[:end], self.seen[end:]
        return found

    async def rest(self) -> bytes:
        while await self._more():
            continue
        return self.seen


class Server:
    """What a vibetunnel server is to the keeper."""

    def __init__(self, client: KeeperClient, lost: asyncio.Event, exits: dict, owned: set[int]) -> None:
        self.client = client
        self.lost = lost
        self.exits = exits
        self.owned = owned

    async def spawn(self, order: SpawnOrder) -> Spawned:
        spawned = await self.client.spawn(order)
        self.owned |= {spawned.pty_fd, spawned.ring_fd}
        return spawned

    async def adopt(self) -> list[KeptSession]:
        kept = await self.client.adopt()
        self.owned |= {fd for one in kept for fd in (one.pty_fd, one.ring_fd) if fd >= 0}
        return kept

    def close(self, *fds: int) -> None:
        for fd in fds:
            self.owned.remove(fd)
            os.close(fd)

    async def start(self, name: str, *argv: str, **order) -> Terminal:
        order.setdefault("cwd", "/")
        spawned = await self.spawn(SpawnOrder(name, list(argv), **order))
        self.pid = spawned.pid
        self.ring_fd = spawned.ring_fd
        return Terminal(spawned.pty_fd)

    async def output(self, *argv: str, **order) -> bytes:
        """All that a program prints, up to its end."""
        return await (await self.start("output", *argv, **order)).rest()

    async def exit(self, name: str):
        return await until(lambda: self.exits.get(name))


class RuntimeDir:
    """A runtime folder, the keeper in it, and the servers that come and go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clients: list[KeeperClient] = []
        self.peers = contextlib.ExitStack()
        self.owned: set[int] = set()  # descriptors that were handed over

    async def server(self, idle_s: float = 30) -> Server:
        exits: dict = {}
        losses = []
        lost = asyncio.Event()

        def on_lost():
            losses.append(None)
            assert len(losses) == 1, "told twice"
            lost.set()

        def on_exit(exited):
            assert exited.session_id not in exits, "told twice"
            exits[exited.session_id] = exited

        client = await KeeperClient.connect(self.folder, on_exit=on_exit, on_lost=on_lost, idle_s=idle_s)
        self.clients.append(client)
        return Server(client, lost, exits, self.owned)

    def log(self) -> str:
        return (self.folder / "keeper.log").read_text()

    def raw(self) -> RawPeer:
        return self.peers.enter_context(RawPeer(self.folder))


class RawPeer(contextlib.ExitStack):
    """A peer that says what it likes."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.sock = self.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        self.sock.settimeout(DEADLINE_S)
        self.sock.connect(str(folder / "keeper.sock"))

    def say(self, **fields) -> None:
        self.sock.sendall(encode(fields))

    def hear(self) -> dict:
        (length,) = struct.unpack(">I", self._exactly(4))
        return json.loads(self._exactly(length))

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.sock.recv(count - len(data))
            assert more, f"closed after {data!r}"
            data += more
        return data

    def ask(self, **fields) -> dict:
        self.say(**fields)
        return self.hear()

    def closed(self) -> bool:
        return self.sock.recv(1) == b""


def descriptors() -> set[int]:
    """Those of this process that are open now."""
    with os.scandir("/dev/fd") as entries:
        found = [int(entry.name) for entry in entries]
    return {fd for fd in found if fd not in (0, 1, 2) and _is_open(fd)}


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


@pytest.fixture
def place():
    folder = Path(tempfile.mkdtemp(prefix="vt"))
    made = RuntimeDir(folder)
    yield made

    made.peers.close()

    async def sweep():
        for client in made.clients:
            await client.close()
        if (folder / "keeper.sock").exists():
            try:
                server = await made.server()
            except KeeperFailed:
                return  # a test that broke the folder has no keeper in it
            await server.client.stop(kill=True)
        for pid in {client.pid for client in made.clients}:
            await until(lambda pid=pid: not alive(pid))

    on_asyncio(sweep)()
    for fd in made.owned:
        os.close(fd)
    shutil.rmtree(folder)


# Starting programs


@on_uvloop
async def test_shell_answers_on_the_pty_that_was_handed_over(place):
    server = await place.server()
    terminal = await server.start("a", "sh")
    terminal.write(b"echo $((6 * 7))\n")
    await terminal.until(b"42\r\n")
    terminal.write(b"exit 3\n")
    exited = await server.exit("a")
    assert (exited.session_id, exited.code, exited.signal, exited.reason) == ("a", 3, None, None)


@on_asyncio
async def test_shell_answers_under_plain_asyncio_too(place):
    server = await place.server()
    terminal = await server.start("a", "sh")
    terminal.write(b"echo $((6 * 7))\n")
    await terminal.until(b"42\r\n")
    await server.client.kill("a", 5)
    assert server.exits["a"].signal in (signal.SIGHUP, signal.SIGTERM)


@on_uvloop
async def test_program_gets_its_arguments_folder_and_size(place):
    server = await place.server()
    script = 'echo "$0|$1|$2"; pwd; stty size'
    printed = await server.output("sh", "-c", script, "zero", "one two", "ä'\"", cwd="/usr", rows=33, cols=111)
    assert printed.decode().splitlines() == ["zero|one two|ä'\"", "/usr", "33 111"]


@on_uvloop
async def test_program_gets_the_environment_of_a_terminal_of_ours_and_none_of_the_servers(place, monkeypatch):
    for name in (
        "TMUX",
        "STY",
        "COLUMNS",
        "TERM_PROGRAM",
        "VTE_VERSION",
        "WT_SESSION",
        "VIBETUNNEL_SECRET",
        "KITTY_PID",
    ):
        monkeypatch.setenv(name, "the server's")
    monkeypatch.setenv("KEPT", "yes")
    monkeypatch.setenv("TERM", "dumb")
    server = await place.server()
    printed = await server.output("env", env={"ADDED": "1", "COLORTERM": "mine"}, cwd="/usr")
    seen = dict(line.split("=", 1) for line in printed.decode().splitlines())
    assert "the server's" not in seen.values()
    expected = {"KEPT": "yes", "TERM": "xterm-256color", "ADDED": "1", "COLORTERM": "mine", "PWD": "/usr"}
    assert {name: seen.get(name) for name in expected} == expected
    assert seen["VIBETUNNEL_SESSION_ID"] == "output"


def test_environment_of_an_account_is_made_up_when_the_server_has_none():
    made = session_environment({}, {}, session_id="x", folder="/")
    assert {"HOME", "SHELL", "USER", "LOGNAME", "PATH"} <= set(made)


@on_uvloop
async def test_session_id_cannot_be_overridden(place):
    server = await place.server()
    printed = await server.output("sh", "-c", "echo $VIBETUNNEL_SESSION_ID", env={"VIBETUNNEL_SESSION_ID": "other"})
    assert words(printed) == ["output"]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_login_shell_is_one(place, shell):
    @on_uvloop
    async def check():
        server = await place.server()
        terminal = await server.start("a", shell, login=True)
        terminal.write(b'echo "<$0>"\n')
        await terminal.until(f"<-{shell}>".encode())

    check()


@on_uvloop
async def test_program_is_searched_in_the_sessions_own_path(place):
    program = place.folder / "only-here"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    server = await place.server()
    with pytest.raises(SpawnFailed, match="no such command: only-here"):
        await server.start("a", "only-here")
    printed = await server.output("only-here", env={"PATH": f"/nowhere:{place.folder}"})
    assert words(printed) == ["found"]


@on_uvloop
async def test_path_with_a_slash_counts_from_the_sessions_folder(place):
    program = place.folder / "here"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    server = await place.server()
    assert words(await server.output("./here", cwd=str(place.folder))) == ["found"]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"argv": ["/bin/nope"]}, "no such file: /bin/nope"),
        ({"argv": ["/etc/passwd/x"]}, "no such file: /etc/passwd/x"),
        ({"argv": ["no-such-thing"], "env": {"PATH": "/bin"}}, "no such command: no-such-thing (searched in /bin)"),
        ({"argv": ["/etc/passwd"]}, "permission denied: /etc/passwd"),
        ({"argv": ["passwd"], "env": {"PATH": "/nope:/etc"}}, "permission denied: /etc/passwd"),
        ({"argv": ["/usr"]}, "is a folder: /usr"),
        ({"argv": ["/dev/null"]}, "not a program: /dev/null"),
        ({"argv": []}, "the command is empty"),
        ({"argv": [""]}, "the command is empty"),
        ({"cwd": "/nope"}, "no such folder: /nope"),
        ({"cwd": "/etc/passwd"}, "not a folder: /etc/passwd"),
        ({"cwd": "etc"}, "the folder must be absolute: 'etc'"),
        ({"argv": ["true", "a\0b"]}, "an argument contains a NUL byte"),
        ({"env": {"A=B": ""}}, "an environment variable has no name, a name with '=', or a NUL byte: 'A=B'"),
        ({"rows": 0}, "rows and cols must be 1 to 65535, not 0 and 80"),
        ({"cols": 70000}, "rows and cols must be 1 to 65535, not 24 and 70000"),
        ({"ring_bytes": 0}, f"ring_bytes must be 1 to {ring.RING_LIMIT}, not 0"),
        ({"session_id": ""}, "a session id is 1 to 128 printable ASCII characters, not ''"),
        ({"argv": ["true", "x" * 200_000]}, "cannot run .*true': Argument list too long"),
    ],
)
def test_command_that_cannot_start_says_why(place, order, reason):
    @on_uvloop
    async def check():
        server = await place.server()
        whole = {"session_id": "a", "argv": ["true"], "cwd": "/", **order}
        with pytest.raises(SpawnFailed) as caught:
            await server.spawn(SpawnOrder(**whole))
        if ".*" in reason:
            caught.match(reason)
        else:
            assert str(caught.value) == reason
        assert await server.adopt() == []

    check()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("#!/no/such/interpreter\n", "cannot run {}: its interpreter does not exist"),
        ("neither binary nor script\n", "cannot run '{}': Exec format error"),
    ],
)
def test_file_that_exec_refuses_says_why(place, content, reason):
    @on_uvloop
    async def check():
        program = place.folder / "program"
        program.write_text(content)
        program.chmod(0o755)
        server = await place.server()
        with pytest.raises(SpawnFailed) as caught:
            await server.start("a", str(program))
        assert str(caught.value) == reason.format(program)

    check()


def test_folder_that_is_not_permitted_says_so(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests may run as root, who may everything
    with pytest.raises(spawn_failure.CannotStart, match="folder not permitted: /usr"):
        spawn.check_folder("/usr")


@on_uvloop
async def test_only_the_three_standard_descriptors_reach_the_program(place):
    server = await place.server()
    for name in ("a", "b", "c"):
        await server.start(name, "cat")
    # 3 is the folder that ls reads.
    assert words(await server.output("ls", "/dev/fd")) == ["0", "1", "2", "3"]


@on_uvloop
async def test_ignored_and_blocked_signals_of_the_server_do_not_reach_the_program(place):
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        server = await place.server()
    finally:
        signal.signal(signal.SIGINT, ignored)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    terminal = await server.start("a", "sh", "-c", "echo ready; exec sleep 1000")
    await terminal.until(b"ready")
    terminal.write(b"\x03")
    assert (await server.exit("a")).signal == signal.SIGINT
    await server.start("b", "sh", "-c", "kill -USR1 $$; echo went on")
    exited = await server.exit("b")
    assert (exited.code, exited.signal, exited.reason) == (128 + 10, 10, "ended by SIGUSR1")


@on_uvloop
async def test_program_has_the_servers_limit_of_open_files(place):
    server = await place.server()
    assert words(await server.output("sh", "-c", "ulimit -n")) == [str(LIMITS[0])]


@on_uvloop
async def test_erase_key_removes_a_whole_character(place):
    server = await place.server()
    terminal = await server.start("a", "sh", "-c", 'echo ready; read line; echo "<$line>"')
    await terminal.until(b"ready")
    terminal.write("aé\x7fb\n".encode())
    await terminal.until(b"<ab>")


@on_uvloop
async def test_session_cannot_be_started_twice(place):
    server = await place.server()
    await server.start("a", "cat")
    with pytest.raises(SpawnFailed, match="session a has been started already"):
        await server.start("a", "cat")


@on_uvloop
async def test_order_larger_than_a_frame_is_refused(place):
    server = await place.server()
    with pytest.raises(SpawnFailed, match=f"at most {FRAME_LIMIT} bytes"):
        await server.start("a", "true", env={"BIG": "x" * FRAME_LIMIT})
    assert words(await server.output("echo", "still here")) == ["still", "here"]


@on_uvloop
async def test_failed_start_keeps_what_was_noted(place):
    server = await place.server()
    server.client.note("a", b"created")
    with pytest.raises(SpawnFailed):
        await server.start("a", "/bin/nope", meta=b"starting")
    (kept,) = await server.adopt()
    assert (kept.session_id, kept.pid, kept.meta) == ("a", None, b"created")


@on_uvloop
async def test_master_and_ring_are_close_on_exec(place):
    server = await place.server()
    spawned = await server.spawn(SpawnOrder("a", ["cat"], "/"))
    assert not os.get_inheritable(spawned.pty_fd)
    assert not os.get_inheritable(spawned.ring_fd)


@on_uvloop
async def test_ring_is_zeroed_memory_of_the_asked_size(place):
    server = await place.server()
    spawned = await server.spawn(SpawnOrder("a", ["cat"], "/", ring_bytes=65536))
    assert os.fstat(spawned.ring_fd).st_size == 4096 + 65536 + 2 * 1024 * 1024
    assert os.pread(spawned.ring_fd, 100_000, 0) == bytes(100_000)


def test_ring_without_memfd_is_a_file_without_a_name(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    made = ring.make_ring(65536, str(tmp_path))
    try:
        assert os.fstat(made).st_size == 4096 + 65536 + 2 * 1024 * 1024
        assert list(tmp_path.iterdir()) == []
    finally:
        os.close(made)


def by_vfork(program: str, *arguments: str, folder: str = "/") -> tuple[int, int]:
    """What the keeper does on Linux."""
    argv, environment = [program, *arguments], {"PATH": "/bin:/usr/bin"}
    return spawn.start(program, argv, folder=folder, environment=environment, rows=24, cols=80, open_files=LIMITS)


def by_ptyprocess(program: str, *arguments: str, folder: str = "/") -> tuple[int, int]:
    """What it does elsewhere."""
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
    gc.disable()  # nothing may depend on it
    try:
        with pytest.raises(spawn_failure.CannotStart):
            start_here(str(program))
    finally:
        gc.enable()
    assert descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def settable_signals(field: str, status: bytes) -> set[int]:
    """Signals in a mask of /proc/PID/status, without those the C library keeps: nobody can reset these if ignored."""
    found = re.search(rf"{field}:\s+([0-9a-f]+)".encode(), status)
    assert found is not None, status
    mask = int(found[1], 16)
    return {signum for signum in signal.valid_signals() if mask >> (signum - 1) & 1}


@each_way
def test_nothing_of_the_one_who_asks_is_left_in_the_program(start_here):
    read_end, write_end = os.pipe()
    os.set_inheritable(write_end, True)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    before = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    handled = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        pid, master = start_here("/bin/cat", "/proc/self/status", "/proc/self/limits")
        assert signal.SIGUSR1 in signal.pthread_sigmask(signal.SIG_BLOCK, ())  # ours is as it was
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        signal.signal(signal.SIGUSR2, before)
        signal.signal(signal.SIGTERM, handled)
        os.close(write_end)
    try:
        said = b""
        with contextlib.suppress(OSError):  # EIO: the last one has left the terminal
            while chunk := os.read(master, 65536):
                said += chunk
        for field in ("SigBlk", "SigIgn", "SigCgt"):
            assert not settable_signals(field, said)
        assert re.search(rb"Max open files\s+%d\s+%d " % LIMITS, said)
        assert os.read(read_end, 1) == b""  # the other end is nowhere open
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
def test_what_cannot_be_started_says_why_and_leaves_nothing(start_here, program, folder, reason):
    before = descriptors()
    if start_here is by_ptyprocess and program != "/bin/true":  # it looks for the program itself, in other words
        reason = "The command was not found or was not executable"
    with pytest.raises(spawn_failure.CannotStart, match=reason):
        start_here(program, folder=folder)
    assert descriptors() == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize(
    ("step", "number", "kind", "reason"),
    [
        ("terminal", errno.ENOSPC, spawn_failure.NothingLeft, "no new terminal: No space left on device"),
        ("process", errno.EAGAIN, spawn_failure.NothingLeft, "no new terminal: Resource temporarily unavailable"),
        ("exec", errno.ENOMEM, spawn_failure.NothingLeft, "cannot run '/bin/true': Cannot allocate memory"),
        ("exec", errno.ENOEXEC, spawn_failure.CannotStart, "cannot run '/bin/true': Exec format error"),
        ("folder", errno.EACCES, spawn_failure.CannotStart, "folder not permitted: /"),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="ptyprocess does it elsewhere")
def test_what_the_system_lacks_is_not_blamed_on_the_program(monkeypatch, step, number, kind, reason):
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
    with pytest.raises(spawn_failure.NothingLeft, match="no new terminal: Resource temporarily unavailable"):
        by_ptyprocess("/bin/true")
    assert descriptors() == before


def test_exec_without_memory_is_not_blamed_on_the_program(monkeypatch):
    def no_memory_left(*_):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr(os, "execve", no_memory_left)  # in the child, which has it from here
    before = descriptors()
    with pytest.raises(spawn_failure.NothingLeft, match="cannot run '/bin/true': Cannot allocate memory"):
        by_ptyprocess("/bin/true")
    assert descriptors() == before


@on_uvloop
async def test_start_without_a_descriptor_left_fails_for_now_and_works_later(place):
    server = await place.server()
    server.client.note("a", b"created")
    await server.adopt()  # so that the keeper has read it
    limit = resource.prlimit(server.client.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.client.pid, resource.RLIMIT_NOFILE, (3, limit[1]))
    with pytest.raises(NoResources, match="Too many open files"):
        await server.start("a", "cat")
    resource.prlimit(server.client.pid, resource.RLIMIT_NOFILE, limit)
    assert [(one.session_id, one.pid, one.meta) for one in await server.adopt()] == [("a", None, b"created")]
    await (await server.start("a", "echo", "now")).until(b"now")


# What is kept


@on_uvloop
async def test_next_server_adopts_the_same_pty_and_the_same_memory(place):
    first = await place.server()
    terminal = await first.start("a", "sh", meta=b"\x00\xff opaque")
    pid = first.pid
    mine = mmap.mmap(first.ring_fd, 8192)
    terminal.write(b"X=kept\n")
    await first.client.close()

    second = await place.server()
    assert second.client.pid == first.client.pid
    (kept,) = await second.adopt()
    assert (kept.session_id, kept.pid, kept.meta, kept.exited) == ("a", pid, b"\x00\xff opaque", None)
    adopted = Terminal(kept.pty_fd)
    adopted.write(b'echo "<$X>"\n')
    await adopted.until(b"<kept>")
    theirs = mmap.mmap(kept.ring_fd, 8192)
    mine[5000:5005] = b"bytes"
    assert theirs[5000:5005] == b"bytes"


@on_uvloop
async def test_output_waits_while_no_server_is_there(place):
    first = await place.server()
    terminal = await first.start("a", "sh")
    terminal.write(b'read line; echo "<$line>"; kill -STOP $$\n')
    terminal.write(b"words\n")
    await first.client.close()
    first.close(terminal.fd)
    second = await place.server()
    (kept,) = await second.adopt()
    await Terminal(kept.pty_fd).until(b"<words>")


@on_uvloop
async def test_end_without_a_server_is_told_to_the_next(place):
    first = await place.server()
    terminal = await first.start("a", "sh", "-c", "read line; printf last; exit 7")
    os.write(terminal.fd, b"go\n")
    await first.client.close()
    await until(lambda: "ended" in place.log())
    second = await place.server()
    (kept,) = await second.adopt()
    assert (kept.exited.code, kept.exited.signal) == (7, None)
    assert b"last" in await Terminal(kept.pty_fd).rest()  # the pty is kept until it is released
    assert second.exits == {}


@on_uvloop
async def test_sessions_come_back_in_the_order_of_their_start(place):
    server = await place.server()
    server.client.note("created", b"1")
    await server.start("first", "cat", meta=b"2")
    server.client.note("later", b"3")
    await server.start("second", "true", meta=b"4")
    await server.exit("second")
    await server.start("later", "cat", meta=b"5")
    kept = await server.adopt()
    assert [(one.session_id, one.meta) for one in kept] == [
        ("created", b"1"), ("first", b"2"), ("second", b"4"), ("later", b"5"),
    ]  # fmt: skip
    assert [one.pid is None for one in kept] == [True, False, False, False]
    assert [one.pty_fd >= 0 for one in kept] == [False, True, True, True]
    assert [one.exited is not None for one in kept] == [False, False, True, False]


@on_uvloop
async def test_note_replaces_the_metadata_of_a_running_session(place):
    server = await place.server()
    await server.start("a", "cat", meta=b"old")
    server.client.note("a", b"new")
    assert [one.meta for one in await server.adopt()] == [b"new"]


@on_uvloop
async def test_metadata_has_a_bound_on_both_sides(place):
    server = await place.server()
    server.client.note("a", b"x" * META_LIMIT)
    assert [len(one.meta) for one in await server.adopt()] == [META_LIMIT]
    with pytest.raises(KeeperFailed, match=f"at most {META_LIMIT} bytes, that of a has {META_LIMIT + 1}"):
        server.client.note("a", b"x" * (META_LIMIT + 1))
    with pytest.raises(SpawnFailed, match=f"at most {META_LIMIT} bytes, this has {META_LIMIT + 1}"):
        await server.start("b", "cat", meta=b"x" * (META_LIMIT + 1))


@on_uvloop
async def test_released_session_keeps_its_ring_and_end_but_no_pty(place):
    server = await place.server()
    await server.start("a", "true", meta=b"m")
    await server.exit("a")
    server.client.release("a")
    (kept,) = await server.adopt()
    assert kept.pty_fd == -1
    assert kept.ring_fd >= 0
    assert (kept.exited.code, kept.meta) == (0, b"m")


@on_uvloop
async def test_release_of_a_living_session_waits_for_its_end(place):
    server = await place.server()
    terminal = await server.start("a", "sh")
    server.client.release("a")
    (kept,) = await server.adopt()
    assert kept.pty_fd >= 0
    terminal.write(b"echo $((6 * 7)); exit\n")
    await terminal.until(b"42\r\n")
    await server.exit("a")
    (kept,) = await server.adopt()
    assert kept.pty_fd == -1


@on_uvloop
async def test_forgotten_session_is_gone(place):
    server = await place.server()
    await server.start("a", "true")
    await server.exit("a")
    server.client.note("b", b"")
    server.client.forget("a")
    server.client.forget("b")
    assert await server.adopt() == []


@on_uvloop
async def test_living_session_is_not_forgotten(place, expect_log):
    expect_log(r"^the keeper refused: session a still has process \d+: kill it first$")
    server = await place.server()
    await server.start("a", "cat")
    server.client.forget("a")
    assert [one.session_id for one in await server.adopt()] == ["a"]


# Ends


@on_uvloop
async def test_jobs_outlive_a_shell_that_exits_by_itself(place):
    server = await place.server()
    terminal = await server.start("a", "sh", "-c", "trap '' HUP; sleep 1000 >/dev/null & echo job=$!.")
    job = int((await terminal.until(b".")).split(b"=")[1][:-1])
    try:
        await server.exit("a")
        await server.client.kill("a", 0)  # too late: what is left was meant to be
        assert alive(job)
    finally:
        os.kill(job, signal.SIGKILL)


@on_uvloop
async def test_kill_leaves_nothing_of_the_session(place):
    server = await place.server()
    terminal = await server.start("a", "bash", "--norc", "-i")
    leader = server.pid
    terminal.write(b"sleep 1001 & sleep 1002 & kill -STOP %2; (trap '' HUP; sleep 1003) & echo made; sleep 1004\n")
    await terminal.until(b"made\r\n")
    await until(lambda: len(members(leader)) >= 5)
    pids = members(leader)
    await server.client.kill("a", 5)
    assert members(leader) == set()
    assert not any(alive(pid) for pid in pids)
    assert server.exits["a"].signal == signal.SIGHUP


def members(leader: int) -> set[int]:
    return {process.pid for process in processes.living() if process.session == leader}


@on_uvloop
async def test_program_that_ignores_hup_and_term_is_killed_after_the_grace(place):
    server = await place.server()
    terminal = await server.start("a", "sh", "-c", "trap '' HUP TERM; sleep 1000 & echo ready; wait; sleep 1000")
    await terminal.until(b"ready")
    await server.client.kill("a", 0.2)
    exited = server.exits["a"]
    assert (exited.code, exited.signal, exited.reason) == (137, 9, "ended by SIGKILL")
    assert members(server.pid) == set()


@on_uvloop
async def test_program_has_its_grace_to_put_things_in_order(place):
    server = await place.server()
    script = "trap 'echo bye; exit 5' TERM; trap '' HUP; echo ready; while :; do sleep 0.05; done"
    terminal = await server.start("a", "sh", "-c", script)
    await terminal.until(b"ready")
    await server.client.kill("a", 60)
    assert server.exits["a"].code == 5
    assert b"bye" in await terminal.rest()


@on_uvloop
async def test_program_that_made_its_own_session_lives_on(place):
    server = await place.server()
    terminal = await server.start("a", "sh", "-c", "setsid sh -c 'echo own=$$.; exec sleep 1000' & wait")
    own = int((await terminal.until(b".")).split(b"=")[1][:-1])
    try:
        await server.client.kill("a", 5)
        assert alive(own)
    finally:
        os.kill(own, signal.SIGKILL)


@on_uvloop
async def test_keeper_serves_others_while_a_kill_waits_and_a_shorter_grace_counts(place):
    server = await place.server()
    terminal = await server.start("a", "sh", "-c", "trap '' HUP TERM; echo ready; while :; do sleep 0.05; done")
    await terminal.until(b"ready")
    slow = asyncio.create_task(server.client.kill("a", 60))
    assert words(await server.output("echo", "served")) == ["served"]
    assert not slow.done()
    await server.client.kill("a", 0)
    await slow
    assert server.exits["a"].signal == signal.SIGKILL


@on_uvloop
async def test_kill_goes_on_when_its_server_leaves(place):
    first = await place.server()
    terminal = await first.start("a", "sh", "-c", "trap '' HUP TERM; echo ready; while :; do sleep 0.05; done")
    await terminal.until(b"ready")
    task = asyncio.create_task(first.client.kill("a", 0.2))
    await asyncio.sleep(0)  # the task has sent its request
    await first.client.close()
    with pytest.raises(KeeperFailed):
        await task
    second = await place.server()
    await until(lambda: "ended" in place.log())
    (kept,) = await second.adopt()
    assert kept.exited.signal == signal.SIGKILL


@on_uvloop
async def test_signal_reaches_the_foreground_job_and_not_the_shell(place):
    server = await place.server()
    terminal = await server.start("a", "bash", "--norc", "-i")
    terminal.write(b"sh -c 'echo job=up; exec sleep 1000'; echo status=$?.\n")
    await terminal.until(b"job=up\r\n")  # before that, bash may still be setting it up
    await server.client.signal("a", signal.SIGTERM, group="foreground")
    await terminal.until(b"status=143.")
    terminal.write(b"echo $((6 * 7))\n")
    await terminal.until(b"42\r\n")


@on_uvloop
async def test_signal_reaches_every_process_of_the_session(place):
    server = await place.server()
    terminal = await server.start("a", "bash", "--norc", "-i")
    leader = server.pid
    terminal.write(
        b"trap 'echo shell=$((6 * 7))' USR1; for job in one two; do sh -c 'echo up; exec sleep 1000' & done\n"
    )
    await terminal.until(b"up\r\n")
    await terminal.until(b"up\r\n")
    await server.client.signal("a", signal.SIGUSR1, group="session")
    await until(lambda: members(leader) == {leader})
    terminal.write(b"\n")
    await terminal.until(b"shell=42")


@on_uvloop
async def test_requests_for_what_is_not_there_say_so(place):
    server = await place.server()
    await server.start("ended", "true")
    await server.exit("ended")
    for request, reason in [
        (server.client.kill("nope", 1), "no such session: nope"),
        (server.client.signal("nope", 15, group="session"), "no such session: nope"),
        (server.client.signal("ended", 15, group="session"), "session ended has no process"),
        (server.client.signal("ended", 999, group="session"), "no such signal: 999"),
        (server.client.kill("ended", -1), "grace_s must be 0 to 60.0, not -1"),
    ]:
        with pytest.raises(KeeperFailed) as caught:
            await request
        assert str(caught.value) == reason


@on_uvloop
async def test_fifty_sessions_at_once_are_started_and_killed(place):
    server = await place.server()
    names = [f"s{number}" for number in range(50)]
    terminals = await asyncio.gather(*(server.start(name, "sh") for name in names))
    for terminal, name in zip(terminals, names, strict=True):
        terminal.write(f"echo '<'{name}'>'\n".encode())
    for terminal, name in zip(terminals, names, strict=True):
        await terminal.until(f"<{name}>".encode())
    kept = await server.adopt()
    assert [one.session_id for one in kept] == names
    pids = {one.pid for one in kept}
    await asyncio.gather(*(server.client.kill(name, 5) for name in names))
    assert set(server.exits) == set(names)
    assert pids.isdisjoint(process.session for process in processes.living())


def test_ps_finds_the_processes_that_proc_has():
    mine = processes.Process(os.getpid(), os.getpgrp(), os.getsid(0))
    assert mine in processes.living()
    assert mine in processes._from_ps()


def test_look_at_the_processes_leaves_none_out_for_want_of_a_descriptor(monkeypatch):
    def no_descriptor_left(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "listdir", lambda path: ["1"])
    monkeypatch.setattr(os, "open", no_descriptor_left)
    with pytest.raises(OSError, match="Too many open files"):
        processes._from_proc()


# Servers


@on_uvloop
async def test_second_server_is_told_who_holds_the_keeper(place):
    first = await place.server()
    with pytest.raises(KeeperBusy, match=f"serves another server, process {os.getpid()}") as caught:
        await place.server()
    assert caught.value.holder == os.getpid()
    assert not first.lost.is_set()
    await first.client.close()
    await place.server()


@on_uvloop
async def test_server_that_has_just_gone_is_not_in_the_way(place):
    server = await place.server()
    await server.start("a", "cat")
    for number in range(20):
        server.client.note("a", f"{number}".encode())  # sent before the end: it counts
        server.client._channel.sock.shutdown(socket.SHUT_RDWR)
        server = await place.server()
        (kept,) = await server.adopt()
        assert kept.meta == f"{number}".encode()
        server.close(kept.pty_fd, kept.ring_fd)


@on_uvloop
async def test_servers_that_start_at_once_make_one_keeper(place):
    results = await asyncio.gather(*(place.server() for _ in range(6)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["KeeperBusy"] * 5 + ["Server"]
    assert place.log().count("listens") == 1


@on_uvloop
async def test_socket_of_a_dead_keeper_is_not_in_the_way(place):
    server = await place.server()
    os.kill(server.client.pid, signal.SIGKILL)
    await server.lost.wait()
    assert (place.folder / "keeper.sock").exists()
    again = await place.server()
    assert again.client.pid != server.client.pid
    assert await again.adopt() == []


@on_uvloop
async def test_lost_keeper_is_told_once_and_what_waits_fails(place):
    server = await place.server()
    terminal = await server.start("a", "sh", "-c", "trap '' HUP TERM; echo ready; while read line; do echo $line; done")
    await terminal.until(b"ready")
    waiting = asyncio.create_task(server.client.kill("a", 60))
    await server.client.signal("a", signal.SIGCONT, group="session")
    os.kill(server.client.pid, signal.SIGKILL)
    with pytest.raises(KeeperFailed, match="the keeper is lost"):
        await waiting
    await server.lost.wait()
    with pytest.raises(KeeperFailed, match="the keeper is lost"):
        await server.adopt()
    server.client.note("a", b"")  # not awaited, so no error either
    terminal.write(b"here\n")  # a keeper's death hangs up on nobody: the server has the master too
    await terminal.until(b"here\r\nhere")
    await server.client.close()
    await server.client.close()


@on_uvloop
async def test_keeper_that_does_not_answer_is_an_error_in_time(place, monkeypatch):
    server = await place.server()
    os.kill(server.client.pid, signal.SIGSTOP)
    try:
        monkeypatch.setattr(client_module, "ANSWER_S", 0.05)
        with pytest.raises(KeeperFailed, match=f"keeper {server.client.pid} did not answer spawn within 0.05 s"):
            await server.start("a", "cat")
    finally:
        os.kill(server.client.pid, signal.SIGCONT)
    # The late answer is nobody's: its process ends, and its name is free again.
    await until(lambda: "ended" in place.log())
    monkeypatch.undo()
    terminal = await server.start("a", "echo", "again")
    await terminal.until(b"again")


@pytest.mark.parametrize(("program", "started"), [("/bin/cat", True), ("/bin/nope", False)])
def test_session_that_is_forgotten_while_its_start_is_given_up_is_gone_without_a_word(
    place, monkeypatch, program, started
):
    @on_uvloop
    async def check():
        server = await place.server()
        server.client.note("a", b"created")
        os.kill(server.client.pid, signal.SIGSTOP)
        try:
            monkeypatch.setattr(client_module, "ANSWER_S", 0.05)
            with pytest.raises(KeeperFailed, match="did not answer spawn"):
                await server.start("a", program)
            server.client.forget("a")
        finally:
            os.kill(server.client.pid, signal.SIGCONT)
        while kept := await server.adopt():
            server.close(*(fd for one in kept for fd in (one.pty_fd, one.ring_fd) if fd >= 0))
        assert ("session a: process" in place.log()) is started
        assert server.exits == {}

    check()


@on_uvloop
async def test_cancelled_spawn_leaves_nothing(place):
    server = await place.server()
    before = descriptors()
    for _ in range(5):
        task = asyncio.create_task(server.start("a", "cat"))
        await asyncio.sleep(0)  # the order is sent
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    while kept := await server.adopt():
        server.close(kept[0].pty_fd, kept[0].ring_fd)
        await asyncio.sleep(0.01)
    assert descriptors() == before


@on_uvloop
async def test_server_killed_while_it_spawns_leaves_nothing_unknown(place):
    script = """
import asyncio, sys
from pathlib import Path
from vibetunnel.keeper.client import KeeperClient, SpawnOrder

async def main():
    client = await KeeperClient.connect(Path(sys.argv[1]), on_exit=print, on_lost=print)
    print("ready", flush=True)
    async with asyncio.TaskGroup() as group:
        for number in range(200):
            group.create_task(client.spawn(SpawnOrder(f"s{number}", ["cat"], "/", meta=b"kept")))

asyncio.run(main())
"""
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(place.folder), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert await victim.stdout.readline() == b"ready\n"
    await until(lambda: ": process" in place.log())
    victim.kill()
    await victim.wait()
    server = await place.server()
    kept = await server.adopt()
    assert kept
    assert all(one.meta == b"kept" for one in kept)
    children = {process.pid for process in processes.living() if ps("ppid", process.pid) == str(server.client.pid)}
    assert children == {one.pid for one in kept}
    # Nothing that the dead server had asked for comes later.
    for one in kept:
        server.close(one.pty_fd, one.ring_fd)
    assert len(await server.adopt()) == len(kept)


def ps(column: str, pid: int) -> str:
    """What ps has in this column, nothing when there is no such process."""
    command = ["ps", "-o", f"{column}=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, check=False, text=True).stdout.strip()


# The process


def keeper_that_looks_often(folder: Path, idle_s: float = 30) -> list[str]:
    """The command of a keeper in the foreground that looks after its folder all the time."""
    script = (
        "import sys; from vibetunnel.keeper import __main__, process; process.LOOK_S = 0.02; "
        "sys.exit(__main__.main(sys.argv[1:]))"
    )
    return [sys.executable, "-c", script, "--runtime-dir", str(folder), "--idle-s", str(idle_s)]


@on_uvloop
async def test_keeper_whose_folder_was_removed_is_found_again_with_its_programs(place):
    place.folder = place.folder / "state" / "run"
    keeper = await asyncio.create_subprocess_exec(*keeper_that_looks_often(place.folder), cwd=ROOT)
    await until((place.folder / "keeper.sock").exists)
    first = await place.server()
    terminal = await first.start("a", "sh")
    await first.client.close()
    shutil.rmtree(place.folder.parent)
    await until((place.folder / "keeper.sock").exists)
    for folder in (place.folder, place.folder.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    second = await place.server()
    assert second.client.pid == keeper.pid
    (kept,) = await second.adopt()
    Terminal(kept.pty_fd).write(b"echo $((6 * 7))\n")
    await terminal.until(b"42\r\n")
    assert "listens again" in place.log()
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vibetunnel.keeper", "--runtime-dir", str(place.folder),
        cwd=ROOT, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await starter.wait() == 3  # the lock is there again, too
    await second.client.stop(kill=True)
    assert await keeper.wait() == 0


@on_uvloop
async def test_keeper_whose_socket_was_removed_listens_again(place):
    keeper = await asyncio.create_subprocess_exec(*keeper_that_looks_often(place.folder), cwd=ROOT)
    await until((place.folder / "keeper.sock").exists)
    first = await place.server()
    first.client.note("a", b"created")
    await first.adopt()
    (place.folder / "keeper.sock").unlink()
    await until((place.folder / "keeper.sock").exists)  # with a server, too: the next one may be in a hurry
    await first.client.close()
    second = await place.server()
    assert second.client.pid == keeper.pid
    await second.client.stop(kill=True)
    assert await keeper.wait() == 0


@on_uvloop
async def test_keeper_leaves_the_one_that_took_its_folder_alone_and_comes_back_after_it(place):
    old = await asyncio.create_subprocess_exec(*keeper_that_looks_often(place.folder, idle_s=0), cwd=ROOT)
    await until((place.folder / "keeper.sock").exists)
    first = await place.server()
    first.client.note("a", b"of the old one")
    await first.adopt()
    os.kill(old.pid, signal.SIGSTOP)  # so that the new one is there before its next look
    (place.folder / "keeper.sock").unlink()
    (place.folder / "keeper.lock").unlink()
    second = await place.server()
    os.kill(old.pid, signal.SIGCONT)
    await first.client.close()
    assert second.client.pid != old.pid
    assert await second.adopt() == []
    assert "listens again" not in place.log()
    await second.client.stop(kill=True)
    await until(lambda: "listens again" in place.log())
    third = await place.server()
    assert third.client.pid == old.pid
    assert [one.meta for one in await third.adopt()] == [b"of the old one"]
    await third.client.stop(kill=True)
    assert await old.wait() == 0


@on_uvloop
async def test_files_are_the_users_alone(place):
    place.folder.rmdir()
    await place.server()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in place.folder.iterdir()}
    assert modes == {"keeper.sock": 0o600, "keeper.lock": 0o600, "keeper.log": 0o600}
    assert stat.S_IMODE(place.folder.stat().st_mode) == 0o700


@on_uvloop
async def test_folder_that_others_may_enter_is_refused(place):
    place.folder.chmod(0o755)
    with pytest.raises(KeeperFailed, match=r"could not be started: .* with mode 0700, not to \d+ with 0755"):
        await place.server()
    place.folder.chmod(0o700)


@on_uvloop
async def test_runtime_folder_that_is_a_file_is_refused(place):
    place.folder.rmdir()
    place.folder.write_text("")
    try:
        with pytest.raises(KeeperFailed, match=r"cannot be reached at .*: Not a directory"):
            await place.server()
    finally:
        place.folder.unlink()
        place.folder.mkdir()


@on_uvloop
async def test_path_that_is_too_long_for_a_socket_is_refused(place):
    place.folder = place.folder / ("x" * 100)
    with pytest.raises(KeeperFailed, match="at most 103 bytes, choose a shorter runtime folder"):
        await place.server()


def test_wrong_options_are_answered_with_the_usage():
    for arguments in ([], ["--what"], ["--runtime-dir"], ["--runtime-dir", "/tmp", "--idle-s", "soon"]):
        done = subprocess.run(
            [sys.executable, "-m", "vibetunnel.keeper", *arguments], capture_output=True, check=False, cwd=ROOT
        )
        assert (done.returncode, done.stderr.split()[0]) == (1, b"usage:")


@on_uvloop
async def test_keeper_ends_when_there_is_nothing_to_keep(place):
    server = await place.server(idle_s=0.05)
    await server.start("a", "true")
    await server.exit("a")
    await server.client.close()
    await until(lambda: not alive(server.client.pid))
    assert not (place.folder / "keeper.sock").exists()
    again = await place.server()
    assert again.client.pid != server.client.pid


@on_uvloop
async def test_keeper_stays_for_a_session_that_is_only_created(place):
    first = await place.server(idle_s=0)
    first.client.note("a", b"created")
    await first.client.close()
    second = await place.server()
    assert second.client.pid == first.client.pid
    assert [one.meta for one in await second.adopt()] == [b"created"]


@on_uvloop
async def test_term_ends_a_keeper_without_sessions_only(place):
    server = await place.server()
    terminal = await server.start("a", "sh")
    os.kill(server.client.pid, signal.SIGTERM)
    await until(lambda: "SIGTERM: ignored" in place.log())
    terminal.write(b"echo $((6 * 7))\n")
    await terminal.until(b"42\r\n")
    await server.client.kill("a", 5)
    os.kill(server.client.pid, signal.SIGTERM)
    await server.lost.wait()
    await until(lambda: not alive(server.client.pid))


@on_uvloop
async def test_hangup_and_interrupt_do_nothing(place):
    server = await place.server()
    os.kill(server.client.pid, signal.SIGHUP)
    os.kill(server.client.pid, signal.SIGINT)
    assert words(await server.output("echo", "served")) == ["served"]


@on_uvloop
async def test_stop_with_kill_ends_everything(place):
    server = await place.server()
    await server.start("a", "sh")
    leader = server.pid
    await server.start("b", "sh", "-c", "trap '' HUP; sleep 1000")
    await server.client.stop(kill=True)
    assert members(leader) == members(server.pid) == set()
    await until(lambda: not alive(server.client.pid))
    assert not (place.folder / "keeper.sock").exists()
    assert not server.lost.is_set()


@on_uvloop
async def test_stop_with_kill_gives_the_grace_that_it_is_told(place):
    server = await place.server()
    terminal = await server.start("a", "sh", "-c", "trap '' HUP; trap 'sleep 2; exit 5' TERM; echo ready; read line")
    await terminal.until(b"ready")
    await server.client.stop(kill=True, grace_s=0)
    assert server.exits["a"].signal == signal.SIGKILL


@on_uvloop
async def test_stop_with_a_grace_beyond_the_limit_is_refused_and_kills_nothing(place):
    server = await place.server()
    await server.start("a", "cat")
    with pytest.raises(KeeperFailed, match=r"grace_s must be 0 to 60\.0, not 61"):
        await server.client.stop(kill=True, grace_s=61)
    assert alive(server.pid)


@on_uvloop
async def test_stop_without_kill_is_refused_while_a_session_lives(place):
    server = await place.server()
    await server.start("a", "cat")
    with pytest.raises(KeeperFailed, match="1 sessions still have a process"):
        await server.client.stop(kill=False)
    await server.client.kill("a", 5)
    await server.client.stop(kill=False)
    await until(lambda: not alive(server.client.pid))


@on_uvloop
async def test_keeper_started_without_standard_descriptors_works(place):
    command = f"exec {sys.executable} -m vibetunnel.keeper --runtime-dir {place.folder} --detach <&- >&- 2>&-"
    starter = await asyncio.create_subprocess_exec("sh", "-c", command, cwd=ROOT)
    assert await starter.wait() == 0
    server = await place.server()
    assert words(await server.output("ls", "/dev/fd")) == ["0", "1", "2", "3"]


@on_uvloop
async def test_keeper_in_the_foreground_survives_its_folder(place):
    folder = place.folder / "cwd"
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    keeper = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vibetunnel.keeper", "--runtime-dir", "..", cwd=folder, env=environment
    )
    await until((place.folder / "keeper.sock").exists)
    folder.rmdir()
    server = await place.server()
    assert server.client.pid == keeper.pid
    assert words(await server.output("echo", "served")) == ["served"]
    await server.client.stop(kill=True)
    assert await keeper.wait() == 0


@on_uvloop
async def test_second_keeper_in_one_folder_leaves_at_once(place):
    await place.server()
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vibetunnel.keeper", "--runtime-dir", str(place.folder),
        cwd=ROOT, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await second.communicate()
    assert second.returncode == 3
    assert said.decode() == f"another keeper holds {place.folder}/keeper.lock\n"


@on_uvloop
async def test_log_tells_no_secret(place):
    server = await place.server()
    terminal = await server.start("a", "sh", "-c", "read line", "argument-1", env={"TOKEN": "token-1"}, meta=b"meta-1")
    terminal.write(b"typed-1\n")
    await server.exit("a")
    with pytest.raises(SpawnFailed):
        await server.start("b", "/nope-1", env={"TOKEN": "token-2"})
    assert "session a: process" in place.log()
    assert not any(secret in place.log() for secret in ("argument-1", "token-", "typed-1", "meta-1", "nope-1"))


def test_log_has_a_bound(tmp_path):
    path = tmp_path / "log"
    log = Log(str(path))
    line = "x" * 1000
    for _ in range(LOG_LIMIT // len(line) + 10):
        log.write(line)
    assert path.stat().st_size < LOG_LIMIT // 2
    assert path.read_text().endswith(line + "\n")


@on_uvloop
async def test_keeper_is_small(place):
    server = await place.server()
    for name in ("a", "b", "c"):
        await server.start(name, "true")
        await server.exit(name)
    assert int(ps("rss", server.client.pid)) < 16 * 1024  # KiB; 12 MB with CPython 3.11 on Linux


def test_keeper_loads_nothing_heavy():
    heavy = ("argparse", "asyncio", "dataclasses", "logging", "msgspec", "subprocess", "tornado", "typing")
    code = f"import sys, vibetunnel.keeper.__main__; print([name for name in {heavy} if name in sys.modules])"
    # -S: an editable install's hooks load some of these before the keeper is asked.
    path = os.pathsep.join([str(ROOT), str(Path(sys.modules["ptyprocess"].__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": path}
    )
    assert done.stdout == "[]\n"


# The protocol


@on_uvloop
async def test_version_that_the_keeper_does_not_speak_is_refused(place):
    await (await place.server()).client.close()
    peer = place.raw()
    answer = peer.ask(type="hello", version=VERSION + 1, pid=1)
    assert (answer["type"], answer["code"], answer["version"]) == ("refused", "version", VERSION)
    assert answer["reason"] == f"the keeper speaks protocol version {VERSION}, the server {VERSION + 1}"
    assert peer.closed()


@on_uvloop
async def test_version_that_the_server_does_not_speak_is_an_error(place, monkeypatch):
    await (await place.server()).client.close()
    monkeypatch.setattr(client_module, "VERSION", VERSION + 1)
    with pytest.raises(KeeperFailed, match=f"speaks protocol version {VERSION}, the server {VERSION + 1}"):
        await place.server()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (encode({"type": "spawn"}), "the first message must be hello, not spawn"),
        (encode({}), "None: type must be str, not None"),
        (encode({"type": "hello", "version": "1"}), "hello: version must be int, not '1'"),
        (
            struct.pack(">I", FRAME_LIMIT + 1) + bytes(100),
            f"at most {FRAME_LIMIT} bytes, this one says {FRAME_LIMIT + 1}",
        ),
        (struct.pack(">I", 5) + b"{nope", "a frame is not JSON"),
        (struct.pack(">I", 2) + b"[]", r"a frame must be a JSON object, not \[\]"),
        (encode({"type": "hello"}, ["one"]), "a frame names 1 descriptors, but 0 arrived"),
    ],
)
def test_peer_that_makes_no_sense_is_told_so_and_dropped(place, sent, reason):
    @on_uvloop
    async def check():
        await (await place.server()).client.close()
        peer = place.raw()
        peer.sock.sendall(sent)
        answer = peer.hear()
        assert answer["type"] == "error"
        assert re.search(reason, answer["reason"])
        assert peer.closed()
        await place.server()

    check()


@on_uvloop
async def test_request_that_makes_no_sense_is_answered_and_the_next_one_served(place):
    await (await place.server()).client.close()
    peer = place.raw()
    assert peer.ask(type="hello", version=VERSION, pid=os.getpid())["type"] == "welcome"
    for fields, reason in [
        ({"type": "dance"}, "unknown request: dance"),
        ({"type": "kill", "session": 5}, "kill: session must be str, not 5"),
        ({"type": "kill", "session": "x" * 129}, "a session id is 1 to 128 printable ASCII characters"),
        ({"type": "note", "session": "a", "meta": "?"}, "note: meta is not base64"),
        ({"type": "spawn", "session": "a", "argv": [1]}, "spawn: argv must contain only strings"),
        ({"type": "stop", "kill": 1}, None),
    ]:
        answer = peer.ask(request=7, **fields)
        if reason is None:
            assert answer["type"] == "done"  # nothing lives, so `kill` is not even looked at
            continue
        assert (answer["type"], answer["request"]) == ("failed", 7)
        assert answer["reason"].startswith(reason)


@on_uvloop
async def test_descriptors_that_a_server_sends_are_closed(place):
    await (await place.server()).client.close()
    peer = place.raw()
    reader, writer = os.pipe()
    socket.send_fds(peer.sock, [encode({"type": "hello", "version": VERSION, "pid": 1}, ["one"])], [writer])
    os.close(writer)
    assert peer.hear()["type"] == "welcome"
    assert os.read(reader, 1) == b""  # nobody else has it
    os.close(reader)


def test_messages_are_the_same_however_the_stream_is_cut():
    stream = encode({"type": "a", "n": 1}) + encode({"type": "b"}) + encode({"type": "ä" * 100})
    for cut in range(len(stream) + 1):
        decoder = Decoder()
        found = []
        for part in (stream[:cut], stream[cut:]):
            decoder.feed(part)
            found += [message.fields for message in decoder.messages()]
        assert found == [{"type": "a", "n": 1}, {"type": "b"}, {"type": "ä" * 100}]


@pytest.fixture
def channels():
    left, right = (Channel(end) for end in socket.socketpair(socket.AF_UNIX))
    yield left, right
    left.close()
    right.close()


def received(channel: Channel, count: int) -> list[Message]:
    found: list[Message] = []
    while len(found) < count:
        channel.receive()
        found += channel.messages()
    return found


def test_each_frame_gets_its_own_descriptors(channels):
    left, right = channels
    files = [os.memfd_create(str(number)) if hasattr(os, "memfd_create") else os.dup(0) for number in range(4)]
    left.send({"type": "none"})
    left.send({"type": "two"}, {"x": files[0], "y": files[1]})
    left.send({"type": "none again"})
    left.send({"type": "one"}, {"x": files[2]})
    left.send({"type": "one more"}, {"z": files[3]})
    messages = received(right, 5)
    assert [message.kind for message in messages] == ["none", "two", "none again", "one", "one more"]
    taken = [messages[1].take("x"), messages[1].take("y"), messages[3].take("x"), messages[4].take("z")]
    assert [os.fstat(fd).st_ino for fd in taken] == [os.fstat(fd).st_ino for fd in files]
    assert not any(os.get_inheritable(fd) for fd in taken)
    assert messages[0].take("x") == -1
    for fd in files + taken:
        os.close(fd)


def test_descriptors_of_frames_larger_than_the_socket_arrive(channels):
    left, right = channels
    left.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    before = descriptors()
    reader, writer = os.pipe()
    inode = os.fstat(writer).st_ino
    for number in range(3):
        left.send({"type": "big", "filler": "x" * 300_000, "number": number}, {"end": writer})
    os.close(writer)  # the frames that wait hold their own
    assert left.pending > 0
    found: list[Message] = []
    while len(found) < 3:
        left.flush()
        right.receive()
        found += right.messages()
    assert [message.get("number", int) for message in found] == [0, 1, 2]
    for message in found:
        assert os.fstat(message.descriptors["end"]).st_ino == inode
        message.close()
    os.close(reader)
    assert descriptors() == before


def test_closed_channel_leaves_no_descriptor(channels):
    left, right = channels
    before = descriptors()
    left.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    reader, writer = os.pipe()
    for _ in range(3):
        left.send({"type": "big", "filler": "x" * 300_000}, {"end": writer})
    right.receive()  # a part of the first frame, and its descriptor
    left.close()
    right.close()
    os.close(writer)
    os.close(reader)
    assert len(descriptors()) == len(before) - 2
    with pytest.raises(BrokenPipeError):
        left.send({"type": "late"})


def test_descriptors_that_find_no_room_are_an_error(channels):
    left, right = channels
    reader, writer = os.pipe()
    left.send({"type": "two"}, {"x": reader, "y": writer})
    os.close(reader)
    os.close(writer)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(descriptors()), LIMITS[1]))
    filler = []
    try:
        with contextlib.suppress(OSError):  # the limit is reached
            while True:
                filler.append(os.dup(0))
        with pytest.raises(ProtocolError, match="is this process at its limit of open files"):
            right.receive()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, LIMITS)
        for fd in filler:
            os.close(fd)


def test_descriptors_that_no_frame_names_are_an_error(channels):
    left, right = channels
    socket.send_fds(left.sock, [encode({"type": "none"})], [0])
    with pytest.raises(ProtocolError, match="1 descriptors arrived that no frame names"):
        received(right, 2)


def test_channel_knows_the_user_at_the_other_end(channels):
    assert channels[0].peer_uid() == os.geteuid()
