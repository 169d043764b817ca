"""What every handler works with."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from vibetunnel.http.tls_relay import Relays
from vibetunnel.logs.audit import Audit
from vibetunnel.logs.requests import RequestLog
from vibetunnel.metrics import Metrics
from vibetunnel.security.addresses import Clients
from vibetunnel.security.allow_list import AllowList
from vibetunnel.security.authority import Authority
from vibetunnel.security.codes import Codes
from vibetunnel.security.hosts import HostPolicy
from vibetunnel.security.limits import Limits
from vibetunnel.security.signing import SigningKeys
from vibetunnel.security.ssh_login import Challenges
from vibetunnel.sessions.attachments import Attachments
from vibetunnel.sessions.registry import Registry
from vibetunnel.sessions.snapshots import Snapshots
from vibetunnel.sessions.waits import Waits
from vibetunnel.settings import Settings


@dataclass
class Context:
    """One server's parts.

    url         address of the server for others
    home        folder of new sessions; paths are relative to it
    shell       program of new sessions
    user        name of the account that everything runs as
    """

    settings: Settings
    url: str
    registry: Registry
    waits: Waits
    host_policy: HostPolicy
    authority: Authority
    keys: SigningKeys
    codes: Codes
    challenges: Challenges
    limits: Limits
    audit: Audit
    requests: RequestLog
    clients: Clients
    allow_list: AllowList
    metrics: Metrics
    home: str
    shell: str
    user: str
    attachments: Attachments
    relays: Relays
    snapshots: Snapshots
    started: float = field(default_factory=time.monotonic)

    @property
    def tls(self) -> bool:
        return self.settings.tls

    @property
    def secret(self) -> str:
        """What `Authorization: Bearer` may have, for whoever can read the state folder."""
        return self.authority.secret

    @property
    def uptime_s(self) -> float:
        return round(time.monotonic() - self.started, 3)
