"""What does it cost that 20 tabs of VibeTunnel's own client list 50 sessions every second, and 300?

Measures    the server's processor time for each list, and how much of a core all of them take; ms until a list's last
            byte, p50 and p99. A server that does not create the 300 in 60 s has no figures for them.
How         that client polls: each of 20 tabs asks for all sessions once a second, here on a connection of its own, and
            the tabs are spread evenly over the second. A late answer delays the next request. The programs are `cat` on
            raw PTYs, in a git repository with a change, so that each session has its branch and counts. Each list is
            checked: status, and the number of sessions.
Leaves out  the terminals that the tabs show, output, and the git programs that the Node server starts.
Compares    with the Node server, which is the one that this client was written for.
Run         python -m benchmarks polling
"""

import contextlib
import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.errors import Unavailable, Wrong
from benchmarks.figures import Figures, Row, Target, p50_p99_ms
from benchmarks.http import Http, build
from benchmarks.machine import terminals_left
from benchmarks.peers.node import Node
from benchmarks.peers.ours import Ours
from benchmarks.peers.peer import Server
from benchmarks.programs import ECHO
from benchmarks.scale import Scale

TABS = 20
PLACE = "/tmp"  # for the repository; our server looks only at repositories below its --file-root
PATH = "/api/sessions"
VIEW = {"X-VibeTunnel-View": "node"}  # our server shows sessions as the Node server does
BADGE = b'"gitRepoPath":"'
BADGES_S = 60  # for all sessions to show their repository
CREATE_S = 60  # for the sessions
TOPIC = "HTTP and sessions"
PEERS = (Ours(f"--file-root={PLACE}"), Node())
ROUNDS = 3
WARM_UP = False  # the first lists of each round do not count
HALF = Target(0.5, "node")


def _rows(key: str, sessions: str, *targets: Target) -> tuple[Row, ...]:
    return (
        Row(f"{key}_list", f"list of {sessions}: CPU of the server for each", "ms", ("CPU",), targets=targets),
        Row(f"{key}_cpu", "... 20 tabs list them every second: of a core", "%", ("CPU",), targets=(HALF,)),
        Row(f"{key}_wait", "... a tab waits for the list", "ms", ("p50", "p99")),
    )


ROWS = (*_rows("few", "50 running sessions"), *_rows("polling", "300 of them", Target(1)))


def measure(server: Server, scale: Scale) -> Figures:
    if (left := terminals_left()) < scale.polled:
        raise Unavailable(f"needs {scale.polled} PTYs, the system has {left} left (/proc/sys/kernel/pty/max)")
    with tempfile.TemporaryDirectory(dir=PLACE, prefix="vtb-") as folder:
        _repository(Path(folder))
        figures: Figures = {}
        there = 0
        for key, count in (("few", scale.polled_few), ("polling", scale.polled)):
            created = _create(server, count - there, folder)
            there += created
            if there < count:
                why = f"{created} sessions more in {CREATE_S} s: not {count}"
                figures |= {row.key: why for row in ROWS if row.key.startswith(f"{key}_")}
            else:
                figures |= _polled(key, server, count, scale.polled_s)
        return figures


def _polled(key: str, server: Server, count: int, seconds: float) -> Figures:
    request = build(server.address, "GET", PATH, headers=VIEW)
    _wait_for_badges(server, request, count)
    with contextlib.ExitStack() as opened:
        tabs = [opened.enter_context(contextlib.closing(Http(server.address))) for _ in range(TABS)]
        _poll(tabs, request, count, 1)
        before, began = processes.cpu_ms(server.pids()), time.monotonic()
        took_s = _poll(tabs, request, count, seconds)
        used_ms, passed_s = processes.cpu_ms(server.pids()) - before, time.monotonic() - began
    return {
        f"{key}_list": (used_ms / len(took_s),),
        f"{key}_cpu": (used_ms / passed_s / 10,),
        f"{key}_wait": p50_p99_ms(took_s),
    }


def _repository(folder: Path) -> None:
    (folder / "a").write_text("1\n")
    author = ("-c", "user.name=a", "-c", "user.email=a@localhost")
    for command in (("init", "-q", "-b", "main"), ("add", "a"), (*author, "commit", "-q", "-m", "first")):
        try:
            subprocess.run(("git", *command), cwd=folder, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise Unavailable(f"git: {error}") from None
    (folder / "a").write_text("2\n")


def _create(server: Server, count: int, folder: str) -> int:
    """Create `count` sessions, or as many as the server creates in CREATE_S. Returns how many there are."""
    body = {"command": ["/bin/sh", "-c", ECHO], "workingDir": folder, "rows": 24, "cols": 80, "spawn": "now"}
    request = build(server.address, "POST", PATH, body)
    give_up = time.monotonic() + CREATE_S
    with contextlib.closing(Http(server.address)) as http:
        for created in range(count):
            if time.monotonic() > give_up:
                return created
            _, status, answer = http.exchange(request)
            if status not in (200, 201):
                raise Wrong(f"POST {PATH}: expected 200 or 201, got {status}: {bytes(answer[:300])!r}")
    return count


def _wait_for_badges(server: Server, request: bytes, count: int) -> None:
    give_up = time.monotonic() + BADGES_S
    with contextlib.closing(Http(server.address)) as http:
        while (found := bytes(http.exchange(request)[2]).count(BADGE)) != count:
            if time.monotonic() > give_up:
                raise Wrong(f"GET {PATH}: expected {count} sessions in a repository, got {found}")
            time.sleep(0.1)
        sessions: list[dict[str, Any]] = json.loads(bytes(http.exchange(request)[2]))
    if {each["status"] for each in sessions} != {"running"}:
        raise Wrong("a session that has started is not `running`")


def _poll(tabs: list[Http], request: bytes, count: int, seconds: float) -> list[float]:
    """Let each tab list once a second. Returns how long each list took, in s."""
    took_s: list[float] = []
    began = time.monotonic()
    while not took_s or time.monotonic() < began + seconds:
        number = len(took_s)
        time.sleep(max(0, began + number / TABS - time.monotonic()))
        took_ns, status, body = tabs[number % TABS].exchange(request)
        if status != 200 or bytes(body).count(BADGE) != count:
            raise Wrong(f"GET {PATH}: expected 200 and {count} sessions, got {status}: {bytes(body[:300])!r}")
        took_s.append(took_ns / 1e9)
    return took_s
