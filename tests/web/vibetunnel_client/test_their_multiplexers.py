"""Their dialog with multiplexers: windows and panes of tmux, and screen. test_their_views.py has the rest."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Serve
from own_multiplexers import own_multiplexers, tmux
from playwright.sync_api import Locator, expect
from served import Served
from their_visitor import TheirVisitor


@pytest.fixture(scope="module")
def server(serve: Serve) -> Iterator[Served]:
    with (
        tempfile.TemporaryDirectory(prefix="vt") as name,
        pytest.MonkeyPatch.context() as patch,
        own_multiplexers(Path(name), patch),
    ):
        yield serve("--no-auth")


@pytest.fixture
def dialog(client: TheirVisitor) -> Iterator[Locator]:
    """It is open, and a session of tmux with two windows is there."""
    tmux("new-session", "-d", "-s", "work", "printf 'from tmux'; exec cat")
    tmux("new-window", "-t", "=work:", "-n", "second", "exec cat")
    tmux("split-window", "-t", "=work:1", "exec cat")
    client.page.on("dialog", lambda question: question.accept())
    client.open_list()
    client.page.locator("[title='tmux Sessions']").first.click()
    found = client.page.locator("multiplexer-modal")
    expect(found.get_by_text("2 windows")).to_be_visible()
    yield found
    subprocess.run(["tmux", "kill-server"], stderr=subprocess.DEVNULL, check=False)


def test_their_dialog_shows_windows_and_panes_and_ends_them(client: TheirVisitor, dialog: Locator) -> None:
    dialog.get_by_text("work", exact=True).click()
    dialog.get_by_text("second").click()
    client.answer("GET", "/api/multiplexer/tmux/sessions/work/panes")
    dialog.get_by_title("Kill session").first.click()
    expect(dialog.get_by_text("No tmux Sessions")).to_be_visible()
    assert client.answer("DELETE", "/api/multiplexer/tmux/sessions/work").status == 200


def test_their_dialog_makes_a_session_of_screen_by_a_name_without_its_number(
    client: TheirVisitor, dialog: Locator
) -> None:
    dialog.get_by_role("button", name="Screen").click()
    dialog.get_by_role("button", name="Create New Session").click()
    client.until(client.session)
    assert client.answer("POST", "/api/multiplexer/attach").status == 200
