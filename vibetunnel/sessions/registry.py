"""All sessions of this server: creating, finding, adopting and removing them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import termios
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from vibetunnel import __version__
from vibetunnel._ext import vt
from vibetunnel._ext.pump import Client, Event, Pump, Terminal
from vibetunnel.errors import (
    InvalidField,
    LimitReached,
    ProcessesLeft,
    SessionLimitReached,
    SessionStillRunning,
    UnknownSession,
)  # fmt: skip
from vibetunnel.git.messages import Summary
from vibetunnel.keeper.client import Exited, KeptSession
from vibetunnel.keeper.errors import KeeperFailed, SpawnFailed
from vibetunnel.keeper.link import KeeperLink
from vibetunnel.keeper.protocol import GRACE_LIMIT_S, META_LIMIT, SESSIONS_LIMIT
from vibetunnel.sessions.events import SessionEvents
from vibetunnel.sessions.launch import unique_name
from vibetunnel.sessions.listing import Listing
from vibetunnel.sessions.model import FORMAT, End, Order, Record, Status
from vibetunnel.sessions.session import Session
from vibetunnel.sessions.view import live, notification_view, progress_view

RECORD_LIMIT = META_LIMIT - 4096  # bytes of a new session's record; the rest is for its next name, and its end
ADOPT_AGAIN_S = 10.0  # until a session that could not be taken over is tried again
LOST = "exit code unknown: the keeper of this session was lost, and then its server"

log = logging.getLogger(__name__)


class Registry:
    """The sessions, oldest first. Owns the pump's event queue and the connection to the keeper.

    max_sessions       how many may be open (not ended) at a time; 0: no limit
    kill_grace_s       between asking a process to end and killing it
    shell_integration  new login shells mark their prompts and commands
    environment        what every program begins with
    on_gone            called with every client that has left
    on_typed           called with every client that types for the first time
    on_removed         called with the id of every session that is removed
    on_placed          called with every session that there is, and again when its shell goes to another folder
    on_marked          called with the id of a session whose shell has marked a prompt or a command
    """

    def __init__(
        self,
        pump: Pump,
        runtime_dir: Path,
        *,
        ring_bytes: int,
        max_sessions: int = 0,
        kill_grace_s: float = 3.0,
        shell_integration: bool = False,
        environment: dict[str, str],
        on_gone: Callable[[Client], None],
        on_typed: Callable[[Client], None] = lambda _client: None,
        on_removed: Callable[[str], None] = lambda _session_id: None,
        on_placed: Callable[[Session], None] = lambda _session: None,
        on_marked: Callable[[str], None] = lambda _session_id: None,
    ) -> None:
        self.pump = pump
        self.runtime_dir = runtime_dir
        self.ring_bytes = ring_bytes
        self.shell_integration = shell_integration
        self.environment = environment
        self.events = SessionEvents()
        self.keeper = KeeperLink(
            runtime_dir,
            on_exit=self._process_ended,
            on_left=self._processes_left,
            on_lost=self._keeper_lost,
            held=lambda: [session.id for session in self._sessions.values() if session.terminal is not None],
            on_found=self._keeper_found,
        )
        self._on_gone = on_gone
        self._on_typed = on_typed
        self._on_removed = on_removed
        self._on_placed = on_placed
        self._on_marked = on_marked
        self._max_sessions = max_sessions
        self._kill_grace_s = min(kill_grace_s, GRACE_LIMIT_S)
        self._sessions: dict[str, Session] = {}
        self.listing = Listing(self._sessions)
        self._by_terminal: dict[Terminal, Session] = {}
        # Removed sessions, the newest of them: the keeper has at most so many, and may not have heard of them yet.
        self._removed: deque[str] = deque(maxlen=SESSIONS_LIMIT)
        self._unadopted: set[str] = set()  # sessions that the keeper has, and this server could not take over
        self._adopting: asyncio.Task[None] | None = None  # of these
        self._closing = False

    async def open(self) -> None:
        """Connect to the keeper, adopt its sessions, and listen to the pump. Raises KeeperFailed."""
        for kept in await self.keeper.connect():
            self._adopt(kept)
        adopted = sorted(self._sessions.items(), key=lambda item: item[1].record.created_ns)
        self._sessions.clear()
        self._sessions.update(adopted)
        for session in self:
            self._on_placed(session)
        asyncio.get_running_loop().add_reader(self.pump.fileno(), self._take_events)

    async def close(self, *, kill: bool = False) -> None:
        """Stop the pump (clients get 1001). The processes go on, unless `kill`."""
        if kill:  # the keeper ends its own, and these end with this server, unless they ignore the hang-up
            kills = (each.kill(self._kill_grace_s) for each in self._sessions.values() if each.orphan)
            for failure in await asyncio.gather(*kills, return_exceptions=True):
                if isinstance(failure, KeeperFailed):
                    log.warning("a session may still run: %s", failure)
                elif failure is not None:
                    raise failure
        self._closing = True
        if self._adopting is not None:
            self._adopting.cancel()
            await asyncio.gather(self._adopting, return_exceptions=True)
        self.events.close()
        asyncio.get_running_loop().remove_reader(self.pump.fileno())
        await asyncio.gather(*(session.close() for session in self._sessions.values()))
        # In a thread: the close frames of TLS clients pass through this event loop.
        await asyncio.to_thread(self.pump.close, code=1001, reason="the server stops")
        await self.keeper.close(kill=kill, grace_s=self._kill_grace_s)

    async def ready(self) -> None:
        """Wait for the next keeper if this one is lost: sessions need it to start. Raises KeeperFailed."""
        await self.keeper.ready()

    async def heard(self) -> None:
        """Wait, for a while, for the next keeper if this one is lost: it hears of all changes, so that they stay."""
        with contextlib.suppress(KeeperFailed):
            await self.keeper.ready()

    # Finding

    @property
    def unreachable(self) -> int:
        """How many sessions the keeper has that this server could not take over so far."""
        return len(self._unadopted)

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        """Newest first."""
        return reversed(self._sessions.values())

    def get(self, session_id: str) -> Session:
        try:
            return self._sessions[session_id]
        except KeyError:
            raise UnknownSession(session_id) from None

    # Creating

    def living(self, owner: str) -> int:
        """How many sessions of this user are open (have not ended)."""
        return sum(session.end is None and session.record.owner == owner for session in self._sessions.values())

    def send_presence(self, session_id: str, message: bytes) -> None:
        """Send a presence message to the clients of a session, if it still exists (Terminal.present)."""
        session = self._sessions.get(session_id)
        if session is not None and session.terminal is not None:
            with contextlib.suppress(ValueError):  # the terminal was closed meanwhile
                session.terminal.present(message)

    def create(self, order: Order, owner: str = "") -> Session:
        """A new session, without a process. owner: name of the account."""
        if self._max_sessions:
            living = sum(session.end is None for session in self._sessions.values())
            if living >= self._max_sessions:
                raise SessionLimitReached(self._max_sessions)
        # One more would be created, but could not be started, and would be gone after a restart.
        if len(self._sessions) + len(self._unadopted) >= SESSIONS_LIMIT:
            raise LimitReached("sessions, including those that have ended,", SESSIONS_LIMIT)
        record = Record(
            id=str(uuid.uuid4()),
            order=order,
            name=order.name,
            version=__version__,
            created_ns=time.time_ns(),
            owner=owner,
        )
        session = Session(record, self)
        meta = session.record_bytes()
        if len(meta) > RECORD_LIMIT:
            raise InvalidField("command, env", f"at most {RECORD_LIMIT} bytes in all", str(len(meta)))
        self._sessions[session.id] = session
        self.listing.changed()
        session.note()
        self.events.session("session-created", session)
        self._on_placed(session)
        return session

    async def start(self, session: Session) -> None:
        """Start a new session. Raises InvalidField if it cannot start, KeeperFailed; the session is then removed."""
        try:
            await session.started()
        except SpawnFailed as error:
            self._forget(session)
            raise InvalidField("command", f"a program that can be started ({error})") from error
        except BaseException:
            if session.terminal is None and session.status is not Status.STARTING:
                self._forget(session)
            raise

    def rename(self, session_id: str, name: str) -> str:
        """Returns the new name: ` (2)` is added if another session has it already."""
        session = self.get(session_id)
        taken = {other.record.name for other in self._sessions.values() if other is not session}
        session.rename(unique_name(name, taken))
        self.events.session("session-renamed", session)
        return session.record.name

    def git_changed(self, session_id: str, repository: Summary | None) -> None:
        """The repository that the session's folder is in has changed, or it is in another one, or in none."""
        session = self._sessions.get(session_id)
        if session is not None:
            session.repository = repository
            session.watches.noticed()
            self.events.updated(session)
            self.events.git(session_id, repository)

    # Ending

    def name_of(self, session_id: str) -> str | None:
        """The name of a session; None: it was removed."""
        session = self._sessions.get(session_id)
        return None if session is None else session.record.name

    async def kill(self, session_id: str) -> bool:
        """End the process; returns when it has ended. False: the session had no process, and is removed.

        Processes that a session has left behind are ended, too. Raises KeeperFailed with those that cannot be.
        """
        session = self.get(session_id)
        had_ended = session.end is not None
        await session.kill(self._kill_grace_s)
        if had_ended or session.status is Status.CREATED:
            self._forget(session)
            return False
        return True

    async def remove(self, session_id: str) -> None:
        """Remove a session that has no process, and its output.

        Raises SessionStillRunning, ProcessesLeft, and KeeperFailed if it is not known whether processes are left.
        """
        session = self.get(session_id)
        if session.status in (Status.STARTING, Status.RUNNING):
            raise SessionStillRunning
        if left := await session.count_left():  # what runs must be in the list
            raise ProcessesLeft(left)
        self._forget(session)

    async def remove_exited(self) -> int:
        """Returns how many sessions were removed: those without a process."""
        exited = [session for session in self if session.end is not None]
        counts = await asyncio.gather(*(session.count_left() for session in exited), return_exceptions=True)
        over = [session for session, left in zip(exited, counts, strict=True) if left == 0 and not session.removed]
        for session in over:
            self._forget(session)
        return len(over)

    def _forget(self, session: Session) -> None:
        if self._sessions.pop(session.id, None) is None:
            return
        self.listing.changed()
        if session.terminal is not None:
            self._by_terminal.pop(session.terminal, None)
            session.terminal.close()
        session.mark_removed()
        self._removed.append(session.id)
        if session.in_keeper:
            self.keeper.forget(session.id)
        self.events.removed(session.id)
        self._on_removed(session.id)

    # What the pump and the keeper report

    def opened(self, session: Session, terminal: Terminal) -> None:
        self._by_terminal[terminal] = session

    def _take_events(self) -> None:
        for event in self.pump.take_events():
            if event.kind == "gone" and event.client is not None:
                self._on_gone(event.client)
            elif event.kind == "typed" and event.client is not None:
                self._on_typed(event.client)
            session = self._by_terminal.get(event.terminal)
            if session is not None:  # else it was removed while the event was on its way
                self._dispatch(session, event)

    def _dispatch(self, session: Session, event: Event) -> None:
        match event.kind:
            case "hangup":
                session.hung_up()
            case "ended":
                session.output_ended()
            case "title":
                self.events.title(session.id, event.text)
            case "bell":
                self.events.bell(session.id, event.number)
            case "captured":
                assert event.data is None or isinstance(event.data, vt.Engine)
                session.captures.arrived(event.number, event.data)
            case "changed":
                session.watches.printed()
            case "mark":
                assert isinstance(event.data, vt.Mark)
                session.marked(event.data)
                self._on_marked(session.id)
            case "clipboard":
                assert isinstance(event.data, vt.Clipboard)
                self.events.clipboard(session.id, event.data.selection, event.data.data)
            case "notification":
                assert isinstance(event.data, vt.Notification)
                if session.notices.notified(event.data):
                    self.events.notification(session.id, notification_view(session.notices.newest))
            case "variable":
                assert isinstance(event.data, vt.Variable)
                session.notices.set(event.data)
                self.events.variables(session.id, session.notices.variables)
            case "progress":
                if session.end is None:
                    self.events.progress(session.id, progress_view(live(event.terminal).progress))
            case "resized":
                session.commands.resized()
                session.watches.changed()
                self.events.updated(session)
            case "folder":
                self.events.updated(session)
                self._on_placed(session)
            case "came" | "gone" | "pointer":
                self.events.updated(session)

    def _process_ended(self, exited: Exited) -> None:
        session = self._sessions.get(exited.session_id)
        if session is not None and not self._closing:  # a closing server has told its clients to reconnect
            if not exited.counts:
                session.counted.set()
            session.process_ended(_end(exited))

    def _processes_left(self, session_id: str, count: int) -> None:
        session = self._sessions.get(session_id)
        if session is not None and not self._closing:
            session.processes_left(count)

    def _keeper_lost(self) -> None:
        for session in tuple(self._sessions.values()):
            session.keeper_lost()

    async def _keeper_found(self, kept: list[KeptSession]) -> None:
        """Compare with the keeper's sessions: a new keeper knows none, and the old one those of before."""
        removed = set(self._removed)
        for each in kept:
            session = self._sessions.get(each.session_id)
            if session is not None and (each.pid is None or session.terminal is not None or session.end is not None):
                _close(each)  # this server has its own
                session.keeper_found(each)
                if each.exited is not None:
                    session.process_ended(_end(each.exited))
                elif each.pid is not None and session.end is not None:  # by a start that had no answer, for example
                    self.keeper.end(each.session_id, forget=False)
            elif each.session_id in removed:
                _close(each)
                self.keeper.end(each.session_id, forget=True)
            else:
                self._adopt(each)
        for session in tuple(self._sessions.values()):
            if not session.removed:
                session.note()
                await self.keeper.drained()

    def _adopt(self, kept: KeptSession) -> None:
        session = known = self._sessions.get(kept.session_id)
        problem = ""
        if session is None:
            record, problem = _record(kept)
            session = Session(record, self, foreign=bool(problem))
        if kept.pid is None:
            if problem:
                session.over(End(None, reason=problem))
            elif session.record.started_ns:
                session.over(session.record.ended or End(None, reason=LOST))
        elif kept.ring_fd < 0:
            _close(kept)
            self._not_adopted(kept, known, "no descriptor is left for it")
            return
        else:
            rows, cols = _size(kept.pty_fd, session.record)
            try:
                terminal = self.pump.open(kept.pty_fd, kept.ring_fd, rows=rows, cols=cols)
            except (OSError, ValueError) as error:
                self._not_adopted(kept, known, str(error))
                return
            session.adopt(terminal, kept.pid, _end(kept.exited) if kept.exited is not None else None)
        if kept.left is not None:
            session.left = kept.left
            session.counted.set()
        self._unadopted.discard(kept.session_id)
        self._sessions[session.id] = session
        self.listing.changed()

    def _not_adopted(self, kept: KeptSession, known: Session | None, reason: str) -> None:
        if known is not None:  # it is starting, and will say that its program may have started: so end that
            log.error("session %s cannot be taken over from the keeper, and is ended: %s", kept.session_id, reason)
            self.keeper.end(kept.session_id, forget=False)
            return
        if kept.session_id not in self._unadopted:
            log.error(
                "session %s of an earlier server cannot be adopted: %s. The keeper keeps it, and this server tries "
                "again; raise its limit of open files (ulimit -n, LimitNOFILE=)",
                kept.session_id,
                reason,
            )
        self._unadopted.add(kept.session_id)
        if self._adopting is None or self._adopting.done():
            self._adopting = asyncio.create_task(self._adopt_again())  # owned: close() cancels it

    async def _adopt_again(self) -> None:
        while self._unadopted:
            await asyncio.sleep(ADOPT_AGAIN_S)
            keeper = self.keeper.live
            if keeper is None:
                continue
            try:
                found = await keeper.adopt(list(self._sessions))
            except KeeperFailed:  # lost, or an adoption is under way
                continue
            self._unadopted &= {each.session_id for each in found}
            for each in found:
                if each.session_id in self._unadopted:
                    self._adopt(each)
                    if each.session_id in self._sessions:
                        self.events.session("session-created", self._sessions[each.session_id])
                else:
                    _close(each)


def _close(kept: KeptSession) -> None:
    for descriptor in (kept.pty_fd, kept.ring_fd):
        if descriptor >= 0:
            os.close(descriptor)


def _end(exited: Exited) -> End:
    return End(exited.code, exited.signal or 0, exited.reason or "")


def _record(kept: KeptSession) -> tuple[Record, str]:
    """The earlier server's record, as far as this server can read it, and a description of its fault."""
    problem = ""
    try:
        record = msgspec.json.decode(kept.meta, type=Record)
        if record.format > FORMAT:
            problem = f"a newer version wrote its record: format {record.format}, this version reads up to {FORMAT}"
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        problem = f"its record cannot be read: {error}"
        order = Order(name=kept.session_id, argv=["?"], login=False, folder="/", env={}, rows=24, cols=80)
        record = Record(id=kept.session_id, order=order, name=order.name, version="", created_ns=time.time_ns())
    if problem:
        log.warning("session %s: %s", kept.session_id, problem)
    record.id = kept.session_id
    return record, problem


def _size(pty_fd: int, record: Record) -> tuple[int, int]:
    if pty_fd >= 0:
        rows, cols = termios.tcgetwinsize(pty_fd)
        if rows and cols:
            return rows, cols
    return record.rows or record.order.rows, record.cols or record.order.cols
