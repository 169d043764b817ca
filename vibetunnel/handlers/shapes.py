"""The JSON that comes in and goes out. Names follow the Node server; the Go server's are accepted too.

Unknown fields are ignored, for the client of today and the one of tomorrow.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from vibetunnel.sessions.model import SessionView, Size

__all__ = ["SessionView"]  # from here too, so that a handler has one place for its shapes

Offset = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Error(msgspec.Struct):
    """Every 4xx and 5xx."""

    error: Annotated[str, Meta(description="A sentence: what was expected, and what came.")]


class Done(msgspec.Struct):
    success: Literal[True] = True


class DoneWithMessage(msgspec.Struct, kw_only=True):
    success: Literal[True] = True
    message: str


# Sessions


class NewSession(msgspec.Struct, kw_only=True, rename="camel"):
    """POST /api/sessions."""

    command: Annotated[
        list[str] | str | None,
        Meta(description="Program and arguments, or a text for the shell; without it, a login shell."),
    ] = None
    working_dir: Annotated[str | None, Meta(description="`~` and paths relative to the home folder are fine.")] = None
    cwd: Annotated[str | None, Meta(description="Go's name of workingDir.")] = None
    name: str | None = None
    title: Annotated[str | None, Meta(description="Go's name of name.")] = None
    rows: Size | None = None
    cols: Size | None = None
    env: Annotated[dict[str, str], Meta(description="Added to the environment.")] = {}
    spawn: Annotated[
        Literal["lazy", "now"] | None,
        Meta(description="When the process starts: at the first use, or now. Default: the setting."),
    ] = None


class CreatedSession(SessionView, kw_only=True, rename="camel"):
    """The new session; `sessionId` is its id once more, as the Node server has it."""

    session_id: str


class Rename(msgspec.Struct):
    name: str


class Renamed(msgspec.Struct, kw_only=True):
    success: Literal[True] = True
    name: Annotated[str, Meta(description="With ` (2)` behind it when another session has the name.")]


class Input(msgspec.Struct, kw_only=True):
    """Exactly one of text and key; or Go's {"type": "input", "data": text}."""

    text: str | UnsetType = UNSET
    key: Annotated[str | UnsetType, Meta(description="A name such as `enter`, `arrow_up`, `f5`.")] = UNSET
    data: str | UnsetType = UNSET
    type: str | UnsetType = UNSET


class Resize(msgspec.Struct):
    rows: Size
    cols: Size


class Resized(msgspec.Struct, kw_only=True):
    success: Literal[True] = True
    rows: int
    cols: int


class Signal(msgspec.Struct):
    signal: Annotated[str | int, Meta(description='"INT", "SIGINT" or 2; it goes to the foreground process group.')]


class CleanedUp(msgspec.Struct, kw_only=True, rename="camel"):
    success: Literal[True] = True
    message: str
    local_cleaned: int
    remote_results: list[str] = []


class OutputQuery(msgspec.Struct):
    since: Offset = 0


class AttachQuery(msgspec.Struct, kw_only=True, rename="camel"):
    """The parameters of /ws (docs/protocol.md)."""

    session_id: str
    since: Offset | None = None
    rows: Size | None = None
    cols: Size | None = None
    client: Annotated[str | None, Meta(description="A UUID that names the client's input stream.")] = None
    permission: Literal["view", "type"] = "type"


# Server


class Health(msgspec.Struct, kw_only=True):
    status: Literal["ok"] = "ok"
    version: str
    uptime: Annotated[float, Meta(description="Seconds.")]
    sessions: int
    pid: int


_NODE_NAMES = {"is_hq_mode": "isHQMode", "mac_app_connected": "macAppConnected"}


class ServerStatus(msgspec.Struct, kw_only=True, rename=_NODE_NAMES):
    status: Literal["running"] = "running"
    version: str
    uptime: Annotated[float, Meta(description="Seconds.")]
    pid: int
    sessions: int
    clients: int
    mac_app_connected: Literal[False] = False
    is_hq_mode: Literal[False] = False


class QuickCommand(msgspec.Struct, kw_only=True, omit_defaults=True):
    name: str | UnsetType = UNSET
    command: str


class Config(msgspec.Struct, kw_only=True, rename="camel"):
    version: str
    default_command: list[str]
    working_dir: str
    rows: int
    cols: int
    spawn: str
    no_auth: bool
    repository_base_path: str
    server_configured: Literal[True] = True
    quick_start_commands: list[QuickCommand]


# Login


class AuthConfig(msgspec.Struct, kw_only=True):
    no_auth: Annotated[bool, Meta(description="Nobody needs a login.")] = msgspec.field(name="noAuth")
    login_code: Literal[True] = msgspec.field(name="loginCode", default=True)
    enable_ssh_keys: Literal[False] = msgspec.field(name="enableSSHKeys", default=False)
    disallow_user_password: Literal[True] = msgspec.field(name="disallowUserPassword", default=True)


class CurrentUser(msgspec.Struct, kw_only=True, rename="camel"):
    user_id: str
    authenticated: bool


class Code(msgspec.Struct):
    code: Annotated[str, Meta(max_length=64)]


class LoggedIn(msgspec.Struct, kw_only=True, rename="camel"):
    success: Literal[True] = True
    user_id: str


class Link(msgspec.Struct):
    """The code is in the fragment of the address: it reaches no log on the way."""

    url: str
    code: Annotated[str | None, Meta(description="None where nobody needs one.")]
