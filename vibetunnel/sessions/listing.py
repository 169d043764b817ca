"""The list of sessions as one JSON text, rebuilt only when a session has changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Summarised(Protocol):
    """A session. static: its summary stays the same bytes until Listing.changed() is called."""

    @property
    def static(self) -> bool: ...
    def summary(self) -> bytes: ...


class Listing:
    """sessions: oldest first, while the JSON text has the newest first. Call changed() after adding or removing one."""

    def __init__(self, sessions: Mapping[str, Summarised]) -> None:
        self._sessions = sessions
        self._order: list[Summarised] = []
        self._pieces: list[bytes] = []
        self._dynamic: list[int] = []  # positions of the sessions that are not static
        self._whole = b""
        self._current = False  # whether the fields above are of the sessions as they are

    def changed(self) -> None:
        """A session was added or removed, or has another status or name."""
        self._current = False
        self._order, self._pieces, self._dynamic, self._whole = [], [], [], b""  # so that removed sessions are freed

    def encoded(self) -> bytes:
        if not self._current:
            self._order = list(self._sessions.values())[::-1]
            self._pieces = [session.summary() for session in self._order]
            self._dynamic = [position for position, session in enumerate(self._order) if not session.static]
            self._current = True
        for position in self._dynamic:
            piece = self._order[position].summary()
            if piece != self._pieces[position]:
                self._pieces[position] = piece
                self._whole = b""
        if not self._whole:
            self._whole = b"[" + b",".join(self._pieces) + b"]"
        return self._whole
