"""The audit: who did what, to which session, account or link.

It never has keystrokes, output, tokens, codes or cookies: callers give ids and names. As a second net, redact.py
removes what looks like a secret.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import TYPE_CHECKING

from vibetunnel.logs.record import MOST, Record, Value
from vibetunnel.logs.redact import REMOVED, Id

if TYPE_CHECKING:
    from vibetunnel.logs.file import LogFile
    from vibetunnel.security.principal import Principal


class Action(enum.StrEnum):
    """What the audit records."""

    LOGIN = "login"
    LOGIN_FAILURE = "login-failure"
    LOGOUT = "logout"
    REFRESH = "refresh"  # the next tokens of a login
    LINK = "link"  # a login code for another device
    CREATE = "create"
    RENAME = "rename"
    SIGNAL = "signal"
    REMOVE = "remove"  # of a session without a process
    ATTACH = "attach"
    DETACH = "detach"
    INPUT_START = "input-start"  # a client typed for the first time; the record does not say what
    SHARE = "share"
    SHARE_USE = "share-use"
    SHARE_REVOKE = "share-revoke"
    REVOKE = "revoke"  # of a login or a token
    KILL = "kill"
    USER = "user"  # added, changed, removed
    TOKEN = "token"  # made or removed  # noqa: S105 (a word)
    SETTINGS = "settings"
    KEYS = "keys"  # rotated
    FILE = "file"  # stored or removed, or a folder was made
    ACCESS = "access"  # the keyboard was given or taken
    PUT_OUT = "put-out"
    PUSH = "push"  # notifications of a browser were turned on or off
    LOG = "log"  # the newest lines of the server's log were cleared
    GIT = "git"  # a branch was switched, a worktree made or removed, follow mode turned on or off
    MULTIPLEXER = "multiplexer"  # a session of tmux, screen or zellij was made or ended, or a line typed into it


class Audit:
    """Writes the audit of one server.

    file     None: nothing is written
    secrets  texts that are removed from every record, whatever they look like
    """

    def __init__(self, file: LogFile | None, secrets: Iterable[str] = ()) -> None:
        self._file = file
        self._secrets = tuple(secrets)

    def record(
        self,
        action: Action | str,
        principal: Principal | None,
        address: str,
        result: str = "ok",
        **fields: Value,
    ) -> None:
        """Write one line: {"time", "action", "result", "user", "role", "by", "address", ...fields}. Costs microseconds.

        It is written soon. An answer waits for keep() instead: what was answered is in the audit.

        action     one of Action
        principal  who did it; None: unknown
        address    the client's; "": no request caused it
        result     "ok", or in a few words why not
        fields     ids and names; None and "" are left out. A field with the name of one of the above is written as
                   target_<name>; only without a principal may `user` be a claimed name. An id is not taken for a secret
                   if it is shorter than 20 characters, a UUID or an Id. Never a command line: it may hold a password.
        """
        if self._file is not None:
            self._file.write(self._record(action, principal, address, result, fields))

    async def keep(
        self,
        action: Action | str,
        principal: Principal | None,
        address: str,
        result: str = "ok",
        **fields: Value,
    ) -> None:
        """As record(), and wait until the line is in the file.

        If the file cannot be written, this returns all the same: a full disk must not lock out the user who would make
        room. The line waits for the disk, and the server's log says so.
        """
        if self._file is not None:
            await self._file.keep(self._record(action, principal, address, result, fields))

    @property
    def writable(self) -> bool:
        """Whether lines reach the file now, or none are wanted."""
        return self._file is None or self._file.writable

    def _record(
        self, action: str, principal: Principal | None, address: str, result: str, fields: dict[str, Value]
    ) -> Record:
        if principal is None:
            who: dict[str, Value] = {}
        else:
            # A guest's name is free text from a link.
            name = principal.user if principal.guest else Id(principal.user)
            who = {"user": name, "role": principal.role, "by": Id(principal.id)}
        record: dict[str, Value] = {"action": str(action), "result": result, **who, "address": address or None}
        for name, value in fields.items():
            if isinstance(value, list):
                value = value[:MOST]  # a copy: the caller may change its list
            record[f"target_{name}" if name in record or name == "time" else name] = value if value != "" else None
        return lambda: self._without_secrets(record)

    def _without_secrets(self, record: dict[str, Value]) -> dict[str, Value]:
        def cleaned(text: str) -> str:
            for secret in self._secrets:
                if secret in text:  # without this test an Id would become a plain str
                    text = text.replace(secret, REMOVED)
            return text

        if not self._secrets:
            return record
        return {
            name: cleaned(value)
            if isinstance(value, str)
            else [cleaned(each) for each in value]
            if isinstance(value, list)
            else value
            for name, value in record.items()
        }
