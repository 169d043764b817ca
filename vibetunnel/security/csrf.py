"""Tokens against forged requests of other sites, bound to a login. Pure, and nothing is stored.

A browser sends our cookie with every request to us, whichever page made it. Only our page can read and send the token.
Double submit with a signature: OWASP Cross-Site Request Forgery Prevention Cheat Sheet, "Signed Double-Submit Cookie";
the login's id stands for the cookie. A nonce makes every token different, so that compression reveals nothing.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets

NONCE_BYTES = 16

_PURPOSE = b"vibetunnel/csrf/1\0"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{64}")  # 48 bytes: no spare bits, no padding, one spelling


def issue(key: str, login_id: str) -> str:
    """A new token for this login, 64 characters of base64url.

    key       hexadecimal, as secret.derive(..., "csrf") gives it
    login_id  of the login that the cookie names
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    return base64.urlsafe_b64encode(nonce + _mac(key, login_id, nonce)).decode()


def valid(key: str, login_id: str, token: str | None) -> bool:
    """Whether `token` was issued with this key for this login. Never raises, whatever the token is."""
    if token is None or _TOKEN.fullmatch(token) is None:
        return False
    data = base64.urlsafe_b64decode(token)
    return hmac.compare_digest(_mac(key, login_id, data[:NONCE_BYTES]), data[NONCE_BYTES:])


def _mac(key: str, login_id: str, nonce: bytes) -> bytes:
    return hmac.digest(bytes.fromhex(key), _PURPOSE + nonce + login_id.encode(), "sha256")
