"""The address of a client: from the TCP peer outward, through trusted proxies. Text in, text out.

A client can write anything into forwarding headers, so they are read only from trusted proxies. The rightmost entry
counts, because the nearest proxy wrote it. If it names another trusted proxy, the entry to its left counts, and so on.
`X-Forwarded-For` takes precedence over `Forwarded` (RFC 7239): common proxies set the former, and pass the latter on
unchanged.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tornado.httputil import HTTPHeaders, HTTPServerRequest

from vibetunnel.security.hosts import parse_authority

UNIX = "unix"  # the address of every client of a unix socket, and the word for it in --trusted-proxies
HERE = "this machine"  # what limits count clients of this machine by; no header can say it, because it is no address
REMEMBERED = 4096  # answers that a Networks caches; an attacker with more addresses costs time, not memory
MAX_HOPS = 32  # entries that are read; no chain of proxies is longer
FORWARDED_FOR = "X-Forwarded-For"
FORWARDED = "Forwarded"
FORWARDING = (FORWARDED_FOR, FORWARDED, "X-Real-Ip", "X-Forwarded-Proto", "X-Forwarded-Host", "Via")

_NODE = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|(?P<v4>[0-9.]+):[0-9]{1,5}")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@functools.lru_cache(maxsize=REMEMBERED)
def parse_address(text: str) -> IPAddress | None:
    """An IP address in its canonical form: `::ffff:1.2.3.4` is 1.2.3.4, without a zone (`%eth0`). None: not one."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def canonical(peer: str) -> str:
    """An address as logs and limits have it. Other text stays as it is."""
    found = parse_address(peer)
    return peer if found is None else str(found)


def is_local(address: str) -> bool:
    """Whether this is a loopback address, or that of a unix socket."""
    found = parse_address(address)
    return address == UNIX if found is None else found.is_loopback


def network(address: str) -> str:
    """The addresses that one client controls: an IPv4 address, or a /64 of IPv6."""
    found = parse_address(address)
    if not isinstance(found, ipaddress.IPv6Address):
        return address if found is None else str(found)
    return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))


class Networks:
    """Some addresses and networks, of both families. Immutable; repeated questions are answered from a cache.

    An IPv4 network in its IPv6 form (`::ffff:10.0.0.0/104`) is the IPv4 network; `::/0` is all of IPv6 and nothing of
    IPv4.
    """

    def __init__(self, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network] = (), *, unix: bool = False):
        self.unix = unix
        self._networks = frozenset(_unmapped(each) for each in networks)
        self._known: dict[str, bool] = {}

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Networks:
        """`192.168.1.0/24`, `::1`, and the word `unix`. Raises ValueError for anything else."""
        words = list(texts)
        found = [ipaddress.ip_network(each, strict=False) for each in words if each != UNIX]
        return cls(found, unix=UNIX in words)

    def __bool__(self) -> bool:
        return self.unix or bool(self._networks)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Networks) and (self.unix, self._networks) == (other.unix, other._networks)

    def __hash__(self) -> int:
        return hash((self.unix, self._networks))

    def __contains__(self, address: object) -> bool:
        """Whether `address` (text) is in one of them; for UNIX, whether `unix` was named."""
        assert isinstance(address, str)
        if address == UNIX:
            return self.unix
        known = self._known.get(address)
        if known is None:
            found = parse_address(address)
            known = found is not None and any(
                found.version == each.version and found in each for each in self._networks
            )
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[address] = known
        return known


def _unmapped(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - 96))


class ClientAddress(NamedTuple):
    """The client at the far end, as far as the server can know it.

    address  canonical text of its IP address; UNIX
    scheme   that the client itself uses: `http` or `https`
    host     `host[:port]` of its request, as a trusted proxy says; None: the Host header is the client's
    local    the connection is from this machine, and no trusted proxy has forwarded it
    """

    address: str
    scheme: str
    host: str | None = None
    local: bool = False

    def counted_as(self, headers: HTTPHeaders) -> str:
        """What limits count this client by: HERE, or its address.

        A proxy on this machine that is not trusted is not HERE, for then all its clients were.
        """
        return HERE if self.local and not is_forwarded(headers) else self.address


class Clients:
    """Finds the clients of one server's requests.

    trusted  proxies whose forwarding headers are trusted
    """

    def __init__(self, trusted: Networks) -> None:
        self.trusted = trusted

    def of(self, request: HTTPServerRequest) -> ClientAddress:
        """The client of a request. Found once for each connection, and for each request of a trusted proxy."""
        context: Any = request.connection.context  # type: ignore[union-attr]  # Tornado's, which has no public type
        try:
            found: ClientAddress | None = context.vibetunnel_client
        except AttributeError:
            peer = peer_address(context)
            found = None if peer in self.trusted else direct(peer, context.protocol)
            context.vibetunnel_client = found
        return found or forwarded(peer_address(context), context.protocol, request.headers, self.trusted)


def peer_address(context: Any) -> str:  # Any: tornado.httpserver._HTTPRequestContext
    """The other end of a connection as Tornado describes it: a canonical IP address, or UNIX."""
    return UNIX if context.address_family == socket.AF_UNIX else canonical(context.remote_ip)


@functools.lru_cache(maxsize=REMEMBERED)  # connections of one browser share it
def direct(peer: str, scheme: str) -> ClientAddress:
    """The client of a connection that is not from a trusted proxy."""
    return ClientAddress(peer, scheme, local=is_local(peer))


def forwarded(peer: str, scheme: str, headers: HTTPHeaders, trusted: Networks) -> ClientAddress:
    """The client of a request through the trusted proxy `peer`. Without forwarding headers it is the proxy itself.

    scheme  of the connection to the proxy
    """
    hops = headers.get_list(FORWARDED_FOR)
    elements = _elements(headers.get_list(FORWARDED))
    if not hops and not elements:
        return _told(ClientAddress(peer, scheme, local=is_local(peer) and not is_forwarded(headers)), headers)
    if hops:
        return _told(ClientAddress(client_address(peer, hops, (), trusted), scheme), headers)
    address, steps = _walk(peer, [each.get("for", "") for each in elements], trusted)
    ends = elements[-steps] if steps else elements[-1]  # the element for the client's own connection
    own = ClientAddress(address, _scheme(ends.get("proto", "")) or scheme, _host(ends.get("host", "")))
    return _told(own, headers)


def client_address(peer: str, forwarded_for: Sequence[str], forwarded: Sequence[str], trusted: Networks) -> str:
    """The address of the client, canonical.

    peer           the other end of the connection
    forwarded_for  lines of X-Forwarded-For, in their order
    forwarded      lines of Forwarded; they count if there are no lines of X-Forwarded-For
    Returns the first address that is not trusted. If an entry is not an address (`unknown`, an obfuscated name), or if
    the entries end, it is the last trusted address.
    """
    hops = [each for line in forwarded_for for each in line.split(",")]
    return _walk(peer, hops or [each.get("for", "") for each in _elements(forwarded)], trusted)[0]


def is_forwarded(headers: HTTPHeaders) -> bool:
    """Whether these are headers of a proxy, trusted or not, or of a client that poses as a proxy."""
    return any(name in headers for name in FORWARDING)


def _walk(peer: str, hops: Sequence[str], trusted: Networks) -> tuple[str, int]:
    """(address of the client, how many entries from the right were believed)."""
    address, steps = canonical(peer), 0
    for hop in reversed(hops[-MAX_HOPS:]):
        found = _node(hop) if address in trusted else None
        if found is None:
            break
        address, steps = found, steps + 1
    return address, steps


def _node(text: str) -> str | None:
    """The address of an entry: with or without a port, an IPv6 one with or without brackets (RFC 7239, 6)."""
    text = text.strip()
    match = _NODE.fullmatch(text)
    found = parse_address((match["v6"] or match["v4"]) if match else text)
    return None if found is None else str(found)


def _elements(lines: Iterable[str]) -> list[dict[str, str]]:
    """The elements of Forwarded (RFC 7239, 4), parameters in lower case.

    Split at every comma, quoted or not, so that a quotation mark that a client left open cannot swallow the entries to
    its right. No value that a proxy writes contains a comma.
    """
    found = []
    for element in (each for line in lines for each in line.split(",")):
        pairs = [pair.partition("=") for pair in element.split(";")]
        found.append({name.strip().lower(): value.strip().strip('"') for name, _, value in pairs})
    return found


def _told(client: ClientAddress, headers: HTTPHeaders) -> ClientAddress:
    """`client` with the scheme and the host that the nearest proxy names: the rightmost of several."""
    scheme = _scheme(headers.get("X-Forwarded-Proto", "").rpartition(",")[2])
    host = _host(headers.get("X-Forwarded-Host", "").rpartition(",")[2])
    if scheme is None and host is None:
        return client
    return client._replace(scheme=scheme or client.scheme, host=host or client.host)


def _scheme(text: str) -> str | None:
    text = text.strip().lower()
    return {"http": "http", "https": "https", "ws": "http", "wss": "https"}.get(text)


def _host(text: str) -> str | None:
    text = text.strip()
    return text if parse_authority(text) is not None else None
