"""Processes that outlive their session's program: how many there are, and that ending the session ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness import until
from keeper_home import LIMITS, ROOT, alive, altered_keeper, members, on_uvloop, ps

from vibetunnel.keeper import cgroups, spawn
from vibetunnel.keeper.errors import KeeperFailed

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
