"""Many windows of one browser on one server."""

from __future__ import annotations

from playwright.sync_api import expect
from visitor import Visitor

WINDOWS = 8  # browsers hold at most six HTTP connections to a server


def test_every_window_of_a_browser_shows_the_list_types_and_hears_of_events(visitor: Visitor) -> None:
    session = visitor.server.session("exec cat")
    for number in range(WINDOWS):
        visitor.page = visitor.context.new_page()
        visitor.open()
        expect(visitor.at("connection-state")).to_have_attribute("data-state", "live")
        visitor.card(session).get_by_test_id("session-open").click()
        visitor.until_connected()
        visitor.type(f"window {number}\n")
        visitor.until_shows(rf"^window {number}\nwindow {number}$")
    visitor.server.ask("PATCH", f"/api/sessions/{session}", {"name": "renamed"})
    for page in visitor.context.pages[1:]:
        expect(page.get_by_role("heading")).to_contain_text("renamed")
