"""One-time tickets: valid once, for a short time, for one purpose, and never for more than their owner may do."""

from __future__ import annotations

import pytest
from clock import Clock

from vibetunnel.errors import Forbidden
from vibetunnel.security import tickets
from vibetunnel.security.principal import NOTHING, OWNER, TYPIST, VIEWER, Principal, Scope
from vibetunnel.security.tickets import LIFETIME_S, Tickets

ADA = Principal("login:1", "ada", OWNER, by_cookie=True, token="a1")
BOB = Principal("login:2", "bob", VIEWER, role="viewer")
EVE = Principal("login:3", "eve", NOTHING, {"s1": TYPIST, "s2": VIEWER}, role="guest")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def made(clock: Clock) -> Tickets:
    return Tickets(clock)


def test_a_ticket_is_good_once(made: Tickets) -> None:
    ticket, other = made.issue(ADA, "s1", TYPIST), made.issue(ADA, "s1", TYPIST)
    assert ticket != other
    assert len(ticket) == 43
    found = made.redeem(ticket, "s1")
    assert found is not None
    assert made.redeem(ticket, "s1") is None
    assert made.redeem(other, "s1") == found


def test_a_ticket_lets_its_owner_in_with_no_more_than_they_asked_for(made: Tickets) -> None:
    found = made.redeem(made.issue(ADA, "s1", TYPIST), "s1")
    assert found is not None
    assert (found.id, found.user, found.role, found.token) == ("login:1", "ada", "owner", "a1")
    assert not found.by_cookie
    assert found.may(TYPIST, "s1")
    assert not found.may(Scope.CONTROL, "s1")
    assert not found.may(Scope.VIEW, "s2")
    assert not found.may(Scope.VIEW)


def test_a_ticket_for_no_session_is_for_all_of_them(made: Tickets) -> None:
    found = made.redeem(made.issue(ADA, "", VIEWER), "")
    assert found is not None
    assert found.may(Scope.VIEW)
    assert not found.may(Scope.TYPE)
    guest = made.redeem(made.issue(EVE, "", VIEWER), "")
    assert guest is not None
    assert dict(guest.grants) == {"s1": VIEWER, "s2": VIEWER}
    assert not guest.may(Scope.VIEW)
    assert not guest.may(Scope.VIEW, "s3")
    assert guest.guest


def test_a_ticket_gives_no_right_that_its_owner_lacks(made: Tickets) -> None:
    found = made.redeem(made.issue(BOB, "s1", TYPIST), "s1")
    assert found is not None
    assert not found.may(Scope.TYPE, "s1")
    found = made.redeem(made.issue(EVE, "s2", TYPIST), "s2")
    assert found is not None
    assert not found.may(Scope.TYPE, "s2")
    assert not found.may(Scope.VIEW, "s1")


def test_a_user_without_rights_gets_no_ticket(made: Tickets) -> None:
    for principal, session, scope in [(EVE, "s3", TYPIST), (ADA, "s1", NOTHING), (BOB, "s1", Scope.TYPE)]:
        with pytest.raises(Forbidden):
            made.issue(principal, session, scope)


@pytest.mark.parametrize(("issued", "tried"), [("s1", "s2"), ("s1", ""), ("", "s1"), ("s1", "S1")])
def test_a_ticket_that_is_tried_for_something_else_is_used_up(made: Tickets, issued: str, tried: str) -> None:
    ticket = made.issue(ADA, issued, VIEWER)
    assert made.redeem(ticket, tried) is None
    assert made.redeem(ticket, issued) is None


def test_a_ticket_ends_soon(made: Tickets, clock: Clock) -> None:
    first, second = made.issue(ADA, "s1", VIEWER), made.issue(ADA, "s1", VIEWER)
    clock.now += LIFETIME_S - 0.001
    assert made.redeem(first, "s1")
    clock.now += 0.001
    assert made.redeem(second, "s1") is None


@pytest.mark.parametrize("text", ["", "x", "é", "\udcff", "\0", "A" * 43, "A" * 100_000])
def test_an_invalid_ticket_is_refused(made: Tickets, text: str) -> None:
    made.issue(ADA, "s1", VIEWER)
    assert made.redeem(text, "s1") is None


def test_tickets_end_with_the_login_they_belong_to(made: Tickets) -> None:
    hers = [made.issue(ADA, "s1", VIEWER) for _ in range(3)]
    his = made.issue(BOB, "s1", VIEWER)
    made.forget(ADA.id)
    made.forget("login:nobody")
    assert [made.redeem(each, "s1") for each in hers] == [None] * 3
    assert made.redeem(his, "s1")


def test_a_user_who_asks_for_many_tickets_pushes_out_their_own(made: Tickets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tickets, "OWN_LIMIT", 3)
    his = made.issue(BOB, "s1", VIEWER)
    hers = [made.issue(ADA, "s1", VIEWER) for _ in range(5)]
    assert [made.redeem(each, "s1") is not None for each in hers] == [False, False, True, True, True]
    assert made.redeem(his, "s1")


def test_many_tickets_of_others_push_out_no_users_only_one(made: Tickets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tickets, "LIMIT", 6)
    hers = made.issue(ADA, "s1", VIEWER)
    for number in range(20):
        made.issue(Principal(f"login:guest{number % 4}", "x", VIEWER, role="guest"), "s1", VIEWER)
    assert len(made._tickets) == 6
    assert made.redeem(hers, "s1")


def test_tickets_do_not_pile_up(made: Tickets, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tickets, "LIMIT", 3)
    issued = [made.issue(Principal(f"login:{each}", "x", VIEWER), "s1", VIEWER) for each in range(5)]
    assert len(made._tickets) == len(made._own) == 3
    assert made.redeem(issued[0], "s1") is None
    assert made.redeem(issued[4], "s1")
    clock.now += LIFETIME_S
    made.issue(ADA, "s1", VIEWER)
    assert len(made._tickets) == len(made._own) == 1
