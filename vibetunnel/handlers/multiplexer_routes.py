"""The routes of tmux, screen and zellij.

All need the right to create and end sessions: they show and change programs that the account runs elsewhere, which no
viewer of sessions was shown, and a session's command can do all of it.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from vibetunnel.handlers import multiplexer_schemas as shapes
from vibetunnel.handlers import multiplexers, schemas
from vibetunnel.handlers.route import Operation, Permission, Route
from vibetunnel.handlers.validation import Given
from vibetunnel.multiplexers.found import Kind
from vibetunnel.multiplexers.service import MultiplexersState
from vibetunnel.sessions.model import SessionName

_NEEDS = Permission.CONTROL

# Nothing of this name; refused by the multiplexer; not installed, or too slow.
_ERRORS = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE)
_LIMITS = (*_ERRORS, HTTPStatus.TOO_MANY_REQUESTS)
_NAME = {"name": SessionName}


def _get(summary: str, answer: Any, query: type[Given] | None = None) -> dict[str, Operation]:
    """Any: a type, as in Operation."""
    return {"GET": Operation(summary, {200: answer}, permission=_NEEDS, query=query, errors=_ERRORS)}


def _post(
    summary: str, answer: Any, body: type[Given], errors: tuple[HTTPStatus, ...] = _ERRORS
) -> dict[str, Operation]:
    """Any: as above."""
    return {"POST": Operation(summary, {200: answer}, permission=_NEEDS, body=body, errors=errors)}


def _delete(summary: str) -> dict[str, Operation]:
    return {"DELETE": Operation(summary, {200: schemas.Done}, permission=_NEEDS, errors=_ERRORS)}


_WINDOWS = _get("List the windows of a tmux session.", shapes.TmuxWindows)
_PANES = _get("List the panes of a tmux session, or of one of its windows.", shapes.TmuxPanes, shapes.PanesQuery)

MULTIPLEXER_ROUTES: tuple[Route, ...] = (
    Route(
        "/api/multiplexer/status",
        multiplexers.MultiplexerStatusHandler,
        _get("List the sessions of tmux, zellij and screen, as far as they are installed.", MultiplexersState),
    ),
    Route(
        "/api/multiplexer/context",
        multiplexers.MultiplexerContextHandler,
        _get("Always null: sessions are in no multiplexer.", shapes.MultiplexerContext),
    ),
    Route(
        "/api/multiplexer/sessions",
        multiplexers.MultiplexerSessionsHandler,
        _post("Create a session of a multiplexer.", shapes.MultiplexerCreated, shapes.NewMultiplexerSession, _LIMITS),
    ),
    Route(
        "/api/multiplexer/attach",
        multiplexers.MultiplexerAttachHandler,
        _post(
            "Create a session that shows one of a multiplexer. zellij creates its own if there is none.",
            shapes.AttachedSession,
            shapes.AttachBody,
            _LIMITS,
        ),
    ),
    Route("/api/multiplexer/tmux/sessions/{name}/windows", multiplexers.TmuxWindowsHandler, _WINDOWS, parts=_NAME),
    Route("/api/multiplexer/tmux/sessions/{name}/panes", multiplexers.TmuxPanesHandler, _PANES, parts=_NAME),
    Route(
        "/api/multiplexer/tmux/sessions/{name}/windows/{window}",
        multiplexers.OneTmuxWindowHandler,
        _delete("End a window of tmux, and its programs."),
        parts={**_NAME, "window": shapes.IndexText},
    ),
    Route(
        "/api/multiplexer/tmux/sessions/{name}/panes/{pane}",
        multiplexers.OneTmuxPaneHandler,
        _delete("End a pane of tmux, and its program. `pane`: WINDOW.PANE, or SESSION:WINDOW.PANE."),
        parts={**_NAME, "pane": shapes.PaneText},
    ),
    Route(
        "/api/multiplexer/{kind}/sessions/{name}",
        multiplexers.OneMultiplexerSessionHandler,
        _delete("End a session of a multiplexer, and its programs."),
        parts={**_NAME, "kind": Kind},
    ),
    Route(
        "/api/tmux/available",
        multiplexers.TmuxAvailableHandler,
        _get("Tell whether tmux is installed.", shapes.TmuxAvailable),
    ),
    Route(
        "/api/tmux/context",
        multiplexers.TmuxContextHandler,
        _get("Always false: sessions are in no tmux.", shapes.TmuxContext),
    ),
    Route(
        "/api/tmux/sessions",
        multiplexers.TmuxSessionsHandler,
        _get("List the sessions of tmux.", shapes.TmuxSessions)
        | _post("Create a session of tmux.", shapes.MultiplexerCreated, shapes.NewTmuxSession, _LIMITS),
    ),
    Route(
        "/api/tmux/attach",
        multiplexers.TmuxAttachHandler,
        _post("Create a session that shows one of tmux.", shapes.AttachedSession, shapes.TmuxAttachBody, _LIMITS),
    ),
    Route("/api/tmux/sessions/{name}/windows", multiplexers.TmuxWindowsHandler, _WINDOWS, parts=_NAME),
    Route("/api/tmux/sessions/{name}/panes", multiplexers.TmuxPanesHandler, _PANES, parts=_NAME),
    Route(
        "/api/tmux/sessions/{name}/send",
        multiplexers.TmuxSendHandler,
        _post("Type a line into a pane of tmux.", schemas.Done, shapes.SendBody),
        parts=_NAME,
    ),
    Route(
        "/api/tmux/sessions/{name}",
        multiplexers.OneTmuxSessionHandler,
        _delete("End a session of tmux, and its programs."),
        parts=_NAME,
    ),
)
