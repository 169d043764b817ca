"""The data plane: threads that move bytes between PTYs and sockets without the GIL (docs/pump.md)."""

from typing import Literal, NamedTuple

from vibetunnel._ext import vt

EventKind = Literal[
    "hangup",
    "ended",
    "title",
    "folder",
    "bell",
    "resized",
    "came",
    "gone",
    "changed",
    "mark",
    "clipboard",
    "notification",
    "variable",
    "progress",
    "pointer",
    "captured",
    "typed",
]

class Event(NamedTuple):
    """What happened to a terminal or a client.

    hangup        every process has closed the PTY, before finish() was called
    ended         the PTY is closed and everything it printed is in the ring
    title         text: OSC 0 or 2, control characters removed
    folder        text: the path of OSC 7
    bell          number: bells since the last event
    resized       text "ROWSxCOLS": the PTY's new size
    came          the client is attached, and `clients` counts it
    gone          the client left. number: the close code (1006: it sent none), text: its reason
    changed       a watched terminal has printed
    mark          data: a Mark
    clipboard     data: a Clipboard
    notification  data: a Notification
    variable      data: a Variable
    progress      Terminal.progress has changed
    pointer       Terminal.pointer has changed
    captured      answer to Terminal.capture. number: the ticket, data: the copy, or None if memory ran out
    typed         something that a person typed has reached the PTY; once for each client
    """

    kind: EventKind
    terminal: Terminal
    client: Client | None
    number: int
    text: str
    data: vt.Mark | vt.Clipboard | vt.Notification | vt.Variable | vt.Engine | None = None

def is_typed(data: bytes) -> bool:
    """Whether a person typed some of this input. False: it has only reports that a terminal makes by itself."""

def load_zlib() -> None:
    """Load zlib, for clients that negotiate compression. OSError if there is none."""

class Pump:
    """Owns the lanes (threads), every terminal and every client.

    bulk_lanes        threads for sessions that flood, beside the interactive one; 1..16
    ping_s            silence of a client in seconds before it is pinged
    timeout_s         silence of a client in seconds before it is dropped
    settle_s          age of a stream in seconds up to which a change of size brings a redraw
    high_watermark    lag of a client in bytes at which its PTY is paused; at most half of a ring
    input_watermark   bytes of input queued for a PTY before its clients are no longer read
    scrollback_lines  lines that each terminal keeps
    scrollback_bytes  memory that they may take
    """

    def __init__(
        self,
        *,
        bulk_lanes: int = 1,
        ping_s: float = 20.0,
        timeout_s: float = 60.0,
        settle_s: float = 5.0,
        high_watermark: int = 131072,
        input_watermark: int = 65536,
        scrollback_lines: int = 10_000,
        scrollback_bytes: int = 4194304,
    ) -> None: ...
    def fileno(self) -> int:
        """Readable while events wait."""
    def take_events(self) -> list[Event]: ...
    def open(self, pty_fd: int, ring_fd: int, *, rows: int, cols: int, awaits_client: bool = False) -> Terminal:
        """Take over a PTY master and its ring. The pump owns both descriptors from here, even if it raises.

        pty_fd         -1 for a session whose process is gone: there is only the ring
        ring_fd        4096 bytes of header, a power of two of data, 2 MiB for checkpoints. A new ring is all zero;
                       another one goes on at its offset, with the screen that it had there
        awaits_client  the PTY is not read before a client attaches, or for a second or two
        Raises ValueError for a ring of a bad size or content, OSError if it cannot be mapped.
        """
    def statistics(self) -> dict[str, int]:
        """Totals since the start: bytes_out, bytes_in, frames_out, frames_in, pty_reads, turns, moves (between lanes),
        dropped (clients that timed out), redraws, compressions. Gauges: clients, terminals; input_queued, max_lag in
        bytes; blocks (compressed frames under way)."""
    def close(self, *, code: int = 1001, reason: str = "", linger_s: float = 1.0) -> None:
        """Close every client, wait up to `linger_s` for their close frames, and end the threads. Programs go on, as
        another process holds their PTYs. Releases the GIL. A second call does nothing."""

class Terminal:
    """One PTY and its ring inside the pump. Made by Pump.open. Every method raises ValueError after close()."""

    @property
    def head(self) -> int:
        """Offset of the next byte that will be printed."""
    @property
    def oldest(self) -> int:
        """Offset of the oldest byte still kept."""
    @property
    def rows(self) -> int: ...
    @property
    def cols(self) -> int: ...
    @property
    def clients(self) -> int: ...
    @property
    def title(self) -> str: ...
    @property
    def folder(self) -> str: ...
    @property
    def shown(self) -> tuple[int, int, int, int, str, str, vt.Progress, str, int, int]:
        """rows, cols, clients, head, title, folder, progress, the pointer's shape, last_output_ns, last_input_ns.

        One read is cheaper than one for each: a list asks hundreds of terminals. The shape is as CSS names it; empty:
        the viewer's choice.
        """
    @property
    def bytes_in(self) -> int:
        """Bytes of input that the PTY has taken."""
    @property
    def last_output_ns(self) -> int:
        """CLOCK_REALTIME of the last output in ns; 0 before the first."""
    @property
    def last_input_ns(self) -> int: ...
    @property
    def max_lag(self) -> int:
        """Lag of the slowest client in bytes."""
    @property
    def lane(self) -> int:
        """0: interactive; else a bulk lane."""
    def attach(
        self,
        socket_fd: int,
        response: bytes,
        *,
        received: bytes = b"",
        v1: bool = False,
        writable: bool = True,
        since: int | None = None,
        rows: int = 0,
        cols: int = 0,
        client_id: bytes = b"",
        offset_at: int = 0,
        redraw_at: int = 0,
        latest: bool = False,
        scrollback: int = 0,
        name: bytes = b"",
        input_rate: int = 0,
        deflates: bool = False,
        appearance: bytes = b"",
        text: int = 0,
        header: bytes = b"",
        session: bytes = b"",
    ) -> Client:
        """Hand over a connected stream socket. The pump owns it from here, even if this raises.

        response   sent first, as it is (the 101 answer)
        received   bytes that the client sent after its request
        since      offset to continue from; None or an offset that is not kept: the client gets a redraw
        rows, cols the client's viewport; 0: unknown
        client_id  16 bytes that name the client's input stream, or none
        offset_at  where the response has 20 bytes for the offset of the first output byte; 0: nowhere
        redraw_at  where the response has 20 bytes for the size of a raw client's redraw, which comes first
        latest     skip the client ahead to the present screen when it is behind; otherwise the PTY waits for it
        scrollback lines that go with the first redraw, at most 10,000
        name       a v1 client's name in presence messages, at most 64 bytes of UTF-8; `access` tells the client
        input_rate bytes of input a second on the average; a second's worth may come at once, and a client that sends
                   more is not read for a while. 0: no limit
        deflates   permessage-deflate was negotiated, without context takeover on either side; OSError without zlib
        appearance the fields of an appearance message, or none
        text       1: output comes as text, in WebSocket text frames; 2: as server-sent events, after the response; the
                   client is then no WebSocket. Text is cut between characters, U+FFFD stands for invalid bytes, and
                   each redraw comes after a reset (RIS)
        header     with events: the JSON fields of the header after its size, and its closing brace
        session    with events: the session's id, as the inside of a JSON string
        """
    def present(self, message: bytes) -> None:
        """Send a presence message to every v1 client, now and when it attaches: at most 16 KiB, passed on as it is.

        A new message replaces one that a slow client has not been sent yet; an equal one is not sent. An empty message
        ends this: clients that attach later get none. ValueError if it is too long.
        """
    def note(self, event: bytes) -> None:
        """Send a server-sent event, at most 16 KiB, to every client that gets events, now and when it attaches.

        A new event replaces one that a slow client has not been sent yet.
        """
    def write(self, data: bytes) -> None:
        """Queue input after what is queued. Raises BlockingIOError above 16 MiB queued."""
    def watch(self, on: bool) -> None:
        """While on, report `changed` at output: at once, then at most every 50 ms."""
    def capture(self, scrollback_lines: int = 0) -> int:
        """Ask for a copy of the terminal with the newest lines of scrollback; returns a ticket, see `captured`."""
    def resize(self, rows: int, cols: int) -> None:
        """Set the PTY's size; ValueError outside 1..1000."""
    def reset_size(self) -> None:
        """If no client owns the size, give it to one that has a viewport and may type. Without one it stays."""
    def finish(self, code: int, signal: int = 0, reason: str = "") -> None:
        """The process is gone: read the rest of its output, send the clients its exit and close 1000, report `ended`.
        Clients that attach later get the last screen, then the same."""
    def read(self, since: int = 0, limit: int = -1) -> tuple[int, int, bytes]:
        """Copy kept output: (offset of the first byte, offset after the last, bytes). `since` is clamped to it."""
    def close(self) -> None:
        """Close PTY, ring and clients (4404 if not finished). A second call does nothing."""

class Client:
    """One attached socket. Made by Terminal.attach."""

    @property
    def lag(self) -> int:
        """Bytes of output that were not sent yet (v1: not acknowledged); 0 once gone."""
    @property
    def gone(self) -> bool: ...
    @property
    def writable(self) -> bool:
        """Whether it may type and set the size, as attach() or the last permit() said."""
    @property
    def bytes_sent(self) -> int: ...
    def permit(self, writable: bool) -> None:
        """Give or take the right to type and to set the size. Works in any thread.

        After this returns, no further input of the client is judged by the former right. Taking the right also discards
        input that waits for the PTY, and passes the size on to another client. `access` tells a v1 client. Nothing
        happens if the client is gone.
        """
    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame after what is under way. Nothing happens if the client is closing or gone."""
