"""The git fields of sessions: read when a session comes into a folder, and again when something may have changed.

That is: its shell marks a prompt, its repository's HEAD, index or branches change, or a client asks. Nothing is polled.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable

import msgspec

from vibetunnel.git.errors import GitBusy, GitError, GitTooSlow
from vibetunnel.git.messages import Summary
from vibetunnel.git.roots import perhaps_in_repository
from vibetunnel.git.service import GitService
from vibetunnel.git.watch import RepositoryWatch

SETTLE_S = 0.3  # between an event and the look: a command that prints ten prompts causes one
LEAST_S = 1.0  # between two looks at one folder
AT_ONCE = 8  # looks; further folders wait
FIRST_S = 2.0  # for a first look: the folder may be of a network that is gone
SOON_S = 1.0  # for the look at the folder of a new session; after that, the first list goes without its fields
THREADS = 12  # that such folders may hold for ever; then the child process, which can be ended, looks alone

log = logging.getLogger(__name__)


class FirstLook:
    """Looks for a repository in a thread, in bounded time. A thread that the kernel holds is left behind."""

    def __init__(self) -> None:
        self._running = 0

    async def look(self, folder: str) -> bool:
        """Whether the folder is perhaps in a repository. Raises TimeoutError."""
        if self._running >= THREADS:
            return True
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()

        def told(seen: bool) -> None:
            self._running -= 1
            if not answer.done():
                answer.set_result(seen)

        def run() -> None:
            seen = True  # what cannot be told here is the child process's to tell
            try:
                seen = perhaps_in_repository(folder)
            finally:
                with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                    loop.call_soon_threadsafe(told, seen)

        self._running += 1
        threading.Thread(target=run, name="git-first-look", daemon=True).start()  # daemon: the server can end
        async with asyncio.timeout(FIRST_S):
            return await answer


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
        self._looks: dict[str, asyncio.Task[None]] = {}  # folder -> its look that goes on
        self._places = asyncio.Semaphore(AT_ONCE)
        self._first = FirstLook()

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

    async def known_soon(self, session_id: str) -> None:
        """Look at the folder of a new session at once. Returns when it is known, after SOON_S at the latest."""
        folder = self._folders.get(session_id)
        if folder is None or folder in self._known:
            return
        look = self._looks.get(folder) or self._begin(folder)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SOON_S):
                await asyncio.shield(look)

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
        tasks = [*self._looks.values(), *(() if self._task is None else (self._task,))]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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
                if folder in self._looks or now - self._looked.get(folder, -LEAST_S) < LEAST_S:
                    self._look(folder)  # later: a program that prints prompts in a loop gets one look a second
                elif folder in self._sessions:
                    self._begin(folder)

    def _begin(self, folder: str) -> asyncio.Task[None]:
        self._due.pop(folder, None)
        self._looked[folder] = time.monotonic()
        self._looks[folder] = look = asyncio.create_task(self._look_in_turn(folder))  # owned: close() cancels it
        return look

    async def _look_in_turn(self, folder: str) -> None:
        """A folder comes from what a program prints: none of them, slow or strange, stops the looks at others."""
        async with self._places:
            try:
                await self._look_at(folder)
            except Exception:
                log.exception("the git fields of the sessions in one folder are not renewed")
            finally:
                del self._looks[folder]

    async def _look_at(self, folder: str) -> None:
        try:
            # Most sessions of a server may be in no repository: none of them needs the child process.
            seen = self._git.roots.perhaps_holds(folder) and await self._first.look(folder)
            found = await self._git.summary(folder, fresh=True) if seen else None
        except (GitBusy, GitTooSlow, TimeoutError):
            return  # what is known stays
        except GitError:
            found = None  # it is damaged, or outside of the permitted folders
        if found is not None:  # the names of its files would be kept for each folder
            found = msgspec.structs.replace(found, staged_files=[], unstaged_files=[], untracked_files=[])
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
