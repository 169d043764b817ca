"""Tells when a repository changes, by inotify: its HEAD, index and remote branches, never the files of a worktree."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable

if sys.platform == "linux":
    from inotify_simple import INotify, flags, parse_events

MOST = 256  # repositories; more are not watched
AT_ONCE = 64 * 1024  # bytes of events that are read in one turn; a storm of them waits, or the kernel drops it
SETTLE_S = 0.3  # a checkout renames several files; and a program that renames them in a loop costs little


class RepositoryWatch:
    """Calls `changed` with the git folder of each repository that has changed; "": perhaps all of them have.

    On other systems than Linux it tells nothing, and prompt marks alone renew what is shown.
    """

    def __init__(self, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._watches: dict[str, list[int]] = {}  # git folder -> its watches
        self._folders: dict[int, set[str]] = {}  # watch -> git folders; one folder may be of several worktrees
        self._timer: asyncio.TimerHandle | None = None
        self._notify: INotify | None = None

    def watch(self, git_dir: str, common_dir: str) -> bool:
        """Watch a repository from now on, if that is possible. False: it was watched before, or cannot be."""
        if git_dir in self._watches or len(self._watches) >= MOST or sys.platform != "linux":
            return False
        if self._notify is None:
            try:
                self._notify = INotify(nonblocking=True)
            except OSError:
                return False  # the user has too many of them
            asyncio.get_running_loop().add_reader(self._notify.fileno(), self._wake)
        self._watches[git_dir] = []
        mask = flags.MOVED_TO | flags.DELETE | flags.ONLYDIR | flags.DONT_FOLLOW | flags.EXCL_UNLINK
        for folder in dict.fromkeys(
            (git_dir, common_dir, f"{common_dir}/refs/heads", f"{common_dir}/refs/remotes/origin")
        ):
            try:
                number = self._notify.add_watch(folder, mask)
            except OSError:
                continue  # it is not there, or the user's limit is reached
            self._watches[git_dir].append(number)
            self._folders.setdefault(number, set()).add(git_dir)
        return True

    def forget(self, git_dir: str) -> None:
        for number in self._watches.pop(git_dir, ()):
            repositories = self._folders.get(number, set())
            repositories.discard(git_dir)
            if not repositories:
                self._folders.pop(number, None)
                self._remove(number)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._notify is not None:
            asyncio.get_running_loop().remove_reader(self._notify.fileno())
            self._notify.close()
            self._notify = None

    def _remove(self, number: int) -> None:
        if sys.platform == "linux" and self._notify is not None:
            try:
                self._notify.rm_watch(number)
            except OSError:
                pass  # its folder is gone, and the watch with it

    def _wake(self) -> None:
        """Wait a moment for further events, then read them."""
        if self._notify is not None and self._timer is None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._notify.fileno())
            self._timer = loop.call_later(SETTLE_S, self._read)

    def _read(self) -> None:
        self._timer = None
        if sys.platform != "linux" or self._notify is None:
            return
        asyncio.get_running_loop().add_reader(self._notify.fileno(), self._wake)
        changed: set[str] = set()
        for event in parse_events(os.read(self._notify.fileno(), AT_ONCE)):
            if event.mask & flags.Q_OVERFLOW:
                changed = {""}
                break
            if event.mask & flags.IGNORED:  # the folder is gone; a new one of its name needs another watch
                for git_dir in tuple(self._folders.get(event.wd, ())):
                    self.forget(git_dir)
                    changed.add(git_dir)
            elif not event.name.endswith(".lock"):
                changed |= self._folders.get(event.wd, set())
        for git_dir in changed:
            self._changed(git_dir)
