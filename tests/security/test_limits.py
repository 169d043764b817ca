"""The rate limits: by user, address, account and network, with a clock of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from vibetunnel.errors import RateLimited
from vibetunnel.security import addresses, counters, limits
from vibetunnel.security.counters import MemoryCounters
from vibetunnel.security.limits import Limits, headers, nearby, network_of
from vibetunnel.security.principal import OWNER, VIEWER, Principal
from vibetunnel.settings import Settings

ADA = Principal("login:1", "ada", OWNER)
BOB = Principal("login:2", "bob", OWNER, role="writer")
GUEST = Principal("login:3", "ada", VIEWER, role="guest")
SECRET = Principal("secret", "ada", OWNER)

HERE, NEAR, FAR = "192.0.2.1", "192.0.2.200", "203.0.113.5"


class Clock:
    def __init__(self) -> None:
        self.now = 6000.0  # the start of a window

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def made(clock: Clock) -> Limits:
    settings = Settings(rate_limit=10, rate_limit_anonymous=5, rate_limit_sessions=2, rate_limit_upgrades=3)
    return Limits(settings, clock=clock)


def passes(call: Callable[[], object], most: int = 10_000) -> int:
    """How often it may be called before it is refused."""
    for number in range(most):
        try:
            call()
        except RateLimited:
            return number
    return most


def refusal(call: Callable[[], object]) -> RateLimited:
    with pytest.raises(RateLimited) as refused:
        call()
    return refused.value


# Requests


def test_each_user_has_requests_of_their_own_whatever_they_came_with(made: Limits) -> None:
    other_login = Principal("token:9", "ada", OWNER)
    assert passes(lambda: made.api(ADA, HERE)) == 10
    assert passes(lambda: made.api(other_login, FAR)) == 0
    assert passes(lambda: made.api(BOB, HERE)) == 10


def test_requests_without_a_login_count_by_address(made: Limits) -> None:
    assert passes(lambda: made.api(None, HERE)) == 5
    assert passes(lambda: made.api(None, f"::ffff:{HERE}")) == 0
    assert passes(lambda: made.api(None, NEAR)) == 5
    assert passes(lambda: made.api(None, "2001:db8::1")) == 5
    assert passes(lambda: made.api(None, "2001:db8::ffff:1")) == 0
    assert passes(lambda: made.api(None, "2001:db8:0:1::1")) == 5
    assert made.api(ADA, HERE) is not None


def test_a_link_opened_twice_from_one_place_is_one_guest(made: Limits) -> None:
    again = Principal("login:4", "somebody", VIEWER, role="guest")
    assert passes(lambda: made.api(GUEST, HERE)) == 10
    assert passes(lambda: made.api(again, HERE)) == 0
    assert passes(lambda: made.api(again, FAR)) == 10
    assert passes(lambda: made.api(ADA, HERE)) == 10  # whose name a guest may bear


def test_the_secret_of_the_installation_has_no_limit(made: Limits) -> None:
    for call in (
        lambda: made.api(SECRET, HERE),
        lambda: made.create(SECRET),
        lambda: made.upgrade(SECRET, HERE),
        lambda: made.input_bytes(SECRET, 1 << 30),
    ):
        assert passes(call, 100) == 100
    nobody_asked = Principal("no-auth", "ada", OWNER)
    assert made.api(nobody_asked, HERE) is None


def test_no_limit_is_zero(clock: Clock) -> None:
    free = Limits(
        Settings(rate_limit=0, rate_limit_anonymous=0, rate_limit_sessions=0, rate_limit_upgrades=0, input_rate=0),
        clock=clock,
    )
    assert free.api(ADA, HERE) is None
    assert free.api(None, HERE) is None
    assert passes(lambda: free.create(ADA), 50) == 50
    assert passes(lambda: free.upgrade(None, HERE), 50) == 50
    assert passes(lambda: free.input_bytes(ADA, 1 << 30), 50) == 50


def test_sessions_and_sockets_are_counted_apart_from_requests(made: Limits) -> None:
    assert passes(lambda: made.create(ADA)) == 2
    assert passes(lambda: made.upgrade(ADA, HERE)) == 3
    assert passes(lambda: made.upgrade(None, HERE)) == 3
    assert passes(lambda: made.api(ADA, HERE)) == 10


def test_a_refusal_says_when_and_then_it_is_true(made: Limits, clock: Clock) -> None:
    clock.now += 20
    assert passes(lambda: made.api(ADA, HERE)) == 10
    refused = refusal(lambda: made.api(ADA, HERE))
    assert (refused.limit, refused.remaining) == (10, 0)
    assert 40 <= refused.retry_after_s <= 41
    clock.now += refused.retry_after_s - 2
    refusal(lambda: made.api(ADA, HERE))
    clock.now += 2
    made.api(ADA, HERE)
    for _ in range(40):  # at the limit it goes on in small steps, each as long as it was said
        refused = refusal(lambda: made.api(ADA, HERE))
        assert refused.retry_after_s <= 13
        clock.now += refused.retry_after_s
        made.api(ADA, HERE)


def test_no_minute_has_much_more_than_the_limit_wherever_it_begins(made: Limits, clock: Clock) -> None:
    clock.now += 59
    assert passes(lambda: made.api(ADA, HERE)) == 10
    clock.now += 2  # a fixed window would begin anew here
    assert passes(lambda: made.api(ADA, HERE)) <= 1


def test_the_headers_state_the_remaining_requests(made: Limits) -> None:
    assert headers(made.api(ADA, HERE) or pytest.fail("no limit")) == {
        "RateLimit-Policy": '"requests";q=10;w=60',
        "RateLimit": '"requests";r=9;t=1',
        "RateLimit-Limit": "10",
        "RateLimit-Remaining": "9",
        "RateLimit-Reset": "1",
    }
    passes(lambda: made.api(ADA, HERE))
    found = headers(refusal(lambda: made.api(ADA, HERE)))
    assert found["Retry-After"] == found["RateLimit-Reset"] == "61"
    assert found["RateLimit"] == '"requests";r=0;t=61'
    passes(lambda: made.login("ada", HERE))
    assert headers(refusal(lambda: made.login("ada", HERE))) == {"Retry-After": "1"}  # a delay is no quota


def test_counting_starts_no_thread_and_has_a_bound(made: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "LIMIT", 100)
    monkeypatch.setattr(limits, "LIMIT", 100)
    before = threading.active_count()
    for number in range(1000):
        address = f"2001:db8:0:{number:x}::1"
        made.api(None, address)
        made.api(Principal(f"login:{number}", f"user{number}", OWNER), address)
        made.input_bytes(Principal(f"login:{number}", f"user{number}", OWNER), 1)
        if number < limits.EVERYBODY:
            made.login(f"user{number}", address)
            if number % 2:
                made.login_succeeded(f"user{number}", address)
    assert threading.active_count() == before
    tables = [*vars(made).values(), *vars(made._pairs).values(), *vars(made._places).values()]
    tables += [*vars(made._accounts).values(), *made._counters._tables.values()]  # type: ignore[attr-defined]
    assert all(len(each) <= 101 for each in tables if isinstance(each, dict))


def test_a_flood_of_addresses_makes_no_other_rule_forget_its_counts(
    made: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters, "LIMIT", 100)
    assert passes(lambda: made.create(ADA)) == 2
    for number in range(1000):
        made.api(None, f"2001:db8:0:{number:x}::1")
    refusal(lambda: made.create(ADA))


def test_servers_with_the_same_counters_have_one_limit_together(clock: Clock) -> None:
    shared = MemoryCounters()
    first, second = (Limits(Settings(rate_limit=10), shared, clock) for _ in range(2))
    assert passes(lambda: first.api(ADA, HERE), 6) == 6
    assert passes(lambda: second.api(ADA, FAR)) == 4
    refusal(lambda: first.api(ADA, HERE))


# Input


def test_input_is_limited_by_bytes_and_a_paste_of_any_size_comes_through(clock: Clock) -> None:
    made = Limits(Settings(input_rate=1000), clock=clock)
    assert passes(lambda: made.input_bytes(ADA, 1), 5000) == 5000  # as many keys as one likes
    made.input_bytes(ADA, 10 * limits.INPUT_BURST)
    refused = refusal(lambda: made.input_bytes(ADA, 1))
    assert refused.limit == 0
    made.input_bytes(BOB, 1)
    clock.now += refused.retry_after_s - 1
    refusal(lambda: made.input_bytes(ADA, 1))
    clock.now += 2
    made.input_bytes(ADA, 1)


# Tries to log in


def test_delays_double_up_to_five_minutes(made: Limits, clock: Clock) -> None:
    assert passes(lambda: made.login("ada", HERE)) == limits.PAIR_FREE + 1
    delays = []
    for _ in range(20):
        delays.append(refusal(lambda: made.login("ada", HERE)).retry_after_s)
        clock.now += delays[-1]
        made.login("ada", HERE)
    assert delays[:9] == [1, 2, 4, 8, 16, 32, 64, 128, 256]
    assert max(delays) == limits.MAX_DELAY_S
    assert min(delays[9:]) >= 128


def test_the_right_password_is_refused_too_during_a_delay_and_clears_it_after(made: Limits, clock: Clock) -> None:
    passes(lambda: made.login("ada", HERE))
    clock.now += refusal(lambda: made.login("ada", HERE)).retry_after_s
    made.login("ada", HERE)
    made.login_succeeded("ada", HERE)
    assert passes(lambda: made.login("ada", HERE)) == limits.PAIR_FREE + 1


def test_a_few_slips_are_forgotten_with_time(made: Limits, clock: Clock) -> None:
    passes(lambda: made.login("ada", HERE))
    clock.now += limits.FORGIVE_S * limits.PAIR_FREE
    assert passes(lambda: made.login("ada", HERE)) == limits.PAIR_FREE  # one of the four is left


def test_a_network_is_one_guesser(made: Limits) -> None:
    assert [network_of(each) for each in (HERE, NEAR, f"::ffff:{HERE}", "2001:db8::1", "2001:db8::2:0:0:1")] == [
        "192.0.2.0/24", "192.0.2.0/24", "192.0.2.0/24", "2001:db8::/64", "2001:db8::/64",
    ]  # fmt: skip
    assert network_of("192.0.3.1") != network_of(HERE)
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert nearby("fe80::1%eth0") == nearby("fe80::2")
    assert nearby("unix") == network_of("unix") == "unix"
    assert len(nearby("x" * 1000)) < 100
    passes(lambda: made.login("ada", HERE))
    refusal(lambda: made.login("ada", NEAR))
    made.login("ada", FAR)


def test_many_accounts_tried_from_one_network_delay_it(made: Limits) -> None:
    names = (f"user{number}" for number in range(1000))
    assert passes(lambda: made.login(next(names), HERE)) == limits.NETWORK_FREE + 1
    refusal(lambda: made.login("ada", HERE))
    refusal(lambda: made.login("", HERE))
    made.login("ada", FAR)


def test_an_own_account_is_no_cover_for_guesses_at_others(made: Limits, clock: Clock) -> None:
    made.login("mallory", HERE)
    made.login_succeeded("mallory", HERE)
    guesses = 0
    for number in range(60):
        try:
            made.login(f"user{number}", HERE)
            guesses += 1
        except RateLimited:
            clock.now += 1
        made.login("mallory", HERE)
        made.login_succeeded("mallory", HERE)
    assert guesses <= limits.NETWORK_FREE + 6


def test_guesses_from_everywhere_cannot_shut_an_account_out_of_its_own_network(made: Limits, clock: Clock) -> None:
    made.login("ada", HERE)
    made.login_succeeded("ada", HERE)
    for number in range(500):
        passes(lambda number=number: made.login("ada", f"10.{number // 250}.{number % 250}.1"), 1)
        clock.now += 1
    made.login("ada", NEAR)
    made.login_succeeded("ada", NEAR)
    assert refusal(lambda: made.login("ada", FAR)).retry_after_s <= limits.MAX_ACCOUNT_DELAY_S
    made.login(None, FAR)  # codes and keys are another door
    made.forget_account("ada")
    refusal(lambda: made.login("ada", HERE))


def test_an_account_that_does_not_exist_is_treated_alike(made: Limits) -> None:
    existing = passes(lambda: made.login("ada", HERE))
    assert passes(lambda: made.login("no such one", FAR)) == existing
    assert passes(lambda: made.login("x" * 100_000, "198.51.100.1")) == existing
    refusal(lambda: made.login("x" * 99_999, "198.51.100.1"))


def test_a_thousand_tries_at_once_are_no_way_around_even_when_one_of_them_is_right(made: Limits) -> None:
    assert passes(lambda: made.login("ada", HERE)) == limits.PAIR_FREE + 1
    names = (f"user{number}" for number in range(1000))
    assert passes(lambda: made.login(next(names), FAR)) == limits.NETWORK_FREE + 1
    made.login_succeeded("user0", FAR)
    assert passes(lambda: made.login("", FAR)) == 1
    networks = (f"10.0.{number}.1" for number in range(1000))
    assert passes(lambda: made.login("bob", next(networks))) == limits.ACCOUNT_FREE + 1


def test_own_logins_do_not_make_the_failures_of_others_be_forgotten_sooner(made: Limits, clock: Clock) -> None:
    names = (f"user{number}" for number in range(1000))
    passes(lambda: made.login(next(names), HERE))
    for _ in range(100):
        clock.now += 1
        made.login(None, HERE)
        made.login_succeeded(None, HERE)
    made.login(next(names), HERE)
    assert refusal(lambda: made.login(next(names), HERE)).retry_after_s == 2


def test_everybody_together_has_a_limit_that_known_places_do_not_feel(made: Limits, clock: Clock) -> None:
    made.login("ada", HERE)
    made.login_succeeded("ada", HERE)
    networks = (f"10.{number // 250}.{number % 250}.1" for number in range(10_000))
    assert passes(lambda: made.login("", next(networks))) == limits.EVERYBODY - 1
    made.login("ada", HERE)
    clock.now += refusal(lambda: made.login("bob", FAR)).retry_after_s
    made.login("bob", FAR)


def guess(made: Limits, count: int = limits.EVERYBODY + 1, account: str = "") -> None:
    """Tries from as many networks as there are tries, until strangers have nothing left."""
    for number in range(count):
        passes(lambda number=number: made.login(account, f"10.{number // 250}.{number % 250}.1"), 1)


def test_strangers_use_up_what_strangers_share_and_nothing_else(made: Limits) -> None:
    made.login(None, NEAR)
    made.login_succeeded(None, NEAR)
    guess(made)
    refusal(lambda: made.login(None, FAR))
    refusal(lambda: made.login("ada", FAR))
    assert not made.login(None, addresses.HERE)  # this machine
    assert not made.login("ada", addresses.HERE)
    assert not made.login(None, FAR, BOB)  # a user who is logged in
    assert not made.login("ada", FAR, BOB)
    assert not made.login(None, HERE)  # a network where a user has logged in before
    refusal(lambda: made.login(None, FAR, GUEST))  # a link that lets in many would be many budgets


def test_strangers_who_guess_at_an_account_delay_strangers_only(made: Limits) -> None:
    guess(made, limits.ACCOUNT_FREE + 1, "ada")
    refusal(lambda: made.login("ada", FAR))
    assert not made.login("ada", addresses.HERE)
    assert not made.login("ada", FAR, BOB)


def test_links_and_keys_cannot_be_guessed_so_no_guesser_elsewhere_delays_them(made: Limits) -> None:
    guess(made)
    made.key(FAR)
    made.key_succeeded(FAR)
    for number in range(2 * limits.EVERYBODY):
        made.key(f"172.{16 + number // 250}.{number % 250}.1")
    assert passes(lambda: made.key(FAR)) == limits.NETWORK_FREE + 1


@pytest.mark.parametrize(("address", "principal"), [(addresses.HERE, None), (FAR, BOB), (HERE, BOB)])
def test_what_has_a_budget_of_its_own_is_bounded_too(
    made: Limits, clock: Clock, address: str, principal: Principal | None
) -> None:
    names = (f"user{number}" for number in range(10_000))
    assert passes(lambda: made.login("ada", address, principal)) == limits.PAIR_FREE + 1
    assert passes(lambda: made.login(next(names), address, principal)) == limits.NETWORK_FREE - limits.PAIR_FREE
    guesses = 0
    for _ in range(3600):
        clock.now += 1
        guesses += passes(lambda: made.login(None, address, principal), 1)
    assert guesses <= 20  # in an hour


def test_a_stolen_token_does_not_use_up_the_place_of_its_user(made: Limits) -> None:
    token = Principal("token:1", "bob", VIEWER, role="viewer")
    assert passes(lambda: made.login("ada", FAR, token)) == limits.PAIR_FREE + 1
    assert passes(lambda: made.key(FAR, token)) == limits.NETWORK_FREE - limits.PAIR_FREE
    assert passes(lambda: made.login("ada", HERE, BOB)) == limits.PAIR_FREE + 1
    assert passes(lambda: made.key(HERE, BOB)) == limits.NETWORK_FREE - limits.PAIR_FREE


def test_wrong_codes_of_links_count_by_network(made: Limits) -> None:
    for _ in range(100):  # the right one as often as one likes
        made.key(HERE)
        made.key_succeeded(HERE)
    assert passes(lambda: made.key(HERE)) == limits.NETWORK_FREE + 1
    made.key(FAR)
