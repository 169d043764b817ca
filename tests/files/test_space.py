"""The threads of the file service."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import until

from vibetunnel.files import space
from vibetunnel.files.space import FileSpace


async def test_a_file_system_that_does_not_answer_does_not_keep_the_server_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    expect_log("a file system does not answer: 1 ")
    monkeypatch.setattr(space, "STUCK_S", 0.05)
    files = FileSpace([tmp_path], [], str(tmp_path), tmp_path, 1000)
    answers = threading.Event()
    stuck = files._loop.create_task(files.run(answers.wait))
    await until(lambda: files._running)
    await files.close()
    assert not stuck.done()
    answers.set()
    assert await stuck
    await files.close()
