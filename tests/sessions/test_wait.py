"""POST /api/sessions/{session_id}/wait: for text, patterns, silence, prompts and the end."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from harness import Browser, Running, Serve, until
from principals import guest

from vibetunnel.handlers.wait import TIMEOUT_MS
from vibetunnel.sessions import patterns, searches, waits
from vibetunnel.sessions.command_log import CommandLog
from vibetunnel.sessions.patterns import Found

# A program that passes each line it reads to printf.
PRINTER = ["sh", "-c", 'stty -echo; printf ready; while read -r line; do printf "$line"; done']


class Told:
    """A session whose program prints what the test sends."""

    def __init__(self, server: Running, session_id: str) -> None:
        self.server = server
        self.id = session_id
        self.path = f"/api/sessions/{session_id}"

    async def print(self, text: str) -> None:
        """`text` is a format of printf: `\\n` and `\\033` as they are written here."""
        await self.server.json("POST", f"{self.path}/input", {"text": text + "\n"})

    async def wait(self, status: int = 200, **wanted: Any) -> Any:
        return await self.server.json("POST", f"{self.path}/wait", wanted, status=status)

    async def waiting(self, number: int = 1) -> None:
        """Return when `number` requests wait for it."""

        async def counted() -> bool:
            return self.server.server.context.waits.waiting(self.id) == number

        await until(counted)


async def told(server: Running, command: object = PRINTER, **fields: object) -> Told:
    made = Told(server, await server.session(command, spawn="now", **fields))
    if command is PRINTER:
        await made.wait(text="ready")
    return made


async def after(waiting: asyncio.Task[Any], session: Told, text: str) -> Any:
    """The answer to a running wait after this is printed."""
    await session.waiting()
    assert not waiting.done()
    await session.print(text)
    return await waiting


def begun(session: Told, **wanted: Any) -> asyncio.Task[Any]:
    return asyncio.create_task(session.wait(**wanted))


# Text


async def test_text_that_stands_on_the_screen_is_found_at_once(server: Running) -> None:
    session = await told(server, ["printf", "\\n\\nover there"])
    answer = await session.wait(text="there")
    assert answer["matched"] == "text"
    assert (answer["text"], answer["line"], answer["offset"]) == ("there", 2, len("\r\n\r\nover there"))


async def test_text_is_found_as_soon_as_it_is_printed(server: Running) -> None:
    session = await told(server)
    answer = await after(begun(session, text="the end"), session, "\\n\\n\\n...the end...")
    assert (answer["text"], answer["line"]) == ("the end", 3)


async def test_text_is_found_across_the_margin_and_across_lines(server: Running) -> None:
    session = await told(server, cols=20)
    answer = await after(begun(session, text="0123456789abcdefghij"), session, "\\n-----0123456789abcdefghij-----")
    assert answer["line"] == 1
    answer = await after(begun(session, text="one\ntwo"), session, "\\none\\ntwo")
    assert (answer["text"], answer["line"]) == ("one\ntwo", 3)
    answer = await session.wait(text="ghij---")
    assert answer["line"] == 2  # where the match begins, in the middle of a wrapped line


class Counting(bytes):
    """A text that notes how much of it is searched at once."""

    most = 0

    def find(self, wanted: Any, begin: Any = 0, end: Any = None) -> int:
        self.most = max(self.most, (len(self) if end is None else end) - begin)
        return super().find(wanted, begin, end)


def test_a_long_text_is_searched_in_pieces_that_leave_the_interpreter_to_others() -> None:
    search = waits._plain("aab")
    for before in (0, 1, waits.PIECE - 3, waits.PIECE - 2, waits.PIECE - 1, waits.PIECE, 3 * waits.PIECE):
        text = Counting(b"a" * before + b"aab")
        assert search(text) == Found(before, "aab", [])
        assert text.most <= waits.PIECE + 2
    assert search(b"a" * 2 * waits.PIECE) is None


async def test_text_that_scrolls_through_between_two_looks_is_found(server: Running) -> None:
    session = await told(server, rows=5)
    waiting = begun(session, regex="^needle (\\d+)$")
    numbers = "\\n".join(str(number) for number in range(300))
    answer = await after(waiting, session, f"\\n{numbers}\\nneedle 7\\n{numbers}\\n{numbers}\\n")
    assert (answer["text"], answer["groups"], answer["line"]) == ("needle 7", ["7"], 301)


async def test_a_wait_from_a_line_ignores_the_lines_above_it(server: Running) -> None:
    session = await told(server)
    first = await after(begun(session, text="done"), session, "\\ndone\\n")
    waiting = begun(session, text="done", fromLine=first["line"] + 1)
    answer = await after(waiting, session, "more\\ndone\\n")
    assert answer["line"] == first["line"] + 2
    again = await session.wait(text="done", from_line=0)  # this searches the scrollback, too
    assert again["line"] == first["line"]


async def test_a_line_that_is_not_there_yet_can_be_waited_for(server: Running) -> None:
    session = await told(server, rows=3)
    waiting = begun(session, regex=".+", fromLine=10)
    answer = await after(waiting, session, "\\n".join("abcdefghijkl") + "\\n")
    assert (answer["text"], answer["line"]) == ("k", 10)


async def test_a_change_of_the_width_does_not_end_a_wait(server: Running) -> None:
    session = await told(server)
    waiting = begun(session, text="later")
    await session.waiting()
    await server.json("POST", f"{session.path}/resize", {"rows": 10, "cols": 33})
    answer = await after(waiting, session, "\\nlater")
    assert answer["text"] == "later"


async def test_the_last_words_of_a_session_are_still_found(server: Running) -> None:
    session = await told(server, ["sh", "-c", "read x; seq 100; echo last words"], rows=3)
    answer = await after(begun(session, text="last words"), session, "")
    assert answer["line"] == 101  # after the echoed newline and 100 numbers
    await server.ended(session.id)
    assert (await session.wait(text="last words"))["matched"] == "text"
    assert "ended" in (await session.wait(text="never said", status=409))["error"]


# Patterns


async def test_a_pattern_answers_with_its_groups(server: Running) -> None:
    session = await told(server)
    answer = await after(begun(session, regex=r"^(\w+): (\d+)?(x)?$"), session, "\\ncount: 12\\n")
    assert (answer["text"], answer["groups"]) == ("count: 12", ["count", "12", None])


async def test_a_match_is_located_beside_letters_of_several_bytes(server: Running) -> None:
    session = await told(server, cols=20)
    answer = await after(begun(session, regex="(ü+)(x)?"), session, "\\nжжжжжж\\nжжüü\\n")
    assert (answer["text"], answer["groups"], answer["line"]) == ("üü", ["üü", None], 2)


async def test_an_invalid_pattern_is_refused_with_the_reason(server: Running) -> None:
    session = await told(server, ["cat"])
    error = (await session.wait(regex="(", status=400))["error"]
    assert error == "regex: expected a regular expression of RE2 (missing ): ()"


async def test_a_pattern_that_costs_too_much_on_this_screen_is_refused(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "WORK_LIMIT", 1000)
    session = await told(server, ["printf", "a" * 70])
    await session.wait(text="aaa")
    assert "smaller pattern, or a later fromLine" in (await session.wait(regex="b{50}", status=400))["error"]


async def test_the_patterns_of_a_user_are_bounded(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "PATTERNS_OF_USER", 2)
    session = await told(server, ["cat"])
    viewer = await guest(server, session.id)
    waiting = [begun(session, regex="later") for _ in range(2)]
    await session.waiting(2)
    assert "at most 2 waits of a user" in (await session.wait(regex="x", status=429))["error"]
    await session.wait(text="x", timeoutMs=20, status=408)
    await viewer.json("POST", f"{session.path}/wait", {"regex": "x", "timeoutMs": 20}, status=408)
    await session.print("later")
    await asyncio.gather(*waiting)
    await session.wait(regex="later")


# Silence


async def test_silence_is_counted_from_the_request_and_from_every_output(server: Running) -> None:
    session = await told(server, ["sh", "-c", "for i in 1 2 3 4 5 6; do printf .; sleep 0.05; done; printf over; cat"])
    began = time.monotonic()
    answer = await session.wait(idleMs=200)
    assert answer["matched"] == "idle"
    assert time.monotonic() - began >= 0.2
    assert answer["offset"] == len("......over")


async def test_a_wait_for_silence_of_an_ended_session_is_refused(server: Running) -> None:
    session = await told(server, ["true"])
    await server.ended(session.id)
    await session.wait(idle_ms=10, status=409)


# The end


async def test_the_end_is_told_with_how_it_was(server: Running) -> None:
    session = await told(server, ["sh", "-c", "read x; printf bye; exit 3"])
    answer = await after(begun(session, exit=True), session, "")
    assert answer == {"matched": "exit", "exitCode": 3, "offset": len("\r\nbye")}
    assert await session.wait(exit=True) == answer


async def test_an_end_by_signal_and_one_that_never_began(server: Running) -> None:
    session = await told(server, ["cat"])
    waiting = begun(session, exit=True)
    await session.waiting()
    await server.json("POST", f"{session.path}/signal", {"signal": "KILL"})
    answer = await waiting
    assert (answer["exitCode"], answer["signal"]) == (137, 9)
    never = Told(server, await server.session(["/no/such"]))
    waiting = begun(never, exit=True)
    await never.waiting()
    await server.json("POST", f"{never.path}/input", {"text": "x"}, status=400)
    answer = await waiting
    assert "/no/such" in answer["reason"]
    assert "exitCode" not in answer


# Prompts

A, B, D = "\\033]133;A\\007", "\\033]133;B\\007", "\\033]133;D;4\\007"
C = "\\033]133;C;cmdline_url=make%%20all\\007"


async def test_a_prompt_is_told_with_the_command_before_it(server: Running) -> None:
    session = await told(server)
    answer = await after(begun(session, prompt=True), session, f"\\n{C}output{D}\\n{A}prompt> {B}")
    assert (answer["matched"], answer["line"]) == ("prompt", 2)
    assert (answer["command"]["command"], answer["command"]["exitCode"]) == ("make all", 4)


async def test_a_prompt_that_is_there_counts_until_something_is_typed(server: Running) -> None:
    session = await told(server)
    await session.print(f"{A}> {B}here")
    await session.wait(text="> here")
    first = await session.wait(prompt=True)
    waiting = begun(session, prompt=True)
    assert await waiting == first
    waiting = asyncio.create_task(typed_then_waited(session))
    await session.waiting()
    assert not waiting.done()
    await session.print(f"\\n{A}> {B}")
    assert (await waiting)["line"] == first["line"] + 1


async def typed_then_waited(session: Told) -> Any:
    await session.print("")
    return await session.wait(prompt=True)


async def test_a_prompt_of_a_shell_that_ends_is_not_waited_for(server: Running) -> None:
    session = await told(server, ["sh", "-c", "read x"])
    waiting = begun(session, prompt=True, status=409)
    await session.waiting()
    await session.print("")
    await waiting


async def test_a_shell_that_marks_no_prompts_is_said_at_once(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "FIRST_PROMPT_S", 0.0)
    session = await told(server, ["sh"])
    answer = await session.wait(prompt=True, status=409)
    assert "never marked a prompt" in answer["error"]
    assert "--shell-integration" in answer["error"]
    await session.print("printf '\\033]133;A\\007%d> ' $((6 * 7))")
    await session.wait(text="42> ")  # which the echo of the line does not contain
    assert (await session.wait(prompt=True))["matched"] == "prompt"


async def test_a_shell_that_has_just_started_has_time_for_its_first_mark(server: Running) -> None:
    session = await told(server)
    answer = await after(begun(session, prompt=True), session, f"{A}> {B}")
    assert answer["matched"] == "prompt"


async def test_a_wait_ends_when_the_time_for_the_first_mark_is_over(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "FIRST_PROMPT_S", 0.05)
    session = Told(server, await server.session(["cat"]))
    waiting = begun(session, prompt=True, status=409)
    await session.waiting()
    assert not waiting.done()  # it has not started
    await session.print("x")
    assert "never marked a prompt" in (await waiting)["error"]


async def test_a_shell_with_the_servers_script_is_waited_for(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "FIRST_PROMPT_S", 0.0)
    server = await serve(shell="/bin/bash", shell_integration=True)
    session = Told(server, await server.session())
    waiting = begun(session, prompt=True)
    await session.waiting()
    await server.json("POST", f"{session.path}/resize", {"rows": 24, "cols": 80})  # starts it
    assert (await waiting)["matched"] == "prompt"


async def test_after_a_restart_a_shell_whose_marks_are_gone_is_waited_for(serve: Serve) -> None:
    """Only bytes in the ring are known then."""
    log = CommandLog()
    session = await told(await serve())
    terminal = session.server.server.context.registry.get(session.id).terminal
    assert terminal is not None
    log.opened(terminal, adopted=True)
    assert not log.marked
    await session.print("%0300000d")

    async def lapped() -> bool:
        return terminal.oldest > 0

    await until(lapped)
    log = CommandLog()
    log.opened(terminal, adopted=True)
    assert log.marked


# All of them


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"text": "x", "regex": "y"},
        {"prompt": True, "exit": True},
        {"prompt": False},
        {"text": ""},
        {"regex": ""},
        {"idleMs": 0},
        {"idleMs": "soon"},
        {"text": "x", "timeoutMs": 0},
        {"text": "x", "timeoutMs": 600_001},
        {"text": "x", "fromLine": -1},
        {"text": "x" * 1001},
    ],
    ids=str,
)
async def test_anything_but_one_condition_is_refused(server: Running, wanted: dict[str, Any]) -> None:
    session = await server.session(["cat"])
    answer = await server.json("POST", f"/api/sessions/{session}/wait", wanted, status=400)
    assert "expected" in answer["error"]


@pytest.mark.parametrize(
    "wanted", [{"text": "x"}, {"regex": "x"}, {"idleMs": 60_000}, {"prompt": True}, {"exit": True}]
)
async def test_a_condition_that_is_not_met_in_time_is_a_408(server: Running, wanted: dict[str, Any]) -> None:
    session = await told(server, ["cat"])
    answer = await session.wait(**wanted, timeout_ms=30, status=408)
    assert "30 ms" in answer["error"]


@pytest.mark.parametrize("wanted", [{"text": "x"}, {"idleMs": 60_000}, {"prompt": True}, {"exit": True}])
async def test_a_session_that_has_not_started_is_not_started_and_its_removal_is_a_404(
    server: Running, wanted: dict[str, Any]
) -> None:
    session = Told(server, await server.session(["cat"]))
    waiting = begun(session, **wanted, status=404)
    await session.waiting()
    assert (await server.json("GET", session.path))["status"] == "created"
    await server.json("DELETE", session.path)
    assert (await waiting)["error"] == "Session not found"


async def test_a_wait_that_came_before_the_start_sees_the_output(server: Running) -> None:
    session = Told(server, await server.session(["sh", "-c", "echo begun; cat"]))
    waiting = begun(session, text="begun")
    await session.waiting()
    await session.print("")
    assert (await waiting)["text"] == "begun"


async def test_a_client_that_hangs_up_ends_its_wait(server: Running) -> None:
    session = await told(server, ["cat"])
    body = b'{"text": "x"}'
    _, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
    lines = [f"POST {session.path}/wait HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in server.bearer.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + body)
    await session.waiting()
    writer.close()
    await writer.wait_closed()
    await session.waiting(0)


async def test_the_waits_for_one_session_are_bounded(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "AT_ONCE", 2)
    session = await told(server, ["cat"])
    other = await told(server, ["cat"])
    waiting = [begun(session, text="later") for _ in range(2)]
    await session.waiting(2)
    assert "at most 2" in (await session.wait(text="x", status=429))["error"]
    await other.wait(text="x", timeoutMs=20, status=408)
    await session.print("later")
    await asyncio.gather(*waiting)
    await session.wait(text="later")


async def test_a_server_that_stops_does_not_wait_for_the_waits(serve: Serve) -> None:
    server = await serve()
    session = await told(server, ["cat"])
    waiting = [
        asyncio.create_task(server.fetch("POST", f"{session.path}/wait", wanted))
        for wanted in ({"text": "x"}, {"regex": "x"}, {"idleMs": 90_000}, {"prompt": True}, {"exit": True})
    ]
    await session.waiting(5)
    await server.server.close()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert server.server.context.waits.waiting(session.id) == 0


async def test_logging_out_ends_the_waits_of_that_login(server: Running) -> None:
    session = await told(server, ["cat"])
    browser = Browser(server)
    await browser.login((await server.json("POST", "/api/auth/link"))["code"])
    waiting = asyncio.create_task(browser.fetch("POST", f"{session.path}/wait", {"text": "x"}))
    await session.waiting()
    await browser.fetch("POST", "/api/auth/logout")
    assert (await waiting).code == 401


def test_every_bound_of_the_documentation_is_the_one_of_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "automation.md").read_text(encoding="utf-8")
    assert f"longer than {patterns.LIMIT} characters" in page
    assert f"more than {patterns.GROUPS_LIMIT} groups or {patterns.CLASSES_LIMIT} Unicode classes" in page
    assert f"larger than {patterns.MATCH_LIMIT // 1024} KiB with its groups" in page
    assert f"{searches.PATTERNS_OF_USER} waits of this user" in page
    assert f"| {waits.AT_ONCE} requests already wait" in page
    assert f"{TIMEOUT_MS} by default" in page
