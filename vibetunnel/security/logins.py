"""Who is logged in: one record for a browser's cookie, a family of tokens, or both. Of their secrets only hashes.

A login ends when it is unused for too long, when it is too old, or when somebody ends it; everything that it let in
ends with it. Its id is not secret.
"""

from __future__ import annotations

import builtins
import hashlib
import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

import msgspec

from vibetunnel.errors import ReusedRefresh, UnknownToken
from vibetunnel.security.secret import same
from vibetunnel.security.state_file import StateFile

IDLE_S = 7 * 24 * 3600.0
MAX_S = 30 * 24 * 3600.0
LIMIT = 1000  # of accounts, and as many of guests: whoever has a link cannot push a user out
OF_ONE = 200  # logins of one user; a link may have as many viewers as there is room for
REVOKED_LIMIT = 10_000  # access tokens that were revoked by themselves, and would live on otherwise
SAVE_USE_S = 60.0  # how far the file may be behind, about when a login was used last

MAX_AGENT = 200  # characters
MAX_NAME = 64
MUTED_OF_ONE = 1000  # sessions that one login may not type into; beyond it the first is forgotten
SHARES_OF_ONE = 100  # links that one guest has followed; a newer one replaces the oldest


class Login(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One login. The caller changes nothing here; Logins does.

    id           random, not secret
    user         name of the account; of a guest, empty
    method       how: code, password, pam, ssh-key, share
    created      seconds since the epoch, as are the others
    last_used    by a cookie or a refresh token
    cookie_hash  SHA-256 of the cookie's token, hexadecimal
    refresh_jti  of the one refresh token that is good now; empty: none is
    guest        came by a share link, and has no account
    name         of a guest, as the link says
    shares       ids of the share links that were followed; what they still allow, shares.py knows
    muted        ids of the sessions whose owners have taken the keyboard from it
    address      where it was made from
    agent        the browser's name for itself: printable, at most MAX_AGENT characters

    The role is not here: what counts is the one that the account has now.
    """

    id: str
    user: str
    method: str
    created: float
    last_used: float
    cookie_hash: str
    refresh_jti: str = ""
    guest: bool = False
    name: str = ""
    shares: list[str] = []
    muted: list[str] = []
    address: str = ""
    agent: str = ""


class _Revoked(msgspec.Struct, forbid_unknown_fields=True):
    sid: str
    exp: float


class _File(msgspec.Struct, forbid_unknown_fields=True):
    logins: list[Login]
    revoked: dict[str, _Revoked]  # by jti
    format: Literal[1] = 1


class Logins:
    """The logins. What is here counts at once; the file follows when it can be written.

    path    a damaged file is a warning, and everybody has to log in again
    idle_s  unused for so long, a login ends
    max_s   so old, it ends in any case
    clock   seconds since the epoch
    on_end  is told of each login that ends before its time: its sockets are to be closed. Called in the event loop,
            before the method that ended it returns (or waits); not called for one that has become too old or idle

    Blocks while it is made: do so at the start. Raises paths.NotPrivate for a file that others may read.
    """

    def __init__(
        self,
        path: Path,
        *,
        idle_s: float = IDLE_S,
        max_s: float = MAX_S,
        clock: Callable[[], float] = time.time,
        on_end: Callable[[Login], None] | None = None,
    ) -> None:
        self._idle_s = idle_s
        self._max_s = max_s
        self._clock = clock
        self._on_end = on_end
        self._file = StateFile(path, self._encode, "logins")
        self._logins: dict[str, Login] = {}  # by id, the oldest first
        self._by_cookie: dict[str, Login] = {}
        self._revoked: dict[str, _Revoked] = {}
        found = self._file.load(_decode, lost="everybody has to log in again")
        if found is not None:
            for login in found.logins:
                self._logins[login.id] = login
                self._by_cookie[login.cookie_hash] = login
            self._revoked = found.revoked
            self._drop_expired()

    @property
    def safe(self) -> bool:
        """False: a login that has ended would be there again after a restart of the server."""
        return self._file.safe

    # Who it is

    def check(self, cookie: str) -> Login | None:
        """The login that a cookie's token belongs to, used now; None: none, or it is over."""
        login = self._by_cookie.get(_hash(cookie))
        return None if login is None or not self._use(login) else login

    def get(self, login_id: str) -> Login | None:
        """The login of this id; None: there is none, or it is over. Not a use of it."""
        login = self._logins.get(login_id)
        return None if login is None or self._is_over(login, self._clock()) else login

    def touch(self, login_id: str) -> bool:
        """Count as used now, for what stays open without asking again. False: there is no such login."""
        login = self._logins.get(login_id)
        return login is not None and self._use(login)

    def ends(self, login: Login) -> float:
        """When it will be too old, in seconds since the epoch, however much it is used."""
        return login.created + self._max_s

    def list(self, *, user: str | None = None) -> builtins.list[Login]:
        """All that are not over, or those of one account; the one that was used last is the first."""
        now = self._clock()
        found = [each for each in self._logins.values() if not self._is_over(each, now)]
        if user is not None:
            found = [each for each in found if each.user == user and not each.guest]
        return sorted(found, key=lambda each: each.last_used, reverse=True)

    # In

    async def add(
        self,
        user: str,
        *,
        method: str,
        guest: bool = False,
        name: str = "",
        shares: Iterable[str] = (),
        address: str = "",
        agent: str = "",
    ) -> tuple[Login, str]:
        """A new login, and the token for its cookie; this is the only place that ever has it.

        user    name of the account; a guest has none, and it is not kept
        name    of a guest
        shares  ids of the links that let a guest in
        address, agent  are made printable and cut

        A user may have OF_ONE; LIMIT accounts' logins and LIMIT guests' may be there: beyond that the one that was used
        longest ago ends, of the user or the link that has the most.
        """
        token = secrets.token_urlsafe(32)
        now = self._clock()
        login = Login(
            id=secrets.token_hex(9),
            user="" if guest else user,
            method=method,
            created=now,
            last_used=now,
            cookie_hash=_hash(token),
            guest=guest,
            name=clean(name, MAX_NAME),
            shares=list(shares)[:SHARES_OF_ONE],
            address=clean(address, MAX_NAME),
            agent=clean(agent, MAX_AGENT),
        )
        self._drop_expired()
        self._make_room(login)
        self._logins[login.id] = login
        self._by_cookie[login.cookie_hash] = login
        await self._file.write()  # else it ends with this server
        return login, token

    async def add_share(self, login_id: str, share_id: str) -> Login:
        """Who is logged in has followed one more link. Raises UnknownToken when they are not, any more."""
        login = self._require(login_id)
        login.shares = [*(each for each in login.shares if each != share_id), share_id][-SHARES_OF_ONE:]
        await self._file.write()
        return login

    async def rotate_cookie(self, login_id: str) -> str:
        """Another token for the same login's cookie; the one before is void. Raises UnknownToken."""
        login = self._require(login_id)
        token = secrets.token_urlsafe(32)
        del self._by_cookie[login.cookie_hash]
        login.cookie_hash = _hash(token)
        self._by_cookie[login.cookie_hash] = login
        self._use(login)
        await self._file.write_or_remove()
        return token

    # Tokens of a login

    async def set_refresh(self, login_id: str, jti: str) -> None:
        """From now on this refresh token is the good one, and no other. Raises UnknownToken.

        To be awaited before the token is handed out: a restart is not to know a spent one as good. If the disk is full
        it does all the same; then the good one counts as spent, and the first use of both ends the login.
        """
        self._require(login_id).refresh_jti = jti
        await self._file.write()

    async def refresh(self, sid: str, jti: str) -> Login:
        """Spend a refresh token (verified before): its login, used now. set_refresh() with the next one has to follow.

        Raises UnknownToken when the login is over. A token that was spent before means that two have it, the user and
        a thief, and nobody knows who came first: the login ends, then ReusedRefresh is raised (RFC 9700 §4.14.2).
        """
        login = self._require(sid)
        if not login.refresh_jti or not same(login.refresh_jti, jti):
            await self.revoke(sid)
            raise ReusedRefresh(sid, login.user)
        login.refresh_jti = ""  # at once: of two that come at the same time, one is the second
        self._use(login)
        return login

    async def revoke_access(self, jti: str, exp: float, sid: str) -> bool:
        """One access token is void from now on; its login is not. False: a restart of the server would bring it back.

        exp  when it would end by itself, in seconds since the epoch
        sid  its login; without one the token is void anyway. When REVOKED_LIMIT is reached it ends instead: rather
             too much than too little
        """
        if self.get(sid) is None or exp <= self._clock():
            return True
        self._drop_expired()
        if len(self._revoked) >= REVOKED_LIMIT and jti not in self._revoked:
            return await self.revoke(sid)
        self._revoked[jti] = _Revoked(sid, exp)
        return await self._file.write_or_remove()

    def is_revoked(self, jti: str) -> bool:
        """Whether this access token was revoked by itself. Whether its login still is there, get() tells."""
        return jti in self._revoked

    # Out

    async def revoke(self, login_id: str) -> bool:
        """End a login. Nothing happens when it is not there. False: a restart of the server would bring it back."""
        login = self._logins.get(login_id)
        if login is None:
            return True
        self._end(login)
        return await self._file.write_or_remove()

    async def revoke_user(self, user: str, *, but: str = "") -> builtins.list[str]:
        """End all logins of an account, and return their ids; `safe` tells whether a restart would bring them back.

        but  id of one that stays: whoever changes a password need not log in again
        """
        return await self._revoke_all(
            each for each in self._logins.values() if each.user == user and not each.guest and each.id != but
        )

    async def drop_share(self, share_id: str) -> builtins.list[str]:
        """A share link has been withdrawn. Returns the ids of the logins that had it; guests without another one end.

        For the accounts among them the caller closes what the link let them open; `on_end` is told of the guests.
        """
        having = [each for each in self._logins.values() if share_id in each.shares]
        for login in having:
            login.shares = [each for each in login.shares if each != share_id]
            if login.guest and not login.shares:
                self._end(login)
        if having:
            await self._file.write_or_remove()
        return [each.id for each in having]

    async def drop_shares_of(self, login_id: str, share_ids: Iterable[str]) -> bool:
        """One login has no right by these links any more; a guest without another one ends.

        False: a restart of the server would bring it back.
        """
        login, gone = self.get(login_id), set(share_ids)
        if login is None:
            return True
        login.shares = [each for each in login.shares if each not in gone]
        if login.guest and not login.shares:
            self._end(login)
        return await self._file.write_or_remove()

    async def mute(self, login_id: str, session_id: str, *, muted: bool) -> None:
        """Whether the keyboard of this session has been taken from a login. Nothing happens when it is not there."""
        login = self.get(login_id)
        if login is not None:
            others = [each for each in login.muted if each != session_id][1 - MUTED_OF_ONE :]
            login.muted = [*others, session_id] if muted else others
            await self._file.write()

    async def close(self) -> None:
        """Write what could not be written before, if it can be now."""
        await self._file.close()

    async def _revoke_all(self, which: Iterable[Login]) -> builtins.list[str]:
        ending = list(which)
        for login in ending:
            self._end(login)
        if ending:
            await self._file.write_or_remove()
        return [each.id for each in ending]

    def _require(self, login_id: str) -> Login:
        login = self.get(login_id)
        if login is None:
            raise UnknownToken
        return login

    def _use(self, login: Login) -> bool:
        now = self._clock()
        if self._is_over(login, now):
            return False
        login.created = min(login.created, now)  # as in _drop_expired
        login.last_used = now
        self._file.write_soon(SAVE_USE_S)
        return True

    def _is_over(self, login: Login, now: float) -> bool:
        return login.last_used + self._idle_s <= now or login.created + self._max_s <= now

    def _end(self, login: Login) -> None:
        self._remove(login)
        if self._on_end is not None:
            self._on_end(login)

    def _remove(self, login: Login) -> None:
        del self._logins[login.id]
        del self._by_cookie[login.cookie_hash]

    def _drop_expired(self) -> None:
        now = self._clock()
        for login in [*self._logins.values()]:
            # The clock has been set back: what was made in the future must not live until then.
            login.created = min(login.created, now)
            login.last_used = min(login.last_used, now)
            if self._is_over(login, now):
                self._remove(login)
        self._revoked = {
            jti: each for jti, each in self._revoked.items() if each.exp > now and each.sid in self._logins
        }

    def _make_room(self, new: Login) -> None:
        groups: dict[str, builtins.list[Login]] = defaultdict(list)
        for each in self._logins.values():
            if each.guest == new.guest:
                groups[_whose(each)].append(each)
        own = groups.get(_whose(new), [])
        crowd = own if len(own) >= OF_ONE and not new.guest else []
        if sum(len(each) for each in groups.values()) >= LIMIT:
            crowd = max(groups.values(), key=len)
        if crowd:
            self._end(min(crowd, key=lambda each: each.last_used))

    def _encode(self) -> bytes:
        return msgspec.json.encode(_File([*self._logins.values()], self._revoked))


def _decode(data: bytes) -> _File:
    return msgspec.json.decode(data, type=_File)


def clean(text: str, length: int) -> str:
    """`text` without what is not printable (control and direction characters, lone surrogates), and not longer."""
    return "".join(each for each in text[: 4 * length] if each.isprintable())[:length]


def _whose(login: Login) -> str:
    """Whose it is, as far as limits go."""
    return login.shares[0] if login.guest and login.shares else login.user


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
