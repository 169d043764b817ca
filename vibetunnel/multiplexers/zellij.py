"""zellij (0.40 or later): what it is asked, and how its answers are read. It tells of sessions only."""

from __future__ import annotations

import re

from msgspec import UNSET

from vibetunnel.errors import InvalidField
from vibetunnel.multiplexers.commands import Commands
from vibetunnel.multiplexers.errors import MultiplexerFailed, NameInUse, UnknownTarget
from vibetunnel.multiplexers.found import MultiplexerSession

PROGRAM = "zellij"

_NONE = "No active zellij sessions found"
# `name [Created 3h 2m ago] (EXITED - attach to resurrect)`
_ROW = re.compile(r"(?P<name>.+) \[Created (?P<age>[^\[\]]*)\] ?(?P<state>\([^()]*\))?")


class Zellij:
    """Zellij sessions of the account."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def installed(self) -> bool:
        return await self._commands.installed(PROGRAM)

    async def sessions(self) -> list[MultiplexerSession]:
        ran = await self._commands.run(PROGRAM, "list-sessions", "--no-formatting")
        if ran.code:
            if _NONE in ran.output + ran.error:
                return []
            raise MultiplexerFailed(f"zellij: {ran.reason}")
        rows = [match for line in ran.output.splitlines() if (match := _ROW.fullmatch(line))]
        return [
            MultiplexerSession(
                name=row["name"],
                type="zellij",
                created=row["age"],
                exited="EXITED" in (row["state"] or "") or UNSET,
            )
            for row in rows
        ]

    async def create(self, name: str, layout: str = "") -> str:
        """Create a session in the background."""
        if "/" in name or name in (".", ".."):
            raise InvalidField("name", "a name without /", name)
        if any(each.name == name for each in await self.sessions()):
            raise NameInUse(f"zellij has a session with the name {name} already")
        shape = (f"--layout={layout}",) if layout else ()
        ran = await self._commands.run(PROGRAM, *shape, "attach", "--create-background", "--", name)
        if ran.code:
            raise MultiplexerFailed(f"zellij: {ran.reason}")
        return name

    def attach_command(self, name: str) -> list[str]:
        """The command of a session that shows it. It is created if there is none: VibeTunnel's client asks for that."""
        if "/" in name or name in (".", ".."):
            raise InvalidField("sessionName", "a name without /", name)
        return [PROGRAM, "attach", "--create", "--", name]

    async def kill(self, name: str) -> None:
        """End a session, and forget what zellij keeps to bring it back."""
        if not await self._has(name):
            raise UnknownTarget(f"zellij has no session with the name {name}")
        ran = await self._commands.run(PROGRAM, "delete-session", "--force", "--", name)
        # It fails for a session of which it has kept nothing, after it has ended it.
        if ran.code and await self._has(name):
            raise MultiplexerFailed(f"zellij: {ran.reason}")

    async def _has(self, name: str) -> bool:
        return any(each.name == name for each in await self.sessions())
