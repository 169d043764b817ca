"""A Screen: the part of a terminal that can be compared, from our engine or from an oracle, in one form.

lines      one per row: (wrapped, runs). wrapped: the row goes on in the next; None where an oracle cannot tell
runs       (text, columns, style); neighbours of equal style are one, trailing blanks of the default style are left out
cursor     row, column (inside the screen also when a wrap is pending), whether a wrap is pending
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from vibetunnel._ext.vt import Engine

Style = dict[str, Any]
Run = tuple[str, int, Style]


class Screen(NamedTuple):
    lines: list[tuple[bool | None, list[Run]]]
    cursor: tuple[int, int, bool]
    alternate: bool

    def text(self) -> list[str]:
        return ["".join(run[0] for run in runs).rstrip(" ") for _, runs in self.lines]


def canonical(lines: list[Any], cursor: Any, alternate: bool) -> Screen:
    """A Screen of what may have neighbours of equal style and trailing blanks."""
    done: list[tuple[bool | None, list[Run]]] = []
    for wrapped, runs in lines:
        merged: list[Run] = []
        for text, width, style in runs:
            if merged and merged[-1][2] == style:
                merged[-1] = (merged[-1][0] + text, merged[-1][1] + width, style)
            else:
                merged.append((text, width, style))
        if merged and not merged[-1][2]:
            text, width, style = merged.pop()
            kept = text.rstrip(" ")
            if kept:
                merged.append((kept, width - len(text) + len(kept), style))
        done.append((wrapped, merged))
    return Screen(done, tuple(cursor), alternate)


def ours(terminal: Engine) -> Screen:
    cursor = terminal.cursor
    return of_json(json.loads(terminal.json()), cursor.wrap_pending)


def of_json(found: dict[str, Any], pending: bool = False) -> Screen:
    """The Screen of `GET .../screen`, which does not tell whether a wrap is pending."""
    lines = []
    for line in found["lines"]:
        runs = []
        for run in line["runs"]:
            text, width = run.pop("text"), run.pop("width")
            if "underline" not in run:
                run.pop("underline_colour", None)  # nothing shows it
            runs.append((text, width, run))
        lines.append((line["wrapped"], runs))
    return canonical(lines, (found["cursor"]["row"], found["cursor"]["col"], pending), found["alternate"])


def difference(mine: Screen, other: Screen | None) -> str:
    """The first difference, in words that help to find its cause; empty if there is none."""
    if other is None:
        return "failed: the other threw"
    for row, (a, b) in enumerate(zip(mine.lines, other.lines, strict=True)):
        if a[1] != b[1]:
            return f"row {row}: {a[1]} instead of {b[1]}"
    if mine.cursor[:2] != other.cursor[:2]:
        return f"cursor: {mine.cursor[:2]} instead of {other.cursor[:2]}"
    if mine.cursor[2] != other.cursor[2]:
        return f"pending wrap: {mine.cursor[2]} instead of {other.cursor[2]}"
    if mine.alternate != other.alternate:
        return f"alternate screen: {mine.alternate} instead of {other.alternate}"
    for row in wraps_apart(mine, other):
        return f"row {row} wrapped: {mine.lines[row][0]} instead of {other.lines[row][0]}"
    return ""


def wraps_apart(mine: Screen, other: Screen) -> list[int]:
    """The rows of which only one says that they go on in the next."""
    return [
        row
        for row, (a, b) in enumerate(zip(mine.lines, other.lines, strict=True))
        if None not in (a[0], b[0]) and a[0] != b[0]
    ]
