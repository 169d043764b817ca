"""What the terminal in the browser makes of text that xterm.js alone draws otherwise."""

from __future__ import annotations

from served import Served
from visitor import PHONE, Visit, Visitor

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


def drag(visitor: Visitor, row: int, first: float, to_row: int, last: float) -> None:
    """Press the mouse at a column of a row, in single columns, and release it at another."""
    screen = box(visitor, ".xterm-screen")
    rows, cols = visitor.size()
    mouse = visitor.page.mouse

    def move(row: int, col: float) -> None:
        mouse.move(screen["x"] + col * screen["width"] / cols, screen["y"] + (row + 0.5) * screen["height"] / rows)

    move(row, first)
    mouse.down()
    move(row, first + 2)
    move(to_row, last)
    mouse.up()


def selected(visitor: Visitor) -> str:
    return str(visitor.at("terminal").evaluate("terminal => terminal.view.selected"))


def test_what_is_selected_on_a_double_row_is_what_is_seen(visitor: Visitor) -> None:
    shows(visitor, "\\033#6abcdefgh ijkl\\r\\nabcdefgh ijkl\\r\\n\\033#3tall words\\r\\n\\033#4tall words\\r\\n")
    visitor.until(lambda: visitor.page.locator(".double-row").count() == 3)
    drag(visitor, 0, 2.2, 0, 12.2)
    assert selected(visitor) == "bcdef"
    marked = visitor.page.locator('.double-row span[style*="linear-gradient"]')
    visitor.until(lambda: "".join(marked.all_inner_texts()) == "bcdef")
    drag(visitor, 1, 2.2, 1, 12.2)
    assert selected(visitor) == "cdefgh ijk"
    visitor.until(lambda: marked.count() == 0)
    drag(visitor, 0, 18.2, 1, 3.2)
    assert selected(visitor) == "ijkl\nabc"
    drag(visitor, 2, 10.2, 3, 8.2)
    assert selected(visitor) == "words\ntall"
    screen = box(visitor, ".xterm-screen")
    rows, cols = visitor.size()
    visitor.page.mouse.dblclick(
        screen["x"] + 20.5 * screen["width"] / cols, screen["y"] + 0.5 * screen["height"] / rows
    )
    assert selected(visitor) == "ijkl"


def test_a_finger_selects_the_word_that_is_seen_on_a_double_row(server: Served, visit: Visit) -> None:
    visitor = visit(server, **PHONE)
    shows(visitor, "\\033#6abcd ijkl\\r\\n")
    visitor.until(lambda: visitor.page.locator(".double-row").count() == 1)
    screen = box(visitor, ".xterm-screen")
    rows, cols = visitor.size()
    at = [{"x": screen["x"] + 14.5 * screen["width"] / cols, "y": screen["y"] + 0.5 * screen["height"] / rows}]
    touch = visitor.context.new_cdp_session(visitor.page)
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at})
    visitor.until(lambda: selected(visitor) == "ijkl")
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_the_mouse_is_reported_in_single_columns_on_a_double_row(visitor: Visitor) -> None:
    """As xterm 379 does. A selection by Shift is by what is seen there, too."""
    program = "stty raw -echo; printf '\\033[?1000h\\033[?1006h\\033#6abcdefgh\\033[99Hready'; exec cat -v"
    visitor.open_session(visitor.server.session(["/bin/sh", "-c", program]))
    visitor.until_shows("ready")
    visitor.until(lambda: visitor.page.locator(".double-row").count() == 1)
    drag(visitor, 0, 5.2, 0, 10.2)
    visitor.until_shows(r"\^\[\[<0;6;1M\^\[\[<0;11;1m")
    visitor.page.keyboard.down("Shift")
    drag(visitor, 0, 2.2, 0, 12.2)
    visitor.page.keyboard.up("Shift")
    assert selected(visitor) == "bcdef"


def test_a_hidden_cursor_is_not_drawn_on_a_double_row(visitor: Visitor) -> None:
    program = "stty -echo; printf '\\033#6ready'; read x; printf '\\033[?25l'; exec cat"
    visitor.open_session(visitor.server.session(["/bin/sh", "-c", program]))
    visitor.until_shows("ready")
    grounds = "rows => rows.length && new Set([...rows[0].children[0].children].map((s) => s.style.background)).size"
    visitor.until(lambda: visitor.page.locator(".double-row").evaluate_all(grounds) == 2)
    visitor.type("\n")
    visitor.until(lambda: visitor.page.locator(".double-row").evaluate_all(grounds) == 1)


def test_clusters_take_the_columns_that_the_server_counts(visitor: Visitor) -> None:
    characters = "🇩🇪|☎️|👩‍👩‍👧|👍🏽|1️⃣|"
    moved = "".join(f"\\r\\033[{column}C/" for column in range(2, 15, 3))  # to each bar, by columns
    shows(visitor, characters + moved)
    assert visitor.text().splitlines()[0] == characters.replace("|", "/")
