"""Signed tokens (JWT, RFC 7519): making one, and checking that it is ours, unchanged, valid now and of a given type.

logins.py and api_tokens.py know which tokens were revoked.

We write exactly one header for each key. So the header of a token is looked up in a table and never parsed: no `alg`
(RFC 8725 §3.1), `jku`, `x5u`, `jwk`, `crit` or foreign `kid` reaches any code.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import json
import math
import re
import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal, cast

import msgspec

from vibetunnel.errors import InvalidToken
from vibetunnel.security import principal
from vibetunnel.security.principal import Scope
from vibetunnel.security.signing import LONGEST_TOKEN_S, SigningKey, SigningKeys

if TYPE_CHECKING:
    import jwt

TokenType = Literal["access", "refresh", "api"]

MAX_LENGTH = 4096  # characters; ours have about 500
LEEWAY_S = 30  # for the clocks of other machines: for the beginning of a token, never for its end
CACHED = 4096  # verified tokens, about 1 KiB each; a newer one replaces the oldest

_SHAPE = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Seconds = Annotated[int, msgspec.Meta(ge=0, lt=1 << 48)]


class Claims(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The claims of a token (RFC 7519 §4.1).

    iss, aud       this installation
    sub            name of the account
    exp, nbf, iat  seconds since the epoch: when it expires, becomes valid, was made
    jti            its id, random, not secret
    typ            access: for the API; refresh: for a new pair; api: a program's
    scope          words of principal.names() between spaces (RFC 8693 §4.2)
    sid            the login that it belongs to; empty: a program's token
    session        the only session that it allows; empty: all sessions
    """

    iss: str
    aud: str
    sub: _Text
    exp: _Seconds
    nbf: _Seconds
    iat: _Seconds
    jti: _Text
    typ: TokenType
    scope: Annotated[str, msgspec.Meta(max_length=256)]
    sid: Annotated[str, msgspec.Meta(max_length=256)] = ""
    session: Annotated[str, msgspec.Meta(max_length=256)] = ""

    @property
    def scopes(self) -> Scope:
        return principal.parse(self.scope.split())


_decode_claims = msgspec.json.Decoder(Claims).decode


class Tokens:
    """Makes tokens and checks them.

    issuer, audience  the values of `iss` and `aud`
    clock             seconds since the epoch
    """

    def __init__(
        self, keys: SigningKeys, issuer: str, audience: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._generation = -1  # of the keys for which the two tables below are valid
        self._headers: dict[str, SigningKey] = {}  # the first part of a token -> its key
        self._verified: dict[bytes, Claims] = {}  # hash of a token -> its claims

    def issue(
        self, typ: TokenType, sub: str, scope: Scope, *, lifetime_s: float, sid: str = "", session: str = ""
    ) -> tuple[str, Claims]:
        """Make a token that is valid from now for `lifetime_s`, rounded up to whole seconds. Returns it and its claims.

        sid      id of the login that it belongs to
        session  id of the only session that it allows

        Raises ValueError for claims that verify() would refuse: no name, too long a lifetime or text.
        """
        if not 0 < lifetime_s <= LONGEST_TOKEN_S:
            raise ValueError(f"lifetime_s: expected at most {LONGEST_TOKEN_S}, got {lifetime_s}")
        now = self._clock()
        claims = Claims(
            iss=self._issuer,
            aud=self._audience,
            sub=sub,
            exp=math.ceil(now + lifetime_s),
            nbf=int(now),
            iat=int(now),
            jti=secrets.token_hex(9),  # too short for logs/redact.py to take it for a secret
            typ=typ,
            scope=" ".join(principal.names(scope)),
            sid=sid,
            session=session,
        )
        payload = msgspec.json.encode(claims)
        _decode_claims(payload)  # the bounds above; msgspec.ValidationError is a ValueError
        key = self._keys.current
        algorithm = key.algorithm.header
        token = self._jws[algorithm].encode(payload, key.signs, algorithm, headers={"kid": key.kid, "typ": "JWT"})
        return token, claims

    def verify(self, token: str, typ: TokenType, *, allow_expired: bool = False) -> Claims:
        """The claims of a valid token. The caller has to check that it was not revoked.

        typ            the only type that is accepted
        allow_expired  for logging out: an expired token may end the login that it belonged to

        Raises InvalidToken, with `why` for the log.
        """
        claims = self._known(token)
        if claims.typ != typ:
            raise InvalidToken(f"typ: expected {typ}, got {claims.typ}")
        now = self._clock()
        if claims.nbf > now + LEEWAY_S or claims.iat > now + LEEWAY_S:
            raise InvalidToken("not yet")
        if claims.exp <= now and not allow_expired:
            raise InvalidToken("expired")
        return claims

    @functools.cached_property
    def _jws(self) -> dict[str, jwt.PyJWS]:
        """One for each algorithm, which accepts no other."""
        import jwt  # here: 10 MB with its imports, and a server without logins needs none

        return {name: jwt.PyJWS(algorithms=[name]) for name in ("EdDSA", "HS256")}

    def _known(self, token: str) -> Claims:
        if len(token) > MAX_LENGTH:
            raise InvalidToken("too long")
        self._follow_keys()
        hashed = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        claims = self._verified.get(hashed)
        if claims is None:
            claims = self._verify(token)
            while len(self._verified) >= CACHED:
                del self._verified[next(iter(self._verified))]
            self._verified[hashed] = claims
        return claims

    def _verify(self, token: str) -> Claims:
        """All checks that do not depend on the time."""
        shape = _SHAPE.fullmatch(token)
        if shape is None:
            raise InvalidToken("shape")
        header, payload, signature = shape.groups()
        key = self._headers.get(header)
        if key is None:
            raise InvalidToken("header")
        # Only one spelling of a token is valid: unused bits of the last character must be 0 (RFC 4648 §3.5).
        if not (_is_canonical(payload) and _is_canonical(signature)):
            raise InvalidToken("base64")
        from jwt import PyJWTError

        algorithm = key.algorithm.header
        try:
            data = cast(bytes, self._jws[algorithm].decode(token, key.verifies, [algorithm]))
            claims = _decode_claims(data)
            claims.scopes  # noqa: B018 (raises)
        except PyJWTError as error:
            raise InvalidToken("signature") from error
        except ValueError as error:
            raise InvalidToken("claims") from error
        if claims.iss != self._issuer:
            raise InvalidToken("iss")
        if claims.aud != self._audience:
            raise InvalidToken("aud")
        if not claims.nbf < claims.exp <= claims.iat + LONGEST_TOKEN_S + 1:
            raise InvalidToken("exp")
        if key.retired is not None and claims.iat > key.retired + LEEWAY_S:
            raise InvalidToken("iat: its key was retired before")
        return claims

    def _follow_keys(self) -> None:
        if self._generation != self._keys.generation:
            self._generation = self._keys.generation
            self._headers = {_header(key): key for key in self._keys.list()}
            self._verified.clear()


def _header(key: SigningKey) -> str:
    """The first part of every token that this key signs (RFC 7515 §7.1)."""
    members = {"alg": key.algorithm.header, "kid": key.kid, "typ": "JWT"}
    return base64.urlsafe_b64encode(json.dumps(members, separators=(",", ":")).encode()).rstrip(b"=").decode()


def _is_canonical(part: str) -> bool:
    try:
        data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        return False
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode() == part
