"""What is read of one repository: its branches, its files, and their changes. Runs in the child process."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pygit2
from pygit2.enums import DeltaStatus, DiffOption, ObjectType

from vibetunnel.files.names import bytes_of, text_of
from vibetunnel.git.errors import BadPath
from vibetunnel.git.messages import (
    Branch,
    Change,
    ChangedFiles,
    Discovered,
    FileChange,
    FolderStatus,
    Summary,
    TextDiff,
)
from vibetunnel.git.repository import UNREADABLE, Repository, find, head_branch, opened, setting, start_of
from vibetunnel.git.roots import Folders

LISTED_BELOW = 10_000  # changed files of a folder
BRANCHES = 2000
LIST_BYTES = 2 << 20  # of the names in each other list
DIFFED = 2 << 20  # bytes of a file that is compared
DIFFED_LINES = 200_000  # of both versions of one: time grows with the square, and these take less than a second
TEXT = 8000  # bytes among which a NUL makes a file a binary one, as in git
LOOKED_AT = 20_000  # folders in which repositories are sought
FOUND = 500  # repositories
SEEK_S = 2.0  # after which those that were found are all
SKIPPED = {"node_modules", "__pycache__", "venv", "site-packages", "target"}

# A submodule is another repository, with a configuration of its own: it is not opened.
CHANGE_FLAGS = DiffOption.INCLUDE_UNTRACKED | DiffOption.IGNORE_SUBMODULES | DiffOption.INCLUDE_TYPECHANGE


def head_of(repository: pygit2.Repository) -> tuple[str, pygit2.Commit | None]:
    """(branch, commit): "" if HEAD is detached, None if there is no commit yet."""
    target = repository.lookup_reference("HEAD").target
    branch = target.removeprefix("refs/heads/") if isinstance(target, str) else ""
    if repository.head_is_unborn:
        return branch, None
    return branch, repository.head.peel(pygit2.Commit)


def count_ahead(
    repository: pygit2.Repository, branch: str, head: pygit2.Commit | None, found: Summary | ChangedFiles
) -> None:
    local = repository.branches.local.get(branch) if branch and head is not None else None
    if local is None or head is None or local.upstream is None:
        return
    found.upstream = True
    found.ahead, found.behind = repository.ahead_behind(head.id, local.upstream.target)


class Room:
    """How much of a list still fits into an answer. By bytes too: a path has up to 4096, so a thousand may be 4 MB."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._left, self._left_bytes = most, most_bytes

    def takes(self, *texts: str) -> bool:
        """Take the room for one more entry. False: the list ends here."""
        self._left -= 1
        self._left_bytes -= sum(len(each.encode("utf-8", "replace")) for each in texts)
        return self._left >= 0 and self._left_bytes >= 0


def _staged(repository: pygit2.Repository, head: pygit2.Commit | None) -> Iterator[tuple[str, DeltaStatus]]:
    index = repository.index
    if head is None:
        for entry in index:
            yield shown(entry.path), DeltaStatus.ADDED
        return
    for delta in index.diff_to_tree(head.tree, CHANGE_FLAGS).deltas:
        yield shown(delta.new_file.path or delta.old_file.path), DeltaStatus(delta.status)


def _unstaged(repository: pygit2.Repository) -> Iterator[tuple[str, DeltaStatus]]:
    for delta in repository.index.diff_to_workdir(CHANGE_FLAGS).deltas:
        yield shown(delta.new_file.path or delta.old_file.path), DeltaStatus(delta.status)


def shown(path: str) -> str:
    """The path for JSON, spelled as files/names.py does it: a byte that is no UTF-8 is one character."""
    return text_of(os.fsencode(path))


def named(text: str) -> str:
    """The path that shown() gives as `text`. Raises BadPath."""
    try:
        return os.fsdecode(bytes_of(text))
    except ValueError:
        raise BadPath("path: expected UTF-8 without NUL") from None


def remote_url(repository: pygit2.Repository) -> str:
    """The URL of `origin` without a user's name, password or token."""
    url = setting(repository.config, "remote.origin.url")
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme in ("http", "https", "ftp", "ftps"):
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    if parts.scheme and parts.password is not None:
        return urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.netloc.rpartition('@')[2]}"))
    return url


def branches(place: Repository) -> list[Branch]:
    """Local branches, the current one first, then those of remotes."""
    repository = opened(place)
    current, _ = head_of(repository)
    used = checked_out(place)
    local = sorted(repository.branches.local, key=lambda name: (name != current, name))
    remote = sorted(each for each in repository.branches.remote if not each.endswith("/HEAD"))
    found = [
        Branch(name=shown(name), current=name == current, remote=False, worktree=used.get(name, "")) for name in local
    ]
    found += [Branch(name=shown(name), current=False, remote=True) for name in remote]
    room = Room(BRANCHES, LIST_BYTES)
    return [each for each in found if room.takes(each.name, each.worktree)]


def checked_out(place: Repository) -> dict[str, str]:
    """Branch -> the folder of the worktree that has it."""
    found: dict[str, str] = {}
    for git_dir, folder in worktree_folders(place):
        if branch := head_branch(git_dir):
            found.setdefault(branch, folder)
    return found


def worktree_folders(place: Repository) -> Iterator[tuple[str, str]]:
    """(git folder, folder) of each worktree, the main one first, which a bare repository does not have.

    The folder of a linked one is what the repository says: it may be gone, or be any path.
    """
    if os.path.basename(place.common) == ".git" or not place.linked:
        yield place.common, place.main
    folder = f"{place.common}/worktrees"
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    for name in names[:WORKTREES]:
        git_dir = f"{folder}/{name}"
        if (back := start_of(f"{git_dir}/gitdir")) and os.path.isdir(git_dir) and not os.path.islink(git_dir):
            yield git_dir, os.path.dirname(os.path.join(git_dir, back))


WORKTREES = 200  # of a repository


def discover(path: str, depth: int, roots: Folders) -> list[Discovered]:
    """The repositories at and below a folder, at most `depth` folders down. Links are not followed."""
    start, deadline = roots.resolve(path), time.monotonic() + SEEK_S
    found: list[Discovered] = []
    level, looked_at, room = [start], 0, Room(FOUND, LIST_BYTES)
    for _ in range(depth + 1):
        following = []
        for folder in level:
            looked_at += 1
            if looked_at > LOOKED_AT or time.monotonic() > deadline:
                return found
            if os.path.lexists(f"{folder}/.git"):
                for each in _found(folder, start, roots):
                    if not room.takes(each.path, each.relative, each.branch):
                        return found
                    found.append(each)
                continue
            following += _below(folder)
        level = following
    return found


def _below(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                each.path
                for each in entries
                if each.is_dir(follow_symlinks=False) and not each.name.startswith(".") and each.name not in SKIPPED
            )
    except OSError:
        return []  # it may not be read, or is gone


def _found(folder: str, start: str, roots: Folders) -> list[Discovered]:
    try:
        place, about = find(folder, roots), os.stat(folder)
    except UNREADABLE:
        return []
    if place is None:
        return []
    relative = shown(os.path.relpath(folder, start))
    branch = shown(head_branch(place.git_dir))
    path = shown(folder)
    return [Discovered(path=path, inode=about.st_ino, modified_ns=about.st_mtime_ns, relative=relative, branch=branch)]


def folder_status(place: Repository, folder: str) -> FolderStatus:
    """The changed files below a folder, with paths relative to it. A folder without tracked files ends in `/`."""
    repository = opened(place)
    branch, head = head_of(repository)
    files: dict[str, Change] = {}
    below = "" if folder == place.root else shown(os.path.relpath(folder, place.root)) + "/"
    if not place.bare:
        for path, status in (*_staged(repository, head), *_unstaged(repository)):
            if path.startswith(below):
                files[path[len(below) :]] = _CHANGES.get(status, "modified")
            elif status is DeltaStatus.UNTRACKED and path.endswith("/") and below.startswith(path):
                files["./"] = "untracked"  # the folder is itself in one that is not tracked
    listed: list[FileChange] = sorted(files.items())
    room = Room(LISTED_BELOW, LIST_BYTES)
    fits = [each for each in listed if room.takes(each[0])]
    return FolderStatus(root=place.root, branch=branch, files=fits, cut=len(fits) < len(listed))


_CHANGES: dict[DeltaStatus, Change] = {
    DeltaStatus.ADDED: "added",
    DeltaStatus.DELETED: "deleted",
    DeltaStatus.UNTRACKED: "untracked",
}


def file_diff(path: str, roots: Folders) -> TextDiff:
    """A file of a worktree against HEAD."""
    real = roots.resolve(os.path.join(os.path.dirname(path) or ".", ""))  # a link is compared, not what it leads to
    real = os.path.join(real, os.path.basename(path))
    place = find(os.path.dirname(real), roots)
    if place is None or place.bare:
        return TextDiff(original=None)
    repository = opened(place)
    _, head = head_of(repository)
    blob_id = blob_of(head, os.path.relpath(real, place.root))
    current = regular_file(real)
    longest = max(len(current or b""), 0 if blob_id is None else repository.odb.read_header(blob_id)[1])
    if longest > DIFFED:
        return TextDiff(original=None, too_big=True)
    original = repository[blob_id].data if blob_id is not None else None  # type: ignore[attr-defined]  # it is a blob
    return TextDiff(original=original, diff=unified(original, current, shown(os.path.relpath(real, place.root))))


def blob_of(head: pygit2.Commit | None, path: str) -> pygit2.Oid | None:
    try:
        entry = None if head is None else head.tree[path]
    except KeyError:
        return None
    return entry.id if entry is not None and entry.type == ObjectType.BLOB else None


def regular_file(path: str, folder: int | None = None) -> bytes | None:
    """The file, at most one byte more than DIFFED; None: there is no regular file. folder: `path` is in this one."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(DIFFED + 1)
    finally:
        os.close(descriptor)


def unified(original: bytes | None, current: bytes | None, path: str) -> str:
    """The unified diff of two texts. None: there is no file. "": they are equal, or very long, or one is binary."""
    if original == current or binary(original, current) or line_count(original, current) > DIFFED_LINES:
        return ""
    patch = pygit2.Patch.create_from(original, current, old_as_path=path, new_as_path=path)
    return patch.data.decode("utf-8", "replace")


def binary(*versions: bytes | None) -> bool:
    return any(b"\0" in (each or b"")[:TEXT] for each in versions)


def line_count(*versions: bytes | None) -> int:
    return sum(each.count(b"\n") + (each[-1:] != b"\n") for each in versions if each)
