"""The REST routes of sessions."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import msgspec
from msgspec import UNSET

from vibetunnel._ext.pump import is_typed
from vibetunnel.errors import Forbidden, LimitReached
from vibetunnel.handlers import schemas
from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.views import View, show, shown, view_of
from vibetunnel.http.upgrade import OFFSET_HEADER
from vibetunnel.keeper.errors import KeeperFailed
from vibetunnel.logs.audit import Action
from vibetunnel.security.principal import Principal, Scope
from vibetunnel.sessions import launch
from vibetunnel.sessions.model import Order, Status
from vibetunnel.sessions.paste import pasted
from vibetunnel.sessions.session import Session

NEXT_OFFSET_HEADER = "X-VibeTunnel-Next-Offset"


class SessionHandler(Handler):
    """The base of the routes of one session."""

    @asynccontextmanager
    async def recorded(self, action: Action, session_id: str, *, sent: str = "") -> AsyncIterator[None]:
        """Record in the audit log what is done within, when its result is known.

        A failure of the keeper is recorded, too, as what was asked may be done all the same.

        sent  the name of a signal
        """
        try:
            yield
        except (KeeperFailed, asyncio.CancelledError) as error:
            await self.record(action, str(error) or "the server stops", session=session_id, signal=sent)
            raise
        await self.record(action, session=session_id, signal=sent)

    async def create(self, order: Order, *, now: bool) -> Session:
        """A new session of the principal. now: start it. Raises what refuses it."""
        context = self.context
        context.limits.create(self.require_login())
        if now:
            await launch.check_folder(order.folder)
        await context.registry.ready()
        self.require_login()  # again, after the waits
        principal = self.require(Scope.CONTROL, None)
        registry, own = context.registry, 0 if principal.local else context.settings.user_sessions
        if own and registry.living(principal.user) >= own:
            raise LimitReached("sessions of a user", own)
        session = registry.create(order, principal.user)
        async with self.recorded(Action.CREATE, session.id):
            if now:
                await registry.start(session)
        return session

    def session(self, session_id: str) -> Session:
        return self.context.registry.get(session_id)

    def typist(self, session_id: str) -> Principal:
        """Return the principal, if it may type, and the session's owner lets it. Raises Refused, Forbidden."""
        self.require_login()
        principal = self.require(Scope.TYPE, session_id)
        if self.context.attachments.ruling(principal, session_id) is False:
            raise Forbidden("The owner of the session does not let you type")
        return principal

    async def typist_of_running(self, session: Session, rows: int = 0, cols: int = 0) -> Principal:
        """As typist(), for a running session: start it if it never ran. No wait may follow before the use."""
        self.typist(session.id)
        await session.running(rows, cols)
        return self.typist(session.id)  # again: a login or a right may have ended while the program was started

    async def type_in(self, session: Session, data: bytes) -> None:
        """Type into a session, which starts if it never ran. Raises RateLimited, InputQueueFull, SessionNotRunning."""
        self.context.limits.input_bytes(self.typist(session.id), len(data), self.counted_as)
        principal = await self.typist_of_running(session)
        session.write(data)
        if is_typed(data):
            await self.note_input(principal, session)

    async def note_input(self, principal: Principal, session: Session) -> None:
        """Record in the audit log, once for each session, that a principal types by REST; never what it types."""
        if session.has_noted(principal.id):
            return
        async with session.noting:  # an input that comes meanwhile waits for the same line
            if not session.has_noted(principal.id):
                await self.record(Action.INPUT_START, by=principal, session=session.id)
                session.note_typist(principal.id)


class SessionsHandler(SessionHandler):
    """GET and POST /api/sessions."""

    def get(self) -> None:
        principal, sessions = self.require_login(), self.context.registry
        if principal.may(Scope.VIEW):
            found = sessions.listing.encoded()
        else:
            found = b"[%b]" % b",".join(
                [session.summary() for session in sessions if principal.may(Scope.VIEW, session.id)]
            )
        self.finish(shown(found, view_of(self)))

    async def post(self) -> None:
        wanted = self.read(schemas.NewSession)
        now = (wanted.spawn or self.context.settings.spawn) == "now"
        session = await self.create(await self._order(wanted), now=now)
        if view_of(self) is View.NODE:  # its client takes the repository from the first list, and no later one
            await self.context.badges.known_soon(session.id)
        created = schemas.CreatedSession(**msgspec.structs.asdict(session.describe()), session_id=session.id)
        self.set_status(HTTPStatus.CREATED)
        self.finish(show(created, view_of(self)))

    async def _order(self, wanted: schemas.NewSession) -> Order:
        context = self.context
        argv, login = launch.resolve(wanted.command, context.shell)
        folder = await launch.folder(wanted.working_dir or wanted.cwd, context.home)
        name = wanted.name or wanted.title
        return Order(
            name=name.strip() if name else launch.default_name(argv, folder, context.home),
            argv=argv,
            login=login,
            folder=folder,
            env=wanted.env,
            rows=wanted.rows or context.settings.rows,
            cols=wanted.cols or context.settings.cols,
        )


class OneSessionHandler(SessionHandler):
    """GET, PATCH and DELETE /api/sessions/{session_id}."""

    def get(self, session_id: str) -> None:
        self.finish(show(self.session(session_id).describe(), view_of(self)))

    async def patch(self, session_id: str) -> None:
        registry = self.context.registry
        name = registry.rename(session_id, self.read(schemas.RenameBody).name.strip())
        await registry.heard()
        await self.record(Action.RENAME, session=session_id, name=name)
        self.answer(schemas.Renamed(name=name))

    async def delete(self, session_id: str) -> None:
        self.session(session_id)  # an unknown session is not recorded
        async with self.recorded(Action.KILL, session_id):
            killed = await self.context.registry.kill(session_id)
        await self.context.registry.heard()
        self.answer(schemas.DoneWithMessage(message="Session killed" if killed else "Session cleaned up"))


class CleanupHandler(SessionHandler):
    """DELETE /api/sessions/{session_id}/cleanup."""

    async def delete(self, session_id: str) -> None:
        await self.context.registry.remove(session_id)
        await self.context.registry.heard()
        await self.record(Action.REMOVE, session=session_id)
        self.answer(schemas.DoneWithMessage(message="Session cleaned up"))


class CleanupExitedHandler(Handler):
    """POST /api/cleanup-exited."""

    async def post(self) -> None:
        count = await self.context.registry.remove_exited()
        await self.context.registry.heard()
        if count:
            await self.record(Action.REMOVE, sessions=count)
        message = f"{count} exited session{'' if count == 1 else 's'} cleaned up across all servers"
        self.answer(schemas.CleanedUp(message=message, local_cleaned=count))


class InputHandler(SessionHandler):
    """POST /api/sessions/{session_id}/input."""

    async def post(self, session_id: str) -> None:
        session = self.session(session_id)
        wanted = self.read(schemas.InputBody)
        await self.type_in(session, await _typed(wanted, session))
        self.answer(schemas.Done())


async def _typed(wanted: schemas.InputBody, session: Session) -> bytes:
    if wanted.key is not UNSET:
        return await session.key(wanted.key)
    if wanted.paste is not UNSET:
        return pasted(wanted.paste, bracketed=await session.takes_brackets())
    text = wanted.data if wanted.text is UNSET else wanted.text
    assert text is not UNSET
    return text.encode()


class ResizeHandler(SessionHandler):
    """POST /api/sessions/{session_id}/resize."""

    async def post(self, session_id: str) -> None:
        session = self.session(session_id)
        wanted = self.read(schemas.ResizeBody)
        await self.typist_of_running(session, wanted.rows, wanted.cols)
        session.resize(wanted.rows, wanted.cols)
        self.answer(schemas.Resized(rows=wanted.rows, cols=wanted.cols))


class ResetSizeHandler(SessionHandler):
    """POST /api/sessions/{session_id}/reset-size: the size goes back to a client that has a viewport."""

    def post(self, session_id: str) -> None:
        self.typist(session_id)
        self.session(session_id).reset_size()
        self.answer(schemas.Done())


class SignalHandler(SessionHandler):
    """POST /api/sessions/{session_id}/signal."""

    async def post(self, session_id: str) -> None:
        session = self.session(session_id)
        number = _signal_number(self.read(schemas.SignalBody).signal)
        await self.typist_of_running(session)
        async with self.recorded(Action.SIGNAL, session_id, sent=_signal_name(number)):
            await session.signal(number)
        self.answer(schemas.Done())


def _signal_number(given: str | int) -> int:
    return given if isinstance(given, int) else signal.Signals[f"SIG{given.upper().removeprefix('SIG')}"]


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # most real-time signals have no name in Python
        return str(number)


class OutputHandler(SessionHandler):
    """GET /api/sessions/{session_id}/output: the output that is kept, as raw bytes."""

    async def head(self, **arguments: str) -> None:
        session_id = arguments["session_id"]
        if self.session(session_id).status is Status.CREATED:
            self.query(schemas.OutputQuery)  # GET would start the session, HEAD does not
            self._set_headers(0, 0)
        else:
            await self.get(session_id)

    async def get(self, session_id: str) -> None:
        session = self.session(session_id)
        if session.status is Status.CREATED and not self.require_login().may(Scope.TYPE, session_id):
            self.query(schemas.OutputQuery)
            self._set_headers(0, 0)  # a principal that may only view does not start a session
            return
        first, following, data = await session.output(self.query(schemas.OutputQuery).since)
        self.require_login()  # again, after the wait
        self.require(Scope.VIEW, session_id)
        self._set_headers(first, following)
        await self.finish(data)

    def _set_headers(self, first: int, following: int) -> None:
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header(OFFSET_HEADER, str(first))
        self.set_header(NEXT_OFFSET_HEADER, str(following))
