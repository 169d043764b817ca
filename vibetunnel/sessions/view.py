"""The description of a session that clients get."""

from __future__ import annotations

import functools
import unicodedata
from typing import Literal, NamedTuple, Protocol
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, UnsetType

from vibetunnel._ext import vt
from vibetunnel._ext.pump import Terminal
from vibetunnel.git.messages import Summary
from vibetunnel.sessions.model import End, Record, Status, iso

ProgressState = Literal["set", "error", "indeterminate", "paused"]
PROGRESS_STATES: dict[int, ProgressState] = {1: "set", 2: "error", 3: "indeterminate", 4: "paused"}
Urgency = Literal["low", "normal", "critical"]
URGENCIES: tuple[Urgency, ...] = ("low", "normal", "critical")


class ProgressView(msgspec.Struct, frozen=True):
    """How far a program says that it is (OSC 9;4). percent: 0..100, or null if the state is indeterminate."""

    state: ProgressState
    percent: int | None


class NotificationView(msgspec.Struct, frozen=True):
    """A text that a program wants a person to see (OSC 9, 99, 777). at: when it was read."""

    title: str
    body: str
    urgency: Urgency
    at: str


class SessionView(msgspec.Struct, kw_only=True, rename="camel"):
    """A session as REST and the events show it. Unknown fields are left out.

    lazy            true: not started yet; its first use starts it
    exit_code       as a shell reports it: 128+N after signal N
    processes_left  how many of its processes run on after its program has ended; none: the field is left out
    reason          why it could not start, or how it ended
    owner           name of the account that created it
    title           set by the program (OSC 0 or 2)
    folder          a path: the shell's current folder, as the shell reports it (OSC 7)
    progress        of the program that runs; null: it reports none
    notification    the newest of a program since the server has started, unless it was withdrawn
    pointer         CSS name of the pointer's shape that the program has set (OSC 22)
    user_vars       variables that programs have set (OSC 1337) since the server has started
    last_modified   time of the last output or input
    offset          bytes printed so far
    last_clear_offset, attached_via_vt  the Node server's; always 0 and false
    keeper_lost     true: no keeper holds its terminal any longer, so it ends with this server
    git_repo_path   folder of the worktree that the session's folder is in; git_main_repo_path: of the main one. These
                    and the other git fields are left out for a folder that is in no repository
    git_ahead_count commits that the upstream branch does not have; left out without one, as git_behind_count is
    git_changed_count  files that `git status` lists
    git_added_count files that git does not track yet
    """

    id: str
    name: str
    command: list[str]
    working_dir: str
    status: Status
    lazy: bool
    rows: int
    cols: int
    initial_rows: int
    initial_cols: int
    clients: int
    created_at: str
    started_at: str
    last_modified: str
    offset: int
    version: str
    last_clear_offset: int = 0
    attached_via_vt: bool = msgspec.field(name="attachedViaVT", default=False)
    source: str = "local"
    owner: str = ""
    pid: int | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    signal: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    processes_left: int | UnsetType = UNSET
    title: str | UnsetType = UNSET
    folder: str | UnsetType = UNSET
    progress: ProgressView | None = None
    notification: NotificationView | UnsetType = UNSET
    pointer: str | UnsetType = UNSET
    user_vars: dict[str, str] | UnsetType = UNSET
    keeper_lost: bool | UnsetType = UNSET
    git_repo_path: str | UnsetType = UNSET
    git_main_repo_path: str | UnsetType = UNSET
    git_branch: str | UnsetType = UNSET
    git_is_worktree: bool | UnsetType = UNSET
    git_has_changes: bool | UnsetType = UNSET
    git_changed_count: int | UnsetType = UNSET
    git_modified_count: int | UnsetType = UNSET
    git_added_count: int | UnsetType = UNSET
    git_deleted_count: int | UnsetType = UNSET
    git_ahead_count: int | UnsetType = UNSET
    git_behind_count: int | UnsetType = UNSET


class Describes(Protocol):
    """Something with an id that clients can see."""

    @property
    def id(self) -> str: ...
    def describe(self) -> SessionView: ...


class Live(NamedTuple):
    """What a terminal shows of a session: Terminal.shown, with names."""

    rows: int
    cols: int
    clients: int
    head: int
    title: str
    folder: str
    progress: vt.Progress
    pointer: str
    last_output_ns: int
    last_input_ns: int


class Shown(NamedTuple):
    """All of a session's description that may change: while it is equal, the description is, too.

    live  None: it has no terminal
    left  how many of its processes live on after its program has ended
    """

    name: str
    status: Status
    rows: int
    cols: int
    started_ns: int
    live: Live | None
    pid: int
    orphan: bool
    end: End | None
    left: int
    notification: vt.Notification | None
    variables: tuple[tuple[str, str], ...]
    repository: Summary | None


def live(terminal: Terminal) -> Live:
    return Live._make(terminal.shown)


def describe(record: Record, shown: Shown, created: str) -> SessionView:
    """record: only what never changes is taken from it. created: record.created_ns as iso() writes it."""
    order, terminal, end = record.order, shown.live, shown.end
    view = SessionView(
        id=record.id,
        name=shown.name,
        command=order.argv,
        working_dir=order.folder,
        status=shown.status,
        lazy=shown.status is Status.CREATED,
        rows=shown.rows or order.rows,
        cols=shown.cols or order.cols,
        initial_rows=order.rows,
        initial_cols=order.cols,
        clients=0,
        created_at=created,
        started_at=iso(shown.started_ns) if shown.started_ns else created,
        last_modified=created,
        offset=0,
        version=record.version,
        owner=record.owner,
    )
    last = max(record.created_ns, shown.started_ns)
    if terminal is not None:
        view.rows, view.cols = terminal.rows, terminal.cols
        view.clients, view.offset = terminal.clients, terminal.head
        view.title, view.folder = terminal.title or UNSET, url_path(terminal.folder) or UNSET
        if end is None:
            view.progress = progress_view(terminal.progress)
            view.pointer = terminal.pointer or UNSET
        last = max(last, terminal.last_output_ns, terminal.last_input_ns)
    view.notification = notification_view(shown.notification) or UNSET
    view.user_vars = dict(shown.variables) or UNSET
    if last != record.created_ns:
        view.last_modified = iso(last)
    if shown.pid and shown.status is Status.RUNNING:
        view.pid = shown.pid
        view.keeper_lost = shown.orphan or UNSET
    if end is not None:
        view.exit_code = UNSET if end.code is None else end.code
        view.signal = end.signal or UNSET
        view.reason = end.reason or UNSET
        view.processes_left = shown.left or UNSET
    repository = shown.repository
    if repository is not None:
        view.git_repo_path, view.git_main_repo_path = repository.root, repository.main
        view.git_branch = repository.branch or UNSET
        view.git_is_worktree, view.git_has_changes = repository.linked, repository.changed > 0
        view.git_modified_count, view.git_deleted_count = repository.modified, repository.deleted
        view.git_changed_count, view.git_added_count = repository.changed, repository.untracked
        if repository.upstream:
            view.git_ahead_count, view.git_behind_count = repository.ahead, repository.behind
    return view


def progress_view(progress: vt.Progress) -> ProgressView | None:
    state = PROGRESS_STATES.get(progress.state)
    return state and ProgressView(state, None if state == "indeterminate" else progress.percent)


def notification_view(notification: vt.Notification | None) -> NotificationView | None:
    if notification is None:
        return None
    title, body, at = notification.title, notification.body, iso(notification.at_ns)
    return NotificationView(title, body, URGENCIES[notification.urgency], at)


@functools.lru_cache(maxsize=1024)  # lists ask for the same folders again and again
def url_path(url: str) -> str:
    """The path of a file: URL, whatever its host; empty for other URLs, and for a path with control characters."""
    scheme, _, rest = url.partition(":")
    if scheme.lower() != "file":
        return ""
    # No URL parser: many shells send their folder unquoted, and `#` and `?` are then part of it.
    if rest.startswith("//"):
        rest = "/" + rest[2:].partition("/")[2]
    path = unquote(rest)
    return path if path.startswith("/") and not any(unicodedata.category(each) == "Cc" for each in path) else ""
