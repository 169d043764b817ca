"""The server's connection to the keeper, opened again as soon as the keeper was lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from vibetunnel.keeper.client import Exited, KeeperClient, KeptSession, Spawned, SpawnOrder
from vibetunnel.keeper.errors import KeeperFailed, KeeperLost, StartUnknown

FIND_S = 5.0  # how long a request waits for the next keeper; one starts within a second, unless the machine is busy
ATTEMPTS = 3  # of one request, each with another keeper
SEEK_S = 0.5  # before the next keeper is sought again; doubled after each failure,
SEEK_MAX_S = 30.0  # up to this

log = logging.getLogger(__name__)


class KeeperLink:
    """One connection to the keeper at a time.

    on_exit   called when a process has ended
    on_left   called when the number of processes that an ended session has left is another
    on_lost   called when the connection has ended
    held      the sessions whose descriptors this server has
    on_found  awaited after a new connection, with all sessions that this keeper has, descriptors included unless held
    """

    def __init__(
        self,
        runtime_dir: Path,
        *,
        on_exit: Callable[[Exited], None],
        on_left: Callable[[str, int], None],
        on_lost: Callable[[], None],
        held: Callable[[], list[str]],
        on_found: Callable[[list[KeptSession]], Awaitable[None]],
    ) -> None:
        self._runtime_dir = runtime_dir
        self._on_exit = on_exit
        self._on_left = on_left
        self._on_lost = on_lost
        self._held = held
        self._on_found = on_found
        self._client: KeeperClient | None = None
        self._started: set[str] = set()  # what that keeper had started before this connection
        self._finding: asyncio.Task[KeeperClient] | None = None
        self._seeking: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def live(self) -> KeeperClient | None:
        """The connected client; None while there is no connection."""
        return None if self._client is None or self._client.lost else self._client

    async def connect(self) -> list[KeptSession]:
        """Connect for the first time. Returns all sessions that the keeper has. Raises KeeperFailed, KeeperBusy."""
        for attempt in range(1, ATTEMPTS + 1):
            client = await self._connect()
            try:
                kept = await client.adopt()
            except KeeperLost:
                if attempt == ATTEMPTS:
                    raise
                continue
            self._client = client
            return kept
        raise AssertionError  # the last attempt returns or raises

    async def ready(self) -> KeeperClient:
        """The connected client. If the keeper is lost, waits up to FIND_S for the next one. Raises KeeperFailed."""
        if (client := self.live) is not None:
            return client
        try:
            async with asyncio.timeout(FIND_S):
                while True:
                    try:
                        return await self._found()
                    except KeeperLost:  # it was killed at once, too
                        continue
        except TimeoutError:
            raise KeeperFailed(f"the keeper is lost, and no other answered within {FIND_S:g} s: try again") from None

    async def spawn(self, order: SpawnOrder) -> Spawned:
        """Start a process, with the next keeper if this one is lost before it begins to.

        Raises SpawnFailed; KeeperFailed: nothing has started; StartUnknown: the program may have started, or
        on_found has been told that it has.
        """
        for _ in range(ATTEMPTS):
            client = await self.ready()
            try:
                return await client.spawn(order)
            except KeeperLost as lost:
                reason = lost
            if not await self._unstarted(reason, client.pid, order.session_id):
                raise StartUnknown(f"{reason}: the program may have started, and is not started again") from reason
        raise reason

    async def _unstarted(self, lost: KeeperLost, keeper: int, session_id: str) -> bool:
        """Whether the session has certainly not started. Raises KeeperFailed: it has not, and there is no keeper.

        If this keeper is still there, so that only the connection was lost, it knows. If not, what it sent has to do.
        """
        try:
            client = await self.ready()
        except KeeperFailed:
            if lost.undone:
                raise
            return False
        return session_id not in self._started if client.pid == keeper else lost.undone

    def note(self, session_id: str, meta: bytes, *, started: bool) -> None:
        if (client := self.live) is not None:
            client.note(session_id, meta, started=started)

    def release(self, session_id: str) -> None:
        if (client := self.live) is not None:
            client.release(session_id)

    def forget(self, session_id: str) -> None:
        if (client := self.live) is not None:
            client.forget(session_id)

    def end(self, session_id: str, *, forget: bool) -> None:
        if (client := self.live) is not None:
            client.end(session_id, forget=forget)

    async def drained(self) -> None:
        """Wait while many requests are unsent."""
        if (client := self.live) is not None:
            await client.drained()

    async def close(self, *, kill: bool, grace_s: float) -> None:
        """Disconnect. kill: the keeper first kills all sessions, each after `grace_s` at the latest, and then ends."""
        self._closed = True
        for task in (self._seeking, self._finding):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        client = self.live
        self._client = None
        if client is not None:
            try:
                if kill:
                    await client.stop(kill=True, grace_s=grace_s)
            except KeeperFailed as error:
                log.warning("the sessions may still run: %s", error)
            finally:
                await client.close()

    async def _connect(self) -> KeeperClient:
        return await KeeperClient.connect(
            self._runtime_dir, on_exit=self._on_exit, on_left=self._on_left, on_lost=self._lost
        )

    async def _found(self) -> KeeperClient:
        """The next keeper; all that wait share one attempt."""
        if self._closed:
            raise KeeperFailed("the server stops")
        if self._finding is None:
            self._finding = asyncio.create_task(self._find())
            self._finding.add_done_callback(self._find_done)
        return await asyncio.shield(self._finding)

    def _find_done(self, task: asyncio.Task[KeeperClient]) -> None:
        self._finding = None
        if not task.cancelled():
            task.exception()  # taken, since perhaps no task awaits it any longer

    async def _find(self) -> KeeperClient:
        client = await self._connect()
        try:
            kept = await client.adopt(self._held())
        except BaseException:
            await client.close()
            raise
        self._client = client
        self._started = {each.session_id for each in kept if each.pid is not None}
        await self._on_found(kept)
        return client

    def _lost(self) -> None:
        if self._closed or self._client is None:  # connect() tries again by itself
            return
        log.error("the keeper is lost: running sessions go on, but their exit codes will stay unknown")
        self._on_lost()
        if self._seeking is None or self._seeking.done():
            self._seeking = asyncio.create_task(self._seek())  # owned: close() cancels it

    async def _seek(self) -> None:
        """Find the next keeper before a request needs it: it knows what this server's sessions are, if that dies."""
        pause, said = SEEK_S, ""
        while self.live is None:
            try:
                await self._found()
            except KeeperFailed as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("no keeper is found, so no session can start; the next attempt follows: %s", said)
                await asyncio.sleep(pause)
                pause = min(2 * pause, SEEK_MAX_S)
