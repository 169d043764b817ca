"""Fixtures of all tests: a real server with a real keeper, and checks for what a test leaves behind.

An async test is a plain `async def test_...`; pytest-tornasync runs it on the `io_loop` fixture. Fixtures are not
async: one that must wait takes `io_loop` and calls `io_loop.run_sync(...)`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from harness import DEADLINE_S, Running, Serve
from tornado.ioloop import IOLoop

from vibetunnel.keeper.client import KeeperClient
from vibetunnel.push.sender import Reach
from vibetunnel.server import Server
from vibetunnel.settings import Settings

# No test judges a time: a sanitizer or a busy machine is slow without being wrong.
hypothesis.settings.register_profile(
    "any-speed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any-speed")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("attack", "the attack suite (pytest -m attack)")
    group.addoption("--attack-url", help="attack this server, with only those attacks that work on any server")
    group.addoption("--attack-secret-file", help="file with that server's secret (`secret` in its state folder)")


def pytest_collection_finish() -> None:
    """Leave what the imports made out of the collections after each test, which take 1 ms instead of 0.2 s so."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def outer_event_loop() -> Iterator[None]:
    """Tornado's loop asks for the loop before it. Without this one, asyncio would make one, and leave it open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()


@pytest.fixture(scope="session", autouse=True)
def no_multiplexer_of_the_user() -> Iterator[None]:
    """tmux, screen and zellij have their sockets elsewhere: tests ask every route, those that end sessions too."""
    with tempfile.TemporaryDirectory(prefix="vt") as name, pytest.MonkeyPatch.context() as patch:
        for variable in ("TMUX_TMPDIR", "SCREENDIR", "ZELLIJ_SOCKET_DIR"):
            patch.setenv(variable, name)
        yield


@pytest.fixture(autouse=True)
def expect_log() -> Iterator[Callable[[str], None]]:
    """Fails a test that logs a WARNING or worse, unless the test calls expect_log(regex); and if no record matches."""
    expected: list[str] = []
    records: list[logging.LogRecord] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = records.append  # type: ignore[assignment, method-assign]
    logging.getLogger().addHandler(handler)
    yield expected.append
    gc.collect()  # "exception was never retrieved" is logged when the task is collected
    logging.getLogger().removeHandler(handler)
    messages = [record.getMessage() for record in records]
    unexpected = [each for each in messages if not any(re.search(pattern, each) for pattern in expected)]
    assert not unexpected, "unexpected log records"
    for pattern in expected:
        assert any(re.search(pattern, each) for each in messages), f"expected a log record: {pattern}"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A private folder with a short path: the path of the keeper's socket is limited to 103 bytes."""
    path = Path(tempfile.mkdtemp(prefix="vt"))
    yield path
    shutil.rmtree(path)


def _descriptors() -> set[str]:
    found = set()
    for each in os.listdir("/dev/fd"):
        try:
            found.add(f"{each} {os.readlink(f'/dev/fd/{each}')}")
        except OSError:
            continue  # the descriptor of this listing, or a system without links here
    return found


@pytest.fixture
def serve(io_loop: IOLoop, folder: Path) -> Iterator[Serve]:
    """Starts servers in this process; stops them, their keepers and all sessions at the end. Nothing may stay open.

    Servers with the same runtime_dir, which is the default, share a keeper: close one before you start the next.
    """
    before = _descriptors()
    running: list[Running] = []
    keepers: set[Path] = set()

    async def start(*, static: Path | None = None, reach: Reach | None = None, **settings: Any) -> Running:
        own: dict[str, Any] = {"port": 0, "state_dir": folder / "s", "runtime_dir": folder / "r", "shell": "/bin/sh"}
        own["file_root"] = (folder / "home",)  # not the user's home: tests of all routes remove and store files
        chosen = Settings(**own | settings)
        server = Server(chosen, reach=reach) if static is None else Server(chosen, static, reach=reach)
        keepers.add(chosen.runtime_dir)
        running.append(Running(server, await server.start()))
        return running[-1]

    async def stop() -> None:
        for each in running:
            await each.close()
        for runtime_dir in keepers:
            keeper = await KeeperClient.connect(runtime_dir, on_exit=lambda _: None, on_lost=lambda: None)
            await keeper.stop(kill=True)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:  # handlers of connections that were just closed
            _, stuck = await asyncio.wait(left, timeout=DEADLINE_S)
            assert not stuck, "tasks are left"

    yield start
    io_loop.run_sync(stop)
    gc.collect()
    assert _descriptors() <= before, "descriptors are left open"


@pytest.fixture
def server(io_loop: IOLoop, serve: Serve) -> Running:
    """A server that requires a login; its `fetch` and `attach` are logged in."""
    running: Running = io_loop.run_sync(serve)
    return running
