"""One session: its life (created -> starting -> running -> exited), and what its users do with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import Protocol

import msgspec

from vibetunnel._ext import vt
from vibetunnel._ext.pump import Pump, Terminal, is_typed
from vibetunnel.errors import InputQueueFull, SessionNotRunning, UnknownSession
from vibetunnel.git.messages import Summary
from vibetunnel.keeper import orphans
from vibetunnel.keeper.client import KeptSession, Spawned, SpawnOrder
from vibetunnel.keeper.errors import KeeperFailed, KeeperLost, NoSuchSession, SpawnFailed, StartUnknown
from vibetunnel.keeper.link import KeeperLink
from vibetunnel.keeper.ring import make_ring
from vibetunnel.sessions import view
from vibetunnel.sessions.captures import Captures, reaching_back
from vibetunnel.sessions.command_log import CommandLog
from vibetunnel.sessions.events import SessionEvents, update_event
from vibetunnel.sessions.keys import APPLICATION_KEYS, key_bytes
from vibetunnel.sessions.launch import integration
from vibetunnel.sessions.listing import Listing
from vibetunnel.sessions.model import End, Record, Status, iso
from vibetunnel.sessions.notices import Notices
from vibetunnel.sessions.watch import Watch, Watches

EMPTY_RING = 32768  # bytes; the smallest ring that the pump takes, for a session that never ran
MAX_TYPISTS = 100  # remembered for each session
START_S = 2.0  # how long a server that stops waits for a program that is being started
DRAIN_S = 2.0  # how long an answer waits for the last output of a process that has ended
COUNT_S = 5.0  # how long an answer waits for the first count of the processes that are left; 20 ms are usual

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode


class Services(Protocol):
    """The services that a session uses; the registry provides them."""

    pump: Pump
    keeper: KeeperLink
    events: SessionEvents
    ring_bytes: int
    runtime_dir: Path
    shell_integration: bool
    environment: dict[str, str]
    listing: Listing

    def opened(self, session: Session, terminal: Terminal) -> None:
        """Events of `terminal` belong to `session` from here on."""


class Session:
    """A PTY, its process, and its clients.

    A session is `exited` as soon as the keeper reports the end of its process. The last output may then still be on
    its way into the ring. `settled` waits for it, and the WebSocket's exit message follows it.

    terminal   None until the process runs, and for good when it cannot be started (until a client attaches to see why)
    foreign    another version wrote the record and may need it again, so it is never overwritten
    orphan     the keeper that knew its processes is gone: this server ends and counts them, but gets no exit code
    left       how many of its processes live on after its program has ended
    counted    set when `left` is known
    in_keeper  the keeper has an entry for it, or is to have one; False: it could not start
    exited     set when the process has ended
    drained    set when, after that, all of its output is in the ring
    removed    true as soon as the session is removed, or the server stops
    """

    def __init__(self, record: Record, services: Services, *, foreign: bool = False) -> None:
        self.record = record
        self.foreign = foreign
        self._status = Status.CREATED
        self.terminal: Terminal | None = None
        self.pid = 0
        self.end: End | None = None
        self.orphan = False
        self.left = 0
        self.counted = asyncio.Event()
        self.in_keeper = True
        self.exited = asyncio.Event()
        self.drained = asyncio.Event()
        self.removed = False
        self.captures = Captures()
        self.watches = Watches()
        self.commands = CommandLog()
        self.notices = Notices()
        self._services = services
        self._starting: asyncio.Task[Terminal] | None = None
        self._viewport: tuple[int, int] | None = None  # of the client that starts the process
        self._awaits_client = False
        self._early: End | None = None  # an exit that was reported before the spawn was
        self._started = ""  # orphans.start_time of the process
        self._released = False
        self._hung_up = False
        self._orphan_watch: asyncio.Task[None] | None = None
        self._created = iso(record.created_ns)
        self._summary = b""
        self._summarised: view.Shown | None = None  # what `_summary` is the JSON of
        self._repository: Summary | None = None
        self._typists: set[str] = set()
        self.noting = asyncio.Lock()  # held while the audit gets the line of a new typist

    @property
    def id(self) -> str:
        return self.record.id

    @property
    def status(self) -> Status:
        return self._status

    @status.setter
    def status(self, status: Status) -> None:
        self._status = status
        self._services.listing.changed()

    @property
    def folder(self) -> str:
        """Where its shell is, as far as it says so (OSC 7); else where its process starts."""
        return (self.terminal is not None and view.url_path(self.terminal.folder)) or self.record.order.folder

    @property
    def repository(self) -> Summary | None:
        """What is known of the git repository that `folder` is in."""
        return self._repository

    @repository.setter
    def repository(self, repository: Summary | None) -> None:
        known, self._repository = self._repository, repository
        if known is not None or repository is not None:
            self.note_event(update_event(self.id, repository))
        self._services.listing.changed()

    # What clients see

    def describe(self) -> view.SessionView:
        return view.describe(self.record, self._shown(), self._created)

    def _shown(self) -> view.Shown:
        record, terminal = self.record, self.terminal
        return view.Shown(
            record.name,
            self._status,
            record.rows,
            record.cols,
            record.started_ns,
            None if terminal is None else view.live(terminal),
            self.pid,
            self.orphan,
            self.end,
            self.left,
            self.notices.newest,
            tuple(self.notices.variables.items()),
            self._repository,
        )

    @property
    def static(self) -> bool:
        """Whether summary() stays the same until listing.changed() is called: the session has not started."""
        return self._status is Status.CREATED

    def summary(self) -> bytes:
        """describe() as JSON, made anew only if it has changed: clients list hundreds of sessions every second."""
        shown = self._shown()
        if shown != self._summarised:
            self._summary = _encode(view.describe(self.record, shown, self._created))
            self._summarised = shown
        return self._summary

    @property
    def marks_prompts(self) -> bool:
        """Whether the shell has marked a prompt, or will, since it starts with the server's script."""
        will = bool(self._integration) if self._status is Status.CREATED else self.record.integrated
        return self.commands.marked or will

    @property
    def _integration(self) -> dict[str, str]:
        order = self.record.order
        return integration(order.argv, login=order.login) if self._services.shell_integration else {}

    # Start

    async def started(self, rows: int = 0, cols: int = 0, *, awaits_client: bool = False) -> Terminal:
        """The terminal. Starts the process if it never ran, at the size that the first caller gives.

        awaits_client  the first output stays in the PTY until the client attaches that is about to
        Raises SpawnFailed when the process cannot be started, and StartUnknown when the keeper was lost while it did
        that; the session is then `exited`. Another KeeperFailed: try again.
        """
        if self.terminal is not None:
            return self.terminal
        if self.end is not None:
            if not self.record.started_ns:
                raise SpawnFailed(self.end.reason)
            return self._empty(self.end)  # its output was lost with its keeper
        if self._starting is None:
            if rows and cols:
                self._viewport = rows, cols
            self._awaits_client = awaits_client
            self.status = Status.STARTING
            self._starting = asyncio.create_task(self._start())  # owned: close() cancels it
            self._starting.add_done_callback(_retrieve)
        return await asyncio.shield(self._starting)  # one spawn, however many callers arrive at once

    async def _start(self) -> Terminal:
        record, order = self.record, self.record.order
        rows, cols = self._viewport or (order.rows, order.cols)
        started_ns = time.time_ns()
        script = self._integration
        record.integrated = bool(script)
        # The keeper gets it with the order: it stores that the start was tried, or does not try.
        meta = _encode(msgspec.structs.replace(record, started_ns=started_ns))
        try:
            spawned = await self._services.keeper.spawn(
                SpawnOrder(
                    session_id=record.id,
                    argv=order.argv,
                    cwd=order.folder,
                    base=self._services.environment,
                    env=order.env | script,
                    rows=rows,
                    cols=cols,
                    ring_bytes=self._services.ring_bytes,
                    meta=meta,
                    login=order.login,
                )
            )
        except SpawnFailed as error:
            self._never_ran(str(error))
            raise
        except StartUnknown as error:
            record.started_ns = started_ns
            if self.terminal is None:  # else the keeper was there again, and knew the process: see adopt()
                self._perhaps_ran(str(error))
                raise
        except BaseException:  # nothing has started: the next caller may try again
            self._starting = None
            self.status = Status.CREATED
            self.note()
            raise
        else:
            await self._open(spawned, rows, cols)
            record.started_ns = started_ns
            self.pid = spawned.pid
            self._started = orphans.start_time(spawned.pid)
            self.status = Status.RUNNING
        self._services.events.session("session-started", self)
        if self.record_bytes() != meta:  # it was renamed meanwhile
            self.note()
        if self._early is not None:
            self.process_ended(self._early)
        assert self.terminal is not None
        return self.terminal

    async def _open(self, spawned: Spawned, rows: int, cols: int) -> None:
        try:
            terminal = self._services.pump.open(
                spawned.pty_fd, spawned.ring_fd, rows=rows, cols=cols, awaits_client=self._awaits_client
            )
        except (OSError, ValueError) as error:
            with contextlib.suppress(KeeperFailed):
                if (keeper := self._services.keeper.live) is not None:
                    await keeper.kill(self.id, 0)
            self._never_ran(f"the terminal cannot be opened: {error}")
            raise SpawnFailed(f"the terminal cannot be opened: {error}") from error
        self._opened(terminal)

    def _opened(self, terminal: Terminal, *, adopted: bool = False) -> None:
        self.terminal = terminal
        self.commands.opened(terminal, adopted=adopted)
        self.watches.opened(terminal)
        if self._repository is not None:
            self.note_event(update_event(self.id, self._repository))
        self._services.opened(self, terminal)
        self.watches.changed()

    def adopt(self, terminal: Terminal, pid: int, end: End | None) -> None:
        """Take over the terminal and the process that the keeper has, and this server does not know yet."""
        self._opened(terminal, adopted=True)
        if not self.record.started_ns:  # a start without an answer, or an earlier version's
            self.record.started_ns = self.record.created_ns
        self.status = Status.RUNNING
        self.pid = pid
        self._started = orphans.start_time(pid)
        if end is not None:
            self._finish(end)

    async def attachable(self, *, may_type: bool, rows: int = 0, cols: int = 0) -> Terminal:
        """A terminal to attach to. If the session has ended or cannot start, the exit message says why.

        Raises SessionNotRunning for a session that has not started, if the client may not type.
        """
        if self.terminal is None and self.end is None and not may_type and self._starting is None:
            raise SessionNotRunning("it has not started, and only a client that may type can start it")
        try:
            # The client that starts the program sees its first byte, however fast it prints.
            return await self.started(rows, cols, awaits_client=True)
        except (SpawnFailed, StartUnknown) as error:
            return self.terminal or self._empty(self.end or End(None, reason=str(error)))

    def _empty(self, end: End) -> Terminal:
        """A terminal without a process or output."""
        order = self.record.order
        ring_fd = make_ring(EMPTY_RING, str(self._services.runtime_dir))
        terminal = self._services.pump.open(-1, ring_fd, rows=order.rows, cols=order.cols)
        self._opened(terminal)
        _finish(terminal, end)
        return terminal

    # Use

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns; before the start those that it was ordered with."""
        record = self.record
        if self.terminal is not None and not self.removed:
            return self.terminal.rows, self.terminal.cols
        return record.rows or record.order.rows, record.cols or record.order.cols

    @property
    def printed_ns(self) -> int:
        """When it has printed something last; 0: never."""
        return 0 if self.terminal is None or self.removed else self.terminal.last_output_ns

    async def running(self, rows: int = 0, cols: int = 0) -> None:
        """Start the process if it never ran, at this size. Raises SessionNotRunning, and what started() raises."""
        if self.end is None:
            await self.started(rows, cols)
        if self.end is not None:  # perhaps the process was short-lived
            raise SessionNotRunning(self.end.reason)

    # The caller of these three has awaited running(). They act at once, so that its checks hold.

    def write(self, data: bytes) -> None:
        """Type `data`. Raises InputQueueFull."""
        assert self.terminal is not None
        if is_typed(data):
            self.commands.typed()
        try:
            self.terminal.write(data)
        except BlockingIOError:
            raise InputQueueFull from None

    def resize(self, rows: int, cols: int) -> None:
        assert self.terminal is not None
        self.terminal.resize(rows, cols)

    def reset_size(self) -> None:
        """Give a size that REST has set back to a client that has a viewport. Without one it stays."""
        if self.terminal is not None:
            self.terminal.reset_size()

    def note_event(self, event: bytes) -> None:
        """Send a server-sent event, at most 16 KiB, to the streams of this session, now and when one comes.

        It replaces the last one. A session that has not started has no streams, and keeps none.
        """
        if self.terminal is not None:
            with contextlib.suppress(ValueError):  # the session was removed meanwhile
                self.terminal.note(event)

    async def signal(self, signum: int) -> None:
        """Signal the foreground process group."""
        keeper = self._services.keeper.live
        if self.orphan or keeper is None:
            orphans.send(self.pid, self._started, signum)
            return
        try:
            await keeper.signal(self.id, signum, group="foreground")
        except KeeperLost as lost:
            if not lost.undone:  # the program may have got it, and would get it twice
                raise
            orphans.send(self.pid, self._started, signum)

    async def key(self, name: str) -> bytes:
        """What a key writes to the program, which may have asked for other cursor keys. Raises InvalidField."""
        asks = name in APPLICATION_KEYS and vt.Mode.APPLICATION_CURSOR in (await self.capture()).modes
        return key_bytes(name, application=asks)

    async def takes_brackets(self) -> bool:
        """Whether the program has asked for brackets around pastes (mode 2004). Raises UnknownSession."""
        return vt.Mode.BRACKETED_PASTE in (await self.capture()).modes

    def has_noted(self, principal_id: str) -> bool:
        """Whether the audit knows that this principal types by REST. After MAX_TYPISTS others, it may be forgotten."""
        return principal_id in self._typists

    def note_typist(self, principal_id: str) -> None:
        if len(self._typists) >= MAX_TYPISTS:
            self._typists.clear()
        self._typists.add(principal_id)

    async def output(self, since: int) -> tuple[int, int, bytes]:
        """The output from offset `since` that is kept: (first offset, next offset, bytes). Starts the process."""
        terminal = await self.started()
        if self.end is not None:
            await self.settled()
        try:
            return terminal.read(since)
        except ValueError:  # the session was removed meanwhile
            raise UnknownSession(self.id) from None

    async def capture(self, scrollback_lines: int = 0) -> vt.Engine:
        """A copy of the terminal as it is now, with the newest lines of its scrollback.

        Does not start the process: a session that has not started has an empty screen. Raises UnknownSession when the
        session is removed meanwhile.
        """
        if self.removed:
            raise UnknownSession(self.id)
        if self.terminal is None:
            order = self.record.order
            return vt.Engine(order.rows, max(2, order.cols))
        if self.end is not None:
            await self.settled()
        try:
            return await self.captures.take(self.terminal, scrollback_lines)
        except ValueError:  # the session was removed meanwhile
            raise UnknownSession(self.id) from None

    async def capture_from(self, line: int, guess: int = 0) -> vt.Engine:
        """A capture that begins at this line, or at the oldest line that is kept (captures.reaching_back)."""
        return await reaching_back(self.capture, line, guess)

    def watch(self, *, output: bool = True) -> contextlib.AbstractContextManager[Watch]:
        """Be woken by changes. output: by output too."""
        return self.watches.watch(output=output)

    def rename(self, name: str) -> None:
        self.record.name = name
        self._services.listing.changed()
        self.note()

    def record_bytes(self) -> bytes:
        return _encode(self.record)

    def note(self) -> None:
        """Have the keeper store the record as it is now."""
        if self._status is Status.STARTING:
            return  # the record is part of the order, and a change follows it
        if self.in_keeper and not self.foreign:
            started = self._status in (Status.RUNNING, Status.EXITED)
            self._services.keeper.note(self.id, self.record_bytes(), started=started)

    # End

    async def kill(self, grace_s: float) -> None:
        """End the process and all others of its session; returns when none is left. Does nothing without a process.

        Raises KeeperFailed with the processes that cannot be ended.
        """
        if self._starting is not None and not self._starting.done():
            with contextlib.suppress(SpawnFailed, KeeperFailed):
                await asyncio.shield(self._starting)
        if not self.pid or self._vanished:
            return
        keeper = self._services.keeper.live
        if keeper is not None and not self.orphan:
            try:
                await keeper.kill(self.id, grace_s)
                await self.exited.wait()
                return
            except (KeeperLost, NoSuchSession):
                pass  # the keeper that knew the processes is gone
        await self._end_orphan(grace_s)

    async def _end_orphan(self, grace_s: float) -> None:
        if self._vanished:
            return
        try:
            await orphans.end(self.pid, self._started, grace_s)
        except KeeperFailed:
            if not orphans.alive(self.pid, self._started):
                self.process_ended(_unknown_end())
            raise
        self.processes_left(0)
        self.process_ended(_unknown_end())

    @property
    def _vanished(self) -> bool:
        """Whether all processes of the session have ended. Another session may then have got its number."""
        return self.end is not None and self.counted.is_set() and not self.left

    async def count_left(self) -> int:
        """How many processes are left, as soon as that is known after the end. Raises KeeperFailed if it is not."""
        if self.pid and not self.counted.is_set():
            try:
                async with asyncio.timeout(COUNT_S):
                    await self.counted.wait()
            except TimeoutError:
                raise KeeperFailed("it is not known yet whether processes of the session are left: try again") from None
        return self.left

    def processes_left(self, count: int) -> None:
        changed = count != self.left
        self.left = count
        self.counted.set()
        if changed:
            self._services.events.updated(self)

    def process_ended(self, end: End) -> None:
        if self.terminal is None:
            self._early = end
        elif self.end is None:
            self._finish(end)
            self.note()
            self._services.events.session("session-exited", self)
            self._watch_orphan()

    def _finish(self, end: End) -> None:
        assert self.terminal is not None
        self.end = self.record.ended = end
        self.record.rows, self.record.cols = self.terminal.rows, self.terminal.cols
        self.status = Status.EXITED
        self.exited.set()
        self.commands.process_ended(end)
        self.watches.changed()
        _finish(self.terminal, end)
        self._release()

    def over(self, end: End) -> None:
        """It has no process, and never will: it cannot start, or its process was lost with its keeper."""
        self.end = self.record.ended = end
        self.status = Status.EXITED
        self.exited.set()
        self.drained.set()
        self.watches.changed()

    def _perhaps_ran(self, reason: str) -> None:
        self.over(End(None, reason=reason))
        self.note()
        self._services.events.session("session-exited", self)

    def _never_ran(self, reason: str) -> None:
        log.info("session %s could not start: %s", self.id, reason)
        self.over(End(None, reason=reason))
        self._services.keeper.forget(self.id)
        self.in_keeper = False
        self._services.events.session("session-exited", self)

    async def settled(self) -> None:
        """Return when the last output is in the ring, at the latest after DRAIN_S: a slow client delays it, too."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self.drained.wait()

    def _release(self) -> None:
        if self.in_keeper and self.end is not None and self.drained.is_set() and not self._released:
            self._released = True
            self._services.keeper.release(self.id)

    def mark_removed(self) -> None:
        """Fail the captures and wake the watches: they wait for something that will not come."""
        self.removed = True
        self.captures.fail(UnknownSession(self.id))
        self.watches.changed()

    async def close(self) -> None:
        """End its tasks, in any state. The terminal belongs to the pump, and the process goes on."""
        if self._starting is not None:
            await asyncio.wait({self._starting}, timeout=START_S)  # a start that is given up would be undone
        self.mark_removed()
        for task in (self._starting, self._orphan_watch):
            if task is not None and not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    # What the pump and the keeper report

    def marked(self, mark: vt.Mark) -> None:
        """The shell has printed a prompt mark."""
        ended = self.commands.take(mark)
        if ended is not None:
            self._services.events.command(self.id, ended)
        self.watches.noticed()

    def output_ended(self) -> None:
        """The pump has seen the end of the PTY: all output is in the ring."""
        self.drained.set()
        ended = self.commands.output_ended()
        if ended is not None:
            self._services.events.command(self.id, ended)
        self.watches.changed()
        self._release()

    def hung_up(self) -> None:
        """No process has the PTY open any longer. The keeper will report the end, if it still runs."""
        self._hung_up = True
        self._watch_orphan()

    def keeper_lost(self) -> None:
        """The keeper will not report the end of the process, and not what is left of the session."""
        if self.pid and not self._vanished:
            self.orphan = True
            self._started = self._started or orphans.start_time(self.pid)  # no descriptor was left for it at the start
            self._watch_orphan()

    def keeper_found(self, kept: KeptSession) -> None:
        """The keeper that knew the session was only disconnected, and has it still, as `kept` says."""
        keeper = self._services.keeper
        if not self.in_keeper:
            keeper.forget(self.id)
        elif kept.pid is not None:
            self.orphan = False
            if self._orphan_watch is not None:  # it would report an end without its exit code
                self._orphan_watch.cancel()
                self._orphan_watch = None
            if kept.left is not None:
                self.processes_left(kept.left)
            if self._released:
                keeper.release(self.id)

    def _watch_orphan(self) -> None:
        # While a process has the terminal open, it runs. Afterwards it may have closed its terminal and run on.
        told = self._hung_up or self.end is not None
        if self.orphan and told and not self._vanished and self._orphan_watch is None:
            self._orphan_watch = asyncio.create_task(self._await_orphan_end())  # owned: close() cancels it

    async def _await_orphan_end(self) -> None:
        await orphans.gone(self.pid, self._started)
        self.process_ended(_unknown_end())
        async for count in orphans.counts(self.pid, self._started):
            self.processes_left(count)


def _finish(terminal: Terminal, end: End) -> None:
    terminal.finish(-1 if end.code is None else end.code, end.signal, end.reason)


def _unknown_end() -> End:
    return End(None, reason="exit code unknown: the keeper of this session was lost")


def _retrieve(task: asyncio.Task[Terminal]) -> None:
    """Take the exception of a start that no caller awaits any longer; the session's state reports it."""
    if not task.cancelled():
        task.exception()
