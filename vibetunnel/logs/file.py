"""A log file: written by a thread of its own, rotated at a size, and kept through a full disk.

The standard library's RotatingFileHandler lacks three things: a bound on waiting records, a count of lost records, and
whole lines after a write that was cut short.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import math
import os
import threading
import time
from collections import deque
from pathlib import Path
from typing import NamedTuple

from vibetunnel import paths
from vibetunnel.logs.record import Record, encode

QUEUE = 8192  # records that wait for the disk; more are counted, and lost
CHUNK = 256 * 1024  # bytes of one write
RETRY_S = 1.0  # after a write that failed
STUCK_S = 10.0  # a write that takes longer counts as failed: a disk that hangs does not hold every answer
SYNC_S = 1.0  # with `durable`: the time until what was written is on the disk, plus the time that the disk takes

log = logging.getLogger(__name__)


class _Waiter(NamedTuple):
    """A caller of keep(). number: of its record."""

    number: int
    future: asyncio.Future[bool]
    loop: asyncio.AbstractEventLoop


class LogFile:
    """A file that grows until it is rotated: `x.log`, then `x.log.1` (the newest of the old ones), `x.log.2` ...

    A file that was moved away is made anew. While the file cannot be written (a full disk), up to QUEUE records wait.
    More records are lost: the server's log says so at once, and a line in this file when there is room again.

    path       its folder is private, or is made so (paths.private_dir)
    max_bytes  of one file
    files      how many are kept, the current one included
    gather_s   how long a record may wait, so that several are written together; not if keep() waits for it
    durable    what was written is on the disk within SYNC_S: it outlives a power cut, too
    Raises     paths.NotPrivate at the start if the file is not private, or not a file
    """

    def __init__(self, path: Path, *, max_bytes: int, files: int, gather_s: float = 0.0, durable: bool = False) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._files = files
        self._gather_s = gather_s
        self._durable = durable
        self._queue: deque[tuple[float, Record]] = deque()
        self._refused = 0  # records that found the queue full; written by the event loop only
        self._told = 0  # how many of those the file tells of; written by the thread only
        self._accepted = 0  # records that were put into the queue
        self._taken = 0  # of them, those that the thread has taken out of it
        self._waiters: deque[_Waiter] = deque()  # by number; appended by the event loop, taken by the thread
        self._stuck = False  # a write has taken longer than STUCK_S, and has not ended
        self._wake = threading.Event()
        self._hurry = threading.Event()  # also ends the time of gathering
        self._closing = False
        self._sync_at = math.inf  # when the disk has to have what was written, on the monotonic clock
        self._lines: deque[bytes] = deque()  # encoded, not written yet
        self._complaint = ""  # why the file cannot be written, as last logged; "": it can
        self._descriptor, self._size, self._torn = -1, 0, False
        try:
            self._open()
        except paths.NotWritable as error:  # as after a write that failed: records wait
            self._complaint = str(error)
            self._wake.set()  # the thread tries to open it, even without a record
            log.warning("%s cannot be written, records wait or are lost: %s", path, error)
        self._thread = threading.Thread(target=self._run, name=f"vt-{path.stem}"[:15], daemon=True)
        self._thread.start()

    @property
    def lost(self) -> int:
        """How many records were lost."""
        return self._refused

    def write(self, record: Record) -> bool:
        """Write `record()` with the present time. Returns at once, never raises; for one thread only.

        False: too many wait, and this one is lost.
        """
        if len(self._queue) >= QUEUE:
            self._refused += 1
            return False
        self._queue.append((time.time(), record))
        self._accepted += 1
        if not self._wake.is_set():
            self._wake.set()
        return True

    @property
    def writable(self) -> bool:
        """Whether the last write succeeded."""
        return not (self._complaint or self._stuck)

    async def keep(self, record: Record) -> bool:
        """As write(), and wait until the record is in the file, where it outlives the end of this process.

        False: it is not. If the file cannot be written now, the record waits for that; if too many wait, it is lost.
        """
        if not self.write(record) or not self.writable or self._closing:
            return False
        loop = asyncio.get_running_loop()
        waiter = _Waiter(self._accepted, loop.create_future(), loop)
        self._waiters.append(waiter)
        self._wake.set()
        self._hurry.set()
        try:
            async with asyncio.timeout(STUCK_S):
                return await waiter.future
        except TimeoutError:
            if not self._stuck:
                log.warning("%s: a write takes longer than %g s, records wait or are lost", self.path, STUCK_S)
            self._stuck = True
            self._wake.set()  # the write may have ended just now: the thread looks once more
            return False

    async def close(self) -> None:
        """Write what waits, if possible. Safe to call twice."""
        self._closing = True
        self._wake.set()
        self._hurry.set()
        await asyncio.to_thread(self._thread.join)

    # In the writer's thread

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(None if self._sync_at == math.inf else max(0.0, self._sync_at - time.monotonic()))
            if self._gather_s and self._wake.is_set():
                self._hurry.wait(self._gather_s)
            self._wake.clear()  # before the queue is read: a record that comes from here on sets it again
            self._hurry.clear()
            self._work()
            self._answer(everybody=bool(self._complaint))
            if self._sync_at <= time.monotonic():
                self._sync()
            if self._complaint and not self._closing:
                self._hurry.wait(RETRY_S)
                self._wake.set()
        self._work()
        if self._lines or self._queue:
            log.warning("%s: the last %d records are lost", self.path, len(self._lines) + len(self._queue))
        self._close_file()
        self._answer(everybody=True)

    def _answer(self, *, everybody: bool) -> None:
        """Tell the callers of keep() whose records were tried, or all, whether the file has them."""
        if self._stuck:
            log.info("%s can be written again", self.path)
            self._stuck = False
        while self._waiters and (everybody or self._waiters[0].number <= self._taken):
            each = self._waiters.popleft()
            good = each.number <= self._taken and not self._complaint
            with contextlib.suppress(RuntimeError):  # its loop has ended
                each.loop.call_soon_threadsafe(_settle, each.future, good)

    def _sync(self) -> None:
        """Let the disk have what was written."""
        if self._sync_at == math.inf:
            return
        self._sync_at = math.inf
        try:
            os.fsync(self._descriptor)
        except OSError as error:  # the lines are in the file, and cannot be written again
            log.warning("%s: a power cut may undo the last lines: %s", self.path, error.strerror)

    def _work(self) -> None:
        """Write what waits, until the queue is empty or a write fails."""
        try:
            self._reopen_if_moved()
            if self._complaint and self._descriptor < 0:
                self._open()  # even without a record: requests that need the file make none until it can be written
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
        """Encode the next records, at most about CHUNK bytes. The others stay in the queue, which has a bound."""
        size = sum(map(len, self._lines))
        while self._queue and size < CHUNK:
            when, record = self._queue.popleft()
            self._taken += 1
            self._lines.append(encode(when, record))
            size += len(self._lines[-1])
        refused = self._refused
        # The line about lost records comes after those that were waiting when they were lost.
        if refused > self._told and not self._queue:
            lost = refused - self._told
            self._told = refused
            self._lines.append(encode(time.time(), lambda: {"action": "lost", "result": "error", "records": lost}))

    def _write_some(self) -> None:
        """Write as many lines as the file may take, in one write."""
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
        start = b"\n" if self._torn else b""  # a line that was cut off is ended, so that the next one stays whole
        data = start + b"".join(self._lines[each] for each in range(count))
        written = os.write(self._descriptor, data)
        self._size += written
        if self._durable:
            self._sync_at = min(self._sync_at, time.monotonic() + SYNC_S)
        if written:
            self._torn = data[written - 1 : written] != b"\n"
        written -= len(start)
        while self._lines and written >= len(self._lines[0]):
            written -= len(self._lines.popleft())
        if written > 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # a part of a line: the disk is full

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
                self._size = found.st_size  # it may have been emptied in place (copytruncate)
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
        while (surplus := older(self.path, number)).exists():  # from a time when `files` was larger
            surplus.unlink()
            number += 1
        self._open()

    def _close_file(self) -> None:
        if self._descriptor >= 0:
            self._sync()
            os.close(self._descriptor)
            self._descriptor = -1


def _settle(future: asyncio.Future[bool], written: bool) -> None:
    if not future.done():
        future.set_result(written)


def older(path: Path, number: int) -> Path:
    """The file that was rotated `number` times."""
    return path.with_name(f"{path.name}.{number}")
