"""The server's connection to the keeper, opened again when the keeper was lost and is needed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from vibetunnel.keeper.client import Exited, KeeperClient, KeptSession, Spawned, SpawnOrder
from vibetunnel.keeper.errors import KeeperFailed

log = logging.getLogger(__name__)


class KeeperLink:
    """One connection to the keeper at a time.

    on_exit   called when a process has ended
    on_left   called when the number of processes that an ended session has left is another
    on_lost   called when the connection has ended
    held      the sessions whose descriptors this server has
    on_found  called after a new connection, with all sessions that this keeper has, descriptors included
    """

    def __init__(
        self,
        runtime_dir: Path,
        *,
        on_exit: Callable[[Exited], None],
        on_left: Callable[[str, int], None],
        on_lost: Callable[[], None],
        held: Callable[[], list[str]],
        on_found: Callable[[list[KeptSession]], None],
    ) -> None:
        self._runtime_dir = runtime_dir
        self._on_exit = on_exit
        self._on_left = on_left
        self._on_lost = on_lost
        self._held = held
        self._on_found = on_found
        self._live: KeeperClient | None = None
        self._finding: asyncio.Task[KeeperClient] | None = None
        self._closed = False

    @property
    def live(self) -> KeeperClient | None:
        """The connected client; None while there is no connection."""
        return self._live

    async def connect(self) -> list[KeptSession]:
        """Connect for the first time. Returns all sessions that the keeper has. Raises KeeperFailed, KeeperBusy."""
        self._live = await self._connect()
        return await self._live.adopt()

    async def spawn(self, order: SpawnOrder) -> Spawned:
        """Start a process, with a new keeper if the old one is lost. Raises SpawnFailed, KeeperFailed."""
        return await (self._live or await self._found()).spawn(order)

    def note(self, session_id: str, meta: bytes) -> None:
        if self._live is not None:
            self._live.note(session_id, meta)

    def release(self, session_id: str) -> None:
        if self._live is not None:
            self._live.release(session_id)

    def forget(self, session_id: str) -> None:
        if self._live is not None:
            self._live.forget(session_id)

    async def close(self, *, kill: bool, grace_s: float) -> None:
        """Disconnect. kill: the keeper first kills all sessions, each after `grace_s` at the latest, and then ends."""
        self._closed = True
        if self._finding is not None:
            self._finding.cancel()
            await asyncio.gather(self._finding, return_exceptions=True)
        client, self._live = self._live, None
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
        self._live = client
        self._on_found(kept)
        return client

    def _lost(self) -> None:
        if self._closed:
            return
        log.error("the keeper is lost: running sessions go on, but their exit codes will stay unknown")
        self._live = None
        self._on_lost()
