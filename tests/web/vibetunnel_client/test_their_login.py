"""Logins of VibeTunnel's own web client: what is closed before, by password, key and link, and how long one lasts."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from typing import Any

import pytest
from harness import WEBSOCKET
from playwright.sync_api import expect
from served import PASSWORD, Served
from their_visitor import READY, SHELL, SIZES, Enter, Serve, TheirVisitor

MINUTE_S = 60

# `vibetunnel`, with a clock that is ahead by as many seconds as the file says that is the first argument.
AHEAD = """
import pathlib, sys, time
from vibetunnel import cli, server
from vibetunnel.security.clock import ForwardClock
ahead = pathlib.Path(sys.argv.pop(1))
server.ForwardClock = lambda: ForwardClock(lambda: time.time() + float(ahead.read_text()))
cli.main()
"""


@pytest.fixture(scope="module")
def server(serve: Serve) -> Served:
    """A server that knows the user of the login page."""
    server = serve("--enable-ssh-keys")
    server.user(their_name(server), "owner")
    return server


def their_name(server: Served) -> str:
    """The only user whom the client's login page knows."""
    return str(server.ask("GET", "/api/auth/current-user")["userId"])


def answer(server: Served, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
    """(status, JSON) of a request without a cookie; no JSON if the answer goes on."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(
            method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"} | sent
        )
        response = connection.getresponse()
        plain = response.getheader("Content-Type", "").startswith("application/json")
        return response.status, json.loads(response.read()) if plain else None
    finally:
        connection.close()


def open_login(client: TheirVisitor) -> None:
    client.allow_complaint(r"401 \(Unauthorized\)|: Unauthorized")  # it asks for much before it has logged in
    client.open("/")


def log_in(client: TheirVisitor, password: str = PASSWORD) -> None:
    open_login(client)
    client.at("password-input").fill(password)
    client.at("password-submit").click()


def test_without_a_token_everything_is_closed(server: Served) -> None:
    session = server.session(SHELL)
    stream = f"/api/sessions/{session}/stream"
    upgrades = ("/buffers", f"/ws/input?sessionId={session}", "/ws")
    assert [answer(server, "GET", path)[0] for path in ("/api/sessions", stream)] == [401, 401]
    assert [answer(server, "GET", path, **WEBSOCKET)[0] for path in upgrades] == [401, 401, 401]
    assert [answer(server, "GET", f"/api/logs/{each}")[0] for each in ("raw", "info")] == [401, 401]
    assert answer(server, "GET", "/api/sessions", Authorization="Bearer no.such.token")[0] == 401


def test_the_token_of_a_login_opens_streams_and_sockets_by_their_address(server: Served) -> None:
    session = server.session(SHELL)
    credentials = {"userId": their_name(server), "password": PASSWORD}
    status, login = answer(server, "POST", "/api/auth/password", credentials)
    assert (status, login["success"]) == (200, True)
    token = f"token={login['token']}"
    assert answer(server, "GET", f"/api/sessions/{session}/stream?{token}")[0] == 200
    assert answer(server, "GET", f"/buffers?{token}", **WEBSOCKET)[0] == 101
    assert answer(server, "GET", f"/ws/input?sessionId={session}&{token}", **WEBSOCKET)[0] == 101


@pytest.mark.parametrize("size", SIZES)
def test_a_wrong_password_is_refused_and_the_right_one_opens_the_list(
    server: Served, enter: Enter, size: dict[str, Any]
) -> None:
    client = enter(server, **size)
    log_in(client, "a wrong guess")
    refused = client.answer("POST", "/api/auth/password")
    assert (refused.status, refused.json()["success"]) == (401, False)
    expect(client.page.get_by_text(refused.json()["error"])).to_be_visible()
    client.at("password-input").fill(PASSWORD)
    client.at("password-submit").click()
    expect(client.new_session).to_be_visible()
    client.open_shell()


def test_a_key_made_in_the_client_logs_in_after_the_command_it_shows(server: Served, enter: Enter) -> None:
    client = enter(server, accept_downloads=True)
    open_login(client)
    client.at("manage-keys").click()
    client.page.get_by_role("button", name="Add Key").click()
    client.page.get_by_placeholder("Enter name for new key").fill("laptop")
    with client.page.expect_download():
        client.page.get_by_role("button", name="Generate New Key").click()
    command = client.page.locator("ssh-key-manager pre").first.inner_text()
    client.press("Escape")
    client.at("ssh-login").click()
    refused = client.answer("POST", "/api/auth/ssh-key")
    assert (refused.status, refused.json()["success"]) == (401, False)
    (server.home / ".ssh").mkdir(mode=0o700)
    subprocess.run(["sh", "-c", f"umask 077; {command}"], env={"HOME": str(server.home)}, check=True)
    client.at("ssh-login").click()
    expect(client.new_session).to_be_visible()
    assert client.answer("POST", "/api/auth/ssh-key", 1).json()["authMethod"] == "ssh-key"


def test_a_reload_keeps_the_login(server: Served, enter: Enter) -> None:
    client = enter(server)
    log_in(client)
    expect(client.new_session).to_be_visible()
    session = client.open_shell()
    before = len(client.requests("POST", "/api/auth/password"))
    client.page.reload()
    client.until_shows(READY)
    assert client.session() == session
    assert len(client.requests("POST", "/api/auth/password")) == before
    assert client.answer("GET", "/api/auth/verify").status == 200


def test_the_token_of_a_logout_is_no_longer_valid(server: Served, enter: Enter) -> None:
    client = enter(server)
    log_in(client)
    expect(client.new_session).to_be_visible()
    token = client.answer("GET", "/api/sessions").request.headers["authorization"]
    assert answer(server, "GET", "/api/sessions", Authorization=token)[0] == 200
    client.page.get_by_title("User menu").click()
    client.page.get_by_text("Logout").click()
    expect(client.at("password-input")).to_be_visible()
    assert answer(server, "GET", "/api/sessions", Authorization=token)[0] == 401


def test_the_link_that_the_server_prints_logs_in(server: Served, enter: Enter) -> None:
    client = enter(server)
    client.page.goto(server.link)
    expect(client.new_session).to_be_visible()


class ServedAhead(Served):
    """A server whose clock is ahead by as many seconds as its file `ahead` says."""

    def start(self) -> None:
        ahead = self.folder / "ahead"
        ahead.write_text("0")
        self.program = (sys.executable, "-c", AHEAD, str(ahead))
        super().start()

    def be_ahead(self, seconds: float) -> None:
        new = self.folder / "ahead.new"
        new.write_text(str(seconds))
        new.rename(self.folder / "ahead")


def test_a_login_that_is_used_outlives_its_first_access_token(serve: Serve, enter: Enter) -> None:
    server = serve(kind=ServedAhead)
    server.user(their_name(server), "owner")
    client = enter(server)
    log_in(client)
    expect(client.new_session).to_be_visible()
    client.open_shell()
    for minutes in (16, 32, 100):
        server.be_ahead(minutes * MINUTE_S)
        client.answer("GET", "/api/sessions", len(client.requests("GET", "/api/sessions")))
        client.type(f"echo after $(({minutes}+0)) minutes\n")
        client.until_shows(rf"^after {minutes} minutes$")
        client.page.reload()
        client.until_shows(rf"^after {minutes} minutes$")
    client.open_list()
    expect(client.page.get_by_test_id("session-card")).to_contain_text("after 100 minutes")
    assert [each.url for each in client.answered if each.status == 401 and "/api/sessions" in each.url] == []
