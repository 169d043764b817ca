"""A session's terminal through REST: text, HTML, JSON, snapshots, commands; and the events about them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from event_stream import listening
from harness import Running, Serve, until

from vibetunnel._ext import vt
from vibetunnel.sessions.captures import Captures

NUMBERS = ["sh", "-c", "seq 1 100; printf end; cat"]
OFFSET = sum(len(f"{number}\r\n") for number in range(1, 101)) + 3  # of NUMBERS


async def printed(server: Running, command: object, expected: bytes, **fields: object) -> str:
    """The path of a session that has printed this."""
    session = await server.session(command, **fields)
    await server.output(session, expected)
    return f"/api/sessions/{session}"


async def text(server: Running, path: str, query: str = "") -> list[str]:
    response = await server.fetch("GET", f"{path}/text{query}")
    assert response.code == 200, response.body
    return response.body.decode().splitlines()


async def test_the_screen_is_text_without_trailing_blanks(server: Running) -> None:
    path = await printed(server, ["sh", "-c", "printf 'ä  \\n\\nüb\\033[1mer\\033[0m '; cat"], b"er")
    response = await server.fetch("GET", f"{path}/text")
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.body.decode() == "ä\n\nüber\n" + "\n" * 21


async def test_lines_are_counted_from_the_top_of_the_screen(server: Running) -> None:
    path = await printed(server, NUMBERS, b"end", rows=10)
    screen = [*(str(number) for number in range(92, 101)), "end"]
    assert await text(server, path) == screen
    assert await text(server, path, "?first=0&last=2") == ["92", "93"]
    assert await text(server, path, "?first=-2&last=1") == ["90", "91", "92"]
    assert await text(server, path, "?first=-1000") == [*(str(number) for number in range(1, 92)), *screen]
    all_of_it = await text(server, path, "?first=-91")
    assert await text(server, path, f"?first={-(2**53)}&last={2**53}&unwrap=1") == all_of_it
    assert await text(server, path, "?first=8&last=1000") == ["100", "end"]
    for nothing in ("?first=3&last=3", "?first=2&last=1", "?last=-5", "?first=8458", "?first=8458&top=6506"):
        assert await text(server, path, nothing) == []
    assert await text(server, path, "?first=-2000&last=-1900") == []


async def test_the_headers_say_what_the_numbers_are(server: Running) -> None:
    path = await printed(server, NUMBERS, b"end", rows=10)
    for query in ("", "?first=-5", "?first=-91", "?first=-1000"):
        headers = (await server.fetch("GET", f"{path}/text{query}")).headers
        assert int(headers["X-VibeTunnel-Offset"]) == OFFSET
        assert int(headers["X-VibeTunnel-Top"]) == 91
        assert int(headers["X-VibeTunnel-Oldest"]) == 0


async def test_a_program_pages_consistently_while_output_flows(server: Running) -> None:
    path = await printed(server, NUMBERS, b"end", rows=10)
    top = int((await server.fetch("GET", f"{path}/text")).headers["X-VibeTunnel-Top"])
    assert await text(server, path, f"?top={top}&first=-3&last=0") == ["89", "90", "91"]
    await server.json("POST", f"{path}/input", {"text": "\n".join("x" * 50) + "\n"})
    await server.json("POST", f"{path}/wait", {"regex": "(x\n){9}"})
    assert await text(server, path, f"?top={top}&first=-6&last=-3") == ["86", "87", "88"]
    assert await text(server, path, f"?top={top}&first=-1000&last=-89") == ["1", "2"]
    assert (await text(server, path, f"?top={top}"))[:9] == [str(number) for number in range(92, 101)]
    assert await text(server, path, "?top=0&first=0&last=2") == ["1", "2"]
    assert await text(server, path, "?top=100000&first=0&last=2") == []


async def test_wrapped_lines_can_be_had_in_one_piece(server: Running) -> None:
    line = "".join(str(number % 10) for number in range(50))
    path = await printed(server, ["sh", "-c", f"printf {line}'\\nnext'; cat"], b"next", cols=20)
    assert (await text(server, path))[:4] == [line[:20], line[20:40], line[40:], "next"]
    assert (await text(server, path, "?unwrap=1"))[:2] == [line, "next"]


@pytest.mark.parametrize(
    ("query", "field"),
    [("?first=x", "first"), ("?top=-1", "top"), ("?unwrap=maybe", "unwrap")],
)
async def test_lines_that_cannot_be_are_refused(server: Running, query: str, field: str) -> None:
    session = await server.session(["cat"])
    response = await server.fetch("GET", f"/api/sessions/{session}/text{query}")
    assert response.code == 400
    assert json.loads(response.body)["error"].startswith(f"{field}: expected ")


async def test_nothing_that_a_program_prints_is_html(server: Running) -> None:
    evil = "<script>alert(1)</script>&amp;\"'"
    link = "\\033]8;;javascript:alert(2)\\033\\\\click\\033]8;;\\033\\\\"
    title = "\\033]2;</title><script>alert(3)</script>\\007"
    breaking = '\\033]8;;http://x/\\"onmouseover=\\"alert(4)\\033\\\\over\\033]8;;\\033\\\\'
    command = f"cat <<'E'\n{evil}\nE\nprintf \"{link}{title}{breaking}\\n\\033[31mred\"; cat"
    path = await printed(server, command, b"red")
    response = await server.fetch("GET", f"{path}/html")
    page = response.body.decode()
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert page.startswith("<!doctype html>")
    assert page.count("<pre") == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;" in page
    assert "<script" not in page
    assert 'href="javascript:' not in page.lower()
    assert '"onmouseover' not in page
    assert "red" in page


async def test_the_screen_is_json_as_it_is_documented(server: Running) -> None:
    command = "printf '\\033]2;a title\\007\\033[1;31mred\\033[0m plain\\n\\033[?2004h'; cat"
    path = await printed(server, command, b"2004h", rows=5, cols=30)
    response = await server.fetch("GET", f"{path}/screen")
    assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    screen = json.loads(response.body)
    assert (screen["rows"], screen["cols"], screen["top"], screen["title"]) == (5, 30, 0, "a title")
    assert (screen["cursor"]["row"], screen["cursor"]["col"], screen["cursor"]["visible"]) == (1, 0, True)
    assert "bracketed-paste" in screen["modes"]
    assert len(screen["lines"]) == 5
    first, second = screen["lines"][0]["runs"]
    assert (first["text"], first["bold"], first["fg"]) == ("red", True, 1)
    assert second == {"text": " plain", "width": 6}


async def test_a_picture_is_a_file_that_a_page_may_show_and_nothing_else(server: Running) -> None:
    """A program chose the bytes, so no address of them may run as a page of this server."""
    printf = r"printf '\033P0;1q\0421;1;2;2#1;2;100;0;0#1!2B\033\\\r\nend'; cat"
    path = await printed(server, ["sh", "-c", printf], b"end")
    (picture,) = (await server.json("GET", f"{path}/screen"))["pictures"]
    response = await server.fetch("GET", f"{path}/pictures/{picture['key']}")
    assert response.code == 200
    assert response.body.startswith(b"\x89PNG")
    assert response.headers["Content-Type"] == "image/png"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; sandbox; frame-ancestors 'none'"
    header, length = response.body[16:24], b"\0\0\0\2"
    assert header == length * 2
    for key in ("0" * 16, picture["key"].upper() + "0", "x", picture["key"] + "%2f"):
        assert (await server.fetch("GET", f"{path}/pictures/{key}")).code == 404


async def test_a_snapshot_is_the_engines_and_buffer_is_its_other_name(server: Running) -> None:
    path = await printed(server, ["sh", "-c", "printf 'some text'; cat"], b"text", rows=7, cols=40)
    same = vt.Engine(7, 40)
    same.feed(b"some text")
    for name in ("snapshot", "buffer"):
        response = await server.fetch("GET", f"{path}/{name}")
        assert response.headers["Content-Type"] == "application/octet-stream"
        assert response.headers["X-VibeTunnel-Offset"] == "9"
        assert response.body == same.snapshot()


async def test_a_session_that_has_not_started_has_an_empty_screen_and_stays_so(server: Running) -> None:
    session = await server.session(["cat"], rows=4, cols=9)
    path = f"/api/sessions/{session}"
    assert await text(server, path) == [""] * 4
    screen = await server.json("GET", f"{path}/screen")
    assert (screen["rows"], screen["cols"], screen["offset"]) == (4, 9, 0)
    empty = vt.Engine(4, 9).snapshot()
    assert (await server.fetch("GET", f"{path}/snapshot")).body == empty
    assert (await server.fetch("GET", f"{path}/html")).code == 200
    assert await server.json("GET", f"{path}/commands") == []
    assert (await server.json("GET", path))["status"] == "created"


COMMAND = "\\033]133;A\\007> \\033]133;B\\007ls\\n\\033]133;C;cmdline_url=ls\\007a\\nb\\n\\033]133;D;2\\007"


async def test_an_ended_session_answers_all_of_it_also_after_a_restart(serve: Serve) -> None:
    first = await serve()
    session = await first.session(f"seq 50; printf '{COMMAND}'; printf bye", rows=5)
    path = f"/api/sessions/{session}"
    await first.output(session, b"bye")  # starts it; a resize would race with its end
    await first.ended(session)

    async def everything(server: Running) -> list[Any]:
        fetched = [
            await server.fetch("GET", f"{path}/{what}")
            for what in ("text", "text?first=-1000", "html?first=-3", "screen", "snapshot")
        ]
        return [(each.code, each.body) for each in fetched]

    before = await everything(first)
    assert before[0] == (200, b"50\n> ls\na\nb\nbye\n")
    assert len(before[1][1].splitlines()) == 54
    (command,) = await first.json("GET", f"{path}/commands")
    await first.close()
    second = await serve()
    assert await everything(second) == before
    (again,) = await second.json("GET", f"{path}/commands")
    for key in ("command", "exitCode", "running"):
        assert again[key] == command[key]
    for key in ("start", "end"):
        assert again["output"][key] == command["output"][key]
    await second.json("DELETE", path)
    for what in ("text", "html", "screen", "snapshot", "buffer", "commands"):
        assert (await second.fetch("GET", f"{path}/{what}")).code == 404


async def test_a_running_session_goes_on_with_its_screen_after_a_restart(serve: Serve) -> None:
    first = await serve()
    path = await printed(first, ["sh", "-c", f"seq 50; printf '{COMMAND}'; cat"], b"D;2\x07", rows=5)
    before = await text(first, path, "?first=-30")
    await first.close()
    second = await serve()
    assert await text(second, path, "?first=-30") == before
    await second.json("POST", f"{path}/input", {"text": "more\n"})
    await second.json("POST", f"{path}/wait", {"text": "more\nmore"})
    assert [each["command"] for each in await second.json("GET", f"{path}/commands")] == ["ls"]


async def test_the_scrollback_is_as_long_as_the_settings_say(serve: Serve) -> None:
    server = await serve(scrollback_lines=20)
    path = await printed(server, NUMBERS, b"end", rows=10)
    response = await server.fetch("GET", f"{path}/text?first=-1000")
    assert response.body.decode().splitlines()[0] == "72"
    assert (response.headers["X-VibeTunnel-Oldest"], response.headers["X-VibeTunnel-Top"]) == ("71", "91")


async def test_a_session_that_is_removed_while_it_is_read_is_a_404(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = await printed(server, ["echo", "x"], b"x")
    session = server.server.context.registry.get(path.rpartition("/")[2])
    await server.ended(session.id)
    monkeypatch.setattr(Captures, "arrived", lambda captures, ticket, copy: None)  # so that the capture stays pending
    reading = asyncio.create_task(server.fetch("GET", f"{path}/text"))

    async def asked() -> bool:
        return bool(session.captures)

    await until(asked)
    await server.json("DELETE", path)
    assert (await reading).code == 404


# Commands and events


async def test_commands_are_listed_with_where_their_output_is(server: Running) -> None:
    running = "\\033]133;C;cmdline_url=sleep%%209\\007"
    path = await printed(server, ["sh", "-c", f"printf '{COMMAND}{running}'; cat"], b"sleep%209\x07")
    done, under_way = await server.json("GET", f"{path}/commands")
    assert (done["command"], done["exitCode"], done["running"]) == ("ls", 2, False)
    assert (done["output"]["firstLine"], done["output"]["lastLine"]) == (1, 3)
    assert await text(server, path, "?top=1&first=0&last=2") == ["a", "b"]
    output = (await server.fetch("GET", f"{path}/output?since={done['output']['start']}")).body
    assert output[: done["output"]["end"] - done["output"]["start"]] == b"a\r\nb\r\n"
    assert (under_way["command"], under_way["running"]) == ("sleep 9", True)
    assert "endedAt" not in under_way
    await server.json("POST", f"{path}/resize", {"rows": 24, "cols": 50})

    async def renumbered() -> bool:
        return all("firstLine" not in each["output"] for each in await server.json("GET", f"{path}/commands"))

    await until(renumbered)


async def test_finished_commands_and_clipboards_are_events(server: Running) -> None:
    async with listening(server) as stream:
        clipboard = "\\033]52;c;aMOkbGxv\\007"  # hällo
        session = await server.session(["sh", "-c", f"read x; printf '{COMMAND}{clipboard}'; cat"])
        await server.json("POST", f"/api/sessions/{session}/input", {"text": "\n"})
        told: dict[str, dict[str, Any]] = {}
        while len(told) < 2:
            message = await stream.next("command", "clipboard")
            told[message["type"]] = message
        assert told["command"]["sessionId"] == told["clipboard"]["sessionId"] == session
        assert (told["command"]["command"]["command"], told["command"]["command"]["exitCode"]) == ("ls", 2)
        assert (told["clipboard"]["selection"], told["clipboard"]["text"]) == ("c", "hällo")


async def test_a_clipboard_that_is_not_text_or_too_large_is_no_event(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibetunnel.sessions.events.CLIPBOARD_LIMIT", 10)
    events = server.server.context.registry.events
    async with listening(server) as stream:
        events.clipboard("binary", "c", b"\xff\x00")
        events.clipboard("large", "c", b"x" * 11)
        events.clipboard("fine", "", b"x" * 10)
        assert (await stream.next("clipboard"))["sessionId"] == "fine"
