"""Two windows of different sizes on one session: looking resizes nothing, and a click takes the size on purpose."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect
from visitor import Visit, Visitor

SMALL = {"viewport": {"width": 800, "height": 400}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
INPUT = "vibetunnel_pump_bytes_in_total"
EXPECTED = "\x1b[O\x1b[I" + 4 * "\x1b[<35;1;1M"  # at least
# Follows the mouse and the focus, and prints its size when that changes.
FOLLOWS = (
    "printf '\\033[?1003h\\033[?1006h\\033[?1004h'; trap 'stty size' WINCH; echo ready; "
    "while :; do head -c 1 > /dev/null; done"
)


def two(visitor: Visitor, visit: Visit, **options: object) -> tuple[str, Visitor]:
    """A session in the first visitor's window, and a second, smaller window of it."""
    session = visitor.server.session(["/bin/sh", "-c", f"stty raw -echo; {FOLLOWS}"])
    visitor.open_session(session)
    visitor.until_shows("ready")
    other = visit(visitor.server, **options)
    other.open_session(session)
    other.until(lambda: other.size() == visitor.size())
    return session, other


def size(visitor: Visitor, session: str) -> tuple[int, int]:
    about = visitor.server.ask("GET", f"/api/sessions/{session}")
    return about["rows"], about["cols"]


def wander(visitor: Visitor) -> None:
    """Look away and back, and move the pointer over the terminal, until the program has been told."""
    before = visitor.server.metric(INPUT)
    visitor.page.evaluate("() => { const at = document.activeElement; at.blur(); at.focus(); }")
    screen = visitor.page.locator(".xterm-screen").bounding_box()
    assert screen is not None
    for step in range(5):
        visitor.page.mouse.move(screen["x"] + 20 + 30 * step, screen["y"] + 20 + 20 * step)
    visitor.until(lambda: visitor.server.metric(INPUT) >= before + len(EXPECTED))


def test_a_pointer_over_a_second_window_does_not_take_the_size(visitor: Visitor, visit: Visit) -> None:
    session, other = two(visitor, visit, **SMALL)
    before = size(visitor, session)
    wander(other)
    other.type("y")
    wander(other)
    assert size(visitor, session) == before == visitor.size()
    visitor.open("/")
    other.until(lambda: visitor.server.ask("GET", f"/api/sessions/{session}")["clients"] == 1)
    wander(other)
    assert size(visitor, session) == before
    other.type("y")
    other.until(lambda: size(visitor, session) != before)
    other.until(lambda: other.size() == size(visitor, session))
    assert other.size() < before
    expect(other.at("take-size")).to_have_count(0)


@pytest.mark.parametrize("options", [SMALL, PHONE], ids=["desktop", "phone"])
def test_a_click_gives_the_session_the_size_of_the_window(
    visitor: Visitor, visit: Visit, options: dict[str, object]
) -> None:
    session, other = two(visitor, visit, **options)
    before = visitor.size()
    expect(visitor.at("take-size")).to_have_count(0)
    other.at("take-size").click()
    visitor.until(lambda: visitor.size() != before)
    visitor.until(lambda: visitor.size() == other.size() == size(visitor, session))
    expect(other.at("take-size")).to_have_count(0)
    visitor.at("take-size").click()
    visitor.until(lambda: visitor.size() == other.size() == before)


def test_a_hidden_window_leaves_the_size_to_the_one_that_is_typed_in(visitor: Visitor, visit: Visit) -> None:
    session, other = two(visitor, visit, **SMALL)
    before = visitor.size()
    visitor.page.evaluate(
        "() => { Object.defineProperty(document, 'visibilityState', { value: 'hidden', configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    wander(other)
    assert size(visitor, session) == before
    other.type("y")
    other.until(lambda: other.size() != before)
    other.until(lambda: other.size() == size(visitor, session))


def test_a_view_only_window_is_not_offered_the_size(visitor: Visitor, visit: Visit) -> None:
    session, _ = two(visitor, visit, **SMALL)
    guest = visit(visitor.server, logged_in=False, **SMALL)
    guest.page.goto(visitor.server.share(session))
    guest.until_connected()
    guest.until(lambda: guest.size() == visitor.size())
    expect(guest.at("view-only")).to_be_visible()
    expect(guest.at("take-size")).to_have_count(0)
