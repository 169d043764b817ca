"""The routes of files, as clients use them: those of VibeTunnel's own client, and those of the Go server's."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import os
import tempfile
import threading
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from harness import Browser, Running, Serve, until
from principals import Program, logged_in, share, tokens_of
from tornado.ioloop import IOLoop

from vibetunnel.files import listing, reading, space, storing
from vibetunnel.files.git import FolderChanges, NoGit
from vibetunnel.files.names import text_of
from vibetunnel.files.space import THREADS
from vibetunnel.handlers import files
from vibetunnel.http.body import WAITING, IncomingBody
from vibetunnel.sessions.model import iso

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
def root(folder: Path) -> Path:
    """The root of the server's files."""
    path = folder / "files"
    path.mkdir()
    return path


@pytest.fixture
def served(io_loop: IOLoop, serve: Serve, root: Path) -> Running:
    return io_loop.run_sync(lambda: serve(file_root=(root,)))


def path_query(path: object, **more: object) -> str:
    return "?" + "&".join(f"{name}={quote(str(value), safe='')}" for name, value in {"path": path, **more}.items())


def form(*parts: tuple[str, str | None, bytes], boundary: str = "b0undary") -> tuple[bytes, dict[str, str]]:
    """(body, headers) of a form. parts: (field, file name or None, contents)"""
    body = b""
    for field, filename, contents in parts:
        name = "" if filename is None else f'; filename="{filename}"\r\nContent-Type: text/plain'
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"{name}\r\n\r\n'.encode()
        body += contents + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def contents_of(path: str) -> bytes:
    return Path(path).read_bytes()


async def send_form(client: Running, path: str, *parts: tuple[str, str | None, bytes], status: int = 200) -> Any:
    sent, headers = form(*parts)
    return await client.json("POST", path, sent, headers=headers, status=status)


# Listings


async def test_a_listing_has_the_shape_of_the_node_server(served: Running, root: Path) -> None:
    (root / "proj").mkdir()
    (root / "a.txt").write_text("hello")
    (root / "a.txt").chmod(0o640)
    (root / ".hidden").touch()
    found = await served.json("GET", "/api/fs/browse?path=.&showHidden=false&gitFilter=all")
    assert (found["path"], found["fullPath"], found["gitStatus"]) == (".", str(root), None)
    assert (found["root"], found["roots"], found["parent"], found["truncated"]) == (str(root), [str(root)], None, False)
    assert [(each["name"], each["path"], each["type"]) for each in found["files"]] == [
        ("proj", "proj", "directory"),
        ("a.txt", "a.txt", "file"),
    ]
    file = found["files"][1]
    assert (file["size"], file["permissions"], file["isSymlink"], file["isGitTracked"]) == (5, "640", False, False)
    assert file["modified"].endswith("Z")
    found = await served.json("GET", "/api/fs/browse?showHidden=true")
    assert [each["name"] for each in found["files"]] == ["proj", ".hidden", "a.txt"]


async def test_the_path_of_an_entry_comes_back_as_it_is(served: Running, root: Path) -> None:
    (root / "proj" / "deep").mkdir(parents=True)
    (root / "proj" / "deep" / "a.txt").write_text("x")
    first = await served.json("GET", "/api/fs/browse?path=.")
    second = await served.json("GET", "/api/fs/browse" + path_query(first["files"][0]["path"]))
    assert (second["files"][0]["path"], second["parent"]) == ("proj/deep", ".")
    third = await served.json("GET", "/api/fs/browse" + path_query(second["fullPath"] + "/deep"))
    assert third["files"][0]["path"] == "proj/deep/a.txt"
    for path in ("proj/deep/a.txt", str(root / "proj/deep/a.txt"), "proj/../proj//./deep/a.txt"):
        assert (await served.json("GET", "/api/fs/content" + path_query(path)))["content"] == "x"


async def test_missing_folders_and_files_say_so_as_in_the_node_server(served: Running, root: Path) -> None:
    (root / "a.txt").touch()
    for path, status, error in (("nope", 404, "Directory not found"), ("a.txt", 400, "Path is not a directory")):
        assert (await served.json("GET", "/api/fs/browse" + path_query(path), status=status)) == {"error": error}
    assert await served.json("GET", "/api/fs/preview?path=nope", status=404) == {"error": "File not found"}
    assert (await served.json("GET", "/api/fs/preview?path=.", status=400))["error"].startswith("Path is a directory")
    assert (await served.json("GET", "/api/fs/preview", status=400))["error"].startswith("path: ")


async def test_names_that_are_no_utf8_are_listed_and_reachable(served: Running, root: Path) -> None:
    names = [b"caf\xe9", b"\xff\xfe", "\uf7aa".encode(), "é".encode(), b'a\nb\x1b[31m"<b>']
    for number, name in enumerate(names):
        (root / os.fsdecode(name)).write_text(str(number))
    response = await served.fetch("GET", "/api/fs/browse")
    response.body.decode()  # valid UTF-8
    files = json.loads(response.body)["files"]
    contents = [await served.json("GET", "/api/fs/content" + path_query(each["path"])) for each in files]
    assert sorted(each["content"] for each in contents) == ["0", "1", "2", "3", "4"]


async def test_a_folder_with_100000_entries_is_cut_and_holds_up_nobody(served: Running, root: Path) -> None:
    many = root / "many"
    many.mkdir()
    descriptor = os.open(many, os.O_RDONLY)
    try:
        for number in range(100_000):
            os.mknod(f"{number:06}", dir_fd=descriptor)
    finally:
        os.close(descriptor)
    asked = asyncio.ensure_future(served.json("GET", "/api/fs/browse?path=many"))
    answered = 0
    while not asked.done():
        await served.json("GET", "/api/health")
        answered += 1
    found = await asked
    assert (len(found["files"]), found["truncated"]) == (listing.MAX_ENTRIES, True)
    assert found["files"][-1]["name"] == f"{listing.MAX_ENTRIES - 1:06}"
    assert answered > 2


async def test_completions_have_the_shape_of_the_node_server(served: Running, root: Path) -> None:
    (root / "Project" / ".git").mkdir(parents=True)
    (root / "prose.txt").touch()
    (root / ".profile").touch()
    found = await served.json("GET", "/api/fs/completions" + path_query(f"{root}/pro"))
    assert found["partialPath"] == "pro"
    assert [(each["name"], each["suggestion"], each["isRepository"]) for each in found["completions"]] == [
        ("Project", f"{root}/Project/", True),
        ("prose.txt", f"{root}/prose.txt", False),
    ]
    assert (await served.json("GET", "/api/fs/completions?path=.pr"))["completions"][0]["name"] == ".profile"
    assert await served.json("GET", "/api/fs/completions?path=nope/x") == {"completions": [], "partialPath": ""}
    for number in range(50):
        (root / f"x{number}").touch()
    assert len((await served.json("GET", "/api/fs/completions?path=x"))["completions"]) == listing.MAX_COMPLETIONS


async def test_the_name_that_is_typed_comes_first_among_very_many_that_go_on(served: Running, root: Path) -> None:
    for number in range(listing.MAX_COMPLETIONS + 10):
        (root / f"note{number:02}").mkdir()
    (root / "note").touch()
    found = (await served.json("GET", "/api/fs/completions?path=note"))["completions"]
    assert [each["name"] for each in found[:2]] == ["note", "note00"]
    assert len(found) == listing.MAX_COMPLETIONS


# Contents


async def test_previews_have_the_shapes_of_the_node_server(served: Running, root: Path) -> None:
    (root / "a.py").write_text("print('é')\n")
    (root / "p.png").write_bytes(PNG)
    (root / "b.bin").write_bytes(b"\0\1" * 1000)
    text = await served.json("GET", "/api/fs/preview?path=a.py")
    assert (text["type"], text["content"], text["language"], text["truncated"]) == (
        "text", "print('é')\n", "python", False,
    )  # fmt: skip
    image = await served.json("GET", "/api/fs/preview?path=p.png")
    assert (image["type"], image["mimeType"], image["url"]) == ("image", "image/png", "/api/fs/raw?path=p.png")
    assert (await served.fetch("GET", image["url"])).body == PNG
    binary = await served.json("GET", "/api/fs/preview?path=b.bin")
    assert (binary["type"], binary["size"], binary["humanSize"]) == ("binary", 2000, "2000 bytes")


async def test_the_preview_of_a_long_text_is_cut_between_characters(served: Running, root: Path) -> None:
    (root / "log").write_text("x" + "é" * reading.MAX_TEXT)
    found = await served.json("GET", "/api/fs/preview?path=log")
    assert (found["type"], found["truncated"]) == ("text", True)
    assert found["content"] == "x" + "é" * ((reading.MAX_TEXT - 1) // 2)
    assert (await served.fetch("GET", "/api/fs/content?path=log")).code == 413


async def test_without_a_repository_nothing_has_changed(served: Running, root: Path) -> None:
    (root / "a.txt").write_text("one\n")
    assert await served.json("GET", "/api/fs/diff?path=a.txt") == {"path": "a.txt", "diff": "", "hasDiff": False}
    assert await served.json("GET", "/api/fs/diff-content?path=a.txt") == {
        "path": "a.txt", "originalContent": "one\n", "modifiedContent": "one\n", "language": "plaintext",
    }  # fmt: skip


async def test_a_download_runs_nothing(served: Running, root: Path) -> None:
    for name, kind in (
        ("a.html", "text/plain; charset=utf-8"),
        ("a.svg", "image/svg+xml"),
        ("a.js", "text/plain; charset=utf-8"),
        ("a.css", "text/plain; charset=utf-8"),
        ("a.xhtml", "application/octet-stream"),
        ("a.pdf", "application/pdf"),
        ("a", "application/octet-stream"),
    ):
        (root / name).write_text("<script>alert(1)</script>")
        response = await served.fetch("GET", f"/api/fs/raw?path={name}")
        assert response.headers["Content-Type"] == kind
        assert "sandbox" in response.headers["Content-Security-Policy"]
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Disposition"].startswith("attachment; ")


async def test_the_name_of_a_download_is_safe_in_a_header(served: Running, root: Path) -> None:
    name = 'é"\r\n; x=%41.txt'
    (root / name).write_text("x")
    response = await served.fetch("GET", "/api/fs/raw" + path_query(name))
    assert response.code == 200
    plain, _, coded = response.headers["Content-Disposition"].partition("; filename*=UTF-8''")
    assert coded == quote(name, safe="")
    assert plain == 'attachment; filename="____; x=_41.txt"'


@pytest.mark.parametrize(
    ("asked", "status", "expected", "shown"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=5-4", 200, b"0123456789", None),
        ("bytes=0-1,3-4", 200, b"0123456789", None),
        ("bytes=x", 200, b"0123456789", None),
        ("lines=0-1", 200, b"0123456789", None),
        ("bytes=10-", 416, None, "bytes */10"),
        ("bytes=-0", 416, None, "bytes */10"),
    ],
)
async def test_ranges(
    served: Running, root: Path, asked: str, status: int, expected: bytes | None, shown: str | None
) -> None:
    (root / "a").write_bytes(b"0123456789")
    response = await served.fetch("GET", "/api/fs/raw?path=a", headers={"Range": asked})
    assert response.code == status
    assert response.headers.get("Content-Range") == shown
    if expected is not None:
        assert response.body == expected
        assert response.headers["Accept-Ranges"] == "bytes"


async def test_a_range_of_a_file_that_has_changed_is_the_whole_file(served: Running, root: Path) -> None:
    (root / "a").write_bytes(b"0123456789")
    first = await served.fetch("GET", "/api/fs/raw?path=a")
    tag = first.headers["Etag"]
    part = {"Range": "bytes=5-", "If-Range": tag}
    assert (await served.fetch("GET", "/api/fs/raw?path=a", headers=part)).body == b"56789"
    assert (await served.fetch("GET", "/api/fs/raw?path=a", headers={"If-None-Match": tag})).code == 304
    (root / "a").write_bytes(b"abcdefghijk")
    response = await served.fetch("GET", "/api/fs/raw?path=a", headers=part)
    assert (response.code, response.body) == (200, b"abcdefghijk")


async def test_head_tells_the_length_of_a_file(served: Running, root: Path) -> None:
    (root / "a").write_bytes(bytes(1234567))
    response = await served.fetch("HEAD", "/api/fs/raw?path=a")
    assert (response.code, response.headers["Content-Length"], response.body) == (200, "1234567", b"")


async def test_a_large_file_arrives_whole(served: Running, root: Path) -> None:
    data = os.urandom(3 * reading.STEP + 17)
    (root / "a").write_bytes(data)
    assert (await served.fetch("GET", "/api/fs/raw?path=a")).body == data
    assert (await served.fetch("GET", "/api/filesystem/download/a")).body == data
    (root / "empty").touch()
    assert (await served.fetch("GET", "/api/fs/raw?path=empty")).body == b""


async def test_a_folder_is_downloaded_as_a_zip_file(served: Running, root: Path) -> None:
    (root / "proj" / "empty").mkdir(parents=True)
    (root / "proj" / "a\\b.txt").write_text("hello")
    (root / "proj" / os.fsdecode(b"\xff")).write_bytes(os.urandom(2 * reading.STEP))
    (root / "proj" / "link").symlink_to("/etc/passwd")
    os.mkfifo(root / "proj" / "fifo")
    response = await served.fetch("GET", "/api/fs/archive?path=proj")
    assert response.headers["Content-Disposition"].startswith('attachment; filename="proj.zip"')
    archive = zipfile.ZipFile(io.BytesIO(response.body))
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == ["proj/", "proj/a_b.txt", "proj/empty/", "proj/\uf7ff"]
    assert archive.read("proj/a_b.txt") == b"hello"


# Changes


async def test_a_folder_is_made_and_nothing_is_overwritten(served: Running, root: Path) -> None:
    assert await served.json("POST", "/api/fs/mkdir", {"path": ".", "name": "new"}) == {"success": True, "path": "new"}
    assert (root / "new").is_dir()
    assert (await served.fetch("POST", "/api/fs/mkdir", {"path": ".", "name": "new"})).code == 409
    for name in ("../x", "a/b", "a\\b", ".x", "..", "x\0", "x" * 300):
        answer = await served.json("POST", "/api/fs/mkdir", {"path": ".", "name": name}, status=400)
        assert answer == {"error": "Invalid directory name"}
    assert os.listdir(root) == ["new"]


async def test_the_upload_of_vibetunnels_client_is_for_the_terminal(served: Running) -> None:
    made = await send_form(served, "/api/files/upload", ("file", "../ä.PNG", PNG))
    assert (made["success"], made["originalName"], made["size"]) == (True, "../ä.PNG", len(PNG))
    assert made["filename"].endswith(".png")
    assert made["relativePath"] == made["filename"]
    path = made["path"]
    assert os.path.isabs(path)
    assert contents_of(path) == PNG
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
    listed = await served.json("GET", "/api/files")
    assert (listed["count"], listed["files"][0]["filename"]) == (1, made["filename"])
    assert (await served.fetch("GET", listed["files"][0]["url"])).body == PNG
    assert (await served.json("DELETE", f"/api/files/{made['filename']}"))["success"] is True
    assert os.listdir(os.path.dirname(path)) == []
    assert await served.json("GET", f"/api/files/{made['filename']}", status=404) == {"error": "File not found"}
    assert await served.json("GET", "/api/files/..x", status=400) == {"error": "Invalid filename"}


async def test_an_upload_into_a_folder_keeps_its_name_or_gets_a_number(served: Running, root: Path) -> None:
    (root / "a.txt").write_text("mine")
    for expected in ("a (2).txt", "a (3).txt"):
        made = await send_form(served, "/api/files/upload?path=.", ("file", "a.txt", b"theirs"))
        assert (made["filename"], made["relativePath"], made["path"]) == (expected, expected, str(root / expected))
    assert (root / "a.txt").read_text() == "mine"
    assert (root / "a (3).txt").read_text() == "theirs"


async def test_two_uploads_of_one_name_at_once_are_two_files(served: Running, root: Path) -> None:
    sent = [send_form(served, "/api/files/upload?path=.", ("file", "a", bytes([each]) * 300_000)) for each in range(8)]
    made = await asyncio.gather(*sent)
    assert len({each["filename"] for each in made}) == 8
    assert {(root / each["filename"]).read_bytes()[:1] for each in made} == {bytes([each]) for each in range(8)}
    puts = [served.fetch("PUT", "/api/fs/raw?path=b", bytes([each]) * 300_000) for each in range(8)]
    codes = sorted([each.code for each in await asyncio.gather(*puts)])
    assert codes == [201] + [409] * 7
    assert len(set((root / "b").read_bytes())) == 1


async def test_a_form_without_a_file_or_of_another_kind_is_refused(served: Running, root: Path) -> None:
    assert await send_form(served, "/api/files/upload", ("x", None, b"y"), status=400) == {
        "error": "No file provided: expected a field `file` with a file name, got none"
    }
    body, headers = form(("file", "a", b"x"))
    for sent, status in (
        (headers | {"Content-Type": "application/json"}, 415),
        (headers | {"Content-Type": "multipart/form-data"}, 415),
        (headers | {"Content-Type": "multipart/form-data; boundary=other"}, 400),
    ):
        assert (await served.fetch("POST", "/api/files/upload?path=.", body, headers=sent)).code == status
    assert (await served.fetch("POST", "/api/files/upload?path=.", body[:-20], headers=headers)).code == 400
    assert os.listdir(root) == []


async def test_a_file_is_put_whole(served: Running, root: Path) -> None:
    data = os.urandom(5_000_000)
    made = await served.json("PUT", "/api/fs/raw?path=big.bin", data, status=201)
    assert made == {
        "success": True, "name": "big.bin", "path": "big.bin", "fullPath": str(root / "big.bin"), "size": len(data),
    }  # fmt: skip
    assert hashlib.sha256((root / "big.bin").read_bytes()).digest() == hashlib.sha256(data).digest()
    assert (await served.fetch("PUT", "/api/fs/raw?path=big.bin", b"x")).code == 409
    assert (await served.fetch("PUT", "/api/fs/raw?path=nope/x", b"x")).code == 404
    assert (await served.fetch("PUT", "/api/fs/raw?path=.", b"x")).code == 403


async def test_a_disk_that_is_slower_than_the_client_slows_the_client_down(
    served: Running, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[IncomingBody] = []
    feed, write, writable = IncomingBody.feed, storing.Draft.write, threading.Event()

    def watch(each: IncomingBody, part: bytes) -> None:
        bodies.append(each)
        feed(each, part)

    def wait(draft: storing.Draft, data: bytes) -> None:
        writable.wait()
        write(draft, data)

    monkeypatch.setattr(IncomingBody, "feed", watch)
    monkeypatch.setattr(storing.Draft, "write", wait)
    data = os.urandom(32 * 1024 * 1024)
    sent = asyncio.ensure_future(served.fetch("PUT", "/api/fs/raw?path=a", data))
    try:
        await until(lambda: bool(bodies) and bodies[0]._held)
        read_until_then = 0
        while read_until_then != len(bodies):  # what the loop had read already is fed
            read_until_then = len(bodies)
            await served.json("GET", "/api/health")
        for _ in range(5):  # the loop runs, and the connection is not read
            await served.json("GET", "/api/health")
        assert len(bodies) == read_until_then
        assert bodies[0]._waiting < 4 * WAITING
    finally:
        writable.set()
    assert (await sent).code == 201
    assert contents_of(str(root / "a")) == data


async def test_an_upload_in_pieces_goes_on_after_a_broken_connection(served: Running, root: Path) -> None:
    data = os.urandom(3_000_000)
    begun = await served.json(
        "POST", "/api/fs/uploads", {"path": ".", "name": "../big.bin", "size": len(data)}, status=201
    )
    assert (begun["name"], begun["offset"], begun["complete"]) == ("big.bin", 0, False)
    path = f"/api/fs/uploads/{begun['id']}"
    _, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
    head = f"PUT {path}?offset=0 HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n"
    writer.write(f"{head}Authorization: {served.bearer['Authorization']}\r\n\r\n".encode() + data[:1_000_000])
    await writer.drain()

    async def arrived() -> bool:
        return bool((await served.json("GET", path))["offset"] == 1_000_000)

    await until(arrived)
    writer.transport.abort()
    wrong = await served.json("PUT", f"{path}?offset=5", b"x", status=409)
    assert wrong["error"].startswith("offset: expected 1000000")

    async def go_on() -> Any:  # until the server has seen the end of the connection
        response = await served.fetch("PUT", f"{path}?offset=1000000", data[1_000_000:2_000_000])
        return json.loads(response.body) if response.code == 200 else None

    assert (await until(go_on))["offset"] == 2_000_000
    assert os.listdir(root) == []  # nothing has a name yet
    done = await served.json("PUT", f"{path}?offset=2000000", data[2_000_000:])
    assert (done["complete"], done["path"], done["fullPath"]) == (True, "big.bin", str(root / "big.bin"))
    assert (root / "big.bin").read_bytes() == data
    assert (await served.fetch("GET", path)).code == 404


async def test_an_upload_in_pieces_may_be_given_up(served: Running, root: Path) -> None:
    begun = await served.json("POST", "/api/fs/uploads", {"path": ".", "name": "a", "size": 10}, status=201)
    path = f"/api/fs/uploads/{begun['id']}"
    await served.json("PUT", f"{path}?offset=0", b"12345")
    assert (await served.fetch("PUT", f"{path}?offset=5", b"123456789")).code == 413
    await served.json("DELETE", path)
    assert (await served.fetch("PUT", f"{path}?offset=0", b"x")).code == 404
    assert os.listdir(root) == []


async def test_the_go_servers_routes(served: Running, root: Path) -> None:
    (root / "b").write_bytes(b"12345")
    (root / "a").write_bytes(b"1")
    (root / "sub").mkdir()
    (root / "link").symlink_to("b")
    found = await served.json("GET", "/api/filesystem/ls?path=.&sortBy=size&sortDesc=true")
    assert [each["name"] for each in found["files"]] == ["link", "b", "a"]
    assert [each["name"] for each in found["directories"]] == ["sub"]
    assert (found["files"][0]["isSymlink"], found["files"][0]["symlinkTarget"]) == (True, "b")
    assert "parent" not in found
    assert (await served.json("GET", "/api/filesystem/ls?path=sub"))["parent"] == "."
    made = await served.json("POST", "/api/filesystem/mkdir", {"path": "sub/new", "mode": "0700"}, status=201)
    assert (made["success"], made["path"]) == (True, "sub/new")
    assert (root / "sub/new").stat().st_mode & 0o777 == 0o700
    stored = await send_form(
        served, "/api/filesystem/upload", ("path", None, b"sub"), ("files", "x", b"1"), ("files", "y", b"2")
    )
    assert [each["path"] for each in stored["files"]] == ["sub/x", "sub/y"]
    assert (await served.fetch("GET", "/api/filesystem/download/sub/x")).body == b"1"
    assert (await served.fetch("DELETE", "/api/filesystem/rm", {"path": "sub"})).code == 400
    assert (await served.json("DELETE", "/api/filesystem/rm", {"path": "sub", "recursive": True}))["success"] is True
    assert not (root / "sub").exists()
    assert (await served.fetch("DELETE", "/api/filesystem/rm", {"path": "sub"})).code == 404
    assert (await served.fetch("DELETE", "/api/filesystem/rm", {"path": "sub", "force": True})).code == 200
    await served.json("DELETE", "/api/filesystem/rm", {"path": "link"})
    assert (root / "b").read_bytes() == b"12345"
    assert (await served.fetch("DELETE", "/api/filesystem/rm", {"path": "."})).code == 403


# Who may


async def test_a_browser_uploads_with_its_cookie_and_token(served: Running, root: Path) -> None:
    browser = Browser(served)
    await browser.login(served.announcement.code)
    body, headers = form(("file", "a", b"x"))
    assert (await browser.fetch("POST", "/api/files/upload?path=.", body, **headers)).code == 200
    browser.csrf = ""
    assert (await browser.fetch("POST", "/api/files/upload?path=.", body, **headers)).code == 403
    assert os.listdir(root) == ["a"]


async def test_a_viewer_reaches_no_file(served: Running, root: Path) -> None:
    (root / "a").write_text("x")
    viewer, writer = await logged_in(served, "vera", "viewer"), await logged_in(served, "wim", "writer")
    for path in ("/api/fs/browse", "/api/fs/raw?path=a", "/api/files", "/api/filesystem/ls"):
        assert (await viewer.fetch("GET", path)).code == 403
        assert (await writer.fetch("GET", path)).code == 200
    assert (await writer.fetch("POST", "/api/fs/mkdir", {"path": ".", "name": "new"})).code == 200


async def test_a_token_with_files_reads_and_stores_only_with_control(served: Running, root: Path) -> None:
    (root / "a").write_text("x")

    async def program(*scope: str) -> Program:
        made = await served.json("POST", "/api/tokens", {"scope": list(scope), "expires": 600}, status=201)
        return Program(served, made["token"])

    for scope, reads, stores in ((["files"], 200, 403), (["control"], 403, 403), (["files", "control"], 200, 201)):
        found = await program(*scope)
        assert (await found.fetch("GET", "/api/fs/raw?path=a")).code == reads
        assert (await found.fetch("PUT", f"/api/fs/raw?path={'-'.join(scope)}", b"x")).code == stores


async def test_a_share_link_with_files_shows_those_of_its_session(served: Running, root: Path) -> None:
    (root / "proj").mkdir()
    (root / "proj" / "a").write_text("shown")
    (root / "proj" / "out").symlink_to("../secret")
    (root / "secret").write_text("hidden")
    session = await served.session(["cat"], workingDir=str(root / "proj"))

    async def guest(**order: Any) -> Browser:
        browser = Browser(served)
        assert (await browser.enter((await share(served, session, **order))["code"])).code == 200
        return browser

    without, with_files = await guest(), await guest(files=True, role="type")
    assert (await without.fetch("GET", "/api/fs/browse")).code == 403
    found = await with_files.json("GET", "/api/fs/browse")
    assert (found["fullPath"], found["writable"], found["parent"]) == (str(root / "proj"), False, None)
    assert (await with_files.json("GET", "/api/fs/content?path=a"))["content"] == "shown"
    for path in ("../secret", str(root / "secret"), str(root), "out", "~"):
        assert (await with_files.fetch("GET", "/api/fs/raw" + path_query(path))).code == 403, path
    for method, path, body in (
        ("PUT", "/api/fs/raw?path=b", b"x"),
        ("POST", "/api/fs/mkdir", {"path": ".", "name": "b"}),
        ("GET", "/api/files", None),
    ):
        assert (await with_files.fetch(method, path, body)).code == 403, path


async def test_a_share_link_gives_no_files_that_its_maker_has_not(served: Running) -> None:
    session = await served.session(["cat"])
    made = await served.json("POST", "/api/tokens", {"scope": ["view", "control"], "expires": 600}, status=201)
    maker = Program(served, made["token"])
    assert (await maker.fetch("POST", f"/api/sessions/{session}/shares", {"files": True})).code == 403
    assert (await maker.fetch("POST", f"/api/sessions/{session}/shares", {})).code == 201


async def test_an_upload_whose_login_ends_meanwhile_stores_nothing(served: Running, root: Path) -> None:
    made = await served.json("POST", "/api/tokens", {"scope": ["files", "control"], "expires": 600}, status=201)
    async with half_put(served, made["token"]) as rest:
        await served.json("DELETE", f"/api/tokens/{made['id']}")
        assert await rest() == 401
    assert os.listdir(root) == []


async def test_an_upload_whose_right_ends_meanwhile_stores_nothing(served: Running, root: Path) -> None:
    token = (await tokens_of(served, "wim"))["token"]
    async with half_put(served, token) as rest:
        await served.json("PATCH", "/api/users/wim", {"role": "viewer"})
        assert await rest() == 403
    assert os.listdir(root) == []


async def test_a_user_has_a_share_of_the_uploads_and_downloads_at_once(
    served: Running, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "STREAMS_OF_ONE", 1)
    (root / "a").write_text("x")
    wim, vim = [(await tokens_of(served, name))["token"] for name in ("wim", "vim")]
    async with half_put(served, wim) as rest:
        refused = await Program(served, wim).json("GET", "/api/fs/raw?path=a", status=429)
        assert refused["error"].startswith("Limit reached: at most 1 uploads and downloads of one user")
        assert (await Program(served, vim).fetch("GET", "/api/fs/raw?path=a")).code == 200
        assert await rest() == 201
    assert (await Program(served, wim).fetch("GET", "/api/fs/raw?path=a")).code == 200


@contextlib.asynccontextmanager
async def half_put(served: Running, token: str) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """An upload of which half has been sent. Gives what sends the other half, and returns the status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
    head = "PUT /api/fs/raw?path=late HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n"
    writer.write(f"{head}Authorization: Bearer {token}\r\n\r\n12345".encode())
    await until(lambda: served.server.context.files._streams)

    async def rest() -> int:
        writer.write(b"67890")
        return int((await reader.readline()).split()[1])

    try:
        yield rest
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_piece_of_an_upload_goes_only_where_its_sender_may_still_store(
    served: Running, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = await served.json("POST", "/api/fs/uploads", {"path": ".", "name": "a", "size": 1}, status=201)
    (root / "other").mkdir()
    narrowed = served.server.context.files.roots.narrowed([str(root / "other")])
    monkeypatch.setattr(served.server.context.files, "roots", narrowed)
    assert (await served.fetch("PUT", f"/api/fs/uploads/{begun['id']}?offset=0", b"x")).code == 403
    assert os.listdir(root) == ["other"]


@pytest.fixture
def far() -> Iterator[Path]:
    """A folder with files of dates that no calendar has, on a file system that keeps them."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        for name, seconds in (("late", 1 << 40), ("early", -(1 << 40))):
            path = Path(folder, name)
            path.write_text("x")
            os.utime(path, (seconds, seconds))
        yield Path(folder)


async def test_dates_that_no_calendar_has_hide_no_file(serve: Serve, far: Path) -> None:
    served = await serve(file_root=(far,))
    found = await served.json("GET", "/api/fs/browse")
    assert [each["name"] for each in found["files"]] == ["early", "late"]
    for path in ("filesystem/ls", "fs/raw?path=late", "fs/raw?path=early", "fs/archive?path=."):
        assert (await served.fetch("GET", f"/api/{path}")).code == 200, path


def test_a_date_is_one_of_the_calendar() -> None:
    assert iso(1 << 70) == "9999-12-31T23:59:59.000Z"
    assert iso(-(1 << 70)) == "0001-01-01T00:00:00.000Z"


@pytest.mark.parametrize("name", ["a\nb", "a\u202eb", "a:b", "a\\b", "\u200ba"])
async def test_a_file_is_put_under_no_name_that_misleads(served: Running, root: Path, name: str) -> None:
    found = await served.json("PUT", "/api/fs/raw" + path_query(name), b"x", status=400)
    assert found["error"].startswith("path: expected a name without control")
    assert os.listdir(root) == []


async def test_two_requests_for_one_upload_at_once_are_a_conflict(served: Running) -> None:
    begun = await served.json("POST", "/api/fs/uploads", {"path": ".", "name": "a", "size": 1}, status=201)
    next(iter(served.server.context.files.uploads._uploads.values())).busy = True
    for method, path in (("PUT", "?offset=0"), ("DELETE", "")):
        found = await served.json(method, f"/api/fs/uploads/{begun['id']}{path}", b"x" if path else None, status=409)
        assert found["error"].startswith("Another request is sending a piece"), found


# Git, of which more is in tests/git


class SilentGit(NoGit):
    """Answers no question about a path until it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.go_on = asyncio.Event()

    async def _wait(self) -> None:
        self.asked += 1
        await self.go_on.wait()

    async def changes(self, folder: bytes) -> FolderChanges | None:
        await self._wait()
        return FolderChanges("main")

    async def branch(self, folder: bytes) -> str | None:
        await self._wait()
        return "main"

    async def original(self, path: bytes) -> bytes | None:
        await self._wait()
        return b"old"


async def test_a_silent_git_holds_up_no_other_file(
    served: Running, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "GIT_S", 3600.0)
    silent = served.server.context.files.git = SilentGit()
    (root / "a").write_text("x")
    waiting = [asyncio.ensure_future(served.json("GET", "/api/fs/browse?gitFilter=all")) for _ in range(THREADS + 1)]
    await until(lambda: silent.asked == THREADS + 1)
    assert (await served.json("GET", "/api/fs/content?path=a"))["content"] == "x"
    silent.go_on.set()
    assert [each["gitStatus"]["branch"] for each in await asyncio.gather(*waiting)] == ["main"] * (THREADS + 1)


async def test_a_git_that_is_too_slow_is_left_out(served: Running, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "GIT_S", 0.05)
    served.server.context.files.git = SilentGit()
    (root / "a").write_text("x")
    for each in ("proj-1", "proj-2"):
        (root / each / ".git").mkdir(parents=True)
    assert (await served.json("GET", "/api/fs/browse?gitFilter=all"))["gitStatus"] is None
    assert (await served.json("GET", "/api/fs/diff?path=a"))["hasDiff"] is False
    assert (await served.json("GET", "/api/fs/diff-content?path=a"))["originalContent"] == "x"
    found = (await served.json("GET", "/api/fs/completions?path=proj"))["completions"]
    assert [(each["isRepository"], "gitBranch" in each) for each in found] == [(True, False)] * 2


async def test_a_folder_whose_name_is_no_utf8_is_in_no_repository(served: Running, root: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    (root / name).mkdir()
    (root / name / "a").write_text("x")
    shown = text_of(os.fsencode(name))
    found = await served.json("GET", "/api/fs/browse" + path_query(shown, gitFilter="all"))
    assert (found["gitStatus"], [each["name"] for each in found["files"]]) == (None, ["a"])
    assert (await served.json("GET", "/api/fs/diff" + path_query(f"{shown}/a")))["hasDiff"] is False
