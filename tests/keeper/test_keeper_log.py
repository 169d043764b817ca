"""The keeper's log."""

from __future__ import annotations

import pytest
from keeper_home import on_uvloop

from vibetunnel.keeper.errors import SpawnFailed
from vibetunnel.keeper.log import LIMIT as LOG_LIMIT
from vibetunnel.keeper.log import Log


@on_uvloop
async def test_log_tells_no_secret(home):
    server = await home.server()
    terminal = await server.start("a", "sh", "-c", "read line", "argument-1", env={"TOKEN": "token-1"}, meta=b"meta-1")
    terminal.write(b"typed-1\n")
    await server.exit("a")
    with pytest.raises(SpawnFailed):
        await server.start("b", "/nope-1", env={"TOKEN": "token-2"})
    assert "session a: process" in home.log()
    assert not any(secret in home.log() for secret in ("argument-1", "token-", "typed-1", "meta-1", "nope-1"))


def test_log_has_a_bound(tmp_path):
    path = tmp_path / "log"
    log = Log(str(path))
    line = "x" * 1000
    for _ in range(LOG_LIMIT // len(line) + 10):
        log.write(line)
    assert path.stat().st_size < LOG_LIMIT // 2
    assert path.read_text().endswith(line + "\n")
