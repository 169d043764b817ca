"""A log file that cannot be opened when the server starts."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import until

from vibetunnel import paths
from vibetunnel.logs.file import LogFile


async def test_records_wait_for_a_file_that_the_system_does_not_let_be_opened_yet(
    folder: Path, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    expect_log("cannot be written, records wait")

    def open_private(path: Path, _flags: int) -> int:
        raise paths.NotWritable(f"cannot open {path}: No space left on device")

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
