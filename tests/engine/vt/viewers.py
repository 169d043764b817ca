"""A viewer without a server: it gets from an engine what the pump would send to a `vibetunnel.v1` client."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from vibetunnel._ext.vt import Engine

from .oracles import Script, Step
from .screens import Screen, difference, ours


class Viewer:
    """Where one viewer stands. take() may be called after any piece of output, and need not be after each."""

    def __init__(self, terminal: Engine) -> None:
        self._terminal = terminal
        self._cursor = terminal.offset
        _, self._known = terminal.viewer_redraw()
        self.damages = 0
        self.redraws = 0

    def take(self, output: bytes) -> bytes:
        """The bytes that it is sent now. output: all that the terminal ever took."""
        terminal, sent = self._terminal, b""
        while self._cursor < terminal.shown:
            end = terminal.raw_end(self._cursor)
            if end > self._cursor:
                sent += output[self._cursor : end]
                self._cursor, self._known = end, None
            else:
                sent += self._drawn()
        return sent

    def _drawn(self) -> bytes:
        known = self._known or self._terminal.viewer_at(self._cursor)
        damage = self._terminal.damage(known) if known else None
        if damage:
            self.damages += 1
            self._cursor, self._known = self._terminal.shown, damage[1]
            return damage[0]
        self.redraws += 1
        redraw, self._known = self._terminal.viewer_redraw(scrollback_lines=10_000)
        self._cursor = self._terminal.offset
        return b"\x1bc\x1b[20l" + redraw


def watch(rows: int, cols: int, pieces: Sequence[bytes]) -> tuple[Script, list[Screen]]:
    """Feed a terminal. What its viewer is sent, as a script that looks after each piece, and what it must see there."""
    terminal = Engine(rows, cols)
    viewer = Viewer(terminal)
    output, steps, screens = b"", list[Step](), []
    for piece in pieces:
        terminal.feed(piece)
        output += piece
        steps += [viewer.take(output), None]
        screens.append(ours(terminal))
    return (rows, cols, steps), screens


def cut(stream: bytes, r: random.Random) -> list[bytes]:
    """A stream in pieces that end anywhere."""
    ends = sorted(r.sample(range(1, len(stream)), min(len(stream) - 1, r.choice((0, 2, 8))))) if len(stream) > 1 else []
    return [stream[start:end] for start, end in pairwise((0, *ends, len(stream)))]


def seen_otherwise(mine: Screen, seen: Screen | None) -> str:
    """As difference(), but for what cannot be seen: wrap flags, and whether a wrap is pending."""
    if seen is None:
        return "failed: the viewer threw"
    lines = [(None, runs) for _, runs in seen.lines]
    return difference(mine, Screen(lines, (*seen.cursor[:2], mine.cursor[2]), seen.alternate))
