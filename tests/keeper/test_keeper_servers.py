"""The servers of one keeper: only one at a time, and what happens when either side is killed or gives up."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys

import pytest
from harness import until
from keeper_home import ROOT, altered_keeper, descriptors, on_uvloop, ps

from vibetunnel.keeper import client as client_module
from vibetunnel.keeper import processes
from vibetunnel.keeper.errors import KeeperBusy, KeeperFailed, KeeperLost, SpawnFailed


@on_uvloop
async def test_second_server_is_told_who_holds_the_keeper(home):
    first = await home.server()
    with pytest.raises(KeeperBusy, match=f"serves another server, process {os.getpid()}") as caught:
        await home.server()
    assert caught.value.holder == os.getpid()
    assert not first.lost.is_set()
    await first.client.close()
    await home.server()


@on_uvloop
async def test_server_that_has_just_gone_is_not_in_the_way(home):
    server = await home.server()
    await server.start("a", "cat")
    for number in range(20):
        server.client.note("a", f"{number}".encode())  # sent before the end, so it counts
        server.client._channel.sock.shutdown(socket.SHUT_RDWR)
        server = await home.server()
        (kept,) = await server.adopt()
        assert kept.meta == f"{number}".encode()
        server.close(kept.pty_fd, kept.ring_fd)


@on_uvloop
async def test_servers_that_start_at_once_make_one_keeper(home):
    results = await asyncio.gather(*(home.server() for _ in range(6)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["KeeperBusy"] * 5 + ["Server"]
    assert home.log().count("listens") == 1


@on_uvloop
async def test_socket_of_a_dead_keeper_is_not_in_the_way(home):
    server = await home.server()
    os.kill(server.client.pid, signal.SIGKILL)
    await server.lost.wait()
    assert (home.folder / "keeper.sock").exists()
    again = await home.server()
    assert again.client.pid != server.client.pid
    assert await again.adopt() == []


@on_uvloop
async def test_lost_keeper_is_reported_once_and_pending_requests_fail(home):
    server = await home.server()
    terminal = await server.start("a", "sh", "-c", "trap '' HUP TERM; echo ready; while read line; do echo $line; done")
    await terminal.until(b"ready")
    waiting = asyncio.create_task(server.client.kill("a", 60))
    await server.client.signal("a", signal.SIGCONT, group="session")
    os.kill(server.client.pid, signal.SIGKILL)
    with pytest.raises(KeeperFailed, match="the keeper is lost"):
        await waiting
    await server.lost.wait()
    with pytest.raises(KeeperFailed, match="the keeper is lost"):
        await server.adopt()
    server.client.note("a", b"")  # not awaited, so it raises no error
    terminal.write(b"here\n")  # a keeper's death hangs up on no program whose master the server has, too
    await terminal.until(b"here\r\nhere")
    await server.client.close()
    await server.client.close()


@on_uvloop
async def test_keeper_that_does_not_answer_is_an_error_in_time(home, monkeypatch):
    server = await home.server()
    os.kill(server.client.pid, signal.SIGSTOP)
    try:
        monkeypatch.setattr(client_module, "ANSWER_S", 0.05)
        with pytest.raises(KeeperFailed, match=f"keeper {server.client.pid} did not answer spawn within 0.05 s"):
            await server.start("a", "cat")
    finally:
        os.kill(server.client.pid, signal.SIGCONT)
    # No task awaits the late answer: its process is killed, and its name is free again.
    await until(lambda: "ended" in home.log())
    monkeypatch.undo()
    terminal = await server.start("a", "echo", "again")
    await terminal.until(b"again")


@pytest.mark.parametrize(("program", "started"), [("/bin/cat", True), ("/bin/nope", False)])
def test_session_that_is_forgotten_while_its_start_is_given_up_is_gone_without_a_word(
    home, monkeypatch, program, started
):
    @on_uvloop
    async def check():
        server = await home.server()
        server.client.note("a", b"created")
        os.kill(server.client.pid, signal.SIGSTOP)
        try:
            monkeypatch.setattr(client_module, "ANSWER_S", 0.05)
            with pytest.raises(KeeperFailed, match="did not answer spawn"):
                await server.start("a", program)
            server.client.forget("a")
        finally:
            os.kill(server.client.pid, signal.SIGCONT)
        while kept := await server.adopt():
            server.close(*(fd for one in kept for fd in (one.pty_fd, one.ring_fd) if fd >= 0))
        assert ("session a: process" in home.log()) is started
        assert server.exits == {}

    check()


@on_uvloop
async def test_cancelled_spawn_leaves_nothing(home):
    server = await home.server()
    before = descriptors()
    for _ in range(5):
        task = asyncio.create_task(server.start("a", "cat"))
        await asyncio.sleep(0)  # so that the request is sent
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    while kept := await server.adopt():
        server.close(kept[0].pty_fd, kept[0].ring_fd)
        await asyncio.sleep(0.01)
    assert descriptors() == before


@on_uvloop
async def test_server_killed_while_it_spawns_leaves_nothing_unknown(home):
    script = """
import asyncio, sys
from pathlib import Path
from vibetunnel.keeper.client import KeeperClient, SpawnOrder

async def main():
    client = await KeeperClient.connect(Path(sys.argv[1]), on_exit=print, on_lost=print)
    print("ready", flush=True)
    async with asyncio.TaskGroup() as group:
        for number in range(200):
            group.create_task(client.spawn(SpawnOrder(f"s{number}", ["cat"], "/", meta=b"kept")))

asyncio.run(main())
"""
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(home.folder), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert await victim.stdout.readline() == b"ready\n"
    await until(lambda: ": process" in home.log())
    victim.kill()
    await victim.wait()
    server = await home.server()
    kept = await server.adopt()
    assert kept
    assert all(one.meta == b"kept" for one in kept)
    children = {process.pid for process in processes.living() if ps("ppid", process.pid) == str(server.client.pid)}
    assert children == {one.pid for one in kept}
    # No later spawn of the dead server follows.
    for one in kept:
        server.close(one.pty_fd, one.ring_fd)
    assert len(await server.adopt()) == len(kept)


@on_uvloop
async def test_everything_that_a_server_sent_before_it_died_is_carried_out(home):
    server = await home.server()
    server.client.note("removed", b"")
    await server.client.close()
    peer = home.raw()
    assert peer.ask(type="hello", version=1, pid=1)["type"] == "welcome"
    os.kill(server.client.pid, signal.SIGSTOP)  # so that it answers a server that is gone
    spawn = {"argv": ["cat"], "cwd": "/", "env": {}, "rows": 24, "cols": 80, "ring_bytes": 32768, "meta": ""}
    peer.send(type="spawn", request=1, session="a", announce=True, **spawn)
    peer.send(type="spawn", request=2, session="b", **spawn)
    peer.send(type="forget", session="removed")
    peer.close()
    os.kill(server.client.pid, signal.SIGCONT)
    kept = await (await home.server()).adopt()
    assert {one.session_id: one.pid is not None for one in kept} == {"a": True, "b": True}


@on_uvloop
async def test_start_is_announced_to_a_server_that_asks_for_it(home):
    await (await home.server()).client.close()
    peer = home.raw()
    assert peer.ask(type="hello", version=1, pid=1)["announces"] is True
    spawn = {"argv": ["cat"], "cwd": "/", "env": {}, "rows": 24, "cols": 80, "ring_bytes": 32768, "meta": ""}
    assert peer.ask(type="spawn", request=1, session="a", **spawn)["type"] == "spawned"
    assert peer.ask(type="spawn", request=2, session="b", announce=True, **spawn) == {"type": "starting", "request": 2}
    assert peer.receive()["type"] == "spawned"
    assert (
        peer.ask(type="spawn", request=3, session="c", announce=True, **spawn | {"argv": ["/nope"]})["type"] == "failed"
    )


@on_uvloop
async def test_start_whose_announcement_is_lost_with_the_connection_is_not_made(home):
    fails = (
        "from vibetunnel.keeper import peers; real = peers.Channel.send; peers.Channel.send = lambda self, fields, "
        "fds=None: open('/nowhere') if fields['type'] == 'starting' else real(self, fields, fds)"
    )
    keeper = await asyncio.create_subprocess_exec(*altered_keeper(home.folder, fails), "--detach", cwd=ROOT)
    assert await keeper.wait() == 0
    first = await home.server()
    with pytest.raises(KeeperLost) as caught:
        await first.start("a", "cat")
    assert caught.value.undone
    second = await home.server()
    assert await second.adopt() == []


@on_uvloop
async def test_session_that_an_earlier_keeper_started_is_kept_but_never_started(home):
    server = await home.server()
    server.client.note("a", b"meta", started=True)
    server.client.note("a", b"again")  # never undone
    with pytest.raises(SpawnFailed, match="has been started already"):
        await server.start("a", "cat")
    (kept,) = await server.adopt()
    assert (kept.pid, kept.meta, kept.exited) == (None, b"again", None)
