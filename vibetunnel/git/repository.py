"""Finds the repository of a path, and checks it before libgit2 opens it. Runs in the child process."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import PurePath

import pygit2
from pygit2.enums import RepositoryOpenFlag

from vibetunnel.git.errors import GitError, GitRefused, NoRepository
from vibetunnel.git.roots import Folders

UNREADABLE = (GitError, pygit2.GitError, OSError, KeyError, ValueError, RecursionError)  # what a damaged one raises
POINTER = 4096  # bytes of a file that holds one path; git writes no longer ones
GITDIR = "gitdir: "
ALTERNATES = 16  # other object folders of a repository
ALTERNATE_DEPTH = 5  # as libgit2 follows them
INSIDE = (
    "HEAD",
    "config",
    "config.worktree",
    "index",
    "objects",
    "objects/info",
    "objects/pack",
    "refs",
    "packed-refs",
    "hooks",
    "info",
    "worktrees",
)


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


def start_of(path: str) -> str:
    """The first POINTER bytes of a file that leads to no other file; "" for none. Never waits for a FIFO."""
    try:
        return os.fsdecode(_read(path)[:POINTER]).rstrip("\r\n")
    except OSError:
        return ""


def pointer(path: str) -> str:
    """The path in a file that libgit2 follows; "": there is no such file.

    Raises GitRefused for all that libgit2 may read in another way: then what was checked is not what it opens.
    """
    text = _whole(path).rstrip(b"\r\n")
    if text != text.strip() or b"\n" in text or b"\r" in text or (not text and os.path.lexists(path)):
        raise GitRefused(f"{path}: expected one path in one line")
    return os.fsdecode(text)


def _whole(path: str) -> bytes:
    """The file's content; b"": there is no such file. Raises GitRefused for a link, and for what is too long."""
    try:
        found = _read(path)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise GitRefused(f"{path}: expected a file, not a link or what cannot be read ({error.strerror})") from error
    if len(found) > POINTER:
        raise GitRefused(f"{path}: expected at most {POINTER} bytes")
    if b"\0" in found:
        raise GitRefused(f"{path}: expected no NUL")
    return found


def _read(path: str) -> bytes:
    """At most one byte more than POINTER of a regular file. Raises OSError for others, a symbolic link among them."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "no regular file")
        return file.read(POINTER + 1)


def setting(config: pygit2.Config, name: str) -> str:
    """The value of a setting; "" for none."""
    return (config[name] or "") if name in config else ""


def head_branch(git_dir: str) -> str:
    """The branch that HEAD names; "" for none. Without libgit2, for repositories that are only listed."""
    return start_of(f"{git_dir}/HEAD").partition("ref: refs/heads/")[2]


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
    text = pointer(entry)
    named = text.removeprefix(GITDIR)
    if not named or named == text or named != named.strip():
        raise GitRefused(f"{folder}: its .git file does not name a git folder")
    git_dir = os.path.realpath(os.path.join(folder, named))
    common_name = pointer(f"{git_dir}/commondir")
    common = os.path.realpath(os.path.join(git_dir, common_name)) if common_name else git_dir
    for each in (git_dir, common):
        if not roots.holds(each):
            raise GitRefused(f"{folder}: its .git file names a folder outside of the permitted ones")
    if common_name:
        back = os.path.realpath(os.path.join(git_dir, pointer(f"{git_dir}/gitdir")))
        if back != entry or os.path.dirname(git_dir) != f"{common}/worktrees":
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
    text = os.fsdecode(_whole(f"{objects}/info/alternates"))
    if "\r" in text:  # git takes it for a part of the path, libgit2 for the end of the line
        raise GitRefused("objects/info/alternates: expected no carriage return")
    lines = [each for each in text.split("\n") if each and not each.startswith("#")]
    if len(lines) > ALTERNATES or (lines and not depth):
        raise GitRefused("The repository takes its objects from too many other ones")
    for line in lines:
        if not line.startswith("/") and (depth < ALTERNATE_DEPTH or not line.startswith(".")):
            raise GitRefused("objects/info/alternates: expected absolute paths, or such that start with a dot")
        other = os.path.realpath(os.path.join(objects, line))
        if not roots.holds(other):
            raise GitRefused(
                "The repository takes objects from outside of the permitted folders (objects/info/alternates)"
            )
        _check_alternates(other, roots, depth - 1)
