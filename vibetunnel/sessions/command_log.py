"""The log of one session's shell commands, from the marks that the pump reports and those in the ring."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence

import msgspec
from msgspec import UNSET

from vibetunnel._ext import vt
from vibetunnel._ext.pump import Terminal
from vibetunnel.sessions.command_output import BYTES_LIMIT, COMMANDS_LIMIT, OutputText, texts_of
from vibetunnel.sessions.model import End
from vibetunnel.sessions.shell_commands import ShellCommand, ShellCommands

PIECE = 4096  # bytes fed at a time: the engine keeps a bounded number of marks until they are taken


class CommandLog:
    """The pump reports the marks of this server's time.

    The marks that an earlier server has seen are read out of the ring, once, when the log is first used.
    """

    # Thousands of sessions have one each.
    __slots__ = ("_cols", "_commands", "_end", "_marked", "_terminal", "_typed_ns", "_unread")

    def __init__(self) -> None:
        self._commands = ShellCommands()
        self._terminal: Terminal | None = None
        self._cols = 0
        self._end: End | None = None
        self._marked = False
        self._typed_ns = 0  # when REST typed last; the pump knows the rest
        self._unread = 0  # offset up to which an earlier server saw the output, until its marks have been read

    def opened(self, terminal: Terminal, *, adopted: bool) -> None:
        """adopted: an earlier server has seen the output that is in the ring already."""
        self._terminal = terminal
        self._cols = terminal.cols
        self._unread = terminal.head if adopted else 0

    def newest(self) -> list[ShellCommand]:
        """At most shell_commands.LIMIT commands, newest last."""
        self._read_ring()
        return self._commands.newest()

    async def with_text(self, commands: Sequence[ShellCommand]) -> list[ShellCommand]:
        """Copies of the commands, with the text of their output: of the newest, as far as command_output.py allows."""
        if self._terminal is None:
            return list(commands)
        ended = [each for each in reversed(commands[-COMMANDS_LIMIT:]) if not each.running]
        outputs: list[tuple[bytes, bool]] = []
        left = BYTES_LIMIT
        try:
            rows, cols = self._terminal.rows, self._terminal.cols
            for each in ended:
                if left > 0:
                    outputs.append(_output(self._terminal, each, left))
                    left -= len(outputs[-1][0])
        except ValueError:  # the session was removed meanwhile
            return list(commands)
        texts = await asyncio.to_thread(texts_of, outputs, rows, cols)
        told = {id(each): text for each, text in zip(ended, texts, strict=False)}
        return [_with(each, told[id(each)]) if id(each) in told else each for each in commands]

    @property
    def last_ended(self) -> ShellCommand | None:
        """The newest command that has ended."""
        self._read_ring()
        return self._commands.last_ended

    @property
    def marked(self) -> bool:
        """Whether the shell has printed a mark. Output that the ring no longer has may have had one."""
        self._read_ring()
        return self._marked

    @property
    def prompt(self) -> vt.Mark | None:
        """The mark of the prompt that the shell is at, if no client has typed since; else None."""
        self._read_ring()
        prompt = self._commands.prompt
        if prompt is None or self._terminal is None or self._end is not None:
            return None
        typed_ns = max(self._typed_ns, self._terminal.last_input_ns)
        return prompt if typed_ns <= prompt.at_ns else None

    def typed(self) -> None:
        """REST has typed. The pump reports it a moment later, which may be too late for a wait."""
        self._typed_ns = time.time_ns()

    def take(self, mark: vt.Mark) -> ShellCommand | None:
        """Returns the command that this mark ends, if it ends one."""
        self._read_ring()
        self._marked = True
        return self._commands.take(mark)

    def resized(self) -> None:
        """Another width gives the lines other numbers."""
        if self._terminal is not None and self._terminal.cols != self._cols:
            self._read_ring()
            self._cols = self._terminal.cols
            self._commands.renumbered()

    def process_ended(self, end: End) -> None:
        self._end = end

    def output_ended(self) -> ShellCommand | None:
        """All output is in the ring. Returns the command that ends with the session, if one was running."""
        if self._end is None or self._terminal is None or self._unread:
            return None
        return self._commands.session_ended(self._terminal.head, self._end.at_ns)

    def _read_ring(self) -> None:
        if self._unread and self._terminal is not None:
            end, self._unread = self._unread, 0
            with contextlib.suppress(ValueError):  # the session was removed meanwhile
                first, _, output = self._terminal.read(0)
                self._marked = self._marked or first > 0
                for mark in marks_in(output[: max(0, end - first)], first, self._terminal.rows, self._terminal.cols):
                    self._marked = True
                    self._commands.take(mark)
                if self._end is not None:
                    self._commands.session_ended(self._terminal.head, 0)


def _output(terminal: Terminal, command: ShellCommand, limit: int) -> tuple[bytes, bool]:
    """The newest bytes of a command's output, and whether its beginning is missing."""
    start, end = command.output.start, command.output.end
    assert isinstance(end, int)
    first, _, output = terminal.read(max(start, end - limit), limit)
    return output[: max(0, end - first)], first > start


def _with(command: ShellCommand, text: OutputText) -> ShellCommand:
    output = msgspec.structs.replace(command.output, text=UNSET if text.text is None else text.text, cut=text.cut)
    return msgspec.structs.replace(command, output=output)


def marks_in(output: bytes, first: int, rows: int, cols: int) -> list[vt.Mark]:
    """The prompt marks in output from the ring. Their times are unknown, and so are their lines on the real terminal.

    first       offset of the first byte of `output`
    rows, cols  of the terminal
    """
    terminal = vt.Engine(rows, max(2, cols), scrollback_lines=0)
    marks: list[vt.Mark] = []
    for start in range(0, len(output), PIECE):
        terminal.feed(output[start : start + PIECE])
        marks += [
            event._replace(offset=first + event.offset, line=-1)
            for event in terminal.take_events()
            if isinstance(event, vt.Mark)
        ]
    return marks
