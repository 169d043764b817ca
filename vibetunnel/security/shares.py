"""Links that let somebody without an account into one session: scoped, expiring, countable, withdrawn at will.

A link carries a code behind `#`, where no server or proxy sees it; the page exchanges it for a login. Of the code
only a hash is kept.
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
from vibetunnel.security.principal import TYPIST, VIEWER, Scope
from vibetunnel.security.state_file import StateFile
from vibetunnel.units import show_duration

CODE_BYTES = 16  # 128 bits; 22 characters of base64url
LIFETIME_S = 24 * 3600.0  # of a link whose maker has not said
LONGEST_S = 366 * 24 * 3600.0
LIMIT = 5000  # links
OF_ONE = 100  # of one session
MAX_USES = 1_000_000

ShareRole = Literal["view", "type"]


class Share(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One link. The caller changes nothing here; Shares does.

    id          random, not secret
    session_id  the one session that it is for
    code_hash   SHA-256 of the code, hexadecimal
    scope       view: see it; type: see it and type
    name        of whoever comes by it, in its maker's words; printable, may be empty
    created     seconds since the epoch
    created_by  name of the account
    token       id of the program's token that made it, with which it ends; empty: no program has
    expires     seconds since the epoch; None: when it is withdrawn, or its session is removed
    uses        how often it may be exchanged; None: any number
    used        how often it was
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

    @property
    def scopes(self) -> Scope:
        return TYPIST if self.scope == "type" else VIEWER

    @property
    def used_up(self) -> bool:
        """Nobody new comes in by it; those who did stay."""
        return self.uses is not None and self.used >= self.uses

    @property
    def ends(self) -> float:
        """Seconds since the epoch, or infinity."""
        return math.inf if self.expires is None else self.expires


class _File(msgspec.Struct, forbid_unknown_fields=True):
    shares: list[Share]
    format: Literal[1] = 1


class Shares:
    """The links. What is here counts at once; the file follows when it can be written.

    path   a damaged file is a warning, and no link is good any more
    clock  seconds since the epoch

    Blocks while it is made: do so at the start. Raises paths.NotPrivate for a file that others may read.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._file = StateFile(path, self._encode, "share links")
        self._shares: dict[str, Share] = {}  # by id, the oldest first
        self._by_code: dict[str, Share] = {}
        for each in self._file.load(_decode, lost="no share link is good any more") or ():
            self._shares[each.id] = each
            self._by_code[each.code_hash] = each

    @property
    def safe(self) -> bool:
        """False: a link that was withdrawn would be good again after a restart of the server."""
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
    ) -> tuple[Share, str]:
        """A new link, and its code, 22 characters of base64url; this is the only place that ever has it.

        expires_s  seconds from now; None: no end
        uses       how often it may be exchanged; None: any number
        name       is made printable and cut

        Raises InvalidField, LimitReached. Whether there is such a session is for the caller to know.
        """
        if scope not in ("view", "type"):
            raise InvalidField("role", "view or type")
        if expires_s is not None and not 0 < expires_s <= LONGEST_S:
            raise InvalidField(
                "expires", f"1 to {LONGEST_S:.0f} seconds ({show_duration(LONGEST_S)}), or null", f"{expires_s:g}"
            )
        if uses is not None and not 1 <= uses <= MAX_USES:
            raise InvalidField("uses", f"1 to {MAX_USES}, or null", str(uses))
        self._drop_expired()
        if sum(each.session_id == session_id for each in self._shares.values()) >= OF_ONE:
            raise LimitReached("share links of a session", OF_ONE)
        if len(self._shares) >= LIMIT:
            raise LimitReached("share links", LIMIT)
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
        )
        self._shares[share.id] = share
        self._by_code[share.code_hash] = share
        await self._file.write()
        return share, code

    def find(self, code: str) -> Share:
        """The link of this code, not used by this. Raises WrongShare as exchange() does."""
        share = self.recognise(code)
        if share.used_up:
            raise WrongShare
        return share

    def recognise(self, code: str) -> Share:
        """The link of this code, used up or not: who came by it may come again. Raises WrongShare."""
        share = self._by_code.get(_hash(code))
        if share is None or share.ends <= self._clock():
            raise WrongShare
        return share

    async def exchange(self, code: str) -> Share:
        """Use a link once. Raises WrongShare for a code that is unknown, out of date, used up or withdrawn.

        The look-up is by hash: its time tells nothing about the codes that there are.
        """
        share = self.find(code)
        share.used += 1  # at once: of two that come at the same time for the last use, one is too late
        # A link for three must not be one for three after each restart; how often the others were used is less dear.
        await (self._file.write() if share.uses is None else self._file.write_or_remove())
        return share

    def get(self, share_id: str) -> Share | None:
        """The link of this id; None: it is withdrawn or out of date, and so are those who came by it.

        One that is used up still is here.
        """
        share = self._shares.get(share_id)
        return None if share is None or share.ends <= self._clock() else share

    def of(self, session_id: str) -> list[Share]:
        """The links of a session that are not out of date, the newest first."""
        now = self._clock()
        found = [each for each in self._shares.values() if each.session_id == session_id and each.ends > now]
        return found[::-1]

    async def revoke(self, share_id: str) -> bool:
        """Withdraw a link. False: a restart of the server would bring it back. Raises UnknownShare."""
        share = self.get(share_id)
        if share is None:
            raise UnknownShare
        self._remove(share)
        return await self._file.write_or_remove()

    async def forget_user(self, user: str) -> list[str]:
        """Whoever made them is to be out, and could come back by them as a guest; returns their ids."""
        return await self._forget(each for each in self._shares.values() if each.created_by == user)

    def drop_session(self, session_id: str) -> None:
        """A session was removed, and its links with it. Returns at once: the file follows soon."""
        going = [each for each in self._shares.values() if each.session_id == session_id]
        for each in going:
            self._remove(each)
        if going:
            self._file.write_soon()

    async def forget_all_but(self, session_ids: Iterable[str]) -> list[str]:
        """At the start: the links of sessions that are gone; returns their ids."""
        kept = set(session_ids)
        return await self._forget(each for each in self._shares.values() if each.session_id not in kept)

    async def close(self) -> None:
        """Write what could not be written before, if it can be now."""
        await self._file.close()

    async def _forget(self, which: Iterable[Share]) -> list[str]:
        going = list(which)
        for each in going:
            self._remove(each)
        if going:
            await self._file.write_or_remove()
        return [each.id for each in going]

    def _remove(self, share: Share) -> None:
        del self._shares[share.id]
        del self._by_code[share.code_hash]

    def _drop_expired(self) -> None:
        now = self._clock()
        for each in [each for each in self._shares.values() if each.ends <= now]:
            self._remove(each)

    def _encode(self) -> bytes:
        return msgspec.json.encode(_File([*self._shares.values()]))


def _decode(data: bytes) -> list[Share]:
    return msgspec.json.decode(data, type=_File).shares


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()
