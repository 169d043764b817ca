"""Folders and a server process for the command line."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_home import Home


@pytest.fixture
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="vt-", dir="/tmp") as folder:  # short: sockets are in it
        yield Home(Path(folder))


@pytest.fixture
def server(home: Home) -> Iterator["subprocess.Popen[str]"]:
    with home.serve("--kill-on-exit") as (process, _):
        yield process
