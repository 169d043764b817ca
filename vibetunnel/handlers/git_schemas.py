"""The JSON of git routes. Names follow the Node server; where the Go server has others, an answer has both."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from vibetunnel.git.messages import FileChangeKind
from vibetunnel.handlers.validation import Given
from vibetunnel.sessions.launch import Folder

BranchName = Annotated[str, Meta(min_length=1, max_length=250)]


class RepositoryQuery(Given):
    path: Folder


class DiscoverQuery(Given, rename="camel"):
    path: Folder = "."
    max_depth: Annotated[int, Meta(ge=0, le=6, description="How many folders down repositories are sought.")] = 3


class WorktreesQuery(Given, rename="camel"):
    repo_path: Folder | UnsetType = UNSET
    path: Annotated[Folder | UnsetType, Meta(description="The Go server's name for repoPath.")] = UNSET


class RemovalQuery(Given, rename="camel"):
    repo_path: Folder
    force: Annotated[Literal["true", "false"], Meta(description="Remove it with its changes.")] = "false"


class RepoInfo(msgspec.Struct, rename="camel"):
    is_git_repo: bool
    repo_path: str | UnsetType = UNSET


class GitRemote(msgspec.Struct, rename="camel"):
    """The URL of `origin`, without a user or a password."""

    is_git_repo: bool
    repo_path: str | UnsetType = UNSET
    remote_url: str | None = None
    github_url: str | None = None


class GitStatus(msgspec.Struct, rename="camel", kw_only=True):
    """A repository's state: the Node server's counts, and the Go server's lists (at most 1,000 files each).

    In no repository: `isGitRepo` is false, and all other fields are left out.
    """

    is_git_repo: bool
    repo_path: str | UnsetType = UNSET
    current_branch: Annotated[str | UnsetType, Meta(description="Empty while HEAD is detached.")] = UNSET
    has_changes: bool | UnsetType = UNSET
    modified_count: int | UnsetType = UNSET
    untracked_count: int | UnsetType = UNSET
    staged_count: int | UnsetType = UNSET
    added_count: int | UnsetType = UNSET
    deleted_count: int | UnsetType = UNSET
    ahead_count: int | UnsetType = UNSET
    behind_count: int | UnsetType = UNSET
    has_upstream: bool | UnsetType = UNSET
    is_clean: bool | UnsetType = UNSET
    staged_files: list[str] | UnsetType = UNSET
    unstaged_files: list[str] | UnsetType = UNSET
    untracked_files: list[str] | UnsetType = UNSET
    last_commit: str | UnsetType = UNSET
    last_commit_time: str | UnsetType = UNSET


class RepositoryInfo(GitStatus, rename="camel", kw_only=True):
    remote_url: str | UnsetType | None = UNSET
    is_worktree: bool | UnsetType = UNSET


class ChangedFileView(msgspec.Struct, rename="camel", kw_only=True):
    """A file that differs from the last commit."""

    path: Annotated[str, Meta(description="Below repoPath. A folder that git does not track ends in `/`.")]
    previous_path: Annotated[str | UnsetType, Meta(description="Of a renamed file.")] = UNSET
    staged: Annotated[FileChangeKind | UnsetType, Meta(description="The index against the last commit.")] = UNSET
    unstaged: Annotated[FileChangeKind | UnsetType, Meta(description="The file against the index.")] = UNSET
    insertions: Annotated[
        int | UnsetType, Meta(description="Lines, against the last commit; left out: not counted.")
    ] = UNSET
    deletions: int | UnsetType = UNSET


class GitChanges(msgspec.Struct, rename="camel", kw_only=True):
    """In no repository: `isGitRepo` is false, `files` is empty, and all other fields are left out."""

    is_git_repo: bool
    repo_path: str | UnsetType = UNSET
    current_branch: Annotated[str | UnsetType, Meta(description="Empty while HEAD is detached.")] = UNSET
    is_worktree: bool | UnsetType = UNSET
    has_upstream: bool | UnsetType = UNSET
    ahead_count: int | UnsetType = UNSET
    behind_count: int | UnsetType = UNSET
    changed_count: Annotated[
        int | UnsetType, Meta(description="What `git status` lists: a folder that git does not track is one.")
    ] = UNSET
    files: Annotated[list[ChangedFileView], Meta(description="At most 3,000.")]
    truncated: bool = False


class FileDiffQuery(Given, rename="camel"):
    path: Annotated[Folder, Meta(description="A folder of the repository.")]
    file: Annotated[str, Meta(min_length=1, max_length=4096, description="As GET /api/git/changes has it.")]
    previous_path: Annotated[str, Meta(max_length=4096, description="As above.")] = ""
    context: Annotated[
        int, Meta(ge=0, le=10_000_000, description="How many unchanged lines stand around changed ones.")
    ] = 3


class DiffHunk(msgspec.Struct, rename="camel"):
    old_start: int
    new_start: int
    lines: Annotated[list[str], Meta(description="Each begins with ` `, `+`, `-`, or a backslash for a remark.")]


class ChangedLines(msgspec.Struct, rename="camel", kw_only=True):
    """A file against the last commit."""

    hunks: list[DiffHunk]
    line_count: Annotated[int, Meta(description="Of the file now.")]
    is_deleted: bool
    is_binary: bool
    is_too_big: Annotated[
        bool, Meta(description="One of the two has more than 2 MiB, or both together more than 200,000 lines.")
    ]


class SessionGitStatus(msgspec.Struct):
    """All are 0 outside of a repository. added: files that git does not track yet."""

    modified: int = 0
    added: int = 0
    staged: int = 0
    deleted: int = 0
    ahead: int = 0
    behind: int = 0


class BranchView(msgspec.Struct):
    name: str
    current: bool
    remote: bool
    worktree: Annotated[str | UnsetType, Meta(description="Folder of the worktree that has it.")] = UNSET


class GoBranch(msgspec.Struct, rename="camel"):
    name: str
    is_current: bool


class GoBranches(msgspec.Struct):
    branches: list[GoBranch]
    count: int


class FoundRepository(msgspec.Struct, rename="camel"):
    id: str
    path: str
    folder_name: str
    last_modified: str
    relative_path: str
    git_branch: str | UnsetType = UNSET


class GoRepository(msgspec.Struct, rename="camel"):
    path: str
    name: str
    last_update: str


class GoRepositories(msgspec.Struct):
    repositories: list[GoRepository]
    count: int


class WorktreeStats(msgspec.Struct, rename="camel"):
    """Compared with the base branch."""

    commits_ahead: int
    files_changed: int
    insertions: int
    deletions: int


class WorktreeView(msgspec.Struct, kw_only=True):
    path: str
    branch: Annotated[str, Meta(description="`refs/heads/x`; empty while HEAD is detached.")]
    head: str = msgspec.field(name="HEAD")
    detached: bool
    prunable: Annotated[bool | UnsetType, Meta(description="true: its folder is gone.")] = UNSET
    locked: bool | UnsetType = UNSET
    locked_reason: str | UnsetType = msgspec.field(name="lockedReason", default=UNSET)
    commits_ahead: int = msgspec.field(name="commitsAhead")
    files_changed: int = msgspec.field(name="filesChanged")
    insertions: int
    deletions: int
    stats: WorktreeStats
    has_uncommitted_changes: bool = msgspec.field(name="hasUncommittedChanges")


class FollowStatus(msgspec.Struct, rename="camel"):
    """The Go server's words for follow mode."""

    enabled: bool
    can_enable: bool
    branch: str | UnsetType = UNSET
    worktree_path: str | UnsetType = UNSET


class WorktreesAnswer(msgspec.Struct, rename="camel"):
    worktrees: list[WorktreeView]
    base_branch: str
    follow_status: FollowStatus
    follow_branch: str | UnsetType = UNSET


class NewWorktree(Given, rename="camel"):
    repo_path: Folder
    branch: BranchName
    path: Annotated[Folder, Meta(description="The folder to make.")]
    base_branch: Annotated[
        Annotated[str, Meta(max_length=250)] | None,
        Meta(description="The branch is new and starts here. Default: it exists."),
    ] = None


class WorktreeAdded(msgspec.Struct, rename="camel"):
    worktree_path: str
    branch: str
    message: str = "Worktree created successfully"


class WorktreeRemoved(msgspec.Struct, rename="camel", kw_only=True):
    success: Literal[True] = True
    message: str = "Worktree removed successfully"
    removed_path: str


class PruneBody(Given, rename="camel"):
    repo_path: Folder


class WorktreesPruned(msgspec.Struct, kw_only=True):
    success: Literal[True] = True
    message: str = "Worktree information pruned successfully"
    output: Annotated[str, Meta(description="Names of the worktrees that are forgotten, one a line.")]
    pruned: bool


class FollowBody(Given, rename="camel"):
    repo_path: Folder
    enable: bool
    branch: BranchName | None = None


class HooksResult(msgspec.Struct):
    success: bool
    installed: list[str]
    removed: list[str]
    errors: list[str] | UnsetType = UNSET


class FollowAnswer(msgspec.Struct, rename="camel", kw_only=True):
    success: Literal[True] = True
    enabled: bool
    message: str
    hooks_installed: bool
    can_enable: bool = True
    branch: str | UnsetType = UNSET
    worktree_path: str | UnsetType = UNSET
    hooks_install_result: HooksResult | UnsetType = UNSET


class CheckoutBody(Given, rename="camel"):
    branch: BranchName
    repo_path: Annotated[Folder, Meta(description="A folder of the worktree that is switched.")] = "."


class CheckedOut(msgspec.Struct, rename="camel", kw_only=True):
    success: Literal[True] = True
    repo_path: str
    branch: str


class GitEventBody(Given, rename="camel"):
    """What a hook reports."""

    repo_path: Folder
    branch: BranchName | None = None
    event: Annotated[
        Annotated[str, Meta(max_length=40)] | None,
        Meta(description="`commit` and `checkout` matter to follow mode; any other word is passed on."),
    ] = None
    type: Annotated[Annotated[str, Meta(max_length=40)] | None, Meta(description="The Go server's name for event.")] = (
        None
    )


class GitEventNotice(msgspec.Struct, rename="camel", kw_only=True):
    type: Literal["git-event"] = "git-event"
    repo_path: str
    branch: str
    event: str
    follow_mode: bool
    sessions_updated: list[str]


class GitEventAnswer(msgspec.Struct, rename="camel", kw_only=True):
    success: Literal[True] = True
    repo_path: str
    sessions_updated: int
    follow_mode: bool
    notification: GitEventNotice


class NoticeView(msgspec.Struct):
    level: str
    title: str
    message: str


class GitNotices(msgspec.Struct):
    notifications: list[NoticeView]
