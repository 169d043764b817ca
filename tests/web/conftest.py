"""A browser for each module, and a server process and separate visitors for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright
from served import Serve, Served
from visitor import ARGUMENTS, DESKTOP, Visit, Visitor, find_chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # pytest handles the signals.
        browser = playwright.chromium.launch(
            executable_path=find_chromium(),
            args=ARGUMENTS,
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
        )
        yield browser
        browser.close()


@pytest.fixture
def serve(folder: Path) -> Iterator[Serve]:
    """Starts the test's server; ends it and all its sessions. The server must log no warning."""
    servers: list[Served] = []

    def start(*options: str) -> Served:
        servers.append(Served(folder, *options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
        assert server.log == ""


@pytest.fixture
def server(serve: Serve) -> Served:
    return serve()


@pytest.fixture
def visit(browser: Browser, serve: Serve) -> Iterator[Visit]:  # `serve`: so the browsers close before it
    visitors: list[Visitor] = []

    def enter(server: Served, *, logged_in: bool = True, **options: Any) -> Visitor:
        chosen = {"viewport": DESKTOP, "permissions": ["clipboard-read", "clipboard-write"]} | options
        visitor = Visitor(browser.new_context(**chosen), server)
        visitors.append(visitor)
        if logged_in:
            visitor.log_in()
        return visitor

    yield enter
    for visitor in visitors:
        visitor.close()


@pytest.fixture
def visitor(visit: Visit, server: Served) -> Visitor:
    """A logged-in visitor, before the first page."""
    return visit(server)


@pytest.fixture
def project(server: Served) -> Path:
    """A folder with some files, in the home folder of the server."""
    project = server.home / "proj"
    (project / "src" / "deep").mkdir(parents=True)
    (project / "src" / "main.py").write_text("".join(f"value_{number} = {number}\n" for number in range(1, 301)))
    (project / "src" / "deep" / "a.c").write_text("int main(void) { return 0; }\n")
    (project / "README.md").write_text("# Title\n")
    (project / "note 10.txt").write_text("ten")
    (project / "note 2.txt").write_text("two <b>&amp;</b>")
    (project / ".hidden").write_text("secret")
    return project
