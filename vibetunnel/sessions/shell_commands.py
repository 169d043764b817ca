"""Shell commands, reconstructed from prompt marks (OSC 133). Pure: marks in, commands out."""

from __future__ import annotations

from collections import deque

import msgspec
from msgspec import UNSET, UnsetType

from vibetunnel._ext.vt import Mark
from vibetunnel.sessions.model import iso

LIMIT = 1000  # commands per session; the oldest are forgotten
LINE_LIMIT = 4096  # characters kept of a command line


class CommandOutput(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """Where the output of a command is. Unknown fields are left out, and so are the ends of a running command.

    start, end   offsets: bytes [start, end)
    first_line   absolute number of its first line
    last_line    absolute number of the cursor's line when the command ended: the line after the output, or the last
                 line if that has no newline
    text         the output of a command that has ended, if it was asked for
    cut          the beginning of the text is missing: it is no longer kept, or the text would be too long
    """

    start: int
    end: int | UnsetType = UNSET
    first_line: int | UnsetType = UNSET
    last_line: int | UnsetType = UNSET
    text: str | UnsetType = UNSET
    cut: bool = False


class ShellCommand(msgspec.Struct, kw_only=True, rename="camel"):
    """One command. Unknown fields are left out.

    running  true: the command has not ended yet
    """

    command: str
    running: bool
    output: CommandOutput
    started_at: str | UnsetType = UNSET
    ended_at: str | UnsetType = UNSET
    duration_ms: int | UnsetType = UNSET
    exit_code: int | UnsetType = UNSET


class ShellCommands:
    """The commands of one session, taken from its marks.

    A shell inside a shell prints the same marks, and marks do not name their shell. So one command runs at a time: a
    prompt, or another command, ends the command before it, without an exit code.
    """

    def __init__(self) -> None:
        self._all: deque[ShellCommand] = deque(maxlen=LIMIT)
        self._began_ns = 0  # of the running command
        self._prompt: Mark | None = None

    def newest(self) -> list[ShellCommand]:
        """At most LIMIT commands, newest last."""
        return list(self._all)

    @property
    def prompt(self) -> Mark | None:
        """The mark (A or B) of the prompt that the shell is at; None while a command runs, or before the first mark."""
        return self._prompt

    @property
    def last_ended(self) -> ShellCommand | None:
        return next((each for each in reversed(self._all) if not each.running), None)

    def take(self, mark: Mark) -> ShellCommand | None:
        """Returns the command that this mark ends, if it ends one."""
        match mark.kind:
            case "A" | "B":
                if mark.kind == "A" or self._prompt is None:  # shells repeat B when they redraw their line
                    self._prompt = mark
                return self._finish(mark.offset, mark.line, None, mark.at_ns)
            case "C":
                self._prompt = None
                ended = self._finish(mark.offset, mark.line, None, mark.at_ns)
                self._begin(mark)
                return ended
            case "D":
                self._prompt = None
                return self._finish(mark.offset, mark.line, mark.exit_code, mark.at_ns)
        return None  # a mark that this version does not know

    def session_ended(self, offset: int, at_ns: int) -> ShellCommand | None:
        """The shell has ended. Returns the command that ends with it, if one was running: usually `exit`."""
        self._prompt = None
        return self._finish(offset, None, None, at_ns)

    def renumbered(self) -> None:
        """The lines have other numbers from here on: forget those of earlier commands."""
        for each in self._all:
            each.output.first_line = each.output.last_line = UNSET

    def _begin(self, mark: Mark) -> None:
        self._began_ns = mark.at_ns
        self._all.append(
            ShellCommand(
                command=mark.command[:LINE_LIMIT],
                running=True,
                output=CommandOutput(start=mark.offset, first_line=mark.line if mark.line >= 0 else UNSET),
                started_at=iso(mark.at_ns) if mark.at_ns else UNSET,
            )
        )

    def _finish(self, offset: int, line: int | None, exit_code: int | None, at_ns: int) -> ShellCommand | None:
        last = self._all[-1] if self._all else None
        if last is None or not last.running:
            return None
        last.running = False
        last.output.end = max(offset, last.output.start)
        if line is not None and last.output.first_line is not UNSET and line >= last.output.first_line:
            last.output.last_line = line
        if exit_code is not None:
            last.exit_code = exit_code
        if at_ns:
            last.ended_at = iso(at_ns)
            if self._began_ns:
                last.duration_ms = max(0, at_ns - self._began_ns) // 1_000_000
        return last
