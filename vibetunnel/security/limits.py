"""How much one may ask in how short a time: requests by user or address, tries to log in, bytes of input."""

from __future__ import annotations

import functools
import ipaddress
import math
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from vibetunnel.errors import RateLimited
from vibetunnel.security.addresses import network, parse_address
from vibetunnel.security.counters import Counters, MemoryCounters

if TYPE_CHECKING:
    from vibetunnel.security.principal import Principal
    from vibetunnel.settings import Settings

K = TypeVar("K")
V = TypeVar("V")

WINDOW_S = 60

# Tries to log in. Failures up to FREE are without a delay; then it doubles from 1 s with each.
PAIR_FREE = 3  # of one network for one account: a slip, caps lock, the other password
NETWORK_FREE = 10  # of one network for whatever accounts, codes and links: there may be an office behind it
ACCOUNT_FREE = 30  # for one account from everywhere
MAX_DELAY_S = 300.0  # for a network, and for one account from one network
MAX_ACCOUNT_DELAY_S = 30.0  # for an account from networks it never came from: others must not shut it for long
EVERYBODY = 600  # tries a minute from networks that are not known; an address costs a guesser nothing
FORGIVE_S = 300.0  # in which one failure is forgotten
KNOWN_S = 30 * 24 * 3600.0  # since an account last came in from a network
LIMIT = 10_000  # entries of each table; beyond it the one that was touched longest ago is forgotten
LONGEST_ACCOUNT = 64  # characters; longer names are none, and count together

INPUT_BURST = 1024 * 1024  # bytes; a request's body is not larger, so a paste is never cut by the limit on input


class Quota(NamedTuple):
    """What is left of a limit. reset_s: until there is one more, rounded up."""

    policy: str
    limit: int
    remaining: int
    reset_s: int


class Rule(NamedTuple):
    """So many of `name` a minute."""

    name: str
    amount: int


class Limits:
    """The limits of one server. Every method returns at once, and raises RateLimited or counts.

    Whoever is `Principal.local` (the installation's secret, --no-auth) is never limited. A principal counts by its
    user name whatever it came with, a guest by network (anyone can open a link twice), nobody by address: an IPv4
    address, or an IPv6 /64.

    Failed logins are counted by (account, network), by network and by account, a network being an IPv4 /24 or an
    IPv6 /64, with delays that double, and there is a limit on all tries together. Where an account has come in before,
    only the first of these counts: whoever guesses its password elsewhere cannot shut it out there. Elsewhere the right
    password waits for at most MAX_ACCOUNT_DELAY_S after a guess of others; keys and codes belong to no account, and are
    not shut by guesses at one.

    refused  refusals so far by what was too much: requests, sessions, connections, logins, input
    counters where requests are counted; None: in memory
    clock    seconds from anywhere, never backwards
    """

    def __init__(
        self,
        settings: Settings,
        counters: Counters | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._counters = MemoryCounters() if counters is None else counters
        self._api = _rule("requests", settings.rate_limit)
        self._anonymous = _rule("requests", settings.rate_limit_anonymous)
        self._create = _rule("sessions", settings.rate_limit_sessions)
        self._upgrade = _rule("connections", settings.rate_limit_upgrades)
        self._everybody = Rule("logins", EVERYBODY)
        self._pairs = _Failures(PAIR_FREE, MAX_DELAY_S)
        self._networks = _Failures(NETWORK_FREE, MAX_DELAY_S)
        self._accounts = _Failures(ACCOUNT_FREE, MAX_ACCOUNT_DELAY_S)
        self._known: dict[tuple[str, str], float] = {}  # (account, network) -> when it last came in
        self._input_rate = settings.input_rate
        self._input: dict[str, tuple[float, float]] = {}  # who -> (bytes that they may still send, since when)
        self.refused: Counter[str] = Counter()

    # Requests

    def api(self, principal: Principal | None, address: str) -> Quota | None:
        """Count one request. Returns what is left, for headers(); None: there is no limit.

        address  the client's, not the proxy's
        """
        if principal is None:
            return None if self._anonymous is None else self._hit(self._anonymous, nearby(address))
        if self._api is None or principal.local:
            return None
        return self._hit(self._api, _who(principal, address))

    def create(self, principal: Principal) -> None:
        """Count one new session."""
        if self._create is not None and not principal.local:
            self._hit(self._create, _who(principal, ""))

    def upgrade(self, principal: Principal | None, address: str) -> None:
        """Count one new WebSocket or event stream."""
        if self._upgrade is not None and not (principal is not None and principal.local):
            self._hit(self._upgrade, nearby(address) if principal is None else _who(principal, address))

    def input_bytes(self, principal: Principal, count: int, address: str = "") -> None:
        """Count `count` bytes that a request (not a WebSocket: the pump counts there) wants to type.

        They pass as long as something is left, and may overdraw it: an input of any size comes through, once.
        """
        if not self._input_rate or principal.local:
            return
        who, now = _who(principal, address), self._clock()
        burst = max(self._input_rate, INPUT_BURST)
        left, since = self._input.pop(who, (burst, now))
        left = min(burst, left + (now - since) * self._input_rate)
        if left > 0:
            self._input[who] = (left - count, now)
            _bound(self._input)
            return
        self._input[who] = (left, now)
        self.refused["input"] += 1
        raise RateLimited("input", max(1, math.ceil(-left / self._input_rate)))

    # Tries

    def login(self, account: str | None, address: str) -> None:
        """Before a password, a key or a code is looked at: may it be? It counts as wrong until login_succeeded().

        Thus a thousand tries at once are no way around, and there is nothing to forget after a wrong one.
        account  the name as it was given, whether there is one or not; "" or None: for a code, a link or a key
        """
        now, network = self._clock(), network_of(address)
        tables = self._tables(account, network, now)
        wait_s = max(table.wait_s(key, now) for table, key in tables)
        if wait_s > 0:
            self.refused["logins"] += 1
            raise RateLimited("logins", math.ceil(wait_s))
        if len(tables) > 1 or not account:  # not known
            self._hit(self._everybody, "")
        for table, key in tables:
            table.add(key, now)

    def login_succeeded(self, account: str | None, address: str) -> None:
        """The try that login() let pass, with the same arguments, was right. The network is known to the account now.

        It clears what failed for this account from this network, and nothing else: an own account is no cover for
        guesses at others.
        """
        now, network = self._clock(), network_of(address)
        if not account:
            self._networks.take_back(network)
            return
        for table, key in self._tables(account, network, now)[1:]:
            table.take_back(key)
        pair = (account[:LONGEST_ACCOUNT], network)
        self._pairs.clear(pair)
        self._known.pop(pair, None)
        self._known[pair] = now
        _bound(self._known)

    def share(self, address: str) -> None:
        """Before the code of a share link is looked at; it counts as wrong until share_succeeded()."""
        self.login(None, address)

    def share_succeeded(self, address: str) -> None:
        """The code that share() let pass was right."""
        self.login_succeeded(None, address)

    def forget_account(self, account: str) -> None:
        """Of one that was removed, or got a new password, nothing is known any more: it has to show itself anew."""
        for pair in [each for each in self._known if each[0] == account]:
            del self._known[pair]

    # Within

    def _tables(self, account: str | None, network: str, now: float) -> list[tuple[_Failures, object]]:
        """Where a try of this account from this network counts, and as what."""
        if not account:
            return [(self._networks, network)]
        account = account[:LONGEST_ACCOUNT]
        pair = (account, network)
        if self._known.get(pair, -math.inf) + KNOWN_S > now:
            return [(self._pairs, pair)]
        return [(self._pairs, pair), (self._networks, network), (self._accounts, account)]

    def _hit(self, rule: Rule, key: str) -> Quota:
        """Count one in a sliding window: what the last minute had is this window's count, and the part of the window
        before that is less than a minute ago, as if its requests had come evenly."""
        now = self._clock()
        window, left_s = int(now // WINDOW_S), WINDOW_S - now % WINDOW_S
        previous, current = self._counters.get(rule.name, key, window)
        passes = int(previous * left_s / WINDOW_S) + current < rule.amount
        if passes:
            self._counters.add(rule.name, key, window)
            current += 1
        remaining = max(0, rule.amount - int(previous * left_s / WINDOW_S) - current)
        wait_s = 0.0
        if not remaining:
            if current < rule.amount:  # as soon as the window before weighs little enough
                wait_s = left_s - (rule.amount - current) * WINDOW_S / previous
            else:  # the next window begins with the weight of this one
                wait_s = left_s + WINDOW_S * (1 - rule.amount / current)
        quota = Quota(rule.name, rule.amount, remaining, max(1, math.ceil(wait_s + 0.001)))
        if not passes:
            self.refused[rule.name] += 1
            raise RateLimited(rule.name, quota.reset_s, limit=quota.limit, remaining=remaining, reset_s=quota.reset_s)
        return quota


def headers(of: Quota | RateLimited) -> dict[str, str]:
    """Fields for an answer: RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10), the three older
    ones that clients know (drafts up to 06), and of a refusal Retry-After (RFC 9110, section 10.2.3)."""
    found: dict[str, str] = {}
    if isinstance(of, RateLimited):
        found["Retry-After"] = str(of.retry_after_s)
        if not of.limit:
            return found
        of = Quota(of.what, of.limit, of.remaining, of.reset_s)
    found["RateLimit-Policy"] = f'"{of.policy}";q={of.limit};w={WINDOW_S}'
    found["RateLimit"] = f'"{of.policy}";r={of.remaining};t={of.reset_s}'
    found["RateLimit-Limit"] = str(of.limit)
    found["RateLimit-Remaining"] = str(of.remaining)
    found["RateLimit-Reset"] = str(of.reset_s)
    return found


@functools.lru_cache(maxsize=4096)
def nearby(address: str) -> str:
    """What one client has: an IPv4 address, or a whole /64 of IPv6. Anything else (a unix socket) is as it is."""
    return network(address)[:LONGEST_ACCOUNT]


@functools.lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """What one guesser easily has: an IPv4 /24, or an IPv6 /64. A mapped IPv4 address is IPv4 (RFC 4291, 2.5.5.2)."""
    found = parse_address(address)
    if not isinstance(found, ipaddress.IPv4Address):
        return nearby(address)
    return str(ipaddress.IPv4Network((int(found) >> 8 << 8, 24)))


def _who(principal: Principal, address: str) -> str:
    if principal.guest:
        return f"guest:{nearby(address) if address else principal.id}"
    return f"user:{principal.user}"


def _rule(name: str, amount: int) -> Rule | None:
    return Rule(name, amount) if amount else None


class _Failure:
    """What failed.

    number        failures that were not forgotten at `as_of`
    last, before  when the last one was, and the one before it
    """

    __slots__ = ("as_of", "before", "last", "number")

    def __init__(self) -> None:
        self.number = 0.0
        self.as_of = self.last = self.before = -math.inf


class _Failures:
    """Failures by key, each of which delays the next try twice as long once `free` have passed."""

    def __init__(self, free: int, max_delay_s: float) -> None:
        self._free = free
        self._max_delay_s = max_delay_s
        self._most = free + 2 + math.ceil(math.log2(max_delay_s))  # more would only take longer to be forgotten
        self._failures: dict[object, _Failure] = {}

    def wait_s(self, key: object, now: float) -> float:
        """How long the next try has to wait; not above 0: not at all."""
        found = self._failures.get(key)
        beyond = 0 if found is None else math.ceil(found.number) - self._free
        if found is None or beyond <= 0:
            return 0.0
        return found.last + min(self._max_delay_s, 2.0 ** (beyond - 1)) - now

    def add(self, key: object, now: float) -> None:
        found = self._failures.pop(key, None) or _Failure()
        left = max(0.0, found.number - (now - found.as_of) / FORGIVE_S) if found.number else 0.0
        found.number, found.as_of = min(left + 1, self._most), now
        found.before, found.last = found.last, now
        self._failures[key] = found
        _bound(self._failures)

    def take_back(self, key: object) -> None:
        """The last one was none after all. Those of others, and their delay, stay."""
        found = self._failures.get(key)
        if found is not None:
            found.number = max(0.0, found.number - 1)
            found.last = found.before
            if not found.number:
                del self._failures[key]

    def clear(self, key: object) -> None:
        self._failures.pop(key, None)


def _bound(table: dict[K, V]) -> None:
    if len(table) > LIMIT:
        del table[next(iter(table))]
