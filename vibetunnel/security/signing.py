"""The keys that sign tokens: made for this installation, and replaced without logging users out."""

from __future__ import annotations

import base64
import dataclasses
import enum
import functools
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from vibetunnel.security.state_file import StateFile

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_BYTES = 32  # of an Ed25519 seed (RFC 8032 §5.1.5), and of an HMAC key (RFC 7518 §3.2: at least the hash's size)
LONGEST_TOKEN_S = 366 * 24 * 3600  # no token lives longer, so no key has to be kept longer after its last signature
LIMIT = 100  # keys; with more rotations in LONGEST_TOKEN_S the oldest is dropped


class Algorithm(enum.StrEnum):
    """The signature of tokens: the setting jwt_algorithm."""

    EDDSA = "eddsa"
    HS256 = "hs256"

    @property
    def header(self) -> str:
        """The `alg` of a token's header (RFC 8037 §3.1, RFC 7518 §3.1)."""
        return {"eddsa": "EdDSA", "hs256": "HS256"}[self.value]


@dataclass(frozen=True, repr=False)
class SigningKey:
    """One key, and the only algorithm that it is used with.

    kid       its name in a token's header; random, so that it reveals nothing about the key
    raw       KEY_BYTES
    created   seconds since the epoch
    retired   when another key replaced it; None: it is the key that signs
    """

    kid: str
    algorithm: Algorithm
    raw: bytes
    created: float
    retired: float | None = None

    @functools.cached_property
    def signs(self) -> Ed25519PrivateKey | bytes:
        """The key as PyJWT signs with it: a private key, or the bytes of an HMAC key."""
        if self.algorithm is Algorithm.HS256:
            return self.raw
        from cryptography.hazmat.primitives.asymmetric import (
            ed25519,
        )  # here: 8 MB, and a server without logins needs none

        return ed25519.Ed25519PrivateKey.from_private_bytes(self.raw)

    @property
    def verifies(self) -> Ed25519PublicKey | bytes:
        """The key as PyJWT verifies with it: the public key, or the same bytes."""
        return self.signs if isinstance(self.signs, bytes) else self.signs.public_key()

    def __repr__(self) -> str:  # no key material in a log
        return f"SigningKey({self.kid!r}, {self.algorithm.value}, created={self.created}, retired={self.retired})"


class _Key(msgspec.Struct, forbid_unknown_fields=True):
    kid: str
    algorithm: Literal["eddsa", "hs256"]
    key: str  # base64url of KEY_BYTES
    created: float
    retired: float | None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    keys: list[_Key]
    format: Literal[1] = 1


class SigningKeys:
    """The keys of this installation: the one that signs, and earlier ones, as long as a token of theirs may be valid.

    path       made at the first start, mode 0600
    algorithm  of the key that signs; if the key in the file has another one, a new key replaces it
    clock      seconds since the epoch

    The constructor blocks: call it at the start. Raises StartFailed for a damaged file, because a new one would make
    all tokens invalid; paths.NotPrivate for a file that others may read. If a new key cannot be stored, the log has a
    warning, and its tokens end with this server.
    """

    def __init__(
        self, path: Path, algorithm: Algorithm | str = Algorithm.EDDSA, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._algorithm = Algorithm(algorithm)
        self._file = StateFile(path, lambda: _encode(self._keys), "signing keys")
        self._keys = {key.kid: key for key in self._file.load(_decode, lost=None) or ()}  # the oldest first
        self._generation = 0
        signing = [key for key in self._keys.values() if key.retired is None]
        if not signing or signing[-1].algorithm is not self._algorithm:
            self._set(self._followed_by(self._new()))
            self._file.write_now()
        self._set(_kept(self._keys, clock()))

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return next(key for key in reversed(self._keys.values()) if key.retired is None)

    @property
    def generation(self) -> int:
        """Grows with each change of the keys, after which values derived from them are out of date."""
        return self._generation

    @property
    def safe(self) -> bool:
        """False: after a restart of the server, a key that was dropped would be valid again."""
        return self._file.safe

    def list(self) -> list[SigningKey]:
        """All keys, the oldest first."""
        return [*self._keys.values()]

    async def rotate(self, *, forget: bool = False) -> SigningKey:
        """Sign with a new key from now on. Returns it.

        forget  drop all other keys, for a stolen key: every token becomes invalid at once, those of programs too.
                Otherwise the tokens that they have signed stay valid, and no user is logged out.

        With `forget`, `safe` tells whether a restart would bring the old keys back. Raises NotStored without.
        """
        key = self._new()
        if forget:
            self._set({key.kid: key})
            await self._file.write_or_remove()
        else:
            await self._file.store(lambda: _encode(self._followed_by(key)), lambda: self._set(self._followed_by(key)))
        return key

    async def close(self) -> None:
        """Write changes that could not be written before, if possible now."""
        await self._file.close()

    def _new(self) -> SigningKey:
        return SigningKey(
            secrets.token_urlsafe(32), self._algorithm, secrets.token_bytes(KEY_BYTES), created=self._clock()
        )

    def _followed_by(self, key: SigningKey) -> dict[str, SigningKey]:
        """The keys if `key` signs from now on."""
        now = self._clock()
        retired = {
            kid: dataclasses.replace(each, retired=now) if each.retired is None else each
            for kid, each in self._keys.items()
        }
        return _kept({**retired, key.kid: key}, now)

    def _set(self, keys: dict[str, SigningKey]) -> None:
        self._generation += keys != self._keys
        self._keys = keys


def _kept(keys: dict[str, SigningKey], now: float) -> dict[str, SigningKey]:
    """The keys of which a token may be valid, LIMIT at most. The last one is the key that signs."""
    left = [key for key in keys.values() if key.retired is None or key.retired + LONGEST_TOKEN_S > now]
    return {key.kid: key for key in left[-LIMIT:]}


def _encode(keys: dict[str, SigningKey]) -> bytes:
    return msgspec.json.encode(
        _File([_Key(key.kid, key.algorithm.value, _base64(key.raw), key.created, key.retired) for key in keys.values()])
    )


def _decode(data: bytes) -> list[SigningKey]:
    """Raises msgspec.MsgspecError, ValueError, never with key material in the message."""
    keys = []
    for each in msgspec.json.decode(data, type=_File).keys:
        raw = _unbase64(each.key)
        if len(raw) != KEY_BYTES:
            raise ValueError(f"key: expected {KEY_BYTES} bytes, got {len(raw)}")
        keys.append(SigningKey(each.kid, Algorithm(each.algorithm), raw, each.created, each.retired))
    if not keys:
        raise ValueError("keys: expected at least one")
    return keys


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
