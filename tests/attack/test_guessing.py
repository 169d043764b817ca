"""Attacks by guessing (passwords, codes, names of users), and by forged client addresses."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from attacker import PASSWORD, Target, aim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from harness import Browser, Serve
from principals import PASSWORD as RIGHT_PASSWORD
from principals import logged_in
from tornado.httpclient import HTTPResponse

from vibetunnel.security import limits
from vibetunnel.security.addresses import HERE
from vibetunnel.security.limits import ACCOUNT_FREE

pytestmark = pytest.mark.attack

FORWARDED = (
    "X-Forwarded-For",
    "X-Real-IP",
    "X-Client-IP",
    "X-Cluster-Client-IP",
    "X-Originating-IP",
    "X-Remote-IP",
    "X-Remote-Addr",
    "True-Client-IP",
    "CF-Connecting-IP",
    "Fastly-Client-IP",
    "Client-IP",
    "Forwarded-For",
)
TRIES = 60  # far more than the limit
RIGHT = {"userId": "ada", "password": RIGHT_PASSWORD}


def claims(address: str) -> dict[str, str]:
    """Every header with which some proxy names the client's address."""
    shown = f"[{address}]" if ":" in address else address
    return dict.fromkeys(FORWARDED, address) | {
        "Forwarded": f'for="{shown}";proto=https;host=localhost',
        "Via": "1.1 x",
    }


def limited(response: HTTPResponse) -> int:
    """Seconds until the next try is allowed; 0: now."""
    if response.code != 429:
        assert "Retry-After" not in response.headers
        return 0
    return int(response.headers["Retry-After"])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/auth/code", {"code": "AAAAA-AAAAA"}),
        ("/api/auth/share", {"code": "A" * 22}),
        ("/api/auth/password", {"userId": "root", "password": "password1"}),
    ],
)
@pytest.mark.parametrize("forge", [False, True])
async def test_brute_force(serve: Serve, path: str, body: dict[str, str], forge: bool) -> None:
    """CWE-307: guessing is limited soon, and a forged address (CWE-348, CWE-290) does not reset the limit."""
    target = aim(await serve(rate_limit_anonymous=0))
    await target.account()
    for number in range(TRIES):
        headers = claims(f"198.51.{number}.7") if forge else {}
        response = await target.fetch("POST", path, body, login=False, headers=headers)
        assert response.code in (401, 429), response.body
        if limited(response):
            break
    else:
        raise AssertionError("nobody stopped it")
    assert limited(response) <= 3600
    await target.close()


async def test_brute_force_of_a_password_is_no_oracle(serve: Serve) -> None:
    """CWE-307: while an attacker has to wait, the right password gets the same answer as a wrong one."""
    target = aim(await serve(rate_limit_anonymous=0))
    account = await target.account()
    wrong = {"userId": account.name, "password": "wrong" * 3}
    for _ in range(TRIES):
        response = await target.fetch("POST", "/api/auth/password", wrong, login=False)
        if limited(response):
            break
    right = {"userId": account.name, "password": PASSWORD}
    while_right = await target.fetch("POST", "/api/auth/password", right, login=False)
    assert while_right.code == 429
    assert "Set-Cookie" not in while_right.headers
    assert json.loads(while_right.body)["error"].split(",")[0] == json.loads(response.body)["error"].split(",")[0]
    await target.close()


async def test_delays_grow(serve: Serve) -> None:
    """CWE-307: the delay grows with each wrong guess."""
    target = aim(await serve(rate_limit_anonymous=0))
    account = await target.account()
    seen = []
    for _ in range(TRIES):
        wrong = {"userId": account.name, "password": "wrong" * 3}
        response = await target.fetch("POST", "/api/auth/password", wrong, login=False)
        seen.append(limited(response))
    assert 0 in seen
    assert max(seen) >= 1
    assert seen[-1] > 0  # asking again does not shorten the delay
    await target.close()


async def test_user_enumeration(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """CWE-204, CWE-208: one answer, and one Argon2 run, for an unknown user, a wrong password and a disabled user."""
    from cryptography.hazmat.primitives.kdf import argon2

    real = argon2.Argon2id
    runs = 0

    class Counted:
        """Counts the runs of Argon2id, because a test cannot measure time reliably."""

        def __init__(self, *given: Any, **named: Any) -> None:
            self._inner = real(*given, **named)

        def __getattr__(self, name: str) -> Any:
            nonlocal runs
            if name in ("derive", "verify", "verify_phc_encoded", "derive_phc_encoded"):
                runs += 1
            return getattr(self._inner, name)

        @staticmethod
        def verify_phc_encoded(*given: Any, **named: Any) -> Any:
            nonlocal runs
            runs += 1
            return real.verify_phc_encoded(*given, **named)

    target = aim(await serve(rate_limit_anonymous=0))
    known, disabled = await target.account(), await target.account()
    await target.json("PATCH", f"/api/users/{disabled.name}", {"disabled": True})
    empty = f"{known.name}-none"
    await target.json("POST", "/api/users", {"name": empty, "role": "viewer"}, status=201)
    monkeypatch.setattr(argon2, "Argon2id", Counted)

    answers = {}
    for name, password in (
        (known.name, "wrong" * 3),
        ("nobody-of-this-name", "wrong" * 3),
        (disabled.name, "wrong" * 3),
        (disabled.name, PASSWORD),
        (empty, "wrong" * 3),
        ("no\nname\x1b[31m", "wrong" * 3),
        ("x" * 60, "wrong" * 3),
    ):
        runs = 0
        wrong = {"userId": name, "password": password}
        response = await target.fetch("POST", "/api/auth/password", wrong, login=False)
        headers = [name for name in response.headers if not name.startswith(("Date", "Ratelimit"))]
        answers[name, password] = (response.code, response.body, tuple(headers), runs)
    assert len(set(answers.values())) == 1, answers
    ((code, _, _, counted),) = set(answers.values())
    assert (code, counted) == (401, 1)
    await target.close()


async def test_user_enumeration_by_challenge(serve: Serve) -> None:
    """CWE-204: an SSH challenge does not tell whether the user exists."""
    target = aim(await serve(rate_limit_anonymous=0, enable_ssh_keys=True))
    account = await target.account()
    answers = []
    for name in (account.name, "nobody-of-this-name"):
        response = await target.fetch("POST", "/api/auth/challenge", {"userId": name}, login=False)
        answers.append((response.code, sorted(json.loads(response.body))))
    assert answers[0] == answers[1]
    assert answers[0][0] == 200
    await target.close()


async def test_forged_addresses_do_not_lift_the_rate_limit(serve: Serve) -> None:
    """CWE-348, CWE-290: without a trusted proxy the limit is by the address of the TCP peer; headers do not count."""
    target = aim(await serve(rate_limit_anonymous=5))
    for number in range(50):
        headers = claims(f"2001:db8:{number:x}::1")
        response = await target.fetch("GET", "/api/sessions", login=False, headers=headers)
        if response.code == 429:
            break
    assert response.code == 429
    assert limited(response) > 0
    assert any(name.lower().startswith("ratelimit") for name in response.headers)
    await target.close()


async def test_a_trusted_proxy_is_believed_about_its_own_peer_only(serve: Serve) -> None:
    """CWE-348: only the part of X-Forwarded-For that trusted proxies wrote counts, from the right."""
    server = await serve(trusted_proxies=("127.0.0.1",), allow_ip=("198.51.100.0/24",), rate_limit_anonymous=0)
    target = aim(server)
    for sent, status in (
        ("198.51.100.7", 200),
        ("203.0.113.9, 198.51.100.7", 200),
        ("198.51.100.7, 203.0.113.9", 403),
        ("203.0.113.9", 403),
        ("198.51.100.7, 127.0.0.1", 200),  # the proxy's own address is walked through
        ("203.0.113.9, 127.0.0.1, 127.0.0.1", 403),
        ("::ffff:203.0.113.9", 403),
        ("::ffff:198.51.100.7", 200),
        ("198.51.100.7:1234, 203.0.113.9:80", 403),
    ):
        response = await target.fetch("GET", "/api/auth/config", login=False, headers={"X-Forwarded-For": sent})
        assert response.code == status, (sent, response.code, response.body)
    for name in FORWARDED[1:]:
        headers = {"X-Forwarded-For": "203.0.113.9", name: "198.51.100.7"}
        response = await target.fetch("GET", "/api/auth/config", login=False, headers=headers)
        assert response.code == 403, name
    await target.close()


@pytest.mark.parametrize(
    "garbage", ["", ",", "unknown", "_hidden", "198.51.100.7 ", "198.51.100.7\t,x", "0", "1" * 4000]
)
async def test_garbage_from_a_proxy_opens_no_door(serve: Serve, garbage: str) -> None:
    """CWE-20, CWE-348: a forwarded value that is not an address does not pass the allow list."""
    server = await serve(trusted_proxies=("127.0.0.1",), allow_ip=("198.51.100.0/24",), rate_limit_anonymous=0)
    target = aim(server)
    forged = {"X-Forwarded-For": f"198.51.100.7, 203.0.113.9, {garbage}"}
    if garbage.strip() == "198.51.100.7":
        forged = {"X-Forwarded-For": f"{garbage}, 203.0.113.9"}
    response = await target.fetch("GET", "/api/sessions", login=False, headers=forged)
    assert response.code in (400, 401, 403)
    await target.close()


async def test_forged_addresses_do_not_pass_the_allow_list(serve: Serve) -> None:
    """CWE-290: without a trusted proxy, forged addresses do not pass the allow list."""
    target = aim(await serve(allow_ip=("198.51.100.0/24",)))
    config = "/api/auth/config"
    assert (await target.fetch("GET", config, login=False)).code == 200  # this machine itself
    for headers in (claims("198.51.100.7"), claims("127.0.0.1"), claims("::1")):
        assert (await target.fetch("GET", config, login=False, headers=headers)).code == 403
        assert await target.upgrade("/buffers", target.bearer | headers) == 403
    await target.close()


def strangers(count: int, each: int = 5) -> Iterator[dict[str, str]]:
    """What a proxy says of `count` tries from many /24 networks: at most `each` from one, which no delay stops."""
    for number in range(count):
        network = number // each
        yield {"X-Forwarded-For": f"198.{18 + network // 256}.{network % 256}.7"}


async def test_a_guesser_with_many_networks_cannot_keep_the_owner_out(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CWE-645 (overly restrictive lockout), CWE-307: while strangers use up what all of them share, a fresh code is
    good at once on this machine, in a browser that is logged in, and where a user has logged in before; but not for
    a stranger who poses as this machine."""
    monkeypatch.setattr(limits, "EVERYBODY", 120)
    server = await serve(trusted_proxies=("127.0.0.1",))
    browser, home = Browser(server), {"X-Forwarded-For": "203.0.113.9"}
    at_home = await server.fetch(
        "POST", "/api/auth/code", {"code": server.announcement.code}, login=False, headers=home
    )
    assert at_home.code == 200
    link = (await server.json("POST", "/api/auth/link"))["code"]
    assert (await browser.login(link)).code == 200

    async def enter(code: str, headers: dict[str, str]) -> int:
        return (await server.fetch("POST", "/api/auth/code", {"code": code}, login=False, headers=headers)).code

    tries = [await enter("AAAAA-AAAAA", headers) for headers in strangers(160, each=1)]
    assert tries.count(401) <= 120  # the bound on guesses
    assert tries[-1] == 429
    codes = [(await server.json("POST", "/api/auth/link"))["code"] for _ in range(3)]
    for claim in ("127.0.0.1", "::1", "127.0.0.1, 127.0.0.1", "", "unknown", HERE):
        assert await enter(codes[0], {"X-Forwarded-For": claim}) == 429, claim
    assert await enter(codes[0], {"Forwarded": "for=127.0.0.1"}) == 429
    assert await enter(codes[0], {}) == 200
    assert (await browser.fetch("POST", "/api/auth/code", {"code": codes[1]}, X_Forwarded_For="198.18.0.7")).code == 200
    assert await enter(codes[2], home) == 200


async def test_a_guesser_with_many_networks_cannot_keep_an_account_out_of_this_machine(serve: Serve) -> None:
    """CWE-645: the right password is good at once, from this machine and in a browser that is logged in."""
    server = await serve(trusted_proxies=("127.0.0.1",))
    browser = await logged_in(server, "ada")
    server.server.context.limits.forget_account("ada")  # as if that was a month ago
    wrong = {"userId": "ada", "password": "wrong" * 3}
    for headers in strangers(ACCOUNT_FREE + 10, each=1):
        last = await server.fetch("POST", "/api/auth/password", wrong, login=False, headers=headers)
    assert last.code == 429
    assert (await browser.fetch("POST", "/api/auth/password", RIGHT, X_Forwarded_For="198.51.100.7")).code == 200
    assert (await server.fetch("POST", "/api/auth/password", RIGHT, login=False)).code == 200


async def test_clients_of_a_proxy_that_is_not_trusted_are_not_this_machine(serve: Serve) -> None:
    """CWE-290, CWE-645: they share one budget, and it is not the owner's."""
    server = await serve()
    for headers in strangers(TRIES):
        response = await server.fetch("POST", "/api/auth/code", {"code": "AAAAA-AAAAA"}, login=False, headers=headers)
    assert response.code == 429
    right = {"code": server.announcement.code}
    assert (await server.fetch("POST", "/api/auth/code", right, login=False, headers={"Via": "1.1 x"})).code == 429
    assert (await server.fetch("POST", "/api/auth/code", right, login=False)).code == 200


async def test_forged_scheme_and_host(target: Target) -> None:
    """CWE-348, CWE-290: no client chooses the server's name or scheme with a header."""
    other = "https" if target.scheme == "http" else "http"
    origin = {"Origin": f"{other}://{target.authority}"}
    for forged in ({"X-Forwarded-Proto": other}, {"Forwarded": f"proto={other}"}, {"X-Scheme": other}):
        assert await target.upgrade("/buffers", target.bearer | origin | forged) == 403, forged
        response = await target.fetch("GET", "/api/health", headers=forged)
        assert ("Strict-Transport-Security" in response.headers) == (target.scheme == "https")
    for forged in ({"X-Forwarded-Host": target.authority}, {"Forwarded": f'host="{target.authority}"'}):
        assert await target.upgrade("/api/health", {"Host": "evil.example"} | forged) == 403, forged
    for forged in ({"X-Forwarded-Host": "evil.example"}, {"Forwarded": "host=evil.example"}, claims("evil.example")):
        link = await target.json("POST", "/api/auth/link", headers=forged)
        assert "evil" not in link["url"], forged


async def test_ssh_key_logins(serve: Serve) -> None:
    """CWE-294, CWE-287, CWE-347: a challenge is valid once, for its user, signed with one of the user's keys."""
    target = aim(await serve(rate_limit_anonymous=0, enable_ssh_keys=True))
    victim, attacker = await target.account(), await target.account()
    keys = {each.name: Ed25519PrivateKey.generate() for each in (victim, attacker)}
    lines = {name: public_line(key) for name, key in keys.items()}
    for name, line in lines.items():
        await target.json("POST", f"/api/users/{name}/keys", {"key": line}, status=201)

    async def login(user: str, signer: str, line: str, *, spoil: int = 0, given: dict[str, str] | None = None) -> int:
        asked = given or await target.json("POST", "/api/auth/challenge", {"userId": user}, login=False)
        signature = bytearray(keys[signer].sign(base64.b64decode(asked["challenge"])))
        signature[0] ^= spoil
        body = {"challengeId": asked["challengeId"], "publicKey": line}
        body["signature"] = base64.b64encode(signature).decode()
        return (await target.fetch("POST", "/api/auth/ssh-key", body, login=False)).code

    name, other = victim.name, attacker.name
    once = await target.json("POST", "/api/auth/challenge", {"userId": name}, login=False)
    assert await login(name, name, lines[name], given=once) == 200
    assert await login(name, name, lines[name], given=once) == 401  # replayed
    assert await login(name, other, lines[other]) == 401  # the attacker's own key
    assert await login(name, other, lines[name]) == 401  # the victim's key, with another key's signature
    assert await login(name, name, lines[name], spoil=1) == 401
    assert await login("nobody-of-this-name", other, lines[other]) == 401
    await target.json("PATCH", f"/api/users/{name}", {"disabled": True})
    assert await login(name, name, lines[name]) == 401
    await target.close()


def public_line(key: Ed25519PrivateKey) -> str:
    """As in a .pub file."""
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return public.decode()
