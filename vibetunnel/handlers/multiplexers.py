"""The routes of tmux, screen and zellij. An attached one is a session as all others are."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from msgspec import UNSET

from vibetunnel.errors import InvalidField, VibeTunnelError
from vibetunnel.handlers import multiplexer_schemas as shapes
from vibetunnel.handlers import schemas
from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.sessions import SessionHandler
from vibetunnel.logs.audit import Action
from vibetunnel.multiplexers.found import Kind, Target
from vibetunnel.sessions import launch
from vibetunnel.sessions.model import NAME_LIMIT, Order

T = TypeVar("T")


class MultiplexerHandler(Handler):
    """The base of what asks multiplexers."""

    async def change(self, what: str, kind: Kind, name: str, waited: Awaitable[T], *, place: str = "") -> T:
        """Record a change in the audit log, with its result. place: the window or pane."""
        try:
            done = await waited
        except VibeTunnelError as error:
            await self.record(Action.MULTIPLEXER, str(error), change=what, multiplexer=kind, name=name, place=place)
            raise
        await self.record(Action.MULTIPLEXER, change=what, multiplexer=kind, name=name, place=place)
        return done


class MultiplexerStatusHandler(MultiplexerHandler):
    """GET /api/multiplexer/status."""

    async def get(self) -> None:
        self.answer(await self.obtain(self.context.multiplexers.state()))


class TmuxAvailableHandler(MultiplexerHandler):
    """GET /api/tmux/available."""

    async def get(self) -> None:
        self.answer(shapes.TmuxAvailable(await self.obtain(self.context.multiplexers.tmux.installed())))


class MultiplexerContextHandler(Handler):
    """GET /api/multiplexer/context."""

    def get(self) -> None:
        self.answer(shapes.MultiplexerContext())


class TmuxContextHandler(Handler):
    """GET /api/tmux/context."""

    def get(self) -> None:
        self.answer(shapes.TmuxContext())


class MultiplexerSessionsHandler(MultiplexerHandler):
    """POST /api/multiplexer/sessions."""

    async def post(self) -> None:
        wanted = self.read(shapes.NewMultiplexerSession)
        options = wanted.options or shapes.MultiplexerOptions()
        self.context.limits.create(self.require_login())
        made = self.context.multiplexers.create(wanted.type, wanted.name, options.command, options.layout)
        name = await self.change("create", wanted.type, wanted.name, made)
        self.answer(shapes.MultiplexerCreated(type=wanted.type, name=name))


class TmuxSessionsHandler(MultiplexerHandler):
    """GET and POST /api/tmux/sessions."""

    async def get(self) -> None:
        self.answer(shapes.TmuxSessions(await self.obtain(self.context.multiplexers.tmux.sessions())))

    async def post(self) -> None:
        wanted = self.read(shapes.NewTmuxSession)
        self.context.limits.create(self.require_login())
        made = self.context.multiplexers.tmux.create(wanted.name, wanted.command)
        name = await self.change("create", "tmux", wanted.name, made)
        self.answer(shapes.MultiplexerCreated(type="tmux", name=name))


class TmuxWindowsHandler(MultiplexerHandler):
    """GET .../sessions/{name}/windows."""

    async def get(self, name: str) -> None:
        self.answer(shapes.TmuxWindows(await self.obtain(self.context.multiplexers.tmux.windows(name))))


class TmuxPanesHandler(MultiplexerHandler):
    """GET .../sessions/{name}/panes."""

    async def get(self, name: str) -> None:
        window = self.query(shapes.PanesQuery).window
        self.answer(shapes.TmuxPanes(await self.obtain(self.context.multiplexers.tmux.panes(name, window))))


class MultiplexerAttachHandler(SessionHandler):
    """POST /api/multiplexer/attach."""

    async def post(self) -> None:
        wanted = self.read(shapes.AttachBody)
        await self.attach(wanted.type, wanted)

    async def attach(self, kind: Kind, wanted: shapes.TmuxAttachBody) -> None:
        """Create the session that shows the target, and answer."""
        context, settings = self.context, self.context.settings
        target = Target(type=kind, session=wanted.session_name)
        if kind == "tmux" and wanted.window_index is not None:
            target.window = wanted.window_index
            target.pane = UNSET if wanted.pane_index is None else wanted.pane_index
        elif kind == "tmux" and wanted.pane_index is not None:
            raise InvalidField("windowIndex", "the window of paneIndex", "none")
        order = Order(
            name=f"{kind}: {target.label}"[:NAME_LIMIT],
            argv=await context.multiplexers.attach_command(target),
            login=False,
            folder=await launch.folder(wanted.working_dir, context.home),
            env={},
            rows=wanted.rows or settings.rows,
            cols=wanted.cols or settings.cols,
        )
        session = await self.create(order, now=settings.spawn == "now")
        self.answer(shapes.AttachedSession(session_id=session.id, target=target))


class TmuxAttachHandler(MultiplexerAttachHandler):
    """POST /api/tmux/attach."""

    async def post(self) -> None:
        await self.attach("tmux", self.read(shapes.TmuxAttachBody))


class OneMultiplexerSessionHandler(MultiplexerHandler):
    """DELETE /api/multiplexer/{kind}/sessions/{name}."""

    async def delete(self, kind: Kind, name: str) -> None:
        await self.change("kill session", kind, name, self.context.multiplexers.kill(kind, name))
        self.answer(schemas.Done())


class OneTmuxSessionHandler(MultiplexerHandler):
    """DELETE /api/tmux/sessions/{name}."""

    async def delete(self, name: str) -> None:
        await self.change("kill session", "tmux", name, self.context.multiplexers.tmux.kill(name))
        self.answer(schemas.Done())


class OneTmuxWindowHandler(MultiplexerHandler):
    """DELETE /api/multiplexer/tmux/sessions/{name}/windows/{window}."""

    async def delete(self, name: str, window: str) -> None:
        killed = self.context.multiplexers.tmux.kill_window(name, int(window))
        await self.change("kill window", "tmux", name, killed, place=window)
        self.answer(schemas.Done())


class OneTmuxPaneHandler(MultiplexerHandler):
    """DELETE /api/multiplexer/tmux/sessions/{name}/panes/{pane}."""

    async def delete(self, name: str, pane: str) -> None:
        killed = self.context.multiplexers.tmux.kill_pane(name, pane)
        await self.change("kill pane", "tmux", name, killed, place=pane)
        self.answer(schemas.Done())


class TmuxSendHandler(MultiplexerHandler):
    """POST /api/tmux/sessions/{name}/send."""

    async def post(self, name: str) -> None:
        wanted = self.read(shapes.SendBody)
        sent = self.context.multiplexers.tmux.send(name, wanted.command, wanted.window_index, wanted.pane_index)
        window = "" if wanted.window_index is None else str(wanted.window_index)
        pane = "" if wanted.pane_index is None else f".{wanted.pane_index}"
        await self.change("send", "tmux", name, sent, place=window + pane)
        self.answer(schemas.Done())
