"""One-time codes: short enough to type, valid for one login. limits.py bounds the number of guesses."""

from __future__ import annotations

import math
import secrets
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from vibetunnel.errors import WrongCode
from vibetunnel.security.clock import steady
from vibetunnel.security.principal import Principal
from vibetunnel.security.secret import same

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
LENGTH = 10  # characters; 50 bits, out of reach with limits.EVERYBODY tries a minute
LINK_S = 600.0  # lifetime of a code for another device
OUTSTANDING = 20  # codes at once; a newer one replaces the oldest of the user with the most
LONGEST = 64  # characters that are read: a code, with spaces and hyphens that the user typed

_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class _Code(NamedTuple):
    user: str
    expires: float
    maker: Principal | None


class Codes:
    """The valid codes.

    clock  seconds from anywhere
    still  the principal with its present rights; None: it is no longer valid, and so are the codes it made
    """

    def __init__(
        self,
        clock: Callable[[], float] = steady,
        still: Callable[[Principal], Principal | None] = lambda principal: principal,
    ) -> None:
        self._clock = clock
        self._still = still
        self._codes: dict[str, _Code] = {}

    def issue(self, user: str, lifetime_s: float = math.inf, maker: Principal | None = None) -> str:
        """A new code for a login as `user`, in two groups for the eye: `7Q2M4-XK9RT`.

        maker  the principal that asked for it, and whose end invalidates it; None: the server itself
        """
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        self._drop_expired()
        while len(self._codes) >= OUTSTANDING:
            [(crowd, _)] = Counter(each.user for each in self._codes.values()).most_common(1)
            # The code that is printed at the start does not expire, so it is dropped last.
            theirs = [each for each in self._codes if self._codes[each].user == crowd]
            del self._codes[min(theirs, key=lambda each: self._codes[each].expires)]
        self._codes[code] = _Code(user, self._clock() + lifetime_s, maker)
        return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"

    def redeem(self, text: str) -> str:
        """Use a code up. Returns its user. Raises WrongCode."""
        self._drop_expired()
        typed = text[:LONGEST].upper().translate(_READ_AS)
        found = [code for code in self._codes if same(code, typed)]  # compares all, so that the time tells nothing
        if not found:
            raise WrongCode
        return self._codes.pop(found[0]).user

    def forget_user(self, user: str) -> None:
        """Make all codes for `user` invalid."""
        self._codes = {code: each for code, each in self._codes.items() if each.user != user}

    def forget_made(self) -> None:
        """Make all codes invalid that a principal has asked for: it may have been an attacker."""
        self._codes = {code: each for code, each in self._codes.items() if each.maker is None}

    def _drop_expired(self) -> None:
        now = self._clock()
        self._codes = {
            code: each
            for code, each in self._codes.items()
            if each.expires > now and (each.maker is None or self._still(each.maker) is not None)
        }
