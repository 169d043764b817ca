"""One client must not hold up the others: what takes long is done beside the event loop, and in bounded numbers.

CWE-400 and CWE-1333 (a regular expression that takes long), CWE-407 (an algorithm that takes long).

`Beats` measures the processor time that the loop's thread uses between two timers: the machine's load is not in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
from harness import Running
from principals import guest

from benchmarks.loop import STYLED, Beats, Bench
from vibetunnel.errors import InvalidField
from vibetunnel.handlers import users
from vibetunnel.handlers.handler import IN_A_TURN
from vibetunnel.handlers.users import user_view
from vibetunnel.logs.recent import RecentLog
from vibetunnel.security.principal import Role
from vibetunnel.security.users import User
from vibetunnel.sessions import searches, waits
from vibetunnel.sessions.launch import default_name
from vibetunnel.sessions.patterns import Pattern
from vibetunnel.sessions.rendering import Rendering


def spent(work: Callable[[], object]) -> float:
    """The processor time that `work` takes in this thread, in seconds: the least of three tries."""
    found = []
    for _ in range(3):
        began = time.thread_time()
        work()
        found.append(time.thread_time() - began)
    return min(found)


# Patterns


def test_a_search_leaves_the_interpreter_to_others() -> None:
    compiled, text = Pattern("a" * 1000), b"a" * 150_000
    begun, ended = threading.Event(), threading.Event()

    def search() -> None:
        begun.set()
        try:
            for _ in range(5):
                compiled.search(b"b" + text[:999] + b"c" + text)
            compiled.search(b"b" * 190_000)
        finally:
            ended.set()

    thread = threading.Thread(target=search)
    thread.start()
    assert begun.wait(30)
    turns = 0
    while not ended.is_set():
        turns += 1
        time.sleep(0)
    thread.join()
    assert turns > 100  # 0 or 1 with an engine that holds the interpreter's lock meanwhile


@pytest.mark.parametrize(
    "pattern",
    [
        "a" * 1000, "[^a]" * 250, "(?i)" + "[!-\U0010ffff]" * 190, r"\pL" * 330,
        r"\pL" * 20, r"(?:\pL|\PN){1000}", "(?:.?){330}b",
        "(?i)" + "[!-\u1fff]" * 190, r"(?i)(?:[^a-z]){1000}", "((a{1,30}){1,30}b|" * 40 + "x" + ")" * 40,
    ],
)  # fmt: skip
def test_no_pattern_is_expensive_to_compile(pattern: str) -> None:
    """It holds the interpreter's lock. A pattern of \\pL alone took 50 ms, twenty times as long as this loop."""

    def compiled() -> None:
        with contextlib.suppress(InvalidField):
            Pattern(pattern)

    assert spent(compiled) < 10 * spent(lambda: sum(range(100_000)))


@pytest.mark.parametrize("word", [" ", "\n ", "\r", "eyJ", "eyJ-", "eyJaaaaaaaa.", "aA1", "0a", "/share/", "\x9b"])
def test_no_line_of_a_client_is_expensive(word: str) -> None:
    """Blanks took 4 s, and what begins like a JWT, again and again, 50 ms."""
    log, text = RecentLog(), word * 16_000
    assert spent(lambda: log.client("eve", "log", "m", [text])) < 10 * spent(lambda: sum(range(100_000)))


async def test_a_guest_with_patterns_occupies_one_thread(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await server.session(["printf", "a" * 1000], spawn="now")
    await server.json("POST", f"/api/sessions/{session}/wait", {"text": "aaa"})
    visitor = await guest(server, session)
    at_once, most = 0, 0
    lock = threading.Lock()
    look = waits._look

    def counted(*given: object) -> object:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        try:
            time.sleep(0.02)  # so that two would meet
            return look(*given)  # type: ignore[arg-type]
        finally:
            with lock:
                at_once -= 1

    monkeypatch.setattr(waits, "_look", counted)
    monkeypatch.setattr(searches, "PATTERNS_OF_USER", 6)
    wanted = {"regex": "a" * 999 + "b", "timeoutMs": 300}
    answers = await asyncio.gather(*(visitor.fetch("POST", f"/api/sessions/{session}/wait", wanted) for _ in range(10)))
    assert most == 1
    assert sorted(each.code for each in answers)[-4:] == [429] * 4


# Screens


class Recorded(Rendering):
    """Notes in which threads it works."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    async def run(self, make: Callable[[], bytes], cells: int) -> bytes:
        def noted() -> bytes:
            self.threads.add(threading.get_ident())
            return make()

        return await super().run(noted, cells)


async def drawn(server: Running, rows: int, cols: int) -> str:
    """The id of a session in whose screen each cell has colours of its own."""
    command = [sys.executable, "-c", STYLED, str(rows), str(cols)]
    made = await server.session(command, rows=rows, cols=cols, spawn="now")
    found = server.server.context.registry.get(made)
    while found.describe().title != "drawn":
        await asyncio.sleep(0.02)
    return made


async def test_large_screens_are_turned_into_text_beside_the_loop(server: Running) -> None:
    small, large = await server.session(["cat"], spawn="now"), await drawn(server, 200, 500)
    context = server.server.context
    for path in ("text", "text?unwrap=1", "html", "screen", "snapshot", "buffer"):
        context.rendering = recorded = Recorded()
        await server.fetch("GET", f"/api/sessions/{small}/{path}")
        assert recorded.threads == {threading.get_ident()}
        answer = await server.fetch("GET", f"/api/sessions/{large}/{path}")
        assert answer.code == 200
        assert len(recorded.threads) == 2, path
        await recorded.close()


async def test_the_page_of_a_large_screen_holds_the_loop_for_a_small_part_of_its_making(server: Running) -> None:
    session = await drawn(server, 300, 1000)
    copy = await server.server.context.registry.get(session).capture()
    bench = Bench(server.server, server.server.context.secret)  # a client in a thread: only the server counts
    beats = Beats()
    for path, make in (("html", copy.html), ("screen", copy.json)):
        work_s, held_s = spent(make), []
        for _ in range(3):
            beats.start()
            status, _ = await asyncio.to_thread(bench.ask, "GET", f"/api/sessions/{session}/{path}")
            assert status == 200
            held_s.append(beats.longest_s)
        assert min(held_s) < work_s / 2, path
    beats.stop()


async def test_a_long_scrollback_is_searched_beside_the_loop(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    session, threads, look = await drawn(server, 200, 500), set(), waits._look

    def noted(*given: object) -> object:
        threads.add(threading.get_ident())
        return look(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(waits, "_look", noted)
    for wanted in ({"text": "absent"}, {"regex": "absent"}):
        await server.json("POST", f"/api/sessions/{session}/wait", wanted | {"timeoutMs": 100}, status=408)
    assert threads
    assert threading.get_ident() not in threads


# Names


@pytest.mark.parametrize("text", ["a" * 1_000_000, "a " * 500_000, "'" + "a " * 500_000, "\x01" * 1_000_000])
def test_a_long_command_is_named_after_its_beginning(text: str) -> None:
    """shlex took minutes for one word of 1 MiB, on the event loop."""
    made = default_name(["sh", "-c", text], "/", "/home/x")
    assert made.startswith(("a", "'a", "?"))
    assert len(made) <= 200
    assert spent(lambda: default_name(["sh", "-c", text], "/", "/home/x")) < spent(lambda: sum(range(100_000)))


async def test_a_command_that_every_list_would_repeat_is_bounded(server: Running) -> None:
    for command in ("a" * 200_000, ["x", "a" * 200_000], ["a"] * 70_000):
        error = (await server.json("POST", "/api/sessions", {"command": command}, status=400))["error"]
        assert error.startswith("command, env: expected at most 61440 bytes in all")


# Lists and errors


async def test_a_long_list_is_encoded_in_turns(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    accounts = server.server.context.authority.users
    await asyncio.gather(*(accounts.add(f"u{number}", Role.VIEWER) for number in range(1500)))
    turn, seen = 0, Counter[int]()

    def shown(user: User) -> object:
        seen[turn] += 1
        return user_view(user)

    async def count() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(users, "user_view", shown)
    counting = asyncio.create_task(count())
    answer = await server.fetch("GET", "/api/users")
    counting.cancel()
    assert [each["name"] for each in json.loads(answer.body)] == [each.name for each in accounts.list()]
    assert max(seen.values()) == IN_A_TURN


async def test_an_error_does_not_repeat_a_long_value(server: Running) -> None:
    for value in (" - at `$" * 100_000, "x" * 800_000):
        answer = await server.fetch("POST", "/api/sessions", {"spawn": value})
        assert answer.code == 400
        assert len(answer.body) < 2000
