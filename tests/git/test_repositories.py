"""What is read of real repositories: ordinary ones, unusual ones, broken ones."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from harness import until
from repositories import commit, git, repository, write

from vibetunnel.git import reading
from vibetunnel.git.errors import BadPath, GitBusy, GitRefused, OutsideFolders
from vibetunnel.git.messages import Summary
from vibetunnel.git.service import KEPT_BYTES, GitService
from vibetunnel.git.summary import LISTED_BYTES


async def summary(service: GitService, path: Path) -> Summary:
    found = await service.summary(str(path))
    assert found is not None
    return found


async def test_changes_are_counted_as_git_status_shows_them(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1\n", b="1\n", c="1\n", d="1\n")
    write(made, a="2\n", new="x", staged="x")
    git(made, "add", "staged")
    git(made, "rm", "-q", "b")
    (made / "c").unlink()
    found = await summary(service, made)
    assert git(made, "status", "--porcelain").splitlines() == [" M a", "D  b", " D c", "A  staged", "?? new"]
    assert (found.modified, found.untracked, found.staged, found.added, found.deleted) == (1, 1, 2, 1, 2)
    assert (found.staged_files, found.untracked_files) == (["b", "staged"], ["new"])
    assert found.changed == 5
    assert (found.branch, found.last_commit, found.root) == ("main", "first", str(made))


async def test_a_folder_below_belongs_to_the_repository_and_one_beside_to_none(
    service: GitService, folder: Path
) -> None:
    made = repository(folder / "r", below__deep__a="1")
    assert (await summary(service, made / "below" / "deep")).root == str(made)
    assert await service.summary(str(folder)) is None
    assert await service.summary("r") == await service.summary("~/r") == await service.summary(str(made))


async def test_a_branch_without_a_commit_has_all_its_files_staged(service: GitService, folder: Path) -> None:
    made = repository(folder / "r")
    assert ((await summary(service, made)).branch, (await summary(service, made)).head) == ("main", "")
    service.forget()
    write(made, a="1")
    git(made, "add", "a")
    found = await summary(service, made)
    assert (found.staged, found.added, found.untracked) == (1, 1, 0)
    branches = await service.branches(str(made))
    assert branches == []


async def test_a_detached_head_has_no_branch(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    git(made, "checkout", "--quiet", "--detach")
    found = await summary(service, made)
    assert (found.branch, found.head) == ("", git(made, "rev-parse", "HEAD").strip())


async def test_a_bare_repository_has_branches_and_no_changes(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    git(folder, "clone", "--quiet", "--bare", "r", "bare.git")
    found = await summary(service, folder / "bare.git")
    assert (found.branch, found.changed, found.root) == ("main", 0, str(folder / "bare.git"))
    assert [each.name for each in await service.branches(str(folder / "bare.git")) or ()] == ["main"]
    with pytest.raises(GitRefused, match="bare"):
        await service.switch(str(folder / "bare.git"), "main")
    assert made.exists()


async def test_commits_are_counted_against_the_upstream_branch(service: GitService, folder: Path) -> None:
    theirs = repository(folder / "theirs", a="1")
    git(folder, "clone", "--quiet", "theirs", "ours")
    ours = folder / "ours"
    write(theirs, a="2")
    commit(theirs, "theirs")
    for name in ("x", "y"):
        write(ours, **{name: "1"})
        commit(ours, name)
    git(ours, "fetch", "--quiet")
    found = await summary(service, ours)
    assert (found.upstream, found.ahead, found.behind) == (True, 2, 1)
    assert found.remote == str(theirs)
    assert not (await summary(service, theirs)).upstream


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:secret@example.org/a.git", "https://example.org/a.git"),
        ("https://token@example.org/a.git", "https://example.org/a.git"),
        ("ssh://git:secret@example.org/a.git", "ssh://git@example.org/a.git"),
        ("git@example.org:a/b.git", "git@example.org:a/b.git"),
    ],
)
async def test_a_remote_is_shown_without_its_password(service: GitService, folder: Path, url: str, shown: str) -> None:
    made = repository(folder / "r", a="1")
    git(made, "remote", "add", "origin", url)
    assert (await summary(service, made)).remote == shown


async def test_branches_name_the_worktree_that_has_them(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    git(made, "branch", "idle")
    git(made, "worktree", "add", "-q", "-b", "feature/x", "../w")
    found = await service.branches(str(made))
    assert found is not None
    assert [(each.name, each.current, each.worktree) for each in found] == [
        ("main", True, str(made)),
        ("feature/x", False, str(folder / "w")),
        ("idle", False, ""),
    ]
    linked = await summary(service, folder / "w")
    assert (linked.linked, linked.branch, linked.main) == (True, "feature/x", str(made))


async def test_a_submodule_is_a_repository_of_its_own_and_is_not_opened_from_outside(
    service: GitService, folder: Path
) -> None:
    repository(folder / "inner", a="1")
    outer = repository(folder / "outer", b="1")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../inner", "sub")
    commit(outer, "with a submodule")
    (outer / "sub" / "a").write_text("2")
    assert (await summary(service, outer)).changed == 0
    inner = await summary(service, outer / "sub")
    assert (inner.root, inner.modified) == (str(outer / "sub"), 1)


async def test_repositories_are_found_below_a_folder_but_not_inside_each_other(
    service: GitService, folder: Path
) -> None:
    for path in ("a", "deep/b", "deep/er/c", "a/inner", "node_modules/d", ".hidden/e", "1/2/3/4/f"):
        repository(folder / path, x="1")
    (folder / "link").symlink_to(folder / "deep")
    found = await service.discover(str(folder), 3)
    assert [each.relative for each in found] == ["a", "deep/b", "deep/er/c"]
    assert {each.branch for each in found} == {"main"}


async def test_a_damaged_repository_hides_none_of_those_beside_it(service: GitService, folder: Path) -> None:
    repository(folder / "a", x="1")
    broken = folder / "b"
    (broken / "elsewhere").mkdir(parents=True)
    (broken / "elsewhere" / "config").write_text("[nonsense")
    (broken / ".git").write_text("gitdir: elsewhere\n")
    found = await service.discover(str(folder), 1)
    assert [each.relative for each in found] == ["a"]


async def test_a_file_is_compared_with_head(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1\n2\n", gone="x\n", same="x\n", binary="\0x")
    write(made, a="1\n3\n", new="x\n", binary="\0y")
    (made / "gone").unlink()
    changed = await service.file_diff(str(made / "a"))
    assert changed.original == b"1\n2\n"
    assert changed.diff.endswith("@@ -1,2 +1,2 @@\n 1\n-2\n+3\n")
    assert "+++ /dev/null" in (await service.file_diff(str(made / "gone"))).diff
    new = await service.file_diff(str(made / "new"))
    assert new.original is None
    assert "--- /dev/null" in new.diff
    assert (await service.file_diff(str(made / "same"))).diff == ""
    assert (await service.file_diff(str(made / "binary"))).diff == ""
    assert (await service.file_diff(str(folder / "elsewhere"))).original is None


async def test_a_huge_file_is_not_compared(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="x" * (3 << 20))
    found = await service.file_diff(str(made / "a"))
    assert (found.too_big, found.original, found.diff) == (True, None, "")


async def test_the_changes_below_a_folder_have_paths_relative_to_it(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1", sub__b="1", sub__c="1")
    write(made, a="2", sub__b="2", sub__new="x")
    (made / "sub" / "c").unlink()
    found = await service.folder_status(str(made / "sub"))
    assert found is not None
    assert found.files == [("b", "modified"), ("c", "deleted"), ("new", "untracked")]


async def test_a_hundred_thousand_files_are_summarised_in_time(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    for number in range(100):
        (made / f"{number}").mkdir()
        for name in range(1000):
            (made / f"{number}" / f"{name}").touch()
    git(made, "add", "--all")
    found = await summary(service, made)
    assert (found.staged, len(found.staged_files)) == (100_000, 1000)


async def test_a_broken_index_is_refused_with_a_reason_and_the_next_repository_is_read(
    service: GitService, folder: Path
) -> None:
    broken, whole = repository(folder / "broken", a="1"), repository(folder / "whole", a="1")
    (broken / ".git" / "index").write_bytes(b"DIRC\0\0\0\2\xff\xff\xff\xff" + b"\0" * 40)
    with pytest.raises(GitRefused, match="git: "):
        await service.summary(str(broken))
    assert (await summary(service, whole)).branch == "main"


@pytest.mark.parametrize("format_", ["objectformat", "refstorage"])
async def test_a_format_that_is_not_known_is_refused_with_a_reason(
    service: GitService, folder: Path, format_: str
) -> None:
    made = repository(folder / "r", a="1")
    git(made, "config", "core.repositoryformatversion", "1")
    git(made, "config", f"extensions.{format_}", "strange")
    with pytest.raises(GitRefused, match="git: "):
        await service.summary(str(made))


async def test_a_folder_that_may_not_be_read_is_refused(service: GitService, folder: Path) -> None:
    if os.getuid() == 0:
        with pytest.raises(OutsideFolders):  # for root no folder of its own is closed: Landlock's are
            await service.summary(str(folder.parent / "elsewhere"))
        return
    made = repository(folder / "r", a="1")
    (made / ".git").chmod(0)
    try:
        with pytest.raises(GitRefused):
            await service.summary(str(made))
    finally:
        (made / ".git").chmod(0o700)


async def test_a_folder_that_is_gone_is_in_the_repository_above_or_in_none(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", sub__a="1")
    shutil.rmtree(made / "sub")
    assert (await summary(service, made / "sub")).deleted == 1
    shutil.rmtree(made)
    service.forget()
    assert await service.summary(str(made)) is None


async def test_a_child_process_that_ends_is_replaced(
    service: GitService, folder: Path, expect_log: Callable[[str], None]
) -> None:
    expect_log("the git process has ended with -9")
    made = repository(folder / "r", a="1")
    await summary(service, made)
    os.kill(service.processes[0], 9)
    service.forget()
    with pytest.raises(GitBusy, match="unexpectedly"):
        await service.summary(str(made))
    service.forget()
    assert (await summary(service, made)).branch == "main"


async def test_equal_questions_share_one_answer(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    first = await summary(service, made)
    write(made, a="2")
    assert await service.summary(str(made)) is first
    renewed = await service.summary(str(made), fresh=True)
    assert renewed is not None
    assert renewed.modified == 1


def staged_with_long_names(made: Path, count: int) -> None:
    """Stage files whose paths are as long as the kernel takes them."""
    blob = git(made, "rev-parse", "HEAD:a").strip()
    lines = [f"100644 {blob}\t{f'{number:04}-' * 40}/{'x/' * 1700}f\n" for number in range(count)]
    subprocess.run(("git", "update-index", "--index-info"), cwd=made, input="".join(lines), text=True, check=True)


async def test_long_names_make_no_long_answers(service: GitService, folder: Path) -> None:
    """CWE-770: a list is bounded by bytes, not by the number of names alone."""
    made = repository(folder / "r", a="1")
    staged_with_long_names(made, 700)
    found = await summary(service, made)
    assert found.staged == 700
    assert len(msgspec.json.encode(found)) < 2 * LISTED_BYTES
    status = await service.folder_status(str(made))
    assert status is not None
    assert status.cut
    assert len(msgspec.json.encode(status)) < 2 * reading.LIST_BYTES


async def test_paths_that_name_one_folder_share_one_answer(service: GitService, folder: Path) -> None:
    """CWE-770: a client chooses how it writes a path, and each answer is kept for a moment."""
    made = repository(folder / "r", a="1")
    first = await service.branches(str(made))
    for path in (f"{made}/", f"{folder}//r/.", f"{folder}/./r///"):
        assert await service.branches(path) is first


async def test_a_long_answer_is_not_kept(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    first = await service.file_diff(str(made / "a"))
    assert await service.file_diff(str(made / "a")) is first
    write(made, a="x" * (KEPT_BYTES + 1))
    service.forget()
    long = await service.file_diff(str(made / "a"))
    assert await service.file_diff(str(made / "a")) is not long


async def test_an_answer_is_dropped_when_it_is_old(
    service: GitService, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibetunnel.git.service.FRESH_S", 0.01)
    made = repository(folder / "r", a="1")
    first = await service.branches(str(made))
    assert first is not None
    assert service.kept == 1
    await until(lambda: service.kept == 0)


async def test_a_name_that_is_no_utf_8_is_in_no_repository(service: GitService, folder: Path) -> None:
    strange = str(repository(folder / "r", a="1")) + "/\udcff"
    assert await service.summary(strange) is None
    assert await service.folder_status(strange) is None


async def test_a_path_that_is_too_long_is_no_path(service: GitService) -> None:
    for path in ("x" * 5000, "a\0b"):
        with pytest.raises(BadPath):
            await service.summary(path)
