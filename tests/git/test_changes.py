"""What has changed in a worktree, file by file and line by line."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pygit2
import pytest
from repositories import commit, git, repository, write
from tornado.ioloop import IOLoop

from vibetunnel.files.git import FolderChanges
from vibetunnel.git import changes
from vibetunnel.git.errors import BadPath
from vibetunnel.git.for_files import GitForFiles
from vibetunnel.git.messages import ChangedFile, ChangedFiles, FileHunks
from vibetunnel.git.reading import DIFFED, DIFFED_LINES
from vibetunnel.git.repository import require
from vibetunnel.git.roots import Folders
from vibetunnel.git.service import GitService

LINES = "".join(f"line {number}\n" for number in range(1, 41))


async def changed(service: GitService, path: Path) -> ChangedFiles:
    found = await service.changed_files(str(path))
    assert found is not None
    return found


async def hunks(service: GitService, path: Path, file: str, earlier: str = "", context: int = 3) -> FileHunks:
    return await service.file_hunks(str(path), file, earlier, context)


def kinds(found: ChangedFiles) -> dict[str, tuple[str, str]]:
    """Path -> (staged, unstaged)."""
    return {each.path: (each.staged, each.unstaged) for each in found.files}


async def test_each_kind_of_change_is_told_from_the_others(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", both="1\n", gone="1\n", moved=LINES, plain="1\n", removed="1\n")
    write(made, both="2\n", plain="1\n2\n", staged="x\n", new="x\ny\n")
    git(made, "add", "both", "staged")
    write(made, both="3\n")
    git(made, "rm", "-q", "removed")
    git(made, "mv", "moved", "elsewhere")
    (made / "gone").unlink()
    found = await changed(service, made)
    assert kinds(found) == {
        "both": ("modified", "modified"),
        "elsewhere": ("renamed", ""),
        "gone": ("", "deleted"),
        "new": ("", "untracked"),
        "plain": ("", "modified"),
        "removed": ("deleted", ""),
        "staged": ("added", ""),
    }
    counts = {each.path: (each.insertions, each.deletions) for each in found.files}
    assert counts == {
        "both": (1, 1), "elsewhere": (0, 0), "gone": (0, 1), "new": (2, 0), "plain": (1, 0), "removed": (0, 1),
        "staged": (1, 0),
    }  # fmt: skip
    assert next(each.earlier for each in found.files if each.path == "elsewhere") == "moved"


async def test_a_conflict_is_told_as_one(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1\n")
    git(made, "checkout", "-q", "-b", "other")
    write(made, a="2\n")
    commit(made, "other")
    git(made, "checkout", "-q", "main")
    write(made, a="3\n")
    commit(made, "ours")
    with pytest.raises(subprocess.CalledProcessError):
        git(made, "merge", "other")
    assert kinds(await changed(service, made)) == {"a": ("", "conflicted")}
    assert "+<<<<<<< HEAD" in (await hunks(service, made, "a")).hunks[0].lines


async def test_files_of_a_new_folder_are_listed_one_by_one_without_ignored_ones(
    service: GitService, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = repository(folder / "r", **{".gitignore": "*.log\nbuild/\n"})
    write(made, new__a="1", new__deep__b="1", **{"new__deep__c.log": "1", "new__build__d": "1"})
    repository(made / "other", a="1")
    assert list(kinds(await changed(service, made))) == ["new/a", "new/deep/b", "other/"]


async def test_a_folder_with_very_many_new_files_is_listed_as_one(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1")
    write(made, **{f"many__{number}": "" for number in range(changes.UNTRACKED + 1)}, few__a="")
    assert list(kinds(await changed(service, made))) == ["few/a", "many/"]


async def test_no_more_files_of_a_new_folder_are_looked_at_than_are_listed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = repository(folder / "r", **{".gitignore": "*.log\n"})
    write(made, **{f"many__{number}": "" for number in range(4 * changes.UNTRACKED)})
    asked = []
    ignored = pygit2.Repository.path_is_ignored
    monkeypatch.setattr(
        pygit2.Repository, "path_is_ignored", lambda found, path: asked.append(path) or ignored(found, path)
    )
    monkeypatch.setattr(changes, "SEEN", 5 * changes.UNTRACKED)
    roots = Folders((str(folder),), str(folder))
    assert [each.path for each in changes.changed_files(require(str(made), roots), roots).files] == ["many/"]
    assert len(asked) == changes.UNTRACKED + 1
    asked.clear()
    write(made, **{f"many__{number}.log": "" for number in range(2 * changes.UNTRACKED)})
    assert [each.path for each in changes.changed_files(require(str(made), roots), roots).files] == ["many/"]
    assert asked == []


async def test_a_submodule_is_listed_and_hides_no_other_change(service: GitService, folder: Path) -> None:
    made, other = repository(folder / "r", a="1\n"), repository(folder / "other", b="1\n")
    (made / "a").write_text("2\n")
    git(made, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "sub")
    git(made, "update-index", "--add", "--cacheinfo", f"160000,{'12' * 20},unknown")
    added = await changed(service, made)
    assert kinds(added) == {
        ".gitmodules": ("added", ""),
        "a": ("", "modified"),
        "sub": ("added", ""),
        "unknown": ("added", "deleted"),  # as `git status` has it: there is no folder
    }
    assert [each.insertions for each in added.files] == [3, 1, -1, -1]
    git(made, "rm", "-q", "--cached", "unknown")
    git(made, "commit", "--quiet", "--message", "sub")
    git(made, "rm", "-q", "sub")
    assert kinds(await changed(service, made)) == {
        ".gitmodules": ("modified", ""), "a": ("", "modified"), "sub": ("deleted", "")
    }  # fmt: skip


async def test_a_file_that_became_a_folder_is_deleted_and_what_is_in_it_is_new(
    service: GitService, folder: Path
) -> None:
    made = repository(folder / "r", f="1\n")
    (made / "f").unlink()
    write(made, f__x="1\n")
    await changed(service, made)
    before = len(os.listdir(f"/proc/{service.processes[0]}/fd"))
    assert kinds(await changed(service, made)) == {"f": ("", "deleted"), "f/x": ("", "untracked")}
    gone = await hunks(service, made, "f")
    assert (gone.deleted, gone.hunks[0].lines) == (True, ["-1"])
    assert (await service.file_diff(str(made / "f"))).original == b"1\n"
    assert len(os.listdir(f"/proc/{service.processes[0]}/fd")) == before


async def test_very_many_lines_are_neither_counted_nor_compared(service: GitService, folder: Path) -> None:
    """To compare 512 KiB of two different lines took 8 s, and then the whole repository was left alone for a minute."""
    half = changes.COUNTED_LINES // 2
    made = repository(folder / "r", counted="\n" * half, plain="\n" * half, long="\n" * half)
    write(made, counted="\n" * (half - 1) + "x\n", plain="\n" * (half + 1), long="x\n" * (DIFFED_LINES - half + 1))
    write(made, new="\n" * changes.COUNTED_LINES * 2)
    counts = {each.path: each.insertions for each in (await changed(service, made)).files}
    assert counts == {"counted": 1, "long": -1, "new": 2 * changes.COUNTED_LINES, "plain": -1}
    assert (await hunks(service, made, "plain")).hunks[0].lines[-1] == "+"
    assert (await hunks(service, made, "long")).too_big
    assert (await service.patch("long", b"\n" * half, b"x\n" * DIFFED_LINES)) == ""
    write(made, new="\n" * (DIFFED_LINES + 1))
    assert (await hunks(service, made, "new")).too_big


async def test_changed_lines_come_with_the_lines_around_them(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a=LINES)
    write(made, a=LINES.replace("line 20\n", "new\n"))
    found = await hunks(service, made, "a", context=1)
    assert [(each.old, each.new, each.lines) for each in found.hunks] == [
        (19, 19, [" line 19", "-line 20", "+new", " line 21"])
    ]
    assert found.lines == 40
    whole = await hunks(service, made, "a", context=1_000_000)
    assert len(whole.hunks[0].lines) == 41


async def test_a_renamed_file_is_compared_with_the_earlier_one_and_a_deleted_one_with_nothing(
    service: GitService, folder: Path
) -> None:
    made = repository(folder / "r", below__a=LINES, b="1\n")
    git(made, "mv", "below/a", "c")
    write(made, c=LINES + "more\n")
    git(made, "rm", "-q", "b")
    assert (await hunks(service, made, "c", "below/a")).hunks[0].lines[-1] == "+more"
    gone = await hunks(service, made, "b")
    assert (gone.deleted, gone.hunks[0].lines) == (True, ["-1"])


async def test_binary_and_very_long_files_are_not_compared(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1\n", b="1\n")
    (made / "a").write_bytes(b"\0\1")
    (made / "b").write_text("x\n" * DIFFED)
    assert (await hunks(service, made, "a")).binary
    assert (await hunks(service, made, "b")).too_big
    assert [each.insertions for each in (await changed(service, made)).files] == [-1, -1]


async def test_a_file_in_no_commit_yet_is_new(service: GitService, folder: Path) -> None:
    made = repository(folder / "r")
    write(made, a="1\n")
    git(made, "add", "a")
    assert (await changed(service, made)).files == [ChangedFile(path="a", staged="added", insertions=1, deletions=0)]
    assert (await hunks(service, made, "a")).hunks[0].lines == ["+1"]


async def test_a_change_is_seen_at_once(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1\n")
    assert (await changed(service, made)).files == []
    write(made, a="2\n")
    assert list(kinds(await changed(service, made))) == ["a"]
    assert (await hunks(service, made, "a")).hunks[0].lines == ["-1", "+2"]
    write(made, a="3\n")
    assert (await hunks(service, made, "a")).hunks[0].lines == ["-1", "+3"]


@pytest.mark.parametrize(
    "file", ["../secret", "a/../../secret", "/etc/passwd", ".git/config", "a/.GIT/x", "./a", "a\0", ""]
)
async def test_a_file_outside_of_the_worktree_is_refused(service: GitService, folder: Path, file: str) -> None:
    made = repository(folder / "r", a="1\n")
    (folder / "secret").write_text("secret")
    with pytest.raises(BadPath, match="file: expected a path below the repository's folder"):
        await hunks(service, made, file)
    with pytest.raises(BadPath, match="file: expected a path below the repository's folder"):
        await hunks(service, made, "a", file or "..")


async def test_no_link_leads_out_of_the_worktree(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", a="1\n", sub__b="1\n")
    (folder / "other").mkdir()
    (folder / "other" / "b").write_text("secret")
    (made / "a").unlink()
    (made / "a").symlink_to("../other/b")
    (made / "sub" / "b").unlink()
    (made / "sub").rmdir()
    (made / "sub").symlink_to("../other")
    (made / "new").symlink_to("../other")
    told = [await hunks(service, made, each) for each in ("a", "sub/b", "new/b", "sub", "new")]
    assert "secret" not in repr(told)
    assert "+../other/b" in told[0].hunks[0].lines
    assert "new/b" not in kinds(await changed(service, made))


async def test_private_folders_and_special_files_are_not_read(io_loop: IOLoop, folder: Path) -> None:
    made = repository(folder / "r", a="1\n")
    write(made, state__secret="secret\n", state__more="x\n")
    os.mkfifo(made / "pipe")
    roots = Folders((str(folder),), str(folder), (str(made / "state"),))
    service = GitService(roots, os.environ)
    try:
        assert list(kinds(await changed(service, made))) == ["state/"]
        assert (await hunks(service, made, "state/secret")).hunks == []
        assert (await hunks(service, made, "pipe")).hunks == []
    finally:
        await service.close()


STRANGE = os.fsdecode(b"bad\xff\xfe.txt")
SPELLED = "bad\uf7ff\uf7fe.txt"


async def test_names_that_are_no_utf_8_are_spelled_as_for_files_and_understood_back(
    service: GitService, folder: Path
) -> None:
    made = repository(folder / "r", a="1\n")
    (made / STRANGE).write_text("1\n")
    commit(made, "strange")
    (made / STRANGE).write_text("2\n")
    (made / os.fsdecode(b"new\xff")).mkdir()
    (made / os.fsdecode(b"new\xff") / STRANGE).write_text("x\n")
    (made / ".gitignore").write_text(".gitignore\n")
    new = f"new\uf7ff/{SPELLED}"
    assert kinds(await changed(service, made)) == {SPELLED: ("", "modified"), new: ("", "untracked")}
    assert (await hunks(service, made, SPELLED)).hunks[0].lines == ["-1", "+2"]
    assert (await hunks(service, made, new)).hunks[0].lines == ["+x"]
    found = await service.summary(str(made))
    assert found is not None
    assert (found.unstaged_files, found.untracked_files) == ([SPELLED], ["new\uf7ff/"])
    files, strange = GitForFiles(service), os.fsencode(made / STRANGE)
    assert await files.changes(bytes(made)) == FolderChanges(
        "main", {b"bad\xff\xfe.txt": "modified", b"new\xff/": "untracked"}
    )
    assert await files.original(strange) == b"1\n"
    assert await files.changes(bytes(made) + b"/new\xff") is not None
    assert (await service.file_diff(str(made / SPELLED))).diff.endswith("-1\n+2\n")


async def test_a_repository_in_a_folder_whose_name_is_no_utf_8_is_none(service: GitService, folder: Path) -> None:
    repository(folder / "r", a="1\n").rename(folder / os.fsdecode(b"r\xff"))
    assert await service.summary(str(folder / "r\uf7ff")) is None


async def test_the_count_of_changes_is_that_of_the_list_of_git_status(service: GitService, folder: Path) -> None:
    made = repository(folder / "r", moved=LINES, plain="1\n", gone="1\n")
    git(made, "mv", "moved", "elsewhere")
    write(made, plain="2\n", new__a="1\n", new__b="1\n", alone="1\n")
    git(made, "add", "plain")
    write(made, plain="3\n")
    (made / "gone").unlink()
    listed = git(made, "status", "--short").splitlines()
    assert listed == ["R  moved -> elsewhere", " D gone", "MM plain", "?? alone", "?? new/"]
    found, at_a_glance = await changed(service, made), await service.summary(str(made))
    assert at_a_glance is not None
    assert (found.changed, at_a_glance.changed) == (len(listed), len(listed))
    assert len(found.files) == 6
