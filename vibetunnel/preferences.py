"""What users have chosen in their clients: kept for each of them, and the same on all their devices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from vibetunnel.security.state_file import StateFile

USERS = 10_000  # with preferences; a newer one replaces the one whose last change is the oldest
COMMANDS = 100  # of one user

_Text = Annotated[str, Meta(max_length=4096)]


class QuickCommand(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A command that a dialog offers."""

    name: _Text | UnsetType = UNSET
    command: _Text


class Notifications(msgspec.Struct, kw_only=True, rename="camel"):
    """Of what a user wants to be told. The names and defaults are those of the Node server."""

    enabled: bool = False
    session_start: bool = False
    session_exit: bool = True
    command_completion: bool = False
    command_error: bool = True
    bell: bool = True
    claude_turn: bool = False
    sound_enabled: bool = True
    vibration_enabled: bool = False


class Preferences(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """The choices of one user. What was never chosen has its default, or is left out."""

    repository_base_path: _Text | UnsetType = UNSET
    quick_start_commands: Annotated[list[QuickCommand], Meta(max_length=COMMANDS)] | UnsetType = UNSET
    notification_preferences: Notifications = msgspec.field(default_factory=Notifications)


class _File(msgspec.Struct):
    users: dict[str, Preferences]
    format: Literal[1] = 1


class UserPreferences:
    """The preferences of all users, by name. The constructor blocks: call it at the start."""

    def __init__(self, path: Path) -> None:
        self._file = StateFile(path, self._encode, "preferences")
        found = self._file.load(_decode, lost="all preferences have their defaults")
        self._users = {} if found is None else found.users

    def of(self, user: str) -> Preferences:
        return self._users.get(user) or Preferences()

    async def keep(self, user: str, chosen: Preferences) -> None:
        """Keep what a user has chosen. It counts at once, and is written now or as soon as that is possible."""
        self._users.pop(user, None)
        self._users[user] = chosen
        if len(self._users) > USERS:
            del self._users[next(iter(self._users))]
        await self._file.write()

    def forget(self, user: str) -> None:
        """Forget the choices of an account that is removed."""
        if self._users.pop(user, None) is not None:
            self._file.write_soon()

    async def close(self) -> None:
        await self._file.close()

    def _encode(self) -> bytes:
        return msgspec.json.encode(_File(self._users))


def _decode(data: bytes) -> _File:
    return msgspec.json.decode(data, type=_File)
