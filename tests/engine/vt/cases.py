"""Small cases: bytes in, screen out, after ECMA-48, the DEC VT510 manual and xterm's control sequence list.

A screen is 6 x 10 unless `size` says otherwise. `rows` are divided by a slash, blank ones at the end left out; `cursor`
is row and column from 0. `styles` gives the runs of some rows, see screens.py;
`wrapped` the rows that go on in the next.
`differs` names an oracle that shows something else, and why ours is the one wanted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    name: str
    data: bytes
    rows: str
    cursor: tuple[int, int]
    pending: bool = False
    wrapped: tuple[int, ...] = ()
    styles: dict[int, list[tuple[str, int, dict[str, Any]]]] = field(default_factory=dict)
    size: tuple[int, int] = (6, 10)
    alternate: bool = False
    differs: dict[str, str] = field(default_factory=dict)


XTERM = "xterm.js"
GHOSTTY = "libghostty"

FULL = b"".join(b"\x1b[%dH%d%d%d%d" % (row, row, row, row, row) for row in range(1, 7))  # 1111/2222/.../6666
WIDE = "中".encode()
NO_MARGINS = {XTERM: "has no DECLRMM"}


def printing() -> list[Case]:
    return [
        Case("text", b"hello", "hello", (0, 5)),
        Case("text up to the margin leaves the wrap pending", b"0123456789", "0123456789", (0, 9), pending=True),
        Case("text beyond the margin wraps", b"0123456789a", "0123456789/a", (1, 1), wrapped=(0,)),
        Case("three rows of text", b"x" * 25, "xxxxxxxxxx/xxxxxxxxxx/xxxxx", (2, 5), wrapped=(0, 1)),
        Case("CR takes a pending wrap back", b"0123456789\rA", "A123456789", (0, 1)),
        Case("CR LF from a pending wrap is one line down", b"0123456789\r\nA", "0123456789/A", (1, 1)),
        Case("LF keeps the column", b"ab\nc", "ab/  c", (1, 3)),
        Case(
            "LF from a pending wrap stays in the last column", b"0123456789\nA", "0123456789/         A", (1, 9), True
        ),
        Case("BS moves left", b"abc\b\bX", "aXc", (0, 2)),
        Case("BS stops at the margin", b"a\b\b\bX", "X", (0, 1)),
        Case("BS from a pending wrap goes to the last but one", b"0123456789\bX", "01234567X9", (0, 9)),
        Case("VT and FF are line feeds", b"a\x0bb\x0cc", "a/ b/  c", (2, 3)),
        Case("NUL, BEL, SO, SI and DEL print nothing", b"a\0b\x07c\x7fd", "abcd", (0, 4), differs={GHOSTTY: DEL}),
        Case("text scrolls at the bottom", b"1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7", "2/3/4/5/6/7", (5, 1)),
        Case("wrapping scrolls at the bottom", b"\x1b[6H" + b"y" * 11, "////yyyyyyyyyy/y", (5, 1), wrapped=(4,)),
        Case("autowrap off: the last column is written over", b"\x1b[?7l0123456789abc", "012345678c", (0, 9), True),
        Case("autowrap off and on again", b"\x1b[?7l0123456789a\x1b[?7hbc", "012345678a/bc", (1, 2), wrapped=(0,)),
        Case("insert mode moves the rest right", b"abc\x1b[4h\x1b[1GX", "Xabc", (0, 1)),
        Case("insert mode loses what leaves the row", b"0123456789\x1b[4h\x1b[1GX", "X012345678", (0, 1)),
        Case("insert mode off", b"abc\x1b[4h\x1b[4l\x1b[1GX", "Xbc", (0, 1)),
        Case("newline mode: LF is CR LF", b"\x1b[20hab\nc", "ab/c", (1, 1)),
        Case("newline mode off", b"\x1b[20h\x1b[20lab\nc", "ab/  c", (1, 3)),
        Case("REP repeats the last character", b"ab\x1b[3b", "abbbb", (0, 5)),
        Case("REP without a number repeats once", b"a\x1b[b", "aa", (0, 2)),
        Case(
            "REP after DEL repeats nothing, xterm",
            b"a\x7f\x1b[3b",
            "a",
            (0, 1),
            differs={XTERM: "goes on", GHOSTTY: DEL},
        ),
        Case("REP wraps", b"01234567a\x1b[3b", "01234567aa/aa", (1, 2), wrapped=(0,)),
        Case("REP without a character before it", b"\x1b[5b", "", (0, 0)),
        Case("IND moves down", b"a\x1bDb", "a/ b", (1, 2)),
        Case("NEL begins the next line", b"a\x1bEb", "a/b", (1, 1)),
        Case("RI moves up", b"\r\na\x1bMb", " b/a", (0, 2)),
        Case("RI at the top scrolls down", b"a\x1bMb", " b/a", (0, 2)),
        Case("IND at the bottom scrolls up", FULL + b"\x1b[6;1H\x1bDX", "2222/3333/4444/5555/6666/X", (5, 1)),
        Case("C1 controls are not taken from UTF-8 bytes", b"a\x84b", "a\ufffdb", (0, 3), differs={XTERM: UTF8}),
        Case("U+0084 is ignored, xterm", "a\u0084b".encode(), "ab", (0, 2), differs={XTERM: C1}),
        Case(
            "U+009B is ignored, in a sequence too, xterm",
            "a\u009b\x1b[3\u0084Cb".encode(),
            "a   b",
            (0, 5),
            differs={XTERM: C1, GHOSTTY: "ends the sequence"},
        ),
        Case("U+009C ends no string, xterm", "a\x1b]0;t\u009cu\x07b".encode(), "ab", (0, 2), differs={XTERM: C1}),
        Case(
            "REP after U+0085 repeats nothing, xterm",
            "a\u0085\x1b[3b".encode(),
            "a",
            (0, 1),
            differs={XTERM: C1, GHOSTTY: "goes on"},
        ),
    ]


UTF8 = "leaves invalid UTF-8 out; Unicode asks for U+FFFD (standard, 3.9)"
DEL = "prints DEL; ECMA-48: a fill character"
C1 = "obeys C1 controls in UTF-8; xterm does not (ctlseqs, controls are processed once)"


def unicode() -> list[Case]:
    return [
        Case("two bytes", "aéb".encode(), "aéb", (0, 3)),
        Case("three bytes", "€".encode(), "€", (0, 1)),
        Case("a wide character", WIDE + b"a", "中a", (0, 3)),
        Case("four bytes, wide", "😀a".encode(), "😀a", (0, 3)),
        Case("a wide character in the last two columns", b"01234567" + WIDE, "01234567中", (0, 9), True),
        Case(
            "a wide character does not fit into one column",
            b"012345678" + WIDE,
            "012345678/中",
            (1, 2),
            wrapped=(0,),
        ),
        Case("no wrap: a wide character in the last column", b"\x1b[?7l012345678" + WIDE, "012345678", (0, 9)),
        Case("writing over the left half clears the right", WIDE + b"\rX", "X", (0, 1)),
        Case("writing over the right half clears the left", WIDE + b"\x1b[2GX", " X", (0, 2)),
        Case("a wide character over two halves", WIDE * 2 + b"\x1b[2G" + WIDE, " 中", (0, 3)),
        Case("ECH of a left half", WIDE + b"ab\x1b[1G\x1b[X", "  ab", (0, 0)),
        Case("ECH of a right half", WIDE + b"ab\x1b[2G\x1b[X", "  ab", (0, 1)),
        Case("EL from a right half", b"a" + WIDE + b"b\x1b[3G\x1b[K", "a", (0, 2)),
        Case("EL 1 to a left half", WIDE + b"b\x1b[1G\x1b[1K", "  b", (0, 0)),
        Case("DCH of a left half", WIDE + b"ab\x1b[1G\x1b[P", " ab", (0, 0)),
        Case("ICH between halves", WIDE + b"ab\x1b[2G\x1b[@", "   ab", (0, 1)),
        Case("a combining character", b"e\xcc\x81x", "e\u0301x", (0, 2)),
        Case("several combining characters", b"e\xcc\x81\xcc\xa3x", "e\u0301\u0323x", (0, 2)),
        Case("a combining character in the pending column", b"012345678e\xcc\x81", "012345678e\u0301", (0, 9), True),
        Case("combining on a wide character", WIDE + b"\xcc\x81x", "中\u0301x", (0, 3)),
        Case("a lone continuation byte", b"a\x80b", "a\ufffdb", (0, 3), differs={XTERM: UTF8}),
        Case("a byte that no UTF-8 has", b"a\xffb", "a\ufffdb", (0, 3), differs={XTERM: UTF8}),
        Case("a character cut by another", b"a\xe4\xb8b", "a\ufffdb", (0, 3), differs={XTERM: UTF8}),
        Case("a character cut by a control", b"a\xe4\xb8\r\nb", "a\ufffd/b", (1, 1), differs={XTERM: UTF8}),
        Case("an overlong form", b"a\xc0\xafb", "a\ufffd\ufffdb", (0, 4), differs={XTERM: UTF8}),
        Case("a surrogate", b"\xed\xa0\x80", "\ufffd\ufffd\ufffd", (0, 3), differs={XTERM: UTF8}),
        Case("beyond Unicode", b"\xf4\x90\x80\x80", "\ufffd" * 4, (0, 4), differs={XTERM: UTF8}),
        Case("box drawing is narrow", "┌─┐".encode(), "┌─┐", (0, 3)),
        Case("fullwidth forms are wide", "ａb".encode(), "ａb", (0, 3)),
        Case("halfwidth katakana are narrow", "ｱb".encode(), "ｱb", (0, 2)),
        Case("a soft hyphen has a column", "a\u00adb".encode(), "a\u00adb", (0, 3)),
        Case("REP of a wide character", WIDE + b"\x1b[2b", "中中中", (0, 6)),
        Case("insert mode with a wide character", b"ab\x1b[4h\r" + WIDE, "中ab", (0, 2)),
        Case("insert mode splits a wide character at the end", b"01234567" + WIDE + b"\x1b[4h\rX", "X01234567", (0, 1)),
    ]


def cursor() -> list[Case]:
    return [
        Case("CUP", b"\x1b[3;4HX", "//   X", (2, 4)),
        Case("CUP without numbers is home", b"abc\x1b[HX", "Xbc", (0, 1)),
        Case("CUP with zeros is home", b"abc\x1b[0;0HX", "Xbc", (0, 1)),
        Case("CUP with one number", b"abc\x1b[2HX", "abc/X", (1, 1)),
        Case("CUP with the row left out", b"abc\x1b[;3HX", "abX", (0, 3)),
        Case("CUP is clamped", b"\x1b[99;99HX", "/////         X", (5, 9), True),
        Case("HVP", b"\x1b[2;3fX", "/  X", (1, 3)),
        Case("CUU", b"\x1b[4;1H\x1b[2AX", "/X", (1, 1)),
        Case("CUU stops at the top", b"\x1b[2;1H\x1b[9AX", "X", (0, 1)),
        Case("CUD", b"\x1b[2BX", "//X", (2, 1)),
        Case("CUD stops at the bottom", b"\x1b[99BX", "/////X", (5, 1)),
        Case("CUF", b"\x1b[3CX", "   X", (0, 4)),
        Case("CUF stops at the margin", b"\x1b[99CX", "         X", (0, 9), True),
        Case("CUB", b"abc\x1b[2DX", "aXc", (0, 2)),
        Case("CUB stops at the margin", b"abc\x1b[99DX", "Xbc", (0, 1)),
        Case("CUB from a pending wrap", b"0123456789\x1b[DX", "01234567X9", (0, 9)),
        Case("CUF from a pending wrap", b"0123456789\x1b[CX", "012345678X", (0, 9), True),
        Case("CUU from a pending wrap", b"\r\n0123456789\x1b[AX", "         X/0123456789", (0, 9), True),
        Case("a count of 0 is 1", b"\x1b[0CX", " X", (0, 2)),
        Case("CNL", b"abc\x1b[2EX", "abc//X", (2, 1)),
        Case("CPL", b"\r\n\r\nabc\x1b[2FX", "X//abc", (0, 1)),
        Case("CHA", b"abc\x1b[2GX", "aXc", (0, 2)),
        Case("HPA", b"abc\x1b[2`X", "aXc", (0, 2)),
        Case("HPR", b"a\x1b[2aX", "a  X", (0, 4)),
        Case("VPA", b"abc\x1b[3dX", "abc//   X", (2, 4)),
        Case("VPR", b"abc\x1b[2eX", "abc//   X", (2, 4)),
        Case("DECSC and DECRC", b"ab\x1b7\x1b[4;5HX\x1b8Y", "abY///    X", (0, 3)),
        Case("DECRC without DECSC is home", b"ab\x1b[3;3H\x1b8Y", "Yb", (0, 1)),
        Case("SCOSC and SCORC", b"ab\x1b[s\x1b[4;5HX\x1b[uY", "abY///    X", (0, 3)),
        Case(
            "DECRC brings the pen back",
            b"\x1b[31m\x1b7\x1b[32ma\x1b8b",
            "b",
            (0, 1),
            styles={0: [("b", 1, {"fg": 1})]},
        ),
        Case("DECRC brings the charset back", b"\x1b(0\x1b7\x1b(Bq\x1b8q", "─", (0, 1)),
        Case(
            "DECRC brings origin mode back",
            b"\x1b[2;4r\x1b[?6h\x1b7\x1b[?6l\x1b8\x1b[HX",
            "/X",
            (1, 1),
            differs={XTERM: ORIGIN},
        ),
    ]


ORIGIN = "does not save origin mode; DEC does (VT510, DECSC)"


def tabs() -> list[Case]:
    return [
        Case("HT goes to column 8", b"a\tX", "a       X", (0, 9)),
        Case("HT stops at the margin", b"a\t\t\tX", "a        X", (0, 9), True),
        Case("HTS sets a stop", b"\x1b[4G\x1bH\ra\tX", "a  X", (0, 4)),
        Case("TBC clears the stop here", b"\x1b[9G\x1b[0g\ra\tX", "a        X", (0, 9), True),
        Case(
            "TBC without a number",
            b"\x1b[9G\x1b[g\ra\tX",
            "a        X",
            (0, 9),
            True,
            differs={GHOSTTY: "wants a number"},
        ),
        Case("TBC 3 clears all", b"\x1b[3g\ra\tX", "a        X", (0, 9), True),
        Case("CHT", b"\x1b[2IX", "                X", (0, 17), size=(3, 30)),
        Case("CBT", b"\x1b[20G\x1b[2ZX", "        X", (0, 9), size=(3, 30)),
        Case("CBT stops at the margin", b"abc\x1b[9ZX", "Xbc", (0, 1)),
        Case("HT leaves text alone", b"abcdefghij\r\tX", "abcdefghXj", (0, 9)),
        Case("HT from a pending wrap stays pending", b"0123456789\tX", "0123456789/X", (1, 1), wrapped=(0,)),
    ]


def erasing() -> list[Case]:
    return [
        Case("ED 0", FULL + b"\x1b[3;3H\x1b[J", "1111/2222/33", (2, 2)),
        Case("ED 1", FULL + b"\x1b[3;3H\x1b[1J", "//   3/4444/5555/6666", (2, 2)),
        Case("ED 2 leaves the cursor", FULL + b"\x1b[3;3H\x1b[2J", "", (2, 2)),
        Case("ED 3 leaves the screen", FULL + b"\x1b[3;3H\x1b[3J", "1111/2222/3333/4444/5555/6666", (2, 2)),
        Case("EL 0", b"abcdef\x1b[3G\x1b[K", "ab", (0, 2)),
        Case("EL 1", b"abcdef\x1b[3G\x1b[1K", "   def", (0, 2)),
        Case("EL 2", b"abcdef\x1b[3G\x1b[2K", "", (0, 2)),
        Case("EL unknown", b"abcdef\x1b[3G\x1b[7K", "abcdef", (0, 2)),
        Case("ECH", b"abcdef\x1b[2G\x1b[2X", "a  def", (0, 1)),
        Case("ECH is clamped", b"abcdef\x1b[2G\x1b[99X", "a", (0, 1)),
        Case("ICH", b"abcdef\x1b[2G\x1b[2@", "a  bcdef", (0, 1)),
        Case("ICH is clamped", b"abcdef\x1b[2G\x1b[99@", "a", (0, 1)),
        Case("DCH", b"abcdef\x1b[2G\x1b[2P", "adef", (0, 1)),
        Case("DCH is clamped", b"abcdef\x1b[2G\x1b[99P", "a", (0, 1)),
        Case("IL", FULL + b"\x1b[2;1H\x1b[2L", "1111///2222/3333/4444", (1, 0)),
        Case("IL goes to the first column", FULL + b"\x1b[2;3H\x1b[LX", "1111/X/2222/3333/4444/5555", (1, 1)),
        Case("IL is clamped", FULL + b"\x1b[2;1H\x1b[99L", "1111", (1, 0)),
        Case("DL", FULL + b"\x1b[2;1H\x1b[2M", "1111/4444/5555/6666", (1, 0)),
        Case("DL goes to the first column", FULL + b"\x1b[2;3H\x1b[MX", "1111/X333/4444/5555/6666", (1, 1)),
        Case("DECALN fills the screen and goes home", b"abc\x1b[3;3H\x1b#8", "/".join(["E" * 10] * 6), (0, 0)),
        Case(
            "erasing takes the background",
            b"\x1b[44mab\x1b[K",
            "ab",
            (0, 2),
            styles={0: [("ab        ", 10, {"bg": 4})]},
        ),
        Case(
            "erasing takes nothing else of the pen",
            b"abc\r\x1b[1;4;31;44m\x1b[2X\x1b[m",
            "  c",
            (0, 0),
            styles={0: [("  ", 2, {"bg": 4}), ("c", 1, {})]},
        ),
        Case(
            "a scroll takes the background",
            b"\x1b[6H\x1b[42m\n\x1b[m",
            "",
            (5, 0),
            styles={5: [(" " * 10, 10, {"bg": 2})], 4: []},
        ),
        Case("ED 0 with a background", b"\x1b[41m\x1b[J\x1b[m", "", (0, 0), styles={3: [(" " * 10, 10, {"bg": 1})]}),
        Case(
            "ICH with a background",
            b"ab\r\x1b[41m\x1b[@",
            " ab",
            (0, 0),
            styles={0: [(" ", 1, {"bg": 1}), ("ab", 2, {})]},
        ),
        Case(
            "DCH with a background",
            b"0123456789\r\x1b[41m\x1b[P",
            "123456789",
            (0, 0),
            styles={0: [("123456789", 9, {}), (" ", 1, {"bg": 1})]},
        ),
        Case("selective erase is an erase where nothing is protected", b"abc\x1b[2G\x1b[?K", "a", (0, 1)),
        Case("DECSED leaves what is protected", b'a\x1b[1"qb\x1b[0"qc\x1b[?2J', " b", (0, 3)),
        Case("DECSEL leaves what is protected", b'a\x1b[1"qb\x1b[2"qc\x1b[?2K', " b", (0, 3)),
        Case("ED erases what DECSCA protects", b'a\x1b[1"qb\x1b[0"qc\x1b[2J', "", (0, 3)),
    ]


def scrolling() -> list[Case]:
    return [
        Case("SU", FULL + b"\x1b[2S", "3333/4444/5555/6666", (5, 4)),
        Case("SD", FULL + b"\x1b[2T", "//1111/2222/3333/4444", (5, 4)),
        Case("SU is clamped", FULL + b"\x1b[99S", "", (5, 4)),
        Case("SD is clamped", FULL + b"\x1b[99T", "", (5, 4)),
        Case("DECSTBM goes home", FULL + b"\x1b[2;4r", "1111/2222/3333/4444/5555/6666", (0, 0)),
        Case("LF at the region's bottom", FULL + b"\x1b[2;4r\x1b[4H\nX", "1111/3333/4444/X/5555/6666", (3, 1)),
        Case("LF below the region", FULL + b"\x1b[2;4r\x1b[6H\nX", "1111/2222/3333/4444/5555/X666", (5, 1)),
        Case("RI at the region's top", FULL + b"\x1b[2;4r\x1b[2H\x1bMX", "1111/X/2222/3333/5555/6666", (1, 1)),
        Case("RI above the region", FULL + b"\x1b[2;4r\x1b[1H\x1bMX", "X111/2222/3333/4444/5555/6666", (0, 1)),
        Case("SU in a region", FULL + b"\x1b[2;4r\x1b[S", "1111/3333/4444//5555/6666", (0, 0)),
        Case("SD in a region", FULL + b"\x1b[2;4r\x1b[T", "1111//2222/3333/5555/6666", (0, 0)),
        Case("IL in a region", FULL + b"\x1b[2;4r\x1b[3H\x1b[L", "1111/2222//3333/5555/6666", (2, 0)),
        Case("IL outside the region", FULL + b"\x1b[2;4r\x1b[5;2H\x1b[L", "1111/2222/3333/4444/5555/6666", (4, 1)),
        Case("DL in a region", FULL + b"\x1b[2;4r\x1b[3H\x1b[M", "1111/2222/4444//5555/6666", (2, 0)),
        Case("CUU stops at the region's top", b"\x1b[2;4r\x1b[3H\x1b[9AX", "/X", (1, 1)),
        Case("CUD stops at the region's bottom", b"\x1b[2;4r\x1b[3H\x1b[9BX", "///X", (3, 1)),
        Case("CUU above the region goes to the top", b"\x1b[3;4r\x1b[2H\x1b[9AX", "X", (0, 1)),
        Case("CUD below the region goes to the bottom", b"\x1b[2;3r\x1b[5H\x1b[9BX", "/////X", (5, 1)),
        Case(
            "DECSTBM without numbers is the screen",
            FULL + b"\x1b[2;4r\x1b[r\x1b[6H\nX",
            "2222/3333/4444/5555/6666/X",
            (5, 1),
        ),
        Case(
            "DECSTBM of one row is not valid",
            FULL + b"\x1b[2;4r\x1b[2;2H\x1b[3;3rX",
            "1111/2X22/3333/4444/5555/6666",
            (1, 2),
        ),
        Case(
            "DECSTBM upside down is not valid", FULL + b"\x1b[3;3H\x1b[4;2rX", "1111/2222/33X3/4444/5555/6666", (2, 3)
        ),
        Case("DECSTBM is clamped", FULL + b"\x1b[2;99r\x1b[6H\nX", "1111/3333/4444/5555/6666/X", (5, 1)),
        Case("wrapping at the region's bottom", b"\x1b[1;2r\x1b[2H" + b"z" * 11, "zzzzzzzzzz/z", (1, 1), wrapped=(0,)),
        Case("origin mode: CUP counts in the region", b"\x1b[2;4r\x1b[?6h\x1b[2;2HX", "// X", (2, 2)),
        Case("origin mode goes home", b"abc\x1b[2;4r\x1b[?6hX", "abc/X", (1, 1)),
        Case("origin mode: CUP stays in the region", b"\x1b[2;4r\x1b[?6h\x1b[99HX", "///X", (3, 1)),
        Case("origin mode: VPA counts in the region", b"\x1b[2;4r\x1b[?6h\x1b[2dX", "//X", (2, 1)),
        Case("origin mode off goes home", b"\x1b[2;4r\x1b[?6h\x1b[?6lX", "X", (0, 1)),
        Case("origin mode: DECSTBM goes to the new region's home", b"\x1b[?6h\x1b[3;5rX", "//X", (2, 1)),
        Case("origin mode: ED erases the screen", FULL + b"\x1b[2;4r\x1b[?6h\x1b[2J", "", (1, 0)),
        Case(
            "DECALN takes the region away",
            b"\x1b[2;4r\x1b#8\x1b[6H\nX",
            "E" * 10 + ("/" + "E" * 10) * 4 + "/X",
            (5, 1),
            differs={XTERM: ALIGN},
        ),
    ]


ALIGN = "keeps the region; DEC does not (VT510, DECALN)"


def margins() -> list[Case]:
    def case(name: str, data: bytes, rows: str, at: tuple[int, int], pending: bool = False, **more: Any) -> Case:
        more["differs"] = {} if more.pop("everywhere", False) else NO_MARGINS | more.get("differs", {})
        return Case(name, b"\x1b[?69h" + data, rows, at, pending, **more)

    return [
        case("DECSLRM goes home", b"abc\x1b[3;6sX", "Xbc", (0, 1)),
        case("text wraps at the right margin", b"\x1b[3;6s\x1b[1;3Habcdef", "  abcd/  ef", (1, 4)),
        case(
            "text right of the margin goes on to the edge",
            b"\x1b[3;6s\x1b[1;8Habcd",
            "       abc/  d",
            (1, 3),
            differs={GHOSTTY: "joins rows that do not go on at the edge"},
        ),
        case("CR goes to the left margin", b"\x1b[3;6s\x1b[1;5H\rX", "  X", (0, 3)),
        case("CR left of the margin goes to the edge", b"\x1b[3;6s\x1b[1;2H\rX", "X", (0, 1), everywhere=True),
        case("ICH within the margins", b"0123456789\x1b[3;6s\x1b[1;4H\x1b[@", "012 346789", (0, 3)),
        case("DCH within the margins", b"0123456789\x1b[3;6s\x1b[1;4H\x1b[P", "01245 6789", (0, 3)),
        case("ICH outside the margins", b"0123456789\x1b[3;6s\x1b[1;8H\x1b[@", "0123456789", (0, 7)),
        case("IL within the margins", FULL + b"\x1b[2;3s\x1b[3;2H\x1b[L", "1111/2222/3  3/4334/5445/6556", (2, 1)),
        case("DL within the margins", FULL + b"\x1b[2;3s\x1b[3;2H\x1b[M", "1111/2222/3443/4554/5665/6  6", (2, 1)),
        case("IL outside the margins", FULL + b"\x1b[2;3s\x1b[3;8H\x1b[L", "1111/2222/3333/4444/5555/6666", (2, 7)),
        case("SU within the margins", FULL + b"\x1b[2;3s\x1b[S", "1221/2332/3443/4554/5665/6  6", (0, 0)),
        case("SD within the margins", FULL + b"\x1b[2;3s\x1b[T", "1  1/2112/3223/4334/5445/6556", (0, 0)),
        case(
            "LF within the margins scrolls between them",
            FULL + b"\x1b[2;3s\x1b[6;2H\nX",
            "1221/2332/3443/4554/5665/6X 6",
            (5, 2),
        ),
        case(
            "LF outside the margins does not scroll",
            FULL + b"\x1b[2;3s\x1b[6;8H\n",
            "1111/2222/3333/4444/5555/6666",
            (5, 7),
        ),
        case("CUF stops at the right margin", b"\x1b[3;6s\x1b[1;4H\x1b[9CX", "     X", (0, 5), True),
        case(
            "CUB stops at the left margin",
            b"\x1b[3;6s\x1b[1;5H\x1b[9DX",
            "  X",
            (0, 3),
            differs={GHOSTTY: "goes to the edge"},
        ),
        case("origin mode counts from the left margin", b"\x1b[2;4r\x1b[3;6s\x1b[?6h\x1b[1;2HX", "/   X", (1, 4)),
        case(
            "DECLRMM off takes the margins away",
            b"\x1b[3;6s\x1b[?69l\x1b[1;5Habcdefg",
            "    abcdef/g",
            (1, 1),
            wrapped=(0,),
            everywhere=True,
        ),
        case("DECSLRM upside down is not valid", b"ab\x1b[6;3sX", "abX", (0, 3), everywhere=True),
        case(
            "without DECLRMM CSI s saves the cursor",
            b"\x1b[?69lab\x1b[s\x1b[5;5H\x1b[uX",
            "abX",
            (0, 3),
            everywhere=True,
        ),
    ]


def charsets() -> list[Case]:
    return [
        Case("line drawing in G0", b"\x1b(0lqk\x1b(Bq", "┌─┐q", (0, 4)),
        Case("line drawing in G1 by SO and SI", b"\x1b)0q\x0eq\x0fq", "q─q", (0, 3)),
        Case("line drawing leaves capitals alone", b"\x1b(0ABC", "ABC", (0, 3)),
        Case("all of line drawing", b"\x1b(0`abcdefghi", "◆▒␉␌␍␊°±␤␋", (0, 9), True),
        Case("all of line drawing, second part", b"\x1b(0jklmnopqrs", "┘┐┌└┼⎺⎻─⎼⎽", (0, 9), True),
        Case("all of line drawing, third part", b"\x1b(0tuvwxyz{|}", "├┤┴┬│≤≥π≠£", (0, 9), True),
        Case(
            "the last of line drawing, and its blank",
            b"\x1b(0~_~",
            "· ·",
            (0, 3),
            differs={XTERM: "leaves 0x5F out", GHOSTTY: "leaves 0x5F out"},
        ),
        Case("the British set, with DECNRCM", b"\x1b[?42h\x1b(A#a\x1b(B#", "£a#", (0, 3)),
        Case("LS2 shifts G2 in", b"\x1b*0q\x1bnq\x0fq", "q─q", (0, 3)),
        Case("LS3 shifts G3 in", b"\x1b+0q\x1boq\x0fq", "q─q", (0, 3)),
        Case("SS2 is for one character", b"\x1b*0\x1bNqq", "─q", (0, 2), differs={XTERM: "has no single shifts"}),
        Case("SS3 is for one character", b"\x1b+0\x1bOqq", "─q", (0, 2), differs={XTERM: "has no single shifts"}),
        Case("an unknown set changes nothing", b"\x1b(0\x1b(@q", "─", (0, 1)),
    ]


def alternate() -> list[Case]:
    return [
        Case("47 shows the alternate screen", b"abc\x1b[?47hX", "   X", (0, 4), alternate=True),
        Case("47 off shows the main one", b"abc\x1b[?47hX\x1b[?47lY", "abc Y", (0, 5)),
        Case("1047 off clears the alternate screen", b"\x1b[?1047hX\x1b[?1047l\x1b[?1047h", "", (0, 1), alternate=True),
        Case("1048 saves and restores", b"ab\x1b[?1048h\x1b[5;5H\x1b[?1048lX", "abX", (0, 3)),
        Case("1049 on", b"abc\x1b[?1049hX", "   X", (0, 4), alternate=True),
        Case("1049 off restores screen and cursor", b"abc\x1b[?1049h\x1b[5;5HX\x1b[?1049lY", "abcY", (0, 4)),
        Case("1049 begins empty", b"\x1b[?1049hX\x1b[?1049l\x1b[?1049h", "", (0, 0), alternate=True),
        Case("1049 off on the main screen restores the cursor", b"ab\x1b7\x1b[5;5H\x1b[?1049lX", "abX", (0, 3)),
        Case("1049 on twice", b"ab\x1b[?1049hX\x1b[?1049hY\x1b[?1049lZ", "abZ", (0, 3)),
        Case(
            "the alternate screen has no scrollback",
            b"\x1b[?1049h" + FULL + b"\n\n",
            "3333/4444/5555/6666",
            (5, 4),
            alternate=True,
        ),
        Case("each screen has its saved cursor", b"a\x1b7\x1b[?47h\x1b[4;4H\x1b7\x1b[?47l\x1b8X", "aX", (0, 2)),
    ]


def resets() -> list[Case]:
    return [
        Case("RIS", b"\x1b[31mabc\x1b[2;3r\x1b[?6h\x1bcX", "X", (0, 1), styles={0: [("X", 1, {})]}),
        Case("RIS leaves the alternate screen", b"ab\x1b[?1049hX\x1bc", "", (0, 0)),
        Case("RIS sets the tab stops", b"\x1b[3g\x1bc\tX", "        X", (0, 9)),
        Case("DECSTR keeps the screen and the cursor", b"abc\x1b[!pX", "abcX", (0, 4)),
        Case("DECSTR ends insert mode", b"abc\x1b[4h\x1b[!p\rX", "Xbc", (0, 1), differs={GHOSTTY: DECSTR}),
        Case("DECSTR ends origin mode", b"\x1b[2;4r\x1b[?6h\x1b[!p\x1b[HX", "X", (0, 1), differs={GHOSTTY: DECSTR}),
        Case(
            "DECSTR resets the pen",
            b"\x1b[31m\x1b[!pX",
            "X",
            (0, 1),
            styles={0: [("X", 1, {})]},
            differs={GHOSTTY: DECSTR},
        ),
        Case(
            "DECSTR takes the region away",
            FULL + b"\x1b[2;4r\x1b[!p\x1b[6H\nX",
            "2222/3333/4444/5555/6666/X",
            (5, 1),
            differs={GHOSTTY: DECSTR},
        ),
        Case(
            "DECSTR forgets the saved cursor", b"ab\x1b7\x1b[5;5H\x1b[!p\x1b8X", "Xb", (0, 1), differs={GHOSTTY: DECSTR}
        ),
    ]


DECSTR = "has no DECSTR"


def parsing() -> list[Case]:
    return [
        Case("CAN ends a CSI", b"a\x1b[3\x18b", "ab", (0, 2)),
        Case("SUB ends a CSI", b"a\x1b[3\x1ab", "ab", (0, 2)),
        Case("ESC begins anew", b"a\x1b[3\x1b[2;2Hb", "a/ b", (1, 2)),
        Case("controls within a CSI are done at once", b"ab\x1b[\r2CX", "abX", (0, 3)),
        Case("LF within a CSI", b"ab\x1b[2\nCX", "ab/    X", (1, 5)),
        Case("an unknown CSI prints nothing", b"a\x1b[5yb", "ab", (0, 2)),
        Case("a CSI with an unknown prefix", b"a\x1b[>5Cb", "ab", (0, 2)),
        Case("a CSI with an unknown intermediate", b"a\x1b[5$Cb", "ab", (0, 2)),
        Case("a bad CSI is swallowed to its end", b"a\x1b[5?3Cb", "ab", (0, 2)),
        Case("an unknown ESC prints nothing", b"a\x1b%Gb\x1b~c", "abc", (0, 3)),
        Case("huge numbers", b"\x1b[99999999999999999999CX", "         X", (0, 9), True),
        Case("more parameters than kept", b"\x1b[" + b"0;" * 40 + b"1mX", "X", (0, 1)),
        Case("OSC ended by BEL", b"a\x1b]0;title\x07b", "ab", (0, 2)),
        Case("OSC ended by ST", b"a\x1b]0;title\x1b\\b", "ab", (0, 2)),
        Case("OSC ended by CAN", b"a\x1b]0;title\x18b", "ab", (0, 2)),
        Case("OSC with UTF-8", "a\x1b]0;тест中\x07b".encode(), "ab", (0, 2)),
        Case("DCS is swallowed", b"a\x1bPqabc\x1b\\b", "ab", (0, 2)),
        Case("BEL does not end a DCS", b"a\x1bPqab\x07c\x1b\\b", "ab", (0, 2)),
        Case("APC is swallowed", b"a\x1b_Gabc\x1b\\b", "ab", (0, 2)),
        Case("PM is swallowed", b"a\x1b^abc\x1b\\b", "ab", (0, 2)),
        Case("SOS is swallowed", b"a\x1bXabc\x1b\\b", "ab", (0, 2)),
        Case("ESC within a string begins anew", b"a\x1b]0;t\x1b[2;2Hb", "a/ b", (1, 2)),
        Case("DEL within a CSI is nothing", b"\x1b[1\x7f;3HX", "  X", (0, 3)),
        Case("a query prints nothing", b"a\x1b[6n\x1b[c\x1b[>c\x1b[?1$pb", "ab", (0, 2)),
    ]


def sgr() -> list[Case]:
    def case(name: str, parameters: bytes, style: dict[str, Any], **more: Any) -> Case:
        return Case(f"SGR {name}", b"\x1b[" + parameters + b"mX", "X", (0, 1), styles={0: [("X", 1, style)]}, **more)

    return [
        case("bold", b"1", {"bold": True}),
        case("dim", b"2", {"dim": True}),
        case("italic", b"3", {"italic": True}),
        case("underline", b"4", {"underline": "single"}),
        case("blink", b"5", {"blink": True}),
        case("inverse", b"7", {"inverse": True}),
        case("invisible", b"8", {"invisible": True}),
        case("strike", b"9", {"strike": True}),
        case("double underline", b"21", {"underline": "double"}),
        case("overline", b"53", {"overline": True}),
        case("overline off", b"53;55", {}),
        case("several", b"1;3;4;31", {"bold": True, "italic": True, "underline": "single", "fg": 1}),
        case("22 ends bold and dim", b"1;2;22", {}),
        case("23 to 29", b"3;4;5;7;8;9;23;24;25;27;28;29", {}),
        case("0 resets", b"1;31;0", {}),
        case("nothing resets", b"1;31m\x1b[", {}),
        case("an empty parameter resets", b"1;31;", {}, differs={GHOSTTY: "drops an empty parameter at the end"}),
        case("foreground", b"37", {"fg": 7}),
        case("background", b"40", {"bg": 0}),
        case("bright colours", b"97;100", {"fg": 15, "bg": 8}),
        case("39 and 49", b"31;41;39;49", {}),
        case("256 colours", b"38;5;196;48;5;21", {"fg": 196, "bg": 21}),
        case("256 colours by colons", b"38:5:196", {"fg": 196}),
        case("RGB", b"38;2;1;2;3;48;2;254;255;0", {"fg": "#010203", "bg": "#feff00"}),
        case("RGB by colons with a colour space", b"38:2::1:2:3", {"fg": "#010203"}),
        case(
            "RGB by colons without one",
            b"38:2:1:2:3",
            {"fg": "#010203"},
            differs={XTERM: "takes 1 for the colour space"},
        ),
        case("what follows a colour", b"38;5;196;1", {"fg": 196, "bold": True}),
        case("underline styles", b"4:3", {"underline": "curly"}),
        case("dotted underline", b"4:4", {"underline": "dotted"}),
        case("dashed underline", b"4:5", {"underline": "dashed"}),
        case("4:0 ends it", b"4;4:0", {}),
        case("underline colour", b"4;58;5;9", {"underline": "single", "underline_colour": 9}),
        case("underline colour by colons", b"4:3;58:2::1:2:3", {"underline": "curly", "underline_colour": "#010203"}),
        case("59 ends the underline colour", b"4;58;5;9;59", {"underline": "single"}),
        case("unknown ones are nothing", b"1;77;200", {"bold": True}),
        case("a private prefix is no SGR", b"?1", {}),
        case("modifyOtherKeys is no SGR", b">4;2", {}),
        Case(
            "a hyperlink",
            b"\x1b]8;;http://a.b\x1b\\X\x1b]8;;\x1b\\Y",
            "XY",
            (0, 2),
            styles={0: [("X", 1, {"link": "http://a.b"}), ("Y", 1, {})]},
        ),
        Case(
            "a hyperlink with an id",
            b"\x1b]8;id=1;http://a.b\x07X\x1b]8;;\x07",
            "X",
            (0, 1),
            styles={0: [("X", 1, {"link": "http://a.b"})]},
        ),
        Case(
            "a hyperlink outlives SGR 0",
            b"\x1b]8;;http://a.b\x07\x1b[1mX\x1b[0mY\x1b]8;;\x07",
            "XY",
            (0, 2),
            styles={0: [("X", 1, {"bold": True, "link": "http://a.b"}), ("Y", 1, {"link": "http://a.b"})]},
        ),
    ]


def pending() -> list[Case]:
    full = b"0123456789"
    return [
        Case("SGR keeps the wrap pending", full + b"\x1b[1mX", "0123456789/X", (1, 1), wrapped=(0,)),
        Case("DECSC keeps the wrap pending", full + b"\x1b7X", "0123456789/X", (1, 1), wrapped=(0,)),
        Case("CUP takes a pending wrap back", full + b"\x1b[1;10HX", "012345678X", (0, 9), True),
        Case("CHA takes a pending wrap back", full + b"\x1b[10GX", "012345678X", (0, 9), True),
        Case(
            "a row whose end is erased goes on no more",
            b"x" * 11 + b"\x1b[1;1Hab\x1b[K",
            "ab/x",
            (0, 2),
            differs={XTERM: "keeps rows joined until the second one is erased"},
        ),
        Case("a wide character from a pending wrap", full + WIDE, "0123456789/中", (1, 2), wrapped=(0,)),
        Case("REP from a pending wrap", full + b"\x1b[2b", "0123456789/99", (1, 2), wrapped=(0,)),
    ]


GROUPS = (
    *(printing, unicode, pending, cursor, tabs, erasing, scrolling, margins),
    *(charsets, alternate, resets, parsing, sgr),
)
CASES = {group.__name__: group() for group in GROUPS}
