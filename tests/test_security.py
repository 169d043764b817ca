"""The parts of security/ on their own: hosts and origins, codes, logins, the secret."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from vibetunnel.errors import StartFailed, TooManyTries, WrongCode
from vibetunnel.paths import NotPrivate
from vibetunnel.security import codes, logins, secret
from vibetunnel.security.hosts import Authority, doors, parse_authority, parse_origin

LOOPBACK = doors(bind="127.0.0.1", allow_host=("term.example.", "Box"), url="https://public.example")
ANYWHERE = doors(bind="0.0.0.0")


# Hosts


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:4020", "LocalHost.", "127.0.0.1", "127.0.0.1:80", "127.9.9.9", "[::1]", "[::1]:4020",
        "[0:0:0:0:0:0:0:1]:1", "[::ffff:127.0.0.1]", "term.example", "TERM.example:9", "box", "public.example",
    ],
)  # fmt: skip
def test_own_names_are_let_in_whatever_the_port(host: str) -> None:
    assert LOOPBACK.refuse_host(host) is None


@pytest.mark.parametrize(
    "host",
    [
        None, "", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.1.5", "[2001:db8::1]",
        "localhost:99999", "localhost:x", "user@localhost", "localhost/", "localhost, localhost", "[::1", "[localhost]",
        "127.0.0.1 ", "0.0.0.0", "notterm.example", "local\0host", "1.2.3", "２.0.0.1",
    ],
)  # fmt: skip
def test_foreign_names_are_refused(host: str | None) -> None:
    assert LOOPBACK.refuse_host(host) is not None


def test_a_server_for_other_machines_is_let_in_by_address_but_not_by_name() -> None:
    assert ANYWHERE.refuse_host("192.168.1.5:4020") is None
    assert ANYWHERE.refuse_host("[2001:db8::1]:4020") is None
    assert ANYWHERE.refuse_host("rebound.example") is not None
    named = doors(bind="server.lan")
    assert named.refuse_host("server.lan:4020") is None
    assert named.refuse_host("other.lan") is not None


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        (None, "localhost:4020"),
        ("http://localhost:4020", "localhost:4020"),
        ("http://LOCALHOST:4020", "localhost:4020"),
        ("http://localhost", "localhost"),
        ("http://localhost:80", "localhost"),
        ("http://localhost", "localhost:80"),
        ("http://[::1]:4020", "[0:0::1]:4020"),
        ("https://public.example", "localhost:4020"),
        ("https://public.example:443", "public.example"),
    ],
)
def test_an_own_origin_is_let_in(origin: str | None, host: str) -> None:
    assert LOOPBACK.refuse_origin(origin, host) is None


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("null", "localhost:4020"),
        ("", "localhost:4020"),
        ("http://evil.example", "localhost:4020"),
        ("http://localhost:3000", "localhost:4020"),
        ("http://127.0.0.1:4020", "localhost:4020"),
        ("https://localhost:4020", "localhost:4020"),
        ("http://localhost:4020.evil.example", "localhost:4020"),
        ("http://localhost:4020/", "localhost:4020"),
        ("http://user@localhost:4020", "localhost:4020"),
        ("file://", "localhost:4020"),
        ("chrome-extension://localhost:4020", "localhost:4020"),
        ("http://public.example", "localhost:4020"),
        ("localhost:4020", "localhost:4020"),
    ],
)
def test_a_foreign_origin_is_refused(origin: str, host: str) -> None:
    assert LOOPBACK.refuse_origin(origin, host) is not None


def test_under_tls_only_https_origins_are_own() -> None:
    secure = doors(bind="127.0.0.1", tls=True)
    assert secure.refuse_origin("https://localhost:4020", "localhost:4020") is None
    assert secure.refuse_origin("http://localhost:4020", "localhost:4020") is not None


def test_other_sites_may_link_to_a_page_and_nothing_else() -> None:
    for site in (None, "same-origin", "none"):
        assert LOOPBACK.refuse_site(site, "cors", page=False) is None
    for site in ("cross-site", "same-site", "nonsense"):
        assert LOOPBACK.refuse_site(site, "navigate", page=True) is None
        assert LOOPBACK.refuse_site(site, "navigate", page=False) is not None
        assert LOOPBACK.refuse_site(site, "no-cors", page=True) is not None


def test_authorities_and_origins_are_taken_apart() -> None:
    assert parse_authority("[2001:DB8:0::1]:80") == Authority("2001:db8::1", 80)
    assert parse_authority("Example.ORG.") == Authority("example.org", None)
    assert parse_origin("HTTPS://Example.org") == ("https", Authority("example.org", 443))
    assert parse_origin("ws://example.org") is None


# Codes


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_code_is_good_once_and_read_generously() -> None:
    made = codes.Codes()
    code = made.issue()
    first, _, second = code.partition("-")
    assert (len(first), len(second)) == (5, 5)
    made.redeem(f" {code.lower().replace('1', 'l').replace('0', 'o').replace('-', ' ')} ")
    with pytest.raises(WrongCode):
        made.redeem(code)


def test_two_codes_are_good_side_by_side() -> None:
    made = codes.Codes()
    first, second = made.issue(), made.issue()
    assert first != second
    made.redeem(second)
    made.redeem(first)


def test_a_code_for_another_device_ends_and_the_first_one_does_not() -> None:
    clock = Clock()
    made = codes.Codes(clock)
    printed, linked = made.issue(), made.issue(codes.LINK_S)
    clock.now += codes.LINK_S
    with pytest.raises(WrongCode):
        made.redeem(linked)
    made.redeem(printed)


def test_after_ten_wrong_tries_even_the_right_code_has_to_wait() -> None:
    clock = Clock()
    made = codes.Codes(clock)
    code = made.issue()
    for _ in range(codes.WRONG_TRIES):
        clock.now += 1
        with pytest.raises(WrongCode):
            made.redeem("AAAAA-AAAAA")
    with pytest.raises(TooManyTries) as refused:
        made.redeem(code)
    assert refused.value.retry_after_s == codes.WINDOW_S - codes.WRONG_TRIES + 1
    clock.now += refused.value.retry_after_s
    made.redeem(code)


def test_who_tries_wrong_codes_does_not_keep_others_out() -> None:
    made = codes.Codes()
    code = made.issue()
    for peer in ("192.0.2.1", "2001:db8::1"):
        for _ in range(codes.WRONG_TRIES):
            with pytest.raises(WrongCode):
                made.redeem("AAAAA-AAAAA", peer)
    for same in ("192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1:2"):
        with pytest.raises(TooManyTries):
            made.redeem(code, same)
    made.redeem(code, "2001:db8:0:1::1")


def test_from_everywhere_together_the_tries_have_an_end_too() -> None:
    clock = Clock()
    made = codes.Codes(clock)
    code = made.issue()
    for number in range(codes.ALL_WRONG_TRIES):
        with pytest.raises(WrongCode):
            made.redeem("AAAAA-AAAAA", f"10.0.{number // 250}.{number % 250}")
    with pytest.raises(TooManyTries) as refused:
        made.redeem(code, "192.0.2.1")
    clock.now += refused.value.retry_after_s
    made.redeem(code, "192.0.2.1")


def test_codes_do_not_pile_up_and_the_printed_one_stays() -> None:
    made = codes.Codes()
    printed = made.issue()
    linked = [made.issue(codes.LINK_S) for _ in range(2 * codes.OUTSTANDING)]
    with pytest.raises(WrongCode):
        made.redeem(linked[0])
    made.redeem(linked[-1])
    made.redeem(printed)


def test_anything_may_be_typed_as_a_code() -> None:
    made = codes.Codes()
    for text in ("", "\udcff", "é" * 10, "\0"):
        with pytest.raises(WrongCode):
            made.redeem(text)


# Logins


async def test_a_login_survives_in_its_file_which_has_no_token(folder: Path) -> None:
    path = folder / "logins.json"
    token = await logins.Logins(path).add()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert token not in path.read_text()
    again = logins.Logins(path)
    login = again.check(token)
    assert login is not None
    assert again.check(token + "x") is None
    await again.revoke(login)
    assert again.check(token) is None
    assert logins.Logins(path).check(token) is None


async def test_a_login_ends_after_thirty_days(folder: Path) -> None:
    clock = Clock()
    kept = logins.Logins(folder / "logins.json", clock)
    token = await kept.add()
    clock.now += logins.LIFETIME_S - 1
    assert kept.check(token)
    clock.now += 1
    assert kept.check(token) is None
    await kept.add()
    assert len(json.loads((folder / "logins.json").read_text())["created"]) == 1


async def test_the_oldest_login_makes_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "LIMIT", 3)
    clock = Clock()
    kept = logins.Logins(folder / "logins.json", clock)
    tokens = []
    for _ in range(4):
        clock.now += 1
        tokens.append(await kept.add())
    assert [kept.check(token) is not None for token in tokens] == [False, True, True, True]


async def test_a_damaged_file_of_logins_is_said_and_logs_everybody_out(folder: Path, expect_log) -> None:  # type: ignore[no-untyped-def]
    (folder / "logins.json").write_text("{")
    (folder / "logins.json").chmod(0o600)
    expect_log("everybody has to log in again")
    kept = logins.Logins(folder / "logins.json")
    assert kept.check(await kept.add())


# The secret


def test_the_secret_is_made_once_and_private(folder: Path) -> None:
    made = secret.load(folder)
    assert len(bytes.fromhex(made)) == secret.SECRET_BYTES
    assert stat.S_IMODE((folder / "secret").stat().st_mode) == 0o600
    assert secret.load(folder) == made
    assert [each.name for each in folder.iterdir()] == ["secret"]


def test_a_secret_that_others_can_read_is_refused(folder: Path) -> None:
    secret.load(folder)
    (folder / "secret").chmod(0o644)
    with pytest.raises(NotPrivate, match="chmod 600"):
        secret.load(folder)


def test_a_secret_that_is_none_is_refused(folder: Path) -> None:
    (folder / "secret").write_text("hello")
    (folder / "secret").chmod(0o600)
    with pytest.raises(StartFailed, match="64 hexadecimal"):
        secret.load(folder)


def test_keys_for_two_purposes_differ() -> None:
    assert secret.derive("00" * 32, "cookie") != secret.derive("00" * 32, "other")
    assert secret.derive("00" * 32, "cookie") != secret.derive("01" * 32, "cookie")
