"""The accounts of users: role, password hash and SSH keys, in a file."""

from __future__ import annotations

import builtins
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from vibetunnel.errors import InvalidField, LimitReached, UnknownUser, UserExists
from vibetunnel.security import passwords
from vibetunnel.security.principal import Role
from vibetunnel.security.ssh_keys import SshKey, parse_key
from vibetunnel.security.state_file import StateFile

LIMIT = 10_000  # accounts
KEYS_OF_ONE = 100  # SSH keys of one account

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")  # not an option of a command line, nor `..`


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


class _File(msgspec.Struct, forbid_unknown_fields=True):
    users: list[User]
    format: Literal[1] = 1


class Users:
    """The accounts. A change counts at once; the file follows as soon as it can be written.

    path   in a private folder
    clock  seconds since the epoch

    The constructor blocks: call it at the start. Raises StartFailed for a damaged file, because no user could log in;
    paths.NotPrivate for one that others may read. A method that takes a name raises UnknownUser for an unknown one.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._file = StateFile(path, self._encode, "accounts")
        self._users = {each.name: each for each in self._file.load(_decode, lost=None) or ()}
        self._safe = True

    @property
    def safe(self) -> bool:
        """False: the last change could not be written, and a restart of the server would undo it.

        Unlike the file of logins, this one is not deleted then: all accounts are in it.
        """
        return self._safe

    def get(self, name: str) -> User | None:
        """The account of exactly this name."""
        return self._users.get(name)

    def get_or_raise(self, name: str) -> User:
        """The account of exactly this name. Raises UnknownUser."""
        found = self._users.get(name)
        if found is None:
            raise UnknownUser(name)
        return found

    def list(self) -> builtins.list[User]:
        """All accounts, sorted by name."""
        return sorted(self._users.values(), key=lambda each: each.name.casefold())

    async def add(self, name: str, role: Role, phc: str | None = None) -> User:
        """Make an account. Raises InvalidField, UserExists (case does not count), LimitReached.

        phc  made by passwords.hash_password(); None: no password
        """
        check_name(name)
        for each in self._users:
            if each.casefold() == name.casefold():
                raise UserExists(each)
        if len(self._users) >= LIMIT:
            raise LimitReached("users", LIMIT)
        return await self._put(User(name=name, role=role, password=phc, created=self._clock()))

    async def set_password(self, name: str, phc: str | None) -> User:
        """Change the password, or (None) remove it. Logins made with the old one go on."""
        return await self._put(msgspec.structs.replace(self.get_or_raise(name), password=phc))

    async def set_role(self, name: str, role: Role) -> User:
        """Change the role, also for present logins."""
        return await self._put(msgspec.structs.replace(self.get_or_raise(name), role=role))

    async def disable(self, name: str) -> User:
        """Accept no credential of this user from now on."""
        return await self._put(msgspec.structs.replace(self.get_or_raise(name), disabled=True))

    async def enable(self, name: str) -> User:
        """Accept this user's credentials again."""
        return await self._put(msgspec.structs.replace(self.get_or_raise(name), disabled=False))

    async def remove(self, name: str) -> None:
        """Remove the account. The caller ends its logins and tokens too: a later account could have the same name."""
        del self._users[self.get_or_raise(name).name]
        self._safe = await self._file.write()

    async def add_key(self, name: str, line: str) -> User:
        """Add the public key of a line of a .pub file, or replace it. Raises InvalidField, LimitReached."""
        user, key = self.get_or_raise(name), parse_key(line)
        others = tuple(each for each in user.keys if each.blob != key.blob)
        if len(others) >= KEYS_OF_ONE:
            raise LimitReached("keys of a user", KEYS_OF_ONE)
        return await self._put(msgspec.structs.replace(user, keys=(*others, key)))

    async def remove_key(self, name: str, fingerprint: str) -> User:
        """Remove the key of this fingerprint, with or without `SHA256:`. Raises InvalidField if there is none."""
        user = self.get_or_raise(name)
        wanted = "SHA256:" + fingerprint.removeprefix("SHA256:")
        left = tuple(each for each in user.keys if each.fingerprint != wanted)
        if len(left) == len(user.keys):
            raise InvalidField("fingerprint", f"the fingerprint of a key of {name}")
        return await self._put(msgspec.structs.replace(user, keys=left))

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
                user = await self._put(msgspec.structs.replace(user, password=fresh))
            if self._users.get(name) is not user:  # the account was changed meanwhile
                return await self.check_password(name, password, stranger=stranger)
        return user

    async def close(self) -> None:
        """Write changes that could not be written before, if possible now."""
        await self._file.close()

    async def _put(self, user: User) -> User:
        self._users[user.name] = user
        self._safe = await self._file.write()
        return user

    def _encode(self) -> bytes:
        return msgspec.json.encode(_File([*self._users.values()]))


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
