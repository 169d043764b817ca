"""Badges, changes and worktrees of real repositories, in a real browser."""

from __future__ import annotations

import base64
import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Route, expect
from repositories import commit, git, repository, write
from served import PASSWORD, Served
from visitor import PHONE, Visit, Visitor

LINES = "".join(f"line {number}\n" for number in range(1, 101))
PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture
def proj(server: Served) -> Path:
    """A repository of one commit in the home folder."""
    return repository(server.home / "proj", **{"a.txt": LINES, "src__b.py": "one = 1\ntwo = 2\n"})


def session_in(server: Served, folder: Path, **fields: object) -> str:
    return server.session(workingDir=str(folder), **fields)


def changes_of(visitor: Visitor, folder: Path) -> None:
    """The page of a repository's changes, with its list."""
    visitor.open(f"/changes?path={folder}")
    expect(visitor.at("changed-file").first).to_be_visible()


def row(visitor: Visitor, path: str) -> Locator:
    """A file in the list of changes."""
    return visitor.page.locator(f'[data-testid="changed-file"][data-path="{path}"]')


def shown(visitor: Visitor, path: str) -> Locator:
    """The diff of a file, after a click on its name."""
    row(visitor, path).click()
    diff = visitor.page.locator(f'[data-testid="diff"][data-path="{path}"]')
    expect(diff).to_be_visible()
    return diff


def lines(diff: Locator, kind: str) -> list[str]:
    """The texts of the added or removed lines, with their signs, as soon as there is a diff."""
    expect(diff.locator("tr").first).to_be_visible()
    return diff.locator(f"tr.{kind} .text").all_text_contents()


def worktree(visitor: Visitor, folder: Path) -> Locator:
    return visitor.page.locator(f'[data-testid="worktree"][data-path="{folder}"]')


def gap_below(upper: Locator, lower: Locator) -> float:
    """The distance from the lower edge of one to the upper edge of the other."""
    first, second = upper.bounding_box(), lower.bounding_box()
    assert first
    assert second
    return second["y"] - first["y"] - first["height"]


def is_as_wide_as_the_window(visitor: Visitor) -> bool:
    """Whether nothing makes the page scroll sideways."""
    return bool(visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


# Badges


def test_a_card_shows_branch_and_changes_and_follows_them(visitor: Visitor, proj: Path) -> None:
    session = session_in(visitor.server, proj)
    plain = session_in(visitor.server, visitor.server.home)
    visitor.open()
    badge = visitor.card(session).get_by_test_id("git-badge")
    expect(badge).to_have_text(re.compile(r"^\s*main\s*$"))
    expect(badge).to_have_attribute("aria-label", "Changes: main, no changes")
    expect(visitor.card(plain)).to_be_visible()
    expect(visitor.card(plain).get_by_test_id("git-badge")).to_have_count(0)
    write(proj, **{"a.txt": "new\n", "c.txt": "new\n"})
    git(proj, "add", "--all")  # the index is watched
    expect(badge.get_by_test_id("git-changed")).to_have_text("2")
    git(proj, "checkout", "-q", "-b", "feature/x")
    expect(badge).to_contain_text("feature/x")


def test_a_badge_marks_a_worktree_and_the_distance_to_upstream(visitor: Visitor, proj: Path) -> None:
    git(proj, "clone", "-q", "--bare", str(proj), "../origin.git")
    git(proj, "remote", "add", "origin", "../origin.git")
    git(proj, "fetch", "-q")
    git(proj, "worktree", "add", "-q", "-b", "x", "../w", "--track", "origin/main")
    write(proj.parent / "w", new="1")
    commit(proj.parent / "w", "second")
    session = session_in(visitor.server, proj.parent / "w")
    visitor.open()
    badge = visitor.card(session).get_by_test_id("git-badge")
    expect(badge).to_contain_text("↑1")
    expect(badge).to_have_attribute("title", "x, a linked worktree, no changes, 1 commit ahead")


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_the_badge_over_a_terminal_opens_the_changes_beside_it(
    server: Served, proj: Path, visit: Visit, options: dict[str, object]
) -> None:
    visitor = visit(server, **options)
    session = session_in(server, proj)
    write(proj, **{"a.txt": "new\n"})  # no prompt tells it: the page has the server look
    visitor.open_session(session)
    expect(visitor.at("git-changed")).to_have_text("1")
    assert is_as_wide_as_the_window(visitor)
    visitor.at("git-badge").click()
    assert lines(shown(visitor, "a.txt"), "added") == ["+new"]
    assert is_as_wide_as_the_window(visitor)
    expect(visitor.at("files-own-page")).to_have_attribute("href", f"/changes?path={proj}")
    visitor.at("files-close").click()
    visitor.type("echo $((6*7))\n")
    visitor.until_shows("^42")  # the terminal has the focus again


NEWS = "printf '\\033]52;c;aGVsbG8=\\007\\033]9;4;1;42\\007\\033]9;a long notification\\007'"


@pytest.mark.parametrize("width", [360, 390])
def test_all_of_the_bar_over_a_terminal_is_on_a_phone_s_screen(
    visitor: Visitor, proj: Path, visit: Visit, width: int
) -> None:
    git(proj, "checkout", "-q", "-b", "feature/with-a-name-that-is-long")
    write(proj, **{f"new{number}": "1" for number in range(1000)})
    command = ["/bin/sh", "-c", f"read x; {NEWS}; exec cat"]
    session = session_in(visitor.server, proj, command=command, name="a session with a long name")
    visitor.open_session(session)
    phone = visit(visitor.server, viewport={"width": width, "height": 780}, has_touch=True, is_mobile=True)
    phone.open_session(session)
    expect(phone.at("git-changed")).to_have_text("999+")
    expect(phone.at("people-open")).to_be_visible()
    expect(phone.at("take-size")).to_be_visible()
    outside = """width => [
        ...document.querySelectorAll("header.bar :is(a, button, .dot, .git-badge *, .news)")
    ].filter(each => {
        const box = each.getBoundingClientRect();
        const pill = each.closest(".git-badge")?.getBoundingClientRect() ?? box;
        return box.width > 0 && (box.left < pill.left || box.right > pill.right || box.left < 0 || box.right > width);
    }).map(each => each.outerHTML)"""
    assert phone.page.evaluate(outside, width) == []
    assert phone.at("connection-state").locator(".dot").is_visible()
    others = [visit(visitor.server) for _ in range(3)]
    for other in others:
        other.open_session(session)
    expect(phone.at("people-open")).to_have_text(re.compile(r"\+2"))
    assert phone.page.evaluate(outside, width) == []
    visitor.type("\n")
    expect(phone.at("notification")).to_be_visible()
    expect(phone.at("clipboard")).to_be_visible()
    assert phone.page.evaluate(outside, width) == []


def test_the_badge_of_a_card_leads_to_the_changes_and_a_file_from_there_to_its_page(
    visitor: Visitor, proj: Path
) -> None:
    session = session_in(visitor.server, proj)
    write(proj, **{"a.txt": LINES.replace("line 50\n", "row 50\n")})
    visitor.open()
    visitor.card(session).get_by_test_id("git-badge").click()
    shown(visitor, "a.txt").get_by_test_id("diff-open").click()
    expect(visitor.at("preview-name")).to_have_text("a.txt")
    assert visitor.page.url == f"{visitor.server.url}/files?path={proj}/a.txt&line=50"  # at its first changed line
    visitor.page.go_back()
    expect(row(visitor, "a.txt")).to_be_visible()
    visitor.at("back").click()
    expect(visitor.card(session)).to_be_visible()


def test_a_user_without_the_right_to_files_sees_the_branch_but_no_changes(
    server: Served, proj: Path, visit: Visit
) -> None:
    server.user("vera", "viewer")
    visitor = visit(server, logged_in=False)
    visitor.allow_complaint("403")
    session = session_in(server, proj)
    visitor.open("/login")
    visitor.at("login-user").fill("vera")
    visitor.at("login-password").fill(PASSWORD)
    visitor.at("login-submit").click()
    badge = visitor.card(session).get_by_test_id("git-badge")
    expect(badge).to_contain_text("main")
    assert badge.evaluate("badge => badge.localName") == "span"
    visitor.open(f"/changes?path={proj}")
    expect(visitor.at("notice-forbidden")).to_be_visible()


# Changes


def test_changed_files_are_in_groups_with_what_has_happened_to_them(visitor: Visitor, proj: Path) -> None:
    write(proj, gone="1\n", moved=LINES, plain="1\n")
    commit(proj, "second")
    write(proj, **{"a.txt": LINES + "more\n"})
    git(proj, "add", "a.txt")
    write(proj, **{"a.txt": LINES + "more\nand more\n", "plain": "2\n", "new__deep.txt": "1\n2\n"})
    git(proj, "mv", "moved", "src/elsewhere")
    (proj / "gone").unlink()
    changes_of(visitor, proj)
    groups = {
        name: [each.get_attribute("aria-label") for each in visitor.at(f"changes-{name}").get_by_role("button").all()]
        for name in ("staged", "changes", "untracked")
    }
    assert groups == {
        "staged": ["src/elsewhere: Renamed from moved"],
        "changes": [
            "a.txt: Modified, 2 lines added, partly staged",
            "gone: Deleted, 1 line removed",
            "plain: Modified, 1 line added, 1 line removed",
        ],
        "untracked": ["new/deep.txt: Untracked, 2 lines added"],
    }
    expect(visitor.at("changes-summary")).to_have_text(re.compile(r"5 changes\s*\+5\s*−2"))
    assert lines(shown(visitor, "gone"), "removed") == ["−1"]
    expect(shown(visitor, "src/elsewhere").get_by_test_id("diff-said")).to_contain_text("It was moved before.")


def test_a_conflict_is_at_the_top(visitor: Visitor, proj: Path) -> None:
    git(proj, "checkout", "-q", "-b", "other")
    write(proj, **{"src__b.py": "one = 3\n"})
    commit(proj, "theirs")
    git(proj, "checkout", "-q", "main")
    write(proj, **{"src__b.py": "one = 4\n"})
    commit(proj, "ours")
    with pytest.raises(Exception, match="non-zero exit status"):
        git(proj, "merge", "other")
    write(proj, aaa="1")
    changes_of(visitor, proj)
    expect(visitor.at("changed-file").first).to_have_attribute("aria-label", re.compile("^src/b.py: In conflict"))
    expect(shown(visitor, "src/b.py").locator("tr.added .text").first).to_have_text("+<<<<<<< HEAD")


def test_a_diff_marks_words_and_unfolds_what_is_unchanged(visitor: Visitor, proj: Path) -> None:
    write(proj, **{"a.txt": LINES.replace("line 50\n", "row 50\n")})
    changes_of(visitor, proj)
    diff = shown(visitor, "a.txt")
    assert (lines(diff, "removed"), lines(diff, "added")) == (["−line 50"], ["+row 50"])
    assert diff.locator("mark").all_inner_texts() == ["line", "row"]
    gaps = diff.get_by_test_id("diff-gap")
    assert [each.strip() for each in gaps.all_inner_texts()] == ["46 lines unchanged", "47 lines unchanged"]
    expect(diff.get_by_text("line 46", exact=True)).to_have_count(0)
    gaps.first.click()
    expect(diff.get_by_text("line 46", exact=True)).to_be_visible()
    expect(gaps).to_have_count(1)


def test_the_number_of_a_line_opens_the_file_there(visitor: Visitor, proj: Path) -> None:
    write(proj, **{"a.txt": LINES.replace("line 50\n", "row 50\n")})
    changes_of(visitor, proj)
    shown(visitor, "a.txt").get_by_role("cell", name="52", exact=True).last.click()
    expect(visitor.at("preview-name")).to_have_text("a.txt")
    assert visitor.page.url.endswith("/files?path=" + str(proj / "a.txt") + "&line=52")


def test_a_file_that_is_opened_from_its_changes_has_its_line_in_the_address(visitor: Visitor, proj: Path) -> None:
    write(proj, **{"a.txt": LINES.replace("line 90\n", "row 90\n")})
    visitor.open(f"/files?path={proj}/")
    visitor.at("tab-changes").click()
    shown(visitor, "a.txt").get_by_test_id("diff-open").click()
    expect(visitor.page.locator(".code-line.chosen")).to_have_text("row 90")
    expect(visitor.page).to_have_url(f"{visitor.server.url}/files?path={proj}/a.txt&line=90")


def test_both_versions_stand_side_by_side_where_there_is_room(server: Served, proj: Path, visit: Visit) -> None:
    visitor = visit(server, viewport={"width": 1500, "height": 800})
    write(proj, **{"src__b.py": "one = 1\ntwo = 3\nthree = 3\n"})
    changes_of(visitor, proj)
    diff = shown(visitor, "src/b.py")
    diff.get_by_test_id("diff-split").click()
    pairs = [each.locator("td.text").all_text_contents() for each in diff.locator("tr").all()]
    assert pairs == [["one = 1", "one = 1"], ["−two = 2", "+two = 3"], ["", "+three = 3"]]
    visitor.open(f"/changes?path={proj}")
    expect(visitor.page.locator(".diff-table.two")).to_be_visible()  # it is kept
    visitor.page.set_viewport_size({"width": 1000, "height": 800})
    expect(visitor.page.locator(".diff-table:not(.two)")).to_be_visible()


def test_what_is_large_binary_or_a_picture_is_said_or_shown(visitor: Visitor, proj: Path) -> None:
    write(proj, **{"long.txt": "".join(f"old {number}\n" for number in range(4500))})
    commit(proj, "a long file")
    (proj / "data.bin").write_bytes(b"\0\1\2")
    (proj / "picture.png").write_bytes(PICTURE)
    (proj / "huge.txt").write_text("0123456789abcde\n" * 200_000)
    write(proj, **{"long.txt": "".join(f"new {number}\n" for number in range(4500)), "wide.js": "x=1;" * 2000 + "\n"})
    changes_of(visitor, proj)
    expect(shown(visitor, "data.bin").get_by_test_id("diff-said")).to_contain_text("A binary file.")
    expect(shown(visitor, "huge.txt").get_by_test_id("diff-said")).to_contain_text("This file is too long to compare.")
    picture = shown(visitor, "picture.png").get_by_role("img")
    expect(picture).to_be_visible()
    visitor.until(lambda: picture.evaluate("image => image.complete && image.naturalWidth === 1"))
    diff = shown(visitor, "long.txt")
    expect(diff.get_by_test_id("diff-said")).to_contain_text("It has 9,000 lines.")
    assert diff.locator("tr").count() == 0
    diff.get_by_test_id("diff-anyway").click()
    expect(diff.locator("tr")).to_have_count(5000)
    diff.get_by_test_id("diff-more").click()
    expect(diff.locator("tr")).to_have_count(9000)
    assert diff.locator("mark").count() == 0  # a page would take seconds to find the words
    expect(shown(visitor, "wide.js")).to_contain_text("6,000 more characters")
    assert is_as_wide_as_the_window(visitor)


def test_the_keyboard_walks_through_the_files(visitor: Visitor, proj: Path) -> None:
    write(proj, **{"a.txt": "new\n", "src__b.py": "new\n", "z": "1"})
    changes_of(visitor, proj)

    def current() -> str:
        return str(visitor.page.locator("[aria-current=true]").get_attribute("data-path"))

    assert current() == "a.txt"
    walked = []
    for key in ("j", "ArrowDown", "j", "k", "ArrowUp"):
        visitor.press(key)
        walked.append(current())
    assert walked == ["src/b.py", "z", "z", "src/b.py", "a.txt"]
    write(proj, y="1")
    visitor.press("r")
    expect(row(visitor, "y")).to_be_visible()


def test_the_list_follows_the_repository_and_its_button_looks_again(visitor: Visitor, proj: Path) -> None:
    session_in(visitor.server, proj)
    write(proj, **{"a.txt": "new\n"})
    changes_of(visitor, proj)
    diff = shown(visitor, "a.txt")
    write(proj, **{"b.txt": "1\n", "a.txt": "newer\n"})
    git(proj, "add", "b.txt")  # the index is watched
    expect(row(visitor, "b.txt")).to_be_visible()
    expect(diff.locator("tr.added .text")).to_have_text("+newer")
    write(proj, **{"c.txt": "1\n"})  # files are not
    visitor.at("changes-refresh").click()
    expect(row(visitor, "c.txt")).to_be_visible()
    git(proj, "add", "--all")
    git(proj, "commit", "-qm", "second")
    expect(visitor.at("changes-empty")).to_contain_text("Everything is committed on main.")


def test_a_folder_in_no_repository_and_one_out_of_reach_are_explained(visitor: Visitor) -> None:
    visitor.allow_complaint("403")
    visitor.open("/changes?path=~")
    expect(visitor.at("changes-empty")).to_contain_text("Not a git repository")
    visitor.open("/changes?path=/etc")
    expect(visitor.at("error")).to_have_text("/etc is outside of the folders that may be reached")


def test_on_a_phone_the_list_leads_to_a_diff_and_back_without_sideways_scrolling(
    server: Served, proj: Path, visit: Visit
) -> None:
    visitor = visit(server, **PHONE)
    long = "word " * 60 + "x" * 300
    write(proj, **{"a.txt": f"{long}\n", "a__very__long__path__to__a__file__with__a__long__name__indeed.txt": "1\n"})
    changes_of(visitor, proj)
    expect(visitor.at("diff")).to_have_count(0)
    assert is_as_wide_as_the_window(visitor)
    diff = shown(visitor, "a.txt")
    expect(diff.locator("tr.added .text")).to_have_text(f"+{long}")
    expect(row(visitor, "a.txt")).to_be_hidden()
    assert is_as_wide_as_the_window(visitor)
    assert diff.locator(".diff-body").evaluate("body => body.scrollWidth <= body.clientWidth")
    visitor.at("diff-back").click()
    expect(row(visitor, "a.txt")).to_be_focused()
    visitor.press("j", "Enter")
    expect(visitor.at("diff")).not_to_have_attribute("data-path", "a.txt")
    visitor.press("Escape")
    expect(visitor.at("diff")).to_have_count(0)


def test_a_name_that_turns_the_text_around_it_is_shown_as_it_is(visitor: Visitor, proj: Path) -> None:
    name, seen = "\u202egpj.exe", r"\u202egpj.exe"
    git(proj, "checkout", "-q", "-b", "x\u202ey")
    write(proj, **{name: "1\n"})
    session = session_in(visitor.server, proj)
    changes_of(visitor, proj)
    expect(row(visitor, name).locator(".name")).to_have_text(seen)
    expect(shown(visitor, name).locator("h2")).to_have_text(seen)
    expect(visitor.at("worktrees-open")).to_contain_text(r"x\u202ey")
    visitor.open(f"/files?path={proj}")
    expect(visitor.page.locator(f'[data-path="{proj}/{name}"] .name')).to_have_text(seen)
    visitor.open()
    expect(visitor.card(session).get_by_test_id("git-badge")).to_contain_text(r"x\u202ey")


# A new session


def test_enter_starts_a_shell_at_once(visitor: Visitor) -> None:
    visitor.open()
    visitor.at("session-create").click()
    visitor.press("Enter")
    visitor.until_connected()


def test_a_folder_is_chosen_with_the_keyboard(visitor: Visitor, proj: Path) -> None:
    visitor.open()
    visitor.at("session-create").click()
    visitor.at("create-folder").click()
    expect(visitor.at("folder-choice")).to_have_text([re.compile(r"~/proj\s+main")])  # a repository
    visitor.type("~/proj/s")
    expect(visitor.at("folder-choice")).to_have_text([re.compile("~/proj/src/")])
    visitor.press("Escape")
    expect(visitor.at("folder-choice")).to_have_count(0)
    expect(visitor.at("create-folder")).to_be_visible()  # Escape closed the list, not the dialog
    visitor.press("ArrowDown")
    expect(visitor.at("folder-choice")).to_have_count(1)
    visitor.press("ArrowDown", "Enter")
    expect(visitor.at("create-folder")).to_have_value("~/proj/src/")
    expect(visitor.at("start-in")).to_be_visible()
    visitor.at("create-folder").press("Enter")
    visitor.until_connected()
    (made,) = visitor.server.ask("GET", "/api/sessions")
    assert made["workingDir"] == str(proj / "src")


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_the_list_of_folders_stays_at_its_field_and_closes_after_a_choice(
    server: Served, proj: Path, visit: Visit, options: dict[str, object]
) -> None:
    visitor = visit(server, **options)
    repository(proj.parent / "proj-two", a="1")
    visitor.open()
    visitor.at("session-create").first.click()
    field = visitor.at("create-folder")
    field.click()
    visitor.type("~/proj")
    expect(visitor.at("start-in")).to_be_visible()  # the dialog has grown, and so the field has moved
    expect(visitor.at("folder-choice")).to_have_count(2)
    visitor.until(lambda: 0 < gap_below(field, visitor.at("folder-choices")) < 8)
    visitor.press("ArrowDown", "Enter")
    expect(field).to_have_value("~/proj/")
    expect(visitor.at("folder-choice")).to_have_count(0)
    field.click()
    visitor.at("start-in").select_option("new")
    visitor.at("worktree-name").click()
    expect(visitor.at("folder-choice")).to_have_count(0)
    field.click()
    visitor.press("ArrowDown")
    expect(visitor.at("folder-choice")).to_have_count(1)  # proj/src


def test_tab_completes_the_only_folder_and_then_goes_on(visitor: Visitor, proj: Path) -> None:
    visitor.open()
    visitor.at("session-create").click()
    field = visitor.at("create-folder")
    field.click()
    visitor.type("~/proj/s")
    expect(visitor.at("folder-choice")).to_have_count(1)
    visitor.press("Shift+Tab")
    expect(visitor.at("create-command")).to_be_focused()
    expect(field).to_have_value("~/proj/s")
    visitor.press("Tab", "End", "ArrowDown")
    expect(visitor.at("folder-choice")).to_have_count(1)
    visitor.press("Tab")
    expect(field).to_have_value("~/proj/src/")
    expect(field).to_be_focused()
    expect(visitor.at("folder-choice")).to_have_count(0)
    visitor.press("Tab")
    expect(field).not_to_be_focused()


def test_a_session_starts_in_another_worktree_or_in_a_new_one(visitor: Visitor, proj: Path) -> None:
    git(proj, "worktree", "add", "-q", "-b", "other", "../proj-other")

    def start(place: str) -> None:
        visitor.open()
        visitor.at("session-create").first.click()
        visitor.at("create-folder").fill("~/proj")
        visitor.at("start-in").select_option(place)

    start(str(proj.parent / "proj-other"))
    visitor.at("create-submit").click()
    visitor.until_connected()
    expect(visitor.at("git-badge")).to_contain_text("other")
    start("new")
    visitor.at("worktree-name").fill("feature/next")
    expect(visitor.at("worktree-folder")).to_have_value(str(proj.parent / "proj-feature-next"))
    visitor.at("create-submit").click()
    visitor.until_connected()
    expect(visitor.at("git-badge")).to_contain_text("feature/next")
    assert git(proj.parent / "proj-feature-next", "branch", "--show-current") == "feature/next\n"


def test_a_worktree_that_was_chosen_for_one_folder_is_not_taken_for_the_next(visitor: Visitor, proj: Path) -> None:
    git(proj, "worktree", "add", "-q", "-b", "other", "../proj-other")
    visitor.open()
    visitor.at("session-create").click()
    visitor.at("create-folder").fill("~/proj")
    visitor.at("start-in").select_option(str(proj.parent / "proj-other"))
    visitor.at("create-folder").fill("~/proj/src")
    visitor.at("create-folder").press("Enter")
    visitor.until_connected()
    (made,) = visitor.server.ask("GET", "/api/sessions")
    assert made["workingDir"] == str(proj / "src")


def test_a_worktree_that_is_removed_meanwhile_is_no_longer_the_place_to_start_in(visitor: Visitor, proj: Path) -> None:
    other = proj.parent / "proj-other"
    git(proj, "worktree", "add", "-q", "-b", "other", str(other))
    visitor.open()
    visitor.at("session-create").click()
    visitor.at("create-folder").fill("~/proj")
    visitor.at("start-in").select_option(str(other))
    visitor.press("Escape")  # the list of folders
    visitor.at("worktrees-open").click()
    worktree(visitor, other).get_by_test_id("worktree-remove").click()
    visitor.at("remove-submit").click()
    expect(worktree(visitor, other)).to_have_count(0)
    visitor.at("worktrees-done").click()
    expect(visitor.at("start-in")).to_have_value("")
    visitor.at("create-submit").click()
    visitor.until_connected()
    (made,) = visitor.server.ask("GET", "/api/sessions")
    assert made["workingDir"] == str(proj)


def test_what_the_server_refuses_is_said_and_nothing_is_lost(visitor: Visitor, proj: Path) -> None:
    visitor.allow_complaint("409")
    write(proj.parent / "proj-x", a="1")
    visitor.open()
    visitor.at("session-create").click()
    visitor.at("create-folder").fill("~/proj")
    visitor.at("start-in").select_option("new")
    visitor.at("create-submit").click()
    expect(visitor.at("error")).to_have_text("Enter a name for the new branch.")
    visitor.at("worktree-name").fill("x")
    visitor.at("create-submit").click()
    expect(visitor.at("error")).to_have_text(f"{proj.parent / 'proj-x'} is already there: choose another folder")
    expect(visitor.at("worktree-name")).to_have_value("x")
    assert visitor.server.ask("GET", "/api/sessions") == []


# Worktrees


def test_a_worktree_is_made_switched_followed_and_removed(visitor: Visitor, proj: Path) -> None:
    made = proj.parent / "proj-feature"
    git(proj, "branch", "other")
    write(proj, c="1")
    changes_of(visitor, proj)
    visitor.at("worktrees-open").click()
    expect(worktree(visitor, proj)).to_contain_text("main worktree")
    visitor.at("worktree-new").click()
    visitor.at("worktree-name").fill("feature")
    visitor.at("worktree-make").click()
    expect(worktree(visitor, made)).to_contain_text("feature")
    worktree(visitor, made).get_by_test_id("worktree-switch").click()
    visitor.at("switch-branch").select_option("other")
    visitor.at("switch-submit").click()
    expect(worktree(visitor, made)).to_contain_text("other")
    (proj / "c").unlink()
    worktree(visitor, made).get_by_test_id("worktree-follow").click()
    expect(visitor.at("follow-question")).to_contain_text("This adds hooks to the repository.")
    visitor.at("follow-submit").click()
    expect(worktree(visitor, made)).to_contain_text("followed")
    worktree(visitor, made).get_by_test_id("worktree-follow").click()
    expect(worktree(visitor, made).get_by_text("followed", exact=True)).to_have_count(0)
    worktree(visitor, made).get_by_test_id("worktree-remove").click()
    expect(visitor.at("remove-question")).to_have_text("This removes the folder. The branch stays.")
    visitor.at("remove-submit").click()
    expect(worktree(visitor, made)).to_have_count(0)
    assert not made.exists()


def test_the_reason_why_the_main_worktree_could_not_follow_is_said_until_it_is_dismissed(
    visitor: Visitor, proj: Path
) -> None:
    made = proj.parent / "w"
    git(proj, "worktree", "add", "-q", "-b", "x", str(made))
    visitor.server.ask("POST", "/api/worktrees/follow", {"repoPath": str(proj), "branch": "x", "enable": True})
    write(proj, **{"a.txt": "mine\n"})
    write(made, **{"a.txt": "theirs\n"})
    commit(made, "second")
    visitor.server.ask("POST", "/api/git/event", {"repoPath": str(made), "event": "commit"})
    changes_of(visitor, proj)
    expect(visitor.at("follow-problem")).to_contain_text("1 conflict prevents checkout")
    visitor.at("worktrees-open").click()
    said = worktree(visitor, made).get_by_test_id("follow-problem")
    expect(said).to_contain_text(f"Sync failed: {proj} could not follow x")
    visitor.at("worktrees-done").click()
    visitor.at("worktrees-open").click()
    expect(said).to_be_visible()  # the server has told it once
    visitor.at("follow-dismiss").click()
    expect(said).to_have_count(0)


def test_removing_a_worktree_names_the_changes_that_are_lost(visitor: Visitor, proj: Path) -> None:
    made = proj.parent / "w"
    git(proj, "worktree", "add", "-q", "-b", "x", str(made))
    write(made, **{"a.txt": "new\n", "notes.txt": "1\n"})
    write(proj, c="1")
    changes_of(visitor, proj)
    visitor.at("worktrees-open").click()
    expect(worktree(visitor, made).get_by_test_id("worktree-changed")).to_be_visible()
    worktree(visitor, made).get_by_test_id("worktree-remove").click()
    expect(visitor.at("remove-question")).to_contain_text("Changes that are in no commit are lost: a.txt, notes.txt.")
    assert made.exists()
    visitor.at("remove-submit").click()
    expect(worktree(visitor, made)).to_have_count(0)
    assert not made.exists()


def test_a_detached_worktree_is_removed_and_not_the_one_whose_branch_is_called_as_its_folder(
    visitor: Visitor, proj: Path
) -> None:
    precious, detached = proj.parent / "precious", proj.parent / "fix"
    git(proj, "worktree", "add", "-q", "-b", "fix", str(precious))
    git(proj, "worktree", "add", "-q", "--detach", str(detached))
    write(precious, work="1")
    write(detached, junk="1")
    write(proj, c="1")
    changes_of(visitor, proj)
    visitor.at("worktrees-open").click()
    worktree(visitor, detached).get_by_test_id("worktree-remove").click()
    expect(visitor.at("remove-question")).to_contain_text("Commits that are on no branch are lost.")
    visitor.at("remove-submit").click()
    expect(worktree(visitor, detached)).to_have_count(0)
    assert (precious / "work").exists()
    assert not detached.exists()


def test_a_late_answer_leaves_the_question_that_was_asked_since(visitor: Visitor, proj: Path) -> None:
    made = proj.parent / "w"
    git(proj, "worktree", "add", "-q", "-b", "x", str(made))
    write(proj, c="1")
    changes_of(visitor, proj)
    visitor.at("worktrees-open").click()
    held: list[Route] = []
    visitor.page.route(re.compile(r"/api/git/changes\?path=.*w$"), lambda route: held.append(route))
    worktree(visitor, made).get_by_test_id("worktree-remove").click()
    visitor.until(lambda: held)
    visitor.at("worktree-new").click()
    visitor.at("worktree-name").fill("half-typed")
    with visitor.page.expect_response(re.compile("/api/git/changes")):
        held[0].continue_()
    expect(visitor.at("worktree-name")).to_have_value("half-typed")
    expect(visitor.at("remove-question")).to_have_count(0)


def test_the_focus_follows_the_questions_about_a_worktree(visitor: Visitor, proj: Path) -> None:
    made = proj.parent / "w"
    git(proj, "worktree", "add", "-q", "-b", "x", str(made))
    write(proj, c="1")
    changes_of(visitor, proj)
    visitor.at("worktrees-open").click()
    row = worktree(visitor, made)
    row.get_by_test_id("worktree-switch").press("Enter")
    expect(visitor.at("switch-branch")).to_be_focused()
    row.get_by_role("button", name="Cancel").press("Enter")
    expect(row.get_by_test_id("worktree-session")).to_be_focused()
    row.get_by_test_id("worktree-remove").press("Enter")
    expect(row.get_by_role("button", name="Cancel")).to_be_focused()
    visitor.at("worktree-new").press("Enter")
    expect(visitor.at("worktree-branch")).to_be_focused()
    visitor.page.get_by_role("button", name="Cancel").press("Enter")
    expect(visitor.at("worktree-new")).to_be_focused()


def test_two_clicks_start_one_session(visitor: Visitor, proj: Path) -> None:
    write(proj, c="1")
    changes_of(visitor, proj)
    visitor.at("worktrees-open").click()
    worktree(visitor, proj).get_by_test_id("worktree-session").dblclick()
    visitor.until_connected()
    assert len(visitor.server.ask("GET", "/api/sessions")) == 1


def test_the_fields_of_two_new_worktrees_have_names_of_their_own(visitor: Visitor, proj: Path) -> None:
    visitor.open()
    visitor.at("session-create").click()
    visitor.at("create-folder").fill("~/proj")
    visitor.at("start-in").select_option("new")
    visitor.at("worktrees-open").click()
    visitor.at("worktree-new").click()
    for label in ("Branch", "Name of the branch", "Folder of the worktree", "Starts at"):
        expect(visitor.page.get_by_label(label, exact=True)).to_have_count(2)


def test_worktrees_without_a_folder_are_forgotten(visitor: Visitor, proj: Path) -> None:
    made = proj.parent / "w"
    git(proj, "worktree", "add", "-q", "-b", "x", str(made))
    shutil.rmtree(made)
    visitor.open()
    visitor.at("session-create").click()
    visitor.at("create-folder").fill("~/proj")
    visitor.at("worktrees-open").click()
    expect(worktree(visitor, made)).to_contain_text("folder is missing")
    visitor.at("worktrees-prune").click()
    expect(worktree(visitor, made)).to_have_count(0)
    visitor.at("worktrees-done").click()
    expect(visitor.at("create-folder")).to_have_value("~/proj")  # the dialog below is as it was
