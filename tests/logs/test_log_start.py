"""A log file that cannot be opened when the server starts."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import until

from vibetunnel import paths
from vibetunnel.logs import file
from vibetunnel.logs.file import LogFile


def open_private(path: Path, _flags: int) -> int:
    raise paths.NotWritable(f"cannot open {path}: No space left on device")


async def test_records_wait_for_a_file_that_the_system_does_not_let_be_opened_yet(
    folder: Path, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    expect_log("cannot be written, records wait")

    path = paths.private_dir(folder / "logs") / "x.log"
    monkeypatch.setattr(paths, "open_private", open_private)
    log = LogFile(path, max_bytes=1 << 20, files=2)
    try:
        log.write(lambda: {"action": "kept"})
        monkeypatch.undo()
        await until(lambda: path.exists() and b"kept" in path.read_bytes())
    finally:
        await log.close()
    assert os.stat(path).st_mode & 0o777 == 0o600


async def test_it_counts_as_writable_again_without_a_record(
    folder: Path, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    """The requests that are refused while it is not writable make no record."""
    expect_log("cannot be written, records wait")
    monkeypatch.setattr(file, "RETRY_S", 0.02)
    monkeypatch.setattr(paths, "open_private", open_private)
    log = LogFile(paths.private_dir(folder / "logs") / "x.log", max_bytes=1 << 20, files=2)
    try:
        tried = threading.Event()

        def fails(path: Path, flags: int) -> int:
            tried.set()
            return open_private(path, flags)

        monkeypatch.setattr(paths, "open_private", fails)
        await until(tried.is_set)
        assert not log.writable
        monkeypatch.undo()
        await until(lambda: log.writable)
    finally:
        await log.close()
