"""The routes about the server itself; and for every route, that it answers what the OpenAPI document says."""

from __future__ import annotations

import asyncio
import base64
import fnmatch
import gzip
import json
import os
import re
import socket
import stat
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from harness import DEADLINE_S, Running, Serve
from push_endpoint import ON, PushBrowser

from vibetunnel import __version__, errors
from vibetunnel.errors import StartFailed
from vibetunnel.handlers.git_routes import GIT_ROUTES
from vibetunnel.handlers.multiplexer_routes import MULTIPLEXER_ROUTES
from vibetunnel.handlers.refusals import STATUS
from vibetunnel.handlers.route import Media
from vibetunnel.handlers.routes import ROUTES
from vibetunnel.http import connection
from vibetunnel.http.negotiation import choose_coding
from vibetunnel.keeper import errors as keeper_errors  # noqa: F401 (its classes are subclasses of VibeTunnelError)
from vibetunnel.push.sender import Reach

PASSWORD = "correct horse battery staple"

# Reviewed: what succeeds with another method than GET, and leaves no line in the audit. docs/security.md says why.
UNAUDITED = {
    ("POST", "/api/sessions/{session_id}/input"),  # a line for the first input only, and never what it is
    ("POST", "/api/sessions/{session_id}/resize"),
    ("POST", "/api/sessions/{session_id}/reset-size"),
    ("POST", "/api/sessions/{session_id}/wait"),
    ("POST", "/api/auth/ticket"),
    ("POST", "/api/fs/uploads"),  # a line when the file is there
    ("PUT", "/api/fs/uploads/{upload_id}"),
    ("DELETE", "/api/fs/uploads/{upload_id}"),
    ("POST", "/api/auth/challenge"),
    ("POST", "/api/events/test"),  # changes nothing
    ("PUT", "/api/config"),
    ("POST", "/api/logs/client"),
    ("POST", "/api/logs/flush"),
    ("POST", "/api/push/test"),
    ("POST", "/api/test-notification"),
    ("POST", "/api/git/event"),  # a line only if follow mode then does something
    ("POST", "/api/auth/logout"),  # with the secret, which is no login
}

# The server itself


async def test_health_needs_no_login_and_is_small(server: Running) -> None:
    await server.session()
    health = await server.json("GET", "/api/health", login=False)
    assert health.pop("uptime") >= 0
    assert datetime.fromisoformat(health.pop("timestamp")) >= datetime.fromisoformat(health.pop("buildDate"))
    common = {"status": "ok", "version": __version__, "sessions": 1, "pid": os.getpid()}
    assert health == {**common, "mode": "remote"}
    health = await server.json("GET", "/health", login=False)
    assert re.fullmatch(r"(\d+m)?[\d.]+s", health.pop("uptime"))
    assert health == common


async def test_status_and_config_tell_what_a_client_should_know(server: Running) -> None:
    status = await server.json("GET", "/api/server/status")
    assert (status["pid"], status["sessions"], status["clients"]) == (os.getpid(), 0, 0)
    assert status["problems"] == []
    assert (status["isHQMode"], status["macAppConnected"]) == (False, False)
    assert (status["healthy"], status["serverName"]) == (True, "VibeTunnel")
    assert status["uptimeMs"] <= status["timestamp"] * 1000
    config = await server.json("GET", "/api/config")
    assert config["defaultCommand"] == ["/bin/sh"]
    assert (config["rows"], config["cols"], config["spawn"], config["noAuth"]) == (24, 80, "lazy", False)
    assert config["workingDir"].startswith("/")
    auth = await server.json("GET", "/api/auth/config", login=False)
    assert auth == {
        "noAuth": False,
        "loginCode": True,
        "passwords": False,
        "enableSSHKeys": False,
        "disallowUserPassword": False,
        "webClient": False,
        "authRequired": True,
        "authMethods": [],
        "sshKeyAuth": False,
        "passwordAuth": False,
        "serverName": "VibeTunnel",
        "version": __version__,
    }


async def test_metrics_are_what_prometheus_reads(server: Running) -> None:
    session = await server.session(["cat"])
    await server.session()
    await server.attach(session)
    response = await server.fetch("GET", "/metrics")
    assert response.headers["Content-Type"].startswith("text/plain")
    lines = response.body.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert values['vibetunnel_sessions{state="created"}'] == "1.0"
    assert values['vibetunnel_sessions{state="running"}'] == "1.0"
    assert values["vibetunnel_pump_clients"] == "1.0"
    assert float(values["process_resident_memory_bytes"]) > 0
    for name in ("bytes_out_total", "bytes_in_total", "frames_out_total", "input_queued", "max_lag"):
        assert f"vibetunnel_pump_{name}" in values
    assert "vibetunnel_event_loop_delay_seconds_count" in values


async def test_the_server_file_says_how_to_find_the_server_and_goes_with_it(serve: Serve, folder: Path) -> None:
    server = await serve(url="https://public.example")
    path = folder / "r" / "server.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_bytes()) == {
        "pid": os.getpid(),
        "url": f"http://127.0.0.1:{server.server.port}",
        "port": server.server.port,
        "version": __version__,
        "base_path": "",
    }
    await server.close()
    assert not path.exists()


async def test_a_port_in_use_is_one_clear_sentence(serve: Serve) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        expected = f"port {port} on 127.0.0.1 is in use: stop what uses it, or choose another with --port"
        with pytest.raises(StartFailed) as failed:
            await serve(port=port)
    assert str(failed.value) == expected


@pytest.mark.parametrize("bind", ["no.such.host.invalid", "192.0.2.1"])
async def test_an_address_that_is_not_ours_is_one_clear_sentence(serve: Serve, bind: str) -> None:
    with pytest.raises(StartFailed, match="--bind"):
        await serve(bind=bind)


@pytest.mark.parametrize("bind", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
async def test_without_logins_it_does_not_listen_for_others_unless_told_twice(serve: Serve, bind: str) -> None:
    with pytest.raises(StartFailed, match="--yes-expose-without-auth"):
        await serve(no_auth=True, bind=bind)


async def test_told_twice_it_does(serve: Serve) -> None:
    server = await serve(no_auth=True, yes_expose_without_auth=True, bind="0.0.0.0")
    assert await server.json("GET", "/api/sessions", login=False) == []


async def test_ipv6_is_served(serve: Serve) -> None:
    server = await serve(bind="::1")
    assert server.url == f"http://[::1]:{server.server.port}"
    assert await server.json("GET", "/api/sessions") == []


async def test_every_address_means_ipv4_and_ipv6(serve: Serve) -> None:
    server = await serve(bind="::")
    for url in (f"http://127.0.0.1:{server.server.port}", f"http://[::1]:{server.server.port}"):
        server.url = url
        assert await server.json("GET", "/api/sessions") == []


async def test_a_state_folder_that_others_can_enter_is_refused(serve: Serve, folder: Path) -> None:
    open_folder = folder / "open"
    open_folder.mkdir(mode=0o755)
    with pytest.raises(StartFailed, match="chmod 700"):
        await serve(state_dir=open_folder)


async def test_two_servers_in_one_process_do_not_mix(serve: Serve, folder: Path) -> None:
    one = await serve()
    other = await serve(state_dir=folder / "s2", runtime_dir=folder / "r2")
    await one.session()
    assert await other.json("GET", "/api/sessions") == []
    assert (await other.fetch("GET", "/api/sessions", login=False, headers=one.bearer)).code == 401


async def test_malformed_requests_get_a_4xx_and_no_more(server: Running) -> None:
    for request in (
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /api/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
        b"GET /api/%ff%fe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /session/%00%0a HTTP/1.0\r\nHost: evil\r\n\r\n",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
        writer.write(request)
        async with asyncio.timeout(DEADLINE_S):
            assert (await reader.readline()).startswith(b"HTTP/1.1 4"), request
        writer.close()
        await writer.wait_closed()
    assert (await server.fetch("GET", "/api/health")).code == 200


@pytest.mark.parametrize(
    ("method", "path", "login", "status", "allow"),
    [
        ("TRACE", "/api/sessions", True, 405, "GET, POST, HEAD"),
        ("TRACE", "/api/sessions", False, 401, None),  # what a protected route can do is not for everyone
        ("TRACE", "/api/health", False, 405, "GET, HEAD"),
        ("OPTIONS", "/", False, 405, "GET, HEAD"),
        ("PUT", "/ws?sessionId=x", True, 405, "GET"),
        ("QUERY", "/api/users/ada", True, 405, "PATCH, DELETE"),
        ("BREW", "/api/sessions", True, 501, "GET, HEAD, POST, PUT, PATCH, DELETE"),
        ("get", "/api/sessions", True, 501, "GET, HEAD, POST, PUT, PATCH, DELETE"),
    ],
)
async def test_the_answer_to_another_method_names_those_that_there_are(
    server: Running, method: str, path: str, login: bool, status: int, allow: str | None
) -> None:
    response = await server.fetch(method, path, login=login)
    assert (response.code, response.headers.get("Allow")) == (status, allow)


def test_the_methods_that_a_501_names_are_those_of_the_routes() -> None:
    named = re.search(rb"Allow: (.*)\r\n", connection._NOT_IMPLEMENTED)
    assert named
    used = {method for route in ROUTES if not route.hidden for method in route.methods}
    assert set(named[1].decode().split(", ")) == used


def test_every_error_has_a_status() -> None:
    def all_below(kind: type[Exception]) -> set[type[Exception]]:
        return {kind} | {each for below in kind.__subclasses__() for each in all_below(below)}

    # Others, below these, are private to where they are raised and caught; the command line has its own.
    public = {each for each in all_below(errors.VibeTunnelError) if not each.__name__.startswith("_")}
    public = {each for each in public if each.__module__ != "vibetunnel.cli.local_accounts"}
    assert public == set(STATUS)


# The OpenAPI document


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "components": document["components"]}


async def test_the_document_describes_every_route_of_the_table(server: Running) -> None:
    document = await server.json("GET", "/api/openapi.json")
    assert document["openapi"] == "3.1.0"
    described = {(path, method.upper()) for path, methods in document["paths"].items() for method in methods}
    assert described == {(route.shown, method) for route in ROUTES if not route.hidden for method in route.operations}
    names = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


async def test_the_document_says_that_unknown_fields_are_refused(server: Running) -> None:
    document = await server.json("GET", "/api/openapi.json")
    for route in ROUTES:
        for method, operation in route.operations.items():
            if not route.hidden and operation.body is not None:
                described = document["paths"][route.shown][method.lower()]["requestBody"]["content"]["application/json"]
                schema = document["components"]["schemas"][described["schema"]["$ref"].rpartition("/")[2]]
                assert schema["additionalProperties"] is False
                if operation.body.exactly_one:
                    assert [each["required"] for each in schema["oneOf"]] == [
                        [name] for name in operation.body.exactly_one
                    ]


async def test_a_key_that_an_account_does_not_have_is_not_found(server: Running) -> None:
    await server.json("POST", "/api/users", {"name": "ada"}, status=201)
    answer = await server.json("DELETE", "/api/users/ada/keys/x", status=404)
    assert answer == {"error": "User 'ada' has no SSH key with this fingerprint."}


Ask = Callable[..., Awaitable[Any]]


async def ask_about_files(ask: Ask, root: Path) -> None:
    """Ask every operation on files, well and badly. root: has no files yet."""
    (root / "a.txt").write_text("hello")
    (root / "sub").mkdir()
    fs, form = "/api/fs", {"Content-Type": "multipart/form-data; boundary=x"}
    for path in ("browse", "completions", "preview", "content", "raw", "diff", "diff-content", "archive"):
        good = "sub" if path in ("browse", "archive") else "a.txt"
        for query in (f"?path={good}", "?path=nope", "?path=/etc", "?path=%00", "?nope=1"):
            await ask("GET", f"{fs}/{path}", query=query)
    await ask("GET", f"{fs}/raw", query="?path=a.txt", headers={"Range": "bytes=1-2"})
    await ask("GET", f"{fs}/raw", query="?path=a.txt", headers={"Range": "bytes=9-"})
    for name in ("new", "new", "../x"):
        await ask("POST", f"{fs}/mkdir", {"path": ".", "name": name})
    for path in ("new/b", "new/b", "nope/b", "/etc/b"):
        await ask("PUT", f"{fs}/raw", b"123", query=f"?path={path}")
    begun = await ask("POST", f"{fs}/uploads", {"path": "new", "name": "c", "size": 3})
    await ask("POST", f"{fs}/uploads", {"path": "new", "name": "c", "size": 2**60})
    for of, offset in ((begun["id"], 1), ("nope", 0), (begun["id"], "x"), (begun["id"], 0)):
        await ask("GET", f"{fs}/uploads/{{upload_id}}", of=of)
        await ask("PUT", f"{fs}/uploads/{{upload_id}}", b"123", of=of, query=f"?offset={offset}")
    begun = await ask("POST", f"{fs}/uploads", {"path": "new", "name": "d", "size": 3})
    for _ in range(2):
        await ask("DELETE", f"{fs}/uploads/{{upload_id}}", of=begun["id"])
    made: dict[str, Any] = {}
    for field in ("file", "other"):
        sent = f'--x\r\nContent-Disposition: form-data; name="{field}"; filename="p.png"\r\n\r\n1\r\n--x--\r\n'.encode()
        made |= await ask("POST", "/api/files/upload", sent, headers=form)
    await ask("POST", "/api/files/upload", b"{}")
    await ask("GET", "/api/files")
    for name in (made["filename"], "nope", "..x"):
        await ask("GET", "/api/files/{filename}", of=name)
        await ask("DELETE", "/api/files/{filename}", of=name)
    go = "/api/filesystem"
    for path in ("new", "nope", "/etc"):
        await ask("GET", f"{go}/ls", query=f"?path={path}")
        await ask("POST", f"{go}/mkdir", {"path": f"{path}/e"})
        await ask("POST", f"{go}/upload", sent.replace(b"other", b"files"), headers=form, query=f"?path={path}")
        await ask("DELETE", f"{go}/rm", {"path": path})
        await ask("DELETE", f"{go}/rm", {"path": path, "recursive": True})
    for path in ("a.txt", "nope"):
        await ask("GET", f"{go}/download/{{path}}", of=path)


async def test_the_servers_answers_match_the_openapi_document(serve: Serve, folder: Path) -> None:
    """Every operation is asked, well and badly; each answer's status is declared, and its body fits the schema.

    What was answered is in the audit already when the answer comes.
    """
    (folder / "files").mkdir()
    # No push service has port 9, which nothing listens on either.
    reach = Reach(ports=frozenset({9}), allowed=lambda _: False)
    server = await serve(enable_ssh_keys=True, rate_limit_anonymous=0, file_root=(folder / "files",), reach=reach, **ON)
    document = await server.json("GET", "/api/openapi.json")
    audit = server.server.settings.log_dir / "audit.log"
    asked = set()

    async def ask(
        method: str, template: str, body: object = None, *, query: str = "", of: str | list[str] = "", **more: Any
    ) -> Any:
        values = iter([of] if isinstance(of, str) else of)
        path = re.sub(r"\{[a-z_]+\}", lambda _: next(values), template) + query
        before = audit.stat().st_size
        response = await server.fetch(method, path, body, **more)
        if method != "GET" and response.code < 300 and (method, template) not in UNAUDITED:
            assert audit.stat().st_size > before, (method, path)
        operation = document["paths"][template][method.lower()]
        assert str(response.code) in operation["responses"], (method, path, response.code, response.body)
        asked.add((template, method, response.code))
        declared = operation["responses"][str(response.code)]
        for name in declared.get("headers", {}):
            assert name in response.headers
        content = declared.get("content", {})
        if response.code == 204:
            assert (content, response.body) == ({}, b"")
            return None
        answered = response.headers["Content-Type"].partition(";")[0]
        (kind,) = (each for each in content if fnmatch.fnmatch(answered, each))  # image/*
        if "schema" not in content[kind]:
            return None
        value = json.loads(response.body)
        jsonschema.Draft202012Validator(_resolved(document, content[kind]["schema"])).validate(value)
        return value

    session = "/api/sessions/{session_id}"
    for path in ("/api/health", "/health", "/api/sessions", "/api/config", "/api/server/status", "/api/auth/config"):
        await ask("GET", path)
    for path in ("/api/auth/current-user", "/api/openapi.json", "/metrics"):
        await ask("GET", path)
    running = (await ask("POST", "/api/sessions", {"command": ["cat"], "spawn": "now"}))["id"]
    created = (await ask("POST", "/api/sessions", {"name": "x"}))["id"]
    ended = (await ask("POST", "/api/sessions", {"command": "kill $$"}))["id"]
    failed = (await ask("POST", "/api/sessions", {"command": ["/no/such"]}))["id"]
    await ask("POST", f"{session}/input", {"text": "x"}, of=failed)
    await ask("GET", f"{session}/output", of=ended)
    await server.ended(ended)
    for each in (running, created, ended, failed, "nope"):
        await ask("GET", session, of=each)
    await ask("GET", "/api/sessions")
    for method, path, good, bad in (
        ("PATCH", session, {"name": "y"}, {"name": 5}),
        ("POST", f"{session}/input", {"key": "enter"}, {}),
        ("POST", f"{session}/input", {"paste": "x"}, {"paste": 5}),
        ("POST", f"{session}/resize", {"rows": 9, "cols": 9}, {"rows": 0}),
        ("POST", f"{session}/signal", {"signal": "WINCH"}, {"signal": "x"}),
    ):
        for body, where in ((good, running), (bad, running), (good, "nope"), (b"{", running)):
            await ask(method, path, body, of=where)
        await ask(method, path, b"x" * 1_200_000, of=running)
    await ask("POST", f"{session}/reset-size", of=running)
    await ask("POST", f"{session}/reset-size", of="nope")
    await ask("GET", "/api/sessions/activity")
    for of in (running, created, ended, failed, "nope"):
        await ask("GET", f"{session}/activity", of=of)
    await ask("GET", "/api/sessions/tailscale/status")
    await ask("POST", "/api/events/test", {"type": "test", "message": "hello"})
    await ask("POST", "/api/events/test", {"type": "test"})
    await ask("GET", f"{session}/stream", of="nope")
    await ask("GET", f"{session}/stream", of=running, query="?scrollback=x")
    await ask("GET", "/ws/input", query="?sessionId=x")
    await ask("POST", "/api/sessions", {"rows": "x"})
    await ask("PUT", "/api/config", {"quickStartCommands": [{"command": "fish"}]})
    await ask("PUT", "/api/config", {})
    await ask("GET", f"{session}/output", of=running, query="?since=1")
    await ask("GET", f"{session}/output", of=running, query="?since=x")
    await ask("GET", f"{session}/output", of="nope")
    for name in ("text", "html", "screen", "snapshot", "buffer", "commands"):
        for of in (running, created, ended, "nope"):
            await ask("GET", f"{session}/{name}", of=of)
    pictured = await server.session(["sh", "-c", r"printf '\033Pq#1~\033\\\r\nend'; cat"])
    await server.output(pictured, b"end")
    (picture,) = (await ask("GET", f"{session}/screen", of=pictured))["pictures"]
    for key in (picture["key"], "0123456789abcdef", "x"):
        await ask("GET", f"{session}/pictures/{{key}}", of=[pictured, key])
    for name in ("text", "html"):
        await ask("GET", f"{session}/{name}", of=running, query="?first=-9&last=5&top=3")
        await ask("GET", f"{session}/{name}", of=running, query="?first=x")
    for wanted in ({"idleMs": 1}, {"text": "x", "timeoutMs": 1}, {"regex": "("}, {"exit": True, "prompt": True}):
        await ask("POST", f"{session}/wait", wanted, of=running)
    await ask("POST", f"{session}/wait", {"exit": True}, of=ended)
    await ask("POST", f"{session}/wait", {"text": "never said"}, of=ended)
    await ask("POST", f"{session}/wait", {"exit": True}, of="nope")
    await ask("DELETE", f"{session}/cleanup", of=running)
    await ask("DELETE", session, of=running)
    await ask("DELETE", f"{session}/cleanup", of=running)
    await ask("DELETE", session, of="nope")
    await ask("POST", "/api/cleanup-exited")
    await ask("GET", "/ws", query="?sessionId=x")
    await ask("GET", "/buffers")
    code = (await ask("POST", "/api/auth/link"))["code"]
    await ask("POST", "/api/auth/code", {"code": code}, login=False)
    await ask("POST", "/api/auth/code", {"code": code}, login=False)
    await ask("POST", "/api/auth/code", {}, login=False)
    await ask("GET", "/api/auth/avatar/{user_id}", of="ada")
    await ask("GET", "/api/auth/avatar/{user_id}", of="a%20b")
    await ask("GET", "/api/auth/verify")
    await ask("POST", "/api/auth/ticket", {})
    await ask("POST", "/api/auth/ticket", {"permission": "x"})
    ada = {"name": "ada", "role": "writer", "password": PASSWORD}
    await ask("POST", "/api/users", ada)
    await ask("POST", "/api/users", ada)
    await ask("POST", "/api/users", {"name": "?"})
    await ask("GET", "/api/users")
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    keys = (await ask("POST", "/api/users/{name}/keys", {"key": public}, of="ada"))["keys"]
    await ask("POST", "/api/users/{name}/keys", {"key": "x"}, of="ada")
    challenge = await ask("POST", "/api/auth/challenge", {"userId": "ada"}, login=False)
    signed = base64.b64encode(key.sign(base64.b64decode(challenge["challenge"]))).decode()
    answer = {"challengeId": challenge["challengeId"], "publicKey": public, "signature": signed}
    await ask("POST", "/api/auth/ssh-key", answer, login=False)
    await ask("POST", "/api/auth/ssh-key", answer, login=False)
    await ask("DELETE", "/api/users/{name}/keys/{fingerprint}", of=["ada", quote(keys[0]["fingerprint"], safe="")])
    await ask("PATCH", "/api/users/{name}", {"role": "viewer"}, of="ada")
    await ask("PATCH", "/api/users/{name}", {"role": "viewer"}, of="bob")
    tokens = await ask("POST", "/api/auth/password", {"userId": "ada", "password": PASSWORD}, login=False)
    await ask("POST", "/api/auth/password", {"userId": "ada", "password": "x"}, login=False)
    await ask("POST", "/api/auth/login", {"username": "ada", "password": PASSWORD}, login=False)
    await ask("POST", "/api/auth/login", {"username": "ada", "password": "x"}, login=False)
    await ask("POST", "/api/auth/refresh", {"refreshToken": tokens["refreshToken"]}, login=False)
    await ask("POST", "/api/auth/refresh", {"refreshToken": tokens["refreshToken"]}, login=False)
    await ask("GET", "/api/logins")
    made = await ask("POST", "/api/tokens", {"scope": ["view"], "expires": 60})
    await ask("POST", "/api/tokens", {"scope": [], "expires": 60})
    await ask("GET", "/api/tokens")
    await ask("DELETE", "/api/tokens/{token_id}", of=made["id"])
    await ask("DELETE", "/api/tokens/{token_id}", of=made["id"])
    share = await ask("POST", f"{session}/shares", {"name": "guest"}, of=created)
    await ask("GET", f"{session}/shares", of=created)
    await ask("POST", "/api/auth/share", {"code": share["code"]}, login=False)
    await ask("POST", "/api/auth/share", {"code": "x"}, login=False)
    await ask("DELETE", f"{session}/shares/{{share_id}}", of=[created, share["id"]])
    await ask("DELETE", f"{session}/shares/{{share_id}}", of=[created, share["id"]])
    lively = (await ask("POST", "/api/sessions", {"command": ["cat"]}))["id"]
    await server.attach(lively)
    people = await ask("GET", f"{session}/clients", of=lively)
    await ask("PATCH", f"{session}/clients/{{client_id}}", {"writable": False}, of=[lively, people[0]["id"]])
    await ask("PATCH", f"{session}/clients/{{client_id}}", {"writable": 3}, of=[lively, people[0]["id"]])
    await ask("DELETE", f"{session}/clients/{{client_id}}", of=[lively, people[0]["id"]])
    await ask("DELETE", f"{session}/clients/{{client_id}}", of=[lively, "nobody"])
    await ask("DELETE", "/api/users/{name}", of="ada")
    await ask("DELETE", "/api/users/{name}", of="ada")
    await ask_about_files(ask, folder / "files")
    line = {"level": "warn", "module": "m", "args": ["x", {"y": [1]}]}
    for body in (line, {**line, "level": "info"}, {"level": "log"}):
        await ask("POST", "/api/logs/client", body)
    for path in ("/api/push/vapid-public-key", "/api/push/status"):
        await ask("GET", path)
    browser = PushBrowser()
    for url in ("https://push.example:9/x", "https://push.example/x"):
        await ask("POST", "/api/push/subscribe", browser.subscription(url))
    await ask("POST", "/api/push/unsubscribe", {"endpoint": "https://push.example:9/x"})
    await ask("POST", "/api/push/unsubscribe", {})
    for body in ({"message": "hello"}, {"message": 5}, None):
        await ask("POST", "/api/push/test", body)
    await ask("POST", "/api/test-notification")
    for path in ("/api/logs", "/api/logs/info", "/api/logs/raw"):
        await ask("GET", path)
    await ask("GET", "/api/logs", query="?after=x")
    await ask("POST", "/api/logs/flush")
    await ask("DELETE", "/api/logs/clear")
    await ask("POST", "/api/auth/rotate-keys")
    await ask("POST", "/api/auth/revoke", {"user": "ada"})
    await ask("POST", "/api/auth/revoke", {"login": "x"})
    await ask("POST", "/api/auth/revoke", {})
    await ask("POST", "/api/auth/logout")
    for route in ROUTES:
        for method, operation in route.operations.items():
            if not route.hidden:
                await ask(method, route.shown, of=["x", "x"], headers={"Host": "evil.example"})
                if operation.permission.name != "OPEN":
                    await ask(method, route.shown, of=["x", "x"], login=False)
    succeeded = {(path, method) for path, method, status in asked if status < 300}
    # test_events.py, test_ws.py, test_buffers.py, test_stream.py, test_input_socket.py
    streams = {"/api/events", "/ws", "/buffers", f"{session}/stream", "/api/control/stream", "/ws/input"}
    attachments = {(path, "GET") for path in streams}
    of_git = {(route.shown, method) for route in GIT_ROUTES for method in route.operations}  # test_git_routes.py
    # test_multiplexer_routes.py
    of_multiplexers = {(route.shown, method) for route in MULTIPLEXER_ROUTES for method in route.operations}
    elsewhere = attachments | of_git | of_multiplexers
    assert succeeded | elsewhere == {(r.shown, m) for r in ROUTES if not r.hidden for m in r.operations}


def test_json_answers_are_declared_with_their_shapes() -> None:
    for route in ROUTES:
        for method, operation in route.operations.items():
            for status, answer in operation.answers.items():
                assert answer is not None or status in (101, 204, 304), (method, route.path)
                assert answer is None or isinstance(answer, Media) or status < 300


# The client's files


@pytest.fixture
def static(folder: Path) -> Path:
    site = folder / "static"
    (site / "assets").mkdir(parents=True)
    (site / "index.html").write_text("<!doctype html><title>client</title>")
    script = b"export const answer = 42;\n" * 50
    (site / "assets" / "main-abc123.js").write_bytes(script)
    (site / "assets" / "main-abc123.js.gz").write_bytes(gzip.compress(script))
    (site / "assets" / "main-abc123.js.br").write_bytes(b"brotli of it")
    (site / "manifest.webmanifest").write_text("{}")
    (folder / "outside.txt").write_text("secret")
    (site / "link.txt").symlink_to(folder / "outside.txt")
    return site


async def test_every_page_is_the_same_document(serve: Serve, static: Path) -> None:
    server = await serve(static=static)
    for path in ("/", "/login", "/session/1234", "/changes"):
        response = await server.fetch("GET", path, login=False)
        assert response.code == 200
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert b"<title>client</title>" in response.body
        assert response.headers["Cache-Control"] == "no-cache"


async def test_hashed_files_are_immutable_compressed_and_revalidated(serve: Serve, static: Path) -> None:
    server = await serve(static=static)
    path, tags = "/assets/main-abc123.js", set()
    codings = {"": None, "gzip": "gzip", "gzip, br": "br", "br;q=0, gzip": "gzip", "zstd": None}
    for accepted, coding in codings.items():
        headers = {"Accept-Encoding": accepted}
        response = await server.fetch("GET", path, login=False, headers=headers, decompress_response=False)
        assert response.code == 200
        assert response.headers.get("Content-Encoding") == coding
        assert response.headers["Content-Type"].startswith("text/javascript")
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert response.headers["Vary"] == "Accept-Encoding"
        tag = response.headers["Etag"]
        tags.add(tag)
        known = await server.fetch("GET", path, headers=headers | {"If-None-Match": tag}, decompress_response=False)
        assert (known.code, known.body) == (304, b"")
        head = await server.fetch("HEAD", path, headers=headers, decompress_response=False)
        assert (head.code, head.body) == (200, b"")
        assert head.headers["Content-Length"] == str(len(response.body))
    assert len(tags) == 3
    manifest = await server.fetch("GET", "/manifest.webmanifest")
    assert manifest.headers["Content-Type"] == "application/manifest+json"


@pytest.mark.parametrize(
    "path",
    [
        "/nope", "/assets/", "/assets/nope.js", "/../outside.txt", "/..%2foutside.txt", "/assets/..%2f..%2foutside.txt",
        "/link.txt", "//etc/passwd", "/%2fetc%2fpasswd", "/assets/main-abc123.js.gz", "/index.html%00", "/.",
    ],
)  # fmt: skip
async def test_nothing_else_is_served(serve: Serve, static: Path, path: str) -> None:
    server = await serve(static=static)
    response = await server.fetch("GET", path)
    assert (response.code, response.body) == (404, b"404 - Page not found")


async def test_a_client_that_is_not_built_says_how_to_build_it(serve: Serve, folder: Path) -> None:
    server = await serve(static=folder / "nothing")
    response = await server.fetch("GET", "/", login=False)
    assert response.code == 503
    assert b"make run" in response.body
    assert response.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("", ""), ("gzip", "gzip"), ("*", "br"), ("*;q=0", ""), ("br;q=0.1", "br"), ("gzip;q=x", ""), ("identity", "")],
)
def test_a_coding_is_chosen_as_the_client_allows(accepted: str, coding: str) -> None:
    assert choose_coding(accepted, {"": Path(), "br": Path(), "gzip": Path()}) == coding
