"""The marks in output that an earlier server has seen and this one finds in the ring. Pure."""

from __future__ import annotations

from typing import NamedTuple

from vibetunnel._ext import vt

PIECE = 4096  # bytes fed at a time; the engine keeps a bounded number of marks until they are taken


class PastMark(NamedTuple):
    """A mark whose time, and whose line on the real terminal, nobody knows any more."""

    kind: str
    offset: int
    exit_code: int | None
    command: str
    line: int = -1
    at_ns: int = 0


def marks_in(output: bytes, first: int, rows: int, cols: int) -> list[PastMark]:
    """`first` is the offset of the first byte of `output`; the size is the terminal's."""
    terminal = vt.Terminal(rows, max(2, cols), scrollback_lines=0)
    marks: list[PastMark] = []
    for start in range(0, len(output), PIECE):
        terminal.feed(output[start : start + PIECE])
        marks += [
            PastMark(event.kind, first + event.offset, event.exit_code, event.command)
            for event in terminal.take_events()
            if isinstance(event, vt.Prompt)
        ]
    return marks
