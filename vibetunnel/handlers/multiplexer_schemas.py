"""The JSON of the routes of multiplexers. Names follow the Node server."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from vibetunnel.handlers.schemas import Ignored
from vibetunnel.handlers.validation import END, Given
from vibetunnel.multiplexers.found import Kind, MultiplexerSession, Target, TmuxPane, TmuxWindow
from vibetunnel.sessions.launch import Folder
from vibetunnel.sessions.model import SessionName, Size

Index = Annotated[int, Meta(ge=0, le=999_999)]
IndexText = Annotated[str, Meta(pattern=f"^[0-9]{{1,6}}{END}", description="a number of at most 6 digits")]
PaneText = Annotated[
    str,
    Meta(
        max_length=300, pattern=rf"^([^\x00]*:)?[0-9]{{1,6}}\.[0-9]{{1,6}}{END}", description="WINDOW.PANE, in numbers"
    ),
]
_Word = Annotated[str, Meta(pattern=r"^[^\x00]*$", description="text without NUL characters")]
_Words = Annotated[list[_Word], Meta(max_length=1000)]
_Line = Annotated[
    str, Meta(min_length=1, max_length=8192, pattern=r"^[^\x00]*$", description="text without NUL characters")
]


class MultiplexerOptions(Given, kw_only=True):
    command: Annotated[
        _Words, Meta(description="Program and arguments. tmux gives a single entry to the shell of the account.")
    ] = msgspec.field(default_factory=list)
    layout: Annotated[_Word, Meta(max_length=1000, description="Of zellij.")] = ""


class NewMultiplexerSession(Given, kw_only=True):
    type: Kind
    name: SessionName
    options: MultiplexerOptions | None = None


class NewTmuxSession(Given, kw_only=True):
    name: SessionName
    command: _Words = msgspec.field(default_factory=list)


class TmuxAttachBody(Given, kw_only=True, rename="camel"):
    session_name: SessionName
    window_index: Index | None = None
    pane_index: Index | None = None
    cols: Size | None = None
    rows: Size | None = None
    working_dir: Folder | None = None
    title_mode: Ignored = None
    metadata: Ignored = None


class AttachBody(TmuxAttachBody, kw_only=True, rename="camel"):
    """window_index, pane_index: of tmux."""

    type: Kind


class SendBody(Given, kw_only=True, rename="camel"):
    """A line, which is typed with Enter after it. Default: into the active pane."""

    command: _Line
    window_index: Index | None = None
    pane_index: Index | None = None


class PanesQuery(Given):
    window: Annotated[Index | None, Meta(description="Default: all windows.")] = None


class MultiplexerCreated(msgspec.Struct, kw_only=True):
    """name: the one that the session got, which is to be used from here on."""

    success: Literal[True] = True
    type: Kind
    name: str


class AttachedSession(msgspec.Struct, kw_only=True, rename="camel"):
    success: Literal[True] = True
    session_id: str
    target: Target


class TmuxSessions(msgspec.Struct):
    sessions: list[MultiplexerSession]


class TmuxWindows(msgspec.Struct):
    windows: list[TmuxWindow]


class TmuxPanes(msgspec.Struct):
    panes: list[TmuxPane]


class TmuxAvailable(msgspec.Struct):
    available: bool


class MultiplexerContext(msgspec.Struct):
    """The multiplexer around the server. Its sessions are in none, so it tells nothing of it."""

    context: None = None


class TmuxContext(msgspec.Struct, rename="camel"):
    """The same, in the words of /api/tmux."""

    inside_tmux: Literal[False] = False
    current_session: None = None
