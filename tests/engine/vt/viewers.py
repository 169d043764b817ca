"""A viewer without a server: it gets from an engine what the pump would send to a `vibetunnel.v1` client."""

from __future__ import annotations

from vibetunnel._ext.vt import Engine


class Viewer:
    """Where one viewer stands. take() may be called after any piece of output, and need not be after each."""

    def __init__(self, terminal: Engine) -> None:
        self._terminal = terminal
        self._cursor = terminal.offset
        self._known = terminal.viewer_redrawn()
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
        self._cursor, self._known = self._terminal.offset, self._terminal.viewer_redrawn()
        return b"\x1bc\x1b[20l" + self._terminal.redraw(scrollback_lines=10_000)
