"""server.json and its lock, when they are removed, when another server has the folder, and when the disk is full."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from harness import until

from vibetunnel import paths, whereabouts
from vibetunnel.whereabouts import ServerFile, Whereabouts

ExpectLog = Callable[[str], None]


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whereabouts, "LOOK_S", 0.01)
    monkeypatch.setattr(whereabouts, "LOCK_S", 0.05)


@asynccontextmanager
async def announced(folder: Path, port: int) -> AsyncIterator[Whereabouts]:
    """A server that has announced itself, told apart by its port."""
    made = Whereabouts(folder)
    await made.lock()
    try:
        await made.announce(ServerFile(os.getpid(), f"http://127.0.0.1:{port}", port, "1"))
        yield made
    finally:
        await made.close()


def found(folder: Path) -> int:
    """The port in server.json; 0: there is none, or no server holds the lock."""
    try:
        data = paths.read_private(folder / paths.SERVER_FILE)
    except FileNotFoundError:
        return 0
    return msgspec.json.decode(data, type=ServerFile).port if paths.is_locked(folder / paths.SERVER_LOCK) else 0


def full(monkeypatch: pytest.MonkeyPatch) -> None:
    def write_private(path: Path, _data: bytes) -> None:
        raise paths.NotWritable(f"cannot write {path}: {os.strerror(errno.ENOSPC)}")

    monkeypatch.setattr(paths, "write_private", write_private)


async def test_a_removed_folder_or_file_is_made_again_for_this_user_only(folder: Path) -> None:
    runtime = paths.private_dir(folder / "r")
    async with announced(runtime, 1):
        for remove in (
            lambda: shutil.rmtree(runtime),
            lambda: (runtime / paths.SERVER_FILE).unlink(),
            lambda: (runtime / paths.SERVER_LOCK).unlink(),
        ):
            remove()
            await until(lambda: found(runtime) == 1)
        assert stat.S_IMODE(runtime.stat().st_mode) == 0o700
        for name in (paths.SERVER_FILE, paths.SERVER_LOCK):
            assert stat.S_IMODE((runtime / name).stat().st_mode) == 0o600
    assert not (runtime / paths.SERVER_FILE).exists()
    assert not paths.is_locked(runtime / paths.SERVER_LOCK)


async def test_what_belongs_to_another_server_is_left_alone_until_that_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch, expect_log: ExpectLog
) -> None:
    expect_log("another server holds")
    expect_log("is there again")
    runtime = paths.private_dir(folder / "r")
    monkeypatch.setattr(whereabouts, "LOOK_S", 1000)  # this test looks itself, when the other server is there
    async with announced(runtime, 1) as first:
        shutil.rmtree(runtime)
        paths.private_dir(runtime)
        async with announced(runtime, 2):
            first._look()
            assert "another server holds" in first.problem
            assert found(runtime) == 2
        first._look()
        assert (found(runtime), first.problem) == (1, "")
        shutil.rmtree(runtime)
        paths.private_dir(runtime)
        async with announced(runtime, 3):
            await first.close()
            assert found(runtime) == 3


async def test_on_a_full_disk_the_file_of_a_killed_server_is_written_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = paths.private_dir(folder / "r")
    paths.write_private(runtime / paths.SERVER_FILE, b'{"pid": 1, "url": "' + b"x" * 1000 + b'"}')
    full(monkeypatch)
    async with announced(runtime, 1) as made:
        assert found(runtime) == 1
        assert made.problem == ""


async def test_a_file_that_cannot_be_written_is_said_and_written_later(
    folder: Path, monkeypatch: pytest.MonkeyPatch, expect_log: ExpectLog
) -> None:
    expect_log("No space left on device: until it can, the command line does not find this server")
    expect_log("is there again")
    runtime = paths.private_dir(folder / "r")
    full(monkeypatch)
    async with announced(runtime, 1) as made:
        assert "No space left on device" in made.problem
        monkeypatch.undo()
        await until(lambda: not made.problem)
        assert found(runtime) == 1
