"""Deployment with a whole server: the allow list, a reload, a base path, a unix socket."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
from pathlib import Path

import pytest
from harness import Browser, Serve, until
from server_process import Process, process
from tornado.httpclient import HTTPClientError

from vibetunnel.cli.server_client import NotRunning, RunningServer
from vibetunnel.errors import StartFailed
from vibetunnel.keeper.client import KeeperClient

ALLOWED, OTHER = {"X-Forwarded-For": "198.51.100.7"}, {"X-Forwarded-For": "203.0.113.9"}
LISTED = ("198.51.100.0/24",)
PROXY = ("127.0.0.1",)


async def stop(server: Process, folder: Path) -> None:
    """End the process, and the keeper that outlives it."""
    server.process.send_signal(signal.SIGTERM)
    await server.close()
    await server.process.wait()
    keeper = await KeeperClient.connect(folder / "r", on_exit=lambda _: None, on_lost=lambda: None)
    await keeper.stop(kill=True)


async def test_a_client_of_a_trusted_proxy_has_to_be_on_the_list(serve: Serve) -> None:
    server = await serve(allow_ip=LISTED, trusted_proxies=PROXY)
    session = await server.session(["cat"])
    assert (await server.fetch("GET", "/api/sessions", headers=ALLOWED)).code == 200
    for path in ("/api/sessions", "/api/health", "/", "/login", f"/ws?sessionId={session}", "/nowhere"):
        response = await server.fetch("GET", path, headers=OTHER)
        assert response.code == 403, path
        assert b"IP address not allowed" in response.body
    forged = {"X-Forwarded-For": "198.51.100.7, 203.0.113.9"}
    assert (await server.fetch("GET", "/api/sessions", headers=forged)).code == 403
    with pytest.raises(HTTPClientError, match="403"):
        await server.attach(session, headers=server.bearer | OTHER)


async def test_an_untrusted_proxy_on_this_machine_lets_no_client_in(serve: Serve) -> None:
    server = await serve(allow_ip=LISTED)
    assert (await server.fetch("GET", "/api/sessions")).code == 200  # the command line
    assert (await server.fetch("GET", "/api/sessions", headers=ALLOWED)).code == 403


async def test_forged_forwarding_headers_change_nothing(serve: Serve) -> None:
    server = await serve()
    forged = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    response = await server.fetch("GET", "/api/sessions", headers=forged)
    assert response.code == 200
    assert "Strict-Transport-Security" not in response.headers


async def test_a_name_has_to_be_ours_whatever_a_trusted_proxy_passes_on(serve: Serve) -> None:
    """DNS rebinding (CWE-350) through a proxy: the page of a rebound name may set every header but Host."""
    server = await serve(trusted_proxies=PROXY, allow_host=("box.example",), no_auth=True)
    for host, forwarded, expected in (
        ("box.example", None, 200),
        ("localhost", "box.example", 200),
        ("evil.example", "box.example", 403),
        ("box.example", "evil.example", 403),
    ):
        headers = {"Host": host} | ({"X-Forwarded-Host": forwarded} if forwarded else {})
        assert (await server.fetch("GET", "/api/sessions", login=False, headers=headers)).code == expected, headers


async def test_a_page_of_a_proxy_that_speaks_https_is_our_own(serve: Serve) -> None:
    server = await serve(trusted_proxies=PROXY, allow_host=("box.example",))
    secure = {"Host": "box.example", "X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
    response = await server.fetch("GET", "/api/sessions", headers=secure | {"Origin": "https://box.example"})
    assert response.code == 200
    assert "Strict-Transport-Security" in response.headers
    for origin in ("http://box.example", "https://box.example:8443", "https://evil.example", "null"):
        assert (await server.fetch("GET", "/api/sessions", headers=secure | {"Origin": origin})).code == 403, origin


async def test_a_terminal_owes_the_front_door_nothing(serve: Serve) -> None:
    server = await serve()
    front = server.server._front
    assert front is not None
    session = await server.session(["cat"])
    sockets = [await server.attach(session) for _ in range(3)]

    async def gone() -> bool:
        return front.connections == front.pending == 0

    await until(gone)
    for each in sockets:
        await each.send(b"typed\n")
        await each.until(b"typed\r\n")


async def test_sighup_applies_the_list_to_connected_clients(folder: Path) -> None:
    config = folder / "config.toml"
    config.write_text('allow_ip = ["198.51.100.0/24", "203.0.113.0/24"]\ntrusted_proxies = ["127.0.0.1"]\n')
    async with process(folder, "--config", str(config)) as server:
        session = await server.session(["cat"])
        stays = await server.attach(session, headers=server.bearer | ALLOWED)
        goes = await server.attach(session, headers=server.bearer | OTHER)
        config.write_text('allow_ip = ["198.51.100.0/24"]\ntrusted_proxies = ["127.0.0.1"]\n')
        server.process.send_signal(signal.SIGHUP)
        assert await goes.over() == (1008, "IP address not allowed")
        await server.log_until("settings read again: allow_ip 198.51.100.0/24")
        await stays.send(b"still here\n")
        await stays.until(b"still here\r\n")
        assert (await server.fetch("GET", "/api/sessions", headers=OTHER)).code == 403

        config.write_text("allow_ip = 5\n")
        server.process.send_signal(signal.SIGHUP)
        await server.log_until("the settings stay as they were")
        assert (await server.fetch("GET", "/api/sessions", headers=OTHER)).code == 403
        assert (await server.fetch("GET", "/api/sessions", headers=ALLOWED)).code == 200
        await stop(server, folder)
        assert stays.ending[0] == 1001


# A path of its own


@pytest.fixture
def built(folder: Path) -> Path:
    """What a build of the web client leaves, as far as it matters here."""
    page = folder / "static"
    page.mkdir()
    (page / "index.html").write_text('<!doctype html><base href="/"><script src="assets/a.js"></script>')
    (page / "index.html.br").write_bytes(b"of the page as it was built")
    (page / "index.html.gz").write_bytes(b"of the page as it was built")
    (page / "assets").mkdir()
    (page / "assets" / "a.js").write_text("1;" * 20000)
    return page


async def test_everything_is_below_the_path_and_nothing_beside_it(serve: Serve, built: Path) -> None:
    server = await serve(base_path="/a/terminal", static=built)
    for path in ("/", "/login", "/api/health", "/api/sessions", "/a/terminalx", "/a", "/a/terminal2/", "/nowhere"):
        assert (await server.fetch("GET", path)).code == 404, path
    assert (await server.fetch("GET", "/a/terminal/api/sessions")).code == 200
    assert (await server.fetch("GET", "/a/terminal/api/nowhere")).code == 404
    assert (await server.fetch("GET", "/a/terminal/assets/a.js")).body == b"1;" * 20000
    moved = await server.fetch("GET", "/a/terminal")
    assert (moved.code, moved.headers["Location"]) == (308, "/a/terminal/")


async def test_requests_outside_the_base_path_pass_the_host_policy_too(serve: Serve) -> None:
    server = await serve(base_path="/terminal")
    for path in ("/terminal", "/nowhere"):
        assert (await server.fetch("GET", path, headers={"Host": "evil.example"})).code == 403


@pytest.mark.parametrize("coding", ["", "gzip", "br"])
async def test_the_page_looks_for_everything_below_the_path(serve: Serve, built: Path, coding: str) -> None:
    server = await serve(base_path="/terminal", static=built)
    for page in ("", "login", "session/1"):
        response = await server.fetch(
            "GET", f"/terminal/{page}", headers={"Accept-Encoding": coding}, decompress_response=True
        )
        assert b'<base href="/terminal/">' in response.body


async def test_the_announced_link_and_the_cookie_have_the_path(serve: Serve) -> None:
    server = await serve(base_path="/a/terminal")
    assert server.announcement.url == f"{server.url}/a/terminal"
    assert server.announcement.link.startswith(f"{server.url}/a/terminal/login#")
    server.url += "/a/terminal"
    browser = Browser(server)
    code = server.announcement.code
    sent = {"Origin": server.server.local_url, "Sec-Fetch-Site": "same-origin"}
    response = await server.fetch("POST", "/api/auth/code", {"code": code}, login=False, headers=sent)
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("vibetunnel-a-terminal=")
    assert "path=/;" in f"{cookie.lower()};"
    browser.cookie = cookie.partition(";")[0]
    headers = sent | {"Cookie": browser.cookie}
    assert (await server.fetch("GET", "/api/sessions", login=False, headers=headers)).code == 200
    session = await server.session(["cat"])
    socket = await server.attach(session, headers=headers)
    await socket.send(b"typed\n")
    await socket.until(b"typed\r\n")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://box.example/terminal", "https://box.example/terminal"),
        ("https://box.example", "https://box.example/terminal"),
        ("https://box.example/other", "https://box.example/other"),
    ],
)
async def test_the_address_for_others_has_the_path_once(serve: Serve, url: str, expected: str) -> None:
    assert (await serve(base_path="/terminal", url=url)).announcement.url == expected


# A unix socket


async def test_the_command_line_finds_a_server_on_a_unix_socket(serve: Serve, folder: Path) -> None:
    path = folder / "http.sock"
    server = await serve(bind=f"unix:{path}", base_path="/terminal")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = await asyncio.to_thread(RunningServer, server.server.settings)
    assert found.url == f"unix:{path}"
    created = await asyncio.to_thread(found.request, "POST", "/api/sessions", {"command": ["cat"]})
    assert [each["id"] for each in await asyncio.to_thread(found.sessions)] == [created["id"]]
    path.unlink()
    with pytest.raises(NotRunning):
        await asyncio.to_thread(found.sessions)


async def test_the_command_line_gives_no_secret_to_a_socket_of_another_user(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve(bind=f"unix:{folder / 'http.sock'}")
    found = await asyncio.to_thread(RunningServer, server.server.settings)
    uid = os.geteuid()
    monkeypatch.setattr("vibetunnel.cli.server_client.os.geteuid", lambda: uid + 1)
    with pytest.raises(Exception, match="belongs to a process of user"):
        await asyncio.to_thread(found.sessions)


async def test_a_terminal_works_over_a_unix_socket(serve: Serve, folder: Path) -> None:
    server = await serve(bind=f"unix:{folder / 'http.sock'}")
    found = await asyncio.to_thread(RunningServer, server.server.settings)
    created = await asyncio.to_thread(found.request, "POST", "/api/sessions", {"command": ["cat"]})
    reader, writer = await asyncio.open_unix_connection(folder / "http.sock")
    writer.write(
        f"GET /ws?sessionId={created['id']} HTTP/1.1\r\n"
        "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Authorization: {server.bearer['Authorization']}\r\n\r\n".encode()
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    writer.write(b"\x82\x86\0\0\0\0typed\n")
    await reader.readuntil(b"typed\r\n")
    writer.close()
    await writer.wait_closed()


async def test_a_unix_socket_is_not_encrypted(serve: Serve, folder: Path) -> None:
    with pytest.raises(StartFailed, match="let the proxy in front of it use TLS"):
        await serve(bind=f"unix:{folder / 'http.sock'}", tls_self_signed=True)


# HTTPS


async def test_a_self_signed_server_says_its_fingerprint(serve: Serve) -> None:
    server = await serve(tls_self_signed=True)
    assert len(server.announcement.fingerprint.split(":")) == 32
    server.options = {"ca_certs": str(server.server.settings.state_dir / "tls" / "cert.pem")}
    response = await server.fetch("GET", "/api/sessions")
    assert "Strict-Transport-Security" not in response.headers  # or no user could pass the browser's warning
    assert json.loads(response.body) == []


async def test_the_command_line_finds_a_self_signed_server(serve: Serve) -> None:
    server = await serve(tls_self_signed=True)
    found = await asyncio.to_thread(RunningServer, server.server.settings)
    assert await asyncio.to_thread(found.sessions) == []


async def test_a_process_serves_terminals_over_tls_and_sends_others_there(folder: Path) -> None:
    """As it is started, with the event loop that it has then."""
    async with process(folder, "--tls-self-signed") as server:
        server.url = server.url.replace("http", "https")
        server.options = {"ca_certs": str(folder / "s" / "tls" / "cert.pem")}
        session = await server.session(["cat"])
        terminal = await server.attach(session)
        await terminal.send(b"typed\n")
        await terminal.until(b"typed\r\n")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 308 ")
        writer.close()
        await writer.wait_closed()
        await stop(server, folder)
        assert terminal.ending[0] == 1001
