"""Files and git in VibeTunnel's own web client: the file browser, badges, branches and worktrees."""

from __future__ import annotations

import base64
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from repositories import commit, git, repository, write
from served import Served
from their_visitor import READY, SHELL, SIZES, Enter, TheirVisitor

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
def project(server: Served) -> Path:
    """A repository with a branch, a worktree, a changed file and three new ones."""
    made = repository(
        Path(tempfile.mkdtemp(dir=server.home)) / "proj", **{"a.txt": "one\ntwo\n", "sub__b.py": "x = 1\n"}
    )
    git(made, "branch", "other")
    git(made, "worktree", "add", "-b", "feature", "../proj-feature")
    write(made, **{"a.txt": "one\nchanged\n", "new.md": "# new\n", ".hidden": ""})
    (made / "dot.png").write_bytes(PNG)
    return made


def browse(client: TheirVisitor, folder: Path) -> Locator:
    """The file browser, at a folder."""
    client.open("/file-browser")
    files = client.page.locator("file-browser")
    files.get_by_title("click to edit").click()
    files.get_by_placeholder("Enter path and press Enter").fill(str(folder))
    client.press("Enter")
    return files


def row(files: Locator, name: str) -> Locator:
    return files.get_by_title(name, exact=True)


def session_in(client: TheirVisitor, folder: Path) -> str:
    """A shell in a folder, on the screen."""
    session = client.server.session(SHELL, workingDir=str(folder))
    client.open_session(session)
    client.until_shows(READY)
    return session


# The file browser


@pytest.mark.parametrize("size", SIZES)
def test_a_folder_is_browsed_and_its_files_are_shown(
    server: Served, enter: Enter, project: Path, size: dict[str, Any]
) -> None:
    client = enter(server, **size)
    files = browse(client, project)
    row(files, "sub").click()
    row(files, "b.py").click()
    expect(files.locator(".view-lines")).to_have_text(re.compile(r"x.=.1"))
    if size:
        files.get_by_title("Back to files").click()
    files.get_by_text("..", exact=True).click()
    row(files, "dot.png").click()
    picture = files.get_by_role("img", name="dot.png")
    client.until(lambda: picture.evaluate("image => image.complete && image.naturalWidth") == 1)


@pytest.mark.parametrize("size", SIZES)
def test_changed_files_are_listed_with_their_differences(
    server: Served, enter: Enter, project: Path, size: dict[str, Any]
) -> None:
    client = enter(server, **size)
    files = browse(client, project)
    expect(row(files, "sub")).to_be_visible()
    files.get_by_text("Git Changes").click()
    expect(row(files, "sub")).to_have_count(0)
    for name in ("a.txt", "new.md", "dot.png"):
        expect(row(files, name)).to_be_visible()
    row(files, "a.txt").click()
    files.get_by_text("View Diff").click()
    expect(files.locator(".editor.original .view-lines")).to_contain_text("two")
    expect(files.locator(".editor.modified .view-lines")).to_contain_text("changed")
    assert "-two\n+changed\n" in client.answer("GET", "/api/fs/diff").json()["diff"]


def test_hidden_files_are_shown_if_asked_for(client: TheirVisitor, project: Path) -> None:
    files = browse(client, project)
    expect(row(files, "a.txt")).to_be_visible()
    expect(row(files, ".hidden")).to_have_count(0)
    files.get_by_text("Hidden Files").click()
    expect(row(files, ".hidden")).to_be_visible()


def test_a_folder_outside_of_the_roots_is_refused_with_a_reason(client: TheirVisitor) -> None:
    client.allow_complaint(r"/api/fs/browse|\[file-browser\]")
    files = browse(client, Path("/etc"))
    refused = client.until(lambda: next((each for each in client.answered if "path=%2Fetc" in each.url), None))
    expect(files.get_by_text(refused.json()["error"])).to_be_visible()


def test_the_path_of_a_file_is_typed_into_the_terminal(client: TheirVisitor, project: Path) -> None:
    session_in(client, project)
    client.choose("compact-file-browser")
    files = client.page.locator("file-browser")
    row(files, "a.txt").click()
    files.get_by_text("Insert Path").click()
    client.until_shows(rf"{READY} {project}/a.txt")


# Badges


def test_a_session_shows_its_branch_and_the_number_of_changes(client: TheirVisitor, project: Path) -> None:
    session = session_in(client, project)
    badge = client.page.locator("git-status-badge")
    expect(badge).to_contain_text("main")
    expect(badge).to_contain_text("●4")
    commit(project, "all of it")
    expect(badge).not_to_contain_text("●")
    client.open_list()
    expect(client.card(session)).to_contain_text("main")


# Branches and worktrees


def test_the_dialog_offers_folders_branches_and_worktrees(client: TheirVisitor, project: Path) -> None:
    client.open_list()
    client.new_session.click()
    client.at("working-dir-input").fill(str(project)[:-1])
    expect(client.at("session-create-modal").get_by_text("proj-feature")).to_be_visible()
    client.at("working-dir-input").fill(str(project))
    branches, worktrees = client.at("git-base-branch-select"), client.at("git-worktree-select")
    expect(branches.locator("option")).to_have_text([re.compile(each) for each in ("main", "feature", "other")])
    worktrees.select_option("feature")
    client.at("command-input").fill("sh -l")
    client.at("create-session-submit").click()
    session = client.until(client.session)
    client.until_shows(READY)
    assert client.server.ask("GET", f"/api/sessions/{session}")["workingDir"] == f"{project}-feature"
    badge = client.page.locator("git-status-badge")
    expect(badge).to_contain_text("feature")
    write(Path(f"{project}-feature"), **{"a.txt": "changed\n", "c.txt": ""})
    git(Path(f"{project}-feature"), "add", "c.txt")  # the server watches the index
    expect(badge).to_contain_text("●1")
    expect(badge).to_contain_text("feature")


def test_the_dialog_makes_a_worktree_for_a_new_branch(client: TheirVisitor, project: Path) -> None:
    client.open_list()
    client.new_session.click()
    client.at("working-dir-input").fill(str(project))
    client.page.get_by_text("Create new worktree").click()
    client.page.get_by_placeholder("New branch name").fill("topic")
    client.page.locator("git-branch-selector").get_by_role("button", name="Create", exact=True).click()
    expect(client.at("working-dir-input")).to_have_value(re.compile("proj-topic$"))
    assert git(Path(f"{project}-topic"), "branch", "--show-current") == "topic\n"


def test_the_list_groups_by_repository_and_follows_a_worktree(client: TheirVisitor, project: Path) -> None:
    session_in(client, project)
    git(project, "checkout", ".")  # nothing is left that following could overwrite
    git(project, "clean", "-fd")
    feature = Path(f"{project}-feature")
    (feature / "made.txt").touch()
    commit(feature, "ahead")
    client.open_list()
    client.page.get_by_role("button", name="Standalone").click()
    client.page.get_by_text("Follow: feature").click()
    assert client.answer("POST", "/api/worktrees/follow").status == 200
    expect(client.page.get_by_role("button", name="feature")).to_be_visible()
    client.until((project / "made.txt").exists)
    client.page.get_by_title("Worktrees").click()
    expect(client.page.get_by_text(str(feature)).first).to_be_visible()
