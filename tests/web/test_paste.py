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


@pytest.mark.parametrize("paste", [by_shortcut, by_the_phones_dialog, by_dropping])
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
