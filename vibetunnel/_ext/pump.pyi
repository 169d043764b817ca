"""The data plane: threads that move bytes between PTYs and sockets without the GIL (docs/architecture.md)."""

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
    "captured",
    "typed",
]

class Event(NamedTuple):
    """Something the control plane should know.

    hangup   every process has closed the PTY, and finish() was not called yet
    ended    the PTY is closed and everything it printed is in the ring
    title    text: OSC 0 or 2, control characters removed
    folder   text: the path of OSC 7
    bell     number: how many since the last event
    resized  text "ROWSxCOLS": the PTY's new size
    came     client is attached: `clients` counts it
    gone     client left; number is the close code (1006: without a word), text its reason
    changed  output has come, of a terminal that is watched
    mark     data: a Mark
    clipboard  OSC 52 asks to set it. text: the selection's first letter or nothing, data: bytes
    captured answer to Terminal.capture. number: the ticket, data: the copy, None when memory ran out
    typed    client: its first input has reached the PTY; once for each client
    """

    kind: EventKind
    terminal: Terminal
    client: Client | None
    number: int
    text: str
    data: vt.Mark | bytes | vt.Terminal | None = None

def load_zlib() -> None:
    """Have zlib ready for clients that negotiate compression. OSError when there is none. Before, nothing is loaded."""

class Pump:
    """Owns the lanes (threads), every terminal and every client.

    bulk_lanes        threads for sessions that flood, beside the interactive one; 1..16
    ping_s            seconds without a word before a client is pinged
    timeout_s         seconds without a word before a client is dropped
    high_watermark    bytes a client may lag before its PTY is left alone; at most half of a ring
    input_watermark   bytes of input queued for a PTY before its clients are no longer read
    scrollback_lines  kept by each terminal, and
    scrollback_bytes  bounded by these too
    """

    def __init__(
        self,
        *,
        bulk_lanes: int = 1,
        ping_s: float = 20.0,
        timeout_s: float = 60.0,
        high_watermark: int = 131072,
        input_watermark: int = 65536,
        scrollback_lines: int = 10_000,
        scrollback_bytes: int = 4194304,
    ) -> None: ...
    def fileno(self) -> int:
        """Readable while events wait."""
    def take_events(self) -> list[Event]: ...
    def open(self, pty_fd: int, ring_fd: int, *, rows: int, cols: int, held: bool = False) -> Terminal:
        """Take over a PTY master and its ring; both descriptors are the pump's from here, also on an error.

        pty_fd   -1 for a session whose process is gone: the ring alone
        ring_fd  4096 bytes of header, a power of two of data, 2 MiB for checkpoints; all zero when new, else continued
                 at its offset, with the screen that it had there
        held     nothing is read from the PTY until a client is attached, or for a second or two
        Raises ValueError for a ring of a bad size or content, OSError when it cannot be mapped.
        """
    def statistics(self) -> dict[str, int]:
        """Totals since the start: bytes_out, bytes_in, frames_out, frames_in, pty_reads, turns, moves (between lanes),
        dropped (clients that timed out), redraws, compressions. Gauges: clients, terminals; input_queued, max_lag in
        bytes; blocks (compressed frames that are being sent)."""
    def close(self, *, code: int = 1001, reason: str = "", linger_s: float = 1.0) -> None:
        """Close every client, wait up to `linger_s` for their close frames, end the threads. PTYs are left alone.
        Releases the GIL. Safe twice."""

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
    def bytes_in(self) -> int:
        """Bytes of input that the PTY has taken."""
    @property
    def last_output_ns(self) -> int:
        """CLOCK_REALTIME of the last output, in ns; 0: none yet."""
    @property
    def last_input_ns(self) -> int: ...
    @property
    def max_lag(self) -> int:
        """Bytes by which the slowest client is behind."""
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
    ) -> Client:
        """Hand over a connected stream socket; it is the pump's from here, also on an error.

        response   sent first, as it is (the 101 answer)
        received   what the client has sent after its request already
        since      offset to continue from; None, or one that is not kept: the client gets a redraw of the screen
        rows, cols the client's viewport; 0: unknown
        client_id  16 bytes that name the client's input stream, or none
        offset_at  where 20 bytes of the response stand for the offset of the first output byte; 0: nowhere
        redraw_at  where 20 bytes of the response stand for the size of a raw client's redraw, which comes first
        latest     skip the client ahead to the present screen when it falls behind; else it paces the PTY
        scrollback lines that go with a redraw at first, at most 10,000
        name       what a v1 client is called in presence, at most 64 bytes of UTF-8; it is told so by `access`
        input_rate bytes of input a second on the average, of which a second's worth may come at once: who sends more is
                   not read for a while. 0: no limit
        deflates   permessage-deflate was negotiated, without context takeover on either side; OSError without zlib
        """
    def present(self, message: bytes) -> None:
        """Tell every v1 client who is here, now and whenever one comes: text of at most 16 KiB, passed on as it is.

        The latest counts: what a slow client has not been sent yet is replaced, what says nothing new is not sent.
        Nothing at all: who comes is told nothing any more. ValueError when it is too long.
        """
    def write(self, data: bytes) -> None:
        """Queue input behind what is queued. Raises BlockingIOError above 16 MiB queued."""
    def watch(self, on: bool) -> None:
        """While on, report `changed` when output comes: at once, then at most every 50 ms."""
    def capture(self, scrollback_lines: int = 0) -> int:
        """Ask for a copy of the terminal's state with the newest lines of scrollback; a ticket, see `captured`."""
    def resize(self, rows: int, cols: int) -> None:
        """Set the PTY's size; ValueError outside 1..1000."""
    def finish(self, code: int, signal: int = 0, reason: str = "") -> None:
        """The process is gone: read what is left, tell the clients (exit, close 1000), then report `ended`.
        Clients that attach later get the last screen, then the same."""
    def read(self, since: int = 0, limit: int = -1) -> tuple[int, int, bytes]:
        """Copy kept output: (offset of the first byte, offset behind the last, bytes); `since` is clamped to it."""
    def close(self) -> None:
        """Close PTY, ring and clients (1001 if not finished). Safe twice and in any state."""

class Client:
    """One attached socket. Made by Terminal.attach."""

    @property
    def lag(self) -> int:
        """Bytes printed that have not been sent (v1: acknowledged) yet; 0 once gone."""
    @property
    def gone(self) -> bool: ...
    @property
    def writable(self) -> bool:
        """Whether it may type, and set the size: as attach() or the last permit() said."""
    @property
    def bytes_sent(self) -> int: ...
    def permit(self, writable: bool) -> None:
        """Give or take the right to type and to set the size; from any thread.

        Once this has returned, no further input of the client is looked at under the former right. When it is taken,
        its input that waits for the PTY is thrown away too, and the size goes on to somebody else. A v1 client is told
        by `access`. Nothing happens when it is gone.
        """
    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame behind what is under way. Safe twice and when gone."""
