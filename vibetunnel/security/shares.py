"""Share links: each lets clients without an account into one session, until it expires or is revoked.

A link has a code after `#`, where no server or proxy sees it. The page exchanges the code for a login. Only a hash of
the code is kept. `recognise` finds a link by its code, `exchange` uses it once, `get` asks by id whether it still
holds.
"""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import msgspec

from vibetunnel.errors import InvalidField, LimitReached, UnknownShare, WrongShare
from vibetunnel.security.logins import MAX_NAME, clean
from vibetunnel.security.principal import NOTHING, TYPIST, VIEWER, Scope
from vibetunnel.security.state_file import StateFile
from vibetunnel.units import show_duration

CODE_BYTES = 16  # 128 bits; 22 characters of base64url
LIFETIME_S = 24 * 3600.0  # the default
LONGEST_S = 366 * 24 * 3600.0
LIMIT = 5000  # links
OF_ONE = 100  # of one session
MAX_USES = 1_000_000

ShareRole = Literal["view", "type"]


class Share(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One link. Only Shares changes it.

    id          random, not secret
    session_id  the only session that it allows
    code_hash   SHA-256 of the code, hexadecimal
    scope       view: see it; type: see it and type
    name        of its guests, as the maker of the link says; printable, may be empty
    created     seconds since the epoch
    created_by  name of the account
    token       id of the program's token that made it, with which it ends; empty: a user made it
    files       its guests may also read files
    expires     seconds since the epoch; None: never
    uses        how often it may be exchanged; None: any number of times
    used        how often it was exchanged
    """

    id: str
    session_id: str
    code_hash: str
    scope: ShareRole
    name: str
    created: float
    created_by: str
    expires: float | None
    uses: int | None
    used: int = 0
    token: str = ""
    files: bool = False

    @property
    def scopes(self) -> Scope:
        return (TYPIST if self.scope == "type" else VIEWER) | (Scope.FILES if self.files else NOTHING)

    @property
    def used_up(self) -> bool:
        """It lets no new guests in. Present guests stay."""
        return self.uses is not None and self.used >= self.uses

    @property
    def ends(self) -> float:
        """Seconds since the epoch, or infinity."""
        return math.inf if self.expires is None else self.expires


class _File(msgspec.Struct, forbid_unknown_fields=True):
    shares: list[Share]
    format: Literal[1] = 1


class Shares:
    """The links. A change counts at once; the file follows as soon as it can be written.

    path   if the file is damaged, the log has a warning, and no link is valid any longer
    clock  seconds since the epoch

    The constructor blocks: call it at the start. Raises paths.NotPrivate for a file that others may read.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._file = StateFile(path, lambda: _encode([*self._shares.values()]), "share links")
        self._shares: dict[str, Share] = {}  # by id, the oldest first
        self._by_code: dict[str, Share] = {}
        self._coming: dict[str, Share] = {}  # those that are valid as soon as they are written, by id
        for each in self._file.load(_decode, lost="no share link is valid any longer") or ():
            self._add(each)

    @property
    def safe(self) -> bool:
        """False: after a restart of the server, a revoked link would be valid again."""
        return self._file.safe

    async def create(
        self,
        session_id: str,
        *,
        scope: ShareRole,
        created_by: str,
        expires_s: float | None = LIFETIME_S,
        uses: int | None = None,
        name: str = "",
        token: str = "",
        files: bool = False,
    ) -> tuple[Share, str]:
        """Make a link. Returns it and its code, 22 characters of base64url, which is not kept.

        expires_s  seconds from now; None: never
        uses       how often it may be exchanged; None: any number of times
        name       is made printable and cut
        files      its guests may also read files

        Raises InvalidField, LimitReached, NotStored; UnknownShare if it is revoked meanwhile, with its session or its
        maker. The caller has checked that the session exists.
        """
        if scope not in ("view", "type"):
            raise InvalidField("role", "view or type")
        if expires_s is not None and not 0 < expires_s <= LONGEST_S:
            raise InvalidField(
                "expires", f"1 to {LONGEST_S:.0f} seconds ({show_duration(LONGEST_S)}), or null", f"{expires_s:g}"
            )
        if uses is not None and not 1 <= uses <= MAX_USES:
            raise InvalidField("uses", f"1 to {MAX_USES}, or null", str(uses))
        code = secrets.token_urlsafe(CODE_BYTES)
        now = self._clock()
        share = Share(
            id=secrets.token_hex(9),
            session_id=session_id,
            code_hash=_hash(code),
            scope=scope,
            name=clean(name, MAX_NAME),
            created=now,
            created_by=created_by,
            expires=None if expires_s is None else now + expires_s,
            uses=uses,
            token=token,
            files=files,
        )

        def draft() -> bytes:
            self.drop_expired()
            if sum(each.session_id == session_id for each in self._shares.values()) >= OF_ONE:
                raise LimitReached("share links of a session", OF_ONE)
            if len(self._shares) >= LIMIT:
                raise LimitReached("share links", LIMIT)
            return _encode([*self._shares.values(), share])

        def give() -> None:
            if share.id not in self._coming:
                raise UnknownShare  # it was revoked meanwhile, with its session or the other links of its maker
            self._add(share)

        self._coming[share.id] = share
        try:
            await self._file.store(draft, give)
        finally:
            self._coming.pop(share.id, None)
        return share, code

    def find(self, code: str) -> Share:
        """The link of this code, without using it. Raises WrongShare as exchange() does."""
        share = self.recognise(code)
        if share.used_up:
            raise WrongShare
        return share

    def recognise(self, code: str) -> Share:
        """The link of this code, even if it is used up: its guests may return. Raises WrongShare."""
        share = self._by_code.get(_hash(code))
        if share is None or self.get(share.id) is None:
            raise WrongShare
        return share

    async def exchange(self, code: str) -> Share:
        """Use a link once. Raises WrongShare for a code that is unknown, expired, used up or revoked; NotStored.

        The look-up is by hash, so that its time reveals nothing about valid codes.
        """
        share = self.find(code)
        if share.uses is None:
            share.used += 1
            await self._file.write()  # this count is less important than a limit on uses
            return share

        def draft() -> bytes:
            used = self.find(code)  # again: another request may have had the last use
            return _encode(
                [
                    msgspec.structs.replace(each, used=each.used + 1) if each is used else each
                    for each in self._shares.values()
                ]
            )

        def give() -> Share:
            used = self.find(code)
            used.used += 1
            return used

        return await self._file.store(draft, give)

    def get(self, share_id: str) -> Share | None:
        """The link of this id; None: it was revoked or has expired, and so have the rights of its guests.

        A link that is used up is still found.
        """
        share = self._shares.get(share_id)
        if share is None or share.ends > self._clock():
            return share
        self.drop_expired()
        return None

    def of(self, session_id: str) -> list[Share]:
        """The links of a session that have not expired, the newest first."""
        self.drop_expired()
        return [each for each in self._shares.values() if each.session_id == session_id][::-1]

    async def revoke(self, share_id: str) -> bool:
        """Revoke a link. False: a restart of the server would make it valid again. Raises UnknownShare."""
        share = self.get(share_id)
        if share is None:
            raise UnknownShare
        self._remove(share)
        return await self._file.write_or_remove()

    async def forget_user(self, user: str) -> list[str]:
        """Revoke the links that a user has made, by which the user could return as a guest. Returns their ids."""
        return await self._forget(each for each in self._all() if each.created_by == user)

    def drop_session(self, session_id: str) -> None:
        """A session was removed, and its links with it. Returns at once: the file follows soon."""
        going = [each for each in self._all() if each.session_id == session_id]
        for each in going:
            self._remove(each)
        if going:
            self._file.write_soon()

    async def forget_all_but(self, session_ids: Iterable[str]) -> list[str]:
        """At the start: revoke the links of sessions that no longer exist. Returns their ids."""
        kept = set(session_ids)
        return await self._forget(each for each in self._shares.values() if each.session_id not in kept)

    async def close(self) -> None:
        """Write changes that could not be written before, if possible now."""
        await self._file.close()

    async def _forget(self, which: Iterable[Share]) -> list[str]:
        going = list(which)
        for each in going:
            self._remove(each)
        if going:
            await self._file.write_or_remove()
        return [each.id for each in going]

    def _all(self) -> list[Share]:
        return [*self._shares.values(), *self._coming.values()]

    def _add(self, share: Share) -> None:
        self._shares[share.id] = share
        self._by_code[share.code_hash] = share

    def _remove(self, share: Share) -> None:
        self._coming.pop(share.id, None)
        self._shares.pop(share.id, None)
        self._by_code.pop(share.code_hash, None)

    def drop_expired(self) -> None:
        """Remove the links that have expired, for good: the clock may be set back. The file follows soon."""
        now = self._clock()
        going = [each for each in self._shares.values() if each.ends <= now]
        for each in going:
            self._remove(each)
        if going:
            self._file.write_soon()


def _encode(shares: list[Share]) -> bytes:
    return msgspec.json.encode(_File(shares))


def _decode(data: bytes) -> list[Share]:
    return msgspec.json.decode(data, type=_File).shares


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
