"""What xterm does at margins, with a pending wrap, and where rows scroll: where it and xterm.js differ, xterm counts.

As in cases.py. Rows and cursors are those of xterm 379. From patch 383 on its mode 45 goes back within a line only.
"""

from __future__ import annotations

from .cases import FULL, GHOSTTY, WIDE, XTERM, Case

LINE = b"0123456789"
RED = {"bg": 1}
ROW_OF_RED = [(" " * 10, 10, RED)]
KEEPS = "keeps a pending wrap at ED and EL, and erases nothing where it stands"
OUTSIDE = "ends a pending wrap outside the region too"
MARGINS = "has no DECLRMM"
MODE_41 = "has no mode 41"
SAVED = "does not save a pending wrap"
BACK = "CBT does nothing while a wrap is pending"
PARTS = "parts the rows when BS goes back over a wrap"
CUB = "CUB never goes back over a wrap"
MODE_1045 = "has no mode 1045"
WITHIN = "goes back within a line only"
ORIGIN = "DECALN keeps origin mode"
PEN = "DECALN fills with the pen"
BLANKS = "SD brings default blanks"
MISPRINT = "has no CSI ^"
ANY_T = "scrolls whatever the parameters are"
GAP = "blanks the gap with the pen"
HALF = "gives the other half the pen"
FRESH = "clears the alternate screen whenever it comes from the main one, and then only"
REGIONS = "has a region for each screen"
ZERO = "takes what is missing as 0, and values modulo 256"
SPACE = "2 is always followed by a colour space"
KIND = "ends at a kind that it does not know"
WRAPPED = "marks other rows as wrapped"
TAB = "goes on to the right of the margins"
SINGLY = "reads what does not fit as attributes of their own"
ALONE = "keeps a pending wrap when the screen changes"


def wraps() -> list[Case]:
    return [
        Case(
            "EL 0 erases the last column, and the wrap is over",
            LINE + b"\x1b[KX",
            "012345678X",
            (0, 9),
            True,
            differs={XTERM: KEEPS},
        ),
        Case(
            "ED 0 erases the last column, and the wrap is over",
            LINE + b"\x1b[JX",
            "012345678X",
            (0, 9),
            True,
            differs={XTERM: KEEPS},
        ),
        Case("EL 1 ends a pending wrap", LINE + b"\x1b[1KX", "         X", (0, 9), True, differs={XTERM: KEEPS}),
        Case("EL 2 ends a pending wrap", LINE + b"\x1b[2KX", "         X", (0, 9), True, differs={XTERM: KEEPS}),
        Case("ED 1 ends a pending wrap", LINE + b"\x1b[1JX", "         X", (0, 9), True, differs={XTERM: KEEPS}),
        Case("ED 2 ends a pending wrap", LINE + b"\x1b[2JX", "         X", (0, 9), True, differs={XTERM: KEEPS}),
        Case("ED 3 keeps a pending wrap", LINE + b"\x1b[3JX", "0123456789/X", (1, 1), wrapped=(0,)),
        Case("DECSEL ends a pending wrap", LINE + b"\x1b[?KX", "012345678X", (0, 9), True, differs={XTERM: KEEPS}),
        Case("DECSED ends a pending wrap", LINE + b"\x1b[?JX", "012345678X", (0, 9), True, differs={XTERM: KEEPS}),
        Case("ECH erases the last column, and the wrap is over", LINE + b"\x1b[XX", "012345678X", (0, 9), True),
        Case("ICH ends a pending wrap", LINE + b"\x1b[@X", "012345678X", (0, 9), True),
        Case("DCH ends a pending wrap", LINE + b"\x1b[PX", "012345678X", (0, 9), True),
        Case(
            "IL outside the region keeps a pending wrap",
            b"\x1b[3r" + LINE + b"\x1b[LX",
            "0123456789/X",
            (1, 1),
            wrapped=(0,),
            differs={XTERM: OUTSIDE},
        ),
        Case(
            "DL outside the region keeps a pending wrap",
            b"\x1b[3r" + LINE + b"\x1b[MX",
            "0123456789/X",
            (1, 1),
            wrapped=(0,),
            differs={XTERM: OUTSIDE},
        ),
        Case(
            "DCH outside the margins keeps a pending wrap",
            b"\x1b[?69h\x1b[2;4s\x1b[1;10Ha\x1b[PX",
            "         a/ X",
            (1, 2),
            differs={XTERM: MARGINS, GHOSTTY: WRAPPED},
        ),
        Case(
            "ICH outside the margins ends a pending wrap",
            b"\x1b[?69h\x1b[2;4s\x1b[1;10Ha\x1b[@X",
            "         X",
            (0, 9),
            True,
        ),
        Case("SU keeps a pending wrap", LINE + b"\x1b[SX", "/X", (1, 1), wrapped=(0,)),
        Case("SD keeps a pending wrap", LINE + b"\x1b[TX", "/X123456789", (1, 1), wrapped=(0,)),
        Case(
            "CBT from a pending wrap goes to the stop before, and the wrap stays",
            LINE + b"\x1b[ZX",
            "0123456789/X",
            (1, 1),
            wrapped=(0,),
            differs={GHOSTTY: WRAPPED},
        ),
        Case("CBT from the last column", b"\x1b[1;10H\x1b[ZX", "        X", (0, 9)),
        Case("HT keeps a pending wrap", LINE + b"\tX", "0123456789/X", (1, 1), wrapped=(0,)),
        Case(
            "HTS with a pending wrap is a stop in the last column",
            LINE + b"\x1bH\x1b[3;1H\x1b[5I\x1b[ZX",
            "0123456789//        X",
            (2, 9),
        ),
        Case(
            "mode 41: HT carries a pending wrap out first",
            b"\x1b[?41h" + LINE + b"\tX",
            "0123456789/        X",
            (1, 9),
            differs={XTERM: MODE_41, GHOSTTY: MODE_41},
        ),
        Case("mode 41 without a pending wrap", b"\x1b[?41h\tX", "        X", (0, 9)),
        Case(
            "DECSC saves a pending wrap",
            LINE + b"\x1b7\x1b[3;3H\x1b8X",
            "0123456789/X",
            (1, 1),
            wrapped=(0,),
            differs={XTERM: SAVED},
        ),
        Case(
            "DECRC ends a wrap that was not pending when it was saved",
            b"\x1b[1;10H\x1b7a\x1b8X",
            "         X",
            (0, 9),
            True,
        ),
        Case(
            "SCORC brings a pending wrap back",
            LINE + b"\x1b[s\x1b[3;3H\x1b[uX",
            "0123456789/X",
            (1, 1),
            wrapped=(0,),
            differs={XTERM: SAVED},
        ),
        Case(
            "1048 brings a pending wrap back",
            LINE + b"\x1b[?1048h\x1b[3;3H\x1b[?1048lX",
            "0123456789/X",
            (1, 1),
            wrapped=(0,),
            differs={XTERM: SAVED},
        ),
        Case(
            "DECLRMM off keeps a pending wrap",
            b"\x1b[?69h\x1b[1;5s01234\x1b[?69lX",
            "01234/X",
            (1, 1),
            wrapped=(0,),
            differs={XTERM: MARGINS, GHOSTTY: WRAPPED},
        ),
        Case("DECSTR keeps a pending wrap", LINE + b"\x1b[!pX", "0123456789/X", (1, 1), wrapped=(0,)),
        Case(
            "DECAWM off and on keeps a pending wrap", LINE + b"\x1b[?7l\x1b[?7hX", "0123456789/X", (1, 1), wrapped=(0,)
        ),
        Case(
            "without autowrap a wrap that CBT moved prints there",
            b"\x1b[?7l" + LINE + b"\x1b[ZX",
            "01234567X9",
            (0, 9),
            differs={XTERM: BACK, GHOSTTY: BACK},
        ),
    ]


def reverse_wrap() -> list[Case]:
    any_row = b"\x1b[?1045h"
    return [
        Case(
            "mode 45: BS goes back within a line",
            b"\x1b[?45h" + LINE + b"ab\b\b\bX",
            "012345678X/ab",
            (0, 9),
            True,
            wrapped=(0,),
            differs={XTERM: PARTS},
        ),
        Case(
            "mode 45: CUB goes back within a line",
            b"\x1b[?45h" + LINE + b"ab\x1b[4DX",
            "01234567X9/ab",
            (0, 9),
            wrapped=(0,),
            differs={XTERM: CUB},
        ),
        Case(
            "mode 45: CUB goes back to another line",
            b"\x1b[?45h" + LINE + b"\r\nab\x1b[9DX",
            "012X456789/ab",
            (0, 4),
            differs={XTERM: CUB, GHOSTTY: WITHIN},
        ),
        Case(
            "mode 45: CUB over two rows",
            b"\x1b[?45h" + LINE + LINE + b"ab\x1b[22DX",
            "X123456789/0123456789/ab",
            (0, 1),
            wrapped=(0, 1),
            differs={XTERM: CUB},
        ),
        Case(
            "mode 45: beyond the region",
            b"\x1b[?45h\x1b[2;3r\x1b[1;1H" + LINE + b"ab\x1b[9DX",
            "012X456789/ab",
            (0, 4),
            wrapped=(0,),
            differs={XTERM: CUB, GHOSTTY: WITHIN},
        ),
        Case(
            "mode 45: from the region's first cell to its last, however far",
            b"\x1b[?45h\x1b[2;3r\x1b[2;1H\x1b[9DX",
            "//         X",
            (2, 9),
            True,
            differs={XTERM: CUB, GHOSTTY: WITHIN},
        ),
        Case(
            "mode 45: a pending wrap is one step",
            b"\x1b[?45h" + LINE + b"\x1b[2DX",
            "01234567X9",
            (0, 9),
            differs={XTERM: CUB},
        ),
        Case("mode 45: BS only ends a pending wrap", b"\x1b[?45h" + LINE + b"\bX", "012345678X", (0, 9), True),
        Case(
            "mode 45: from above the region around the screen",
            b"\x1b[?45h\x1b[3;4r\x1b[1;3H\x1b[9DX",
            "/////   X",
            (5, 4),
            differs={XTERM: CUB, GHOSTTY: WITHIN},
        ),
        Case(
            "mode 45 needs autowrap", b"\x1b[?45h" + LINE + b"ab\x1b[?7l\x1b[9DX", "0123456789/Xb", (1, 1), wrapped=(0,)
        ),
        Case(
            "mode 1045: BS goes to any row",
            any_row + b"\x1b[3;1H\bX",
            "/         X",
            (1, 9),
            True,
            differs={XTERM: MODE_1045},
        ),
        Case(
            "mode 1045: from the top to the bottom",
            any_row + b"\bX",
            "/////         X",
            (5, 9),
            True,
            differs={XTERM: MODE_1045},
        ),
        Case(
            "mode 1045: from the region's top to its bottom",
            any_row + b"\x1b[2;4r\x1b[2;1H\bX",
            "///         X",
            (3, 9),
            True,
            differs={XTERM: MODE_1045},
        ),
        Case(
            "mode 1045: within the margins",
            any_row + b"\x1b[?69h\x1b[3;6s\x1b[3;3H\bX",
            "/     X",
            (1, 5),
            True,
            differs={XTERM: MODE_1045},
        ),
        Case(
            "mode 1045: from left of the margins to the right margin",
            any_row + b"\x1b[?69h\x1b[3;6s\x1b[3;1H\bX",
            "/     X",
            (1, 5),
            True,
            differs={XTERM: MODE_1045},
        ),
        Case(
            "mode 1045: CUB over rows", any_row + b"\x1b[4;3H\x1b[25DX", "       X", (0, 8), differs={XTERM: MODE_1045}
        ),
        Case(
            "mode 1045: CUB around the screen",
            any_row + b"\x1b[3;1H\x1b[65535DX",
            "     X",
            (0, 6),
            differs={XTERM: MODE_1045},
        ),
        Case("mode 1045 needs autowrap", any_row + b"\x1b[?7l\x1b[3;1H\bX", "//X", (2, 1)),
    ]


def at_margins() -> list[Case]:
    margins = b"\x1b[?69h\x1b[3;6s"
    return [
        Case(
            "REP from left of the margins fills every row",
            b"\x1b[?69h\x1b[7;8sh\x1b[20b",
            "hhhhhhhh/      hh/      hh/      hh/      hh/      h",
            (5, 7),
            size=(6, 12),
            differs={XTERM: MARGINS},
        ),
        Case(
            "NEL left of the margins in the last row does not scroll",
            FULL + margins + b"\x1b[6;1H\x1bEX",
            "1111/2222/3333/4444/5555/X666",
            (5, 1),
            differs={XTERM: MARGINS},
        ),
        Case(
            "NEL within the margins goes to the left one",
            margins + b"\x1b[1;5H\x1bEX",
            "/  X",
            (1, 3),
            differs={XTERM: MARGINS},
        ),
        Case(
            "LF in newline mode left of the margins does not scroll",
            FULL + margins + b"\x1b[20h\x1b[6;1H\nX",
            "1111/2222/3333/4444/5555/X666",
            (5, 1),
            differs={XTERM: MARGINS},
        ),
        Case(
            "IRM left of the margins inserts nothing",
            LINE + margins + b"\x1b[4h\x1b[1;1HXY",
            "XY23456789",
            (0, 2),
            differs={XTERM: MARGINS},
        ),
        Case(
            "IRM right of the margins inserts nothing",
            LINE + margins + b"\x1b[4h\x1b[1;8HXY",
            "0123456XY9",
            (0, 9),
            differs={XTERM: MARGINS},
        ),
        Case(
            "IRM within the margins inserts up to the right one",
            LINE + margins + b"\x1b[4h\x1b[1;4HX",
            "012X346789",
            (0, 4),
            differs={XTERM: MARGINS},
        ),
        Case(
            "HT right of the margins comes back to the right one",
            margins + b"\x1b[1;8H\tX",
            "     X",
            (0, 5),
            True,
            differs={XTERM: MARGINS, GHOSTTY: TAB},
        ),
        Case(
            "DECALN ends origin mode",
            b"\x1b[3;4r\x1b[?6h\x1b#8\x1b[2;3r\x1b[1;1HX",
            "X" + "E" * 9 + ("/" + "E" * 10) * 5,
            (0, 1),
            differs={XTERM: ORIGIN},
        ),
        Case("DECALN ends margins", margins + b"\x1b#8\x1b[1;10HX", "E" * 9 + "X" + ("/" + "E" * 10) * 5, (0, 9), True),
        Case(
            "DECALN fills in the default style",
            b"\x1b[1;7;31;41m\x1b#8X",
            "X" + "E" * 9 + ("/" + "E" * 10) * 5,
            (0, 1),
            styles={0: [("X", 1, {"fg": 1, "bg": 1}), ("E" * 9, 9, {})]},
            differs={XTERM: PEN, GHOSTTY: PEN},
        ),
    ]


def scrolled() -> list[Case]:
    return [
        Case(
            "SD brings the background",
            b"\x1b[41m\x1b[T",
            "          ",
            (0, 0),
            styles={0: ROW_OF_RED, 1: []},
            differs={XTERM: BLANKS},
        ),
        Case("SU brings the background", b"\x1b[41m\x1b[S", "/////          ", (0, 0), styles={4: [], 5: ROW_OF_RED}),
        Case(
            "SD in a region brings the background",
            b"\x1b[2;3r\x1b[41m\x1b[T",
            "/          ",
            (0, 0),
            styles={0: [], 1: ROW_OF_RED, 2: []},
            differs={XTERM: BLANKS},
        ),
        Case("CSI ^ is SD", b"a\x1b[^", "/a", (0, 1), differs={XTERM: MISPRINT, GHOSTTY: MISPRINT}),
        Case("CSI 0 T is not SD", b"a\x1b[0T", "a", (0, 1), differs={XTERM: ANY_T}),
        Case("CSI T with two parameters is not SD", b"a\x1b[1;2T", "a", (0, 1), differs={XTERM: ANY_T}),
    ]


def wide_characters() -> list[Case]:
    return [
        Case(
            "the gap at a wrap keeps what was there",
            LINE + b"\x1b[1;10H" + WIDE,
            "0123456789/中",
            (1, 2),
            wrapped=(0,),
            differs={XTERM: GAP, GHOSTTY: GAP},
        ),
        Case(
            "the gap at a wrap takes no background",
            b"\x1b[1;10H\x1b[41m" + WIDE,
            "/中",
            (1, 2),
            wrapped=(0,),
            styles={0: []},
            differs={XTERM: GAP, GHOSTTY: GAP},
        ),
        Case(
            "half of a wide character that is written over is erased",
            WIDE + b"\x1b[7;41m\x1b[1;2HX",
            " X",
            (0, 2),
            styles={0: [(" ", 1, RED), ("X", 1, {"bg": 1, "inverse": True})]},
            differs={XTERM: HALF},
        ),
        Case(
            "the right half likewise",
            WIDE + b"\x1b[4;41m\rX",
            "X ",
            (0, 1),
            styles={0: [("X", 1, {"bg": 1, "underline": "single"}), (" ", 1, RED)]},
            differs={XTERM: HALF},
        ),
    ]


def screens() -> list[Case]:
    return [
        Case(
            "47 keeps the alternate screen",
            b"\x1b[?47hABC\x1b[?47l\x1b[?47h",
            "ABC",
            (0, 3),
            alternate=True,
            differs={XTERM: FRESH},
        ),
        Case(
            "1047 clears the alternate screen when it goes",
            b"\x1b[?1047hABC\x1b[?1047l\x1b[?1047h",
            "",
            (0, 3),
            alternate=True,
        ),
        Case(
            "1049 keeps the alternate screen when it goes",
            b"\x1b[?1049hABC\x1b[?1049l\x1b[?47h",
            "ABC",
            (0, 0),
            alternate=True,
            differs={XTERM: FRESH},
        ),
        Case(
            "1049 clears the alternate screen when it comes",
            b"\x1b[?47hABC\x1b[?47l\x1b[?1049h",
            "",
            (0, 3),
            alternate=True,
        ),
        Case(
            "1049 clears the alternate screen when it is there",
            b"\x1b[?47hABC\x1b[?1049h",
            "",
            (0, 3),
            alternate=True,
            differs={XTERM: FRESH},
        ),
        Case(
            "1049 fills with the background, 47 does not",
            b"\x1b[41m\x1b[?47h",
            "",
            (0, 0),
            alternate=True,
            styles={0: []},
            differs={XTERM: FRESH},
        ),
        Case(
            "1049 ends a pending wrap",
            LINE + b"\x1b[?1049hX",
            "         X",
            (0, 9),
            True,
            alternate=True,
            differs={XTERM: ALONE, GHOSTTY: ALONE},
        ),
        Case("47 keeps a pending wrap", LINE + b"\x1b[?47hX", "/X", (1, 1), wrapped=(0,), alternate=True),
        Case(
            "1047 ends a pending wrap when it goes",
            b"\x1b[?1047h" + LINE + b"\x1b[?1047lX",
            "         X",
            (0, 9),
            True,
            differs={XTERM: ALONE},
        ),
        Case(
            "both screens share the region",
            FULL + b"\x1b[?1049h\x1b[2;3r\x1b[?1049l\x1b[3;1H\nX",
            "1111/3333/X/4444/5555/6666",
            (2, 1),
            differs={XTERM: REGIONS},
        ),
        Case(
            "both screens share the margins",
            b"\x1b[?69h\x1b[3;6s\x1b[?47h\x1b[1;3Habcdef",
            "  abcd/  ef",
            (1, 4),
            alternate=True,
            differs={XTERM: MARGINS},
        ),
        Case("RIS clears the alternate screen", b"\x1b[?47hABC\x1bc\x1b[?47h", "", (0, 0), alternate=True),
    ]


def colours() -> list[Case]:
    blue, rgb = {"fg": 4}, {"fg": "#010203"}

    def case(name: str, parameters: bytes, style: dict[str, object], differs: dict[str, str] | None = None) -> Case:
        data = b"\x1b[34m\x1b[" + parameters + b"mX"
        return Case("SGR " + name, data, "X", (0, 1), styles={0: [("X", 1, style)]}, differs=differs or {})

    return [
        case("38;2 with an empty number is no colour", b"38;2;1;", blue, differs={XTERM: ZERO, GHOSTTY: SINGLY}),
        case(
            "38;2 with an empty number in the middle takes what belongs to it",
            b"38;2;1;;3;1",
            {"fg": 4, "bold": True},
            differs={XTERM: ZERO, GHOSTTY: SINGLY},
        ),
        case("38;2 that is too short: 0", b"38;2;1", {"fg": "#010000"}, differs={GHOSTTY: SINGLY}),
        case("38;5 that is too short: 0", b"38;5", {"fg": 0}, differs={GHOSTTY: SINGLY}),
        case("38;5 with an empty number is no colour", b"38;5;", blue, differs={XTERM: ZERO, GHOSTTY: SINGLY}),
        case("38;5 above 255 is no colour", b"38;5;300", blue, differs={XTERM: ZERO, GHOSTTY: ZERO}),
        case("38;2 above 255 is no colour", b"38;2;300;1;1", blue, differs={XTERM: ZERO, GHOSTTY: ZERO}),
        case("38:2 without a colour space", b"38:2:1:2:3", rgb, differs={XTERM: SPACE}),
        case("38:2 with a colour space", b"38:2::1:2:3", rgb),
        case("38:2 with a tolerance", b"38:2::1:2:3:4:5", rgb, differs={GHOSTTY: SINGLY}),
        case("38:2 with too few numbers is no colour", b"38:2:1:2", blue, differs={XTERM: ZERO}),
        case("38:2 with an empty number: 0", b"38:2::1::3", {"fg": "#010003"}),
        case("38:5 without a number is no colour", b"38:5", blue, differs={XTERM: ZERO, GHOSTTY: SINGLY}),
        case("38;2: with colons after a semicolon", b"38;2:1:2:3", rgb, differs={XTERM: SPACE}),
        case("38;2:: with colons after a semicolon", b"38;2::1:2:3", rgb, differs={GHOSTTY: SINGLY}),
        case("38;5: with a colon after a semicolon", b"38;5:9", {"fg": 9}),
        case(
            "38 of another kind takes its kind",
            b"38;3;1",
            {"fg": 4, "bold": True},
            differs={XTERM: KIND, GHOSTTY: SINGLY},
        ),
    ]


GROUPS = (wraps, reverse_wrap, at_margins, scrolled, wide_characters, screens, colours)
XTERM_CASES = {group.__name__: group() for group in GROUPS}
