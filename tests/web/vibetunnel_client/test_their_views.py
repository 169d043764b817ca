"""Views of VibeTunnel's own web client beside the terminal: cards, names, settings, pictures, logs and tmux."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from served import Served
from their_visitor import READY, SHELL, TheirVisitor

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
COPY_PICTURE = """async picture => {
    const bytes = Uint8Array.from(atob(picture), one => one.charCodeAt(0));
    await navigator.clipboard.write([new ClipboardItem({ "image/png": new Blob([bytes], { type: "image/png" }) })]);
}"""
UNKNOWN = "00000000-0000-4000-8000-000000000000"


def states(server: Served) -> list[str]:
    return sorted(each["status"] for each in server.ask("GET", "/api/sessions"))


# The list


def test_a_session_that_no_client_has_opened_is_a_card_and_starts_when_it_is_opened(
    server: Served, client: TheirVisitor
) -> None:
    session = server.session(SHELL)
    client.open_list()
    expect(client.card(session)).to_contain_text("running")
    client.card(session).click()
    client.until_shows(READY)
    assert client.session() == session


def test_an_unknown_session_is_not_found_and_the_list_opens(client: TheirVisitor) -> None:
    client.open(f"/session/{UNKNOWN}")
    expect(client.page.get_by_text(f"Session {UNKNOWN} not found")).to_be_visible()
    expect(client.new_session).to_be_visible()
    assert client.requests("GET", f"/api/sessions/{UNKNOWN}.*") == []


def test_all_sessions_are_killed_and_cleaned_up(server: Served, client: TheirVisitor) -> None:
    sessions = [client.open_shell() for _ in range(2)]
    client.open_list()
    client.at("kill-all-button").click()
    client.until(lambda: states(server) == ["exited", "exited"])
    assert {client.answer("DELETE", f"/api/sessions/{each}").status for each in sessions} == {200}
    client.at("show-exited-toggle").click()
    expect(client.page.get_by_test_id("session-card")).to_have_count(2)
    client.at("clean-exited-button").click()
    client.until(lambda: states(server) == [])


def test_the_card_of_one_exited_session_is_removed(server: Served, client: TheirVisitor) -> None:
    client.open_shell()
    client.type("exit\n")
    client.until(lambda: states(server) == ["exited"])
    client.open_list()
    client.at("show-exited-toggle").click()
    client.at("kill-session-button").click()
    client.until(lambda: states(server) == [])


@pytest.mark.parametrize("place", ["session-header", "session-card"])
def test_a_session_gets_another_name(server: Served, client: TheirVisitor, place: str) -> None:
    session = client.open_shell()
    if place == "session-card":
        client.open_list()
    field = client.page.locator(f"{place} inline-edit")
    field.hover()
    field.locator(".edit-icon").click()
    field.locator("input").fill("another name")
    client.press("Enter")
    expect(client.page.get_by_text("another name").first).to_be_visible()
    client.until(lambda: server.ask("GET", f"/api/sessions/{session}")["name"] == "another name")


# Settings


def test_settings_are_kept_by_the_server(server: Served, client: TheirVisitor) -> None:
    (server.home / "src").mkdir(exist_ok=True)
    client.open_list()
    client.page.get_by_title(re.compile("^Settings")).click()
    field = client.page.locator("vt-settings").get_by_placeholder("~/")
    expect(field).to_have_value(str(server.home))
    field.fill(str(server.home / "src"))
    field.blur()
    assert client.answer("PUT", "/api/config").status == 200
    client.open_list()
    client.page.get_by_title(re.compile("^Settings")).click()
    expect(field).to_have_value(str(server.home / "src"))
    client.press("Escape")
    client.new_session.click()
    expect(client.at("working-dir-input")).to_have_value(str(server.home / "src"))


def test_quick_start_commands_are_kept_by_the_server(server: Served, client: TheirVisitor) -> None:
    client.open_list()
    client.new_session.click()
    editor = client.page.locator("quick-start-editor")
    editor.get_by_text("Edit").click()
    editor.get_by_text("Add").click()
    editor.get_by_placeholder(re.compile("ommand")).last.fill("sh -l")
    editor.get_by_text("Save").click()
    assert client.answer("PUT", "/api/config").status == 200
    client.open_list()
    client.new_session.click()
    expect(client.at("session-create-modal").get_by_role("button", name="sh -l")).to_be_visible()


# Files for the terminal


def stored(client: TheirVisitor) -> Path:
    """The path of a picture that was stored, and that the terminal shows."""
    path = Path(client.answer("POST", "/api/files/upload").json()["path"])
    assert path.read_bytes().startswith(b"\x89PNG")  # Chromium makes another file of what it has copied
    client.until(lambda: str(path) in client.text().replace("\n", ""))
    return path


def test_a_pasted_picture_is_stored_and_its_path_is_typed(client: TheirVisitor) -> None:
    client.open_shell()
    client.page.evaluate(COPY_PICTURE, PNG)
    client.press("Control+V")
    stored(client)


def test_a_picture_of_the_disk_is_stored_and_its_path_is_typed(client: TheirVisitor) -> None:
    client.open_shell()
    with client.page.expect_file_chooser() as chosen:
        client.choose("compact-upload-image")
    picture = {"name": "a photo.png", "mimeType": "image/png", "buffer": base64.b64decode(PNG)}
    chosen.value.set_files([picture])  # type: ignore[list-item]
    assert stored(client).suffix == ".png"


# Logs


def test_the_logs_show_what_the_client_said_until_they_are_cleared(client: TheirVisitor) -> None:
    client.open_list()
    client.until(lambda: any(each.status == 204 for each in client.answered if each.url.endswith("/api/logs/client")))
    client.open("/logs")
    viewer = client.page.locator("log-viewer")
    line = viewer.get_by_text("Services initialized successfully")
    expect(line.first).to_be_visible()
    viewer.get_by_placeholder("Filter logs...").locator("visible=true").fill("no line has this")
    expect(line).to_have_count(0)
    viewer.get_by_placeholder("Filter logs...").locator("visible=true").fill("")
    viewer.get_by_role("button", name="CLIENT").click()
    expect(line).to_have_count(0)
    viewer.get_by_role("button", name="CLIENT").click()
    expect(line.first).to_be_visible()
    with client.page.expect_download() as saved:
        viewer.get_by_role("button", name="Download").click()
    assert "Services initialized successfully" in saved.value.path().read_text()
    client.page.once("dialog", lambda dialog: dialog.accept())
    viewer.get_by_role("button", name="Clear").click()
    assert client.answer("DELETE", "/api/logs/clear").status == 204
    expect(line).to_have_count(0)


# tmux


@pytest.fixture
def tmux(server: Served) -> Iterator[Callable[..., str]]:
    """Runs tmux as the server does. Ends it after the test."""

    def run(*words: str) -> str:
        ran = subprocess.run(["tmux", "-f", "/dev/null", *words], cwd=server.home, capture_output=True, text=True)
        return ran.stdout

    yield run
    run("kill-server")


def test_a_session_of_tmux_is_attached_and_ended(client: TheirVisitor, tmux: Callable[..., str]) -> None:
    tmux("new-session", "-d", "-s", "work", "-n", "first", "echo in tmux; exec cat")
    client.open_list()
    client.page.get_by_title("tmux Sessions").click()
    modal = client.page.locator("multiplexer-modal")
    expect(modal).to_contain_text("1 window")
    modal.get_by_role("button", name="Attach").click()
    client.until_shows(r"^in tmux$")
    client.type("typed\n")
    client.until_shows(r"^typed\ntyped$")
    client.open_list()
    client.page.get_by_title("tmux Sessions").click()
    client.page.once("dialog", lambda dialog: dialog.accept())
    modal.get_by_title("Kill session").click()
    client.until(lambda: tmux("list-sessions") == "")


def test_a_new_session_of_tmux_is_opened(client: TheirVisitor, tmux: Callable[..., str]) -> None:
    client.open_list()
    client.page.get_by_title("tmux Sessions").click()
    client.page.locator("multiplexer-modal").get_by_role("button", name="New Session").last.click()
    client.until_shows(r"^\[session-")
    assert tmux("list-sessions").startswith("session-")
