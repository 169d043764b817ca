"""Files beside the terminal and on a page of their own: looking, opening places, and rights, in a browser."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pygit2
import pytest
from file_view import DROP, SHELL, address, open_panel, row, until_names
from playwright.sync_api import expect
from served import PASSWORD, Served
from visitor import PHONE, Visit, Visitor

VIEWER = "chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai/"  # Chromium's own PDF viewer
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PDF = b"""%PDF-1.1
%\xe2\xe3\xcf\xd3
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj
trailer<</Root 1 0 R>>
"""


def log_in(visitor: Visitor, name: str) -> None:
    visitor.open()
    visitor.at("login-user").fill(name)
    visitor.at("login-password").fill(PASSWORD)
    visitor.at("login-submit").click()


# The panel beside the terminal


def test_the_panel_begins_at_the_sessions_folder_and_the_terminal_fits_beside_it(
    visitor: Visitor, project: Path
) -> None:
    visitor.open_session(visitor.server.session(SHELL, workingDir=str(project)))
    visitor.until(lambda: visitor.size()[1] > 100)
    _, alone = visitor.size()
    visitor.at("files-open").click()
    until_names(visitor, "src", "note 2.txt", "note 10.txt", "README.md")
    expect(visitor.at("crumb")).to_have_text([visitor.server.home.name, "proj"])
    visitor.until(lambda: visitor.size()[1] < alone - 40)
    _, beside = visitor.size()
    visitor.at("splitter").focus()
    visitor.press(*["ArrowLeft"] * 4)
    expect(visitor.at("splitter")).to_have_attribute("aria-valuenow", "516")
    visitor.until(lambda: visitor.size()[1] < beside - 10)  # 96 pixels
    _, narrow = visitor.size()
    visitor.page.reload()
    visitor.until_connected()
    visitor.at("files-open").click()
    visitor.until(lambda: visitor.size()[1] == narrow)  # the width is kept
    visitor.at("files-close").click()
    visitor.until(lambda: visitor.size()[1] == alone)
    visitor.type("echo back\n")  # the focus is in the terminal
    visitor.until_shows(r"^back$")


def test_the_panel_is_dragged_wider(visitor: Visitor, project: Path) -> None:
    open_panel(visitor, visitor.server.session(SHELL, workingDir=str(project)))
    before = visitor.at("files").bounding_box()
    assert before
    visitor.page.mouse.move(before["x"], 300)
    visitor.page.mouse.down()
    visitor.page.mouse.move(before["x"] - 200, 300, steps=4)
    visitor.page.mouse.up()
    after = visitor.at("files").bounding_box()
    assert after
    assert after["width"] == pytest.approx(before["width"] + 200, abs=8)


def test_the_panel_follows_the_folder_that_the_shell_reports(visitor: Visitor, project: Path) -> None:
    session = visitor.server.session(SHELL, workingDir=str(project))
    visitor.open_session(session)
    visitor.at("files-open").click()
    expect(visitor.at("files-here")).to_have_count(0)
    visitor.at("terminal").evaluate("terminal => terminal.focus()")
    visitor.type(f"printf '\\033]7;file://%s\\007' {project}/src\n")
    visitor.at("files-here").click()
    until_names(visitor, "deep", "main.py")


def test_a_command_that_changes_files_is_seen_in_the_panel(visitor: Visitor, project: Path) -> None:
    open_panel(visitor, visitor.server.session(SHELL, workingDir=str(project)))
    row(visitor, project / "README.md").click()
    expect(visitor.at("preview-text")).to_have_text("# Title")
    visitor.at("terminal").evaluate("terminal => terminal.focus()")
    mark = "printf '\\033]133;%s\\007'"  # as shell integration prints them
    visitor.type(f"{mark} A B C; echo changed > README.md; echo x > new.txt; {mark} 'D;0'\n")
    expect(visitor.at("preview-text")).to_have_text("changed")
    visitor.at("preview-back").click()
    expect(row(visitor, project / "new.txt")).to_be_visible()


def test_a_folder_that_is_not_shared_is_said_and_the_first_root_is_shown(visitor: Visitor, project: Path) -> None:
    visitor.allow_complaint("status of 403")
    visitor.open_session(visitor.server.session(SHELL, workingDir="/"))
    visitor.at("files-open").click()
    expect(visitor.at("files").get_by_role("alert")).to_be_visible()
    until_names(visitor, "proj")


# The tree


def test_folders_open_lazily_and_with_keys(visitor: Visitor, project: Path) -> None:
    open_panel(visitor, visitor.server.session(SHELL, workingDir=str(project)))
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url) if "/browse" in request.url else None)
    expect(visitor.at("files-tree")).to_be_focused()
    expect(visitor.at("files-tree")).to_have_attribute("aria-activedescendant", "file-row-0")
    visitor.press("ArrowRight")
    expect(row(visitor, project / "src")).to_have_attribute("aria-expanded", "true")
    until_names(visitor, "src", "deep", "main.py", "note 2.txt", "note 10.txt", "README.md")
    assert len(asked) == 1
    expect(row(visitor, project / "src" / "main.py")).to_have_attribute("aria-level", "2")
    visitor.press("ArrowDown", "ArrowDown", "Enter")
    expect(visitor.at("preview-name")).to_have_text("main.py")
    expect(visitor.at("preview-text")).to_contain_text("value_1 = 1")
    visitor.press("Escape")  # back to the list, which has its focus again
    expect(visitor.at("preview-text")).to_have_count(0)
    expect(visitor.at("files-tree")).to_be_focused()
    visitor.press("ArrowLeft", "ArrowLeft")
    until_names(visitor, "src", "note 2.txt", "note 10.txt", "README.md")
    visitor.press("ArrowRight", "End", "Home", "Backspace")
    until_names(visitor, "proj")
    visitor.press("Escape")
    expect(visitor.at("files")).to_have_count(0)


def test_rows_have_names_for_screen_readers(visitor: Visitor, project: Path) -> None:
    visitor.open(address(project) + "/")
    tree = visitor.page.get_by_role("tree", name=f"Files in {project}")
    expect(tree.get_by_role("treeitem", name="README.md, 8 B, changed now")).to_be_visible()
    expect(tree.get_by_role("treeitem", name="src, folder")).to_have_attribute("aria-setsize", "4")
    for test_id, name in (
        ("files-hidden", "Hidden files"),
        ("files-refresh", "Refresh"),
        ("upload-open", "Upload files"),
    ):
        expect(visitor.at(test_id)).to_have_accessible_name(name)


def test_typing_filters(visitor: Visitor, project: Path) -> None:
    visitor.open(address(project) + "/")
    visitor.at("files-tree").focus()
    visitor.type("note")
    until_names(visitor, "note 2.txt", "note 10.txt")
    expect(visitor.at("files-filter")).to_have_value("note")
    visitor.type(" 10")
    until_names(visitor, "note 10.txt")
    visitor.press("Enter")
    expect(visitor.at("preview-text")).to_have_text("ten")
    visitor.at("files-filter").press("Escape")
    until_names(visitor, "src", "note 2.txt", "note 10.txt", "README.md")


def test_hidden_files_and_the_order_are_kept(visitor: Visitor, project: Path) -> None:
    visitor.open(address(project) + "/")
    until_names(visitor, "src", "note 2.txt", "note 10.txt", "README.md")
    visitor.at("files-hidden").click()
    until_names(visitor, "src", ".hidden", "note 2.txt", "note 10.txt", "README.md")
    visitor.at("files-sort-size").click()
    until_names(visitor, "src", "note 2.txt", "README.md", ".hidden", "note 10.txt")
    visitor.page.reload()
    until_names(visitor, "src", "note 2.txt", "README.md", ".hidden", "note 10.txt")
    expect(visitor.at("files-sort-size")).to_have_accessible_name("Sort by size, now descending")
    visitor.at("files-hidden").click()
    until_names(visitor, "src", "note 2.txt", "README.md", "note 10.txt")


def test_a_folder_of_thousands_draws_only_what_is_in_view(visitor: Visitor, project: Path) -> None:
    many = project / "many"
    many.mkdir()
    for number in range(3000):
        (many / f"{number:04}.txt").touch()
    visitor.open(address(many) + "/")
    expect(visitor.at("file-row").first).to_be_visible()
    assert visitor.at("file-row").count() < 100
    visitor.at("files-tree").press("End")
    expect(row(visitor, many / "2999.txt")).to_be_visible()
    assert visitor.at("file-row").count() < 100


def test_git_marks_changed_files(visitor: Visitor, project: Path) -> None:
    repository = pygit2.init_repository(str(project))
    repository.index.add("README.md")
    repository.index.write()
    who = pygit2.Signature("ada", "ada@example.org")
    repository.create_commit("HEAD", who, who, "first", repository.index.write_tree(), [])
    (project / "README.md").write_text("# Changed\n")
    visitor.open(address(project) + "/")
    expect(row(visitor, project / "README.md").locator(".mark-letter")).to_have_text("M")
    expect(row(visitor, project / "src").locator(".mark-letter")).to_have_text(re.compile("[•U]"))


# The page and its addresses


def test_the_address_has_the_path_and_going_back_works(visitor: Visitor, project: Path) -> None:
    visitor.open()
    visitor.at("files-page").click()
    until_names(visitor, "proj")
    row(visitor, project).dblclick()
    until_names(visitor, "src", "note 2.txt", "note 10.txt", "README.md")
    assert visitor.page.url == visitor.server.url + address(project) + "/"
    row(visitor, project / "note 2.txt").click()
    expect(visitor.at("preview-text")).to_have_text("two <b>&amp;</b>")  # text, never markup
    assert visitor.page.url == visitor.server.url + address(project / "note 2.txt")
    row(visitor, project / "README.md").click()
    expect(visitor.at("preview-text")).to_have_text("# Title")
    visitor.page.go_back()
    expect(visitor.at("preview-name")).to_have_text("note 2.txt")
    visitor.page.reload()
    expect(visitor.at("preview-name")).to_have_text("note 2.txt")
    visitor.page.go_back()
    expect(visitor.at("preview-name")).to_have_count(0)
    visitor.page.go_back()
    until_names(visitor, "proj")
    visitor.page.go_forward()
    until_names(visitor, "src", "note 2.txt", "note 10.txt", "README.md")
    visitor.at("back").click()
    expect(visitor.at("session-create")).to_be_visible()


def test_a_line_of_the_address_is_shown_and_marked(visitor: Visitor, project: Path) -> None:
    visitor.open(address(project / "src" / "main.py", 250))
    chosen = visitor.page.locator(".code-line.chosen")
    expect(chosen).to_have_text("value_250 = 250")
    expect(chosen).to_be_in_viewport()
    expect(visitor.page.locator(".hljs-number", has_text="250")).to_be_visible()  # the colours have come
    expect(chosen).to_be_in_viewport()
    visitor.page.locator('[data-line="245"]').click(position={"x": 12, "y": 8})  # its number
    expect(chosen).to_have_text("value_245 = 245")
    assert visitor.page.url.endswith("main.py&line=245")


def test_an_address_leads_through_the_login_to_its_file(server: Served, project: Path, visit: Visit) -> None:
    server.user("ada")
    visitor = visit(server, logged_in=False)
    visitor.allow_complaint("status of 401")
    visitor.open(address(project / "README.md"))
    visitor.at("login-user").fill("ada")
    visitor.at("login-password").fill(PASSWORD)
    visitor.at("login-submit").click()
    expect(visitor.at("preview-text")).to_have_text("# Title")


def test_a_path_that_does_not_exist_is_said(visitor: Visitor, project: Path) -> None:
    visitor.allow_complaint("status of 404")
    visitor.open(address(project / "nothing"))
    expect(visitor.at("error")).to_have_text(f"{project}/nothing: File or folder not found")
    until_names(visitor, "proj")


# The preview


def test_a_lost_network_takes_no_list_away_and_its_return_renews_it(visitor: Visitor, project: Path) -> None:
    visitor.allow_complaint(r"ERR_INTERNET_DISCONNECTED|ERR_FAILED")
    visitor.open(address(project))
    expect(row(visitor, project / "README.md")).to_be_visible()
    visitor.page.context.set_offline(True)
    visitor.at("files-refresh").click()
    failure = visitor.page.locator(".tree-row.remark")
    expect(failure).to_contain_text("The server does not answer")
    expect(row(visitor, project / "README.md")).to_be_visible()
    (project / "new.txt").touch()
    visitor.page.context.set_offline(False)
    expect(row(visitor, project / "new.txt")).to_be_visible()
    expect(failure).to_have_count(0)


def test_a_large_text_shows_its_beginning_and_a_download(visitor: Visitor, project: Path) -> None:
    large = project / "large.log"
    large.write_text("a line of a log\n" * 100_000)
    visitor.open(address(large))
    expect(visitor.at("preview-remark")).to_contain_text("This is the beginning of 1.5 MiB.")
    with visitor.page.expect_download() as downloaded:
        visitor.at("preview-remark").get_by_role("link").click()
    assert Path(downloaded.value.path()).read_bytes() == large.read_bytes()


def test_long_lines_scroll_or_wrap(visitor: Visitor, project: Path) -> None:
    (project / "wide.txt").write_text("word " * 4000 + "\nshort\n")
    visitor.open(address(project / "wide.txt"))
    code = visitor.at("preview-text")
    expect(code).to_contain_text("short")
    assert code.evaluate("code => code.scrollWidth > code.clientWidth")
    assert not visitor.page.evaluate("() => document.documentElement.scrollWidth > innerWidth")
    visitor.at("preview-wrap").click()
    visitor.until(lambda: code.evaluate("code => code.scrollWidth <= code.clientWidth"))


def test_a_file_that_is_no_text_is_said(visitor: Visitor, project: Path) -> None:
    (project / "data.bin").write_bytes(bytes(range(256)))
    visitor.open(address(project / "data.bin"))
    expect(visitor.at("preview-binary")).to_contain_text("This file is not text.")
    expect(visitor.at("preview-binary")).to_contain_text("256 B")


def test_a_picture_is_shown_and_one_with_a_script_is_inert(visitor: Visitor, project: Path) -> None:
    (project / "a.png").write_bytes(PIXEL)
    (project / "b.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
        '<script>parent.document.title = "evil"</script></svg>'
    )
    visitor.open(address(project / "a.png"))
    expect(visitor.page.locator("figcaption")).to_have_text(f"1 × 1 · {len(PIXEL)} B")
    visitor.open(address(project / "b.svg"))
    expect(visitor.page.locator("figcaption")).to_contain_text("9 × 9")
    assert "evil" not in visitor.page.title()


def test_a_pdf_document_opens_in_the_browsers_own_viewer(visitor: Visitor, project: Path) -> None:
    visitor.allow_complaint(VIEWER)
    (project / "a.pdf").write_bytes(PDF)
    visitor.open(address(project / "a.pdf"))
    expect(visitor.at("preview-pdf")).to_have_text("Open")
    with (
        visitor.context.expect_event("request", lambda request: request.url.startswith(VIEWER)),
        visitor.context.expect_page() as opened,
    ):
        visitor.at("preview-pdf").click()
    opened.value.close()


def test_a_pdf_document_is_fetched_again_only_after_a_change(visitor: Visitor, project: Path) -> None:
    (project / "a.pdf").write_bytes(PDF)
    visitor.open(address(project / "a.pdf"))
    link = visitor.at("preview-pdf")
    expect(link).to_have_text("Open")
    first = str(link.get_attribute("href"))

    def refreshed() -> int:
        with visitor.page.expect_response(lambda response: "/api/fs/raw" in response.url) as answer:
            visitor.at("files-refresh").click()
        return answer.value.status

    assert refreshed() == 304
    expect(link).to_have_attribute("href", first)
    (project / "a.pdf").write_bytes(PDF + b"% changed\n")
    assert refreshed() == 200
    expect(link).not_to_have_attribute("href", first)
    expect(link).to_have_text("Open")


def test_a_page_that_calls_itself_a_pdf_runs_nothing(visitor: Visitor, project: Path) -> None:
    visitor.allow_complaint(VIEWER)
    (project / "a.pdf").write_text("<script>document.title = 'evil'; opener?.alert(1)</script>")
    visitor.open(address(project / "a.pdf"))
    with visitor.context.expect_page() as opened:
        visitor.at("preview-pdf").click()
    opened.value.wait_for_load_state()
    assert "evil" not in opened.value.title()
    opened.value.close()


# The terminal


def test_a_path_is_inserted_as_one_word_of_the_shell(visitor: Visitor, project: Path) -> None:
    odd = project / "it's $(touch X);.txt"
    odd.write_text("odd")
    visitor.open_session(visitor.server.session(SHELL, workingDir=str(project)))
    visitor.until_shows(r"[$#] ?$")
    visitor.type("cat ")
    visitor.at("files-open").click()
    row(visitor, odd).click()
    visitor.at("insert-path").click()
    visitor.type("; echo\n")  # the focus is in the terminal
    visitor.until_shows(r"^odd$")
    assert not (project / "X").exists()


def test_the_menu_inserts_the_path_of_a_folder(visitor: Visitor, project: Path) -> None:
    open_panel(visitor, visitor.server.session("exec cat", workingDir=str(project)))
    row(visitor, project / "src").click(button="right")
    visitor.at("menu-insert").click()
    visitor.until(lambda: f"{project}/src " in visitor.text().replace("\n", "") + " ")
    visitor.type("typed")  # the focus is in the terminal
    visitor.until(lambda: f"{project}/src typed" in visitor.text().replace("\n", ""))


def test_escape_closes_the_menu_only_and_goes_back_to_the_tree(visitor: Visitor, project: Path) -> None:
    open_panel(visitor, visitor.server.session("exec cat", workingDir=str(project)))
    for key in ("Escape", "Tab"):
        row(visitor, project / "src").click(button="right")
        expect(visitor.at("menu-enter")).to_be_focused()
        visitor.press(key)
        expect(visitor.at("file-menu")).to_be_hidden()
        expect(visitor.at("files-tree")).to_be_focused()


def hover_text(visitor: Visitor, text: str) -> None:
    """Move the pointer onto a text in the terminal."""
    lines = visitor.text().split("\n")
    y, x = next((y, line.index(text)) for y, line in reversed([*enumerate(lines)]) if text in line)
    screen = visitor.page.locator(".xterm-screen").bounding_box()
    assert screen
    rows, cols = visitor.size()
    at = (screen["x"] + (x + 2.5) * screen["width"] / cols, screen["y"] + (y + 0.5) * screen["height"] / rows)
    visitor.page.mouse.move(at[0] + 1, at[1])
    visitor.page.mouse.move(*at)


def test_a_place_in_a_file_that_a_program_prints_opens_it_at_the_line(visitor: Visitor, project: Path) -> None:
    visitor.open_session(visitor.server.session(SHELL, workingDir=str(project)))
    visitor.until_shows(r"[$#] ?$")
    visitor.type("printf 'src/%s:%s: wrong\\n' none.py 3 main.py 120\n")
    visitor.until_shows(r"^src/main.py:120: wrong$")
    pointer = visitor.page.locator(".xterm-cursor-pointer")
    with visitor.page.expect_response(lambda response: "none.py" in response.url):
        hover_text(visitor, "src/none.py:3")
    expect(pointer).to_have_count(0)
    hover_text(visitor, "src/main.py:120")
    expect(pointer).to_have_count(1)
    visitor.page.mouse.down()
    visitor.page.mouse.up()
    chosen = visitor.page.locator(".code-line.chosen")
    expect(chosen).to_have_text("value_120 = 120")
    expect(chosen).to_be_in_viewport()

    def again() -> None:
        hover_text(visitor, "src/none.py:3")  # xterm.js looks for links when the pointer comes to another cell
        hover_text(visitor, "src/main.py:120")
        expect(pointer).to_have_count(1)
        visitor.page.mouse.down()
        visitor.page.mouse.up()

    visitor.at("tab-changes").click()
    again()
    expect(chosen).to_be_in_viewport()
    visitor.at("preview-text").evaluate("code => code.scrollTo(0, 0)")
    expect(chosen).not_to_be_in_viewport()
    again()
    expect(chosen).to_be_in_viewport()
    source = project / "src" / "main.py"
    source.write_text(source.read_text().replace("value_120", "changed"))
    again()
    expect(chosen).to_have_text("changed = 120")


# Rights


def test_a_user_without_the_right_sees_nothing_of_files(server: Served, project: Path, visit: Visit) -> None:
    server.user("vera", "viewer")
    session = server.session(SHELL, workingDir=str(project), spawn="now")
    visitor = visit(server, logged_in=False)
    visitor.allow_complaint("status of 401")
    log_in(visitor, "vera")
    expect(visitor.card(session)).to_be_visible()
    expect(visitor.at("files-page")).to_have_count(0)
    visitor.open_session(session)
    expect(visitor.at("files-open")).to_have_count(0)
    visitor.open("/files")
    expect(visitor.at("notice-forbidden")).to_contain_text("You have no access to files")


def test_a_guest_sees_files_only_with_a_link_that_has_them(server: Served, project: Path, visit: Visit) -> None:
    session = server.session(SHELL, workingDir=str(project), spawn="now")
    guest = visit(server, logged_in=False)
    guest.page.goto(server.share(session, "type"))
    guest.until_connected()
    expect(guest.at("files-open")).to_have_count(0)
    reader = visit(server, logged_in=False)
    reader.page.goto(server.share(session, "view", files=True))
    reader.until_connected()
    reader.at("files-open").click()
    until_names(reader, "src", "note 2.txt", "note 10.txt", "README.md")
    expect(reader.at("crumb")).to_have_text(["proj"])  # nothing above the session's folder
    for test_id in ("upload-open", "folder-open"):
        expect(reader.at(test_id)).to_have_count(0)
    row(reader, project / "README.md").click()
    expect(reader.at("preview-text")).to_have_text("# Title")
    expect(reader.at("insert-path")).to_have_count(0)  # this guest may not type


def test_a_viewer_of_the_terminal_cannot_drop_files_on_it(server: Served, project: Path, visit: Visit) -> None:
    session = server.session("exec cat", workingDir=str(project), spawn="now")
    guest = visit(server, logged_in=False)
    guest.page.goto(server.share(session, "view", files=True))
    guest.until_connected()
    guest.at("terminal").evaluate(DROP, [["a.txt", "dropped"]])
    expect(guest.at("upload-report")).to_have_count(0)
    assert guest.page.url.endswith(f"/session/{session}")  # the browser has not opened the file


# A phone


def test_on_a_phone_the_panel_covers_the_terminal(server: Served, project: Path, visit: Visit) -> None:
    visitor = visit(server, **PHONE)
    visitor.open_session(server.session(SHELL, workingDir=str(project)))
    visitor.at("files-open").tap()
    expect(visitor.at("file-row").first).to_be_visible()
    box = visitor.at("files").bounding_box()
    assert box
    assert (box["width"], box["x"]) == (390, 0)
    row(visitor, project / "src").tap()
    row(visitor, project / "src" / "main.py").tap()
    expect(visitor.at("preview-text")).to_contain_text("value_1 = 1")
    expect(visitor.at("files-tree")).not_to_be_visible()
    for test_id in ("preview-back", "insert-path", "copy-path", "download", "files-close"):
        expect(visitor.at(test_id)).to_be_in_viewport(ratio=1)
        size = visitor.at(test_id).bounding_box()
        assert size
        assert size["height"] >= 40  # a finger's size
    assert not visitor.page.evaluate("() => document.documentElement.scrollWidth > innerWidth")
    visitor.at("preview-back").tap()
    expect(row(visitor, project / "src" / "main.py")).to_be_visible()
    row(visitor, project / "src" / "main.py").get_by_test_id("file-menu-open").tap()
    visitor.at("menu-insert").tap()
    expect(visitor.at("files")).to_have_count(0)  # the terminal shows what it got
    visitor.until_shows(r"main\.py")


def test_on_a_phone_the_page_shows_one_thing_at_a_time(server: Served, project: Path, visit: Visit) -> None:
    visitor = visit(server, **PHONE)
    visitor.open(address(project / "src" / "main.py", 200))
    expect(visitor.page.locator(".code-line.chosen")).to_be_in_viewport()
    visitor.at("preview-back").tap()
    expect(visitor.at("preview-text")).to_have_count(0)
    row(visitor, project / "src" / "deep").get_by_test_id("file-menu-open").tap()
    for item in ("menu-enter", "menu-copy", "menu-download", "menu-upload"):
        expect(visitor.at(item)).to_be_in_viewport(ratio=1)
    visitor.at("menu-enter").tap()
    until_names(visitor, "a.c")


def test_a_place_that_is_tapped_opens_and_one_that_is_missing_is_said(
    server: Served, project: Path, visit: Visit
) -> None:
    visitor = visit(server, **PHONE)
    visitor.open_session(server.session("echo src/main.py:9 none.py:1; exec cat", workingDir=str(project)))
    visitor.until_shows(r"none.py:1")
    screen = visitor.page.locator(".xterm-screen").bounding_box()
    assert screen
    rows, cols = visitor.size()
    cell = (screen["width"] / cols, screen["height"] / rows)
    visitor.page.touchscreen.tap(screen["x"] + 16.5 * cell[0] + 4 * cell[0], screen["y"] + cell[1] / 2)
    expect(visitor.at("hint")).to_have_text("No such file: none.py")
    visitor.page.touchscreen.tap(screen["x"] + 3.5 * cell[0], screen["y"] + cell[1] / 2)
    expect(visitor.page.locator(".code-line.chosen")).to_have_text("value_9 = 9")
