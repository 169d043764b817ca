"""The parts of security/ on their own: hosts and origins, codes, the secret."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from vibetunnel.errors import StartFailed, WrongCode
from vibetunnel.paths import NotPrivate
from vibetunnel.security import codes, secret
from vibetunnel.security.hosts import HostPort, host_policy, parse_authority, parse_origin

LOOPBACK = host_policy(bind="127.0.0.1", allow_host=("term.example.", "Box"), url="https://public.example")
ANYWHERE = host_policy(bind="0.0.0.0")


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
    named = host_policy(bind="server.lan")
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


KEEP_HOST = "let the proxy pass Host on unchanged (nginx: `proxy_set_header Host $http_host;`)"
DROPPED = f"If a proxy drops the port, {KEEP_HOST}"
FOREIGN = f"Pages of other sites may not use this server. If this is its own address, {KEEP_HOST}"
HTTPS = "If a proxy speaks https for this server, let it set X-Forwarded-Proto (see --trusted-proxies)"


@pytest.mark.parametrize(
    ("origin", "host", "scheme", "expected", "advice"),
    [
        ("https://box.example:8443", "box.example", "https", "https://box.example, as Host says", DROPPED),
        ("http://[::1]:1", "[::1]:2", "http", "http://[::1]:2, as Host says", DROPPED),
        ("https://box.example", "box.example", "http", "http://box.example, as Host says", HTTPS),
        ("http://box.example", "127.0.0.1:4020", "http", "http://127.0.0.1:4020, as Host says", FOREIGN),
        ("http://box.example", "", "http", "the address of this server", FOREIGN),
    ],
)
def test_a_refused_origin_is_told_what_was_expected_and_what_to_do(
    origin: str, host: str, scheme: str, expected: str, advice: str
) -> None:
    said = f"Origin: expected {expected}, got {origin}. {advice}, or start the server with --url {origin}"
    assert LOOPBACK.refuse_origin(origin, host, scheme) == said


def test_an_origin_that_is_none_is_shown() -> None:
    assert LOOPBACK.refuse_origin("null", "localhost") == "Origin: expected the address of this server, got null"


def test_a_refused_host_is_told_with_its_header() -> None:
    assert LOOPBACK.refuse_host("box.example:8443") == (
        "Host: expected a name of this server, got box.example. "
        "If it is one, start the server with --allow-host box.example"
    )
    assert LOOPBACK.refuse_host(None) == "Host: expected a name of this server, got none"
    assert (LOOPBACK.refuse_host("a b", "X-Forwarded-Host") or "").startswith("X-Forwarded-Host: expected a name")


def test_under_tls_only_https_origins_are_own() -> None:
    secure = host_policy(bind="127.0.0.1", tls=True)
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
    assert parse_authority("[2001:DB8:0::1]:80") == HostPort("2001:db8::1", 80)
    assert parse_authority("Example.ORG.") == HostPort("example.org", None)
    assert parse_origin("HTTPS://Example.org") == ("https", HostPort("example.org", 443))
    assert parse_origin("ws://example.org") is None


# Codes


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_code_is_good_once_for_its_user_and_read_generously() -> None:
    made = codes.Codes()
    code = made.issue("ada")
    first, _, second = code.partition("-")
    assert (len(first), len(second)) == (5, 5)
    assert made.redeem(f" {code.lower().replace('1', 'l').replace('0', 'o').replace('-', ' ')} ") == "ada"
    with pytest.raises(WrongCode):
        made.redeem(code)


def test_two_codes_are_good_side_by_side() -> None:
    made = codes.Codes()
    first, second = made.issue("ada"), made.issue("bob")
    assert first != second
    assert made.redeem(second) == "bob"
    assert made.redeem(first) == "ada"


def test_a_code_for_another_device_ends_and_the_first_one_does_not() -> None:
    clock = Clock()
    made = codes.Codes(clock)
    printed, linked = made.issue("ada"), made.issue("ada", codes.LINK_S)
    clock.now += codes.LINK_S
    with pytest.raises(WrongCode):
        made.redeem(linked)
    made.redeem(printed)


def test_one_users_many_codes_push_out_no_other_users() -> None:
    made = codes.Codes()
    hers = made.issue("ada", codes.LINK_S)
    for _ in range(2 * codes.OUTSTANDING):
        made.issue("eve", codes.LINK_S)
    assert len(made._codes) == codes.OUTSTANDING
    assert made.redeem(hers) == "ada"


def test_codes_of_a_removed_user_let_no_client_in() -> None:
    made = codes.Codes()
    gone, kept = made.issue("eve"), made.issue("ada")
    made.forget_user("eve")
    with pytest.raises(WrongCode):
        made.redeem(gone)
    made.redeem(kept)


def test_codes_do_not_pile_up_and_the_printed_one_stays() -> None:
    made = codes.Codes()
    printed = made.issue("ada")
    linked = [made.issue("ada", codes.LINK_S) for _ in range(2 * codes.OUTSTANDING)]
    with pytest.raises(WrongCode):
        made.redeem(linked[0])
    made.redeem(linked[-1])
    made.redeem(printed)


def test_anything_may_be_typed_as_a_code() -> None:
    made = codes.Codes()
    made.issue("ada")
    for text in ("", "\udcff", "é" * 10, "\0", "ß" * 1_000_000):
        with pytest.raises(WrongCode):
            made.redeem(text)


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


def test_an_invalid_secret_is_refused(folder: Path) -> None:
    (folder / "secret").write_text("hello")
    (folder / "secret").chmod(0o600)
    with pytest.raises(StartFailed, match="64 hexadecimal"):
        secret.load(folder)


def test_keys_for_two_purposes_differ() -> None:
    assert secret.derive("00" * 32, "cookie") != secret.derive("00" * 32, "other")
    assert secret.derive("00" * 32, "cookie") != secret.derive("01" * 32, "cookie")
