"""Attacks with JSON Web Tokens: forged, changed, of another kind, expired, or used twice (RFC 8725)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from attacker import PASSWORD, Target, aim
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from harness import Serve

pytestmark = pytest.mark.attack

Parts = tuple[dict[str, Any], dict[str, Any], bytes]  # header, claims, signature


def encoded(data: object) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def taken_apart(token: str) -> Parts:
    header, claims, signature = token.split(".")
    return json.loads(decoded(header)), json.loads(decoded(claims)), decoded(signature)


async def status(target: Target, token: str) -> int:
    """The status of the answer to a request with this bearer."""
    raw = target.request("GET", "/api/sessions", "Connection: close", f"Authorization: Bearer {token}")
    answers = await target.say(raw)
    return answers[0].status if answers else 400  # disconnected: too large for a header


async def own(target: Target) -> dict[str, Any]:
    return (await target.user("owner")).tokens


def hs256(key: bytes) -> Callable[[dict[str, Any], dict[str, Any]], str]:
    def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
        signed = f"{encoded(header)}.{encoded(claims)}"
        return f"{signed}.{encoded(hmac.new(key, signed.encode(), hashlib.sha256).digest())}"

    return sign


async def test_algorithm_none(target: Target) -> None:
    """CWE-347, RFC 8725 §2.1 (CVE-2015-9235): a token that claims to need no signature, with and without one."""
    header, claims, signature = taken_apart((await own(target))["token"])
    for algorithm in ("none", "None", "NONE", "nOnE", "", None, 0, [], "HS256", "EdDSA ", "eddsa"):
        forged = f"{encoded(header | {'alg': algorithm})}.{encoded(claims)}."
        for each in (forged, forged[:-1], forged + encoded(signature), forged + encoded(b"")):
            assert await status(target, each) == 401, algorithm


async def test_algorithm_swap(serve: Serve) -> None:
    """CWE-327, RFC 8725 §2.1 (CVE-2022-29217): the public key is no HMAC key, and no other algorithm verifies."""
    server = await serve()
    target = aim(server)
    key = server.server.context.keys.current
    header, claims, _ = taken_apart((await own(target))["token"])
    assert header["alg"] == "EdDSA"
    raw = key.verifies.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    pem = key.verifies.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = key.verifies.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for public in (raw, pem, pem.strip(), der, encoded(raw).encode(), b"", target.secret.encode(), key.kid.encode()):
        for algorithm in ("HS256", "EdDSA"):
            assert await status(target, hs256(public)(header | {"alg": algorithm}, claims)) == 401
    await target.close()


async def test_hs256_is_pinned_too(serve: Serve) -> None:
    """CWE-327, CWE-347: with HS256 only HS256 verifies, and no weak key does."""
    server = await serve(jwt_algorithm="hs256")
    target = aim(server)
    header, claims, signature = taken_apart((await own(target))["token"])
    assert header["alg"] == "HS256"
    for key in (b"", b"secret", b"vibetunnel", header["kid"].encode(), target.secret.encode(), bytes(32)):
        assert await status(target, hs256(key)(header, claims)) == 401
    stranger = Ed25519PrivateKey.generate()
    forged = jwt.encode(claims, stranger, "EdDSA", headers={"kid": header["kid"]})
    for each in (
        forged,
        f"{encoded(header | {'alg': 'none'})}.{encoded(claims)}.",
        f"{encoded(header)}.{encoded(claims)}.",
    ):
        assert await status(target, each) == 401
    for algorithm in ("HS384", "HS512", "EdDSA", "none"):
        assert (
            await status(target, f"{encoded(header | {'alg': algorithm})}.{encoded(claims)}.{encoded(signature)}")
            == 401
        )
    assert await status(target, f"{encoded(header)}.{encoded(claims)}.{encoded(signature)}") == 200
    await target.close()


HEADERS: list[dict[str, Any]] = [
    {"kid": "other"},
    {"kid": ""},
    {"kid": None},
    {"kid": 0},
    {"kid": ["x"]},
    {"kid": "../../../../dev/null"},
    {"kid": "' OR 1=1 --"},
    {"kid": "\x00"},
    {"kid": "| id"},
    {"jku": "http://127.0.0.1:9/jwks.json"},
    {"x5u": "http://127.0.0.1:9/x.pem"},
    {"x5c": ["MIIB"]},
    {"jwk": {}},
    {"crit": ["exp"], "exp": 0},
    {"crit": []},
    {"b64": False, "crit": ["b64"]},
    {"zip": "DEF"},
    {"cty": "JWT"},
    {"typ": "at+jwt"},
    {"typ": "JWE"},
    {"enc": "A256GCM"},
    {"x": "y"},
]


async def test_headers_that_point_elsewhere(serve: Serve) -> None:
    """CWE-347, RFC 8725 §3.5, §3.10, RFC 7515 §4.1.11: kid, jku, x5u, jwk and crit lead to no key of the attacker,
    whether the attacker or the server signed the token."""
    server = await serve()
    target = aim(server)
    header, claims, _ = taken_apart((await own(target))["token"])
    attacker, ours = Ed25519PrivateKey.generate(), server.server.context.keys.current.signs
    public = attacker.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    for more in (*HEADERS, {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": encoded(public)}}):
        for key in (attacker, ours):
            signed = f"{encoded(header | more)}.{encoded(claims)}"
            assert await status(target, f"{signed}.{encoded(key.sign(signed.encode()))}") == 401, (more, key is ours)
    await target.close()


def claim_changes(now: int) -> list[tuple[str, dict[str, Any]]]:
    """name -> changed claims; None: the claim is missing."""
    return [
        *((f"no {name}", {name: None}) for name in ("iss", "aud", "sub", "exp", "nbf", "iat", "jti", "typ", "scope")),
        ("no login", {"sid": None}),
        ("other issuer", {"iss": "https://evil.example"}),
        ("other audience", {"aud": "another-service"}),
        ("list of audiences", {"aud": ["another-service"]}),
        ("no audience", {"aud": ""}),
        ("expired", {"exp": now - 1, "nbf": now - 100, "iat": now - 100}),
        ("ended before it began", {"exp": now - 1}),
        ("expired long ago", {"exp": 0}),
        ("expired, negative", {"exp": -1}),
        ("never ends", {"exp": 2**60}),
        ("ends as a text", {"exp": str(now + 600)}),
        ("ends as a fraction", {"exp": 1e300}),
        ("not yet", {"nbf": now + 300}),
        ("made in the future", {"iat": now + 300}),
        ("before it begins", {"nbf": now + 20, "exp": now + 10}),
        ("a refresh token", {"typ": "refresh"}),
        ("a program's token", {"typ": "api"}),
        ("a token of no kind", {"typ": ""}),
        ("a kind in other letters", {"typ": "ACCESS"}),
        ("another user", {"sub": "nobody-of-this-name"}),
        ("no user", {"sub": ""}),
        ("user as a list", {"sub": ["root"]}),
        ("another login", {"sid": "AAAAAAAAAAAA"}),
        ("a scope that is none", {"scope": "view everything"}),
        ("scope as a list", {"scope": ["view", "admin"]}),
        ("something more", {"role": "owner"}),
        ("an object", {"jti": {}}),
    ]


async def test_claims(serve: Serve) -> None:
    """CWE-345, CWE-613, RFC 7519 §4.1, RFC 8725 §3.8, §3.9, §3.11: a wrong claim is refused, though signed by us."""
    server = await serve()
    target = aim(server)
    header, claims, _ = taken_apart((await own(target))["token"])
    ours = server.server.context.keys.current.signs
    for name, change in (*claim_changes(int(time.time())), ("nothing", {})):
        changed = {key: value for key, value in (claims | change).items() if value is not None}
        signed = f"{encoded(header)}.{encoded(changed)}"
        expected = 401 if change else 200  # so it was the claim
        assert await status(target, f"{signed}.{encoded(ours.sign(signed.encode()))}") == expected, name
    await target.close()


async def test_more_scope_than_the_user_has(serve: Serve) -> None:
    """CWE-269: a token never allows more than its user may do now, whatever its scope claims."""
    server = await serve()
    target = aim(server)
    header, claims, _ = taken_apart((await target.user("viewer")).tokens["token"])
    signed = f"{encoded(header)}.{encoded(claims | {'scope': 'view type control admin'})}"
    bearer = {
        "Authorization": f"Bearer {signed}.{encoded(server.server.context.keys.current.signs.sign(signed.encode()))}"
    }
    for path in ("/api/users", "/api/sessions"):
        response = await target.fetch("POST", path, {"name": "x", "password": PASSWORD}, login=False, headers=bearer)
        assert response.code == 403
    await target.close()


def spoiled(token: str) -> list[str]:
    """Tokens that differ slightly from this one."""
    header, claims, signature = token.split(".")
    parts = (header, claims, signature)
    flipped = [
        ".".join([*parts[:i], part[:at] + ("A" if part[at] != "A" else "B") + part[at + 1 :], *parts[i + 1 :]])
        for i, part in enumerate(parts)
        for at in (0, len(part) // 2, len(part) - 1)
    ]
    whole = json.loads(decoded(claims))
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = letters[letters.index(signature[-1]) ^ 1]  # differs in an unused bit (RFC 4648 §3.5)
    doubled = json.dumps(whole)[:-1] + ', "sub": "root"}'
    return [
        *flipped,
        f"{header}.{claims}.{signature[:-1]}{spare}",
        f"{token}.",
        f"{token}.{signature}",
        f".{token}",
        f"{header}.{claims}",
        f"{header}.{claims}.",
        f"{header}..{signature}",
        f".{claims}.{signature}",
        "..",
        "",
        token + "A",
        token + "=",
        token + "==",
        f"{header}=.{claims}.{signature}",
        f"{header}.{claims}=.{signature}",
        f"{token} x",
        f"{token}, x",
        f"x {token}",
        token.replace(".", "%2E"),
        token.swapcase(),
        token.upper(),
        token[:-1],
        f"{header}.{claims}.{encoded(bytes(64))}",
        f"{header}.{claims}.{encoded(decoded(signature) + bytes(1))}",
        f"{header}.{claims}.{encoded(decoded(signature)[:63])}",
        f"{header}.{encoded(doubled.encode())}.{signature}",
        f"{header}.{encoded(b'[]')}.{signature}",
        f"{header}.{encoded(b'{')}.{signature}",
        f"{encoded(b'{}')}.{claims}.{signature}",
        f"{encoded(b'null')}.{claims}.{signature}",
        f"{token}\t",
        token.replace("_", "/").replace("-", "+") + ("" if {"_", "-"} & set(token) else "x"),
        "A" * 20000 + "." + claims + "." + signature,
        header + "." + "A" * 50000 + "." + signature,
        "eyJ" * 3000,
        "[" * 3000,
        "{" * 1000 + "." * 1000,
    ]


async def test_almost_a_token(target: Target) -> None:
    """CWE-347, CWE-20, CWE-400: a changed, cut, longer, oversized or otherwise encoded token is refused."""
    token = (await own(target))["token"]
    assert await status(target, token) == 200
    for each in spoiled(token):
        if each.strip() == token:
            continue  # spaces around a header's value are no part of it
        assert await status(target, each) in (400, 401, 431), each[:200]
    assert await status(target, token) == 200


async def test_every_kind_of_token_is_of_its_kind_only(target: Target) -> None:
    """CWE-345, RFC 8725 §3.12 (refresh as access and the other ways round)."""
    tokens = await own(target)
    api = await target.api_token("view")
    assert await status(target, tokens["refreshToken"]) == 401
    for each in (tokens["token"], api, target.secret):
        response = await target.fetch("POST", "/api/auth/refresh", {"refreshToken": each}, login=False)
        assert response.code == 401
    assert await status(target, (await target.json("POST", "/api/auth/link"))["code"]) == 401
    assert await status(target, await target.ticket()) == 401


async def test_refresh_replay(target: Target) -> None:
    """CWE-294, RFC 9700 §4.14.2: a refresh token used twice ends the whole family, of thief and owner."""
    browser = await target.user("writer")
    first = browser.tokens

    async def refresh(token: str) -> Any:
        response = await target.fetch("POST", "/api/auth/refresh", {"refreshToken": token}, login=False)
        return json.loads(response.body) | {"code": response.code}

    second = await refresh(first["refreshToken"])
    assert second["code"] == 200
    assert await status(target, second["token"]) == 200
    session = json.loads((await browser.fetch("POST", "/api/sessions", {"command": ["cat"]})).body)["id"]
    socket = await target.attach(session, headers={"Authorization": f"Bearer {second['token']}"})
    assert (await refresh(first["refreshToken"]))["code"] == 401
    assert (await refresh(second["refreshToken"]))["code"] == 401
    for token in (first["token"], second["token"]):
        assert await status(target, token) == 401
    assert (await browser.fetch("GET", "/api/sessions")).code == 401
    assert (await socket.over())[0] == 4401
    await target.json("DELETE", f"/api/sessions/{session}")


async def test_a_race_for_a_refresh_token_has_one_winner_at_most(target: Target) -> None:
    """CWE-362, CWE-294: used ten times at once, a refresh token is valid once."""
    tokens = (await target.user("writer")).tokens
    body = {"refreshToken": tokens["refreshToken"]}
    asked = [target.fetch("POST", "/api/auth/refresh", body, login=False) for _ in range(10)]
    codes = [response.code for response in await asyncio.gather(*asked)]
    assert codes.count(200) <= 1
    assert set(codes) <= {200, 401}


async def test_a_revoked_token_of_a_program(target: Target) -> None:
    """CWE-613: a revoked token is refused at once, though its signature stays valid."""
    token = await target.api_token("view")
    jti = taken_apart(token)[1]["jti"]
    assert await status(target, token) == 200
    await target.json("DELETE", f"/api/tokens/{jti}")
    assert await status(target, token) == 401


async def test_rotated_keys_log_no_user_out_and_old_keys_sign_nothing(serve: Serve) -> None:
    """CWE-320, CWE-321: keys are made at the installation and can be replaced; a retired key signs nothing new."""
    server = await serve()
    target = aim(server)
    tokens = await own(target)
    retired = server.server.context.keys.current
    await target.json("POST", "/api/auth/rotate-keys")
    assert await status(target, tokens["token"]) == 200
    header, claims, _ = taken_apart(tokens["token"])
    with pytest.MonkeyPatch.context() as patch:  # an hour later, an attacker has the old key
        patch.setattr(server.server.context.authority.tokens, "_clock", lambda: time.time() + 3600)
        signed = f"{encoded(header)}.{encoded(claims | {'iat': claims['iat'] + 3600, 'exp': claims['exp'] + 3600})}"
        assert await status(target, f"{signed}.{encoded(retired.signs.sign(signed.encode()))}") == 401
    assert taken_apart((await own(target))["token"])[0]["kid"] != header["kid"]
    await target.close()


async def test_two_installations_do_not_know_each_other(serve: Serve, folder: Any) -> None:
    """CWE-321, CWE-798: no key, secret, code, cookie or token of one server is valid on another."""
    one = aim(await serve())
    user = await one.user("owner")
    code = (await one.json("POST", "/api/auth/link"))["code"]
    credentials = [one.secret, user.tokens["token"], await one.api_token("view"), await one.ticket()]
    two = aim(await serve(state_dir=folder / "s2", runtime_dir=folder / "r2"))
    for each in credentials:
        assert await status(two, each) == 401
    assert await two.upgrade("/api/sessions", {"Cookie": user.cookie}) == 401
    assert (await two.browser().login(code)).code == 401
    await one.close()
    await two.close()
