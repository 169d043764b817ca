"""Public SSH keys as OpenSSH writes them: one line, or an authorized_keys file.

Everything that needs the package cryptography (8 MB of memory) is in signatures.py, and imported at the first key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from vibetunnel.errors import InvalidField

TYPES = (
    "ssh-ed25519",  # RFC 8709
    "ecdsa-sha2-nistp256",  # RFC 5656
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",  # RFC 4253 §6.6; names the key only, not the hash of its signatures
)

MAX_LINE = 16 * 1024  # bytes of a public key with its options and comment
MAX_COMMENT = 256  # characters that are kept
MAX_FILE = 1024 * 1024  # bytes of an authorized_keys

# Options of authorized_keys (sshd(8)) that restrict nothing a terminal in a browser could do.
HARMLESS = frozenset(
    f"{no}{what}" for no in ("", "no-") for what in ("agent-forwarding", "port-forwarding", "user-rc", "x11-forwarding")
) | {"pty"}


class SshKey(msgspec.Struct, frozen=True):
    """A public key. `blob` is its canonical wire form (RFC 4253 §6.6) in base64: equal blobs are equal keys."""

    type: str
    blob: str
    comment: str = ""

    @property
    def fingerprint(self) -> str:
        """As `ssh-keygen -l` shows it: `SHA256:` and base64 without padding."""
        digest = hashlib.sha256(base64.b64decode(self.blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def parse_key(line: str) -> SshKey:
    """`type base64 [comment]`, the line of a .pub file. Raises InvalidField."""
    key = _parse(line.strip()) if len(line) <= MAX_LINE else None
    if key is None:
        raise InvalidField("key", f"the line of a .pub file, of type {', '.join(TYPES[:-1])} or {TYPES[-1]}")
    return key


def parse_authorized_keys(text: str) -> list[SshKey]:
    """The keys of an authorized_keys file (sshd(8)) that allow a terminal without restriction.

    A line is left out if its options restrict the key (a command, an address, no terminal, an expiry time). Keys of
    other types and lines without a key are left out, too.
    """
    found = []
    for line in text.splitlines():
        entry = line.strip()
        if not entry or entry.startswith("#") or len(entry) > MAX_LINE:
            continue
        key = _parse(entry)
        if key is None:  # then the line begins with options; sshd tells them from a key in the same way
            options, rest = _split_options(entry)
            if options is None or not all(option.lower() in HARMLESS for option in options):
                continue
            key = _parse(rest)
        if key is not None:
            found.append(key)
    return found


def read_authorized_keys(home: Path) -> list[SshKey]:
    """The keys in `.ssh/authorized_keys` below the home folder of the account that this runs as. Blocks.

    Returns no key if another user could have written there (sshd's StrictModes). The file and every folder up to the
    home must belong to this user or root, and must not be writable by others.
    """
    try:
        home = home.resolve(strict=True)
        path = (home / ".ssh" / "authorized_keys").resolve(strict=True)  # sshd follows links too
        above = [each for each in path.parents if each.is_relative_to(home)] or list(path.parents)
        if not all(_ours(each.lstat(), stat.S_ISDIR) for each in above):
            return []
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not _ours(os.fstat(file.fileno()), stat.S_ISREG):
                return []
            text = file.read(MAX_FILE + 1)
    except (OSError, RuntimeError):  # there is no such file, or the links form a circle
        return []
    return parse_authorized_keys(text.decode(errors="replace")) if len(text) <= MAX_FILE else []


def verify(key: SshKey, signature: bytes, data: bytes) -> bool:
    """Whether the private key of `key` signed `data` (signatures.verify). Never raises."""
    from vibetunnel.security import signatures  # here: 8 MB, and most servers have no SSH keys

    return signatures.verify(key.type, key.blob, signature, data)


def authorised(key: SshKey, keys: Iterable[SshKey]) -> SshKey | None:
    """The one of `keys` that is this key."""
    # Compares with all of them, so that the time does not tell which one it is.
    found = [each for each in keys if each.type == key.type and hmac.compare_digest(each.blob, key.blob)]
    return found[0] if found else None


def _parse(entry: str) -> SshKey | None:
    """A key without options before it; None: it is not a key that may log in."""
    fields = entry.split(None, 2)
    if len(fields) < 2 or fields[0] not in TYPES:
        return None
    from vibetunnel.security import signatures

    if signatures.public_key(fields[0], fields[1]) is None:
        return None
    comment = "".join(each for each in "".join(fields[2:]) if each.isprintable())
    return SshKey(fields[0], fields[1], comment[:MAX_COMMENT].strip())


def _split_options(entry: str) -> tuple[list[str] | None, str]:
    """(options, rest), split at the first blank outside of quotes; None: a quote has no end. `\\"` is one inside."""
    options, start, quoted, at = [], 0, False, 0
    while at < len(entry):
        character = entry[at]
        if character == "\\" and entry[at + 1 : at + 2] == '"':
            at += 1
        elif character == '"':
            quoted = not quoted
        elif not quoted and character in ", \t":
            options.append(entry[start:at])
            start = at + 1
            if character != ",":
                return options, entry[start:].strip()
        at += 1
    return None, ""


def _ours(found: os.stat_result, kind: Callable[[int], bool]) -> bool:
    return kind(found.st_mode) and found.st_uid in (0, os.getuid()) and not found.st_mode & 0o022
