"""Sends one encrypted message to a push service (RFC 8030, RFC 8188, RFC 8291), and says who sends it (RFC 8292).

The endpoint is a client's choice. So the name is resolved once, each address is checked, and the connection goes to
one of these very addresses. Redirects are not followed, and little of an answer is read.
"""

from __future__ import annotations

import asyncio
import enum
import importlib.util
import ipaddress
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from tornado.httpclient import HTTPRequest, HTTPResponse
from tornado.netutil import Resolver
from tornado.simple_httpclient import SimpleAsyncHTTPClient

from vibetunnel.push import endpoint
from vibetunnel.push.endpoint import Endpoint, IPAddress
from vibetunnel.push.errors import ForbiddenAddress
from vibetunnel.push.subscriptions import PushSubscription, VapidKey

AT_ONCE = 8  # connections to push services
KEPT_S = 4 * 3600  # a push service keeps a message for so long while the browser is not reachable
MAX_ANSWER = 16 * 1024  # bytes; those of push services have a few hundred
MOST_ADDRESSES = 16  # that one name may have

Address = tuple[int, Any]  # family, and what connect() takes  # Any: its shape depends on the family
LookUp = Callable[[str, int], Awaitable[list[Address]]]

log = logging.getLogger(__name__)


def available() -> bool:
    """Whether the package is installed that encrypts. It is not imported yet: that takes 0.2 s and 20 MB."""
    return importlib.util.find_spec("pywebpush") is not None


async def look_up(host: str, port: int) -> list[Address]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


@dataclass(frozen=True)
class Reach:
    """What can be reached as a push service. Tests pass their own.

    look_up    resolves a name
    allowed    whether a push service may have this address
    timeout_s  of one message, from the resolving of the name to the answer
    """

    ports: frozenset[int] = endpoint.PORTS
    look_up: LookUp = look_up
    allowed: Callable[[IPAddress], bool] = endpoint.is_public
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    timeout_s: float = 10.0


class CheckedResolver(Resolver):
    """Resolves a name for Tornado's client, which connects to the very addresses that were checked here."""

    def initialize(self, reach: Reach) -> None:
        self._reach = reach

    async def resolve(self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[Address]:
        # Less than Tornado waits, which logs a name that cannot be resolved as an error after its own timeout.
        async with asyncio.timeout(0.9 * self._reach.timeout_s):
            found = (await self._reach.look_up(host, port))[:MOST_ADDRESSES]
        for _, address in found:
            if not self._reach.allowed(ipaddress.ip_address(str(address[0]).partition("%")[0])):
                raise ForbiddenAddress(f"{host} resolves to {address[0]}, which is no public address")
        return found


class PushOutcome(enum.Enum):
    """What a push service has said."""

    SENT = "sent"
    GONE = "gone"  # the browser has no such subscription any longer
    FAILED = "failed"
    UNREACHED = "unreached"  # it has said nothing


class Sender:
    """Sends the messages of one server.

    contact  `mailto:` address of the operator, which push services get
    """

    def __init__(self, key: VapidKey, contact: str, reach: Reach) -> None:
        self._key = key
        self._contact = contact
        self._reach = reach
        self._client: SimpleAsyncHTTPClient = SimpleAsyncHTTPClient(
            force_instance=True,
            max_clients=AT_ONCE,
            resolver=CheckedResolver(reach=reach),
            max_header_size=MAX_ANSWER,
            max_buffer_size=2 * MAX_ANSWER,
            max_body_size=MAX_ANSWER,
        )

    def close(self) -> None:
        self._client.close()

    async def send(self, to: PushSubscription, message: bytes, topic: str) -> tuple[PushOutcome, str]:
        """Returns what has become of it, and why. Never raises but when it is cancelled.

        topic  a newer message replaces one of the same topic that the browser has not got yet
        """
        try:
            # As when it was stored: another version of the server may have allowed more.
            target = endpoint.parse(to.endpoint, self._reach.ports)
            body, authorization = await asyncio.to_thread(self._sealed, to, target, message)
            coming = self._client.fetch(
                HTTPRequest(
                    target.url,
                    method="POST",
                    body=body,
                    headers={
                        "Authorization": authorization,
                        "Content-Encoding": "aes128gcm",
                        "Content-Type": "application/octet-stream",
                        "TTL": str(KEPT_S),
                        "Topic": topic,
                        "Urgency": "high",
                    },
                    connect_timeout=self._reach.timeout_s,
                    request_timeout=self._reach.timeout_s,
                    follow_redirects=False,
                    decompress_response=False,
                    ssl_options=self._reach.tls,
                ),
                raise_error=False,
            )
            coming.add_done_callback(_take)
            answer = await asyncio.shield(coming)  # Tornado does not expect that its future is cancelled
        except Exception as error:  # the edge of a foreign library, and of a network
            # The client learns nothing of it: the names and addresses of a private network, for example.
            log.info("a notification for %s was not sent: %s", to.user, str(error) or type(error).__name__)
            return PushOutcome.UNREACHED, "the push service could not be reached"
        if 200 <= answer.code < 300:
            return PushOutcome.SENT, ""
        log.info("a notification for %s was not taken: the push service answered %d", to.user, answer.code)
        gone = answer.code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
        return PushOutcome.GONE if gone else PushOutcome.FAILED, f"the push service answered {answer.code}"

    def _sealed(self, to: PushSubscription, target: Endpoint, message: bytes) -> tuple[bytes, str]:
        """(encrypted message, Authorization). In a thread: the first call imports for 0.2 s."""
        from py_vapid import Vapid02
        from pywebpush import WebPusher

        keys = {"endpoint": to.endpoint, "keys": {"p256dh": to.p256dh, "auth": to.auth}}
        signed = Vapid02(self._key.private).sign({"aud": target.origin, "sub": self._contact})
        return WebPusher(keys).encode(message)["body"], signed["Authorization"]


def _take(coming: asyncio.Future[HTTPResponse]) -> None:
    """Take the exception of a request that is not waited for any longer, so that nothing logs it as lost."""
    if not coming.cancelled():
        coming.exception()
