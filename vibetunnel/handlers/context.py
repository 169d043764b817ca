"""What every handler works with."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

from vibetunnel.handlers.relay import Relays
from vibetunnel.handlers.snapshots import Snapshots
from vibetunnel.metrics import Metrics
from vibetunnel.security.codes import Codes
from vibetunnel.security.hosts import Doors
from vibetunnel.security.logins import Logins
from vibetunnel.sessions.registry import Registry
from vibetunnel.sessions.waits import Waits
from vibetunnel.settings import Settings


class Closes(Protocol):
    """A connection that lasts: a terminal client, an event stream."""

    def close(self, code: int = 1000, reason: str = "") -> None: ...


class Lasting:
    """Connections that last, by the login they came with, so that a logout ends them."""

    def __init__(self) -> None:
        self._login: dict[Closes, str] = {}

    def __len__(self) -> int:
        return len(self._login)

    def add(self, connection: Closes, login: str) -> None:
        self._login[connection] = login

    def discard(self, connection: Closes) -> None:
        """It is gone. Safe twice."""
        self._login.pop(connection, None)

    def end(self, login: str) -> None:
        for connection in [each for each, owner in self._login.items() if owner == login]:
            connection.close(1008, "logged out")


@dataclass
class Context:
    """One server's parts.

    url         address of the server for others
    secret      what `Authorization: Bearer` must have
    home        folder of new sessions; paths are relative to it
    shell       program of new sessions
    user        name of the account that everything runs as
    """

    settings: Settings
    url: str
    registry: Registry
    waits: Waits
    doors: Doors
    secret: str
    codes: Codes
    logins: Logins
    metrics: Metrics
    home: str
    shell: str
    user: str
    lasting: Lasting
    relays: Relays
    snapshots: Snapshots
    started: float = field(default_factory=time.monotonic)

    @property
    def tls(self) -> bool:
        return self.settings.tls_cert is not None

    @property
    def uptime_s(self) -> float:
        return round(time.monotonic() - self.started, 3)
