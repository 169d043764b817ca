"""What a multiplexer has: sessions, windows and panes. The names of the fields are the Node server's."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Kind = Literal["tmux", "zellij", "screen"]


class MultiplexerSession(msgspec.Struct, kw_only=True, rename="camel"):
    """A session of a multiplexer. What the multiplexer does not tell is left out."""

    name: Annotated[str, Meta(description="For screen with the number of its process: `4711.work`.")]
    type: Kind
    windows: int | UnsetType = UNSET
    created: Annotated[
        str | UnsetType,
        Meta(description="tmux: seconds since 1970. zellij: how long ago, in words. screen: a date."),
    ] = UNSET
    attached: bool | UnsetType = UNSET
    exited: Annotated[bool | UnsetType, Meta(description="No program runs in it any longer.")] = UNSET
    activity: Annotated[str | UnsetType, Meta(description="The last one, in seconds since 1970.")] = UNSET
    current: bool = False


class TmuxWindow(msgspec.Struct, kw_only=True, rename="camel"):
    session: str
    index: int
    name: str
    active: bool
    panes: int


class TmuxPane(msgspec.Struct, kw_only=True, rename="camel"):
    session: str
    window: int
    index: int
    active: bool
    width: int
    height: int
    title: str | UnsetType = UNSET
    pid: int | UnsetType = UNSET
    command: str | UnsetType = UNSET
    current_path: str | UnsetType = UNSET


class Target(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """What a session is attached to."""

    type: Kind
    session: str
    window: int | UnsetType = UNSET
    pane: int | UnsetType = UNSET

    @property
    def label(self) -> str:
        """As tmux writes it: `work:1.0`."""
        window = "" if self.window is UNSET else f":{self.window}"
        return f"{self.session}{window}" + ("" if self.pane is UNSET else f".{self.pane}")
