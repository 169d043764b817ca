"""Regular expressions of clients: what they match, what is refused, and what they may cost."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibetunnel.errors import InvalidField
from vibetunnel.sessions import patterns
from vibetunnel.sessions.patterns import Found, Pattern


def found(pattern: str, text: str) -> Found | None:
    return Pattern(pattern).search(text.encode())


@pytest.mark.parametrize(
    ("pattern", "text", "match"),
    [
        ("^b$", "a\nb\nc", "b"),
        (r"\Ab", "a\nb", None),
        ("a.b", "a\nb", None),
        ("(?s)a.b", "a\nb", "a\nb"),
        ("(?i)É+", "éÉ", "éÉ"),
        ("(?i)k", "\u212a", "\u212a"),
        (".", "😀", "😀"),
        (r"\d+", "٣ 12", "12"),  # these four are ASCII
        (r"\w+", "é_x", "_x"),
        (r"\s", "\u00a0 ", " "),
        (r"\bé", "é", None),
        (r"[^\x00-\x7f]", "aé", "é"),
        (r"\pN", "٣", "٣"),  # these are Unicode
        (r"[\pL\pN]+", "naïve٣ x", "naïve٣"),
        (r"\p{Greek}+", "aαβ", "αβ"),
        ("[[:alpha:]]+", "éa", "a"),
        ("a\0b", "a\0b", "a\0b"),
        ("x*?", "xx", ""),
    ],
)
def test_what_a_pattern_matches(pattern: str, text: str, match: str | None) -> None:
    got = found(pattern, text)
    assert (None if got is None else got.text) == match


def test_a_match_has_its_first_byte_and_its_groups() -> None:
    assert found(r"(ü)|(?P<name>y)|()z", "жz") == Found(2, "z", [None, None, ""])
    assert found(r"(\C)", "é") == Found(0, "\ufffd", ["\ufffd"])


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", r"a regular expression of RE2 \(missing \): \("),
        ("[z-a]", "invalid character class range"),
        ("x" * 1001, "at most 1000 characters, got 1001"),
        (r"\pL" * 21, "at most 20 Unicode classes"),
        ("()" * 21, r"at most 20 groups: \(\?: instead of \( makes none, got 21"),
        (r"\pL{500}", "a smaller pattern"),
        ("x{1001}", "invalid repetition size"),
        ("(?:(?:x{50}){50}){50}", "invalid repetition size"),
        ("a(?=b)", "no lookahead"),
        ("a(?!b)", "no lookahead"),
        ("(?<=a)b", "no lookbehind"),
        ("(?<!a)b", "no lookbehind"),
        (r"(a)\1", "no backreference"),
        (r"(?P<x>a)(?P=x)", "no backreference"),
        ("(?>a)", "no atomic group"),
        ("a*+", "no possessive repeat"),
        ("a(?R)?b", "no recursion"),
        ("(a(?1)?b)", "no recursion"),
        ("(?x) x # [", "no comment"),
        ("(?#[)x", "no comment"),
        ("a\ud800", "half a surrogate pair"),
    ],
)
def test_a_refused_pattern_is_told_why(pattern: str, said: str) -> None:
    with pytest.raises(InvalidField, match=f"^regex: expected .*{said}"):
        Pattern(pattern)


@given(st.text(max_size=40), st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_any_text_is_a_pattern_or_is_refused(pattern: str, text: str) -> None:
    try:
        compiled = Pattern(pattern)
    except InvalidField:
        return
    match = compiled.search(text.encode())
    assert match is None or match.text in text


@given(st.text(alphabet="ab\n", max_size=30), st.from_regex(r"\A(?:[ab.^$]|[ab][*+?]|\([ab]\|b\)){0,6}\Z"))
def test_patterns_that_both_know_match_as_in_python(text: str, pattern: str) -> None:
    try:
        expected = re.search(pattern, text, re.MULTILINE)
    except re.error:
        return
    got = found(pattern, text)
    assert (None if got is None else (got.start, got.text)) == (
        None if expected is None else (expected.start(), expected.group())
    )


@pytest.mark.parametrize("pattern", ["(a|aa)+\\d", "(a*)*b", "(?:a?){400}a{400}b", "(a{1,30}){1,30}b", "a" * 1000])
def test_patterns_that_ruin_other_engines_are_searched_for_in_bounded_work(pattern: str) -> None:
    compiled = Pattern(pattern)
    compiled.search(b"a" * 10_000)
    with pytest.raises(InvalidField, match="of text"):
        compiled.search(b"a" * patterns.WORK_LIMIT)


def worked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The work of each later search of RE2, as it comes: instructions times bytes times groups and one."""
    import re2

    work: list[int] = []
    search = re2._Regexp._match

    def counted(self: Any, anchor: object, text: bytes, pos: int | None = None, endpos: int | None = None) -> object:
        size = (len(text) if endpos is None else endpos) - (pos or 0)
        work.append(self.programsize * size * (1 + self.groups))
        return search(self, anchor, text, pos, endpos)

    monkeypatch.setattr(re2._Regexp, "_match", counted)
    return work


def named(count: int) -> str:
    return "".join(f"(?P<n{number}>a?)" for number in range(count))


@pytest.mark.parametrize("size", [1000, 20_000, 400_000, 4 * 1024 * 1024])
@pytest.mark.parametrize(
    "pattern",
    [
        "(?s)" + "(" * 20 + ".*" + ")" * 20,
        "(a?)" * 20 + "b",
        "(a?)" * 20,
        named(20) + "b",
        "((a|b))*a[ab]{200}c",
        "(.){900}",
    ],
)
def test_groups_count_as_work_and_only_in_the_match(pattern: str, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """RE2 copies the places of all groups at each step: 330 groups made a search of 400 KB take a minute."""
    compiled, work = Pattern(pattern), worked(monkeypatch)
    with contextlib.suppress(InvalidField):
        compiled.search(b"a" * size)
    assert sum(work) <= patterns.WORK_LIMIT


def test_groups_do_not_make_the_search_for_the_match_more_expensive(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, work = Pattern("(x)" * 10 + "(y)"), worked(monkeypatch)
    text = b"a" * 1_000_000 + b"x" * 10 + b"y"
    assert compiled.search(text) == Found(1_000_000, "x" * 10 + "y", [*("x" * 10), "y"])
    assert sum(work) < 30 * len(text)


def test_a_match_is_an_answer_of_bounded_size() -> None:
    for pattern in ("(?s)" + "(" * 20 + ".*" + ")" * 20, "(?s)(.*)", "(?s).*"):
        compiled = Pattern(pattern)
        largest = patterns.MATCH_LIMIT // pattern.count(")")  # (?s) stands for the match itself
        found = compiled.search(b'"' * largest)
        assert found is not None
        assert len(json.dumps([found.text, found.groups])) < 1024 * 1024
        with pytest.raises(InvalidField, match=f"a match of at most {patterns.MATCH_LIMIT} bytes with its groups"):
            compiled.search(b'"' * (largest + 1))


@given(
    st.text(alphabet="abé \n", max_size=20),
    st.from_regex(r"\A(?:[ab.^$]|\\[bBAz]|[ab.][*+?]|[*+]\?|\([ab]?\|b\)|\(a|\(\?:|\)){0,9}\Z"),
)
def test_groups_are_those_of_a_single_search(text: str, pattern: str) -> None:
    import re2

    try:
        compiled = Pattern(pattern)
    except InvalidField:
        return
    expected = re2.compile("(?m)" + pattern).search(text.encode())
    re2.purge()
    got = compiled.search(text.encode())
    assert (None if got is None else (got.start, got.groups)) == (
        None
        if expected is None
        else (expected.start(), [None if each is None else each.decode() for each in expected.groups()])
    )


def test_usual_patterns_may_search_all_of_a_scrollback() -> None:
    everything = b"x" * (4 * 1024 * 1024)  # the default of --scrollback-bytes
    for pattern in (
        r"(\d+) passed",
        r"(\d+) passed, (\d+) failed in ([\d.]+)",
        "error|fail(?:ed|ure)|exception",
        r"^\S+@\S+:.*\$ $",
        "(?i)done",
    ):
        assert Pattern(pattern).search(everything) is None


def test_the_library_keeps_no_pattern_of_a_client() -> None:
    import re2

    Pattern("secret")
    assert re2._Regexp._make.cache_info().currsize == 0
