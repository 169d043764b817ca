"""The address of a client through trusted proxies, and the allow list."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders

from vibetunnel.security.addresses import (
    UNIX,
    ClientAddress,
    Networks,
    canonical,
    client_address,
    direct,
    forwarded,
    is_local,
    network,
)
from vibetunnel.security.allow_list import AllowList

PROXY = "10.0.0.1"
TRUSTED = Networks.parse(["10.0.0.0/24", "unix"])


def headers(**fields: str | list[str]) -> HTTPHeaders:
    made = HTTPHeaders()
    for name, values in fields.items():
        for value in [values] if isinstance(values, str) else values:
            made.add(name.replace("_", "-"), value)
    return made


@pytest.mark.parametrize(
    ("networks", "address", "inside"),
    [
        (["192.168.1.0/24"], "192.168.1.77", True),
        (["192.168.1.0/24"], "192.168.2.77", False),
        (["192.168.1.9/24"], "192.168.1.77", True),  # host bits are no reason to refuse
        (["192.168.1.0/24"], "::ffff:192.168.1.77", True),
        (["::ffff:192.168.1.0/120"], "192.168.1.77", True),
        (["2001:db8::/32"], "2001:DB8:0:0::1", True),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["::/0"], "192.168.1.77", False),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["::1"], "::1", True),
        (["::1"], "127.0.0.1", False),
        (["unix"], UNIX, True),
        (["0.0.0.0/0"], UNIX, False),
        ([], "127.0.0.1", False),
        (["10.0.0.0/8"], "10.0.0.1.evil.example", False),
        (["10.0.0.0/8"], "", False),
    ],
)
def test_a_network_has_its_addresses_in_every_form(networks: list[str], address: str, inside: bool) -> None:
    assert (address in Networks.parse(networks)) is inside


@pytest.mark.parametrize("text", ["10.0.0.0/33", "box.example", "10.0.0", ""])
def test_an_invalid_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        Networks.parse([text])


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_network_agrees_with_the_standard_library(address: ipaddress.IPv4Address, bits: int) -> None:
    whole = ipaddress.ip_network((address, min(bits, address.max_prefixlen)), strict=False)
    if getattr(address, "ipv4_mapped", None) is None:
        assert str(address) in Networks([whole])
    if int(whole.network_address) and getattr(whole.network_address - 1, "ipv4_mapped", None) is None:
        assert str(whole.network_address - 1) not in Networks([whole])


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "expected"),
    [
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),  # not a trusted proxy
        (PROXY, ["198.51.100.1"], "198.51.100.1"),
        (PROXY, ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),  # what the client wrote is on the left
        (PROXY, ["1.1.1.1", "198.51.100.1"], "198.51.100.1"),
        (PROXY, ["1.1.1.1", "198.51.100.1, 10.0.0.7"], "198.51.100.1"),  # a proxy behind a proxy
        (PROXY, ["10.0.0.9, 10.0.0.8"], "10.0.0.9"),
        (PROXY, ["127.0.0.1, 198.51.100.1"], "198.51.100.1"),
        (PROXY, ["::ffff:198.51.100.1"], "198.51.100.1"),
        (PROXY, ["198.51.100.1:4711"], "198.51.100.1"),
        (PROXY, ["[2001:db8::1]:4711"], "2001:db8::1"),
        (PROXY, ["2001:DB8::1"], "2001:db8::1"),
        (PROXY, ["unknown"], PROXY),
        (PROXY, ["198.51.100.1, unknown"], PROXY),
        (PROXY, ["198.51.100.1, unknown, 10.0.0.3"], "10.0.0.3"),
        (PROXY, [""], PROXY),
        (PROXY, [], PROXY),
        (PROXY, ["127.1"], PROXY),  # not an address, whatever inet_aton says
        (PROXY, ["0x7f.0.0.1"], PROXY),
        ("::ffff:10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        (UNIX, ["198.51.100.1"], "198.51.100.1"),
        (UNIX, [], UNIX),
    ],
)
def test_the_client_is_the_first_that_is_not_trusted(peer: str, forwarded_for: list[str], expected: str) -> None:
    assert client_address(peer, forwarded_for, [], TRUSTED) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["for=198.51.100.1"], "198.51.100.1"),
        (['For="[2001:db8::1]:4711";proto=https'], "2001:db8::1"),
        (["for=1.1.1.1, for=198.51.100.1;by=10.0.0.1"], "198.51.100.1"),
        (['for="1.1.1.1', "for=198.51.100.1"], "198.51.100.1"),  # a quotation mark that swallows nothing
        (['for="1.1.1.1, for=198.51.100.1'], "198.51.100.1"),
        (["for=_hidden"], PROXY),
        (["proto=https"], PROXY),
    ],
)
def test_the_standard_header_is_read_too(lines: list[str], expected: str) -> None:
    assert client_address(PROXY, [], lines, TRUSTED) == expected


def test_a_long_chain_costs_nothing() -> None:
    assert client_address(PROXY, [",".join(["10.0.0.2"] * 5000)], [], TRUSTED) == "10.0.0.2"


def test_the_customary_header_wins_over_the_standard_one_that_proxies_pass_on() -> None:
    found = forwarded(PROXY, "http", headers(X_Forwarded_For="198.51.100.1", Forwarded="for=1.1.1.1"), TRUSTED)
    assert found.address == "198.51.100.1"


def test_scheme_and_host_are_those_of_the_nearest_proxy() -> None:
    sent = headers(
        X_Forwarded_For="198.51.100.1", X_Forwarded_Proto="http, https", X_Forwarded_Host="evil.example, box.example"
    )
    assert forwarded(PROXY, "http", sent, TRUSTED) == ClientAddress("198.51.100.1", "https", "box.example")
    standard = headers(Forwarded='for=198.51.100.1;proto=https;host="box.example:8443", for=10.0.0.5;proto=http')
    assert forwarded(PROXY, "http", standard, TRUSTED) == ClientAddress("198.51.100.1", "https", "box.example:8443")


@pytest.mark.parametrize("bad", ["javascript", "https:", "", "ftp"])
def test_an_invalid_scheme_is_ignored(bad: str) -> None:
    assert forwarded(PROXY, "http", headers(X_Forwarded_For="1.1.1.1", X_Forwarded_Proto=bad), TRUSTED).scheme == "http"


@pytest.mark.parametrize("bad", ["box.example/path", "box.example@evil", "a b", ""])
def test_an_invalid_host_is_ignored(bad: str) -> None:
    assert forwarded(PROXY, "http", headers(X_Forwarded_For="1.1.1.1", X_Forwarded_Host=bad), TRUSTED).host is None


def test_this_machine_is_itself_only_without_a_proxy() -> None:
    assert direct("127.0.0.1", "http").local
    assert direct(UNIX, "http").local
    loopback = Networks.parse(["127.0.0.1"])
    assert forwarded("127.0.0.1", "http", headers(), loopback).local
    assert not forwarded("127.0.0.1", "http", headers(X_Forwarded_For="unknown"), loopback).local
    assert not forwarded("127.0.0.1", "http", headers(X_Forwarded_For="127.0.0.1"), loopback).local
    assert not forwarded("127.0.0.1", "http", headers(X_Forwarded_Proto="https"), loopback).local


@given(st.text(max_size=40), st.lists(st.text(max_size=40), max_size=4), st.lists(st.text(max_size=40), max_size=4))
def test_no_text_breaks_it(peer: str, one: list[str], other: list[str]) -> None:
    found = client_address(peer, one, other, TRUSTED)
    assert canonical(found) == found or found == peer


def test_an_address_of_ipv6_stands_for_its_network() -> None:
    assert network("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64"
    assert network("192.0.2.7") == network("::ffff:192.0.2.7") == "192.0.2.7"
    assert network(UNIX) == UNIX


@pytest.mark.parametrize(("address", "local"), [("127.8.8.8", True), ("::1", True), (UNIX, True), ("192.0.2.1", False)])
def test_which_addresses_are_this_machine(address: str, local: bool) -> None:
    assert is_local(address) is local


def test_an_empty_list_allows_everybody() -> None:
    everybody = AllowList(Networks(), TRUSTED)
    assert everybody.admits("203.0.113.9")
    assert not everybody.refuses("203.0.113.9")
    assert everybody.refusal(direct("203.0.113.9", "http"), headers()) is None


def test_a_list_allows_its_addresses_this_machine_and_at_first_a_proxy() -> None:
    some = AllowList(Networks.parse(["198.51.100.0/24"]), TRUSTED)
    assert some.admits("198.51.100.7")
    assert some.admits("::ffff:198.51.100.7") is True
    assert some.admits("127.0.0.1")
    assert some.admits(PROXY)
    assert not some.admits("203.0.113.9")
    assert some.refusal(direct("198.51.100.7", "http"), headers()) is None
    assert some.refusal(direct("127.0.0.1", "http"), headers()) is None
    assert some.refusal(direct("203.0.113.9", "http"), headers(X_Forwarded_For="198.51.100.7")) == (
        "IP address not allowed"
    )
    assert some.refuses("203.0.113.9")
    assert not some.refuses("127.0.0.1")


def test_an_untrusted_proxy_does_not_count_as_this_machine() -> None:
    some = AllowList(Networks.parse(["198.51.100.0/24"]), Networks())
    assert some.refusal(direct("127.0.0.1", "http"), headers(X_Forwarded_For="198.51.100.7")) is not None


def test_a_proxy_itself_is_not_allowed_when_it_says_nothing_of_the_client() -> None:
    some = AllowList(Networks.parse(["198.51.100.0/24"]), TRUSTED)
    for sent in (headers(), headers(X_Forwarded_For="unknown")):
        assert some.refusal(forwarded(PROXY, "http", sent, TRUSTED), sent) == "IP address not allowed"
