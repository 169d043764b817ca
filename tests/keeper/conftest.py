"""The fixture `home`: a runtime folder whose keeper is stopped after the test."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from harness import until
from keeper_home import KeeperHome, alive, on_asyncio

from vibetunnel.keeper.errors import KeeperFailed


@pytest.fixture
def home():
    folder = Path(tempfile.mkdtemp(prefix="vt"))
    made = KeeperHome(folder)
    yield made

    made.peers.close()

    async def sweep():
        for client in made.clients:
            await client.close()
        if (folder / "keeper.sock").exists():
            try:
                server = await made.server()
            except KeeperFailed:
                return  # a test that broke the folder has left no keeper
            await server.client.stop(kill=True)
        for pid in {client.pid for client in made.clients}:
            await until(lambda pid=pid: not alive(pid))

    on_asyncio(sweep)()
    for fd in made.owned:
        os.close(fd)
    shutil.rmtree(folder)
