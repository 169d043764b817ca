"""Signals, and the killing of sessions: which processes end, when, and which live on."""

from __future__ import annotations

import asyncio
import errno
import os
import signal

import pytest
from harness import until
from keeper_home import alive, members, on_uvloop, words

from vibetunnel.keeper import processes
from vibetunnel.keeper.errors import KeeperFailed


@on_uvloop
async def test_jobs_outlive_a_shell_that_exits_by_itself(home):
    server = await home.server()
    terminal = await server.start("a", "sh", "-c", "trap '' HUP; sleep 1000 >/dev/null & echo job=$!.")
    job = int((await terminal.until(b".")).split(b"=")[1][:-1])
    try:
        await server.exit("a")
        assert await until(lambda: server.left.get("a")) == 1
        assert alive(job)
    finally:
        os.kill(job, signal.SIGKILL)


@on_uvloop
async def test_kill_leaves_nothing_of_the_session(home):
    server = await home.server()
    terminal = await server.start("a", "bash", "--norc", "-i")
    leader = server.pid
    terminal.write(b"sleep 1001 & sleep 1002 & kill -STOP %2; (trap '' HUP; sleep 1003) & echo made; sleep 1004\n")
    await terminal.until(b"made\r\n")
    await until(lambda: len(members(leader)) >= 5)
    pids = members(leader)
    await server.client.kill("a", 5)
    assert members(leader) == set()
    assert not any(alive(pid) for pid in pids)
    assert server.exits["a"].signal == signal.SIGHUP


@on_uvloop
async def test_program_that_ignores_hup_and_term_is_killed_after_the_grace(home):
    server = await home.server()
    terminal = await server.start("a", "sh", "-c", "trap '' HUP TERM; sleep 1000 & echo ready; wait; sleep 1000")
    await terminal.until(b"ready")
    await server.client.kill("a", 0.2)
    exited = server.exits["a"]
    assert (exited.code, exited.signal, exited.reason) == (137, 9, "ended by SIGKILL")
    assert members(server.pid) == set()


@on_uvloop
async def test_program_has_its_grace_to_put_things_in_order(home):
    server = await home.server()
    script = "trap 'echo bye; exit 5' TERM; trap '' HUP; echo ready; while :; do sleep 0.05; done"
    terminal = await server.start("a", "sh", "-c", script)
    await terminal.until(b"ready")
    await server.client.kill("a", 60)
    assert server.exits["a"].code == 5
    assert b"bye" in await terminal.rest()


@on_uvloop
async def test_program_that_made_its_own_session_lives_on(home):
    server = await home.server()
    terminal = await server.start("a", "sh", "-c", "setsid sh -c 'echo own=$$.; exec sleep 1000' & wait")
    own = int((await terminal.until(b".")).split(b"=")[1][:-1])
    try:
        await server.client.kill("a", 5)
        assert alive(own)
    finally:
        os.kill(own, signal.SIGKILL)


@on_uvloop
async def test_keeper_serves_others_while_a_kill_waits_and_a_shorter_grace_counts(home):
    server = await home.server()
    terminal = await server.start("a", "sh", "-c", "trap '' HUP TERM; echo ready; while :; do sleep 0.05; done")
    await terminal.until(b"ready")
    slow = asyncio.create_task(server.client.kill("a", 60))
    assert words(await server.output("echo", "served")) == ["served"]
    assert not slow.done()
    await server.client.kill("a", 0)
    await slow
    assert server.exits["a"].signal == signal.SIGKILL


@on_uvloop
async def test_kill_goes_on_when_its_server_leaves(home):
    first = await home.server()
    terminal = await first.start("a", "sh", "-c", "trap '' HUP TERM; echo ready; while :; do sleep 0.05; done")
    await terminal.until(b"ready")
    task = asyncio.create_task(first.client.kill("a", 0.2))
    await asyncio.sleep(0)  # so that the task sends its request
    await first.client.close()
    with pytest.raises(KeeperFailed):
        await task
    second = await home.server()
    await until(lambda: "ended" in home.log())
    (kept,) = await second.adopt()
    assert kept.exited.signal == signal.SIGKILL


@on_uvloop
async def test_signal_reaches_the_foreground_job_and_not_the_shell(home):
    server = await home.server()
    terminal = await server.start("a", "bash", "--norc", "-i")
    terminal.write(b"sh -c 'echo job=up; exec sleep 1000'; echo status=$?.\n")
    await terminal.until(b"job=up\r\n")  # before that, bash may still be starting the job
    await server.client.signal("a", signal.SIGTERM, group="foreground")
    await terminal.until(b"status=143.")
    terminal.write(b"echo $((6 * 7))\n")
    await terminal.until(b"42\r\n")


@on_uvloop
async def test_signal_reaches_every_process_of_the_session(home):
    server = await home.server()
    terminal = await server.start("a", "bash", "--norc", "-i")
    leader = server.pid
    terminal.write(
        b"trap 'echo shell=$((6 * 7))' USR1; for job in one two; do sh -c 'echo up; exec sleep 1000' & done\n"
    )
    await terminal.until(b"up\r\n")
    await terminal.until(b"up\r\n")
    await server.client.signal("a", signal.SIGUSR1, group="session")
    await until(lambda: members(leader) == {leader})
    terminal.write(b"\n")
    await terminal.until(b"shell=42")


@on_uvloop
async def test_requests_for_unknown_sessions_say_so(home):
    server = await home.server()
    await server.start("ended", "true")
    await server.exit("ended")
    for request, reason in [
        (server.client.kill("nope", 1), "no such session: nope"),
        (server.client.signal("nope", 15, group="session"), "no such session: nope"),
        (server.client.signal("ended", 15, group="session"), "session ended has no process"),
        (server.client.signal("ended", 999, group="session"), "no such signal: 999"),
        (server.client.kill("ended", -1), "grace_s must be 0 to 60.0, not -1"),
    ]:
        with pytest.raises(KeeperFailed) as caught:
            await request
        assert str(caught.value) == reason


@on_uvloop
async def test_fifty_sessions_at_once_are_started_and_killed(home):
    server = await home.server()
    names = [f"s{number}" for number in range(50)]
    terminals = await asyncio.gather(*(server.start(name, "sh") for name in names))
    for terminal, name in zip(terminals, names, strict=True):
        terminal.write(f"echo '<'{name}'>'\n".encode())
    for terminal, name in zip(terminals, names, strict=True):
        await terminal.until(f"<{name}>".encode())
    kept = await server.adopt()
    assert [one.session_id for one in kept] == names
    pids = {one.pid for one in kept}
    await asyncio.gather(*(server.client.kill(name, 5) for name in names))
    assert set(server.exits) == set(names)
    assert pids.isdisjoint(process.session for process in processes.living())


def test_ps_finds_the_processes_that_proc_has():
    mine = processes.Process(os.getpid(), os.getpgrp(), os.getsid(0))
    assert mine in processes.living()
    assert mine in processes._from_ps()


def test_look_at_the_processes_leaves_none_out_for_want_of_a_descriptor(monkeypatch):
    def no_descriptor_left(*_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "listdir", lambda path: ["1"])
    monkeypatch.setattr(os, "open", no_descriptor_left)
    with pytest.raises(OSError, match="Too many open files"):
        list(processes._from_proc())
