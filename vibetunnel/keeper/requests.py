"""The server's requests, and the sessions on which the keeper carries them out."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections import deque

from vibetunnel.keeper.cgroups import Cgroups
from vibetunnel.keeper.environment import session_environment
from vibetunnel.keeper.killing import LAST_LOOK_S, Ending, cannot_end
from vibetunnel.keeper.processes import all_processes, of_pid
from vibetunnel.keeper.protocol import (
    GRACE_LIMIT_S,
    GRACE_S,
    META_LIMIT,
    NO_SESSION,
    NOTHING_LEFT,
    SESSIONS_LIMIT,
    KeeperFrameError,
    KeeperMessage,
)
from vibetunnel.keeper.ring import RING_LIMIT, make_ring
from vibetunnel.keeper.session import KeeperSession
from vibetunnel.keeper.spawn import check_folder, find_program, start
from vibetunnel.keeper.spawn_failure import LACKING, CannotStart, NothingLeft, shortage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from vibetunnel.keeper.cgroups import Cgroup
    from vibetunnel.keeper.channel import Channel
    from vibetunnel.keeper.log import Log

FULL = (errno.EMFILE, errno.ENFILE, errno.ETOOMANYREFS)  # of descriptors, here or on their way
ADOPT_AHEAD = 16 * 1024  # bytes queued of an adoption; each queued session holds two more descriptors


class RequestRefused(Exception):
    """The request cannot be granted; the text is the reason."""


class NoSession(RequestRefused):
    """The keeper has no session with this id."""


class Adoption:
    """One `adopt` request, and the sessions that the server has still to be told of."""

    def __init__(self, request: int, sessions: dict[str, KeeperSession], have: set[str]) -> None:
        self.request = request
        self.have = have  # the server has the descriptors of these
        self.again_at: float | None = None  # this keeper had none left for the next
        self.waiting = deque(sessions)


class Requests:
    """Owns the sessions.

    folder      the runtime folder
    open_files  limits for the sessions' programs; the keeper's own may be higher
    cgroups     makes the sessions' cgroups
    send        sends fields and descriptors to the server; False: it may never get them
    counts      the server takes the message `left`
    stopped     a `stop` has been carried out: the keeper is to end
    """

    def __init__(
        self,
        folder: str,
        *,
        log: Log,
        open_files: tuple[int, int],
        cgroups: Cgroups,
        send: Callable[[dict[str, Any], dict[str, int] | None], bool],
    ) -> None:
        self.stopped = False
        self.counts = False
        self._folder = folder
        self._log = log
        self._open_files = open_files
        self._cgroups = cgroups
        self._send = send
        self._sessions: dict[str, KeeperSession] = {}  # in the order of their start
        self._endings: dict[KeeperSession, Ending] = {}  # being killed, or ended with processes that may be left
        self._adoption: Adoption | None = None  # under way
        self._stopping: int | None = None  # the `stop` that waits for the last session's end; 0: its server has left
        self._stop_kills = False
        self._requests: dict[str, Callable[[KeeperMessage], dict[str, Any] | None]] = {
            "adopt": self._adopt,
            "spawn": self._spawn,
            "fetch": self._fetch,
            "note": self._note,
            "signal": self._signal,
            "kill": self._kill,
            "release": self._release,
            "forget": self._forget,
            "stop": self._stop,
        }

    def answer(self, message: KeeperMessage) -> None:
        """Carry out one request of the server, and send the answer."""
        request = message.fields.get("request")
        try:
            kind = message.kind
            if kind not in self._requests:
                raise RequestRefused(f"unknown request: {kind}")
            answer = self._requests[kind](message)
        except (RequestRefused, CannotStart, KeeperFrameError) as error:
            answer = {"type": "failed" if request else "error", "reason": str(error)}
            if isinstance(error, NothingLeft):
                answer["code"] = NOTHING_LEFT
            elif isinstance(error, NoSession):
                answer["code"] = NO_SESSION
        except OSError as error:  # a refusal by the system (no descriptor left) must not cost the server
            answer = {"type": "failed" if request else "error", "reason": f"the keeper failed: {error.strerror}"}
            if error.errno in LACKING:
                answer["code"] = NOTHING_LEFT
        if answer is not None:
            descriptors = answer.pop("descriptors", None)
            self._send({"request": request, **answer}, descriptors)

    def server_left(self) -> None:
        """The next server counts its own requests from 1, and knows no session yet."""
        self._adoption = None
        self.counts = False
        for session in self._sessions.values():
            session.waiting.clear()
            session.known = False
        if self._stopping:
            self._stopping = 0

    def has_work(self) -> bool:
        """Whether there is a session for which the keeper must live on: with processes, or still to be started."""
        return any(session.has_processes or not session.started for session in self._sessions.values())

    def living(self) -> list[KeeperSession]:
        """The sessions whose program runs."""
        return [session for session in self._sessions.values() if session.lives]

    def reap(self) -> None:
        """A child has ended: find out which, and report it."""
        now = time.monotonic()
        for session in self.living():
            if session in self._endings:
                self._endings[session].next_at = now
            elif session.ended():
                self._report(session)
                self._endings[session] = Ending(session.pid, now)  # to look what it has left

    def deadlines(self) -> Iterator[float]:
        """The times at which on_time() has something to do."""
        if self._adoption is not None and self._adoption.again_at is not None:
            yield self._adoption.again_at
        for ending in self._endings.values():
            yield ending.next_at

    def on_time(self, now: float) -> None:
        """Take the endings that are due one step further."""
        due = {session: ending for session, ending in self._endings.items() if ending.next_at <= now}
        if due:
            self._step(due, now)
        if self._stopping is not None and not any(ending.ordered for ending in self._endings.values()):
            self._finish_stop(self._stopping)

    def close(self) -> None:
        """Drop all descriptors, and the cgroups without a process."""
        for session in self._sessions.values():
            self._close(session)

    # Fields of requests

    def _session(self, message: KeeperMessage) -> KeeperSession:
        session_id = message.session()
        if session_id not in self._sessions:
            raise NoSession(f"no such session: {session_id}")
        return self._sessions[session_id]

    def _check_room(self) -> None:
        if len(self._sessions) >= SESSIONS_LIMIT:
            raise RequestRefused(f"session limit of the keeper reached: it has {SESSIONS_LIMIT} sessions")

    def _meta(self, message: KeeperMessage) -> bytes:
        meta = message.data("meta")
        if len(meta) > META_LIMIT:
            raise RequestRefused(f"metadata has at most {META_LIMIT} bytes, this has {len(meta)}")
        return meta

    def _grace(self, message: KeeperMessage) -> float:
        grace_s = message.get("grace_s", float, GRACE_S)
        if not 0 <= grace_s <= GRACE_LIMIT_S:
            raise RequestRefused(f"grace_s must be 0 to {GRACE_LIMIT_S}, not {grace_s}")
        return grace_s

    # Requests

    def _adopt(self, message: KeeperMessage) -> None:
        if self._adoption is not None:
            raise RequestRefused("an adoption is under way")
        have = set(message.strings("have")) if "have" in message.fields else set()
        self._adoption = Adoption(message.get("request", int), self._sessions, have)

    def adoption_is_due(self, now: float) -> bool:
        """Whether the adoption, which had no descriptor left, is to go on."""
        again_at = None if self._adoption is None else self._adoption.again_at
        return again_at is not None and now >= again_at

    def continue_adoption(self, channel: Channel) -> None:
        """Send `kept` for one session after the other, as far as the channel has room."""
        if self._adoption is not None:
            self._adoption.again_at = None
        while self._adoption is not None and channel.pending < ADOPT_AHEAD:
            request, waiting = self._adoption.request, self._adoption.waiting
            if waiting:
                session = self._sessions.get(waiting[0])
                if session and (session.left or not session.forget):  # else it is to be removed
                    descriptors = {} if session.id in self._adoption.have else session.descriptors()
                    try:
                        channel.send({"type": "kept", "request": request, **session.describe()}, descriptors)
                    except OSError as error:
                        if error.errno not in FULL:
                            raise
                        self._adoption.again_at = time.monotonic() + LAST_LOOK_S
                        return
                    session.known = True
                waiting.popleft()
            else:
                channel.send({"type": "adopted", "request": request})
                self._adoption = None

    def _spawn(self, message: KeeperMessage) -> dict[str, Any]:
        session_id = message.session()
        known = self._sessions.get(session_id)
        if known is None:
            self._check_room()
        elif known.started:
            raise RequestRefused(f"session {session_id} has been started already")
        if self._stopping is not None:
            raise RequestRefused("the keeper is ending")
        argv = message.strings("argv") or [""]
        folder = message.get("cwd", str)
        ring_size = message.get("ring_bytes", int)
        if not 0 < ring_size <= RING_LIMIT:
            raise RequestRefused(f"ring_bytes must be 1 to {RING_LIMIT}, not {ring_size}")
        environment = session_environment(
            message.mapping("base", {}), message.mapping("env"), session_id=session_id, folder=folder
        )
        session = KeeperSession(session_id, self._meta(message))
        check_folder(folder)
        program = find_program(argv[0], environment["PATH"], folder)
        if message.get("login", bool, False):
            argv[0] = "-" + os.path.basename(program)
        try:
            session.ring = make_ring(ring_size, self._folder)
            self._announce(message)
            self._start(session, program, argv, folder, environment, message.get("rows", int), message.get("cols", int))
        except BaseException as error:
            self._close(session)
            if isinstance(error, OSError):
                raise NothingLeft(shortage(error, "output")) from None
            raise
        session.started = True
        self._sessions.pop(session_id, None)
        self._sessions[session_id] = session
        self._log.write(f"session {session_id}: process {session.pid}")
        session.known = True
        descriptors = {"pty": session.pty, "ring": session.ring}
        return {"type": "spawned", "session": session_id, "pid": session.pid, "descriptors": descriptors}

    def _announce(self, message: KeeperMessage) -> None:
        """Say that the program is about to be started. If this keeper dies now, the server knows that it may have."""
        if message.get("announce", bool, False):
            mark = {"type": "starting", "request": message.get("request", int)}
            if not self._send(mark, None):
                raise NothingLeft("the server does not read the keeper's answers")

    def _start(
        self, session: KeeperSession, program: str, argv: list[str], folder: str, environment: dict[str, str],
        rows: int, cols: int,
    ) -> None:  # fmt: skip
        session.cgroup = self._cgroups.make()
        cgroup = -1 if session.cgroup is None else session.cgroup.open()
        try:
            session.pid, session.pty, inside = start(
                program,
                argv,
                folder=folder,
                environment=environment,
                rows=rows,
                cols=cols,
                open_files=self._open_files,
                cgroup=cgroup,
            )
        finally:
            if cgroup >= 0:
                os.close(cgroup)
        if session.cgroup is not None and not inside:
            self._cgroups.remove(session.cgroup)
            session.cgroup = None

    def _fetch(self, message: KeeperMessage) -> dict[str, Any]:
        session = self._session(message)
        if session.ring < 0:
            raise RequestRefused(f"session {session.id} has not started")
        return {"type": "spawned", "session": session.id, "pid": session.pid, "descriptors": session.descriptors()}

    def _note(self, message: KeeperMessage) -> None:
        session_id = message.session()
        meta = self._meta(message)
        started = message.get("started", bool, False)
        if session_id not in self._sessions:
            self._check_room()
            self._sessions[session_id] = KeeperSession(session_id, meta)
        session = self._sessions[session_id]
        session.meta = meta
        session.started = session.started or started

    def _signal(self, message: KeeperMessage) -> dict[str, Any]:
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

    def _kill(self, message: KeeperMessage) -> dict[str, Any] | None:
        session = self._session(message)
        grace_s = self._grace(message)
        session.forget = session.forget or message.get("forget", bool, False)
        if not session.has_processes:
            if session.forget:
                self._remove(session)
            return {"type": "done"} if "request" in message.fields else None
        if "request" in message.fields:
            session.waiting.append(message.get("request", int))
        self._start_killing(session, grace_s)
        return None

    def _release(self, message: KeeperMessage) -> None:
        session = self._session(message)
        session.released = True
        if not session.lives:  # the close of a living session's master would hang up on it
            session.close_pty()

    def _forget(self, message: KeeperMessage) -> None:
        session = self._session(message)
        if session.lives:
            raise RequestRefused(f"session {session.id} still has process {session.pid}: kill it first")
        session.forget = True
        if not session.has_processes:  # else when its last process has ended
            self._remove(session)

    def _stop(self, message: KeeperMessage) -> dict[str, Any] | None:
        running = len(self.living())
        grace_s = self._grace(message)
        busy = [session for session in self._sessions.values() if session.has_processes]
        kill = bool(busy) and message.get("kill", bool)
        if running and not kill:
            # The keeper's end would close the masters, which hangs up on the shells.
            raise RequestRefused(f"{running} sessions still have a process")
        self._stopping = message.get("request", int)
        self._stop_kills = kill
        self._log.write(f"stop: {running} sessions to kill")
        if kill:
            for session in busy:
                self._start_killing(session, grace_s)
        return None

    # Ends

    def _start_killing(self, session: KeeperSession, grace_s: float) -> None:
        now = time.monotonic()
        if session not in self._endings:
            self._endings[session] = Ending(session.pid, now)
        self._endings[session].order(grace_s, now)

    def _step(self, due: dict[KeeperSession, Ending], now: float) -> None:
        for session in due:
            if session.lives and session.ended():
                self._report(session)
        try:
            self._look(due, now)
        except OSError as error:  # no descriptor is left
            self._postpone(due.values(), now, error)
            return
        for session, ending in due.items():
            try:
                over = self._is_over(session, ending)
            except OSError as error:
                self._postpone([ending], now, error)
                continue
            ending.pause(now)
            if over:
                self._vanished(session)
            elif ending.hopeless(now):
                self._cannot_end(session, ending)
            elif not session.lives and (ending.left or ending.steps > 1):
                self._count(session, len(ending.left))

    def _postpone(self, endings: Iterable[Ending], now: float, error: OSError) -> None:
        self._log.write(f"no look at the processes: {error.strerror}")
        for ending in endings:
            ending.next_at = now + LAST_LOOK_S

    def _look(self, due: dict[KeeperSession, Ending], now: float) -> None:
        """Show the processes to the endings that are due, which signal them."""
        by_leader = {session.pid: (session, ending) for session, ending in due.items() if not session.recycled()}
        for session, ending in by_leader.values():
            ending.look()
            ending.begin(now, reaped=session.reaped)
            if session.cgroup is not None:
                try:
                    self._look_into(session.cgroup, session, ending)
                except OSError:  # a program has made it a threaded one, for example: the looks below have to do
                    ending.strangers = True
        # /proc is not read at one moment: a process may fork and end meanwhile. A second look finds its child.
        for _ in range(2):
            for ending in due.values():
                ending.look()
            for process in all_processes():
                if process.session in by_leader:
                    session, ending = by_leader[process.session]
                    if session.owns(process):
                        ending.saw(process)

    def _look_into(self, cgroup: Cgroup, session: KeeperSession, ending: Ending) -> None:
        # Fewer than in /proc, so that none has the time to fork and end. But a program may leave its cgroup.
        for process in filter(None, map(of_pid, cgroup.pids())):
            if process.session != session.pid:
                ending.strangers = ending.strangers or not process.zombie
            elif session.owns(process):
                ending.saw(process)
        if ending.kills and not ending.strangers:
            cgroup.kill()

    def _is_over(self, session: KeeperSession, ending: Ending) -> bool:
        """Whether no process of the session is left. A look can miss a process, so the kernel is asked as well."""
        if session.recycled():
            return True
        if ending.seen or session.lives:
            return False
        if session.cgroup is not None and not ending.strangers and session.cgroup.populated():
            return False
        return session.vanished() or ending.only_zombies

    def _vanished(self, session: KeeperSession) -> None:
        """The program has ended, and no process of its unix session is left."""
        session.vanished()  # reaps the program
        session.over = True
        del self._endings[session]
        self._drop_cgroup(session)
        self._count(session, 0)
        self._answer_kill(session, {"type": "done"})

    def _cannot_end(self, session: KeeperSession, ending: Ending) -> None:
        """KILL has had no effect: say so. The processes are looked at from here on."""
        ending.give_up()
        if not session.lives:
            self._count(session, len(ending.left))
        reason = cannot_end(ending.left)
        self._log.write(f"session {session.id}: {reason}")
        self._answer_kill(session, {"type": "failed", "reason": reason})

    def _answer_kill(self, session: KeeperSession, answer: dict[str, Any]) -> None:
        for request in session.waiting:
            self._send({"request": request, **answer}, None)
        session.waiting.clear()
        if session.forget and not session.has_processes:
            self._remove(session)

    def _count(self, session: KeeperSession, seen: int) -> None:
        """Tell the server how many processes an ended session has left. The look may have missed the only one.

        The first count is told even if it is 0: until then the server does not know.
        """
        left = 0 if session.over else max(seen, 1)
        if left == session.left:
            return
        if left or session.left:
            self._log.write(f"session {session.id}: {left} processes left")
        session.left = left
        if session.known and self.counts:
            self._send({"type": "left", "session": session.id, "processes": left}, None)

    def _finish_stop(self, request: int) -> None:
        left = [session for session in self._sessions.values() if session.has_processes] if self._stop_kills else []
        self._stopping = None
        self.stopped = not left
        answer = {"type": "failed", "reason": f"{len(left)} sessions cannot be killed"} if left else {"type": "done"}
        if request:
            self._send({"request": request, **answer}, None)

    def _report(self, session: KeeperSession) -> None:
        """Tell the server of an end. A server that does not know the session yet learns of both in one message."""
        assert session.exited is not None  # only ends are reported
        self._log.write(f"session {session.id}: process {session.pid} ended")
        if session.known:
            self._send({"type": "exited", **session.exited}, None)

    def _remove(self, session: KeeperSession) -> None:
        self._close(session)
        self._sessions.pop(session.id, None)

    def _close(self, session: KeeperSession) -> None:
        session.close()
        self._drop_cgroup(session)

    def _drop_cgroup(self, session: KeeperSession) -> None:
        if session.cgroup is not None:
            self._cgroups.remove(session.cgroup)
            session.cgroup = None
