"""Accounts, tokens, keys and logins on the command line: with a server, and on the files of one that does not run."""

import contextlib
import json
import os
import pty
import resource
import select
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from cli_home import Home, post
from harness import DEADLINE_S, no_more
from tornado.ioloop import IOLoop

from vibetunnel import paths
from vibetunnel.cli import accounts
from vibetunnel.cli.errors import UserError
from vibetunnel.cli.local_accounts import LocalAccounts, NotSaved
from vibetunnel.cli.options import takes_duration
from vibetunnel.cli.server_client import RunningServer, ServerRefused
from vibetunnel.errors import NotStored, VibeTunnelError
from vibetunnel.security.shares import Shares

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture(params=["files", "server"])
def either(request: pytest.FixtureRequest, home: Home) -> Iterator[Home]:
    """The same words do the same, whether a server runs or not."""
    if request.param == "files":
        yield home
        return
    with home.serve("--kill-on-exit"):
        yield home


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me@home", "-f", path], check=True)
    return path.with_suffix(".pub")


def get(home: Home, path: str, token: str) -> int:
    """The status of an answer to a request with this token."""
    request = urllib.request.Request(
        RunningServer(home.settings).url + path, headers={"Authorization": f"Bearer {token}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=DEADLINE_S) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def users(home: Home) -> dict[str, Any]:
    return {each["name"]: each for each in json.loads(home.ok("user", "list", "--json"))}


# Users


def test_a_user_comes_changes_and_goes(either: Home) -> None:
    home = either
    assert home.ok("user", "list").startswith("No users: ")
    assert home.ok("user", "add", "ada", "--role", "owner", "--password-stdin", stdin="correct horse\n") == (
        "Added ada, owner.\n"
    )
    assert home.ok("user", "add", "bob", "--no-password") == "Added bob, writer.\n"
    assert [line.split()[:5] for line in home.ok("user", "list").splitlines()] == [
        ["NAME", "ROLE", "STATE", "PASSWORD", "KEYS"],
        ["ada", "owner", "enabled", "yes", "0"],
        ["bob", "writer", "enabled", "no", "0"],
    ]
    assert home.ok("user", "role", "bob", "viewer") == "bob is viewer now.\n"
    assert home.ok("user", "disable", "bob") == "Disabled bob.\n"
    found = users(home)["bob"]
    assert (found["role"], found["disabled"], found["hasPassword"]) == ("viewer", True, False)
    assert home.ok("user", "enable", "bob") == "Enabled bob.\n"
    assert home.ok("user", "passwd", "bob", "--password-stdin", stdin="another horse") == (
        "Changed the password of bob.\n"
    )
    assert users(home)["bob"]["hasPassword"]
    assert home.ok("user", "rm", "bob") == "Removed bob.\n"
    assert list(users(home)) == ["ada"]


def test_invalid_arguments_are_refused_in_one_sentence(either: Home) -> None:
    home = either
    home.ok("user", "add", "ada", "--no-password")
    assert "There is already a user 'ada'" in home.refused("user", "add", "Ada", "--no-password")
    assert "name: expected 1 to 64 letters" in home.refused("user", "add", "a/b", "--no-password")
    assert "at least 8 characters" in home.refused("user", "passwd", "ada", "--password-stdin", stdin="seven77\n")
    for verb in (["disable", "eve"], ["enable", "eve"], ["rm", "eve"], ["role", "eve", "owner"], ["rm", ".."]):
        assert home.refused("user", *verb).startswith("vibetunnel: ")
    assert "standard input has no password" in home.refused("user", "passwd", "ada", "--password-stdin", stdin="\n")
    assert "not UTF-8" in home.refused("user", "passwd", "ada", "--password-stdin", stdin=b"\xff\xff\xff\xff\n")
    assert list(users(home)) == ["ada"]


def test_a_password_without_a_terminal_or_stdin_is_not_guessed(home: Home) -> None:
    done = home.run("user", "add", "ada")
    assert done.returncode == 2
    assert "there is no terminal to ask for the password on: use --password-stdin" in done.stderr
    assert home.run("user", "add", "ada", "--no-password", "--password-stdin").returncode == 2
    assert home.run("user", "add", "ada", "--role", "god").returncode == 2
    assert home.ok("user", "list").startswith("No users: ")


def test_a_password_is_asked_for_twice_and_not_shown(home: Home) -> None:
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "vibetunnel", "user", "add", "ada"],
        env=home.environment,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
        preexec_fn=lambda: _take_terminal(),
    )
    os.close(terminal)
    shown = b""
    try:
        for prompt, typed in (
            (b"Password: ", b"correct horse"),
            (b"confirmation: ", b"correct hors"),
            (b"Password: ", b"correct horse"),
            (b"confirmation: ", b"correct horse"),
        ):
            part = b""
            while not part.endswith(prompt):
                assert select.select([controller], [], [], DEADLINE_S)[0], shown + part
                part += os.read(controller, 1024)
            shown += part
            os.write(controller, typed + b"\n")
        with contextlib.suppress(OSError):  # EIO: the other end is closed
            while part := os.read(controller, 1024):
                shown += part
        assert process.wait(DEADLINE_S) == 0, shown
    finally:
        process.kill()
        process.wait()
        os.close(controller)
    assert b"Added ada, writer." in shown
    assert b"horse" not in shown
    assert users(home)["ada"]["hasPassword"]


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_a_password_is_not_in_ps(home: Home) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "vibetunnel", "user", "add", "ada", "--password-stdin"],
        env=home.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin
    try:
        process.stdin.write(b"correct horse\n")
        process.stdin.flush()
        deadline = time.monotonic() + DEADLINE_S
        while process.poll() is None:  # all the time that it runs
            assert time.monotonic() < deadline
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                assert b"horse" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
                assert b"horse" not in Path(f"/proc/{process.pid}/environ").read_bytes()
    finally:
        process.communicate()
    assert process.returncode == 0


def test_keys_come_and_go(either: Home, key: Path) -> None:
    home = either
    home.ok("user", "add", "ada", "--no-password")
    assert home.ok("user", "key", "list", "ada") == "ada has no keys.\n"
    assert home.ok("user", "key", "add", "ada", str(key)) == "Added 1 key of ada.\n"
    assert home.ok("user", "key", "add", "ada", "-", stdin=f"# mine\n{key.read_text()}\n") == "Added 1 key of ada.\n"
    (found,) = users(home)["ada"]["keys"]
    shown = subprocess.check_output(["ssh-keygen", "-l", "-f", key], text=True).split()
    assert (found["fingerprint"], found["type"], found["comment"]) == (shown[1], "ssh-ed25519", "me@home")
    assert home.ok("user", "key", "list", "ada").splitlines()[1].split() == [shown[1], "ssh-ed25519", "me@home"]
    assert "has no key 'you@home'" in home.refused("user", "key", "rm", "ada", "you@home")
    assert "there is no user 'eve'" in home.refused("user", "key", "rm", "eve", "me@home")
    assert "this is a private key" in home.refused("user", "key", "add", "ada", str(key.with_suffix("")))
    assert "the file has no public key" in home.refused("user", "key", "add", "ada", "-", stdin="\n")
    assert "key: expected" in home.refused("user", "key", "add", "ada", "-", stdin="ssh-rsa nonsense")
    for wanted in ("me@home", found["fingerprint"]):
        assert home.ok("user", "key", "rm", "ada", wanted) == f"Removed {shown[1]}.\n"
        home.ok("user", "key", "add", "ada", str(key))
    assert home.ok("user", "key", "rm", "ada", found["fingerprint"].removeprefix("SHA256:")) == f"Removed {shown[1]}.\n"
    assert users(home)["ada"]["keys"] == []


def test_accounts_made_before_the_start_can_log_in(home: Home) -> None:
    home.ok("user", "add", "ada", "--password-stdin", stdin="correct horse\n")
    with home.serve("--kill-on-exit"):
        status, answer = post(home, "/api/auth/password", {"userId": "ada", "password": "correct horse"})
        assert (status, answer["userId"]) == (200, "ada")
        assert get(home, "/api/sessions", answer["token"]) == 200
        home.ok("user", "passwd", "ada", "--password-stdin", stdin="another horse\n")
        assert get(home, "/api/sessions", answer["token"]) == 401  # an attacker may have known the old one
        assert post(home, "/api/auth/password", {"userId": "ada", "password": "correct horse"})[0] == 401
        assert post(home, "/api/auth/password", {"userId": "ada", "password": "another horse"})[0] == 200


@pytest.mark.parametrize("how", [["user", "disable"], ["user", "rm"], ["user", "passwd"]], ids=" ".join)
def test_access_that_is_ended_without_a_server_stays_ended_when_one_starts(home: Home, how: list[str]) -> None:
    home.ok("user", "add", "ada", "--password-stdin", stdin="correct horse\n")
    token = home.ok("token", "create", "--scope", "view", "--user", "ada").strip()
    with home.serve("--kill-on-exit"):
        _, answer = post(home, "/api/auth/password", {"userId": "ada", "password": "correct horse"})
        assert get(home, "/api/sessions", token) == 200
        home.ok("stop")
    home.ok(*how, "ada", *(["--password-stdin"] if how[1] == "passwd" else []), stdin="another horse\n")
    home.run("user", "add", "ada", "--password-stdin", stdin="third horse\n")  # another one of the same name, after rm
    home.run("user", "enable", "ada")
    with home.serve("--kill-on-exit"):
        assert users(home)["ada"]["disabled"] is False
        for old in (answer["token"], token):
            assert get(home, "/api/sessions", old) == 401
        assert post(home, "/api/auth/refresh", {"refreshToken": answer["refreshToken"]})[0] == 401


# Tokens and keys


def test_a_token_is_printed_alone_listed_and_revoked(either: Home) -> None:
    home = either
    assert home.ok("token", "list") == "No tokens.\n"
    text = home.ok("token", "create", "--name", "ci", "--scope", "view,TYPE,view", "--expires", "12h")
    assert text.count("\n") == 1
    assert text.count(".") == 2
    (found,) = json.loads(home.ok("token", "list", "--json"))
    assert (found["name"], found["scope"], found["sessionId"]) == ("ci", ["view", "type"], "")
    life = datetime.fromisoformat(found["expiresAt"]) - datetime.fromisoformat(found["createdAt"])
    assert timedelta(hours=12) <= life <= timedelta(hours=12, seconds=2)
    rows = home.ok("token", "list").splitlines()
    assert rows[1].split()[:4] == [found["id"], "ci", found["user"], "view,type"]
    assert text.strip() not in home.ok("token", "list", "--json")
    made = json.loads(home.ok("token", "create", "--scope", "admin", "--json"))
    assert "there is no token 'nothing'" in home.refused("token", "revoke", "nothing")
    assert home.ok("token", "revoke", found["id"][:10]) == f"Revoked {found['id']}.\n"
    assert [each["id"] for each in json.loads(home.ok("token", "list", "--json"))] == [made["id"]]


def test_a_token_made_without_a_server_is_good_when_one_runs(home: Home) -> None:
    before = home.ok("token", "create", "--scope", "view").strip()
    assert home.ok("keys", "rotate") == "New tokens are signed with a new key.\n"
    after = home.ok("token", "create", "--scope", "view").strip()
    assert before.split(".")[0] != after.split(".")[0]  # the header names the key
    with home.serve("--kill-on-exit"):
        for token in (before, after):
            assert get(home, "/api/sessions", token) == 200
            assert get(home, "/api/users", token) == 403
        home.ok("keys", "rotate")
        assert get(home, "/api/sessions", before) == 200  # no token becomes invalid
        for found in json.loads(home.ok("token", "list", "--json")):
            home.ok("token", "revoke", found["id"])
        assert get(home, "/api/sessions", before) == 401


def test_a_token_for_one_session(home: Home) -> None:
    assert "expected a running server" in home.refused("token", "create", "--scope", "view", "--session", "x")
    with home.serve("--kill-on-exit"):
        one, other = home.new_session(["cat"], "one"), home.new_session(["cat"], "other")
        token = home.ok("token", "create", "--scope", "view", "--session", "one").strip()
        assert get(home, f"/api/sessions/{one['id']}/text", token) == 200
        assert get(home, f"/api/sessions/{other['id']}/text", token) in (403, 404)
        assert "no session has the id or name 'two'" in home.refused(
            "token", "create", "--scope", "view", "--session", "two"
        )


def test_a_token_has_no_more_rights_than_its_user(either: Home) -> None:
    home = either
    home.ok("user", "add", "ada", "--role", "viewer", "--no-password")
    home.ok("token", "create", "--scope", "view", "--user", "ada")
    assert "more than ada may do" in home.refused("token", "create", "--scope", "view,type", "--user", "ada")
    assert "There is no user 'eve'" in home.refused("token", "create", "--scope", "view", "--user", "eve")
    home.ok("user", "disable", "ada")
    assert "expected an account" in home.refused("token", "create", "--scope", "view", "--user", "ada")


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["--scope", ""], ["--scope", "all"], ["--scope", "view,"], ["--scope", "view", "--expires", "never"],
        ["--scope", "view", "--expires", "30x"], ["--scope", "view", "--expires", "-1d"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_wrong_order_of_a_token_is_exit_code_2(home: Home, arguments: list[str]) -> None:
    assert home.run("token", "create", *arguments).returncode == 2


@pytest.mark.parametrize("life", ["0s", "367d"])
def test_a_token_lives_between_a_second_and_a_year(either: Home, life: str) -> None:
    assert "expires" in either.refused("token", "create", "--scope", "view", "--expires", life)


# Without a server


def test_the_files_are_private_and_no_verb_waits_for_a_server(home: Home) -> None:
    home.ok("user", "add", "ada", "--password-stdin", stdin="correct horse\n")
    home.ok("token", "create", "--scope", "view")
    for file in (paths.USERS, paths.TOKENS, paths.KEYS, paths.SECRET):
        assert (home.settings.state_dir / file).stat().st_mode & 0o777 == 0o600, file
    assert home.settings.state_dir.stat().st_mode & 0o777 == 0o700


def test_nothing_is_written_below_a_server_that_starts_or_stops(home: Home) -> None:
    """It has read the files, or will write them: one of the two changes would be lost."""
    with home.locked():
        message = home.refused("user", "add", "ada", "--no-password")
    assert message == "vibetunnel: a server is starting or stopping: try again"
    assert not (home.settings.state_dir / paths.USERS).exists()


def test_a_folder_of_someone_else_is_not_written_to(home: Home) -> None:
    home.settings.state_dir.mkdir()
    home.settings.state_dir.chmod(0o777)
    assert "is open to other users" in home.refused("user", "add", "ada", "--no-password")
    home.settings.state_dir.chmod(0o700)
    elsewhere = home.folder / "elsewhere"
    elsewhere.write_text("{}")
    (home.settings.state_dir / paths.USERS).symlink_to(elsewhere)
    assert "cannot open" in home.refused("user", "add", "ada", "--no-password")
    assert elsewhere.read_text() == "{}"


def test_a_damaged_file_is_named_and_left_as_it_is(home: Home) -> None:
    file = paths.private_dir(home.settings.state_dir) / paths.USERS
    paths.write_private(file, b'{"users": [')
    assert str(file) in home.refused("user", "add", "ada", "--no-password")
    assert file.read_bytes() == b'{"users": ['


def test_the_links_of_a_user_who_is_shut_out_end_without_a_server_too(io_loop: IOLoop, home: Home) -> None:
    with LocalAccounts(home.settings) as files:
        files.add_user("ada", "writer", "correct horse")
        path = home.settings.state_dir / paths.SHARES

        async def share() -> None:
            shares = Shares(path)
            for user in ("ada", "bob"):
                await shares.create("session", scope="type", created_by=user, expires_s=None)
            await shares.close()

        io_loop.run_sync(share)
        files.change_user("ada", {"disabled": True})
        assert [each.created_by for each in Shares(path).of("session")] == ["bob"]


def test_a_full_disk_is_said_and_changes_nothing(home: Home, expect_log: Callable[[str], None]) -> None:
    expect_log("accounts are not kept")
    expect_log("tokens of programs are not kept")
    expect_log("signing keys are not kept")
    with LocalAccounts(home.settings) as files:
        files.add_user("ada", "writer", "correct horse")
        made = files.create_token({"scope": ["view"], "expires": 60, "user": "ada"})
        with no_more(resource.RLIMIT_FSIZE):
            with pytest.raises(NotStored):
                files.add_user("bob", "writer", None)
            with pytest.raises(NotStored):
                files.change_user("ada", {"role": "owner"})
            with pytest.raises(NotStored):
                files.rotate_keys(forget=False)
            with pytest.raises(NotStored):
                files.create_token({"scope": ["view"], "expires": 60})
            with pytest.raises(NotSaved):
                files.change_user("ada", {"role": "viewer"})
        assert [(each["name"], each["role"]) for each in files.users()] == [("ada", "writer")]
        assert [each["id"] for each in files.tokens()] == [made["id"]]


def test_one_at_a_time(home: Home) -> None:
    with LocalAccounts(home.settings), pytest.raises(VibeTunnelError, match="try again"), LocalAccounts(home.settings):
        pass
    with LocalAccounts(home.settings) as files:
        assert files.users() == []


# Logins


def test_logins_are_listed_and_ended_by_user_or_id(home: Home) -> None:
    with home.serve("--kill-on-exit") as (_, lines):
        assert home.ok("logins") == "No logins.\n"
        code = next(line.split()[1] for line in lines if line.split()[:1] == ["Code"])
        assert post(home, "/api/auth/code", {"code": code})[0] == 200
        home.ok("user", "add", "ada", "--password-stdin", stdin="correct horse\n")
        answers = [
            post(home, "/api/auth/password", {"userId": "ada", "password": "correct horse"})[1] for _ in range(2)
        ]
        found = json.loads(home.ok("logins", "--json"))
        assert sorted(each["method"] for each in found) == ["code", "password", "password"]
        rows = home.ok("logins").splitlines()
        assert rows[0].split()[:3] == ["ID", "USER", "BY"]
        assert "127.0.0.1" in rows[1]
        one = next(each["id"] for each in found if each["user"] == "ada")
        assert home.ok("revoke", one) == f"Ended 1 login or token of {one}.\n"
        alive = [get(home, "/api/sessions", answer["token"]) for answer in answers]
        assert sorted(alive) == [200, 401]
        home.ok("token", "create", "--scope", "view", "--user", "ada")
        assert home.ok("revoke", "ada") == "Ended 2 logins and tokens of ada.\n"
        assert [each["method"] for each in json.loads(home.ok("logins", "--json"))] == ["code"]
        assert "there is no user or login 'eve'" in home.refused("revoke", "eve")
        assert [get(home, "/api/sessions", answer["token"]) for answer in answers] == [401, 401]


# Decisions that need no server


def login(**more: Any) -> dict[str, Any]:
    return {
        "id": "aaaabbbb",
        "user": "ada",
        "method": "password",
        "guest": False,
        "createdAt": (NOW - timedelta(hours=2)).isoformat(),
        "lastUsedAt": (NOW - timedelta(minutes=3)).isoformat(),
        "address": "10.0.0.7",
        "agent": "Firefox",
        "current": False,
        **more,
    }


def test_whom_to_revoke() -> None:
    logins = [login(), login(id="aaaacccc", user="bob"), login(id="dddd", user="Guest", guest=True)]
    assert accounts.whom("aaaabbbb", logins, []) == {"login": "aaaabbbb"}
    assert accounts.whom("ada", logins, []) == {"user": "ada"}
    assert accounts.whom("eve", logins, ["eve"]) == {"user": "eve"}
    assert accounts.whom("aaaac", logins, []) == {"login": "aaaacccc"}
    assert accounts.whom("aaaac", logins, ["aaaac"]) == {"user": "aaaac"}
    for wanted, words in (("aaaa", "more than one"), ("Guest", "there is no"), ("", "there is no")):
        with pytest.raises(UserError, match=words):
            accounts.whom(wanted, logins, ["ada"])


def test_tables_are_aligned_and_cannot_talk_to_the_terminal() -> None:
    rows = accounts.login_rows([login(agent="\x1b]0;evil\x07\u202e\n", user="a\x9bb")], now=NOW)
    assert rows[1] == ("aaaabbbb", "a?b", "password", "2h", "3m ago", "10.0.0.7", "?]0;evil???")
    assert accounts.login_rows([login(guest=True)], now=NOW)[1][1] == "ada (guest)"
    user = {
        "name": "a\x1b[2Jb",
        "role": "owner",
        "disabled": True,
        "createdAt": NOW.isoformat(),
        "hasPassword": False,
        "keys": [{}],
    }
    assert accounts.user_rows([user], now=NOW)[1] == ("a?[2Jb", "owner", "disabled", "no", "1", "0s")
    token = {
        "id": "x",
        "name": "\r\n",
        "user": "ada",
        "scope": ["view", "type"],
        "sessionId": "0a1b2c3d-0000",
        "createdAt": (NOW - timedelta(days=3)).isoformat(),
        "expiresAt": (NOW + timedelta(days=27)).isoformat(),
    }
    assert accounts.token_rows([token], now=NOW)[1] == ("x", "??", "ada", "view,type", "0a1b2c3d", "3d", "27d")


def test_a_key_is_named_by_fingerprint_or_comment() -> None:
    keys = [
        {"fingerprint": "SHA256:one", "comment": "laptop"},
        {"fingerprint": "SHA256:two", "comment": "phone"},
        {"fingerprint": "SHA256:three", "comment": "phone"},
    ]
    found = {"name": "ada", "keys": keys}
    for wanted in ("SHA256:one", "one", "laptop"):
        assert accounts.fingerprint_of(found, wanted) == "SHA256:one"
    for wanted in ("phone", "tw", "", "SHA256:"):
        with pytest.raises(UserError):
            accounts.fingerprint_of(found, wanted)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("45m", 2700),
        ("12h", 43200),
        ("30d", 2592000),
        ("1w", 604800),
        (" 1D ", 86400),
        ("1 d", 86400),
        ("15 min", 900),
        ("1.5h", 5400),
    ],
)
def test_a_duration(text: str, seconds: int) -> None:
    assert _duration(text) == seconds


def test_an_expiry_without_a_unit_is_refused_but_a_wait_is_in_seconds() -> None:
    with pytest.raises(click.BadParameter, match="such as 90 s, 15 min, 12 h or 30 d, got '30'"):
        _duration("30")
    assert _duration("30", bare=True) == 30


@pytest.mark.parametrize(
    "text", ["", "d", "1.h", "-1d", "-1", "1y", "٣d", "1 d 2 h", "never", "9999999999s", "inf", "nan", "1d\x1b[2J"]
)
def test_no_duration(text: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        _duration(text)
    assert caught.value.message.isprintable()


def test_never_is_a_duration_if_the_option_allows_it() -> None:
    assert _duration("never", never=True) is None
    assert _duration("1h", never=True) == 3600


def _duration(text: str, *, never: bool = False, bare: bool = False) -> float | None:
    """What a command gets for `--expires text`."""
    metavar = "DURATION|never" if never else "DURATION"
    command = takes_duration("--expires", metavar=metavar, bare=bare)(click.Command("x"))
    found: float | None = command.make_context("x", ["--expires", text]).params["expires"]
    return found


def test_a_name_in_an_address_is_a_name(home: Home) -> None:
    """A name that a user types cannot lead to another route."""
    home.ok("user", "add", "ada", "--no-password")
    with home.serve("--kill-on-exit"):
        for name in ("../sessions", "ada/keys", "ada?x", "%2e%2e", ".", "\udcff"):
            with pytest.raises(ServerRefused):
                accounts.RemoteAccounts(RunningServer(home.settings)).remove_user(name)
        assert list(users(home)) == ["ada"]
