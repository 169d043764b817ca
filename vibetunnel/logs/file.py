"""What is written down: who did what (audit.log), and every request (requests.log), as JSON lines.

Never keystrokes, never output, never tokens, codes or cookies. Callers give ids and names; a last filter blots out what
looks like a secret all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import errno
import functools
import logging
import os
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from vibetunnel import paths

if TYPE_CHECKING:
    from vibetunnel.security.principal import Principal

LONGEST = 256  # characters of one value
MOST = 24  # values of one record, and of one list
QUEUE = 8192  # records that wait for the disk; more are counted, and lost
CHUNK = 256 * 1024  # bytes of one write
RETRY_S = 1.0  # after a write that failed

Value = str | int | float | bool | list[str] | None
Record = Callable[[], dict[str, Value]]  # made where it happens, encoded in the writer's thread

log = logging.getLogger(__name__)


class Action(enum.StrEnum):
    """What the audit knows of."""

    LOGIN = "login"
    LOGIN_FAILURE = "login-failure"
    LOGOUT = "logout"
    CREATE = "create"
    ATTACH = "attach"
    DETACH = "detach"
    INPUT_START = "input-start"  # the first bytes that a client typed; not which
    SHARE = "share"
    SHARE_USE = "share-use"
    SHARE_REVOKE = "share-revoke"
    REVOKE = "revoke"  # of a login or a token
    KILL = "kill"
    USER = "user"  # added, changed, removed
    TOKEN = "token"  # made or removed  # noqa: S105 (a word)
    SETTINGS = "settings"
    KEYS = "keys"  # rotated
    ACCESS = "access"  # the keyboard was given or taken
    PUT_OUT = "put-out"


class Id(str):
    """A name of our own, which is no secret whatever it looks like."""

    __slots__ = ()


class LogFile:
    """A file that only grows, until it is rotated: `x.log`, `x.log.1` (newer) ... A thread of its own writes it.

    Whoever moves it away gets a new one made. While it cannot be written (a full disk), records wait, up to QUEUE;
    what is lost beyond that is said with a line of its own when there is room again, and in the server's log at once.

    path       in a folder that becomes or is private (paths.private_dir)
    max_bytes  of one file
    files      at most, the one that is written among them
    gather_s   how long a record may wait for others
    Raises     paths.NotPrivate when it cannot be written from the start
    """

    def __init__(self, path: Path, *, max_bytes: int, files: int, gather_s: float = 0.0) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._files = files
        self._gather_s = gather_s
        self._queue: deque[tuple[float, Record]] = deque()
        self._refused = 0  # records that found the queue full; only the recording side counts it up
        self._told = 0  # of those, so many are in the file as lost; only the writer's thread counts it up
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._lines: deque[bytes] = deque()  # encoded, and not in the file yet
        self._complaint = ""  # why it cannot be written, as the log was told
        self._descriptor, self._size, self._torn = -1, 0, False
        self._open()
        self._thread = threading.Thread(target=self._run, name=f"vt-{path.stem}"[:15], daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """Records that are in no file, and never will be."""
        return self._refused

    def write(self, record: Record) -> None:
        """Have `record()` written, as of now. Returns at once; never raises. From one thread only."""
        if len(self._queue) >= QUEUE:
            self._refused += 1
            return
        self._queue.append((time.time(), record))
        if not self._wake.is_set():
            self._wake.set()

    async def close(self) -> None:
        """Write what waits, if that is possible. Safe twice."""
        self._closing.set()
        self._wake.set()
        await asyncio.to_thread(self._thread.join)

    # In the writer's thread

    def _run(self) -> None:
        while not self._closing.is_set():
            self._wake.wait()
            if self._gather_s:
                self._closing.wait(self._gather_s)
            self._wake.clear()  # before looking: what comes from here on sets it again
            self._work()
            if self._complaint:
                self._closing.wait(RETRY_S)
                self._wake.set()
        self._work()
        if self._lines or self._queue:
            log.warning("%s: the last %d records are lost", self.path, len(self._lines) + len(self._queue))
        self._close_file()

    def _work(self) -> None:
        """Write what waits, as far as possible."""
        try:
            self._reopen_if_moved()
            while True:
                self._encode()
                if not self._lines:
                    break
                self._write_some()
        except (OSError, paths.NotPrivate) as error:
            self._close_file()
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            if reason != self._complaint:
                log.warning("%s cannot be written, records wait or are lost: %s", self.path, reason)
            self._complaint = reason
            return
        if self._complaint:
            log.info("%s can be written again", self.path)
            self._complaint = ""

    def _encode(self) -> None:
        """Some of the queue into lines. Those that wait for the disk stay in the queue, which has a bound."""
        size = sum(map(len, self._lines))
        while self._queue and size < CHUNK:
            when, record = self._queue.popleft()
            self._lines.append(_line(when, record))
            size += len(self._lines[-1])
        refused = self._refused
        # In its place: behind what waited when the others were lost, as far as this is known.
        if refused > self._told and not self._queue:
            lost = refused - self._told
            self._told = refused
            self._lines.append(_line(time.time(), lambda: {"action": "lost", "result": "error", "records": lost}))

    def _write_some(self) -> None:
        """As many lines as the file may take, in one write."""
        if self._descriptor < 0:
            self._open()
        if self._size and self._size + len(self._lines[0]) + self._torn > self._max_bytes:
            self._rotate()
        room, count = self._max_bytes - self._size - self._torn, 0
        for line in self._lines:
            room -= len(line)
            if room < 0 and count:
                break
            count += 1
        start = b"\n" if self._torn else b""  # what was cut off there stays a line of its own
        data = start + b"".join(self._lines[each] for each in range(count))
        written = os.write(self._descriptor, data)
        self._size += written
        if written:
            self._torn = data[written - 1 : written] != b"\n"
        written -= len(start)
        while self._lines and written >= len(self._lines[0]):
            written -= len(self._lines.popleft())
        if written > 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # a part of a line: there is no room for the rest

    def _open(self) -> None:
        paths.private_dir(self.path.parent)
        self._descriptor = paths.open_private(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        self._size = os.fstat(self._descriptor).st_size
        self._torn = self._size > 0 and os.pread(self._descriptor, 1, self._size - 1) != b"\n"

    def _reopen_if_moved(self) -> None:
        if self._descriptor < 0:
            return
        ours = os.fstat(self._descriptor)
        with contextlib.suppress(FileNotFoundError):
            found = os.stat(self.path, follow_symlinks=False)
            if (found.st_ino, found.st_dev) == (ours.st_ino, ours.st_dev):
                self._size = found.st_size  # it may have been emptied in place
                self._torn = self._torn and self._size > 0
                return
        self._close_file()

    def _rotate(self) -> None:
        self._close_file()
        names = [self.path, *(older(self.path, number) for number in range(1, self._files))]
        last = names.pop()
        if not names:
            last.unlink(missing_ok=True)
        for name in reversed(names):
            with contextlib.suppress(FileNotFoundError):
                name.replace(last)
            last = name
        number = self._files
        while (surplus := older(self.path, number)).exists():  # from when more were kept
            surplus.unlink()
            number += 1
        self._open()

    def _close_file(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Audit:
    """Who did what.

    file     None: nothing is written
    secrets  texts that must be in no record, whatever they look like
    """

    def __init__(self, file: LogFile | None, secrets: Iterable[str] = ()) -> None:
        self._file = file
        self._secrets = tuple(secrets)

    def record(
        self,
        action: Action | str,
        principal: Principal | None,
        address: str,
        result: str = "ok",
        **fields: Value,
    ) -> None:
        """Write one line: {"time", "action", "result", "user", "role", "by", "address", ...fields}. Costs microseconds.

        action     one of Action
        principal  who; None: nobody that we know
        address    the client's; "" for what no request has caused
        result     "ok", or in a few words why not
        fields     ids and names; None and "" are left out. What has the name of one of the above becomes target_<name>;
                   only where nobody is known may `user` be a name that was claimed. An id shorter than 20 characters,
                   a UUID or an Id is not taken for a secret. Never a command line: people write passwords into those.
        """
        if self._file is None:
            return
        if principal is None:
            who: dict[str, Value] = {}
        else:
            # A guest's is what somebody wrote on a link.
            name = principal.user if principal.guest else Id(principal.user)
            who = {"user": name, "role": principal.role, "by": Id(principal.id)}
        record: dict[str, Value] = {"action": str(action), "result": result, **who, "address": address or None}
        for name, value in fields.items():
            if isinstance(value, list):
                value = value[:MOST]  # the caller's own may change
            record[f"target_{name}" if name in record or name == "time" else name] = value if value != "" else None
        self._file.write(lambda: self._without_secrets(record))

    def _without_secrets(self, record: dict[str, Value]) -> dict[str, Value]:
        def blot(text: str) -> str:
            for secret in self._secrets:
                if secret in text:  # else an Id stays one
                    text = text.replace(secret, BLOT)
            return text

        if not self._secrets:
            return record
        return {
            name: blot(value)
            if isinstance(value, str)
            else [blot(each) for each in value]
            if isinstance(value, list)
            else value
            for name, value in record.items()
        }


class RequestLog:
    """Every request: {"time", "method", "path", "status", "ms", "address", "user"}. file: None: nothing is written."""

    def __init__(self, file: LogFile | None) -> None:
        self._file = file

    def record(self, method: str, path: str, status: int, ms: float, address: str, user: str | None = None) -> None:
        """One line. Costs about a microsecond; the rest is done in the file's thread.

        path  without the query: there are tokens in queries
        ms    from the first byte of the request to the end of the answer
        """
        if self._file is not None:
            self._file.write(
                lambda: {
                    "method": method,
                    "path": path.partition("?")[0],
                    "status": status,
                    "ms": round(ms, 3),
                    "address": address,
                    "user": user,
                }
            )


def older(path: Path, number: int) -> Path:
    """The file that was rotated away `number` times."""
    return path.with_name(f"{path.name}.{number}")


# Cleaning

BLOT = "[removed]"
SHORTEST_SECRET = 11  # characters; a one-time code
# What this project makes, and others make alike: JWTs; 64 digits (the installation's secret); 22, or 40 and more
# characters of base64url with capitals, small letters and digits (tokens, tickets, codes of links); one-time codes. Not
# UUIDs (no capitals), and not fingerprints of keys.
_SECRET = re.compile(
    r"(SHA256:[\w+/]{43})"
    r"|eyJ[\w-]{8,}\.[\w-]{4,}\.?[\w-]*"
    r"|(?<![0-9A-Za-z])[0-9a-f]{64}(?![0-9A-Za-z])"
    r"|(?<![\w-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*[0-9])(?:[\w-]{22}|[\w-]{40,})(?![\w-])"
    r"|(?<![\w-])[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}(?![\w-])",
    re.ASCII,
)


def clean(text: str) -> str:
    r"""`text` as it may stand in a log and go to a terminal: one line, what cannot be seen or turns the writing around
    as \x1b or \u202e, no secrets, at most LONGEST characters."""
    # Longer than any secret here; the rest would cost time, and nobody will read it.
    return _clean(text) if len(text) <= LONGEST else f"{_clean(text[: 4 * LONGEST]).removesuffix('…')}…"


@functools.lru_cache(maxsize=2048)  # the same few names, paths and addresses come again and again
def _clean(text: str) -> str:
    if len(text) >= SHORTEST_SECRET:
        text = _SECRET.sub(lambda found: found[1] or BLOT, text)
    text = _visible(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _visible(text: str) -> str:
    return text if text.isprintable() else "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _line(when: float, record: Record) -> bytes:
    """One record as JSON with its newline. Never raises: a record that cannot be is said to be none."""
    stamp = _stamp(when)
    try:
        fields = record()
        cleaned = {clean(name): _cleaned(value) for name, value in list(fields.items())[:MOST] if value is not None}
        return msgspec.json.encode({"time": stamp, **cleaned}) + b"\n"
    except Exception:  # the edge of the writer's thread: the records behind this one are to be written all the same
        log.exception("a record cannot be written")
        return msgspec.json.encode({"time": stamp, "action": "lost", "result": "error", "records": 1}) + b"\n"


def _stamp(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cleaned(value: Value) -> Value:
    if isinstance(value, Id):
        return _visible(value[:LONGEST])
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [clean(each) for each in value[:MOST]]
    return value


# Reading


def read(path: Path, *, since: float = 0.0, follow: Callable[[], None] | None = None) -> Iterator[dict[str, Any]]:
    """The records of a log, oldest first, over all its files. Lines that are none are left out.

    since   seconds since the epoch
    follow  called when there is no more, to wait a little; None: that is the end
    Raises  paths.NotPrivate
    """
    stamp = _stamp(since)
    for line in _lines(path, follow):
        record = parse(line)
        if record is not None and str(record.get("time", "")) >= stamp:
            yield record


def _lines(path: Path, follow: Callable[[], None] | None) -> Iterator[bytes]:
    current = _opened(path)  # before the older ones: if it becomes one of them meanwhile, nothing is missed
    try:
        number = 1
        while older(path, number).exists():
            number += 1
        for each in range(number - 1, 0, -1):
            file = _opened(older(path, each))
            if file is not None:
                with file:
                    if current is None or not os.path.samestat(os.fstat(file.fileno()), os.fstat(current.fileno())):
                        yield from file
        rest = b""
        while True:
            moved = follow is not None and _has_moved(path, current)  # before its last lines are read
            if current is not None and os.fstat(current.fileno()).st_size < current.tell():
                current.seek(0)  # it was emptied in place
                rest = b""
            for line in current or ():
                rest += line
                if rest.endswith(b"\n") or follow is None:
                    yield rest
                    rest = b""
            if follow is None:
                return
            if moved:
                if current is not None:
                    current.close()
                current, rest = _opened(path), b""
            else:
                follow()
    finally:
        if current is not None:
            current.close()


def _opened(path: Path) -> BinaryIO | None:
    try:
        return open(paths.open_private(path, os.O_RDONLY), "rb")
    except FileNotFoundError:
        return None


def _has_moved(path: Path, current: BinaryIO | None) -> bool:
    """Whether there is another file at `path` by now."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return current is None or not os.path.samestat(found, os.fstat(current.fileno()))


def parse(line: bytes) -> dict[str, Any] | None:
    """The record of one line; None: it is none."""
    try:
        found = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None
