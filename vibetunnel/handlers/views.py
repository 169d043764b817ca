"""Sessions as the clients of other servers know them: VibeTunnel's own web client, and programs for the Go server."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from vibetunnel.handlers.access import CheckedRequest
from vibetunnel.handlers.refusals import encode
from vibetunnel.sessions.model import Status
from vibetunnel.sessions.view import SessionView

VIEW_HEADER = "X-VibeTunnel-View"


class View(enum.Enum):
    """How sessions are shown.

    OWN   as docs/api.md has it
    NODE  as the Node server's client needs it: it knows `running` and `exited` only, and hides everything else
    GO    as the Go server does: other names, and the list in an object
    """

    OWN = "own"
    NODE = "node"
    GO = "go"


def view_of(request: CheckedRequest) -> View:
    """The view that the header asks for. Default: NODE for the browsers of a server with --web-client, else OWN."""
    asked = request.request.headers.get(VIEW_HEADER, "").strip().lower()
    for each in View:
        if each.value == asked:
            return each
    principal = request.principal
    serves_other = request.context.settings.web_client is not None
    return View.NODE if serves_other and principal is not None and not principal.program else View.OWN


# No text in JSON has a bare quote in it, so these stand for the field alone.
_UNKNOWN_TO_NODE = [encode({"status": each})[1:-1] for each in (Status.CREATED, Status.STARTING)]
_RUNNING = encode({"status": Status.RUNNING})[1:-1]


def shown(sessions: bytes, view: View) -> bytes:
    """JSON with sessions in it, as the view has them."""
    if view is View.NODE:
        for each in _UNKNOWN_TO_NODE:
            sessions = sessions.replace(each, _RUNNING)
    elif view is View.GO:
        found = msgspec.json.decode(sessions)
        changed = [_as_go(each) for each in found] if isinstance(found, list) else _as_go(found)
        return encode({"sessions": changed, "count": len(changed)} if isinstance(found, list) else changed)
    return sessions


def show(session: SessionView, view: View) -> bytes:
    return shown(encode(session), view)


def _as_go(session: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    return {
        "id": session["id"],
        "title": session["name"],
        "command": " ".join(session["command"]),
        "cwd": session["workingDir"],
        "cols": session["cols"],
        "rows": session["rows"],
        "createdAt": session["createdAt"],
        "updatedAt": session["lastModified"],
        "active": session["status"] == Status.RUNNING.value,
        "clients": session["clients"],
        "status": session["status"],
    }
