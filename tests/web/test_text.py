"""What the terminal in the browser makes of text that xterm.js alone draws otherwise."""

from __future__ import annotations

from visitor import Visitor

HOLD = "stty raw -echo; cat > /dev/null"


def shows(visitor: Visitor, printed: str) -> None:
    """A session whose program prints, then `ready` at the bottom left."""
    session = visitor.server.session(["/bin/sh", "-c", f"printf '{printed}\\033[99Hready'; {HOLD}"])
    visitor.open_session(session)
    visitor.until_shows("ready")


def box(visitor: Visitor, selector: str) -> dict[str, float]:
    found = visitor.page.locator(selector).bounding_box()
    assert found is not None
    return dict(found)


def test_a_double_row_is_drawn_double_and_keeps_its_text(visitor: Visitor) -> None:
    shows(visitor, "one\\r\\n\\033#6wide 中\\r\\n\\033#3tall\\r\\n\\033#4tall\\r\\n")
    rows = visitor.page.locator(".double-row")
    visitor.until(lambda: rows.count() == 3)
    assert [text.rstrip() for text in rows.all_inner_texts()] == ["wide 中", "tall", "tall"]
    _, cols = visitor.size()
    cell = box(visitor, ".xterm-screen")["width"] / cols
    letter = visitor.page.locator(".double-row span").first.bounding_box()
    assert letter is not None
    assert abs(letter["width"] - 2 * cell) < 0.5
    assert "wide 中" in visitor.text()
    visitor.page.reload()
    visitor.until_shows("ready")
    visitor.until(lambda: rows.count() == 3)


def test_a_reversed_screen_has_the_default_colours_exchanged(visitor: Visitor) -> None:
    colour = "() => getComputedStyle(document.querySelector('.xterm-scrollable-element')).backgroundColor"
    shows(visitor, "")
    before = visitor.page.evaluate(colour)
    shows(visitor, "\\033[?5h")
    visitor.until(lambda: visitor.page.evaluate(colour) != before)
    around = "() => getComputedStyle(document.querySelector('vt-terminal .screen')).backgroundColor"
    visitor.until(lambda: visitor.page.evaluate(around) == visitor.page.evaluate(colour))
    visitor.page.reload()
    visitor.until_shows("ready")
    visitor.until(lambda: visitor.page.evaluate(colour) != before)


def test_clusters_take_the_columns_that_the_server_counts(visitor: Visitor) -> None:
    characters = "🇩🇪|☎️|👩‍👩‍👧|👍🏽|1️⃣|"
    moved = "".join(f"\\r\\033[{column}C/" for column in range(2, 15, 3))  # to each bar, by columns
    shows(visitor, characters + moved)
    assert visitor.text().splitlines()[0] == characters.replace("|", "/")
