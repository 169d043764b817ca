"""What a program wants noticed, in a browser: progress, notifications, the pointer's shape."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import APIResponse, Route, expect
from served import Served
from visitor import PHONE, Visit, Visitor

NEWS = r"printf '\033]9;4;1;42\007\033]777;notify;build;done <b>3</b>\007\033]22;wait\007'"
STEPS = f"{NEWS}; read x; {NEWS}; printf '\\033]9;4;2;70\\007'; read x; printf '\\033c\\033]22;help\\007'; exec cat"


def cursor(visitor: Visitor) -> str:
    return str(visitor.page.locator(".xterm").evaluate("terminal => getComputedStyle(terminal).cursor"))


def test_the_card_shows_progress_and_the_newest_notification(visitor: Visitor) -> None:
    visitor.open()
    expect(visitor.at("empty")).to_be_visible()
    session = visitor.server.session(STEPS)
    visitor.server.ask("POST", f"/api/sessions/{session}/input", {"text": "\n"})
    card = visitor.card(session)
    expect(card.get_by_test_id("session-progress")).to_have_text("70%")
    expect(card.get_by_test_id("progress")).to_have_attribute("data-state", "error")
    expect(card.get_by_test_id("session-notification")).to_contain_text("build: done <b>3</b>")
    visitor.page.reload()
    expect(card.get_by_test_id("session-notification")).to_contain_text("build: done <b>3</b>")
    visitor.server.ask("POST", f"/api/sessions/{session}/input", {"text": "\n"})
    expect(card.get_by_test_id("progress")).to_have_count(0)


def test_the_page_shows_progress_notification_and_pointer(visitor: Visitor) -> None:
    session = visitor.server.session(STEPS)
    visitor.open_session(session)
    expect(visitor.page).to_have_title(re.compile(r"^42% · "))
    expect(visitor.at("progress")).to_have_attribute("aria-valuenow", "42")
    visitor.until(lambda: cursor(visitor) == "wait")
    visitor.type("\n")
    expect(visitor.at("notification")).to_contain_text("build: done <b>3</b>")
    expect(visitor.page).to_have_title(re.compile(r"^70% · "))
    visitor.at("notification-dismiss").click()
    expect(visitor.at("notification")).to_have_count(0)
    visitor.type("\n")
    expect(visitor.at("progress")).to_have_count(0)
    visitor.until(lambda: cursor(visitor) == "help")
    assert not re.match(r"\d+%", visitor.page.title())


@pytest.mark.parametrize("options", [PHONE, {}], ids=["phone", "desktop"])
def test_a_notification_covers_nothing_of_the_terminal_until_all_of_it_is_asked_for(
    server: Served, visit: Visit, options: dict[str, object]
) -> None:
    visitor = visit(server, **options)
    session = server.session(f"read x; printf '\\033]9;{'many words ' * 40}\\007'; exec cat")
    visitor.open_session(session)
    server.ask("POST", f"/api/sessions/{session}/input", {"text": "\n"})
    news, terminal, whole = visitor.at("notification"), visitor.at("terminal"), visitor.at("notification-text")
    expect(news).to_be_visible()
    line, below = news.bounding_box(), terminal.bounding_box()
    assert line is not None
    assert below is not None
    assert line["y"] + line["height"] <= below["y"]
    assert line["width"] > 150
    assert line["x"] + line["width"] <= visitor.page.viewport_size["width"]
    expect(visitor.at("notification-dismiss")).to_be_in_viewport(ratio=1)
    expect(visitor.at("connection-state")).to_be_in_viewport(ratio=1)
    expect(whole).to_have_count(0)
    visitor.at("notification-open").click()
    expect(whole).to_contain_text("many words " * 39)
    visitor.at("notification-open").click()
    expect(whole).to_have_count(0)
    visitor.at("notification-open").click()
    visitor.at("notification-dismiss").click()
    expect(whole).to_have_count(0)
    expect(news).to_have_count(0)


@pytest.mark.parametrize("options", [PHONE, {}], ids=["phone", "desktop"])
def test_an_offer_to_copy_stands_beside_a_notification_in_the_bar(
    server: Served, visit: Visit, options: dict[str, object]
) -> None:
    visitor = visit(server, **options)
    steps = "read x; printf '\\033]52;c;aGVsbG8=\\007'; read x; printf '\\033]9;hello you\\007'; exec cat"
    session = server.session(steps)
    visitor.open_session(session)
    server.ask("POST", f"/api/sessions/{session}/input", {"text": "\n"})
    expect(visitor.at("clipboard-copy")).to_be_visible()
    expect(visitor.page.locator("h1 .name")).to_be_in_viewport()
    server.ask("POST", f"/api/sessions/{session}/input", {"text": "\n"})
    expect(visitor.at("notification")).to_be_visible()
    terminal = visitor.at("terminal").bounding_box()
    assert terminal is not None
    for each in ("notification-open", "notification-dismiss", "clipboard-copy", "clipboard-dismiss", "share-open"):
        expect(visitor.at(each)).to_be_in_viewport(ratio=1)
        box = visitor.at(each).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= terminal["y"], each
    visitor.at("clipboard-copy").click()
    expect(visitor.at("clipboard")).to_have_count(0)
    assert visitor.page.evaluate("() => navigator.clipboard.readText()") == "hello"


def test_a_late_visitor_sees_the_progress_but_no_old_notification_as_new(server: Served, visit: Visit) -> None:
    session = server.session(STEPS)
    server.ask("POST", f"/api/sessions/{session}/input", {"text": "\n"})
    late = visit(server, **PHONE)
    late.open_session(session)
    expect(late.page).to_have_title(re.compile(r"^70% · "))
    expect(late.at("notification")).to_have_count(0)


def test_no_page_asks_for_the_browsers_notifications_and_none_is_shown_unallowed(visitor: Visitor) -> None:
    visitor.page.add_init_script(
        "window.asked = [];"
        "window.Notification = class { static permission = 'default'; constructor() { window.asked.push('shown'); }"
        " static requestPermission() { window.asked.push('asked'); return Promise.resolve('denied'); } };"
    )
    visitor.open_session(visitor.server.session(STEPS))
    visitor.type("\n")
    expect(visitor.at("notification")).to_be_visible()
    assert visitor.page.evaluate("() => window.asked") == []


def test_an_allowed_browser_notification_comes_while_the_page_has_no_focus(visitor: Visitor) -> None:
    visitor.page.add_init_script(
        "window.shown = []; document.hasFocus = () => false;"
        "window.Notification = class { static permission = 'granted';"
        " constructor(title, options) { window.shown.push([title, options.body]); } };"
    )
    visitor.open_session(visitor.server.session(STEPS))
    visitor.type("\n")
    visitor.until(lambda: visitor.page.evaluate("() => window.shown.length"))
    assert visitor.page.evaluate("() => window.shown[0]") == ["build", "done <b>3</b>"]


def test_progress_that_came_while_the_session_was_fetched_stays(visitor: Visitor) -> None:
    session = visitor.server.session(STEPS)
    held: list[tuple[Route, APIResponse]] = []
    visitor.page.route(f"**/api/sessions/{session}", lambda route: held.append((route, route.fetch())))
    visitor.open_session(session)
    visitor.type("\n")
    expect(visitor.page).to_have_title(re.compile(r"^70% · "))
    while held:
        route, answer = held.pop()
        with visitor.page.expect_event("requestfinished"):
            route.fulfill(response=answer)
    visitor.page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert visitor.page.title().startswith("70% · ")
