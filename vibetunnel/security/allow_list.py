"""The allow list: addresses that may connect. An empty list allows all."""

from __future__ import annotations

from tornado.httputil import HTTPHeaders

from vibetunnel.security.addresses import ClientAddress, Networks, is_forwarded, is_local

REFUSAL = "IP address not allowed"  # the words of VibeTunnel's own server


class AllowList:
    """The addresses that may connect. This machine always may: its command line connects from a loopback address.

    networks  may be replaced at any time
    """

    def __init__(self, networks: Networks, trusted: Networks) -> None:
        self.networks = networks
        self._trusted = trusted

    def admits(self, peer: str) -> bool:
        """Whether a connection may begin: the peer is allowed, or it is a trusted proxy, which names its client."""
        return not self.refuses(peer) or peer in self._trusted

    def refuses(self, address: str) -> bool:
        """Whether a connection that was accepted has to end, after a change of the list."""
        return bool(self.networks) and address not in self.networks and not is_local(address)

    def refusal(self, client: ClientAddress, headers: HTTPHeaders) -> str | None:
        """Why a request is refused (403); None: it may be answered."""
        if not self.networks:
            return None
        if client.local and is_forwarded(headers):
            # Treating it as this machine would let in every client of that proxy.
            return f"{REFUSAL}: the proxy on this machine is not in --trusted-proxies"
        return None if client.local or client.address in self.networks else REFUSAL
