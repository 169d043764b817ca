"""Signed tokens and their keys: valid tokens, and forgeries that other software accepted."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import itertools
import json
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from clock import Clock
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given as tried_with
from hypothesis import strategies as st

from vibetunnel.errors import InvalidToken, LimitReached, StartFailed, UnknownToken
from vibetunnel.paths import NotPrivate
from vibetunnel.security import api_tokens, signing, tokens
from vibetunnel.security.api_tokens import ApiTokens
from vibetunnel.security.principal import OWNER, TYPIST, VIEWER, Scope
from vibetunnel.security.signing import LONGEST_TOKEN_S, SigningKey, SigningKeys
from vibetunnel.security.tokens import LEEWAY_S, MAX_LENGTH, Claims, Tokens

ISSUER, AUDIENCE = "vibetunnel:1", "vibetunnel:1/api"
DAY_S = 24 * 3600
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Mint:
    """The real tokens and keys, and what an attacker needs to make tokens without them."""

    def __init__(self, folder: Path, algorithm: str = "eddsa") -> None:
        self.clock = Clock()
        self.keys = SigningKeys(folder / "keys.json", algorithm, clock=self.clock)
        self.tokens = Tokens(self.keys, ISSUER, AUDIENCE, clock=self.clock)

    def issue(self, typ: tokens.TokenType = "access", lifetime_s: float = 900, **more: Any) -> str:
        return self.tokens.issue(typ, "ada", TYPIST, lifetime_s=lifetime_s, sid="l1", **more)[0]

    def header(self, **changed: object) -> dict[str, object]:
        key = self.keys.current
        return {"alg": key.algorithm.header, "kid": key.kid, "typ": "JWT"} | changed

    def claims(self, **changed: object) -> dict[str, object]:
        now = int(self.clock.now)
        return {
            "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": now + 900, "nbf": now, "iat": now, "jti": "j",
            "typ": "access", "scope": "view type", "sid": "l1",
        } | changed  # fmt: skip

    def sign(self, header: object, claims: object, with_key: Callable[[bytes], bytes] | None = None) -> str:
        """A token with the right signature, whatever it says."""
        data = ".".join(segment(each if isinstance(each, bytes) else encoded(each)) for each in (header, claims))
        return f"{data}.{segment((with_key or self.signature)(data.encode()))}"

    def signature(self, data: bytes) -> bytes:
        key = self.keys.current
        if isinstance(key.signs, bytes):
            return hmac.digest(key.signs, data, "sha256")
        return key.signs.sign(data)

    def refuses(self, token: str, why: str, typ: tokens.TokenType = "access") -> None:
        with pytest.raises(InvalidToken) as refused:
            self.tokens.verify(token, typ)
        assert refused.value.why.startswith(why)
        assert str(refused.value) == "Invalid or expired token"


def encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def kids(keys: SigningKeys) -> list[str]:
    return [each.kid for each in keys.list()]


def segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.fixture(params=["eddsa", "hs256"])
def mint(request: pytest.FixtureRequest, folder: Path) -> Mint:
    (folder / "keys.json").write_bytes(_made_before(request.param))
    (folder / "keys.json").chmod(0o600)
    return Mint(folder, request.param)


@functools.cache
def _made_before(algorithm: str) -> bytes:
    """A file of keys; many tests need one, and none a new one."""
    with tempfile.TemporaryDirectory() as folder:
        SigningKeys(Path(folder) / "keys.json", algorithm, clock=Clock())
        return (Path(folder) / "keys.json").read_bytes()


@pytest.fixture
def eddsa(folder: Path) -> Mint:
    return Mint(folder)


# What is let in


def test_a_token_says_what_it_was_given(mint: Mint) -> None:
    token, issued = mint.tokens.issue("access", "ada", TYPIST, lifetime_s=900, sid="l1", session="s1")
    claims = mint.tokens.verify(token, "access")
    assert claims == issued
    now = int(mint.clock.now)
    assert claims == Claims(
        iss=ISSUER, aud=AUDIENCE, sub="ada", exp=now + 900, nbf=now, iat=now, jti=issued.jti, typ="access",
        scope="view type", sid="l1", session="s1",
    )  # fmt: skip
    assert claims.scopes == TYPIST
    assert mint.tokens.verify(token, "access") is claims  # known by now


def test_unchanged_tokens_of_the_tests_are_accepted_so_only_the_change_is_refused(mint: Mint) -> None:
    assert mint.tokens.verify(mint.sign(mint.header(), mint.claims()), "access").jti == "j"


def test_another_implementation_reads_a_token_by_the_key_that_it_names(eddsa: Mint) -> None:
    token, issued = eddsa.tokens.issue("api", "ada", VIEWER, lifetime_s=60)
    header = jwt.get_unverified_header(token)
    assert header == {"alg": "EdDSA", "kid": eddsa.keys.current.kid, "typ": "JWT"}
    read = jwt.decode(token, eddsa.keys.current.verifies, ["EdDSA"], options={"verify_exp": False, "verify_aud": False})  # type: ignore[arg-type]
    assert (read["sub"], read["jti"], read["scope"]) == ("ada", issued.jti, "view")


def test_no_two_tokens_have_a_name_in_common(mint: Mint) -> None:
    assert len({mint.tokens.issue("access", "ada", VIEWER, lifetime_s=9)[1].jti for _ in range(20)}) == 20


@pytest.mark.parametrize("lifetime_s", [0, -1, LONGEST_TOKEN_S + 1, float("nan"), float("inf")])
def test_a_token_does_not_live_longer_than_its_key_is_kept(mint: Mint, lifetime_s: float) -> None:
    with pytest.raises(ValueError, match="lifetime_s"):
        mint.issue(lifetime_s=lifetime_s)


def test_a_token_that_would_not_be_let_in_is_not_made(mint: Mint) -> None:
    for sub in ("", "x" * 257):
        with pytest.raises(ValueError, match="length"):
            mint.tokens.issue("access", sub, VIEWER, lifetime_s=60)


def test_the_longest_life_is_one_that_is_let_in(mint: Mint) -> None:
    mint.clock.now += 0.7
    token = mint.issue("api", LONGEST_TOKEN_S)
    mint.clock.now += LONGEST_TOKEN_S - 1
    assert mint.tokens.verify(token, "api")


# Time


def test_a_token_ends_to_the_second_known_or_not(mint: Mint) -> None:
    token, other = mint.issue(), mint.issue()
    mint.clock.now += 899
    assert mint.tokens.verify(token, "access")
    mint.clock.now += 1
    mint.refuses(token, "expired")
    mint.refuses(other, "expired")
    assert mint.tokens.verify(token, "access", allow_expired=True).sub == "ada"


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_token_that_begins_in_the_future_is_refused_beyond_the_clocks_tolerance(mint: Mint, name: str) -> None:
    now = int(mint.clock.now)
    assert mint.tokens.verify(mint.sign(mint.header(), mint.claims(**{name: now + LEEWAY_S})), "access")
    later = mint.sign(mint.header(), mint.claims(**{name: now + LEEWAY_S + 1}))
    mint.refuses(later, "not yet")
    mint.clock.now += 1
    assert mint.tokens.verify(later, "access")


def test_a_token_that_outlives_all_of_ours_is_refused(mint: Mint) -> None:
    now = int(mint.clock.now)
    mint.refuses(mint.sign(mint.header(), mint.claims(exp=now + LONGEST_TOKEN_S + 2)), "exp")
    mint.refuses(mint.sign(mint.header(), mint.claims(exp=now + 5, nbf=now + 5)), "exp")


# Kinds


def test_a_token_of_one_kind_is_not_valid_as_another(mint: Mint) -> None:
    kinds: list[Any] = ["access", "refresh", "api"]
    for given, expected in itertools.product(kinds, kinds):
        token = mint.issue(given)
        if given == expected:
            assert mint.tokens.verify(token, expected).typ == given
        else:
            mint.refuses(token, "typ", expected)
            assert mint.tokens.verify(token, given)  # known by now,
            mint.refuses(token, "typ", expected)  # and refused all the same


# Algorithms


def test_a_token_without_a_signature_is_refused(mint: Mint) -> None:
    """CVE-2015-9235, RFC 8725 §2.1."""
    for name, signature in itertools.product(["none", "None", "NONE", "nOnE", ""], ["", "AAAA", None]):
        signed = mint.sign(mint.header(alg=name), mint.claims())
        mint.refuses(signed if signature is None else signed.rpartition(".")[0] + "." + signature, "")
        plain = mint.sign(mint.header(), mint.claims())
        mint.refuses(plain.rpartition(".")[0] + ".", "shape")
        mint.refuses(plain.rpartition(".")[0] + ".AAAA", "signature")


def test_the_public_key_is_no_secret_for_hs256(eddsa: Mint) -> None:
    """CVE-2016-5431, CVE-2022-29217: the verifier's public key taken as an HMAC key."""
    public = eddsa.keys.current.verifies
    assert not isinstance(public, bytes)
    spellings = [
        public.public_bytes_raw(),
        segment(public.public_bytes_raw()).encode(),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        b"",
    ]
    for secret in spellings:

        def by_hmac(data: bytes, secret: bytes = secret) -> bytes:
            return hmac.digest(secret, data, "sha256")

        eddsa.refuses(eddsa.sign(eddsa.header(alg="HS256"), eddsa.claims(), by_hmac), "header")
        eddsa.refuses(eddsa.sign(eddsa.header(), eddsa.claims(), by_hmac), "signature")


def test_the_hmac_key_is_no_ed25519_key(folder: Path) -> None:
    mint = Mint(folder, "hs256")
    secret = mint.keys.current.signs
    assert isinstance(secret, bytes)
    private = Ed25519PrivateKey.from_private_bytes(secret)
    mint.refuses(mint.sign(mint.header(alg="EdDSA"), mint.claims(), private.sign), "header")
    mint.refuses(mint.sign(mint.header(), mint.claims(), private.sign), "signature")


def test_only_the_algorithm_of_the_key_is_looked_at(mint: Mint) -> None:
    for name in ("HS384", "HS512", "RS256", "ES256", "Ed25519", "eddsa", "hs256", "EdDSA ", 7, None):
        mint.refuses(mint.sign(mint.header(alg=name), mint.claims()), "header")


def test_a_key_of_each_algorithm_is_used_with_its_own_only(folder: Path) -> None:
    """Both are there after the setting has been changed."""
    before = Mint(folder, "hs256")
    secret = before.keys.current
    after = Mint(folder, "eddsa")
    assert isinstance(secret.signs, bytes)

    def by_hmac(data: bytes) -> bytes:
        assert isinstance(secret.signs, bytes)
        return hmac.digest(secret.signs, data, "sha256")

    old = {"alg": "HS256", "kid": secret.kid, "typ": "JWT"}
    assert after.tokens.verify(after.sign(old, after.claims(), by_hmac), "access")
    after.refuses(after.sign(after.header(alg="HS256"), after.claims(), by_hmac), "header")
    after.refuses(after.sign(old | {"alg": "EdDSA"}, after.claims()), "header")
    after.refuses(after.sign(old, after.claims()), "signature")


def test_someone_elses_signature_is_refused(eddsa: Mint) -> None:
    eddsa.refuses(eddsa.sign(eddsa.header(), eddsa.claims(), Ed25519PrivateKey.generate().sign), "signature")


# Headers


KIDS: list[object] = [
    "", "x", "../../../../dev/null", "/dev/null", "/etc/passwd", "file:///dev/null", "'; DROP TABLE keys; --",
    "a' UNION SELECT 'x", "| id", "http://evil.example/key", "\0", "é", 0, 1, None, True, [], {}, ["x"], "x" * 2000,
]  # fmt: skip


def test_a_kid_that_names_no_key_of_ours_is_refused(mint: Mint) -> None:
    """CVE-2018-0114 and its kin: the header chooses the key; here out of those in memory and no others."""
    for kid in KIDS:
        mint.refuses(mint.sign(mint.header(kid=kid), mint.claims()), "")
        mint.refuses(mint.sign(mint.header(kid=kid), mint.claims(), lambda data: hmac.digest(b"", data, "sha256")), "")


def test_a_token_has_to_name_its_key(mint: Mint) -> None:
    header = mint.header()
    del header["kid"]
    mint.refuses(mint.sign(header, mint.claims()), "header")


def test_a_key_that_is_brought_along_is_not_used(eddsa: Mint) -> None:
    """CVE-2018-0114: `jwk` in the header."""
    own = Ed25519PrivateKey.generate()
    brought = {"kty": "OKP", "crv": "Ed25519", "x": segment(own.public_key().public_bytes_raw())}
    eddsa.refuses(eddsa.sign(eddsa.header(jwk=brought), eddsa.claims(), own.sign), "header")
    eddsa.refuses(eddsa.sign(eddsa.header(jwk=brought, kid="brought-along"), eddsa.claims(), own.sign), "header")


MORE: list[dict[str, object]] = [
    {"jku": "https://evil.example/keys"}, {"x5u": "https://evil.example/cert"}, {"x5c": ["MIIB"]}, {"x5t": "x"},
    {"crit": []}, {"crit": ["b64"], "b64": False}, {"crit": ["exp"], "exp": 1}, {"b64": False}, {"b64": True},
    {"zip": "DEF"}, {"cty": "JWT"}, {"enc": "A128GCM"}, {"typ": "at+jwt"}, {"typ": "jwt"}, {"typ": None}, {"x": 1},
]  # fmt: skip


def test_a_header_that_we_never_write_is_refused(mint: Mint) -> None:
    """RFC 8725 §2.9, CVE-2026-32597 (crit): with the right signature even."""
    for more in MORE:
        mint.refuses(mint.sign(mint.header(**more), mint.claims()), "header")


def test_a_header_is_spelled_in_one_way(mint: Mint) -> None:
    header = mint.header()
    exact = encoded(header)
    for other in (
        json.dumps(header).encode(),
        encoded(dict(reversed(header.items()))),
        exact.replace(b'"typ"', b'"\\u0074yp"'),
        exact[:-1] + b',"alg":"none"}',
        b'{"alg":"none",' + exact[1:],
        exact + b" ",
        b"\xef\xbb\xbf" + exact,
        b"[]",
        b"null",
        b"{}",
        b"",
        b"[" * 1000,
    ):
        mint.refuses(mint.sign(other, mint.claims()), "")


# Claims


def test_a_claim_that_is_missing_is_refused(mint: Mint) -> None:
    for name in ("iss", "aud", "sub", "exp", "nbf", "iat", "jti", "typ", "scope"):
        claims = mint.claims()
        del claims[name]
        mint.refuses(mint.sign(mint.header(), claims), "claims")


def test_a_claim_of_another_type_is_refused(mint: Mint) -> None:
    values: list[object] = [None, True, 1.5, [], {}, ["ada"], [AUDIENCE], {"view": 1}, "\ud800"]
    for name, value in itertools.product([*mint.claims(), "session"], values):
        mint.refuses(mint.sign(mint.header(), mint.claims(**{name: value})), "claims")


VALUES: list[tuple[str, object, str]] = [
    ("iss", "vibetunnel:2", "iss"), ("iss", "", "iss"), ("iss", ISSUER + " ", "iss"),
    ("aud", "vibetunnel:1", "aud"), ("aud", "", "aud"), ("aud", AUDIENCE.upper(), "aud"),
    ("sub", "", "claims"), ("sub", 7, "claims"), ("sub", "x" * 257, "claims"),
    ("jti", "", "claims"), ("jti", 7, "claims"),
    ("exp", "9999999999", "claims"), ("exp", -1, "claims"), ("exp", 1 << 60, "claims"), ("exp", 1e12, "claims"),
    ("nbf", "0", "claims"), ("iat", "0", "claims"), ("iat", -1, "claims"),
    ("typ", "Access", "claims"), ("typ", "", "claims"), ("typ", "id", "claims"),
    ("scope", "view everything", "claims"), ("scope", "VIEW,TYPE", "claims"), ("scope", 15, "claims"),
    ("admin", True, "claims"), ("role", "owner", "claims"),
]  # fmt: skip


def test_a_claim_with_another_value_is_refused(mint: Mint) -> None:
    for name, value, why in VALUES:
        mint.refuses(mint.sign(mint.header(), mint.claims(**{name: value})), why)


def test_a_payload_that_has_no_claims_is_refused(mint: Mint) -> None:
    for payload in (b"", b"{}", b"[]", b"null", b'"x"', b"\xff", encoded(mint.claims()) + b"x", b"[" * 2000):
        mint.refuses(mint.sign(mint.header(), payload), "")


def test_a_token_of_another_installation_is_refused(folder: Path) -> None:
    (folder / "other").mkdir(mode=0o700)
    ours, theirs = Mint(folder), Mint(folder / "other")
    ours.refuses(theirs.issue(), "header")


def test_a_token_for_another_audience_is_refused(mint: Mint) -> None:
    other = Tokens(mint.keys, ISSUER, "elsewhere", clock=mint.clock)
    mint.refuses(other.issue("access", "ada", VIEWER, lifetime_s=60)[0], "aud")


# Text


def test_a_token_that_is_too_long_is_refused_unread(mint: Mint) -> None:
    token = mint.issue()
    mint.refuses("A" * (MAX_LENGTH + 1), "too long")
    mint.refuses(token + "A" * MAX_LENGTH, "too long")
    mint.refuses("A" * MAX_LENGTH, "shape")
    assert len(token) < 1000


ADDED = [
    "{}=", "{}==", "{}\n", "{} ", " {}", "{}.", ".{}", "{}.AAAA", "{}\0", "{}A", "{}AA", "{}AAA", "{}AAAA",
    "Bearer {}", "{}é", "{}\udcff",
]  # fmt: skip


def test_nothing_is_added_to_a_token(mint: Mint) -> None:
    for change in ADDED:
        token = mint.issue()
        mint.refuses(change.format(token), "")
        assert mint.tokens.verify(token, "access")
        mint.refuses(change.format(token), "")


def test_each_part_is_spelled_in_one_way(mint: Mint) -> None:
    """RFC 4648 §3.5: the bits of the last character that are not used would make 4 or 16 tokens out of one."""
    for sub in ("ada", "adam", "adams"):  # of which two leave such bits
        parts = mint.sign(mint.header(), mint.claims(sub=sub)).split(".")
        for index, part in enumerate(parts):
            before, after = parts[:index], parts[index + 1 :]
            for last in set(BASE64URL) - {part[-1]}:
                other = part[:-1] + last
                same = decoded(other) == decoded(part)
                mint.refuses(".".join([*before, other, *after]), "base64" if same and index > 0 else "")
            for other in (
                "",
                part + "=" * (-len(part) % 4 or 4),
                part[:4] + "\n" + part[4:],
                part[:4] + "." + part[4:],
            ):
                mint.refuses(".".join([*before, other, *after]), "shape")
    standard = mint.sign(mint.header(), mint.claims(sub="???>>>~~~")).replace("-", "+").replace("_", "/")
    mint.refuses(standard, "shape")


class OneKey:
    """Keys without a file: hypothesis calls a test often, and a fixture once."""

    generation = 1
    current = SigningKey("the-only-one", signing.Algorithm.EDDSA, bytes(signing.KEY_BYTES), 0.0)

    def list(self) -> list[SigningKey]:
        return [self.current]


FILELESS = Tokens(OneKey(), ISSUER, AUDIENCE)  # type: ignore[arg-type]


@tried_with(st.text(max_size=300) | st.from_regex(r"[\w-]*\.[\w-]*\.[\w-]*", fullmatch=True))
def test_whatever_comes_is_refused_and_nothing_else_happens(text: str) -> None:
    with pytest.raises(InvalidToken):
        FILELESS.verify(text, "access")


@tried_with(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_token_with_any_bits_changed_is_refused(where: int, how: int) -> None:
    token = bytearray(FILELESS.issue("access", "ada", OWNER, lifetime_s=60)[0].encode())
    token[where % len(token)] ^= how
    with pytest.raises(InvalidToken):
        FILELESS.verify(token.decode("latin-1"), "access")


def test_known_tokens_do_not_pile_up(mint: Mint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "CACHED", 3)
    issued = [mint.issue() for _ in range(5)]
    for token in [*issued, *issued]:
        assert mint.tokens.verify(token, "access")
    assert len(mint.tokens._verified) == 3


# Keys


def test_keys_are_made_once_and_private(folder: Path) -> None:
    first = Mint(folder)
    token = first.issue()
    path = folder / "keys.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = Mint(folder)
    assert again.keys.current.kid == first.keys.current.kid
    assert again.tokens.verify(token, "access")
    assert [each.name for each in folder.iterdir()] == ["keys.json"]


def test_a_key_does_not_show_its_secret(mint: Mint, folder: Path) -> None:
    key = json.loads((folder / "keys.json").read_text())["keys"][0]["key"]
    raw = base64.urlsafe_b64decode(key + "=")
    shown = repr(mint.keys.current) + repr(mint.keys.list())
    assert key not in shown
    assert repr(raw) not in shown
    assert mint.keys.current.kid != segment(hashlib.sha256(raw).digest())


async def test_a_new_key_logs_no_user_out(mint: Mint, folder: Path) -> None:
    before = mint.issue("api", 300 * DAY_S)
    old = mint.keys.current
    assert mint.tokens.verify(before, "api")
    new = await mint.keys.rotate()
    assert new.kid != old.kid
    after = mint.issue()
    assert jwt.get_unverified_header(after)["kid"] == new.kid
    assert mint.tokens.verify(before, "api")
    assert mint.tokens.verify(after, "access")
    again = Tokens(
        SigningKeys(folder / "keys.json", mint.keys.current.algorithm, clock=mint.clock), ISSUER, AUDIENCE,
        clock=mint.clock,
    )  # fmt: skip
    assert again.verify(before, "api")
    assert again.verify(after, "access")


async def test_an_old_key_signs_nothing_new(eddsa: Mint) -> None:
    old = eddsa.keys.current
    assert not isinstance(old.signs, bytes)
    header = eddsa.header()
    await eddsa.keys.rotate()
    eddsa.clock.now += LEEWAY_S + 1
    eddsa.refuses(eddsa.sign(header, eddsa.claims(), old.signs.sign), "iat")


async def test_a_stolen_key_can_be_made_void_at_once(mint: Mint, folder: Path) -> None:
    token = mint.issue()
    assert mint.tokens.verify(token, "access")
    old = mint.keys.current
    await mint.keys.rotate(forget=True)
    assert old.kid not in kids(mint.keys)
    mint.refuses(token, "header")
    assert mint.tokens.verify(mint.issue(), "access")
    assert old.kid not in (folder / "keys.json").read_text()
    assert mint.keys.safe


async def test_an_old_key_is_kept_as_long_as_a_token_of_it_may_live(mint: Mint, folder: Path) -> None:
    token = mint.issue("api", LONGEST_TOKEN_S)
    old = mint.keys.current
    await mint.keys.rotate()
    mint.clock.now += LONGEST_TOKEN_S - 1
    assert old.kid in kids(Mint(folder, mint.keys.current.algorithm).keys)
    assert mint.tokens.verify(token, "api")
    mint.clock.now += 1
    await mint.keys.rotate()
    assert old.kid not in kids(mint.keys)
    mint.refuses(token, "header")


async def test_keys_do_not_pile_up(mint: Mint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing, "LIMIT", 3)
    for _ in range(5):
        await mint.keys.rotate()
    assert len(mint.keys.list()) == 3
    assert mint.tokens.verify(mint.issue(), "access")


def test_another_algorithm_by_setting_logs_no_user_out(folder: Path) -> None:
    before = Mint(folder, "hs256")
    token = before.issue()
    after = Mint(folder, "eddsa")
    assert after.keys.current.algorithm is signing.Algorithm.EDDSA
    assert after.tokens.verify(token, "access")
    assert jwt.get_unverified_header(after.issue())["alg"] == "EdDSA"
    back = Mint(folder, "hs256")
    assert len(back.keys.list()) == 3
    assert jwt.get_unverified_header(back.issue())["alg"] == "HS256"
    assert back.tokens.verify(token, "access")


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "{}", "null", '{"keys":[]}', '{"keys":[],"format":2}', '{"keys":{},"format":1}',
        '{"keys":[{"kid":"x","algorithm":"eddsa","key":"AAAA","created":1,"retired":null}]}',
        '{"keys":[{"kid":"x","algorithm":"hs256","key":"AAAA","created":1,"retired":null}]}',
        '{"keys":[{"kid":"x","algorithm":"none","key":"' + 43 * "A" + '","created":1,"retired":null}]}',
        '{"keys":[{"kid":"x","algorithm":"hs256","key":"!' + 42 * "A" + '","created":1,"retired":null}]}',
    ],
)  # fmt: skip
def test_without_its_keys_the_server_does_not_start(folder: Path, text: str) -> None:
    (folder / "keys.json").write_text(text)
    (folder / "keys.json").chmod(0o600)
    with pytest.raises(StartFailed, match=r"keys\.json is damaged.*restore a copy"):
        SigningKeys(folder / "keys.json")
    assert (folder / "keys.json").read_text() == text


def test_keys_that_others_can_read_are_refused(folder: Path) -> None:
    Mint(folder)
    (folder / "keys.json").chmod(0o640)
    with pytest.raises(NotPrivate, match="chmod 600"):
        SigningKeys(folder / "keys.json")
    (folder / "keys.json").unlink()
    (folder / "keys.json").symlink_to(folder / "elsewhere")
    with pytest.raises(NotPrivate):
        SigningKeys(folder / "keys.json")
    assert not (folder / "elsewhere").exists()


# Tokens of programs


def api(mint: Mint, user: str = "ada", *, lifetime_s: float = DAY_S, session: str = "") -> Claims:
    return mint.tokens.issue("api", user, TYPIST, lifetime_s=lifetime_s, session=session)[1]


async def test_a_programs_token_is_good_until_it_is_removed(eddsa: Mint, folder: Path) -> None:
    path = folder / "tokens.json"
    kept = ApiTokens(path, clock=eddsa.clock)
    claims = api(eddsa, session="s1")
    assert kept.get(claims.jti) is None
    made = await kept.add(claims, name="back\x1b[2Jup\u202e")
    assert (made.name, made.user, made.scopes, made.session) == ("back[2Jup", "ada", TYPIST, "s1")
    assert kept.get(claims.jti) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = ApiTokens(path, clock=eddsa.clock)
    assert again.get(claims.jti) == made
    assert await again.remove(claims.jti)
    assert again.get(claims.jti) is None
    assert ApiTokens(path, clock=eddsa.clock).get(claims.jti) is None
    with pytest.raises(UnknownToken):
        await again.remove(claims.jti)


async def test_a_programs_token_ends(eddsa: Mint, folder: Path) -> None:
    kept = ApiTokens(folder / "tokens.json", clock=eddsa.clock)
    claims = api(eddsa, lifetime_s=60)
    await kept.add(claims)
    eddsa.clock.now += 59
    assert kept.get(claims.jti)
    eddsa.clock.now += 1
    assert kept.get(claims.jti) is None
    assert kept.list() == []
    await kept.add(api(eddsa))
    assert claims.jti not in (folder / "tokens.json").read_text()


async def test_all_tokens_of_a_user_end_at_once_and_no_others(eddsa: Mint, folder: Path) -> None:
    kept = ApiTokens(folder / "tokens.json", clock=eddsa.clock)
    hers = [(await kept.add(api(eddsa, "ada"))).id for _ in range(2)]
    his = (await kept.add(api(eddsa, "bob"))).id
    assert {each.id for each in kept.list(user="ada")} == set(hers)
    assert set(await kept.remove_user("ada")) == set(hers)
    assert [each.id for each in kept.list()] == [his]
    assert [each.id for each in ApiTokens(folder / "tokens.json", clock=eddsa.clock).list()] == [his]
    assert await kept.remove_user("ada") == []


async def test_tokens_of_programs_have_a_limit(eddsa: Mint, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_tokens, "OF_ONE", 2)
    monkeypatch.setattr(api_tokens, "LIMIT", 3)
    kept = ApiTokens(folder / "tokens.json", clock=eddsa.clock)
    for _ in range(2):
        await kept.add(api(eddsa))
    with pytest.raises(LimitReached, match="tokens of a user"):
        await kept.add(api(eddsa))
    await kept.add(api(eddsa, "bob"))
    with pytest.raises(LimitReached, match="at most 3"):
        await kept.add(api(eddsa, "eve"))


def test_a_damaged_file_of_tokens_is_said_and_none_is_good(folder: Path, expect_log: Callable[[str], None]) -> None:
    (folder / "tokens.json").write_text('{"tokens":[{"id":"x","scope":["everything"]}]}')
    (folder / "tokens.json").chmod(0o600)
    expect_log("programs need new tokens")
    assert ApiTokens(folder / "tokens.json").list() == []


def test_scopes_of_a_token_are_words(eddsa: Mint) -> None:
    assert eddsa.tokens.issue("api", "ada", OWNER, lifetime_s=9)[1].scope == "view type control admin files"
    assert eddsa.tokens.issue("refresh", "ada", Scope(0), lifetime_s=9)[1].scopes == Scope(0)
