"""Processes that outlive their session's program: how many there are, and that ending the session ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from harness import until
from keeper_home import LIMITS, ROOT, alive, altered_keeper, members, on_uvloop, ps

from vibetunnel.keeper import cgroups, requests, spawn
from vibetunnel.keeper.errors import KeeperFailed
from vibetunnel.keeper.requests import Requests
from vibetunnel.keeper.session import KeeperSession

linux = pytest.mark.skipif(sys.platform != "linux", reason="cgroups are of Linux")

# Forks and lets the parent exit, again and again, for at most 20 s, whatever the keeper does.
CHAIN = """
import os, signal, sys, time
pause, group = float(sys.argv[1]), sys.argv[2] == "group"
for each in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(each, signal.SIG_IGN)
file = os.open(sys.argv[3], os.O_WRONLY | os.O_CREAT, 0o600)
end = time.monotonic() + 20
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
    if group:
        os.setpgid(0, 0)
    os.pwrite(file, b"%20d" % time.monotonic_ns(), 0)
    if pause:
        time.sleep(pause)
"""


def beat(file: Path) -> int:
    """When the chain lived last; 0: not yet."""
    return int(file.read_bytes() or 0) if file.exists() else 0


async def still(file: Path) -> None:
    """Return when the chain has not lived for as long as 20 of its steps take."""
    last = (beat(file), os.times().elapsed)

    async def unchanged() -> bool:
        nonlocal last
        now = os.times().elapsed
        if beat(file) != last[0]:
            last = (beat(file), now)
        return now - last[1] > 0.2

    await until(unchanged)


def start_altered(home, change: str) -> None:
    """Start the keeper that the servers of `home` will find."""
    assert subprocess.Popen([*altered_keeper(home.folder, change), "--detach"], cwd=ROOT).wait() == 0


@pytest.fixture(params=["with cgroups", "without cgroups"])
def each_home(home, request):
    """A keeper with cgroups, if the system gives it some, and one without."""
    if request.param == "without cgroups":
        start_altered(home, "process.delegated = str")
    return home


@pytest.mark.parametrize("how", [("0.005", "same"), ("0.005", "group"), ("0", "same")], ids=" ".join)
def test_chain_of_processes_is_counted_and_ended(each_home, how):
    @on_uvloop
    async def check():
        file = each_home.folder / "beat"
        server = await each_home.server()
        await server.start("a", sys.executable, "-c", CHAIN, *how, str(file))
        assert (await server.exit("a")).code == 0
        assert await until(lambda: server.left.get("a"))
        await server.client.kill("a", 0.1)
        assert server.left["a"] == 0
        assert members(server.pid) == set()
        await still(file)

    check()


JOB = "trap '' HUP; sleep 1000 >/dev/null & echo job=$!."


async def leave_a_job(server) -> int:
    """The process that session `a` has left behind."""
    terminal = await server.start("a", "sh", "-c", JOB)
    job = int((await terminal.until(b".")).split(b"=")[1][:-1])
    await server.exit("a")
    await until(lambda: server.left.get("a") == 1)
    return job


@on_uvloop
async def test_ending_an_ended_session_ends_the_jobs_that_it_has_left(each_home):
    server = await each_home.server()
    job = await leave_a_job(server)
    await server.client.kill("a", 5)
    assert not alive(job)
    assert server.left["a"] == 0


@on_uvloop
async def test_number_of_a_session_is_not_given_away_while_a_process_of_it_is_left(home):
    start_altered(home, "killing.IDLE_LOOK_S = 0.05")
    server = await home.server()
    job = await leave_a_job(server)
    assert ps("stat", server.pid).startswith("Z")
    os.kill(job, signal.SIGKILL)
    await until(lambda: server.left["a"] == 0)
    assert ps("stat", server.pid) == ""


@on_uvloop
async def test_next_server_is_told_what_is_left_and_stop_ends_it(home):
    first = await home.server()
    job = await leave_a_job(first)
    await first.client.close()
    second = await home.server()
    (kept,) = await second.adopt()
    assert (kept.exited.code, kept.left) == (0, 1)
    await second.client.stop(kill=True)
    assert not alive(job)


@on_uvloop
async def test_keeper_lives_on_while_a_process_is_left(home):
    server = await home.server(idle_s=0.05)
    job = await leave_a_job(server)
    pid = server.client.pid
    await server.client.close()
    again = await home.server()
    assert again.client.pid == pid
    await again.client.kill("a", 5)
    assert not alive(job)


@on_uvloop
async def test_processes_that_cannot_be_ended_are_named(home):
    start_altered(
        home, "process.delegated = str; killing.send = lambda *_: None; killing.GIVE_UP_S = 0.1"
    )  # as for another user's
    server = await home.server()
    job = await leave_a_job(server)
    reason = (
        f"1 process of the session cannot be ended: {job} (they belong to another user, or are stuck in the kernel)"
    )
    try:
        with pytest.raises(KeeperFailed) as caught:
            await server.client.kill("a", 0)
        assert str(caught.value) == reason
        assert reason in home.log()
        (kept,) = await server.adopt()
        assert kept.left == 1
    finally:
        os.kill(job, signal.SIGKILL)


@on_uvloop
async def test_daemon_with_a_session_of_its_own_lives_on(each_home):
    server = await each_home.server()
    script = "setsid sh -c 'echo own=$$.; exec sleep 1000' & wait"
    terminal = await server.start("a", "sh", "-c", script)
    own = int((await terminal.until(b".")).split(b"=")[1][:-1])
    try:
        await server.client.kill("a", 0)
        assert alive(own)
        assert server.left.get("a", 0) == 0
    finally:
        os.kill(own, signal.SIGKILL)


@linux
@on_uvloop
async def test_cgroup_is_removed_when_its_last_process_has_ended(home):
    folder = cgroups.delegated()
    if not folder:
        pytest.skip("this system lets this user make no cgroups")
    server = await home.server()

    def made() -> list[str]:
        return [name for name in os.listdir(folder) if name.startswith(f"{cgroups.PREFIX}{server.client.pid}.")]

    await server.start("a", "cat")
    assert len(made()) == 1
    assert cgroups.Cgroup(f"{folder}/{made()[0]}").pids() == [server.pid]
    await server.client.kill("a", 0)
    assert made() == []


def test_all_processes_of_a_cgroup_are_read_with_those_below_it(tmp_path):
    whole = b"".join(b"%d\n" % pid for pid in range(1, 20_001))  # more than one read of a pipe gives, as of a cgroup
    os.mkfifo(tmp_path / "cgroup.procs")
    below = tmp_path / "made" / "by a program"
    below.mkdir(parents=True)
    (below / "cgroup.procs").write_text("30000\n")
    writer = threading.Thread(target=(tmp_path / "cgroup.procs").write_bytes, args=(whole,))
    writer.start()
    try:
        assert cgroups.Cgroup(str(tmp_path)).pids() == [*range(1, 20_001), 30_000]
    finally:
        writer.join()


class Kept(cgroups.Cgroup):
    """A cgroup as a folder has it; that it was killed is only written down."""

    killed = False

    def kill(self) -> None:
        self.killed = True


class Recorder:
    """Takes what the keeper sends and logs."""

    def __init__(self) -> None:
        self.sent: list[dict] = []

    def send(self, fields: dict, _descriptors: dict | None) -> bool:
        self.sent.append(fields)
        return True

    def write(self, _line: str) -> None:
        pass


class Endings:
    """The keeper's requests, with sessions whose program has ended and whose killing is due."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.requests = Requests(
            "/", log=self.recorder, open_files=LIMITS, cgroups=cgroups.Cgroups(""), send=self.recorder.send
        )

    def add(self, name: str, pid: int, *, reaped: bool = False, cgroup: cgroups.Cgroup | None = None) -> KeeperSession:
        session = KeeperSession(name, b"")
        session.pid, session.reaped, session.cgroup = pid, reaped, cgroup
        session.started = session.known = self.requests.counts = True
        session.exited = {"session": name, "code": 0, "signal": None, "reason": None}
        self.requests._sessions[name] = session
        self.requests._start_killing(session, 0)
        return session

    def steps(self, count: int) -> None:
        for step in range(count):
            self.requests.on_time(time.monotonic() + step)

    async def over(self, session: KeeperSession) -> None:
        """Return when the session is over."""
        await until(lambda: self.steps(1) or session.over)


def zombie() -> int:
    """A program that leads a unix session, has ended, and is not reaped yet."""
    pid = os.posix_spawn("/bin/true", ["true"], {}, setsid=True)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    return pid


def leave(name: str) -> tuple[int, int]:
    """A job that a program of this session has left, and the session's number: that of the program, which is reaped."""
    environment = os.environ | {"VIBETUNNEL_SESSION_ID": name}
    with subprocess.Popen(
        ["sh", "-c", JOB], start_new_session=True, stdout=subprocess.PIPE, env=environment, text=True
    ) as program:
        assert program.stdout is not None
        return int(program.stdout.read().strip().strip(".").split("=")[1]), program.pid


def test_daemon_in_a_cgroup_below_the_sessions_own_is_not_killed_with_it(tmp_path):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "cgroup.procs").write_text(f"{os.getpid()}\n")  # of another unix session
    (tmp_path / "cgroup.events").write_text("populated 1\n")
    endings, cgroup = Endings(), Kept(str(tmp_path))
    session = endings.add("a", zombie(), cgroup=cgroup)
    endings.steps(3)
    assert not cgroup.killed
    assert session.over


@on_uvloop
async def test_processes_that_have_left_their_cgroup_count(tmp_path):
    (tmp_path / "cgroup.procs").write_text("")
    (tmp_path / "cgroup.events").write_text("populated 0\n")
    job, number = leave("a")
    endings = Endings()
    session = endings.add("a", number, reaped=True, cgroup=Kept(str(tmp_path)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(requests, "all_processes", lambda: iter(()))  # each look misses it
        endings.steps(2)
        assert not session.over
    await endings.over(session)
    assert not alive(job)


def test_cgroup_that_cannot_be_read_holds_up_no_session(tmp_path):
    (tmp_path / "cgroup.procs").mkdir()  # a read fails, as of a cgroup that a program has made a threaded one
    endings = Endings()
    sessions = []
    for name, cgroup in (("a", Kept(str(tmp_path))), ("b", None)):
        sessions.append(endings.add(name, zombie(), cgroup=cgroup))
    endings.steps(1)
    assert [session.over for session in sessions] == [True, True]


@linux
@on_uvloop
async def test_processes_of_a_reaped_program_are_ended_but_not_those_that_were_given_its_number():
    for name in ("a", "another"):
        job, number = leave(name)
        endings = Endings()
        session = endings.add("a", number, reaped=True)
        if name == "a":
            await endings.over(session)
            assert not alive(job)
        else:
            try:
                endings.steps(5)
                assert alive(job)
            finally:
                os.kill(job, signal.SIGKILL)


def test_cgroups_of_dead_keepers_are_removed_if_empty(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    for name in (f"{gone.pid}.1", f"{gone.pid}.2/populated", f"{os.getpid()}.7"):
        (tmp_path / f"vibetunnel.{name}").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    made = cgroups.Cgroups(str(tmp_path)).make()
    assert made is not None
    left = {each.name for each in tmp_path.iterdir()}
    assert left == {f"vibetunnel.{gone.pid}.2", f"vibetunnel.{os.getpid()}.7", "other", os.path.basename(made.path)}


def test_cgroup_that_another_program_has_removed_is_empty(tmp_path):
    removed = cgroups.Cgroup(str(tmp_path / "removed"))
    assert removed.pids() == []
    assert not removed.populated()
    removed.kill()


def test_system_that_refuses_a_cgroup_gives_none(tmp_path):
    assert cgroups.Cgroups("").make() is None
    (tmp_path / "folder").mkdir()
    made = cgroups.Cgroups(str(tmp_path / "folder"))
    (tmp_path / "folder").rmdir()
    assert made.make() is None


@linux
def test_program_starts_without_the_cgroup_that_the_kernel_refuses(tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        pid, master, inside = spawn.start(
            "/bin/true", ["true"], folder="/", environment={}, rows=24, cols=80, open_files=LIMITS, cgroup=folder
        )
    finally:
        os.close(folder)
    assert not inside
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(master)
