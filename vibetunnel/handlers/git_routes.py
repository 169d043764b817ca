"""The routes of git: repositories, branches, worktrees."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from vibetunnel.handlers import git, git_schemas, worktrees
from vibetunnel.handlers.route import Operation, Permission, Route
from vibetunnel.handlers.validation import Given

_READ = Permission.FILES
_CHANGE = Permission.STORE

# Outside of the permitted folders; damaged, or refused; too slow, or too many requests.
_READ_ERRORS = (HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE)
_ERRORS = (HTTPStatus.NOT_FOUND, *_READ_ERRORS)


def _get(summary: str, answer: Any, query: type[Given] | None = git_schemas.RepositoryQuery) -> dict[str, Operation]:
    """Any: a type, as in Operation."""
    return {"GET": Operation(summary, {200: answer}, permission=_READ, query=query, errors=_ERRORS)}


def _post(summary: str, answer: Any, body: type[Given]) -> dict[str, Operation]:
    """Any: as above."""
    return {"POST": Operation(summary, {200: answer}, permission=_CHANGE, body=body, errors=_ERRORS)}


GIT_ROUTES: tuple[Route, ...] = (
    Route(
        "/api/sessions/{session_id}/git-status",
        git.SessionGitStatusHandler,
        {
            "GET": Operation(
                "Count the changes of the repository that the session's folder is in.",
                {200: git_schemas.SessionGitStatus},
                errors=(HTTPStatus.NOT_FOUND,),
            )
        },
    ),
    Route(
        "/api/git/repo-info",
        git.RepoInfoHandler,
        _get("Find the repository that a folder is in.", git_schemas.RepoInfo),
    ),
    Route("/api/git/status", git.GitStatusHandler, _get("Get a repository's state.", git_schemas.GitStatus)),
    Route(
        "/api/git/repository-info",
        git.RepositoryInfoHandler,
        _get("Get a repository's state, and its remote.", git_schemas.RepositoryInfo),
    ),
    Route(
        "/api/git/changes",
        git.ChangesHandler,
        _get("List the files that differ from the last commit.", git_schemas.GitChanges),
    ),
    Route(
        "/api/git/diff",
        git.FileDiffHandler,
        _get(
            "Get the changed lines of a file, against the last commit.",
            git_schemas.ChangedLines,
            git_schemas.FileDiffQuery,
        ),
    ),
    Route("/api/git/remote", git.RemoteHandler, _get("Get the URL of `origin`.", git_schemas.GitRemote)),
    Route(
        "/api/git/branches",
        git.GoBranchesHandler,
        _get("List the branches, in the Go server's shape.", git_schemas.GoBranches),
    ),
    Route(
        "/api/git/follow",
        worktrees.FollowStatusHandler,
        _get("Get the state of follow mode.", git_schemas.FollowStatus),
    ),
    Route(
        "/api/git/checkout",
        git.CheckoutHandler,
        _post("Switch a worktree to another branch.", git_schemas.CheckedOut, git_schemas.CheckoutBody),
    ),
    Route(
        "/api/git/event",
        git.GitEventHandler,
        _post("Tell that a repository has changed: for hooks.", git_schemas.GitEventAnswer, git_schemas.GitEventBody),
    ),
    Route(
        "/api/git/notifications",
        git.GitNotificationsHandler,
        _get("Get the notices of follow mode; each user gets one once.", git_schemas.GitNotices, None),
    ),
    Route(
        "/api/repositories",
        git.GoRepositoriesHandler,
        _get("Find the repositories below a folder, in the Go server's shape.", git_schemas.GoRepositories),
    ),
    Route(
        "/api/repositories/discover",
        git.DiscoverHandler,
        _get(
            "Find the repositories below a folder.",
            list[git_schemas.FoundRepository],
            git_schemas.DiscoverQuery,
        ),
    ),
    Route(
        "/api/repositories/branches",
        git.BranchesHandler,
        _get("List the branches, the current one first.", list[git_schemas.BranchView]),
    ),
    Route(
        "/api/worktrees",
        worktrees.WorktreesHandler,
        _get("List the worktrees, the main one first.", git_schemas.WorktreesAnswer, git_schemas.WorktreesQuery)
        | _post("Make a worktree.", git_schemas.WorktreeAdded, git_schemas.NewWorktree),
    ),
    Route(
        "/api/worktrees/prune",
        worktrees.PruneHandler,
        _post("Forget the worktrees whose folders are gone.", git_schemas.WorktreesPruned, git_schemas.PruneBody),
    ),
    Route(
        "/api/worktrees/follow",
        worktrees.FollowHandler,
        _post("Let the main worktree follow another one, or none.", git_schemas.FollowAnswer, git_schemas.FollowBody),
    ),
    Route(
        "/api/worktrees/{branch}",
        worktrees.OneWorktreeHandler,
        {
            "DELETE": Operation(
                "Remove the worktree of a branch, and its folder. 409 with its path: it has changes.",
                {200: git_schemas.WorktreeRemoved},
                permission=_CHANGE,
                query=git_schemas.RemovalQuery,
                errors=_ERRORS,
            )
        },
    ),
)
