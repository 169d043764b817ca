"""The routes of git repositories: what they are like, and their branches."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable
from typing import TypeVar, get_args

import msgspec
from msgspec import UNSET

from vibetunnel.errors import VibeTunnelError
from vibetunnel.git.errors import GitBusy, GitDamaged, GitTooSlow, NoRepository
from vibetunnel.git.messages import ChangedFile, GitEvent, Summary
from vibetunnel.handlers import git_schemas as shapes
from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.sessions import SessionHandler
from vibetunnel.logs.audit import Action
from vibetunnel.sessions.model import iso

T = TypeVar("T")

EVENTS: dict[str, GitEvent] = {each: each for each in get_args(GitEvent)}
DEPTH = 3  # folders below the given one, in which the Go server's route seeks repositories
_GITHUB = re.compile(r"(?:git@|(?:https?|ssh)://(?:[^@/]*@)?)github\.com[:/]([\w.-]+/[\w.-]+?)(?:\.git)?/?")


class GitHandler(Handler):
    """The base of what asks git."""

    def _fail(self, error: Exception) -> None:
        # A change that libgit2 refuses, as for a conflict, is an answer to the user, and in the audit.
        if self.request.method == "GET" and isinstance(error, (GitDamaged, GitTooSlow, GitBusy)):
            self.context.git.report(error)
        super()._fail(error)

    async def change(self, what: str, waited: Awaitable[T], repository: str, *, branch: str = "", path: str = "") -> T:
        """Record a change of a repository in the audit log, with its result."""
        try:
            found = await waited
        except VibeTunnelError as error:
            await self.record(Action.GIT, str(error), change=what, repository=repository, branch=branch, path=path)
            raise
        await self.record(Action.GIT, change=what, repository=repository, branch=branch, path=path)
        return found


class RepoInfoHandler(GitHandler):
    """GET /api/git/repo-info."""

    async def get(self) -> None:
        path = self.query(shapes.RepositoryQuery).path
        found = await self.obtain(self.context.git.summary(path))
        self.answer(shapes.RepoInfo(False) if found is None else shapes.RepoInfo(True, found.root))


class GitStatusHandler(GitHandler):
    """GET /api/git/status."""

    async def get(self) -> None:
        path = self.query(shapes.RepositoryQuery).path
        self.answer(_status(await self.obtain(self.context.git.summary(path))))


class RepositoryInfoHandler(GitHandler):
    """GET /api/git/repository-info."""

    async def get(self) -> None:
        path = self.query(shapes.RepositoryQuery).path
        found = await self.obtain(self.context.git.summary(path))
        answer = shapes.RepositoryInfo(**msgspec.structs.asdict(_status(found)))
        if found is not None:
            answer.remote_url, answer.is_worktree = found.remote or None, found.linked
        self.answer(answer)


def _status(found: Summary | None) -> shapes.GitStatus:
    if found is None:
        return shapes.GitStatus(is_git_repo=False)
    return shapes.GitStatus(
        is_git_repo=True,
        repo_path=found.root,
        current_branch=found.branch,
        has_changes=found.changed > 0,
        modified_count=found.modified,
        untracked_count=found.untracked,
        staged_count=found.staged,
        added_count=found.added,
        deleted_count=found.deleted,
        ahead_count=found.ahead,
        behind_count=found.behind,
        has_upstream=found.upstream,
        is_clean=not found.changed,
        staged_files=found.staged_files,
        unstaged_files=found.unstaged_files,
        untracked_files=found.untracked_files,
        last_commit=found.last_commit or UNSET,
        last_commit_time=iso(found.last_commit_s * 1_000_000_000) if found.head else UNSET,
    )


class ChangesHandler(GitHandler):
    """GET /api/git/changes."""

    async def get(self) -> None:
        path = self.query(shapes.RepositoryQuery).path
        found = await self.obtain(self.context.git.changed_files(path))
        if found is None:
            self.answer(shapes.GitChanges(is_git_repo=False, files=[]))
            return
        self.answer(
            shapes.GitChanges(
                is_git_repo=True,
                repo_path=found.root,
                current_branch=found.branch,
                is_worktree=found.linked,
                has_upstream=found.upstream,
                ahead_count=found.ahead,
                behind_count=found.behind,
                changed_count=found.changed,
                files=[_changed_file(each) for each in found.files],
                truncated=found.cut,
            )
        )


def _changed_file(found: ChangedFile) -> shapes.ChangedFileView:
    counted = found.insertions >= 0
    return shapes.ChangedFileView(
        path=found.path,
        previous_path=found.earlier or UNSET,
        staged=found.staged or UNSET,
        unstaged=found.unstaged or UNSET,
        insertions=found.insertions if counted else UNSET,
        deletions=found.deletions if counted else UNSET,
    )


class FileDiffHandler(GitHandler):
    """GET /api/git/diff."""

    async def get(self) -> None:
        asked = self.query(shapes.FileDiffQuery)
        hunks = self.context.git.file_hunks(asked.path, asked.file, asked.previous_path, asked.context)
        found = await self.obtain(hunks)
        self.answer(
            shapes.ChangedLines(
                hunks=[shapes.DiffHunk(each.old, each.new, each.lines) for each in found.hunks],
                line_count=found.lines,
                is_deleted=found.deleted,
                is_binary=found.binary,
                is_too_big=found.too_big,
            )
        )


class RemoteHandler(GitHandler):
    """GET /api/git/remote."""

    async def get(self) -> None:
        path = self.query(shapes.RepositoryQuery).path
        found = await self.obtain(self.context.git.summary(path))
        if found is None:
            self.answer(shapes.GitRemote(False))
            return
        github = _GITHUB.fullmatch(found.remote)
        url = f"https://github.com/{github[1]}" if github else None
        self.answer(shapes.GitRemote(True, found.root, found.remote or None, url))


class SessionGitStatusHandler(SessionHandler):
    """GET /api/sessions/{session_id}/git-status: what is known of it. Asking has the server look again, soon."""

    def get(self, session_id: str) -> None:
        found = self.session(session_id).repository
        self.context.badges.stir(session_id)
        if found is None:
            self.answer(shapes.SessionGitStatus())
            return
        counts = (found.modified, found.untracked, found.staged, found.deleted, found.ahead, found.behind)
        self.answer(shapes.SessionGitStatus(*counts))


class BranchesHandler(GitHandler):
    """GET /api/repositories/branches."""

    async def get(self) -> None:
        path = self.query(shapes.RepositoryQuery).path
        found = await self.obtain(self.context.git.branches(path))
        if found is None:
            raise NoRepository(f"{path[:200]} is not in a git repository")
        self.answer([shapes.BranchView(each.name, each.current, each.remote, each.worktree or UNSET) for each in found])


class GoBranchesHandler(GitHandler):
    """GET /api/git/branches."""

    async def get(self) -> None:
        path = self.query(shapes.RepositoryQuery).path
        found = await self.obtain(self.context.git.branches(path))
        if found is None:
            raise NoRepository(f"{path[:200]} is not in a git repository")
        branches = [shapes.GoBranch(each.name, each.current) for each in found]
        self.answer(shapes.GoBranches(branches, len(branches)))


class DiscoverHandler(GitHandler):
    """GET /api/repositories/discover."""

    async def get(self) -> None:
        asked = self.query(shapes.DiscoverQuery)
        found = await self.obtain(self.context.git.discover(asked.path, asked.max_depth))
        self.answer(
            [
                shapes.FoundRepository(
                    id=f"{os.path.basename(each.path)}-{each.inode}",
                    path=each.path,
                    folder_name=os.path.basename(each.path),
                    last_modified=iso(each.modified_ns),
                    relative_path=each.relative,
                    git_branch=each.branch or UNSET,
                )
                for each in found
            ]
        )


class GoRepositoriesHandler(GitHandler):
    """GET /api/repositories."""

    async def get(self) -> None:
        path = self.query(shapes.RepositoryQuery).path
        found = await self.obtain(self.context.git.discover(path, DEPTH))
        repositories = [
            shapes.GoRepository(each.path, os.path.basename(each.path), iso(each.modified_ns)) for each in found
        ]
        self.answer(shapes.GoRepositories(repositories, len(repositories)))


class CheckoutHandler(GitHandler):
    """POST /api/git/checkout."""

    async def post(self) -> None:
        wanted = self.read(shapes.CheckoutBody)
        switched = await self.change(
            "switch branch",
            self.context.git.switch(wanted.repo_path, wanted.branch),
            wanted.repo_path,
            branch=wanted.branch,
        )
        self.answer(shapes.CheckedOut(repo_path=switched.root, branch=switched.branch))


class GitEventHandler(GitHandler):
    """POST /api/git/event: a hook tells that something has happened in a repository."""

    async def post(self) -> None:
        told = self.read(shapes.GitEventBody)
        event = told.event or told.type or "other"
        synced = await self.context.git.sync(told.repo_path, EVENTS.get(event, "other"))
        if synced.notice is not None:  # recorded even if the login has ended: the main worktree has changed
            await self.record(Action.GIT, change="follow", repository=synced.main, reason=synced.notice[1])
        self.require_permission()
        sessions = self.context.badges.below(synced.root)
        for session_id in sessions:
            self.context.badges.stir(session_id)
        following = bool(synced.follow)
        self.answer(
            shapes.GitEventAnswer(
                repo_path=synced.root,
                sessions_updated=len(sessions),
                follow_mode=following,
                notification=shapes.GitEventNotice(
                    repo_path=synced.root,
                    branch=told.branch or synced.branch,
                    event=event,
                    follow_mode=following,
                    sessions_updated=sessions,
                ),
            )
        )


class GitNotificationsHandler(GitHandler):
    """GET /api/git/notifications: each user gets a notice once."""

    def get(self) -> None:
        reader = self.require_login()
        found = self.context.git.notices(reader.id if reader.guest else reader.user)
        self.answer(shapes.GitNotices([shapes.NoticeView(each.level, each.title, each.message) for each in found]))
