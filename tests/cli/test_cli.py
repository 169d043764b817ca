"""The command line: what it prints, what it refuses, and its verbs against a real server."""

import http.server
import json
import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli_home import Home
from harness import DEADLINE_S, wait_for

from vibetunnel import __version__, paths
from vibetunnel.cli import output
from vibetunnel.cli import sessions as verbs
from vibetunnel.cli.choose import choose
from vibetunnel.cli.errors import UserError
from vibetunnel.cli.serve import serve
from vibetunnel.cli.server_client import NotRunning, RunningServer, ServerRefused
from vibetunnel.keeper import processes
from vibetunnel.shell import SCRIPTS

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Impostor:
    """A listener on the port of a server.json. It gives the answer of the test, and remembers the requests."""

    def __init__(self, answer: Callable[[str, str], object]) -> None:
        """answer: method and path -> JSON, or bytes as they are"""
        self.asked: list[tuple[str, str]] = []
        impostor = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do(self) -> None:
                impostor.asked.append((self.command, self.path))
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                found = answer(self.command, self.path)
                body = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = do  # noqa: N815 (http.server looks for these names)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> "Impostor":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def write_file(self, home: "Home", pid: int) -> None:
        """The server.json and the secret that a server would have left."""
        text = json.dumps({"pid": pid, "url": f"http://127.0.0.1:{self._server.server_port}"})
        paths.write_private(paths.private_dir(home.settings.runtime_dir) / paths.SERVER_FILE, text.encode())
        paths.write_private(paths.private_dir(home.settings.state_dir) / paths.SECRET, b"0" * 64)


# Without a server


@pytest.mark.parametrize(
    "verb",
    [
        ["ls"],
        ["status"],
        ["stop"],
        ["link"],
        ["kill", "x"],
        ["rm", "x"],
        ["rm", "--exited"],
        ["text", "x"],
        ["wait", "x", "--exit"],
        ["share", "create", "x"],
        ["share", "list", "x"],
        ["share", "revoke", "x", "y"],
        ["who", "x"],
        ["logins"],
        ["revoke", "x"],
    ],
    ids=" ".join,
)
def test_a_verb_without_a_server_says_how_to_start_one(home: Home, verb: list[str]) -> None:
    runtime = home.settings.runtime_dir
    expected = f"vibetunnel: no vibetunnel server is running (looked in {runtime}): start one with `vibetunnel`"
    assert home.refused(*verb) == expected


def test_a_file_left_by_a_killed_server_is_no_server(home: Home) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    runtime = paths.private_dir(home.settings.runtime_dir)
    paths.write_private(
        runtime / paths.SERVER_FILE, json.dumps({"pid": gone.pid, "url": "http://127.0.0.1:9", "port": 9}).encode()
    )
    with pytest.raises(NotRunning):
        RunningServer(home.settings)


def test_a_server_that_cannot_write_its_file_is_not_said_to_be_missing(home: Home) -> None:
    with home.locked():
        for verb in ("ls", "status", "stop", "link"):
            message = home.refused(verb)
            assert "server is starting or stopping, or cannot write server.json" in message
            assert str(home.settings.runtime_dir) in message


def test_nothing_is_sent_to_another_listener_on_a_killed_servers_port(home: Home) -> None:
    with Impostor(lambda *_: []) as impostor:
        impostor.write_file(home, pid=os.getpid())  # a process id that was used again
        assert "no vibetunnel server is running" in home.refused("ls")
        assert "no vibetunnel server is running" in home.refused("stop")
    assert impostor.asked == []


def test_a_process_of_another_user_is_not_our_server(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_pid: int, _signum: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    with Impostor(lambda *_: []) as impostor, home.locked():
        impostor.write_file(home, pid=1)
        with pytest.raises(NotRunning):
            RunningServer(home.settings)


@pytest.mark.parametrize("answer", [b"<html>", b"", {"sessions": []}, 1])
def test_an_answer_that_is_not_the_expected_json_is_an_error(home: Home, answer: object) -> None:
    with Impostor(lambda *_: answer) as impostor, home.locked():
        impostor.write_file(home, pid=os.getpid())
        assert "is not vibetunnel: expected JSON for /api/sessions" in home.refused("ls")


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        b"[]",
        b'{"pid": "1", "url": "http://127.0.0.1:1"}',
        b'{"pid": 12345678901234567890, "url": "http://127.0.0.1:1"}',
        b'{"pid": 0, "url": "http://127.0.0.1:1"}',
        b'{"pid": 1, "url": "http://127.0.0.1:port"}',
        b'{"pid": 1, "url": "http://127.0.0.1:99999"}',
        b'{"pid": 1, "url": "gopher://127.0.0.1:70"}',
        b'{"pid": 1, "url": 1}',
    ],
)
def test_a_damaged_file_is_named(home: Home, text: bytes) -> None:
    file = paths.private_dir(home.settings.runtime_dir) / paths.SERVER_FILE
    paths.write_private(file, text)
    assert str(file) in home.refused("ls")


def test_a_damaged_secret_is_named(home: Home) -> None:
    with Impostor(lambda *_: []) as impostor, home.locked():
        impostor.write_file(home, pid=os.getpid())
        paths.write_private(home.settings.state_dir / paths.SECRET, b"\xff")
        assert f"{home.settings.state_dir / paths.SECRET} is damaged" in home.refused("ls")


def test_a_variable_that_is_no_setting_is_named(home: Home) -> None:
    home.environment["VIBETUNNEL_SESSION_ID"] = "1"
    sentence = (
        "vibetunnel: VIBETUNNEL_PROT is not a setting and has no effect: `vibetunnel serve --help` lists the settings"
    )
    assert home.run("ls", VIBETUNNEL_PROT="1").stderr.splitlines()[0] == sentence
    assert "no effect" not in home.run("ls").stderr


def test_version_needs_no_server(home: Home) -> None:
    assert home.ok("version") == home.ok("--version") == f"vibetunnel {__version__}\n"


def test_help_names_every_command_and_says_what_happens_without_one(home: Home) -> None:
    text = home.ok("--help")
    verbs = "serve ls kill rm text wait shell-integration status stop link version"
    verbs += " share who user token keys logins revoke audit git-event"
    for verb in verbs.split():
        assert re.search(rf"^  {verb} +\w", text, flags=re.MULTILINE), verb
    assert "Without a command, `vibetunnel` serves" in text
    assert home.ok("-h") == text
    assert "--bulk-lanes" in home.ok("serve", "--help")
    assert "--bulk-lanes" in home.ok("--port", "0", "--help")


def test_a_verb_imports_no_module_that_only_the_server_needs() -> None:
    heavy = "tornado uvloop msgspec asyncio prometheus_client segno jwt cryptography ptyprocess"
    code = f"import sys, vibetunnel.cli; print(*[name for name in {heavy.split()} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == ""


def test_every_setting_is_an_option_of_serve(home: Home) -> None:
    """Given as its own kind of value, and refused with a sentence when it cannot be: 2, and not a traceback."""
    given = {
        "allow-ip": "10.0.0.0/33",
        "trusted-proxies": "unix,",
        "unix-mode": "999",
        "base-path": "a b",
        "jwt-algorithm": "none",
        "rate-limit": "-1",
        "log-files": "0",
        "login-idle-s": "1",
    }
    for option, value in given.items():
        done = home.run("serve", f"--{option}", value)
        assert (done.returncode, done.stdout) == (2, ""), option
        assert f"Invalid value for '--{option}': expected " in done.stderr


def test_a_setting_that_is_a_list_is_given_once_for_each() -> None:
    context = serve.make_context(
        "serve",
        [
            "--allow-ip",
            "10.0.0.0/8",
            "--allow-ip",
            "::1",
            "--trusted-proxies",
            "unix",
            "--no-audit",
            "--unix-mode",
            "660",
        ],
        resilient_parsing=False,
    )
    assert context.params["allow_ip"] == ("10.0.0.0/8", "::1")
    assert context.params["trusted_proxies"] == ("unix",)
    assert (context.params["audit"], context.params["unix_mode"]) == (False, 0o660)
    assert context.params["allow_host"] is None


def test_a_wrong_flag_is_exit_code_2_with_what_was_expected(home: Home) -> None:
    done = home.run("--port", "forty")
    assert done.returncode == 2
    assert 'expected a whole number from 0 to 65535, got "forty"' in done.stderr


def test_a_wrong_file_is_exit_code_2_with_its_name(home: Home) -> None:
    file = home.folder / "config" / "vibetunnel" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text("prot = 4021")
    assert home.refused("ls", code=2).startswith(f"vibetunnel: {file}: unknown key prot: expected one of port, ")
    other = home.folder / "other.toml"
    other.write_text('log_level = "loud"')
    for arguments in (["--config", str(other)], ["serve", "--config", str(other)], ["ls", "--config", str(other)]):
        message = home.refused(*arguments, code=2)
        assert message == f'vibetunnel: {other}: log_level: expected debug, info, warning or error, got "loud"'


def test_rm_wants_to_know_what(home: Home) -> None:
    for arguments in ([], ["--exited", "x"]):
        done = home.run("rm", *arguments)
        assert done.returncode == 2
        assert "name a session by its id or name, or give --exited" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--exit", "--prompt"], ["--text", "a", "--idle", "1"]], ids=" ".join)
def test_wait_wants_one_thing_to_wait_for(home: Home, arguments: list[str]) -> None:
    done = home.run("wait", "x", *arguments)
    assert done.returncode == 2
    assert "give exactly one of --text, --regex, --idle, --prompt and --exit" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_integration_is_printed_as_it_is(home: Home, shell: str) -> None:
    assert home.ok("shell-integration", shell) == SCRIPTS[shell].read_text(encoding="utf-8")
    assert home.run("shell-integration", "csh").returncode == 2


# Decisions that need no server


def session(**more: Any) -> dict[str, Any]:
    return {
        "id": "0a1b2c3d-0000-4000-8000-000000000000",
        "name": "build",
        "command": ["make", "-j8"],
        "status": "running",
        "rows": 24,
        "cols": 80,
        "clients": 2,
        "createdAt": (NOW - timedelta(minutes=5)).isoformat(),
        **more,
    }


def ls(sessions: list[dict[str, Any]], *, width: int | None = None) -> list[str]:
    return output.aligned(verbs.table(sessions, now=NOW), width=width, squeeze=verbs.NAME)


def test_ls_is_an_aligned_table() -> None:
    other = session(id="ffffffff-0", name="a longer name", command=["sh"], clients=0, status="exited", exitCode=130)
    assert ls([session(), other]) == [
        "ID        NAME           STATE       SIZE   CLIENTS  AGE  COMMAND",
        "0a1b2c3d  build          running     24x80  2        5m   make -j8",
        "ffffffff  a longer name  exited 130  24x80  0        5m   sh",
    ]


@pytest.mark.parametrize("width", [40, 79, 80, 100, 200])
def test_no_line_of_ls_is_wider_than_the_terminal(width: int) -> None:
    long = session(name="漢字" * 30, command=["sh", "-c", "x" * 300])
    for line in ls([session(), long], width=width):
        assert output.columns_of(line) <= width


def test_a_name_cannot_talk_to_the_terminal() -> None:
    (_, line) = output.aligned(
        verbs.table([session(name="\x1b]0;evil\x07", command=["a\nb", "\u202e"])], now=NOW),
        width=None,
        squeeze=verbs.NAME,
    )
    assert line.isprintable()
    assert "?]0;evil?" in line


def test_ids_are_shown_as_long_as_it_takes() -> None:
    lines = output.aligned(
        verbs.table([session(id="0a1b2c3d-1"), session(id="0a1b2c3d-2")], now=NOW), width=None, squeeze=verbs.NAME
    )
    assert [line.split()[0] for line in lines] == ["ID", "0a1b2c3d-1", "0a1b2c3d-2"]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abc", 5, "abc  "),
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("漢字", 4, "漢字"),
        ("漢字", 3, "漢…"),
        ("漢字", 2, "… "),
    ],
)
def test_text_is_cut_to_columns_not_characters(text: str, width: int, expected: str) -> None:
    assert output.fit(text, width) == expected


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status": "created"}, "not started"),
        ({"status": "starting"}, "starting"),
        ({"status": "exited", "exitCode": 0}, "exited 0"),
        ({"status": "exited", "exitCode": 137, "signal": 9}, "SIGKILL"),
        ({"status": "exited", "exitCode": 143, "signal": "SIGTERM"}, "SIGTERM"),
        ({"status": "exited", "reason": "no such file"}, "failed"),
        ({"status": "exited", "exitCode": 0, "processesLeft": 1}, "exited 0, 1 process left"),
        ({"status": "exited", "signal": 9, "processesLeft": 12}, "SIGKILL, 12 processes left"),
    ],
)
def test_states_in_words(fields: dict[str, Any], words: str) -> None:
    assert verbs.state(session(**fields)) == words


def test_a_session_is_found_by_id_name_or_the_beginning_of_its_id() -> None:
    one, two = session(id="aa11", name="x"), session(id="aa22", name="aa11")
    twins = [session(id="bb1", name="twin"), session(id="bb2", name="twin")]
    everyone = [one, two, *twins]
    assert choose(everyone, "aa11") is one  # an id goes before a name
    assert choose(everyone, "x") is one
    assert choose(everyone, "AA2") is two
    for ambiguous, ids in (("twin", "bb1, bb2"), ("aa", "aa11, aa22")):
        with pytest.raises(UserError, match=f"'{ambiguous}' is more than one session: give one of the ids {ids}"):
            choose(everyone, ambiguous)
    for unknown in ("none", ""):
        with pytest.raises(UserError, match="no session has the id or name"):
            choose(everyone, unknown)


# With a server


def test_the_server_announces_a_link_whose_code_logs_in_once(home: Home) -> None:
    with home.serve("--kill-on-exit") as (_, lines):
        assert lines[0] == f"vibetunnel {__version__}"
        found = re.fullmatch(r"  Open +(http://127\.0\.0\.1:\d+)/login#([0-9A-Z]{5}-[0-9A-Z]{5})", lines[1])
        assert found, lines
        assert lines[2].split() == ["Code", found[2], "(works", "once)"]
        assert "the sessions end too" in lines[3]
        running = RunningServer(home.settings)
        assert running.url == found[1]
        assert running.request("POST", "/api/auth/code", {"code": found[2]})["success"] is True
        with pytest.raises(ServerRefused):
            running.request("POST", "/api/auth/code", {"code": found[2]})


def test_link_prints_another_code_that_logs_in(home: Home, server: "subprocess.Popen[str]") -> None:
    text = home.ok("link")
    code = re.search(r"Code +(\S+) ", text)
    assert code
    assert f"/login#{code[1]}" in text
    assert RunningServer(home.settings).request("POST", "/api/auth/code", {"code": code[1]})["success"] is True


def test_without_auth_no_code_is_printed(home: Home) -> None:
    with home.serve("--no-auth", "--kill-on-exit") as (_, lines):
        assert any(line.split()[:2] == ["Login", "not"] for line in lines)
        assert "#" not in "".join(lines)


def on_a_terminal(home: Home, arguments: list[str], **environment: str) -> str:
    """What a command prints on a terminal, with all that is not plain text."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "vibetunnel", *arguments],
        env={**home.environment, "TERM": "xterm-256color", **environment},
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    output = b""
    try:
        while select.select([leader], [], [], DEADLINE_S)[0]:
            try:
                chunk = os.read(leader, 65536)
            except OSError:  # Linux: the other end is closed
                break
            if not chunk:
                break
            output += chunk
    finally:
        os.close(leader)
        process.wait(DEADLINE_S)
    return output.decode()


def test_colours_and_a_qr_code_are_for_terminals(home: Home, server: "subprocess.Popen[str]") -> None:
    text = on_a_terminal(home, ["link"])
    assert "\x1b[1m" in text
    assert "▀" in text
    plain = on_a_terminal(home, ["link"], NO_COLOR="1")
    assert "\x1b" not in plain
    assert "▀" in plain
    assert "works on this machine only" in plain
    assert "▀" not in home.ok("link")
    forced = home.ok("link", "--qr")
    assert "▀" in forced
    assert "\x1b" not in forced


def test_a_qr_code_is_not_printed_if_it_is_not_wanted(home: Home, server: "subprocess.Popen[str]") -> None:
    assert "▀" not in on_a_terminal(home, ["link", "--no-qr"])
    assert "▀" not in on_a_terminal(home, ["link"], VIBETUNNEL_QR="no")
    latin = on_a_terminal(home, ["link"], PYTHONIOENCODING="latin-1")
    assert "works once" in latin
    assert "?" not in latin


def test_the_server_itself_prints_a_qr_code_on_a_terminal_whatever_it_listens_on(home: Home) -> None:
    leader, follower = pty.openpty()
    server = subprocess.Popen(
        [sys.executable, "-m", "vibetunnel", "--port", "0", "--kill-on-exit"],
        env={**home.environment, "TERM": "xterm-256color"},
        stdout=follower,
        stderr=subprocess.DEVNULL,
    )
    os.close(follower)
    try:
        output = b""
        while b"the sessions end too" not in output:
            assert select.select([leader], [], [], DEADLINE_S)[0], output
            output += os.read(leader, 65536)
        lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in output.decode().splitlines()]
        drawn = [line for line in lines if set(line) & set("▀▄█")]
        assert 10 < len(drawn) < 24, "half blocks: two rows of the code in one line"
        assert max(map(len, drawn)) < 80
    finally:
        server.terminate()
        server.wait(DEADLINE_S)
        os.close(leader)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_server_works_with_closed_standard_streams(home: Home, closed: str) -> None:
    done = home.shell(f"exec {shlex.quote(sys.executable)} -m vibetunnel ls {closed}")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    server = subprocess.Popen(
        ["/bin/sh", "-c", f'exec "$0" -m vibetunnel --port 0 --kill-on-exit {closed}', sys.executable],
        env=home.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: server.poll() is not None or home.run("ls").returncode == 0)
        assert server.poll() is None
        home.new_session(["true"])
        assert home.shell(f"vibetunnel ls {closed}").returncode == 0
    finally:
        server.terminate()
    assert server.wait(DEADLINE_S) == 0


@pytest.mark.parametrize("pair", [os.pipe, pty.openpty], ids=["pipe", "terminal"])
def test_a_server_goes_on_when_its_link_is_not_read(home: Home, pair: Callable[[], tuple[int, int]]) -> None:
    reader, writer = pair()
    os.close(reader)
    server = subprocess.Popen(
        [sys.executable, "-m", "vibetunnel", "--port", "0", "--kill-on-exit"],
        env=home.environment,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    assert server.stderr
    for line in server.stderr:
        assert "Error" not in line
        if "`vibetunnel link` prints another" in line:
            break
    else:
        pytest.fail("the server ended")
    wait_for(lambda: home.run("ls").returncode == 0)
    assert home.ok("stop") == "Stopped.\n"
    assert "Error" not in server.communicate(timeout=DEADLINE_S)[1]


def test_a_full_disk_is_one_sentence(home: Home, server: "subprocess.Popen[str]") -> None:
    done = home.shell(f"ulimit -f 0; vibetunnel ls >{home.folder}/ls.txt")
    assert (done.returncode, done.stderr) == (1, "vibetunnel: cannot write to standard output: File too large\n")
    done = home.shell("vibetunnel ls | true")
    assert done.stderr == ""


def test_kill_waits_as_long_as_the_server_does(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with home.serve("--kill-on-exit", "--kill-grace-s", "2"):
        home.new_session(["sh", "-c", "trap '' HUP TERM; echo ready; sleep 1000 & wait; wait"], "stubborn")
        running = RunningServer(home.settings)
        wait_for(lambda: running.sessions()[0]["offset"] > 0)
        monkeypatch.setattr("vibetunnel.cli.server_client.TIMEOUT_S", 1.0)
        running.request("DELETE", f"/api/sessions/{running.sessions()[0]['id']}")
        assert running.sessions()[0]["status"] == "exited"


def test_stop_kill_ends_all_sessions_at_the_same_time(home: Home) -> None:
    everyone = threading.Barrier(3, timeout=DEADLINE_S / 3)  # a session's end waits for that of the others
    process = subprocess.Popen(["sleep", "1000"])

    def answer(method: str, path: str) -> object:
        if method == "DELETE":
            everyone.wait()
        if path == "/api/sessions":
            return [{"id": str(number), "status": "running"} for number in range(3)]
        return {"pid": process.pid}

    try:
        with Impostor(answer) as impostor, home.locked():
            impostor.write_file(home, process.pid)
            assert home.ok("stop", "--kill") == "Stopped, and ended 3 sessions.\n"
    finally:
        process.kill()
        process.wait()


def test_stop_kill_stops_the_server_and_names_what_it_could_not_end(home: Home) -> None:
    process = subprocess.Popen(["sleep", "1000"])
    sessions = [{"id": name, "name": name, "status": "running"} for name in ("first", "stuck", "last")]

    def answer(method: str, path: str) -> object:
        if method == "DELETE":
            return b"no answer" if path.endswith("stuck") else {"success": True, "message": "Session killed"}
        return sessions if path == "/api/sessions" else {"pid": process.pid}

    try:
        with Impostor(answer) as impostor, home.locked():
            impostor.write_file(home, process.pid)
            said = home.refused("stop", "--kill")
            assert "Stopped, and ended 2 sessions. 1 session could not be ended, and may run on: stuck: " in said
            assert process.wait(DEADLINE_S) == -signal.SIGTERM
    finally:
        process.kill()
        process.wait()


def test_stop_tells_of_processes_that_ended_sessions_have_left_and_stop_kill_ends_them(home: Home) -> None:
    with home.serve() as (process, _):
        job = "trap '' HUP; sleep 1000 >/dev/null 2>&1 & echo $! >job"
        home.new_session(["sh", "-c", job], "outlived")
        server = RunningServer(home.settings)
        wait_for(lambda: server.sessions()[0].get("processesLeft") == 1)
        assert home.ok("stop") == "Stopped. 1 ended session left processes that run on.\n"
        assert process.wait(DEADLINE_S) == 0
    with home.serve("--kill-on-exit") as (process, _):
        assert home.ok("stop", "--kill") == "Stopped, and ended 1 session.\n"
        assert process.wait(DEADLINE_S) == 0
    assert int((home.folder / "job").read_text()) not in {each.pid for each in processes.living()}


def test_ls_kill_and_rm(home: Home, server: "subprocess.Popen[str]") -> None:
    assert home.ok("ls") == "No sessions.\n"
    assert json.loads(home.ok("ls", "--json")) == []
    first = home.new_session(["sleep", "1000"], "first")
    home.new_session(["sleep", "1001"], "second")
    home.new_session(["sleep", "1002"], "lazy", spawn="lazy")

    lines = home.ok("ls").splitlines()
    assert [line.split()[1] for line in lines] == ["NAME", "lazy", "second", "first"]
    assert lines[1].split()[2:4] == ["not", "started"]
    assert lines[3].split()[0] == first["id"][:8]
    assert lines[3].endswith("sleep 1000")
    assert [found["name"] for found in json.loads(home.ok("ls", "--json"))] == ["lazy", "second", "first"]

    assert "is running: end it first" in home.refused("rm", "first")
    assert home.ok("kill", first["id"][:6], "second") == "Ended first.\nEnded second.\n"
    assert "has already ended" in home.refused("kill", "first")
    assert home.ok("rm", "second") == "Removed second.\n"
    assert home.ok("rm", "--exited") == "Removed 1 session.\n"
    assert home.ok("rm", "--exited") == "Removed 0 sessions.\n"
    assert [found["name"] for found in json.loads(home.ok("ls", "--json"))] == ["lazy"]
    assert home.refused("kill", "none") == (
        "vibetunnel: no session has the id or name 'none': `vibetunnel ls` lists them"
    )


def test_text_prints_the_screen_or_what_is_above_it(home: Home, server: "subprocess.Popen[str]") -> None:
    home.new_session(["sh", "-c", "seq 30; printf 'red \\033[31m<b>'; cat"], "numbers")
    home.ok("wait", "numbers", "--text", "<b>")
    assert home.ok("text", "numbers").splitlines() == [*(str(number) for number in range(8, 31)), "red <b>"]
    assert home.ok("text", "numbers", "--first", "-2", "--last", "1") == "6\n7\n8\n"
    assert home.ok("text", "numbers", "--first", "-100", "--unwrap").splitlines()[0] == "1"
    page = home.ok("text", "numbers", "--html")
    assert page.startswith("<!doctype html>")
    assert "&lt;b&gt;" in page
    assert home.run("text", "numbers", "--html", "--unwrap").returncode == 2
    assert home.ok("text", "numbers", "--first", "2", "--last", "1") == ""
    assert "no session has the id or name" in home.refused("text", "nobody")


def test_wait_says_with_its_exit_code_how_it_went(home: Home, server: "subprocess.Popen[str]") -> None:
    home.new_session(["sh", "-c", "printf 'it is 42 \\033[7mnow'; read x; exit 3"], "job")
    assert home.ok("wait", "job", "--text", "is 4") == "is 4\n"
    assert home.ok("wait", "job", "--regex", r"\d+ n\w+$") == "42 now\n"
    assert home.ok("wait", "job", "--idle", "0.05") == ""
    late = home.refused("wait", "job", "--prompt", "--timeout", "0.05", code=124)
    assert late == "vibetunnel: session job: the condition was not met within 0.05 s"
    assert "regex: expected a regular expression" in home.refused("wait", "job", "--regex", "(")
    running = RunningServer(home.settings)
    running.request("POST", f"/api/sessions/{running.sessions()[0]['id']}/input", {"text": "\n"})
    answer = json.loads(home.ok("wait", "job", "--exit", "--json"))
    assert (answer["matched"], answer["exitCode"]) == ("exit", 3)
    assert "The session ended before the condition was met." in home.refused("wait", "job", "--prompt")
    for seconds in ("0", "601"):
        assert home.run("wait", "job", "--exit", "--timeout", seconds).returncode == 2


def test_status_says_where_and_how(home: Home, server: "subprocess.Popen[str]") -> None:
    home.new_session(["sleep", "1000"])
    text = home.ok("status")
    rows = {line.split()[0]: line for line in text.splitlines()}
    assert RunningServer(home.settings).url in rows["Address"]
    assert rows["Process"].split()[-1] == str(server.pid)
    assert __version__ in rows["Version"]
    assert rows["Clients"].split()[-1] == "0"
    assert rows["Sessions"].endswith("1 running, 0 not started, 0 ended")
    assert "Problem" not in rows
    summary = json.loads(home.ok("status", "--json"))
    assert summary["problems"] == []
    assert (summary["pid"], summary["sessions"]["running"]) == (server.pid, 1)


def test_status_names_a_folder_that_cannot_be_written(home: Home) -> None:
    logs = home.folder / "logs"
    with home.serve("--kill-on-exit", "--log-dir", str(logs)):
        logs.rename(home.folder / "moved")
        logs.write_text("a file in its place")
        (problem,) = json.loads(home.ok("status", "--json"))["problems"]
        assert problem.startswith(f"{logs} cannot be written (Not a directory): ")
        assert f"Problem   {problem}\n" in home.ok("status")


def test_a_proxy_of_the_environment_is_not_asked(home: Home, server: "subprocess.Popen[str]") -> None:
    dead = "http://127.0.0.1:9"
    done = home.run("ls", http_proxy=dead, HTTP_PROXY=dead, https_proxy=dead, all_proxy=dead)
    assert (done.returncode, done.stdout) == (0, "No sessions.\n")


def test_stop_leaves_the_sessions_to_the_next_server(home: Home) -> None:
    with home.serve() as (process, lines):
        assert "the sessions go on" in lines[-1]
        made = home.new_session(["sleep", "1000"], "kept")
        assert home.ok("stop") == (
            "Stopped. 1 session left for the next server, unless it was started with --kill-on-exit.\n"
        )
        assert process.wait(DEADLINE_S) == 0
    assert "no vibetunnel server is running" in home.refused("ls")
    with home.serve("--kill-on-exit"):
        (found,) = json.loads(home.ok("ls", "--json"))
        assert (found["id"], found["status"]) == (made["id"], "running")


def test_stop_kill_ends_them_too(home: Home) -> None:
    with home.serve("--kill-on-exit") as (process, _):
        pid = home.new_session(["sleep", "1000"])["pid"]
        assert home.ok("stop", "--kill") == "Stopped, and ended 1 session.\n"
        assert process.wait(DEADLINE_S) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_stop_counts_what_is_left_for_the_next_server_and_what_it_has_ended(home: Home) -> None:
    with home.serve() as (process, _):
        for name, spawn in (("first", "now"), ("second", "now"), ("waits", "lazy")):
            home.new_session(["sleep", "1000"], name, spawn=spawn)
        home.new_session(["true"], "ended")
        home.ok("wait", "ended", "--exit")
        home.kill_keeper()
        home.new_session(["sleep", "1000"], "third")
        assert home.ok("stop") == (
            "Stopped. 2 sessions left for the next server, unless it was started with --kill-on-exit. "
            "2 sessions ended with it, because the keeper that held them was lost.\n"
        )
        assert process.wait(DEADLINE_S) == 0
    with home.serve("--kill-on-exit"):
        found = {each["name"]: each["status"] for each in json.loads(home.ok("ls", "--json"))}
        assert found == {
            "first": "exited",
            "second": "exited",
            "ended": "exited",
            "waits": "created",
            "third": "running",
        }
        assert "exit code unknown" in home.ok("ls", "--json")
        assert home.ok("stop", "--kill") == "Stopped, and ended 1 session. Removed 1 session that had no process.\n"


def test_stop_does_not_hit_another_process(home: Home, server: "subprocess.Popen[str]") -> None:
    file = home.settings.runtime_dir / paths.SERVER_FILE
    found = json.loads(paths.read_private(file))
    bystander = subprocess.Popen(["sleep", "1000"])
    try:
        paths.write_private(file, json.dumps({**found, "pid": bystander.pid}).encode())
        assert f"is not process {bystander.pid}" in home.refused("stop")
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_ctrl_c_stops_cleanly_with_nothing_to_read_but_the_log(home: Home) -> None:
    with home.serve("--kill-on-exit", "--log-level", "error") as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0
        assert process.stderr
        assert process.stderr.read() == ""
        assert not (home.settings.runtime_dir / paths.SERVER_FILE).exists()


def test_a_port_in_use_is_one_sentence(home: Home, server: "subprocess.Popen[str]") -> None:
    port = RunningServer(home.settings).url.rsplit(":", 1)[1]
    with tempfile.TemporaryDirectory(prefix="vt-", dir="/tmp") as folder:
        message = Home(Path(folder)).refused("--port", port)
    assert message.startswith("vibetunnel: ")
    assert port in message


def test_a_runtime_folder_has_one_server(home: Home) -> None:
    with home.locked():
        message = home.refused("--port", "0", "--kill-on-exit")
    assert message.startswith(f"vibetunnel: another server holds {home.settings.runtime_dir / paths.SERVER_LOCK}: ")
    with home.serve("--kill-on-exit"):
        assert home.ok("ls") == "No sessions.\n"


def test_exposing_without_auth_needs_to_be_said_twice(home: Home) -> None:
    message = home.refused("--port", "0", "--bind", "0.0.0.0", "--no-auth")
    assert "--yes-expose-without-auth" in message


def test_the_wrong_state_folder_is_named(home: Home, server: "subprocess.Popen[str]") -> None:
    other = str(home.folder / "other")
    message = home.refused("ls", "--state-dir", other, "--runtime-dir", str(home.settings.runtime_dir))
    assert f"{other} has no secret, so the server at " in message


def test_a_server_that_was_killed_is_not_running(home: Home) -> None:
    with home.serve() as (process, _):
        process.kill()
        process.wait(DEADLINE_S)
        assert "no vibetunnel server is running" in home.refused("ls")
    with home.serve("--kill-on-exit"):
        assert home.ok("ls") == "No sessions.\n"
