"""Notifications of VibeTunnel's own web client: a device is switched on, and what it wants to know is kept."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect
from served import Served
from their_visitor import Enter, Serve, TheirVisitor

# A browser's own subscription is made by its maker's server, which no test may ask.
SUBSCRIBE = """
let made = null;
PushManager.prototype.getSubscription = async () => made;
PushManager.prototype.subscribe = async (options) => {
    const pair = await crypto.subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, true, ["deriveBits"]);
    const keys = {
        p256dh: await crypto.subtle.exportKey("raw", pair.publicKey),
        auth: crypto.getRandomValues(new Uint8Array(16)).buffer,
    };
    return made = {
        endpoint: "https://push.example.org/device",
        expirationTime: null,
        options,
        getKey: name => keys[name],
        unsubscribe: async () => { made = null; return true; },
    };
};
"""


@pytest.fixture(scope="module")
def server(serve: Serve) -> Served:
    return serve("--no-auth", "--push", "--push-contact", "mailto:ada@example.org")


def open_settings(client: TheirVisitor) -> Locator:
    client.open_list()
    client.page.get_by_title(re.compile("^Settings")).click()
    settings = client.page.locator("vt-settings")
    expect(settings).to_contain_text("Enable Notifications")
    return settings


def test_a_device_is_switched_on_and_what_it_wants_to_know_is_kept(server: Served, enter: Enter) -> None:
    client = enter(server, permissions=["notifications"])
    client.context.add_init_script(SUBSCRIBE)
    settings = open_settings(client)
    settings.get_by_role("switch").first.click()
    assert client.answer("POST", "/api/push/subscribe").status == 200
    client.until(lambda: server.ask("GET", "/api/push/status")["totalSubscriptions"] == 1)
    client.until(lambda: server.ask("GET", "/api/config")["notificationPreferences"]["enabled"])
    settings = open_settings(client)
    expect(settings.get_by_role("switch").first).to_have_attribute("aria-checked", "true")
