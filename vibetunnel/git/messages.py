"""The requests to the child process, and what each is answered with."""

from __future__ import annotations

from typing import Literal

import msgspec

Change = Literal["modified", "added", "deleted", "untracked"]
FileChange = tuple[str, Change]  # (path below a folder, its change)
GitEvent = Literal["commit", "checkout", "merge", "rebase", "other"]


class Summary(msgspec.Struct, kw_only=True):
    """A repository at a glance.

    root       the worktree's folder; of a bare repository, its git folder
    main       the folder of the main worktree, or of the bare repository
    linked     a linked worktree (`git worktree add`)
    git_dir    where HEAD and index are
    common_dir where the branches are
    branch     "": HEAD is detached
    head       id of the commit; "": there is none yet
    modified   files whose content in the folder differs from the index
    staged     files whose content in the index differs from HEAD; `added` are those of them that HEAD does not have
    deleted    files that the folder, or the index, no longer has
    upstream   whether the branch follows another; ahead and behind count commits
    remote     the URL of `origin`, without a user or a password
    changed    what `git status` lists: a renamed file is one, and so is a folder that git does not track
    files      staged, unstaged and untracked files, at most LISTED of each
    """

    root: str
    main: str
    linked: bool
    git_dir: str
    common_dir: str
    branch: str
    head: str
    modified: int = 0
    untracked: int = 0
    staged: int = 0
    added: int = 0
    deleted: int = 0
    changed: int = 0
    upstream: bool = False
    ahead: int = 0
    behind: int = 0
    remote: str = ""
    staged_files: list[str] = []
    unstaged_files: list[str] = []
    untracked_files: list[str] = []
    last_commit: str = ""
    last_commit_s: int = 0


class Branch(msgspec.Struct, kw_only=True):
    """worktree: the folder that has it checked out; "": none."""

    name: str
    current: bool
    remote: bool
    worktree: str = ""


class Worktree(msgspec.Struct, kw_only=True):
    """A worktree; the main one is the first of a list.

    branch   "": HEAD is detached
    missing  its folder is gone, or outside of the permitted folders
    locked   the reason, or a blank; None: it is not locked
    ahead    commits beyond the base branch; files, insertions and deletions are those since they parted
    changed  has changes that no commit has
    """

    path: str
    branch: str
    head: str
    missing: bool = False
    locked: str | None = None
    ahead: int = 0
    files: int = 0
    insertions: int = 0
    deletions: int = 0
    changed: bool = False


class Worktrees(msgspec.Struct, kw_only=True):
    """follow: the branch whose worktree the main worktree follows; "": none."""

    root: str
    worktrees: list[Worktree]
    base: str
    follow: str = ""
    follow_path: str = ""


class Discovered(msgspec.Struct, kw_only=True):
    """A repository below a folder."""

    path: str
    inode: int
    modified_ns: int
    relative: str
    branch: str


class TextDiff(msgspec.Struct, kw_only=True):
    """A file against HEAD.

    original  its content in HEAD; None: HEAD does not have it, or it is in no repository
    diff      the unified diff of a text; "": none
    too_big   one of the two is longer than DIFFED, so neither is given
    """

    original: bytes | None
    diff: str = ""
    too_big: bool = False


class FolderStatus(msgspec.Struct, kw_only=True):
    """The changed files below a folder. cut: there are more than are listed."""

    root: str
    branch: str
    files: list[FileChange]
    cut: bool = False


FileChangeKind = Literal["modified", "added", "deleted", "renamed", "untracked", "conflicted"]


class ChangedFile(msgspec.Struct, kw_only=True):
    """A file that differs from HEAD. A folder that git does not track ends in `/`.

    path        below the repository's folder
    earlier     its path in HEAD, if it was renamed
    staged      how the index differs from HEAD; "": not
    unstaged    how the file differs from the index; "": not
    insertions  lines, against HEAD; -1: not counted, as in a binary file. So are deletions
    """

    path: str
    earlier: str = ""
    staged: FileChangeKind | Literal[""] = ""
    unstaged: FileChangeKind | Literal[""] = ""
    insertions: int = -1
    deletions: int = -1


class ChangedFiles(msgspec.Struct, kw_only=True):
    """cut: there are more than are listed. changed: how many `git status` lists. Others are as in Summary."""

    root: str
    branch: str
    linked: bool
    upstream: bool = False
    ahead: int = 0
    behind: int = 0
    changed: int = 0
    files: list[ChangedFile] = []
    cut: bool = False


class Hunk(msgspec.Struct, kw_only=True):
    """old and new: the numbers of its first lines. Each line begins with ` `, `+`, `-`, or `\\` for a remark."""

    old: int
    new: int
    lines: list[str]


class FileHunks(msgspec.Struct, kw_only=True):
    """A file against HEAD.

    lines    how many the file has now
    deleted  there is no file now
    too_big  one of the two is longer than DIFFED, or they have more than DIFFED_LINES: there are no hunks
    """

    hunks: list[Hunk] = []
    lines: int = 0
    deleted: bool = False
    binary: bool = False
    too_big: bool = False


class Added(msgspec.Struct):
    path: str
    branch: str


class Removed(msgspec.Struct):
    path: str


class Pruned(msgspec.Struct):
    names: list[str]


class Switched(msgspec.Struct):
    root: str
    branch: str


class Hooks(msgspec.Struct, kw_only=True):
    """problem: why none were installed; "": they were, or nothing was to be done."""

    installed: list[str] = []
    removed: list[str] = []
    problem: str = ""


class Following(msgspec.Struct, kw_only=True):
    """branch: "": follow mode is off. problem: why the main worktree was not switched."""

    root: str
    branch: str
    path: str
    hooks: Hooks
    problem: str = ""


class Synced(msgspec.Struct, kw_only=True):
    """What an event of a repository led to. notice: (level, title, message) for the user; None: nothing happened."""

    root: str
    main: str
    branch: str
    follow: str
    notice: tuple[str, str, str] | None = None


class Request(msgspec.Struct, frozen=True, tag=True):
    """The root. path: absolute, or relative to the home folder."""

    path: str


class Summarise(Request, frozen=True, tag=True):
    pass


class ListBranches(Request, frozen=True, tag=True):
    pass


class ListWorktrees(Request, frozen=True, tag=True):
    pass


class Discover(Request, frozen=True, tag=True):
    depth: int


class DiffFile(Request, frozen=True, tag=True):
    pass


class ListChanges(Request, frozen=True, tag=True):
    pass


class ListChangedFiles(Request, frozen=True, tag=True):
    pass


class DiffChangedFile(Request, frozen=True, tag=True):
    """file, earlier: as in ChangedFile. context: unchanged lines around the changed ones."""

    file: str
    earlier: str
    context: int


class DiffTexts(Request, frozen=True, tag=True):
    """path: the name in the diff."""

    before: bytes
    after: bytes


class AddWorktree(Request, frozen=True, tag=True):
    """base: the new branch starts there; "": the branch exists."""

    folder: str
    branch: str
    base: str


class RemoveWorktree(Request, frozen=True, tag=True):
    branch: str
    force: bool


class PruneWorktrees(Request, frozen=True, tag=True):
    pass


class SwitchBranch(Request, frozen=True, tag=True):
    branch: str


class Follow(Request, frozen=True, tag=True):
    """branch: "": turn it off. program: the `vibetunnel` that the hooks run; "": the one on the user's PATH."""

    branch: str
    program: str


class Sync(Request, frozen=True, tag=True):
    event: GitEvent


AnyRequest = (
    Summarise
    | ListBranches
    | ListWorktrees
    | Discover
    | DiffFile
    | ListChanges
    | ListChangedFiles
    | DiffChangedFile
    | DiffTexts
    | AddWorktree
    | RemoveWorktree
    | PruneWorktrees
    | SwitchBranch
    | Follow
    | Sync
)


# The child process first says CONFINED or not. To each request it says the folder of the repository's objects and
# branches ("": none), waits for GO or STOP, and after GO sends the Reply. Each but GO and STOP has a length before it.
HEAD = 4  # bytes of a message's length
LONGEST = 16 << 20  # bytes of an answer
CONFINED = b"confined"
GO, STOP = b"\1", b"\0"


class Setup(msgspec.Struct):
    """What a child process is started with.

    private  folders in these that no request reaches: the server's own
    change   whether it may change repositories
    limit_s  of one request; a child that takes longer ends itself, even while the kernel blocks it
    """

    folders: list[str]
    private: list[str]
    home: str
    change: bool
    limit_s: float


class Reply(msgspec.Struct, kw_only=True):
    """error: the class of errors.py; "": none."""

    value: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    message: str = ""
