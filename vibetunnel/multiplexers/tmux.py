"""tmux: what it is asked, and how its answers are read.

A value from outside is an argument of its own. tmux itself reads some characters in it: a `;` at its end begins another
command, and `#(...)` in a new name runs a program. argument() and literal() take that meaning away.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence

from msgspec import UNSET, UnsetType

from vibetunnel.errors import InvalidField
from vibetunnel.multiplexers.commands import Commands, Ran
from vibetunnel.multiplexers.errors import MultiplexerFailed, NameInUse, UnknownTarget
from vibetunnel.multiplexers.found import MultiplexerSession, Target, TmuxPane, TmuxWindow

PROGRAM = "tmux"
UTF8 = "-u"  # whatever the locale is: without it tmux writes `_` for letters beyond ASCII

_NO_SERVER = re.compile(r"no server running|no sessions|error connecting to .*\((No such file|Connection refused)")
_DUPLICATE = re.compile(r"duplicate session")
_RENAMED = str.maketrans(":.", "__")  # as tmux does to names of sessions
_PANE = re.compile(r"(?:(?P<session>.*):)?(?P<window>\d{1,9})\.(?P<pane>\d{1,9})", re.DOTALL)


def argument(text: str) -> str:
    """The text as an argument that tmux takes as it is."""
    return f"{text[:-1]}\\;" if text.endswith(";") else text


def literal(text: str) -> str:
    """The text where tmux expands formats."""
    return text.replace("#", "##")


class Tmux:
    """tmux of the account, on its default socket."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    async def installed(self) -> bool:
        return await self._commands.installed(PROGRAM)

    async def sessions(self) -> list[MultiplexerSession]:
        return [session for _, session in await self._sessions()]

    async def windows(self, name: str) -> list[TmuxWindow]:
        return [window for _, window in await self._windows(await self._id(name))]

    async def panes(self, name: str, window: int | None = None) -> list[TmuxPane]:
        """The panes of a window, or of all windows."""
        session = await self._id(name)
        if window is None:
            return [pane for _, pane in await self._panes("-s", session)]
        return [pane for _, pane in await self._panes(await self._window(session, window))]

    async def create(self, name: str, command: Sequence[str] = ()) -> str:
        """Create a session, and return its name, in which tmux may have replaced characters.

        command  of one entry is run by the shell of the account, as tmux has it
        """
        wanted = argument(literal(name))
        words = ("--", *map(argument, command)) if command else ()
        ran = await self._run("new-session", "-d", "-P", "-F", "#{session_name}", "-s", wanted, *words)
        if ran.code and _DUPLICATE.search(ran.error):
            raise NameInUse(f"tmux has a session with the name {name} already")
        return _checked(ran).output.removesuffix("\n")

    async def attach_command(self, target: Target) -> list[str]:
        """The command of a session that shows the target. Raises UnknownTarget."""
        session, name = await self._id(target.session), target.session.translate(_RENAMED)
        # `=` asks for exactly this name. But tmux takes a name that begins with `$` for a session's number.
        place = session if name.startswith("$") else f"={name}"
        if target.window is not UNSET:
            window = await self._window(session, target.window)
            place += f":{target.window}"
            if target.pane is not UNSET:
                await self._pane(window, target.pane)
                place += f".{target.pane}"
        return [PROGRAM, UTF8, "attach-session", "-t", argument(place)]

    async def kill(self, name: str) -> None:
        _checked(await self._run("kill-session", "-t", await self._id(name)))

    async def kill_window(self, name: str, window: int) -> None:
        _checked(await self._run("kill-window", "-t", await self._window(await self._id(name), window)))

    async def kill_pane(self, name: str, pane: str) -> None:
        """pane  `SESSION:WINDOW.PANE` or `WINDOW.PANE`, in indexes"""
        place = _PANE.fullmatch(pane)
        if place is None:
            raise InvalidField("pane", "WINDOW.PANE, in numbers", pane[:40])
        if place["session"] not in (None, name, name.translate(_RENAMED)):
            raise InvalidField("pane", f"one of the session {name}", pane[:40])
        window = await self._window(await self._id(name), int(place["window"]))
        _checked(await self._run("kill-pane", "-t", await self._pane(window, int(place["pane"]))))

    async def send(self, name: str, text: str, window: int | None = None, pane: int | None = None) -> None:
        """Type a line of text into a pane. None: into the active one."""
        place = await self._pane(await self._window(await self._id(name), window), pane)
        # `-l`: the text as it is, and not the names of keys in it. So Enter is a command of its own.
        _checked(await self._run("send-keys", "-t", place, "-l", "--", argument(text)))
        _checked(await self._run("send-keys", "-t", place, "Enter"))

    # Numbers (`$1`, `@2`, `%3`) name exactly one thing, as long as tmux runs. Names may match another one.

    async def _id(self, name: str) -> str:
        wanted = name.translate(_RENAMED)
        for number, session in await self._sessions():
            if session.name == wanted:
                return number
        raise UnknownTarget(f"tmux has no session with the name {name}")

    async def _window(self, session: str, index: int | None) -> str:
        for number, window in await self._windows(session):
            if window.active if index is None else window.index == index:
                return number
        raise UnknownTarget(f"the tmux session has no window {index}")

    async def _pane(self, window: str, index: int | None) -> str:
        for number, pane in await self._panes(window):
            if pane.active if index is None else pane.index == index:
                return number
        raise UnknownTarget(f"the window of the tmux session has no pane {index}")

    async def _sessions(self) -> list[tuple[str, MultiplexerSession]]:
        rows = await self._table(
            "list-sessions",
            "session_id session_name session_windows session_created session_attached session_activity",
        )
        return [
            (
                number,
                MultiplexerSession(
                    name=name,
                    type="tmux",
                    windows=int(windows),
                    created=created,
                    attached=attached != "0",
                    activity=activity or UNSET,
                ),
            )
            for number, name, windows, created, attached, activity in rows
        ]

    async def _windows(self, session: str) -> list[tuple[str, TmuxWindow]]:
        fields = "window_id session_name window_index window_name window_active window_panes"
        return [
            (
                number,
                TmuxWindow(session=name, index=int(index), name=title, active=active == "1", panes=int(panes)),
            )
            for number, name, index, title, active, panes in await self._table("list-windows", fields, "-t", session)
        ]

    async def _panes(self, *where: str) -> list[tuple[str, TmuxPane]]:
        """where  the number of a window; or `-s` and the number of a session"""
        *flags, place = where
        rows = await self._table(
            "list-panes",
            "pane_id session_name window_index pane_index pane_active pane_width pane_height pane_title pane_pid "
            "pane_current_command pane_current_path",
            *flags,
            "-t",
            place,
        )
        return [
            (
                number,
                TmuxPane(
                    session=session,
                    window=int(window),
                    index=int(index),
                    active=active == "1",
                    width=int(width),
                    height=int(height),
                    title=title or UNSET,
                    pid=_number(pid),
                    command=command or UNSET,
                    current_path=path or UNSET,
                ),
            )
            for number, session, window, index, active, width, height, title, pid, command, path in rows
        ]

    async def _table(self, command: str, fields: str, *arguments: str) -> list[list[str]]:
        """The rows of a list. No value can imitate the separator, which is random: titles and paths hold any text."""
        separator = f"<{secrets.token_hex(8)}>"
        names = fields.split()
        shape = "".join(f"#{{{name}}}{separator}" for name in names)
        ran = await self._run(command, *arguments, "-F", shape)
        if ran.code and _NO_SERVER.search(ran.error):
            return []
        *values, rest = _checked(ran).output.split(separator)
        if len(values) % len(names) or rest.strip():
            raise MultiplexerFailed("tmux has given another list than it was asked for")
        rows = [values[begin : begin + len(names)] for begin in range(0, len(values), len(names))]
        return [[first.removeprefix("\n"), *others] for first, *others in rows]

    async def _run(self, *arguments: str) -> Ran:
        return await self._commands.run(PROGRAM, UTF8, *arguments)


def _checked(ran: Ran) -> Ran:
    if ran.code:
        raise MultiplexerFailed(f"tmux: {ran.reason}")
    return ran


def _number(text: str) -> int | UnsetType:
    return int(text) if text.isdecimal() else UNSET
