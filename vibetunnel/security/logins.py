"""The logins: a record for each logged-in browser or family of tokens, with hashes of their secrets only.

A login ends if it is unused for too long, if it is too old, or if it is revoked. All sockets that it opened end with
it. Its id is not secret.
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
LIMIT = 1000  # of accounts, and as many of guests: guests cannot push users out
OF_ONE = 200  # logins of one user; guests of one link have no such limit
REVOKED_LIMIT = 10_000  # revoked access tokens that have not expired, of logins that go on
SAVE_USE_S = 60.0  # the delay with which the file gets the time of the last use

MAX_AGENT = 200  # characters
MAX_NAME = 64
MUTED_OF_ONE = 1000  # sessions that one login may not type into; a newer one replaces the oldest
SHARES_OF_ONE = 100  # links that one login has followed; a newer one replaces the oldest


class Login(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One login. Only Logins changes it.

    id           random, not secret
    user         name of the account; empty: a guest
    method       how: code, password, pam, ssh-key, share
    created      seconds since the epoch, as are the others
    last_used    by a cookie or a refresh token
    cookie_hash  SHA-256 of the cookie's token, hexadecimal
    refresh_jti  of the only valid refresh token; empty: there is none
    guest        logged in with a share link, without an account
    name         of a guest, as the link says
    shares       ids of the share links that were followed; shares.py knows what they still allow
    muted        ids of the sessions that this login may not type into
    address      of the client that logged in
    agent        the browser's User-Agent: printable, at most MAX_AGENT characters

    The role is not here, because the present role of the account counts.
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
    seen: float = 0.0  # when it was written: what it has forgotten had expired by then
    format: Literal[1] = 1


class Logins:
    """The logins. A change counts at once; the file follows as soon as it can be written.

    path    if the file is damaged, the log has a warning, and all users have to log in again
    idle_s  idle time after which a login ends
    max_s   age at which it ends in any case
    clock   seconds since the epoch; a clock that never goes back has to start at `seen`
    on_end  gets each login that is revoked, to close its sockets. Called in the event loop, before the method that
            revokes it returns or waits; not called for a login that expires

    The constructor blocks: call it at the start. Raises paths.NotPrivate for a file that others may read.
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
        self.seen = 0.0  # the latest time that the file knows of
        found = self._file.load(_decode, lost="all users have to log in again")
        if found is not None:
            for login in found.logins:
                self._logins[login.id] = login
                self._by_cookie[login.cookie_hash] = login
            self._revoked = found.revoked
            self.seen = found.seen

    @property
    def safe(self) -> bool:
        """False: after a restart of the server, a revoked login would be valid again."""
        return self._file.safe

    # Look-up

    def check(self, cookie: str) -> Login | None:
        """The login of a cookie's token, which counts as used; None: it does not exist, or has ended."""
        login = self._by_cookie.get(_hash(cookie))
        return None if login is None or not self._use(login) else login

    def get(self, login_id: str) -> Login | None:
        """The login of this id, which does not count as used; None: it does not exist, or has ended."""
        login = self._logins.get(login_id)
        return None if login is None or self._has_expired(login) else login

    def touch(self, login_id: str) -> bool:
        """Count a login as used, for a socket that stays open. False: there is no such login."""
        login = self._logins.get(login_id)
        return login is not None and self._use(login)

    def left_s(self, login: Login) -> float:
        """How long it may last at most."""
        return login.created + self._max_s - self._clock()

    def list(self, *, user: str | None = None) -> builtins.list[Login]:
        """All that have not ended, or those of one account; the last used one first."""
        self.drop_expired()
        found = [*self._logins.values()]
        if user is not None:
            found = [each for each in found if each.user == user and not each.guest]
        return sorted(found, key=lambda each: each.last_used, reverse=True)

    # Logging in

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
        """Make a login. Returns it and the token for its cookie, which is not kept.

        user    name of the account; ignored for a guest
        name    of a guest
        shares  ids of the links that let a guest in
        address, agent  are made printable and cut

        A user may have OF_ONE logins, and all users and all guests LIMIT each. Beyond that, a login of the user, or of
        the user or link with the most, ends: the one that was used longest ago.
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
        self.drop_expired()
        self._make_room(login)
        self._logins[login.id] = login
        self._by_cookie[login.cookie_hash] = login
        await self._file.write()  # if that fails, the login ends with this server
        return login, token

    async def add_share(self, login_id: str, share_id: str) -> Login:
        """A login has followed one more link. Raises UnknownToken if it has ended."""
        login = self._require(login_id)
        login.shares = [*(each for each in login.shares if each != share_id), share_id][-SHARES_OF_ONE:]
        await self._file.write()
        return login

    async def rotate_cookie(self, login_id: str) -> str:
        """Replace the token of a login's cookie. Returns the new one. Raises UnknownToken."""
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
        """Make this the only valid refresh token of a login. Raises UnknownToken.

        Await this before the token is sent, or a restart could take the previous one for valid. With a full disk it
        does: the new one then counts as used, and its first use ends the login.
        """
        self._require(login_id).refresh_jti = jti
        await self._file.write()

    async def refresh(self, sid: str, jti: str) -> Login:
        """Use a verified refresh token up. Returns its login, which counts as used. Call set_refresh() afterwards.

        Raises UnknownToken if the login has ended. If the token was used before, an attacker may have it, or the user
        may be the second: the login ends, and ReusedRefresh is raised (RFC 9700 §4.14.2).
        """
        login = self._require(sid)
        if not login.refresh_jti or not same(login.refresh_jti, jti):
            await self.revoke(sid)
            raise ReusedRefresh(sid, login.user)
        login.refresh_jti = ""  # before the first await: one of two simultaneous requests is the second
        self._use(login)
        return login

    async def revoke_access(self, jti: str, exp: float, sid: str) -> bool:
        """Revoke one access token, but not its login. False: a restart of the server would make it valid again.

        exp  when the token expires, in seconds since the epoch
        sid  its login; without one the token is invalid anyway. If REVOKED_LIMIT is reached, the whole login ends
        """
        if self.get(sid) is None or exp <= self._clock():
            return True
        self.drop_expired()
        if len(self._revoked) >= REVOKED_LIMIT and jti not in self._revoked:
            return await self.revoke(sid)
        self._revoked[jti] = _Revoked(sid, exp)
        return await self._file.write_or_remove()

    def is_revoked(self, jti: str) -> bool:
        """Whether revoke_access() revoked this access token. get() tells whether its login has ended."""
        return jti in self._revoked

    # Revoking

    async def revoke(self, login_id: str) -> bool:
        """End a login, if it exists. False: a restart of the server would make it valid again."""
        login = self._logins.get(login_id)
        if login is None:
            return True
        self._end(login)
        return await self._file.write_or_remove()

    async def revoke_user(self, user: str, *, but: str = "") -> builtins.list[str]:
        """End all logins of an account, and return their ids. `safe` tells whether a restart would undo it.

        but  id of one that stays: the login that changes the password
        """
        return await self._revoke_all(
            each for each in self._logins.values() if each.user == user and not each.guest and each.id != but
        )

    async def drop_share(self, share_id: str) -> builtins.list[str]:
        """A share link was revoked. Returns the ids of the logins that followed it; guests without another link end.

        The caller closes what accounts among them opened by the link; `on_end` gets the guests.
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
        """Take the rights of these links from one login; a guest without another link ends.

        False: a restart of the server would undo it.
        """
        login, gone = self.get(login_id), set(share_ids)
        if login is None:
            return True
        login.shares = [each for each in login.shares if each not in gone]
        if login.guest and not login.shares:
            self._end(login)
        return await self._file.write_or_remove()

    async def mute(self, login_id: str, session_id: str, *, muted: bool) -> None:
        """Forbid a login to type into this session, or allow it again. Nothing happens if the login has ended.

        `safe` tells whether a restart would let it type again.
        """
        login = self.get(login_id)
        if login is not None:
            others = [each for each in login.muted if each != session_id][1 - MUTED_OF_ONE :]
            login.muted = [*others, session_id] if muted else others
            await (self._file.write_or_tell() if muted else self._file.write())

    async def close(self) -> None:
        """Write changes that could not be written before, if possible now."""
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
        if self._has_expired(login):
            return False
        now = self._clock()
        login.created = min(login.created, now)  # as in drop_expired
        login.last_used = now
        self._file.write_soon(SAVE_USE_S)
        return True

    def _is_over(self, login: Login, now: float) -> bool:
        return login.last_used + self._idle_s <= now or login.created + self._max_s <= now

    def _has_expired(self, login: Login) -> bool:
        """Whether the login is over by age or idleness. Then it is removed, for good: the clock may be set back."""
        over = self._is_over(login, self._clock())
        if over:
            self._remove(login)
            self._file.write_soon()
        return over

    def _end(self, login: Login) -> None:
        self._remove(login)
        if self._on_end is not None:
            self._on_end(login)

    def _remove(self, login: Login) -> None:
        del self._logins[login.id]
        del self._by_cookie[login.cookie_hash]

    def drop_expired(self) -> None:
        """Remove the logins and the records of revoked tokens that have expired. The file follows soon."""
        now, before = self._clock(), len(self._logins) + len(self._revoked)
        for login in [*self._logins.values()]:
            # If the clock was set back, a login from the future must not live longer for it.
            login.created = min(login.created, now)
            login.last_used = min(login.last_used, now)
            if self._is_over(login, now):
                self._remove(login)
        self._revoked = {
            jti: each for jti, each in self._revoked.items() if each.exp > now and each.sid in self._logins
        }
        if len(self._logins) + len(self._revoked) < before:
            self._file.write_soon()

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
        return msgspec.json.encode(_File([*self._logins.values()], self._revoked, max(self.seen, self._clock())))


def _decode(data: bytes) -> _File:
    return msgspec.json.decode(data, type=_File)


def clean(text: str, length: int) -> str:
    """The first `length` printable characters of `text`: no control or direction characters, no lone surrogates."""
    return "".join(each for each in text[: 4 * length] if each.isprintable())[:length]


def _whose(login: Login) -> str:
    """The user or the link that a login counts for."""
    return login.shares[0] if login.guest and login.shares else login.user


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
