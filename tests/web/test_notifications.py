"""Notifications: the dialog, and the service worker that shows them and opens their session."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Worker, expect
from served import Serve, Served
from visitor import Visit, Visitor

ON = ("--push", "--push-contact", "mailto:ops@example.org")
SUBSCRIPTION = {
    "endpoint": "https://push.invalid/send/1",
    "keys": {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
}
# The browser has no push service here: the page's subscriptions are those of this object.
FAKE = f"""
(() => {{
  let made = JSON.parse(sessionStorage.getItem("fake") ?? "null") && fake();
  function fake() {{
    return {{
      endpoint: "{SUBSCRIPTION["endpoint"]}", options: {{ applicationServerKey: null }},
      toJSON: () => ({json.dumps(SUBSCRIPTION)}),
      unsubscribe: async () => {{ made = null; sessionStorage.removeItem("fake"); return true; }},
    }};
  }}
  PushManager.prototype.getSubscription = async () => made;
  PushManager.prototype.subscribe = async () => {{ sessionStorage.setItem("fake", "1"); return (made = fake()); }};
}})();
"""


@pytest.fixture
def server(serve: Serve) -> Served:
    return serve(*ON)


@pytest.fixture
def visitor(visit: Visit, server: Served) -> Visitor:
    visitor = visit(server, permissions=["notifications"])
    visitor.context.add_init_script(FAKE)
    return visitor


def devices(visitor: Visitor) -> int:
    """How many devices of the user the server knows."""
    answer = visitor.context.request.get(f"{visitor.server.url}/api/push/status")
    return int(answer.json()["totalSubscriptions"])


def choice(visitor: Visitor, name: str) -> Any:
    return visitor.page.locator(f'[data-choice="{name}"]')


def test_a_device_is_switched_on_and_off(visitor: Visitor) -> None:
    visitor.open()
    visitor.choose_in_account("notifications-open")
    expect(visitor.at("notifications-on")).not_to_be_checked()
    expect(visitor.at("notifications-test")).to_be_disabled()
    visitor.at("notifications-on").click()
    expect(visitor.at("notifications-test")).to_be_enabled()
    assert devices(visitor) == 1
    assert visitor.server.ask("GET", "/api/config")["notificationPreferences"]["enabled"]
    visitor.page.reload()
    visitor.choose_in_account("notifications-open")
    expect(visitor.at("notifications-on")).to_be_checked()
    visitor.at("notifications-on").click()
    expect(visitor.at("notifications-test")).to_be_disabled()
    visitor.until(lambda: devices(visitor) == 0)


def test_choices_are_kept_for_all_devices(visitor: Visitor) -> None:
    visitor.open()
    visitor.choose_in_account("notifications-open")
    expect(choice(visitor, "sessionExit")).to_be_checked()
    choice(visitor, "sessionExit").click()
    choice(visitor, "claudeTurn").click()
    visitor.until(lambda: visitor.server.ask("GET", "/api/config")["notificationPreferences"]["claudeTurn"])
    visitor.page.reload()
    visitor.choose_in_account("notifications-open")
    expect(choice(visitor, "claudeTurn")).to_be_checked()
    expect(choice(visitor, "sessionExit")).not_to_be_checked()


def test_a_switch_shows_what_is_so_after_a_refusal(visitor: Visitor) -> None:
    visitor.allow_complaint("status of 500")
    visitor.context.add_init_script("Notification.requestPermission = async () => 'denied';")
    visitor.open()
    visitor.choose_in_account("notifications-open")
    expect(visitor.at("notifications-on")).to_be_enabled()
    visitor.at("notifications-on").click()
    expect(visitor.at("error")).to_have_text("The browser was not allowed to show notifications.")
    expect(visitor.at("notifications-on")).not_to_be_checked()
    visitor.page.route("**/api/config", lambda route: route.fulfill(status=500, json={"error": "It is full"}))
    expect(choice(visitor, "sessionExit")).to_be_checked()
    choice(visitor, "sessionExit").click()
    expect(visitor.at("error")).to_contain_text("It is full")
    expect(choice(visitor, "sessionExit")).to_be_checked()


def test_a_device_that_is_switched_off_gets_nothing_even_if_the_server_cannot_be_told(visitor: Visitor) -> None:
    visitor.allow_complaint("ERR_FAILED")
    visitor.open()
    visitor.choose_in_account("notifications-open")
    visitor.at("notifications-on").click()
    expect(visitor.at("notifications-test")).to_be_enabled()
    visitor.page.route("**/api/push/unsubscribe", lambda route: route.abort())
    visitor.at("notifications-on").click()
    expect(visitor.at("error")).to_be_visible()
    expect(visitor.at("notifications-on")).not_to_be_checked()
    assert visitor.page.evaluate("() => PushManager.prototype.getSubscription()") is None


def test_a_test_that_does_not_arrive_says_so(visitor: Visitor) -> None:
    visitor.open()
    visitor.choose_in_account("notifications-open")
    visitor.at("notifications-on").click()
    visitor.at("notifications-test").click()
    expect(visitor.at("error")).to_have_text("Not sent to 1 of 1 devices: the push service could not be reached.")


def test_the_login_after_one_that_has_ended_is_told_too(visitor: Visitor) -> None:
    visitor.open()
    visitor.choose_in_account("notifications-open")
    visitor.at("notifications-on").click()
    expect(visitor.at("notifications-test")).to_be_enabled()
    visitor.allow_complaint("401|Authentication failed")
    (login,) = visitor.server.ask("GET", "/api/logins")
    visitor.server.ask("POST", "/api/auth/revoke", {"login": login["id"]})
    expect(visitor.at("access-ended")).to_be_visible()
    visitor.log_in()
    assert devices(visitor) == 0
    visitor.open()
    visitor.until(lambda: devices(visitor) == 1)


def test_who_logs_out_is_told_nothing_more(visitor: Visitor) -> None:
    visitor.open()
    visitor.choose_in_account("notifications-open")
    visitor.at("notifications-on").click()
    expect(visitor.at("notifications-test")).to_be_enabled()
    visitor.press("Escape")
    visitor.choose_in_account("logout")
    expect(visitor.at("login-code")).to_be_visible()
    visitor.log_in()
    visitor.open()
    visitor.choose_in_account("notifications-open")
    expect(visitor.at("notifications-on")).to_be_enabled()
    expect(visitor.at("notifications-on")).not_to_be_checked()
    assert devices(visitor) == 0


def test_pages_leave_what_programs_say_to_push_where_it_is_on(visitor: Visitor) -> None:
    """Else the user would be told twice."""
    notify = r"printf '\033]777;notify;build;%s\007'"
    session = visitor.server.session(f"read x; {notify % 'one'}; read x; {notify % 'two'}; exec cat")
    visitor.context.add_init_script(
        "window.shown = []; document.hasFocus = () => false; const real = window.Notification;"
        "window.Notification = class extends EventTarget { static permission = 'granted';"
        " static requestPermission = () => real.requestPermission();"
        " constructor(title, options) { super(); window.shown.push(options.body); } };"
    )
    visitor.open_session(session)
    visitor.type("\n")
    visitor.until(lambda: visitor.page.evaluate("() => window.shown.length"))
    visitor.page.evaluate("() => localStorage.setItem('vibetunnel.notifications', 'ada')")
    visitor.type("\n")
    expect(visitor.at("notification")).to_contain_text("two")
    assert visitor.page.evaluate("() => window.shown") == ["one"]


def test_a_server_without_push_says_how_to_turn_it_on(serve: Serve, visit: Visit) -> None:
    visitor = visit(serve(), permissions=["notifications"])
    visitor.allow_complaint("status of 503")
    visitor.open()
    visitor.choose_in_account("notifications-open")
    expect(visitor.at("notifications-hindrance")).to_contain_text("Start the server with --push and --push-contact")
    expect(visitor.at("notifications-on")).to_be_disabled()


# The service worker


def running(context: BrowserContext) -> Worker:
    return context.service_workers[0] if context.service_workers else context.wait_for_event("serviceworker")


def shown(worker: Worker) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = worker.evaluate(
        """async () => (await registration.getNotifications()).map(
            ({ title, body, tag, silent, data }) => ({ title, body, tag, silent, data }))"""
    )
    return found


def push(visitor: Visitor, message: object) -> None:
    """Let the browser receive a message, as from its push service."""
    tools = visitor.context.new_cdp_session(visitor.page)
    registrations: list[str] = []
    tools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: registrations.extend(each["registrationId"] for each in event["registrations"]),
    )
    tools.send("ServiceWorker.enable")
    visitor.until(lambda: registrations)
    data = message if isinstance(message, str) else json.dumps(message)
    target = {"origin": visitor.server.url, "registrationId": registrations[-1], "data": data}
    tools.send("ServiceWorker.deliverPushMessage", target)


def told(session: str) -> dict[str, Any]:
    return {
        "title": "build has ended",
        "body": "Exit code 3",
        "tag": f"vibetunnel-session-exit-{session}",
        "silent": True,
        "data": {"type": "session-exit", "timestamp": 1, "sessionId": session},
    }


def test_a_message_becomes_a_notification_which_opens_its_session(visitor: Visitor) -> None:
    session = visitor.server.session("exec cat")
    visitor.open()
    visitor.choose_in_account("notifications-open")
    visitor.at("notifications-on").click()
    expect(visitor.at("notifications-test")).to_be_enabled()
    worker = running(visitor.context)
    push(visitor, told(session))
    assert visitor.until(lambda: shown(worker)) == [told(session)]
    opened = worker.evaluate(
        """async () => {
            const opened = new Promise((done) => { clients.openWindow = async (url) => done(url); });
            const [notification] = await registration.getNotifications();
            dispatchEvent(new NotificationEvent("notificationclick", { notification }));
            return opened;
        }"""
    )
    assert opened == f"{visitor.server.url}/session/{session}"
    visitor.until(lambda: shown(worker) == [])


def test_a_message_that_is_damaged_shows_something_all_the_same(visitor: Visitor) -> None:
    """A browser takes the right to push from a page that shows nothing."""
    visitor.open()
    visitor.choose_in_account("notifications-open")
    visitor.at("notifications-on").click()
    expect(visitor.at("notifications-test")).to_be_enabled()
    worker = running(visitor.context)
    push(visitor, "{")
    (notification,) = visitor.until(lambda: shown(worker))
    assert (notification["title"], notification["data"]) == ("vibetunnel", None)
