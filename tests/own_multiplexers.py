"""Multiplexers of their own for a test: their sockets are in its folder, and they end with it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import wait_for


@contextlib.contextmanager
def own_multiplexers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """tmux, screen and the stand-in of zellij keep their sockets in this folder."""
    for name, variable in (("t", "TMUX_TMPDIR"), ("y", "SCREENDIR"), ("z", "ZELLIJ_SOCKET_DIR")):
        (folder / name).mkdir(mode=0o700)
        monkeypatch.setenv(variable, str(folder / name))
    monkeypatch.setenv("SHELL", "/bin/sh")  # what runs in them; the user's own reads files that may take long
    for mark in ("TMUX", "STY"):
        monkeypatch.delenv(mark, raising=False)
    tmux, screen = (shutil.which(each) or each for each in ("tmux", "screen"))
    environment = dict(os.environ)  # before the test changes it
    try:
        yield folder
    finally:
        quiet: dict[str, Any] = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([tmux, "kill-server"], check=False, **quiet)
        for each in (folder / "y").iterdir():
            subprocess.run([screen, "-S", each.name, "-X", "quit"], check=False, **quiet)
        wait_for(lambda: not any((folder / "y").iterdir()))


def tmux(*words: str) -> str:
    """What tmux says."""
    return subprocess.run(["tmux", "-u", *words], check=True, capture_output=True, text=True).stdout
