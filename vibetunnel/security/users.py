"""The accounts of users: role, password hash and SSH keys, in a file."""

from __future__ import annotations

import builtins
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal, TypedDict, Unpack

import msgspec

from vibetunnel.errors import InvalidField, LimitReached, UnknownKey, UnknownUser, UserExists
from vibetunnel.security import passwords
from vibetunnel.security.principal import Role
from vibetunnel.security.ssh_keys import SshKey, parse_key
from vibetunnel.security.state_file import StateFile

LIMIT = 10_000  # accounts
KEYS_OF_ONE = 100  # SSH keys of one account

_PATTERN = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$"  # not an option of a command line, nor `..`
_NAME = re.compile(_PATTERN)

UserName = Annotated[
    str,
    msgspec.Meta(
        pattern=_PATTERN,
        description="1 to 64 letters, digits and . _ -, the first of which is neither . nor -",
    ),
]


class User(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One account.

    password  PHC string; None: no password is accepted
    disabled  no credential is accepted
    created   seconds since the epoch
    """

    name: str
    role: Role
    password: str | None = None
    keys: tuple[SshKey, ...] = ()
    disabled: bool = False
    created: float

    def __repr__(self) -> str:  # no hash in a log
        return f"User({self.name!r}, {self.role.value}, disabled={self.disabled}, keys={len(self.keys)})"


class Changes(TypedDict, total=False):
    """New values of an account's fields."""

    role: Role
    password: str | None
    keys: tuple[SshKey, ...]
    disabled: bool


def gives(user: User, changes: Changes) -> bool:
    """Whether the account gets a right or a way in that it has not. Another password is not: it replaces one."""
    after = msgspec.structs.replace(user, **changes)
    return bool(
        (user.disabled and not after.disabled)
        or (user.password is None and after.password is not None)
        or after.role.scopes & ~user.role.scopes
        or set(after.keys) - set(user.keys)
    )


class _File(msgspec.Struct, forbid_unknown_fields=True):
    users: list[User]
    format: Literal[1] = 1


class Users:
    """The accounts. A change that gives something counts after it was stored, whole; else NotStored is raised.

    Any other change counts at once. If it cannot be stored, it counts all the same, and `safe` is false.

    path   in a private folder
    clock  seconds since the epoch

    The constructor blocks: call it at the start. Raises StartFailed for a damaged file, because no user could log in;
    paths.NotPrivate for one that others may read. A method that takes a name raises UnknownUser for an unknown one.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._file = StateFile(path, lambda: _encode(self._users), "accounts")
        self._users = {each.name: each for each in self._file.load(_decode, lost=None) or ()}

    @property
    def safe(self) -> bool:
        """False: a restart of the server would give back what was taken away.

        Unlike the file of logins, this one is not deleted then: all accounts are in it.
        """
        return self._file.safe

    def get(self, name: str) -> User | None:
        """The account of exactly this name."""
        return self._users.get(name)

    def get_or_raise(self, name: str) -> User:
        """The account of exactly this name. Raises UnknownUser."""
        return _of(self._users, name)

    def list(self) -> builtins.list[User]:
        """All accounts, sorted by name."""
        return sorted(self._users.values(), key=lambda each: each.name.casefold())

    async def add(self, name: str, role: Role, phc: str | None = None) -> User:
        """Make an account. Raises InvalidField, UserExists (case does not count), LimitReached, NotStored.

        phc  made by passwords.hash_password(); None: no password
        """
        user = User(name=check_name(name), role=role, password=phc, created=self._clock())

        def edit(users: dict[str, User]) -> User:
            for each in users:
                if each.casefold() == name.casefold():
                    raise UserExists(each)
            if len(users) >= LIMIT:
                raise LimitReached("users", LIMIT)
            users[name] = user
            return user

        return await self._give(edit)

    async def change(self, name: str, **changes: Unpack[Changes]) -> User:
        """Change an account, also for present logins; those made with an old password go on. Raises NotStored.

        password  made by passwords.hash_password(); None: no password is accepted
        disabled  no credential of this user is accepted
        """
        before = self.get_or_raise(name)
        if gives(before, changes):
            return await self._give(lambda users: _change(users, name, changes))
        after = _change(self._users, name, changes)
        if after != before:
            await self._file.write_or_tell()
        return after

    async def remove(self, name: str) -> None:
        """Remove the account. The caller ends its logins and tokens too: a later account could have the same name."""
        del self._users[self.get_or_raise(name).name]
        await self._file.write_or_tell()

    async def add_key(self, name: str, line: str) -> User:
        """Add the public key of a line of a .pub file, or replace it. Raises InvalidField, LimitReached, NotStored."""
        key = parse_key(line)

        def edit(users: dict[str, User]) -> User:
            others = tuple(each for each in _of(users, name).keys if each.blob != key.blob)
            if len(others) >= KEYS_OF_ONE:
                raise LimitReached("keys of a user", KEYS_OF_ONE)
            return _change(users, name, {"keys": (*others, key)})

        return await self._give(edit)

    async def remove_key(self, name: str, fingerprint: str) -> User:
        """Remove the key of this fingerprint, with or without `SHA256:`. Raises UnknownKey if there is none."""
        user = self.get_or_raise(name)
        wanted = "SHA256:" + fingerprint.removeprefix("SHA256:")
        left = tuple(each for each in user.keys if each.fingerprint != wanted)
        if len(left) == len(user.keys):
            raise UnknownKey(name)
        return await self.change(name, keys=left)

    async def check_password(self, name: str, password: str, *, stranger: bool = False) -> User | None:
        """The account with this name and password; None: there is none, or it is disabled.

        Takes as long for an unknown user, and for one without a password. A hash with old parameters is replaced.
        Raises RateLimited if too many checks wait; passwords.verify() says what `stranger` means for that.
        """
        before = self._users.get(name)
        right = await passwords.verify(password, before.password if before else None, stranger=stranger)
        user = self._users.get(name)  # it may have changed meanwhile
        if not right or before is None or user is None or user.disabled or user.password != before.password:
            return None
        if user.password is not None and passwords.needs_rehash(user.password):
            fresh = await passwords.rehash(password)
            if self._users.get(name) is user:
                self._users[name] = user = msgspec.structs.replace(user, password=fresh)
                await self._file.write()  # the old hash is as good
            if self._users.get(name) is not user:  # the account was changed meanwhile
                return await self.check_password(name, password, stranger=stranger)
        return user

    async def close(self) -> None:
        """Write changes that could not be written before, if possible now."""
        await self._file.close()

    async def _give(self, edit: Callable[[dict[str, User]], User]) -> User:
        """Make a change that gives something, first in the file. edit: makes it, and returns the account."""

        def draft() -> bytes:
            users = self._users.copy()
            edit(users)
            return _encode(users)

        return await self._file.store(draft, lambda: edit(self._users))


def _of(users: Mapping[str, User], name: str) -> User:
    found = users.get(name)
    if found is None:
        raise UnknownUser(name)
    return found


def _change(users: dict[str, User], name: str, changes: Changes) -> User:
    users[name] = after = msgspec.structs.replace(_of(users, name), **changes)
    return after


def _encode(users: Mapping[str, User]) -> bytes:
    return msgspec.json.encode(_File([*users.values()]))


def check_name(name: str) -> str:
    """`name`, if an account can have it. Raises InvalidField."""
    if not _NAME.fullmatch(name):
        expected = "1 to 64 letters, digits and . _ -, the first of which is neither . nor -"
        raise InvalidField("name", expected, repr(name[:80]))
    return name


def _decode(data: bytes) -> builtins.list[User]:
    found = msgspec.json.decode(data, type=_File).users
    if len({each.name.casefold() for each in found}) < len(found):
        raise ValueError("two accounts have one name")
    for each in found:
        if not _NAME.fullmatch(each.name):
            raise ValueError(f"no account can be named {each.name[:80]!r}")
    return found
