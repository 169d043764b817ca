"""Pasting: text from elsewhere runs nothing that the user has not seen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from served import Served
from visitor import PHONE, Visit, Visitor

# The bash of macOS is too old for bracketed paste; its zsh supports it.
SHELL = ["zsh", "-f"] if sys.platform == "darwin" else ["bash", "--norc", "-i"]
CAT = "echo go; exec cat"
LINES = "echo one\necho two\n"


def by_shortcut(visitor: Visitor, text: str) -> None:
    visitor.paste(text)


def by_the_phones_dialog(visitor: Visitor, text: str) -> None:
    visitor.page.get_by_label("Paste").tap()
    # A script sets the text, because a browser drops controls that are typed into a field.
    visitor.page.locator("#paste-text").evaluate("(field, text) => { field.value = text; }", text)
    visitor.page.get_by_role("button", name="Send").tap()


def by_dropping(visitor: Visitor, text: str) -> None:
    visitor.page.get_by_label("Terminal", exact=True).evaluate(
        """(field, text) => field.dispatchEvent(new InputEvent("beforeinput",
            { inputType: "insertFromDrop", data: text, bubbles: true, cancelable: true, composed: true }))""",
        text,
    )


def compose(visitor: Visitor, text: str, *commands: str) -> None:
    """Compose a text as an on-screen keyboard does, with commands of the DevTools protocol."""
    devtools = visitor.context.new_cdp_session(visitor.page)
    for command in commands:
        extra = {"selectionStart": len(text), "selectionEnd": len(text)} if "Composition" in command else {}
        devtools.send(command, {"text": text} | extra)
    devtools.detach()


def by_composing(visitor: Visitor, text: str) -> None:
    compose(visitor, text, "Input.imeSetComposition", "Input.insertText")


def by_leaving_the_composition(visitor: Visitor, text: str) -> None:
    compose(visitor, text, "Input.imeSetComposition")
    visitor.press("ArrowRight")


def by_inserting(visitor: Visitor, text: str) -> None:
    compose(visitor, text, "Input.insertText")


INSERTIONS = [by_composing, by_leaving_the_composition, by_inserting]


@pytest.mark.parametrize("paste", [by_shortcut, by_the_phones_dialog, by_dropping, *INSERTIONS])
@pytest.mark.parametrize("end", ["\x1b[201~", "\x9b201~", "\x1b\x1b[201~[201~", "\x1b\x9b201~[201~"])
def test_a_pasted_text_does_not_end_its_own_bracket(
    server: Served, visit: Visit, folder: Path, paste: Callable[[Visitor, str], None], end: str
) -> None:
    phone = paste is by_the_phones_dialog
    visitor = visit(server, **(PHONE | {"permissions": []} if phone else {}))  # it may not read the clipboard
    target = folder / "X"
    visitor.open_session(server.session(SHELL, workingDir=str(folder)))
    visitor.until_shows(r"[$%#]$")
    paste(visitor, f"echo hello{end}\rtouch X\r")
    visitor.until_shows(r"touch X$")
    # Control+C would do more than drop the lines: after a paste, bash 5.2 sometimes runs them then.
    visitor.press("Control+U")
    visitor.type("echo d''one\n")
    visitor.until_shows(r"^done$")
    assert not target.exists()


def test_several_lines_for_a_program_without_brackets_are_shown_first(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session(CAT))
    visitor.until_shows(r"^go$")
    visitor.paste(LINES)
    expect(visitor.at("paste-preview").get_by_role("listitem")).to_have_text(["echo one", "echo two"])
    expect(visitor.at("paste-cancel")).to_be_focused()
    visitor.press("Enter")  # on Cancel
    expect(visitor.at("paste-lines")).to_have_count(0)
    visitor.type("nothing came\n")
    visitor.until_shows(r"^nothing came\nnothing came$")
    assert "echo" not in visitor.text()
    visitor.paste(LINES)
    visitor.press("Escape")
    expect(visitor.at("paste-lines")).to_have_count(0)
    visitor.paste(LINES)
    expect(visitor.at("paste-cancel")).to_be_focused()
    visitor.press("Tab", "Enter")
    expect(visitor.at("paste-lines")).to_have_count(0)
    visitor.until_shows(r"^echo one\necho two\necho one\necho two$")
    visitor.type("typed\n")  # the focus is back in the terminal
    visitor.until_shows(r"^typed\ntyped$")


@pytest.mark.parametrize("insert", INSERTIONS)
def test_several_lines_of_an_on_screen_keyboard_are_shown_first(
    visitor: Visitor, insert: Callable[[Visitor, str], None]
) -> None:
    visitor.open_session(visitor.server.session(CAT))
    visitor.until_shows(r"^go$")
    insert(visitor, LINES)
    expect(visitor.at("paste-preview").get_by_role("listitem")).to_have_text(["echo one", "echo two"])
    visitor.press("Escape")
    expect(visitor.at("paste-lines")).to_have_count(0)
    visitor.type("nothing came\n")
    visitor.until_shows(r"nothing came\n.*nothing came$")
    assert "echo" not in visitor.text()


def test_several_composed_lines_are_pasted_once(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session(SHELL))
    visitor.until_shows(r"[$%#]$")
    by_composing(visitor, "echo o''ne\necho t''wo\n")
    visitor.until_shows(r"t''wo$")
    visitor.type(" ")  # xterm.js still composes, and would now read its text field
    visitor.press("Enter")
    visitor.until_shows(r"^two$")
    assert visitor.text().count("o''ne") == 1


@pytest.mark.parametrize("insert", [by_composing, by_inserting])
def test_a_composed_word_is_typed(visitor: Visitor, insert: Callable[[Visitor, str], None]) -> None:
    visitor.open_session(visitor.server.session(CAT))
    visitor.until_shows(r"^go$")
    for word in ("日本語", "é", "word"):
        insert(visitor, word)
        visitor.type("!\n")
        visitor.until_shows(rf"^{word}!\n{word}!$")


def test_a_browser_that_blocks_the_data_of_sites_asks_each_time(visitor: Visitor) -> None:
    visitor.context.add_init_script(
        """Object.defineProperty(window, "localStorage", { get() { throw new DOMException("", "SecurityError"); } })"""
    )
    visitor.open_session(visitor.server.session(CAT))
    visitor.until_shows(r"^go$")
    for _ in range(2):
        visitor.paste(LINES)
        visitor.at("paste-unasked").check()
        visitor.at("paste-submit").click()
        expect(visitor.at("paste-lines")).to_have_count(0)
    visitor.until_shows(r"^echo two\n(.*\n)*echo two$")


def test_a_user_who_does_not_want_to_be_asked_is_not_and_can_change_that(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session(CAT))
    visitor.until_shows(r"^go$")
    visitor.paste(LINES)
    visitor.at("paste-unasked").check()
    visitor.at("paste-submit").click()
    visitor.until_shows(r"^echo two\necho one\necho two$")
    visitor.page.reload()
    visitor.until_connected()
    visitor.until_shows(r"^echo two$")
    visitor.at("terminal").evaluate("terminal => terminal.focus()")
    visitor.paste("a\nb\n")
    visitor.until_shows(r"^a\nb\na\nb$")
    expect(visitor.at("pasted-unasked")).to_contain_text("Pasted 2 lines")
    visitor.at("paste-ask-again").click()
    visitor.paste("c\nd\n")
    expect(visitor.at("paste-lines")).to_be_visible()


def test_a_line_that_was_copied_with_its_line_end_waits_for_enter(visitor: Visitor) -> None:
    visitor.open_session(visitor.server.session("echo go; read line; echo got $line; exec cat"))
    visitor.until_shows(r"^go$")
    visitor.paste("one line\n")
    visitor.until_shows(r"^one line$")
    visitor.type("!\n")
    visitor.until_shows(r"^got one line!$")


def test_the_lines_of_a_paste_fit_a_phone(server: Served, visit: Visit) -> None:
    visitor = visit(server, **PHONE, permissions=[])
    visitor.open_session(server.session(CAT))
    visitor.until_shows(r"^go$")
    visitor.page.get_by_label("Paste").tap()
    visitor.page.locator("#paste-text").fill("\n".join(f"line {number} " + "long" * 40 for number in range(200)))
    visitor.page.get_by_role("button", name="Send").tap()
    for test_id in ("paste-preview", "paste-unasked", "paste-cancel", "paste-submit"):
        expect(visitor.at(test_id)).to_be_in_viewport(ratio=1)
    assert not visitor.page.evaluate("() => document.documentElement.scrollWidth > innerWidth")
    visitor.at("paste-submit").tap()
    visitor.until_shows(r"^line 198")  # cat has all but the unfinished line


def test_a_viewer_is_told_that_nothing_is_sent_and_is_not_asked(server: Served, visit: Visit) -> None:
    server.user("vera", "viewer")
    session = server.session(CAT, spawn="now")
    visitor = visit(server, logged_in=False)
    visitor.open()
    visitor.at("login-user").fill("vera")
    visitor.at("login-password").fill("correct horse battery")
    visitor.at("login-submit").click()
    expect(visitor.card(session)).to_be_visible()
    visitor.open_session(session)
    visitor.until_shows(r"^go$")
    visitor.paste(LINES)
    expect(visitor.at("hint")).to_contain_text("View only")
    expect(visitor.at("paste-lines")).to_have_count(0)
