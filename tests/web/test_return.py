"""A browser after a reload, while it scrolls up, and with a lag: it shows the server's screen, and every line once."""

from __future__ import annotations

import base64
import re
import shutil
import sys
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import WebSocketRoute, expect
from served import Serve, Served
from visitor import Visit, Visitor

PROMPT = r"^ready\$$"  # a shell that waits
STILL: dict[str, Any] = {"reduced_motion": "reduce"}  # no blinking cursor: two screenshots of one screen are equal
REDRAW, ACK = 2, 0x83  # types of messages

COLOURS = """
import curses
def run(screen):
    curses.use_default_colors()
    for pair in range(1, 8): curses.init_pair(pair, pair, -1)
    rows, cols = screen.getmaxyx()
    screen.box()
    for row in range(1, min(rows - 2, 20)):
        look = curses.color_pair(row % 8) | (curses.A_BOLD, curses.A_REVERSE, curses.A_UNDERLINE)[row % 3]
        screen.addstr(row, 2, f'row {row} \\u6f22\\u5b57 e\\u0301', look)
    screen.move(7, 11)
    screen.refresh()
    while screen.getkey() != 'q': pass
curses.wrapper(run)
"""


def lines_of(visitor: Visitor) -> list[int]:
    """N of every visible row `line N`."""
    return [int(each) for each in re.findall(r"^line (\d+)$", visitor.text(), re.MULTILINE)]


def read_back(visitor: Visitor, first: int) -> list[int]:
    """Scroll up to line `first`; return the numbers of all lines seen, in order."""
    found = lines_of(visitor)
    while found[0] > first:

        def further(top: int = found[0]) -> list[int] | None:
            visitor.press("Shift+PageUp")
            shown = lines_of(visitor)
            return shown if shown and shown[0] != top else None

        page = visitor.until(further)
        assert page == list(range(page[0], page[-1] + 1))
        assert page[-1] >= found[0] - 1, "lines were left out"
        found = page[: found[0] - page[0]] + found
    return found[found.index(first) :]


def same_screen(visitor: Visitor, session: str) -> bool:
    """Whether the browser shows the server's screen, without the blanks at the ends of rows."""
    rows = [row.rstrip() for row in visitor.text().split("\n")]
    return rows == visitor.server.text(session).split("\n")


# Coming back


def start_curses(visitor: Visitor) -> None:
    path = visitor.server.home / "colours.py"
    path.write_text(COLOURS)
    visitor.type(f"{sys.executable} {path}\n")
    visitor.until_shows(r"^│ row 7 ")


def start_vi(visitor: Visitor) -> None:
    path = visitor.server.home / "text.c"
    path.write_text("/* a comment */\nint main(void)\n{\n\treturn 42;\n}\n")
    visitor.type(f"vi {path}\n")
    visitor.until_shows(r"return 42;$")
    visitor.type("jjj$")


def leave_curses(visitor: Visitor) -> None:
    visitor.type("q")


def leave_vi(visitor: Visitor) -> None:
    visitor.type(":q!\n")


PROGRAMS: dict[str, tuple[Callable[[Visitor], None], Callable[[Visitor], None]]] = {
    "curses": (start_curses, leave_curses),
    "vi": (start_vi, leave_vi),
}


@pytest.mark.parametrize("program", [name for name in PROGRAMS if name == "curses" or shutil.which(name)])
def test_a_reload_shows_a_full_screen_program_to_the_pixel_and_the_shell_when_it_has_left(
    server: Served, visit: Visit, program: str
) -> None:
    start, leave = PROGRAMS[program]
    visitor = visit(server, **STILL)
    visitor.open_session(server.session())
    visitor.until_shows(PROMPT)
    visitor.type("i=1; while [ $i -le 300 ]; do echo line $i; i=$((i+1)); done\n")
    visitor.until_shows(r"^line 300$")
    start(visitor)
    screen = visitor.page.locator(".xterm-screen")
    expect(visitor.page.locator(".xterm.focus")).to_be_visible()  # the cursor looks different without the focus
    before = visitor.until(lambda: (one := screen.screenshot()) == screen.screenshot() and one)
    text = visitor.text()
    visitor.page.reload()
    visitor.until_connected()
    visitor.until(lambda: visitor.text() == text)
    visitor.until(lambda: screen.screenshot() == before)
    leave(visitor)
    visitor.until_shows(PROMPT)
    visitor.until_shows(r"^line 300$")
    assert read_back(visitor, 1) == list(range(1, 301))


def test_after_a_reload_every_line_is_there_once_from_the_last_to_the_first(visitor: Visitor) -> None:
    session = visitor.server.session("i=1; while [ $i -le 5000 ]; do echo line $i; i=$((i+1)); done; exec cat")
    visitor.open_session(session)
    visitor.until_shows(r"^line 5000$")
    before = visitor.text()
    visitor.page.reload()
    visitor.until_connected()
    visitor.until(lambda: visitor.text() == before)
    assert read_back(visitor, 1) == list(range(1, 5001))
    visitor.type("typed\n")
    visitor.until_shows(r"^line 5000\ntyped$")


def test_output_goes_on_below_while_older_lines_are_loaded_above(visitor: Visitor) -> None:
    program = (
        "import sys\n"
        "for i in range(1, 3001): print('line', i)\n"
        "for _ in sys.stdin:\n"
        "    i += 1; print('line', i, flush=True)\n"
    )
    visitor.open_session(
        visitor.server.session([sys.executable, "-c", f"import os; os.system('stty -echo')\n{program}"])
    )
    visitor.until_shows(r"^line 3000$")
    visitor.page.reload()
    visitor.until_shows(r"^line 3000$")
    for number in range(3001, 3031):
        visitor.press("Enter")
        visitor.until_shows(rf"^line {number}$")
    assert read_back(visitor, 1) == list(range(1, 3031))


def test_the_lines_of_a_session_that_has_ended_can_be_scrolled_back(visitor: Visitor) -> None:
    visitor.open(f"/session/{visitor.server.session('i=1; while [ $i -le 3000 ]; do echo line $i; i=$((i+1)); done')}")
    expect(visitor.at("exit-banner")).to_contain_text("Exited")
    visitor.page.reload()
    expect(visitor.at("exit-banner")).to_contain_text("Exited")
    visitor.until_shows(r"^line 3000$")
    visitor.page.locator(".xterm-screen").click()
    assert read_back(visitor, 1) == list(range(1, 3001))
    expect(visitor.at("exit-banner")).to_contain_text("Exited")


def test_after_every_change_of_size_the_screen_is_the_servers(visitor: Visitor) -> None:
    long = " ".join(f"word{number}" for number in range(60))
    session = visitor.server.session(f"for i in 1 2 3 4 5 6 7 8 9; do echo $i {long}; done; printf 'end '; exec cat")
    visitor.open_session(session)
    visitor.until_shows(r"^end$")
    for width, height in ((700, 400), (1100, 300), (380, 700), (1280, 800)):
        before = visitor.size()
        visitor.page.set_viewport_size({"width": width, "height": height})
        visitor.until(lambda old=before: visitor.size() != old)  # type: ignore[misc]
        visitor.until(lambda: same_screen(visitor, session))
    assert re.match(rf"1 {long[:50]}", visitor.text())


# Lag


def test_control_c_ends_a_flood_and_the_shell_is_there_at_once(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session())
    visitor.until_shows(PROMPT)
    visitor.type("yes a long line of text that says nothing new\n")
    visitor.until_shows(r"(^a long line.*\n){9}")
    visitor.press("Control+C")
    visitor.until_shows(r"ready\$\Z")
    visitor.type("echo st''ill here\n")
    visitor.until_shows(r"^still here$")


def test_a_browser_that_lags_skips_ahead_to_the_current_screen(visitor: Visitor, visit: Visit) -> None:
    """The test holds back the browser's acknowledgements while another browser goes on reading."""
    session = visitor.server.session()
    slow = visit(visitor.server)
    held: list[bytes | str] = []
    redraws: list[int] = []
    routes: list[tuple[WebSocketRoute, WebSocketRoute]] = []
    holding = True

    def join(page: WebSocketRoute) -> None:
        server = page.connect_to_server()
        routes.append((page, server))

        def upward(message: str | bytes) -> None:
            if holding and message[0] == ACK:
                held.append(message)
            else:
                server.send(message)

        def downward(message: str | bytes) -> None:
            if message[0] == REDRAW:
                redraws.append(len(message))
            page.send(message)

        page.on_message(upward)
        server.on_message(downward)

    slow.page.route_web_socket(re.compile("/ws"), join)
    for each in (visitor, slow):
        each.open_session(session)
        each.until_shows(PROMPT)
    drawn = len(redraws)
    visitor.type("i=1; while [ $i -le 40000 ]; do echo line $i; i=$((i+1)); done\n")
    visitor.until_shows(r"^line 40000\nready\$")
    assert "line 40000" not in slow.text()
    holding = False
    for message in held:
        routes[-1][1].send(message)
    slow.until_shows(r"^line 40000\nready\$")
    assert len(redraws) > drawn
    assert same_screen(slow, session)
    assert same_screen(visitor, session)
    assert read_back(slow, 39_000) == list(range(39_000, 40_001))


def test_with_compression_a_browser_shows_and_sends_the_same(serve: Serve, visit: Visit) -> None:
    server = serve("--compression")
    visitor = visit(server)
    session = server.session()
    visitor.open_session(session)
    visitor.until_shows(PROMPT)
    visitor.type("i=1; while [ $i -le 20000 ]; do echo line $i; i=$((i+1)); done\n")
    visitor.until_shows(r"^line 20000\nready\$")
    assert same_screen(visitor, session)
    assert read_back(visitor, 19_000) == list(range(19_000, 20_001))
    before = visitor.size()
    visitor.page.set_viewport_size({"width": 901, "height": 503})
    visitor.until(lambda: visitor.size() != before)
    visitor.type("stty size\n")
    rows, cols = map(int, visitor.until_shows(r"^(\d+) (\d+)$").groups())
    assert (rows, cols) == visitor.size()
    visitor.page.reload()
    visitor.until_shows(rf"^{rows} {cols}$")
    visitor.until(lambda: same_screen(visitor, session))
    visitor.type("stty -echo; echo go''ing; wc\n")
    visitor.until_shows(r"^going$")  # an earlier paste would be echoed
    visitor.paste("some words of a line\n" * 5000)
    visitor.at("paste-submit").click()
    expect(visitor.at("paste-lines")).to_have_count(0)
    visitor.press("Control+D")
    visitor.until_shows(r"^ *5000 +25000 +105000$")
    visitor.type("stty echo; cat /dev/urandom | od\n")
    visitor.until_shows(r"^[0-7]{7} ( ?[0-7]{6}){8}$")
    visitor.press("Control+C")
    visitor.until_shows(r"ready\$\Z")
    assert server.metric("vibetunnel_pump_compressions_total") > 0


def test_a_reader_whose_lines_are_erased_follows_the_output_again(visitor: Visitor) -> None:
    session = visitor.server.session(r"seq 200; read line; printf '\033[2J\033[3J\033[H'; seq 300 420; exec cat")
    visitor.open_session(session)
    visitor.until_shows("200")
    visitor.press("Shift+PageUp", "Shift+PageUp")
    visitor.until(lambda: "200" not in visitor.text() or None)
    visitor.server.ask("POST", f"/api/sessions/{session}/input", {"key": "enter"})
    visitor.until_shows("420")


def test_the_server_redraws_what_xterm_draws_wrong(visitor: Visitor) -> None:
    session = visitor.server.session(r"seq 200; read line; printf '\033[999;999H\033[1J\033[2;3Halive'; exec cat")
    visitor.open_session(session)
    visitor.until_shows("200")
    visitor.type("\n")
    visitor.until_shows(r"^  alive$")
    visitor.type("typed\n")
    visitor.until_shows("typed")
    visitor.until(lambda: "200" not in visitor.text() or None)


# Queries and wishes of programs


def test_a_terminal_query_is_answered_once_with_several_browsers_attached(visitor: Visitor, visit: Visit) -> None:
    program = (
        "import sys, tty\n"
        "tty.setraw(0)\n"
        "sys.stdout.write('\\x1b[c\\x1b[5n\\x1b]11;?\\x1b\\\\\\x1b[?1004h\\x1b[?2026$p\\x1bP$qm\\x1b\\\\asked')\n"
        "sys.stdout.flush(); got = b''\n"
        "while not (b'!' in got and b'%' in got): got += sys.stdin.buffer.raw.read(1)\n"
        "print(ascii(got), end='\\r\\n'); sys.stdin.buffer.raw.read(1)\n"
    )
    session = visitor.server.session("read line; exec " + sys.executable + ' -c "$program"', env={"program": program})
    other = visit(visitor.server)
    for each in (visitor, other):
        each.open_session(session)
    other.until(lambda: other.size() == visitor.size())
    visitor.type("\n")
    # A browser that answers the query would have sent its answer before the input that follows.
    for each, key in ((visitor, "!"), (other, "%")):
        each.until_shows("asked")
        each.type(key)
    got = visitor.until_shows(r"asked(b'[^']*')")[1].replace("\n", "")
    for answer in (r"\\x1b\[\?[\d;]+c", r"\\x1b\[0n", r"\\x1b\]11;rgb:", r"\\x1b\[\?2026;\d\$y", r"\\x1bP[01]\$r"):
        assert len(re.findall(answer, got)) == 1, (answer, got)


def test_a_program_copies_to_the_clipboard_only_after_a_click_on_the_button(visitor: Visitor) -> None:
    visitor.open_session(
        visitor.server.session("stty -echo; while read text; do printf '\\033]52;c;%s\\007' $text; done")
    )
    visitor.page.evaluate("() => navigator.clipboard.writeText('mine')")
    clipboard = "() => navigator.clipboard.readText()"
    visitor.type(base64.b64encode(b"theirs").decode() + "\n")
    expect(visitor.at("clipboard")).to_contain_text("The program wants to copy 6 characters")
    assert visitor.page.evaluate(clipboard) == "mine"
    visitor.at("clipboard-dismiss").click()
    expect(visitor.at("clipboard")).to_have_count(0)
    assert visitor.page.evaluate(clipboard) == "mine"
    visitor.type(base64.b64encode("ganz andere Grüße".encode()).decode() + "\n")
    expect(visitor.at("clipboard")).to_contain_text("17 characters")
    visitor.at("clipboard-copy").click()
    expect(visitor.at("clipboard")).to_have_count(0)
    assert visitor.page.evaluate(clipboard) == "ganz andere Grüße"


def test_a_link_that_hides_its_address_is_followed_by_control_click_and_only_to_the_web(visitor: Visitor) -> None:
    def link(address: str) -> str:
        return rf"\033]8;;{address}\033\\click\033]8;;\033\\\n"

    good, bad = visitor.server.url + "/?there", "javascript:window.wrong=1"
    visitor.open_session(visitor.server.session(f"printf '{link(good)}{link(bad)}'; exec cat"))
    visitor.until_shows(r"^click\nclick$")
    screen = visitor.page.locator(".xterm-screen").bounding_box()
    assert screen is not None
    height = screen["height"] / visitor.size()[0]

    def click(row: int) -> None:
        visitor.page.mouse.move(screen["x"] + 30, screen["y"] + (row + 0.5) * height)
        visitor.page.mouse.click(screen["x"] + 20, screen["y"] + (row + 0.5) * height)

    click(0)
    visitor.page.keyboard.down("Control")
    click(1)
    with visitor.context.expect_page() as opened:
        click(0)
    visitor.page.keyboard.up("Control")
    assert opened.value.url == good
    assert opened.value.evaluate("() => window.opener") is None
    assert len(visitor.context.pages) == 2
    assert visitor.page.evaluate("() => window.wrong") is None
