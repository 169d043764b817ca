"""Colours in the browser: a program's own, the reversed screen, and both at once."""

from __future__ import annotations

import pytest
from pixels import Cells, Colour
from playwright.sync_api import expect
from visitor import Visitor

OWN = r"\033]4;1;#00ff00\007\033]4;200;rgb:00/00/ff\007\033]10;#aabbcc\007\033]11;#102030\007"
REVERSE = r"\033[?5h"
TEXT = r"\033[H\033[41m    \033[48;5;200m    \033[0m    \033[7m    \033[0m\r\n\nready"
GREEN, BLUE, FOREGROUND, BACKGROUND = (0, 255, 0), (0, 0, 255), (0xAA, 0xBB, 0xCC), (0x10, 0x20, 0x30)
DARK, LIGHT = ((0xF4, 0x73, 0x6E), (0x0E, 0x0F, 0x11)), ((0xB8, 0x26, 0x1F), (255, 255, 255))  # red and the background


def until(visitor: Visitor, *colours: Colour) -> None:
    """Wait until these colours stand in cells 1, 5, 9 and 13 of the first row, as far as they are given."""
    visitor.until(lambda: [Cells(visitor)[0, 4 * at + 1] for at in range(len(colours))] == list(colours))


def around(visitor: Visitor) -> str:
    return str(
        visitor.page.locator("vt-terminal .screen").evaluate("screen => getComputedStyle(screen).backgroundColor")
    )


@pytest.mark.parametrize("first", [OWN + REVERSE, REVERSE + OWN], ids=["colours first", "reversed first"])
def test_a_programs_colours_and_a_reversed_screen_hold_together(visitor: Visitor, first: str) -> None:
    visitor.page.emulate_media(color_scheme="dark")
    steps = [first + TEXT, r"\033[?5l", REVERSE, r"\033]104\007\033]110\007\033]111\007", r"\033c" + TEXT]
    script = "; read x; ".join(f"printf '{step}'" for step in steps) + "; exec cat"
    visitor.open_session(visitor.server.session(["/bin/sh", "-c", f"stty -echo; {script}"]))
    visitor.until_shows("^ready")
    both = (GREEN, BLUE, FOREGROUND, BACKGROUND)
    until(visitor, *both)
    assert around(visitor) == "rgb(170, 187, 204)"
    visitor.page.reload()
    visitor.until_shows("^ready")
    until(visitor, *both)
    visitor.page.emulate_media(color_scheme="light")
    appearance = visitor.page.locator(".xterm-scrollable-element")
    expect(appearance).to_have_css("background-color", "rgb(170, 187, 204)")
    until(visitor, *both)
    visitor.type("\n")  # the reversed screen ends
    until(visitor, GREEN, BLUE, BACKGROUND, FOREGROUND)
    visitor.type("\n")  # it is back
    until(visitor, *both)
    visitor.type("\n")  # the program's colours end
    until(visitor, LIGHT[0], (255, 0, 215), (0x1C, 0x1E, 0x21), LIGHT[1])
    visitor.page.emulate_media(color_scheme="dark")
    until(visitor, DARK[0], (255, 0, 215), (0xE3, 0xE5, 0xE8), DARK[1])
    visitor.type("\n")  # RIS
    until(visitor, DARK[0], (255, 0, 215), DARK[1], (0xE3, 0xE5, 0xE8))
    assert around(visitor) == "rgb(14, 15, 17)"


def test_a_double_row_has_the_programs_colours(visitor: Visitor) -> None:
    script = f"printf '{OWN}{REVERSE}\\033#6{TEXT}'; exec cat"
    visitor.open_session(visitor.server.session(["/bin/sh", "-c", script]))
    visitor.until_shows("^ready")
    middles = [3, 11, 19, 27]
    wanted = [GREEN, BLUE, FOREGROUND, BACKGROUND]
    visitor.until(lambda: [Cells(visitor)[0, col] for col in middles] == wanted)
