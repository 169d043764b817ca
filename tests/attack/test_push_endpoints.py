"""Attacks by the endpoints of notifications, which clients choose: the server must ask no machine that it should not.

All are forms of CWE-918 (server-side request forgery) unless they name another weakness.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from attacker import Target, aim
from harness import Serve, until
from push_endpoint import HOST, ON, PushBrowser, PushEndpoint, answered, found

from vibetunnel.push.endpoint import is_public
from vibetunnel.push.sender import AT_ONCE, MAX_ANSWER, Reach

pytestmark = pytest.mark.attack

NOT_REACHED = "the push service could not be reached"


@asynccontextmanager
async def attacked(
    serve: Serve, endpoint: PushEndpoint, reach: Callable[[Reach], Reach] = lambda each: each
) -> AsyncIterator[Target]:
    running = await serve(reach=reach(endpoint.reach), **ON)
    target = aim(running)
    try:
        yield target
    finally:
        await target.close()
        await running.close()


async def subscribe(target: Target, url: str, status: int = 200) -> PushBrowser:
    browser = PushBrowser()
    await target.json("POST", "/api/push/subscribe", browser.subscription(url), status=status)
    return browser


async def sent_to_all(target: Target) -> Any:
    return await target.json("POST", "/api/push/test", {})


@pytest.mark.parametrize(
    "url",
    [
        "http://push.example/x",
        "https://push.example:22/x",
        "https://push.example:8443/x",
        "https://push.example:0/x",
        "https://push.example:99999/x",
        "https://push.example:/x",
        "https://user@push.example/x",
        "https://user:password@push.example/x",
        "https://push.example@127.0.0.1/x",
        "https://push.example\\@127.0.0.1/x",
        "https://push.example#@127.0.0.1/x",
        "https://127.0.0.1/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f.0.0.1/x",
        "https://0x7f000001/x",
        "https://0177.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://[fe80::1%25eth0]/x",
        "https://localhost/x",
        "https://localhost./x",
        "https://push.example./x",
        "https://PUSH.example/x",
        "https://push..example/x",
        "https://-push.example/x",
        "https://pu_sh.example/x",
        "https://push.example",
        "https://push.example?x",
        "https://push.example/x y",
        "https://push.example/x\r\nX-Injected: 1",
        "https://push.example/\tx",
        "https://push\t.example/x",
        " https://push.example/x",
        "https://push.example/x\n",
        "https://push.example/\u0430",
        "https://pus\u0127.example/x",
        "https://ⓛocalhost/x",
        "https://" + "a." * 130 + "example/x",
        "https://push.example/" + "x" * 2100,
        "//push.example/x",
        "file:///etc/passwd",
        "gopher://push.example/x",
        "",
    ],
)
async def test_an_endpoint_that_no_push_service_has_is_refused(serve: Serve, url: str) -> None:
    running = await serve(**ON)
    target = aim(running)
    try:
        await subscribe(target, url, status=400)
    finally:
        await target.close()


@pytest.mark.parametrize(
    "address",
    """0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.254 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1
    172.31.255.254 192.0.0.1 192.0.0.8 192.0.0.9 192.0.0.170 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1
    198.19.255.254 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::7f00:1
    ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::8.8.8.8 64:ff9b:1::a00:1 100::1 2001::1
    2001:0:7f00:1::1 2001:10::1 2001:20::1 2001:1::1 2001:db8::1 2002:7f00:1:: 2002:a00:1::1 3fff::1 5f00::1
    fc00::1 fd00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 ff0e::1""".split(),
)
def test_an_address_that_is_not_public_is_none_of_a_push_service(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "142.250.74.74", "2a00:1450:4001:80e::200a", "2606:4700::6812:1a2e"])
def test_the_addresses_of_push_services_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_a_name_that_leads_into_this_machine_is_not_followed(serve: Serve, folder: Path, address: str) -> None:
    """Also nothing about the address is told to the client (CWE-209)."""

    async def look_up(host: str, port: int) -> list[tuple[int, Any]]:
        return [found(address, port)]

    async with PushEndpoint(folder, "127.0.0.1" if "." in address else "::1").running() as endpoint:
        reach = lambda each: replace(each, look_up=look_up, allowed=is_public)  # noqa: E731
        async with attacked(serve, endpoint, reach) as target:
            await subscribe(target, endpoint.url())
            assert (await sent_to_all(target))["errors"] == [NOT_REACHED]
            assert endpoint.connections == 0


async def test_a_name_whose_address_changes_after_the_check_leads_nowhere_else(serve: Serve, folder: Path) -> None:
    """CWE-350, CWE-367: DNS rebinding."""
    async with PushEndpoint(folder).running() as inside, PushEndpoint(folder, "::1", inside.port).running() as outside:
        answers = [outside.address, inside.address] * 4
        asked = 0

        async def look_up(host: str, port: int) -> list[tuple[int, Any]]:
            nonlocal asked
            asked += 1
            return [found(answers[asked - 1], port)]

        def allowed(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
            return str(address) == outside.address

        async with attacked(serve, outside, lambda each: replace(each, look_up=look_up, allowed=allowed)) as target:
            await subscribe(target, outside.url())
            assert (await sent_to_all(target))["sent"] == 1
            assert asked == 1
            assert (await sent_to_all(target))["errors"] == [NOT_REACHED]
            assert (len(outside.posted), inside.connections) == (1, 0)


async def test_a_name_with_one_bad_address_among_good_ones_is_not_followed(serve: Serve, folder: Path) -> None:
    async with PushEndpoint(folder).running() as inside, PushEndpoint(folder, "::1", inside.port).running() as outside:

        async def look_up(host: str, port: int) -> list[tuple[int, Any]]:
            return [found(outside.address, port), found(inside.address, port)]

        def allowed(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
            return str(address) == outside.address

        async with attacked(serve, outside, lambda each: replace(each, look_up=look_up, allowed=allowed)) as target:
            await subscribe(target, outside.url())
            assert (await sent_to_all(target))["errors"] == [NOT_REACHED]
            assert (outside.connections, inside.connections) == (0, 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(serve: Serve, folder: Path, status: int) -> None:
    async with PushEndpoint(folder).running() as endpoint:
        endpoint.answer = answered(status, f"Location: {endpoint.url('/secret')}")
        async with attacked(serve, endpoint) as target:
            await subscribe(target, endpoint.url())
            assert (await sent_to_all(target))["errors"] == [f"the push service answered {status}"]
            assert [each.path for each in endpoint.posted] == ["/send/x"]


@pytest.mark.parametrize(
    "answer",
    [
        answered(201, body=b"x" * (MAX_ANSWER + 1)),
        answered(201, f"X-Long: {'x' * 2 * MAX_ANSWER}"),
        b"HTTP/1.1 201 X\r\nTransfer-Encoding: chunked\r\n\r\n" + b"4000\r\n" + b"x" * 0x4000 + b"\r\n4000\r\nx",
        answered(201, "Content-Encoding: gzip").replace(b"Content-Length: 0", b"Content-Length: 1000000000"),
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
        b"\0" * 1_000_000,
    ],
    ids=["body", "header", "chunks", "length", "continue", "nonsense"],
)
async def test_a_huge_answer_is_not_read(serve: Serve, folder: Path, answer: bytes) -> None:
    """CWE-400, CWE-409."""
    async with PushEndpoint(folder).running() as endpoint:
        endpoint.answer = answer
        async with attacked(serve, endpoint) as target:
            await subscribe(target, endpoint.url())
            assert (await sent_to_all(target))["errors"] == [NOT_REACHED]


@pytest.mark.parametrize("host", [HOST, f"unresolved.{HOST}"], ids=["silent", "unresolved"])
async def test_an_endpoint_that_never_answers_delays_no_other_user(serve: Serve, folder: Path, host: str) -> None:
    """CWE-400, CWE-770: more of them than there are connections at once."""
    async with PushEndpoint(folder).running() as endpoint:
        asked, never, real = asyncio.Event(), asyncio.Event(), endpoint.reach.look_up

        async def look_up(name: str, port: int) -> list[tuple[int, Any]]:
            asked.set()
            if name != HOST:
                await never.wait()
            return await real(name, port)

        async with attacked(serve, endpoint, lambda each: replace(each, look_up=look_up)) as target:
            eve = await target.user("writer")
            for number in range(2 * AT_ONCE):
                endpoint.silent.add(f"/silent/{number}")
                body = PushBrowser().subscription(endpoint.url(f"/silent/{number}").replace(HOST, host))
                assert (await eve.fetch("POST", "/api/push/subscribe", body)).code == 200
            stuck = asyncio.create_task(eve.fetch("POST", "/api/push/test", {}))
            await asked.wait()
            await subscribe(target, endpoint.url("/good"))
            assert (await sent_to_all(target))["sent"] == 1
            assert not stuck.done()
            never.set()
        await asyncio.gather(stuck, return_exceptions=True)  # the server has closed its connection


async def test_an_endpoint_that_never_answers_is_given_up(serve: Serve, folder: Path) -> None:
    async with PushEndpoint(folder).running() as endpoint:
        endpoint.silent.add("/send/x")
        async with attacked(serve, endpoint, lambda each: replace(each, timeout_s=0.2)) as target:
            await subscribe(target, endpoint.url())
            assert (await sent_to_all(target))["errors"] == [NOT_REACHED]
            assert (await sent_to_all(target))["errors"] == ["the push service has failed just now; try again later"]
            assert endpoint.connections == 1


async def test_a_name_that_is_resolved_too_late_is_given_up_without_an_error(
    serve: Serve, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """CWE-779: such names filled the log with tracebacks, because Tornado no longer waited for them."""
    caplog.set_level("INFO")
    late, ended = asyncio.Event(), asyncio.Event()

    async def look_up(host: str, port: int) -> list[tuple[int, Any]]:
        try:
            await late.wait()
            raise socket.gaierror("no such name")
        finally:
            ended.set()

    async with PushEndpoint(folder).running() as endpoint:
        slow = attacked(serve, endpoint, lambda each: replace(each, timeout_s=0.2, look_up=look_up))
        async with slow as target:
            await subscribe(target, endpoint.url())
            assert (await sent_to_all(target))["errors"] == [NOT_REACHED]
            late.set()
            await ended.wait()
    assert caplog.text.count("was not sent") == 1


async def test_a_machine_that_is_not_the_push_service_gets_nothing(
    serve: Serve, folder: Path, expect_log: Callable[[str], None]
) -> None:
    """CWE-297: its certificate has another name."""
    expect_log("certificate verify failed")
    async with PushEndpoint(folder).running() as endpoint, attacked(serve, endpoint) as target:
        await subscribe(target, endpoint.url().replace(HOST, "other.example"))
        assert (await sent_to_all(target))["errors"] == [NOT_REACHED]
        assert endpoint.posted == []


async def test_no_user_learns_or_ends_what_another_has_subscribed(serve: Serve, folder: Path) -> None:
    """CWE-639, CWE-532: an endpoint is a capability, so it is in no answer and no log."""
    async with PushEndpoint(folder).running() as endpoint, attacked(serve, endpoint) as target:
        await subscribe(target, endpoint.url("/capability-of-the-owner"))
        eve = await target.user("writer")
        assert (await eve.fetch("POST", "/api/push/unsubscribe", {"endpoint": endpoint.url("/c")})).code == 200
        for path in ("/api/push/status", "/api/push/vapid-public-key", "/api/config", "/api/sessions"):
            answer = await eve.fetch("GET", path)
            assert (answer.code, b"capability" in answer.body) == (200, False)
        assert json.loads((await eve.fetch("GET", "/api/push/status")).body)["totalSubscriptions"] == 0
        assert json.loads((await eve.fetch("POST", "/api/push/test", {})).body)["sent"] == 0
        own = {"endpoint": endpoint.url("/capability-of-the-owner")}
        assert (await eve.fetch("POST", "/api/push/unsubscribe", own)).code == 200
        assert (await sent_to_all(target))["sent"] == 1
        for path in ("/api/logs/raw", "/api/push/status", "/api/openapi.json"):
            assert b"capability" not in (await target.fetch("GET", path)).body
        logs = folder / "s" / "log"
        assert not any(b"capability" in each.read_bytes() for each in logs.iterdir())


async def test_a_program_that_rings_all_day_sends_few_messages(serve: Serve, folder: Path) -> None:
    """CWE-770, CWE-799."""
    async with PushEndpoint(folder).running() as endpoint:
        running = await serve(reach=endpoint.reach, **ON)
        target = aim(running)
        await subscribe(target, endpoint.url())
        await target.json("PUT", "/api/config", {"notificationPreferences": {"enabled": True, "sessionExit": False}})
        events = running.server.context.registry.events.broadcast.listen()
        script = r"while :; do printf '\a'; sleep 0.02; done"
        await target.session(["sh", "-c", script], spawn="now")
        for _ in range(30):
            while (json.loads(await events.next() or b"{}"))["type"] != "bell":
                pass
        events.close()
        await target.close()
        target = aim(running)
        assert (await sent_to_all(target))["sent"] == 1
        assert len(endpoint.posted) <= 8
        await target.close()
        await running.close()


async def test_a_user_sends_few_messages_on_purpose(serve: Serve, folder: Path) -> None:
    """CWE-770, CWE-406: else a user could make the server flood another machine."""
    async with PushEndpoint(folder).running() as endpoint, attacked(serve, endpoint) as target:
        eve = await target.user("writer")
        body = PushBrowser().subscription(endpoint.url())
        assert (await eve.fetch("POST", "/api/push/subscribe", body)).code == 200
        codes = [(await eve.fetch("POST", "/api/push/test", {})).code for _ in range(6)]
        codes += [(await eve.fetch("POST", "/api/test-notification")).code for _ in range(6)]
        assert codes == [200] * 10 + [429] * 2
        await until(lambda: len(endpoint.posted) == 10)


async def test_hostile_text_reaches_no_notification(serve: Serve, folder: Path) -> None:
    """CWE-150, CWE-451: nothing that a program prints controls what stands beside it, and none is too large."""
    async with PushEndpoint(folder).running() as endpoint, attacked(serve, endpoint) as target:
        browser = await subscribe(target, endpoint.url())
        wanted = {"enabled": True, "claudeTurn": True, "sessionExit": False}
        await target.json("PUT", "/api/config", {"notificationPreferences": wanted})
        script = r"printf '\033]777;notify;\342\200\256evil\342\200\250x;%s\007' $(printf '\"%.0s' $(seq 2000)); cat"
        await target.session(["sh", "-c", script], spawn="now")
        (posted,) = await endpoint.arrived()
        told = browser.opened(posted)
        assert told["title"].isprintable()
        assert "evil" in told["title"]
        assert len(posted.body) < 4096
