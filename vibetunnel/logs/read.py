"""Reading a log, over all its files and while the server writes it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from vibetunnel import paths
from vibetunnel.logs.file import older
from vibetunnel.logs.record import decode, stamp


def read(path: Path, *, since: float = 0.0, follow: Callable[[], None] | None = None) -> Iterator[dict[str, Any]]:
    """The records of a log, oldest first. Lines without a record are left out.

    since   seconds since the epoch
    follow  called at the end of the log, to wait a little before the next look; None: reading stops there
    Raises  paths.NotPrivate
    """
    first = stamp(since)
    for line in _lines(path, follow):
        record = decode(line)
        if record is not None and str(record.get("time", "")) >= first:
            yield record


def _lines(path: Path, follow: Callable[[], None] | None) -> Iterator[bytes]:
    current = _opened(path)  # before the older files: if it is rotated meanwhile, nothing is missed
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
    """Whether `path` is another file now."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return current is None or not os.path.samestat(found, os.fstat(current.fileno()))
