"""The routes of worktrees, and of follow mode."""

from __future__ import annotations

from http import HTTPStatus

from msgspec import UNSET

from vibetunnel.errors import InvalidField
from vibetunnel.git.errors import WorktreeChanged
from vibetunnel.git.messages import Following, Worktree, Worktrees
from vibetunnel.handlers import git_schemas as shapes
from vibetunnel.handlers.git import GitHandler


class WorktreesHandler(GitHandler):
    """GET and POST /api/worktrees."""

    async def get(self) -> None:
        asked = self.query(shapes.WorktreesQuery)
        path = asked.repo_path or asked.path
        if not path:
            raise InvalidField("repoPath", "a value", "none")
        found = await self.obtain(self.context.git.worktrees(path))
        if found is None:
            self.answer(shapes.WorktreesAnswer([], "main", shapes.FollowStatus(False, False)))
            return
        views = [_view(each) for each in found.worktrees]
        self.answer(shapes.WorktreesAnswer(views, found.base, _follow_status(found), found.follow or UNSET))

    async def post(self) -> None:
        wanted = self.read(shapes.NewWorktree)
        base = wanted.base_branch or ""
        added = await self.change(
            "add worktree",
            self.context.git.add_worktree(wanted.repo_path, wanted.path, wanted.branch, base),
            wanted.repo_path,
            branch=wanted.branch,
            path=wanted.path,
        )
        self.answer(shapes.WorktreeAdded(added.path, added.branch))


def _follow_status(found: Worktrees) -> shapes.FollowStatus:
    can = len(found.worktrees) > 1
    if not found.follow_path:
        return shapes.FollowStatus(False, can)
    return shapes.FollowStatus(True, can, found.follow or UNSET, found.follow_path)


def _view(worktree: Worktree) -> shapes.WorktreeView:
    stats = shapes.WorktreeStats(worktree.ahead, worktree.files, worktree.insertions, worktree.deletions)
    return shapes.WorktreeView(
        path=worktree.path,
        branch=f"refs/heads/{worktree.branch}" if worktree.branch else "",
        head=worktree.head,
        detached=not worktree.branch,
        prunable=worktree.missing or UNSET,
        locked=worktree.locked is not None or UNSET,
        locked_reason=(worktree.locked or "").strip() or UNSET,
        commits_ahead=stats.commits_ahead,
        files_changed=stats.files_changed,
        insertions=stats.insertions,
        deletions=stats.deletions,
        stats=stats,
        has_uncommitted_changes=worktree.changed,
    )


class OneWorktreeHandler(GitHandler):
    """DELETE /api/worktrees/{branch}."""

    async def delete(self, branch: str) -> None:
        asked = self.query(shapes.RemovalQuery)
        force = asked.force == "true"
        try:
            removed = await self.change(
                "remove worktree with its changes" if force else "remove worktree",
                self.context.git.remove_worktree(asked.repo_path, branch, force=force),
                asked.repo_path,
                branch=branch[:250],
            )
        except WorktreeChanged as error:
            message = "Worktree has uncommitted changes"
            self.answer({"error": message, "worktreePath": str(error)}, HTTPStatus.CONFLICT)
            return
        self.answer(shapes.WorktreeRemoved(removed_path=removed.path))


class PruneHandler(GitHandler):
    """POST /api/worktrees/prune."""

    async def post(self) -> None:
        repository = self.read(shapes.PruneBody).repo_path
        pruned = await self.change("prune worktrees", self.context.git.prune_worktrees(repository), repository)
        self.answer(shapes.WorktreesPruned(output="\n".join(pruned.names), pruned=bool(pruned.names)))


class FollowHandler(GitHandler):
    """POST /api/worktrees/follow."""

    async def post(self) -> None:
        wanted = self.read(shapes.FollowBody)
        if wanted.enable and not wanted.branch:
            raise InvalidField("branch", "the branch to follow", "none")
        branch = (wanted.branch or "") if wanted.enable else ""
        following = await self.change(
            "follow a worktree" if branch else "follow no worktree",
            self.context.git.follow(wanted.repo_path, branch),
            wanted.repo_path,
            branch=branch,
        )
        self.answer(_answer(following))


def _answer(following: Following) -> shapes.FollowAnswer:
    hooks = following.hooks
    result = shapes.HooksResult(
        not hooks.problem, hooks.installed, hooks.removed, [hooks.problem] if hooks.problem else UNSET
    )
    if not following.path:
        return shapes.FollowAnswer(
            enabled=False, message="Follow mode disabled", hooks_installed=False, hooks_install_result=result
        )
    problem = f", but the main worktree was not switched: {following.problem}" if following.problem else ""
    return shapes.FollowAnswer(
        enabled=True,
        message=f"Follow mode enabled{problem}",
        hooks_installed=bool(hooks.installed),
        branch=following.branch or UNSET,
        worktree_path=following.path,
        hooks_install_result=result,
    )


class FollowStatusHandler(GitHandler):
    """GET /api/git/follow."""

    async def get(self) -> None:
        found = await self.obtain(self.context.git.worktrees(self.query(shapes.RepositoryQuery).path))
        self.answer(shapes.FollowStatus(False, False) if found is None else _follow_status(found))
