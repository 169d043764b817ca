"""Programs that the keeper starts: arguments, environment, signals, and the reasons of failed starts."""

from __future__ import annotations

import asyncio
import os
import resource
import signal

import pytest
from harness import no_more
from keeper_home import LIMITS, descriptors, on_asyncio, on_uvloop, words

from vibetunnel.keeper import client, ring
from vibetunnel.keeper.channel import Channel
from vibetunnel.keeper.client import SpawnOrder
from vibetunnel.keeper.errors import KeeperFailed, NoResources, SpawnFailed
from vibetunnel.keeper.protocol import DESCRIPTORS_LIMIT, FRAME_LIMIT


@on_uvloop
async def test_shell_answers_on_the_pty_that_was_handed_over(home):
    server = await home.server()
    terminal = await server.start("a", "sh")
    terminal.write(b"echo $((6 * 7))\n")
    await terminal.until(b"42\r\n")
    terminal.write(b"exit 3\n")
    exited = await server.exit("a")
    assert (exited.session_id, exited.code, exited.signal, exited.reason) == ("a", 3, None, None)


@on_asyncio
async def test_shell_answers_under_plain_asyncio_too(home):
    server = await home.server()
    terminal = await server.start("a", "sh")
    terminal.write(b"echo $((6 * 7))\n")
    await terminal.until(b"42\r\n")
    await server.client.kill("a", 5)
    assert server.exits["a"].signal in (signal.SIGHUP, signal.SIGTERM)


@on_uvloop
async def test_program_gets_its_arguments_folder_and_size(home):
    server = await home.server()
    script = 'echo "$0|$1|$2"; pwd; stty size'
    printed = await server.output("sh", "-c", script, "zero", "one two", "ä'\"", cwd="/usr", rows=33, cols=111)
    assert printed.decode().splitlines() == ["zero|one two|ä'\"", "/usr", "33 111"]


@on_uvloop
async def test_program_begins_with_what_its_server_sends_and_not_with_the_keepers_environment(home, monkeypatch):
    monkeypatch.setenv("OF_THE_KEEPER", "stale")
    server = await home.server()
    base = {"KEPT": "yes", "TERM": "dumb", "PATH": os.environ["PATH"], "COLORTERM": "dumb", "HOME": "/nowhere"}
    printed = await server.output("env", base=base, env={"ADDED": "1", "COLORTERM": "mine"}, cwd="/usr")
    seen = dict(line.split("=", 1) for line in printed.decode().splitlines())
    assert "OF_THE_KEEPER" not in seen
    own = {"TERM": "xterm-256color", "ADDED": "1", "COLORTERM": "mine", "PWD": "/usr"}
    expected = base | own | {"VIBETUNNEL_SESSION_ID": "output"}
    assert {name: seen.get(name) for name in expected} == expected


@on_uvloop
async def test_server_that_sends_no_environment_gets_that_of_the_account(home, monkeypatch):
    monkeypatch.setenv("VIBETUNNEL_SECRET", "hunter2")
    server = await home.server()
    printed = await server.output("env")
    assert b"hunter2" not in printed
    seen = dict(line.split("=", 1) for line in printed.decode().splitlines())
    assert {"HOME", "SHELL", "USER", "LOGNAME", "PATH", "TERM"} <= seen.keys()


@on_uvloop
async def test_session_id_cannot_be_overridden(home):
    server = await home.server()
    printed = await server.output("sh", "-c", "echo $VIBETUNNEL_SESSION_ID", env={"VIBETUNNEL_SESSION_ID": "other"})
    assert words(printed) == ["output"]


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_login_shell_is_one(home, shell):
    @on_uvloop
    async def check():
        server = await home.server()
        terminal = await server.start("a", shell, login=True)
        terminal.write(b'echo "<$0>"\n')
        await terminal.until(f"<-{shell}>".encode())

    check()


@on_uvloop
async def test_program_is_searched_in_the_sessions_own_path(home):
    program = home.folder / "only-here"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    server = await home.server()
    with pytest.raises(SpawnFailed, match="no such command: only-here"):
        await server.start("a", "only-here")
    printed = await server.output("only-here", env={"PATH": f"/nowhere:{home.folder}"})
    assert words(printed) == ["found"]


@on_uvloop
async def test_path_with_a_slash_counts_from_the_sessions_folder(home):
    program = home.folder / "here"
    program.write_text("#!/bin/sh\necho found\n")
    program.chmod(0o755)
    server = await home.server()
    assert words(await server.output("./here", cwd=str(home.folder))) == ["found"]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"argv": ["/bin/nope"]}, "no such file: /bin/nope"),
        ({"argv": ["/etc/passwd/x"]}, "no such file: /etc/passwd/x"),
        ({"argv": ["no-such-thing"], "env": {"PATH": "/bin"}}, "no such command: no-such-thing (searched in /bin)"),
        ({"argv": ["/etc/passwd"]}, "permission denied: /etc/passwd"),
        ({"argv": ["passwd"], "env": {"PATH": "/nope:/etc"}}, "permission denied: /etc/passwd"),
        ({"argv": ["/usr"]}, "is a folder: /usr"),
        ({"argv": ["/dev/null"]}, "not a program: /dev/null"),
        ({"argv": []}, "the command is empty"),
        ({"argv": [""]}, "the command is empty"),
        ({"cwd": "/nope"}, "no such folder: /nope"),
        ({"cwd": "/etc/passwd"}, "not a folder: /etc/passwd"),
        ({"cwd": "etc"}, "the folder must be absolute: 'etc'"),
        ({"argv": ["true", "a\0b"]}, "an argument contains a NUL byte"),
        ({"env": {"A=B": ""}}, "an environment variable has no name, a name with '=', or a NUL byte: 'A=B'"),
        ({"rows": 0}, "rows and cols must be 1 to 65535, not 0 and 80"),
        ({"cols": 70000}, "rows and cols must be 1 to 65535, not 24 and 70000"),
        ({"ring_bytes": 0}, f"ring_bytes must be 1 to {ring.RING_LIMIT}, not 0"),
        ({"session_id": ""}, "a session id is 1 to 128 printable ASCII characters, not ''"),
        ({"argv": ["true", "x" * 200_000]}, "cannot run .*true': Argument list too long"),
    ],
)
def test_command_that_cannot_start_says_why(home, order, reason):
    @on_uvloop
    async def check():
        server = await home.server()
        whole = {"session_id": "a", "argv": ["true"], "cwd": "/", **order}
        with pytest.raises(SpawnFailed) as caught:
            await server.spawn(SpawnOrder(**whole))
        if ".*" in reason:
            caught.match(reason)
        else:
            assert str(caught.value) == reason
        assert await server.adopt() == []

    check()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("#!/no/such/interpreter\n", "cannot run {}: its interpreter does not exist"),
        ("neither binary nor script\n", "cannot run '{}': Exec format error"),
    ],
)
def test_file_that_exec_refuses_says_why(home, content, reason):
    @on_uvloop
    async def check():
        program = home.folder / "program"
        program.write_text(content)
        program.chmod(0o755)
        server = await home.server()
        with pytest.raises(SpawnFailed) as caught:
            await server.start("a", str(program))
        assert str(caught.value) == reason.format(program)

    check()


@on_uvloop
async def test_only_the_three_standard_descriptors_reach_the_program(home):
    server = await home.server()
    for name in ("a", "b", "c"):
        await server.start(name, "cat")
    # Descriptor 3 is the folder that ls reads.
    assert words(await server.output("ls", "/dev/fd")) == ["0", "1", "2", "3"]


@on_uvloop
async def test_ignored_and_blocked_signals_of_the_server_do_not_reach_the_program(home):
    ignored = signal.signal(signal.SIGINT, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        server = await home.server()
    finally:
        signal.signal(signal.SIGINT, ignored)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    terminal = await server.start("a", "sh", "-c", "echo ready; exec sleep 1000")
    await terminal.until(b"ready")
    terminal.write(b"\x03")
    assert (await server.exit("a")).signal == signal.SIGINT
    await server.start("b", "sh", "-c", "kill -USR1 $$; echo went on")
    exited = await server.exit("b")
    assert (exited.code, exited.signal, exited.reason) == (128 + 10, 10, "ended by SIGUSR1")


@on_uvloop
async def test_program_has_the_servers_limit_of_open_files(home):
    server = await home.server()
    assert words(await server.output("sh", "-c", "ulimit -n")) == [str(LIMITS[0])]


@on_uvloop
async def test_erase_key_removes_a_whole_character(home):
    server = await home.server()
    terminal = await server.start("a", "sh", "-c", 'echo ready; read line; echo "<$line>"')
    await terminal.until(b"ready")
    terminal.write("aé\x7fb\n".encode())
    await terminal.until(b"<ab>")


@on_uvloop
async def test_session_cannot_be_started_twice(home):
    server = await home.server()
    await server.start("a", "cat")
    with pytest.raises(SpawnFailed, match="session a has been started already"):
        await server.start("a", "cat")


@on_uvloop
async def test_order_larger_than_a_frame_is_refused(home):
    server = await home.server()
    with pytest.raises(SpawnFailed, match=f"at most {FRAME_LIMIT} bytes"):
        await server.start("a", "true", env={"BIG": "x" * FRAME_LIMIT})
    assert words(await server.output("echo", "still here")) == ["still", "here"]


@on_uvloop
async def test_failed_start_keeps_the_noted_metadata(home):
    server = await home.server()
    server.client.note("a", b"created")
    with pytest.raises(SpawnFailed):
        await server.start("a", "/bin/nope", meta=b"starting")
    (kept,) = await server.adopt()
    assert (kept.session_id, kept.pid, kept.meta) == ("a", None, b"created")


@on_uvloop
async def test_master_and_ring_are_close_on_exec(home):
    server = await home.server()
    spawned = await server.spawn(SpawnOrder("a", ["cat"], "/"))
    assert not os.get_inheritable(spawned.pty_fd)
    assert not os.get_inheritable(spawned.ring_fd)


@on_uvloop
async def test_ring_is_zeroed_memory_of_the_asked_size(home):
    server = await home.server()
    spawned = await server.spawn(SpawnOrder("a", ["cat"], "/", ring_bytes=65536))
    assert os.fstat(spawned.ring_fd).st_size == 4096 + 65536 + 2 * 1024 * 1024
    assert os.pread(spawned.ring_fd, 100_000, 0) == bytes(100_000)


@on_uvloop
async def test_start_without_a_descriptor_left_fails_for_now_and_works_later(home):
    server = await home.server()
    server.client.note("a", b"created")
    await server.adopt()  # so that the keeper has read the note
    limit = resource.prlimit(server.client.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(server.client.pid, resource.RLIMIT_NOFILE, (3, limit[1]))
    with pytest.raises(NoResources, match="Too many open files"):
        await server.start("a", "cat")
    resource.prlimit(server.client.pid, resource.RLIMIT_NOFILE, limit)
    assert [(one.session_id, one.pid, one.meta) for one in await server.adopt()] == [("a", None, b"created")]
    await (await server.start("a", "echo", "now")).until(b"now")


@on_uvloop
async def test_server_without_room_for_the_descriptors_is_refused_before_the_start_and_keeps_its_keeper(home):
    server = await home.server()
    refused = pytest.raises(NoResources, match=r"no descriptor is left .* this server has .* raise the limit")
    with no_more(resource.RLIMIT_NOFILE), refused:
        await server.start("a", "cat")
    assert await server.adopt() == []
    await (await server.start("a", "echo", "now")).until(b"now")
    assert not server.lost.is_set()


@on_uvloop
async def test_many_starts_at_once_need_no_more_descriptors_than_their_sessions_and_a_fixed_reserve(home, monkeypatch):
    server = await home.server()
    held, real = [], Channel.receive

    def receive(channel):
        if channel is server.client._channel:
            held.append((server.client._spawning, len(server.client._reserve._held)))
        return real(channel)

    monkeypatch.setattr(Channel, "receive", receive)
    count, reserve = 60, client.STARTS * client.SPAWN_DESCRIPTORS + client.SPARE
    limit = max(descriptors()) + 1 + 2 * count + reserve
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, LIMITS[1]))
    try:
        await asyncio.gather(*(server.start(f"s{number}", "cat") for number in range(count)))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, LIMITS)
    for spawning, kept in held:  # a read frees what it can bring, and no more
        wanted = spawning * client.SPAWN_DESCRIPTORS + client.SPARE
        assert spawning <= client.STARTS
        assert kept == (wanted - DESCRIPTORS_LIMIT if spawning else 0)


@on_uvloop
async def test_start_that_waits_too_long_for_others_has_not_been_made(home, monkeypatch):
    server = await home.server()
    monkeypatch.setattr(client, "ANSWER_S", 0.05)
    for _ in range(client.STARTS):
        await server.client._starts.acquire()
    with pytest.raises(KeeperFailed, match="8 other starts are under way"):
        await server.start("a", "cat")
    monkeypatch.undo()
    assert await server.adopt() == []


@on_uvloop
async def test_descriptors_that_were_lost_on_the_way_are_asked_for_again(home, monkeypatch):
    server = await home.server()
    losses = []

    real = Channel.receive

    def receive(channel):
        if losses or channel is not server.client._channel or not server.client._spawning:
            return real(channel)
        losses.append(None)
        with no_more(resource.RLIMIT_NOFILE):  # another thread has taken the room
            return real(channel)

    monkeypatch.setattr(Channel, "receive", receive)
    await (await server.start("a", "echo", "once")).until(b"once")
    assert losses == [None]
    assert not server.lost.is_set()


@on_uvloop
async def test_adoption_needs_no_descriptor_of_the_keeper_and_none_for_what_the_server_has(home):
    first = await home.server()
    for name in ("a", "b"):
        await first.start(name, "cat")
    limit = resource.prlimit(first.client.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(first.client.pid, resource.RLIMIT_NOFILE, (3, limit[1]))
    with no_more(resource.RLIMIT_NOFILE):
        kept = await first.client.adopt(["a", "b"])
    assert [(one.session_id, one.pty_fd, one.ring_fd) for one in kept] == [("a", -1, -1), ("b", -1, -1)]
    kept = await first.adopt()
    assert all(one.pty_fd >= 0 and one.ring_fd >= 0 for one in kept)
    resource.prlimit(first.client.pid, resource.RLIMIT_NOFILE, limit)
    assert not first.lost.is_set()


@on_uvloop
async def test_full_keeper_still_takes_the_next_server(home):
    first = await home.server()
    limit = resource.prlimit(first.client.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(first.client.pid, resource.RLIMIT_NOFILE, (32, limit[1]))
    started = []
    refusal = ""
    while not refusal:
        try:
            await first.start(f"s{len(started)}", "cat")
            started.append(f"s{len(started)}")
        except NoResources as error:
            refusal = str(error)
    assert "the keeper has 32 (Too many open files)" in refusal
    assert started
    await first.client.close()
    second = await home.server()
    assert [one.session_id for one in await second.adopt()] == started
    await second.client.kill(started[0], 5)
    second.client.forget(started[0])
    await second.start("again", "cat")
