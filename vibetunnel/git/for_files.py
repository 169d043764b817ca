"""Git for the file routes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from vibetunnel.files.git import FolderChanges
from vibetunnel.files.names import bytes_of, text_of
from vibetunnel.git.errors import GitError
from vibetunnel.git.service import GitService

T = TypeVar("T")


class GitForFiles:
    """Implements the `Git` of files/git.py."""

    def __init__(self, service: GitService) -> None:
        self._service = service

    async def changes(self, folder: bytes) -> FolderChanges | None:
        found = await _asked(self._service.folder_status, folder)
        if found is None:
            return None
        return FolderChanges(found.branch, {bytes_of(name): change for name, change in found.files})

    async def branch(self, folder: bytes) -> str | None:
        found = await _asked(lambda path: self._service.discover(path, 0), folder)
        return found[0].branch if found else None

    async def original(self, path: bytes) -> bytes | None:
        found = await _asked(self._service.file_diff, path)
        return None if found is None else found.original

    async def patch(self, name: str, before: bytes, after: bytes) -> str:
        try:
            return await self._service.patch(name, before, after)
        except GitError:
            return ""


async def _asked(question: Callable[[str], Coroutine[Any, Any, T]], path: bytes) -> T | None:  # Any: the loop's
    """What git answers about a path; None: it cannot."""
    try:
        return await question(text_of(path))
    except GitError:
        return None
