"""Repositories that are too much, that never end, or whose names a terminal would obey."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from harness import Serve, until
from repositories import git, repository, tried

from vibetunnel.git.service import GitService

pytestmark = pytest.mark.attack


def _cycle(git_dir: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        (git_dir / "refs" / "heads" / name).write_text(f"ref: refs/heads/{other}\n")
    (git_dir / "HEAD").write_text("ref: refs/heads/a\n")


def _chain(git_dir: Path) -> None:
    for number in range(2000):
        (git_dir / "refs" / "heads" / f"n{number}").write_text(f"ref: refs/heads/n{number + 1}\n")
    (git_dir / "HEAD").write_text("ref: refs/heads/n0\n")


def _many_refs(git_dir: Path) -> None:
    head = git(git_dir, "rev-parse", "main").strip()
    lines = "".join(f"{head} refs/heads/b{number:06}\n" for number in range(200_000))
    (git_dir / "packed-refs").write_text(f"# pack-refs with: peeled fully-peeled sorted \n{lines}")


def _long_ref(git_dir: Path) -> None:
    (git_dir / "HEAD").write_text("ref: refs/heads/" + "x/" * 500_000 + "\n")


def _countless_index(git_dir: Path) -> None:
    (git_dir / "index").write_bytes(b"DIRC" + (2).to_bytes(4, "big") + b"\xff" * 4 + bytes(64))


def _huge_index(git_dir: Path) -> None:
    with (git_dir / "index").open("r+b") as index:
        index.truncate(8 << 30)  # sparse


def _huge_config(git_dir: Path) -> None:
    (git_dir / "config").write_bytes(b"[core]\n" + b"a = " + b"x" * (8 << 20) + b"\n" + b"[" * (1 << 20))


def _endless_include(git_dir: Path) -> None:
    with (git_dir / "config").open("a") as config:
        config.write("[include]\n\tpath = config\n")


TOO_MUCH = (
    _cycle, _chain, _many_refs, _long_ref, _countless_index, _huge_index, _huge_config, _endless_include,
)  # fmt: skip


@pytest.mark.parametrize("way", TOO_MUCH)
async def test_what_is_too_much_or_never_ends_is_an_answer_within_bounds(
    service: GitService, permitted: Path, way: Callable[[Path], None]
) -> None:
    """CWE-400, CWE-674, CWE-789."""
    made, other = repository(permitted / "r", a="1"), repository(permitted / "other", a="1")
    way(made / ".git")
    path = str(made)
    for asked in (
        lambda: service.summary(path),
        lambda: service.branches(path),
        lambda: service.worktrees(path),
        lambda: service.folder_status(path),
        lambda: service.file_diff(f"{path}/a"),
        lambda: service.switch(path, "other"),
    ):
        answer = await tried(asked)
        assert len(answer) < 8 << 20
    found = await service.summary(str(other))
    assert found is not None
    assert found.branch == "main"


async def test_names_that_a_terminal_would_obey_are_text_in_every_answer(
    serve: Serve, permitted: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """CWE-117, CWE-150: line ends and escape sequences in the names of branches, files and folders."""
    caplog.set_level(logging.DEBUG)
    made = repository(permitted / "r", a="1")
    head = git(made, "rev-parse", "HEAD").strip()
    named = "x\n\x1b]0;owned\x07\x1b[2J"
    (made / ".git" / "refs" / "heads" / named).write_text(f"{head}\n")
    (made / named).mkdir()
    (made / named / named).write_text("1")
    repository(permitted / named, a="1")
    server = await serve(file_root=(permitted,))
    for path in ("r", named):
        asked = quote(f"{permitted}/{path}", safe="")
        for route in ("status", "repo-info", "remote", "repository-info", "branches"):
            response = await server.fetch("GET", f"/api/git/{route}?path={asked}")
            assert response.code in (200, 400, 404, 409), response.body
            assert b"\x1b" not in response.body
            assert b"\n" not in response.body
        for route in (f"repositories/branches?path={asked}", f"worktrees?repoPath={asked}"):
            assert b"\x1b" not in (await server.fetch("GET", f"/api/{route}")).body
        body = {"repoPath": f"{permitted}/{path}", "branch": named}
        assert (await server.fetch("POST", "/api/git/checkout", body)).code in (400, 404, 409)

    async def discovered() -> bytes | None:
        found = await server.fetch("GET", f"/api/repositories/discover?path={quote(str(permitted), safe='')}")
        return found.body if b"\\u001b" in found.body else None

    assert b"\x1b" not in await until(discovered)
    assert "\x1b" not in caplog.text
