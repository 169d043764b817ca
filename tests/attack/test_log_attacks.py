"""Attacks on the logs: forged lines, escape sequences, secrets in records, and a full disk."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import resource
from collections.abc import Callable
from typing import Any

import pytest
from attacker import PASSWORD, Target, aim
from harness import Running, Serve, no_more, until

from vibetunnel.logs import file as log_file
from vibetunnel.logs import recent
from vibetunnel.security.limits import CLIENT_LINES

pytestmark = pytest.mark.attack

LOGS = ("audit.log", "requests.log")
HOSTILE = 'x"}\n{"action":"login","user":"injected"}\r\x1b[2J\x1b]0;owned\x07\x9b31m\u202egnp.exe\u2028\x00'


async def attacked(running: Running) -> Target:
    return aim(running)


async def written(running: Running) -> str:
    """Both logs, after the server has stopped."""
    folder = running.server.settings.log_dir
    await running.close()
    return "".join((folder / each).read_text() for each in LOGS)


async def test_nothing_that_is_said_makes_a_line_of_its_own_or_moves_a_cursor(serve: Serve) -> None:
    # CWE-117, CWE-150
    running = await serve(rate_limit_anonymous=0)
    target = await attacked(running)
    try:
        await target.fetch("POST", "/api/auth/password", {"userId": HOSTILE, "password": "x"}, login=False)
        await target.fetch("POST", "/api/users", {"name": HOSTILE, "role": "viewer"})
        await target.fetch("POST", "/api/sessions", {"command": ["/bin/sh"], "name": HOSTILE})
        session = await target.session(["/bin/sh"])
        await target.fetch("POST", f"/api/sessions/{session}/shares", {"role": "view", "name": HOSTILE})
        share = await target.share(session, role="view", name='\u00e9\u65e5 "guest"')
        entered = await target.fetch(
            "POST", "/api/auth/share", {"code": share["code"]}, login=False, headers={"User-Agent": "\xadx"}
        )
        assert entered.code == 200, entered.body
        for path in ("/%0a%1b[2J", "/\x1b[2J\x80\xff", "/a%E2%80%AEb", "/\x7f", "/api/\\n", "/%00"):
            await target.say(target.request("GET", path, "Connection: close", "User-Agent: \x1b[31m\x9b"))
    finally:
        await target.close()
    text = await written(running)
    lines = [json.loads(line) for line in text.split("\n") if line]
    assert text.replace("\n", "").isprintable()
    assert len(lines) == text.count("\n")
    assert not any(each.get("user") == "injected" for each in lines)
    assert sum(each.get("action") == "login-failure" for each in lines) == 1


async def test_no_secret_output_or_keystroke_is_in_a_log(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    # CWE-532, CWE-598
    running = await serve(rate_limit_anonymous=0, token_in_url=True)
    caplog.set_level("DEBUG")
    target = await attacked(running)
    secrets: dict[str, str] = {"the installation's": running.server.context.authority.secret}
    try:
        account = await target.account("owner")
        tokens = await target.json(
            "POST", "/api/auth/password", {"userId": account.name, "password": PASSWORD}, login=False
        )
        secrets |= {"password": PASSWORD, "access": tokens["token"], "refresh": tokens["refreshToken"]}
        secrets["program's"] = await target.api_token("view")
        session = await target.session(["/bin/cat"], spawn="now")
        share = await target.share(session)
        secrets["code of a share"] = share["code"]
        link = await target.json("POST", "/api/auth/link")
        secrets["code of a login"] = link["code"]
        came = await target.fetch("POST", "/api/auth/code", {"code": link["code"]}, login=False)
        secrets["cookie"] = came.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
        ticket = await target.json("POST", "/api/auth/ticket", {"sessionId": session, "permission": "type"})
        secrets["ticket"] = ticket["ticket"]
        terminal = await target.attach(session, f"&ticket={ticket['ticket']}", headers={})
        await terminal.send(b"hunter2-typed\n")
        await terminal.until(b"hunter2-typed")
        terminal.close()
        secrets["keystrokes"] = "hunter2"
        for path in ("/api/sessions", f"/api/sessions/{session}/output", "/api/nothing"):
            await target.fetch("GET", f"{path}?token={tokens['token']}", login=False)
            await target.fetch("GET", f"{path}?ticket={ticket['ticket']}&code={share['code']}", login=False)
        await target.fetch("GET", f"/share/{share['code']}", login=False)  # a link that a user has repaired by hand
        await target.fetch("GET", f"/login/{link['code']}", login=False)
        await target.fetch("POST", "/api/auth/password", {"userId": tokens["token"], "password": "x"}, login=False)
    finally:
        await target.close()
    text = await written(running)
    assert "attach" in text
    assert "input-start" in text
    for name, secret in secrets.items():
        assert secret not in text, name
        assert secret not in caplog.text, name


async def test_a_line_of_a_client_is_one_line_and_moves_no_cursor(target: Target) -> None:
    # CWE-117, CWE-150: an owner reads the log in a terminal, and in VibeTunnel's page, which splits it at newlines
    forged = "2026-01-01T00:00:00.000Z ERROR [auth] forged"
    writer = await target.user("writer")
    for words in ([HOSTILE, forged], [f"a\n{forged}"], [f"a\r\n{forged}"], [f"a\u2028{forged}"], [{"a": HOSTILE}]):
        for module in ("m", f"x] y\n{forged}", HOSTILE, ""):
            sent = {"level": "error", "module": module, "args": words}
            assert (await writer.fetch("POST", "/api/logs/client", sent)).code == 204
    text = (await target.fetch("GET", "/api/logs/raw")).body.decode()
    lines = text.split("\n")[:-1]
    assert text.replace("\n", "").isprintable()
    assert sum(re.match(r"\S+ \S+ \[CLIENT:[\w./:@-]+\] ", each) is not None for each in lines) == 20
    assert not any("[auth]" in each.partition("] ")[0] or each.startswith(" ") for each in lines)


async def test_a_line_of_a_client_is_bounded_and_keeps_no_secret(target: Target) -> None:
    # CWE-532, CWE-779
    token = await target.api_token("view")
    writer = await target.user("writer")
    for words in ([f"sending {token}"], [{"Authorization": f"Bearer {token}"}], ["x" * 900_000], ["y", "z"] * 100_000):
        sent = {"level": "log", "module": f"{token}", "args": words}
        assert (await writer.fetch("POST", "/api/logs/client", sent)).code == 204
    text = (await target.fetch("GET", "/api/logs/raw")).body.decode()
    assert "sending [removed]" in text
    assert token not in text
    assert max(map(len, text.split("\n"))) < 3000


async def test_a_line_that_is_nested_as_deeply_as_a_body_may_be_is_no_error(target: Target) -> None:
    # CWE-674
    writer, answers = await target.user("writer"), set()
    for depth in range(800, 1000):
        body = b'{"level":"log","module":"m","args":[' + b"[" * depth + b"]" * depth + b"]}"
        answers.add((await writer.fetch("POST", "/api/logs/client", body)).code)
    assert answers == {204, 400}


async def test_a_flood_of_a_client_hides_no_line_of_the_server(serve: Serve, expect_log: Callable[[str], None]) -> None:
    # CWE-223, CWE-400
    expect_log("an intrusion")
    running = await serve()
    logging.getLogger("vibetunnel.test").warning("an intrusion")
    log = running.server.context.recent
    for _ in range(3 * recent.LINES):
        log.client("eve", "error", "m", ["x" * 10_000])
    text = log.text()
    assert "an intrusion" in text
    assert len(text) < 2 * recent.CHARACTERS


async def test_a_log_flood_is_dropped_before_it_is_read(target: Target) -> None:
    # CWE-770: with each address and with each user
    writer = await target.user("writer")
    for number in range(CLIENT_LINES + 1):
        body = {"level": "log", "module": "m", "args": [f"line {number}"]}
        assert (await writer.fetch("POST", "/api/logs/client", body)).code == 204
    assert (await writer.fetch("POST", "/api/logs/client", {"level": "no such level"})).code == 204
    text = (await target.fetch("GET", "/api/logs/raw")).body.decode()
    assert f"line {CLIENT_LINES - 1}\n" in text
    assert f"line {CLIENT_LINES}\n" not in text


async def test_no_error_repeats_a_password_or_a_code(serve: Serve) -> None:
    # CWE-209: answers and messages of the command line end up in logs of others
    running = await serve(rate_limit_anonymous=0)
    target = await attacked(running)
    try:
        for path, body in (
            ("/api/users", {"name": "eve", "password": "hunter2"}),
            ("/api/users", {"name": "eve", "password": "hunter2\x07" * 2}),
            ("/api/users", {"name": "eve", "password": ["hunter2"]}),
            ("/api/auth/password", {"userId": "eve", "password": "hunter2" * 200}),
            ("/api/auth/code", {"code": "hunter2" * 20}),
            ("/api/auth/share", {"code": "hunter2" * 40}),
            ("/api/auth/refresh", {"refreshToken": "hunter2" * 2000}),
        ):
            answer = await target.fetch("POST", path, body)
            assert answer.code == 400, path
            assert b"hunter2" not in answer.body
    finally:
        await target.close()


@pytest.mark.parametrize("path", ["/login/XBQFB-YKBEV", "/share/_NXHcnUBhibhWXsEeZlRMQ"])
async def test_a_code_of_letters_alone_is_in_no_log(serve: Serve, path: str) -> None:
    # CWE-532: one of 40 has no digit
    running = await serve()
    target = await attacked(running)
    try:
        await target.fetch("GET", path, login=False)
    finally:
        await target.close()
    assert path not in await written(running)


async def test_a_flood_of_requests_fills_no_disk(serve: Serve) -> None:
    # CWE-400, CWE-779
    running = await serve(rate_limit_anonymous=0, log_bytes=65536, log_files=2)
    target = await attacked(running)
    try:
        for _ in range(10):
            request = target.request("GET", "/api/sessions/" + "x" * 200)
            last = target.request("GET", "/api/sessions", "Connection: close")
            assert len(await target.say(request * 60 + last)) == 61
    finally:
        await target.close()
    folder = running.server.settings.log_dir
    await running.close()
    sizes = {each.name: each.stat().st_size for each in folder.iterdir()}
    assert set(sizes) == {"audit.log", "requests.log", "requests.log.1"}
    assert max(sizes.values()) <= 65536


async def test_a_full_disk_does_not_stop_the_server(
    serve: Serve, expect_log: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # CWE-703: requests must not wait for the log, and no action may stay unlogged for good
    monkeypatch.setattr(log_file, "RETRY_S", 0.02)
    expect_log("cannot be written")
    running = await serve()
    with no_more(resource.RLIMIT_FSIZE):
        for _ in range(20):
            assert (await running.fetch("GET", "/api/sessions")).code == 200
        session = await running.session(["/bin/sh"])

        async def said() -> bool:
            return "audit.log cannot be written" in caplog.text

        await until(said)
    folder = running.server.settings.log_dir

    async def told() -> Any:
        await asyncio.sleep(0)
        return session in (folder / "audit.log").read_text()

    await until(told)
