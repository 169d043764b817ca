"""What is in a folder: entries in order, completions of a path. Bounded, however many entries there are.

Sorting, in one call, would hold the interpreter for as long as it takes. So names are sorted in short runs.
"""

from __future__ import annotations

import heapq
import itertools
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from vibetunnel.errors import VibeTunnelError
from vibetunnel.files.names import text_of
from vibetunnel.files.roots import FilePlace, Roots
from vibetunnel.files.walk import Walk, split

MAX_SCANNED = 200_000  # names of a folder that are looked at
MAX_ENTRIES = 5000  # of a listing
MAX_COMPLETIONS = 20
Kind = Literal["file", "directory", "other"]

RUN = 1000  # names that are sorted at once


@dataclass(frozen=True)
class FolderEntry:
    """A file or folder. Of a link: what it leads to, as far as that is below the roots.

    kind    what a client may do with it: list, read, or nothing
    target  of a link, as it is written
    """

    name: bytes
    kind: Kind
    size: int
    modified_ns: int
    mode: int
    target: bytes | None = None

    @property
    def folder(self) -> bool:
        return self.kind == "directory"


@dataclass(frozen=True)
class FolderListing:
    """The entries of a folder.

    truncated  there are more
    """

    entries: list[FolderEntry]
    truncated: bool


def scan(folder: int, wanted: Callable[[str], bool] = lambda _: True) -> tuple[list[tuple[bool, str]], bool]:
    """((is no folder, name) of what is wanted in an open folder, whether it has too many entries for that)"""
    with os.scandir(folder) as entries:
        found = [
            (not each.is_dir(follow_symlinks=False), each.name)
            for each in itertools.islice(entries, MAX_SCANNED)
            if wanted(each.name)
        ]
        return found, next(entries, None) is not None


def first(found: Sequence[tuple[bool, str]], limit: int) -> list[tuple[bool, str]]:
    """The first `limit` in order: folders before files, each by name."""
    runs = [sorted(found[begin : begin + RUN]) for begin in range(0, len(found), RUN)]
    return list(itertools.islice(heapq.merge(*runs), limit))


def browse(roots: Roots, place: FilePlace, *, hidden: bool, limit: int = MAX_ENTRIES) -> FolderListing:
    """List a folder, folders first. hidden: with names that begin with a dot. Raises as Roots.open() does."""
    with roots.folder(place) as folder:
        found, more = scan(folder, lambda name: hidden or not name.startswith("."))
        chosen = first(found, limit)
        entries = [each for _, name in chosen if (each := look(roots, place, folder, os.fsencode(name))) is not None]
    entries.sort(key=lambda each: not each.folder)  # links to folders go to the folders
    return FolderListing(entries, more or len(found) > len(chosen))


def look(roots: Roots, place: FilePlace, folder: int, name: bytes) -> FolderEntry | None:
    """The entry of this name in an open folder; None: it has gone."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        target = os.readlink(name, dir_fd=folder) if stat.S_ISLNK(found.st_mode) else None
    except OSError:
        return None
    if target is not None:
        found = _behind(roots, place.child(name)) or found
    return FolderEntry(name, _kind(found), found.st_size, found.st_mtime_ns, stat.S_IMODE(found.st_mode), target)


def _kind(found: os.stat_result) -> Kind:
    if stat.S_ISDIR(found.st_mode):
        return "directory"
    return "file" if stat.S_ISREG(found.st_mode) else "other"


def _behind(roots: Roots, place: FilePlace) -> os.stat_result | None:
    """What a link leads to; None: to nothing, to something that is never opened, or out of the roots."""
    try:
        opened = roots.open(place)
    except VibeTunnelError:
        return None
    try:
        return os.fstat(opened)
    finally:
        os.close(opened)


@dataclass(frozen=True)
class Completion:
    """One way to go on with a path that a user types.

    suggestion   the whole path; that of a folder ends in `/`
    repository   it has a .git
    """

    entry: FolderEntry
    place: FilePlace
    suggestion: str
    repository: bool


def complete(roots: Roots, typed: str) -> tuple[list[Completion], str]:
    """(the completions of a typed path, its part that they complete). Names with a dot only if a dot is typed."""
    above, _, partial = typed.rpartition("/")
    before = typed[: len(typed) - len(partial)]
    if typed == "~":
        above, before, partial = "~", "~/", ""
    place = roots.place(above or ("/" if before else "."))
    start = partial.casefold()

    def wanted(name: str) -> bool:
        text = text_of(os.fsencode(name))
        return text.casefold().startswith(start) and (not text.startswith(".") or partial.startswith("."))

    with roots.folder(place) as folder:
        found, _ = scan(folder, wanted)
        completions = []
        for name in _completing(found, partial):
            entry = look(roots, place, folder, os.fsencode(name))
            if entry is not None:
                suggestion = before + text_of(entry.name) + ("/" if entry.folder else "")
                repository = entry.folder and entry.target is None and _has_git(folder, entry.name)
                completions.append(Completion(entry, place.child(entry.name), suggestion, repository))
    return completions, partial


def _completing(found: Sequence[tuple[bool, str]], partial: str) -> list[str]:
    """The names that are offered: one that is typed whole comes first, however many go on from it."""
    names = [name for _, name in first(found, MAX_COMPLETIONS)]
    whole = [name for _, name in found if text_of(os.fsencode(name)) == partial][:1]
    return [*whole, *(name for name in names if name not in whole)][:MAX_COMPLETIONS]


def _has_git(folder: int, name: bytes) -> bool:
    try:
        inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    try:
        os.stat(b".git", dir_fd=inner, follow_symlinks=False)
    except OSError:
        return False
    finally:
        os.close(inner)
    return True


def below(walk: Walk, folder: int, name: bytes) -> int | None:
    """Open a folder or a file in an open folder, for walks over a whole tree; None: it is not for that.

    Links are not followed, and what nobody may enter is left out. Raises OSError.
    """
    try:
        return walk.enter(folder, name)
    except VibeTunnelError:
        return None


def chosen(roots: Roots, place: FilePlace, paths: Sequence[bytes]) -> FolderListing:
    """List what is at these paths below a folder, such as those that git names; what has gone is left out.

    Raises as Roots.open() does.
    """
    entries = []
    with roots.folder(place):  # its errors are those of every listing
        for path in paths[:MAX_ENTRIES]:
            found = _behind(roots, FilePlace(place.root, (*place.parts, *split(path))))
            if found is not None:
                kind, mode = _kind(found), stat.S_IMODE(found.st_mode)
                entries.append(FolderEntry(path, kind, found.st_size, found.st_mtime_ns, mode))
    return FolderListing(entries, len(paths) > MAX_ENTRIES)
