"""Git for the file service, whose threads wait for the answers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import Any, TypeVar

from vibetunnel.files.git import FolderChanges
from vibetunnel.git.errors import GitError
from vibetunnel.git.service import GitService

WAIT_S = 60.0  # a bound only: each answer has a time limit, and so has the queue before it

T = TypeVar("T")


class GitForFiles:
    """Implements the `Git` of files/git.py. What cannot be read is in no repository. Make it in the event loop."""

    def __init__(self, service: GitService) -> None:
        self._service = service
        self._loop = asyncio.get_running_loop()

    def changes(self, folder: bytes) -> FolderChanges | None:
        found = self._answer(self._service.folder_status(os.fsdecode(folder)))
        if found is None:
            return None
        return FolderChanges(found.branch, {name.encode(): change for name, change in found.files})

    def branch(self, folder: bytes) -> str | None:
        found = self._answer(self._service.discover(os.fsdecode(folder), 0))
        return found[0].branch if found else None

    def original(self, path: bytes) -> bytes | None:
        found = self._answer(self._service.file_diff(os.fsdecode(path)))
        return None if found is None else found.original

    def patch(self, name: str, before: bytes, after: bytes) -> str:
        return self._answer(self._service.patch(name, before, after)) or ""

    def _answer(self, asked: Coroutine[Any, Any, T]) -> T | None:  # Any: what it yields is the loop's
        try:
            return asyncio.run_coroutine_threadsafe(asked, self._loop).result(WAIT_S)
        except GitError:
            return None
