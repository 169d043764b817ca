"""A person who uses VibeTunnel's own web client, as npm has it, on our server."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Locator, Request, Response, expect
from served import PROMPT, Served
from visitor import PHONE, Visitor

PACKAGE = Path(__file__).parents[3] / "benchmarks" / "peers" / "node_package" / "node_modules" / "vibetunnel"
SHELL = ["sh", "-l"]  # it reads the prompt from its home's .profile
READY = rf"^{re.escape(PROMPT.strip())}"

INPUT = "/ws/input"
TEXT_FRAME = 1  # the opcode of RFC 6455

TEXT = r"""terminal => [...terminal.querySelectorAll(".terminal-line")]
    .map(line => line.textContent.replaceAll("\u00a0", " ").trimEnd()).join("\n").trimEnd()"""

HISTORY = """({ terminal: { buffer: { active } } }) =>
    Array.from({ length: active.length }, (_, row) => active.getLine(row).translateToString(true))"""

SIZES: list[Any] = [pytest.param({}, id="desktop"), pytest.param(PHONE, id="phone")]  # options of a browser's profile

S = TypeVar("S", bound=Served)


class Serve(Protocol):
    """`serve("--no-auth")`: a server, with more options; `kind` is its class."""

    def __call__(self, *options: str, kind: type[S] = ...) -> S: ...


class Enter(Protocol):
    """`enter(server)`: another visitor with a browser profile of their own; `options` go to Browser.new_context."""

    def __call__(self, server: Served, **options: Any) -> TheirVisitor: ...


def published() -> str:
    """The folder of the client's files."""
    found = PACKAGE / "public"
    assert (found / "index.html").exists(), f"the client of the npm package is missing in {found}: run make test"
    return str(found)


class TheirVisitor(Visitor):
    """A browser profile in which the client of the npm package runs. It keeps what the client sends and gets.

    sent      its requests, oldest first
    answered  their answers
    opened    the paths of its sockets, once they are open
    frames    (path of a socket, whether the client sent it, the message)
    events    (path of a stream, the data of an event)
    received  the bytes of its streams' bodies, by path
    """

    def __init__(self, context: BrowserContext, server: Served) -> None:
        super().__init__(context, server)
        self.sent: list[Request] = []
        self.answered: list[Response] = []
        self.opened: list[str] = []
        self.frames: list[tuple[str, bool, str | bytes]] = []
        self.events: list[tuple[str, Any]] = []
        self.received: Counter[str] = Counter()
        self.allow_complaint(r"503 .*/api/push/vapid-public-key")  # push is off
        # Only one page of a browser has these streams: not the next tab, nor a page that has just been loaded again.
        self.allow_complaint(r"event stream error|\[control-event-service\]")
        context.on("request", lambda request: self.sent.append(request))
        context.on("response", lambda response: self.answered.append(response))
        self._paths: dict[str, str] = {}  # of the DevTools' numbers
        devtools = context.new_cdp_session(self.page)
        devtools.on("Network.webSocketCreated", self._name)
        devtools.on("Network.requestWillBeSent", lambda event: self._name(event | event["request"]))
        devtools.on("Network.webSocketHandshakeResponseReceived", lambda event: self.opened.append(self._path(event)))
        devtools.on("Network.webSocketFrameSent", lambda event: self._keep_frame(event, sent=True))
        devtools.on("Network.webSocketFrameReceived", lambda event: self._keep_frame(event, sent=False))
        devtools.on("Network.eventSourceMessageReceived", self._keep_event)
        devtools.on("Network.dataReceived", self._count)
        devtools.send("Network.enable")

    def _name(self, event: dict[str, Any]) -> None:
        self._paths[event["requestId"]] = urlsplit(event["url"]).path

    def _path(self, event: dict[str, Any]) -> str:
        return self._paths[event["requestId"]]

    def _keep_frame(self, event: dict[str, Any], *, sent: bool) -> None:
        frame = event["response"]
        message = frame["payloadData"] if frame["opcode"] == TEXT_FRAME else base64.b64decode(frame["payloadData"])
        self.frames.append((self._path(event), sent, message))

    def _keep_event(self, event: dict[str, Any]) -> None:
        self.events.append((self._path(event), json.loads(event["data"])))

    def _count(self, event: dict[str, Any]) -> None:
        self.received[self._path(event)] += event["dataLength"]

    # What the client sends and gets

    def requests(self, method: str, path: str) -> list[Request]:
        """Its requests of a path, which is a regular expression."""
        return [each for each in self.sent if _is(each, method, path)]

    def answer(self, method: str, path: str, number: int = 0) -> Response:
        """The answer of its first request of a path, or of a later one, as soon as it is there."""

        def look() -> Response | None:
            found = [each for each in self.answered if _is(each.request, method, path)]
            return found[number] if len(found) > number else None

        return self.until(look)

    def typed(self) -> list[str | bytes]:
        """The messages of the input's sockets."""
        return [message for path, sent, message in self.frames if path == INPUT and sent]

    def until_event(self, path: str, look: Callable[[Any], object]) -> Any:
        """The data of the first event of a stream that `look` wants."""
        return self.until(lambda: next((data for one, data in self.events if one == path and look(data)), None))

    # Views

    def open_list(self) -> None:
        self.open("/")
        expect(self.new_session).to_be_visible()

    @property
    def new_session(self) -> Locator:
        return self.at("create-session-button").first

    def create(self, command: str, folder: Path, name: str = "") -> str:
        """Create a session in the dialog; return its id when its page is open."""
        self.new_session.click()
        self.at("command-input").fill(command)
        self.at("working-dir-input").fill(str(folder))
        self.at("session-name-input").fill(name)
        self.at("create-session-submit").click()
        return self.until(self.session)

    def session(self) -> str | None:
        """The session that the address names."""
        found = re.fullmatch(r"/session/([\w-]+)", urlsplit(self.page.url).path)
        return found[1] if found else None

    def open_session(self, session: str) -> None:
        """A session's page, when it takes input. Without its socket, keys would be one request each."""
        before = self.opened.count(INPUT)
        self.open(f"/session/{session}")
        expect(self.terminal).to_be_visible()
        self.until(lambda: self.opened.count(INPUT) > before)

    def open_shell(self) -> str:
        """A new shell that is on the screen and takes input."""
        session = self.server.session(SHELL, workingDir=str(self.server.home))
        self.open_session(session)
        self.until_shows(READY)
        return session

    def choose(self, test_id: str) -> None:
        """Click an item of the menu of a session."""
        self.page.get_by_title("More actions").click()
        self.at(test_id).click()

    # The terminal

    @property
    def terminal(self) -> Locator:
        return self.page.locator("vibe-terminal")

    def history(self) -> list[str]:
        """All lines that the terminal has, those above the screen too."""
        found: list[str] = self.terminal.evaluate(HISTORY)
        return found

    def text(self) -> str:
        return str(self.terminal.evaluate(TEXT)) if self.terminal.count() else ""


def _is(request: Request, method: str, path: str) -> bool:
    return request.method == method and re.fullmatch(path, urlsplit(request.url).path) is not None
