"""VibeTunnel's own web client on a phone: the list, the dialog, the keyboard and its extra keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from served import Served
from their_visitor import READY, Enter, TheirVisitor
from visitor import PHONE


@pytest.fixture
def client(enter: Enter, server: Served) -> TheirVisitor:
    return enter(server, **PHONE)


def open_keyboard(client: TheirVisitor) -> None:
    client.page.get_by_text("⌨").click()
    expect(client.page.locator("terminal-quick-keys")).to_contain_text("Esc")


def tap(client: TheirVisitor, key: str) -> str | bytes:
    """Tap an extra key; return the message that it sends."""
    before = len(client.typed())
    client.page.locator("terminal-quick-keys").get_by_role("button", name=key, exact=True).tap()
    client.until(lambda: len(client.typed()) > before)
    return client.typed()[-1]


def test_a_session_is_created_and_typed_into(server: Served, client: TheirVisitor) -> None:
    client.open_list()
    session = client.create("sh -l", server.home, "pocket")
    client.until_shows(READY)
    open_keyboard(client)
    client.type("echo hello-$((40+2))\n")
    client.until_shows(r"^hello-42$")
    client.open_list()
    expect(client.card(session)).to_contain_text("hello-42")


def test_the_extra_keys_are_typed_by_their_names(client: TheirVisitor) -> None:
    client.open_shell()
    open_keyboard(client)
    client.type("cat\n")
    assert [tap(client, key) for key in ("Esc", "Tab", "↑", "^C")] == ["\0escape\0", "\0tab\0", "\0arrow_up\0", "\x03"]
    client.until_shows(READY + r"[^\n]*\n(.*\n)*" + READY)


def test_the_program_has_the_width_of_the_screen(server: Served, client: TheirVisitor) -> None:
    session = client.open_shell()
    asked = client.answer("POST", f"/api/sessions/{session}/resize").request.post_data_json
    assert asked["cols"] < 60
    client.until(lambda: server.ask("GET", f"/api/sessions/{session}")["cols"] == asked["cols"])
    open_keyboard(client)
    client.type("stty size\n")
    client.until_shows(rf"^\d+ {asked['cols']}$")


def test_sessions_are_killed_and_cleaned_up(server: Served, client: TheirVisitor) -> None:
    session = client.open_shell()
    client.open_list()
    client.at("kill-all-button").tap()
    client.until(lambda: server.ask("GET", f"/api/sessions/{session}")["status"] == "exited")
    client.at("show-exited-toggle").tap()
    client.at("clean-exited-button").tap()
    client.until(lambda: server.ask("GET", "/api/sessions") == [])
