"""The network side of a server: makes and joins its sockets, certificate, allow list, acceptors and HTTP servers."""

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
from vibetunnel.http.server import HttpServer
from vibetunnel.http.sockets import UnixListener, listen
from vibetunnel.security.addresses import Clients, Networks
from vibetunnel.security.allow_list import AllowList
from vibetunnel.security.certificates import Certificate
from vibetunnel.security.hosts import HostPolicy
from vibetunnel.settings import Settings

LEAST = 16  # connections with a deadline, however few descriptors the process may have
FOR_OTHERS = 0o077  # permissions that let users other than the owner connect to a unix socket


class Front:
    """Listens from the start; new connections wait in the kernel until serve().

    port         of the (first) listening socket; 0: a unix socket
    clients      finds the client of a request
    allow_list   the clients that may connect
    certificate  None: no TLS
    """

    def __init__(self, settings: Settings) -> None:
        """Raises StartFailed, NotPrivate, and leaves nothing open."""
        self._settings = settings
        self._listening = contextlib.ExitStack()
        self._serving = contextlib.AsyncExitStack()
        self._acceptors: list[Acceptor] = []
        self._deadlines = _deadlines()
        self._servers: list[HttpServer] = []
        self._redirecting: list[socket.socket] = []
        trusted = Networks.parse(settings.trusted_proxies)
        self.clients = Clients(trusted)
        self.allow_list = AllowList(Networks.parse(settings.allow_ip), trusted)
        if settings.unix_socket is not None and (settings.tls or settings.redirect_port):
            raise StartFailed(
                "--bind names a unix socket, which has no TLS: leave out --tls-cert, --tls-self-signed and "
                "--redirect-port, and let the proxy in front of it use TLS"
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
        """Number of HTTP connections."""
        return sum(len(each) for each in self._servers)

    @property
    def pending(self) -> int:
        """Number of connections with a deadline: their request is not complete, or their answer not read."""
        return len(self._deadlines)

    @property
    def partial(self) -> int:
        """Bytes of bodies that are not complete yet."""
        return sum(each.partial for each in self._servers)

    def serve(self, application: HTTPServerConnectionDelegate, host_policy: HostPolicy) -> None:
        """Begin to accept connections and answer them."""
        settings, trusted = self._settings, self.clients.trusted
        deadlines = self._deadlines
        http = HttpServer(application, deadlines, trusted)
        self._servers.append(http)
        self._serving.push_async_callback(http.close)
        plain = None
        if self.certificate is not None:
            self.certificate.watch()
            self._serving.push_async_callback(self.certificate.close)
            redirect = Redirect(host_policy, lambda: self.port, settings.url)
            plain = HttpServer(redirect, deadlines, trusted, keep_alive=False)
            self._servers.append(plain)
            self._serving.push_async_callback(plain.close)
        users = None
        if settings.unix_socket is not None and not settings.unix_mode & FOR_OTHERS:
            users = frozenset({0, os.geteuid()})  # the permissions say the same; asking costs nothing
        admits = self.allow_list.admits
        tls = None if self.certificate is None else self.certificate.context
        main = Acceptor(self._sockets, http, deadlines, admits=admits, users=users, tls=tls, plain=plain)
        self._serving.callback(main.close)
        self._acceptors.append(main)
        if plain is not None and self._redirecting:
            self._serving.callback(Acceptor(self._redirecting, plain, deadlines, admits=admits).close)

    def reload(self, settings: Settings) -> list[str]:
        """Apply the settings that may change while the server runs: the allow list and the certificate.

        HTTP connections that the new allow list excludes are closed. Upgraded connections are the caller's to close,
        by `allow_list`. Returns what has changed, in words. Raises StartFailed, NotPrivate for an invalid certificate,
        and changes nothing then.
        """
        changed = []
        if self.certificate is not None and settings.tls and self.certificate.reload(settings):
            changed.append(f"certificate {self.certificate.fingerprint}")
        networks = Networks.parse(settings.allow_ip)
        if networks != self.allow_list.networks:
            self.allow_list.networks = networks
            changed.append(f"allow_ip {', '.join(settings.allow_ip) or 'everybody'}")
            for each in self._servers:
                each.end(lambda peer: not self.allow_list.admits(peer))
        return changed

    async def stop(self) -> None:
        """Stop accepting, and end all HTTP connections. Safe twice."""
        await self._serving.aclose()

    def close(self) -> None:
        """Stop listening. Safe twice."""
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


def _deadlines() -> ConnectionDeadlines:
    """Bounds that leave three quarters of the process's descriptors to sessions and their clients."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    total = TOTAL if soft == resource.RLIM_INFINITY else max(LEAST, min(TOTAL, soft // 4))
    return ConnectionDeadlines(total, min(PER_NETWORK, total // 2))
