"""One-time codes: short enough to type, good for one login. How often one may try is for limits.py to say."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from vibetunnel.errors import WrongCode
from vibetunnel.security.principal import Principal
from vibetunnel.security.secret import same

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
LENGTH = 10  # characters; 50 bits, out of reach for limits.EVERYBODY tries a minute
LINK_S = 600.0  # how long a code made for another device is good
OUTSTANDING = 20  # codes at once; a newer one replaces the oldest
LONGEST = 64  # characters that are looked at: a code with any spaces and hyphens that one may type

_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class _Code(NamedTuple):
    user: str
    expires: float
    maker: Principal | None


class Codes:
    """The codes that are still good.

    clock  seconds from anywhere
    still  who a principal is now; None: nobody any more, and the codes that they have made let nobody in
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        still: Callable[[Principal], Principal | None] = lambda principal: principal,
    ) -> None:
        self._clock = clock
        self._still = still
        self._codes: dict[str, _Code] = {}

    def issue(self, user: str, lifetime_s: float = math.inf, maker: Principal | None = None) -> str:
        """A new code for a login as `user`, in two groups for the eye: `7Q2M4-XK9RT`.

        maker  who has asked for it, with whose access it ends; None: the server itself
        """
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        self._drop_expired()
        while len(self._codes) >= OUTSTANDING:
            # The one printed at the start has no end, and goes last.
            del self._codes[min(self._codes, key=lambda each: self._codes[each].expires)]
        self._codes[code] = _Code(user, self._clock() + lifetime_s, maker)
        return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"

    def redeem(self, text: str) -> str:
        """Use a code up. Returns the user whom it is for. Raises WrongCode."""
        self._drop_expired()
        typed = text[:LONGEST].upper().translate(_READ_AS)
        found = [code for code in self._codes if same(code, typed)]  # all of them, whichever fits
        if not found:
            raise WrongCode
        return self._codes.pop(found[0]).user

    def forget_user(self, user: str) -> None:
        """No code lets anybody in as `user` any more."""
        self._codes = {code: each for code, each in self._codes.items() if each.user != user}

    def forget_made(self) -> None:
        """No code lets anybody in that somebody has asked for: whoever it was may have been somebody else."""
        self._codes = {code: each for code, each in self._codes.items() if each.maker is None}

    def _drop_expired(self) -> None:
        now = self._clock()
        self._codes = {
            code: each
            for code, each in self._codes.items()
            if each.expires > now and (each.maker is None or self._still(each.maker) is not None)
        }
