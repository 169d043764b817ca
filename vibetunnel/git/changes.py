"""What a worktree has changed since its last commit, file by file and line by line. Runs in the child process."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterable, Iterator

import pygit2
from pygit2.enums import DeltaStatus, DiffFind, FileMode

from vibetunnel.git.errors import BadPath
from vibetunnel.git.messages import ChangedFile, ChangedFiles, FileChangeKind, FileHunks, Hunk
from vibetunnel.git.reading import (
    CHANGE_FLAGS,
    DIFFED,
    DIFFED_LINES,
    LIST_BYTES,
    Room,
    binary,
    blob_of,
    count_ahead,
    head_of,
    line_count,
    named,
    regular_file,
    shown,
)
from vibetunnel.git.repository import Repository, opened
from vibetunnel.git.roots import Folders

LISTED = 3000  # files
UNTRACKED = 500  # files in folders that git does not track, which are listed one by one
SEEN = 20_000  # names in one of these folders, of ignored files too
COUNTED_S = 1.0  # for counting lines; the counts of later files are left out
COUNTED_BYTES = 16 << 20  # as above
COUNTED_LINES = 80_000  # of both versions of a file: to compare them takes 0.3 s at worst, and grows with the square
RENAMES = 200  # files among which renamed ones are sought
RENAMED_BYTES = 16 << 20  # of these files together

_KINDS: dict[DeltaStatus, FileChangeKind] = {
    DeltaStatus.ADDED: "added",
    DeltaStatus.DELETED: "deleted",
    DeltaStatus.RENAMED: "renamed",
    DeltaStatus.UNTRACKED: "untracked",
    DeltaStatus.CONFLICTED: "conflicted",
}
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def changed_files(place: Repository, roots: Folders) -> ChangedFiles:
    """All changed files, sorted. Lines are counted for as many as the time allows."""
    repository = opened(place)
    branch, head = head_of(repository)
    found = ChangedFiles(root=place.root, branch=branch, linked=place.linked)
    count_ahead(repository, branch, head, found)
    if place.bare:
        return found
    worktree = _Worktree(place.root, repository, head, roots)
    files: dict[str, ChangedFile] = {}
    for path, earlier, kind in staged(repository, head):
        files[path] = ChangedFile(path=path, earlier=earlier, staged=kind)
    entries = list(unstaged(repository))
    found.changed = len({*files, *(path for path, _ in entries)})
    for path, kind in _with_files_inside(worktree, entries):
        known = files.setdefault(path, ChangedFile(path=path))
        if kind == "conflicted":  # what is staged of it is no change of the user's
            known.staged = ""
        known.unstaged = kind
    room = Room(LISTED, LIST_BYTES)
    listed = sorted(files.values(), key=lambda each: each.path)
    found.files = [each for each in listed if room.takes(each.path, each.earlier)]
    found.cut = len(found.files) < len(listed)
    _count_lines(worktree, found.files)
    for each in found.files:
        each.path, each.earlier = shown(each.path), shown(each.earlier)
    return found


def file_hunks(place: Repository, file: str, earlier: str, context: int, roots: Folders) -> FileHunks:
    """The changed lines of a file, with `context` lines around them. earlier: its name in HEAD; "": the same."""
    for path in (file, earlier or file):
        _check(path)
    file, earlier = named(file), named(earlier)
    repository = opened(place)
    if place.bare:
        return FileHunks()
    _, head = head_of(repository)
    versions = _Worktree(place.root, repository, head, roots).versions(file, earlier)
    if versions is None or line_count(*versions) > DIFFED_LINES:
        return FileHunks(too_big=True)
    before, after = versions
    found = FileHunks(deleted=after is None, lines=line_count(after), binary=binary(*versions))
    if found.binary:
        return found
    patch = pygit2.Patch.create_from(before, after, context_lines=context)
    found.hunks = [
        Hunk(old=hunk.old_start, new=hunk.new_start, lines=[_signed(line) for line in hunk.lines])
        for hunk in patch.hunks
    ]
    return found


def _signed(line: pygit2.DiffLine) -> str:
    if line.origin in ("=", ">", "<"):  # libgit2's signs for the remark `\ No newline at end of file`
        return line.content.strip("\n")
    return line.origin + line.content.rstrip("\n")


class _Worktree:
    """The files of a worktree, in HEAD and now. A file is opened name by name, without following links."""

    def __init__(self, root: str, repository: pygit2.Repository, head: pygit2.Commit | None, roots: Folders) -> None:
        self.root = root
        self.repository = repository
        self._head = head
        self._roots = roots

    def holds(self, path: str) -> bool:
        """Whether this path below the root may be read: the server's own folders may be there, too."""
        return self._roots.holds(f"{self.root}/{path}")

    def ignores(self, path: str) -> bool:
        """Whether git ignores this path; that of a folder ends in `/`."""
        return self.repository.path_is_ignored(shown(path))  # pygit2 takes UTF-8 only

    @contextlib.contextmanager
    def folder(self, path: str) -> Iterator[int]:
        """The descriptor of a folder below the root; "": the root itself. Raises OSError."""
        current = os.open(self.root, _FOLDER)
        try:
            for name in path.split("/") if path else ():
                above, current = current, os.open(name, _FOLDER, dir_fd=current)
                os.close(above)
            yield current
        finally:
            os.close(current)

    def versions(self, path: str, earlier: str) -> tuple[bytes | None, bytes | None] | None:
        """A file (in HEAD, now). None: one of them is longer than DIFFED."""
        blob_id = blob_of(self._head, earlier or path)
        if blob_id is not None and self.repository.odb.read_header(blob_id)[1] > DIFFED:
            return None
        now = self._now(path)
        if len(now or b"") > DIFFED:
            return None
        return (None if blob_id is None else self.repository[blob_id].data), now  # type: ignore[attr-defined]  # a blob

    def _now(self, path: str) -> bytes | None:
        """The file, or the text of a link: at most one byte more than DIFFED. None: there is none, or it is private."""
        above, _, name = path.rpartition("/")
        if not self.holds(path):
            return None
        try:
            with self.folder(above) as folder:
                if stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                    return os.fsencode(os.readlink(name, dir_fd=folder))
                return regular_file(name, folder)
        except OSError:
            return None


def staged(repository: pygit2.Repository, head: pygit2.Commit | None) -> Iterator[tuple[str, str, FileChangeKind]]:
    """(path, path before it was renamed, change)"""
    if head is None:
        for entry in repository.index:
            yield entry.path, "", "added"
        return
    diff = repository.index.diff_to_tree(head.tree, CHANGE_FLAGS)
    if _few(repository, diff):
        diff.find_similar(DiffFind.FIND_RENAMES, rename_limit=RENAMES)
    for delta in diff.deltas:
        kind = _KINDS.get(DeltaStatus(delta.status), "modified")
        yield delta.new_file.path or delta.old_file.path, delta.old_file.path if kind == "renamed" else "", kind


def _few(repository: pygit2.Repository, diff: pygit2.Diff) -> bool:
    """Whether it is quick to find which files were renamed."""
    moved = [each for each in diff.deltas if each.status in (DeltaStatus.ADDED, DeltaStatus.DELETED)]
    if len(moved) > RENAMES:
        return False
    files = [each.new_file if each.status == DeltaStatus.ADDED else each.old_file for each in moved]
    # The commit of a submodule is in another repository.
    blobs = [file.id for file in files if file.mode != FileMode.COMMIT]
    return sum(repository.odb.read_header(blob)[1] for blob in blobs) <= RENAMED_BYTES


def unstaged(repository: pygit2.Repository) -> Iterator[tuple[str, FileChangeKind]]:
    """As `git status` has them: a folder that git does not track is one."""
    for delta in repository.index.diff_to_workdir(CHANGE_FLAGS).deltas:
        yield delta.new_file.path or delta.old_file.path, _KINDS.get(DeltaStatus(delta.status), "modified")


def _with_files_inside(
    worktree: _Worktree, entries: Iterable[tuple[str, FileChangeKind]]
) -> Iterator[tuple[str, FileChangeKind]]:
    """The entries, with the files of folders that git does not track in their place."""
    left = UNTRACKED
    for path, kind in entries:
        if kind == "untracked" and path.endswith("/"):
            inside = _files_of(worktree, path, left)
            left -= len(inside)
            yield from ((each, kind) for each in inside or [path])
        else:
            yield path, kind


def _files_of(worktree: _Worktree, folder: str, most: int) -> list[str]:
    """The files of a folder that is not tracked. None of them if they are more than `most`, or of a repository."""
    found: list[str] = []
    seen = 0
    ignored = worktree.ignores
    with contextlib.suppress(OSError), worktree.folder(folder.rstrip("/")) as top:  # it is gone, or may not be read
        for above, folders, files, _ in os.fwalk(".", dir_fd=top, follow_symlinks=False):
            prefix = folder if above == "." else f"{folder}{above.removeprefix('./')}/"
            seen += len(folders) + len(files)
            if seen > SEEN or ".git" in (*folders, *files) or not worktree.holds(prefix.rstrip("/")):
                return []
            folders[:] = [each for each in sorted(folders) if not ignored(f"{prefix}{each}/")]
            for path in (prefix + each for each in sorted(files)):
                if not ignored(path):
                    found.append(path)
                if len(found) > most:
                    return []
    return found


def _count_lines(worktree: _Worktree, files: list[ChangedFile]) -> None:
    deadline, room = time.monotonic() + COUNTED_S, COUNTED_BYTES
    for each in files:
        if time.monotonic() > deadline or room < 0:
            return
        versions = None if each.path.endswith("/") else worktree.versions(each.path, each.earlier)
        if versions is None or versions == (None, None) or _takes_long(*versions) or binary(*versions):
            continue
        room -= sum(len(version or b"") for version in versions)
        _, each.insertions, each.deletions = pygit2.Patch.create_from(*versions).line_stats


def _takes_long(before: bytes | None, after: bytes | None) -> bool:
    return before is not None and after is not None and line_count(before, after) > COUNTED_LINES


def _check(path: str) -> None:
    """Raises BadPath for what is no path of a file in a worktree."""
    parts = path.split("/")
    if "\0" in path or any(each in ("", ".", "..") or each.lower() == ".git" for each in parts):
        raise BadPath("file: expected a path below the repository's folder, without `..` and `.git`")
