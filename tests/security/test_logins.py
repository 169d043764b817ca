"""Logins and their file: how long a login lasts, and how it ends."""

from __future__ import annotations

import asyncio
import json
import resource
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from harness import DEADLINE_S, no_more

from vibetunnel.errors import InvalidToken, ReusedRefresh, StartFailed, UnknownToken
from vibetunnel.paths import NotPrivate
from vibetunnel.security import csrf, logins, state_file
from vibetunnel.security.logins import IDLE_S, MAX_S, Login, Logins
from vibetunnel.security.state_file import StateFile

FULL = "logins are not kept for the next start"


class Book:
    """Logins with a clock, and a list of what ended."""

    def __init__(self, folder: Path, clock: Clock | None = None, **more: Any) -> None:
        self.path = folder / "logins.json"
        self.clock = clock or Clock()
        self.ended: list[str] = []
        self.logins = Logins(self.path, clock=self.clock, on_end=lambda login: self.ended.append(login.id), **more)

    def again(self) -> Logins:
        """As a server that starts now has them."""
        return Logins(self.path, clock=self.clock)

    async def add(self, user: str = "ada", **more: Any) -> tuple[Login, str]:
        self.clock.now += 1
        return await self.logins.add(user, method="code", **more)

    async def guest(self, *shares: str) -> tuple[Login, str]:
        self.clock.now += 1
        return await self.logins.add("", method="share", guest=True, name="eve", shares=shares)


@pytest.fixture
def book(folder: Path) -> Book:
    return Book(folder)


# Cookies


async def test_a_login_survives_in_its_file_which_has_no_token(book: Book) -> None:
    login, cookie = await book.add(address="192.0.2.1", agent="Firefox")
    assert stat.S_IMODE(book.path.stat().st_mode) == 0o600
    assert cookie not in book.path.read_text()
    again = book.again()
    assert again.check(cookie) == login
    assert (login.user, login.method, login.address, login.agent) == ("ada", "code", "192.0.2.1", "Firefox")
    assert again.check(cookie + "x") is None
    assert again.check("\udcff") is None
    assert again.check("") is None
    assert again.check(login.cookie_hash) is None
    assert await again.revoke(login.id)
    assert again.check(cookie) is None
    assert book.again().check(cookie) is None
    await again.close()
    await book.logins.close()


async def test_a_login_ends_when_it_is_not_used(book: Book) -> None:
    login, cookie = await book.add()
    for _ in range(2):
        book.clock.now += IDLE_S - 1
        assert book.logins.check(cookie) is login
    book.clock.now += IDLE_S
    assert book.logins.check(cookie) is None
    assert book.logins.get(login.id) is None
    assert not book.logins.touch(login.id)
    assert book.logins.list() == []
    with pytest.raises(UnknownToken):
        await book.logins.rotate_cookie(login.id)
    await book.logins.close()


async def test_a_login_ends_however_much_it_is_used(book: Book) -> None:
    login, cookie = await book.add()
    assert book.logins.left_s(login) == MAX_S
    for _ in range(29):
        book.clock.now += 24 * 3600
        assert book.logins.check(cookie)
        assert book.logins.touch(login.id)
    book.clock.now += 24 * 3600
    assert book.logins.check(cookie) is None
    assert book.logins.get(login.id) is None
    await book.add()
    assert login.id not in book.path.read_text()
    await book.logins.close()


async def test_both_times_are_settings(folder: Path) -> None:
    book = Book(folder, idle_s=10, max_s=15)
    _, cookie = await book.add()
    book.clock.now += 9
    assert book.logins.check(cookie)
    book.clock.now += 6
    assert book.logins.check(cookie) is None
    await book.logins.close()


async def test_looking_at_a_login_is_no_use_of_it(book: Book) -> None:
    login, cookie = await book.add()
    book.clock.now += IDLE_S - 1
    assert book.logins.get(login.id) is login
    assert book.logins.list() == [login]
    book.clock.now += 1
    assert book.logins.check(cookie) is None


async def test_when_a_login_was_used_reaches_the_file_without_a_write_for_each_use(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, cookie = await book.add()
    written = book.path.stat().st_ino  # a new file each time
    for _ in range(100):
        book.clock.now += 1
        assert book.logins.check(cookie)
    assert book.path.stat().st_ino == written
    await book.logins.close()
    assert book.again().list()[0].last_used == book.clock.now


async def test_a_clock_that_was_wrong_does_not_make_a_login_live_longer(book: Book) -> None:
    right = book.clock.now
    book.clock.now += 10 * 365 * 24 * 3600
    login, cookie = await book.add()
    book.clock.now = right
    assert book.logins.check(cookie) is login
    assert book.logins.left_s(login) == MAX_S
    book.clock.now += IDLE_S
    assert book.logins.check(cookie) is None
    book.clock.now += 10 * 365 * 24 * 3600
    login, cookie = await book.add()
    book.clock.now = right
    again = book.again()
    assert again.left_s(again.list()[0]) == MAX_S
    book.clock.now += IDLE_S
    assert again.check(cookie) is None
    await again.close()
    await book.logins.close()


async def test_a_new_cookie_makes_the_one_before_void(book: Book) -> None:
    login, before = await book.add()
    after = await book.logins.rotate_cookie(login.id)
    assert book.logins.check(before) is None
    assert book.logins.check(after) is login
    again = book.again()
    assert again.check(before) is None
    assert again.check(after) == login
    assert book.ended == []
    await again.close()
    await book.logins.close()


async def test_a_browsers_user_agent_is_made_harmless(book: Book) -> None:
    login, _ = await book.add(agent="Fire\r\nfox\x1b[31m\u202e\u200b\udcff\0" + "x" * 1000, address="\n1" + "2" * 500)
    assert login.agent == "Firefox[31m" + "x" * (logins.MAX_AGENT - 11)
    assert login.address == "1" + "2" * (logins.MAX_NAME - 1)
    assert book.again().list()[0].agent == login.agent


# Limits


async def test_the_one_that_was_used_longest_ago_makes_room(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "OF_ONE", 3)
    made = [await book.add() for _ in range(3)]
    book.clock.now += 1
    book.logins.check(made[0][1])
    made.append(await book.add())
    assert [book.logins.check(cookie) is not None for _, cookie in made] == [True, False, True, True]
    assert book.ended == [made[1][0].id]
    await book.logins.close()


async def test_one_user_with_many_logins_pushes_no_other_user_out(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "LIMIT", 4)
    _, hers = await book.add("ada")
    his = [await book.add("bob") for _ in range(3)]
    more = [await book.add("bob"), await book.add("eve"), await book.add("bob")]
    assert book.logins.check(hers)
    assert book.ended == [login.id for login, _ in his]
    assert all(book.logins.check(cookie) for _, cookie in more)
    await book.logins.close()


async def test_guests_push_out_guests_of_the_same_link_only(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "LIMIT", 3)
    _, hers = await book.add("ada")
    _, other = await book.guest("s1")
    flood = [await book.guest("s2") for _ in range(20)]
    assert book.logins.check(hers)
    assert book.logins.check(other)
    assert len(book.ended) == 18
    assert book.logins.check(flood[-1][1])
    await book.logins.close()


# Tokens of a login


async def test_a_refresh_token_is_good_once(book: Book) -> None:
    login, _ = await book.add()
    await book.logins.set_refresh(login.id, "r1")
    assert await book.logins.refresh(login.id, "r1") is login
    await book.logins.set_refresh(login.id, "r2")
    again = book.again()
    assert (await again.refresh(login.id, "r2")).id == login.id
    await again.close()
    await book.logins.close()


@pytest.mark.parametrize("handed_out", [True, False])
async def test_a_spent_refresh_token_ends_the_login_for_thief_and_user(book: Book, handed_out: bool) -> None:
    """RFC 9700 §4.14.2."""
    login, cookie = await book.add()
    await book.logins.set_refresh(login.id, "r1")
    await book.logins.refresh(login.id, "r1")
    if handed_out:
        await book.logins.set_refresh(login.id, "r2")
    with pytest.raises(ReusedRefresh) as reused:
        await book.logins.refresh(login.id, "r1")
    assert isinstance(reused.value, InvalidToken)
    assert (reused.value.login_id, reused.value.user) == (login.id, "ada")
    assert str(reused.value) == "Invalid or expired token"
    assert book.ended == [login.id]
    with pytest.raises(UnknownToken):
        await book.logins.refresh(login.id, "r2")
    assert book.logins.check(cookie) is None
    assert book.again().check(cookie) is None


async def test_of_two_refreshes_at_the_same_time_one_is_the_second(book: Book) -> None:
    login, _ = await book.add()
    await book.logins.set_refresh(login.id, "r1")
    results = await asyncio.gather(
        book.logins.refresh(login.id, "r1"), book.logins.refresh(login.id, "r1"), return_exceptions=True
    )
    assert [type(each) for each in results] == [Login, ReusedRefresh]
    assert book.logins.get(login.id) is None


async def test_a_login_without_tokens_has_none_to_refresh(book: Book) -> None:
    login, _ = await book.add()
    with pytest.raises(ReusedRefresh):
        await book.logins.refresh(login.id, "")
    with pytest.raises(UnknownToken):
        await book.logins.refresh("nobody", "")


async def test_a_revoked_access_token_stays_void_until_it_ends_by_itself(book: Book) -> None:
    login, cookie = await book.add()
    end = book.clock.now + 900
    assert await book.logins.revoke_access("a1", end, login.id)
    assert book.logins.is_revoked("a1")
    assert not book.logins.is_revoked("a2")
    assert book.again().is_revoked("a1")
    assert book.logins.check(cookie)
    book.clock.now += 900
    await book.add()
    assert json.loads(book.path.read_text())["revoked"] == {}
    assert await book.logins.revoke_access("a3", book.clock.now, login.id)
    assert not book.logins.is_revoked("a3")
    await book.logins.close()


async def test_too_many_revoked_tokens_end_their_login(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "REVOKED_LIMIT", 2)
    login, _ = await book.add()
    end = book.clock.now + 900
    for jti in ("a1", "a2", "a2"):
        await book.logins.revoke_access(jti, end, login.id)
    assert book.logins.get(login.id) is login
    await book.logins.revoke_access("a3", end, login.id)
    assert book.logins.get(login.id) is None
    assert book.ended == [login.id]


# Ending


async def test_a_guest_is_no_account_whatever_its_name(book: Book) -> None:
    guest, _ = await book.logins.add("ada", method="share", guest=True, name="ada", shares=["s1"])
    assert guest.user == ""
    assert book.logins.list(user="ada") == []
    assert await book.logins.revoke_user("ada") == []
    assert book.logins.get(guest.id) is guest


async def test_all_logins_of_a_user_end_at_once_and_no_others(book: Book) -> None:
    mine = [await book.add("ada") for _ in range(3)]
    other, cookie = await book.add("bob")
    guest, _ = await book.guest("s1")
    guest.name = "ada"
    ended = await book.logins.revoke_user("ada", but=mine[0][0].id)
    assert ended == book.ended == [mine[1][0].id, mine[2][0].id]
    assert {each.id for each in book.logins.list()} == {mine[0][0].id, other.id, guest.id}
    assert [each.id for each in book.logins.list(user="ada")] == [mine[0][0].id]
    assert await book.logins.revoke_user("nobody") == []
    assert await book.logins.revoke_user("") == []
    assert {each.id for each in book.again().list()} == {mine[0][0].id, other.id, guest.id}
    assert book.logins.check(cookie)
    await book.logins.close()


async def test_a_guest_ends_with_the_last_of_their_links(book: Book) -> None:
    guest, _ = await book.guest("s1")
    user, _ = await book.add("bob")
    for login in (guest, user):
        await book.logins.add_share(login.id, "s2")
        await book.logins.add_share(login.id, "s2")
    assert guest.shares == ["s1", "s2"]
    assert set(await book.logins.drop_share("s2")) == {guest.id, user.id}
    assert book.ended == []
    assert await book.logins.drop_share("s1") == [guest.id]
    assert book.ended == [guest.id]
    assert book.logins.get(user.id) is user
    assert await book.logins.drop_share("s1") == []
    assert [each.id for each in book.again().list()] == [user.id]


async def test_ending_an_unknown_login_does_nothing(book: Book) -> None:
    assert await book.logins.revoke("nobody")
    assert book.ended == []
    assert not book.path.exists()


# The file


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"\xff\xfe", b"null", b"[]", b'{"format":1}', b'{"format":2,"logins":[],"revoked":{}}',
        b'{"created":{"x":"y"},"format":1}', b'{"logins":[{"id":"x"}],"revoked":{},"format":1}', b"[" * 100_000,
    ],
)  # fmt: skip
async def test_a_damaged_file_of_logins_is_said_and_logs_everybody_out(
    book: Book, data: bytes, expect_log: Callable[[str], None]
) -> None:
    book.path.write_bytes(data)
    book.path.chmod(0o600)
    expect_log("all users have to log in again")
    read = book.again()
    assert read.list() == []
    _, cookie = await read.add("ada", method="code")
    assert read.check(cookie)
    await read.close()


def test_a_file_of_logins_that_others_can_read_is_refused(book: Book) -> None:
    book.path.write_text('{"logins":[],"revoked":{},"format":1}')
    book.path.chmod(0o644)
    with pytest.raises(NotPrivate, match="chmod 600"):
        book.again()


async def test_a_login_that_cannot_be_written_down_counts(book: Book, expect_log: Callable[[str], None]) -> None:
    expect_log(FULL)
    with no_more(resource.RLIMIT_FSIZE):
        _, cookie = await book.add()
        assert book.logins.check(cookie)
        assert book.logins.safe
    assert not book.path.exists()
    await book.logins.close()
    assert len(book.again().list()) == 1


async def test_without_room_the_file_goes_rather_than_an_ended_login_comes_back(
    book: Book, expect_log: Callable[[str], None]
) -> None:
    expect_log(FULL)
    login, _ = await book.add()
    await book.add("bob")
    with no_more(resource.RLIMIT_FSIZE):
        assert await book.logins.revoke(login.id)
        assert not book.path.exists()
    assert book.logins.safe
    await book.logins.close()
    assert [each.user for each in book.again().list()] == ["bob"]


async def test_an_end_that_cannot_be_written_down_at_all_is_said(
    book: Book, folder: Path, expect_log: Callable[[str], None]
) -> None:
    expect_log(FULL)
    state = folder / "state"
    state.mkdir(mode=0o700)
    book = Book(state)
    login, cookie = await book.add()
    state.rename(folder / "moved")
    state.write_text("in its place")
    assert not await book.logins.revoke(login.id)
    assert not book.logins.safe
    assert book.logins.check(cookie) is None
    state.unlink()
    (folder / "moved").rename(state)
    assert book.again().check(cookie) is not None
    await book.logins.close()
    assert book.logins.safe
    assert book.again().check(cookie) is None


async def test_a_file_that_could_not_be_written_is_tried_again(
    book: Book, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    expect_log(FULL)
    monkeypatch.setattr(state_file, "RETRY_S", 0.001)
    with no_more(resource.RLIMIT_FSIZE):
        await book.add()
    async with asyncio.timeout(DEADLINE_S):
        while not book.path.exists():
            await asyncio.sleep(0.001)
    assert len(book.again().list()) == 1
    await book.logins.close()


async def test_a_removed_folder_is_made_again(folder: Path) -> None:
    book = Book(folder / "gone")
    await book.add()
    assert stat.S_IMODE((folder / "gone").stat().st_mode) == 0o700
    assert len(book.again().list()) == 1


# A file that follows


class Slow:
    """Kept, whose writes wait until they are let go; `written` is what reached the file."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.value = 0
        self.kept = StateFile(folder / "file", lambda: str(self.value).encode(), "things")
        self.written: list[bytes] = []
        self.gate = asyncio.Event()

        async def to_thread(work: Callable[..., None], *arguments: Any) -> None:
            await self.gate.wait()
            work(*arguments)
            self.written.append(self.kept.path.read_bytes())

        monkeypatch.setattr(state_file.asyncio, "to_thread", to_thread)  # type: ignore[attr-defined]


async def test_changes_at_the_same_time_are_one_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(folder, monkeypatch)
    writes = []
    for slow.value in range(10):
        writes.append(asyncio.ensure_future(slow.kept.write()))
        await asyncio.sleep(0)
    slow.gate.set()
    assert await asyncio.gather(*writes) == [True] * 10
    assert len(slow.written) <= 2
    assert slow.written[-1] == b"9"
    await slow.kept.close()


async def test_a_cancelled_wait_does_not_stop_the_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(folder, monkeypatch)
    slow.value = 1
    first = asyncio.ensure_future(slow.kept.write())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    slow.value = 2
    second = asyncio.ensure_future(slow.kept.write())
    slow.gate.set()
    assert await second
    assert slow.written == [b"1", b"2"]  # in this order
    await slow.kept.close()


async def test_a_write_without_a_waiter_is_done_at_the_end_at_the_latest(folder: Path) -> None:
    value = b"1"
    soon = StateFile(folder / "file", lambda: value, "things")
    soon.write_soon(3600)
    value = b"2"
    assert not soon.path.exists()
    await soon.close()
    assert soon.path.read_bytes() == b"2"


async def test_a_write_without_a_waiter_is_done_in_time(folder: Path) -> None:
    soon = StateFile(folder / "file", lambda: b"x", "things")
    soon.write_soon()
    async with asyncio.timeout(DEADLINE_S):
        while not soon.path.exists():
            await asyncio.sleep(0.001)
    await soon.close()


def test_without_an_event_loop_a_change_is_remembered(folder: Path) -> None:
    soon = StateFile(folder / "file", lambda: b"x", "things")
    soon.write_soon(1)
    asyncio.run(soon.close())
    assert soon.path.read_bytes() == b"x"


def test_a_file_that_cannot_be_done_without_stops_the_start(folder: Path) -> None:
    needed = StateFile(folder / "file", lambda: b"", "things")
    assert needed.load(bytes.decode, lost=None) is None
    needed.write_now()
    assert needed.load(bytes.decode, lost=None) == ""
    needed.path.write_bytes(b"\xff")
    with pytest.raises(StartFailed, match="it should have the things"):
        needed.load(bytes.decode, lost=None)


# CSRF


KEY = "5a" * 32


def test_a_csrf_token_is_good_for_its_login_and_key() -> None:
    token = csrf.issue(KEY, "l1")
    assert csrf.valid(KEY, "l1", token)
    assert csrf.valid(KEY, "l1", token)
    assert not csrf.valid(KEY, "l2", token)
    assert not csrf.valid("5b" * 32, "l1", token)
    assert csrf.issue(KEY, "l1") != token


@pytest.mark.parametrize(
    "token", [None, "", "x", "A" * 63, "A" * 64, "A" * 65, "é" * 64, "\udcff" * 64, "=" * 64, "A" * 63 + "\n"]
)
def test_an_invalid_csrf_token_is_refused(token: str | None) -> None:
    assert not csrf.valid(KEY, "l1", token)


def test_a_csrf_token_is_refused_with_any_character_changed() -> None:
    token = csrf.issue(KEY, "l1")
    for index, each in enumerate(token):
        other = "A" if each != "A" else "B"
        assert not csrf.valid(KEY, "l1", token[:index] + other + token[index + 1 :])
    assert not csrf.valid(KEY, "l1", token + "\n")
    assert not csrf.valid(KEY, "l1", token[:-1])
