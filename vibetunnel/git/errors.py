"""The errors of git requests that users see."""

from __future__ import annotations

from vibetunnel.errors import VibeTunnelError


class GitError(VibeTunnelError):
    """The root. The child process sends the name of the class and the message.

    path  what was asked for; "": not known
    """

    path = ""


class GitRefused(GitError):
    """The repository does not allow it, or is not one that is read here. The message says why."""


class GitDamaged(GitRefused):
    """libgit2 could not read it: it is damaged, of another user, or of a format that libgit2 does not know."""


class BadPath(GitError):
    """The path is none: too long, or with a NUL."""


class NoRepository(GitError):
    """The path is in no repository."""


class OutsideFolders(GitError):
    """The path is outside of the permitted folders."""


class UnknownBranch(GitError):
    """The repository has no such branch, or no worktree of it."""


class WorktreeChanged(GitError):
    """The worktree has changes that no commit has. The message is the worktree's folder."""


class GitTooSlow(GitError):
    """The repository was not read in time."""

    def __init__(self, message: str = "The repository could not be read in time. Try again later.") -> None:
        super().__init__(message)


class GitBusy(GitError):
    """Too many requests wait for the child process, or it cannot start."""

    def __init__(self, message: str = "Too many git requests are waiting. Try again later.") -> None:
        super().__init__(message)


KINDS: dict[str, type[GitError]] = {
    each.__name__: each
    for each in (BadPath, GitDamaged, GitRefused, NoRepository, OutsideFolders, UnknownBranch, WorktreeChanged)
}
