"""Worktrees are made, listed, removed and followed; branches are switched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from harness import until
from repositories import commit, git, repository, write

from vibetunnel.git.errors import GitRefused, OutsideFolders, UnknownBranch, WorktreeChanged
from vibetunnel.git.program import own_program
from vibetunnel.git.roots import Folders
from vibetunnel.git.service import GitService


async def test_a_worktree_is_made_for_a_new_branch_an_old_one_and_one_of_the_remote(
    service: GitService, folder: Path
) -> None:
    theirs = repository(folder / "theirs", a="1")
    git(theirs, "branch", "theirs")
    git(folder, "clone", "--quiet", "theirs", "r")
    made = folder / "r"
    git(made, "branch", "old")
    await service.add_worktree(str(made), str(folder / "new"), "feature/new", "main")
    await service.add_worktree(str(made), str(folder / "old"), "old")
    await service.add_worktree(str(made), str(folder / "of-theirs"), "theirs")
    listed = git(made, "worktree", "list")
    for name, branch in (("new", "feature/new"), ("old", "old"), ("of-theirs", "theirs")):
        assert (folder / name / "a").read_text() == "1"
        assert f"[{branch}]" in listed
    assert git(made, "rev-parse", "--abbrev-ref", "theirs@{upstream}").strip() == "origin/theirs"
    assert git(folder / "new", "status", "--porcelain") == ""


async def test_a_worktree_is_not_made_where_something_is_and_leaves_no_branch_behind(
    service: GitService, folder: Path
) -> None:
    made = repository(folder / "r", a="1")
    write(folder, taken__x="1")
    for path, branch, base in (("taken", "new", "main"), ("r/.git/w", "new", "main"), ("no/such", "new", "main")):
        with pytest.raises(GitRefused):
            await service.add_worktree(str(made), str(folder / path), branch, base)
    for branch, base in (("new", "nope"), ("nope", "")):
        with pytest.raises(UnknownBranch):
            await service.add_worktree(str(made), str(folder / "w"), branch, base)
    for branch in ("-x", "a..b", "a b", "HEAD", "x.lock", ""):
        with pytest.raises(GitRefused, match="branch"):
            await service.add_worktree(str(made), str(folder / "w"), branch, "main")
    with pytest.raises(OutsideFolders):
        await service.add_worktree(str(made), "/tmp/elsewhere", "new", "main")
    assert git(made, "branch", "--format", "%(refname:short)").split() == ["main"]


async def test_the_list_tells_what_each_worktree_has_beyond_the_base_branch(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1\n2\n")
    git(made, "worktree", "add", "-q", "-b", "x", "../x")
    git(made, "worktree", "add", "-q", "--detach", "../detached")
    git(made, "worktree", "add", "-q", "-b", "gone", "../gone")
    git(made, "worktree", "lock", "--reason", "on a stick", "../detached")
    write(folder / "x", a="1\n3\n4\n", b="1\n")
    commit(folder / "x", "two files")
    write(folder / "x", c="not committed")
    shutil.rmtree(folder / "gone")
    found = await service.worktrees(str(folder / "x"))
    assert found is not None
    assert found.base == "main"
    by_path = {Path(each.path).name: each for each in found.worktrees}
    assert Path(found.worktrees[0].path) == made
    assert (by_path["x"].branch, by_path["x"].changed, by_path["x"].ahead) == ("x", True, 1)
    assert (by_path["x"].files, by_path["x"].insertions, by_path["x"].deletions) == (2, 3, 1)
    assert (by_path["detached"].branch, by_path["detached"].locked) == ("", "on a stick")
    assert (by_path["gone"].branch, by_path["gone"].missing) == ("gone", True)


async def test_a_worktree_with_changes_is_removed_only_by_force(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../x")
    write(folder / "x", new="1")
    with pytest.raises(WorktreeChanged):
        await service.remove_worktree(str(made), "x", force=False)
    assert (folder / "x" / "new").exists()
    await service.remove_worktree(str(made), "refs/heads/x", force=True)
    assert not (folder / "x").exists()
    assert len(git(made, "worktree", "list").splitlines()) == 1
    assert "x" in git(made, "branch")
    with pytest.raises(GitRefused, match="main worktree"):
        await service.remove_worktree(str(made), "main", force=True)
    with pytest.raises(UnknownBranch):
        await service.remove_worktree(str(made), "x", force=True)


async def test_a_name_of_two_worktrees_removes_neither_and_a_path_removes_one(
    service: GitService, folder: Path
) -> None:
    made = repository(folder / "r", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../elsewhere")
    git(made, "worktree", "add", "-q", "--detach", "../x")
    write(folder / "elsewhere", new="not committed")
    with pytest.raises(GitRefused, match="give the path"):
        await service.remove_worktree(str(made), "x", force=True)
    with pytest.raises(UnknownBranch, match="has the path /x"):
        await service.remove_worktree(str(made), "/x", force=True)
    await service.remove_worktree(str(made), str(folder / "x"), force=True)
    assert not (folder / "x").exists()
    assert (folder / "elsewhere" / "new").exists()


async def test_the_folders_name_is_no_name_of_a_worktree_with_a_branch(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../elsewhere")
    git(made, "worktree", "add", "-q", "--detach", "../detached")
    with pytest.raises(UnknownBranch):
        await service.remove_worktree(str(made), "elsewhere", force=True)
    await service.remove_worktree(str(made), "detached", force=True)
    assert sorted(os.listdir(folder)) == ["elsewhere", "r"]


async def test_worktrees_whose_folders_are_gone_are_forgotten_but_not_locked_ones(
    service: GitService, folder: Path
) -> None:
    made = repository(folder / "r", a="1")
    for name in ("here", "gone", "locked"):
        git(made, "worktree", "add", "-q", "-b", name, f"../{name}")
    git(made, "worktree", "lock", "../locked")
    for name in ("gone", "locked"):
        shutil.rmtree(folder / name)
    assert (await service.prune_worktrees(str(made))).names == ["gone"]
    assert sorted(path.name for path in (made / ".git" / "worktrees").iterdir()) == ["here", "locked"]


async def test_a_branch_is_switched_and_changes_are_not_lost(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    git(made, "branch", "other")
    await service.switch(str(made), "other")
    assert git(made, "branch", "--show-current").strip() == "other"
    write(made, a="2")
    commit(made, "second")
    write(made, a="mine")
    with pytest.raises(GitRefused):
        await service.switch(str(made), "main")
    assert (made / "a").read_text() == "mine"
    git(made, "worktree", "add", "-q", "../w", "main")
    with pytest.raises(GitRefused, match="checked out in"):
        await service.switch(str(made), "main")


async def test_the_main_worktree_follows_the_commits_of_another(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../x")
    write(folder / "x", a="2")
    commit(folder / "x", "before")
    following = await service.follow(str(made), "x")
    assert (following.branch, following.problem, (made / "a").read_text()) == ("x", "", "2")
    assert git(made, "config", "vibetunnel.followWorktree").strip() == str(folder / "x")
    write(folder / "x", a="3")
    commit(folder / "x", "after")
    synced = await service.sync(str(folder / "x"), "commit")
    assert (synced.follow, (made / "a").read_text()) == (str(folder / "x"), "3")
    assert [each.title for each in service.notices("ada")] == ["Main worktree synced"]
    assert service.notices("ada") == []
    assert [each.title for each in service.notices("bob")] == ["Main worktree synced"]  # ada has not taken it
    write(made, a="mine")
    write(folder / "x", a="4")
    commit(folder / "x", "against mine")
    await service.sync(str(folder / "x"), "commit")
    assert ((made / "a").read_text(), service.notices("ada")[0].level) == ("mine", "error")


async def test_switching_the_main_worktree_ends_follow_mode_and_removes_its_hooks(
    service: GitService, folder: Path
) -> None:
    made = repository(folder / "r", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../x")
    await service.follow(str(made), "x")
    git(made, "checkout", "-q", "main")
    assert (await service.sync(str(made), "checkout")).follow == ""
    assert not (made / ".git" / "hooks" / "post-commit").exists()
    assert service.notices("ada")[0].title == "Follow mode disabled"


async def test_hooks_run_the_users_own_first_and_give_it_back(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../x")
    hook = made / ".git" / "hooks" / "post-commit"
    hook.parent.mkdir(exist_ok=True)
    mine = f"#!/bin/sh\necho ran >> {folder}/ran\n"
    hook.write_text(mine)
    hook.chmod(0o755)
    for _ in range(2):  # the second time changes nothing
        following = await service.follow(str(made), "x")
        assert following.hooks.installed == ["post-commit", "post-checkout"]
    write(folder / "x", a="2")
    commit(folder / "x", "second")
    assert (folder / "ran").read_text() == "ran\n"
    assert (await service.follow(str(made), "")).hooks.removed == ["post-commit", "post-checkout"]
    assert hook.read_text() == mine
    assert sorted(path.name for path in hook.parent.iterdir() if not path.name.endswith(".sample")) == ["post-commit"]
    assert (await service.follow(str(made), "")).hooks.removed == []


async def test_no_hooks_are_written_where_the_user_has_others(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../x")
    git(made, "config", "core.hooksPath", str(folder / "hooks"))
    following = await service.follow(str(made), "x")
    assert (following.branch, following.hooks.installed) == ("x", [])
    assert "core.hooksPath" in following.hooks.problem
    assert not (folder / "hooks").exists()


async def test_hooks_tell_the_installation_that_wrote_them_even_if_it_is_on_no_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> list[str]:
        return (folder / "told").read_text().splitlines() if (folder / "told").exists() else []

    program = folder / 'it\'s "here"; $HOME' / "vibetunnel"
    on_path = folder / "bin" / "vibetunnel"
    for each, name in ((program, "own"), (on_path, "path")):
        each.parent.mkdir()
        each.write_text(f'#!/bin/sh\necho {name} "$@" >> {folder}/told\n')
        each.chmod(0o755)
    made = repository(folder / "r", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../x")
    permitted = Folders((str(folder),), str(folder))
    before, service = GitService(permitted, os.environ), GitService(permitted, os.environ, program=str(program))
    try:
        await before.follow(str(made), "x")
        git(folder / "x", "commit", "-q", "--allow-empty", "-m", "not told: no program, and none on the PATH")
        await service.follow(str(made), "x")  # renews the hooks
    finally:
        await before.close()
        await service.close()
    git(folder / "x", "commit", "-q", "--allow-empty", "-m", "told")
    event = f"git-event --event commit --repo {folder}/x"
    await until(lambda: told() == [f"own {event}"])
    program.unlink()
    monkeypatch.setenv("PATH", f"{on_path.parent}:{os.environ['PATH']}")
    git(folder / "x", "commit", "-q", "--allow-empty", "-m", "told by the one on the PATH")
    await until(lambda: told() == [f"own {event}", f"path {event}"])


def test_the_program_of_hooks_is_the_one_beside_the_interpreter_or_the_one_that_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(folder / "bin" / "python"))
    monkeypatch.setattr("sys.argv", [str(folder / "lib" / "__main__.py")])
    assert own_program() == ""
    for name in ("bin", "local"):
        (folder / name).mkdir()
        (folder / name / "vibetunnel").touch(0o755)
    assert own_program() == str(folder / "bin" / "vibetunnel")
    monkeypatch.setattr("sys.argv", [str(folder / "local" / "vibetunnel")])
    assert own_program() == str(folder / "local" / "vibetunnel")
