"""What a session is, what of it outlives the server, and what of it a client sees."""

from __future__ import annotations

import enum
import time
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Protocol
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, Meta, UnsetType

MAX_SIZE = 1000  # rows or cols
FORMAT = 1  # of a Record; changes when an older server would misunderstand it

Size = Annotated[int, Meta(ge=1, le=MAX_SIZE)]


class Status(enum.StrEnum):
    """created -> starting -> running -> exited; a session that cannot start goes from starting to exited."""

    CREATED = "created"
    STARTING = "starting"
    RUNNING = "running"
    EXITED = "exited"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A session that is wanted: checked, nothing left to guess."""

    name: str
    argv: list[str]
    login: bool
    folder: str
    env: dict[str, str]
    rows: int
    cols: int


class Record(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the keeper stores for the next server (the keeper itself never looks inside).

    format      FORMAT of the version that wrote it
    rows, cols  the size at the end; the kernel knows that of a live one
    owner       name of the account that made it
    """

    format: int = FORMAT
    id: str
    order: Order
    name: str
    version: str
    created_ns: int  # CLOCK_REALTIME, as all times here
    started_ns: int = 0  # 0: never
    rows: int = 0
    cols: int = 0
    owner: str = ""


class End(msgspec.Struct, frozen=True):
    """How a session ended.

    code    as the shell has it: 128+N after signal N; None when nobody knows or it never ran
    signal  0: none
    """

    code: int | None
    signal: int = 0
    reason: str = ""
    at_ns: int = msgspec.field(default_factory=time.time_ns)


class SessionView(msgspec.Struct, kw_only=True, rename="camel"):
    """A session, as REST and the events show it. What is unknown is left out.

    lazy          true: not started yet; its first use starts it
    exit_code     as the shell has it: 128+N after signal N
    reason        why it could not start, or how it ended
    owner         name of the account that made it
    title         what the program set (OSC 0 or 2)
    folder        a path: where the shell said it is (OSC 7)
    last_modified the last output or input
    offset        bytes printed so far
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
    source: str = "local"
    owner: str = ""
    pid: int | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET
    signal: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    title: str | UnsetType = UNSET
    folder: str | UnsetType = UNSET


def iso(time_ns: int) -> str:
    """`2026-01-02T03:04:05.678Z`."""
    return datetime.fromtimestamp(time_ns // 1_000_000 / 1000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def url_path(url: str) -> str:
    """The path of a file: URL, whatever its host; empty for anything else, and for a path with control characters."""
    scheme, _, rest = url.partition(":")
    if scheme.lower() != "file":
        return ""
    # By hand: many a shell sends its folder as it is, and `#` and `?` are then parts of it.
    if rest.startswith("//"):
        rest = "/" + rest[2:].partition("/")[2]
    path = unquote(rest)
    return path if path.startswith("/") and not any(unicodedata.category(each) == "Cc" for each in path) else ""


class Describes(Protocol):
    """Something with an id that a client can be shown."""

    @property
    def id(self) -> str: ...
    def describe(self) -> SessionView: ...
