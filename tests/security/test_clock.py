"""Clocks that are set back: what has expired stays expired, in this server and in the next one."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from harness import DEADLINE_S, Browser, Running, Serve, until
from principals import PASSWORD, Program, account, logged_in, share

from vibetunnel import paths
from vibetunnel.errors import WrongCode
from vibetunnel.security import clock as clocks
from vibetunnel.security import expiry
from vibetunnel.security.clock import ForwardClock
from vibetunnel.security.codes import LINK_S, Codes
from vibetunnel.security.expiry import Expiry
from vibetunnel.security.logins import IDLE_S, Logins
from vibetunnel.security.principal import OWNER, VIEWER, Principal
from vibetunnel.security.shares import LIFETIME_S, Shares
from vibetunnel.security.ssh_login import Challenges
from vibetunnel.security.tickets import Tickets

DAY_S = 24 * 3600.0


def test_a_forward_clock_follows_the_system_forwards_and_goes_on_when_that_is_set_back() -> None:
    wall, steady = Clock(1000.0), Clock(50.0)
    clock = ForwardClock(wall, steady)
    assert clock() == 1000
    wall.now += 10
    steady.now += 10
    assert clock() == 1010
    wall.now += 500
    assert clock() == 1510
    wall.now = 3.0
    assert clock() == 1510
    steady.now += 7
    wall.now += 7
    assert clock() == 1517
    wall.now = 1516.0  # it was set right, and is behind still
    assert clock() == 1517
    wall.now = 1518.0
    assert clock() == 1518


def test_a_forward_clock_begins_where_an_earlier_server_was() -> None:
    wall, steady = Clock(1000.0), Clock(50.0)
    clock = ForwardClock(wall, steady)
    clock.not_before(999.0)
    assert clock() == 1000
    clock.not_before(2000.0)
    steady.now += 1
    assert clock() == 2001


# The stores, with a clock that is set back


async def test_a_login_that_was_seen_to_be_over_is_removed_from_memory_and_file(folder: Path) -> None:
    clock = Clock()
    logins = Logins(folder / "l", clock=clock)
    login, cookie = await logins.add("ada", method="code")
    clock.now += IDLE_S
    assert logins.check(cookie) is None
    clock.now -= IDLE_S
    assert logins.check(cookie) is None
    assert logins.get(login.id) is None
    await logins.close()
    assert json.loads((folder / "l").read_bytes())["logins"] == []
    assert Logins(folder / "l", clock=clock).check(cookie) is None


async def test_the_file_of_logins_knows_a_time_that_all_it_has_forgotten_was_before(folder: Path) -> None:
    clock = Clock()
    logins = Logins(folder / "l", clock=clock)
    login, _ = await logins.add("ada", method="code")
    await logins.revoke_access("token", clock.now + 900, login.id)
    clock.now += 901
    logins.drop_expired()
    await logins.close()
    after = Logins(folder / "l", clock=clock)
    assert not after.is_revoked("token")
    assert after.seen > clock.now - 1
    clock.now -= DAY_S
    await after.revoke(login.id)
    assert Logins(folder / "l", clock=clock).seen == after.seen  # a clock that was set back does not make it forget
    await after.close()


async def test_a_link_that_was_seen_to_be_over_is_removed_from_memory_and_file(folder: Path) -> None:
    clock = Clock()
    shares = Shares(folder / "s", clock=clock)
    made, _ = await shares.create("session", scope="view", created_by="ada")
    clock.now += LIFETIME_S
    assert shares.get(made.id) is None
    clock.now -= LIFETIME_S
    assert shares.get(made.id) is None
    await shares.close()
    assert Shares(folder / "s", clock=clock).of("session") == []


def test_a_ticket_counts_by_a_clock_that_cannot_be_set() -> None:
    steady = Clock(5.0)
    tickets = Tickets(steady)
    ticket = tickets.issue(Principal("login:1", "ada", OWNER), "s1", VIEWER)
    steady.now += 31
    assert tickets.redeem(ticket, "s1") is None


def test_the_time_of_a_suspend_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    awake, asleep = time.clock_gettime(time.CLOCK_MONOTONIC), 0.0

    def gettime(which: int) -> float:
        counts = which == getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return awake + asleep if counts else awake

    monkeypatch.setattr(clocks.time, "clock_gettime", gettime)  # type: ignore[attr-defined]
    monkeypatch.setattr(clocks.time, "monotonic", lambda: awake)  # type: ignore[attr-defined]
    tickets, codes, challenges = Tickets(), Codes(), Challenges()
    forward = ForwardClock(wall=Clock(1000.0))  # set back by as much as the machine slept
    ticket = tickets.issue(Principal("login:1", "ada", OWNER), "s1", VIEWER)
    code, challenge = codes.issue("ada", LINK_S), challenges.issue("ada")
    asleep = LINK_S + 1
    assert tickets.redeem(ticket, "s1") is None
    assert challenges.take(challenge.id) is None
    with pytest.raises(WrongCode):
        codes.redeem(code)
    assert forward() == 1000 + asleep


async def test_one_store_that_fails_does_not_end_the_looks_at_the_others(
    monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    expect_log("removing what has expired failed")
    monkeypatch.setattr(expiry, "PERIOD_S", 0.001)
    looks = 0
    enough = asyncio.Event()

    class Broken:
        def drop_expired(self) -> None:
            raise RuntimeError("broken")

    class Store:
        def drop_expired(self) -> None:
            nonlocal looks
            looks += 1
            if looks == 3:
                enough.set()

    made = Expiry([Broken(), Store()])
    made.start()
    async with asyncio.timeout(DEADLINE_S):
        await enough.wait()
    await made.close()


async def test_what_no_request_asks_about_is_removed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "PERIOD_S", 0.001)
    looks = 0
    enough = asyncio.Event()

    class Store:
        def drop_expired(self) -> None:
            nonlocal looks
            looks += 1
            if looks == 3:
                enough.set()

    made = Expiry([Store()])
    made.start()
    await enough.wait()
    await made.close()


# A real server


class Wall:
    """The system's clock, as one server sees it."""

    def __init__(self, server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        clock: Any = server.server.context.authority.logins._clock
        self.ahead_s = 0.0
        real = clock._wall
        monkeypatch.setattr(clock, "_wall", lambda: real() + self.ahead_s)


async def test_nothing_that_expired_comes_back_with_a_clock_that_is_set_back(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "PERIOD_S", 0.01)
    server = await serve(kill_on_exit=True)
    wall = Wall(server, monkeypatch)
    session = await server.session(["cat"])
    link = await share(server, session)
    ada = await logged_in(server, "ada", "owner")
    await account(server, "bob")
    tokens = await server.json("POST", "/api/auth/password", {"userId": "bob", "password": PASSWORD}, login=False)
    made = await server.json("POST", "/api/tokens", {"scope": ["view"], "expires": 3600}, status=201)
    bearers = [Program(server, each) for each in (tokens["token"], made["token"])]
    for each in (ada, *bearers):
        assert (await each.fetch("GET", "/api/sessions")).code == 200

    async def all_refused(at: Running) -> None:
        ada.server = at
        assert (await ada.fetch("GET", "/api/sessions")).code == 401
        for each in bearers:
            each.url = at.url
            assert (await each.fetch("GET", "/api/sessions")).code == 401
        assert (await Browser(at).enter(link["code"])).code == 401
        refresh = {"refreshToken": tokens["refreshToken"]}
        assert (await at.fetch("POST", "/api/auth/refresh", refresh, login=False)).code == 401

    wall.ahead_s = 40 * DAY_S
    state = server.server.settings.state_dir
    for name, what in ((paths.LOGINS, "logins"), (paths.TOKENS, "tokens"), (paths.SHARES, "shares")):
        await until(lambda name=name, what=what: json.loads((state / name).read_bytes())[what] == [])
    wall.ahead_s = 0.0
    await all_refused(server)
    await server.close()
    await all_refused(await serve(kill_on_exit=True))  # its clock is 40 days behind what the last one saw
    for each in bearers:
        await each.close()


async def test_access_tokens_that_expired_or_were_revoked_stay_so_while_their_login_goes_on(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token cannot be removed, and the record that it was revoked goes when it expires: time must not go back."""
    monkeypatch.setattr(expiry, "PERIOD_S", 0.01)
    server = await serve()
    wall = Wall(server, monkeypatch)
    await account(server, "ada")
    body = {"userId": "ada", "password": PASSWORD}
    revoked = await server.json("POST", "/api/auth/password", body, login=False)
    refresh = {"refreshToken": revoked["refreshToken"]}
    expired = await server.json("POST", "/api/auth/refresh", refresh, login=False)
    assert (await server.json("POST", "/api/auth/revoke", {"token": revoked["token"]}))["ended"] == 0
    file = server.server.settings.state_dir / paths.LOGINS
    assert json.loads(file.read_bytes())["revoked"] != {}

    async def statuses(at: Running) -> list[int]:
        codes = []
        for each in (revoked, expired):
            program = Program(at, each["token"])
            codes.append((await program.fetch("GET", "/api/sessions")).code)
            await program.close()
        return codes

    assert await statuses(server) == [401, 200]
    wall.ahead_s = 1200.0
    assert await statuses(server) == [401, 401]
    await until(lambda: json.loads(file.read_bytes())["revoked"] == {})
    wall.ahead_s = 0.0
    assert await statuses(server) == [401, 401]
    await server.close()
    assert await statuses(await serve()) == [401, 401]


async def test_an_expired_token_in_an_address_is_ignored_with_the_cookie_of_its_own_login(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VibeTunnel's client keeps a token for a day, and cannot send another one with a stream."""
    server = await serve(token_in_url=True)
    wall = Wall(server, monkeypatch)
    for name in ("ada", "bob"):
        await account(server, name)
    ada, bob = Browser(server), Browser(server)
    tokens = [
        json.loads((await each.password(name, PASSWORD)).body)["token"] for each, name in ((ada, "ada"), (bob, "bob"))
    ]
    paths_of = ("/api/events?token=", "/api/control/stream?token=", "/api/control/stream?auth=Bearer%20")

    async def statuses(who: Browser, token: str) -> set[int]:
        return {(await who.fetch("HEAD", path + token)).code for path in paths_of}

    assert await statuses(Browser(server), tokens[0]) == {200}
    wall.ahead_s = 1200.0
    assert await statuses(Browser(server), tokens[0]) == {401}
    assert await statuses(ada, tokens[0]) == {200}
    assert await statuses(ada, tokens[1]) == {401}
    assert await statuses(ada, "wrong") == {401}
