"""The server behind a real nginx, configured as docs/deployment.md says: TLS, a path, WebSockets, a unix socket."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from harness import DEADLINE_S, Client, Running, Serve
from tornado.httpclient import HTTPClientError

from vibetunnel import paths
from vibetunnel.security import certificates

DOCUMENTED = (Path(__file__).parents[2] / "docs" / "deployment.md").read_text(encoding="utf-8")
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin:/opt/homebrew/bin") or "nginx"

SURROUNDINGS = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {documented}
}}
"""


def configured(folder: Path, port: int, host: str) -> str:
    """The documented configuration, with our places for its places. host: what it passes on as Host."""
    found = re.search(r"```nginx\n(.*?)```", DOCUMENTED, flags=re.DOTALL)
    assert found
    text = found[1]
    for theirs, ours in (
        ("/run/vibetunnel/http.sock", str(folder.parent / "http.sock")),
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("server_name box.example", "server_name localhost"),
        ("/etc/ssl/box.example/chain.pem", str(folder / "tls" / "cert.pem")),
        ("/etc/ssl/box.example/key.pem", str(folder / "tls" / "key.pem")),
    ):
        assert theirs in text
        text = text.replace(theirs, ours)
    assert "$http_host" in text
    text = text.replace("$http_host", host)
    # Its worker has to be of our user, as the socket wants; only root can choose that.
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    return SURROUNDINGS.format(user=user, folder=folder, documented=text)


@asynccontextmanager
async def nginx(folder: Path, host: str) -> AsyncIterator[int]:
    """The port it listens on."""
    certificates.make(folder / "tls", ["localhost"])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = int(listening.getsockname()[1])
        config = folder / "nginx.conf"
        config.write_text(configured(folder, port, host))
        running = await asyncio.create_subprocess_exec(
            *(NGINX, "-p", str(folder), "-c", str(config), "-e", "stderr"),
            stderr=asyncio.subprocess.PIPE,
            pass_fds=[listening.fileno()],
            env={"NGINX": f"{listening.fileno()};"},  # as when it replaces itself: nobody else can have taken the port
        )
    said = asyncio.ensure_future(running.communicate())
    try:
        yield port
    finally:
        if running.returncode is None:
            running.terminate()
        await said


class Outside(Client):
    """A client out there, which knows the proxy only."""

    def __init__(self, server: Running, folder: Path, port: int) -> None:
        super().__init__(f"https://localhost:{port}/terminal", server.server.context.secret)
        self.origin = f"https://localhost:{port}"
        self.port = port
        self.options = {"ca_certs": str(folder / "tls" / "cert.pem")}

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.create_default_context(cafile=self.options["ca_certs"])
        return await asyncio.open_connection("localhost", self.port, ssl=context)


@asynccontextmanager
async def outside(
    serve: Serve, folder: Path, *, host: str = "$http_host", named: bool = False, **settings: object
) -> AsyncIterator[tuple[Running, Outside]]:
    """named: the server is told its address with --url"""
    own = {"bind": f"unix:{folder / 'http.sock'}", "base_path": "/terminal", "trusted_proxies": ("unix",)}
    async with nginx(paths.private_dir(folder / "n"), host) as port:
        own |= {"url": f"https://localhost:{port}/terminal"} if named else {}
        server = await serve(**own | settings)
        client = Outside(server, folder / "n", port)
        try:
            yield server, client
        finally:
            await server.close()
            await client.close()


async def test_a_terminal_works_through_nginx(serve: Serve, folder: Path) -> None:
    async with outside(serve, folder) as (_, client):
        session = await client.session(["sh", "-c", "echo ready; cat"])
        for v1 in (False, True):
            socket_ = await client.attach(session, v1=v1)
            while b"ready" not in (await socket_.receive() or b""):
                pass
        raw = await client.attach(session)
        await raw.send(b"typed\n")
        await raw.until(b"typed\r\ntyped\r\n")


async def test_ten_megabytes_pass_nginx(serve: Serve, folder: Path) -> None:
    size = 10_000_000
    async with outside(serve, folder) as (_, client):
        session = await client.session(["sh", "-c", f"stty raw -echo; echo ready; read go; yes | head -c {size}"])
        terminal = await client.attach(session)
        await terminal.until(b"ready\n")
        await terminal.send(b"go\n")
        got = 0
        while (message := await terminal.receive()) is not None:
            got += len(message)
        assert got == size
        assert terminal.ending == (1000, "exited 0")


async def test_a_browser_logs_in_through_nginx(serve: Serve, folder: Path) -> None:
    async with outside(serve, folder) as (server, client):
        same = {"Origin": client.origin, "Sec-Fetch-Site": "same-origin"}
        code = {"code": server.announcement.code}
        response = await client.fetch("POST", "/api/auth/code", code, login=False, headers=same)
        assert response.code == 200, response.body
        cookie = response.headers["Set-Cookie"]
        assert cookie.startswith("__Host-vibetunnel-terminal=")  # which wants Secure and Path=/
        assert "; secure" in cookie.lower()
        browser = same | {"Cookie": cookie.partition(";")[0]}
        assert (await client.fetch("GET", "/api/sessions", login=False, headers=browser)).code == 200
        session = await client.session(["cat"])
        terminal = await client.attach(session, headers=browser)
        await terminal.send(b"typed\n")
        await terminal.until(b"typed\r\n")
        for origin in ("https://evil.example", "http://" + client.origin.partition("://")[2], "https://localhost"):
            foreign = browser | {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
            with pytest.raises(HTTPClientError, match="403"):
                await client.attach(session, headers=foreign)


async def test_a_proxy_that_drops_the_port_is_told_so(serve: Serve, folder: Path) -> None:
    async with outside(serve, folder, host="$host") as (_, client):
        headers = {"Origin": client.origin, "Sec-Fetch-Site": "same-origin"}
        answer = await client.json("GET", "/api/sessions", headers=headers, status=403)
        assert answer["error"] == (
            f"Origin: expected https://localhost, as Host says, got {client.origin}. If a proxy drops the port, let "
            "the proxy pass Host on unchanged (nginx: `proxy_set_header Host $http_host;`), or start the server with "
            f"--url {client.origin}"
        )


async def test_a_proxy_that_drops_the_port_works_if_the_server_knows_its_address(serve: Serve, folder: Path) -> None:
    async with outside(serve, folder, host="$host", named=True) as (_, client):
        headers = client.bearer | {"Origin": client.origin, "Sec-Fetch-Site": "same-origin"}
        session = await client.session(["cat"])
        terminal = await client.attach(session, headers=headers)
        await terminal.send(b"typed\n")
        await terminal.until(b"typed\r\n")


async def test_news_come_through_nginx_at_once(serve: Serve, folder: Path) -> None:
    async with outside(serve, folder) as (_, client):
        reader, writer = await client.connect()
        lines = ["GET /terminal/api/events HTTP/1.1", "Host: localhost", *map(": ".join, client.bearer.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        async with asyncio.timeout(DEADLINE_S):
            await reader.readuntil(b"connected")
            session = await client.session(["cat"], name="heard-of")
            await reader.readuntil(session.encode())
        writer.transport.abort()  # in the middle of it, as a closed tab does


async def test_forwarding_headers_of_a_client_do_not_pass_nginx(serve: Serve, folder: Path) -> None:
    listed = ("198.51.100.0/24",)
    async with outside(serve, folder, allow_ip=listed) as (_, client):
        # The test's own address is a loopback address, but a proxy sends the request, so it is not let in for that.
        for forged in (
            {},
            {"X-Forwarded-For": "198.51.100.7"},
            {"Forwarded": "for=198.51.100.7"},
            {"X-Real-IP": "198.51.100.7"},
            {"Forwarded": 'for="198.51.100.7', "X-Forwarded-For": "198.51.100.7, 198.51.100.8"},
        ):
            response = await client.fetch("GET", "/api/sessions", headers=forged)
            assert (response.code, b"IP address not allowed" in response.body) == (403, True), forged


async def test_a_client_of_nginx_that_is_on_the_list_comes_in(serve: Serve, folder: Path) -> None:
    async with outside(serve, folder, allow_ip=("127.0.0.1",)) as (_, client):
        assert (await client.fetch("GET", "/api/sessions")).code == 200
        assert (await client.fetch("GET", "/api/sessions", headers={"Host": "evil.example"})).code == 403


@pytest.mark.parametrize(
    "smuggled",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Content-Length : 4\r\n\r\nabcd",
        b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    ],
)
async def test_nothing_is_smuggled_past_nginx(serve: Serve, folder: Path, smuggled: bytes) -> None:
    async with outside(serve, folder) as (_, client):
        reader, writer = await client.connect()
        writer.write(b"POST /terminal/api/auth/logout HTTP/1.1\r\nHost: localhost\r\n" + smuggled)
        writer.write(b"GET /terminal/api/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(DEADLINE_S):
            answer = await reader.read()
        assert answer.count(b"HTTP/1.1 ") == 1
        writer.close()
        await writer.wait_closed()
