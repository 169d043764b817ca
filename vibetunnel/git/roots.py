"""The folders that requests may reach."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import PurePath
from typing import Protocol

from vibetunnel.git.errors import OutsideFolders


class Permitted(Protocol):
    """What the server's files service provides.

    folders  absolute, without symbolic links
    private  folders in these that no request reaches: the server's own
    home     where relative paths and `~` start
    perhaps_holds  whether a path, as it is written, is below a folder; touches no file
    """

    @property
    def folders(self) -> Sequence[str]: ...
    @property
    def private(self) -> Sequence[str]: ...
    @property
    def home(self) -> str: ...
    def perhaps_holds(self, path: str) -> bool: ...


class Folders:
    """Some folders, and whether a path is in one of them. In the child process, because a file system may block."""

    def __init__(self, folders: Sequence[str], home: str, private: Sequence[str] = ()) -> None:
        self.folders = [os.path.realpath(each) for each in folders]
        self.private = [os.path.realpath(each) for each in private]
        self.home = home
        self._named = [os.path.normpath(each) for each in (*folders, *self.folders)]

    def perhaps_holds(self, path: str) -> bool:
        """Whether the path as it is written is below a folder. No file is touched: what it is may be far away."""
        return _in_one_of(os.path.normpath(path), self._named)

    def holds(self, path: str) -> bool:
        """Whether the path, which has no symbolic links, is one of the folders or below, and in no private one."""
        return _in_one_of(path, self.folders) and not _in_one_of(path, self.private)

    def resolve(self, path: str) -> str:
        """The absolute path without symbolic links; relative: from the first folder on. Raises OutsideFolders."""
        if "\0" in path:
            raise OutsideFolders("path: expected no NUL character")
        if path == "~" or path.startswith("~/"):
            path = self.home + path[1:]
        found = os.path.realpath(os.path.join(self.folders[0] if self.folders else self.home, path))
        if not self.holds(found):
            raise OutsideFolders(f"{path[:200]} is outside of the folders that may be reached")
        return found


def _in_one_of(path: str, folders: Sequence[str]) -> bool:
    return any(path == each or path.startswith(each.rstrip("/") + "/") for each in folders)


def perhaps_in_repository(path: str) -> bool:
    """Whether a folder above has what git looks for. A False is certain. Blocks as the file system does."""
    try:
        real = os.path.realpath(path)
    except (OSError, ValueError, RecursionError):  # RecursionError: a chain of a thousand links
        return False
    above = (real, *map(str, PurePath(real).parents))
    return any(os.path.lexists(f"{each}/.git") or os.path.lexists(f"{each}/HEAD") for each in above)
