"""One server for each module, with the files of VibeTunnel's own web client; visitors of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from served import Served
from their_visitor import Enter, S, Serve, TheirVisitor, published
from visitor import DESKTOP


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Starts servers that last for the module. None may log a warning."""
    folders: list[Path] = []
    servers: list[Served] = []

    def start(*options: str, kind: type[S] = Served) -> S:
        folders.append(Path(tempfile.mkdtemp(prefix="vt")))
        server = kind(folders[-1], "--web-client", published(), *options)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()
        assert server.log == ""
    for folder in folders:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def server(serve: Serve) -> Served:
    """A server that asks for no login."""
    return serve("--no-auth")


@pytest.fixture
def enter(browser: Browser) -> Iterator[Enter]:
    visitors: list[TheirVisitor] = []

    def visit(server: Served, **options: Any) -> TheirVisitor:
        chosen = {"viewport": DESKTOP, "permissions": ["clipboard-read", "clipboard-write"]} | options
        visitors.append(TheirVisitor(browser.new_context(**chosen), server))
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.close()
    for server in {visitor.server for visitor in visitors}:  # the next test begins without sessions
        for session in server.ask("GET", "/api/sessions"):
            server.request("DELETE", f"/api/sessions/{session['id']}")
        server.request("POST", "/api/cleanup-exited")


@pytest.fixture
def client(enter: Enter, server: Served) -> TheirVisitor:
    """A visitor, before the first page."""
    return enter(server)
