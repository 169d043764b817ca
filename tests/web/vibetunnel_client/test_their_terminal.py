"""The terminal of VibeTunnel's own web client: lost connections, long histories and programs that fill the screen."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from relay import Relay
from served import Served
from their_visitor import INPUT, READY, Enter, TheirVisitor

COUNT = "i={}; while [ $i -le {} ]; do echo line $i; i=$((i+1)); done\n"


@pytest.fixture
def relay(server: Served) -> Iterator[Relay]:
    relay = Relay(server)
    yield relay
    relay.end()


def lines_of(client: TheirVisitor) -> list[int]:
    """N of each row `line N`, those above the screen too."""
    return [int(found[1]) for each in client.history() if (found := re.fullmatch(r"line (\d+)", each))]


def until_lines(client: TheirVisitor, last: int) -> None:
    """Wait until the terminal has each line up to `last`, once and in order."""
    client.until(lambda: lines_of(client) == list(range(1, last + 1)))


def press(client: TheirVisitor, key: str) -> None:
    """Press a key that changes the screen."""
    before = client.text()
    client.press(key)
    client.until(lambda: client.text() != before)


# Connections


def test_a_tab_that_was_cut_off_has_all_output_once_as_the_other_one(
    server: Served, enter: Enter, relay: Relay
) -> None:
    cut, other = enter(relay), enter(server)
    cut.allow_complaint(r"ERR_|Failed to fetch|[Ss]tream|WebSocket|socket|Network|fetch")
    session = cut.open_shell()
    other.open_session(session)
    other.type(COUNT.format(1, 100))
    for client in (cut, other):
        until_lines(client, 100)
    relay.cut()
    other.type(COUNT.format(101, 300))
    until_lines(other, 300)
    assert lines_of(cut) == list(range(1, 101))
    stream = f"/api/sessions/{session}/stream"
    cut.until(lambda: len(cut.requests("GET", stream)) == 3)  # two tries have failed
    opened = cut.opened.count(INPUT)
    relay.mend()
    until_lines(cut, 300)
    cut.until(lambda: cut.opened.count(INPUT) > opened)
    cut.type("echo typed again\n")
    other.until_shows(r"^typed again$")
    cut.until(lambda: cut.text() == other.text())


def test_three_tabs_of_one_browser_work(server: Served, client: TheirVisitor) -> None:
    pages = [client.page, *(client.context.new_page() for _ in range(2))]
    for number, page in enumerate(pages):
        session = server.session(["sh", "-c", f"echo tab {number}; exec cat"])
        page.goto(f"{server.url}/session/{session}")
        expect(page.locator("vibe-terminal")).to_contain_text(f"tab {number}")
    server.session(name="a later one")
    for page in pages:
        expect(page.get_by_text("a later one").first).to_be_visible()


# Long histories


def test_a_reload_after_a_long_history_shows_its_end_and_gets_little(client: TheirVisitor) -> None:
    stream = f"/api/sessions/{client.open_shell()}/stream"
    client.type(COUNT.format(1, 40_000))
    client.until_shows(r"^line 40000\nready\$")
    before, got = client.text(), client.received[stream]
    client.page.reload()
    client.until(lambda: client.text() == before)
    assert client.received[stream] - got < 16_384


# Programs that fill the screen


@pytest.mark.parametrize(
    ("command", "shown", "keys", "leave"),
    [
        pytest.param("vim -u NONE -N text", r"^line 1$", ["Control+f"], ":q!\n", id="vim"),
        pytest.param("less text", r"^line 1$", ["Space", "ArrowDown"], "q", id="less"),
        pytest.param("htop", r"PID", [], "q", id="htop"),
        pytest.param("tmux -L test -f /dev/null", r"^\[0\]", [], "tmux kill-server\n", id="tmux"),
    ],
)
def test_a_program_that_fills_the_screen_is_shown_as_the_server_has_it(
    server: Served, client: TheirVisitor, command: str, shown: str, keys: list[str], leave: str
) -> None:
    (server.home / "text").write_text("".join(f"line {number}\n" for number in range(1, 501)))
    session = client.open_shell()
    client.type(f"echo before; {command}\n")

    def same() -> bool:
        return client.text().split("\n") == [row.rstrip() for row in server.text(session).split("\n")]

    client.until_shows(shown)
    client.until(same)
    for key in keys:
        press(client, key)
    client.until(same)
    client.page.set_viewport_size({"width": 1000, "height": 640})
    client.answer("POST", ".*/resize", 1)
    client.until(same)
    client.page.reload()
    client.until_shows(r"\S")
    client.until(same)
    client.until(lambda: client.opened.count(INPUT) == 2)
    client.type(leave)
    client.until_shows(rf"before(.*\n)*{READY}")
    client.until(same)
