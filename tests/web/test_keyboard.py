"""Keys pressed in a real browser, as a program reads them; and what it is told of the browser's colours and pixels."""

from __future__ import annotations

import re
import sys

import pytest
from playwright.sync_api import expect
from visitor import Visitor

# Sets modes (its arguments), then prints what it reads, in hexadecimal, one key a line; each line ends the key before.
READER = """
import os, sys, tty
tty.setraw(0)
os.write(1, bytes.fromhex(sys.argv[1]) + b"ready\\r\\n")
while True:
    os.write(1, b"<" + os.read(0, 4096).hex().encode() + b">\\r\\n")
"""
SHIFT_ENTER = "\x1b[13;2u"


def read_keys(visitor: Visitor, modes: str) -> None:
    """Open a session whose program shows the keys that it reads."""
    script = visitor.server.home / "reader.py"
    script.write_text(READER)
    command = f"exec {sys.executable} {script} {modes.encode().hex() or '20'}"
    visitor.open_session(visitor.server.session(command))
    visitor.until_shows("ready")


def read(visitor: Visitor) -> str:
    return "".join(re.findall(r"<([0-9a-f]+)>", visitor.text()))


def until_read(visitor: Visitor, *keys: str) -> None:
    """Wait until the program has read exactly these, in this order."""
    expected = "".join(key.encode().hex() for key in keys)
    visitor.until(lambda: len(read(visitor)) >= len(expected))
    assert read(visitor) == expected


LEGACY = {
    "Control+/": "\x1f",
    "Control+2": "\0",
    "Control+Shift+6": "\x1e",
    "Control+Space": "\0",
    "Control+[": "\x1b",
    "Control+a": "\x01",
    "Control+Shift+_": "\x1f",
    "Alt+x": "\x1bx",
    "Alt+Shift+X": "\x1bX",
    "Control+Alt+a": "\x1b\x01",
    "Shift+Tab": "\x1b[Z",
    "Shift+Enter": "\r",
    "Backspace": "\x7f",
    "Control+Backspace": "\x08",
    "Alt+Backspace": "\x1b\x7f",
    "ArrowUp": "\x1b[A",
    "Control+ArrowLeft": "\x1b[1;5D",
    "Home": "\x1b[H",
    "F1": "\x1bOP",
    "F5": "\x1b[15~",
    "Shift+F3": "\x1b[1;2R",
    "Delete": "\x1b[3~",
    "a": "a",
    "Shift+A": "A",
}
KITTY = {
    "Shift+Enter": SHIFT_ENTER,
    "Enter": "\r",
    "Escape": "\x1b[27u",
    "Control+i": "\x1b[105;5u",
    "Tab": "\t",
    "Control+Shift+P": "\x1b[112;6u",
    "Alt+x": "\x1b[120;3u",
    "x": "x",
}
OTHER_KEYS = {
    "Shift+Enter": "\x1b[27;2;13~",
    "Control+i": "\x1b[27;5;105~",
    "Control+;": "\x1b[27;5;59~",
    "Tab": "\t",
    "x": "x",
}
ALL_KEYS = {
    "a": "\x1b[97;;97u\x1b[97;1:3u",
    "Enter": "\x1b[13u\x1b[13;1:3u",
    "Shift+A": "\x1b[57441;2u\x1b[97:65;2;65u\x1b[97:65;2:3u\x1b[57441;1:3u",
}


@pytest.mark.parametrize(
    ("modes", "keys"),
    [("", LEGACY), ("\x1b[>1u", KITTY), ("\x1b[>4;2m", OTHER_KEYS), ("\x1b[>31u", ALL_KEYS)],
    ids=["as in xterm", "kitty", "modifyOtherKeys", "all keys, with events and text"],
)
def test_keys_reach_the_program(visitor: Visitor, modes: str, keys: dict[str, str]) -> None:
    read_keys(visitor, modes)
    for key in keys:
        visitor.press(key)
    until_read(visitor, *keys.values())


def test_the_flags_of_the_keyboard_are_kept_over_a_reload_and_belong_to_a_screen(visitor: Visitor) -> None:
    read_keys(visitor, "\x1b[>1u")
    visitor.page.reload()
    visitor.until_shows("ready")
    visitor.press("Shift+Enter")
    until_read(visitor, SHIFT_ENTER)


def test_a_paste_fakes_no_key(visitor: Visitor) -> None:
    read_keys(visitor, "\x1b[>31u\x1b[?2004h")
    visitor.page.evaluate("navigator.clipboard.writeText('\\x1b[13;2u')")
    visitor.press("Control+Shift+V")
    pasted = "\x1b[200~[13;2u\x1b[201~"
    visitor.until(lambda: pasted.encode().hex() in read(visitor))
    assert SHIFT_ENTER.encode().hex() not in read(visitor)


def test_zooming_is_the_browsers(visitor: Visitor) -> None:
    read_keys(visitor, "")
    for key in ("Control+=", "Control+-", "Control+0", "x"):
        visitor.press(key)
    until_read(visitor, "x")


def test_programs_are_told_the_theme_and_the_pixels_of_this_browser(visitor: Visitor) -> None:
    visitor.page.emulate_media(color_scheme="light")
    read_keys(visitor, "\x1b[?2031h\x1b]11;?\x07\x1b[?996n")
    until_read(visitor, "\x1b]11;rgb:ffff/ffff/ffff\x07\x1b[?997;2n")
    visitor.page.emulate_media(color_scheme="dark")
    until_read(visitor, "\x1b]11;rgb:ffff/ffff/ffff\x07\x1b[?997;2n", "\x1b[?997;1n")


def test_a_colour_that_the_program_set_stays_when_the_browser_turns_dark(visitor: Visitor) -> None:
    visitor.page.emulate_media(color_scheme="light")
    read_keys(visitor, "\x1b]11;#123456\x07")
    background = visitor.page.locator(".xterm-scrollable-element")
    visitor.page.emulate_media(color_scheme="dark")
    expect(background).to_have_css("background-color", "rgb(18, 52, 86)")
