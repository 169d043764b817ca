"""Notifications, delivered to a push service on loopback, and decrypted as a browser would."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from clock import Clock
from harness import Browser, Running, Serve, until
from principals import Program, guest, logged_in, tokens_of
from push_endpoint import CONTACT, HOST, ON, PushBrowser, PushEndpoint, answered, claims

from vibetunnel.push import sender, service, subscriptions
from vibetunnel.settings import SettingsError, load

WANTED = {"enabled": True, "sessionStart": True, "commandCompletion": True, "claudeTurn": True}

Ask = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def pushing(serve: Serve, folder: Path, **settings: Any) -> AsyncIterator[tuple[Running, PushEndpoint]]:
    """A server, and the push service that it reaches."""
    async with PushEndpoint(folder).running() as endpoint:
        server = await serve(reach=endpoint.reach, **(ON | settings))
        yield server, endpoint
        await server.close()


async def subscribed(
    server: Running, endpoint: PushEndpoint, *, path: str = "/send/x", ask: Ask | None = None
) -> PushBrowser:
    """A browser of the owner, or of the client whose json() is `ask`, that wants to know everything."""
    browser, ask = PushBrowser(), ask or server.json
    answer = await ask("POST", "/api/push/subscribe", browser.subscription(endpoint.url(path)))
    assert (answer["success"], bool(answer["subscriptionId"])) == (True, True)
    await ask("PUT", "/api/config", {"notificationPreferences": WANTED})
    return browser


async def test_a_browser_is_told_that_a_session_has_ended(serve: Serve, folder: Path) -> None:
    async with pushing(serve, folder) as (server, endpoint):
        key = (await server.json("GET", "/api/push/vapid-public-key"))["publicKey"]
        browser = await subscribed(server, endpoint)
        await server.json("PUT", "/api/config", {"notificationPreferences": {"sessionStart": False}})
        before = time.time()
        session = await server.session(["sh", "-c", "exit 3"], name="build", spawn="now")
        (posted,) = await endpoint.arrived()
        assert posted.path == "/send/x"
        told = browser.opened(posted)
        assert before - 1 <= told["data"].pop("timestamp") / 1000 <= time.time() + 1
        assert told == {
            "title": "build has ended",
            "body": "Exit code 3",
            "tag": f"vibetunnel-session-exit-{session}",
            "data": {"type": "session-exit", "sessionId": session},
        }
        said = claims(posted, f"https://{HOST}:{endpoint.port}", key)
        assert said["sub"] == CONTACT
        assert 0 < said["exp"] - time.time() <= 86400
        assert posted.headers["ttl"] == str(sender.KEPT_S)
        assert len(posted.headers["topic"]) <= 32


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        (r"\a", ("bell", "work", "The terminal rang.")),
        (r"\033]9;Claude waits\007", ("attention", "work", "Claude waits")),
        (r"\033]777;notify;Done;All tests pass\007", ("attention", "Done", "All tests pass\nwork")),
    ],
)
async def test_what_a_program_says_reaches_the_browser(
    serve: Serve, folder: Path, printed: str, told: tuple[str, str, str]
) -> None:
    async with pushing(serve, folder) as (server, endpoint):
        browser = await subscribed(server, endpoint)
        await server.session(["sh", "-c", f"printf '{printed}'; cat"], name="work", spawn="now")
        await endpoint.arrived(2)
        found = {each["data"]["type"]: each for each in map(browser.opened, endpoint.posted)}
        assert found["session-start"]["title"] == "work has started"
        assert (found[told[0]]["title"], found[told[0]]["body"]) == told[1:]


async def test_a_long_command_that_fails_or_succeeds_is_told_and_a_short_one_is_not(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vibetunnel.push.message.LONG_COMMAND_MS", 300)
    async with pushing(serve, folder) as (server, endpoint):
        browser = await subscribed(server, endpoint)
        await server.json("PUT", "/api/config", {"notificationPreferences": {"sessionStart": False}})
        mark = r"printf '\033]133;A\007\033]133;B\007\033]133;C;cmdline=%s\007' "
        done = r"printf '\033]133;D;%s\007' "
        script = f"{mark} short; {done} 0; {mark} make; sleep 0.4; {done} 2; {mark} test; sleep 0.4; {done} 0; cat"
        await server.session(["sh", "-c", script], name="work", spawn="now")
        first, second = map(browser.opened, (await endpoint.arrived(2))[:2])
        assert (first["data"]["type"], first["title"]) == ("command-error", "Failed: make")
        assert first["body"].startswith("work: exit code 2 after ")
        assert (second["data"]["type"], second["title"]) == ("command-finished", "Done: test")


async def test_preferences_are_kept(serve: Serve, folder: Path) -> None:
    async with pushing(serve, folder) as (server, endpoint):
        browser = await subscribed(server, endpoint)
        quiet = {"sessionStart": False, "sessionExit": False, "soundEnabled": False, "vibrationEnabled": True}
        await server.json("PUT", "/api/config", {"notificationPreferences": quiet})
        await server.session(["sh", "-c", r"printf '\a'"], spawn="now")
        (posted,) = await endpoint.arrived()
        told = browser.opened(posted)
        assert (told["data"]["type"], told["silent"], told["vibrate"]) == ("bell", True, True)
        await server.json("PUT", "/api/config", {"notificationPreferences": {"enabled": False}})
        ended = await server.session(["sh", "-c", r"printf '\a'"], spawn="now")
        await server.ended(ended)
        assert (await server.json("POST", "/api/push/test"))["sent"] == 1  # after what the session could have caused
        assert [browser.opened(each)["data"]["type"] for each in endpoint.posted] == ["bell", "test-notification"]


async def test_each_user_has_subscriptions_of_their_own(serve: Serve, folder: Path) -> None:
    async with pushing(serve, folder) as (server, endpoint):
        ada, bob = await logged_in(server, "ada"), await logged_in(server, "bob", "viewer")
        await subscribed(server, endpoint, path="/ada", ask=ada.json)
        browser = await subscribed(server, endpoint, path="/bob", ask=bob.json)
        for each, count in ((ada, 1), (bob, 1), (server, 0)):
            status = await each.json("GET", "/api/push/status")
            assert (status["totalSubscriptions"], status["status"]["subscriptions"]) == (count, count)
        await ada.json("POST", "/api/push/unsubscribe", {"endpoint": endpoint.url("/bob")})  # is not hers
        tested = await bob.json("POST", "/api/push/test", {"message": "to bob"})
        assert (tested["success"], tested["sent"], tested["failed"], tested["errors"]) == (True, 1, 0, [])
        assert [each.path for each in endpoint.posted] == ["/bob"]
        assert browser.opened(endpoint.posted[0])["body"] == "to bob"
        await bob.json("POST", "/api/push/unsubscribe", {"endpoint": endpoint.url("/bob")})
        assert (await bob.json("POST", "/api/push/test"))["sent"] == 0


async def test_a_login_that_ends_takes_its_browser_with_it(serve: Serve, folder: Path) -> None:
    async with pushing(serve, folder) as (server, endpoint):
        ada = await logged_in(server, "ada")
        await subscribed(server, endpoint, ask=ada.json)
        kept = server.server.context.push
        assert isinstance(kept, service.PushService)
        assert (await ada.fetch("POST", "/api/auth/logout")).code == 200
        assert kept.subscriptions.all() == []


@pytest.mark.parametrize("change", ["removed", "disabled", "token"])
async def test_nothing_is_told_after_the_right_has_gone(serve: Serve, folder: Path, change: str) -> None:
    async with pushing(serve, folder) as (server, endpoint):
        program = Program(server, (await tokens_of(server, "ada"))["token"])
        if change == "token":
            made = await program.json("POST", "/api/tokens", {"scope": ["view"], "expires": 600}, status=201)
            reader = Program(server, made["token"])
            browser = PushBrowser()
            await reader.json("POST", "/api/push/subscribe", browser.subscription(endpoint.url("/ada")))
            await program.json("PUT", "/api/config", {"notificationPreferences": WANTED})
            await program.json("DELETE", f"/api/tokens/{made['id']}")
            await reader.close()
        else:
            await subscribed(server, endpoint, path="/ada", ask=program.json)
            if change == "removed":
                await server.json("DELETE", "/api/users/ada")
            else:
                await server.json("PATCH", "/api/users/ada", {"disabled": True})
        await subscribed(server, endpoint, path="/owner")
        await server.ended(await server.session(["true"], spawn="now"))
        await endpoint.arrived(2)
        assert {each.path for each in endpoint.posted} == {"/owner"}
        await program.close()


async def test_a_browser_that_is_gone_is_forgotten(serve: Serve, folder: Path) -> None:
    for status in (404, 410):
        async with pushing(serve, folder) as (server, endpoint):
            await subscribed(server, endpoint)
            endpoint.answer = answered(status)
            tested = await server.json("POST", "/api/push/test")
            assert (tested["failed"], tested["errors"]) == (1, [f"the push service answered {status}"])
            assert (await server.json("GET", "/api/push/status"))["totalSubscriptions"] == 0


async def test_a_push_service_that_fails_is_left_alone_for_a_while(serve: Serve, folder: Path) -> None:
    async with pushing(serve, folder) as (server, endpoint):
        await subscribed(server, endpoint)
        endpoint.answer = answered(500)
        for _ in range(3):
            assert (await server.json("POST", "/api/push/test"))["failed"] == 1
        assert len(endpoint.posted) == 1
        assert (await server.json("GET", "/api/push/status"))["totalSubscriptions"] == 1


@pytest.mark.parametrize(("reachable", "tries"), [(True, 5), (False, 6)])
async def test_a_push_service_that_was_out_of_reach_is_tried_again_within_minutes(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch, reachable: bool, tries: int
) -> None:
    clock = Clock()
    monkeypatch.setattr(service, "steady", clock)
    asked = []
    async with PushEndpoint(folder).running() as endpoint:
        endpoint.answer = answered(500)

        async def look_up(host: str, port: int) -> list[sender.Address]:
            asked.append(host)
            if reachable:
                return await endpoint.reach.look_up(host, port)
            raise OSError("no network")

        server = await serve(reach=replace(endpoint.reach, look_up=look_up), **ON)
        await subscribed(server, endpoint)
        for _ in range(6):
            assert (await server.json("POST", "/api/push/test"))["failed"] == 1
            clock.now += service.LONGEST_UNREACHED_S
        assert len(asked) == tries
        await server.close()


async def test_the_result_of_a_test_does_not_wait_for_each_push_service(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "TEST_S", 0.2)
    async with pushing(serve, folder) as (server, endpoint):
        endpoint.silent.add("/silent")
        for path in ("/good", "/silent", "/later"):
            await subscribed(server, endpoint, path=path)
        found = await server.json("POST", "/api/push/test")
        assert found["success"] is False
        assert set(found["errors"]) == {"no answer yet"}


async def test_the_key_and_the_subscriptions_outlive_the_server(serve: Serve, folder: Path) -> None:
    async with PushEndpoint(folder).running() as endpoint:
        first = await serve(reach=endpoint.reach, **ON)
        key = await first.json("GET", "/api/push/vapid-public-key")
        browser = await subscribed(first, endpoint)
        await first.close()
        path = folder / "s" / "push.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        second = await serve(reach=endpoint.reach, **ON)
        assert await second.json("GET", "/api/push/vapid-public-key") == key
        assert (await second.json("POST", "/api/push/test"))["sent"] == 1
        assert browser.opened(endpoint.posted[0])["title"] == "vibetunnel"
        await second.close()


async def test_a_user_has_so_many_browsers_and_the_oldest_makes_room(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "LIMIT", 3)
    monkeypatch.setattr(subscriptions, "LIMIT_OF_USER", 2)
    async with pushing(serve, folder) as (server, endpoint):
        for name in "abc":
            await subscribed(server, endpoint, path=f"/{name}")
        await server.json("POST", "/api/push/test")
        assert sorted(each.path for each in endpoint.posted) == ["/b", "/c"]
        ada = await logged_in(server, "ada")
        await subscribed(server, endpoint, path="/d", ask=ada.json)
        bob = await logged_in(server, "bob")
        body = PushBrowser().subscription(endpoint.url("/e"))
        assert "at most 3" in (await bob.json("POST", "/api/push/subscribe", body, status=429))["message"]


async def test_a_test_notification_reaches_the_open_pages_of_the_user_too(serve: Serve, folder: Path) -> None:
    async with pushing(serve, folder) as (server, endpoint):
        await subscribed(server, endpoint)
        ada = await logged_in(server, "ada")
        events = server.server.context.registry.events.broadcast
        own, other = events.listen(user=server.server.context.user), events.listen(user="ada")
        answer = await server.json("POST", "/api/test-notification")
        assert (answer["success"], answer["pushResult"]["sent"]) == (True, 1)
        assert json.loads(await own.next() or b"")["type"] == "test-notification"
        await ada.json("POST", "/api/test-notification")
        await until(lambda: other._queue.qsize() == 1)
        assert own._queue.qsize() == 0
        own.close()
        other.close()


async def test_the_listener_of_push_is_no_client_of_a_test_event(serve: Serve, folder: Path) -> None:
    async with pushing(serve, folder) as (server, endpoint):
        hub = server.server.context.registry.events.broadcast
        await subscribed(server, endpoint)
        await until(lambda: len(hub.listeners) == 1)
        test = {"type": "test", "message": "hello"}
        assert (await server.json("POST", "/api/events/test", test))["clients"] == 0


async def test_push_is_off_unless_it_is_asked_for(server: Running) -> None:
    for method, path, body in (
        ("GET", "/api/push/vapid-public-key", None),
        ("POST", "/api/push/subscribe", PushBrowser().subscription("https://push.example/x")),
        ("POST", "/api/push/unsubscribe", {"endpoint": "https://push.example/x"}),
        ("POST", "/api/push/test", {}),
        ("GET", "/api/push/status", None),
    ):
        answer = await server.json(method, path, body, status=503)
        assert answer == {
            "error": "Push notifications not configured",
            "message": "Start the server with --push and --push-contact mailto:YOU@example.org",
        }
    assert (await server.json("POST", "/api/test-notification"))["pushResult"] is None
    assert not (server.server.settings.state_dir / "push.json").exists()


async def test_without_the_package_push_is_off_and_says_how_to_install_it(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, expect_log: Callable[[str], None]
) -> None:
    expect_log(r"pip install 'vibetunnel\[push\]'")
    monkeypatch.setattr(sender, "available", lambda: False)
    server = await serve(**ON)
    answer = await server.json("GET", "/api/push/vapid-public-key", status=503)
    assert "pip install 'vibetunnel[push]'" in answer["message"]


def test_push_needs_an_address_of_the_operator() -> None:
    with pytest.raises(SettingsError, match="--push needs --push-contact"):
        load(flags={"push": True})
    for wrong in ("ops@example.org", "mailto:ops", "https://example.org", "mailto:a@b.example\nx"):
        with pytest.raises(SettingsError, match=r"mailto:you@example\.org"):
            load(flags={"push_contact": wrong})


async def test_a_guest_gets_no_notifications(serve: Serve, folder: Path) -> None:
    async with pushing(serve, folder) as (server, endpoint):
        visitor: Browser = await guest(server, await server.session())
        body = PushBrowser().subscription(endpoint.url())
        assert (await visitor.fetch("POST", "/api/push/subscribe", body)).code == 403
