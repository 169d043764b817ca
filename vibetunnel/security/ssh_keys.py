"""Logging in with an SSH key: public keys as OpenSSH writes them, challenges, and signatures of those.

A client is given 32 random bytes and signs them as they are, with no envelope around them (an SSH agent does just
that). `from_base64` reads what it sends.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import os
import secrets
import stat
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from vibetunnel.errors import InvalidField

if TYPE_CHECKING:
    from vibetunnel.security.users import Users

TYPES = (
    "ssh-ed25519",  # RFC 8709
    "ecdsa-sha2-nistp256",  # RFC 5656
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",  # RFC 4253 §6.6; as the name of a key, which says nothing about the hash of its signatures
)

MAX_LINE = 16 * 1024  # bytes of a public key with its options and comment
MAX_COMMENT = 256  # characters that are kept
MAX_SIGNATURE = 4096  # bytes; one of RSA with 8192 bits has 1024
MAX_FILE = 1024 * 1024  # bytes of an authorized_keys

MAX_USER = 256  # characters of a name that a challenge remembers; no account has so many

CHALLENGE_BYTES = 32
CHALLENGE_S = 60.0
CHALLENGES = 10_000  # at once; a newer one replaces the oldest. They take 4 MB.

# Options of authorized_keys (sshd(8)) that ask for nothing a terminal in a browser could go against.
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
        raise InvalidField("key", f"a line such as a .pub file has, of type {', '.join(TYPES[:-1])} or {TYPES[-1]}")
    return key


def parse_authorized_keys(text: str) -> list[SshKey]:
    """The keys of an authorized_keys file (sshd(8)) that may do all that a terminal can.

    A line whose options ask for something else (a command, an address, no terminal, an end), that has a key of another
    kind, or that is none at all gives no key.
    """
    found = []
    for line in text.splitlines():
        entry = line.strip()
        if not entry or entry.startswith("#") or len(entry) > MAX_LINE:
            continue
        key = _parse(entry)
        if key is None:  # then it begins with options, as sshd tells one from the other
            options, rest = _split_options(entry)
            if options is None or not all(option.lower() in HARMLESS for option in options):
                continue
            key = _parse(rest)
        if key is not None:
            found.append(key)
    return found


def read_authorized_keys(home: Path) -> list[SshKey]:
    """The keys in `.ssh/authorized_keys` below the home folder of the account that this runs as. Blocks.

    None of them when someone else could have written there (sshd's StrictModes): the file and every folder up to the
    home belongs to this user or root, and nobody else may write to it.
    """
    try:
        home = home.resolve(strict=True)
        path = (home / ".ssh" / "authorized_keys").resolve(strict=True)  # sshd follows links, too
        above = [each for each in path.parents if each.is_relative_to(home)] or list(path.parents)
        if not all(_ours(each.lstat(), stat.S_ISDIR) for each in above):
            return []
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not _ours(os.fstat(file.fileno()), stat.S_ISREG):
                return []
            text = file.read(MAX_FILE + 1)
    except (OSError, RuntimeError):  # not there; links in a circle
        return []
    return parse_authorized_keys(text.decode(errors="replace")) if len(text) <= MAX_FILE else []


def from_base64(text: str, field: str = "signature") -> bytes:
    """The bytes of standard base64, with its padding and nothing else in it (RFC 4648 §4). Raises InvalidField."""
    try:
        if len(text) <= 2 * MAX_SIGNATURE:
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise InvalidField(field, "base64")


def verify(key: SshKey, signature: bytes, data: bytes) -> bool:
    """Whether whoever has the private key signed `data` (signatures.verify). Never raises."""
    from vibetunnel.security import signatures  # here: what it needs is 8 MB, and most servers have no SSH keys

    return signatures.verify(key.type, key.blob, signature, data)


def authorised(key: SshKey, keys: Iterable[SshKey]) -> SshKey | None:
    """The one of `keys` that is this key."""
    # All of them, in a time that does not tell which.
    found = [each for each in keys if each.type == key.type and hmac.compare_digest(each.blob, key.blob)]
    return found[0] if found else None


class Challenge(NamedTuple):
    """What a client has to sign.

    user     as whoever asked for it spelt it; there may be none of this name
    expires  seconds since the epoch
    """

    id: str
    data: bytes
    user: str
    expires: float

    @property
    def text(self) -> str:
        """The bytes in base64."""
        return base64.b64encode(self.data).decode()


class Challenges:
    """The challenges that are still good: each for one try, and for CHALLENGE_S.

    Whoever asks gets one, for users that there are not, too: what comes back does not tell who has an account.

    clock  seconds from anywhere
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: OrderedDict[str, tuple[Challenge, float]] = OrderedDict()  # with their ends, the oldest first

    def __len__(self) -> int:
        return len(self._open)

    def issue(self, user: str) -> Challenge:
        """A new one for this user's next login."""
        self._drop_expired()
        while len(self._open) >= CHALLENGES:
            self._open.popitem(last=False)
        data = secrets.token_bytes(CHALLENGE_BYTES)
        challenge = Challenge(secrets.token_urlsafe(16), data, user[:MAX_USER], time.time() + CHALLENGE_S)
        self._open[challenge.id] = challenge, self._clock() + CHALLENGE_S
        return challenge

    def take(self, challenge_id: str) -> Challenge | None:
        """Use it up, whatever becomes of the try. None: there is none of this id, or it is over."""
        self._drop_expired()
        found = self._open.pop(challenge_id, None)  # 128 random bits: nobody finds them by time
        return found[0] if found else None

    def _drop_expired(self) -> None:
        now = self._clock()
        while self._open and next(iter(self._open.values()))[1] <= now:
            self._open.popitem(last=False)


INVALID_SIGNATURE = "Invalid SSH key signature"  # as the Node server has them
NOT_AUTHORIZED = "SSH key not authorized for this user"


async def refusal(
    challenge: Challenge, public_key: str, signature: str, users: Users, account: str, home: str | Path
) -> str:
    """Why this signature of the challenge does not let its user in; "" when it does.

    public_key  a line as in a .pub file
    signature   base64 of what verify() takes
    account     whose keys are also those in `home`/.ssh/authorized_keys

    Only who has the key in hand learns whether it is somebody's. The same is done for users that there are not.
    """
    kept = await asyncio.to_thread(read_authorized_keys, Path(home))
    try:
        key, signed = parse_key(public_key), from_base64(signature)
    except InvalidField:
        return INVALID_SIGNATURE
    if not verify(key, signed, challenge.data):
        return INVALID_SIGNATURE
    user = users.get(challenge.user)
    allowed = [] if user is None or user.disabled else [*user.keys]
    if challenge.user == account and not (user is not None and user.disabled):
        allowed += kept
    return "" if authorised(key, allowed) else NOT_AUTHORIZED


def _parse(entry: str) -> SshKey | None:
    """A key without options in front; None: it is none that could log in."""
    fields = entry.split(None, 2)
    if len(fields) < 2 or fields[0] not in TYPES:
        return None
    from vibetunnel.security import signatures

    if signatures.public_key(fields[0], fields[1]) is None:
        return None
    comment = "".join(each for each in "".join(fields[2:]) if each.isprintable())
    return SshKey(fields[0], fields[1], comment[:MAX_COMMENT].strip())


def _split_options(entry: str) -> tuple[list[str] | None, str]:
    """(options, rest) at the first blank outside of quotes; None: a quote has no end. `\\"` is a quote inside one."""
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
