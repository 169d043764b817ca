"""Worktrees of a repository: list, add, remove, prune; and the branch of one. Runs in the child process."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from pathlib import PurePath

import pygit2

from vibetunnel.git.errors import GitRefused, NoRepository, OutsideFolders, UnknownBranch, WorktreeChanged
from vibetunnel.git.messages import Added, Pruned, Removed, Switched, Worktree, Worktrees
from vibetunnel.git.reading import head_of, shown, worktree_folders
from vibetunnel.git.repository import UNREADABLE, Repository, find, head_branch, opened, setting, start_of
from vibetunnel.git.roots import Folders
from vibetunnel.git.summary import summary

FOLLOW = "vibetunnel.followworktree"  # in the repository's configuration, as VibeTunnel names it


def worktrees(place: Repository, roots: Folders) -> Worktrees:
    repository = opened(place)
    base, tip = base_branch(repository)
    followed = follow_path(place)
    found = Worktrees(root=place.root, worktrees=[], base=base, follow_path=followed)
    for git_dir, folder in worktree_folders(place):
        each = _worktree(repository, git_dir, folder, tip, roots)
        found.worktrees.append(each)
        if followed and os.path.realpath(folder) == followed:
            found.follow = each.branch
    return found


def _worktree(
    repository: pygit2.Repository, git_dir: str, folder: str, base: pygit2.Oid | None, roots: Folders
) -> Worktree:
    locked = start_of(f"{git_dir}/locked") or " " if os.path.lexists(f"{git_dir}/locked") else None
    found = Worktree(path=shown(folder), branch="", head="", locked=locked)
    try:
        place = find(os.path.realpath(folder), roots)
        if place is None or place.git_dir != git_dir:
            raise NoRepository(folder)
        seen = summary(place)
    except UNREADABLE:
        head = start_of(f"{git_dir}/HEAD")
        found.branch = head.partition("ref: refs/heads/")[2]
        found.head = "" if found.branch else head
        found.missing = True
        return found
    found.branch, found.head, found.changed = seen.branch, seen.head, bool(seen.changed)
    if base is not None and seen.head and seen.branch:
        _count(repository, base, pygit2.Oid(hex=seen.head), found)
    return found


def _count(repository: pygit2.Repository, base: pygit2.Oid, head: pygit2.Oid, found: Worktree) -> None:
    found.ahead, _ = repository.ahead_behind(head, base)
    parted = repository.merge_base(base, head) if found.ahead else None
    if parted is not None:
        stats = repository.diff(parted, head).stats
        found.files, found.insertions, found.deletions = stats.files_changed, stats.insertions, stats.deletions


def base_branch(repository: pygit2.Repository) -> tuple[str, pygit2.Oid | None]:
    """The branch that others are compared with: that of `origin`, or main, or master."""
    names = []
    with contextlib.suppress(KeyError, pygit2.InvalidSpecError):
        target = repository.lookup_reference("refs/remotes/origin/HEAD").target
        names = [str(target).removeprefix("refs/remotes/origin/")]
    for name in (*names, "main", "master"):
        for branch in (repository.branches.local.get(name), repository.branches.remote.get(f"origin/{name}")):
            if branch is not None:
                return name, branch.peel(pygit2.Commit).id
    return "main", None


def follow_path(place: Repository) -> str:
    """The real folder of the worktree that the main one follows; "": none."""
    config = pygit2.Config(f"{place.common}/config")
    named = setting(config, FOLLOW)
    return os.path.realpath(named) if named else ""


def folder_of(place: Repository, named: str) -> tuple[str, str]:
    """(git folder, folder) of the worktree at a path (with `/` first), or with a branch.

    A linked one without a branch may also go by the name of its folder. Raises UnknownBranch, GitRefused.
    """
    all_of_it = list(worktree_folders(place))
    if named.startswith("/"):  # no branch does
        found = [each for each in all_of_it if each[1] == named]
    else:
        found = [each for each in all_of_it if named.removeprefix("refs/heads/") == _name(place, *each)]
    if len(found) > 1:
        raise GitRefused(f"{named[:200]} may be each of {len(found)} worktrees: give the path of its folder")
    if not found:
        raise UnknownBranch(f"No worktree has the {'path' if named.startswith('/') else 'branch'} {named[:200]}")
    return found[0]


def _name(place: Repository, git_dir: str, folder: str) -> str:
    return head_branch(git_dir) or ("" if git_dir == place.common else os.path.basename(folder))


def add(place: Repository, folder: str, branch: str, base: str, roots: Folders) -> Added:
    """Make a worktree. base: a new branch starts there; "": the branch exists here, or at `origin`."""
    target = roots.resolve(folder)
    parent = os.path.dirname(target)
    if not (roots.holds(parent) and os.path.isdir(parent)):
        raise GitRefused(f"{parent} is no folder: make it first")
    if os.path.lexists(target) and not (os.path.isdir(target) and not os.listdir(target)):
        raise GitRefused(f"{target} is already there: choose another folder")
    if target == place.common or target.startswith(f"{place.common}/"):
        raise GitRefused(f"{target} is in the repository's git folder: choose another folder")
    repository = opened(place)
    made = _new_branch(repository, branch, base)
    name = _free_name(f"{place.common}/worktrees", os.path.basename(target))
    try:
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(target)  # it is empty; libgit2 makes it
        os.makedirs(f"{place.common}/worktrees", exist_ok=True)
        repository.add_worktree(name, target, repository.lookup_reference(f"refs/heads/{branch}"))
    except BaseException:
        if made:
            repository.branches.local.delete(branch)
        raise
    return Added(path=target, branch=branch)


def _new_branch(repository: pygit2.Repository, branch: str, base: str) -> bool:
    """Make the branch if it has to be made. Raises UnknownBranch, GitRefused."""
    check_branch_name(branch)
    local, remote = repository.branches.local, repository.branches.remote
    if base:
        start = local.get(base.removeprefix("refs/heads/")) or remote.get(base)
        if start is None:
            raise UnknownBranch(f"There is no branch {base[:200]} to start from")
        if branch in local:
            raise GitRefused(f"There is already a branch {branch}: leave baseBranch out to use it")
        local.create(branch, start.peel(pygit2.Commit))
        return True
    if branch in local:
        return False
    theirs = remote.get(f"origin/{branch}")
    if theirs is None:
        raise UnknownBranch(f"There is no branch {branch}: give baseBranch to make it")
    local.create(branch, theirs.peel(pygit2.Commit)).upstream = theirs
    return True


def check_branch_name(branch: str) -> None:
    """Raises GitRefused."""
    if branch.startswith("-") or branch == "HEAD" or not pygit2.reference_is_valid_name(f"refs/heads/{branch}"):
        raise GitRefused(f"branch: expected a valid name, got {branch[:80]!r}")


def _free_name(folder: str, wanted: str) -> str:
    """A name below .git/worktrees that is not taken."""
    wanted = re.sub(r"[^A-Za-z0-9._-]", "-", wanted).strip(".")[:100] or "worktree"
    name, number = wanted, 1
    while os.path.lexists(f"{folder}/{name}"):
        name, number = f"{wanted}{number}", number + 1
    return name


def remove(place: Repository, branch: str, roots: Folders, *, force: bool) -> Removed:
    """Remove a linked worktree, its folder too. Raises WorktreeChanged unless forced."""
    git_dir, named = folder_of(place, branch)
    if git_dir == place.common:
        raise GitRefused("The main worktree cannot be removed")
    if os.path.lexists(f"{git_dir}/locked"):
        raise GitRefused(
            f"The worktree is locked ({start_of(f'{git_dir}/locked') or 'no reason given'}): unlock it first"
        )
    if os.path.lexists(named):
        folder = roots.resolve(named)
        # The repository names the folder, and could name any: it is removed only if its .git file names it back.
        if os.path.islink(named) or find(folder, roots) != Repository(folder, git_dir, place.common):
            raise GitRefused(f"{named} is not a worktree of this repository")
        if any(
            each == folder or each.startswith(f"{folder}/") for each in (place.common, *roots.folders, *roots.private)
        ):
            raise GitRefused(f"{folder} has more in it than the worktree")
        if not force and summary(Repository(folder, git_dir, place.common)).changed:
            raise WorktreeChanged(folder)
        remove_tree(folder, roots)
    _forget(place, git_dir, roots)
    return Removed(path=named)


def remove_tree(folder: str, roots: Folders) -> None:
    """Remove a folder by descriptors: no link is followed, not even one that is put in a folder's place meanwhile."""
    parent = open_folder(os.path.dirname(folder), roots)
    try:
        shutil.rmtree(os.path.basename(folder), dir_fd=parent)
    finally:
        os.close(parent)


def open_folder(folder: str, roots: Folders) -> int:
    """A descriptor of the folder, opened from its root down without a link. Raises OSError, OutsideFolders."""
    root = next((each for each in roots.folders if folder == each or folder.startswith(each.rstrip("/") + "/")), None)
    if root is None:
        raise OutsideFolders(f"{folder} is outside of the permitted folders")
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    found = os.open(root, flags)
    for name in PurePath(folder).relative_to(root).parts:
        above = found
        try:
            found = os.open(name, flags, dir_fd=above)
        finally:
            os.close(above)
    return found


def _forget(place: Repository, git_dir: str, roots: Folders) -> None:
    if os.path.dirname(os.path.realpath(git_dir)) != f"{place.common}/worktrees":
        raise GitRefused("The worktree's git folder is not in the repository's")
    remove_tree(os.path.realpath(git_dir), roots)


def prune(place: Repository, roots: Folders) -> Pruned:
    """Forget the worktrees whose folders are gone."""
    names = []
    for git_dir, folder in list(worktree_folders(place)):
        if git_dir != place.common and not os.path.lexists(folder) and not os.path.lexists(f"{git_dir}/locked"):
            _forget(place, git_dir, roots)
            names.append(os.path.basename(git_dir))
    return Pruned(names)


def switch(place: Repository, branch: str) -> Switched:
    """Check out a branch. Files with changes stay as they are, or it is refused."""
    if place.bare:
        raise GitRefused("A bare repository has no files to switch")
    check_branch_name(branch)
    repository = opened(place)
    for git_dir, folder in worktree_folders(place):
        if git_dir != place.git_dir and head_branch(git_dir) == branch:
            raise GitRefused(f"The branch {branch} is checked out in {folder}")
    made = _new_branch(repository, branch, "")
    try:
        repository.checkout(f"refs/heads/{branch}")
    except BaseException:
        if made:
            repository.branches.local.delete(branch)
        raise
    return Switched(place.root, branch)


def detach_at(place: Repository, commit: str) -> None:
    """Check out a commit, without a branch. Files with changes stay as they are, or GitError is raised."""
    repository = opened(place)
    found = repository[pygit2.Oid(hex=commit)]
    repository.checkout_tree(found)  # type: ignore[no-untyped-call]  # pygit2's
    repository.set_head(found.id)


def main_place(place: Repository, roots: Folders) -> Repository:
    """The main worktree. Raises GitRefused for a bare repository, OutsideFolders."""
    if not roots.holds(place.main):
        raise OutsideFolders(f"{place.main} is outside of the permitted folders")
    main = find(place.main, roots)
    if main is None or main.bare or main.common != place.common:
        raise GitRefused("The repository has no main worktree")
    return main


def current(place: Repository) -> tuple[str, str]:
    """(branch, id of the commit)"""
    branch, head = head_of(opened(place))
    return branch, "" if head is None else str(head.id)
