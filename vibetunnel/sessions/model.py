"""The parts of a session: its status, its order, its record and its end."""

from __future__ import annotations

import enum
import functools
import time
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

MAX_SIZE = 1000  # rows or cols
NAME_LIMIT = 200  # characters of a session's name, as in VibeTunnel's Go server
FORMAT = 2  # of a Record; changes when an older server would misunderstand it

Size = Annotated[int, Meta(ge=1, le=MAX_SIZE)]

# Characters that no name may have: a terminal or a log would obey them, or a reader would not see them. The joiners
# U+200C and U+200D are not among them: words and emoji have them.
_UNSEEN = r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
_BLANK = r" \xa0\u1680\u2000-\u200a\u202f\u205f\u3000"  # what str.strip() removes besides

_SEEN = f"[^{_UNSEEN}]*[^{_UNSEEN}{_BLANK}][^{_UNSEEN}]*"
_VISIBLE = "printable text that is not blanks only"

SessionName = Annotated[str, Meta(min_length=1, max_length=NAME_LIMIT, pattern=f"^{_SEEN}$", description=_VISIBLE)]
NameOrNone = Annotated[str, Meta(max_length=NAME_LIMIT, pattern=f"^({_SEEN})?$", description=_VISIBLE)]


class Status(enum.StrEnum):
    """created -> starting -> running -> exited; a session that cannot start goes from starting to exited."""

    CREATED = "created"
    STARTING = "starting"
    RUNNING = "running"
    EXITED = "exited"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A session that a client asked for: checked, with every default filled in."""

    name: str
    argv: list[str]
    login: bool
    folder: str
    env: dict[str, str]
    rows: int
    cols: int


class End(msgspec.Struct, frozen=True):
    """How a session ended.

    code    as a shell reports it: 128+N after signal N; None when it is unknown or nothing ever ran
    signal  0: none
    """

    code: int | None
    signal: int = 0
    reason: str = ""
    at_ns: int = msgspec.field(default_factory=time.time_ns)


class Record(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The record that the keeper stores for the next server. The keeper itself never looks inside.

    format      FORMAT of the version that wrote it
    started_ns  0: never. Otherwise its command has been started, or may have been, and is never started again
    rows, cols  the size at the end; while the session runs, the kernel knows it
    integrated  its shell was started with the server's script, and so marks its prompts
    ended       how it ended; the keeper knows that of its own sessions, but not of those of an earlier keeper
    owner       name of the account that created it
    """

    format: int = FORMAT
    id: str
    order: Order
    name: str
    version: str
    created_ns: int  # CLOCK_REALTIME, as all times here
    started_ns: int = 0
    rows: int = 0
    cols: int = 0
    owner: str = ""
    integrated: bool = False
    ended: End | None = None


_FIRST_NS = -62_135_596_800_000_000_000  # the year 1
_LAST_NS = 253_402_300_799_000_000_000  # the last second of 9999


def iso(time_ns: int) -> str:
    """`2026-01-02T03:04:05.678Z`. A time that no date has, as a file may have, becomes the first or last one."""
    if not _FIRST_NS <= time_ns <= _LAST_NS:
        time_ns = min(max(time_ns, _FIRST_NS), _LAST_NS)
    time_ms = time_ns // 1_000_000
    return f"{_second(time_ms // 1000)}.{time_ms % 1000:03}Z"


@functools.lru_cache(maxsize=1024)  # a list has many times of the same second
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[:-6]
