"""GNU screen: what it is asked, and how its answers are read. It tells of sessions, and not of what is in them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from msgspec import UNSET

from vibetunnel.errors import InvalidField
from vibetunnel.multiplexers.commands import Commands, Ran
from vibetunnel.multiplexers.errors import MultiplexerBusy, MultiplexerFailed, NameInUse, UnknownTarget
from vibetunnel.multiplexers.found import MultiplexerSession

PROGRAM = "screen"
UTF8 = "-U"
LONGEST = 80  # bytes of a name: it is a part of a socket's path
LOOKS, LOOK_S = 100, 0.05  # how often, and after which time, a new session is sought in the list

# `<tab>4711.name<tab>(date)<tab>(Detached)`; older versions give no date.
_ROW = re.compile(r"\t(?P<name>\d+\..+?)\t(?:\((?P<date>[^()\t]*)\)\t)?\((?P<state>[^()\t]*)\)\s*")


class GnuScreen:
    """Screen sessions of the account."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def installed(self) -> bool:
        return await self._commands.installed(PROGRAM)

    async def sessions(self) -> list[MultiplexerSession]:
        # The exit code says nothing: screen answers 1 with a list, too. Without a list it gives a sentence.
        ran = await self._run("-ls")
        rows = [match for line in ran.output.splitlines() if (match := _ROW.fullmatch(line))]
        return [
            MultiplexerSession(
                name=row["name"],
                type="screen",
                created=row["date"] or UNSET,
                attached="attached" in row["state"].lower(),
                exited="dead" in row["state"].lower() or UNSET,
            )
            for row in rows
        ]

    async def create(self, name: str, command: Sequence[str] = ()) -> str:
        """Create a session, and return its whole name, with its number."""
        if "/" in name or len(name.encode()) > LONGEST:
            raise InvalidField("name", f"at most {LONGEST} bytes without /", name[:LONGEST])
        before = {session.name for session in await self.sessions()}
        ran = await self._run("-dmS", name, *(("--", *command) if command else ()))
        if ran.code:
            raise MultiplexerFailed(f"screen: {ran.reason}")
        for _ in range(LOOKS):  # its parent ends before the session has its socket
            found = [each.name for each in await self.sessions() if each.name not in before and _short(each) == name]
            if found:
                return found[0]
            await asyncio.sleep(LOOK_S)
        raise MultiplexerBusy("screen was asked for a session, and does not list it: its program may have ended")

    async def attach_command(self, name: str) -> list[str]:
        """The command of a session that shows it, beside other terminals that do. Raises UnknownTarget, NameInUse."""
        return [PROGRAM, UTF8, "-x", await self._whole(name)]

    async def kill(self, name: str) -> None:
        ran = await self._run("-S", await self._whole(name), "-X", "quit")
        if ran.code:
            raise MultiplexerFailed(f"screen: {ran.reason}")

    async def _whole(self, name: str) -> str:
        """The name with its number, which names one session: screen takes a name for the beginning of one."""
        found = await self.sessions()
        exact = [each.name for each in found if each.name == name] or [
            each.name for each in found if _short(each) == name
        ]
        if not exact:
            raise UnknownTarget(f"screen has no session with the name {name}")
        if len(exact) > 1:
            raise NameInUse(f"screen has several sessions with the name {name}: name one of {', '.join(exact)}")
        return exact[0]

    async def _run(self, *arguments: str) -> Ran:
        return await self._commands.run(PROGRAM, UTF8, *arguments)


def _short(session: MultiplexerSession) -> str:
    return session.name.partition(".")[2]
