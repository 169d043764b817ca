"""The REST routes of the server itself."""

from __future__ import annotations

import os

from vibetunnel import __version__
from vibetunnel.handlers import schemas
from vibetunnel.handlers.handler import Handler

# The commands that the Node server offers in its dialog, except those that most machines lack.
QUICK_COMMANDS = [schemas.QuickCommand(command=each) for each in ("zsh", "bash", "htop", "python3", "node")]


class HealthHandler(Handler):
    """GET /api/health and /health."""

    def get(self) -> None:
        context = self.context
        self.answer(
            schemas.Health(
                version=__version__, uptime=context.uptime_s, sessions=len(context.registry), pid=os.getpid()
            )
        )


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
            )
        )


class ConfigHandler(Handler):
    """GET /api/config."""

    def get(self) -> None:
        context, settings = self.context, self.context.settings
        self.answer(
            schemas.Config(
                version=__version__,
                default_command=[context.shell],
                working_dir=context.home,
                rows=settings.rows,
                cols=settings.cols,
                spawn=settings.spawn,
                no_auth=settings.no_auth,
                repository_base_path=context.home,
                quick_start_commands=QUICK_COMMANDS,
            )
        )


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
