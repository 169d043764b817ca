"""The server: makes all parts, joins them, and closes them. The only place that sees everything."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import uvloop

from vibetunnel import __version__, paths
from vibetunnel._ext.pump import Client, Pump, load_zlib
from vibetunnel.account import account
from vibetunnel.errors import StartFailed
from vibetunnel.files.space import FileSpace
from vibetunnel.git.for_files import GitForFiles
from vibetunnel.git.program import own_program
from vibetunnel.git.roots import Folders
from vibetunnel.git.service import GitService
from vibetunnel.handlers.application import STATIC, VibeTunnelApplication
from vibetunnel.handlers.context import Context
from vibetunnel.http.frontend import Front
from vibetunnel.http.tls_relay import Relays
from vibetunnel.keeper.errors import KeeperFailed
from vibetunnel.logs.audit import Audit
from vibetunnel.logs.file import LogFile
from vibetunnel.logs.recent import RecentLog, RecentLogHandler
from vibetunnel.logs.requests import RequestLog
from vibetunnel.metrics import Metrics
from vibetunnel.multiplexers.service import Multiplexers
from vibetunnel.preferences import UserPreferences
from vibetunnel.push import sender
from vibetunnel.push.sender import Reach
from vibetunnel.push.service import PushService
from vibetunnel.push.subscriptions import Subscriptions
from vibetunnel.security import pam, secret
from vibetunnel.security.allow_list import REFUSAL
from vibetunnel.security.api_tokens import ApiTokens
from vibetunnel.security.authority import LOGIN, Authority
from vibetunnel.security.clock import ForwardClock
from vibetunnel.security.codes import Codes
from vibetunnel.security.expiry import Expiry
from vibetunnel.security.hosts import host_policy
from vibetunnel.security.limits import Limits
from vibetunnel.security.logins import Logins
from vibetunnel.security.shares import Shares
from vibetunnel.security.signing import SigningKeys
from vibetunnel.security.ssh_login import Challenges
from vibetunnel.security.tickets import Tickets
from vibetunnel.security.tokens import Tokens
from vibetunnel.security.users import Users
from vibetunnel.sessions.attachments import Attachments
from vibetunnel.sessions.badges import Badges
from vibetunnel.sessions.environment import inherited
from vibetunnel.sessions.launch import login_shell
from vibetunnel.sessions.registry import Registry
from vibetunnel.sessions.rendering import Rendering
from vibetunnel.sessions.snapshots import Snapshots
from vibetunnel.sessions.waits import Waits
from vibetunnel.settings import Settings, SettingsError
from vibetunnel.whereabouts import ServerFile, Whereabouts

STOPS = (signal.SIGTERM, signal.SIGINT)
GATHER_S = 0.2  # requests of this time are written to their log together
GATHER_AUDIT_S = 0.02  # and so are records of the audit: waking its thread costs more than writing one
LEAVE_S = 5.0  # after the server has closed, when nothing is left to save
LEAST_OPEN_FILES = 64  # 40 for the server itself, and room for a session with some clients

log = logging.getLogger(__name__)


class Announcement(NamedTuple):
    """The data that a user needs to log in.

    code         None: no login is needed
    fingerprint  of the certificate that the server has made, to compare with the browser's warning; "": it made none
    """

    url: str
    code: str | None
    link: str
    fingerprint: str = ""


class Server:
    """One server in the running event loop. There may be several in one process, as in tests."""

    def __init__(
        self,
        settings: Settings,
        static: Path = STATIC,
        *,
        reread: Callable[[], Settings] | None = None,
        reach: Reach | None = None,
    ) -> None:
        """Raises StartFailed for settings that are refused together.

        reread  reads the settings again; may raise SettingsError
        reach   what may be a push service; None: what is one in the Internet
        """
        if settings.no_auth and not settings.is_loopback and not settings.yes_expose_without_auth:
            raise StartFailed(
                f"--no-auth with --bind {settings.bind} gives everyone who can reach this machine a shell: "
                "bind to 127.0.0.1, or add --yes-expose-without-auth"
            )
        self.settings = settings
        self.port = 0
        self.context: Context
        self.attachments: Attachments
        self.audit: Audit
        self.application: VibeTunnelApplication
        self._static = static
        self._reread = reread
        self._reach = reach
        self._push: PushService | str = ""
        self._front: Front | None = None
        self._exit = contextlib.AsyncExitStack()

    @property
    def local_url(self) -> str:
        """The address by which this machine reaches the server, without a proxy; or `unix:/path`."""
        path = self.settings.unix_socket
        return self._address("127.0.0.1", "::1") if path is None else f"unix:{path.absolute()}"

    @property
    def url(self) -> str:
        """The address for other machines, with --base-path: --url, or the address of this machine."""
        base_path = self.settings.base_path
        if self.settings.url:
            return self.settings.url + ("" if urlsplit(self.settings.url).path else base_path)
        if self.settings.unix_socket is not None:
            return f"http://localhost{base_path}"
        own = _own_address()
        return self._address(own, own) + base_path

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate; "": there is none."""
        certificate = None if self._front is None else self._front.certificate
        return "" if certificate is None else certificate.fingerprint

    def _address(self, any_v4: str, any_v6: str) -> str:
        host = self.settings.bind.strip("[]")
        host = {"0.0.0.0": any_v4, "::": any_v6}.get(host, host)  # noqa: S104 (compared, not bound)
        return f"{'https' if self.settings.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"

    async def start(self) -> Announcement:
        """Listen, adopt the sessions of an earlier server, and serve. Raises StartFailed, after closing everything."""
        try:
            async with contextlib.AsyncExitStack() as undo:
                await self._start(undo)
                self._exit = undo.pop_all()
        except (paths.NotPrivate, KeeperFailed) as error:
            raise StartFailed(str(error)) from error
        fingerprint = self.fingerprint if self.settings.tls_self_signed else ""
        if self.settings.no_auth:
            return Announcement(self.url, None, self.url, fingerprint)
        code = self.context.codes.issue(self.context.user)
        return Announcement(self.url, code, f"{self.url}/login#{code}", fingerprint)

    async def _start(self, undo: contextlib.AsyncExitStack) -> None:
        settings = self.settings
        recent = RecentLog()
        handler = RecentLogHandler(recent)
        logging.getLogger().addHandler(handler)
        undo.callback(logging.getLogger().removeHandler, handler)
        paths.private_dir(settings.state_dir)
        paths.remove_leftovers(settings.state_dir)
        paths.private_dir(settings.runtime_dir)
        whereabouts = Whereabouts(settings.runtime_dir)
        await whereabouts.lock()
        undo.push_async_callback(whereabouts.close)
        front = Front(settings)
        undo.callback(front.close)
        self.port = front.port

        if settings.compression:
            _require_zlib()
        pump = Pump(
            bulk_lanes=settings.lanes,
            ping_s=settings.ping_s,
            timeout_s=settings.timeout_s,
            scrollback_lines=settings.scrollback_lines,
            scrollback_bytes=settings.scrollback_bytes,
        )
        undo.callback(pump.close)
        requests, audit_log = self._open_logs(undo)
        user, home = _account()
        if settings.pam:
            await asyncio.to_thread(pam.require)
        authority = self._authority(user, undo)
        self.audit = audit = Audit(audit_log, (authority.secret,))
        registry = Registry(
            pump,
            settings.runtime_dir,
            ring_bytes=settings.ring_bytes,
            max_sessions=settings.max_sessions,
            kill_grace_s=settings.kill_grace_s,
            shell_integration=settings.shell_integration,
            environment=inherited(os.environ),
            on_gone=self._gone,
            on_typed=self._typed,
            on_removed=self._removed,
            on_placed=lambda session: badges.place(session.id, session.folder),
            on_marked=lambda session_id: badges.stir(session_id),
        )
        private = [settings.state_dir, settings.log_dir, settings.runtime_dir, paths.default_config_file().parent]
        if settings.tls_key is not None:
            private.append(settings.tls_key)
        file_roots = settings.file_root or (Path(home),)
        git = GitService(
            Folders([*map(str, file_roots)], home, [*map(str, private)]), os.environ, program=own_program()
        )
        undo.push_async_callback(git.close)
        self._badges = badges = Badges(git, registry.git_changed)
        undo.push_async_callback(badges.close)
        self.attachments = attachments = Attachments(authority.in_use, registry.send_presence, authority.muted)
        undo.push_async_callback(attachments.close)
        relays = Relays()
        undo.push_async_callback(relays.close)  # after the pump: its last bytes go through the relays
        await registry.open()
        undo.push_async_callback(registry.close, kill=settings.kill_on_exit)
        await authority.shares.forget_all_but(session.id for session in registry)
        attachments.start()
        waits = Waits()
        undo.push_async_callback(waits.close)
        rendering = Rendering()
        undo.push_async_callback(rendering.close)
        files = FileSpace(
            file_roots,
            private=private,
            home=home,
            state_dir=settings.state_dir,
            limit_bytes=settings.upload_bytes,
            git=GitForFiles(git),
        )
        undo.push_async_callback(files.close)
        multiplexers = Multiplexers(registry.environment, home)
        undo.push_async_callback(multiplexers.close)
        snapshots = Snapshots(rendering)
        undo.push_async_callback(snapshots.close)
        preferences = UserPreferences(settings.state_dir / paths.PREFERENCES)
        undo.push_async_callback(preferences.close)
        push = self._push_service(authority, preferences, registry, undo)
        limits = Limits(settings)
        metrics = Metrics(registry, snapshots, limits, [each for each in (requests, audit_log) if each is not None])
        metrics.start()
        undo.push_async_callback(metrics.close)

        self.context = Context(
            settings=settings,
            url=self.url,
            registry=registry,
            waits=waits,
            host_policy=host_policy(
                bind=settings.bind, allow_host=settings.allow_host, url=settings.url, tls=settings.tls
            ),
            authority=authority,
            keys=self._keys,
            codes=Codes(still=authority.still),
            challenges=Challenges(),
            limits=limits,
            audit=audit,
            requests=RequestLog(requests),
            recent=recent,
            clients=front.clients,
            allow_list=front.allow_list,
            metrics=metrics,
            home=home,
            shell=login_shell(settings.shell),
            user=user,
            attachments=attachments,
            relays=relays,
            snapshots=snapshots,
            problems=functools.partial(self._problems, whereabouts),
            rendering=rendering,
            preferences=preferences,
            git=git,
            badges=badges,
            files=files,
            multiplexers=multiplexers,
            push=push,
        )
        self.application = VibeTunnelApplication(self.context, self._static)
        undo.push_async_callback(self.application.close)
        front.serve(self.application, self.context.host_policy)
        undo.push_async_callback(front.stop)
        self._front = front  # from here on reload() works
        await whereabouts.announce(ServerFile(os.getpid(), self.local_url, self.port, __version__, settings.base_path))
        for problem in await self._problems(whereabouts):
            log.warning("%s", problem)

    async def _problems(self, whereabouts: Whereabouts) -> list[str]:
        """The parts of the server that do not work now, although it goes on."""
        settings = self.settings
        folders = list(dict.fromkeys((settings.state_dir, settings.log_dir, settings.runtime_dir)))
        reasons = await asyncio.to_thread(lambda: [paths.unwritable(folder) for folder in folders])
        found = [
            f"{folder} cannot be written ({reason}): what changes now is lost when the server ends"
            for folder, reason in zip(folders, reasons, strict=True)
            if reason
        ]
        if whereabouts.problem:
            found.append(whereabouts.problem)
        found += self.context.git.problems
        if self.context.registry.keeper.live is None:
            found.append("the keeper is lost: no session can start, and running ones end with this server")
        if unreachable := self.context.registry.unreachable:
            found.append(
                f"{unreachable} {'session' if unreachable == 1 else 'sessions'} of an earlier server "
                f"{'runs on, but is' if unreachable == 1 else 'run on, but are'} in no list: no descriptor is left to "
                "take over what runs. Raise this server's limit of open files (ulimit -n, LimitNOFILE=); it tries again"
            )
        return found

    def _open_logs(self, undo: contextlib.AsyncExitStack) -> tuple[LogFile | None, LogFile | None]:
        """(log of requests, audit)"""
        settings = self.settings
        opened: list[LogFile | None] = []
        with contextlib.suppress(paths.NotWritable):  # then records wait until it can be made
            paths.private_dir(settings.log_dir)
        for wanted, name in ((settings.request_log, paths.REQUEST_LOG), (settings.audit, paths.AUDIT_LOG)):
            if not wanted:
                opened.append(None)
                continue
            audited = name == paths.AUDIT_LOG
            file = LogFile(
                settings.log_dir / name,
                max_bytes=settings.log_bytes,
                files=settings.log_files,
                gather_s=GATHER_AUDIT_S if audited else GATHER_S,
                durable=audited,
            )
            undo.push_async_callback(file.close)
            opened.append(file)
        return opened[0], opened[1]

    def _authority(self, user: str, undo: contextlib.AsyncExitStack) -> Authority:
        settings, state_dir = self.settings, self.settings.state_dir
        ours = secret.load(state_dir)
        installation = secret.installation(ours)
        clock = ForwardClock()
        logins = Logins(
            state_dir / paths.LOGINS,
            idle_s=settings.login_idle_s,
            max_s=settings.login_max_s,
            clock=clock,
            on_end=lambda login: self._login_over(f"{LOGIN}{login.id}"),
        )
        clock.not_before(logins.seen)
        self._keys = SigningKeys(state_dir / paths.KEYS, settings.jwt_algorithm, clock=clock)
        self._shares = Shares(state_dir / paths.SHARES, clock=clock)
        authority = Authority(
            user=user,
            secret=ours,
            no_auth=settings.no_auth,
            csrf_key=secret.derive(ours, "csrf"),
            access_s=None if settings.sliding_tokens else settings.access_s,
            users=Users(state_dir / paths.USERS),
            logins=logins,
            tokens=Tokens(self._keys, installation, f"{installation}/api", clock=clock),
            api_tokens=ApiTokens(state_dir / paths.TOKENS, clock=clock),
            tickets=Tickets(),
            shares=self._shares,
        )
        for store in (self._keys, authority.users, authority.logins, authority.api_tokens, authority.shares):
            undo.push_async_callback(store.close)
        expiry = Expiry((logins, authority.api_tokens, authority.shares))
        undo.push_async_callback(expiry.close)
        expiry.start()
        return authority

    def _push_service(
        self, authority: Authority, preferences: UserPreferences, registry: Registry, undo: contextlib.AsyncExitStack
    ) -> PushService | str:
        settings = self.settings
        if not settings.push:
            return "Start the server with --push and --push-contact mailto:YOU@example.org"
        if not sender.available():
            log.warning("--push: the package that encrypts is missing: pip install 'vibetunnel[push]'")
            return "The package that encrypts is missing on the server: pip install 'vibetunnel[push]'"
        self._push = push = PushService(
            Subscriptions(settings.state_dir / paths.PUSH),
            contact=settings.push_contact,
            authority=authority,
            preferences=preferences,
            events=registry.events.broadcast,
            name_of=registry.name_of,
            reach=Reach() if self._reach is None else self._reach,
        )
        undo.push_async_callback(push.close)
        push.start()
        return push

    def _login_over(self, credential: str) -> None:
        self.attachments.end(credential)
        if isinstance(self._push, PushService):
            self._push.login_over(credential)

    # Events of the pump

    def _gone(self, client: Client) -> None:
        connection = self.attachments.discard(client)
        if connection is not None:
            self.audit.record(
                "detach", connection.principal, connection.address, "ok",
                session=connection.session_id, client=connection.id,
            )  # fmt: skip

    def _typed(self, client: Client) -> None:
        connection = self.attachments.find(client)
        if connection is not None:
            self.audit.record(
                "input-start", connection.principal, connection.address, "ok",
                session=connection.session_id, client=connection.id,
            )  # fmt: skip

    def _removed(self, session_id: str) -> None:
        self._shares.drop_session(session_id)
        self.attachments.forget_session(session_id)
        self._badges.drop(session_id)

    def reload(self) -> None:
        """Read the settings again, and apply the allow list and the certificate; other settings need a restart.

        The log and the audit say what changed, or why nothing did. Connections that the new list refuses are closed.
        """
        if self._front is None or self._reread is None:
            return
        try:
            changed = self._front.reload(self._reread())
        except (SettingsError, StartFailed, paths.NotPrivate) as error:
            log.warning("the settings stay as they were: %s", error)
            self.audit.record("settings", None, "", "refused", change=str(error))
            return
        ended = self.context.attachments.refuse(self.context.allow_list.refuses, REFUSAL)
        said = "; ".join(changed) or "nothing has changed"
        self.audit.record("settings", None, "", "ok", change=said)
        log.info("settings read again: %s%s", said, f"; {ended} connections ended" if ended else "")

    async def close(self) -> None:
        """Stop accepting, close every connection (1001), leave the sessions running. Safe to call twice."""
        await self._exit.aclose()


def run(
    settings: Settings, *, announce: Callable[[Announcement], None], reread: Callable[[], Settings] | None = None
) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code. Raises StartFailed.

    reread  reads the settings again, at SIGHUP
    """
    _log_to_stderr(settings.log_level)
    _raise_descriptor_limit()
    code = 1
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_serve(Server(settings, reread=reread), announce))
            code = 0
        finally:
            _end_in_time(code)
    return code


def _end_in_time(code: int) -> None:
    """End the process after LEAVE_S. Python waits for all threads, and a dead file system gives none back."""
    ending = threading.Timer(LEAVE_S, _end_now, (code,))
    ending.daemon = True
    ending.start()


def _end_now(code: int) -> None:
    log.warning("a thread does not end, as with a file system that does not answer: the process ends without it")
    os._exit(code)


async def _serve(server: Server, announce: Callable[[Announcement], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        stop.set()
        for signum in STOPS:  # a second signal ends the process at once
            loop.remove_signal_handler(signum)
            signal.signal(signum, signal.SIG_DFL)

    for signum in STOPS:
        loop.add_signal_handler(signum, interrupted)
    loop.add_signal_handler(signal.SIGHUP, server.reload)  # so a closing terminal does not stop the server
    try:
        announce(await server.start())
        gc.collect()
        gc.freeze()  # the objects of the start stay: later collections skip them
        await stop.wait()
        log.info("stopping")
    finally:
        await server.close()


def _require_zlib() -> None:
    """Raises StartFailed."""
    try:
        load_zlib()
    except OSError as error:
        raise StartFailed(
            f"--compression: {error}: install it (Debian, Ubuntu: `apt install zlib1g`; Fedora: `dnf install zlib`; "
            "Alpine: `apk add zlib`), or leave the option out"
        ) from error


def _own_address() -> str:
    """An address by which other machines may reach this one. Nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation: the kernel only looks up the route
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _account() -> tuple[str, str]:
    """(name, home folder) of the user that runs this process."""
    home = os.path.expanduser("~")  # $HOME first, as in shells
    found = account()
    name = found.pw_name if found else str(os.getuid())
    return name, home if os.path.isabs(home) and os.path.isdir(home) else "/"


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")


def _raise_descriptor_limit() -> None:
    """A session needs two descriptors and a client one; many systems allow a process 256 or 1024 by default.

    Raises StartFailed if a server could not serve one session with the limit that is granted.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS reports unlimited, and allows less
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < LEAST_OPEN_FILES:
        raise StartFailed(
            f"the limit of open files is {soft}, and a server needs at least {LEAST_OPEN_FILES}: raise it "
            f"(`ulimit -n {LEAST_OPEN_FILES}`, `prlimit --nofile`, LimitNOFILE= of a systemd service)"
        )
