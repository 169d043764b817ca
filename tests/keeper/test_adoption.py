"""Sessions that the next server adopts: their ptys, rings, metadata and ends."""

from __future__ import annotations

import mmap
import os

import pytest
from harness import until
from keeper_home import Terminal, on_uvloop

from vibetunnel.keeper.errors import KeeperFailed, SpawnFailed
from vibetunnel.keeper.protocol import META_LIMIT


@on_uvloop
async def test_next_server_adopts_the_same_pty_and_the_same_memory(home):
    first = await home.server()
    terminal = await first.start("a", "sh", meta=b"\x00\xff opaque")
    pid = first.pid
    mine = mmap.mmap(first.ring_fd, 8192)
    terminal.write(b"X=kept\n")
    await first.client.close()

    second = await home.server()
    assert second.client.pid == first.client.pid
    (kept,) = await second.adopt()
    assert (kept.session_id, kept.pid, kept.meta, kept.exited) == ("a", pid, b"\x00\xff opaque", None)
    adopted = Terminal(kept.pty_fd)
    adopted.write(b'echo "<$X>"\n')
    await adopted.until(b"<kept>")
    theirs = mmap.mmap(kept.ring_fd, 8192)
    mine[5000:5005] = b"bytes"
    assert theirs[5000:5005] == b"bytes"


@on_uvloop
async def test_output_waits_while_no_server_is_there(home):
    first = await home.server()
    terminal = await first.start("a", "sh")
    terminal.write(b'read line; echo "<$line>"; kill -STOP $$\n')
    terminal.write(b"words\n")
    await first.client.close()
    first.close(terminal.fd)
    second = await home.server()
    (kept,) = await second.adopt()
    await Terminal(kept.pty_fd).until(b"<words>")


@on_uvloop
async def test_end_without_a_server_is_told_to_the_next(home):
    first = await home.server()
    terminal = await first.start("a", "sh", "-c", "read line; printf last; exit 7")
    os.write(terminal.fd, b"go\n")
    await first.client.close()
    await until(lambda: "ended" in home.log())
    second = await home.server()
    (kept,) = await second.adopt()
    assert (kept.exited.code, kept.exited.signal) == (7, None)
    assert b"last" in await Terminal(kept.pty_fd).rest()  # the pty is kept until it is released
    assert second.exits == {}


@on_uvloop
async def test_sessions_come_back_in_the_order_of_their_start(home):
    server = await home.server()
    server.client.note("created", b"1")
    await server.start("first", "cat", meta=b"2")
    server.client.note("later", b"3")
    await server.start("second", "true", meta=b"4")
    await server.exit("second")
    await server.start("later", "cat", meta=b"5")
    kept = await server.adopt()
    assert [(one.session_id, one.meta) for one in kept] == [
        ("created", b"1"), ("first", b"2"), ("second", b"4"), ("later", b"5"),
    ]  # fmt: skip
    assert [one.pid is None for one in kept] == [True, False, False, False]
    assert [one.pty_fd >= 0 for one in kept] == [False, True, True, True]
    assert [one.exited is not None for one in kept] == [False, False, True, False]


@on_uvloop
async def test_note_replaces_the_metadata_of_a_running_session(home):
    server = await home.server()
    await server.start("a", "cat", meta=b"old")
    server.client.note("a", b"new")
    assert [one.meta for one in await server.adopt()] == [b"new"]


@on_uvloop
async def test_metadata_has_a_bound_on_both_sides(home):
    server = await home.server()
    server.client.note("a", b"x" * META_LIMIT)
    assert [len(one.meta) for one in await server.adopt()] == [META_LIMIT]
    with pytest.raises(KeeperFailed, match=f"at most {META_LIMIT} bytes, that of a has {META_LIMIT + 1}"):
        server.client.note("a", b"x" * (META_LIMIT + 1))
    with pytest.raises(SpawnFailed, match=f"at most {META_LIMIT} bytes, this has {META_LIMIT + 1}"):
        await server.start("b", "cat", meta=b"x" * (META_LIMIT + 1))


@on_uvloop
async def test_released_session_keeps_its_ring_and_end_but_no_pty(home):
    server = await home.server()
    await server.start("a", "true", meta=b"m")
    await server.exit("a")
    server.client.release("a")
    (kept,) = await server.adopt()
    assert kept.pty_fd == -1
    assert kept.ring_fd >= 0
    assert (kept.exited.code, kept.meta) == (0, b"m")


@on_uvloop
async def test_release_of_a_living_session_waits_for_its_end(home):
    server = await home.server()
    terminal = await server.start("a", "sh")
    server.client.release("a")
    (kept,) = await server.adopt()
    assert kept.pty_fd >= 0
    terminal.write(b"echo $((6 * 7)); exit\n")
    await terminal.until(b"42\r\n")
    await server.exit("a")
    (kept,) = await server.adopt()
    assert kept.pty_fd == -1


@on_uvloop
async def test_forgotten_session_is_gone(home):
    server = await home.server()
    await server.start("a", "true")
    await server.exit("a")
    server.client.note("b", b"")
    server.client.forget("a")
    server.client.forget("b")
    assert await server.adopt() == []


@on_uvloop
async def test_living_session_is_not_forgotten(home, expect_log):
    expect_log(r"^the keeper refused: session a still has process \d+: kill it first$")
    server = await home.server()
    await server.start("a", "cat")
    server.client.forget("a")
    assert [one.session_id for one in await server.adopt()] == ["a"]
