"""Rectangles, indexing by columns, guarded areas, what is put aside, conformance: as in cases.py.

Sources: the VT420 and VT510 manuals, ECMA-48 (SPA, EPA), xterm's control sequence list (XT...). Each case was shown to
xterm 379 too.
"""

from __future__ import annotations

from .cases import GHOSTTY, XTERM, Case

TEXT = b"abcdef\r\nghijkl\r\nmnopqr"
NO_RECTANGLES = {XTERM: "has no rectangles", GHOSTTY: "has no rectangles"}
NO_INDEX = {XTERM: "has no DECBI and DECFI", GHOSTTY: "has no DECBI and DECFI"}
NO_SPA = {XTERM: "has no SPA"}
NO_PENS = {XTERM: "has no stack of pens", GHOSTTY: "has no stack of pens"}
NO_XTSAVE = {XTERM: "has no XTSAVE"}
NO_RESTORE = {XTERM: "has no DECRSPS", GHOSTTY: "has no DECRSPS"}
NO_LEVELS = {XTERM: "has no DECSCL", GHOSTTY: "has no DECSCL"}
INVERSE = {"inverse": True}


def _rectangle(name: str, data: bytes, rows: str, **more: object) -> Case:
    return Case(name, data, rows, more.pop("cursor", (2, 6)), differs=NO_RECTANGLES, **more)  # type: ignore[arg-type]


def filling() -> list[Case]:
    pen = {"fg": 1, "bold": True}
    return [
        _rectangle("DECFRA fills, VT420", TEXT + b"\x1b[35;1;2;2;4$x", "a###ef/g###kl/mnopqr"),
        _rectangle("DECFRA without a rectangle fills the screen", TEXT + b"\x1b[35$x", "/".join(["#" * 10] * 6)),
        Case(
            "DECFRA with an upside-down rectangle does nothing",
            TEXT + b"\x1b[35;3;3;2;2$x",
            "abcdef/ghijkl/mnopqr",
            (2, 6),
        ),
        _rectangle(
            "DECFRA beyond the edges is cut",
            TEXT + b"\x1b[35;3;5;999;999$x",
            "abcdef/ghijkl/mnop######" + "/    ######" * 3,
        ),
        *(
            Case(
                f"DECFRA with the code {code} does nothing, VT420",
                TEXT + b"\x1b[%d;1;1;2;2$x" % code,
                "abcdef/ghijkl/mnopqr",
                (2, 6),
            )
            for code in (0, 31, 127, 159, 0xD800, 20013, 0x301)
        ),
        _rectangle("DECFRA with a code of Unicode, xterm", TEXT + b"\x1b[945;1;1;1;2$x", "ααcdef/ghijkl/mnopqr"),
        _rectangle(
            "DECFRA uses the pen",
            b"\x1b[1;31m\x1b[35;1;1;1;2$x",
            "##",
            cursor=(0, 0),
            styles={0: [("##", 2, pen)]},
        ),
        _rectangle(
            "DECFRA ignores margins", TEXT + b"\x1b[2;3r\x1b[35;1;1;1;2$x", "##cdef/ghijkl/mnopqr", cursor=(0, 0)
        ),
        _rectangle(
            "DECFRA counts from the margins in origin mode, and stays in them",
            TEXT + b"\x1b[2;3r\x1b[?6h\x1b[35;1;1;9;2$x",
            "abcdef/##ijkl/##opqr",
            cursor=(1, 0),
        ),
        _rectangle(
            "DECFRA blanks the half of a wide character outside",
            "中中中".encode() + b"\x1b[35;1;2;1;3$x",
            " ## 中",
            cursor=(0, 6),
        ),
        _rectangle(
            "DECFRA leaves a pending wrap",
            b"0123456789\x1b[35;2;1;2;3$xy",
            "0123456789/y##",
            cursor=(1, 1),
            wrapped=(0,),
        ),
        _rectangle("DECERA erases", TEXT + b"\x1b[1;2;2;4$z", "a   ef/g   kl/mnopqr"),
        _rectangle(
            "DECERA fills with the background",
            b"abc\x1b[41m\x1b[1;2;1;3$z",
            "a",
            cursor=(0, 3),
            styles={0: [("a", 1, {}), ("  ", 2, {"bg": 1})]},
        ),
        _rectangle(
            "DECERA fills with the whole pen, xterm",
            b"abc\x1b[4;7m\x1b[1;2;1;3$z",
            "a",
            cursor=(0, 3),
            styles={0: [("a", 1, {}), ("  ", 2, {"underline": "single", "inverse": True})]},
        ),
        _rectangle(
            "DECSERA keeps the style of cells, VT510",
            b"a\x1b[1;41mbc\x1b[0;42m\x1b[1;2;1;3${",
            "a",
            cursor=(0, 3),
            styles={0: [("a", 1, {}), ("  ", 2, {"bold": True, "bg": 1})]},
        ),
        _rectangle(
            "DECSERA blanks the half of a wide character outside",
            "中中中".encode() + b"\x1b[1;2;1;3${",
            "    中",
            cursor=(0, 6),
        ),
        _rectangle("DECSERA erases the E of DECALN", b"\x1b#8\x1b[2${", "EEEEEEEEEE", cursor=(0, 0)),
        _rectangle("DECERA erases what DECSCA protects", b'a\x1b[1"qb\x1b[0"qc\x1b[$z', "", cursor=(0, 3)),
        _rectangle("DECSERA spares what DECSCA protects", b'a\x1b[1"qb\x1b[0"qc\x1b[${', " b", cursor=(0, 3)),
        _rectangle("DECSERA erases what SPA protects, xterm", b"a\x1bVb\x1bWc\x1b[${", "", cursor=(0, 3)),
    ]


def copying() -> list[Case]:
    return [
        _rectangle("DECCRA copies, VT420", TEXT + b"\x1b[1;2;2;3;1;2;5;1$v", "abcdef/ghijbc/mnophi"),
        _rectangle("DECCRA down over itself", TEXT + b"\x1b[1;1;2;3;1;2;1;1$v", "abcdef/abcjkl/ghipqr"),
        _rectangle("DECCRA up over itself", TEXT + b"\x1b[2;1;3;3;1;1;1;1$v", "ghidef/mnojkl/mnopqr"),
        _rectangle("DECCRA right over itself", TEXT + b"\x1b[1;1;1;4;1;1;2;1$v", "aabcdf/ghijkl/mnopqr"),
        _rectangle(
            "DECCRA over the edge is cut", TEXT + b"\x1b[1;1;3;3;1;6;9;1$v", "abcdef/ghijkl/mnopqr///        ab"
        ),
        Case(
            "DECCRA to a place outside does nothing", TEXT + b"\x1b[1;1;1;3;1;7;1;1$v", "abcdef/ghijkl/mnopqr", (2, 6)
        ),
        _rectangle("DECCRA has one page, as in xterm", TEXT + b"\x1b[1;1;1;2;3;2;1;2$v", "abcdef/abijkl/mnopqr"),
        _rectangle(
            "DECCRA copies halves of wide characters as blanks",
            "ab中中中".encode() + b"\x1b[1;4;1;7;1;1;1;1$v",
            " 中 中中",
            cursor=(0, 8),
        ),
        _rectangle(
            "DECCRA copies clusters and protection",
            b'e\xcc\x81\x1b[1"qx\x1b[0"q\x1b[1;1;1;2;1;2;1;1$v\x1b[?2K\x1b[2;3H\x1b[?2K',
            " x/ x",
            cursor=(1, 2),
        ),
        _rectangle(
            "DECCRA counts source and target from the margins in origin mode",
            TEXT + b"\x1b[2;3r\x1b[?6h\x1b[1;1;1;2;1;2;3;1$v",
            "abcdef/ghijkl/mnghqr",
            cursor=(1, 0),
        ),
    ]


def attributes() -> list[Case]:
    return [
        _rectangle(
            "DECCARA changes a stream of cells, VT420",
            TEXT + b"\x1b[1;5;2;2;7$r\x1b[1;2;2;5;7$r",
            "abcdef    /ghijkl/mnopqr",
            styles={0: [("a", 1, {}), ("bcdef    ", 9, INVERSE)], 1: [("ghijk", 5, INVERSE), ("l", 1, {})]},
        ),
        _rectangle(
            "DECSACE 2: DECCARA changes a rectangle",
            TEXT + b"\x1b[2*x\x1b[1;2;2;3;7$r",
            "abcdef/ghijkl/mnopqr",
            styles={
                0: [("a", 1, {}), ("bc", 2, INVERSE), ("def", 3, {})],
                1: [("g", 1, {}), ("hi", 2, INVERSE), ("jkl", 3, {})],
            },
        ),
        _rectangle(
            "DECCARA leaves colours and what it does not name",
            b"\x1b[31;1;3;9mab\x1b[1;1;1;1;0;4$r",
            "ab",
            cursor=(0, 2),
            styles={
                0: [
                    ("a", 1, {"fg": 1, "italic": True, "strike": True, "underline": "single"}),
                    ("b", 1, {"fg": 1, "bold": True, "italic": True, "strike": True}),
                ]
            },
        ),
        _rectangle(
            "DECCARA takes attributes away",
            b"\x1b[1;4;5;7mab\x1b[1;1;1;1;22;24;25;27$r",
            "ab",
            cursor=(0, 2),
            styles={0: [("a", 1, {}), ("b", 1, {"bold": True, "underline": "single", "blink": True, "inverse": True})]},
        ),
        Case(
            "DECCARA without attributes does nothing, xterm",
            b"\x1b[1mab\x1b[1;1;1;1$r",
            "ab",
            (0, 2),
            styles={0: [("ab", 2, {"bold": True})]},
        ),
        _rectangle(
            "DECRARA reverses attributes",
            b"\x1b[1ma\x1b[mb\x1b[1;1;1;2;1;4$t",
            "ab",
            cursor=(0, 2),
            styles={0: [("a", 1, {"underline": "single"}), ("b", 1, {"bold": True, "underline": "single"})]},
        ),
        Case(
            "DECRARA 0 does nothing, xterm",
            b"\x1b[1mab\x1b[1;1;1;1;0$t",
            "ab",
            (0, 2),
            styles={0: [("ab", 2, {"bold": True})]},
        ),
    ]


def columns() -> list[Case]:
    margins = b"\x1b[?69h\x1b[2;4s\x1b[1;2r"
    return [
        Case("DECBI moves left, VT420", b"abc\x1b6X", "abX", (0, 3), differs=NO_INDEX),
        Case("DECBI at the left edge scrolls right", b"abc\x1b[H\x1b6", " abc", (0, 0), differs=NO_INDEX),
        Case(
            "DECBI at the left margin scrolls between the margins",
            TEXT + margins + b"\x1b[1;2H\x1b6",
            "a bcef/g hikl/mnopqr",
            (0, 1),
            differs=NO_INDEX,
        ),
        Case(
            "DECBI at the margin outside the region does nothing",
            TEXT + margins + b"\x1b[3;2H\x1b6",
            "abcdef/ghijkl/mnopqr",
            (2, 1),
        ),
        Case(
            "DECBI at the screen's edge left of the margin does nothing",
            TEXT + margins + b"\x1b[1;1H\x1b6",
            "abcdef/ghijkl/mnopqr",
            (0, 0),
        ),
        Case("DECFI moves right", b"abc\x1b[H\x1b9X", "aXc", (0, 2), differs=NO_INDEX),
        Case("DECFI at the right edge scrolls left", b"abc\x1b[1;10H\x1b9", "bc", (0, 9), differs=NO_INDEX),
        Case(
            "DECFI at the right margin scrolls between the margins",
            TEXT + margins + b"\x1b[1;4H\x1b9",
            "acd ef/gij kl/mnopqr",
            (0, 3),
            differs=NO_INDEX,
        ),
    ]


def guarded() -> list[Case]:
    text = b"ab\x1bVcd\x1bWef"
    return [
        Case("SPA: ECH spares the area, ECMA-48", text + b"\x1b[H\x1b[9X", "  cd", (0, 0), differs=NO_SPA),
        Case("SPA: EL spares the area", text + b"\x1b[2K", "  cd", (0, 6), differs=NO_SPA),
        Case("SPA: ED spares the area", text + b"\x1b[2J", "  cd", (0, 6), differs=NO_SPA),
        Case("SPA: DECSED spares it too, xterm", text + b"\x1b[?2J", "  cd", (0, 6), differs=NO_SPA),
        Case("DECSCA: ED erases all, VT220", b'ab\x1b[1"qcd\x1b[0"qef\x1b[2J', "", (0, 6)),
        Case("DECSCA after SPA: EL erases all, xterm", text + b'\x1b[1"qg\x1b[0"q\x1b[2K', "", (0, 7)),
        Case(
            "SPA after DECSCA: EL spares both, xterm",
            b'a\x1b[1"qb\x1b[0"q\x1bVc\x1bW\x1b[2K',
            " bc",
            (0, 3),
            differs=NO_SPA,
        ),
        Case(
            "1049 clears what SPA protects, xterm",
            b"\x1b[?47h\x1bVx\x1b[?1049hy",
            " y",
            (0, 2),
            alternate=True,
            differs={**NO_SPA, GHOSTTY: "spares it"},
        ),
        Case(
            "1047 clears what SPA protects, xterm",
            b"\x1b[?1047h\x1bVx\x1b[?1047l\x1b[?47hy",
            " y",
            (0, 2),
            alternate=True,
            differs={GHOSTTY: "spares it"},
        ),
        Case("EPA ends what DECSCA began", b'\x1b[1"qa\x1bWb\x1b[?2K', "a", (0, 2), differs={XTERM: "has no EPA"}),
    ]


def aside() -> list[Case]:
    bold = {0: [("x", 1, {"bold": True, "fg": 1})]}
    return [
        Case("XTPUSHSGR, XTPOPSGR", b"\x1b[1;31m\x1b[#{\x1b[0;3m\x1b[#}x", "x", (0, 1), styles=bold, differs=NO_PENS),
        Case(
            "XTPUSHSGR by its other name",
            b"\x1b[1;31m\x1b[#p\x1b[0;3m\x1b[#qx",
            "x",
            (0, 1),
            styles=bold,
            differs=NO_PENS,
        ),
        Case(
            "XTPUSHSGR of some attributes",
            b"\x1b[1;31;42m\x1b[1;30#{\x1b[0;3;32;43m\x1b[#}x",
            "x",
            (0, 1),
            styles={0: [("x", 1, {"bold": True, "italic": True, "fg": 1, "bg": 3})]},
            differs=NO_PENS,
        ),
        Case(
            "XTPOPSGR of an empty stack changes nothing",
            b"\x1b[1m\x1b[#}x",
            "x",
            (0, 1),
            styles={0: [("x", 1, {"bold": True})]},
        ),
        Case(
            "XTPUSHSGR keeps ten, and counts more",
            b"\x1b[1m" + b"\x1b[#{" * 9 + b"\x1b[3m\x1b[#{\x1b[4m" + b"\x1b[#{" * 2 + b"\x1b[m" + b"\x1b[#}" * 3 + b"x",
            "x",
            (0, 1),
            styles={0: [("x", 1, {"bold": True, "italic": True})]},
            differs=NO_PENS,
        ),
        Case("DECSTR forgets pushed pens", b"\x1b[1m\x1b[#{\x1b[m\x1b[!p\x1b[#}x", "x", (0, 1)),
        Case(
            "XTSAVE, XTRESTORE: autowrap on",
            b"\x1b[?7s\x1b[?7l\x1b[?7r0123456789ab",
            "0123456789/ab",
            (1, 2),
            wrapped=(0,),
            differs=NO_XTSAVE,
        ),
        Case(
            "XTSAVE, XTRESTORE: autowrap off",
            b"\x1b[?7l\x1b[?7s\x1b[?7h\x1b[?7r0123456789ab",
            "012345678b",
            (0, 9),
            True,
            differs=NO_XTSAVE,
        ),
        Case(
            "XTRESTORE of what was never saved turns it off, xterm",
            b"\x1b[?7r0123456789ab",
            "012345678b",
            (0, 9),
            True,
            differs={XTERM: "has no XTRESTORE", GHOSTTY: "restores what a mode is at first"},
        ),
        Case(
            "XTRESTORE of the alternate screen", b"a\x1b[?1047s\x1b[?1047hb\x1b[?1047r", "a", (0, 2), differs=NO_XTSAVE
        ),
        Case(
            "XTRESTORE of 1049 neither moves the cursor nor clears, xterm",
            b"a\x1b[?47hb\x1b[?1049s\x1b[?47lc\x1b[?1049rd",
            " b d",
            (0, 4),
            alternate=True,
            differs={**NO_XTSAVE, GHOSTTY: "restores the cursor, and clears"},
        ),
        Case(
            "XTSAVE 1048 is DECSC",
            b"ab\x1b[?1048s\x1b[3;3H\x1b[?1048rx",
            "abx",
            (0, 3),
            differs={XTERM: "has no XTSAVE", GHOSTTY: "does not save the cursor so"},
        ),
        Case(
            "DECRSPS of a cursor, VT320",
            b"\x1bP1$t2;3;1;A;@;@;0;2;O;BBBB\x1b\\x",
            "/  x",
            (1, 3),
            styles={1: [("  ", 2, {}), ("x", 1, {"bold": True})]},
            differs=NO_RESTORE,
        ),
        Case(
            "DECRSPS of tab stops ends at a stop of 0, xterm",
            b"\x1bP2$t3/0/5\x1b\\\tx\ty",
            "  x      y",
            (0, 9),
            True,
            differs=NO_RESTORE,
        ),
        Case("DECRSPS is one of level 3", b'\x1b[62;1"p\x1bP1$t2;3;1;A;@;@;0;2;O;BBBB\x1b\\x', "x", (0, 1)),
        Case("DECRSPS of tab stops", b"\x1bP2$t3/5\x1b\\\tx\ty", "  x y", (0, 5), differs=NO_RESTORE),
        Case("DECRSPS of a row outside does nothing, xterm", b"a\x1bP1$t9;3;1;A;@;@;0;2;O;BBBB\x1b\\x", "ax", (0, 2)),
        *(
            Case(
                f"DECRSPS of {data!r}: the fields up to one that is not valid count, xterm",
                b"a\x1bP1$t" + data + b"\x1b\\x",
                rows,
                cursor,
                differs=NO_RESTORE,
                styles={1: style},
            )
            for data, rows, cursor, style in (
                (b"2;99;1;A;@;@;0;2;O;BBBB", "a/ x", (1, 2), [(" x", 2, {})]),
                (b"2;3", "a/  x", (1, 3), [("  x", 3, {})]),
                (b"2;3;2;A;@;@;0;2;O;BBBB", "a/  x", (1, 3), [("  x", 3, {})]),
                (b"2;3;1;A", "a/  x", (1, 3), [("  ", 2, {}), ("x", 1, {"bold": True})]),
                (b"2;3;1;A;@;@;4;2;O;BBBB", "a/  x", (1, 3), [("  ", 2, {}), ("x", 1, {"bold": True})]),
            )
        ),
        Case(
            "DECRSPS of a pending wrap, in any column, xterm",
            b"\x1bP1$t1;3;1;@;@;H;0;2;O;BBBB\x1b\\x",
            "/x",
            (1, 1),
            wrapped=(0,),
            differs=NO_RESTORE,
        ),
        Case(
            "DECRSPS: in origin mode the cursor stays in the region, VT510",
            b"\x1b[3;5r\x1bP1$t2;3;1;@;@;A;0;2;O;BBBB\x1b\\x",
            "//  x",
            (2, 3),
            differs=NO_RESTORE,
        ),
        *(
            Case(f"DECRSPS ignores {data!r}", b"a\x1bP1$t" + data + b"\x1b\\x", "ax", (0, 2))
            for data in (
                b"",
                b";;;;",
                b"0;1",
                b"1;2;1;@@;@;@;0;2;O;BBBB",
                b"99999999999;1;1;@;@;@;0;2;O;BBBB",
                b"1;2;1;\xc3\xa9;@;@;0;2",
            )
        ),
    ]


def levels() -> list[Case]:
    return [
        Case(
            "DECSCL resets softly, xterm",
            b'\x1b[4h\x1b[1mab\x1b[64;1"p\rx',
            "xb",
            (0, 1),
            differs=NO_LEVELS,
            styles={0: [("x", 1, {}), ("b", 1, {"bold": True})]},
        ),
        Case("level 3 has no rectangles", TEXT + b'\x1b[63;1"p\x1b[35$x\x1b[$z', "abcdef/ghijkl/mnopqr", (2, 6)),
        Case(
            "level 3 has no margins",
            b'\x1b[63;1"p\x1b[?69h\x1b[3;5s\x1b[1;4Habcdef',
            "   abcdef",
            (0, 9),
            differs={GHOSTTY: "has no DECSCL"},
        ),
        Case("level 3 has no DECBI", b'\x1b[63;1"pabc\x1b6\x1b[H\x1b9x', "xbc", (0, 1)),
        Case(
            "S8C1T: raw bytes are no C1 controls in UTF-8, xterm",
            b"\x1b Ga\x84b\x9b3C\x1b]0;t\x9cu\x07c",
            "a\ufffdb\ufffd3Cc",
            (0, 7),
            differs={XTERM: "drops invalid UTF-8"},
        ),
        Case(
            "S8C1T: U+0084 is ignored, xterm",
            "\x1b Gé中\u0084x".encode(),
            "é中x",
            (0, 4),
            differs={XTERM: "has C1 in UTF-8"},
        ),
        Case("no level 66", b'\x1b[4hab\x1b[66;1"p\rx', "xab", (0, 1)),
        Case(
            "DECCOLM does nothing, with mode 40 too",
            b"ab\x1b[?40h\x1b[?3hx\x1b[?3ly",
            "abxy",
            (0, 4),
            differs={GHOSTTY: "clears"},
        ),
    ]


CASES = {group.__name__: group() for group in (filling, copying, attributes, columns, guarded, aside, levels)}
