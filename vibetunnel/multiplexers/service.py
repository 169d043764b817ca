"""The multiplexers as one: what there is, and what may be done with it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from msgspec import UNSET, UnsetType

from vibetunnel.errors import InvalidField
from vibetunnel.multiplexers.commands import LIMIT_S, Commands
from vibetunnel.multiplexers.errors import MultiplexerFailed
from vibetunnel.multiplexers.found import Kind, MultiplexerSession, Target
from vibetunnel.multiplexers.screen import GnuScreen
from vibetunnel.multiplexers.tmux import Tmux
from vibetunnel.multiplexers.zellij import Zellij


class MultiplexerState(msgspec.Struct, kw_only=True):
    """error: why there is no list, although the program is installed."""

    available: bool
    type: Kind
    sessions: list[MultiplexerSession] = []
    error: str | UnsetType = UNSET


class MultiplexersState(msgspec.Struct, kw_only=True):
    tmux: MultiplexerState
    zellij: MultiplexerState
    screen: MultiplexerState


class _Listing(Protocol):
    async def installed(self) -> bool: ...
    async def sessions(self) -> list[MultiplexerSession]: ...


class Multiplexers:
    """All of them. close() it."""

    def __init__(self, environment: Mapping[str, str], home: str, *, limit_s: float = LIMIT_S) -> None:
        self._commands = commands = Commands(environment, home, limit_s=limit_s)
        self.tmux = Tmux(commands)
        self.screen = GnuScreen(commands)
        self.zellij = Zellij(commands)

    async def state(self) -> MultiplexersState:
        tmux, zellij, screen = await asyncio.gather(
            _state("tmux", self.tmux), _state("zellij", self.zellij), _state("screen", self.screen)
        )
        return MultiplexersState(tmux=tmux, zellij=zellij, screen=screen)

    async def create(self, kind: Kind, name: str, command: Sequence[str] = (), layout: str = "") -> str:
        """Create a session, and return the name that it got."""
        match kind:
            case "tmux":
                return await self.tmux.create(name, command)
            case "screen":
                return await self.screen.create(name, command)
            case "zellij":
                if command:
                    raise InvalidField("options.command", "none for zellij: it takes a layout", "a command")
                return await self.zellij.create(name, layout)

    async def attach_command(self, target: Target) -> list[str]:
        """The command of a session that shows the target."""
        match target.type:
            case "tmux":
                return await self.tmux.attach_command(target)
            case "screen":
                return await self.screen.attach_command(target.session)
            case "zellij":
                return self.zellij.attach_command(target.session)

    async def kill(self, kind: Kind, name: str) -> None:
        match kind:
            case "tmux":
                await self.tmux.kill(name)
            case "screen":
                await self.screen.kill(name)
            case "zellij":
                await self.zellij.kill(name)

    async def close(self) -> None:
        self._commands.close()


async def _state(kind: Kind, multiplexer: _Listing) -> MultiplexerState:
    if not await multiplexer.installed():
        return MultiplexerState(available=False, type=kind)
    try:
        return MultiplexerState(available=True, type=kind, sessions=await multiplexer.sessions())
    except MultiplexerFailed as error:
        return MultiplexerState(available=True, type=kind, error=str(error))
