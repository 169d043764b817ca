"""The target of the attacks: a server in this process, or the one that `--attack-url` names.

    pytest -m attack
    pytest -m attack --attack-url https://host:4020 --attack-secret-file secret

An attack that takes only `target` needs nothing but the server's address and can be made on any. What it needs there
(accounts, sessions, tokens) it makes with the secret, and removes at the end. The others look into the server, set it
up in a special way, or would lock the attacker's address out for a while: they are left out there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from attacker import Target, aim
from harness import Serve
from tornado.ioloop import IOLoop

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
    """A server that wants a login, and knows its attackers by nothing but their requests."""
    url = request.config.getoption("--attack-url")
    if url:
        secret = Path(request.config.getoption("--attack-secret-file")).read_text().strip()
        target = Target(url.rstrip("/"), secret, patient=True)
    else:
        serve: Serve = request.getfixturevalue("serve")
        # Hundreds of requests without a login are what these tests are made of; their limit has tests of its own.
        target = aim(io_loop.run_sync(lambda: serve(rate_limit_anonymous=0)))
    yield target
    io_loop.run_sync(target.close)
