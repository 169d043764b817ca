"""The marks in output that an earlier server has seen and this one finds in the ring. Pure."""

from __future__ import annotations

from vibetunnel._ext import vt

PIECE = 4096  # bytes fed at a time; the engine keeps a bounded number of marks until they are taken


def marks_in(output: bytes, first: int, rows: int, cols: int) -> list[vt.Mark]:
    """`first` is the offset of the first byte of `output`; the size is the terminal's."""
    terminal = vt.Terminal(rows, max(2, cols), scrollback_lines=0)
    marks: list[vt.Mark] = []
    for start in range(0, len(output), PIECE):
        terminal.feed(output[start : start + PIECE])
        marks += [
            event._replace(offset=first + event.offset, line=-1)  # the line on the real terminal is unknown
            for event in terminal.take_events()
            if isinstance(event, vt.Mark)
        ]
    return marks
