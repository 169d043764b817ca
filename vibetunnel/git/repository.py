"""Finds the repository of a path, and checks it before libgit2 opens it. Runs in the child process."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import PurePath

import pygit2
from pygit2.enums import RepositoryOpenFlag

from vibetunnel.git.errors import GitRefused, NoRepository
from vibetunnel.git.roots import Folders

POINTER = 4096  # bytes of a file that holds one path; git writes no longer ones
ALTERNATES = 16  # other object folders of a repository
ALTERNATE_DEPTH = 5  # as libgit2 follows them
INSIDE = ("HEAD", "config", "config.worktree", "index", "objects", "refs", "packed-refs", "hooks", "info", "worktrees")


@dataclass(frozen=True)
class Repository:
    """Where the parts of a repository are; all are real paths in the permitted folders.

    root     the worktree's folder; of a bare repository, its git folder
    git_dir  HEAD and index of this worktree
    common   objects and branches
    """

    root: str
    git_dir: str
    common: str
    bare: bool = False

    @property
    def linked(self) -> bool:
        """Whether it was made by `git worktree add`."""
        return self.git_dir != self.common

    @property
    def main(self) -> str:
        """The folder of the main worktree, or the bare repository."""
        if not self.linked:
            return self.root
        return os.path.dirname(self.common) if os.path.basename(self.common) == ".git" else self.common


def find(path: str, roots: Folders) -> Repository | None:
    """The repository that the real path `path` is in; None: none. Raises GitRefused."""
    for folder in (path, *map(str, PurePath(path).parents)):
        if not roots.holds(folder):
            return None
        place = _at(folder, roots)
        if place is not None:
            _check(place, roots)
            return place
    return None


def require(path: str, roots: Folders) -> Repository:
    """The repository that `path` is in. Raises NoRepository, GitRefused, OutsideFolders."""
    place = find(roots.resolve(path), roots)
    if place is None:
        raise NoRepository(f"{path[:200]} is not in a git repository")
    return place


def opened(place: Repository) -> pygit2.Repository:
    """The repository. Raises GitRefused if its configuration puts its files elsewhere."""
    repository = pygit2.Repository(place.git_dir if place.bare else place.root, RepositoryOpenFlag.NO_SEARCH)
    if os.path.realpath(repository.path) != place.git_dir:
        raise GitRefused(f"{place.root}: the repository has its git folder elsewhere")
    workdir = None if repository.workdir is None else os.path.realpath(repository.workdir)
    if workdir != (None if place.bare else place.root):
        raise GitRefused(f"{place.root}: the repository's core.worktree or core.bare does not fit its folder")
    return repository


def pointer(path: str) -> str:
    """The text of a file that holds one path or name; "" for none. Never waits for a FIFO."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        return os.fsdecode(os.read(descriptor, POINTER)).rstrip("\r\n")
    finally:
        os.close(descriptor)


def setting(config: pygit2.Config, name: str) -> str:
    """The value of a setting; "" for none."""
    return (config[name] or "") if name in config else ""


def head_branch(git_dir: str) -> str:
    """The branch that HEAD names; "" for none. Without libgit2, for repositories that are only listed."""
    return pointer(f"{git_dir}/HEAD").partition("ref: refs/heads/")[2]


def _at(folder: str, roots: Folders) -> Repository | None:
    entry = os.path.join(folder, ".git")
    try:
        mode = os.stat(entry).st_mode
    except OSError:
        return _bare(folder)
    if stat.S_ISDIR(mode):
        git_dir = os.path.realpath(entry)
        if os.path.lexists(f"{git_dir}/commondir"):
            raise GitRefused(f"{folder}: a `.git` folder with its objects elsewhere is not read here")
        return Repository(folder, git_dir, git_dir)
    named = pointer(entry).partition("gitdir: ")[2]
    if not named:
        raise GitRefused(f"{folder}: its .git file does not name a git folder")
    git_dir = os.path.realpath(os.path.join(folder, named))
    common_name = pointer(f"{git_dir}/commondir")
    common = os.path.realpath(os.path.join(git_dir, common_name)) if common_name else git_dir
    for each in (git_dir, common):
        if not roots.holds(each):
            raise GitRefused(f"{folder}: its .git file names a folder outside of the permitted ones")
    if common_name:
        if os.path.realpath(pointer(f"{git_dir}/gitdir")) != entry or os.path.dirname(git_dir) != f"{common}/worktrees":
            raise GitRefused(f"{folder}: its .git file names a repository that does not have it as a worktree")
    elif not _names_back(git_dir, folder):
        raise GitRefused(f"{folder}: its .git file names a repository that is not of this folder")
    return Repository(folder, git_dir, common)


def _bare(folder: str) -> Repository | None:
    if not (
        os.path.isfile(f"{folder}/HEAD") and os.path.isdir(f"{folder}/objects") and os.path.isdir(f"{folder}/refs")
    ):
        return None
    if os.path.lexists(f"{folder}/commondir"):
        return None  # the git folder of a linked worktree
    return Repository(folder, folder, folder, bare=True)


def _names_back(git_dir: str, folder: str) -> bool:
    """Whether the git folder of a submodule (or of `git init --separate-git-dir`) says that it is of `folder`."""
    if not os.path.isfile(f"{git_dir}/config"):
        return False
    named = setting(pygit2.Config(f"{git_dir}/config"), "core.worktree")
    return bool(named) and os.path.realpath(os.path.join(git_dir, named)) == folder


def _check(place: Repository, roots: Folders) -> None:
    """Raises GitRefused if a part of the repository is outside of the permitted folders."""
    for folder in {place.git_dir, place.common}:
        if not roots.holds(folder):
            raise GitRefused(f"{place.root}: its git folder is outside of the permitted ones")
        for name in INSIDE:
            if not roots.holds(os.path.realpath(f"{folder}/{name}")):
                raise GitRefused(f"{place.root}: {name} of its git folder leads outside of the permitted folders")
    _check_alternates(f"{place.common}/objects", roots, ALTERNATE_DEPTH)


def _check_alternates(objects: str, roots: Folders, depth: int) -> None:
    lines = [each for each in pointer(f"{objects}/info/alternates").splitlines() if each and not each.startswith("#")]
    if len(lines) > ALTERNATES or (lines and not depth):
        raise GitRefused("The repository takes its objects from too many other ones")
    for line in lines:
        other = os.path.realpath(os.path.join(objects, line))
        if not roots.holds(other):
            raise GitRefused(
                "The repository takes objects from outside of the permitted folders (objects/info/alternates)"
            )
        _check_alternates(other, roots, depth - 1)
