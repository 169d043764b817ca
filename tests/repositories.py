"""Real repositories for tests, made by the git program in temporary folders."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

from vibetunnel.git.errors import GitError

_CLEAN = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.org",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.org",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder. Returns what it prints."""
    ran = subprocess.run(
        ("git", *arguments), cwd=folder, env=os.environ | _CLEAN, check=True, capture_output=True, text=True
    )
    return ran.stdout


def repository(folder: Path, **files: str) -> Path:
    """A repository with one commit on `main`. files: name -> content, `__` for a slash; none: no commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--initial-branch=main")
    if files:
        write(folder, **files)
        commit(folder, "first")
    return folder


def write(folder: Path, **files: str) -> None:
    for name, content in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def commit(folder: Path, message: str) -> str:
    """Commit all. Returns the commit's id."""
    git(folder, "add", "--all")
    git(folder, "commit", "--message", message)
    return git(folder, "rev-parse", "HEAD").strip()


async def tried(asked: Callable[[], Awaitable[object]]) -> str:
    """Ask; a refusal is fine. Returns all that the answer says."""
    try:
        return repr(await asked())
    except GitError as error:
        return f"{type(error).__name__}: {error}"
