"""Where a notification may go: the address that a browser names, and the machines that it may resolve to. Pure.

A client names the endpoint, so it is an attacker's choice: it must not make the server ask a machine of the network
behind it (SSRF).
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

from vibetunnel.errors import InvalidField

LONGEST = 2048  # characters; those of browsers have 150 to 900
PORTS = frozenset({443})  # no push service uses another

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# A host name whose last label begins with a letter, so that no form of an IP address is one; no user, no fragment.
_URL = re.compile(
    rf"https://(?P<host>(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?)(?::(?P<port>[0-9]{{1,5}}))?"
    r"/[!$-\[\]-~]*"
)
_LONGEST_HOST = 253  # characters (RFC 1035 §2.3.4)

_UNICAST = ipaddress.IPv6Network("2000::/3")  # beyond it: v4-mapped, NAT64, link-local, site-local, multicast ...
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "2001::/23",  # protocol assignments: Teredo, ORCHID
            "2001:db8::/32",  # documentation,
            "3fff::/20",  # which older versions of ipaddress do not know
            "2002::/16",  # 6to4: the address has an IPv4 address inside
            "192.0.0.0/24",  # protocol assignments
            "192.88.99.0/24",  # relays of 6to4
        ),
    )
)

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Endpoint(NamedTuple):
    """A valid endpoint. origin: as a VAPID token names it (RFC 8292 §2)."""

    url: str
    host: str
    port: int

    @property
    def origin(self) -> str:
        return f"https://{self.host}" + ("" if self.port == 443 else f":{self.port}")


def parse(url: str, ports: frozenset[int] = PORTS) -> Endpoint:
    """The parts of an endpoint. Raises InvalidField."""
    found = _URL.fullmatch(url) if len(url) <= LONGEST else None
    if found is None or len(found["host"]) > _LONGEST_HOST:
        raise InvalidField("endpoint", "an address of a push service that begins with https:// and a host's name")
    port = int(found["port"] or 443)
    if port not in ports:
        raise InvalidField("endpoint", "port 443, as push services have", str(port))
    return Endpoint(url, found["host"], port)


def is_public(address: IPAddress) -> bool:
    """Whether any machine of the Internet may have this address, and none of a private network."""
    if address.version == 6 and address not in _UNICAST:
        return False
    inside = any(address.version == each.version and address in each for each in _NOT_PUBLIC)
    return address.is_global and not address.is_multicast and not inside
