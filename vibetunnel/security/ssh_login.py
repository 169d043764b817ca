"""Logging in with an SSH key: challenges, and whether a signature of one lets its user in.

A client gets 32 random bytes and signs exactly these, with no envelope around them, as an SSH agent does.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from vibetunnel.errors import InvalidField
from vibetunnel.security.ssh_keys import authorised, parse_key, read_authorized_keys, verify
from vibetunnel.security.users import Users

MAX_USER = 256  # characters of a name that a challenge remembers; an account's name is shorter

CHALLENGE_BYTES = 32
CHALLENGE_S = 60.0
CHALLENGES = 10_000  # at once; a newer one replaces the oldest. They take 4 MB.


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
    """The challenges that are still valid: each for one try, and for CHALLENGE_S.

    Every client that asks gets one, also for a user that does not exist: the answer does not tell which accounts there
    are.

    clock  seconds from any start
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open: OrderedDict[str, tuple[Challenge, float]] = OrderedDict()  # with their ends, the oldest first

    def __len__(self) -> int:
        return len(self._open)

    def issue(self, user: str) -> Challenge:
        """A new one for the next login of this user."""
        self._drop_expired()
        while len(self._open) >= CHALLENGES:
            self._open.popitem(last=False)
        data = secrets.token_bytes(CHALLENGE_BYTES)
        challenge = Challenge(secrets.token_urlsafe(16), data, user[:MAX_USER], time.time() + CHALLENGE_S)
        self._open[challenge.id] = challenge, self._clock() + CHALLENGE_S
        return challenge

    def take(self, challenge_id: str) -> Challenge | None:
        """Use the challenge up, whether the try succeeds or not. None: the id is unknown, or the challenge expired."""
        self._drop_expired()
        found = self._open.pop(challenge_id, None)  # an id has 128 random bits: timing does not help to guess one
        return found[0] if found else None

    def _drop_expired(self) -> None:
        now = self._clock()
        while self._open and next(iter(self._open.values()))[1] <= now:
            self._open.popitem(last=False)


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
