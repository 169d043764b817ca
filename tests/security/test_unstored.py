"""A state folder that cannot be written: nothing is given that a restart would take, and what is taken is taken now."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from harness import Browser, Running, Serve, no_more, still_there
from principals import OTHER, PASSWORD, Program, account, guest, logged_in, share

from vibetunnel import paths
from vibetunnel.errors import NotStored, UnknownShare, UnknownToken
from vibetunnel.security import limits, state_file
from vibetunnel.security.api_tokens import ApiTokens
from vibetunnel.security.principal import VIEWER, Role
from vibetunnel.security.shares import Shares
from vibetunnel.security.signing import SigningKeys
from vibetunnel.security.tokens import Tokens
from vibetunnel.security.users import Users

WHAT = ("accounts", "logins", "share links", "tokens of programs", "signing keys")


def public_line() -> str:
    key = Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@contextlib.contextmanager
def full(_server: Running) -> Iterator[None]:
    """A full disk: files can be removed, and not written."""
    with no_more(resource.RLIMIT_FSIZE):
        yield


@contextlib.contextmanager
def gone(server: Running) -> Iterator[None]:
    """A file where the folder should be: nothing in it can be written or removed."""
    state = server.server.settings.state_dir
    moved = state.with_name("moved")
    state.rename(moved)
    state.write_text("in its place")
    try:
        yield
    finally:
        state.unlink()
        moved.rename(state)


@pytest.fixture
def unlogged(serve: Serve, expect_log: Callable[[str], None]) -> Callable[[], Any]:
    """Starts a server without logs, which have tests of their own."""
    expect_log(f"({'|'.join(WHAT)}) are not kept for the next start")

    async def start() -> Running:
        return await serve(audit=False, request_log=False)

    return start


def stored(server: Running) -> dict[str, Any]:
    """What the next server would read."""
    state = server.server.settings.state_dir
    names = (paths.USERS, paths.TOKENS, paths.SHARES, paths.KEYS)
    return {name: json.loads((state / name).read_bytes()) for name in names if (state / name).exists()}


@pytest.mark.parametrize("broken", [full, gone])
async def test_what_cannot_be_stored_is_not_given(unlogged: Callable[[], Any], broken: Any) -> None:
    server = await unlogged()
    session = await server.session(["cat"])
    await account(server, "ada", "viewer")
    await server.json("PATCH", "/api/users/ada", {"disabled": True})
    before = stored(server)
    kid = server.server.context.keys.current.kid
    with broken(server):
        for method, path, body in (
            ("POST", "/api/users", {"name": "bob", "role": "writer", "password": PASSWORD}),
            ("POST", "/api/users/ada/keys", {"key": public_line()}),
            ("PATCH", "/api/users/ada", {"disabled": False}),
            ("PATCH", "/api/users/ada", {"role": "owner"}),
            ("POST", "/api/tokens", {"scope": ["view"], "expires": 60}),
            ("POST", f"/api/sessions/{session}/shares", {"role": "type"}),
            ("POST", "/api/auth/rotate-keys", {}),
        ):
            error = (await server.json(method, path, body, status=507))["error"]
            assert error.startswith("Nothing was changed, because the "), (path, error)
            assert "make room" in error
        assert (await Browser(server).password("bob", PASSWORD)).code == 401
        users = await server.json("GET", "/api/users")
        assert [(each["name"], each["role"], each["disabled"], each["keys"]) for each in users] == [
            ("ada", "viewer", True, [])
        ]
        assert await server.json("GET", "/api/tokens") == []
        assert await server.json("GET", f"/api/sessions/{session}/shares") == []
        assert server.server.context.keys.current.kid == kid
    assert stored(server) == before
    await account(server, "bob")  # and then it works
    await server.close()
    assert [each["name"] for each in stored(server)[paths.USERS]["users"]] == ["ada", "bob"]


async def test_what_is_taken_away_is_taken_at_once_and_the_answer_says_that_a_restart_would_undo_it(
    unlogged: Callable[[], Any],
) -> None:
    server = await unlogged()
    session = await server.session(["sh", "-c", "stty -echo; echo ready; exec cat"])
    owner = await server.attach(session)
    await owner.until(b"ready")
    ada, visitor = await logged_in(server, "ada"), await guest(server, session, role="type")
    link = await share(server, session)
    await server.json("POST", "/api/users/ada/keys", {"key": public_line()}, status=201)
    key = (await server.json("GET", "/api/users"))[0]["keys"][0]["fingerprint"]
    made = await server.json("POST", "/api/tokens", {"scope": ["view"], "expires": 60}, status=201)
    bot = Program(server, made["token"])
    sockets = [await ada.attach(session), await visitor.attach(session, "&permission=type")]
    people = await server.json("GET", f"/api/sessions/{session}/clients")
    [person] = [each["id"] for each in people if each["guest"]]
    with gone(server):
        for method, path, body in (
            ("PATCH", f"/api/sessions/{session}/clients/{person}", {"writable": False}),
            ("DELETE", f"/api/sessions/{session}/clients/{person}", None),
            ("DELETE", f"/api/sessions/{session}/shares/{link['id']}", None),
            ("DELETE", f"/api/tokens/{made['id']}", None),
            ("DELETE", f"/api/users/ada/keys/{quote(key, safe='')}", None),
            ("PATCH", "/api/users/ada", {"password": OTHER}),
            ("DELETE", "/api/users/ada", None),
            ("POST", "/api/auth/rotate-keys", {"forget": True}),
        ):
            error = (await server.json(method, path, body, status=507))["error"]
            assert error.startswith("Done, but the state folder cannot be written"), (path, error)
            assert "make room" in error
        for each in sockets:
            await each.over()
        assert (await bot.fetch("GET", "/api/sessions")).code == 401
        assert (await Browser(server).enter(link["code"])).code == 401
        assert (await Browser(server).password("ada", OTHER)).code == 401
        assert (await visitor.fetch("GET", f"/api/sessions/{session}")).code in (401, 404)
        await still_there(owner)
    await bot.close()
    await server.close()  # writes it at last
    files = stored(server)
    assert files[paths.USERS]["users"] == files[paths.TOKENS]["tokens"] == []
    assert link["id"] not in [each["id"] for each in files[paths.SHARES]["shares"]]


@pytest.mark.parametrize("broken", [full, gone])
async def test_a_link_for_one_use_is_not_used_if_the_use_could_be_forgotten(
    unlogged: Callable[[], Any], broken: Any
) -> None:
    server = await unlogged()
    session = await server.session(["cat"])
    link = await share(server, session, uses=1)
    with broken(server):
        for _ in range(limits.NETWORK_FREE + 1):  # the code is right, so it never counts as a failure
            assert (await Browser(server).enter(link["code"])).code == 507
        assert [each["id"] for each in stored(server).get(paths.SHARES, {"shares": [link]})["shares"]] == [link["id"]]
    assert (await Browser(server).enter(link["code"])).code == 200
    assert (await Browser(server).enter(link["code"])).code == 401
    await server.close()


@pytest.mark.parametrize("broken", [full, gone])
async def test_a_change_that_gives_and_takes_is_made_whole_or_not_at_all(
    unlogged: Callable[[], Any], broken: Any
) -> None:
    server = await unlogged()
    await account(server, "ada", "viewer")
    await server.json("PATCH", "/api/users/ada", {"disabled": True})
    await server.json("POST", "/api/users", {"name": "eve", "role": "viewer"}, status=201)
    with broken(server):
        for name, change in (
            ("ada", {"disabled": False, "role": "owner", "password": OTHER}),
            ("ada", {"role": "writer", "password": OTHER}),
            ("eve", {"password": OTHER}),  # its first one
        ):
            error = (await server.json("PATCH", f"/api/users/{name}", change, status=507))["error"]
            assert error.startswith("Nothing was changed"), error
        users = await server.json("GET", "/api/users")
        assert [(each["role"], each["disabled"], each["hasPassword"]) for each in users] == [
            ("viewer", True, True),
            ("viewer", False, False),
        ]
        for name in ("ada", "eve"):
            assert (await Browser(server).password(name, OTHER)).code == 401
    await server.json("PATCH", "/api/users/ada", {"disabled": False})
    assert (await Browser(server).password("ada", PASSWORD)).code == 200


async def test_a_disabled_account_is_removed_on_a_full_disk_too(unlogged: Callable[[], Any]) -> None:
    server = await unlogged()
    await account(server, "ada")
    await server.json("PATCH", "/api/users/ada", {"disabled": True})
    with full(server):
        assert (await server.fetch("PATCH", "/api/users/ada", {})).code == 200
        assert (await server.fetch("PATCH", "/api/users/ada", {"disabled": True})).code == 200
        error = (await server.json("DELETE", "/api/users/ada", status=507))["error"]
        assert error.startswith("Done, but"), error
        assert await server.json("GET", "/api/users") == []
    await server.close()
    assert stored(server)[paths.USERS]["users"] == []


class Disk:
    """Writes of state files, which wait for `gate` and then fail `failures` times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failures: int) -> None:
        self.failures = failures
        self.writing = asyncio.Event()
        self.gate = asyncio.Event()
        write = paths.write_private

        async def to_thread(work: Callable[..., None], *arguments: Any, **named: Any) -> None:
            self.writing.set()
            await self.gate.wait()
            work(*arguments, **named)

        def write_private(path: Path, data: bytes) -> None:
            if self.failures:
                self.failures -= 1
                raise paths.NotPrivate("cannot write: No space left on device")
            write(path, data)

        monkeypatch.setattr(state_file.asyncio, "to_thread", to_thread)  # type: ignore[attr-defined]
        monkeypatch.setattr(paths, "write_private", write_private)
        monkeypatch.setattr(state_file.log, "warning", lambda *_given: None)


async def test_a_key_that_was_refused_is_never_in_memory_nor_in_the_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = Users(folder / "u")
    await accounts.add("ada", Role.VIEWER)
    disk = Disk(monkeypatch, failures=2)
    adding = [asyncio.ensure_future(accounts.add_key("ada", public_line())) for _ in range(2)]
    await disk.writing.wait()
    assert accounts.get_or_raise("ada").keys == ()  # not before it is stored
    disk.gate.set()
    assert [type(each) for each in await asyncio.gather(*adding, return_exceptions=True)] == [NotStored] * 2
    assert accounts.get_or_raise("ada").keys == ()
    await accounts.close()
    assert Users(folder / "u").get_or_raise("ada").keys == ()


async def test_a_token_that_is_being_made_is_revoked_with_its_user(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ApiTokens(folder / "t")
    _, claims = Tokens(SigningKeys(folder / "k"), "i", "a").issue("api", "ada", VIEWER, lifetime_s=60)
    disk = Disk(monkeypatch, failures=0)
    making = asyncio.ensure_future(store.add(claims))
    await disk.writing.wait()
    revoking = asyncio.ensure_future(store.remove_user("ada"))
    await asyncio.sleep(0)
    disk.gate.set()
    with pytest.raises(UnknownToken):
        await making
    assert await revoking == [claims.jti]
    for each in (store, ApiTokens(folder / "t")):
        assert each.get(claims.jti) is None


@pytest.mark.parametrize("by", ["user", "session"])
async def test_a_link_that_is_being_made_is_revoked_with_its_maker_and_its_session(
    folder: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    links = Shares(folder / "s")
    disk = Disk(monkeypatch, failures=0)
    making = asyncio.ensure_future(links.create("s1", scope="view", created_by="ada"))
    await disk.writing.wait()
    revoking = asyncio.ensure_future(links.forget_user("ada" if by == "user" else ""))
    await asyncio.sleep(0)
    if by == "session":
        links.drop_session("s1")
    disk.gate.set()
    with pytest.raises(UnknownShare):
        await making
    await revoking
    await links.close()
    for each in (links, Shares(folder / "s")):
        assert each.of("s1") == []


async def test_a_refused_key_does_not_stay_in_a_file_whose_write_failed_at_its_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = Users(folder / "u")
    await accounts.add("ada", Role.VIEWER)
    write = paths.write_private

    def write_and_fail(path: Path, data: bytes) -> None:
        write(path, data)
        raise paths.NotPrivate("cannot sync the folder: Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(paths, "write_private", write_and_fail)
        patch.setattr(state_file.log, "warning", lambda *_given: None)
        with pytest.raises(NotStored):
            await accounts.add_key("ada", public_line())
    await accounts.close()
    assert Users(folder / "u").get_or_raise("ada").keys == ()


async def test_two_keys_at_once_are_both_stored(folder: Path) -> None:
    accounts = Users(folder / "u")
    await accounts.add("ada", Role.VIEWER)
    await asyncio.gather(*(accounts.add_key("ada", public_line()) for _ in range(2)))
    for each in (accounts, Users(folder / "u")):
        assert len(each.get_or_raise("ada").keys) == 2


@pytest.mark.parametrize("failures", [0, 1])
async def test_a_forgotten_signing_key_does_not_come_back_with_a_rotation_that_was_under_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    keys = SigningKeys(folder / "k")
    stolen = keys.current.kid
    disk = Disk(monkeypatch, failures)
    rotating = asyncio.ensure_future(keys.rotate())
    await disk.writing.wait()
    forgetting = asyncio.ensure_future(keys.rotate(forget=True))
    await asyncio.sleep(0)
    assert stolen not in [each.kid for each in keys.list()]  # at once
    disk.gate.set()
    rotated, forgotten = await asyncio.gather(rotating, forgetting, return_exceptions=True)
    assert isinstance(rotated, NotStored) == bool(failures)
    assert not isinstance(forgotten, BaseException)
    await keys.close()
    for each in (keys, SigningKeys(folder / "k")):
        kids = [key.kid for key in each.list()]
        assert stolen not in kids
        assert forgotten.kid in kids


@pytest.mark.parametrize("failures", [0, 1])
async def test_what_is_taken_away_beside_a_gift_is_taken_at_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    accounts = Users(folder / "u")
    await accounts.add("ada", Role.VIEWER)
    disk = Disk(monkeypatch, failures)
    giving = asyncio.ensure_future(accounts.change("ada", role=Role.OWNER))
    await disk.writing.wait()
    taking = asyncio.ensure_future(accounts.change("ada", disabled=True))
    await asyncio.sleep(0)
    assert accounts.get_or_raise("ada").disabled
    disk.gate.set()
    await asyncio.gather(giving, taking, return_exceptions=True)
    await accounts.close()
    for each in (accounts, Users(folder / "u")):
        ada = each.get_or_raise("ada")
        assert (ada.disabled, ada.role) == (True, Role.VIEWER if failures else Role.OWNER)


async def test_a_change_beside_one_that_failed_is_kept_and_nothing_of_the_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = Users(folder / "u")
    await accounts.add("ada", Role.VIEWER)
    Disk(monkeypatch, failures=1).gate.set()
    failed, kept = await asyncio.gather(
        accounts.change("ada", role=Role.OWNER), accounts.add("bob", Role.WRITER), return_exceptions=True
    )
    assert isinstance(failed, NotStored)
    assert not isinstance(kept, BaseException)
    for each in (accounts, Users(folder / "u")):
        assert [(user.name, user.role) for user in each.list()] == [("ada", Role.VIEWER), ("bob", Role.WRITER)]
    await accounts.close()


async def test_logging_in_works_while_nothing_can_be_stored(unlogged: Callable[[], Any]) -> None:
    server = await unlogged()
    session = await server.session(["sh", "-c", "stty -echo; echo ready; exec cat"])
    browser = Browser(server)
    with gone(server):
        assert (await browser.login(server.announcement.code)).code == 200
        socket = await browser.attach(session)
        await socket.until(b"ready")
    await server.close()


async def test_new_signing_keys_that_cannot_be_stored_sign_until_the_server_ends(
    folder: Path, expect_log: Callable[[str], None]
) -> None:
    expect_log("signing keys are not kept for the next start")
    with no_more(resource.RLIMIT_FSIZE):
        keys = SigningKeys(folder / "k")
        assert keys.current
    assert not (folder / "k").exists()
    await keys.close()
    assert SigningKeys(folder / "k").current.kid == keys.current.kid
