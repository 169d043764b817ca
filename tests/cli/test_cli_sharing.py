"""Share links and clients of a session on the command line."""

import json
import socket
import subprocess
import urllib.parse
from datetime import UTC, datetime, timedelta
from typing import Any

from cli_home import Home, post
from harness import DEADLINE_S

from vibetunnel import paths
from vibetunnel.cli import sharing
from vibetunnel.cli.server_client import RunningServer

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def code_of(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    assert parts.path.endswith("/share")
    assert parts.query == ""
    return parts.fragment


def test_a_link_is_printed_listed_used_and_revoked(home: Home, server: "subprocess.Popen[str]") -> None:
    home.new_session(["cat"], "pair")
    assert home.ok("share", "list", "pair") == "No links to pair.\n"
    rows = {line.split()[0]: line.split(maxsplit=1)[1] for line in home.ok("share", "create", "pair").splitlines()}
    assert rows["Guests"] == "may watch, not type"
    assert rows["Valid"] == "for 1 d"
    code = code_of(rows["Open"])
    status, answer = post(home, "/api/auth/share", {"code": code})
    assert (status, answer["role"]) == (200, "view")
    table = home.ok("share", "list", "pair").splitlines()
    assert table[0].split() == ["ID", "NAME", "ROLE", "USED", "HERE", "ENDS", "IN", "BY"]
    (found,) = json.loads(home.ok("share", "list", "pair", "--json"))
    assert (found["used"], found["uses"], found["role"]) == (1, None, "view")
    assert code not in json.dumps(found)
    revoke = rows["Revoke"].split()
    assert revoke[:3] == ["vibetunnel", "share", "revoke"]
    assert home.ok(*revoke[1:]) == f"Revoked {found['id']}.\n"
    assert post(home, "/api/auth/share", {"code": code})[0] == 401
    assert "there is no link" in home.refused("share", "revoke", "pair", found["id"])


def test_a_link_has_the_role_expiry_uses_and_name_of_its_order(home: Home, server: "subprocess.Popen[str]") -> None:
    home.new_session(["cat"], "pair")
    order = ["--role", "type", "--expires", "never", "--uses", "1", "--name", "Grace"]
    made = json.loads(home.ok("share", "create", "pair", *order, "--json"))
    assert (made["role"], made["expiresAt"], made["uses"], made["name"]) == ("type", None, 1, "Grace")
    assert post(home, "/api/auth/share", {"code": made["code"]})[0] == 200
    assert post(home, "/api/auth/share", {"code": made["code"]})[0] == 401
    text = home.ok("share", "create", "pair", *order, "--qr")
    assert "until it is revoked, once" in text
    assert "may type" in text
    assert "▄" in text


def test_a_link_that_cannot_be_is_refused(home: Home, server: "subprocess.Popen[str]") -> None:
    home.new_session(["cat"], "pair")
    for wrong in (["--role", "control"], ["--uses", "0"], ["--expires", "soon"]):
        assert home.run("share", "create", "pair", *wrong).returncode == 2
    assert "no session has the id or name 'none'" in home.refused("share", "create", "none")
    assert "expires" in home.refused("share", "create", "pair", "--expires", "400d")
    assert home.ok("share", "list", "pair") == "No links to pair.\n"


def test_who_is_here(home: Home, server: "subprocess.Popen[str]") -> None:
    home.new_session(["cat"], "pair")
    assert home.ok("who", "pair") == "No clients are attached to pair.\n"
    assert json.loads(home.ok("who", "pair", "--json")) == []
    assert "no session has the id or name" in home.refused("who", "none")


def test_the_attached_clients_are_listed(home: Home, server: "subprocess.Popen[str]") -> None:
    session = home.new_session(["cat"], "pair")
    address = urllib.parse.urlsplit(RunningServer(home.settings).url)
    secret = paths.read_private(home.settings.state_dir / paths.SECRET).decode().strip()
    head = (
        f"GET /ws?sessionId={session['id']}&permission=type HTTP/1.1\r\nHost: {address.netloc}\r\n"
        f"Authorization: Bearer {secret}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), timeout=DEADLINE_S) as connection:
        connection.sendall(head.encode())
        assert b" 101 " in connection.recv(4096)
        rows = home.ok("who", "pair").splitlines()
        assert rows[0].split() == ["WHO", "ROLE", "KEYBOARD", "FOR", "FROM", "ID"]
        (person,) = json.loads(home.ok("who", "pair", "--json"))
        assert rows[1].split()[:3] == [person["user"], "owner", "yes"]
        assert rows[1].split()[-2:] == ["127.0.0.1", person["id"]]
        for verb, keyboard in (("--give", True), ("--take", False)):
            (changed,) = json.loads(home.ok("who", "pair", verb, person["id"], "--json"))
            assert changed["writable"] is keyboard
        assert "there is no client 'nobody'" in home.refused("who", "pair", "--give", "nobody")
        assert home.run("who", "pair", "--give", "x", "--take", "x").returncode == 2
        assert home.ok("who", "pair", "--put-out", person["id"]) == "No clients are attached to pair.\n"
        while connection.recv(4096):  # the server hangs up
            pass


# Decisions that need no server


def test_shares_and_people_as_tables() -> None:
    share: dict[str, Any] = {
        "id": "s1",
        "sessionId": "x",
        "role": "view",
        "name": "Grace\x1b[2J",
        "createdAt": NOW.isoformat(),
        "createdBy": "ada",
        "expiresAt": (NOW + timedelta(hours=5)).isoformat(),
        "uses": 3,
        "used": 1,
        "people": 1,
    }
    assert sharing.share_rows([share, {**share, "uses": None, "expiresAt": None}], now=NOW)[1:] == [
        ("s1", "Grace?[2J", "view", "1 of 3", "1", "5h", "ada"),
        ("s1", "Grace?[2J", "view", "1", "1", "never", "ada"),
    ]
    person = {
        "id": "c1",
        "user": "Grace\n",
        "role": "guest",
        "writable": False,
        "guest": True,
        "since": (NOW - timedelta(minutes=2)).isoformat(),
        "you": False,
    }
    assert sharing.people_rows([person, {**person, "writable": True, "address": "::1"}], now=NOW)[1:] == [
        ("Grace?", "guest", "no", "2m", "", "c1"),
        ("Grace?", "guest", "yes", "2m", "::1", "c1"),
    ]
