"""Storing files from a browser, by button, drop and paste, and downloading them."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

from file_view import DROP, SHELL, address, open_panel, row
from playwright.sync_api import Dialog, Route, expect
from served import Serve
from visitor import Visit, Visitor

PASTE = """(target, name) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(["pixels"], name, { type: "image/png" }));
    target.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
}"""


def choose(visitor: Visitor, *files: tuple[str, bytes]) -> None:
    """Choose files in the field of the upload button."""
    visitor.at("upload-files").set_input_files(
        [{"name": name, "mimeType": "application/octet-stream", "buffer": content} for name, content in files]
    )


# Storing


def test_files_are_uploaded_and_nothing_is_overwritten(visitor: Visitor, project: Path) -> None:
    visitor.open(address(project) + "/")
    expect(visitor.at("upload-open")).to_be_visible()
    with visitor.page.expect_file_chooser() as chooser:
        visitor.at("upload-open").click()
    assert chooser.value.is_multiple()
    choose(visitor, ("README.md", b"mine"), ("empty", b""))
    expect(visitor.at("upload-words")).to_have_text("Uploaded 2 files")
    expect(visitor.at("upload-remark")).to_have_text("README.md was stored as README (2).md")
    assert (project / "README.md").read_text() == "# Title\n"
    assert (project / "README (2).md").read_bytes() == b"mine"
    assert (project / "empty").read_bytes() == b""
    expect(row(visitor, project / "README (2).md")).to_be_visible()
    visitor.at("upload-dismiss").click()
    expect(visitor.at("upload-report")).to_have_count(0)


def test_files_are_dropped_into_the_folder_under_them(visitor: Visitor, project: Path) -> None:
    visitor.open(address(project) + "/")
    row(visitor, project / "src").evaluate(DROP, [["dropped.txt", "hello"]])
    expect(row(visitor, project / "src" / "dropped.txt")).to_be_visible()
    assert (project / "src" / "dropped.txt").read_text() == "hello"


def test_a_folder_is_uploaded_with_what_is_in_it(visitor: Visitor, project: Path, folder: Path) -> None:
    tree = folder / "tree"
    (tree / "inner").mkdir(parents=True)
    (tree / "a.txt").write_text("a")
    (tree / "inner" / "b.txt").write_text("b")
    visitor.open(address(project) + "/")
    row(visitor, project / "src").hover()
    row(visitor, project / "src").get_by_test_id("file-menu-open").click()
    with visitor.page.expect_file_chooser() as chooser:
        visitor.at("menu-upload-folder").click()
    chooser.value.set_files(tree)
    expect(visitor.at("upload-words")).to_have_text("Uploaded 2 files")
    assert (project / "src" / "tree" / "inner" / "b.txt").read_text() == "b"


def test_a_large_upload_goes_on_after_its_connection_broke(visitor: Visitor, project: Path) -> None:
    visitor.allow_complaint("ERR_FAILED")
    content = os.urandom(20 * 1024 * 1024)
    broken: list[str] = []

    def break_once(route: Route) -> None:
        if "offset=8388608" in route.request.url and not broken:
            broken.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    visitor.page.route("**/api/fs/uploads/*?offset=*", break_once)
    visitor.open(address(project) + "/")
    expect(visitor.at("upload-open")).to_be_visible()
    choose(visitor, ("large.bin", content))
    expect(visitor.at("upload-words")).to_have_text("Uploaded 1 file")
    assert broken
    assert (project / "large.bin").read_bytes() == content


def test_a_cancelled_upload_leaves_nothing(visitor: Visitor, project: Path) -> None:
    visitor.allow_complaint("ERR_FAILED|status of 409")
    before = sorted(project.iterdir())
    held: list[Route] = []
    visitor.page.route("**/api/fs/uploads/*?offset=*", lambda route: held.append(route))
    visitor.open(address(project) + "/")
    expect(visitor.at("upload-open")).to_be_visible()
    choose(visitor, ("held.bin", b"x" * 1000))
    expect(visitor.at("upload-words")).to_have_text("Uploading held.bin")
    visitor.until(lambda: held)
    with visitor.page.expect_request(lambda request: request.method == "DELETE"):
        visitor.at("upload-cancel").click()
    expect(visitor.at("upload-remark")).to_have_text("Cancelled")
    assert sorted(project.iterdir()) == before
    for route in held:  # Playwright waits for each
        route.abort()


def test_uploads_go_on_while_the_panel_is_closed_and_the_browser_asks_before_it_leaves(
    visitor: Visitor, project: Path
) -> None:
    held: list[Route] = []
    visitor.page.route("**/api/fs/uploads/*?offset=*", lambda route: held.append(route))
    session = visitor.server.session(SHELL, workingDir=str(project))
    open_panel(visitor, session)
    choose(visitor, ("held.bin", b"some bytes"))
    visitor.until(lambda: held)
    visitor.at("files-close").click()
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    visitor.page.once("dialog", stay)
    visitor.page.close(run_before_unload=True)
    visitor.until(lambda: asked == ["beforeunload"])
    visitor.at("back").click()
    visitor.card(session).get_by_role("link").first.click()
    visitor.at("files-open").click()
    expect(visitor.at("file-row").first).to_be_visible()
    expect(visitor.at("upload-words")).to_have_text("Uploading held.bin")
    held[0].continue_()
    expect(visitor.at("upload-words")).to_have_text("Uploaded 1 file")
    expect(row(visitor, project / "held.bin")).to_be_visible()


def test_what_cannot_be_stored_says_why(serve: Serve, visit: Visit) -> None:
    server = serve("--upload-bytes", "1 MiB")
    visitor = visit(server)
    visitor.allow_complaint("status of 413")
    visitor.open("/files")
    expect(visitor.at("upload-open")).to_be_visible()
    choose(visitor, ("large.bin", b"x" * 1_100_000))
    expect(visitor.at("upload-remark")).to_contain_text("large.bin: The file is larger than 1 MiB")
    assert not (server.home / "large.bin").exists()
    choose(visitor, ("small.bin", b"x"))  # it goes on with what fits
    expect(visitor.at("upload-words")).to_have_text("Uploaded 1 file")
    assert (server.home / "small.bin").read_bytes() == b"x"


def test_a_folder_is_made_and_a_name_that_is_taken_is_said(visitor: Visitor, project: Path) -> None:
    visitor.allow_complaint("status of 409")
    visitor.open(address(project) + "/")
    visitor.at("folder-open").click()
    visitor.at("folder-name").fill("src")
    visitor.at("folder-submit").click()
    expect(visitor.at("error")).to_contain_text("There is already a file or folder 'src'")
    visitor.at("folder-name").fill("new one")
    visitor.press("Enter")
    expect(row(visitor, project / "new one")).to_be_visible()
    assert (project / "new one").is_dir()


# Downloads


def test_a_file_and_a_folder_are_downloaded(visitor: Visitor, project: Path) -> None:
    visitor.open(address(project / "note 2.txt"))
    with visitor.page.expect_download() as downloaded:
        visitor.at("download").click()
    assert downloaded.value.suggested_filename == "note 2.txt"
    assert Path(downloaded.value.path()).read_bytes() == (project / "note 2.txt").read_bytes()
    visitor.at("files-tree").focus()
    visitor.press("Home", "Shift+F10")
    with visitor.page.expect_download() as downloaded:
        visitor.at("menu-download").click()
    assert downloaded.value.suggested_filename == "src.zip"
    with zipfile.ZipFile(io.BytesIO(Path(downloaded.value.path()).read_bytes())) as archive:
        assert {"src/main.py", "src/deep/a.c"} <= set(archive.namelist())


# Dropped and pasted on the terminal


def test_a_file_that_is_dropped_on_the_terminal_is_uploaded_and_its_path_inserted(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session(SHELL))
    visitor.until_shows(r"[$#] ?$")
    visitor.type("cat ")
    visitor.at("terminal").evaluate(DROP, [["a b.txt", "drop"], ["c.txt", "ped"]])
    expect(visitor.at("upload-words")).to_have_text("Uploaded 2 files")
    visitor.type("; echo\n")
    visitor.until_shows(r"^dropped$")


def test_files_that_are_dropped_one_after_the_other_and_tried_again_all_arrive(visitor: Visitor) -> None:
    visitor.allow_complaint("507")
    visitor.open_session(visitor.server.session(SHELL))
    visitor.until_shows(r"[$#] ?$")
    visitor.type("cat ")
    held: list[Route] = []
    visitor.page.route("**/api/files/upload", lambda route: held.append(route))
    visitor.at("terminal").evaluate(DROP, [["a.txt", "first"]])
    visitor.until(lambda: len(held) == 1)
    visitor.at("terminal").evaluate(DROP, [["b.txt", "second"]])
    held[0].fulfill(status=507, json={"error": "No room"})
    visitor.until(lambda: len(held) == 2)
    held[1].continue_()
    expect(visitor.at("upload-remark")).to_have_text("a.txt: No room")
    visitor.page.unroute("**/api/files/upload")
    visitor.at("upload-retry").click()
    expect(visitor.at("upload-words")).to_have_text("Uploaded 2 files")
    visitor.until_shows(r"\.txt \S+\.txt")
    visitor.press("Enter")
    visitor.until_shows("^secondfirst")


def test_a_picture_that_is_pasted_is_uploaded_and_its_path_inserted(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session(SHELL))
    visitor.until_shows(r"[$#] ?$")
    visitor.type("cat ")
    visitor.page.get_by_label("Terminal", exact=True).evaluate(PASTE, "image.png")
    expect(visitor.at("upload-words")).to_have_text("Uploaded 1 file")
    visitor.type("; echo\n")
    visitor.until_shows(r"^pixels$")
