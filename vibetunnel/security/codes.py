"""One-time codes: short enough to type, good for one login, few wrong tries."""

from __future__ import annotations

import ipaddress
import math
import secrets
import time
from collections import deque
from collections.abc import Callable

from vibetunnel.errors import TooManyTries, WrongCode
from vibetunnel.security.secret import same

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
LENGTH = 10  # characters; 50 bits, out of reach for ALL_WRONG_TRIES a minute
WRONG_TRIES = 10  # in WINDOW_S from one address, so that nobody can keep the others out
ALL_WRONG_TRIES = 1000  # in WINDOW_S from everywhere: an address costs a guesser nothing
WINDOW_S = 60.0
LINK_S = 600.0  # how long a code made for another device is good
OUTSTANDING = 20  # codes at once; a newer one replaces the oldest

_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


class Codes:
    """The codes that are still good. `clock` counts seconds from anywhere."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._expiry: dict[str, float] = {}  # code -> when it ends
        self._wrong: deque[tuple[float, str]] = deque()  # (when, from which network), oldest first

    def issue(self, lifetime_s: float = math.inf) -> str:
        """A new code, in two groups for the eye: `7Q2M4-XK9RT`."""
        code = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
        self._drop_expired()
        while len(self._expiry) >= OUTSTANDING:
            # The one printed at the start has no end, and goes last.
            del self._expiry[min(self._expiry, key=self._expiry.__getitem__)]
        self._expiry[code] = self._clock() + lifetime_s
        return f"{code[: LENGTH // 2]}-{code[LENGTH // 2 :]}"

    def redeem(self, text: str, peer: str = "") -> None:
        """Use a code up. Raises WrongCode, and TooManyTries (for a right one too) after too many wrong ones.

        peer  IP address of whoever tries
        """
        now, network = self._clock(), _network(peer)
        while self._wrong and self._wrong[0][0] <= now - WINDOW_S:
            self._wrong.popleft()
        own = [when for when, where in self._wrong if where == network]
        if len(own) >= WRONG_TRIES or len(self._wrong) >= ALL_WRONG_TRIES:
            oldest = own[-WRONG_TRIES] if len(own) >= WRONG_TRIES else self._wrong[0][0]
            raise TooManyTries(max(1, math.ceil(oldest + WINDOW_S - now)))
        self._drop_expired()
        typed = text.upper().translate(_READ_AS)
        found = [code for code in self._expiry if same(code, typed)]  # all of them, whichever fits
        if not found:
            self._wrong.append((now, network))
            raise WrongCode
        del self._expiry[found[0]]

    def _drop_expired(self) -> None:
        now = self._clock()
        self._expiry = {code: end for code, end in self._expiry.items() if end > now}


def _network(peer: str) -> str:
    """What one guesser has: an IPv4 address, or a whole /64 of IPv6."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
