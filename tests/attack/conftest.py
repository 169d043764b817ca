"""The target of the attacks: a server in this process, or the one that `--attack-url` names.

    pytest -m attack
    pytest -m attack --attack-url https://host:4020 --attack-secret-file secret

An attack that takes only the fixture `target` works on any server. It makes its accounts, sessions and tokens with the
secret, and removes them at the end. The other attacks look into the server, need special settings, or would lock the
attacker's address out for a while: with `--attack-url` they do not run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacker import Target, aim
from harness import Serve
from tornado.ioloop import IOLoop

from vibetunnel.git.roots import Folders
from vibetunnel.git.service import GitService

HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    if bool(config.getoption("--attack-url")) != bool(config.getoption("--attack-secret-file")):
        raise pytest.UsageError("--attack-url and --attack-secret-file belong together")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--attack-url"):
        return
    outside = [
        item
        for item in items
        if isinstance(item, pytest.Function)
        and HERE in item.path.parents
        and "target" in item.fixturenames
        and not {"serve", "folder", "caplog", "monkeypatch"} & set(item.fixturenames)
    ]
    config.hook.pytest_deselected(items=[item for item in items if item not in outside])
    items[:] = outside


@pytest.fixture
def target(io_loop: IOLoop, request: pytest.FixtureRequest) -> Iterator[Target]:
    """A server that requires a login, and knows its attackers only by their requests."""
    url = request.config.getoption("--attack-url")
    if url:
        secret = Path(request.config.getoption("--attack-secret-file")).read_text().strip()
        target = Target(url.rstrip("/"), secret, patient=True)
    else:
        serve: Serve = request.getfixturevalue("serve")
        # These tests send hundreds of requests without a login; the limit of such requests has tests of its own.
        target = aim(io_loop.run_sync(lambda: serve(rate_limit_anonymous=0)))
    yield target
    io_loop.run_sync(target.close)


@pytest.fixture
def permitted(folder: Path) -> Path:
    """The folder whose repositories the git service may read and change."""
    found = folder / "permitted"
    found.mkdir()
    return found


@pytest.fixture
def service(io_loop: IOLoop, permitted: Path) -> Iterator[GitService]:
    made = GitService(Folders((str(permitted),), str(permitted)), os.environ, read_s=2.0)
    yield made
    io_loop.run_sync(made.close)
