"""The keeper's loop: it answers one server, and looks after the sessions when there is none."""

from __future__ import annotations

import os
import select
import selectors
import signal
import socket
import time
from collections import deque

from vibetunnel.keeper.channel import Channel
from vibetunnel.keeper.environment import session_environment
from vibetunnel.keeper.killing import LAST_LOOK_S, Killing
from vibetunnel.keeper.processes import living
from vibetunnel.keeper.protocol import (
    GRACE_LIMIT_S,
    GRACE_S,
    META_LIMIT,
    NOTHING_LEFT,
    VERSION,
    Message,
    ProtocolError,
)
from vibetunnel.keeper.ring import RING_LIMIT, make_ring
from vibetunnel.keeper.runtime_dir import CannotRun
from vibetunnel.keeper.session import KeeperSession
from vibetunnel.keeper.spawn import LACKING, CannotStart, NothingLeft, check_folder, find_program, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from vibetunnel.keeper.log import Log
    from vibetunnel.keeper.runtime_dir import RuntimeDir

AFTER_BUG_S = 0.1  # what failed on time would fail again at once
FIRST_SERVER_S = 10.0  # for whoever started the keeper to come, however short its idle time
HELLO_S = 5.0  # for a new connection to say who it is
FAREWELL_S = 1.0  # for a refused peer to read why
ACCEPT_AGAIN_S = 1.0  # after an accept that failed
STRANGERS_LIMIT = 8  # connections that have not said hello
SESSIONS_LIMIT = 10_000  # of all kinds; Linux has 4096 ptys unless told otherwise
OUTBOX_HIGH = 256 * 1024  # bytes of unsent answers; from there no request is read
ADOPT_AHEAD = 16 * 1024  # bytes queued of an adoption; each queued session holds two more descriptors
LOOK_S = 30.0  # between two looks whether the socket is still there for the next server


class RequestRefused(Exception):
    """A request that cannot be granted; the text is the reason."""


class Peer:
    """One peer, and how far it has come.

    deadline  when it is dropped: it must have said hello, or have read its refusal; None for the server
    """

    __slots__ = ("adopt_request", "adopting", "channel", "deadline", "refused", "watched")

    def __init__(self, channel: Channel, deadline: float) -> None:
        self.channel = channel
        self.deadline: float | None = deadline
        self.refused = False
        self.watched = 0  # events asked of the selector
        self.adopting: deque[str] = deque()  # sessions that it has still to be told of
        self.adopt_request = 0


class Keeper:
    """Owns the sessions. Everything runs in `run`, in one thread, and nothing in it waits for anything else.

    place       its folder, with the socket in it
    idle_s      seconds without a server and without anything to keep, after which it ends
    open_files  limits that the sessions' programs shall have; the keeper's own may be higher
    """

    def __init__(self, place: RuntimeDir, *, log: Log, idle_s: float, open_files: tuple[int, int]) -> None:
        self._place = place
        self._log = log
        self._idle_s = idle_s
        self._open_files = open_files
        self._environ = dict(os.environ)  # itself decodes each variable anew whenever it is asked for it
        self._selector = selectors.DefaultSelector()
        self._sessions: dict[str, KeeperSession] = {}  # in the order of their start
        self._killings: dict[KeeperSession, Killing] = {}  # under way
        self._connections: set[Peer] = set()
        self._server: Peer | None = None
        self._idle_until: float | None = None
        self._holder = 0  # the server's process id
        self._stopping: int | None = None  # the request that waits for the last session's end; 0: its server has left
        self._ended = False
        self._signals = -1
        self._accept_again_at: float | None = None
        self._look_at = time.monotonic() + LOOK_S
        self._requests: dict[str, Callable[[Message], dict[str, Any] | None]] = {
            "adopt": self._adopt,
            "spawn": self._spawn,
            "note": self._note,
            "signal": self._signal,
            "kill": self._kill,
            "release": self._release,
            "forget": self._forget,
            "stop": self._stop,
        }

    def run(self) -> None:
        """Serve until there is nothing left to keep."""
        self._catch_signals()
        self._listen()
        self._log.write(f"keeper {os.getpid()} listens, protocol version {VERSION}")
        while True:
            try:
                self._on_time(time.monotonic())
            except Exception as error:  # the edge, as below
                self._log_bug(error)
                time.sleep(AFTER_BUG_S)
            if self._ended:
                break
            for key, _ in self._selector.select(self._pause()):
                try:
                    if isinstance(key.data, Peer):
                        self._serve(key.data)
                    else:
                        key.data()
                except Exception as error:  # the edge: shells hang on this process, so that no bug may end it
                    self._log_bug(error)
                    if isinstance(key.data, Peer):
                        self._drop(key.data)
        self._place.listener.close()
        for connection in list(self._connections):
            self._drop(connection)
        for session in self._sessions.values():
            session.close()
        self._log.write(f"keeper {os.getpid()} ends")

    # Signals and time

    def _catch_signals(self) -> None:
        for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)
        for caught in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(caught, lambda *_: None)  # the number arrives in the pipe
        self._signals, wakeup = os.pipe()
        os.set_blocking(self._signals, False)
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        self._selector.register(self._signals, selectors.EVENT_READ, self._on_signals)

    def _on_signals(self) -> None:
        arrived = os.read(self._signals, 4096)
        if signal.SIGCHLD in arrived:
            now = time.monotonic()
            for session in self._living():
                if session in self._killings:
                    self._killings[session].next_at = now
                elif session.reap():
                    self._report(session)
        if signal.SIGTERM in arrived:
            if self._living():
                self._log.write("SIGTERM: goes on, since sessions live; `stop` with their killing ends it")
            else:
                self._log.write("SIGTERM: ends")
                self._ended = True

    def _pause(self) -> float:
        times = [killing.next_at for killing in self._killings.values()]
        times += [connection.deadline for connection in self._connections if connection.deadline is not None]
        times.append(self._look_at)
        if self._accept_again_at is not None:
            times.append(self._accept_again_at)
        if self._idle_until is not None:
            times.append(self._idle_until)
        return max(0.0, min(times) - time.monotonic())

    def _on_time(self, now: float) -> None:
        self._go_on_killing(now)
        if self._accept_again_at is not None and now >= self._accept_again_at:
            self._accept_again_at = None
            self._listen()
        for connection in list(self._connections):
            if connection.deadline is not None and now >= connection.deadline:
                self._drop(connection)
        if self._server or any(session.lives or not session.pid for session in self._sessions.values()):
            self._idle_until = None
        elif self._idle_until is None:
            self._idle_until = now + (self._idle_s if self._holder else max(self._idle_s, FIRST_SERVER_S))
        elif now >= self._idle_until:
            self._log.write("nothing to keep and no server")
            self._ended = True
        if now >= self._look_at:
            self._look_at = now + LOOK_S
            if self._idle_until is None and not self._place.whole():
                self._mend_place()

    def _mend_place(self) -> None:
        """Be found again by servers, after someone has removed the folder or the socket in it."""
        if self._accept_again_at is None:
            self._selector.unregister(self._place.listener)
        try:
            self._place.mend()
            self._log.reopen()
            self._log.write(f"keeper {os.getpid()} listens again: its socket had been removed")
        except (CannotRun, OSError):
            pass  # another keeper has the folder by now, or it cannot be made; a later look may find it otherwise
        if self._accept_again_at is None:
            self._listen()

    def _log_bug(self, error: Exception) -> None:
        import traceback  # only here: not needed in a life without bugs

        # The places without the error's text, which may quote what a session was given.
        places = ", ".join(f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__))
        self._log.write(f"bug: {type(error).__name__} at {places}")

    # Connections

    def _listen(self) -> None:
        self._place.listener.setblocking(False)
        self._selector.register(self._place.listener, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        try:
            sock, _ = self._place.listener.accept()
        except OSError as error:
            # No descriptor left, most likely. The peer stays in the queue, so asking again at once would never rest.
            self._log.write(f"a connection could not be accepted: {error.strerror}")
            self._selector.unregister(self._place.listener)
            self._accept_again_at = time.monotonic() + ACCEPT_AGAIN_S
            return
        channel = Channel(sock)
        strangers = sum(connection is not self._server for connection in self._connections)
        if channel.peer_uid() != os.geteuid() or strangers >= STRANGERS_LIMIT:
            self._log.write("turned a connection away: another user's, or one too many")
            channel.close()
            return
        connection = Peer(channel, time.monotonic() + HELLO_S)
        self._connections.add(connection)
        self._watch(connection)

    def _watch(self, connection: Peer) -> None:
        events = selectors.EVENT_READ if connection.channel.pending < OUTBOX_HIGH else 0
        if connection.channel.pending:
            events |= selectors.EVENT_WRITE
        if events == connection.watched:
            return
        if not connection.watched:
            self._selector.register(connection.channel, events, connection)
        else:
            self._selector.modify(connection.channel, events, connection)
        connection.watched = events

    def _serve(self, connection: Peer) -> None:
        """Send what waits, read what came, answer it."""
        try:
            connection.channel.flush()
            alive = True
            if connection.channel.pending < OUTBOX_HIGH:
                alive = self._discard(connection) if connection.refused else self._read(connection)
            self._tell_kept(connection)
        except OSError:
            alive = False
        if alive and connection in self._connections:
            self._watch(connection)
        else:
            self._drop(connection)

    def _discard(self, connection: Peer) -> bool:
        # Until the peer hangs up: closing with its bytes unread would take the refusal from it.
        try:
            return bool(connection.channel.sock.recv(65536))
        except BlockingIOError:
            return True

    def _read(self, connection: Peer) -> bool:
        try:
            alive = connection.channel.receive()
            for message in connection.channel.messages():
                message.close()  # no request brings descriptors
                if connection is self._server:
                    self._answer(message)
                else:
                    self._greet(connection, message)
                if connection.refused:
                    break
                if connection not in self._connections:
                    return False  # lost while it was answered
        except ProtocolError as error:
            self._refuse(connection, "error", str(error))
            return True
        return alive

    def _drop(self, connection: Peer) -> None:
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        if connection.watched:
            self._selector.unregister(connection.channel)
        connection.channel.close()
        if connection is self._server:
            self._server = None
            self._forget_server()
            self._log.write("the server has left")

    def _forget_server(self) -> None:
        # The next server counts its own requests from one, and knows of nothing yet.
        for session in self._sessions.values():
            session.waiting.clear()
            session.known = False
        if self._stopping:
            self._stopping = 0

    def _refuse(self, connection: Peer, kind: str, reason: str, **fields: Any) -> None:
        """Say why, then leave the peer a moment to read it."""
        self._log.write(f"refused a connection: {kind}")
        if connection is self._server:
            self._server = None
            self._forget_server()
        connection.refused = True
        connection.adopt_request = 0
        connection.deadline = time.monotonic() + FAREWELL_S
        connection.channel.send({"type": kind, "reason": reason, "version": VERSION, **fields})
        connection.channel.sock.shutdown(socket.SHUT_WR)

    def _greet(self, connection: Peer, message: Message) -> None:
        if message.kind != "hello":
            raise ProtocolError(f"the first message must be hello, not {message.kind}")
        version = message.get("version", int)
        if version != VERSION:
            self._refuse(
                connection, "refused", f"the keeper speaks protocol version {VERSION}, the server {version}",
                code="version",
            )  # fmt: skip
            return
        if self._server and not self._has_left(self._server):
            holder = self._holder
            self._refuse(
                connection, "refused", f"the keeper serves another server, process {holder}", code="busy", holder=holder
            )
            return
        self._holder = message.get("pid", int)
        self._server = connection
        connection.deadline = None
        connection.channel.send({"type": "welcome", "version": VERSION, "pid": os.getpid()})
        self._log.write(f"serves process {self._holder}")

    def _has_left(self, server: Peer) -> bool:
        # Its end may be in the same round as the next one's hello. What it sent before still counts.
        poll = select.poll()
        poll.register(server.channel, 0)
        if not poll.poll(0):
            return False
        try:
            while server is self._server and self._read(server):
                continue
        except OSError:
            pass
        self._drop(server)
        return True

    # Requests

    def _answer(self, message: Message) -> None:
        request = message.fields.get("request")
        try:
            kind = message.kind
            if kind not in self._requests:
                raise RequestRefused(f"unknown request: {kind}")
            answer = self._requests[kind](message)
        except (RequestRefused, CannotStart, ProtocolError) as error:
            answer = {"type": "failed" if request else "error", "reason": str(error)}
            if isinstance(error, NothingLeft):
                answer["code"] = NOTHING_LEFT
        except OSError as error:  # what the system refuses (no descriptor left) is no reason to lose the server
            answer = {"type": "failed" if request else "error", "reason": f"the keeper failed: {error.strerror}"}
            if error.errno in LACKING:
                answer["code"] = NOTHING_LEFT
        if answer is not None:
            descriptors = answer.pop("descriptors", None)
            self._send({"request": request, **answer}, descriptors)

    def _send(self, fields: dict[str, Any], descriptors: dict[str, int] | None = None) -> None:
        """To the server, if there is one."""
        server = self._server
        if server is None:
            return
        try:
            server.channel.send(fields, descriptors)
            self._watch(server)
        except OSError as error:
            self._log.write(f"the server cannot be reached: {error.strerror}")
            self._drop(server)

    def _session(self, message: Message) -> KeeperSession:
        session_id = message.session()
        if session_id not in self._sessions:
            raise RequestRefused(f"no such session: {session_id}")
        return self._sessions[session_id]

    def _room(self) -> None:
        if len(self._sessions) >= SESSIONS_LIMIT:
            raise RequestRefused(f"the keeper holds {SESSIONS_LIMIT} sessions, its limit")

    def _meta(self, message: Message) -> bytes:
        meta = message.data("meta")
        if len(meta) > META_LIMIT:
            raise RequestRefused(f"metadata has at most {META_LIMIT} bytes, this has {len(meta)}")
        return meta

    def _adopt(self, message: Message) -> None:
        server = self._server
        assert server is not None  # the request came from it
        if server.adopt_request:
            raise RequestRefused("an adoption is under way")
        server.adopt_request = message.get("request", int)
        server.adopting.extend(self._sessions)

    def _tell_kept(self, connection: Peer) -> None:
        while connection.adopt_request and connection.channel.pending < ADOPT_AHEAD:
            if connection.adopting:
                session = self._sessions.get(connection.adopting.popleft())
                if session:
                    session.known = True
                    fields, descriptors = session.describe()
                    connection.channel.send(
                        {"type": "kept", "request": connection.adopt_request, **fields}, descriptors
                    )
            else:
                connection.channel.send({"type": "adopted", "request": connection.adopt_request})
                connection.adopt_request = 0

    def _spawn(self, message: Message) -> dict[str, Any]:
        session_id = message.session()
        known = self._sessions.get(session_id)
        if known is None:
            self._room()
        elif known.pid:
            raise RequestRefused(f"session {session_id} has been started already")
        if self._stopping is not None:
            raise RequestRefused("the keeper is ending")
        argv = message.strings("argv") or [""]
        folder = message.get("cwd", str)
        ring_size = message.get("ring_bytes", int)
        if not 0 < ring_size <= RING_LIMIT:
            raise RequestRefused(f"ring_bytes must be 1 to {RING_LIMIT}, not {ring_size}")
        environment = session_environment(self._environ, message.mapping("env"), session_id=session_id, folder=folder)
        session = KeeperSession(session_id, self._meta(message))
        check_folder(folder)
        program = find_program(argv[0], environment["PATH"], folder)
        if message.get("login", bool, False):
            argv[0] = "-" + os.path.basename(program)
        try:
            session.ring = make_ring(ring_size, self._place.folder)
            session.pid, session.pty = start(
                program,
                argv,
                folder=folder,
                environment=environment,
                rows=message.get("rows", int),
                cols=message.get("cols", int),
                open_files=self._open_files,
            )
        except BaseException as error:
            session.close()
            if isinstance(error, OSError):
                raise NothingLeft(f"no memory for the output: {error.strerror}") from None
            raise
        self._sessions.pop(session_id, None)
        self._sessions[session_id] = session
        self._log.write(f"session {session_id}: process {session.pid}")
        session.known = True
        descriptors = {"pty": session.pty, "ring": session.ring}
        return {"type": "spawned", "session": session_id, "pid": session.pid, "descriptors": descriptors}

    def _note(self, message: Message) -> None:
        session_id = message.session()
        meta = self._meta(message)
        if session_id not in self._sessions:
            self._room()
            self._sessions[session_id] = KeeperSession(session_id, meta)
        self._sessions[session_id].meta = meta

    def _signal(self, message: Message) -> dict[str, Any]:
        session = self._session(message)
        signum = message.get("signal", int)
        group = message.get("group", str)
        if signum not in signal.valid_signals():
            raise RequestRefused(f"no such signal: {signum}")
        if group not in ("foreground", "session"):
            raise RequestRefused(f"group must be foreground or session, not {group}")
        if not session.lives:
            raise RequestRefused(f"session {session.id} has no process")
        session.signal(signum, group)
        return {"type": "done"}

    def _grace(self, message: Message) -> float:
        grace_s = message.get("grace_s", float, GRACE_S)
        if not 0 <= grace_s <= GRACE_LIMIT_S:
            raise RequestRefused(f"grace_s must be 0 to {GRACE_LIMIT_S}, not {grace_s}")
        return grace_s

    def _kill(self, message: Message) -> dict[str, Any] | None:
        session = self._session(message)
        grace_s = self._grace(message)
        session.forget = session.forget or message.get("forget", bool, False)
        if not session.lives:
            if session.forget:
                self._remove(session)
            return {"type": "done"} if "request" in message.fields else None
        if "request" in message.fields:
            session.waiting.append(message.get("request", int))
        self._start_killing(session, grace_s)
        return None

    def _release(self, message: Message) -> None:
        session = self._session(message)
        session.released = True
        if not session.lives:  # closing the master of a living one would hang up on it
            session.close_pty()

    def _forget(self, message: Message) -> None:
        session = self._session(message)
        if session.lives:
            raise RequestRefused(f"session {session.id} still has process {session.pid}: kill it first")
        self._remove(session)

    def _stop(self, message: Message) -> dict[str, Any] | None:
        living = self._living()
        grace_s = self._grace(message)
        if living and not message.get("kill", bool):
            # Its end would close the masters, and so hang up on the shells.
            raise RequestRefused(f"{len(living)} sessions still have a process")
        self._stopping = message.get("request", int)
        self._log.write(f"stop: {len(living)} sessions to kill")
        for session in living:
            self._start_killing(session, grace_s)
        return None

    # Ends

    def _living(self) -> list[KeeperSession]:
        return [session for session in self._sessions.values() if session.lives]

    def _start_killing(self, session: KeeperSession, grace_s: float) -> None:
        now = time.monotonic()
        if session in self._killings:
            self._killings[session].hasten(grace_s, now)
        else:
            self._killings[session] = Killing(session.pid, grace_s, now)

    def _go_on_killing(self, now: float) -> None:
        due = [(session, killing) for session, killing in self._killings.items() if killing.next_at <= now]
        if due:
            try:
                # No look is a snapshot: a process may fork and end while /proc is read. Two in a row do not miss it.
                processes = living() + living()
            except OSError as error:  # no descriptor left
                self._log.write(f"no look at the processes: {error.strerror}")
                for _, killing in due:
                    killing.next_at = now + LAST_LOOK_S
                return
            for session, killing in due:
                if killing.step(processes, now) and session.reap():
                    del self._killings[session]
                    self._report(session)
                    self._answer_kill(session, {"type": "done"})
                elif killing.hopeless(now):
                    del self._killings[session]
                    if session.reap():
                        self._report(session)
                    pids = ", ".join(map(str, killing.left[:10])) or str(session.pid)
                    self._log.write(f"session {session.id}: processes {pids} cannot be killed")
                    self._answer_kill(session, {"type": "failed", "reason": f"processes {pids} cannot be killed"})
        if self._stopping is not None and not self._killings:
            self._finish_stop(self._stopping)

    def _answer_kill(self, session: KeeperSession, answer: dict[str, Any]) -> None:
        for request in session.waiting:
            self._send({"request": request, **answer})
        session.waiting.clear()
        if session.forget and not session.lives:
            self._remove(session)

    def _finish_stop(self, request: int) -> None:
        left = self._living()
        self._stopping = None
        self._ended = not left
        answer = {"type": "failed", "reason": f"{len(left)} sessions cannot be killed"} if left else {"type": "done"}
        if request:
            self._send({"request": request, **answer})

    def _report(self, session: KeeperSession) -> None:
        """Tell the server of an end, unless it does not know of the session yet: then it learns both at once."""
        assert session.exited is not None  # only ends are reported
        self._log.write(f"session {session.id}: process {session.pid} ended")
        if session.known:
            self._send({"type": "exited", **session.exited})

    def _remove(self, session: KeeperSession) -> None:
        session.close()
        self._sessions.pop(session.id, None)
