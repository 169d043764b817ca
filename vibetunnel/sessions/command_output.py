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

# Sequences that move nothing: styles, charsets, keypad and cursor modes, bracketed paste, titles, links, marks.
_STILL = re.compile(rb"\x1b(?:\[[0-9;:]*m|[()][0B]|[=>]|\[\?(?:1|12|25|2004)[hl]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_PLAIN = re.compile(rb"(?:[^\x00-\x1f\x7f]|[\t\n]|\r\n)*")
# What zsh prints before its prompt, to show where output has no newline (PROMPT_SP).
_ZSH_END = re.compile(rb"(?:\x1b\[[0-9;]*m)*[%#]?(?:\x1b\[[0-9;]*m)* +\r \r\Z")


class OutputText(NamedTuple):
    """cut: its beginning is missing, as it is no longer kept or too long."""

    text: str
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
        left -= len(texts[-1].text)
    return texts


def text_of(output: bytes, rows: int, cols: int, *, cut: bool = False, limit: int = TEXT_LIMIT) -> OutputText:
    """The text that the output leaves on a terminal of this size.

    OutputText that moves no cursor keeps all its blanks and tabs. Otherwise a terminal draws it: what was erased or
    overwritten is gone, and so are blanks at the ends of lines.
    cut     the output begins in the middle
    limit   characters; more than that are cut from the beginning
    """
    if cut:
        output = output.partition(b"\n")[2] or output
    output = _ZSH_END.sub(b"", output)
    still = _STILL.sub(b"", output).lstrip(b"\r")  # fish begins with one, which moves nothing
    text = still.replace(b"\r\n", b"\n").decode("utf-8", "replace") if _PLAIN.fullmatch(still) else None
    if text is None:
        text = _drawn(output, rows, cols)
    if len(text) > limit:
        text, cut = text[len(text) - limit :], True
        text = text.partition("\n")[2] or text
    return OutputText(text, cut)


def _drawn(output: bytes, rows: int, cols: int) -> str:
    """All lines up to the cursor's, or to the last that has text."""
    terminal = vt.Engine(rows, max(2, cols), scrollback_lines=LINES_LIMIT, scrollback_bytes=16 * len(output))
    terminal.feed(output)
    below = terminal.cursor.row + 1
    text = terminal.text(-terminal.scrollback_count, below, unwrap=True).removesuffix("\n")
    rest = terminal.text(below, unwrap=True).rstrip("\n")
    return f"{text}\n{rest}" if rest else text
