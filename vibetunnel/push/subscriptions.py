"""The browsers that want notifications, and the key that shows their push services who sends them: one file."""

from __future__ import annotations

import base64
import functools
import secrets
import time
from pathlib import Path
from typing import Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from vibetunnel.errors import InvalidField, LimitReached
from vibetunnel.security.state_file import StateFile

LIMIT = 1000  # subscriptions
LIMIT_OF_USER = 20  # a newer one replaces the oldest: browsers renew theirs
_POINT = 65  # bytes of an uncompressed point of P-256 (RFC 8291 §3.1)
_AUTH = 16  # bytes of the authentication secret (RFC 8291 §3.2)


class VapidKey:
    """The key of this server (RFC 8292). A browser's subscription is bound to it."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self.private = private

    @classmethod
    def made(cls) -> VapidKey:
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def decoded(cls, text: str) -> VapidKey:
        """Raises ValueError."""
        private = load_der_private_key(base64.b64decode(text, validate=True), None)
        if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
            raise ValueError("expected a key of the curve P-256")
        return cls(private)

    @functools.cached_property
    def encoded(self) -> str:
        der = self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return base64.b64encode(der).decode()

    @functools.cached_property
    def public(self) -> str:
        """The public key, as browsers take it."""
        return _base64url(self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


class PushSubscription(msgspec.Struct, kw_only=True, frozen=True):
    """One browser that wants notifications.

    credential    id of the principal that has asked for it: it counts as long as that one does
    p256dh, auth  keys that encrypt for this browser, in base64url
    created       seconds since the epoch
    """

    id: str
    user: str
    credential: str
    endpoint: str
    p256dh: str
    auth: str
    created: float


class _File(msgspec.Struct):
    key: str
    subscriptions: list[PushSubscription]
    format: Literal[1] = 1


class Subscriptions:
    """All subscriptions, one for each endpoint. The constructor blocks: call it at the start."""

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path, lambda: self._encode(self._all), "subscriptions to notifications")
        found = self._file.load(_decode, lost="all browsers have to turn notifications on again")
        self.key, self._all = (VapidKey.made(), {}) if found is None else found
        if found is None:
            self._file.write_now()

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, subscription: object) -> bool:
        return isinstance(subscription, PushSubscription) and self._all.get(subscription.endpoint) is subscription

    def all(self) -> list[PushSubscription]:
        return [*self._all.values()]

    def of(self, user: str) -> list[PushSubscription]:
        return [each for each in self._all.values() if each.user == user]

    async def add(self, *, user: str, credential: str, endpoint: str, p256dh: str, auth: str) -> PushSubscription:
        """Keep a subscription. Raises InvalidField, LimitReached, NotStored.

        It replaces another one of the endpoint, as when another user logs in: only the browser itself knows that.
        """
        made = PushSubscription(
            id=secrets.token_hex(8),
            user=user,
            credential=credential,
            endpoint=endpoint,
            p256dh=_key(p256dh),
            auth=_auth(auth),
            created=time.time(),
        )

        def added() -> dict[str, PushSubscription]:
            left = {key: each for key, each in self._all.items() if key != endpoint}
            own = sorted((each for each in left.values() if each.user == user), key=lambda each: each.created)
            for oldest in own[: max(0, len(own) - LIMIT_OF_USER + 1)]:
                del left[oldest.endpoint]
            if len(left) >= LIMIT:
                raise LimitReached("browsers with notifications", LIMIT)
            return {**left, endpoint: made}

        def give() -> None:
            self._all = added()

        await self._file.store(lambda: self._encode(added()), give)
        return made

    async def remove(self, user: str, endpoint: str) -> bool:
        """Forget a subscription of this user. False: there was none."""
        found = self._all.get(endpoint)
        if found is None or found.user != user:
            return False
        del self._all[endpoint]
        await self._file.write()
        return True

    def drop(self, subscription: PushSubscription) -> None:
        """Forget a subscription that no longer counts. The file follows soon."""
        if subscription in self:
            del self._all[subscription.endpoint]
            self._file.write_soon()

    async def close(self) -> None:
        await self._file.close()

    def _encode(self, subscriptions: dict[str, PushSubscription]) -> bytes:
        return msgspec.json.encode(_File(self.key.encoded, [*subscriptions.values()]))


def _decode(data: bytes) -> tuple[VapidKey, dict[str, PushSubscription]]:
    found = msgspec.json.decode(data, type=_File)
    return VapidKey.decoded(found.key), {each.endpoint: each for each in found.subscriptions}


def _key(text: str) -> str:
    raw = _decoded(text, "keys.p256dh", _POINT)
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
    except ValueError:
        raise InvalidField("keys.p256dh", "a point of the curve P-256") from None
    return _base64url(raw)


def _auth(text: str) -> str:
    return _base64url(_decoded(text, "keys.auth", _AUTH))


def _decoded(text: str, field: str, size: int) -> bytes:
    """The bytes of base64 in either alphabet, with or without padding: clients differ. Raises InvalidField."""
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        raw = b""
    if len(raw) != size:
        raise InvalidField(field, f"{size} bytes in base64")
    return raw


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
