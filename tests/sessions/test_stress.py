"""A real server process under load and under the axe: every byte arrives, and no shell notices that the server died."""

import hashlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pump_peer import Peer, connect
from server_process import ServerProcess

from vibetunnel import protocol

CLIENT = "4f2f6a3e-0b86-4d8c-9d2b-5b0a51b4c0de"
OUTPUT = 100_000_000  # bytes
PASTE = 10_000_000  # bytes


class LoadedServer(ServerProcess):
    """A server process and the blocking clients of its terminals."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.peers: list[Peer] = []
        super().__init__(folder, *options)

    def sh(self, script: str) -> str:
        """The id of a new session that runs `script`."""
        return self.session(["sh", "-c", script])

    def attach(self, session: str, query: str = "", *, v1: bool = True) -> Peer:
        peer = connect(self.port, f"/ws?sessionId={session}{query}", v1=v1, headers=self.bearer)
        self.peers.append(peer)
        return peer

    def close(self) -> None:
        for peer in self.peers:
            peer.close()
        super().close()


@pytest.fixture
def run(folder: Path) -> Iterator[Callable[..., LoadedServer]]:
    servers: list[LoadedServer] = []

    def start(*options: str) -> LoadedServer:
        servers.append(LoadedServer(folder, "--kill-on-exit", *options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class Hashed(Peer):
    """A peer that keeps a checksum of its output instead of the output."""

    digest: Any
    total: int

    @classmethod
    def of(cls, peer: Peer) -> "Hashed":
        peer.__class__ = cls
        assert isinstance(peer, Hashed)
        peer.digest, peer.total = hashlib.sha256(), 0
        return peer

    def step(self) -> bool:
        more = super().step()
        self.digest.update(self.output)
        self.total += len(self.output)
        self.output = b""
        return more


# Prints OUTPUT bytes that never repeat in step with any buffer, and can be made again by the test.
GENERATOR = (
    "b''.join(b'%07d \\x1b[3%dm%s\\x1b[0m\\n' % (i, i % 8, b'x' * (i % 61)) for i in range({start}, {start} + 10000))"
)
PRINT = f"""stty -opost; exec {sys.executable} -c "
import sys
left, start = {OUTPUT}, 0
while left:
    piece = {GENERATOR.format(start="start").replace(chr(92), chr(92) * 2)}[:left]
    sys.stdout.buffer.write(piece)
    left -= len(piece)
    start += 10000
" """


def expected_output() -> str:
    digest, left, start = hashlib.sha256(), OUTPUT, 0
    while left:
        piece = b"".join(
            b"%07d \x1b[3%dm%s\x1b[0m\n" % (i, i % 8, b"x" * (i % 61)) for i in range(start, start + 10000)
        )[:left]
        digest.update(piece)
        left -= len(piece)
        start += 10000
    return digest.hexdigest()


@pytest.mark.parametrize("v1", [False, True], ids=["raw", "v1"])
def test_a_hundred_megabytes_of_output_arrive_with_the_right_sha256(run: Callable[..., LoadedServer], v1: bool) -> None:
    server = run()
    peer = Hashed.of(server.attach(server.sh(PRINT), v1=v1))
    peer.until_over()
    assert peer.total == OUTPUT
    assert peer.digest.hexdigest() == expected_output()
    assert peer.close_code == 1000


def test_a_paste_of_ten_megabytes_arrives_with_the_right_sha256(run: Callable[..., LoadedServer]) -> None:
    paste = os.urandom(1_000_000) * (PASTE // 1_000_000)
    server = run()
    peer = server.attach(server.sh(f"stty raw -echo; echo go; head -c {PASTE} | sha256sum"), f"&client={CLIENT}")
    peer.until(b"go")

    sender = threading.Thread(target=peer.paste, args=(paste,))
    sender.start()
    peer.until(b"  -")
    sender.join()
    assert hashlib.sha256(paste).hexdigest().encode() in peer.output


def test_two_hundred_sessions_with_two_clients_each_all_get_their_own(run: Callable[..., LoadedServer]) -> None:
    server = run()
    sessions = [server.sh("stty raw -echo; echo ready; exec cat") for _ in range(200)]
    pairs = [(server.attach(session, "&since=0"), server.attach(session, "&since=0", v1=False)) for session in sessions]
    for number, (first, _) in enumerate(pairs):
        first.until(b"ready")  # the terminal echoes what comes before
        first.type_in(b"<%d>" % number)
    for number, pair in enumerate(pairs):
        for peer in pair:
            peer.until(b"<%d>" % number)
            assert peer.output == b"ready\n<%d>" % number
    assert {session["clients"] for session in server.ask("GET", "/api/sessions")} == {2}


def test_a_counter_misses_and_repeats_nothing_across_three_killed_servers(run: Callable[..., LoadedServer]) -> None:
    server = run()
    count = f"{sys.executable} -uc 'import time\nfor i in range(10**9): print(i); time.sleep(0.0005)'"
    session = server.sh(count)
    pid = 0
    counted = b""
    peer = server.attach(session, f"&client={CLIENT}")
    for _ in range(3):
        start = len(peer.output)
        peer.until(lambda start=start, peer=peer: len(peer.output) > start + 2000)
        pid = pid or server.ask("GET", f"/api/sessions/{session}")["pid"]
        server.kill()
        peer.until_over()
        counted += peer.output
        server.start()
        found = server.ask("GET", f"/api/sessions/{session}")
        assert (found["status"], found["pid"]) == ("running", pid)
        since = peer.offset
        peer = server.attach(session, f"&client={CLIENT}&since={since}")
        assert peer.message(protocol.Hello).start == since
    peer.until(lambda: len(peer.output) > 2000)
    lines = (counted + peer.output).split(b"\r\n")[:-1]
    assert lines == [b"%d" % i for i in range(len(lines))]


def test_a_flood_misses_and_repeats_nothing_when_the_server_is_killed_inside_a_read(
    run: Callable[..., LoadedServer],
) -> None:
    server = run("--ring-bytes", str(1 << 23))
    whole = b"".join(b"%d\n" % i for i in range(1, 700001))
    for megabytes in (0.3, 1.1, 2.2, 3.6):
        session = server.sh("stty -opost; seq 1 700000; exec cat")
        peer = server.attach(session)
        peer.until(lambda peer=peer, enough=megabytes * 1e6: len(peer.output) > enough)
        server.kill()
        peer.until_over()
        server.start()
        again = server.attach(session, f"&since={peer.offset}")
        left = len(whole) - len(peer.output)
        again.until(lambda again=again, left=left: len(again.output) >= left)
        assert peer.output + again.output == whole


def test_typing_goes_on_after_a_kill_and_unaccepted_input_is_sent_again_once(
    run: Callable[..., LoadedServer],
) -> None:
    server = run()
    session = server.sh("stty -echo; echo go; exec cat")
    peer = server.attach(session, f"&client={CLIENT}")
    peer.until(b"go")
    peer.type_in(b"one\n")
    peer.until(b"one\r\n")
    server.kill()
    peer.until_over()
    server.start()
    again = server.attach(session, f"&client={CLIENT}&since={peer.offset}")
    assert again.message(protocol.Hello).accepted == 4
    again.type_in(b"one\n")  # what a client does that has not heard how much was accepted
    again.type_in(b"two\n")
    again.until(b"two\r\n")
    assert again.output == b"two\r\n"


def test_a_stopped_server_says_1001_and_the_shells_live_on(folder: Path) -> None:
    server = LoadedServer(folder)
    session = server.sh("exec cat")
    peer = server.attach(session)
    peer.type_in(b"before\n")
    peer.until(b"before\r\nbefore\r\n")
    pid = server.ask("GET", f"/api/sessions/{session}")["pid"]
    server.process.send_signal(signal.SIGTERM)
    peer.until_over()
    assert peer.close_code == 1001
    server.wait()
    assert server.process.returncode == 0
    os.kill(pid, 0)
    server.start()
    again = server.attach(session, f"&since={peer.offset}")
    again.type_in(b"after\n")
    again.until(b"after\r\nafter\r\n")
    again.close()
    peer.close()
    server.process.send_signal(signal.SIGTERM)
    server.wait()
    server.options = ("--kill-on-exit",)
    server.start()
    assert server.ask("GET", f"/api/sessions/{session}")["status"] == "running"
    server.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
