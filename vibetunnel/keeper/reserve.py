"""Descriptors that are held for later ones: a process at its limit of open files loses those that it is sent."""

from __future__ import annotations

import os


class Reserve:
    """Some descriptors, none of them used."""

    def __init__(self) -> None:
        self._held: list[int] = []

    def free(self, count: int) -> None:
        """Hold this many fewer."""
        for descriptor in self._held[-count:]:
            os.close(descriptor)
        del self._held[-count:]

    def resize(self, count: int) -> None:
        """Hold this many, or, if the process has no room for them, as many as possible. Then it raises OSError."""
        while len(self._held) > count:
            os.close(self._held.pop())
        while len(self._held) < count:
            self._held.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
