"""The JSON of requests and answers. Names follow the Node server; those of the Go server are accepted, too.

A request with an unknown field is refused, because it is probably misspelt. What other clients are known to send, and
this server does not use, is declared as Ignored. Programs that read answers should ignore fields that they do not know.
"""

from __future__ import annotations

import signal
import uuid
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from vibetunnel.handlers.account_schemas import TicketQuery
from vibetunnel.handlers.validation import END, Given
from vibetunnel.preferences import COMMANDS, Notifications, QuickCommand
from vibetunnel.protocol import MAX_LINES
from vibetunnel.sessions import patterns
from vibetunnel.sessions.keys import KEYS
from vibetunnel.sessions.launch import Command, Environment, Folder
from vibetunnel.sessions.model import NameOrNone, SessionName, Size
from vibetunnel.sessions.view import SessionView

Offset = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Ignored = Annotated[Any, Meta(description="Sent by VibeTunnel's own client; ignored.")]  # Any: whatever it sends


class ErrorAnswer(msgspec.Struct):
    """The body of every 4xx and 5xx."""

    error: Annotated[str, Meta(description="The reason, as a sentence.")]
    code: Annotated[
        str | UnsetType, Meta(description="`csrf` or `rate`: the client can get a new token, or try again later.")
    ] = UNSET
    success: Annotated[Literal[False] | UnsetType, Meta(description="Of a refused login.")] = UNSET
    valid: Annotated[Literal[False] | UnsetType, Meta(description="Of GET /api/auth/verify.")] = UNSET
    message: Annotated[str | UnsetType, Meta(description="Of routes of push: what to do.")] = UNSET


class Done(msgspec.Struct):
    success: Literal[True] = True


class DoneWithMessage(msgspec.Struct, kw_only=True):
    success: Literal[True] = True
    message: str


# Sessions


class NewSession(Given, kw_only=True, rename="camel"):
    """POST /api/sessions. An empty text is the same as none."""

    command: Annotated[
        Command | None, Meta(description="Program and arguments, or a text for the shell. Default: a login shell.")
    ] = None
    working_dir: Annotated[Folder | None, Meta(description="A path, also with `~` or relative to the home folder.")] = (
        None
    )
    cwd: Annotated[Folder | None, Meta(description="The Go server's name for workingDir.")] = None
    name: NameOrNone | None = None
    title: Annotated[NameOrNone | None, Meta(description="The Go server's name for name.")] = None
    rows: Size | None = None
    cols: Size | None = None
    env: Annotated[Environment, Meta(description="Variables to add to the environment.")] = msgspec.field(
        default_factory=dict
    )
    spawn: Annotated[
        Literal["lazy", "now"] | None,
        Meta(description="When the process starts: at the first use, or now. Default: the setting `spawn`."),
    ] = None
    title_mode: Ignored = None
    spawn_terminal: Ignored = msgspec.field(name="spawn_terminal", default=None)
    remote_id: Ignored = None
    git_repo_path: Ignored = None
    git_branch: Ignored = None


class CreatedSession(SessionView, kw_only=True, rename="camel"):
    """The new session. `sessionId` repeats its id, as in the Node server."""

    session_id: str


class RenameBody(Given):
    name: SessionName


class Renamed(msgspec.Struct, kw_only=True):
    success: Literal[True] = True
    name: Annotated[str, Meta(description="With ` (2)` appended if another session has the name.")]


class InputBody(Given, kw_only=True):
    """Exactly one of text, key and paste; or the Go server's {"type": "input", "data": text}."""

    exactly_one: ClassVar = ("text", "key", "paste", "data")

    text: str | UnsetType = UNSET
    key: Annotated[str, Meta(extra_json_schema={"enum": list(KEYS)})] | UnsetType = UNSET
    paste: Annotated[
        str | UnsetType,
        Meta(description="A text without its control characters, in brackets if the program asked for them (2004)."),
    ] = UNSET
    data: Annotated[str | UnsetType, Meta(description="The Go server's name for text.")] = UNSET
    type: Literal["input"] | UnsetType = UNSET


class ResizeBody(Given):
    rows: Size
    cols: Size


class Resized(msgspec.Struct, kw_only=True):
    success: Literal[True] = True
    rows: int
    cols: int


def _any_case(word: str) -> str:
    """A regular expression for `word` in capital or small letters."""
    return "".join(f"[{each}{each.lower()}]" if each.isalpha() else each for each in word)


_NAMES = "|".join(_any_case(each.name.removeprefix("SIG")) for each in signal.Signals)
_A_SIGNAL = "a signal's name or number, such as INT or 2"
_SignalName = Annotated[str, Meta(pattern=f"^({_any_case('SIG')})?({_NAMES}){END}", description=_A_SIGNAL)]
if TYPE_CHECKING:
    _Number = int
else:
    _Number = Literal[tuple(map(int, sorted(signal.valid_signals())))]


class SignalBody(Given):
    signal: Annotated[
        _SignalName | Annotated[_Number, Meta(description=_A_SIGNAL)],
        Meta(description='"INT", "SIGINT" or 2, for the foreground process group.'),
    ]


class CleanedUp(msgspec.Struct, kw_only=True, rename="camel"):
    success: Literal[True] = True
    message: str
    local_cleaned: int
    remote_results: list[str] = []


class OutputQuery(Given):
    since: Offset = 0


Line = Annotated[int, Meta(ge=-(2**53), le=2**53)]


class LinesQuery(Given):
    """The lines to show. Default: the screen."""

    first: Annotated[
        Line | None, Meta(description="The first line: 0 is the top of the screen, negative numbers are above it.")
    ] = None
    last: Annotated[Line | None, Meta(description="The line after the last one. Default: the screen's end.")] = None
    top: Annotated[
        Offset | None,
        Meta(description="Count from this absolute line number instead. Pages then stay stable while output comes."),
    ] = None


class TextQuery(LinesQuery):
    unwrap: Annotated[bool, Meta(description="Join lines that were wrapped at the margin.")] = False
    styles: Annotated[
        str | None,
        Meta(
            description='Mark styles, as `[style fg="1" bold]text[/style]`, whatever the value is. Of the screen only.'
        ),
    ] = None


class CursorView(msgspec.Struct, kw_only=True):
    row: int
    col: int
    visible: bool
    shape: Literal["block", "underline", "bar"]
    blink: bool


_Colour = Annotated[int | str | UnsetType, Meta(description='A palette index, or "#rrggbb".')]


class Run(msgspec.Struct, kw_only=True):
    """Characters of one style. Attributes that are left out have their defaults."""

    text: str
    width: Annotated[int, Meta(description="Columns.")]
    fg: _Colour = UNSET
    bg: _Colour = UNSET
    underline_colour: _Colour = UNSET
    bold: bool | UnsetType = UNSET
    dim: bool | UnsetType = UNSET
    italic: bool | UnsetType = UNSET
    underline: Literal["single", "double", "curly", "dotted", "dashed"] | UnsetType = UNSET
    blink: bool | UnsetType = UNSET
    inverse: bool | UnsetType = UNSET
    invisible: bool | UnsetType = UNSET
    strike: bool | UnsetType = UNSET
    overline: bool | UnsetType = UNSET
    link: str | UnsetType = UNSET


class ScreenLine(msgspec.Struct, kw_only=True):
    wrapped: Annotated[bool, Meta(description="The line continues in the next one.")]
    runs: list[Run]


class PictureView(msgspec.Struct, kw_only=True):
    key: Annotated[str, Meta(description="Its name in `/pictures/{key}`.")]
    kind: Literal["none", "sixel", "rgb", "rgba", "png", "jpeg", "gif", "webp"]
    row: Annotated[int, Meta(description="The row of its upper left cell, which may be above the screen.")]
    col: int
    rows: int
    cols: int
    width: Annotated[int, Meta(description="Pixels.")]
    height: Annotated[int, Meta(description="Pixels.")]
    z: Annotated[int, Meta(description="Below 0: under the text.")]
    kept: Annotated[bool, Meta(description="False: it was too large, or dropped for newer ones.")]


class Screen(msgspec.Struct, kw_only=True):
    """The screen, as the engine writes it."""

    rows: int
    cols: int
    top: Annotated[int, Meta(description="The absolute number of the first line.")]
    oldest: Annotated[int, Meta(description="The absolute number of the oldest line that is kept.")]
    offset: int
    title: str
    folder: str
    alternate: bool
    cursor: CursorView
    modes: list[str]
    pictures: list[PictureView]
    lines: list[ScreenLine]


_Wanted = Annotated[str, Meta(min_length=1, max_length=patterns.LIMIT)]
_Milliseconds = Annotated[int, Meta(ge=1, le=600_000)]


class WaitBody(Given, kw_only=True):
    """Exactly one of text, regex, idleMs, prompt and exit. Names with `_` are accepted, too."""

    exactly_one: ClassVar = ("text", "regex", "idleMs", "idle_ms", "prompt", "exit")

    text: Annotated[_Wanted | None, Meta(description="Wait until this text is on the screen.")] = None
    regex: Annotated[
        _Wanted | None,
        Meta(
            description="Wait until this matches, in RE2's syntax (without lookaround and backreferences); "
            "^ and $ match in each line."
        ),
    ] = None
    idle_ms: Annotated[_Milliseconds | None, Meta(description="The same as idleMs.")] = None
    idleMs: Annotated[_Milliseconds | None, Meta(description="Wait until nothing was printed for this long.")] = None  # noqa: N815
    prompt: Annotated[bool, Meta(description="Wait for a shell prompt with nothing typed.")] = False
    exit: Annotated[bool, Meta(description="Wait until the session ends.")] = False
    timeout_ms: Annotated[_Milliseconds | None, Meta(description="The same as timeoutMs.")] = None
    timeoutMs: Annotated[_Milliseconds | None, Meta(description="Answer 408 after this. Default: 30000.")] = None  # noqa: N815
    from_line: Annotated[Offset | None, Meta(description="The same as fromLine.")] = None
    fromLine: Annotated[  # noqa: N815
        Offset | None, Meta(description="For text and regex: start at this absolute line number.")
    ] = None


class AttachQuery(Given, kw_only=True, rename="camel"):
    """The parameters of /ws (docs/protocol.md)."""

    session_id: Annotated[str | None, Meta(description="Without it: the socket of newer VibeTunnel clients.")] = None
    since: Offset | None = None
    rows: Size | None = None
    cols: Size | None = None
    client: Annotated[uuid.UUID | None, Meta(description="Names the client's input stream.")] = None
    permission: Literal["view", "type"] = "type"
    lag: Annotated[
        Literal["latest", "lossless"] | None,
        Meta(description="What a client that lags gets. Default: `latest` with vibetunnel.v1, else `lossless`."),
    ] = None
    scrollback: Annotated[int, Meta(ge=0, le=MAX_LINES, description="Lines of scrollback in the first redraw.")] = 0
    appearance: (
        Annotated[
            str,
            Meta(pattern="^[0-9a-f]{124}$", description="The fields of an appearance message, in hexadecimal."),
        ]
        | None
    ) = None
    format: Annotated[
        Literal["binary", "text"],
        Meta(description="Raw mode: `text` sends output as text frames, cut between characters."),
    ] = "binary"
    ticket: Annotated[str | None, Meta(description="From POST /api/auth/ticket; valid once.")] = None
    token: Annotated[str | None, Meta(description="A token, if the setting token_in_url allows it.")] = None


class StreamQuery(TicketQuery):
    """The query of a session's event stream."""

    scrollback: Annotated[int, Meta(ge=0, le=MAX_LINES, description="Lines of scrollback before the screen.")] = 0


class InputSocketQuery(TicketQuery, rename="camel"):
    """The query of /ws/input."""

    session_id: str = ""


class ControlQuery(TicketQuery):
    """The query of the control stream."""

    auth: Annotated[str | None, Meta(description="`Bearer TOKEN`, if the setting token_in_url allows it.")] = None


# Server


class TestEvent(Given, kw_only=True):
    """As the Go server takes it."""

    type: Annotated[str, Meta(min_length=1, max_length=100)]
    message: Annotated[str, Meta(min_length=1, max_length=1000)]
    title: Annotated[str, Meta(max_length=200)] = ""
    body: Annotated[str, Meta(max_length=1000)] = ""


class TestEventSent(msgspec.Struct, kw_only=True):
    success: Literal[True] = True
    message: str
    clients: Annotated[int, Meta(description="How many streams and sockets it was sent to.")]


class TailscaleStatus(msgspec.Struct, kw_only=True, rename="camel"):
    """This server starts no Tailscale; a proxy of Tailscale in front of it needs nothing from it."""

    is_running: Literal[False] = False


class Health(msgspec.Struct, kw_only=True, rename="camel"):
    status: Literal["ok"] = "ok"
    version: str
    uptime: Annotated[float, Meta(description="Seconds.")]
    sessions: int
    pid: int
    timestamp: str
    mode: Literal["remote"] = "remote"
    build_date: Annotated[str, Meta(description="When this copy was installed.")]


class GoHealth(msgspec.Struct, kw_only=True):
    """The Go server's answer."""

    status: Literal["ok"] = "ok"
    version: str
    uptime: Annotated[str, Meta(description="A duration, such as 1h2m3.5s.")]
    sessions: int
    pid: int


_STATUS_NAMES = {
    "is_hq_mode": "isHQMode",
    "mac_app_connected": "macAppConnected",
    "uptime_ms": "uptimeMs",
    "server_name": "serverName",
}


class ServerStatus(msgspec.Struct, kw_only=True, rename=_STATUS_NAMES):
    status: Literal["running"] = "running"
    version: str
    uptime: Annotated[float, Meta(description="Seconds.")]
    pid: int
    sessions: int
    clients: int
    problems: Annotated[list[str], Meta(description="The parts of the server that do not work now, in sentences.")]
    mac_app_connected: Literal[False] = False
    is_hq_mode: Literal[False] = False
    healthy: Annotated[Literal[True], Meta(description="The Go server's field, as the next ones.")] = True
    uptime_ms: int
    server_name: Literal["VibeTunnel"] = "VibeTunnel"
    timestamp: Annotated[int, Meta(description="Seconds since 1970.")]


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
    notification_preferences: Notifications
    server_name: Literal["VibeTunnel"] = "VibeTunnel"
    auth_required: bool
    features: Annotated[dict[str, bool], Meta(description="The Go server's list of what it has.")]
    limits: Annotated[dict[str, int], Meta(description="The Go server's list; times are in minutes.")]


class NotificationChanges(Given, kw_only=True, rename="camel"):
    enabled: bool | UnsetType = UNSET
    session_start: bool | UnsetType = UNSET
    session_exit: bool | UnsetType = UNSET
    command_completion: bool | UnsetType = UNSET
    command_error: bool | UnsetType = UNSET
    bell: bool | UnsetType = UNSET
    claude_turn: bool | UnsetType = UNSET
    sound_enabled: bool | UnsetType = UNSET
    vibration_enabled: bool | UnsetType = UNSET


class ConfigChanges(Given, kw_only=True, rename="camel"):
    """What a user chooses. What is left out stays as it is."""

    repository_base_path: Annotated[str, Meta(min_length=1, max_length=4096)] | UnsetType = UNSET
    quick_start_commands: Annotated[list[QuickCommand], Meta(max_length=COMMANDS)] | UnsetType = UNSET
    notification_preferences: NotificationChanges | UnsetType = UNSET


class ChangedConfig(msgspec.Struct, kw_only=True, omit_defaults=True, rename="camel"):
    """The choices that were accepted."""

    success: bool
    repository_base_path: str | UnsetType = UNSET
    quick_start_commands: list[QuickCommand] | UnsetType = UNSET
    notification_preferences: Notifications | UnsetType = UNSET
