"""/ws: checks the request, and gives its connection to the pump."""

from __future__ import annotations

from http import HTTPStatus

from tornado.iostream import StreamClosedError

from vibetunnel import protocol
from vibetunnel._ext.pump import Terminal
from vibetunnel.errors import InvalidField
from vibetunnel.handlers import schemas
from vibetunnel.handlers.handler import Handler
from vibetunnel.handlers.refusals import or_refused
from vibetunnel.http.tls_relay import pair
from vibetunnel.http.upgrade import OFFSET_HEADER, REDRAW_HEADER, Handshake, handshake, place
from vibetunnel.logs.audit import Action
from vibetunnel.security.principal import Scope
from vibetunnel.sessions.attachments import Attachment, new_id


class SocketHandler(Handler):
    """GET /ws (docs/protocol.md). The pump reads and writes the frames, not tornado.websocket."""

    async def get(self) -> None:
        agreed = handshake(self.request.version, self.request.headers, compression=self.context.settings.compression)
        query = self.query(schemas.AttachQuery)
        if (query.rows is None) != (query.cols is None):
            raise InvalidField("rows, cols", "both or neither")
        client_id = b"" if query.client is None else query.client.bytes
        appearance = _checked_appearance(query.appearance)
        principal = self.require(Scope.VIEW, query.session_id)
        self.check_room(principal)
        may_type = query.permission == "type" and principal.may(Scope.TYPE, query.session_id)
        session = self.context.registry.get(query.session_id)
        starts = session.terminal is None  # the client that starts a session gets its output from the first byte on
        terminal = await session.attachable(may_type=may_type, rows=query.rows or 0, cols=query.cols or 0)
        connection_id = new_id()
        writable = may_type and self.context.attachments.ruling(principal, session.id) is not False
        # Before the client sees anything.
        await self.record(Action.ATTACH, session=session.id, client=connection_id, writable=writable)
        try:
            await self._attach(terminal, agreed, query, client_id, appearance, connection_id, starts=starts)
        except BaseException as error:
            self.context.audit.record(
                Action.DETACH, principal, self.client.address, session=session.id, client=connection_id
            )
            if not isinstance(error, StreamClosedError):
                raise
            self.detach()  # the client has disconnected

    async def _attach(
        self,
        terminal: Terminal,
        agreed: Handshake,
        query: schemas.AttachQuery,
        client_id: bytes,
        appearance: bytes,
        connection_id: str,
        *,
        starts: bool,
    ) -> None:
        asked = query.permission == "type"
        await self.exchange.drained()  # the answers to earlier requests
        # The session may have been removed, or the user logged out, during the waits. No wait follows this check.
        session = self.context.registry.get(query.session_id)
        self.require_login()
        principal = self.require(Scope.VIEW, session.id)
        self.check_room(principal)  # other clients may have attached meanwhile
        ruling = self.context.attachments.ruling(principal, session.id)
        may_type = asked and (principal.may(Scope.TYPE, session.id) if ruling is None else ruling)
        response = agreed.response()
        descriptor, received = self._take_socket()
        client = terminal.attach(
            descriptor,
            response,
            received=received,
            v1=agreed.v1,
            writable=may_type,
            since=0 if starts and query.since is None else query.since,
            rows=query.rows or 0,
            cols=query.cols or 0,
            client_id=client_id,
            offset_at=place(response, OFFSET_HEADER),
            redraw_at=place(response, REDRAW_HEADER),
            latest=agreed.v1 if query.lag is None else query.lag == "latest",
            scrollback=query.scrollback,
            name=connection_id.encode("ascii"),
            input_rate=0 if principal.local else self.context.settings.input_rate,
            deflates=bool(agreed.extension),
            appearance=appearance,
        )
        self.context.attachments.add(
            Attachment(
                id=connection_id,
                connection=client,
                principal=principal,
                address=self.client.address,
                session_id=session.id,
                asked=asked,
                name=self.context.authority.name_in(principal, session.id),
                ruling=ruling if asked else None,
                writable=may_type,
            )
        )
        self.set_status(HTTPStatus.SWITCHING_PROTOCOLS)
        self.log_request()

    def _take_socket(self) -> tuple[int, bytes]:
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


def _checked_appearance(text: str | None) -> bytes:
    """The fields of an appearance message; none if the client states no appearance."""
    if text is None:
        return b""
    fields = bytes.fromhex(text)
    stated = protocol.decode(bytes((protocol.Type.APPEARANCE,)) + fields)
    if isinstance(stated, protocol.Appearance) and max(stated.cell_height, stated.cell_width) > protocol.MAX_CELL:
        raise InvalidField("appearance", f"cells of at most {protocol.MAX_CELL} pixels")
    return fields
