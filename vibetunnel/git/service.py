"""What the server asks of git: each answer comes from a child process, within a time, and is kept for a moment."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from vibetunnel.git import messages
from vibetunnel.git.child import SLOW_S, UNCONFINED, Child
from vibetunnel.git.errors import KINDS, BadPath, GitError, GitTooSlow, NoRepository
from vibetunnel.git.roots import Permitted

READ_S = 5.0  # for one answer: the summary of a repository with 100,000 files takes a tenth of it
CHANGE_S = 120.0  # a new worktree writes all files
FRESH_S = 2.0  # for which an answer is given again
KEPT = 128  # answers
KEPT_BYTES = 256 << 10  # of one; a longer one is not kept
READERS = 256  # users of whom it is known which notices they have
NOTICES = 100
NOTICE_S = 300.0  # a notice that no client has fetched is dropped after this

REPORT_S = 60.0  # between two lines of the log about one path
REPORTED = 64  # paths in this time; the failures of others are not logged

log = logging.getLogger(__name__)

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode
_reply = msgspec.json.Decoder(messages.Reply).decode


class Notice(msgspec.Struct, frozen=True):
    """A text for the users, each of whom fetches it once."""

    level: str
    title: str
    message: str


@dataclass
class _Kept:
    """An answer, or what was raised, and until when it is given again."""

    answer: asyncio.Task[Any]  # Any: the answer of the request's kind
    until: float


class GitService:
    """The git service. Reads and changes have a process each, so that a long checkout holds up no badge."""

    def __init__(
        self, roots: Permitted, environment: Mapping[str, str], *, read_s: float = READ_S, program: str = ""
    ) -> None:
        """program: the `vibetunnel` that hooks run; "": the one on the user's PATH."""
        self.roots = roots
        self._program = program
        where = list(roots.folders), list(roots.private), roots.home
        self._reads = Child(messages.Setup(*where, change=False, limit_s=read_s), environment)
        self._changes = Child(messages.Setup(*where, change=True, limit_s=CHANGE_S), environment)
        self._kept: OrderedDict[messages.Request, _Kept] = OrderedDict()
        self._running: set[asyncio.Task[Any]] = set()  # Any: as above
        self._notices: deque[tuple[int, float, Notice]] = deque(maxlen=NOTICES)  # number, until when, text
        self._noticed = 0  # the number of the last one
        self._reported: dict[str, float] = {}  # path -> until when no other failure there is logged
        self._readers: OrderedDict[str, int] = OrderedDict()  # user -> the last notice that they have

    # Reads. None: the path is in no repository. Each may raise GitError.

    async def summary(self, path: str, *, fresh: bool = False) -> messages.Summary | None:
        """fresh: look again, even if the last answer is new."""
        request = messages.Summarise(_plain(path))
        if fresh:
            self._look_again(request)
        return await self._or_none(request, messages.Summary)

    async def changed_files(self, path: str) -> messages.ChangedFiles | None:
        """What differs from HEAD in the whole worktree: always new, because a client asks after an event."""
        request = messages.ListChangedFiles(_plain(path))
        self._look_again(request)
        return await self._or_none(request, messages.ChangedFiles)

    async def file_hunks(self, path: str, file: str, earlier: str, context: int) -> messages.FileHunks:
        """The changed lines of one of the changed files. Raises NoRepository."""
        request = messages.DiffChangedFile(_plain(path), file, earlier, context)
        self._look_again(request)
        return await self._read(request, messages.FileHunks)

    async def branches(self, path: str) -> list[messages.Branch] | None:
        return await self._or_none(messages.ListBranches(path), list[messages.Branch])

    async def worktrees(self, path: str) -> messages.Worktrees | None:
        return await self._or_none(messages.ListWorktrees(path), messages.Worktrees)

    async def discover(self, path: str, depth: int) -> list[messages.Discovered]:
        """The repositories at and below a folder."""
        return await self._read(messages.Discover(path, depth), list[messages.Discovered])

    async def file_diff(self, path: str) -> messages.TextDiff:
        """A file against HEAD: its text there, and the unified diff. Of a file in no repository both are empty."""
        return await self._read(messages.DiffFile(path), messages.TextDiff)

    async def folder_status(self, path: str) -> messages.FolderStatus | None:
        """The changed files below a folder, with paths relative to it."""
        return await self._or_none(messages.ListChanges(path), messages.FolderStatus)

    async def patch(self, name: str, before: bytes, after: bytes) -> str:
        """The unified diff of two texts; "" if they are equal, or one of them is binary."""
        found, _ = await self._owned(self._ask(self._reads, messages.DiffTexts(name, before, after), str))
        return found

    # Changes. Each raises GitError, NoRepository among them.

    async def add_worktree(self, path: str, folder: str, branch: str, base: str = "") -> messages.Added:
        return await self._change(messages.AddWorktree(path, folder, branch, base), messages.Added)

    async def remove_worktree(self, path: str, branch: str, *, force: bool) -> messages.Removed:
        """Remove a worktree and its folder. Raises WorktreeChanged unless forced."""
        return await self._change(messages.RemoveWorktree(path, branch, force), messages.Removed)

    async def prune_worktrees(self, path: str) -> messages.Pruned:
        return await self._change(messages.PruneWorktrees(path), messages.Pruned)

    async def switch(self, path: str, branch: str) -> messages.Switched:
        """Check out a branch in the worktree of `path`."""
        return await self._change(messages.SwitchBranch(path, branch), messages.Switched)

    async def follow(self, path: str, branch: str) -> messages.Following:
        """Turn follow mode on, with its hooks, or (branch "") off."""
        return await self._change(messages.Follow(path, branch, self._program), messages.Following)

    async def sync(self, path: str, event: messages.GitEvent) -> messages.Synced:
        """Tell that something has happened in a repository, and do what follow mode then does."""
        synced = await self._change(messages.Sync(path, event), messages.Synced)
        if synced.notice is not None:
            self._noticed += 1
            self._notices.append((self._noticed, time.monotonic() + NOTICE_S, Notice(*synced.notice)))
        return synced

    def notices(self, reader: str) -> list[Notice]:
        """The notices since this user's last call."""
        now, last = time.monotonic(), self._readers.pop(reader, 0)
        self._readers[reader] = self._noticed
        if len(self._readers) > READERS:
            self._readers.popitem(last=False)
        return [notice for number, until, notice in self._notices if number > last and until > now]

    def report(self, error: GitError) -> None:
        """Log a failure that a client was told of, once a minute for each path."""
        now = time.monotonic()
        self._reported = {path: until for path, until in self._reported.items() if until > now}
        if error.path not in self._reported and len(self._reported) < REPORTED:
            self._reported[error.path] = now + REPORT_S
            log.warning("git failed in %s: %s", error.path, error)

    @property
    def processes(self) -> tuple[int, int]:
        """The pids of the child processes, of reads and of changes; 0: it does not run."""
        return self._reads.pid, self._changes.pid

    @property
    def kept(self) -> int:
        """How many answers, or questions that wait for one, are kept now."""
        return len(self._kept)

    @property
    def problems(self) -> list[str]:
        """What does not hold on this machine, in sentences."""
        return [] if self._reads.confined and self._changes.confined else [UNCONFINED]

    def forget(self) -> None:
        """Something has changed: give no earlier answer again."""
        self._kept = OrderedDict((request, kept) for request, kept in self._kept.items() if not kept.answer.done())

    async def close(self) -> None:
        tasks = [*(kept.answer for kept in self._kept.values()), *self._running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._reads.close()
        await self._changes.close()

    def _look_again(self, request: messages.Request) -> None:
        """Give no earlier answer to this request, except that it took too long."""
        kept = self._kept.get(request)
        if kept is not None and kept.answer.done() and kept.until <= time.monotonic() + FRESH_S:
            del self._kept[request]

    async def _or_none(self, request: messages.Request, kind: type[T]) -> T | None:
        try:
            return await self._read(request, kind)
        except NoRepository:
            return None

    async def _read(self, request: messages.Request, kind: type[T]) -> T:
        """Equal requests share one answer. A caller that no longer waits does not stop it."""
        request = msgspec.structs.replace(request, path=_plain(request.path))
        kept = self._kept.get(request)
        if kept is None or (kept.answer.done() and kept.until < time.monotonic()):
            self._make_room()
            kept = _Kept(asyncio.create_task(self._ask(self._reads, request, kind)), 0)  # owned: close() cancels it
            kept.answer.add_done_callback(lambda task: self._answered(request, kept, task))
            self._kept[request] = kept
        self._kept.move_to_end(request)
        found: T
        found, _ = await asyncio.shield(kept.answer)
        return found

    def _answered(self, request: messages.Request, kept: _Kept, task: asyncio.Task[Any]) -> None:  # Any: as above
        failed = None if task.cancelled() else task.exception()
        seconds = SLOW_S if isinstance(failed, GitTooSlow) else FRESH_S
        kept.until = time.monotonic() + seconds
        if not task.cancelled() and failed is None and task.result()[1] > KEPT_BYTES:
            self._drop(request, kept)
        else:
            asyncio.get_running_loop().call_later(seconds, self._drop, request, kept)

    def _drop(self, request: messages.Request, kept: _Kept) -> None:
        if self._kept.get(request) is kept:
            del self._kept[request]

    def _make_room(self) -> None:
        for request in [request for request, kept in self._kept.items() if kept.answer.done()]:
            if len(self._kept) < KEPT:
                return
            del self._kept[request]

    async def _change(self, request: messages.Request, kind: type[T]) -> T:
        try:
            found, _ = await self._owned(self._ask(self._changes, request, kind))
            return found
        finally:
            self.forget()

    async def _owned(self, asked: Coroutine[Any, Any, T]) -> T:  # Any: what it yields is the loop's
        """Go on even if the caller no longer waits: a child that was asked answers before the next request."""
        task = asyncio.create_task(asked)  # owned: close() cancels it
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    @staticmethod
    async def _ask(child: Child, request: messages.Request, kind: type[T]) -> tuple[T, int]:
        """(the answer, its length in bytes)"""
        try:
            encoded = request.path.encode()
        except UnicodeEncodeError:
            raise NoRepository("path: expected UTF-8; repositories below other names are not read") from None
        if b"\0" in encoded or len(encoded) > PATH:
            raise BadPath(f"path: expected at most {PATH} bytes without NUL")
        try:
            reply = _reply(await child.ask(_encode(request)))
            if reply.error:
                raise KINDS[reply.error](reply.message)
        except GitError as error:
            error.path = request.path
            raise
        return msgspec.json.decode(reply.value, type=kind), len(bytes(reply.value))


def _plain(path: str) -> str:
    """The path without what changes nothing: `//`, `/./` and a slash at the end. `..` stays: it may follow a link."""
    parts = "/".join(part for part in path.split("/") if part not in ("", "."))
    return f"/{parts}" if path.startswith("/") else parts or "."


PATH = 4096  # bytes: the longest that the kernel takes
