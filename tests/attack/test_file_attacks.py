"""Attacks on the files: out of the roots, into what is no file, and with uploads that are too much."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from attacker import Target, aim
from harness import Serve, no_more, until
from tornado.httpclient import HTTPError, HTTPResponse
from tornado.ioloop import IOLoop

from vibetunnel.paths import default_config_file
from vibetunnel.security import certificates

pytestmark = pytest.mark.attack

TREASURE = "a hidden treasure of silver and gold"
LIMIT = 1_000_000  # bytes of an upload
READS = ("fs/content", "fs/raw", "fs/preview", "fs/diff-content", "fs/archive", "fs/browse", "filesystem/ls")


@pytest.fixture
def root(folder: Path) -> Path:
    """The root of the files. Beside it are a file and a folder that nobody may reach."""
    for each in ("files", "files-beside"):
        (folder / each).mkdir()
        (folder / each / "a.txt").write_text("shown" if each == "files" else TREASURE)
    (folder / "treasure.txt").write_text(TREASURE)
    return folder / "files"


@pytest.fixture
def files(io_loop: IOLoop, serve: Serve, root: Path) -> Iterator[Target]:
    target = aim(io_loop.run_sync(lambda: serve(file_root=(root,), upload_bytes=LIMIT)))
    yield target
    io_loop.run_sync(target.close)


async def look(target: Target, path: str, *, quoted: bool = True) -> list[HTTPResponse]:
    """What all reading routes answer for a path."""
    sent = quote(path, safe="") if quoted else path
    found = [await target.fetch("GET", f"/api/{each}?path={sent}") for each in READS]
    return [*found, await target.fetch("GET", f"/api/filesystem/download/{sent}")]


async def unreachable(target: Target, path: str, *, quoted: bool = True) -> None:
    for response in await look(target, path, quoted=quoted):
        assert response.code in (400, 403, 404), (path, response.code, response.body)
        assert TREASURE.encode() not in response.body
        assert b"a.txt" not in response.body


async def test_no_spelling_of_a_path_leaves_the_root(files: Target, root: Path) -> None:
    """CWE-22, CWE-23, CWE-36."""
    outside = f"{root.parent}/treasure.txt"
    for path in (
        "../treasure.txt",
        "../../../../../../../../etc/passwd",
        f"{root}/../treasure.txt",
        f"{root}-beside",
        f"{root}-beside/a.txt",
        "../files-beside/a.txt",
        outside,
        f"/{outside}",
        f"//{outside}",
        f"/.//./{outside}",
        f"/proc/self/root{outside}",
        f"/proc/self/cwd/../{outside}",
        f"file://{outside}",
        "x/../../treasure.txt",
        "x/./../.././treasure.txt",
        "....//treasure.txt",
        "..\\treasure.txt",
        "..;/treasure.txt",
        "..",
        "../",
        "/",
        "~root/../../etc/passwd",
        "~/../../../../../../etc/passwd",
        "/etc/passwd",
        "a.txt/../../treasure.txt",
        "../treasure.txt.",
        "../treasure.txt/.",
        "../treasure.txt ",
        ".../treasure.txt",
        "../TREASURE.TXT",
        "./..//./treasure.txt",
        f"{root}/./../treasure.txt",
        f"{root}/..\\treasure.txt",
        f"{root.parent}/FILES/../treasure.txt",
        f"/proc/self/fd/../root{outside}",
        f"/dev/fd/../../proc/self/root{outside}",
    ):
        await unreachable(files, path)
    for path in (
        "..%2ftreasure.txt",
        "%2e%2e%2ftreasure.txt",
        "%252e%252e%252ftreasure.txt",
        "..%252ftreasure.txt",
        "%c0%ae%c0%ae%2ftreasure.txt",
        "..%c0%aftreasure.txt",
        "%uff0e%uff0e%2ftreasure.txt",
        "..%00%2ftreasure.txt",
        "a.txt%00.png",
        "%ef%bc%8e%ef%bc%8e%2ftreasure.txt",
        "\uf7ae\uf7ae%2ftreasure.txt".encode("unicode-escape").decode(),
        quote("\uf7ae\uf7ae/treasure.txt", safe=""),
        "%ed%a0%80",
        "%2e%2e%5ctreasure.txt",
        "%2e%2e%255ctreasure.txt",
        "%25252e%25252e%25252ftreasure.txt",
        "%e0%80%ae%e0%80%ae%2ftreasure.txt",
        "%f0%80%80%ae%f0%80%80%ae%2ftreasure.txt",
        "%c0%2e%c0%2e%2ftreasure.txt",
        "..%e2%88%95treasure.txt",
        "..%0d%0a%2ftreasure.txt",
        "%u002e%u002e%u2215treasure.txt",
    ):
        await unreachable(files, path, quoted=False)


async def test_no_link_leaves_the_root(files: Target, root: Path) -> None:
    """CWE-59, CWE-61: relative, absolute, in chains, of folders, with `..` behind a folder, through the kernel's."""
    (root / "sub").mkdir()
    links = {
        "relative": "../treasure.txt",
        "absolute": f"{root.parent}/treasure.txt",
        "chain": "relative",
        "folder": "..",
        "sub/deep": "../../treasure.txt",
        "beside": "../files-beside",
        "back": f"sub/../../{root.name}-beside/a.txt",
        "magic": f"/proc/self/root{root.parent}/treasure.txt",
        "cwd": "/proc/self/cwd",
        "descriptor": "/proc/self/fd/0",
        "loop": "loop",
        "ping": "pong",
        "pong": "ping",
        "root": "/",
        "dangling": "nowhere",
        "dots": "././../treasure.txt",
    }
    for name, target in links.items():
        (root / name).symlink_to(target)
        await unreachable(files, name)
    for path in ("folder/treasure.txt", "folder/files-beside/a.txt", "beside/a.txt", "root/etc/passwd", "cwd/setup.py"):
        await unreachable(files, path)
    listed = await files.json("GET", "/api/fs/browse")
    for each in listed["files"]:
        if each["name"] in links:
            assert each["type"] == "other", each
            assert each["size"] != len(TREASURE)


async def test_a_link_inside_the_root_is_followed(files: Target, root: Path) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "up").symlink_to("../a.txt")
    (root / "absolute").symlink_to(f"{root}/a.txt")
    (root / "folder").symlink_to("sub")
    for path in ("sub/up", "absolute", "folder/up"):
        assert (await files.json("GET", f"/api/fs/content?path={path}"))["content"] == "shown"


async def test_nothing_is_stored_or_removed_outside(files: Target, root: Path) -> None:
    """CWE-22, CWE-73: by the path, the name, or a link to a folder."""
    (root / "out").symlink_to("../files-beside")
    (root / "file").symlink_to("../new")
    form = (
        b'--x\r\nContent-Disposition: form-data; name="%s"; filename="../../new"\r\n\r\n1\r\n--x--\r\n',
        {"Content-Type": "multipart/form-data; boundary=x"},
    )
    for folder in ("..", "out", "../files-beside", f"{root}-beside", "/tmp"):
        where = quote(folder, safe="")
        for method, path, body, headers in (
            ("PUT", f"/api/fs/raw?path={where}%2Fnew", b"x", {}),
            ("POST", "/api/fs/mkdir", {"path": folder, "name": "new"}, {}),
            ("POST", "/api/fs/uploads", {"path": folder, "name": "new", "size": 1}, {}),
            ("POST", f"/api/files/upload?path={where}", form[0] % b"file", form[1]),
            ("POST", f"/api/filesystem/upload?path={where}", form[0] % b"files", form[1]),
            ("POST", "/api/filesystem/mkdir", {"path": f"{folder}/new"}, {}),
            ("DELETE", "/api/filesystem/rm", {"path": f"{folder}/a.txt", "recursive": True}, {}),
        ):
            response = await files.fetch(method, path, body, headers=headers)
            assert response.code == 403, (folder, path, response.code, response.body)
    assert (await files.fetch("PUT", "/api/fs/raw?path=file", b"x")).code == 409  # the link is not followed
    made = await files.json("POST", "/api/files/upload?path=.", form[0] % b"file", headers=form[1])
    assert made["path"] == str(root / "new")
    await files.json("DELETE", "/api/filesystem/rm", {"path": "out", "recursive": True})  # the link, not its target
    assert sorted(os.listdir(root.parent)) == ["files", "files-beside", "r", "s", "treasure.txt"]
    assert os.listdir(f"{root}-beside") == ["a.txt"]


@contextlib.contextmanager
def swapped(root: Path) -> Iterator[None]:
    """The folder `race` and the link `outside` change places again and again."""
    stopped = threading.Event()

    def swap() -> None:
        while not stopped.is_set():
            os.rename(root / "race", root / "moved")
            os.rename(root / "outside", root / "race")
            os.rename(root / "race", root / "outside")
            os.rename(root / "moved", root / "race")
            stopped.wait(0.0005)  # the folder itself is there, too, so some requests succeed

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


@pytest.mark.parametrize("path", ["race/a.txt", "link/a.txt"])
async def test_no_race_leaves_the_root(files: Target, root: Path, path: str) -> None:
    """CWE-367: a folder, or what a link leads to, becomes a link to the outside between check and use."""
    (root / "real").mkdir()
    (root / "real" / "a.txt").write_text("shown")
    (root / "outside").symlink_to("../files-beside")
    (root / "race").mkdir()
    (root / "race" / "a.txt").write_text("shown")
    (root / "link").symlink_to("race")
    seen: dict[int, int] = {}
    with swapped(root):
        for number in range(400):
            route = ("fs/raw", "fs/content", "fs/preview")[number % 3]
            response = await files.fetch("GET", f"/api/{route}?path={path}")
            assert TREASURE.encode() not in response.body
            assert response.code in (200, 400, 403, 404), response.body
            seen[response.code] = seen.get(response.code, 0) + 1
    assert seen[200]


async def test_no_race_stores_or_removes_anything_outside(files: Target, root: Path) -> None:
    """CWE-367: the folder becomes a link to the outside while a file is stored, a folder made, or either removed."""
    (root / "outside").symlink_to("../files-beside")
    (root / "race").mkdir()

    async def in_pieces(name: str) -> HTTPResponse:
        begun = await files.fetch("POST", "/api/fs/uploads", {"path": "race", "name": name, "size": 1})
        if begun.code != 201:
            return begun
        return await files.fetch("PUT", f"/api/fs/uploads/{json.loads(begun.body)['id']}?offset=0", b"x")

    stored = 0
    with swapped(root):
        for number in range(60):
            name = f"n{number}"
            for asked in (
                files.fetch("PUT", f"/api/fs/raw?path=race%2F{name}-put", b"x"),
                files.fetch("POST", "/api/fs/mkdir", {"path": "race", "name": f"{name}-made"}),
                files.fetch("POST", "/api/files/upload?path=race", part(b"file", b"form", b"x") + END, headers=FORM),
                in_pieces(f"{name}-pieces"),
                files.fetch("DELETE", "/api/filesystem/rm", {"path": "race/a.txt"}),
                files.fetch("GET", "/api/fs/archive?path=race"),
            ):
                response = await asked
                assert response.code in (200, 201, 400, 403, 404), response.body
                assert TREASURE.encode() not in response.body
                stored += response.code == 201
    assert stored
    assert os.listdir(f"{root}-beside") == ["a.txt"]


async def test_a_root_that_vanishes_or_is_replaced_is_an_answer_and_comes_back(files: Target, root: Path) -> None:
    """CWE-755, CWE-367."""
    os.rename(root, root.parent / "gone")
    for replaced in (False, True):
        for response in await look(files, "a.txt"):
            assert response.code in (400, 404), response.body
        for method, path, body in (
            ("PUT", "/api/fs/raw?path=new", b"x"),
            ("POST", "/api/fs/mkdir", {"path": ".", "name": "new"}),
            ("POST", "/api/fs/uploads", {"path": ".", "name": "new", "size": 1}),
            ("DELETE", "/api/filesystem/rm", {"path": "a.txt"}),
        ):
            assert (await files.fetch(method, path, body)).code in (400, 404)
        if not replaced:
            (root.parent / root.name).write_text("a file")
    os.unlink(root)
    os.rename(root.parent / "gone", root)
    assert (await files.json("GET", "/api/fs/content?path=a.txt"))["content"] == "shown"


async def test_what_is_no_file_is_never_opened(files: Target, root: Path) -> None:
    """CWE-662, CWE-67: a FIFO would hold a thread, and an open of a device does something."""
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
        (root / "tofifo").symlink_to("fifo")
        for name in ("fifo", "socket", "tofifo"):
            for response in await look(files, name):
                assert response.code in (400, 404), (name, response.code, response.body)
                assert b"FIFO" in response.body or b"ot a directory" in response.body or response.code == 404
    for _ in range(50):  # more than there are threads
        assert (await files.fetch("GET", "/api/fs/content?path=fifo")).code == 400
    writer = os.open(root / "fifo", os.O_RDWR | os.O_NONBLOCK)
    os.write(writer, b"for somebody else")
    assert (await files.fetch("GET", "/api/fs/raw?path=fifo")).code == 400
    assert os.read(writer, 100) == b"for somebody else"
    os.close(writer)


async def test_the_kernels_files_and_devices_are_refused_even_below_a_root(serve: Serve) -> None:
    """CWE-200: with all of the machine as a root."""
    target = aim(await serve(file_root=(Path("/"),)))
    for path in ("/proc/self/environ", "/proc/self/fd/0", "/proc/1/maps", "/proc", "/sys", "/dev/zero", "/dev/tty",
                 "/dev/fd/0", "/dev/null", "/proc/self/root/etc/passwd", "/proc/self/cwd/setup.py"):  # fmt: skip
        for response in await look(target, path):
            assert response.code in (400, 403, 404), (path, response.code, response.body[:100])
    assert (await target.fetch("GET", "/api/fs/content?path=/etc/passwd")).code == 200
    await target.close()


async def test_the_servers_own_folders_are_closed(serve: Serve, folder: Path) -> None:
    """CWE-522, CWE-732: with `files`, a token would read the secret, and become an owner."""
    target = aim(await serve(file_root=(folder,)))
    secret = (folder / "s" / "secret").read_text().strip()
    (folder / "link").symlink_to("s")
    (folder / "absolute").symlink_to(folder / "s" / "secret")
    for path in ("s", "s/secret", "s/log", "s/log/audit.log", "r", "r/keeper.sock", "link/secret", "absolute", "link"):
        for response in await look(target, path):
            assert response.code in (400, 403), (path, response.code, response.body)
            assert secret.encode() not in response.body
    response = await target.fetch("GET", "/api/fs/archive?path=.")
    assert response.code == 200
    assert secret.encode() not in response.body
    assert b"secret" not in response.body
    for path in ("s", "s/secret", "link/secret"):
        assert (await target.fetch("DELETE", "/api/filesystem/rm", {"path": path, "recursive": True})).code == 403
    assert (await target.fetch("PUT", "/api/fs/raw?path=s/new", b"x")).code == 403
    assert (await target.fetch("POST", "/api/fs/mkdir", {"path": "s", "name": "x"})).code == 403
    assert (folder / "s" / "secret").read_text().strip() == secret
    await target.close()


async def test_the_servers_key_and_configuration_are_closed(
    serve: Serve, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CWE-522: a home folder as a root has both."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(root / ".config"))
    own = default_config_file()
    own.parent.mkdir(parents=True)
    own.write_text("")
    certificates.make(root / "tls", ["localhost", "127.0.0.1"])
    target = aim(await serve(file_root=(root,), tls_cert=root / "tls/cert.pem", tls_key=root / "tls/key.pem"))
    os.link(root / "tls/key.pem", root / "another-name")
    for path in (str(own), str(own.parent), "tls/key.pem", "another-name"):
        for response in await look(target, path):
            assert response.code in (400, 403), (path, response.code)
        body = {"path": path, "recursive": True}
        assert (await target.fetch("DELETE", "/api/filesystem/rm", body)).code == 403
    assert own.exists()
    await target.close()


async def test_paths_that_are_too_much(files: Target, root: Path) -> None:
    """CWE-20, CWE-400: long, deep, empty and broken paths are a 4xx at once."""
    deep = "/".join(["d"] * 2000)
    for path in ("x" * 256, "x" * 5000, "/".join(["x" * 255] * 20), deep, "\0", "a\0b", "", "\ud7ff" * 2000):
        for response in await look(files, path):
            assert response.code in (200, 400, 403, 404, 414), (path[:20], response.code)
            assert response.code != 200 or path == ""
    descriptor = os.open(root, os.O_RDONLY)
    for _ in range(200):
        os.mkdir("d", dir_fd=descriptor)
        inner = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    assert (await files.fetch("GET", "/api/fs/browse?path=" + "/".join(["d"] * 100))).code == 200
    assert (await files.fetch("GET", "/api/fs/browse?path=" + "/".join(["d"] * 199))).code == 400
    with pytest.raises(HTTPError):  # the connection ends, so that the client knows that the archive is not whole
        (await files.fetch("GET", "/api/fs/archive?path=d")).rethrow()


# Uploads


def part(name: bytes, filename: bytes | None, contents: bytes) -> bytes:
    named = b"" if filename is None else b'; filename="%b"' % filename
    return b'--x\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (name, named, contents)


FORM = {"Content-Type": "multipart/form-data; boundary=x"}
END = b"--x--\r\n"


async def test_an_upload_is_no_larger_than_is_allowed(files: Target, root: Path) -> None:
    """CWE-400, CWE-770: by Content-Length, in chunks, in a form, in pieces."""
    large = bytes(LIMIT + 1)
    assert (await files.fetch("PUT", "/api/fs/raw?path=a", large)).code == 413
    assert (
        await files.fetch("POST", "/api/files/upload?path=.", part(b"file", b"a", large) + END, headers=FORM)
    ).code == 413
    body = {"path": ".", "name": "a", "size": LIMIT + 1}
    assert (await files.fetch("POST", "/api/fs/uploads", body)).code == 413
    begun = await files.json("POST", "/api/fs/uploads", {"path": ".", "name": "a", "size": LIMIT}, status=201)
    assert (await files.fetch("PUT", f"/api/fs/uploads/{begun['id']}?offset=0", large)).code == 413
    await files.json("DELETE", f"/api/fs/uploads/{begun['id']}")
    bearer = f"Authorization: {files.bearer['Authorization']}"
    chunk = b"%x\r\n%b\r\n" % (65536, bytes(65536))
    async with files.connected() as wire:
        await wire.send(files.request("PUT", "/api/fs/raw?path=a", bearer, "Transfer-Encoding: chunked") + chunk * 17)
        await wire.send(b"0\r\n\r\n")
        answer = await wire.answer()
        assert answer is not None
        assert answer.status == 413
    assert (await files.fetch("PUT", "/api/fs/raw?path=a", bytes(LIMIT))).code == 201
    assert sorted(os.listdir(root)) == ["a", "a.txt"]


async def test_a_form_that_does_not_say_its_length_is_no_larger_than_is_allowed(files: Target, root: Path) -> None:
    """CWE-400: many files, or a part that is dropped, in a body of chunks."""
    many = b"".join(part(b"files", b"a.txt", bytes(LIMIT // 4)) for _ in range(6))
    given = (f"Authorization: {files.bearer['Authorization']}", "Transfer-Encoding: chunked")
    kind = f"Content-Type: {FORM['Content-Type']}"
    for path, parts in (("filesystem/upload", many), ("files/upload", part(b"other", b"x", bytes(LIMIT + 100_000)))):
        body = parts + END
        async with files.connected() as wire:
            await wire.send(files.request("POST", f"/api/{path}?path=.", *given, kind))
            await wire.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
            answer = await wire.answer()
            assert answer is not None
            assert (answer.status, b"The form is larger than" in answer.body) == (413, True), (path, answer)


async def test_a_refused_upload_is_refused_before_its_body(files: Target) -> None:
    """CWE-400: no byte of a body is read for a client without the right, if it asks first."""
    async with files.connected() as wire:
        await wire.send(
            files.request("PUT", "/api/fs/raw?path=a", "Content-Length: 1000000000", "Expect: 100-continue")
        )
        answer = await wire.answer()
        assert answer is not None
        assert answer.status == 401
    bearer = f"Authorization: {files.bearer['Authorization']}"
    async with files.connected() as wire:
        lines = (bearer, "Content-Length: 1000000000", "Expect: 100-continue")
        await wire.send(files.request("PUT", "/api/fs/raw?nope", *lines))
        answer = await wire.answer()
        assert answer is not None
        assert answer.status in (100, 400, 413)


async def test_malformed_forms(files: Target, root: Path) -> None:
    """CWE-20, CWE-400: headers without an end, thousands of parts, no boundary, a file in two fields."""
    for body, status in (
        (b"--x\r\n" + b"A: b\r\n" * 1000 + b"\r\n", 400),
        (b"--x\r\nContent-Disposition: " + b"x" * 100_000, 400),
        (part(b"a", None, b"") * 10_000 + END, 400),
        (part(b"file", b"a", b"1") + part(b"file", b"b", b"2") + END, 400),
        (part(b"file", b"a", b"1"), 400),
        (b"", 400),
        (b"\0" * 1000, 400),
        (b"--x--", 400),
        (part(b"path", None, b"/etc") + END, 400),
    ):
        response = await files.fetch("POST", "/api/files/upload?path=.", body, headers=FORM)
        assert response.code == status, (body[:40], response.code, response.body)
        assert b"error" in response.body
    for kind in (
        "multipart/form-data; boundary=" + "x" * 300,
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=x",
    ):
        response = await files.fetch("POST", "/api/files/upload?path=.", b"x", headers={"Content-Type": kind})
        assert response.code == 415
    assert set(os.listdir(root)) <= {"a.txt", "a"}  # a file that was complete before the form went wrong


async def test_a_form_without_a_part_ends_at_a_bound(files: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """CWE-400: endless bytes before the first boundary, in a body that does not say its length."""
    monkeypatch.setattr("vibetunnel.handlers.streamed.DRAIN_LIMIT", 3 * LIMIT)
    async with files.connected() as wire:
        lines = (f"Authorization: {files.bearer['Authorization']}", "Transfer-Encoding: chunked")
        kind = f"Content-Type: {FORM['Content-Type']}"
        await wire.send(files.request("POST", "/api/files/upload?path=.", *lines, kind))
        for _ in range(10):
            await wire.send(b"%x\r\n%b\r\n" % (LIMIT, b"-" * LIMIT))
        answer = await wire.answer()
        assert answer is None or answer.status == 400  # the reset may arrive before the answer
        assert await wire.over() == b""


async def test_an_upload_in_pieces_has_no_holes_and_takes_any_number_of_pieces(files: Target, root: Path) -> None:
    """CWE-400, CWE-20: an offset beyond the end would be a sparse file."""
    begun = await files.json("POST", "/api/fs/uploads", {"path": ".", "name": "p", "size": 300}, status=201)
    path = f"/api/fs/uploads/{begun['id']}"
    for offset in ("1", "299", "300", "301", "-1", "9223372036854775807", "1e3", "0x1", "", "%00", "1%2e5"):
        response = await files.fetch("PUT", f"{path}?offset={offset}", b"x")
        assert response.code in (400, 409), (offset, response.body)
    for number in range(300):
        await files.json("PUT", f"{path}?offset={number}", b"%d" % (number % 10))
    assert (root / "p").read_bytes() == b"0123456789" * 30
    for size in (-1, 1.5, "1", 2**63, None, True):
        body = {"path": ".", "name": "p", "size": size}
        assert (await files.fetch("POST", "/api/fs/uploads", body)).code in (400, 413), size


HTML = b"<html><script>fetch('/api/sessions')</script></html>"


@pytest.mark.parametrize(
    "name",
    ["a.html", "a.svg", "a.xml", "a.xhtml", "a.pdf", "a.js", "a.mjs", "a.htm", "a.png", "a", "a.html.png", "a.PNG.HTML",
     "a.shtml", "a.swf", "a.mht", "a.vbs", "a.hta", "a.wasm", "a.txt\u202elmth."],
)  # fmt: skip
async def test_nothing_that_is_stored_can_run_in_the_browser(files: Target, root: Path, name: str) -> None:
    """CWE-79, CWE-434, CWE-451: as an attachment with a policy, never as a page, wherever it is opened."""
    (root / name).write_bytes(HTML)
    body = part(b"file", name.encode(), HTML) + END
    pasted = await files.json("POST", "/api/files/upload", body, headers=FORM)
    previewed = await files.json("GET", f"/api/fs/preview?path={quote(name, safe='')}")
    shown = [f"/api/fs/raw?path={quote(name, safe='')}", f"/api/files/{pasted['filename']}"]
    shown += [previewed["url"]] if "url" in previewed else []
    for each in (*shown, f"/api/filesystem/download/{quote(name, safe='')}"):
        response = await files.fetch("GET", each)
        assert response.code == 200
        kind, disposition = response.headers["Content-Type"], response.headers["Content-Disposition"]
        assert kind.partition(";")[0] not in {"text/html", "application/xhtml+xml", "text/xml", "text/javascript"}
        assert not kind.startswith(("application/xml", "application/javascript", "application/x-shockwave", "message/"))
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")
        assert disposition.startswith("attachment; ")
        assert "%E2%80%AE" not in disposition
        assert disposition.isascii()


@pytest.mark.parametrize(
    "name",
    [
        "../../x", "..\\..\\x", "/etc/x", "C:\\x", ".bashrc", "...", "", " ", "x\0y", "CON", "-rf", "a\nb",
        "\u202egpj.exe", "x" * 1000 + ".png", "~root", "a;b|c", "é" * 500, ".", "x.", "\x1b[31m",
    ],
)  # fmt: skip
async def test_the_name_of_an_upload_is_made_safe(files: Target, root: Path, name: str) -> None:
    """CWE-434, CWE-73, CWE-451: no path, no hidden file, no option, no control or direction character."""
    body = part(b"file", name.encode(), b"1") + END
    response = await files.fetch("POST", "/api/files/upload?path=.", body, headers=FORM)
    if response.code == 400:  # a header cannot have these characters
        assert any(each in name for each in "\0\n\x1b")
        return
    given = json.loads(response.body)["filename"]
    assert sorted(os.listdir(root)) == sorted({"a.txt", given})
    assert given not in ("", ".", "..")
    assert len(given.encode()) <= 255
    assert not given.startswith((".", "-", "~", " "))
    assert not any(each in given for each in '/\\\0\n\x1b\u202e:*?"<>|')


async def test_a_full_disk_is_a_clear_answer_and_leaves_nothing(serve: Serve, root: Path) -> None:
    """CWE-755."""
    target = aim(await serve(file_root=(root,), audit=False, request_log=False))
    with no_more(resource.RLIMIT_FSIZE):
        response = await target.fetch("PUT", "/api/fs/raw?path=a", b"x" * 100_000)
        assert response.code == 507, response.body
        assert "Make room" in json.loads(response.body)["error"]
        form = part(b"file", b"a", b"x") + END
        assert (await target.fetch("POST", "/api/files/upload?path=.", form, headers=FORM)).code == 507
    assert os.listdir(root) == ["a.txt"]
    assert (await target.fetch("PUT", "/api/fs/raw?path=a", b"x")).code == 201
    await target.close()


async def test_a_client_that_vanishes_leaves_nothing(files: Target, root: Path) -> None:
    """CWE-459."""
    before = len(os.listdir("/proc/self/fd"))
    bearer = f"Authorization: {files.bearer['Authorization']}"
    for _ in range(20):
        async with files.connected() as wire:
            await wire.send(
                files.request("PUT", "/api/fs/raw?path=a", bearer, "Content-Length: 900000", body=bytes(400_000))
            )
    async with files.connected() as wire:
        lines = (bearer, "Content-Length: 900000", *(f"{name}: {value}" for name, value in FORM.items()))
        body = part(b"file", b"a", bytes(100_000))[:-2]
        await wire.send(files.request("POST", "/api/files/upload?path=.", *lines, body=body))

    def gone() -> bool:
        return len(os.listdir("/proc/self/fd")) <= before

    await until(gone)
    assert os.listdir(root) == ["a.txt"]


async def test_the_uploads_of_a_user_are_few_and_belong_to_it(files: Target) -> None:
    """CWE-639, CWE-770."""
    other = await files.user("writer")
    body = {"path": ".", "name": "a", "size": 10}
    begun = [await files.json("POST", "/api/fs/uploads", body, status=201) for _ in range(16)]
    assert (await files.fetch("POST", "/api/fs/uploads", body)).code == 429
    path = f"/api/fs/uploads/{begun[0]['id']}"
    for method, sent, query in (("GET", None, ""), ("PUT", b"x", "?offset=0"), ("DELETE", None, "")):
        assert (await other.fetch(method, path + query, sent)).code == 404
    assert (await other.fetch("POST", "/api/fs/uploads", body)).code == 201
    for each in begun:
        await files.json("DELETE", f"/api/fs/uploads/{each['id']}")


async def test_a_form_of_another_site_uploads_nothing(serve: Serve, root: Path) -> None:
    """CWE-352: without logins too, where only the headers of a browser tell."""
    target = aim(await serve(file_root=(root,), no_auth=True))
    body = part(b"file", b"a", b"1") + END
    for headers, status in (
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ({"Cookie": "a=b"}, 415),
        ({"Origin": target.origin, "Sec-Fetch-Site": "same-origin"}, 200),
        ({}, 200),
    ):
        sent: dict[str, Any] = {**FORM, **headers}
        response = await target.fetch("POST", "/api/files/upload?path=.", body, login=False, headers=sent)
        assert response.code == status, headers
    assert sorted(os.listdir(root)) == ["a", "a (2)", "a.txt"]
    await target.close()


async def test_a_slow_upload_keeps_no_connection(files: Target, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    """CWE-400 (slow loris): a byte from time to time does not extend the time for a body."""
    monkeypatch.setattr("vibetunnel.http.server.BODY_S", 1.0)
    bearer = f"Authorization: {files.bearer['Authorization']}"
    async with files.connected() as wire:
        await wire.send(files.request("PUT", "/api/fs/raw?path=slow", bearer, "Content-Length: 900000", body=b"x"))
        ended = asyncio.ensure_future(wire.reader.read())
        while not ended.done():
            await wire.send(b"x")
            await asyncio.wait([ended], timeout=0.1)
        assert await ended == b""
    assert os.listdir(root) == ["a.txt"]
