"""The rate limits: requests by user or address, tries to log in, bytes of input."""

from __future__ import annotations

import functools
import ipaddress
import math
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from vibetunnel.errors import RateLimited
from vibetunnel.security.addresses import HERE, network, parse_address
from vibetunnel.security.clock import steady
from vibetunnel.security.counters import Counters, MemoryCounters

if TYPE_CHECKING:
    from vibetunnel.security.principal import Principal
    from vibetunnel.settings import Settings

K = TypeVar("K")
V = TypeVar("V")

WINDOW_S = 60

# Tries to log in. The first failures cost no delay; then it doubles with each, from 1 s.
PAIR_FREE = 3  # from one network for one account: a typing error, caps lock, another password
NETWORK_FREE = 10  # from one network for any accounts, codes, links and keys: it may be a whole office
ACCOUNT_FREE = 30  # for one account from everywhere
MAX_DELAY_S = 300.0  # for a network, and for one account from one network
MAX_ACCOUNT_DELAY_S = 30.0  # for an account from unknown networks: an attacker must not block it for long
EVERYBODY = 600  # guesses a minute of all strangers together: addresses cost an attacker nothing
FORGIVE_S = 300.0  # until one failure is forgotten
KNOWN_S = 30 * 24 * 3600.0  # how long a network stays known for an account after a login
LIMIT = 10_000  # entries of each table; a newer one replaces the one that was used longest ago
LONGEST_ACCOUNT = 64  # characters; no account has a longer name, so longer ones may count together

CLIENT_LINES = 600  # lines a minute that a user's clients may add to the log, and those of one address; a page adds 35
PUSH_TESTS = 10  # notifications a minute that a user may send on purpose, to all of the user's browsers
INPUT_BURST = 1024 * 1024  # bytes; the largest body of a request, so that the limit never cuts a paste


class Quota(NamedTuple):
    """The rest of a limit. reset_s: until there is one more, rounded up."""

    policy: str
    limit: int
    remaining: int
    reset_s: int


class Rule(NamedTuple):
    """A limit of `amount` a minute."""

    name: str
    amount: int


class Limits:
    """The limits of one server. Every method returns at once, and raises RateLimited or counts.

    A principal that is `local` (the installation's secret, --no-auth) has no limits on requests. A user counts by name,
    whatever the credential. A guest counts by address, because anyone can open a link twice, and so does a client
    without a login. An address is an IPv4 address or an IPv6 /64, or HERE.

    Failed logins count by *place*, with delays that double. A place is this machine (HERE), a user who is logged in
    already, or a network: an IPv4 /24 or an IPv6 /64. Each place has a budget of its own. A try at an account counts by
    account and place as well.

    A *stranger* is a network where no user (for a password: not this user) has logged in before. Addresses cost an
    attacker nothing, so all strangers share two more budgets: one for each account, and one for all their guesses
    together (EVERYBODY). Only strangers can use these up, and only strangers wait for them. Share links and SSH keys
    cannot be guessed, so they do not use the second one.

    refused   refusals so far by limit: requests, login-requests, sessions, connections, logins, input, client-lines,
              push-tests
    counters  where requests are counted; None: in memory
    clock     seconds from any start, never backwards
    """

    def __init__(
        self,
        settings: Settings,
        counters: Counters | None = None,
        clock: Callable[[], float] = steady,
    ) -> None:
        self._clock = clock
        self._counters = MemoryCounters() if counters is None else counters
        self._api = _rule("requests", settings.rate_limit)
        self._anonymous = _rule("requests", settings.rate_limit_anonymous)
        self._login = _rule("login-requests", settings.rate_limit_anonymous)
        self._create = _rule("sessions", settings.rate_limit_sessions)
        self._upgrade = _rule("connections", settings.rate_limit_upgrades)
        self._lines = Rule("client-lines", CLIENT_LINES)
        self._push_tests = Rule("push-tests", PUSH_TESTS)
        self._everybody = Rule("logins", EVERYBODY)
        self._pairs = _Failures(PAIR_FREE, MAX_DELAY_S)
        self._places = _Failures(NETWORK_FREE, MAX_DELAY_S)
        self._accounts = _Failures(ACCOUNT_FREE, MAX_ACCOUNT_DELAY_S)
        self._known: dict[tuple[str, str], float] = {}  # (account, place) -> time of the last login
        self._input_rate = settings.input_rate
        self._input: dict[str, tuple[float, float]] = {}  # principal -> (bytes that it may still send, at what time)
        self.refused: Counter[str] = Counter()

    # Requests

    def api(self, principal: Principal | None, address: str) -> Quota | None:
        """Count one request. Returns the rest, for headers(); None: there is no limit.

        address  of the client, not of a proxy
        """
        if principal is None:
            return None if self._anonymous is None else self._hit(self._anonymous, nearby(address))
        if self._api is None or principal.local:
            return None
        return self._hit(self._api, _who(principal, address))

    def login_request(self, principal: Principal | None, address: str) -> None:
        """Count one request that may log in, whatever its credentials are. login() counts the tries."""
        if self._login is not None:
            self._hit(self._login, nearby(address) if principal is None else _who(principal, address))

    def create(self, principal: Principal) -> None:
        """Count one new session."""
        if self._create is not None and not principal.local:
            self._hit(self._create, _who(principal, ""))

    def upgrade(self, principal: Principal | None, address: str) -> None:
        """Count one new WebSocket or event stream."""
        if self._upgrade is not None and not (principal is not None and principal.local):
            self._hit(self._upgrade, nearby(address) if principal is None else _who(principal, address))

    def client_line(self, principal: Principal, address: str) -> bool:
        """Count one line of a client's log. False: too many have come, and it is to be dropped."""
        try:
            self._hit(self._lines, _who(principal, address))
            self._hit(self._lines, nearby(address))
        except RateLimited:
            return False
        return True

    def push_test(self, principal: Principal, address: str) -> None:
        """Count one notification to the user's own browsers. Each makes the server ask up to 20 other machines."""
        self._hit(self._push_tests, _who(principal, address))

    def input_bytes(self, principal: Principal, count: int, address: str = "") -> None:
        """Count `count` bytes of input in a request; the pump counts those of WebSockets.

        They pass if anything is left, and may use up more than that: an input of any size passes once.
        """
        if not self._input_rate or principal.local:
            return
        who, now = _who(principal, address), self._clock()
        burst = max(self._input_rate, INPUT_BURST)
        left, since = self._input.pop(who, (burst, now))
        left = min(burst, left + (now - since) * self._input_rate)
        if left > 0:
            self._input[who] = (left - count, now)
            bound(self._input)
            return
        self._input[who] = (left, now)
        self.refused["input"] += 1
        raise RateLimited("input", max(1, math.ceil(-left / self._input_rate)))

    # Tries

    def login(self, account: str | None, address: str, principal: Principal | None = None) -> bool:
        """Count a try to log in, before the password or code is checked. It is a failure until login_succeeded().

        Returns whether a stranger sends it.

        So a thousand tries at once do not get around the limit, and the caller need not report a failure.

        account    the name that the client gave, which need not exist; "" or None: a code
        address    as ClientAddress.counted_as() says
        principal  who sends the try, by an earlier login
        """
        return self._try(account, _place(address, principal), guessed=True)

    def login_succeeded(self, account: str | None, address: str, principal: Principal | None = None) -> None:
        """The try that login() counted with the same arguments, or key() for an SSH key, was right.

        The account now knows the network. This forgets failures of this account from this place only: an attacker with
        an account of his own gets no more guesses at others.
        """
        place = _place(address, principal)
        for table, key in self._tables(account, place):
            table.take_back(key)
        account = (account or "")[:LONGEST_ACCOUNT]
        if account:
            self._pairs.clear((account, place))
        for known in {(account, place), ("", place)}:
            self._known.pop(known, None)
            self._known[known] = self._clock()
            bound(self._known)

    def key(self, address: str, principal: Principal | None = None) -> None:
        """Count a try with a share link or an SSH key, before it is checked. It is a failure until key_succeeded()."""
        self._try(None, _place(address, principal), guessed=False)

    def key_succeeded(self, address: str, principal: Principal | None = None) -> None:
        """The link that key() counted was right. That makes no network known: anyone can have a link."""
        self._places.take_back(_place(address, principal))

    def forget_account(self, account: str) -> None:
        """Forget the known networks of an account that was removed or has a new password."""
        for pair in [each for each in self._known if each[0] == account]:
            del self._known[pair]

    # Tables and windows

    def _try(self, account: str | None, place: str, *, guessed: bool) -> bool:
        now, tables = self._clock(), self._tables(account, place)
        wait_s = max(table.wait_s(key, now) for table, key in tables)
        if wait_s > 0:
            self.refused["logins"] += 1
            raise RateLimited("logins", math.ceil(wait_s))
        stranger = self._is_stranger(account, place)
        if guessed and stranger:
            self._hit(self._everybody, "")
        for table, key in tables:
            table.add(key, now)
        return stranger

    def _tables(self, account: str | None, place: str) -> list[tuple[_Failures, object]]:
        """The tables in which a try at this account from this place counts, with its keys."""
        if not account:
            return [(self._places, place)]
        account = account[:LONGEST_ACCOUNT]
        found: list[tuple[_Failures, object]] = [(self._pairs, (account, place))]
        if not self._knows(account, place):  # else it does not matter what other accounts are tried there
            found.append((self._places, place))
        if self._is_stranger(account, place):
            found.append((self._accounts, account))
        return found

    def _is_stranger(self, account: str | None, place: str) -> bool:
        """Whether this place has no budget that only itself can use up."""
        return not _is_own(place) and not self._knows((account or "")[:LONGEST_ACCOUNT], place)

    def _knows(self, account: str, place: str) -> bool:
        """Whether this account ("": any) has logged in from this place."""
        return self._known.get((account, place), -math.inf) + KNOWN_S > self._clock()

    def _hit(self, rule: Rule, key: str) -> Quota:
        """Count one request in a sliding window of a minute.

        The minute has this window's count, and a part of the previous window's count: the part that is less than a
        minute ago, as if those requests had come evenly.
        """
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
            if current < rule.amount:  # until the window before weighs little enough
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
    """The addresses of one client: an IPv4 address, or a /64 of IPv6. Other text (`unix`) stays as it is."""
    return network(address)[:LONGEST_ACCOUNT]


@functools.lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """The addresses that an attacker easily gets: an IPv4 /24, or an IPv6 /64."""
    found = parse_address(address)
    if not isinstance(found, ipaddress.IPv4Address):
        return nearby(address)
    return str(ipaddress.IPv4Network((int(found) >> 8 << 8, 24)))


def _who(principal: Principal, address: str) -> str:
    if principal.guest:
        return f"guest:{nearby(address) if address else principal.id}"
    return f"user:{principal.user}"


_USER = "user:"


def _place(address: str, principal: Principal | None) -> str:
    """What the tries of a client count by.

    A guest counts by address: a link that lets in many would be many places. So does a program's token, which has no
    login to make: a stolen one, for viewing only perhaps, must not use up the place of its user.
    """
    if principal is not None and not (principal.guest or principal.program):
        return _USER + principal.user
    return address if address == HERE else network_of(address)


def _is_own(place: str) -> bool:
    return place == HERE or place.startswith(_USER)


def _rule(name: str, amount: int) -> Rule | None:
    return Rule(name, amount) if amount else None


class _Failure:
    """The failures of one key.

    number        how many were not forgotten at `as_of`
    last, before  time of the last one, and of the one before it
    """

    __slots__ = ("as_of", "before", "last", "number")

    def __init__(self) -> None:
        self.number = 0.0
        self.as_of = self.last = self.before = -math.inf


class _Failures:
    """Failures by key. After `free` of them, each doubles the delay of the next try."""

    def __init__(self, free: int, max_delay_s: float) -> None:
        self._free = free
        self._max_delay_s = max_delay_s
        # More failures would not lengthen the delay, only the time until they are forgotten.
        self._most = free + 2 + math.ceil(math.log2(max_delay_s))
        self._failures: dict[object, _Failure] = {}

    def wait_s(self, key: object, now: float) -> float:
        """How long the next try has to wait; 0 or less: not at all."""
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
        bound(self._failures)

    def take_back(self, key: object) -> None:
        """The last failure was none. Earlier ones, and their delay, stay."""
        found = self._failures.get(key)
        if found is not None:
            found.number = max(0.0, found.number - 1)
            found.last = found.before
            if not found.number:
                del self._failures[key]

    def clear(self, key: object) -> None:
        self._failures.pop(key, None)


def bound(table: dict[K, V]) -> None:
    """Keep the newest LIMIT entries: remove the oldest after each that is added."""
    if len(table) > LIMIT:
        del table[next(iter(table))]
