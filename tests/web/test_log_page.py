"""The page of the server's log."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import APIResponse, Route, expect
from served import PASSWORD, Served
from visitor import PHONE, Visit, Visitor


def say(server: Served, text: str, level: str = "log", module: str = "socket-client") -> None:
    """What a page of VibeTunnel's own client says."""
    server.request("POST", "/api/logs/client", {"level": level, "module": module, "args": [text]})


def lines(visitor: Visitor) -> Any:
    return visitor.at("log-line")


@pytest.mark.parametrize("options", [PHONE, {}], ids=["phone", "desktop"])
def test_an_owner_reads_new_lines_as_they_come(server: Served, visit: Visit, options: dict[str, Any]) -> None:
    visitor = visit(server, **options)
    say(server, "first line")
    visitor.open()
    visitor.choose_in_account("logs-open")
    expect(visitor.page).to_have_url(f"{server.url}/logs")
    expect(visitor.page).to_have_title("Logs · vibetunnel")
    expect(lines(visitor).filter(has_text="first line")).to_be_visible()
    for number in range(60):
        say(server, f"line {number}", "warn")
    expect(lines(visitor).filter(has_text="line 59")).to_be_in_viewport()
    visitor.at("logs").evaluate("list => { list.scrollTop = 0; }")
    expect(visitor.at("logs-newest")).to_be_visible()
    say(server, "the newest")
    expect(lines(visitor).filter(has_text="the newest")).not_to_be_in_viewport()
    visitor.at("logs-newest").click()
    expect(lines(visitor).filter(has_text="the newest")).to_be_in_viewport()
    visitor.at("back").click()
    expect(visitor.page).to_have_url(f"{server.url}/")


def test_lines_are_filtered_by_level_source_and_text(server: Served, visitor: Visitor) -> None:
    say(server, "it works")
    say(server, "<b>it</b> fails", "error", "other-part")
    visitor.open("/logs")
    expect(lines(visitor).filter(has_text="<b>it</b> fails")).to_be_visible()
    choice = visitor.page.locator
    choice('[data-what="log"]').click()
    expect(lines(visitor).filter(has_text="it works")).to_have_count(0)
    expect(lines(visitor).filter(has_text="fails")).to_have_count(1)
    choice('[data-what="log"]').click()
    visitor.at("logs-filter").fill("OTHER-part")
    expect(lines(visitor)).to_have_count(1)
    visitor.at("logs-filter").fill("")
    choice('[data-what="pages"]').click()
    expect(lines(visitor).filter(has_text="fails")).to_have_count(0)


def test_the_log_is_downloaded_and_cleared_after_a_question(server: Served, visitor: Visitor) -> None:
    say(server, "to be cleared")
    visitor.open("/logs")
    expect(lines(visitor).filter(has_text="to be cleared")).to_be_visible()
    with visitor.page.expect_download() as coming:
        visitor.at("logs-download").click()
    assert "[CLIENT:socket-client] to be cleared" in coming.value.path().read_text()
    visitor.at("logs-clear").click()
    visitor.at("confirm-cancel").click()
    expect(lines(visitor).filter(has_text="to be cleared")).to_be_visible()
    visitor.at("logs-clear").click()
    visitor.at("confirm-submit").click()
    expect(visitor.at("logs-empty")).to_be_visible()
    assert b"to be cleared" not in server.request("GET", "/api/logs/raw")


def ask_and_hold(visitor: Visitor, count: int) -> list[tuple[Route, APIResponse]]:
    """Let the page ask for lines so many times, and hold back the answers."""
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        if len(held) < count:
            held.append((route, route.fetch()))
        else:
            route.continue_()

    visitor.page.route("**/api/logs?*", hold)
    for number in range(count):
        visitor.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        visitor.until(lambda number=number: len(held) > number)
    return held


def release(held: list[tuple[Route, APIResponse]]) -> None:
    for route, answer in held:
        route.fulfill(response=answer)


def test_two_answers_bring_no_line_twice(server: Served, visitor: Visitor) -> None:
    visitor.open("/logs")
    expect(visitor.at("logs-count")).not_to_be_empty()
    say(server, "only once")
    release(ask_and_hold(visitor, 2))
    say(server, "the next")
    expect(lines(visitor).filter(has_text="the next")).to_be_visible()
    expect(lines(visitor).filter(has_text="only once")).to_have_count(1)


def test_a_late_answer_brings_no_line_back_that_was_cleared(server: Served, visitor: Visitor) -> None:
    visitor.open("/logs")
    expect(visitor.at("logs-count")).not_to_be_empty()
    say(server, "to be cleared")
    held = ask_and_hold(visitor, 1)
    visitor.at("logs-clear").click()
    visitor.at("confirm-submit").click()
    expect(visitor.at("confirm-submit")).to_have_count(0)  # the log is cleared
    release(held)
    say(server, "the last")
    expect(lines(visitor).filter(has_text="the last")).to_be_visible()
    expect(lines(visitor).filter(has_text="to be cleared")).to_have_count(0)


def test_a_writer_is_told_that_owners_read_the_log(server: Served, visit: Visit) -> None:
    server.user("ada")
    visitor = visit(server, logged_in=False)
    visitor.open("/logs")
    visitor.at("login-user").fill("ada")
    visitor.at("login-password").fill(PASSWORD)
    visitor.at("login-submit").click()
    expect(visitor.page.get_by_role("heading")).to_have_text("Only owners may read the log")
    visitor.open()
    visitor.at("account").click()
    expect(visitor.at("notifications-open")).to_be_visible()
    expect(visitor.at("logs-open")).to_have_count(0)
