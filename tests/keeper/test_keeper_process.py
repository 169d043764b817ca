"""The keeper's own life: its end, its signals and its size."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from harness import until
from keeper_home import ROOT, alive, members, on_uvloop, ps, words

from vibetunnel.keeper.errors import KeeperFailed


def test_wrong_options_are_answered_with_the_usage():
    for arguments in ([], ["--what"], ["--runtime-dir"], ["--runtime-dir", "/tmp", "--idle-s", "soon"]):
        done = subprocess.run(
            [sys.executable, "-m", "vibetunnel.keeper", *arguments], capture_output=True, check=False, cwd=ROOT
        )
        assert (done.returncode, done.stderr.split()[0]) == (1, b"usage:")


@on_uvloop
async def test_keeper_ends_when_there_is_nothing_to_keep(home):
    server = await home.server(idle_s=0.05)
    await server.start("a", "true")
    await server.exit("a")
    await server.client.close()
    await until(lambda: not alive(server.client.pid))
    assert not (home.folder / "keeper.sock").exists()
    again = await home.server()
    assert again.client.pid != server.client.pid


@on_uvloop
async def test_keeper_stays_for_a_session_that_is_only_created(home):
    first = await home.server(idle_s=0)
    first.client.note("a", b"created")
    await first.client.close()
    second = await home.server()
    assert second.client.pid == first.client.pid
    assert [one.meta for one in await second.adopt()] == [b"created"]


@on_uvloop
async def test_term_ends_a_keeper_without_sessions_only(home):
    server = await home.server()
    terminal = await server.start("a", "sh")
    os.kill(server.client.pid, signal.SIGTERM)
    await until(lambda: "SIGTERM: ignored" in home.log())
    terminal.write(b"echo $((6 * 7))\n")
    await terminal.until(b"42\r\n")
    await server.client.kill("a", 5)
    os.kill(server.client.pid, signal.SIGTERM)
    await server.lost.wait()
    await until(lambda: not alive(server.client.pid))


@on_uvloop
async def test_hangup_and_interrupt_do_nothing(home):
    server = await home.server()
    os.kill(server.client.pid, signal.SIGHUP)
    os.kill(server.client.pid, signal.SIGINT)
    assert words(await server.output("echo", "served")) == ["served"]


@on_uvloop
async def test_stop_with_kill_ends_everything(home):
    server = await home.server()
    await server.start("a", "sh")
    leader = server.pid
    await server.start("b", "sh", "-c", "trap '' HUP; sleep 1000")
    await server.client.stop(kill=True)
    assert members(leader) == members(server.pid) == set()
    await until(lambda: not alive(server.client.pid))
    assert not (home.folder / "keeper.sock").exists()
    assert not server.lost.is_set()


@on_uvloop
async def test_stop_with_kill_gives_the_grace_that_it_is_told(home):
    server = await home.server()
    terminal = await server.start("a", "sh", "-c", "trap '' HUP; trap 'sleep 2; exit 5' TERM; echo ready; read line")
    await terminal.until(b"ready")
    await server.client.stop(kill=True, grace_s=0)
    assert server.exits["a"].signal == signal.SIGKILL


@on_uvloop
async def test_stop_with_a_grace_beyond_the_limit_is_refused_and_kills_nothing(home):
    server = await home.server()
    await server.start("a", "cat")
    with pytest.raises(KeeperFailed, match=r"grace_s must be 0 to 60\.0, not 61"):
        await server.client.stop(kill=True, grace_s=61)
    assert alive(server.pid)


@on_uvloop
async def test_stop_without_kill_is_refused_while_a_session_lives(home):
    server = await home.server()
    await server.start("a", "cat")
    with pytest.raises(KeeperFailed, match="1 sessions still have a process"):
        await server.client.stop(kill=False)
    await server.client.kill("a", 5)
    await server.client.stop(kill=False)
    await until(lambda: not alive(server.client.pid))


@on_uvloop
async def test_keeper_started_without_standard_descriptors_works(home):
    command = f"exec {sys.executable} -m vibetunnel.keeper --runtime-dir {home.folder} --detach <&- >&- 2>&-"
    starter = await asyncio.create_subprocess_exec("sh", "-c", command, cwd=ROOT)
    assert await starter.wait() == 0
    server = await home.server()
    assert words(await server.output("ls", "/dev/fd")) == ["0", "1", "2", "3"]


@on_uvloop
async def test_keeper_is_small(home):
    server = await home.server()
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
