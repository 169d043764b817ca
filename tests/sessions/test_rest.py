"""Sessions through REST: creating, using, showing and ending them."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from harness import DEADLINE_S, Running, Serve, until

from vibetunnel import paths
from vibetunnel.handlers.application import DRAIN_LIMIT
from vibetunnel.keeper import processes
from vibetunnel.sessions import registry

UUID_LENGTH = 36


async def test_a_lazy_session_is_created_without_a_process(server: Running) -> None:
    session = await server.json("POST", "/api/sessions", {"command": ["cat"]}, status=201)
    assert session["id"] == session["sessionId"]
    assert len(session["id"]) == UUID_LENGTH
    assert session["status"] == "created"
    assert session["lazy"] is True
    assert "pid" not in session
    assert (session["rows"], session["cols"]) == (24, 80)


async def test_the_first_input_starts_a_lazy_session_and_reaches_it(server: Running) -> None:
    session = await server.session(["cat"])
    await server.json("POST", f"/api/sessions/{session}/input", {"text": "hello\n"})
    await server.output(session, b"hello\r\nhello\r\n")
    seen = await server.json("GET", f"/api/sessions/{session}")
    assert seen["status"] == "running"
    assert seen["lazy"] is False
    os.kill(seen["pid"], 0)


async def test_the_first_resize_starts_a_lazy_session_at_that_size(server: Running) -> None:
    session = await server.session(["sh", "-c", "stty size; cat"])
    answer = await server.json("POST", f"/api/sessions/{session}/resize", {"rows": 41, "cols": 123})
    assert answer == {"success": True, "rows": 41, "cols": 123}
    await server.output(session, b"41 123")


async def test_reading_output_starts_a_lazy_session(server: Running) -> None:
    session = await server.session(["echo", "begun"])
    await server.output(session, b"begun")


async def test_many_inputs_at_once_start_one_process(server: Running) -> None:
    session = await server.session(["sh", "-c", "echo started; cat"])
    await asyncio.gather(
        *(server.json("POST", f"/api/sessions/{session}/input", {"text": f"<{n}>"}) for n in range(8)),
    )
    output = await server.output(session, b"started")
    assert output.count(b"started") == 1

    async def all_typed() -> bool:
        text = (await server.fetch("GET", f"/api/sessions/{session}/output")).body
        return all(f"<{n}>".encode() in text for n in range(8))

    await until(all_typed)


async def test_spawn_now_answers_with_a_running_session(server: Running) -> None:
    session = await server.json("POST", "/api/sessions", {"command": ["cat"], "spawn": "now"}, status=201)
    assert session["status"] == "running"
    assert session["pid"] > 0


async def test_the_setting_spawn_now_is_the_default_of_new_sessions(serve: Serve) -> None:
    server = await serve(spawn="now")
    session = await server.json("POST", "/api/sessions", {"command": ["cat"]}, status=201)
    assert session["status"] == "running"


async def test_a_folder_that_does_not_exist_is_refused_when_spawning_now(server: Running) -> None:
    body = {"command": ["cat"], "workingDir": "/no/such", "spawn": "now"}
    answer = await server.json("POST", "/api/sessions", body, status=400)
    assert answer["error"].startswith("workingDir: ")
    assert await server.json("GET", "/api/sessions") == []


async def test_a_program_that_does_not_exist_is_refused_when_spawning_now(server: Running) -> None:
    answer = await server.json("POST", "/api/sessions", {"command": ["/no/such"], "spawn": "now"}, status=400)
    assert answer["error"].startswith("command: ")
    assert "/no/such" in answer["error"]
    assert await server.json("GET", "/api/sessions") == []


async def test_a_lazy_session_that_cannot_start_is_exited_and_says_why(
    server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    session = await server.session(["cat"], workingDir="/no/such")
    answer = await server.json("POST", f"/api/sessions/{session}/input", {"text": "x"}, status=400)
    assert "/no/such" in answer["error"]
    seen = await server.json("GET", f"/api/sessions/{session}")
    assert seen["status"] == "exited"
    assert "/no/such" in seen["reason"]
    assert f"session {session} could not start: {seen['reason']}" in caplog.messages
    assert "exitCode" not in seen
    assert (await server.json("DELETE", f"/api/sessions/{session}"))["message"] == "Session cleaned up"


async def test_a_command_as_text_is_run_by_the_shell(server: Running) -> None:
    session = await server.session("echo $((40 + 2)) | tr 4 5")
    await server.output(session, b"52")


@pytest.mark.parametrize("command", ["   ", "\n\t", ["  "]])
async def test_a_blank_command_is_refused(server: Running, command: object) -> None:
    answer = await server.json("POST", "/api/sessions", {"command": command}, status=400)
    assert answer["error"].startswith("command: expected ")
    assert "blanks only" in answer["error"]
    assert await server.json("GET", "/api/sessions") == []


async def test_without_a_command_a_login_shell_runs(server: Running) -> None:
    session = await server.session()
    await server.json("POST", f"/api/sessions/{session}/input", {"text": "echo name:$0\n"})
    await server.output(session, b"name:-sh")


async def test_the_environment_and_the_folder_are_as_asked_for(server: Running, tmp_path: Path) -> None:
    folder = tmp_path / "über uns"
    folder.mkdir()
    command = "echo $GREETING $VIBETUNNEL_SESSION_ID; pwd"
    session = await server.session(command, env={"GREETING": "hé"}, cwd=str(folder))
    output = await server.output(session, "über uns".encode())
    assert f"hé {session}".encode() in output


async def test_a_tilde_and_a_relative_folder_are_seen_from_home(server: Running) -> None:
    home = server.server.context.home
    for given, expected in (("~", home), ("~/x", f"{home}/x"), ("x/../y", f"{home}/y"), ("/tmp", "/tmp")):
        session = await server.json("POST", "/api/sessions", {"workingDir": given}, status=201)
        assert session["workingDir"] == expected


async def test_another_users_home_is_looked_up_outside_the_event_loop(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def slow(path: str) -> str:  # stands for an account directory that does not answer
        threads.append(threading.current_thread())
        return path.replace("~somebody", "/home/somebody")

    monkeypatch.setattr(os.path, "expanduser", slow)
    made = await server.json("POST", "/api/sessions", {"workingDir": "~somebody/src"}, status=201)
    assert made["workingDir"] == "/home/somebody/src"
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


async def test_the_names_of_the_go_server_are_understood(server: Running) -> None:
    body = {"command": "cat", "cwd": "/", "title": "from go", "rows": 30, "cols": 90}
    session = await server.json("POST", "/api/sessions", body, status=201)
    assert (session["name"], session["workingDir"]) == ("from go", "/")
    await server.json("POST", f"/api/sessions/{session['id']}/input", {"type": "input", "data": "typed\n"})
    await server.output(session["id"], b"typed\r\ntyped")


async def test_what_the_node_frontend_sends_is_understood(server: Running) -> None:
    body: dict[str, object] = {
        "command": ["cat"],
        "workingDir": "/",
        "spawn_terminal": False,
        "titleMode": "dynamic",
        "gitRepoPath": "/home/ada/proj",
        "gitBranch": "main",
        "cols": 120,
        "rows": 30,
        "name": "demo",
    }
    session = (await server.json("POST", "/api/sessions", body, status=201))["sessionId"]
    await server.json("POST", "/api/sessions", body | {"remoteId": None}, status=201)
    await server.json("POST", f"/api/sessions/{session}/resize", {"cols": 100, "rows": 44})
    assert (await server.fetch("GET", f"/api/sessions/{session}/text?styles")).code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "error"),
    [
        ("POST", "", {"comand": ["cat"]}, "Unknown field comand; did you mean command?"),
        ("POST", "", {"working_dir": "/"}, "Unknown field working_dir; did you mean workingDir?"),
        ("POST", "/ID/wait", {"exit": True, "timeout": 5}, "Unknown field timeout; did you mean timeoutMs?"),
        ("POST", "/ID/shares", {"use": 1}, "Unknown field use; did you mean uses?"),
        ("PATCH", "/ID", {"name": "x", "colour": "red"}, "Unknown field colour"),
        ("GET", "/ID/text?frist=-5", None, "Unknown field frist; did you mean first?"),
    ],
)
async def test_a_field_that_is_misspelt_is_named_with_the_nearest_one(
    server: Running, method: str, path: str, body: object, error: str
) -> None:
    session = await server.session(["cat"])
    answer = await server.json(method, f"/api/sessions{path.replace('ID', session)}", body, status=400)
    assert answer["error"] == error


async def test_a_size_may_be_written_as_a_float(server: Running) -> None:
    made = await server.json("POST", "/api/sessions", b'{"rows": 24.0, "cols": 8e1}', status=201)
    assert (made["rows"], made["cols"]) == (24, 80)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"rows": "24"}, "rows: expected int"),
        ({"rows": 0}, "rows: "),
        (b'{"rows": 1e400}', "rows: expected a number within its range"),
        (b'{"name": "\xff"}', "body: expected UTF-8, got the byte 0xff"),
        ({"cols": 1001}, "cols: "),
        ({"cols": 1.5}, "cols: "),
        ({"cols": True}, "cols: "),
        ({"command": 5}, "command: "),
        ({"command": []}, "command: "),
        ({"command": [""]}, "command: "),
        ({"command": ["a", 5]}, "command[1]: "),
        ({"command": "a\0b"}, "command: "),
        ({"workingDir": 5}, "workingDir: "),
        ({"workingDir": "a\0"}, "workingDir: "),
        ({"name": {}}, "name: "),
        ({"name": "x" * 300}, "name: "),
        ({"name": "a\nb"}, "name: "),
        ({"env": {"A=B": "c"}}, "env: "),
        ({"env": {"B": "x", "A": 5}}, "env.A: expected str, got 5"),
        ({"env": {"": "x"}}, "env: "),
        ({"env": {"A": "x\0"}}, "env.A: "),
        ({"spawn": "later"}, 'spawn: expected lazy or now, got "later"'),
        ([], "body: "),
        ({"env": {"A": "x" * 70_000}}, "command, env: "),
    ],
)
async def test_a_bad_field_of_a_new_session_is_named(server: Running, body: object, field: str) -> None:
    answer = await server.json("POST", "/api/sessions", body, status=400)
    assert answer["error"].startswith(field)
    assert await server.json("GET", "/api/sessions") == []


@pytest.mark.parametrize("body", [b"{", b"", b"\xff", b"nul", b'{"name": "\xff"}', b"[" * 100_000])
async def test_malformed_json_is_a_400_in_json(server: Running, body: bytes) -> None:
    session = await server.session()
    answer = await server.json("PATCH", f"/api/sessions/{session}", body, status=400)
    assert answer["error"].startswith("body: ")


async def test_the_list_has_the_newest_first(server: Running) -> None:
    made = [await server.session(name=f"number {n}") for n in range(3)]
    assert [each["id"] for each in await server.json("GET", "/api/sessions")] == made[::-1]


async def test_an_unknown_session_is_a_404_everywhere(server: Running) -> None:
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("DELETE", "", None),
        ("DELETE", "/cleanup", None),
        ("POST", "/input", {"text": "x"}),
        ("POST", "/resize", {"rows": 1, "cols": 1}),
        ("POST", "/signal", {"signal": "INT"}),
        ("GET", "/output", None),
    ):
        for bad in ("nope", "..%2F..%2Fetc", "%00"):
            answer = await server.json(method, f"/api/sessions/{bad}{path}", body, status=404)
            assert answer == {"error": "Session not found"}


async def test_renaming_makes_names_unique(server: Running) -> None:
    first, second, third = [await server.session() for _ in range(3)]
    for session, name in ((first, "build"), (second, "build (2)"), (third, "build (3)"), (first, "build")):
        answer = await server.json("PATCH", f"/api/sessions/{session}", {"name": " build "})
        assert answer == {"success": True, "name": name}
    assert (await server.json("GET", f"/api/sessions/{second}"))["name"] == "build (2)"
    assert "name: " in (await server.json("PATCH", f"/api/sessions/{first}", {"name": "  "}, status=400))["error"]
    assert "name: " in (await server.json("PATCH", f"/api/sessions/{first}", {}, status=400))["error"]


async def test_keys_are_typed_as_their_sequences(server: Running) -> None:
    session = await server.session(["sh", "-c", "stty raw -echo; echo ready; exec cat -v"])
    await server.output(session, b"ready")
    for key in ("arrow_up", "f5", "shift_tab", "escape", "backspace"):
        await server.json("POST", f"/api/sessions/{session}/input", {"key": key})
    await server.output(session, b"^[[A^[[15~^[[Z^[^?")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": "a", "key": "enter"},
        {"text": "a", "paste": "b"},
        {"key": "enter", "paste": "b"},
        {"data": "a", "paste": "b"},
        {"key": "nope"},
        {"text": 5},
        {"type": "resize", "data": "x"},
        {"key": None},
        {"paste": ["b"]},
    ],
)
async def test_input_is_exactly_one_of_text_key_and_paste(server: Running, body: object) -> None:
    session = await server.session(["cat"])
    await server.json("POST", f"/api/sessions/{session}/input", body, status=400)
    assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "created"


@pytest.mark.parametrize(
    "body", [{"rows": 1}, {"rows": 0, "cols": 5}, {"rows": 5, "cols": 1001}, {"rows": "5", "cols": 5}]
)
async def test_a_size_out_of_range_is_refused(server: Running, body: object) -> None:
    session = await server.session(["cat"])
    answer = await server.json("POST", f"/api/sessions/{session}/resize", body, status=400)
    assert answer["error"].startswith(("rows: ", "cols: "))


@pytest.mark.parametrize("given", ["INT", "SIGINT", "int", int(signal.SIGINT)])
async def test_a_signal_goes_to_the_foreground_process_only(server: Running, given: object) -> None:
    session = await server.session(["bash", "--norc", "-i"])
    await server.json("POST", f"/api/sessions/{session}/input", {"text": "sh -c 'echo in:front; exec sleep 1000'\n"})
    await server.output(session, b"in:front\r\n")
    await server.json("POST", f"/api/sessions/{session}/signal", {"signal": given})
    await server.json("POST", f"/api/sessions/{session}/input", {"text": "echo status:$?\n"})
    await server.output(session, b"status:130")


async def test_an_invalid_parameter_is_shown(server: Running) -> None:
    session = await server.session(["cat"])
    for path, expected in (
        (f"/api/sessions/{session}/output?since=abc", 'since: expected int, got "abc"'),
        ("/api/sessions/%ff%fe", "path: expected UTF-8, got other bytes"),
    ):
        assert await server.json("GET", path, status=400) == {"error": expected}


async def test_an_unknown_signal_is_refused(server: Running) -> None:
    session = await server.session(["cat"], spawn="now")
    for given in ("NOPE", 0, 32, 999, "", "INT\n", -1, 2.5, "2"):  # 32 is the C library's own
        answer = await server.json("POST", f"/api/sessions/{session}/signal", {"signal": given}, status=400)
        assert answer["error"].startswith("signal: ")


async def test_the_exit_code_is_told_zero_included(server: Running) -> None:
    for code in (0, 3):
        session = await server.session(f"exit {code}", spawn="now")
        seen = await server.ended(session)
        assert seen["exitCode"] == code
        assert "pid" not in seen


async def test_a_signalled_process_tells_signal_and_code(server: Running) -> None:
    session = await server.session("kill -TERM $$", spawn="now")
    seen = await server.ended(session)
    assert (seen["exitCode"], seen["signal"]) == (128 + signal.SIGTERM, signal.SIGTERM)


async def test_all_output_is_there_when_a_session_is_exited(server: Running) -> None:
    session = await server.session("head -c 100000 /dev/zero | tr '\\0' x; echo END", spawn="now")
    await server.ended(session)
    response = await server.fetch("GET", f"/api/sessions/{session}/output")
    assert response.body.endswith(b"END\r\n")
    assert len(response.body) == 100_000 + 5


async def test_output_continues_from_an_offset(server: Running) -> None:
    session = await server.session("printf 0123456789", spawn="now")
    await server.ended(session)
    response = await server.fetch("GET", f"/api/sessions/{session}/output?since=4")
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.body == b"456789"
    assert (response.headers["X-VibeTunnel-Offset"], response.headers["X-VibeTunnel-Next-Offset"]) == ("4", "10")
    later = await server.fetch("GET", f"/api/sessions/{session}/output?since=99")
    assert (later.body, later.headers["X-VibeTunnel-Next-Offset"]) == (b"", "10")
    for bad in ("-1", "x", "1.5", str(2**63)):
        answer = await server.json("GET", f"/api/sessions/{session}/output?since={bad}", status=400)
        assert answer["error"].startswith("since: ")


async def test_output_that_is_no_longer_kept_is_skipped(server: Running) -> None:
    session = await server.session("head -c 1000000 /dev/zero | tr '\\0' x; printf END", spawn="now")
    await server.ended(session)
    response = await server.fetch("GET", f"/api/sessions/{session}/output")
    first = int(response.headers["X-VibeTunnel-Offset"])
    assert first > 0
    assert first + len(response.body) == 1_000_003
    assert response.body.endswith(b"xEND")


async def test_deleting_a_running_session_answers_when_the_process_is_gone(server: Running) -> None:
    session = await server.json("POST", "/api/sessions", {"command": ["sleep", "1000"], "spawn": "now"}, status=201)
    answer = await server.json("DELETE", f"/api/sessions/{session['id']}")
    assert answer == {"success": True, "message": "Session killed"}
    with pytest.raises(ProcessLookupError):
        os.kill(session["pid"], 0)
    seen = await server.json("GET", f"/api/sessions/{session['id']}")
    assert seen["status"] == "exited"
    answer = await server.json("DELETE", f"/api/sessions/{session['id']}")
    assert answer == {"success": True, "message": "Session cleaned up"}
    await server.json("GET", f"/api/sessions/{session['id']}", status=404)


async def test_a_process_that_ignores_polite_requests_is_killed_after_the_grace_period(serve: Serve) -> None:
    server = await serve(kill_grace_s=0.1)
    session = await server.session(["sh", "-c", "trap '' TERM HUP INT; echo deaf; while :; do sleep 1; done"])
    await server.output(session, b"deaf")
    await server.json("DELETE", f"/api/sessions/{session}")
    assert (await server.json("GET", f"/api/sessions/{session}"))["signal"] == signal.SIGKILL


async def test_deleting_a_session_that_never_started_removes_it(server: Running) -> None:
    session = await server.session()
    answer = await server.json("DELETE", f"/api/sessions/{session}")
    assert answer["message"] == "Session cleaned up"
    assert await server.json("GET", "/api/sessions") == []


async def test_cleanup_of_a_running_session_is_refused(server: Running) -> None:
    session = await server.session(["cat"], spawn="now")
    await server.json("DELETE", f"/api/sessions/{session}/cleanup", status=409)
    await server.json("DELETE", f"/api/sessions/{session}")
    answer = await server.json("DELETE", f"/api/sessions/{session}/cleanup")
    assert answer == {"success": True, "message": "Session cleaned up"}


async def test_ended_session_says_how_many_processes_it_has_left_and_ending_it_ends_them(serve: Serve) -> None:
    server = await serve()
    session = await server.session(["sh", "-c", "trap '' HUP; sleep 1000 >/dev/null & echo $!."], spawn="now")
    await server.ended(session)
    job = int((await server.output(session, b".")).split(b".")[0])

    async def told() -> bool:
        return bool((await server.json("GET", f"/api/sessions/{session}")).get("processesLeft") == 1)

    await until(told)
    refusal = await server.json("DELETE", f"/api/sessions/{session}/cleanup", status=409)
    assert "1 of its processes runs on: end them first with DELETE" in refusal["error"]
    assert (await server.json("POST", "/api/cleanup-exited"))["localCleaned"] == 0
    await server.close()

    server = await serve()  # and so says the next server
    await until(told)
    answer = await server.json("DELETE", f"/api/sessions/{session}")
    assert answer == {"success": True, "message": "Session cleaned up"}
    assert await server.json("GET", "/api/sessions") == []
    assert job not in {process.pid for process in processes.living()}


async def test_cleaning_up_removes_the_exited_sessions_only(server: Running) -> None:
    done = [await server.session("exit", spawn="now") for _ in range(2)]
    for session in done:
        await server.ended(session)
    kept = {await server.session(), await server.session(["cat"], spawn="now")}
    answer = await server.json("POST", "/api/cleanup-exited")
    assert (answer["success"], answer["localCleaned"], answer["remoteResults"]) == (True, 2, [])
    assert {each["id"] for each in await server.json("GET", "/api/sessions")} == kept


async def test_an_exited_session_takes_neither_input_nor_size_nor_signals(server: Running) -> None:
    session = await server.session("exit 0", spawn="now")
    await server.ended(session)
    for path, body in (("input", {"text": "x"}), ("resize", {"rows": 5, "cols": 5}), ("signal", {"signal": 2})):
        answer = await server.json("POST", f"/api/sessions/{session}/{path}", body, status=400)
        assert answer["error"].startswith("Session is not running")


async def test_a_session_more_than_the_keeper_can_have_is_refused_when_it_is_created(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "SESSIONS_LIMIT", 3)
    ended = await server.session(["true"], spawn="now")
    await server.ended(ended)  # it counts, since the keeper has it still
    for _ in range(2):
        await server.session(["cat"])
    for spawn in ("lazy", "now"):
        answer = await server.json("POST", "/api/sessions", {"spawn": spawn}, status=429)
        assert answer["error"].startswith("Limit reached: at most 3 sessions, including those that have ended, are")
    await server.json("DELETE", f"/api/sessions/{ended}/cleanup")
    await server.session(["cat"])


async def test_the_limit_counts_sessions_that_have_not_ended(serve: Serve) -> None:
    server = await serve(max_sessions=2)
    first = await server.session("exit", spawn="now")
    await server.session()
    await server.ended(first)
    await server.session()
    answer = await server.json("POST", "/api/sessions", {}, status=429)
    assert "2" in answer["error"]


async def test_a_large_body_is_a_413_however_it_is_sent(server: Running) -> None:
    session = await server.session(["cat"])
    path = f"/api/sessions/{session}/input"
    text = json.dumps({"text": "x" * 2_000_000}).encode()
    answer = await server.json("POST", path, text, status=413)
    assert answer["error"].startswith("body: ")

    async def in_pieces(write: Any) -> None:
        for start in range(0, len(text), 100_000):
            await write(text[start : start + 100_000])

    response = await server.fetch("POST", path, body_producer=in_pieces)
    assert response.code == 413
    await server.json("POST", path, {"text": "x" * 1_000_000})


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_beyond_all_measure_is_answered_before_it_is_over(server: Running, announced: bool) -> None:
    session = await server.session(["cat"])
    lines = [
        f"POST /api/sessions/{session}/input HTTP/1.1",
        "Host: localhost",
        f"Authorization: {server.bearer['Authorization']}",
        f"Content-Length: {DRAIN_LIMIT + 1}" if announced else "Transfer-Encoding: chunked",
    ]
    reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
    writer.write("\r\n".join([*lines, "", ""]).encode())
    async with asyncio.timeout(DEADLINE_S):
        if not announced:
            megabyte = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
            for _ in range(DRAIN_LIMIT // 0x100000):
                writer.write(megabyte)
                await writer.drain()
            writer.write(b"1\r\nx\r\n")
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.endswith(b'{"error":"body: expected at most 1048576 bytes, got more"}')
    writer.close()
    await writer.wait_closed()


def cksum(data: bytes) -> bytes:
    return subprocess.run(["cksum"], input=data, capture_output=True, check=True).stdout.strip()


async def test_a_large_paste_arrives_whole(server: Running) -> None:
    session = await server.session(["sh", "-c", "stty raw -echo; echo ready; head -c 800000 | cksum"])
    await server.output(session, b"ready")
    text = "".join(f"{n:07d}\n" for n in range(100_000))
    await server.json("POST", f"/api/sessions/{session}/input", {"text": text})
    await server.output(session, cksum(text.encode()))


async def test_json_is_accepted_whatever_its_content_type_with_a_bearer(server: Running) -> None:
    session = await server.session(["cat"])
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        headers = {"Content-Type": kind}
        await server.json("POST", f"/api/sessions/{session}/input", {"text": "x"}, headers=headers)


async def test_a_wrong_method_is_a_405_with_the_right_ones(server: Running) -> None:
    response = await server.fetch("PUT", "/api/sessions")
    assert response.code == 405
    assert response.headers["Allow"] == "GET, POST, HEAD"
    assert json.loads(response.body)["error"] == "method: expected GET, POST or HEAD, got PUT"


async def test_head_answers_as_get_without_a_body(server: Running) -> None:
    for path in ("/api/health", "/api/sessions", "/metrics"):
        response = await server.fetch("HEAD", path)
        assert (response.code, response.body) == (200, b"")
        assert int(response.headers["Content-Length"]) > 0


async def test_asking_for_the_headers_of_the_output_does_not_start_the_session(server: Running) -> None:
    session = await server.session(["echo", "abc"])
    response = await server.fetch("HEAD", f"/api/sessions/{session}/output")
    assert (response.code, response.headers["X-VibeTunnel-Next-Offset"], response.body) == (200, "0", b"")
    assert (await server.json("GET", f"/api/sessions/{session}"))["status"] == "created"
    await server.output(session, b"abc\r\n")
    response = await server.fetch("HEAD", f"/api/sessions/{session}/output")
    assert (response.headers["X-VibeTunnel-Next-Offset"], response.headers["Content-Length"]) == ("5", "5")


async def test_an_unknown_api_path_is_a_404_in_json(server: Running) -> None:
    for path in ("/api/nope", "/api/sessions/x/nope", "/api/"):
        assert await server.json("GET", path, status=404) == {"error": "API endpoint not found"}


async def test_a_signal_without_a_name_is_sent_and_recorded_by_its_number(server: Running) -> None:
    number = signal.SIGRTMIN + 3
    session = await server.session(
        ["sh", "-c", f"trap 'echo got' {number:d}; echo ready; while :; do sleep 0.01; done"]
    )
    await server.output(session, b"ready")
    await server.json("POST", f"/api/sessions/{session}/signal", {"signal": int(number)})
    await server.output(session, b"got")
    assert f'"{number:d}"' in (server.server.settings.log_dir / paths.AUDIT_LOG).read_text()
