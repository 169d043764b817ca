"""Signatures by SSH keys: everything here needs the package cryptography, 8 MB that ssh_keys.py imports late."""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_key

MAX_BYTES = 4096  # of a signature; one of RSA with 8192 bits has 1024

ED25519 = "ssh-ed25519"  # RFC 8709
CURVES: dict[str, hashes.HashAlgorithm] = {  # RFC 5656 §6.2.1
    "ecdsa-sha2-nistp256": hashes.SHA256(),
    "ecdsa-sha2-nistp384": hashes.SHA384(),
    "ecdsa-sha2-nistp521": hashes.SHA512(),
}
RSA_HASHES: dict[str, hashes.HashAlgorithm] = {  # RFC 8332 §3; not SHA-1
    "rsa-sha2-256": hashes.SHA256(),
    "rsa-sha2-512": hashes.SHA512(),
}
RSA_BITS = (2048, 8192)  # NIST SP 800-131A; a larger key costs the server time and adds no security
RSA_EXPONENT_BITS = 32  # an attacker's key must not cost much time; the usual exponent is 65537

PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey


def verify(name: str, blob: str, signature: bytes, data: bytes) -> bool:
    """Whether the private key of this public key signed `data`. Never raises.

    name, blob  of the public key
    signature  Ed25519: 64 bytes (RFC 8032); ECDSA: DER, or r and s of the curve's length (RFC 7518 §3.4), over the
               curve's own hash; RSA: PKCS #1 v1.5 with SHA-256 or SHA-512. Or each as SSH sends it: its name and the
               signature, as strings (RFC 4253 §6.6, RFC 5656 §3.1.2, RFC 8332 §3).
    """
    public = public_key(name, blob)
    if public is None or len(signature) > MAX_BYTES:
        return False
    form, inner = _unpack(signature)
    if isinstance(public, ed25519.Ed25519PublicKey):
        return _holds(lambda: public.verify(inner if form == ED25519 else signature, data))
    if isinstance(public, rsa.RSAPublicKey):
        algorithms = [RSA_HASHES[form]] if form in RSA_HASHES else list(RSA_HASHES.values())
        plain = inner if form in RSA_HASHES else signature
        return any(_holds(lambda: public.verify(plain, data, padding.PKCS1v15(), each)) for each in algorithms)  # noqa: B023 (called at once)
    ecdsa = ec.ECDSA(CURVES[name])
    tried = _mpints(inner) if form == name else [signature, *_halves(signature, (public.key_size + 7) // 8)]
    return any(_holds(lambda: public.verify(each, data, ecdsa)) for each in tried)  # noqa: B023 (called at once)


def public_key(name: str, blob: str) -> PublicKey | None:
    """The key in base64, if it has this type, is large enough, and is written in its one canonical form; else None."""
    try:
        found = load_ssh_public_key(f"{name} {blob}".encode("ascii"))
        again = found.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    except (ValueError, UnsupportedAlgorithm):
        return None
    if again != f"{name} {blob}":
        return None
    if isinstance(found, rsa.RSAPublicKey):
        small = found.public_numbers().e.bit_length() <= RSA_EXPONENT_BITS
        return found if small and RSA_BITS[0] <= found.key_size <= RSA_BITS[1] else None
    return found if isinstance(found, (ed25519.Ed25519PublicKey, ec.EllipticCurvePublicKey)) else None


def _unpack(signature: bytes) -> tuple[str, bytes]:
    """(name, signature) of an SSH signature (RFC 4251 §5); ("", b""): it has another form."""
    name, rest = _string(signature)
    inner, more = _string(rest or b"")
    if name is None or inner is None or more or not name.isascii():
        return "", b""
    return name.decode("ascii"), inner


def _string(data: bytes) -> tuple[bytes | None, bytes]:
    """(a string of the SSH wire form, the rest after it); (None, b""): there is no whole string."""
    end = 4 + int.from_bytes(data[:4], "big")
    return (data[4:end], data[end:]) if 4 <= end <= len(data) and len(data) >= 4 else (None, b"")


def _halves(signature: bytes, half: int) -> list[bytes]:
    """r and s, of `half` bytes each, as DER; [] if they have another length."""
    if len(signature) != 2 * half:
        return []
    return [_der(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))]


def _mpints(signature: bytes) -> list[bytes]:
    """r and s, which SSH writes as mpints (RFC 4251 §5), as DER; [] if they are not mpints."""
    r, rest = _string(signature)
    s, more = _string(rest)
    if r is None or s is None or more:
        return []
    return [_der(int.from_bytes(r, "big", signed=True), int.from_bytes(s, "big", signed=True))]


def _der(r: int, s: int) -> bytes:
    return utils.encode_dss_signature(max(0, r), max(0, s))  # r and s of a signature are positive; 0 fails


def _holds(check: Callable[[], None]) -> bool:
    try:
        check()
    except (InvalidSignature, ValueError):
        return False
    return True
