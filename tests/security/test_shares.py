"""Share links: their rights, uses and lifetimes, and how they end."""

from __future__ import annotations

import asyncio
import resource
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from harness import no_more

from vibetunnel.errors import InvalidField, LimitReached, NotStored, UnknownShare, WrongCode, WrongShare
from vibetunnel.paths import NotPrivate
from vibetunnel.security import shares
from vibetunnel.security.principal import TYPIST, VIEWER
from vibetunnel.security.shares import LIFETIME_S, LONGEST_S, MAX_USES, Share, Shares


class Links:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "shares.json"
        self.clock = Clock()
        self.shares = self.again()

    def again(self) -> Shares:
        """As a server that starts now has them."""
        return Shares(self.path, clock=self.clock)

    async def create(self, session: str = "s1", **more: Any) -> tuple[Share, str]:
        return await self.shares.create(session, **{"scope": "view", "created_by": "ada"} | more)


@pytest.fixture
def links(folder: Path) -> Links:
    return Links(folder)


async def refuses(shares: Shares, code: str) -> None:
    with pytest.raises(WrongShare):
        shares.find(code)
    with pytest.raises(WrongShare):
        await shares.exchange(code)


async def test_a_link_lets_in_until_it_ends(links: Links) -> None:
    share, code = await links.create(name="Bob\x1b\u202e\n")
    assert (share.session_id, share.scopes, share.name, share.created_by) == ("s1", VIEWER, "Bob", "ada")
    assert len(code) == 22
    assert links.shares.find(code) is share
    assert share.used == 0
    for used in (1, 2, 3):
        assert (await links.shares.exchange(code)).id == share.id
        assert share.used == used
    links.clock.now += LIFETIME_S - 1
    assert links.shares.get(share.id) is share
    links.clock.now += 1
    assert links.shares.get(share.id) is None
    assert links.shares.of("s1") == []
    await refuses(links.shares, code)


async def test_a_link_survives_in_its_file_which_has_no_code(links: Links) -> None:
    share, code = await links.create(scope="type", uses=2, expires_s=None)
    assert share.scopes == TYPIST
    await links.shares.exchange(code)
    assert stat.S_IMODE(links.path.stat().st_mode) == 0o600
    assert code not in links.path.read_text()
    again = links.again()
    links.clock.now += 10 * LONGEST_S
    assert again.get(share.id) == share
    await again.exchange(code)
    await refuses(again, code)
    await refuses(links.again(), code)


async def test_a_link_for_one_lets_one_guest_in_who_may_stay(links: Links) -> None:
    share, code = await links.create(uses=1)
    await links.shares.exchange(code)
    await refuses(links.shares, code)
    assert share.used_up
    assert share.used == 1
    assert links.shares.get(share.id) is share
    assert links.shares.of("s1") == [share]


async def test_of_two_at_the_same_time_one_has_the_last_use(links: Links) -> None:
    _, code = await links.create(uses=1)
    results = await asyncio.gather(*(links.shares.exchange(code) for _ in range(5)), return_exceptions=True)
    assert [type(each) for each in results] == [Share] + 4 * [WrongShare]


async def test_a_refusal_does_not_say_why_a_code_is_wrong(links: Links) -> None:
    _, code = await links.create(uses=1)
    await links.shares.exchange(code)
    withdrawn, other = await links.create()
    await links.shares.revoke(withdrawn.id)
    said = set()
    for each in (code, other, "", "x" * 22, "\udcff", code + " ", code.swapcase(), withdrawn.code_hash, withdrawn.id):
        with pytest.raises(WrongCode) as wrong:
            await links.shares.exchange(each)
        said.add(str(wrong.value))
    assert len(said) == 1


async def test_a_withdrawn_link_is_gone_for_good(links: Links) -> None:
    share, code = await links.create()
    await links.create("s2")
    assert await links.shares.revoke(share.id)
    for each in (links.shares, links.again()):
        assert each.get(share.id) is None
        assert each.of("s1") == []
        await refuses(each, code)
        with pytest.raises(UnknownShare):
            await each.revoke(share.id)
    assert len(links.again().of("s2")) == 1


async def test_the_links_of_a_session_go_with_it(links: Links) -> None:
    first, second = (await links.create())[0], (await links.create())[0]
    other, _ = await links.create("s2")
    assert links.shares.of("s1") == [second, first]
    links.shares.drop_session("s1")
    assert links.shares.of("s1") == []
    assert links.shares.get(first.id) is links.shares.get(second.id) is None
    assert links.shares.get(other.id) is other
    links.shares.drop_session("s1")
    third, _ = await links.create("s3")
    assert await links.shares.forget_all_but(["s3", "s4"]) == [other.id]
    assert [each.id for each in links.again().of("s3")] == [third.id]


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("role", {"scope": "control"}), ("role", {"scope": ""}), ("role", {"scope": "VIEW"}),
        ("expires", {"expires_s": 0}), ("expires", {"expires_s": -1}), ("expires", {"expires_s": LONGEST_S + 1}),
        ("expires", {"expires_s": float("nan")}), ("expires", {"expires_s": float("inf")}),
        ("uses", {"uses": 0}), ("uses", {"uses": -1}), ("uses", {"uses": MAX_USES + 1}),
    ],
)  # fmt: skip
async def test_a_link_that_makes_no_sense_is_not_made(links: Links, field: str, more: dict[str, Any]) -> None:
    with pytest.raises(InvalidField) as refused:
        await links.create(**more)
    assert refused.value.field == field
    assert links.shares.of("s1") == []


async def test_the_limit_of_links_does_not_count_ended_ones(links: Links, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shares, "OF_ONE", 2)
    monkeypatch.setattr(shares, "LIMIT", 3)
    for _ in range(2):
        await links.create()
    with pytest.raises(LimitReached, match="of a session"):
        await links.create()
    await links.create("s2")
    with pytest.raises(LimitReached, match="at most 3"):
        await links.create("s3")
    links.clock.now += LIFETIME_S
    await links.create()
    assert len(links.again().of("s1")) == 1


async def test_a_counted_link_is_not_used_without_room_on_the_disk_and_all_links_stay(
    links: Links, expect_log: Callable[[str], None]
) -> None:
    expect_log("share links are not kept for the next start")
    _, code = await links.create(uses=1)
    other, _ = await links.create()
    with no_more(resource.RLIMIT_FSIZE):
        with pytest.raises(NotStored):
            await links.shares.exchange(code)
        assert links.again().get(other.id) is not None
    await links.shares.exchange(code)
    await refuses(links.shares, code)
    await links.shares.close()
    await refuses(links.again(), code)
    assert links.again().get(other.id) is not None


async def test_two_requests_at_once_do_not_both_get_the_last_use(links: Links) -> None:
    _, code = await links.create(uses=1)
    found = await asyncio.gather(links.shares.exchange(code), links.shares.exchange(code), return_exceptions=True)
    assert [isinstance(each, WrongShare) for each in found] == [False, True]


async def test_a_link_that_is_revoked_while_its_use_is_written_lets_no_guest_in(links: Links) -> None:
    share, code = await links.create(uses=1)
    using = asyncio.ensure_future(links.shares.exchange(code))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the use is being written
    await links.shares.revoke(share.id)
    with pytest.raises(WrongShare):
        await using
    await links.shares.close()
    assert links.again().get(share.id) is None


async def test_a_withdrawal_is_final_without_room_on_the_disk(links: Links, expect_log: Callable[[str], None]) -> None:
    expect_log("share links are not kept for the next start")
    share, code = await links.create()
    with no_more(resource.RLIMIT_FSIZE):
        assert await links.shares.revoke(share.id)
        assert links.shares.safe
        await refuses(links.again(), code)
    await links.shares.close()


@pytest.mark.parametrize("text", ["", "{", '{"shares":[{}],"format":1}', '{"shares":[],"format":9}', "[" * 100_000])
async def test_a_damaged_file_of_links_is_said_and_none_is_good(
    links: Links, text: str, expect_log: Callable[[str], None]
) -> None:
    _, code = await links.create()
    links.path.write_text(text)
    expect_log("no share link is valid any longer")
    await refuses(links.again(), code)


def test_a_file_of_links_that_others_can_read_is_refused(links: Links) -> None:
    links.path.write_text('{"shares":[],"format":1}')
    links.path.chmod(0o604)
    with pytest.raises(NotPrivate, match="chmod 600"):
        links.again()
