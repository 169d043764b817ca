"""The terminal engine: a program's output in, a screen out (docs/terminal.md). No byte sequence is an error.

A terminal is for one thread at a time: while a call has released the GIL, a call of a second thread raises
RuntimeError. Rows before cols. Methods count lines from the top of the screen: 0 is its first line, negative numbers
go back into scrollback.
"""

import enum
from collections.abc import Sequence
from typing import NamedTuple, final

from typing_extensions import Buffer

class Bell(NamedTuple):
    """The bell rang `count` times since the events were last taken."""

    count: int  # type: ignore[assignment]  # hides tuple.count

class TitleChange(NamedTuple):
    """OSC 0 or 2; without control characters, at most 512 bytes of UTF-8."""

    text: str

class Cwd(NamedTuple):
    """OSC 7 as the program wrote it, usually a file: URL; at most 1024 bytes."""

    text: str

class Clipboard(NamedTuple):
    """OSC 52: a program asks for `data` in a clipboard. `selection` is its first letter ("c": clipboard) or empty."""

    selection: str
    data: bytes

class Notification(NamedTuple):
    """OSC 9, 99 or 777: a text for a person. Without title and body: the program withdraws the one with that id.

    id         of OSC 99; may be empty
    title      one line without control characters or marks that change the direction of text, at most 256 bytes
    body       the same, at most 1024 bytes
    urgency    0 low, 1 normal, 2 critical
    at_ns      CLOCK_REALTIME at which the pump read it; 0: unknown
    """

    id: str
    title: str
    body: str
    urgency: int
    at_ns: int = 0

class Variable(NamedTuple):
    """OSC 1337 SetUserVar: a name of at most 64 bytes, a value of at most 256."""

    name: str
    value: str

class Progress(NamedTuple):
    """OSC 9;4. state: 0 none, 1 set, 2 error, 3 indeterminate, 4 paused; percent: 0 in states 0 and 3."""

    state: int
    percent: int

class Mark(NamedTuple):
    """A prompt mark of a shell (OSC 133; FinalTerm's semantic prompts).

    kind       A: the prompt begins, B: the command line begins, C: the command's output begins, D: the command is done
    offset     bytes of output before the mark (A, D), or up to and including it (B, C): output is [C.offset, D.offset)
    line       absolute number of the cursor's line (see Engine.top); -1: unknown
    exit_code  of D; None: the shell did not report one
    command    of C: the command line
    at_ns      CLOCK_REALTIME at which the pump read the mark; 0: unknown
    """

    kind: str
    offset: int
    line: int
    exit_code: int | None
    command: str
    at_ns: int = 0

class Theme(NamedTuple):
    """The colours of the viewer that owns the size, as 0xRRGGBB. palette: the first 16."""

    dark: bool
    palette: Sequence[int]
    foreground: int
    background: int
    cursor: int

class Picture(NamedTuple):
    """A picture of a program. kind: png, jpeg, gif or webp, a file; or rgb or rgba, width x height pixels in rows.

    zlib  the pixels are compressed, as the program sent them: inflating them needs a bound
    """

    kind: str
    width: int
    height: int
    zlib: bool
    data: bytes

class Cursor(NamedTuple):
    """row, col: from 0, inside the screen even if a wrap is pending. shape: DECSCUSR's 0..6."""

    row: int
    col: int
    visible: bool
    shape: int
    wrap_pending: bool

class Mode(enum.IntFlag):
    """The modes that the engine stores. The comments give DEC private numbers, unless they say otherwise."""

    APPLICATION_CURSOR = 1  # 1
    REVERSE_SCREEN = 2  # 5
    ORIGIN = 4  # 6
    WRAP = 8  # 7
    CURSOR_BLINK = 16  # 12
    CURSOR_VISIBLE = 32  # 25
    MARGINS = 64  # 69
    MOUSE_X10 = 128  # 9
    MOUSE = 256  # 1000
    MOUSE_DRAG = 512  # 1002
    MOUSE_ANY = 1024  # 1003
    FOCUS = 2048  # 1004
    MOUSE_UTF8 = 4096  # 1005
    MOUSE_SGR = 8192  # 1006
    MOUSE_URXVT = 16384  # 1015
    MOUSE_PIXELS = 32768  # 1016
    ALTERNATE_SCROLL = 65536  # 1007
    BRACKETED_PASTE = 131072  # 2004
    SYNCHRONIZED_OUTPUT = 262144  # 2026
    APPLICATION_KEYPAD = 524288  # 66, DECKPAM
    INSERT = 1048576  # ANSI 4
    NEWLINE = 2097152  # ANSI 20
    REVERSE_WRAP = 4194304  # 45
    COLOUR_SCHEME = 8388608  # 2031
    GRAPHEME_CLUSTERS = 16777216  # 2027
    IN_BAND_RESIZE = 33554432  # 2048
    REVERSE_WRAP_ANY = 67108864  # 1045
    TAB_WRAP = 134217728  # 41
    SMOOTH_SCROLL = 268435456  # 4
    PRINT_FORM_FEED = 536870912  # 18
    PRINT_ALL = 1073741824  # 19
    COLUMN_SWITCH = 2147483648  # 40
    NATIONAL_CHARSETS = 8589934592  # 42
    SIXEL_DISPLAY = 17592186044416  # 80, DECSDM
    SIXEL_RIGHT = 35184372088832  # 8452

@final
class Engine:
    """One terminal.

    rows, cols         1..1000, 2..1000; ValueError outside
    scrollback_lines   limit of lines that are kept after they have left the screen
    scrollback_bytes   limit of their bytes, in the engine's compact form
    Raises MemoryError; the terminal is then unchanged.
    """

    def __init__(
        self, rows: int, cols: int, *, scrollback_lines: int = 10_000, scrollback_bytes: int = 4 * 1024 * 1024
    ) -> None: ...
    def feed(self, data: Buffer) -> None:
        """Take output. Releases the GIL from 4 KiB on."""
    def feed_some(self, data: Buffer, budget: int) -> int:
        """Take output until about `budget` cells have been touched. Returns the bytes consumed, 1 or more."""
    def resize(self, rows: int, cols: int) -> None: ...
    def set_theme(self, theme: Theme | None) -> None:
        """What queries for colours are answered with, unless the program has set others. None: the web client's."""
    def set_pixels(self, cell_height: int, cell_width: int) -> None:
        """The size of a cell in pixels, 1..1000; 0: that of the web client."""
    def clone(self, *, scrollback_lines: int = 0) -> Engine:
        """An independent copy, with the newest lines of scrollback and without events and replies."""
    def redraw(self, *, scrollback_lines: int = 0) -> bytes:
        """Terminal bytes that bring any terminal of this size, whatever its state, to the state of this one."""
    def raw_end(self, offset: int) -> int:
        """Output may be sent to a viewer as it is from `offset` to the offset returned; if that is not above it, and
        `shown` is, the viewer needs damage. The pump asks the same in C."""
    def viewer_at(self, offset: int) -> bytes | None:
        """The state of a viewer that got all output up to `offset`, for damage(); None if it is not known."""
    def viewer_redraw(self, *, scrollback_lines: int = 0) -> tuple[bytes, bytes]:
        """The redraw for a viewer, and the state that it then shows."""
    def damage(self, viewer: bytes) -> tuple[bytes, bytes] | None:
        """Terminal bytes that bring a viewer from that state to the present one, and that; None: redraw it instead."""
    def lines(self, first: int, last: int) -> bytes:
        """Lines [first, last), as far as they exist, as terminal bytes. A wrapped line does not end in CR LF."""
    def snapshot(self) -> bytes:
        """VibeTunnel's "VT" version 1 of the screen, without the session's id."""
    def text(self, first: int = 0, last: int | None = None, *, unwrap: bool = False) -> str:
        """Lines [first, last), as far as they exist, each with a newline; None: to the end of the screen.

        unwrap  join a line that was wrapped at the margin
        Raises ValueError when first > last.
        """
    def utf8(self, first: int = 0, last: int | None = None, *, unwrap: bool = False) -> bytes:
        """text(), encoded. A long text takes a thread: this holds no GIL, and text() does while it decodes."""
    def html(self, first: int = 0, last: int | None = None) -> bytes:
        """The same as one <pre> with styles, everything from the program escaped."""
    def picture(self, key: int) -> Picture | None:
        """The picture of that key (in json() and html()), sixel drawn as pixels; None: it is not kept."""
    def picture_data(self, *, most: int) -> bytes:
        """Terminal bytes that give another terminal the newest pictures; its redraw() comes after them."""
    def json(self) -> bytes:
        """The screen with styles, cursor and modes: docs/terminal.md."""
    def dump(self) -> str:
        """Everything in which two equal terminals agree, one field a line: for tests."""
    def take_events(self) -> list[Bell | TitleChange | Cwd | Progress | Clipboard | Mark | Notification | Variable]:
        """Events since the last call: bell; title, folder and progress of now; then the others, oldest first."""
    def take_replies(self) -> bytes:
        """Answers to the program's queries since the last call, for its PTY. Bounded: the newest are dropped."""
    @property
    def mute(self) -> bool:
        """While set, output makes no events and no replies: for output that was answered before."""
    @mute.setter
    def mute(self, value: bool) -> None: ...
    @property
    def rows(self) -> int: ...
    @property
    def cols(self) -> int: ...
    @property
    def cursor(self) -> Cursor: ...
    @property
    def modes(self) -> Mode: ...
    @property
    def title(self) -> str: ...
    @property
    def cwd(self) -> str: ...
    @property
    def progress(self) -> Progress: ...
    @property
    def pointer(self) -> str:
        """The pointer's shape as CSS names it (OSC 22); empty: the viewer's choice."""
    @property
    def alternate(self) -> bool:
        """Whether the alternate screen is on."""
    @property
    def shown(self) -> int:
        """`offset` without an unfinished character: what viewers are shown ends here."""
    @property
    def offset(self) -> int:
        """Bytes of output taken so far."""
    @property
    def top(self) -> int:
        """The absolute number of the screen's first line: how many lines have ever been above it."""
    @property
    def oldest(self) -> int:
        """The absolute number of the oldest line of scrollback that is kept."""
    @property
    def original_oldest(self) -> int:
        """Of a copy: `oldest` of its original at that time; else the same as `oldest`."""
    @property
    def scrollback_count(self) -> int: ...
    @property
    def memory(self) -> int:
        """Bytes allocated."""
