"""A server's connection to the keeper: requests are awaited, and the ends of processes are called back."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from vibetunnel.keeper import starter
from vibetunnel.keeper.channel import Channel
from vibetunnel.keeper.errors import (
    KeeperBusy,
    KeeperFailed,
    KeeperLost,
    NoResources,
    NoSuchSession,
    SpawnFailed,
    StartUnknown,
)  # fmt: skip
from vibetunnel.keeper.protocol import (
    DESCRIPTORS_LIMIT,
    GRACE_S,
    META_LIMIT,
    NO_SESSION,
    NOTHING_LEFT,
    VERSION,
    KeeperFrameError,
    KeeperMessage,
    pack_bytes,
)
from vibetunnel.keeper.reserve import Reserve
from vibetunnel.keeper.spawn_failure import no_descriptor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

START_S = 10.0  # to find or start a keeper, and receive its welcome
ANSWER_S = 10.0  # for a request that the keeper answers at once; a spawn on a loaded machine takes a while
ADOPT_S = 30.0
KILL_MARGIN_S = 10.0  # added to the grace: the keeper's wait after KILL, and a margin
STARTS = 8  # under way at a time: the keeper makes one after the other, and more would only hold more descriptors
SPAWN_DESCRIPTORS = 4  # of this process, for one spawn: two arrive, and the pump may open others
SPARE = 16  # that no spawn takes: requests, a new connection to the keeper, and a restart that adopts all need some
FAREWELL_S = 1.0  # for queued requests (notes) to be sent before a close
NOTES_AHEAD = 1024 * 1024  # bytes of unsent requests; above this drained() waits
OUTBOX_LIMIT = 8 * 1024 * 1024  # bytes; a keeper that leaves this much unread is stuck, and counts as lost

REFUSALS: dict[object, type[KeeperFailed]] = {NOTHING_LEFT: NoResources, NO_SESSION: NoSuchSession}  # by their codes

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpawnOrder:
    """A program that the keeper is to start.

    session_id  1 to 128 printable ASCII characters
    argv        the program, as a path or as a name to look up in the session's PATH, and its arguments
    cwd         absolute
    base        the environment that the program begins with; the keeper's own does not count
    env         the session's own variables, which override `base`, except for VIBETUNNEL_SESSION_ID
    ring_bytes  of output to keep; the shared memory has a header, too
    meta        opaque, at most 64 KiB; stored for the next server
    login       argv[0] becomes "-" and the program's name, which makes a shell a login shell
    """

    session_id: str
    argv: list[str]
    cwd: str
    base: dict[str, str] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    rows: int = 24
    cols: int = 80
    ring_bytes: int = 262144
    meta: bytes = b""
    login: bool = False


@dataclass(frozen=True, slots=True)
class Spawned:
    """A started process. The receiver owns both descriptors."""

    pid: int
    pty_fd: int
    ring_fd: int


@dataclass(frozen=True, slots=True)
class Exited:
    """The end of a process.

    code    exit code; 128 + N after signal N
    signal  that signal, or None
    reason  a text if the code does not say everything: "ended by SIGHUP"
    counts  the keeper tells, soon afterwards, how many processes are left; one of an earlier version may not
    """

    session_id: str
    code: int
    signal: int | None
    reason: str | None
    counts: bool = False


@dataclass(frozen=True, slots=True)
class KeptSession:
    """A session that the keeper has. The receiver owns the descriptors.

    pid      None: the session has metadata only
    pty_fd   -1: none, or closed already
    ring_fd  -1: none
    exited   None while the process runs
    left     how many of its processes live on after it has ended; None: the keeper has not counted them yet
    """

    session_id: str
    pid: int | None
    pty_fd: int
    ring_fd: int
    meta: bytes
    exited: Exited | None
    left: int | None = 0


class KeeperClient:
    """Made by `connect`; used from the thread of its event loop, asyncio's or uvloop's.

    pid  the keeper's process id
    """

    def __init__(
        self,
        channel: Channel,
        *,
        on_exit: Callable[[Exited], None],
        on_left: Callable[[str, int], None],
        on_lost: Callable[[], None],
    ) -> None:
        """channel: connected, but without a hello so far; `connect` does both."""
        self.pid = 0
        self._channel = channel
        self._on_exit = on_exit
        self._on_left = on_left
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._requests = 0
        self._waiting: dict[int, asyncio.Future[KeeperMessage]] = {}
        self._adopted: dict[int, list[KeptSession]] = {}
        self._given_up: dict[int, str] = {}  # number and session of spawns that no task awaits any longer
        self._unwanted: set[str] = set()  # sessions in _given_up that are to be forgotten when the answer arrives
        self._disowned: set[str] = set()  # sessions that such a spawn has started: they are being killed
        self._greeting: asyncio.Future[KeeperMessage] = self._loop.create_future()
        self._drained = asyncio.Event()
        self._drained.set()
        self._begun: set[int] = set()  # requests that the keeper may be carrying out; of a spawn it says so first
        self._announces = False  # whether this keeper says that; one of an earlier version does not
        self._starts = asyncio.Semaphore(STARTS)
        self._spawning = 0  # spawns that wait for their answer
        self._reserve = Reserve()  # for their descriptors
        self._lost: str | None = None  # why the connection has ended
        self._stopping = False
        self._loop.add_reader(channel.fileno(), self._readable)

    @property
    def lost(self) -> bool:
        """Whether the connection has ended."""
        return self._lost is not None

    # Connecting

    @classmethod
    async def connect(
        cls,
        runtime_dir: Path,
        *,
        on_exit: Callable[[Exited], None],
        on_left: Callable[[str, int], None] = lambda _session_id, _count: None,
        on_lost: Callable[[], None],
        idle_s: float | None = None,
    ) -> Self:
        """Connect to this folder's keeper, and start it if none runs.

        on_exit   called once for every process that ends after it was adopted or spawned. For a short-lived process it
                  is called in the turn of the loop in which `spawn` returns, before other tasks that await the spawn
        on_left   called with a session's id and the number of its processes that are left after its end
        on_lost   called once if the keeper is lost; not after `close` or `stop`
        idle_s    of a keeper that is started: seconds with nothing to keep before it ends; None: its default
        Raises    KeeperBusy when it serves another live server, KeeperFailed when it cannot be reached
        """
        path = starter.socket_path(runtime_dir)
        try:
            async with asyncio.timeout(START_S):
                while True:
                    channel = await starter.reach(path)
                    if channel is None:
                        if not await starter.start(path.parent, idle_s):
                            await asyncio.sleep(starter.RETRY_S)
                        continue
                    client = cls(channel, on_exit=on_exit, on_left=on_left, on_lost=on_lost)
                    try:
                        await client._greet()
                    except BaseException as error:
                        client._end("the greeting failed")
                        if not isinstance(error, _EndedMeanwhile):
                            raise
                        await asyncio.sleep(starter.RETRY_S)
                        continue
                    return client
        except TimeoutError:
            raise KeeperFailed(
                f"no keeper answered at {path} within {START_S:g} s{starter.log_tail(path.parent)}"
            ) from None

    async def _greet(self) -> None:
        if self._channel.peer_uid() != os.geteuid():
            raise KeeperFailed(f"the keeper belongs to user {self._channel.peer_uid()}, not {os.geteuid()}")
        try:
            self._send({"type": "hello", "version": VERSION, "pid": os.getpid(), "left": True})
        except KeeperFailed as error:
            raise _EndedMeanwhile(str(error)) from None
        message = await self._greeting
        if message.kind == "welcome":
            version = message.get("version", int)
            if version != VERSION:
                raise KeeperFailed(f"the keeper speaks protocol version {version}, this server {VERSION}")
            self.pid = message.get("pid", int)
            self._announces = message.get("announces", bool, False)
        elif message.fields.get("code") == "busy":
            raise KeeperBusy(message.get("holder", int))
        else:
            reason = message.fields.get("reason")
            raise KeeperFailed(f"the keeper refused this server: {reason}")

    # Requests

    async def adopt(self, have: Sequence[str] = ()) -> list[KeptSession]:
        """All sessions that the keeper has, in the order of their start, with their descriptors.

        have  sessions whose descriptors this server has: none are sent for these
        """
        sessions: list[KeptSession] = []
        number = self._requests + 1  # the number that `_ask` takes next
        self._adopted[number] = sessions
        try:
            await self._ask("adopt", ADOPT_S, have=list(have))
        except BaseException:
            for each in sessions:
                _close(each.pty_fd, each.ring_fd)
            raise
        finally:
            del self._adopted[number]
        return sessions

    async def spawn(self, order: SpawnOrder) -> Spawned:
        """Start a process on a new pty. If this call is cancelled, the process is killed and forgotten.

        While STARTS others are under way it waits for one of them to end.
        Raises SpawnFailed with a reason fit for the user, NoResources when the system has no room for the process,
        StartUnknown when the keeper does not answer in time (a process that it starts later is killed), KeeperLost.
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._starts.acquire()
        except TimeoutError:
            raise KeeperFailed(f"{STARTS} other starts are under way for {ANSWER_S:g} s: try again") from None
        self._spawning += 1
        try:
            self._reserve_all()
            message = await self._spawn(order)
        finally:
            self._spawning -= 1
            self._hold()
            self._starts.release()
        return Spawned(message.get("pid", int), message.take("pty"), message.take("ring"))

    @property
    def _wanted(self) -> int:
        return self._spawning * SPAWN_DESCRIPTORS + SPARE if self._spawning else 0

    def _reserve_all(self) -> None:
        """Hold the descriptors of all spawns under way. Raises NoResources."""
        try:
            self._reserve.resize(self._wanted)
        except OSError as error:
            raise NoResources(no_descriptor(error, "this server")) from None

    def _hold(self) -> None:
        """The same as far as there is room: a read that loses descriptors is not the end, they are asked for again."""
        if self._lost is None:
            with contextlib.suppress(OSError):
                self._reserve.resize(self._wanted)

    async def _spawn(self, order: SpawnOrder) -> KeeperMessage:
        message = await self._ask(
            "spawn",
            ANSWER_S,
            SpawnFailed,
            session=order.session_id,
            argv=order.argv,
            cwd=order.cwd,
            base=order.base,
            env=order.env,
            rows=order.rows,
            cols=order.cols,
            ring_bytes=order.ring_bytes,
            meta=pack_bytes(order.meta),
            login=order.login,
            announce=True,
        )
        if not message.lost:
            return message
        # Another thread has taken the room that was reserved. The program runs, so ask for its descriptors again.
        try:
            message = await self._ask("fetch", ANSWER_S, session=order.session_id)
            if message.lost:
                full = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
                raise StartUnknown(f"the program had started, and is ended: {no_descriptor(full, 'this server')}")
        except BaseException:
            self._disown(order.session_id)
            raise
        return message

    def note(self, session_id: str, meta: bytes, *, started: bool = False) -> None:
        """Store `meta` for the next server; the session need not have a process. Not awaited.

        started  the keeper never starts it (again): another keeper did so, and is gone
        Raises KeeperFailed when `meta` is larger than 64 KiB.
        """
        if len(meta) > META_LIMIT:
            raise KeeperFailed(f"metadata has at most {META_LIMIT} bytes, that of {session_id} has {len(meta)}")
        self._tell("note", session=session_id, meta=pack_bytes(meta), started=started)

    async def signal(self, session_id: str, signum: int, *, group: Literal["foreground", "session"]) -> None:
        """Send a signal to the pty's foreground group, or to every process of the unix session."""
        await self._ask("signal", ANSWER_S, session=session_id, signal=signum, group=group)

    async def kill(self, session_id: str, grace_s: float) -> None:
        """HUP and TERM now, KILL after `grace_s` (at most 60); returns when no process of the unix session is left.

        So it ends the jobs, too, that have outlived the session's program. Raises NoSuchSession, and KeeperFailed with
        the processes that cannot be ended.
        """
        await self._ask("kill", grace_s + KILL_MARGIN_S, session=session_id, grace_s=grace_s)

    def release(self, session_id: str) -> None:
        """All output has been read: the keeper may close its master when the process has ended. Not awaited."""
        self._tell("release", session=session_id)

    def forget(self, session_id: str) -> None:
        """Remove a session that has ended or never started. Not awaited."""
        if session_id in self._given_up.values():
            self._unwanted.add(session_id)  # it may have a process by now
        elif session_id not in self._disowned:  # else it is removed when it has ended
            self._tell("forget", session=session_id)

    def end(self, session_id: str, *, forget: bool) -> None:
        """Kill a session that should have no process any longer. Not awaited. forget: also remove it."""
        self._tell("kill", session=session_id, grace_s=GRACE_S, forget=forget)

    async def drained(self) -> None:
        """Wait while many requests are unsent."""
        if self._lost is None and self._channel.pending > NOTES_AHEAD:
            await self._drained.wait()

    async def stop(self, *, kill: bool, grace_s: float = GRACE_S) -> None:
        """End the keeper, and close this connection. Fails if a session runs, unless `kill` ends all sessions first.

        grace_s  as in `kill`
        """
        self._stopping = True
        try:
            await self._ask("stop", grace_s + KILL_MARGIN_S, kill=kill, grace_s=grace_s)
        finally:
            self._stopping = False
        await self.close()

    async def close(self) -> None:
        """Disconnect; the sessions go on. Safe twice, and in every state."""
        if self._lost is None and self._channel.pending:
            try:
                async with asyncio.timeout(FAREWELL_S):
                    await self._drained.wait()
            except TimeoutError:
                pass  # the keeper is stuck: the unsent requests will never be sent
        self._end("this server has disconnected")

    async def _ask(
        self, kind: str, timeout_s: float, failure: type[KeeperFailed | SpawnFailed] = KeeperFailed, **fields: Any
    ) -> KeeperMessage:
        # failure: raised for a refusal. A missing answer is always KeeperFailed.
        self._requests += 1
        number = self._requests
        future: asyncio.Future[KeeperMessage] = self._loop.create_future()
        try:
            self._send({"type": kind, "request": number, **fields})
        except KeeperFrameError as error:
            raise failure(str(error)) from None
        self._waiting[number] = future
        if kind != "spawn":
            self._begun.add(number)
        try:
            async with asyncio.timeout(timeout_s):
                message = await future
        except TimeoutError:
            self._give_up(number, future, fields.get("session") if kind == "spawn" else None)
            silent = f"keeper {self.pid} did not answer {kind} within {timeout_s:g} s"
            if kind == "spawn":
                raise StartUnknown(f"{silent}: the program may have started, and is then ended") from None
            raise KeeperFailed(silent) from None
        except asyncio.CancelledError:
            self._give_up(number, future, fields.get("session") if kind == "spawn" else None)
            raise
        finally:
            del self._waiting[number]
            self._begun.discard(number)
        if message.kind == "failed":
            failure = REFUSALS.get(message.fields.get("code"), failure)
            raise failure(message.get("reason", str))
        return message

    def _give_up(self, number: int, future: asyncio.Future[KeeperMessage], spawned: str | None) -> None:
        if spawned is not None:
            self._given_up[number] = spawned
        # The answer may have come in the same turn.
        if future.done() and not future.cancelled() and future.exception() is None:
            self._unclaimed(number, future.result())

    def _tell(self, kind: str, **fields: Any) -> None:
        # The caller awaits no answer, so a lost keeper is not an error here: `on_lost` reports it.
        if self._lost is None:
            try:
                self._send({"type": kind, **fields})
            except KeeperFailed:
                return

    # The wire

    def _send(self, fields: dict[str, Any]) -> None:
        if self._lost is not None:
            raise KeeperLost(self._lost, undone=True)
        try:
            self._channel.send(fields)
        except OSError as error:
            self._lose_after(error)
            raise KeeperLost(str(error), undone=True) from None
        if self._channel.pending > OUTBOX_LIMIT:
            self._lose(f"it left {self._channel.pending} bytes unread")
            raise KeeperLost(f"it left {self._channel.pending} bytes unread", undone=True)
        if self._channel.pending and self._drained.is_set():
            self._drained.clear()
            self._loop.add_writer(self._channel.fileno(), self._writable)

    def _writable(self) -> None:
        try:
            self._channel.flush()
        except OSError as error:
            self._lose_after(error)
            return
        if not self._channel.pending:
            self._loop.remove_writer(self._channel.fileno())
            self._drained.set()

    def _readable(self) -> None:
        self._reserve.free(DESCRIPTORS_LIMIT)  # room for those that this read brings: one frame's
        try:
            alive = self._channel.receive()
            for message in self._channel.messages():
                self._dispatch(message)
                if self._lost is not None:
                    return
        except (ConnectionResetError, BrokenPipeError) as error:
            self._lose(str(error), read=True)
            return
        except (OSError, KeeperFrameError) as error:
            self._lose(str(error))
            return
        if not alive:
            self._lose("it closed the connection", read=True)
            return
        self._hold()

    def _lose_after(self, error: OSError) -> None:
        """The connection has ended after a send failed. First read what the keeper had sent: it counts."""
        if isinstance(error, BrokenPipeError | ConnectionResetError):
            while self._lost is None:  # no read blocks: the keeper has closed
                self._readable()
        self._lose(str(error))

    def _dispatch(self, message: KeeperMessage) -> None:
        kind = message.kind
        if kind == "exited":
            self._ended(_exited(message.fields))
            return
        if kind == "left":
            self._rest(message.session(), message.get("processes", int))
            return
        if kind in ("welcome", "refused"):
            if not self._greeting.done():
                self._greeting.set_result(message)
            return
        if kind == "error":
            if not self._greeting.done():
                self._greeting.set_result(message)
            else:
                log.error("the keeper refused: %s", message.get("reason", str))
            return
        number = message.get("request", int)
        if kind == "kept":
            sessions = self._adopted.get(number)
            if sessions is not None:
                sessions.append(_kept_session(message))
            message.close()
            return
        if kind == "starting":
            if number in self._waiting:
                self._begun.add(number)
            return
        future = self._waiting.get(number)
        if future is not None and not future.done():
            future.set_result(message)
        else:
            self._unclaimed(number, message)

    def _ended(self, exited: Exited) -> None:
        if exited.session_id in self._disowned:
            self._disowned.remove(exited.session_id)
            return
        for sessions in self._adopted.values():
            for position, each in enumerate(sessions):
                if each.session_id == exited.session_id:  # `adopt` has not returned yet, and returns its end, too
                    sessions[position] = replace(each, exited=exited)
                    return
        self._loop.call_soon(self._on_exit, exited)  # not called here: its errors must not stop the other messages

    def _rest(self, session_id: str, count: int) -> None:
        for sessions in self._adopted.values():
            for position, each in enumerate(sessions):
                if each.session_id == session_id:
                    sessions[position] = replace(each, left=count)
                    return
        self._loop.call_soon(self._on_left, session_id, count)  # after the call of `on_exit`

    def _unclaimed(self, number: int, message: KeeperMessage) -> None:
        """An answer that no task awaits any longer: close its descriptors, and kill the process that it reports."""
        message.close()
        session = self._given_up.pop(number, "")
        unwanted = session in self._unwanted
        self._unwanted.discard(session)
        if message.kind == "spawned":
            self._disown(message.session())
        elif unwanted:
            self.forget(session)

    def _disown(self, session_id: str) -> None:
        """Kill and forget a session that no task of this server knows."""
        self._disowned.add(session_id)
        self.end(session_id, forget=True)

    # Ends

    def _lose(self, reason: str, *, read: bool = False) -> None:
        """read: up to the end that the keeper, or its death, has made, so that no message of it can be missing"""
        if self._lost is not None:
            return
        greeted = self.pid > 0
        self._end(reason, read=read)
        if greeted and not self._stopping:
            self._loop.call_soon(self._on_lost)

    def _end(self, reason: str, *, read: bool = False) -> None:
        if self._lost is not None:
            return
        self._lost = reason
        self._reserve.resize(0)
        self._loop.remove_reader(self._channel.fileno())
        self._loop.remove_writer(self._channel.fileno())
        self._channel.close()
        self._drained.set()
        if not self._greeting.done():
            self._greeting.set_exception(_EndedMeanwhile(reason))
            self._greeting.exception()  # taken, since the task that awaited it may have given up
        for number, future in self._waiting.items():
            if not future.done():
                undone = read and self._announces and number not in self._begun
                future.set_exception(KeeperLost(reason, undone=undone))


class _EndedMeanwhile(KeeperFailed):
    """The keeper ended between accepting this connection and its welcome; another can be started."""


def _exited(fields: dict[str, Any]) -> Exited:
    try:
        return Exited(fields["session"], fields["code"], fields["signal"], fields["reason"], "left" in fields)
    except KeyError as error:
        raise KeeperFrameError(f"exited: {error} is missing") from None


def _kept_session(message: KeeperMessage) -> KeptSession:
    exited = message.fields.get("exited")
    return KeptSession(
        session_id=message.session(),
        pid=message.fields.get("pid"),
        pty_fd=message.take("pty"),
        ring_fd=message.take("ring"),
        meta=message.data("meta"),
        exited=_exited(exited) if exited else None,
        left=None if message.fields.get("left", 0) is None else message.get("left", int, 0),
    )


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        if descriptor >= 0:
            os.close(descriptor)
