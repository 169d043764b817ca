"""The child process: reads requests from its socket, one at a time, and answers each.

Run as `python -m vibetunnel.git.worker`, with its socket as standard input and a Setup as its first argument.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import unicodedata  # noqa: F401  # urlsplit imports it for a host of other letters; Landlock would forbid that
from collections.abc import Callable
from typing import Any

import msgspec
import pygit2
from pygit2.enums import ConfigLevel

from vibetunnel.git import follow, messages, reading, sandbox, worktrees
from vibetunnel.git.errors import GitError, GitRefused
from vibetunnel.git.repository import require
from vibetunnel.git.roots import Folders

MAPPED = 256 << 20  # bytes of packs that libgit2 maps at once
CACHED = 32 << 20  # bytes of objects that libgit2 keeps


Answer = Callable[[Any, Folders], object]  # Any: the request of its class

READS: dict[type[messages.Request], Answer] = {
    messages.Summarise: lambda asked, roots: reading.summary(require(asked.path, roots)),
    messages.ListBranches: lambda asked, roots: reading.branches(require(asked.path, roots)),
    messages.ListWorktrees: lambda asked, roots: worktrees.worktrees(require(asked.path, roots), roots),
    messages.Discover: lambda asked, roots: reading.discover(asked.path, asked.depth, roots),
    messages.DiffFile: lambda asked, roots: reading.file_diff(asked.path, roots),
    messages.ListChanges: lambda asked, roots: reading.folder_status(
        require(asked.path, roots), roots.resolve(asked.path)
    ),
    messages.DiffTexts: lambda asked, _roots: reading.unified(asked.before, asked.after, asked.path),
}
CHANGES: dict[type[messages.Request], Answer] = {
    messages.AddWorktree: lambda asked, roots: worktrees.add(
        require(asked.path, roots), asked.folder, asked.branch, asked.base, roots
    ),
    messages.RemoveWorktree: lambda asked, roots: worktrees.remove(
        require(asked.path, roots), asked.branch, roots, force=asked.force
    ),
    messages.PruneWorktrees: lambda asked, roots: worktrees.prune(require(asked.path, roots), roots),
    messages.SwitchBranch: lambda asked, roots: worktrees.switch(require(asked.path, roots), asked.branch),
    messages.Follow: lambda asked, roots: follow.follow(require(asked.path, roots), asked.branch, roots),
    messages.Sync: lambda asked, roots: follow.sync(require(asked.path, roots), asked.event, roots),
}


def main() -> None:
    setup = msgspec.json.decode(sys.argv[1], type=messages.Setup)
    channel = socket.socket(fileno=0)
    roots = Folders(setup.folders, setup.home, setup.private)
    prepare(roots, change=setup.change)
    answers = CHANGES if setup.change else READS
    decoder = msgspec.json.Decoder(messages.AnyRequest)
    encoder = msgspec.json.Encoder()
    while head := _receive(channel, messages.HEAD):
        asked = decoder.decode(_receive(channel, int.from_bytes(head, "big")))
        signal.setitimer(signal.ITIMER_REAL, setup.limit_s)  # SIGALRM ends the process
        reply = encoder.encode(answered(answers[type(asked)], asked, roots))
        signal.setitimer(signal.ITIMER_REAL, 0)
        channel.sendall(len(reply).to_bytes(messages.HEAD, "big") + reply)


def prepare(roots: Folders, *, change: bool) -> None:
    """Bound libgit2's memory, and take away what is not needed."""
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
    sandbox.confine(roots.folders, readable, write=change)


def answered(answer: Answer, asked: messages.Request, roots: Folders) -> messages.Reply:
    try:
        value = msgspec.json.encode(answer(asked, roots))
        if len(value) > messages.LONGEST:
            raise GitRefused("The repository has too much to list")
        return messages.Reply(value=msgspec.Raw(value))
    except GitError as error:
        return messages.Reply(error=type(error).__name__, message=reading.shown(str(error)))
    except KeyError:
        return messages.Reply(
            error="GitRefused", message="git: the repository is damaged, an object that it names is missing"
        )
    except Exception as error:  # a repository of any content must not end the process
        # What libgit2 raises for a repository that is damaged, of another user, or of a format that it does not know.
        told = reading.shown(str(error)) or type(error).__name__
        return messages.Reply(error="GitRefused", message=f"git: {told}"[:500])


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
