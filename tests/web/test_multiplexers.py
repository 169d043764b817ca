"""The dialog with the sessions of tmux, screen and zellij."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from own_multiplexers import own_multiplexers, tmux
from playwright.sync_api import expect
from served import PASSWORD, Serve, Served
from visitor import PHONE, Visit, Visitor


@pytest.fixture(autouse=True)
def sockets(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with own_multiplexers(folder, monkeypatch):
        yield


@pytest.fixture
def server(sockets: None, serve: Serve) -> Served:
    return serve()


def opened(visitor: Visitor) -> None:
    visitor.open()
    visitor.page.get_by_test_id("multiplexers-open").click()


@pytest.mark.parametrize("phone", [False, True])
def test_a_session_of_tmux_is_attached_and_shows_what_it_shows(server: Served, visit: Visit, phone: bool) -> None:
    tmux("new-session", "-d", "-s", "work", "printf 'from tmux'; exec cat")
    visitor = visit(server, **(PHONE if phone else {}))
    opened(visitor)
    row = visitor.page.locator("[data-testid=multiplexer-session][data-name=work]")
    expect(row).to_contain_text("1 window, active now")
    row.get_by_test_id("multiplexer-attach").click()
    visitor.page.wait_for_url("**/session/*")
    visitor.until_shows("from tmux")
    (session,) = server.ask("GET", "/api/sessions")
    assert session["command"] == ["tmux", "-u", "attach-session", "-t", "=work"]


def test_a_new_session_is_made_and_shown(server: Served, visitor: Visitor) -> None:
    opened(visitor)
    page = visitor.page
    expect(page.locator("[data-testid=multiplexer][data-kind=tmux]")).to_contain_text("No sessions.")
    page.get_by_test_id("multiplexer-kind").select_option("tmux")
    page.get_by_test_id("multiplexer-name").fill("a b")
    page.get_by_test_id("multiplexer-create").click()
    page.wait_for_url("**/session/*")
    visitor.until(lambda: tmux("list-sessions", "-F", "#{session_name} #{session_attached}") == "a b 1\n")
    opened(visitor)
    expect(page.locator("[data-testid=multiplexer-session][data-name='a b']")).to_contain_text("in use")


def test_a_session_is_ended_after_a_question(server: Served, visitor: Visitor) -> None:
    for name in ("one", "two"):
        tmux("new-session", "-d", "-s", name)
    opened(visitor)
    row = visitor.page.locator("[data-testid=multiplexer-session][data-name=one]")
    row.get_by_test_id("multiplexer-kill").click()
    expect(row.get_by_text("Cancel")).to_be_focused()
    row.get_by_text("Cancel").press("Enter")
    expect(row.get_by_test_id("multiplexer-kill")).to_be_focused()
    row.get_by_test_id("multiplexer-kill").click()
    assert len(tmux("list-sessions").splitlines()) == 2
    row.get_by_test_id("multiplexer-kill-confirm").click()
    expect(row).to_have_count(0)
    assert tmux("list-sessions", "-F", "#{session_name}") == "two\n"
    visitor.page.get_by_test_id("multiplexers-done").click()
    expect(visitor.page.get_by_test_id("multiplexers-done")).to_have_count(0)


def test_a_failure_is_shown_and_the_list_is_that_of_now(server: Served, visitor: Visitor) -> None:
    tmux("new-session", "-d", "-s", "work")
    opened(visitor)
    row = visitor.page.get_by_test_id("multiplexer-session")
    expect(row).to_have_count(1)
    tmux("kill-server")
    visitor.allow_complaint("404")
    row.get_by_test_id("multiplexer-attach").click()
    expect(visitor.page.get_by_test_id("error")).to_have_text("tmux has no session with the name work")
    expect(row).to_have_count(0)


def test_a_viewer_gets_no_entry(server: Served, visit: Visit) -> None:
    server.user("vic", "viewer")
    viewer = visit(server, logged_in=False)
    viewer.open()
    viewer.at("login-user").fill("vic")
    viewer.at("login-password").fill(PASSWORD)
    viewer.at("login-submit").click()
    expect(viewer.at("empty")).to_be_visible()
    expect(viewer.at("multiplexers-open")).to_have_count(0)


def test_without_a_multiplexer_there_is_no_entry(
    serve: Serve, visit: Visit, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "few").mkdir()
    monkeypatch.setenv("PATH", str(folder / "few"))
    visitor = visit(serve())
    with visitor.page.expect_response("**/api/multiplexer/status"):
        visitor.open()
    expect(visitor.at("empty")).to_be_visible()
    expect(visitor.at("multiplexers-open")).to_have_count(0)
