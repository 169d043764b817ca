"""The git fields of sessions: read when a session comes into a folder, and again when something may have changed.

That is: its shell marks a prompt, its repository's HEAD, index or branches change, or a client asks. Nothing is polled.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from vibetunnel.git.errors import GitBusy, GitError, GitTooSlow
from vibetunnel.git.messages import Summary
from vibetunnel.git.roots import perhaps_in_repository
from vibetunnel.git.service import GitService
from vibetunnel.git.watch import RepositoryWatch

SETTLE_S = 0.3  # between an event and the look: a command that prints ten prompts causes one
LEAST_S = 1.0  # between two looks at one folder


class Badges:
    """What is known of each session's folder.

    told  called with a session's id and what is new about its repository; None: it is in none
    """

    def __init__(self, git: GitService, told: Callable[[str, Summary | None], None]) -> None:
        self._git = git
        self._told = told
        self._folders: dict[str, str] = {}  # session -> folder
        self._sessions: dict[str, set[str]] = {}  # folder -> sessions
        self._known: dict[str, Summary | None] = {}  # folder -> its repository
        self._looked: dict[str, float] = {}  # folder -> when
        self._due: dict[str, None] = {}  # folders to look at, the first one first
        self._woken = asyncio.Event()
        self._watcher = RepositoryWatch(self._changed)
        self._task: asyncio.Task[None] | None = None

    def place(self, session_id: str, folder: str) -> None:
        """The session is in this folder from now on."""
        if self._folders.get(session_id) == folder:
            return
        self.drop(session_id)
        self._folders[session_id] = folder
        self._sessions.setdefault(folder, set()).add(session_id)
        if folder in self._known:
            self._told(session_id, self._known[folder])
        self._look(folder)

    def stir(self, session_id: str) -> None:
        """Something has happened in the session: look at its folder soon."""
        folder = self._folders.get(session_id)
        if folder is not None:
            self._look(folder)

    def drop(self, session_id: str) -> None:
        """The session is gone."""
        folder = self._folders.pop(session_id, None)
        if folder is None:
            return
        self._sessions[folder].discard(session_id)
        if not self._sessions[folder]:
            del self._sessions[folder]
            self._looked.pop(folder, None)
            self._due.pop(folder, None)
            self._unwatch(self._known.pop(folder, None))

    def known(self, session_id: str) -> bool:
        """Whether the session's folder has been looked at."""
        return self._folders.get(session_id) in self._known

    def below(self, root: str) -> list[str]:
        """The sessions whose folder is `root` or below."""
        return [
            session_id
            for folder, sessions in self._sessions.items()
            if folder == root or folder.startswith(f"{root}/")
            for session_id in sorted(sessions)
        ]

    async def close(self) -> None:
        self._watcher.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def _look(self, folder: str) -> None:
        self._due[folder] = None
        self._woken.set()
        if self._task is None:
            self._task = asyncio.create_task(self._look_at_all())  # owned: close() cancels it

    def _changed(self, git_dir: str) -> None:
        """A repository has changed. "": perhaps each."""
        for folder, known in self._known.items():
            if known is not None and git_dir in ("", known.git_dir):
                self._look(folder)

    async def _look_at_all(self) -> None:
        while True:
            await self._woken.wait()
            self._woken.clear()
            await asyncio.sleep(SETTLE_S)
            due, self._due = self._due, {}
            now = time.monotonic()
            for folder in due:
                if now - self._looked.get(folder, -LEAST_S) < LEAST_S:
                    self._look(folder)  # later: a program that prints prompts in a loop gets one look a second
                elif folder in self._sessions:
                    self._looked[folder] = now
                    await self._look_at(folder)

    async def _look_at(self, folder: str) -> None:
        try:
            # Most sessions of a server may be in no repository: none of them needs the child process.
            seen = await asyncio.to_thread(perhaps_in_repository, folder)
            found = await self._git.summary(folder, fresh=True) if seen else None
        except (GitBusy, GitTooSlow):
            return  # what is known stays
        except GitError:
            found = None  # it is damaged, or outside of the permitted folders
        if folder not in self._sessions:
            return  # all its sessions have left meanwhile
        known = self._known.get(folder)
        new = folder not in self._known or known != found
        self._known[folder] = found
        if found is not None and self._watcher.watch(found.git_dir, found.common_dir):
            self._look(folder)  # again: it may have changed before it was watched
        if known is not None and (found is None or found.git_dir != known.git_dir):
            self._unwatch(known)
        if new:
            for session_id in tuple(self._sessions[folder]):
                self._told(session_id, found)

    def _unwatch(self, known: Summary | None) -> None:
        if known is not None and all(each is None or each.git_dir != known.git_dir for each in self._known.values()):
            self._watcher.forget(known.git_dir)
