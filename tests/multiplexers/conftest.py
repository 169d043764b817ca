"""Multiplexers of their own for a test: their sockets are in its folder, and they end with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Running, Serve, wait_for
from tornado.ioloop import IOLoop

ZELLIJ = Path(__file__).with_name("zellij_stand_in.py")


@pytest.fixture
def sockets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where tmux, screen and the stand-in of zellij keep their sockets."""
    for name, variable in (("t", "TMUX_TMPDIR"), ("y", "SCREENDIR"), ("z", "ZELLIJ_SOCKET_DIR")):
        (folder / name).mkdir(mode=0o700)
        monkeypatch.setenv(variable, str(folder / name))
    monkeypatch.setenv("SHELL", "/bin/sh")  # what runs in them; the user's own reads files that may take long
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.delenv("STY", raising=False)
    tmux, screen = (shutil.which(each) or each for each in ("tmux", "screen"))
    yield folder
    subprocess.run([tmux, "kill-server"], stderr=subprocess.DEVNULL, check=False)
    for each in (folder / "y").iterdir():
        subprocess.run([screen, "-S", each.name, "-X", "quit"], stdout=subprocess.DEVNULL, check=False)
    wait_for(lambda: not any((folder / "y").iterdir()))


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
