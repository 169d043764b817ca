"""`python -m benchmarks.loop [PLACE...]`: how long one request holds the event loop, at the largest size allowed.

A real server runs in this process, and a client in a thread of its own. A timer on the server's loop notes how much
processor time the loop's thread used since its last call. The longest such time, less the pause between two calls, is
what the request held: neither the machine's load nor other threads count. The figure is the smallest of a few tries.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http.client
import json
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from vibetunnel.keeper.client import KeeperClient
from vibetunnel.security.principal import Role
from vibetunnel.server import Server
from vibetunnel.sessions.model import Order
from vibetunnel.settings import Settings

TRIES = 3
BEAT_S = 0.001
BODY = 1024 * 1024 - 64  # bytes; the server takes 1 MiB
MANY = 10_000
PATIENCE_S = 300


class Beats:
    """The longest processor time that the loop's thread used between two timers."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.longest_s = 0.0
        self._last_s = time.thread_time()
        self._timer = self._loop.call_later(BEAT_S, self._beat)

    def start(self) -> None:
        self.longest_s = 0.0

    def stop(self) -> None:
        self._timer.cancel()

    def _beat(self) -> None:
        now_s = time.thread_time()
        self.longest_s = max(self.longest_s, now_s - self._last_s)
        self._last_s = time.thread_time()
        self._timer = self._loop.call_later(BEAT_S, self._beat)


@dataclass
class Bench:
    """A server, and a client of it that blocks. Call the client's methods in a thread."""

    server: Server
    secret: str
    ids: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None, *, login: bool = True
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE_S)
        sent = {"Authorization": f"Bearer {self.secret}"} if login else {}
        raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if raw is not None:
            sent["Content-Type"] = "application/json"
        try:
            connection.request(method, path, raw, sent | (headers or {}))
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def session(self, command: object, **fields: object) -> str:
        status, body = self.ask("POST", "/api/sessions", {"command": command, "spawn": "now", **fields})
        assert status == 201, body
        return str(json.loads(body)["id"])


Place = Callable[[Bench], Callable[[], object]]
PLACES: dict[str, Place] = {}


def place(what: str) -> Callable[[Place], Place]:
    """Name a place. The function prepares the server, in a thread, and returns the request to measure."""

    def add(make: Place) -> Place:
        PLACES[what] = make
        return make

    return add


# Screens

STYLED = """
import random, sys
rng = random.Random(1)
rows, cols = int(sys.argv[1]), int(sys.argv[2])
for row in range(rows):
    colours = [tuple(rng.randrange(256) for _ in range(4)) for _ in range(cols)]
    line = "".join("\\x1b[38;2;%d;%d;%d;48;2;%d;2;3m&" % each for each in colours)
    sys.stdout.write(line + ("" if row == rows - 1 else "\\r\\n"))
sys.stdout.write("\\x1b]2;drawn\\x07"); sys.stdout.flush(); sys.stdin.read()
"""


def drawn(bench: Bench, rows: int, cols: int, printed: int) -> str:
    """The id of a session on whose screen each cell has colours of its own; the same one for all who ask."""
    name = f"{rows}x{cols}x{printed}"
    if name not in bench.ids:
        made = bench.session([sys.executable, "-c", STYLED, str(printed), str(cols)], rows=rows, cols=cols)
        deadline = time.monotonic() + PATIENCE_S
        while json.loads(bench.ask("GET", f"/api/sessions/{made}")[1]).get("title") != "drawn":
            assert time.monotonic() < deadline, "the screen is not drawn"
            time.sleep(0.1)
        bench.ids[name] = made
    return bench.ids[name]


@place("GET text, all scrollback, 500 columns")
def _text(bench: Bench) -> Callable[[], object]:
    made = drawn(bench, 50, 500, 3000)
    return lambda: bench.ask("GET", f"/api/sessions/{made}/text?first=-10000")


@place("GET html, all scrollback, 500 columns")
def _html(bench: Bench) -> Callable[[], object]:
    made = drawn(bench, 50, 500, 3000)
    return lambda: bench.ask("GET", f"/api/sessions/{made}/html?first=-10000")


@place("GET html, 1000x1000 cells, each with colours of its own")
def _big_html(bench: Bench) -> Callable[[], object]:
    made = drawn(bench, 1000, 1000, 1000)
    return lambda: bench.ask("GET", f"/api/sessions/{made}/html")


@place("GET screen (JSON), the same")
def _json(bench: Bench) -> Callable[[], object]:
    made = drawn(bench, 1000, 1000, 1000)
    return lambda: bench.ask("GET", f"/api/sessions/{made}/screen")


@place("GET snapshot, the same")
def _snapshot(bench: Bench) -> Callable[[], object]:
    made = drawn(bench, 1000, 1000, 1000)
    return lambda: bench.ask("GET", f"/api/sessions/{made}/snapshot")


@place("wait for a text that is not in all of the scrollback")
def _wait_text(bench: Bench) -> Callable[[], object]:
    made = drawn(bench, 50, 500, 3000)
    wanted = {"text": "absent", "fromLine": 0, "timeoutMs": 300}
    return lambda: bench.ask("POST", f"/api/sessions/{made}/wait", wanted)


@place("wait for a regex, a thousand letters")
def _wait_regex(bench: Bench) -> Callable[[], object]:
    made = drawn(bench, 50, 500, 3000)
    wanted = {"regex": "a" * 1000, "timeoutMs": 300}
    return lambda: bench.ask("POST", f"/api/sessions/{made}/wait", wanted)


@place("subscribe 50 snapshot sockets to the 1000x1000 screen")
def _buffers(bench: Bench) -> Callable[[], object]:
    made = drawn(bench, 1000, 1000, 1000)

    def subscribe() -> None:
        message = json.dumps({"type": "subscribe", "sessionId": made}).encode()
        frame = bytes([0x81, 0x80 | len(message)]) + bytes(4) + message
        with contextlib.ExitStack() as opened:
            sockets = [opened.enter_context(upgraded(bench, "/buffers")) for _ in range(50)]
            for each in sockets:
                each.sendall(frame)
            for each in sockets:
                size = 0
                while size < 100_000:
                    size += len(each.recv(1 << 20))

    return subscribe


@contextlib.contextmanager
def upgraded(bench: Bench, path: str) -> Iterator[socket.socket]:
    lines = [
        f"GET {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {bench.secret}", "Upgrade: websocket",
        "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", "",
    ]  # fmt: skip
    with socket.create_connection(("127.0.0.1", bench.server.port), timeout=PATIENCE_S) as opened:
        opened.sendall("\r\n".join(lines).encode())
        assert b" 101 " in opened.recv(4096)
        yield opened


# Bodies and headers


def bodies() -> dict[str, tuple[str, bytes]]:
    n = BODY
    return {
        "a command of one long word": ("/api/sessions", b'{"command": "%b"}' % (b"a" * (n - 20))),
        "a command of many words": ("/api/sessions", b'{"command": "%b"}' % (b"a " * (n // 2 - 20))),
        "a command with an open quote": ("/api/sessions", b"{\"command\": \"'%b\"}" % (b"a " * (n // 2 - 20))),
        "a list of 170,000 arguments": ("/api/sessions", b'{"command": ["x"%b]}' % (b', "a"' * (n // 6))),
        "a long program name": ("/api/sessions", b'{"command": ["%b"]}' % (b"a/" * (n // 2 - 20))),
        "a long folder": ("/api/sessions", b'{"command": ["x"], "workingDir": "%b"}' % (b"a/" * (n // 2 - 50))),
        "a long ~folder": ("/api/sessions", b'{"command": ["x"], "workingDir": "~%b"}' % (b"a" * (n - 50))),
        "70,000 variables": ("/api/sessions", json.dumps({"env": {f"{i:07}": "" for i in range(60_000)}}).encode()),
        "nested 500,000 deep": ("/api/sessions", b'{"x": %b' % (b"[" * (n - 10))),
        "nested objects": ("/api/sessions", b'{"a":' * (n // 5)),
        "100,000 unknown fields": ("/api/sessions", json.dumps({f"k{i}": 0 for i in range(80_000)}).encode()),
        "a wrong type after a long list": ("/api/sessions", b'{"command": ["a"%b, 1]}' % (b', "a"' * (n // 6))),
        "a long wrong choice": ("/api/sessions", b'{"spawn": "%b"}' % (b" - at `$" * (n // 8 - 10))),
        "a wrong value in many variables": (
            "/api/sessions", b'{"env": {%b"b": 1}}' % b"".join(b'"%07d": "",' % i for i in range(70_000)),
        ),
        "not UTF-8 at the end": ("/api/sessions", b'{"name": "%b\xff"}' % (b"a" * (n - 30))),
        "a long name": ("/api/sessions", b'{"name": "%b"}' % ("ж".encode() * (n // 2 - 20))),
        "a long number": ("/api/sessions", b'{"rows": %b}' % (b"1" * (n - 20))),
        "a long password": (
            "/api/auth/password", b'{"userId": "x", "password": "%b"}' % ("ж".encode() * (n // 2 - 50)),
        ),
        "a long code": ("/api/auth/code", b'{"code": "%b"}' % (b"a" * (n - 20))),
        "a long share code": ("/api/auth/share", b'{"code": "%b"}' % (b"a" * (n - 20))),
        "a long refresh token": ("/api/auth/refresh", b'{"refreshToken": "%b"}' % (b"a." * (n // 2 - 20))),
        "a long key": ("/api/users/x/keys", b'{"key": "%b"}' % (b"a " * (n // 2 - 20))),
        "a long token to revoke": ("/api/auth/revoke", b'{"token": "%b"}' % (b"a." * (n // 2 - 20))),
    }  # fmt: skip


def _body(path: str, body: bytes) -> Place:
    return lambda bench: lambda: bench.ask("POST", path, body)


for _what, (_path, _content) in bodies().items():
    place(f"body: {_what}")(_body(_path, _content))


@place("input of 1 MiB by REST")
def _input(bench: Bench) -> Callable[[], object]:
    made = bench.session(["sh", "-c", "stty raw -echo; cat >/dev/null"])
    body = b'{"text": "%b"}' % (b"a" * (BODY - 20))
    return lambda: bench.ask("POST", f"/api/sessions/{made}/input", body)


def headers() -> dict[str, dict[str, str]]:
    n = 31_000
    return {
        "a cookie of 31,000 bytes": {"Cookie": "a=b;" * (n // 4)},
        "31,000 bytes of our cookie": {"Cookie": "vibetunnel=b;" * (n // 13)},
        "a token of 31,000 bytes": {"Authorization": "Bearer " + "a." * (n // 2)},
        "a JWT of 4096 bytes": {"Authorization": f"Bearer {'a' * 1365}.{'b' * 1365}.{'c' * 1364}"},
        "a long Accept-Encoding": {"Accept-Encoding": "gzip;q=0.1," * (n // 11)},
        "a long If-None-Match": {"If-None-Match": '"a",' * (n // 4)},
        "a broken If-None-Match": {"If-None-Match": '"' * n},
        "a long Host": {"Host": "a." * (n // 2)},
        "a long Origin": {"Origin": "http://" + "a." * (n // 2)},
        "a long X-Forwarded-For": {"X-Forwarded-For": "1.2.3.4," * (n // 8)},
        "a long Forwarded": {"Forwarded": "for=1.2.3.4;" * (n // 12)},
        "long WebSocket extensions": {
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Sec-WebSocket-Extensions": 'permessage-deflate; a="\\\\b",' * (n // 29),
        },
        "broken WebSocket extensions": {
            "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Extensions": "a;" + " \t" * (n // 2) + "\\",
        },
    }  # fmt: skip


def _header(sent: dict[str, str]) -> Place:
    def make(bench: Bench) -> Callable[[], object]:
        path = "/ws?sessionId=x" if "Upgrade" in sent else "/"
        return lambda: bench.ask("GET", path, headers=sent, login="Authorization" not in sent and "Cookie" not in sent)

    return make


for _what, _sent in headers().items():
    place(f"header: {_what}")(_header(_sent))


@place("query of 31,000 bytes")
def _query(bench: Bench) -> Callable[[], object]:
    made = bench.session(["cat"])
    return lambda: bench.ask("GET", f"/api/sessions/{made}/text?" + "a=%41&" * 5000)


@place("99 header fields")
def _fields(bench: Bench) -> Callable[[], object]:
    return lambda: bench.ask("GET", "/api/health", headers={f"x{i}": "y" * 280 for i in range(95)})


# Logging in


@place("password: a wrong one")
def _password(bench: Bench) -> Callable[[], object]:
    return lambda: bench.ask("POST", "/api/auth/password", {"userId": "u1", "password": "wrong password"}, login=False)


@place("SSH: a signature by an RSA key of 8192 bits")
def _signature(bench: Bench) -> Callable[[], object]:
    from base64 import b64encode

    def field_of(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    modulus = b"\0" + (((1 << 8192) - 1) ^ 0xFFFE).to_bytes(1024, "big")
    blob = field_of(b"ssh-rsa") + field_of((0xFFFFFFFB).to_bytes(5, "big")) + field_of(modulus)
    key = "ssh-rsa " + b64encode(blob).decode()

    def log_in() -> None:
        challenge = json.loads(bench.ask("POST", "/api/auth/challenge", {"userId": "u1"}, login=False)[1])
        signed = b64encode(b"\1" * 1024).decode()
        wanted = {"challengeId": challenge["challengeId"], "publicKey": key, "signature": signed}
        bench.ask("POST", "/api/auth/ssh-key", wanted, login=False)

    return log_in


# Many of a thing


@place("GET users, 10,000")
def _users(bench: Bench) -> Callable[[], object]:
    return lambda: bench.ask("GET", "/api/users")


@place("PATCH one of 10,000 users")
def _patch(bench: Bench) -> Callable[[], object]:
    return lambda: bench.ask("PATCH", "/api/users/u1", {"role": "viewer"})


@place("POST the last of 10,000 users")
def _add(bench: Bench) -> Callable[[], object]:
    def add_and_remove() -> None:
        bench.ask("POST", "/api/users", {"name": "last", "role": "viewer"})
        bench.ask("DELETE", "/api/users/last")

    return add_and_remove


@place("POST one of 5,000 share links")
def _share(bench: Bench) -> Callable[[], object]:
    made = bench.session(["cat"])
    return lambda: bench.ask("POST", f"/api/sessions/{made}/shares", {})


@place("GET sessions, 10,000, after a change")
def _list(bench: Bench) -> Callable[[], object]:
    def change_and_list() -> None:
        bench.ask("PATCH", f"/api/sessions/{bench.ids['lazy']}", {"name": f"name {time.monotonic_ns()}"})
        bench.ask("GET", "/api/sessions")

    return change_and_list


@place("POST one of 10,000 sessions")
def _create(bench: Bench) -> Callable[[], object]:
    def create_and_remove() -> None:
        _, body = bench.ask("POST", "/api/sessions", {"command": ["x"]})
        bench.ask("DELETE", f"/api/sessions/{json.loads(body)['id']}")

    return create_and_remove


@place("GET metrics, 10,000 sessions")
def _metrics(bench: Bench) -> Callable[[], object]:
    return lambda: bench.ask("GET", "/metrics")


@place("an event to 1,000 listeners")
def _events(bench: Bench) -> Callable[[], object]:
    with_streams = contextlib.ExitStack()
    request = f"GET /api/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {bench.secret}\r\n\r\n".encode()
    for _ in range(1000):
        opened = with_streams.enter_context(socket.create_connection(("127.0.0.1", bench.server.port)))
        opened.sendall(request)
        opened.recv(4096)

    def create() -> None:
        _, body = bench.ask("POST", "/api/sessions", {"command": ["x"]})
        bench.ask("DELETE", f"/api/sessions/{json.loads(body)['id']}")

    create.close = with_streams.close  # type: ignore[attr-defined]
    return create


@place("1,000 waits that end together")
def _waits(bench: Bench) -> Callable[[], object]:
    ids = [bench.session(["cat"]) for _ in range(16)]

    def wait_and_end() -> None:
        with contextlib.ExitStack() as opened:
            body = b'{"text": "no such text", "timeoutMs": 1500}'
            for each in range(1000):
                waiting = opened.enter_context(socket.create_connection(("127.0.0.1", bench.server.port)))
                head = f"POST /api/sessions/{ids[each % 16]}/wait HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                waiting.sendall(f"{head}{bench.secret}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            time.sleep(3)

    return wait_and_end


@place("GET openapi.json, the first")
def _openapi(bench: Bench) -> Callable[[], object]:
    return lambda: bench.ask("GET", "/api/openapi.json")


@place("GET commands, 1,000 long ones")
def _commands(bench: Bench) -> Callable[[], object]:
    script = (
        "import sys\nfor i in range(1000):\n"
        "    sys.stdout.write('\\x1b]133;A\\x07\\x1b]133;C;cmdline_url=' + 'x' * 3000 + '\\x07\\x1b]133;D;0\\x07')\n"
        "sys.stdout.flush(); sys.stdin.read()\n"
    )
    made = bench.session([sys.executable, "-c", script])
    time.sleep(2)
    return lambda: bench.ask("GET", f"/api/sessions/{made}/commands")


@place("GET sessions, 200 with a command of 1 MiB each")
def _long_commands(bench: Bench) -> Callable[[], object]:
    for _ in range(200):
        bench.ask("POST", "/api/sessions", b'{"command": ["%b"]}' % (b"a" * (BODY - 30)))

    def change_and_list() -> None:
        bench.ask("PATCH", f"/api/sessions/{bench.ids['lazy']}", {"name": f"name {time.monotonic_ns()}"})
        bench.ask("GET", "/api/sessions")

    return change_and_list


# The run


async def prepared(server: Server) -> str:
    """Fill the lists. Returns the id of a session that has not started."""
    context = server.context
    users = [context.authority.users.add(f"u{number}", Role.VIEWER) for number in range(1, MANY)]
    await asyncio.gather(*users)
    lazy = ""
    for number in range(MANY - 300):
        order = Order(name=f"session {number}", argv=["x"], login=False, folder="/", env={}, rows=24, cols=80)
        lazy = context.registry.create(order, context.user).id
    shares: list[Awaitable[object]] = [
        context.authority.shares.create(f"s{number // 50}", scope="view", created_by="u1") for number in range(4900)
    ]
    await asyncio.gather(*shares)
    return lazy


async def measured(beats: Beats, bench: Bench, what: str) -> tuple[float, float]:
    """(longest hold, wall-clock time of the request), both in ms; the smallest of TRIES."""
    request = await asyncio.to_thread(PLACES[what], bench)
    found = []
    try:
        for _ in range(TRIES):
            await asyncio.sleep(0.2)
            beats.start()
            began = time.perf_counter()
            await asyncio.to_thread(request)
            await asyncio.sleep(0.05)
            found.append((beats.longest_s * 1000, (time.perf_counter() - began - 0.05) * 1000))
    finally:
        getattr(request, "close", lambda: None)()
    return min(each[0] for each in found), min(each[1] for each in found)


async def run(wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="vtb") as folder:
        home = Path(folder)
        settings = Settings(
            port=0, state_dir=home / "s", runtime_dir=home / "r", shell="/bin/sh", max_sessions=MANY,
            rate_limit_anonymous=0, enable_ssh_keys=True,
        )  # fmt: skip
        server = Server(settings)
        await server.start()
        try:
            bench = Bench(server, server.context.secret)
            bench.ids["lazy"] = await prepared(server)
            beats = Beats()
            print("| place | held, ms | answer, ms |\n| --- | ---: | ---: |")
            for what in PLACES:
                if not wanted or any(each in what for each in wanted):
                    held, took = await measured(beats, bench, what)
                    print(f"| {what} | {held:.1f} | {took:.1f} |", flush=True)
            beats.stop()
        finally:
            await server.close()
            keeper = await KeeperClient.connect(settings.runtime_dir, on_exit=lambda _: None, on_lost=lambda: None)
            await keeper.stop(kill=True)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.loop", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("place", nargs="*", help="a part of a place's name; default: all")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(parser.parse_args(arguments).place))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
