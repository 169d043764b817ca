"""Where our terminal is not as an oracle, on purpose: by cause, each with who says so.

LACKS        features of grammar.py that an oracle does not have at all; they are left out when it is compared with, and
             it is not asked whether it agrees
DIFFERENCES  recognised in a minimised sequence by how it differs, and by a pattern in its bytes
What differs in xterm.js is seen in the gate, which gives it the bytes. Viewers get damage there: viewers.py compares
them, and has no list of differences.
Each has an example that must still show the difference: an entry that is no longer needed fails a test.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from .grammar import ODD_COLOURS

XTERM = "xterm.js"
GHOSTTY = "libghostty"


class Lack(NamedTuple):
    oracle: str
    feature: str
    why: str
    example: bytes
    pattern: bytes  # what of the feature is seen in a sequence


class Difference(NamedTuple):
    """what: how the words of screens.difference() begin. The other oracle is with us, or off for a cause of its own."""

    oracle: str
    what: str
    pattern: bytes
    why: str
    example: bytes

    def explains(self, oracle: str, difference: str, minimised: bytes) -> bool:
        return (
            self.oracle == oracle
            and re.match(self.what, difference) is not None
            and re.search(self.pattern, minimised, re.DOTALL) is not None
        )


NOT_UTF8 = rb"\x80|\xff|\xc0\xaf|\xe4\xb8(?![\x80-\xbf])|\xf0\x9f\x98(?![\x80-\xbf])"  # what grammar.py has of it
ODD_COLOUR = b"|".join(rb"\x1b\[" + each.encode() + b"m" for each in ODD_COLOURS)

LACKS = (
    Lack(
        XTERM,
        "lone combining",
        "gives a combining character a column where nothing stands that it could join; here it is lost",
        b"\xcc\x81x",
        rb"(?<!e)(\xcc[\x80-\xbf]|\xe2\x83\x9d)",
    ),
    *(
        Lack(oracle, feature, why, example, pattern)
        for oracle in (XTERM, GHOSTTY)
        for feature, why, example, pattern in (
            (
                "latin",
                "takes ESC ( A for British always; in xterm it is Latin-1 without DECNRCM",
                b"\x1b(Ax",
                rb"\x1b[()-]A",
            ),
            (
                "right half",
                "takes no byte for a character of the set in GR; xterm does",
                b"\x1b*0\xf1",
                rb"\x1b[*.~}|]|\?42h",
            ),
        )
    ),
    Lack(
        XTERM,
        "narrowed",
        "leaves the cursor as after a wide character when VS15 makes one narrow",
        b"\xe2\x8c\x9a\xef\xb8\x8e",
        rb"\xef\xb8\x8e",
    ),
    Lack(XTERM, "national set", "has them without DECNRCM, and not all", b"\x1b(K[", rb"\x1b[()*+./-][^0AB]|\?42h"),
    Lack(GHOSTTY, "national set", "has none of them; VT220 has", b"\x1b[?42h\x1b(K[", rb"\x1b[()*+./-][^0AB]|\?42h"),
    Lack(XTERM, "row size", "no double rows; VT510 has them", b"\x1b#6abcdefgh", rb"\x1b#[346]"),
    Lack(GHOSTTY, "row size", "no double rows; VT510 has them", b"\x1b#6abcdefgh", rb"\x1b#[346]"),
    Lack(XTERM, "margins", "no DECLRMM and DECSLRM; VT510 has them", b"\x1b[?69h\x1b[3;6s\x1b[1;3Habcdef", rb"\?69h"),
    Lack(XTERM, "single shift", "no SS2 and SS3; ECMA-35 has them", b"\x1b*0\x1bNq", rb"\x1b[NO]"),
    Lack(
        XTERM,
        "bad utf-8",
        "leaves invalid UTF-8 out; Unicode asks for U+FFFD (3.9, best practice)",
        b"a\xffb",
        NOT_UTF8,
    ),
    Lack(GHOSTTY, "soft reset", "no DECSTR; VT510 has it", b"\x1b[4hab\x1b[!p\rX", rb"\x1b\[!p"),
    Lack(GHOSTTY, "zero count", "takes a count of 0 as none; VT510: as 1", b"a\x1b[0L", rb"\x1b\[0"),
    Lack(
        GHOSTTY,
        "late repeat",
        "REP finds a character through other sequences; xterm.js does not",
        b"a\x1b[1m\x1b[b",
        rb"(?<![ax\xad])\x1b\[\d*b",
    ),
    Lack(GHOSTTY, "delete", "prints DEL; ECMA-48: it is a fill character", b"a\x7fb", rb"\x7f"),
    *(
        Lack(oracle, feature, f"no {what}; VT420 has them", example, pattern)
        for oracle in (XTERM, GHOSTTY)
        for feature, what, example, pattern in (
            ("rectangle", "rectangles", b"abc\x1b[35;1;1;2;2$x", rb"\x1b\[[0-9;]*(\$[rtvxz{]|\*x)"),
            ("column index", "DECBI and DECFI", b"abc\x1b[H\x1b6", rb"\x1b[69]"),
            ("presentation", "DECRSPS", b"\x1bP2$t3\x1b\\\tx", rb"\x1bP\d\$t"),
            ("level", "conformance levels", b'\x1b[4hab\x1b[64;1"p\rx', rb'\x1b\[[0-9;]*"p'),
        )
    ),
    *(
        Lack(
            oracle,
            "aside",
            "no stack of pens, and no XTSAVE as xterm's",
            b"\x1b[1m\x1b[#{\x1b[m\x1b[#}x",
            rb"#[{}]|\?[0-9;]+[rs]",
        )
        for oracle in (XTERM, GHOSTTY)
    ),
    Lack(XTERM, "c1", "C1 controls in UTF-8; xterm has none", b"a\xc2\x84b", rb"\xc2[\x80-\x9f]"),
    Lack(XTERM, "guard", "no SPA and EPA; ECMA-48 has them", b"\x1bVa\x1bW\x1b[2K", rb"\x1b[VW]"),
    Lack(GHOSTTY, "columns", "DECCOLM clears; here it is ignored", b"a\x1b[?40h\x1b[?3hx", rb"\?3[hl]"),
    Lack(XTERM, "reverse wrap any", "no mode 1045; xterm has it", b"\x1b[?1045h\x1b[3;1H\x08X", rb"\x1b\[\?1045h"),
    Lack(XTERM, "tab wrap", "no mode 41; xterm has it", b"\x1b[?41h0123456789\tX", rb"\x1b\[\?41h"),
    Lack(GHOSTTY, "tab wrap", "no mode 41; xterm has it", b"\x1b[?41h0123456789\tX", rb"\x1b\[\?41h"),
    Lack(
        XTERM,
        "old scroll",
        "no CSI ^, and CSI T scrolls whatever its parameters are; in xterm only one that is not 0 does",
        b"a\x1b[0T",
        rb"\x1b\[(\d*\^|0T|[\d;]*;[\d;]*T)",
    ),
    Lack(
        GHOSTTY,
        "old scroll",
        "no CSI ^, and CSI T scrolls whatever its parameters are; in xterm only one that is not 0 does",
        b"a\x1b[^",
        rb"\x1b\[(\d*\^|0T|[\d;]*;[\d;]*T)",
    ),
    Lack(
        XTERM,
        "odd colour",
        "takes what a colour lacks as 0, and values modulo 256; xterm sets no colour",
        b"\x1b[38;5;300mX",
        ODD_COLOUR,
    ),
    Lack(
        GHOSTTY,
        "odd colour",
        "reads what a colour lacks as attributes, and takes values modulo 256; xterm sets no colour",
        b"\x1b[38;5;300mX",
        ODD_COLOUR,
    ),
)

DIFFERENCES = (
    Difference(
        GHOSTTY,
        "row|cursor",
        rb"\x1bc.*([\xe0-\xf0]|\xcc)",
        "clusters are off in the library after RIS; in Ghostty they are on",
        "\x1bc🇩🇪".encode(),
    ),
    Difference(
        XTERM,
        "row|cursor",
        rb"\xf0\x9f\x87.*\x1b\[\d*b",
        "REP of a regional indicator makes flags; here the character is repeated as it is",
        "🇩\x1b[4b".encode(),
    ),
    Difference(
        GHOSTTY,
        "row|cursor",
        rb"\x1b\[\d+(;\d*)?r.*\?1045h.*\x08",
        "mode 1045 leaves the cursor at home above a region; esctest: it goes to the bottom",
        b"abc\x1b[2r\x1b[?1045h\x08X",
    ),
    Difference(XTERM, "row", rb"\x1b[()*+]0.*_", "line drawing has a blank at 0x5F; VT220, xterm", b"\x1b(0_"),
    Difference(GHOSTTY, "row", rb"\x1b[()*+]0.*_", "line drawing has a blank at 0x5F; VT220, xterm", b"\x1b(0_"),
    Difference(
        XTERM,
        "failed",
        rb"\x1b\[\??1J",
        "throws at ED 1 in the last column of the last row, where it looks at the row below",
        b"\x1b[6;10H\x1b[1J",
    ),
    Difference(
        XTERM,
        "cursor|row",
        rb"\x1b\[\?6h.*\x1b\[[0-9\r\n\x08]*[ABCDEF]",
        "adds the region's top once more when the cursor moves in origin mode",
        b"\x1b[3;5r\x1b[?6h\x1b[A",
    ),
    Difference(
        XTERM,
        "cursor|row",
        rb"\x1b\[\?6h.*\x1b\[[0-9]*[aeG`]",
        "adds the region's top once more at VPR, HPR, CHA and HPA in origin mode; in ECMA-48 nothing is added",
        b"\x1b[?6h\x1b[2r\x1b[2eq",
    ),
    Difference(
        GHOSTTY,
        "cursor|row",
        rb"\x1b\[\?6h.*\x1b\[[0-9]*[aeG`]",
        "adds the region's top once more at VPR, HPR, CHA and HPA in origin mode; in ECMA-48 nothing is added",
        b"\x1b[?6h\x1b[2r\x1b[2eq",
    ),
    Difference(
        XTERM,
        "row|cursor",
        rb"(\x1b8|\x1b\[u|\x1b\[\?10(48|49)l)",
        "DECRC leaves origin mode as it is; VT510: it is brought back, and off when nothing was saved",
        b"\x1b[4;6r\x1b[?6h\x1b8X",
    ),
    Difference(
        XTERM,
        "row \\d+: .*'link'",
        rb"\x1b\]8;[^;]*;h.*(\x1b8|\x1b\[u|\x1b\[\?1048l)",
        "DECRC forgets the link; links are not of what DEC has it save, and libghostty leaves them alone",
        b"\x1b]8;;http://a\x07\x1b8X",
    ),
    Difference(
        XTERM,
        "row \\d+: .*'link'",
        rb"\x1b\]8;[^;]*;h.*(\x1b\[(\??\d*[STLMJ]|\?(47|1047|1049)[hl])|\x1b[DEM]|[\n\x0b\x0c])",
        "forgets a link when its line has gone",
        b"\x1b]8;;http://a\x07\x1b[SX",
    ),
    Difference(
        XTERM,
        "row \\d+: .*'underline'",
        rb"\x1b\[[0-9;:]*4:[0-9;:]*m.*\x1b8",
        "the saved pen and the pen share their style of underlining",
        b"\x1b[4:3m\x1b7\x1b[38;2;1;2;3;4:5m\x1b8X",
    ),
    Difference(
        XTERM,
        "cursor|row",
        rb"(\x1b7|\x1b\[s|\x1b\[\?1048h).*(\x1b8|\x1b\[u|\x1b\[\?10(48|49)l)",
        "the saved cursor scrolls with its line",
        b"\x1b[6;5H\x1b7\n\x1b8",
    ),
    Difference(
        XTERM,
        "row",
        rb"\x1b\[\?7l.*[\xe3-\xf0]|[\xe3-\xf0].*\x1b\[\?7l",
        "leaves a half of a wide character when wrapping is off",
        b"\x1b[?7l\x1b[1;7H\xe4\xb8\xad\xe5\xad\x97\xe4\xb8\xad",
    ),
    Difference(
        XTERM,
        "row \\d+ wrapped: False",
        rb"\x1b\[[0-9;?]*[JKLMSTr]|\x1bM",
        "flags the row that goes on, whatever became of the one before; here both end that are parted or erased",
        b"0123456789ab\x1b[L",
    ),
    Difference(
        GHOSTTY,
        "row \\d+ wrapped",
        rb"\x1b\[[0-9;?]*[JKLMSTrPX@s]|\x1b[MDE]|\x1b\[[?]7l|[\n\x0b\x0c]",
        "flags the row before, whatever follows it; here both end that are parted or erased",
        b"0123456789ab\x1b[L",
    ),
    Difference(
        GHOSTTY,
        "row",
        rb"(\x1b[()*+][0A]).*[\x80-\xff]",
        "prints nothing beyond ASCII while another set is in",
        b"\x1b(0\xe4\xb8\xad",
    ),
    Difference(
        GHOSTTY,
        "row \\d+: .*'link'",
        rb"\x1b\]8;[^;]*;h.*\x1b\[\?(47|1047|1049)[hl]",
        "ends a link when the screen changes",
        b"\x1b]8;;http://a\x07\x1b[?1047hX",
    ),
    Difference(
        GHOSTTY,
        "cursor|row",
        rb"\x1b\]133;A",
        "OSC 133;A begins a line; xterm.js has no marks, and a mark is to be invisible",
        b"a\x1b]133;A\x07",
    ),
    Difference(
        GHOSTTY,
        "row|pending|cursor",
        rb"\x1bM",
        "RI leaves the wrap pending; in xterm.js it does not",
        b"0123456789\x1bMX",
    ),
    Difference(
        GHOSTTY,
        "cursor|row",
        rb"\x1b\[\d+;\d+s",
        "CSI s with numbers does not save the cursor; in xterm.js it does",
        b"a\x1b[8;5s\x1b8",
    ),
    Difference(
        GHOSTTY,
        "pending|row|cursor",
        rb"\x1b\[\?7l.*[\xe3-\xf0]",
        "a wide character that does not fit, with wrapping off, leaves a wrap pending",
        b"\x1b[?7l0123456789\xe4\xb8\xad",
    ),
    Difference(
        GHOSTTY,
        "row \\d+: .*'link'",
        rb"\x1b\]8;[^;]*;h.*\x1b\[\?1049l",
        "ends a link when the screen changes, also with a cursor brought back",
        b"\x1b[?1049h\x1b]8;;http://a\x07\x1b[?1049lY",
    ),
    Difference(
        XTERM,
        "row",
        rb"\x1b\[1\"q.*\x1b#8.*\x1b\[\?\d*[JK]",
        "what DECALN draws is protected when the pen is; VT510 has it erase everything",
        b'\x1b[1"q\x1b#8\x1b[?1J',
    ),
    Difference(
        XTERM,
        "row|cursor",
        rb"\x1b\[20h.*\x1bc",
        "RIS keeps newline mode; VT510: it goes",
        b"\x1b[20h\x1bco\nX",
    ),
    Difference(
        XTERM,
        "row|cursor",
        rb"\x1b\[\?(47|1047|1049)[hl].*(\x1bH|\x1b\[\d*g)|(\x1bH|\x1b\[\d*g).*\x1b\[\?(47|1047|1049)[hl]",
        "tab stops of its own for each screen; DEC and libghostty have one set",
        b"\x1b[?1047h\x1b[3G\x1bH\x1b[?1047l\x1b[6G\x1b[Z",
    ),
    Difference(
        XTERM,
        "row",
        rb"[\xe3-\xf0].*\x1b\[\d*@",
        "the right half of a wide character that ICH parts keeps its look",
        b"\x1b[4m\xe4\xb8\xad\x1b[m\x1b[2G\x1b[@",
    ),
    Difference(
        XTERM,
        "row",
        rb"\x1b\[1\"q.*\x1b\[[0-9:;]*m.*\x1b\[\?\d*[JK]",
        "SGR 0 ends DECSCA's protection; VT510: it has no effect on it",
        b'\x1b[1"q\x1b[0mB\x1b[?2K',
    ),
    Difference(
        XTERM,
        "row|pending|cursor",
        rb"\x1b\[\??[012]?[JK]",
        "keeps a pending wrap at ED and EL, and then erases nothing of the row; xterm erases (xtermjs/xterm.js#2979)",
        b"0123456789\x1b[K",
    ),
    Difference(
        XTERM,
        "cursor|row|pending",
        rb"\x1b\[\d*Z",
        "CBT does nothing while a wrap is pending; xterm goes back, and the wrap stays",
        b"0123456789\x1b[Z",
    ),
    Difference(
        XTERM,
        "row",
        rb"(\x1b\[[0-9;:]*m|\x1b\]8;[^;]*;h).*[\xe3-\xf0]|[\xe3-\xf0].*\x1b(\[[0-9;:]*m|\]8)",
        "a half of a wide character that is written over gets the whole pen; xterm erases it",
        b"\xe3\x81\x82\x1b[7m\rh",
    ),
    Difference(
        XTERM,
        "row",
        rb"[\xe1-\xf0]",
        "a wide character that wraps blanks the cell that it does not fit into; xterm leaves it",
        b"0123456789\x1b[1;10H\xe4\xb8\xad",
    ),
    Difference(
        GHOSTTY,
        "row",
        rb"[\xe1-\xf0]",
        "a wide character that wraps blanks the cell that it does not fit into; xterm leaves it",
        b"0123456789\x1b[1;10H\xe4\xb8\xad",
    ),
    Difference(
        XTERM,
        "row|pending|cursor",
        rb"\x1b\[\d*[LM]",
        "IL and DL outside the region take the wrap back; in xterm they do not",
        b"\x1b[3r0123456789\x1b[MX",
    ),
    Difference(
        XTERM,
        "row|pending|cursor",
        rb"(\x1b7|\x1b\[s|\x1b\[\?10(48|49)h).*(\x1b8|\x1b\[u|\x1b\[\?10(48|49)l)",
        "DECRC does not bring a pending wrap back; in xterm it does",
        b"0123456789\x1b7\r\x1b8",
    ),
    Difference(
        XTERM,
        "row \\d+: .*'bg'",
        rb"\x1b\[[0-9;:]*m.*\x1b\[\d*T",
        "SD brings default blanks; xterm fills with the background",
        b"\x1b[41m\x1b[T",
    ),
    Difference(
        XTERM,
        "row",
        rb"\x1b\[\?(47|1047|1049)h.*\x1b\[\?1049h",
        "1049 erases the alternate screen only when it comes; in xterm always",
        b"\x1b[?1049hX\x1b[?1049h",
    ),
    Difference(
        XTERM,
        "row",
        rb"\x1b\[\?(47|1047|1049)h.*\x1b\[\?(47|1049)l.*\x1b\[\?(47|1047)h",
        "47 and 1047 show a blank alternate screen; xterm keeps it, until 1047 goes or 1049 comes",
        b"\x1b[?47hX\x1b[?47l\x1b[?47h",
    ),
    Difference(
        XTERM,
        "row \\d+: .*'bg'",
        rb"\x1b\[[0-9;:]*m.*\x1b\[\?(47|1047)h",
        "47 and 1047 fill the alternate screen with the background; in xterm only 1049 does",
        b"\x1b[41m\x1b[?47h",
    ),
    Difference(
        GHOSTTY,
        "row \\d+: .*'bg'",
        rb"\x1b\[[0-9;:]*m.*\x1b\[\?1049h",
        "1049 clears the alternate screen without the background of the pen",
        b"\x1b[41m\x1b[?1049h",
    ),
    Difference(
        XTERM,
        "row|cursor|pending",
        rb"\x1b\[\?1049h|\x1b\[\?1047l",
        "1049 and 1047 keep a pending wrap; xterm clears the screen, which ends it",
        b"0123456789\x1b[?1049hX",
    ),
    Difference(
        XTERM,
        "row|cursor|pending",
        rb"\x1b\[[0-9;]*r.*\x1b\[\?(47|1047|1049)[hl]",
        "a region for each screen; xterm has one for both",
        b"\x1b[3r\x1b[?1047h\x1b[?6hX",
    ),
    Difference(
        XTERM,
        "row|cursor|pending",
        rb"\x1b\[\?45h.*(\x1b\[[0-9\r\n\x08]*D|\x08)",
        "only BS wraps back, without autowrap too, and parts the rows; in xterm CUB does so too, and a wrap is a step",
        b"\x1b[?45h0123456789\x1b[2D",
    ),
    Difference(
        XTERM,
        "cursor|row",
        rb"\x1b#8",
        "DECALN keeps region and origin mode, and fills with the pen, which it keeps; VT510, xterm: they go",
        b"\x1b[5r\x1b#8\x1b[?6h",
    ),
    Difference(
        GHOSTTY,
        "row",
        rb"\x1b#8",
        "DECALN fills with the colours of the pen, and keeps the pen; in xterm it fills in the default style",
        b"\x1b[41m\x1b#8",
    ),
    Difference(
        GHOSTTY,
        "row|cursor|pending",
        rb"\x1b\[\?1049h|\x1b\[\?1047l",
        "1049 and 1047 keep a pending wrap; xterm clears the screen, which ends it",
        b"0123456789\x1b[?1049hX",
    ),
    Difference(
        GHOSTTY,
        "row \\d+ wrapped",
        rb"\x1b\[\d*Z",
        "a wrap that CBT took along leaves no mark in its row",
        b"0123456789\x1b[ZX",
    ),
    Difference(
        GHOSTTY,
        "row|cursor",
        rb"\x1b\[\?45h.*(\x1b\[[0-9\r\n\x08]*D|\x08|\x1b6)",
        "mode 45 goes back within a line only; in xterm before patch 383 it goes to any row",
        b"\x1b[?45h\x1b[3;3H\x1b[9D1",
    ),
    Difference(
        GHOSTTY,
        "pending|cursor|row",
        rb"\x1b\[\?7l.*\x1b\[\d*Z",
        "without autowrap, a wrap that CBT took along stays pending; in xterm the next character ends it",
        b"\x1b[?7l0123456789\x1b[ZX",
    ),
)
