"""A server beside multiplexers of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Running, Serve
from own_multiplexers import own_multiplexers
from tornado.ioloop import IOLoop

ZELLIJ = Path(__file__).with_name("zellij_stand_in.py")


@pytest.fixture
def sockets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with own_multiplexers(folder, monkeypatch):
        yield folder


@pytest.fixture
def zellij(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program with the name `zellij` on the PATH, which behaves as zellij's documentation says."""
    programs = sockets / "programs"
    programs.mkdir()
    (programs / "zellij").symlink_to(ZELLIJ)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return sockets / "z"


@pytest.fixture
def server(sockets: Path, io_loop: IOLoop, serve: Serve) -> Running:
    running: Running = io_loop.run_sync(serve)
    return running


@pytest.fixture
def only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`only("tmux")` leaves these programs, and those that a shell needs, on the PATH."""

    def leave(*programs: str) -> None:
        place = folder / "few"
        place.mkdir()
        for each in ("sh", "cat", *programs):
            (place / each).symlink_to(shutil.which(each) or each)
        monkeypatch.setenv("PATH", str(place))

    return leave
