"""A repository's HEAD, index and branches are watched, within bounds."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import Running, until
from repositories import commit, git, repository, write
from tornado.ioloop import IOLoop

from vibetunnel.git import watch
from vibetunnel.git.watch import RepositoryWatch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="inotify is Linux's")


class Told(list[str]):
    """The git folders that were told, and the watch that tells them."""

    def __init__(self) -> None:
        super().__init__()
        self.watch = RepositoryWatch(self.append)


@pytest.fixture
def told(io_loop: IOLoop) -> Iterator[Told]:
    async def made() -> Told:
        return Told()

    async def close() -> None:
        found.watch.close()

    found: Told = io_loop.run_sync(made)
    yield found
    io_loop.run_sync(close)


async def test_commits_checkouts_and_staging_are_told_and_files_of_the_worktree_are_not(
    told: Told, folder: Path
) -> None:
    made = repository(folder / "r", a="1")
    git_dir = str(made / ".git")
    assert told.watch.watch(git_dir, git_dir)
    assert not told.watch.watch(git_dir, git_dir)
    for step in (
        lambda: git(made, "checkout", "-q", "-b", "x"),
        lambda: (write(made, b="1"), git(made, "add", "b")),
        lambda: commit(made, "second"),
    ):
        told.clear()
        step()
        await until(lambda: told)
        assert set(told) == {git_dir}


async def test_a_storm_of_changes_is_told_a_few_times(told: Told, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    told.watch.watch(str(made / ".git"), str(made / ".git"))
    for number in range(20_000):  # more than the kernel queues
        new = made / ".git" / "x"
        new.touch()
        new.rename(made / ".git" / f"y{number % 2}")
    await until(lambda: told)
    assert len(told) == 1


async def test_a_repository_that_is_made_anew_can_be_watched_again(told: Told, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    git_dir = str(made / ".git")
    told.watch.watch(git_dir, git_dir)
    shutil.rmtree(made)
    await until(lambda: told)
    repository(folder / "r", a="1")
    assert await until(lambda: told.watch.watch(git_dir, git_dir))


async def test_no_more_than_some_repositories_are_watched(
    told: Told, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "MOST", 2)
    folders = [str(repository(folder / name, a="1") / ".git") for name in "abc"]
    assert [told.watch.watch(each, each) for each in folders] == [True, True, False]
    told.watch.forget(folders[0])
    assert told.watch.watch(folders[2], folders[2])


async def test_sessions_outside_of_repositories_and_their_list_start_no_git_process(
    server: Running, folder: Path
) -> None:
    session = await server.session(["cat"], cwd=str(folder))
    badges = server.server.context.badges
    await until(lambda: badges.known(session))
    await server.json("GET", "/api/sessions")
    assert server.server.context.git.processes == (0, 0)
