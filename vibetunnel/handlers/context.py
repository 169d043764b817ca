"""The context of every handler: the parts of the server, and the state that handlers share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tornado.web import Application

from vibetunnel.files.space import FileSpace
from vibetunnel.git.service import GitService
from vibetunnel.handlers.client_files import Files
from vibetunnel.http.tls_relay import Relays
from vibetunnel.logs.audit import Audit
from vibetunnel.logs.recent import RecentLog
from vibetunnel.logs.requests import RequestLog
from vibetunnel.metrics import Metrics
from vibetunnel.multiplexers.service import Multiplexers
from vibetunnel.preferences import UserPreferences
from vibetunnel.push.service import PushService
from vibetunnel.security.addresses import Clients
from vibetunnel.security.allow_list import AllowList
from vibetunnel.security.authority import Authority
from vibetunnel.security.codes import Codes
from vibetunnel.security.hosts import HostPolicy
from vibetunnel.security.limits import Limits
from vibetunnel.security.signing import SigningKeys
from vibetunnel.security.ssh_login import Challenges
from vibetunnel.sessions.attachments import Attachments
from vibetunnel.sessions.badges import Badges
from vibetunnel.sessions.broadcast import Broadcast
from vibetunnel.sessions.registry import Registry
from vibetunnel.sessions.rendering import Rendering
from vibetunnel.sessions.snapshots import Snapshots
from vibetunnel.sessions.waits import Waits
from vibetunnel.settings import Settings


@dataclass
class Context:
    """The parts of one server.

    url         the server's public address
    home        folder of new sessions; relative paths start here
    shell       program of new sessions
    user        name of the account that runs everything
    recent      the newest lines of the server's log
    problems    the parts of the server that do not work now, in sentences
    push        notifications; a text: why they are off
    control     the messages of the control stream, for VibeTunnel's own client
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
    recent: RecentLog
    clients: Clients
    allow_list: AllowList
    metrics: Metrics
    home: str
    shell: str
    user: str
    attachments: Attachments
    relays: Relays
    snapshots: Snapshots
    problems: Callable[[], Awaitable[list[str]]]
    rendering: Rendering
    preferences: UserPreferences
    git: GitService
    badges: Badges
    files: FileSpace
    multiplexers: Multiplexers
    push: PushService | str
    control: Broadcast = field(default_factory=Broadcast)
    started: float = field(default_factory=time.monotonic)

    @property
    def tls(self) -> bool:
        return self.settings.tls

    @property
    def secret(self) -> str:
        """The secret of the installation, which `Authorization: Bearer` accepts."""
        return self.authority.secret

    @property
    def uptime_s(self) -> float:
        return round(time.monotonic() - self.started, 3)


@dataclass(frozen=True)
class Site:
    """What the handlers of one application share.

    files       the built web client
    openapi     returns the OpenAPI document, as JSON
    websockets  Tornado's application for the sockets whose frames Tornado handles (websocket.py)
    running     the handlers' coroutines, each until it ends
    """

    context: Context
    files: Files
    openapi: Callable[[], bytes]
    websockets: Application
    running: set[asyncio.Task[None]] = field(default_factory=set)
