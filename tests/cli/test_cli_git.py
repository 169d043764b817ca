"""`vibetunnel git-event`, and the hooks that call it."""

import os
import subprocess
import sys
from pathlib import Path

from cli_home import Home
from harness import wait_for
from repositories import git, repository, write

from vibetunnel.cli.server_client import RunningServer


def test_a_hook_of_a_followed_worktree_has_the_main_one_follow(home: Home, server: "subprocess.Popen[str]") -> None:
    made = repository(home.folder / "proj", a="1")
    git(made, "worktree", "add", "-q", "-b", "x", "../w")
    order = {"repoPath": str(made), "branch": "x", "enable": True}
    assert RunningServer(home.settings).request("POST", "/api/worktrees/follow", order)["hooksInstalled"]
    _install(home.folder / "bin")
    write(home.folder / "w", a="2")
    git(home.folder / "w", "add", "a")
    path = f"{home.folder / 'bin'}:{os.environ['PATH']}"
    author = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    command = ("git", *author, "commit", "--quiet", "--message", "second")
    subprocess.run(command, cwd=home.folder / "w", env=home.environment | {"PATH": path}, check=True)
    wait_for(lambda: (made / "a").read_text() == "2")


def _install(folder: Path) -> None:
    """The program that hooks look for."""
    folder.mkdir()
    program = folder / "vibetunnel"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m vibetunnel "$@"\n')
    program.chmod(0o755)


def test_a_repository_that_the_server_may_not_reach_is_refused_with_a_sentence(
    home: Home, server: "subprocess.Popen[str]"
) -> None:
    made = repository(home.folder / "proj", a="1")
    assert home.ok("git-event", "--repo", str(made), "--event", "commit") == ""
    assert "outside of the folders" in home.refused("git-event", "--repo", "/etc")
