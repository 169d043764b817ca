"""The life of one session: created -> starting -> running -> exited."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import UNSET

from vibetunnel._ext import vt
from vibetunnel._ext.pump import Client, Pump, Terminal
from vibetunnel.errors import InputQueueFull, SessionNotRunning, UnknownSession
from vibetunnel.keeper import orphans
from vibetunnel.keeper.client import Spawned, SpawnOrder
from vibetunnel.keeper.errors import KeeperFailed, SpawnFailed
from vibetunnel.keeper.link import KeeperLink
from vibetunnel.keeper.ring import make_ring
from vibetunnel.sessions.command_log import marks_in
from vibetunnel.sessions.events import SessionEvents
from vibetunnel.sessions.launch import integration
from vibetunnel.sessions.listing import Listing
from vibetunnel.sessions.model import End, Record, SessionView, Status, iso, url_path
from vibetunnel.sessions.shell_commands import ShellCommand, ShellCommands
from vibetunnel.sessions.watch import Watch

EMPTY_RING = 32768  # bytes; the smallest ring that the pump takes, for a session that never ran
MAX_LINES = 1 << 30  # of scrollback, to ask for; there are never so many
MAX_TYPISTS = 100  # remembered
DRAIN_S = 2.0  # how long an answer waits for the last output of a process that has ended

_encode = msgspec.json.Encoder().encode


class Services(Protocol):
    """What a session works with; the registry is it."""

    pump: Pump
    keeper: KeeperLink
    events: SessionEvents
    ring_bytes: int
    runtime_dir: Path
    shell_integration: bool
    listing: Listing

    def opened(self, session: Session, terminal: Terminal) -> None:
        """Events of `terminal` belong to `session` from here."""


class Session:
    """A PTY, what hangs on it, and the way there and back.

    A session is `exited` as soon as the keeper says that its process is gone. What it printed last may then still be on
    its way into the ring; `settled` waits for that, and the exit message of the WebSocket comes behind it.

    terminal  None until the process runs, and for ever when it cannot be started (until someone attaches to see why)
    foreign   its record is another version's, which may still want it: it is never written over
    orphan    the keeper that knew the process is gone: the exit code will be unknown
    kept      the keeper has something of it
    gone      set when the process is
    drained   set when, after that, all it printed is in the ring
    typed_ns  when REST typed last; the pump knows the rest
    present   false as soon as it is removed, or the server stops
    """

    def __init__(self, record: Record, around: Services, *, foreign: bool = False) -> None:
        self.record = record
        self.foreign = foreign
        self._status = Status.CREATED
        self.terminal: Terminal | None = None
        self.pid = 0
        self.end: End | None = None
        self.orphan = False
        self.kept = True
        self.gone = asyncio.Event()
        self.drained = asyncio.Event()
        self.typed_ns = 0
        self.present = True
        self._around = around
        self._starting: asyncio.Task[Terminal] | None = None
        self._viewport: tuple[int, int] | None = None  # of the client whose coming starts the process
        self._held = False
        self._early: End | None = None  # an exit that was reported before the spawn was
        self._started = ""  # orphans.start_time of the process
        self._released = False
        self._hung_up = False
        self._watching: asyncio.Task[None] | None = None
        self._created = iso(record.created_ns)
        self._summary = b""
        self._captures: dict[int, asyncio.Future[vt.Terminal]] = {}  # ticket -> who waits for the copy
        self._watches: set[Watch] = set()
        self._commands = ShellCommands()
        self._past = 0  # offset up to which an earlier server saw the output, and its marks are still to be read
        self._cols = 0
        self._typists: set[str] = set()

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def status(self) -> Status:
        return self._status

    @status.setter
    def status(self, status: Status) -> None:
        self._status = status
        self._around.listing.changed()

    @property
    def name(self) -> str:
        return self.record.name

    # What others see

    def describe(self) -> SessionView:
        record, order, terminal, end = self.record, self.record.order, self.terminal, self.end
        created = self._created
        view = SessionView(
            id=record.id,
            name=record.name,
            command=order.argv,
            working_dir=order.folder,
            status=self.status,
            lazy=self.status is Status.CREATED,
            rows=record.rows or order.rows,
            cols=record.cols or order.cols,
            initial_rows=order.rows,
            initial_cols=order.cols,
            clients=0,
            created_at=created,
            started_at=iso(record.started_ns) if record.started_ns else created,
            last_modified=created,
            offset=0,
            version=record.version,
            owner=record.owner,
        )
        last = max(record.created_ns, record.started_ns)
        if terminal is not None:
            view.rows, view.cols = terminal.rows, terminal.cols
            view.clients, view.offset = terminal.clients, terminal.head
            view.title, view.folder = terminal.title or UNSET, url_path(terminal.folder) or UNSET
            last = max(last, terminal.last_output_ns, terminal.last_input_ns)
        if last != record.created_ns:
            view.last_modified = iso(last)
        if self.pid and self.status is Status.RUNNING:
            view.pid = self.pid
        if end is not None:
            view.exit_code = UNSET if end.code is None else end.code
            view.signal = end.signal or UNSET
            view.reason = end.reason or UNSET
        return view

    @property
    def still(self) -> bool:
        """Whether nothing of it moves by itself: it has not started."""
        return self._status is Status.CREATED

    def summary(self) -> bytes:
        """describe() as JSON. Of a session that has not started it is kept: lists of a thousand of them are common."""
        if not self.still:
            return _encode(self.describe())
        if not self._summary:
            self._summary = _encode(self.describe())
        return self._summary

    # Beginning

    async def started(self, rows: int = 0, cols: int = 0, *, held: bool = False) -> Terminal:
        """The terminal; the process is started if it never was, at the size of whoever came first.

        held  its first output waits for a client to attach, who is about to
        Raises SpawnFailed when it cannot be started; the session is then `exited`. KeeperFailed: try again later.
        """
        if self.terminal is not None:
            return self.terminal
        if self.end is not None:
            raise SpawnFailed(self.end.reason)
        if self._starting is None:
            if rows and cols:
                self._viewport = rows, cols
            self._held = held
            self.status = Status.STARTING
            self._starting = asyncio.create_task(self._start())  # owned: close() cancels it
            self._starting.add_done_callback(_retrieve)
        return await asyncio.shield(self._starting)  # one spawn, however many come at once

    async def _start(self) -> Terminal:
        record, order = self.record, self.record.order
        rows, cols = self._viewport or (order.rows, order.cols)
        record.started_ns = time.time_ns()
        extra = integration(order.argv, login=order.login) if self._around.shell_integration else {}
        try:
            spawned = await self._around.keeper.spawn(
                SpawnOrder(
                    session_id=record.id,
                    argv=order.argv,
                    cwd=order.folder,
                    env=order.env | extra,
                    rows=rows,
                    cols=cols,
                    ring_bytes=self._around.ring_bytes,
                    meta=_encode(record),
                    login=order.login,
                )
            )
            terminal = await self._open(spawned, rows, cols)
        except SpawnFailed as error:
            self._never_ran(str(error))
            raise
        except BaseException:  # nothing runs: the next one who comes may try again
            record.started_ns = 0
            self._starting = None
            self.status = Status.CREATED
            raise
        self.pid = spawned.pid
        self._started = orphans.start_time(spawned.pid)
        self.status = Status.RUNNING
        self._around.events.session("session-started", self)
        if self._early is not None:
            self.process_ended(self._early)
        return terminal

    async def _open(self, spawned: Spawned, rows: int, cols: int) -> Terminal:
        try:
            terminal = self._around.pump.open(spawned.pty_fd, spawned.ring_fd, rows=rows, cols=cols, held=self._held)
        except (OSError, ValueError) as error:
            if (keeper := self._around.keeper.live) is not None:
                await keeper.kill(self.id, 0)
            raise SpawnFailed(f"the terminal cannot be opened: {error}") from error
        self._opened(terminal)
        return terminal

    def _opened(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self._cols = terminal.cols
        if any(watch.output for watch in self._watches):
            terminal.watch(True)
        self._around.opened(self, terminal)
        self.changed()

    def adopt(self, terminal: Terminal, pid: int, end: End | None) -> None:
        """Take over what an earlier server left."""
        self._past = terminal.head
        self._opened(terminal)
        self.status = Status.RUNNING
        self.pid = pid
        self._started = orphans.start_time(pid)
        if end is not None:
            self._finish(end)

    async def attachable(self, *, may_type: bool, rows: int = 0, cols: int = 0) -> Terminal:
        """A terminal to attach to, also when the session has ended or cannot start: its exit message then says why.

        Raises SessionNotRunning for a reader of a session that has not started: only who may type starts it.
        """
        if self.terminal is None and self.end is None and not may_type and self._starting is None:
            raise SessionNotRunning("it has not started, and is started only by a client that may type")
        try:
            # However fast it prints: who has started it sees its first byte.
            return await self.started(rows, cols, held=True)
        except SpawnFailed as error:
            return self.terminal or self._empty(str(error))

    def _empty(self, reason: str) -> Terminal:
        """A terminal without process and output."""
        order = self.record.order
        ring_fd = make_ring(EMPTY_RING, str(self._around.runtime_dir))
        terminal = self._around.pump.open(-1, ring_fd, rows=order.rows, cols=order.cols)
        self._opened(terminal)
        terminal.finish(-1, 0, reason)
        return terminal

    # Use

    def attach(
        self,
        socket_fd: int,
        response: bytes,
        *,
        received: bytes,
        v1: bool,
        writable: bool,
        since: int | None,
        rows: int,
        cols: int,
        client_id: bytes,
        offset_at: int,
        redraw_at: int,
        latest: bool,
        scrollback: int,
        name: bytes = b"",
        input_rate: int = 0,
        deflates: bool = False,
    ) -> Client:
        """Hand a connected socket over to the pump (Terminal.attach). Call attachable() first."""
        assert self.terminal is not None
        return self.terminal.attach(
            socket_fd,
            response,
            received=received,
            v1=v1,
            writable=writable,
            since=since,
            rows=rows,
            cols=cols,
            client_id=client_id,
            offset_at=offset_at,
            redraw_at=redraw_at,
            latest=latest,
            scrollback=scrollback,
            name=name,
            input_rate=input_rate,
            deflates=deflates,
        )

    def typed_first_by(self, who: str) -> bool:
        """Whether this is the first time that REST types for them; after MAX_TYPISTS others it may be again."""
        if who in self._typists:
            return False
        if len(self._typists) >= MAX_TYPISTS:
            self._typists.clear()
        self._typists.add(who)
        return True

    async def write(self, data: bytes) -> None:
        """Type `data`. Raises SessionNotRunning, InputQueueFull, and what started() does."""
        terminal = await self._running()
        self.typed_ns = time.time_ns()  # the pump will say so a moment later, which may be too late for a wait
        try:
            terminal.write(data)
        except BlockingIOError:
            raise InputQueueFull from None

    async def resize(self, rows: int, cols: int) -> None:
        """Set the size; a session that has not started begins with it."""
        (await self._running(rows, cols)).resize(rows, cols)

    async def output(self, since: int) -> tuple[int, int, bytes]:
        """What is kept of the output from offset `since`: (first offset, next offset, bytes). Starts the process."""
        terminal = await self.started()
        if self.end is not None:
            await self.settled()
        try:
            return terminal.read(since)
        except ValueError:  # removed meanwhile
            raise UnknownSession(self.id) from None

    async def capture(self, scrollback_lines: int = 0) -> vt.Terminal:
        """A copy of the terminal as it is now, with the newest lines of its scrollback.

        Nothing is started for it: a session that has not started has an empty screen. Raises UnknownSession when it is
        removed meanwhile.
        """
        if not self.present:
            raise UnknownSession(self.id)
        if self.terminal is None:
            order = self.record.order
            return vt.Terminal(order.rows, max(2, order.cols))
        if self.end is not None:
            await self.settled()
        try:
            ticket = self.terminal.capture(min(scrollback_lines, MAX_LINES))
        except ValueError:  # removed meanwhile
            raise UnknownSession(self.id) from None
        future: asyncio.Future[vt.Terminal] = asyncio.get_running_loop().create_future()
        self._captures[ticket] = future
        try:
            return await future
        finally:
            self._captures.pop(ticket, None)

    async def capture_from(self, line: int, guess: int = 0) -> vt.Terminal:
        """A copy that reaches back to this line (its absolute number), as far as that is kept.

        guess  lines of scrollback to begin with; nobody knows how many are needed before the first look
        """
        copy = await self.capture(guess)
        # More may be printed between two looks; who prints more than twice as much in that time outruns any reader.
        while copy.oldest > line and copy.scrollback_count == guess and guess < MAX_LINES:
            guess = min(MAX_LINES, max(2 * (copy.top - line), 2 * guess))
            copy = await self.capture(guess)
        return copy

    @contextlib.contextmanager
    def watch(self, *, output: bool = True) -> Iterator[Watch]:
        """Be told of changes; output: of what is printed too."""
        watch = Watch(output=output)
        self._watches.add(watch)
        self._tell_pump()
        try:
            yield watch
        finally:
            self._watches.discard(watch)
            self._tell_pump()

    def _tell_pump(self) -> None:
        with contextlib.suppress(ValueError):  # removed meanwhile
            if self.terminal is not None:
                self.terminal.watch(any(watch.output for watch in self._watches))

    @property
    def commands(self) -> list[ShellCommand]:
        """What its shell has marked as commands (OSC 133), newest last."""
        self._read_past()
        return self._commands.newest()

    @property
    def last_command(self) -> ShellCommand | None:
        """The newest that has ended."""
        self._read_past()
        return self._commands.last_ended

    @property
    def prompt(self) -> vt.Mark | None:
        """The mark of the prompt that the shell is at, if nothing was typed since; else None."""
        self._read_past()
        prompt = self._commands.prompt
        if prompt is None or self.terminal is None or self.end is not None:
            return None
        typed_ns = max(self.typed_ns, self.terminal.last_input_ns)
        return prompt if typed_ns <= prompt.at_ns else None

    def _read_past(self) -> None:
        """Find the commands of an earlier server's time, as far as the ring has them. Once, and only when wanted."""
        if self._past and self.terminal is not None:
            end, self._past = self._past, 0
            with contextlib.suppress(ValueError):  # removed meanwhile
                first, _, output = self.terminal.read(0)
                for mark in marks_in(output[: max(0, end - first)], first, self.terminal.rows, self.terminal.cols):
                    self._commands.take(mark)
                if self.end is not None:
                    self._commands.session_ended(self.terminal.head, 0)

    async def signal(self, signum: int) -> None:
        """Signal the foreground process group."""
        await self._running()
        keeper = self._around.keeper.live
        if self.orphan or keeper is None:
            orphans.send(self.pid, self._started, signum)
        else:
            await keeper.signal(self.id, signum, group="foreground")

    async def _running(self, rows: int = 0, cols: int = 0) -> Terminal:
        if self.end is not None:
            raise SessionNotRunning(self.end.reason)
        terminal = await self.started(rows, cols)
        if self.end is not None:  # it was a short life
            raise SessionNotRunning(self.end.reason)
        return terminal

    # End

    async def kill(self, grace_s: float) -> None:
        """End the process, politely first; returns when it is gone. Nothing to do when it is, or never was."""
        if self._starting is not None and not self._starting.done():
            with contextlib.suppress(SpawnFailed, KeeperFailed):
                await asyncio.shield(self._starting)
        if self.status is not Status.RUNNING:
            return
        keeper = self._around.keeper.live
        if keeper is not None and not self.orphan:
            await keeper.kill(self.id, grace_s)
        else:
            await orphans.end(self.pid, self._started, grace_s)
            self.process_ended(_unknown_end())
        await self.gone.wait()

    # What the pump reports

    def captured(self, ticket: int, copy: vt.Terminal | None) -> None:
        """copy: None when memory ran out."""
        future = self._captures.pop(ticket, None)
        if future is None or future.done():
            return  # whoever wanted it has left
        if copy is None:
            future.set_exception(MemoryError("no memory for a copy of the terminal"))
        else:
            future.set_result(copy)

    def changed(self, *, output: bool = False) -> None:
        """Wake who watches; output: all that happened is that something was printed."""
        for watch in self._watches:
            if watch.output or not output:
                watch.wake()

    def marked(self, mark: vt.Mark) -> None:
        self._read_past()
        ended = self._commands.take(mark)
        if ended is not None:
            self._around.events.command(self.id, ended)
        for watch in self._watches:
            if not watch.output:  # the others are told that something was printed
                watch.wake()

    def resized(self) -> None:
        if self.terminal is not None and self.terminal.cols != self._cols:
            self._read_past()
            self._cols = self.terminal.cols
            self._commands.renumbered()

    def removed(self) -> None:
        """Whoever waits for something of it waits in vain."""
        self.present = False
        for future in self._captures.values():
            if not future.done():
                future.set_exception(UnknownSession(self.id))
        self._captures.clear()
        self.changed()

    def process_ended(self, end: End) -> None:
        """The process is gone."""
        if self.terminal is None:
            self._early = end
        elif self.end is None:
            self._finish(end)
            self.note()
            self._around.events.session("session-exited", self)

    def _finish(self, end: End) -> None:
        assert self.terminal is not None
        self.end = end
        self.record.rows, self.record.cols = self.terminal.rows, self.terminal.cols
        self.status = Status.EXITED
        self.gone.set()
        self.changed()
        self.terminal.finish(-1 if end.code is None else end.code, end.signal, end.reason)
        self._release()

    def output_ended(self) -> None:
        """The pump has seen the end of the PTY: everything that was printed is in the ring."""
        self.drained.set()
        if self.end is not None and self.terminal is not None and not self._past:
            ended = self._commands.session_ended(self.terminal.head, self.end.at_ns)
            if ended is not None:
                self._around.events.command(self.id, ended)
        self.changed()
        self._release()

    def hung_up(self) -> None:
        """No process has the PTY open any more; the keeper will say the rest, if it can."""
        self._hung_up = True
        self._watch_orphan()

    def _release(self) -> None:
        if self.kept and self.end is not None and self.drained.is_set() and not self._released:
            self._released = True
            self._around.keeper.release(self.id)

    def cannot_start(self, reason: str) -> None:
        """It never ran, and never will."""
        self.end = End(None, reason=reason)
        self.status = Status.EXITED
        self.gone.set()
        self.drained.set()
        self.changed()

    def _never_ran(self, reason: str) -> None:
        self.cannot_start(reason)
        self._around.keeper.forget(self.id)
        self.kept = False
        self._around.events.session("session-exited", self)

    async def settled(self) -> None:
        """Return when the last output is in the ring, or DRAIN_S later (a slow viewer paces that, too)."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self.drained.wait()

    def keeper_lost(self) -> None:
        """Whoever would have told the end of the process is gone."""
        if self.status is Status.RUNNING:
            self.orphan = True
            self._watch_orphan()

    def _watch_orphan(self) -> None:
        # A process may close its terminal and live on; while it has it open there is nothing to look for.
        if self.orphan and self._hung_up and self._watching is None:
            self._watching = asyncio.create_task(self._see_orphan_end())  # owned: close() cancels it

    async def _see_orphan_end(self) -> None:
        await orphans.gone(self.pid, self._started)
        self.process_ended(_unknown_end())

    def record_bytes(self) -> bytes:
        return _encode(self.record)

    def rename(self, name: str) -> None:
        self.record.name = name
        self._summary = b""
        self._around.listing.changed()
        self.note()

    def note(self) -> None:
        """Have the keeper remember the record as it is now."""
        if not self.foreign:
            self._around.keeper.note(self.id, self.record_bytes())

    async def close(self) -> None:
        """End what is under way, whatever the state; the terminal is the pump's, and the process is not touched."""
        self.removed()
        for task in (self._starting, self._watching):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


def _unknown_end() -> End:
    return End(None, reason="exit code unknown: the keeper of this session was lost")


def _retrieve(task: asyncio.Task[Terminal]) -> None:
    """Take the exception of a start that nobody waits for any more; the session's state tells it."""
    if not task.cancelled():
        task.exception()
