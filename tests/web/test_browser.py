"""Logging in, the list of sessions and the terminal, in a real browser on a real server with real shells."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect
from served import Serve, Served
from visitor import PHONE, Visit, Visitor

PROMPT = r"^ready\$$"  # a shell that waits
# Chromium's complaints about a server that was killed.
DOWN = r"net::ERR_(CONNECTION|CONTENT_LENGTH_MISMATCH|EMPTY_RESPONSE|INCOMPLETE|SOCKET_NOT_CONNECTED)"
NOBODY = "00000000-0000-4000-8000-000000000000"

# Logging in


def test_the_printed_link_logs_in_and_its_code_leaves_the_address(server: Served, visit: Visit) -> None:
    visitor = visit(server, logged_in=False)
    visitor.page.goto(server.link)
    expect(visitor.at("empty")).to_be_visible()
    assert visitor.page.url == server.url + "/"
    visitor.page.go_back()
    assert "#" not in visitor.page.url


def test_a_wrong_code_is_explained_and_the_right_one_logs_in_to_the_page_that_was_wanted(
    server: Served, visit: Visit
) -> None:
    visitor = visit(server, logged_in=False)
    visitor.allow_complaint(r"401|HTTP Authentication failed")
    session = server.session()
    visitor.open(f"/session/{session}")
    visitor.at("login-code").fill("ABCDE-FGHJK")
    visitor.at("login-submit").click()
    expect(visitor.at("error")).to_contain_text("This code is wrong, has expired, or was used before.")
    visitor.at("login-code").fill(server.ask("POST", "/api/auth/link")["code"])
    visitor.press("Enter")
    visitor.until_shows(PROMPT)
    assert visitor.page.url == f"{server.url}/session/{session}"


def test_another_device_logs_in_with_the_code_that_the_first_shows(visitor: Visitor, visit: Visit) -> None:
    visitor.open()
    visitor.choose_in_account("link-open")
    link = visitor.at("link-url").inner_text()
    other = visit(visitor.server, logged_in=False)
    other.page.goto(link)
    expect(other.at("empty")).to_be_visible()


def test_after_logging_out_every_page_asks_for_a_login(visitor: Visitor) -> None:
    visitor.allow_complaint("401")
    visitor.allow_complaint("WebSocket connection to")  # refused, or aborted when the page goes to the login
    session = visitor.server.session()
    visitor.open()
    visitor.choose_in_account("logout")
    expect(visitor.at("login-code")).to_be_visible()
    visitor.open(f"/session/{session}")
    expect(visitor.at("login-code")).to_be_visible()


def test_without_authentication_there_is_no_login_and_no_logout(serve: Serve, visit: Visit) -> None:
    visitor = visit(serve("--no-auth"), logged_in=False)
    visitor.open()
    expect(visitor.at("empty")).to_be_visible()
    expect(visitor.at("account")).to_have_count(0)


# The list of sessions


def test_an_empty_list_leads_to_a_new_session_whose_prompt_is_there_before_anything_is_typed(
    visitor: Visitor,
) -> None:
    visitor.open()
    expect(visitor.at("empty")).to_contain_text("No sessions yet")
    visitor.at("session-create").click()
    visitor.at("create-submit").click()
    visitor.until_shows(PROMPT)


def test_a_session_is_created_as_the_form_says(visitor: Visitor) -> None:
    folder = visitor.server.home / "somewhere"
    folder.mkdir()
    visitor.open()
    visitor.at("session-create").click()
    visitor.at("create-command").fill("pwd; cat")
    visitor.at("create-folder").fill(str(folder))
    visitor.at("create-name").fill("a name with <b>tags</b>")
    visitor.press("Enter")
    visitor.until_shows(rf"^{re.escape(str(folder.resolve()))}$")
    visitor.at("back").click()
    expect(visitor.at("session-open")).to_have_text("a name with <b>tags</b>")
    expect(visitor.at("session-state")).to_have_text("Running")


def test_a_folder_that_does_not_exist_is_explained(visitor: Visitor) -> None:
    visitor.open()
    visitor.at("session-create").click()
    visitor.at("create-folder").fill("/no/such/folder")
    visitor.at("create-submit").click()
    expect(visitor.at("exit-banner")).to_contain_text("no such folder: /no/such/folder")
    visitor.at("back").click()
    expect(visitor.at("session-reason")).to_have_text("no such folder: /no/such/folder")


def test_the_list_follows_the_actions_of_others(visitor: Visitor, visit: Visit) -> None:
    visitor.open()
    expect(visitor.at("empty")).to_be_visible()
    session = visitor.server.session()
    expect(visitor.card(session).get_by_test_id("session-state")).to_have_text("Not started")
    other = visit(visitor.server)
    other.open_session(session)
    other.until_shows(PROMPT)
    expect(visitor.card(session).get_by_test_id("session-state")).to_have_text("Running")
    expect(visitor.card(session).get_by_test_id("session-clients")).to_have_text("1")
    other.open()
    expect(visitor.card(session).get_by_test_id("session-clients")).to_have_count(0)


def test_a_session_is_renamed_in_place_and_the_name_stays(visitor: Visitor) -> None:
    session = visitor.server.session()
    visitor.open()
    visitor.at("session-rename").click()
    visitor.at("rename-field").fill("forgotten")
    visitor.press("Escape")
    visitor.at("session-rename").click()
    visitor.at("rename-field").fill("deployment")
    visitor.press("Enter")
    expect(visitor.at("session-open")).to_have_text("deployment")
    visitor.page.reload()
    expect(visitor.at("session-open")).to_have_text("deployment")
    assert visitor.server.ask("GET", f"/api/sessions/{session}")["name"] == "deployment"


def test_killing_asks_first_and_then_ends_the_session(visitor: Visitor) -> None:
    session = visitor.server.session("exec cat", spawn="now")
    visitor.open()
    visitor.at("session-kill").click()
    visitor.at("confirm-cancel").click()
    expect(visitor.at("confirm-submit")).to_have_count(0)
    assert visitor.server.ask("GET", f"/api/sessions/{session}")["status"] == "running"
    visitor.at("session-kill").click()
    visitor.at("confirm-submit").click()
    expect(visitor.at("session-state")).to_have_text(re.compile("^Killed by SIG"))
    assert visitor.server.ask("GET", f"/api/sessions/{session}")["status"] == "exited"


def test_cleaning_up_removes_the_exited_and_leaves_the_others(visitor: Visitor) -> None:
    alive = visitor.server.session("exec cat", spawn="now")
    for code in (0, 1):
        visitor.server.session(f"exit {code}", spawn="now")
    visitor.open()
    states = visitor.at("session-state")
    expect(states).to_have_text(["Running", "Exited with code 1", "Exited"])
    visitor.at("session-remove").first.click()
    expect(states).to_have_text(["Running", "Exited"])
    visitor.at("session-clean").click()
    expect(states).to_have_text(["Running"])
    assert [each["id"] for each in visitor.server.ask("GET", "/api/sessions")] == [alive]


# The terminal


def test_typed_commands_run_in_the_shell(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session())
    visitor.until_shows(PROMPT)
    visitor.type("echo hello-$((40+2))\n")
    visitor.until_shows(r"^hello-42$")


def test_the_program_starts_at_the_size_of_the_window(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session("stty size; exec cat"))
    rows, cols = map(int, visitor.until_shows(r"^(\d+) (\d+)$").groups())
    assert (rows, cols) == visitor.size()
    assert rows > 30
    assert cols > 100


def test_the_shell_has_the_size_of_the_window_after_it_was_resized(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session())
    visitor.until_shows(PROMPT)
    before = visitor.size()
    visitor.page.set_viewport_size({"width": 901, "height": 503})
    visitor.until(lambda: visitor.size() != before)
    visitor.type("stty size\n")
    rows, cols = map(int, visitor.until_shows(r"^(\d+) (\d+)$").groups())
    assert (rows, cols) == visitor.size()
    assert rows < before[0]
    assert cols < before[1]


def test_a_reload_shows_the_same_shell_with_what_was_on_its_screen(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session())
    visitor.until_shows(PROMPT)
    visitor.type("secret=kept; echo be''fore\n")
    visitor.until_shows(r"^before$")
    before = visitor.text()
    visitor.page.reload()
    visitor.until_shows(r"^before$")
    visitor.until(lambda: visitor.text() == before)
    visitor.type("echo $secret\n")
    visitor.until_shows(r"^kept$")


def test_two_browsers_on_a_session_see_the_input_of_both(visitor: Visitor, visit: Visit) -> None:
    session = visitor.server.session()
    other = visit(visitor.server, viewport={"width": 900, "height": 500})
    for each in (visitor, other):
        each.open_session(session)
        each.until_shows(PROMPT)
    visitor.type("echo from-the-''first\n")
    other.until_shows(r"^from-the-first$")
    other.type("echo from-the-''second\n")
    visitor.until_shows(r"^from-the-second$")
    visitor.until(lambda: visitor.text() == other.text() and visitor.size() == other.size())


def test_the_exit_code_is_shown_on_the_page_and_in_the_list(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session())
    visitor.until_shows(PROMPT)
    visitor.type("exit 3\n")
    expect(visitor.at("exit-banner")).to_contain_text("Exited with code 3")
    visitor.at("back").click()
    expect(visitor.at("session-state")).to_have_text("Exited with code 3")


def test_an_exited_session_can_still_be_read(visitor: Visitor) -> None:
    visitor.open(f"/session/{visitor.server.session('echo last words; exit 3')}")
    expect(visitor.at("exit-banner")).to_contain_text("Exited with code 3")
    visitor.page.reload()
    expect(visitor.at("exit-banner")).to_contain_text("Exited with code 3")
    visitor.until_shows(r"^last words$")


def test_control_c_interrupts_the_program_and_not_the_shell(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session())
    visitor.until_shows(PROMPT)
    visitor.type("echo a''sleep; sleep 100\n")
    visitor.until_shows(r"^asleep$")
    visitor.press("Control+C")
    visitor.type("echo status $?\n")
    visitor.until_shows(r"status 130$")


def test_pasted_lines_do_not_run_before_enter(visitor: Visitor) -> None:
    # The bash of macOS is too old for bracketed paste; its zsh supports it.
    shell = ["zsh", "-f"] if sys.platform == "darwin" else ["bash", "--norc", "-i"]
    visitor.open_session(visitor.server.session(shell))
    visitor.until_shows(r"[$%#]$")
    visitor.paste("echo one-$((1+1))\necho two-$((2+2))\n")
    visitor.until_shows(r"echo two-\$\(\(2\+2\)\)$")
    assert "one-2" not in visitor.text()
    visitor.press("Enter")
    visitor.until_shows(r"^two-4$")
    visitor.until_shows(r"^one-2$")


def test_a_paste_is_bracketed_for_programs_that_ask_for_it(visitor: Visitor) -> None:
    program = (
        "import sys, tty; tty.setraw(0); sys.stdout.write('\\x1b[?2004hgo'); sys.stdout.flush(); text = b''\n"
        "while not text.endswith(b'~!'): text += sys.stdin.buffer.raw.read(1)\n"
        "print(ascii(text))"
    )
    visitor.open_session(visitor.server.session([sys.executable, "-c", program]))
    visitor.until_shows("go")
    visitor.paste("grüße\n\ttwo")
    visitor.type("!")
    visitor.until_shows(re.escape(r"b'\x1b[200~gr\xc3\xbc\xc3\x9fe\r\ttwo\x1b[201~!'"))


def test_selected_text_is_copied(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session("echo word; exec cat"))
    visitor.until_shows(r"^word$")
    screen = visitor.page.locator(".xterm-screen").bounding_box()
    assert screen is not None
    visitor.page.mouse.dblclick(screen["x"] + 12, screen["y"] + 8)
    visitor.press("Control+Shift+C")
    visitor.until(lambda: visitor.page.evaluate("() => navigator.clipboard.readText()") == "word")


def test_lines_that_scrolled_away_are_still_there(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session("seq 1 500; exec cat"))
    visitor.until_shows(r"^500$")
    assert not re.search(r"^1$", visitor.text(), re.MULTILINE)
    visitor.press(*["Shift+PageUp"] * 30)
    visitor.until_shows(r"^1$")
    visitor.type("\n")
    visitor.until_shows(r"^500$")


def test_a_full_screen_program_draws_and_leaves_as_in_any_terminal(visitor: Visitor) -> None:
    program = (
        "import curses\n"
        "def run(screen):\n"
        "    rows, cols = screen.getmaxyx(); screen.box(); screen.addstr(rows - 2, cols - 7, 'corner'); key = ''\n"
        "    while key != 'q':\n"
        "        key = screen.getkey(); screen.addstr(1, 1, key.ljust(20)); screen.refresh()\n"
        "curses.wrapper(run)\n"
    )
    path = visitor.server.home / "program.py"
    path.write_text(program)
    visitor.open_session(visitor.server.session(f"echo shell; {sys.executable} {path}; exec cat"))
    visitor.until_shows(r"^│.* corner│$")
    lines = visitor.text().split("\n")
    rows, cols = visitor.size()
    assert (len(lines), len(lines[0])) == (rows, cols)
    assert lines[0] == f"┌{'─' * (cols - 2)}┐"
    for key, name in {"ArrowUp": "KEY_UP", "F5": "KEY_F(5)", "Home": "KEY_HOME", "PageDown": "KEY_NPAGE"}.items():
        visitor.press(key)
        visitor.until_shows(rf"^│{re.escape(name)} ")
    before = visitor.size()
    visitor.page.set_viewport_size({"width": 900, "height": 500})
    visitor.until_shows(r"^│KEY_RESIZE")
    assert visitor.size() != before
    visitor.press("q")
    visitor.until(lambda: visitor.text() == "shell")


# Programs that most machines have. Without them, the program above stands for all.
def _edit_with_vi(visitor: Visitor, path: Path) -> None:
    visitor.type(f"vi {path}\n")
    visitor.until_shows(r"^~")
    visitor.type("itwo words")
    visitor.until_shows(r"^two words$")
    visitor.press("Escape")
    visitor.type(":wq\n")


def _page_with_less(visitor: Visitor, path: Path) -> None:
    visitor.type(f"seq 1 1000 | less; echo two words > {path}\n")
    visitor.until_shows(r"^:$")
    visitor.type("G")
    visitor.until_shows(r"^1000$")
    visitor.type("q")


def _look_at_top(visitor: Visitor, path: Path) -> None:
    visitor.type(f"top; echo two words > {path}\n")
    visitor.until_shows(r"PID +USER")
    visitor.type("q")


def _work_in_tmux(visitor: Visitor, path: Path) -> None:
    # destroy-unattached: the server of tmux ends with the session, even if the test fails.
    visitor.type(f"tmux -S {path.parent}/t -f /dev/null new-session sh \\; set destroy-unattached on\n")
    visitor.until_shows(r"\[\d+\] 0:")
    visitor.type(f"echo two words > {path}; exit\n")
    visitor.until_shows(r"^\[exited\]$")


PROGRAMS = {"vi": _edit_with_vi, "less": _page_with_less, "top": _look_at_top, "tmux": _work_in_tmux}


@pytest.mark.parametrize("program", [name for name in PROGRAMS if shutil.which(name)])
def test_installed_programs_work(visitor: Visitor, program: str) -> None:
    path = visitor.server.home / "text"
    visitor.open_session(visitor.server.session())
    visitor.until_shows(PROMPT)
    PROGRAMS[program](visitor, path)
    visitor.until_shows(PROMPT)  # a program that is ending would read the next input
    visitor.type(f"\nclear; cat {path}\n")
    visitor.until_shows(r"\Atwo words$")


# A killed server


def test_the_page_comes_back_by_itself_and_no_output_is_lost_or_doubled(visitor: Visitor) -> None:
    visitor.allow_complaint(DOWN)
    count = "import itertools, time\nfor i in itertools.count(): print(i, end=',', flush=True); time.sleep(0.01)"
    visitor.open_session(visitor.server.session([sys.executable, "-c", count]))

    def numbers() -> list[int]:
        return [int(each) for each in visitor.text().replace("\n", "").split(",")[:-1]]

    visitor.until(lambda: len(numbers()) > 50)
    visitor.server.kill()
    expect(visitor.at("reconnecting")).to_be_visible()
    seen = len(numbers())
    visitor.server.start()
    visitor.until_connected()
    visitor.until(lambda: len(numbers()) > seen + 50)
    found = numbers()
    assert found == list(range(len(found)))
    expect(visitor.at("reconnecting")).to_have_count(0)


def test_input_typed_while_the_server_is_down_arrives_once(visitor: Visitor) -> None:
    visitor.allow_complaint(DOWN)
    visitor.open_session(visitor.server.session("stty -echo; echo go; exec cat"))
    visitor.until_shows(r"^go$")
    visitor.type("before\n")
    visitor.until_shows(r"^before$")
    visitor.server.kill()
    expect(visitor.at("reconnecting")).to_be_visible()
    visitor.type("meanwhile\n")
    visitor.server.start()
    visitor.until_connected()
    visitor.type("after\n")
    visitor.until_shows(r"^after$")
    assert visitor.text() == "go\nbefore\nmeanwhile\nafter"


def test_the_list_comes_back_by_itself(visitor: Visitor) -> None:
    visitor.allow_complaint(DOWN)
    session = visitor.server.session("exec cat", spawn="now")
    visitor.open()
    expect(visitor.card(session)).to_be_visible()
    visitor.server.kill()
    expect(visitor.at("connection-state")).to_have_attribute("data-state", "lost")
    visitor.server.start()
    expect(visitor.at("connection-state")).to_have_attribute("data-state", "live")
    expect(visitor.card(session).get_by_test_id("session-state")).to_have_text("Running")


# Unknown pages


def test_an_unknown_session_says_so_and_leads_back(visitor: Visitor) -> None:
    visitor.allow_complaint("404")
    visitor.open(f"/session/{NOBODY}")
    expect(visitor.at("error")).to_contain_text("It was removed, or the address is wrong.")
    visitor.page.get_by_text("All sessions").click()
    expect(visitor.at("empty")).to_be_visible()


def test_an_unknown_address_is_a_404_with_a_page(visitor: Visitor) -> None:
    visitor.allow_complaint("404")
    answer = visitor.page.goto(visitor.server.url + "/nowhere")
    assert answer is not None
    assert answer.status == 404
    expect(visitor.page.get_by_role("heading")).to_have_text("Page not found")


# Other devices


def test_a_phone_has_the_keys_that_its_keyboard_lacks(server: Served, visit: Visit) -> None:
    visitor = visit(server, **PHONE)
    visitor.open_session(server.session())
    visitor.until_shows(PROMPT)
    visitor.type("echo a''sleep; sleep 100\n")
    visitor.until_shows(r"^asleep$")
    visitor.at("key-ctrl").tap()
    expect(visitor.at("key-ctrl")).to_have_attribute("aria-pressed", "true")
    visitor.type("c")
    expect(visitor.at("key-ctrl")).to_have_attribute("aria-pressed", "false")
    visitor.type("echo status $?\n")
    visitor.until_shows(r"status 130$")
    visitor.type("echo r''eady; exec cat\n")
    visitor.until_shows(r"^ready$")
    visitor.page.get_by_label("Up", exact=True).tap()
    visitor.page.get_by_label("Escape").tap()
    visitor.until_shows(r"^\^\[\[A\^\[$")


def test_a_phone_shows_everything_without_scrolling_sideways(server: Served, visit: Visit) -> None:
    visitor = visit(server, **PHONE)
    session = server.session("exec cat", name="a very long name " * 10)
    wide = "() => document.documentElement.scrollWidth > innerWidth"
    visitor.open()
    expect(visitor.card(session)).to_be_visible()
    assert not visitor.page.evaluate(wide)
    visitor.at("session-create").tap()
    assert not visitor.page.evaluate(wide)
    visitor.open_session(session)
    assert not visitor.page.evaluate(wide)
    assert visitor.size()[1] >= 45


def test_colours_follow_the_system(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session("exec cat"))
    grounds = {}
    for scheme in ("dark", "light"):
        visitor.page.emulate_media(color_scheme=scheme)
        grounds[scheme] = visitor.page.locator(".screen").evaluate(
            "screen => getComputedStyle(screen).backgroundColor.match(/\\d+/g).map(Number)"
        )
    assert max(grounds["dark"]) < 64
    assert min(grounds["light"]) > 192
