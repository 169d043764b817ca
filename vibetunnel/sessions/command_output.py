"""The output of a shell command as text. Pure: bytes in, text out."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from vibetunnel._ext import vt

BYTES_LIMIT = 256 * 1024  # of output that are looked at, the newest: as much as the ring keeps by default
TEXT_LIMIT = 65_536  # characters of one answer, the newest
COMMANDS_LIMIT = 100  # commands of one answer that come with a text
LINES_LIMIT = 65_536  # lines; more cannot be in the text

STEP = 65_536  # cells that a terminal touches before other threads have a turn
STEPS_LIMIT = 1000  # of one output: 256 KiB of short lines take 23

# Sequences that move nothing: styles, charsets, keypad and cursor modes, bracketed paste, titles, links, marks.
_STILL = re.compile(rb"\x1b(?:\[[0-9;:]*m|[()][0B]|[=>]|\[\?(?:1|12|25|2004)[hl]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_MOVES = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)")
# zsh prints this, blanks up to the margin and CR, blank, CR before its prompt, to show where a newline is missing.
_ZSH_MARK = re.compile(rb"(?:\x1b\[[0-9;]*m)*[%#]?(?:\x1b\[[0-9;]*m)*\Z")
_ZSH_END = b"\r \r"
_ZSH_BYTES = 64  # more than the mark with its styles


class OutputText(NamedTuple):
    """text: None if it takes too much work. cut: its beginning is missing, as it is no longer kept or too long."""

    text: str | None
    cut: bool


def texts_of(outputs: Iterable[tuple[bytes, bool]], rows: int, cols: int) -> list[OutputText]:
    """The texts of several outputs, newest first, with the limit for all of them. Some may be missing at the end.

    outputs  bytes, and whether their beginning is missing
    """
    texts: list[OutputText] = []
    left = TEXT_LIMIT
    for output, cut in outputs:
        if left == 0:
            break
        texts.append(text_of(output, rows, cols, cut=cut, limit=left))
        left -= len(texts[-1].text or "")
    return texts


def text_of(output: bytes, rows: int, cols: int, *, cut: bool = False, limit: int = TEXT_LIMIT) -> OutputText:
    """The text that the output leaves on a terminal of this size.

    Output that moves no cursor keeps all its blanks and tabs. Otherwise a terminal draws it: what was erased or
    overwritten is gone, and so are blanks at the ends of lines.
    cut     the output begins in the middle
    limit   characters; more than that are cut from the beginning
    """
    if cut:
        output = output.partition(b"\n")[2] or output
    output = _without_zsh_mark(output)
    still = _STILL.sub(b"", output).lstrip(b"\r")  # fish begins with one, which moves nothing
    if _MOVES.search(still) is None:
        text: str | None = still.replace(b"\r\n", b"\n").decode("utf-8", "replace")
    else:
        text = _drawn(output, rows, cols)
    if text is not None and len(text) > limit:
        text, cut = text[len(text) - limit :], True
        text = text.partition("\n")[2] or text
    return OutputText(text, cut)


def _without_zsh_mark(output: bytes) -> bytes:
    body = output.removesuffix(_ZSH_END)
    before = body.rstrip(b" ")
    if body == output or before == body:
        return output
    at = max(0, len(before) - _ZSH_BYTES)
    return before[:at] + _ZSH_MARK.sub(b"", before[at:], count=1)


def _drawn(output: bytes, rows: int, cols: int) -> str | None:
    """All lines up to the cursor's, or to the last that has text. None: a program could make it take minutes."""
    terminal = vt.Engine(rows, max(2, cols), scrollback_lines=LINES_LIMIT, scrollback_bytes=16 * len(output))
    left = memoryview(output)
    for _ in range(STEPS_LIMIT):
        left = left[terminal.feed_some(left, STEP) :]
        if not left:
            break
    else:
        return None
    below = terminal.cursor.row + 1
    text = terminal.text(-terminal.scrollback_count, below, unwrap=True).removesuffix("\n")
    rest = terminal.text(below, unwrap=True).rstrip("\n")
    return f"{text}\n{rest}" if rest else text
