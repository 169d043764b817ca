"""Attaching: checks a request, and gives its connection to the pump, as a client of a session."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from tornado.iostream import StreamClosedError

from vibetunnel._ext.pump import Client, Terminal
from vibetunnel.handlers.refusals import or_refused
from vibetunnel.handlers.sessions import SessionHandler
from vibetunnel.http.tls_relay import pair
from vibetunnel.logs.audit import Action
from vibetunnel.security.principal import Scope
from vibetunnel.sessions.attachments import Attachment, new_id

# What Terminal.attach() calls text: WebSocket text frames, and server-sent events.
TEXT_FRAMES = 1
TEXT_EVENTS = 2


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a client asks for.

    types       it wants to type
    since       offset to continue from
    rows, cols  its viewport; 0: it has none
    transport   the arguments of Terminal.attach() that say what goes over the line
    """

    session_id: str
    types: bool
    since: int | None = None
    rows: int = 0
    cols: int = 0
    transport: dict[str, Any]  # Any: they are of many types


class AttachHandler(SessionHandler):
    """Gives a connection to the pump, as a client of a session."""

    async def attach(
        self,
        wish: Wish,
        take: Callable[[], tuple[int, bytes]],
        ready: Callable[[], Awaitable[None]] | None = None,
    ) -> Client:
        """Attach a client; start the session if it may, and has not started.

        take    gives the descriptor of its socket, which the pump owns, and the bytes that were read from it already
        ready   waits until it can be taken
        Raises  UnknownSession, SessionNotRunning, LimitReached, Refused, Forbidden, and what `take` raises
        """
        principal = self.require(Scope.VIEW, wish.session_id)
        self.check_room(principal)
        may_type = wish.types and principal.may(Scope.TYPE, wish.session_id)
        session = self.context.registry.get(wish.session_id)
        starts = session.terminal is None  # the client that starts a session gets its output from the first byte on
        terminal = await session.attachable(may_type=may_type, rows=wish.rows, cols=wish.cols)
        connection_id = new_id()
        writable = may_type and self.context.attachments.ruling(principal, session.id) is not False
        # Before the client sees anything.
        await self.record(Action.ATTACH, session=session.id, client=connection_id, writable=writable)
        try:
            if ready is not None:
                await ready()
            return self._hand_over(terminal, wish, take, connection_id, starts=starts)
        except BaseException:
            self.context.audit.record(
                Action.DETACH, principal, self.client.address, session=session.id, client=connection_id
            )
            raise

    def _hand_over(
        self,
        terminal: Terminal,
        wish: Wish,
        take: Callable[[], tuple[int, bytes]],
        connection_id: str,
        *,
        starts: bool,
    ) -> Client:
        # The session may have been removed, or the user logged out, during the waits. No wait follows this check.
        session = self.context.registry.get(wish.session_id)
        self.require_login()
        principal = self.require(Scope.VIEW, session.id)
        self.check_room(principal)  # other clients may have attached meanwhile
        ruling = self.context.attachments.ruling(principal, session.id)
        may_type = wish.types and (principal.may(Scope.TYPE, session.id) if ruling is None else ruling)
        descriptor, received = take()
        client = terminal.attach(
            descriptor,
            received=received,
            writable=may_type,
            since=0 if starts and wish.since is None else wish.since,
            rows=wish.rows,
            cols=wish.cols,
            name=connection_id.encode("ascii"),
            input_rate=0 if principal.local else self.context.settings.input_rate,
            **wish.transport,
        )
        self.context.attachments.add(
            Attachment(
                id=connection_id,
                connection=client,
                principal=principal,
                address=self.client.address,
                session_id=session.id,
                asked=wish.types,
                name=self.context.authority.name_in(principal, session.id),
                ruling=ruling if wish.types else None,
                writable=may_type,
            )
        )
        return client

    async def give_away(self, wish: Wish, status: HTTPStatus) -> None:
        """Attach the request's own connection. status: of the answer, which the pump sends."""
        try:
            await self.attach(wish, self.take_socket, self.exchange.drained)  # after the answers to earlier requests
        except StreamClosedError:
            self.detach()  # the client has disconnected
            return
        self.set_status(status)
        self.log_request()

    def take_socket(self) -> tuple[int, bytes]:
        """Return the descriptor of a plain socket, and the bytes that were read from it already.

        Raises StreamClosedError, Refused (503); the connection then still carries HTTP.
        """
        exchange = self.exchange
        if exchange.closed:
            raise StreamClosedError
        if exchange.plain:
            plain, received = or_refused(exchange.take_socket)
            self.detach()
            return plain.detach(), received
        ours, theirs = or_refused(pair)
        self.detach()
        # The relay also passes on the bytes that were read already.
        self.context.relays.join(*exchange.take_streams(), ours)
        return theirs.detach(), b""
