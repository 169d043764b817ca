"""The newest lines of the log: what clients send, what the server says, and who may read it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from typing import Any

from harness import Running, Serve
from principals import logged_in

from vibetunnel.logs import recent as recent_lines
from vibetunnel.logs.recent import RecentLog, RecentLogHandler
from vibetunnel.security import limits

NODE_LINE = re.compile(r"(\S+)\s+(\S+)\s+\[([^\]]+)\]\s+(.*)")  # as VibeTunnel's own client reads it


async def say(server: Running, *args: Any, level: str = "log", module: str = "m") -> None:
    response = await server.fetch("POST", "/api/logs/client", {"level": level, "module": module, "args": args})
    assert (response.code, response.body) == (204, b"")


async def test_a_line_of_a_client_is_in_the_log_as_the_node_server_writes_it(server: Running) -> None:
    await say(server, "connected", {"rows": 24, "deep": [None, True]}, 5, level="warn", module="socket manager")
    raw = await server.fetch("GET", "/api/logs/raw")
    assert raw.headers["Content-Type"] == "text/plain; charset=utf-8"
    found = NODE_LINE.fullmatch(raw.body.decode().rstrip("\n").splitlines()[-1])
    assert found
    assert found.groups()[1:] == (
        "WARN",
        "CLIENT:socket_manager",
        'connected {"rows": 24, "deep": [null, true]} 5',
    )
    (line,) = [each for each in await server.json("GET", "/api/logs") if each.get("user")]
    assert (line["level"], line["module"], line["user"]) == ("warn", "socket_manager", server.server.context.user)
    info = await server.json("GET", "/api/logs/info")
    assert info == {
        "exists": True,
        "size": len(raw.body),
        "sizeHuman": f"{len(raw.body)} bytes",
        "lastModified": line["at"],
        "path": "memory",
    }


async def test_what_the_server_itself_says_is_there_and_only_the_new_lines_are_sent(
    server: Running, expect_log: Callable[[str], None]
) -> None:
    expect_log("the disk is full")
    logging.getLogger("vibetunnel.somewhere").warning("the disk is full")
    (said,) = [each for each in await server.json("GET", "/api/logs") if each["module"] == "somewhere"]
    assert (said["level"], said["text"]) == ("warn", "the disk is full")
    assert "user" not in said
    await say(server, "later")
    assert [each["text"] for each in await server.json("GET", f"/api/logs?after={said['number']}")] == ["later"]


async def test_lines_are_numbered_on_in_the_next_server(serve: Serve) -> None:
    first = await serve()
    await say(first, "before")
    before = (await first.json("GET", "/api/logs"))[-1]["number"]
    await first.close()
    second = await serve()
    await say(second, "after")
    assert "after" in [each["text"] for each in await second.json("GET", f"/api/logs?after={before}")]


async def test_lines_of_a_client_become_one(server: Running) -> None:
    await say(server, "Error: no\r\n\n    at f (a.js)  \n    at g", "then")
    assert (await server.json("GET", "/api/logs"))[-1]["text"] == "Error: no at f (a.js) at g then"


async def test_the_log_is_cleared_and_the_audit_says_by_whom(server: Running) -> None:
    await say(server, "secret plans")
    assert (await server.fetch("DELETE", "/api/logs/clear")).code == 204
    assert "secret plans" not in (await server.fetch("GET", "/api/logs/raw")).body.decode()
    audit = (server.server.settings.log_dir / "audit.log").read_text().splitlines()
    assert json.loads(audit[-1])["action"] == "log"


async def test_a_client_that_sends_too_much_is_not_told_so(server: Running) -> None:
    """VibeTunnel's own client logs a refusal, and sends that too."""
    for number in range(limits.CLIENT_LINES + 5):
        await say(server, number)
    lines = await server.json("GET", "/api/logs")
    assert sum("user" in each for each in lines) == limits.CLIENT_LINES
    assert (
        'vibetunnel_rate_limited_total{what="client-lines"} 5.0'
        in (await server.fetch("GET", "/metrics")).body.decode()
    )


async def test_a_writer_adds_lines_and_reads_none(server: Running) -> None:
    writer = await logged_in(server, "ada")
    body = {"level": "log", "module": "m", "args": ["of ada"]}
    assert (await writer.fetch("POST", "/api/logs/client", body)).code == 204
    assert (await server.json("GET", "/api/logs"))[-1]["user"] == "ada"
    for method, path in (
        ("GET", "/api/logs"),
        ("GET", "/api/logs/raw"),
        ("GET", "/api/logs/info"),
        ("DELETE", "/api/logs/clear"),
    ):
        assert (await writer.fetch(method, path)).code == 403


def test_the_oldest_lines_make_room_for_the_newest() -> None:
    log = RecentLog()
    for number in range(recent_lines.LINES + 10):
        log.client("ada", "log", "m", [str(number)])
    lines = log.lines()
    assert (len(lines), lines[0].text) == (recent_lines.LINES, "10")
    for _ in range(recent_lines.LINES):
        log.client("ada", "log", "m", ["x" * recent_lines.LONGEST_LINE])
    assert sum(len(each.text) for each in log.lines()) <= recent_lines.CHARACTERS


def test_a_traceback_is_one_line_with_more_below_it() -> None:
    log = RecentLog()
    handler = RecentLogHandler(log)
    try:
        raise ValueError("a\n2026-01-01T00:00:00.000Z LOG [auth] forged")
    except ValueError as error:
        record = logging.LogRecord("vibetunnel.x", logging.ERROR, "", 0, "failed: %s", ("y",), None)
        record.exc_info = (ValueError, error, error.__traceback__)
        handler.handle(record)
    first, *others = log.text().rstrip("\n").split("\n")
    assert first.endswith("ERROR [x] failed: y")
    assert len(others) > 2
    assert all(each.startswith("    ") for each in others)
