"""The REST routes of the server itself."""

from __future__ import annotations

import os
import time

import msgspec
from msgspec import UNSET

import vibetunnel
from vibetunnel import __version__
from vibetunnel.errors import Forbidden, InvalidField
from vibetunnel.handlers import schemas
from vibetunnel.handlers.handler import Handler
from vibetunnel.preferences import QuickCommand
from vibetunnel.sessions.model import iso

# The commands that the Node server offers in its dialog, except those that most machines lack.
QUICK_COMMANDS = [QuickCommand(command=each) for each in ("zsh", "bash", "htop", "python3", "node")]

_INSTALLED = iso(os.stat(vibetunnel.__file__).st_mtime_ns)
_FEATURES = dict.fromkeys(("auth", "filesystem", "git", "websocket", "sse"), True)


class HealthHandler(Handler):
    """GET /api/health."""

    def get(self) -> None:
        context = self.context
        self.answer(
            schemas.Health(
                version=__version__,
                uptime=context.uptime_s,
                sessions=len(context.registry),
                pid=os.getpid(),
                timestamp=iso(time.time_ns()),
                build_date=_INSTALLED,
            )
        )


class GoHealthHandler(Handler):
    """GET /health."""

    def get(self) -> None:
        context = self.context
        self.answer(
            schemas.GoHealth(
                version=__version__,
                uptime=go_duration(context.uptime_s),
                sessions=len(context.registry),
                pid=os.getpid(),
            )
        )


def go_duration(seconds: float) -> str:
    """A duration as Go's Duration.String() writes it: 1h2m3.5s."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}" if minutes else text


class StatusHandler(Handler):
    """GET /api/server/status."""

    async def get(self) -> None:
        context = self.context
        self.answer(
            schemas.ServerStatus(
                version=__version__,
                uptime=context.uptime_s,
                pid=os.getpid(),
                sessions=len(context.registry),
                clients=context.registry.pump.statistics()["clients"],
                problems=await context.problems(),
                uptime_ms=int(context.uptime_s * 1000),
                timestamp=int(time.time()),
            )
        )


class TailscaleHandler(Handler):
    """GET /api/sessions/tailscale/status."""

    def get(self) -> None:
        self.answer(schemas.TailscaleStatus())


class ConfigHandler(Handler):
    """GET and PUT /api/config."""

    def get(self) -> None:
        context, settings = self.context, self.context.settings
        chosen = context.preferences.of(self.required(self.principal).user)
        commands, folder = chosen.quick_start_commands, chosen.repository_base_path
        self.answer(
            schemas.Config(
                version=__version__,
                default_command=[context.shell],
                working_dir=context.home,
                rows=settings.rows,
                cols=settings.cols,
                spawn=settings.spawn,
                no_auth=settings.no_auth,
                repository_base_path=context.home if folder is UNSET else folder,
                quick_start_commands=QUICK_COMMANDS if commands is UNSET else commands,
                notification_preferences=chosen.notification_preferences,
                auth_required=not settings.no_auth,
                features=_FEATURES,
                limits={"maxSessions": settings.max_sessions, "sessionTimeout": 0},
            )
        )

    async def put(self) -> None:
        wanted, principal = self.read(schemas.ConfigChanges), self.require_login()
        if principal.guest:
            raise Forbidden("This needs an account, which a guest does not have")
        preferences = self.context.preferences
        chosen, accepted = preferences.of(principal.user), schemas.ChangedConfig(success=True)
        if wanted.repository_base_path is not UNSET:
            accepted.repository_base_path = chosen.repository_base_path = wanted.repository_base_path
        if wanted.quick_start_commands is not UNSET:
            commands = [each for each in wanted.quick_start_commands if each.command.strip()]
            accepted.quick_start_commands = chosen.quick_start_commands = commands
        if wanted.notification_preferences is not UNSET:
            changes = msgspec.structs.asdict(wanted.notification_preferences)
            given = {name: value for name, value in changes.items() if value is not UNSET}
            chosen.notification_preferences = msgspec.structs.replace(chosen.notification_preferences, **given)
            accepted.notification_preferences = chosen.notification_preferences
        if accepted == schemas.ChangedConfig(success=True):
            raise InvalidField("body", "repositoryBasePath, quickStartCommands or notificationPreferences", "none")
        await preferences.keep(principal.user, chosen)
        self.answer(accepted)


class MetricsHandler(Handler):
    """GET /metrics, for Prometheus."""

    def get(self) -> None:
        content_type, page = self.context.metrics.page()
        self.set_header("Content-Type", content_type)
        self.finish(page)


class OpenApiHandler(Handler):
    """GET /api/openapi.json."""

    def get(self) -> None:
        self.finish(self.site.openapi())
