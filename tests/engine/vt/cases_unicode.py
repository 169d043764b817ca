"""Small cases of grapheme clusters (UAX 29, mode 2027), widths (UAX 11) and character sets (VT220), as in cases.py."""

from __future__ import annotations

from .cases import GHOSTTY, XTERM, Case

LOST = {XTERM: "gives a column to what joins nothing; here it is lost"}
NARROWS = {XTERM: "leaves its cursor as after the wide character"}
PER_CODE_POINT = b"\x1b[?2027l"


def clusters() -> list[Case]:
    return [
        Case("2027: a flag has two columns", "🇩🇪x".encode(), "🇩🇪x", (0, 3)),
        Case("2027: the third regional indicator begins another flag", "🇩🇪🇫x".encode(), "🇩🇪🇫x", (0, 5)),
        Case(
            "2027: a sequence parts regional indicators", "🇩\x1b[m🇪x".encode(), "🇩🇪x", (0, 5), differs={GHOSTTY: JOINS}
        ),
        Case("2027: VS16 makes a symbol wide", "☎\ufe0fx".encode(), "☎\ufe0fx", (0, 3)),
        Case(
            "2027: VS16 without a variant changes nothing",
            "e\ufe0fx".encode(),
            "e\ufe0fx",
            (0, 2),
            differs={GHOSTTY: DROPS},
        ),
        Case("2027: VS15 makes an emoji narrow", "⌚\ufe0ex".encode(), "⌚\ufe0ex", (0, 2), differs=NARROWS),
        Case(
            "2027: VS15 in the last column",
            "01234567⌚\ufe0ex".encode(),
            "01234567⌚\ufe0ex",
            (0, 9),
            True,
            differs=NARROWS,
        ),
        Case("2027: a keycap has two columns", "1\ufe0f\u20e3x".encode(), "1\ufe0f\u20e3x", (0, 3)),
        Case("2027: a skin tone joins", "👍🏽x".encode(), "👍🏽x", (0, 3)),
        Case("2027: a skin tone after a letter stands alone", "a🏽x".encode(), "a🏽x", (0, 4)),
        Case(
            "2027: a skin tone makes a narrow hand wide",
            "☝🏽x".encode(),
            "☝🏽x",
            (0, 3),
            differs={GHOSTTY: "leaves it narrow"},
        ),
        Case("2027: a ZWJ sequence has two columns", "👩\u200d👩\u200d👧x".encode(), "👩\u200d👩\u200d👧x", (0, 3)),
        Case("2027: ten code points", f"{KISS}x".encode(), f"{KISS}x", (0, 3)),
        Case("2027: ZWJ between letters joins nothing", "a\u200dbx".encode(), "a\u200dbx", (0, 3)),
        Case("2027: tags join", "🏴\U000e0067\U000e007fx".encode(), "🏴\U000e0067\U000e007fx", (0, 3)),
        Case("2027: Hangul is one syllable", "\u1100\u1161\u11a8x".encode(), "\u1100\u1161\u11a8x", (0, 3)),
        Case("2027: Jamo Extended-B joins", "\u1100\ud7b0\ud7cbx".encode(), "\u1100\ud7b0\ud7cbx", (0, 3)),
        Case("2027: a spacing mark widens to two columns", "\u0915\u093ex".encode(), "\u0915\u093ex", (0, 3)),
        Case("2027: a conjunct has two columns", "\u0915\u094d\u0937x".encode(), "\u0915\u094d\u0937x", (0, 3)),
        Case("2027: a prepended mark joins a digit", "\u06001x".encode(), "\u06001x", (0, 3)),
        Case(
            "2027: a wide character grows out of the last column",
            "012345678☎\ufe0fx".encode(),
            "012345678/☎\ufe0fx",
            (1, 3),
            wrapped=(0,),
        ),
        Case("2027: growing fills the last column", "01234567☎\ufe0f".encode(), "01234567☎\ufe0f", (0, 9), True),
        Case(
            "2027: growing scrolls", "\x1b[6H012345678☎\ufe0f".encode(), "////012345678/☎\ufe0f", (5, 2), wrapped=(4,)
        ),
        Case("2027: growing covers what follows", "abc\r☎\ufe0f".encode(), "☎\ufe0fc", (0, 2)),
        Case("2027: growing over a wide character", "a中b\r☎\ufe0f".encode(), "☎\ufe0f b", (0, 2)),
        Case(
            "2027: no room to grow without autowrap",
            "\x1b[?7l012345678☎\ufe0f".encode(),
            "012345678☎\ufe0f",
            (0, 9),
            True,
            differs={XTERM: "drops the selector and the pending wrap", GHOSTTY: DROPS},
        ),
        Case("2027: a mark joins across a sequence", "e\x1b[m\u0301x".encode(), "e\u0301x", (0, 2)),
        Case(
            "2027: VS16 after a sequence changes no width",
            "☎\x1b[m\ufe0fx".encode(),
            "☎\ufe0fx",
            (0, 2),
            differs={GHOSTTY: JOINS},
        ),
        Case(
            "2027: REP of a cluster",
            "👍🏽\x1b[2b".encode(),
            "👍🏽👍🏽👍🏽",
            (0, 6),
            differs={GHOSTTY: "repeats the first code point"},
        ),
        Case("2027: a mark without a character is lost", "\u0301x".encode(), "x", (0, 1), differs=LOST),
        Case(
            "2027 off: each code point has its own width",
            PER_CODE_POINT + "👩\u200d👩x".encode(),
            "👩\u200d👩x",
            (0, 5),
        ),
        Case("2027 off: VS16 adds no width", PER_CODE_POINT + "☎\ufe0fx".encode(), "☎\ufe0fx", (0, 2)),
        Case(
            "2027 off: a flag is two columns",
            PER_CODE_POINT + "🇩🇪x".encode(),
            "🇩🇪x",
            (0, 3),
            differs={GHOSTTY: "gives a regional indicator two"},
        ),
        Case(
            "2027 off: RIS turns it on",
            PER_CODE_POINT + "\x1bc👍🏽x".encode(),
            "👍🏽x",
            (0, 3),
            differs={GHOSTTY: "is off in the library after RIS"},
        ),
    ]


def widths() -> list[Case]:
    return [
        Case("UAX 11: hexagrams are wide", "\u4dc0x".encode(), "\u4dc0x", (0, 3)),
        Case("UAX 11: unassigned ideographs are wide", "\U0003fffdx".encode(), "\U0003fffdx", (0, 3)),
        Case("UAX 11: emoji of Unicode 16 are wide", "\U0001fae9x".encode(), "\U0001fae9x", (0, 3)),
        Case("UAX 11: a prepended mark has a column", "\u0600".encode(), "\u0600", (0, 1)),
        Case(
            "UAX 11: a line separator has no column", "a\u2028x".encode(), "a\u2028x", (0, 2), differs={GHOSTTY: DROPS}
        ),
        Case(
            "UAX 11: a Hangul filler has no column", "a\u3164x".encode(), "a\u3164x", (0, 2), differs={GHOSTTY: DROPS}
        ),
    ]


JOINS = "joins across sequences what UAX 29 joins; xterm.js does not"
DROPS = "drops a code point that changes nothing; it belongs to the text"
KISS = "👩🏻\u200d❤\ufe0f\u200d💋\u200d👩🏿"

NO_SETS = {GHOSTTY: "has no such set"}
OTHER_SETS = {XTERM: "has other sets", GHOSTTY: "has no such set"}
ALWAYS = {XTERM: "has them without DECNRCM", GHOSTTY: "has no such set"}
PLACES = b"#@[\\]^_`{|}~"
NATIONAL = {
    "Dutch": (b"4", "£¾ĳ½|^_`¨ƒ¼´"),
    "Finnish": (b"5", "#@ÄÖÅÜ_éäöåü"),
    "French": (b"R", "£à°ç§^_`éùè¨"),
    "French Canadian": (b"Q", "#àâçêî_ôéùèû"),
    "German": (b"K", "#§ÄÖÜ^_`äöüß"),
    "Italian": (b"Y", "£§°çé^_ùàòèì"),
    "Norwegian and Danish": (b"E", "#ÄÆØÅÜ_äæøåü"),
    "Portuguese": (b"%6", "#@ÃÇÕ^_`ãçõ~"),
    "Spanish": (b"Z", "£§¡Ñ¿^_`°ñç~"),
    "Swedish": (b"H", "#ÉÄÖÅÜ_éäöåü"),
    "Swiss": (b"=", "ùàéçêîèôäöüû"),
}
SAME_IN_XTERM_JS = (
    "Finnish",
    "French",
    "German",
    "Italian",
    "Norwegian and Danish",
    "Swedish",
    "Swiss",
    "French Canadian",
    "Spanish",
)


def sets() -> list[Case]:
    national = [
        Case(
            f"DECNRCM: the {name} set",
            b"\x1b[?42h\x1b(" + final + PLACES,
            text,
            (0, 12),
            size=(2, 20),
            differs=NO_SETS if name in SAME_IN_XTERM_JS else OTHER_SETS,
        )
        for name, (final, text) in NATIONAL.items()
    ]
    return [
        *national,
        Case("without DECNRCM a national set is ASCII", b"\x1b(0\x1b(K[q", "[q", (0, 2), differs=ALWAYS),
        Case("a set that is in stays when DECNRCM goes", b"\x1b[?42h\x1b(K\x1b[?42l[", "Ä", (0, 1), differs=NO_SETS),
        Case("DECSTR keeps DECNRCM", b"\x1b[?42h\x1b[!p\x1b(K[", "Ä", (0, 1), differs=NO_SETS),
        Case("ESC - A: Latin-1 in G1", b"\x1b-Aa\x0ea#\x0fa", "aá£a", (0, 4), differs=OTHER_SETS),
        Case("ESC . A: Latin-1 in G2", b"\x1b.A\x1bNii", "éi", (0, 2), differs=OTHER_SETS),
        Case("DEC supplemental", b"\x1b(<aWw\x1b(%5a", "áŒœá", (0, 4), differs=OTHER_SETS),
        Case("DEC technical", b"\x1b(>abc", "αβχ", (0, 3), differs=OTHER_SETS),
    ]


SINGLE = {XTERM: "has no double rows", GHOSTTY: "has no double rows"}


def row_sizes() -> list[Case]:
    return [
        Case("DECDWL: a row of half the columns", b"\x1b#6abcdefg", "abcde/fg", (1, 2), differs=SINGLE),
        Case(
            "DECDWL: of an odd number of columns the middle one is in use, xterm",
            b"\x1b#6abcdefg",
            "abcde/fg",
            (1, 2),
            size=(6, 9),
            differs=SINGLE,
        ),
        Case("DECDWL leaves a pending wrap, xterm", b"0123456789\x1b#6x", "01234/x", (1, 1), differs=SINGLE),
        Case("DECDWL: the right half is lost", b"abcdefghij\x1b#6\x1b#5", "abcde", (0, 4), True, differs=SINGLE),
        Case("DECDHL: both halves", b"\x1b#3ab\r\n\x1b#4ab", "ab/ab", (1, 2)),
        Case("DECDWL: the cursor stays in the left half", b"\x1b#6\x1b[99CX", "    X", (0, 4), True, differs=SINGLE),
        Case("DECDWL: CUP is clamped", b"\x1b#6\x1b[1;9HX", "    X", (0, 4), True, differs=SINGLE),
        Case(
            "DECDWL: ICH loses what leaves the half", b"\x1b#6abcde\x1b[1G\x1b[@\x1b#5", " abcd", (0, 0), differs=SINGLE
        ),
        Case("DECSWL: all columns again", b"\x1b#6\x1b#5abcdefg", "abcdefg", (0, 7)),
        Case("ED makes rows single", b"\x1b#6\x1b[2J\rabcdefg", "abcdefg", (0, 7)),
        Case("DECLRMM makes rows single", b"\x1b#6\x1b[?69h\x1b#6abcdefg", "abcdefg", (0, 7)),
        Case("a row that scrolls in is single", b"\x1b[6H\x1b#6\nabcdefg", "/////abcdefg", (5, 7)),
    ]


CASES = {"row sizes": row_sizes(), "clusters": clusters(), "widths": widths(), "sets": sets()}
