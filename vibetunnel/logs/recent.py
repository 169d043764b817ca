"""The newest lines of the server's own log, and of those that its clients send, in memory.

Each of the two has room of its own: a client that floods pushes out no line of the server's.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Iterable
from typing import Literal

import msgspec

from vibetunnel.logs.record import stamp
from vibetunnel.logs.redact import clean

LINES = 2000  # of the server, and of its clients
CHARACTERS = 512 * 1024  # of their texts, each
LONGEST_LINE = 2000  # characters of one text
LONGEST_NAME = 64  # characters of a module's name, and of a user's

Level = Literal["debug", "log", "warn", "error"]  # the Node server's words; `log` is Python's INFO

_NO_NAME = re.compile(r"[^\w./:@-]+")


class LogLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line.

    number  higher than that of each earlier line, also of an earlier server
    at      time, in ISO 8601
    user    who sent it; "": it is the server's own
    """

    number: int
    at: str
    level: Level
    module: str
    text: str
    user: str = ""

    def __str__(self) -> str:
        """The line as the Node server writes it; a client of the user is the module `CLIENT:name`."""
        module = f"CLIENT:{self.module}" if self.user else self.module
        return f"{self.at} {self.level.upper()} [{module}] {self.text}\n"


class RecentLog:
    """The lines of one server. For any thread: also threads of the server log."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own, self._clients = _Room(), _Room()
        self._last = int(time.time() * 1000)  # so the numbers of the next server are higher

    @property
    def size(self) -> int:
        """Bytes of text()."""
        return len(self.text().encode())

    def server(self, level: Level, module: str, text: str) -> None:
        """Add what the server itself says. Further lines of a text, as of a traceback, are indented."""
        shown = "\n    ".join(clean(each, LONGEST_LINE) for each in text[: 8 * LONGEST_LINE].splitlines())
        self._add(self._own, level, module, shown, "")

    def client(self, user: str, level: Level, module: str, words: Iterable[object]) -> None:
        """Add what a client of `user` says: one line, without secrets. words: texts, and any other JSON."""
        said = " ".join(each if isinstance(each, str) else _encoded(each) for each in words)
        parts = (each.strip() for each in said[: 8 * LONGEST_LINE].splitlines())
        text = clean(" ".join(each for each in parts if each), LONGEST_LINE)
        self._add(self._clients, level, module, text, clean(user, LONGEST_NAME))

    def _add(self, room: _Room, level: Level, module: str, text: str, user: str) -> None:
        name = _NO_NAME.sub("_", clean(module, LONGEST_NAME)) or "unknown"
        with self._lock:
            self._last += 1
            at = stamp(time.time())
            room.add(LogLine(number=self._last, at=at, level=level, module=name, text=text, user=user))

    def lines(self, after: int = 0) -> list[LogLine]:
        """The lines with a higher number than `after`, oldest first."""
        with self._lock:
            found = [*self._own.lines, *self._clients.lines]
        return sorted((each for each in found if each.number > after), key=lambda each: each.number)

    def text(self) -> str:
        """All lines, as a file of them would be."""
        return "".join(map(str, self.lines()))

    def clear(self) -> None:
        with self._lock:
            self._own, self._clients = _Room(), _Room()


def _encoded(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "…"  # it is nested too deeply


class _Room:
    """Lines within bounds: the oldest make room."""

    def __init__(self) -> None:
        self.lines: deque[LogLine] = deque()
        self._size = 0

    def add(self, line: LogLine) -> None:
        self.lines.append(line)
        self._size += len(line.text)
        while len(self.lines) > LINES or self._size > CHARACTERS:
            self._size -= len(self.lines.popleft().text)


class RecentLogHandler(logging.Handler):
    """Passes on what Python's logging gets."""

    def __init__(self, recent: RecentLog) -> None:
        super().__init__()
        self._recent = recent

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:
            self.handleError(record)
            return
        self._recent.server(_level(record.levelno), record.name.removeprefix("vibetunnel."), text)


def _level(number: int) -> Level:
    if number >= logging.ERROR:
        return "error"
    if number >= logging.WARNING:
        return "warn"
    return "log" if number >= logging.INFO else "debug"
