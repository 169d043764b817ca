"""Accounts: valid names and keys, logging in, and what outlives the server."""

from __future__ import annotations

import resource
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from harness import no_more

from vibetunnel.errors import InvalidField, LimitReached, StartFailed, UnknownKey, UnknownUser, UserExists
from vibetunnel.paths import NotPrivate
from vibetunnel.security import passwords, users
from vibetunnel.security.passwords import hash_password
from vibetunnel.security.principal import Role
from vibetunnel.security.users import Users

CHEAP = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"  # of "password"


def new_key(comment: str = "me@home") -> str:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    return f"{key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} {comment}\n"


async def test_accounts_are_there_after_a_restart(folder: Path) -> None:
    path = folder / "s" / "users.json"
    before = Users(path, clock=lambda: 1000.5)
    assert before.list() == []
    await before.add("zoe", Role.OWNER, await hash_password("correct horse"))
    await before.add("Ada", Role.VIEWER)
    await before.add_key("Ada", new_key())
    await before.change("Ada", disabled=True)
    await before.close()
    assert before.safe
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"correct horse" not in path.read_bytes()
    assert "argon2" not in repr(before.list())
    after = Users(path)
    assert after.list() == before.list()
    assert [user.name for user in after.list()] == ["Ada", "zoe"]
    ada = after.get("Ada")
    assert ada is not None
    assert (ada.role, ada.disabled, ada.created, ada.password) == (Role.VIEWER, True, 1000.5, None)
    assert [key.comment for key in ada.keys] == ["me@home"]
    assert await after.check_password("zoe", "correct horse") == after.get("zoe")


@pytest.mark.parametrize("name", ["ada", "A", "_", "a.b-c_d", "x" * 64, "0", "a..b"])
async def test_a_name_that_can_be(folder: Path, name: str) -> None:
    assert (await Users(folder / "u").add(name, Role.WRITER)).name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 65,
        ".",
        "..",
        ".a",
        "-a",
        "a b",
        "a/b",
        "ä",
        "a\n",
        "\na",
        "a\0",
        "a:b",
        "а",
        "\ud800",
        "a@b",
        "%61",
        "𝕒",
    ],
)
async def test_a_name_that_cannot_be(folder: Path, name: str) -> None:
    accounts = Users(folder / "u")
    with pytest.raises(InvalidField, match="name: expected 1 to 64") as caught:
        await accounts.add(name, Role.WRITER)
    assert str(caught.value).isprintable()
    assert accounts.list() == []


async def test_a_name_is_taken_whatever_its_case(folder: Path) -> None:
    accounts = Users(folder / "u")
    await accounts.add("ada", Role.WRITER)
    for name in ("ada", "Ada", "ADA"):
        with pytest.raises(UserExists):
            await accounts.add(name, Role.OWNER)
    assert accounts.get("Ada") is None
    assert [user.role for user in accounts.list()] == [Role.WRITER]


async def test_nothing_can_be_done_with_an_unknown_user(folder: Path) -> None:
    accounts = Users(folder / "u")
    for call in (
        accounts.change("no", password=None),
        accounts.change("no", role=Role.OWNER),
        accounts.change("no", disabled=True),
        accounts.change("no", disabled=False),
        accounts.remove("no"),
        accounts.add_key("no", new_key()),
        accounts.remove_key("no", "SHA256:x"),
    ):
        with pytest.raises(UnknownUser):
            await call
    with pytest.raises(UnknownUser):
        accounts.get_or_raise("no")
    assert accounts.list() == []


async def test_only_the_password_of_an_enabled_account_lets_in(folder: Path) -> None:
    accounts = Users(folder / "u")
    await accounts.add("ada", Role.WRITER, await hash_password("correct horse"))
    await accounts.add("bob", Role.WRITER)
    assert await accounts.check_password("ada", "correct horse")
    for name, password in (
        ("ada", "wrong horse"),
        ("ada", ""),
        ("Ada", "correct horse"),
        ("bob", ""),
        ("bob", "correct horse"),
        ("nobody", "correct horse"),
        ("\ud800", "\ud800"),
    ):
        assert await accounts.check_password(name, password) is None
    await accounts.change("ada", disabled=True)
    assert await accounts.check_password("ada", "correct horse") is None
    await accounts.change("ada", disabled=False)
    await accounts.change("ada", password=await hash_password("another horse"))
    assert await accounts.check_password("ada", "correct horse") is None
    assert await accounts.check_password("ada", "another horse")
    await accounts.change("ada", password=None)
    assert await accounts.check_password("ada", "another horse") is None
    await accounts.remove("ada")
    assert await accounts.check_password("ada", "another horse") is None


@pytest.mark.parametrize("what", ["disable", "remove", "change the password"])
async def test_a_change_during_a_password_check_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    accounts = Users(folder / "u")
    await accounts.add("ada", Role.WRITER, await hash_password("correct horse"))

    async def slow(_password: str, _phc: str | None, **_more: bool) -> bool:
        match what:
            case "disable":
                await accounts.change("ada", disabled=True)
            case "remove":
                await accounts.remove("ada")
            case _:
                await accounts.change("ada", password=None)
        return True

    monkeypatch.setattr(passwords, "verify", slow)
    assert await accounts.check_password("ada", "correct horse") is None


async def test_every_try_costs_one_check(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a user that there is not, one without a password, and a disabled one: user enumeration by timing."""
    accounts = Users(folder / "u")
    phc = await hash_password("correct horse")
    await accounts.add("ada", Role.WRITER, phc)
    await accounts.add("bob", Role.WRITER)
    await accounts.add("eve", Role.WRITER, phc)
    await accounts.change("eve", disabled=True)
    checked: list[str | None] = []

    async def counted(_password: str, stored: str | None, **_more: bool) -> bool:
        checked.append(stored)
        return False

    monkeypatch.setattr(passwords, "verify", counted)
    for name in ("ada", "bob", "eve", "nobody"):
        assert await accounts.check_password(name, "wrong horse") is None
    assert checked == [phc, None, phc, None]


async def test_an_old_hash_is_replaced_at_the_next_login(folder: Path) -> None:
    accounts = Users(folder / "u")
    await accounts.add("ada", Role.WRITER, CHEAP)
    assert await accounts.check_password("ada", "wrong") is None
    assert accounts.get_or_raise("ada").password == CHEAP
    user = await accounts.check_password("ada", "password")
    assert user == accounts.get("ada")
    assert user is not None
    assert user.password is not None
    assert not passwords.needs_rehash(user.password)
    assert await Users(folder / "u").check_password("ada", "password")


async def test_keys_come_and_go_by_fingerprint(folder: Path) -> None:
    accounts = Users(folder / "u")
    await accounts.add("ada", Role.WRITER)
    line = new_key("first")
    await accounts.add_key("ada", line)
    user = await accounts.add_key("ada", line.replace("first", "renamed"))
    assert [key.comment for key in user.keys] == ["renamed"]
    user = await accounts.add_key("ada", new_key("second"))
    with pytest.raises(UnknownKey, match="'ada' has no SSH key"):
        await accounts.remove_key("ada", "SHA256:nothing")
    for key in user.keys:
        left = await accounts.remove_key(
            "ada", key.fingerprint.removeprefix("SHA256:" if key.comment == "second" else "")
        )
    assert left.keys == ()
    with pytest.raises(InvalidField, match="key: expected"):
        await accounts.add_key("ada", "ssh-rsa nonsense")


async def test_there_is_a_limit_to_keys_and_accounts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "KEYS_OF_ONE", 2)
    monkeypatch.setattr(users, "LIMIT", 1)
    accounts = Users(folder / "u")
    await accounts.add("ada", Role.WRITER)
    with pytest.raises(LimitReached):
        await accounts.add("bob", Role.WRITER)
    line = new_key()
    for each in (new_key(), line, line):
        await accounts.add_key("ada", each)
    with pytest.raises(LimitReached):
        await accounts.add_key("ada", new_key())
    curve = ec.generate_private_key(ec.SECP256R1()).public_key()
    with pytest.raises(LimitReached):
        await accounts.add_key("ada", curve.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())


async def test_a_full_disk_keeps_no_account_alive_in_memory_and_says_so(
    folder: Path, expect_log: Callable[[str], None]
) -> None:
    accounts = Users(folder / "u")
    await accounts.add("ada", Role.WRITER, await hash_password("correct horse"))
    await accounts.add("bob", Role.WRITER)
    expect_log("accounts are not kept for the next start of the server")
    with no_more(resource.RLIMIT_FSIZE):
        await accounts.change("ada", disabled=True)
        assert not accounts.safe
        assert await accounts.check_password("ada", "correct horse") is None
    assert [user.name for user in Users(folder / "u").list()] == ["ada", "bob"]  # everybody else has not gone
    await accounts.close()  # tries once more
    assert Users(folder / "u").get_or_raise("ada").disabled


@pytest.mark.parametrize(
    "text",
    [
        b"", b"{}", b"[]", b'{"users": [{}]}', b'{"users": [], "format": 2}', b"\xff",
        b'{"users": [{"name": "ada", "role": "god", "created": 1}]}',
        b'{"users": [{"name": "ada", "role": "owner", "created": 1, "extra": 1}]}',
        b'{"users": [{"name": "a/b", "role": "owner", "created": 1}]}',
        b'{"users": [{"name": "ada", "role": "owner", "created": 1}, {"name": "ADA", "role": "viewer", "created": 1}]}',
    ],
)  # fmt: skip
def test_a_damaged_file_is_an_error_and_not_an_empty_one(folder: Path, text: bytes) -> None:
    path = folder / "u"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(StartFailed, match=r"it should have the accounts"):
        Users(path)


def test_a_file_that_others_may_read_is_refused(folder: Path) -> None:
    path = folder / "u"
    path.write_bytes(b'{"users": []}')
    path.chmod(0o640)
    with pytest.raises(NotPrivate, match="is open to other users"):
        Users(path)
