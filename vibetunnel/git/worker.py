"""The child process: reads requests from its socket, one at a time, and answers each.

Run as `python -m vibetunnel.git.worker`, with its socket as standard input and a Setup as its first argument.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import unicodedata  # noqa: F401  # urlsplit imports it for a host of other letters; Landlock would forbid that
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pygit2
from pygit2.enums import ConfigLevel

from vibetunnel.git import changes, follow, messages, reading, sandbox, worktrees
from vibetunnel.git.errors import GitError, GitRefused, NoRepository
from vibetunnel.git.reading import named, shown
from vibetunnel.git.repository import Repository, find, require
from vibetunnel.git.roots import Folders
from vibetunnel.git.summary import summary

MAPPED = 256 << 20  # bytes of packs that libgit2 maps at once
CACHED = 32 << 20  # bytes of objects that libgit2 keeps


Answer = Callable[[Any, Folders], object]  # Any: the request of its class
PlaceAnswer = Callable[[Any, Repository, Folders], object]  # Any: as above

WITHOUT: dict[type[messages.Request], Answer] = {  # reads whose path may be in no repository
    messages.Discover: lambda asked, roots: reading.discover(named(asked.path), asked.depth, roots),
    messages.DiffFile: lambda asked, roots: reading.file_diff(named(asked.path), roots),
    messages.DiffTexts: lambda asked, _roots: reading.unified(asked.before, asked.after, asked.path),
}
READS: dict[type[messages.Request], PlaceAnswer] = {
    messages.Summarise: lambda _asked, place, _roots: summary(place),
    messages.ListBranches: lambda _asked, place, _roots: reading.branches(place),
    messages.ListWorktrees: lambda _asked, place, roots: worktrees.worktrees(place, roots),
    messages.ListChangedFiles: lambda _asked, place, roots: changes.changed_files(place, roots),
    messages.DiffChangedFile: lambda asked, place, roots: changes.file_hunks(
        place, asked.file, asked.earlier, asked.context, roots
    ),
    messages.ListChanges: lambda asked, place, roots: reading.folder_status(place, roots.resolve(named(asked.path))),
}
CHANGES: dict[type[messages.Request], PlaceAnswer] = {
    messages.AddWorktree: lambda asked, place, roots: worktrees.add(
        place, asked.folder, asked.branch, asked.base, roots
    ),
    messages.RemoveWorktree: lambda asked, place, roots: worktrees.remove(
        place, asked.branch, roots, force=asked.force
    ),
    messages.PruneWorktrees: lambda _asked, place, roots: worktrees.prune(place, roots),
    messages.SwitchBranch: lambda asked, place, _roots: worktrees.switch(place, asked.branch),
    messages.Follow: lambda asked, place, roots: follow.follow(place, asked.branch, roots, asked.program),
    messages.Sync: lambda asked, place, roots: follow.sync(place, asked.event, roots),
}


def main() -> None:
    setup = msgspec.json.decode(sys.argv[1], type=messages.Setup)
    channel = socket.socket(fileno=0)
    roots = Folders(setup.folders, setup.home, setup.private)
    _send(channel, messages.CONFINED if prepare(roots, change=setup.change) else b"")
    answers = CHANGES if setup.change else READS
    decoder = msgspec.json.Decoder(messages.AnyRequest)
    while head := _receive(channel, messages.HEAD):
        asked = decoder.decode(_receive(channel, int.from_bytes(head, "big")))
        signal.setitimer(signal.ITIMER_REAL, setup.limit_s)  # SIGALRM ends the process
        place, failed = located(asked, roots)
        _send(channel, b"" if place is None else os.fsencode(place.common))
        if _receive(channel, 1) == messages.GO:
            _send(channel, failed or answered(answers, asked, place, roots))
        signal.setitimer(signal.ITIMER_REAL, 0)


def prepare(roots: Folders, *, change: bool) -> bool:
    """Bound libgit2's memory, and take away what is not needed. Returns whether the kernel holds it."""
    pygit2.settings.mwindow_mapped_limit = MAPPED
    pygit2.settings.cache_max_size(CACHED)
    sandbox.limit_resources()
    readable = [
        os.path.join(folder, name)
        for level in (ConfigLevel.SYSTEM, ConfigLevel.GLOBAL, ConfigLevel.XDG)
        for folder in pygit2.settings.search_path[level].split(":")
        if folder
        for name in (
            ("gitconfig",) if level is ConfigLevel.SYSTEM else (".gitconfig", "config", "ignore", "attributes")
        )
    ]
    return sandbox.confine(roots.folders, readable, write=change)


def located(asked: messages.Request, roots: Folders) -> tuple[Repository | None, bytes]:
    """(the repository of a request, b""), or (None, the reply that refuses the request)."""
    try:
        match asked:
            case messages.Discover() | messages.DiffTexts():
                return None, b""
            case messages.DiffFile():
                return _spelled(find(roots.resolve(os.path.dirname(named(asked.path)) or "."), roots)), b""
            case _:
                return _spelled(require(named(asked.path), roots)), b""
    except Exception as error:  # a repository of any content must not end the process
        return None, refused(error)


def _spelled(place: Repository | None) -> Repository | None:
    """The repository. Raises NoRepository if a path of it is no text, or is spelled as one that is none."""
    for path in () if place is None else (place.root, place.git_dir, place.common):
        if shown(path) != path:
            raise NoRepository(f"{shown(path)}: repositories in folders whose names are no UTF-8 are not read")
    return place


def answered(
    answers: Mapping[type[messages.Request], PlaceAnswer],
    asked: messages.Request,
    place: Repository | None,
    roots: Folders,
) -> bytes:
    """The encoded Reply."""
    try:
        if place is None or type(asked) in WITHOUT:
            found = WITHOUT[type(asked)](asked, roots)
        else:
            found = answers[type(asked)](asked, place, roots)
        reply = msgspec.json.encode(messages.Reply(value=msgspec.Raw(msgspec.json.encode(found))))
        if len(reply) > messages.LONGEST:
            raise GitRefused("The answer would be too long: the repository has too much to list or to compare")
    except Exception as error:  # as above
        return refused(error)
    return reply


def refused(error: Exception) -> bytes:
    """The encoded Reply that tells what was wrong."""
    kind, told = "GitDamaged", shown(str(error))
    if isinstance(error, GitError):
        kind = type(error).__name__
    elif isinstance(error, KeyError):
        told = "git: the repository is damaged, an object that it names is missing"
    else:
        told = f"git: {told or type(error).__name__}"[:500]
    return msgspec.json.encode(messages.Reply(error=kind, message=told))


def _send(channel: socket.socket, message: bytes) -> None:
    channel.sendall(len(message).to_bytes(messages.HEAD, "big") + message)


def _receive(channel: socket.socket, size: int) -> bytes:
    """Exactly `size` bytes; none at the end."""
    found = b""
    while len(found) < size:
        chunk = channel.recv(size - len(found))
        if not chunk:
            return b""
        found += chunk
    return found


if __name__ == "__main__":
    main()
