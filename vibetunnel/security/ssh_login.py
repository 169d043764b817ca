"""Logging in with an SSH key: challenges, and whether a signature of one lets its user in.

A client gets 32 random bytes and signs exactly these, with no envelope around them, as an SSH agent does.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import math
import secrets
import struct
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from vibetunnel.errors import InvalidField
from vibetunnel.security.clock import steady
from vibetunnel.security.secret import same
from vibetunnel.security.ssh_keys import authorised, parse_key, read_authorized_keys, verify
from vibetunnel.security.users import Users

MAX_USER = 256  # bytes of a name that a challenge has in its id; an account's name is shorter

CHALLENGE_BYTES = 32  # of SHA-256
CHALLENGE_S = 60.0
USED = 10_000  # used challenges that are remembered, some 100 bytes each

_FIELDS = struct.Struct(">16sdd")  # of an id, before the name: random bytes, its end by the clock, and since the epoch


class Challenge(NamedTuple):
    """The data that a client has to sign.

    user     the name that the client gave; there may be no such account
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
    """Makes challenges: each for one try, and for CHALLENGE_S.

    Every client that asks gets one, also for a user that does not exist: the answer does not tell which accounts there
    are. Only used ones are remembered, so that no number of clients that ask can push out the challenge of another: an
    id has all that belongs to its challenge, and the data to sign are its HMAC, which only this server can make. If
    more than USED are used within CHALLENGE_S, one is forgotten, and all that are as old or older expire with it.

    clock  seconds from any start, never backwards
    """

    def __init__(self, clock: Callable[[], float] = steady) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)
        self._used: OrderedDict[str, float] = OrderedDict()  # ids with their ends, about the oldest first
        self._forgotten = -math.inf  # the latest end of those that were forgotten before it

    def __len__(self) -> int:
        """How many are remembered."""
        return len(self._used)

    def issue(self, user: str) -> Challenge:
        """A new one for the next login of this user."""
        name = user.encode("utf-8", "replace")[:MAX_USER]
        ends = self._clock() + CHALLENGE_S, time.time() + CHALLENGE_S
        return self._made(_FIELDS.pack(secrets.token_bytes(16), *ends) + name)

    def take(self, challenge_id: str) -> Challenge | None:
        """Use the challenge up, whether the try succeeds or not. None: it is unknown, was used, or has expired."""
        fields, now = self._fields(challenge_id), self._clock()
        while self._used and next(iter(self._used.values())) <= now:
            self._used.popitem(last=False)
        if fields is None:
            return None
        _, end, _ = _FIELDS.unpack_from(fields)
        if end <= now or end <= self._forgotten or challenge_id in self._used:
            return None
        self._used[challenge_id] = end
        if len(self._used) > USED:
            self._forgotten = max(self._forgotten, self._used.popitem(last=False)[1])
        return self._made(fields)

    def _made(self, fields: bytes) -> Challenge:
        challenge_id = base64.urlsafe_b64encode(self._mac(b"id", fields)[:16] + fields).decode().rstrip("=")
        _, _, expires = _FIELDS.unpack_from(fields)
        user = fields[_FIELDS.size :].decode("utf-8", "ignore")  # the name may have been cut within a character
        return Challenge(challenge_id, self._mac(b"data", fields), user, expires)

    def _fields(self, challenge_id: str) -> bytes | None:
        """The fields of an id that this server has made; None: it has not, or the id is spelt in another way."""
        try:
            found = base64.b64decode(challenge_id + "=" * (-len(challenge_id) % 4), altchars=b"-_", validate=True)[16:]
        except ValueError:  # binascii.Error is one, and text that is not ASCII raises one
            return None
        right = len(found) >= _FIELDS.size and same(self._made(found).id, challenge_id)
        return found if right else None

    def _mac(self, purpose: bytes, fields: bytes) -> bytes:
        return hmac.digest(self._key, purpose + b"\0" + fields, "sha256")


INVALID_SIGNATURE = "Invalid SSH key signature"  # the words of VibeTunnel's Node server
NOT_AUTHORIZED = "SSH key not authorized for this user"


async def refusal(
    challenge: Challenge, public_key: str, signature: str, users: Users, account: str, home: str | Path
) -> str:
    """Why this signature of the challenge does not let its user in; "": it does.

    public_key  a line of a .pub file
    signature   in base64; signatures.verify() says in which forms
    account     the user whose keys are also those in `home`/.ssh/authorized_keys

    Only a client that has the private key learns whether the key belongs to a user. The work is the same for a user
    that does not exist.
    """
    own = await asyncio.to_thread(read_authorized_keys, Path(home))
    signed = _from_base64(signature)
    try:
        key = parse_key(public_key)
    except InvalidField:
        return INVALID_SIGNATURE
    if signed is None or not verify(key, signed, challenge.data):
        return INVALID_SIGNATURE
    user = users.get(challenge.user)
    allowed = [] if user is None or user.disabled else [*user.keys]
    if challenge.user == account and not (user is not None and user.disabled):
        allowed += own
    return "" if authorised(key, allowed) else NOT_AUTHORIZED


def _from_base64(text: str) -> bytes | None:
    """The bytes of standard base64, with its padding and nothing else in it (RFC 4648 §4); None: `text` is not that."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one
        return None
