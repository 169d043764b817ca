"""A git service for the repositories below one temporary folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

from vibetunnel.git.roots import Folders
from vibetunnel.git.service import GitService


@pytest.fixture
def service(io_loop: IOLoop, folder: Path) -> Iterator[GitService]:
    """Reaches `folder`, which is its home too."""
    made = GitService(Folders((str(folder),), str(folder)), os.environ)
    yield made
    io_loop.run_sync(made.close)
