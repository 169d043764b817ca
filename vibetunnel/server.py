"""The server: every part made and joined, from listening to shutdown. The only place that sees everything."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import logging
import os
import resource
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import uvloop
from tornado.httpserver import HTTPServer

from vibetunnel import __version__, paths
from vibetunnel._ext.pump import Pump
from vibetunnel.account import account
from vibetunnel.errors import StartFailed
from vibetunnel.handlers.acceptor import Acceptor
from vibetunnel.handlers.application import STATIC, VibeTunnelApplication
from vibetunnel.handlers.base import MAX_BODY
from vibetunnel.handlers.context import Context, Lasting
from vibetunnel.handlers.relay import Relays
from vibetunnel.handlers.snapshots import Snapshots
from vibetunnel.keeper.errors import KeeperFailed
from vibetunnel.metrics import Metrics
from vibetunnel.security import secret
from vibetunnel.security.codes import Codes
from vibetunnel.security.hosts import doors
from vibetunnel.security.logins import Logins
from vibetunnel.sessions.command import login_shell
from vibetunnel.sessions.registry import Registry
from vibetunnel.sessions.waits import Waits
from vibetunnel.settings import Settings

STOPS = (signal.SIGTERM, signal.SIGINT)
BODY_S = 60.0  # for a request's body to arrive
BACKLOG = 1024  # connections that wait to be accepted; the kernel may allow fewer
IDLE_S = 20.0  # for the headers of the next request, all of them; no descriptor is kept for who dawdles
LOCK_S = 1.0  # the command line takes the lock for a moment, to see whether a server holds it
LOCK_POLL_S = 0.02

log = logging.getLogger(__name__)


class Announcement(NamedTuple):
    """What a user needs to come in. code: None when nobody needs one."""

    url: str
    code: str | None
    link: str


class ServerFile(msgspec.Struct):
    """runtime_dir/server.json: how the command line finds the running server.

    url  for this machine
    """

    pid: int
    url: str
    port: int
    version: str


class Server:
    """One server in the running event loop. Several may live in one process (tests have them so)."""

    def __init__(self, settings: Settings, static: Path = STATIC) -> None:
        """Raises StartFailed for settings that cannot be."""
        if settings.no_auth and not settings.is_loopback and not settings.yes_expose_without_auth:
            raise StartFailed(
                f"--no-auth with --bind {settings.bind} gives a shell to everyone who can reach this machine: "
                "bind to 127.0.0.1, or add --yes-expose-without-auth"
            )
        self.settings = settings
        self.port = 0
        self.context: Context
        self.application: VibeTunnelApplication
        self._static = static
        self._exit = contextlib.AsyncExitStack()

    @property
    def local_url(self) -> str:
        """The address by which this machine reaches the server, whatever is in front of it."""
        return self._address("127.0.0.1", "::1")

    @property
    def url(self) -> str:
        """The address for others: the one that the settings give, or that of this machine."""
        own = _own_address()
        return self.settings.url or self._address(own, own)

    def _address(self, any_v4: str, any_v6: str) -> str:
        host = self.settings.bind.strip("[]")
        host = {"0.0.0.0": any_v4, "::": any_v6}.get(host, host)  # noqa: S104 (compared, not bound)
        scheme = "http" if self.settings.tls_cert is None else "https"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    async def start(self) -> Announcement:
        """Listen, adopt what an earlier server left, and serve. Raises StartFailed; nothing is left open then."""
        try:
            async with contextlib.AsyncExitStack() as undo:
                await self._start(undo)
                self._exit = undo.pop_all()
        except (paths.NotPrivate, KeeperFailed) as error:
            raise StartFailed(str(error)) from error
        if self.settings.no_auth:
            return Announcement(self.url, None, self.url)
        code = self.context.codes.issue()
        return Announcement(self.url, code, f"{self.url}/login#{code}")

    async def _start(self, undo: contextlib.AsyncExitStack) -> None:
        settings = self.settings
        paths.private_dir(settings.state_dir)
        paths.private_dir(settings.runtime_dir)
        tls = _tls(settings)
        sockets = _listen(settings)
        for each in sockets:
            undo.callback(each.close)
        self.port = sockets[0].getsockname()[1]

        pump = Pump(
            bulk_lanes=settings.lanes,
            ping_s=settings.ping_s,
            timeout_s=settings.timeout_s,
            scrollback_lines=settings.scrollback_lines,
            scrollback_bytes=settings.scrollback_bytes,
        )
        undo.callback(pump.close)
        lasting = Lasting()
        registry = Registry(
            pump,
            settings.runtime_dir,
            ring_bytes=settings.ring_bytes,
            max_sessions=settings.max_sessions,
            kill_grace_s=settings.kill_grace_s,
            shell_integration=settings.shell_integration,
            on_gone=lasting.discard,
        )
        relays = Relays()
        undo.push_async_callback(relays.close)  # behind the pump's end: its last words pass through them
        await registry.open()
        undo.push_async_callback(registry.close, kill=settings.kill_on_exit)
        waits = Waits()
        undo.push_async_callback(waits.close)
        snapshots = Snapshots()
        undo.push_async_callback(snapshots.close)
        metrics = Metrics(registry, snapshots)
        metrics.start()
        undo.push_async_callback(metrics.close)

        logins = Logins(settings.state_dir / paths.LOGINS)
        undo.push_async_callback(logins.close)
        user, home = _account()
        self.context = Context(
            settings=settings,
            url=self.url,
            registry=registry,
            waits=waits,
            doors=doors(bind=settings.bind, allow_host=settings.allow_host, url=settings.url, tls=tls is not None),
            secret=secret.load(settings.state_dir),
            codes=Codes(),
            logins=logins,
            metrics=metrics,
            home=home,
            shell=login_shell(settings.shell),
            user=user,
            lasting=lasting,
            relays=relays,
            snapshots=snapshots,
        )
        self.application = VibeTunnelApplication(self.context, self._static)
        http = HTTPServer(
            self.application,
            max_buffer_size=MAX_BODY,
            max_body_size=sys.maxsize,  # the application has its own limit, and words for it
            body_timeout=BODY_S,
            idle_connection_timeout=IDLE_S,
        )
        undo.push_async_callback(http.close_all_connections)
        undo.callback(Acceptor(sockets, http, tls).close)

        # Released by the kernel however this process ends: a file that is left over is trusted by nobody.
        undo.callback(os.close, await _lock(settings.runtime_dir / paths.SERVER_LOCK))
        server_file = settings.runtime_dir / paths.SERVER_FILE
        running = ServerFile(os.getpid(), self.local_url, self.port, __version__)
        paths.write_private(server_file, msgspec.json.encode(running))
        undo.callback(_remove_server_file, server_file)

    async def close(self) -> None:
        """Stop accepting, end every connection (1001), leave the shells. Safe twice."""
        await self._exit.aclose()


def run(settings: Settings, *, announce: Callable[[Announcement], None]) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code. Raises StartFailed."""
    _log_to_stderr(settings.log_level)
    _raise_descriptor_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Server(settings), announce))
    return 0


async def _serve(server: Server, announce: Callable[[Announcement], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        stop.set()
        for signum in STOPS:  # a second one does what the system does: it ends the process, whatever is under way
            loop.remove_signal_handler(signum)
            signal.signal(signum, signal.SIG_DFL)

    for signum in STOPS:
        loop.add_signal_handler(signum, interrupted)
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # a terminal that closes is no reason to stop
    try:
        announce(await server.start())
        gc.collect()
        gc.freeze()  # what is here now stays; later collections need not look at it
        await stop.wait()
        log.info("stopping")
    finally:
        await server.close()


def _listen(settings: Settings) -> list[socket.socket]:
    """One socket for each address that `bind` stands for, all with the same port."""
    host, port = settings.bind.strip("[]"), settings.port
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        expected = "--bind: expected an address of this machine"
        raise StartFailed(f"{expected}, got {settings.bind} ({error.strerror})") from error
    with contextlib.ExitStack() as undo:
        sockets: list[socket.socket] = []
        for family, _, _, _, address in found:
            try:
                made = socket.create_server(
                    (address[0], port, *address[2:]), family=family, backlog=BACKLOG, dualstack_ipv6=both
                )
            except OSError as error:
                raise StartFailed(_cannot_listen(settings, error)) from error
            sockets.append(undo.enter_context(made))
            made.setblocking(False)
            port = made.getsockname()[1]  # with --port 0 the first one chooses
        undo.pop_all()
        return sockets


def _cannot_listen(settings: Settings, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            why = "is in use: stop what uses it, or choose another with --port"
        case errno.EACCES:
            why = "may not be used by this user: choose one above 1023 with --port"
        case errno.EADDRNOTAVAIL:
            return f"--bind: {settings.bind} is not an address of this machine"
        case _:
            why = f"cannot be used: {error.strerror}"
    return f"port {settings.port} on {settings.bind} {why}"


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        given = f"--tls-cert {settings.tls_cert}, --tls-key {settings.tls_key}"
        raise StartFailed(f"{given}: expected a certificate and its key (PEM): {error}") from error
    return context


def _own_address() -> str:
    """An address that others may reach this machine by. Nothing is sent to find it out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation: only the route to it is looked up
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _account() -> tuple[str, str]:
    """(name, home folder) of the user that everything runs as."""
    home = os.path.expanduser("~")  # $HOME first, as the shells will have it
    found = account()
    name = found.pw_name if found else str(os.getuid())
    return name, home if os.path.isabs(home) and os.path.isdir(home) else "/"


async def _lock(path: Path) -> int:
    """The descriptor that holds the lock. Raises StartFailed when another server has it."""
    try:
        async with asyncio.timeout(LOCK_S):
            while (held := paths.lock_private(path)) is None:
                await asyncio.sleep(LOCK_POLL_S)
    except TimeoutError:
        raise StartFailed(f"another server holds {path}: stop it, or choose another --runtime-dir") from None
    return held


def _remove_server_file(path: Path) -> None:
    """Remove it, unless another server has taken its place."""
    with contextlib.suppress(FileNotFoundError, msgspec.MsgspecError, paths.NotPrivate):
        if msgspec.json.decode(paths.read_private(path), type=ServerFile).pid == os.getpid():
            path.unlink()


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def _raise_descriptor_limit() -> None:
    """A session takes two descriptors and a client one; many systems start a process with 256 or 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS says unlimited, and means less
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
