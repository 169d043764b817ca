"""The audit and the log of requests: their contents, the secrets they never contain, and a full disk."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import secrets
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from click.testing import CliRunner
from harness import no_more, until

from vibetunnel.cli.audit import audit as command
from vibetunnel.logs import file as log_file
from vibetunnel.logs.audit import Action, Audit
from vibetunnel.logs.file import LogFile, older
from vibetunnel.logs.read import read
from vibetunnel.logs.record import stamp
from vibetunnel.logs.redact import LONGEST, Id, redact
from vibetunnel.logs.requests import RequestLog
from vibetunnel.paths import NotPrivate
from vibetunnel.security.principal import OWNER, Principal

ADA = Principal("login:7f3a", "ada", OWNER)
HERE = "192.0.2.1"
SIZE = 65536  # bytes; the least that settings allow


class Logs:
    """Logs of this test; all are closed at its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "log"
        self.open: list[LogFile] = []

    def file(self, name: str = "audit.log", *, max_bytes: int = SIZE, files: int = 3) -> LogFile:
        self.open.append(LogFile(self.folder / name, max_bytes=max_bytes, files=files))
        return self.open[-1]

    def lines(self, name: str = "audit.log") -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / name).read_bytes().splitlines()]

    async def count(self, number: int, name: str = "audit.log") -> list[dict[str, Any]]:
        """All lines, as soon as there are so many."""

        async def look() -> list[dict[str, Any]] | None:
            try:
                found = self.lines(name)
            except FileNotFoundError:
                return None
            return found if len(found) >= number else None

        return await until(look)


@pytest.fixture
def logs(io_loop: Any, folder: Path) -> Iterator[Logs]:
    before = threading.active_count()
    made = Logs(folder)
    yield made
    for each in made.open:
        io_loop.run_sync(each.close)
    # asyncio's own pool of threads may have grown; ours may not.
    assert not [each for each in threading.enumerate() if each.name.startswith("vt-")], before


async def test_a_record_says_when_who_what_from_where_and_how_it_went(logs: Logs) -> None:
    made = Audit(logs.file())
    made.record(Action.LOGIN, ADA, HERE, method="password")
    made.record(Action.LOGIN_FAILURE, None, HERE, "refused", user="eve", method="code")
    first, second = await logs.count(2)
    assert first.pop("time")[-1] == "Z"
    assert first == {
        "action": "login", "result": "ok", "user": "ada", "role": "owner", "by": "login:7f3a", "address": HERE,
        "method": "password",
    }  # fmt: skip
    second.pop("time")
    assert second == {
        "action": "login-failure", "result": "refused", "address": HERE, "user": "eve", "method": "code"
    }  # fmt: skip
    assert stat.S_IMODE((logs.folder / "audit.log").stat().st_mode) == 0o600
    assert stat.S_IMODE(logs.folder.stat().st_mode) == 0o700


async def test_a_recorded_text_cannot_change_the_actor_or_the_time(logs: Logs) -> None:
    Audit(logs.file()).record("user", ADA, HERE, user="bob", time="1970", role="viewer", result="ok")
    [found] = await logs.count(1)
    assert (found["user"], found["target_user"]) == ("ada", "bob")
    assert (found["role"], found["target_role"]) == ("owner", "viewer")
    assert found["time"] > "2020"


async def test_nothing_is_written_if_the_audit_is_off() -> None:
    Audit(None).record("login", ADA, HERE)
    RequestLog(None).record("GET", "/", 200, 1.0, HERE)


async def test_a_request_is_a_line_without_its_query(logs: Logs) -> None:
    file = logs.file("requests.log")
    made = RequestLog(file)
    made.record("GET", "/ws?token=abc", 101, 0.41237, HERE, "ada")
    made.record("GET", "/api/health", 200, 0.1, HERE)
    first, second = await logs.count(2, "requests.log")
    first.pop("time")
    assert first == {"method": "GET", "path": "/ws", "status": 101, "ms": 0.412, "address": HERE, "user": "ada"}
    assert "user" not in second


# Injection


HOSTILE = [
    "two\nlines",
    'x"}\n{"action":"login","user":"root"}',
    "\x1b[2J\x1b]0;title\x07",
    "\r\x08\x7f\x00",
    "\x9b31m\x85",
    "\u202egnp.exe\u2066\u200f",
    "line\u2028para\u2029",
    "zero\u200bwidth\ufeff",
    "half\udc80 and \ud800",
    "\U000e0041tag",
    "\U0010ffff\ue000",
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_no_name_breaks_a_line_moves_a_cursor_or_turns_the_writing_around(logs: Logs, text: str) -> None:
    file = logs.file()
    Audit(file).record(text, Principal(text, text, OWNER), text, text, name=text, many=[text])
    RequestLog(file).record(text, text, 200, 1.0, text, text)
    found = await logs.count(2)
    raw = (logs.folder / "audit.log").read_text()
    assert raw.count("\n") == len(found) == 2
    assert raw.replace("\n", "").isprintable()
    assert all(each.isprintable() for each in [found[0]["name"], *found[0]["many"], found[1]["path"]])


def test_harmless_text_stays_as_it_is_and_the_rest_can_be_recognised() -> None:
    assert redact("Größe 日本 😀 'x' \"y\"") == "Größe 日本 😀 'x' \"y\""
    assert redact("a\nb\x1b\u202e\udc80\U000e0001") == r"a\x0ab\x1b\u202e\udc80\U000e0001"


async def test_however_long_and_many_a_record_stays_small(logs: Logs) -> None:
    fields: dict[str, Any] = {f"field{number}" * 100: "\x1b" * 100_000 for number in range(100)}
    Audit(logs.file()).record("login", ADA, "x" * 10_000, many=["y" * 1000] * 1000, **fields)
    await logs.count(1)
    assert (logs.folder / "audit.log").stat().st_size < 32 * 1024
    assert len(redact("x" * 1_000_000)) == LONGEST + 1


async def test_an_invalid_record_is_reported_and_does_not_stop_the_next(
    logs: Logs, expect_log: Callable[[str], None]
) -> None:
    expect_log("a record cannot be written")
    file = logs.file()
    file.write(lambda: {"broken": object()})  # type: ignore[dict-item]
    file.write(lambda: {"action": "login"})
    first, second = await logs.count(2)
    assert (first["action"], second["action"]) == ("lost", "login")


# Secrets


async def test_no_secret_is_written_wherever_it_slips_in(logs: Logs) -> None:
    key = secrets.token_hex(32)
    slips = [
        key,
        jwt.encode({"sub": "ada"}, secrets.token_bytes(32), algorithm="HS256"),
        "Bearer " + jwt.encode({"sub": "ada"}, secrets.token_bytes(64), algorithm="HS512"),
        "Aa1" + secrets.token_urlsafe(32)[3:],
        f"/share/{'Aa1' + secrets.token_urlsafe(16)[3:]}",
        "code 7Q2M4-XK9RT.",
    ]
    file = logs.file()
    made = Audit(file, secrets=["short"])
    for each in slips:
        made.record("login", Principal("login:1", each, OWNER, role="guest"), each, each, name=each, many=[each])
        RequestLog(file).record("GET", each, 200, 1.0, each, each)
    made.record("login", Principal("short", "short", OWNER), HERE, name="a short one")
    await logs.count(2 * len(slips) + 1)
    raw = (logs.folder / "audit.log").read_text()
    assert "short" not in raw
    for each in slips:
        secret = max(each.replace("/share/", "").strip(".").split(), key=len)
        assert secret not in raw, each
        assert all(part not in raw for part in secret.split(".")), each


async def test_no_user_can_hide_with_a_name_that_looks_like_a_secret(logs: Logs) -> None:
    name = "JohnSmith2024Developer\x1b"
    Audit(logs.file()).record("login", Principal(f"token:{name}", name, OWNER), HERE, name=name, what=Id(name))
    [found] = await logs.count(1)
    assert (found["user"], found["by"]) == (r"JohnSmith2024Developer\x1b", r"token:JohnSmith2024Developer\x1b")
    assert found["name"] == r"[removed]\x1b"
    assert found["what"] == r"JohnSmith2024Developer\x1b"


@pytest.mark.parametrize(
    "text",
    [
        str(uuid.UUID(int=2**127 + 12345)),
        "login:7f3a90b1",
        "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8",
        "SHA256:n/hbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5S+8",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
        "build-release-candidate-of-the-server",
        "/session/8d3b1c1e-98c0-4a0e-b7a4-0a3a3b6d3e55/resize",
        "2001:db8:85a3::8a2e:370:7334",
        "FIRST-TIMES",
    ],
)
def test_ids_names_and_fingerprints_are_no_secrets(text: str) -> None:
    assert redact(text) == text


# The file


async def test_a_full_log_is_rotated_and_the_number_of_files_is_bounded(logs: Logs) -> None:
    file = logs.file(files=3)
    (logs.folder / "audit.log.3").write_text("kept when more were wanted\n")
    made = Audit(file)
    for number in range(3000):
        made.record("login", ADA, HERE, number=number, padding="x" * 100)
    await file.close()
    names = sorted(each.name for each in logs.folder.iterdir())
    assert names == ["audit.log", "audit.log.1", "audit.log.2"]
    assert all((logs.folder / each).stat().st_size <= SIZE for each in names)
    kept = [each["number"] for name in reversed(names) for each in logs.lines(name)]
    assert kept == list(range(kept[0], 3000))
    assert [each["number"] for each in read(file.path)] == kept
    assert all(stat.S_IMODE((logs.folder / each).stat().st_mode) == 0o600 for each in names)


async def test_one_file_starts_anew(logs: Logs) -> None:
    file = logs.file(files=1)
    for number in range(1000):
        Audit(file).record("login", ADA, HERE, number=number, padding="x" * 100)
    await file.close()
    assert [each.name for each in logs.folder.iterdir()] == ["audit.log"]
    assert logs.lines()[-1]["number"] == 999


async def test_a_log_that_was_moved_away_is_made_anew(logs: Logs) -> None:
    made = Audit(logs.file())
    made.record("login", ADA, HERE, number=1)
    await logs.count(1)
    (logs.folder / "audit.log").rename(logs.folder / "elsewhere")
    made.record("login", ADA, HERE, number=2)
    assert [each["number"] for each in await logs.count(1)] == [2]
    logs.folder.rename(logs.folder.with_name("gone"))
    made.record("login", ADA, HERE, number=3)
    assert [each["number"] for each in await logs.count(1)] == [3]


async def test_it_goes_on_where_the_last_server_stopped_even_within_a_line(logs: Logs) -> None:
    first = logs.file()
    Audit(first).record("login", ADA, HERE, number=1)
    await first.close()
    with (logs.folder / "audit.log").open("ab") as file:
        file.write(b'{"time":"2026')  # the power went
    second = logs.file()
    Audit(second).record("login", ADA, HERE, number=2)
    await second.close()
    assert [each["number"] for each in read(second.path)] == [1, 2]
    assert len((logs.folder / "audit.log").read_bytes().splitlines()) == 3


async def test_a_full_disk_is_reported_once_and_the_waiting_records_follow(
    logs: Logs, expect_log: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log_file, "RETRY_S", 0.02)
    monkeypatch.setattr(log_file, "QUEUE", 100)
    expect_log("audit.log cannot be written, records wait or are lost")
    file = logs.file()
    made = Audit(file)
    with no_more(resource.RLIMIT_FSIZE):
        made.record("login", ADA, HERE, number=0)

        async def said() -> bool:
            return "cannot be written" in caplog.text

        await until(said)
        number = 0
        while not file.lost:
            number += 1
            made.record("login", ADA, HERE, number=number)
            await asyncio.sleep(0)
        made.record("login", ADA, HERE, number=number + 1)
        lost = file.lost

    async def told() -> bool:
        return logs.lines()[-1]["action"] == "lost" if (logs.folder / "audit.log").stat().st_size else False

    await until(told)
    *kept, end = logs.lines()
    assert [each["number"] for each in kept] == list(range(len(kept)))
    assert end["records"] == lost == number + 2 - len(kept)
    assert caplog.text.count("cannot be written") == 1
    made.record("login", ADA, HERE, number="after")
    assert (await logs.count(len(kept) + 2))[-1]["number"] == "after"


async def test_a_disk_that_is_full_in_the_middle_of_a_line_costs_no_record(
    logs: Logs, expect_log: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "RETRY_S", 0.02)
    expect_log("cannot be written")
    file = logs.file()
    made = Audit(file)
    made.record("login", ADA, HERE, number=0)
    await logs.count(1)
    size = (logs.folder / "audit.log").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size * 5 // 2, hard))
    try:
        for number in range(1, 5):
            made.record("login", ADA, HERE, number=number)

        async def torn() -> bool:
            return (logs.folder / "audit.log").stat().st_size == size * 5 // 2

        await until(torn)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    async def all_there() -> bool:
        return len(list(read(file.path))) == 5

    await until(all_there)
    assert [each["number"] for each in read(file.path)] == [0, 1, 2, 3, 4]


async def test_records_lost_at_the_end_are_reported(logs: Logs, expect_log: Callable[[str], None]) -> None:
    expect_log("cannot be written")
    expect_log("the last 2 records are lost")
    file = logs.file()
    with no_more(resource.RLIMIT_FSIZE):
        Audit(file).record("login", ADA, HERE)
        Audit(file).record("logout", ADA, HERE)
        await file.close()


async def test_neither_a_link_nor_a_fifo_is_written_to(logs: Logs, folder: Path) -> None:
    logs.folder.mkdir(mode=0o700)
    target = folder / "target"
    target.write_text("")
    target.chmod(0o600)
    path = logs.folder / "audit.log"
    path.symlink_to(target)
    with pytest.raises(NotPrivate):
        logs.file()
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(NotPrivate):
        logs.file()
    path.unlink()
    path.mkdir()
    with pytest.raises(NotPrivate):
        logs.file()
    path.rmdir()
    path.touch(0o644)
    path.chmod(0o644)
    with pytest.raises(NotPrivate):
        logs.file()
    path.unlink()
    logs.folder.chmod(0o755)
    with pytest.raises(NotPrivate):
        logs.file()
    assert target.read_text() == ""


async def test_a_link_that_takes_its_place_later_is_not_followed(
    logs: Logs, folder: Path, expect_log: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_file, "RETRY_S", 0.02)
    expect_log("cannot be written")
    made = Audit(logs.file())
    path, target = logs.folder / "audit.log", folder / "target"
    target.touch(0o600)
    path.unlink()
    path.symlink_to(target)
    made.record("login", ADA, HERE)
    made.record("logout", ADA, HERE)

    async def waits() -> bool:
        return bool(logs.open[0]._complaint)

    await until(waits)
    path.unlink()
    assert len(await logs.count(2)) == 2
    assert target.read_text() == ""


async def test_reading_leaves_out_invalid_and_old_records(logs: Logs) -> None:
    logs.folder.mkdir(mode=0o700)
    path = logs.folder / "audit.log"
    for name, when in ((path, "2026-01-02T00:00:00.000Z"), (older(path, 1), "2026-01-01T00:00:00.000Z")):
        name.write_bytes(b'{"time":"%s","action":"login"}\n[1]\n{"time"\n\xff\n\n' % when.encode())
        name.chmod(0o600)
    assert [each["time"][:10] for each in read(path)] == ["2026-01-01", "2026-01-02"]
    assert [each["time"][:10] for each in read(path, since=1767312000.0)] == ["2026-01-02"]
    assert list(read(logs.folder / "none.log")) == []


async def test_a_follower_misses_nothing_when_the_log_is_rotated(logs: Logs) -> None:
    file = logs.file(files=3)
    made = Audit(file)
    number, seen = 0, []

    def more() -> None:
        nonlocal number
        if number == 1500:
            raise EOFError
        for _ in range(100):
            made.record("login", ADA, HERE, number=number, padding="x" * 100)
            number += 1
        while file._queue or file._lines:  # its thread has to have them in the file
            time.sleep(0.001)

    more()
    with pytest.raises(EOFError):
        seen.extend(each["number"] for each in read(file.path, follow=more))
    assert len(list(logs.folder.iterdir())) == 3
    assert seen == list(range(1500))


async def test_a_follower_goes_on_when_the_log_is_emptied_in_place(logs: Logs) -> None:
    file = logs.file()
    made = Audit(file)
    batches = [[0, 1, 2], [3, 4]]  # the second is shorter than what was read before

    def more() -> None:
        if not batches:
            raise EOFError
        os.truncate(file.path, 0)  # as logrotate does with copytruncate
        for number in batches.pop(0):
            made.record("login", ADA, HERE, number=number)
        while file._queue or file._lines:
            time.sleep(0.001)

    seen: list[int] = []
    with pytest.raises(EOFError):
        seen.extend(each["number"] for each in read(file.path, follow=more))
    assert seen == [0, 1, 2, 3, 4]


# On the command line


def shown(folder: Path, *arguments: str) -> str:
    found = CliRunner().invoke(command, ["--state-dir", str(folder), *arguments], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


async def test_the_command_prints_it_safely_even_when_the_file_is_not(logs: Logs, folder: Path) -> None:
    file = logs.file()
    made = Audit(file)
    made.record("login", ADA, HERE, method="password")
    made.record("revoke", ADA, HERE, user="eve", many=["one", "two"])
    made.record("create", Principal("login:1", "bob", OWNER), HERE, session="s")
    await file.close()
    hostile = {"time": "2999-01-01T00:00:00Z", "action": "\x1b[2J", "user": "eve\x7f\n", "\x1b]0;x\x07": "\u202e"}
    with file.path.open("ab") as raw:
        raw.write(json.dumps(hostile).encode() + b"\n")
    lines = shown(folder).splitlines()
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)
    assert [word for word in ("login", "ok", "ada", HERE, "method=password") if word not in lines[0].split()] == []
    assert "many=one,two" in lines[1]
    as_json = shown(folder, "--json")
    assert as_json.replace("\n", "").isprintable()
    assert as_json.isascii()
    assert [json.loads(line)["action"] for line in as_json.splitlines()][-1] == "\x1b[2J"
    assert [json.loads(line)["action"] for line in shown(folder, "--json", "--user", "eve").splitlines()] == ["revoke"]


async def test_the_command_shows_as_much_of_the_past_as_is_wanted(logs: Logs, folder: Path) -> None:
    assert "nothing has been written" in shown(folder)
    logs.folder.mkdir(mode=0o700)
    path = logs.folder / "audit.log"
    now = time.time()
    with path.open("w") as file:
        for ago in (7200, 60):
            moment = stamp(now - ago)
            file.write(json.dumps({"time": moment, "action": f"before-{ago}"}) + "\n")
    path.chmod(0o600)
    assert "before-7200" in shown(folder)
    recent = shown(folder, "--since", "1h")
    assert "before-7200" not in recent
    assert "before-60" in recent
    assert CliRunner().invoke(command, ["--since", "yesterday\x1b[2J"]).exit_code == 2
