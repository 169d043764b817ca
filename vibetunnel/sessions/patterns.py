"""Regular expressions of clients, compiled and searched for by RE2 in bounded time and memory.

RE2 never backtracks: a search costs at most the size of the pattern's program times the length of the text, and that
again for each group. So the match is looked for without groups, and the groups in the match only. Compiling holds the
GIL, so the pattern is checked first. Searching releases it. Both belong into a thread: see searches.py.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from vibetunnel.errors import InvalidField

LIMIT = 1000  # characters of a pattern
# `\p{...}` in a pattern. RE2 takes 0.1 ms to read each, and holds the GIL meanwhile.
CLASSES_LIMIT = 20
GROUPS_LIMIT = 20  # RE2 keeps their places for each instruction, beyond MEMORY: 3 MB for the largest pattern
MEMORY = 256 * 1024  # bytes for a compiled pattern and its search; bounds the time to compile it to some 5 ms, too
# Instructions of the compiled pattern, times bytes of text, times groups and one. The worst pattern takes 7 to 10 ns
# for each, most take 10 ns for a byte.
WORK_LIMIT = 200_000_000
MATCH_LIMIT = 384 * 1024  # bytes of a match and its groups together; JSON takes up to two for each

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
        self._full = self._plain = _compiled(text)
        if self._full.groups > GROUPS_LIMIT:
            expected = f"at most {GROUPS_LIMIT} groups: (?: instead of ( makes none"
            raise InvalidField("regex", expected, str(self._full.groups))
        if self._full.groups:
            self._plain = _compiled(text, groups=False)

    def search(self, text: bytes) -> Found | None:
        """The first match in a text of UTF-8.

        Raises InvalidField if the search could take too long, or the match is too long for an answer.
        """
        work = _work(self._plain, len(text), 0)
        match = self._plain.search(text)
        if match is None:
            return None
        start, end = match.span()
        spans = [(start, end)]
        if self._full.groups:
            _work(self._full, end - start, work)
            match = self._full.match(text, start, end)
            spans += [match.span(group) for group in range(1, self._full.groups + 1)]
        if (size := sum(end - start for start, end in spans)) > MATCH_LIMIT:
            raise InvalidField("regex", f"a match of at most {MATCH_LIMIT} bytes with its groups", str(size))
        # "replace": \C can cut a character.
        whole, *groups = [None if start < 0 else text[start:end].decode("utf-8", "replace") for start, end in spans]
        assert whole is not None
        return Found(spans[0][0], whole, groups)


def _work(compiled: Any, size: int, before: int) -> int:
    """The work of a search in `size` bytes, and of the one before. Raises InvalidField if it is too much."""
    steps, groups = compiled.programsize, compiled.groups
    work: int = before + steps * size * (1 + groups)
    if work > WORK_LIMIT:
        got = f"one of {steps} steps and {groups} groups for {size} bytes of text"
        raise InvalidField("regex", "a smaller pattern, or a later fromLine", got)
    return work


def _compiled(text: str, *, groups: bool = True) -> Any:  # Any: RE2 has no types
    """groups: False: without groups, except those with a name, which RE2 always keeps."""
    import re2  # here: it takes 2 MB, and most waits need no pattern

    options = re2.Options()
    options.max_mem = MEMORY
    options.log_errors = False
    options.never_capture = not groups
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
