"""Regular expressions of clients, compiled and searched for by RE2 in bounded time and memory.

RE2 never backtracks: a search costs at most the size of the pattern's program times the length of the text. Compiling
holds the GIL, so the pattern is checked first. Searching releases it. Both belong into a thread: see searches.py.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from vibetunnel.errors import InvalidField

if TYPE_CHECKING:
    pass

LIMIT = 1000  # characters of a pattern
# `\p{...}` in a pattern. RE2 takes 0.1 ms to read each, and holds the GIL meanwhile.
CLASSES_LIMIT = 20
MEMORY = 256 * 1024  # bytes for a compiled pattern and its search; bounds the time to compile it to some 5 ms, too
# Instructions of the compiled pattern times bytes of text. The worst pattern takes 7 ns for each, most take 10 ns for
# a byte.
WORK_LIMIT = 300_000_000

_MULTILINE = "(?m)"
_CLASS = re.compile(r"\\[pP]")
# What RE2 does not have, as it stands in a pattern, and what to say about it. RE2's own messages name only the place.
_MISSING = (
    (re.compile(r"\(\?<?[=!]"), "no lookahead and no lookbehind: (?=, (?!, (?<=, (?<!"),
    (re.compile(r"\\[1-9]|\(\?P="), r"no backreference: \1, (?P=name)"),
    (re.compile(r"\(\?>|[*+?}]\+"), "no atomic group and no possessive repeat: (?>, *+"),
    (re.compile(r"\(\?(?:R|&|P>|[+-]?[0-9])"), "no recursion: (?R), (?1), (?&name)"),
    (re.compile(r"\(\?(?:#|[a-zA-Z]*x)"), "no comment: (?#, (?x)"),
)


class Found(NamedTuple):
    """A match. start: its first byte. groups: None for one that took no part."""

    start: int
    text: str
    groups: list[str | None]


class Pattern:
    """A compiled pattern. `^` and `$` match at every line.

    The constructor raises InvalidField with the reason.
    """

    def __init__(self, text: str) -> None:
        if len(text) > LIMIT:
            raise InvalidField("regex", f"at most {LIMIT} characters", str(len(text)))
        if len(_CLASS.findall(text)) > CLASSES_LIMIT:
            raise InvalidField("regex", rf"at most {CLASSES_LIMIT} Unicode classes: \p, \P")
        self._compiled = _compiled(text)

    def search(self, text: bytes) -> Found | None:
        """The first match in a text of UTF-8. Raises InvalidField if the search could take too long."""
        steps = self._compiled.programsize
        if steps * len(text) > WORK_LIMIT:
            got = f"one of {steps} steps for {len(text)} bytes of text"
            raise InvalidField("regex", "a smaller pattern, or a later fromLine", got)
        found = self._compiled.search(text)
        if found is None:
            return None
        groups = [None if each is None else _decoded(each) for each in found.groups()]
        return Found(found.start(), _decoded(found.group()), groups)


def _compiled(text: str) -> Any:  # Any: RE2 has no types
    import re2  # here: it takes 2 MB, and most waits need no pattern

    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    try:
        compiled = re2.compile(_MULTILINE + text, options)
    except UnicodeEncodeError:
        raise InvalidField("regex", "text without half a surrogate pair") from None
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace").replace(_MULTILINE + text, text)
        raise InvalidField("regex", _expected(text, said)) from None
    re2.purge()  # its cache would keep the patterns of all clients
    return compiled


def _expected(text: str, said: str) -> str:
    """What the pattern should have been, from RE2's message."""
    if "too large" in said:
        return "a smaller pattern: with its repeats written out it is too large"
    for shape, missing in _MISSING:
        if shape.search(text):
            return f"a regular expression of RE2, which has {missing} ({said})"
    return f"a regular expression of RE2 ({said})"


def _decoded(part: bytes) -> str:
    return part.decode("utf-8", "replace")  # \C can cut a character
