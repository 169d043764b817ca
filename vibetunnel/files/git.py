"""What the file routes ask git for. Without a git service, no folder is in a repository."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

Change = Literal["modified", "added", "deleted", "untracked"]


@dataclass(frozen=True)
class FolderChanges:
    """The changes below one folder of a repository.

    branch   "" while HEAD is detached
    changes  path relative to the folder -> what has happened to it
    """

    branch: str
    changes: dict[bytes, Change] = field(default_factory=dict)


class Git(Protocol):
    """No method blocks the event loop. Paths are absolute, without links, and below a root.

    What git cannot read is in no repository: no method raises for it.
    """

    async def changes(self, folder: bytes) -> FolderChanges | None:
        """The changes below a folder; None: it is in no repository."""

    async def branch(self, folder: bytes) -> str | None:
        """The branch of the repository whose top is this folder; None: it is none."""

    async def original(self, path: bytes) -> bytes | None:
        """The contents of a file in HEAD, b"" for a new one; None: it is in no repository."""

    async def patch(self, name: str, before: bytes, after: bytes) -> str:
        """The unified diff of two texts; "" if they are equal."""


class NoGit:
    """The answers without git."""

    async def changes(self, folder: bytes) -> FolderChanges | None:
        return None

    async def branch(self, folder: bytes) -> str | None:
        return None

    async def original(self, path: bytes) -> bytes | None:
        return None

    async def patch(self, name: str, before: bytes, after: bytes) -> str:
        return ""
