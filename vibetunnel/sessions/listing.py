"""All sessions as one JSON text, put together again only where something has changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Summarised(Protocol):
    """One of them. static: its summary stays the same bytes until changed() is called."""

    @property
    def static(self) -> bool: ...
    def summary(self) -> bytes: ...


class Listing:
    """sessions: oldest first, while the list has the newest first; what is put in or taken out is told by changed()."""

    def __init__(self, sessions: Mapping[str, Summarised]) -> None:
        self._sessions = sessions
        self._order: list[Summarised] = []
        self._pieces: list[bytes] = []
        self._moving: list[int] = []  # places of those that are not static
        self._whole = b""
        self._current = False  # whether what is above is of these sessions

    def changed(self) -> None:
        """A session has come, gone, or changed its status or name."""
        self._current = False
        self._order, self._pieces, self._moving, self._whole = [], [], [], b""  # removed ones are not kept

    def encoded(self) -> bytes:
        if not self._current:
            self._order = list(self._sessions.values())[::-1]
            self._pieces = [session.summary() for session in self._order]
            self._moving = [place for place, session in enumerate(self._order) if not session.static]
            self._current = True
        for place in self._moving:
            piece = self._order[place].summary()
            if piece != self._pieces[place]:
                self._pieces[place] = piece
                self._whole = b""
        if not self._whole:
            self._whole = b"[" + b",".join(self._pieces) + b"]"
        return self._whole
