"""POST .../input {"paste": text}: a text is typed as a terminal pastes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from harness import Running

from vibetunnel.sessions.paste import pasted

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "paste.json").read_text())["pastes"]
# Prints `start`, then what it reads.
ECHO = """
import sys, tty
tty.setraw(0)
print({start!r}, end="", flush=True)
print(ascii(sys.stdin.buffer.raw.read(99)))
"""
TEXT = "echo hello\x1b[201~\r\ntouch X\n"


@pytest.mark.parametrize("vector", VECTORS, ids=[each["name"] for each in VECTORS])
def test_the_shared_vectors(vector: dict[str, Any]) -> None:
    assert pasted(vector["text"], bracketed=False).decode() == vector["plain"]
    assert pasted(vector["text"], bracketed=True).decode() == vector["bracketed"]


async def pasted_into(server: Running, start: str) -> bytes:
    """What a program that prints `start` gets of a paste."""
    session = await server.session([sys.executable, "-c", ECHO.format(start=start + "go")], spawn="now")
    await server.output(session, b"go")
    await server.json("POST", f"/api/sessions/{session}/input", {"paste": TEXT})
    return await server.output(session, b"'\n")


async def test_a_program_that_asked_for_brackets_gets_them_and_nothing_ends_them_early(server: Running) -> None:
    assert rb"b'\x1b[200~echo hello[201~\rtouch X\r\x1b[201~'" in await pasted_into(server, "\x1b[?2004h")


@pytest.mark.parametrize("start", ["", "\x1b[?2004h\x1b[?2004l"])
async def test_any_other_program_gets_the_lines(server: Running, start: str) -> None:
    assert rb"b'echo hello[201~\rtouch X\r'" in await pasted_into(server, start)


async def test_a_paste_starts_a_session_that_has_not_started(server: Running) -> None:
    session = await server.session("read line; echo got $line")
    await server.json("POST", f"/api/sessions/{session}/input", {"paste": "it\n"})
    await server.output(session, b"got it")
