"""The front door: sockets, certificate, allow list and acceptors of one server, made and joined."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import ssl

from tornado.httputil import HTTPServerConnectionDelegate

from vibetunnel.errors import StartFailed
from vibetunnel.http.acceptor import Acceptor
from vibetunnel.http.deadlines import PER_NETWORK, TOTAL, ConnectionDeadlines
from vibetunnel.http.redirect import Redirect
from vibetunnel.http.server import Connections
from vibetunnel.http.sockets import UnixListener, listen
from vibetunnel.security.addresses import Clients, Networks
from vibetunnel.security.allow_list import AllowList
from vibetunnel.security.certificates import Certificate
from vibetunnel.security.hosts import HostPolicy
from vibetunnel.settings import Settings

LEAST = 16  # half-open connections, however few descriptors there are
FOR_OTHERS = 0o077  # permissions of a unix socket that others than its owner have


class Front:
    """Listens from the beginning; what comes in waits in the kernel until serve().

    port         of the (first) listening socket; 0: a unix socket
    clients      who sends a request
    allow_list   who may
    certificate  None: no TLS
    """

    def __init__(self, settings: Settings) -> None:
        """Raises StartFailed, NotPrivate; nothing is left open then."""
        self._settings = settings
        self._listening = contextlib.ExitStack()
        self._serving = contextlib.AsyncExitStack()
        self._acceptors: list[Acceptor] = []
        self._half_open = _half_open()
        self._speaking: list[Connections] = []
        self._redirecting: list[socket.socket] = []
        trusted = Networks.parse(settings.trusted_proxies)
        self.clients = Clients(trusted)
        self.allow_list = AllowList(Networks.parse(settings.allow_ip), trusted)
        if settings.unix_socket is not None and (settings.tls or settings.redirect_port):
            raise StartFailed(
                "--bind names a unix socket: expected neither --tls-cert, --tls-self-signed nor --redirect-port, which "
                "are for the proxy in front of it"
            )
        self.certificate = Certificate(settings, self._renewed) if settings.tls else None
        with contextlib.ExitStack() as undo:
            self._sockets = self._listen(undo)
            if settings.redirect_port:
                self._redirecting = listen(settings.bind, settings.redirect_port, flag="--redirect-port")
                for each in self._redirecting:
                    undo.callback(each.close)
            self._listening = undo.pop_all()
        self.port = 0 if settings.unix_socket else int(self._sockets[0].getsockname()[1])

    @property
    def scheme(self) -> str:
        return "http" if self.certificate is None else "https"

    @property
    def connections(self) -> int:
        """How many speak HTTP."""
        return sum(len(each) for each in self._speaking)

    @property
    def half_open(self) -> int:
        """How many connections have not sent a whole request yet, or not taken an answer."""
        return len(self._half_open)

    @property
    def held(self) -> int:
        """Bytes of bodies of which the rest is still to come."""
        return sum(each.held for each in self._speaking)

    def serve(self, application: HTTPServerConnectionDelegate, host_policy: HostPolicy) -> None:
        """Begin to answer."""
        settings, trusted = self._settings, self.clients.trusted
        half_open = self._half_open
        http = Connections(application, half_open, trusted)
        self._speaking.append(http)
        self._serving.push_async_callback(http.close)
        plain = None
        if self.certificate is not None:
            self.certificate.watch()
            self._serving.push_async_callback(self.certificate.close)
            redirect = Redirect(host_policy, lambda: self.port, settings.url)
            plain = Connections(redirect, half_open, trusted, keep_alive=False)
            self._speaking.append(plain)
            self._serving.push_async_callback(plain.close)
        users = None
        if settings.unix_socket is not None and not settings.unix_mode & FOR_OTHERS:
            users = frozenset({0, os.geteuid()})  # the permissions say the same; the kernel's word is for free
        admits = self.allow_list.admits
        tls = None if self.certificate is None else self.certificate.context
        main = Acceptor(self._sockets, http, half_open, admits=admits, users=users, tls=tls, plain=plain)
        self._serving.callback(main.close)
        self._acceptors.append(main)
        if plain is not None and self._redirecting:
            self._serving.callback(Acceptor(self._redirecting, plain, half_open, admits=admits).close)

    def reload(self, settings: Settings) -> list[str]:
        """Take over what can be changed while running: the allow list, the certificate.

        Connections that speak HTTP and may not be here any more end; for those that do not speak it any more the
        caller has `allow_list`. Returns what has changed, in words. Raises StartFailed, NotPrivate for a certificate
        that is none, and nothing has changed then.
        """
        changed = []
        if self.certificate is not None and settings.tls and self.certificate.reload(settings):
            changed.append(f"certificate {self.certificate.fingerprint}")
        networks = Networks.parse(settings.allow_ip)
        if networks != self.allow_list.networks:
            self.allow_list.networks = networks
            changed.append(f"allow_ip {', '.join(settings.allow_ip) or 'everybody'}")
            for each in self._speaking:
                each.end(lambda peer: not self.allow_list.admits(peer))
        return changed

    async def stop(self) -> None:
        """Take no more, and end every connection that speaks HTTP. Safe twice."""
        await self._serving.aclose()

    def close(self) -> None:
        """Listen no more. Safe twice."""
        self._listening.close()

    def _listen(self, undo: contextlib.ExitStack) -> list[socket.socket]:
        settings = self._settings
        if settings.unix_socket is not None:
            listener = UnixListener(settings.unix_socket, settings.unix_mode)
            undo.callback(listener.close)
            return [listener.sock]
        sockets = listen(settings.bind, settings.port)
        for each in sockets:
            undo.callback(each.close)
        return sockets

    def _renewed(self, context: ssl.SSLContext) -> None:
        for each in self._acceptors:
            each.tls = context


def _half_open() -> ConnectionDeadlines:
    """As many as there may be, and never so many that no descriptors are left for others."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    total = TOTAL if soft == resource.RLIM_INFINITY else max(LEAST, min(TOTAL, soft // 4))
    return ConnectionDeadlines(total, min(PER_NETWORK, total // 2))
