"""A person in front of a browser: opens pages, types, and reads what the terminal shows."""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from harness import DEADLINE_S
from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, expect
from served import Served

POLL_MS = 20
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1280, "height": 800}
MACOS_CHROMIUMS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)

T = TypeVar("T")

expect.set_options(timeout=DEADLINE_S * 1000)


def find_chromium() -> str:
    """The path of the machine's Chromium or Chrome."""
    for name in CHROMIUMS:
        if found := shutil.which(name):
            return found
    for path in MACOS_CHROMIUMS if sys.platform == "darwin" else ():
        if Path(path).exists():
            return path
    raise AssertionError(f"the browser tests need Chromium or Google Chrome: none of {', '.join(CHROMIUMS)} is on PATH")


class Visit(Protocol):
    """`visit(server)`: another visitor with a browser profile of their own; `options` go to Browser.new_context."""

    def __call__(self, server: Served, *, logged_in: bool = True, **options: Any) -> Visitor: ...


class Visitor:
    """One browser profile on one server. close() fails if a page had an error or sent a request to another server."""

    def __init__(self, context: BrowserContext, server: Served) -> None:
        self.context = context
        self.server = server
        self.complaints: list[str] = []
        self._allowed: list[str] = []
        context.set_default_timeout(DEADLINE_S * 1000)
        context.on("request", self._watch_request)
        context.on("console", self._watch_console)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        self.page: Page = context.new_page()

    # Errors

    def _watch_request(self, request: Request) -> None:
        own = (self.server.url + "/", "data:", "blob:" + self.server.origin)
        if not request.url.startswith((*own, "chrome:")):  # chrome: parts of the browser itself, such as its PDF viewer
            self.complaints.append(f"a request to a stranger: {request.url}")

    def _watch_console(self, message: ConsoleMessage) -> None:
        # A violated Content-Security-Policy is an error on the console too.
        if message.type == "error":
            self.complaints.append(f"console: {message.text} ({message.location['url']})")

    def allow_complaint(self, pattern: str) -> None:
        """Chromium logs a failed request to the console. Call this if the failure belongs to the test."""
        self._allowed.append(pattern)

    def close(self) -> None:
        self.context.close()
        complaints = [each for each in self.complaints if not any(re.search(one, each) for one in self._allowed)]
        assert not complaints, complaints

    # Pages

    def log_in(self) -> None:
        """Get the cookie of a login. The tests of the login pages do not call this."""
        code = self.server.ask("POST", "/api/auth/link")["code"]
        answer = self.context.request.post(
            f"{self.server.url}/api/auth/code", data={"code": code}, headers={"Origin": self.server.origin}
        )
        assert answer.ok, answer.text()

    def open(self, path: str = "/") -> None:
        self.page.goto(self.server.url + path)

    def open_session(self, session: str) -> None:
        """A session's page, connected."""
        self.open(f"/session/{session}")
        self.until_connected()

    def choose_in_account(self, test_id: str) -> None:
        """Click an item of the account menu."""
        self.at("account").click()
        self.at(test_id).click()

    def until_connected(self) -> None:
        expect(self.at("connection-state")).to_have_attribute("data-state", "open")

    def at(self, test_id: str) -> Locator:
        return self.page.get_by_test_id(test_id)

    def card(self, session: str) -> Locator:
        return self.page.locator(f'[data-testid="session-card"][data-session-id="{session}"]')

    # The terminal

    def text(self) -> str:
        """The visible rows of the terminal."""
        return str(self.at("terminal").evaluate("terminal => terminal.text()"))

    def size(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.at("terminal").evaluate("terminal => [terminal.rows, terminal.cols]")
        return rows, cols

    def type(self, text: str) -> None:
        """Type key by key; a line end is Enter."""
        self.page.keyboard.type(text)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def paste(self, text: str) -> None:
        """Paste text from the clipboard with the browser's shortcut."""
        self.page.evaluate("text => navigator.clipboard.writeText(text)", text)
        self.press("Control+Shift+V")

    def until(self, look: Callable[[], T | None]) -> T:
        """The first result of `look` that is true. The page's policy forbids the eval of wait_for_function."""
        deadline = time.monotonic() + DEADLINE_S
        while not (result := look()):
            assert time.monotonic() < deadline, f"it never came; the terminal shows:\n{self._shown()}"
            self.page.wait_for_timeout(POLL_MS)
        return result

    def until_shows(self, pattern: str) -> re.Match[str]:
        """The match of a regular expression in the terminal's text; ^ and $ are those of a row."""
        return self.until(lambda: re.search(pattern, self.text(), re.MULTILINE))

    def _shown(self) -> str:
        return self.text() if self.at("terminal").count() else self.page.locator("body").inner_text()
