"""The host policy: which Host, Origin and Sec-Fetch-Site headers are accepted. Pure: text in, decision out.

Host stops DNS rebinding: an attacker can point a name at this machine, but not make it one of our names. Origin and
Sec-Fetch-Site stop pages of other sites: the browser sends the name of the site.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443}

_KEEP_HOST = "let the proxy pass Host on unchanged (nginx: `proxy_set_header Host $http_host;`)"

_AUTHORITY = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?")


class HostPort(NamedTuple):
    """The parts of `host[:port]`; the host in lower case, without brackets and final dot."""

    host: str
    port: int | None


@functools.lru_cache(maxsize=256)  # every request names one of the same few hosts
def parse_authority(text: str) -> HostPort | None:
    """The parts of a Host header; None: not of the form `host[:port]`."""
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        return None
    port = int(match["port"]) if match["port"] else None
    if port is not None and port > 65535:
        return None
    host = (match["v6"] or match["name"]).lower().removesuffix(".")
    address = _address(host)
    return HostPort(host if address is None else str(address), port)


def parse_origin(text: str) -> tuple[str, HostPort] | None:
    """(scheme, host and port) of an Origin header; None: `null`, or not an origin."""
    scheme, separator, rest = text.partition("://")
    authority = parse_authority(rest)
    if not separator or scheme.lower() not in DEFAULT_PORTS or authority is None:
        return None
    scheme = scheme.lower()
    return scheme, HostPort(authority.host, authority.port or DEFAULT_PORTS[scheme])


@dataclass(frozen=True)
class HostPolicy:
    """The names of this server.

    names    in lower case, in addition to localhost and the loopback addresses
    any_ip   every IP address is accepted: the server listens for other machines, and DNS rebinding needs a name
    scheme   http or https, as the server itself serves
    origins  (scheme, host and port) of a proxy, as browsers see it
    """

    names: frozenset[str]
    any_ip: bool
    scheme: str
    origins: frozenset[tuple[str, HostPort]] = frozenset()

    def refuse_host(self, host: str | None, header: str = "Host") -> str | None:
        """Why this Host header is refused; None: it is accepted. header: what the proxy says it in, if not in Host."""
        authority = None if host is None else parse_authority(host)
        if authority is None:
            return f"{header}: expected a name of this server, got {(host or 'none')[:80]}"
        name = authority.host
        address = _address(name)
        if address is not None and (self.any_ip or _is_loopback(address)):
            return None
        if name == "localhost" or name in self.names:
            return None
        return (
            f"{header}: expected a name of this server, got {name[:80]}. "
            f"If it is one, start the server with --allow-host {name[:80]}"
        )

    def refuse_origin(self, origin: str | None, host: str, scheme: str = "") -> str | None:
        """Why this Origin header is refused; None: it is accepted, or there is no such header.

        scheme  of the client's own connection, if a proxy in front of the server says so
        """
        if origin is None:
            return None
        parsed = parse_origin(origin)
        if parsed is None:
            return f"Origin: expected the address of this server, got {origin[:80]}"
        if parsed in self.origins:
            return None
        theirs, authority = parsed
        ours = parse_authority(host)
        ours = None if ours is None else HostPort(ours.host, ours.port or DEFAULT_PORTS[scheme or self.scheme])
        if ours is not None and theirs == (scheme or self.scheme) and authority == ours:
            return None
        return _foreign(scheme or self.scheme, ours, theirs, authority)

    def refuse_site(self, site: str | None, mode: str | None, *, page: bool) -> str | None:
        """Why this Sec-Fetch-Site header is refused; None: it is accepted, or there is no such header.

        page  the request is for a page: users may follow links to it from anywhere
        """
        if site in (None, "same-origin", "none") or (page and mode == "navigate"):
            return None
        return f"Sec-Fetch-Site: expected same-origin, got {site[:80]}. Pages of other sites may not use this server"


def _foreign(scheme: str, ours: HostPort | None, theirs: str, authority: HostPort) -> str:
    """Why an origin is refused, and what to do if it is this server's own, seen through a proxy.

    scheme, ours       of this server, as the request says; None: it does not say
    theirs, authority  of the origin
    """
    got = _url(theirs, authority)
    expected = "the address of this server" if ours is None else f"{_url(scheme, ours)}, as Host says"
    if ours is None or ours.host != authority.host:
        advice = f"Pages of other sites may not use this server. If this is its own address, {_KEEP_HOST}"
    elif scheme != theirs:
        advice = f"If a proxy speaks {theirs} for this server, let it set X-Forwarded-Proto (see --trusted-proxies)"
    else:
        advice = f"If a proxy drops the port, {_KEEP_HOST}"
    return f"Origin: expected {expected}, got {got}. {advice}, or start the server with --url {got}"


def _url(scheme: str, authority: HostPort) -> str:
    """`https://box.example:8443`, without the port that the scheme has anyway."""
    host = f"[{authority.host}]" if ":" in authority.host else authority.host
    return f"{scheme}://{host}" + ("" if authority.port == DEFAULT_PORTS[scheme] else f":{authority.port}")


def host_policy(*, bind: str, allow_host: tuple[str, ...] = (), url: str = "", tls: bool = False) -> HostPolicy:
    """The policy of a server that listens on `bind`, an address or `unix:/path`, and that others reach at `url`."""
    names = {name.lower().removesuffix(".") for name in allow_host}
    any_ip = False
    address = _address(bind.strip("[]"))
    if bind.startswith("unix:"):
        pass  # the name of the proxy in front of it is in `allow_host` or `url`
    elif address is None:
        names.add(bind.lower())
        any_ip = bind.lower() != "localhost"
    elif not _is_loopback(address):
        any_ip = True
    origins = set()
    if url:
        parts = urlsplit(url)
        parsed = parse_origin(f"{parts.scheme}://{parts.netloc}")
        if parsed is not None:
            origins.add(parsed)
            names.add(parsed[1].host)
    return HostPolicy(frozenset(names), any_ip, "https" if tls else "http", frozenset(origins))


def is_loopback_host(host: str) -> bool:
    """Whether a Host header is localhost or a loopback address: only this machine reaches the server by these."""
    authority = parse_authority(host)
    if authority is None:
        return False
    address = _address(authority.host)
    return authority.host == "localhost" if address is None else _is_loopback(address)


@functools.lru_cache(maxsize=256)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _is_loopback(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
