"""The runtime folder: its permissions, and a keeper that outlives it."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import sys

import pytest
from harness import until
from keeper_home import ROOT, Terminal, keeper_that_checks_often, on_uvloop, words

from vibetunnel.keeper.errors import KeeperFailed


@on_uvloop
async def test_keeper_whose_folder_was_removed_is_found_again_with_its_programs(home):
    home.folder = home.folder / "state" / "run"
    keeper = await asyncio.create_subprocess_exec(*keeper_that_checks_often(home.folder), cwd=ROOT)
    await until((home.folder / "keeper.sock").exists)
    first = await home.server()
    terminal = await first.start("a", "sh")
    await first.client.close()
    shutil.rmtree(home.folder.parent)
    await until((home.folder / "keeper.sock").exists)
    for folder in (home.folder, home.folder.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    second = await home.server()
    assert second.client.pid == keeper.pid
    (kept,) = await second.adopt()
    Terminal(kept.pty_fd).write(b"echo $((6 * 7))\n")
    await terminal.until(b"42\r\n")
    assert "listens again" in home.log()
    starter = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vibetunnel.keeper", "--runtime-dir", str(home.folder),
        cwd=ROOT, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await starter.wait() == 3  # the lock was restored, too
    await second.client.stop(kill=True)
    assert await keeper.wait() == 0


@on_uvloop
async def test_keeper_whose_socket_was_removed_listens_again(home):
    keeper = await asyncio.create_subprocess_exec(*keeper_that_checks_often(home.folder), cwd=ROOT)
    await until((home.folder / "keeper.sock").exists)
    first = await home.server()
    first.client.note("a", b"created")
    await first.adopt()
    (home.folder / "keeper.sock").unlink()
    await until((home.folder / "keeper.sock").exists)  # while a server is connected, too
    await first.client.close()
    second = await home.server()
    assert second.client.pid == keeper.pid
    await second.client.stop(kill=True)
    assert await keeper.wait() == 0


@on_uvloop
async def test_keeper_leaves_the_one_that_took_its_folder_alone_and_comes_back_after_it(home):
    old = await asyncio.create_subprocess_exec(*keeper_that_checks_often(home.folder, idle_s=0), cwd=ROOT)
    await until((home.folder / "keeper.sock").exists)
    first = await home.server()
    first.client.note("a", b"of the old one")
    await first.adopt()
    os.kill(old.pid, signal.SIGSTOP)  # so that the new one starts before its next check
    (home.folder / "keeper.sock").unlink()
    (home.folder / "keeper.lock").unlink()
    second = await home.server()
    os.kill(old.pid, signal.SIGCONT)
    await first.client.close()
    assert second.client.pid != old.pid
    assert await second.adopt() == []
    assert "listens again" not in home.log()
    await second.client.stop(kill=True)
    await until(lambda: "listens again" in home.log())
    third = await home.server()
    assert third.client.pid == old.pid
    assert [one.meta for one in await third.adopt()] == [b"of the old one"]
    await third.client.stop(kill=True)
    assert await old.wait() == 0


@on_uvloop
async def test_files_are_the_users_alone(home):
    home.folder.rmdir()
    await home.server()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.folder.iterdir()}
    assert modes == {"keeper.sock": 0o600, "keeper.lock": 0o600, "keeper.log": 0o600}
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700


@on_uvloop
async def test_folder_that_others_may_enter_is_refused(home):
    home.folder.chmod(0o755)
    with pytest.raises(KeeperFailed, match=r"could not be started: .* with mode 0700, not to \d+ with 0755"):
        await home.server()
    home.folder.chmod(0o700)


@on_uvloop
async def test_runtime_folder_that_is_a_file_is_refused(home):
    home.folder.rmdir()
    home.folder.write_text("")
    try:
        with pytest.raises(KeeperFailed, match=r"cannot be reached at .*: Not a directory"):
            await home.server()
    finally:
        home.folder.unlink()
        home.folder.mkdir()


@on_uvloop
async def test_path_that_is_too_long_for_a_socket_is_refused(home):
    home.folder = home.folder / ("x" * 100)
    with pytest.raises(KeeperFailed, match="at most 103 bytes, choose a shorter runtime folder"):
        await home.server()


@on_uvloop
async def test_keeper_in_the_foreground_survives_its_folder(home):
    folder = home.folder / "cwd"
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    keeper = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vibetunnel.keeper", "--runtime-dir", "..", cwd=folder, env=environment
    )
    await until((home.folder / "keeper.sock").exists)
    folder.rmdir()
    server = await home.server()
    assert server.client.pid == keeper.pid
    assert words(await server.output("echo", "served")) == ["served"]
    await server.client.stop(kill=True)
    assert await keeper.wait() == 0


@on_uvloop
async def test_second_keeper_in_one_folder_leaves_at_once(home):
    await home.server()
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "vibetunnel.keeper", "--runtime-dir", str(home.folder),
        cwd=ROOT, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await second.communicate()
    assert second.returncode == 3
    assert said.decode() == f"another keeper holds {home.folder}/keeper.lock\n"
