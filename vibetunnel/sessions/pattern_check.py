"""Which of the regular expressions that clients send are small enough to compile. Pure."""

from __future__ import annotations

import re

from vibetunnel.errors import InvalidField

PATTERN_LIMIT = 1000  # characters of a regular expression
# The library expands `(?:x{100}){100}` while it holds the GIL: this many parts take it 2 to 15 ms.
PARTS_LIMIT = 4000

_COUNT = re.compile(r"\{\s*(\d+)[^{}]*\}?")
_CLASS = re.compile(r"\[\^?(?:\\.|.)(?:\\.|[^\]\\])*+\]?", re.DOTALL)
_RECURSION = re.compile(r"\(\?(?:R|[+-]?\d|&|P>)")  # its use of memory has no bound
_COMMENT = re.compile(r"\(\?(?:#|[a-zA-Z0-9]*x)")  # parts() does not understand comments


def check(text: str) -> None:
    """Raises InvalidField for a regular expression that costs a server too much."""
    if len(text) > PATTERN_LIMIT:
        raise InvalidField("regex", f"at most {PATTERN_LIMIT} characters", str(len(text)))
    if _RECURSION.search(text):
        raise InvalidField("regex", "no recursion: (?R), (?1), (?&name)")
    if _COMMENT.search(text):
        raise InvalidField("regex", "no comments: (?x), (?#)")
    if parts(text) > PARTS_LIMIT:
        raise InvalidField("regex", f"smaller repeat counts ({{n}}): at most {PARTS_LIMIT} parts when written out")


def parts(text: str) -> int:
    """How many characters, classes and the like a pattern has once its `{n}` are expanded: roughly, and never less."""
    outer: list[int] = []  # what was counted before each open group
    total = last = at = 0  # last: of the part that a `{n}` would repeat
    while at < len(text):
        here, width = text[at], 1
        if here == "(":
            outer.append(total)
            total = last = 0
        elif here == ")" and outer:
            last = total
            total += outer.pop()
        elif (count := _COUNT.match(text, at)) and last:
            times = int(count[1][:9])  # a longer number is too large anyway
            total += last * max(0, times - 1)
            last *= max(1, times)
            width = count.end() - at
        else:
            if here == "\\":
                width = 2
            elif here == "[" and (found := _CLASS.match(text, at)):
                width = found.end() - at
            total += 1
            last = 1
        at += width
    return total
