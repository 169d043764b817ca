"""Who may connect at all, by address; everybody where nothing is listed."""

from __future__ import annotations

from tornado.httputil import HTTPHeaders

from vibetunnel.security.addresses import ClientAddress, Networks, is_forwarded, is_local

REFUSAL = "IP address not allowed"  # as the seed system says it


class AllowList:
    """The addresses that may connect, and this machine itself: its command line comes from a loopback address.

    networks  may be replaced at any time
    """

    def __init__(self, networks: Networks, trusted: Networks) -> None:
        self.networks = networks
        self._trusted = trusted

    def admits(self, peer: str) -> bool:
        """Whether a connection may begin: the peer is allowed, or it is a proxy that says later for whom it comes."""
        return not self.refuses(peer) or peer in self._trusted

    def refuses(self, address: str) -> bool:
        """Whether a connection that was let in has to end, now that the list is another."""
        return bool(self.networks) and address not in self.networks and not is_local(address)

    def refusal(self, client: ClientAddress, headers: HTTPHeaders) -> str | None:
        """Why a request is refused (403); None: it may be answered."""
        if not self.networks:
            return None
        if client.local and is_forwarded(headers):
            # Taking it for this machine would let everybody in whom that proxy serves.
            return f"{REFUSAL}: the proxy on this machine is not in --trusted-proxies"
        return None if client.local or client.address in self.networks else REFUSAL
