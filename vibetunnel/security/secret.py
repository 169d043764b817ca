"""The secret of this installation, and the keys made from it."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from vibetunnel import paths
from vibetunnel.errors import StartFailed

SECRET_BYTES = 32


def load(state_dir: Path) -> str:
    """The secret, 64 hexadecimal digits; made at the first start. Raises paths.NotPrivate, StartFailed."""
    path = state_dir / paths.SECRET
    try:
        text = paths.read_private(path).decode("ascii", "replace").strip()
    except FileNotFoundError:
        return _make(path)
    if len(text) != 2 * SECRET_BYTES or not all(each in "0123456789abcdef" for each in text):
        raise StartFailed(
            f"{path}: expected {2 * SECRET_BYTES} hexadecimal digits; remove the file, and the server makes a new one"
        )
    return text


def _make(path: Path) -> str:
    secret = secrets.token_hex(SECRET_BYTES)
    # Written to another file, then linked: two first starts at the same time get the same secret.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    paths.write_private(temporary, secret.encode() + b"\n")
    try:
        os.link(temporary, path)
    except FileExistsError:
        return load(path.parent)
    finally:
        temporary.unlink()
    return secret


def derive(secret: str, purpose: str) -> str:
    """A key for one purpose. It reveals nothing about the secret or other keys (HMAC-SHA256 as in HKDF-Expand)."""
    return hmac.digest(bytes.fromhex(secret), f"vibetunnel/1/{purpose}".encode(), "sha256").hex()


def installation(secret: str) -> str:
    """The name of this installation as the issuer of tokens. It is not secret."""
    return f"vibetunnel/{derive(secret, 'installation')[:16]}"


def same(one: str, other: str) -> bool:
    """Whether both are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape"))
