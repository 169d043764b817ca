"""/ws: a WebSocket to one session, or the socket of newer VibeTunnel clients, to many."""

from __future__ import annotations

from http import HTTPStatus

from vibetunnel import protocol
from vibetunnel.errors import InvalidField
from vibetunnel.handlers import schemas
from vibetunnel.handlers.attach import TEXT_FRAMES, AttachHandler, Wish
from vibetunnel.handlers.v3 import V3Socket
from vibetunnel.handlers.websocket import upgrade
from vibetunnel.http.upgrade import OFFSET_HEADER, REDRAW_HEADER, handshake, place


class SocketHandler(AttachHandler):
    """GET /ws (docs/protocol.md). The pump reads and writes the frames, not tornado.websocket.

    Without a session and a subprotocol, it is the socket of newer VibeTunnel clients (v3.py).
    """

    async def get(self) -> None:
        query = self.query(schemas.AttachQuery)
        as_text = query.format == "text"
        agreed = handshake(
            self.request.version,
            self.request.headers,
            compression=self.context.settings.compression and not as_text,
        )
        if query.session_id is None:
            if agreed.v1:
                raise InvalidField("sessionId", "the id of a session")
            upgrade(self, V3Socket)
            return
        if (query.rows is None) != (query.cols is None):
            raise InvalidField("rows, cols", "both or neither")
        if as_text and agreed.v1:
            raise InvalidField("format", f"binary, with the subprotocol {protocol.SUBPROTOCOL}", "text")
        response = agreed.response(numbers=not as_text)
        wish = Wish(
            session_id=query.session_id,
            types=query.permission == "type",
            since=query.since,
            rows=query.rows or 0,
            cols=query.cols or 0,
            transport={
                "response": response,
                "v1": agreed.v1,
                "client_id": b"" if query.client is None else query.client.bytes,
                "offset_at": place(response, OFFSET_HEADER),
                "redraw_at": place(response, REDRAW_HEADER),
                "latest": agreed.v1 if query.lag is None else query.lag == "latest",
                "scrollback": query.scrollback,
                "deflates": bool(agreed.extension),
                "appearance": _checked_appearance(query.appearance),
                "text": TEXT_FRAMES if as_text else 0,
            },
        )
        await self.give_away(wish, HTTPStatus.SWITCHING_PROTOCOLS)


def _checked_appearance(text: str | None) -> bytes:
    """The fields of an appearance message; none if the client states no appearance."""
    if text is None:
        return b""
    fields = bytes.fromhex(text)
    stated = protocol.decode(bytes((protocol.Type.APPEARANCE,)) + fields)
    if isinstance(stated, protocol.Appearance) and max(stated.cell_height, stated.cell_width) > protocol.MAX_CELL:
        raise InvalidField("appearance", f"cells of at most {protocol.MAX_CELL} pixels")
    return fields
