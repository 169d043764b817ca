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

LACKS = (
    Lack(
        XTERM,
        "lone combining",
        "gives a combining character a column where a sequence stands before it; in Unicode it joins what is there",
        b"e\x1b[m\xcc\x81x",
        rb"(?<!e)(\xcc[\x80-\xbf]|\xe2\x83\x9d)",
    ),
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
    Lack(GHOSTTY, "c1", "no C1 controls in UTF-8; xterm.js has them", b"a\xc2\x84b", rb"\xc2[\x80-\x9f]"),
    Lack(GHOSTTY, "zero count", "takes a count of 0 as none; VT510: as 1", b"a\x1b[0L", rb"\x1b\[0"),
    Lack(
        GHOSTTY,
        "late repeat",
        "REP finds a character through other sequences; xterm.js does not",
        b"a\x1b[1m\x1b[b",
        rb"(?<![ax\xad])\x1b\[\d*b",
    ),
    Lack(GHOSTTY, "delete", "prints DEL; ECMA-48: it is a fill character", b"a\x7fb", rb"\x7f"),
)

DIFFERENCES = (
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
        GHOSTTY,
        "row",
        rb"(\x1b\[[0-9;:]*m|\x1b\]8;[^;]*;h).*[\xe3-\xf0]|[\xe3-\xf0].*\x1b(\[[0-9;:]*m|\]8)",
        "a half of a wide character that is written over becomes a blank without the pen; in xterm.js with it",
        b"\xe3\x81\x82\x1b[4:5m\rh",
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
        "row|pending|cursor",
        rb"\x1b\[\??[012]?[JK]",
        "ED and EL take back a pending wrap and erase the last column; in xterm.js they do not (xtermjs/xterm.js#2979)",
        b"0123456789\x1b[K",
    ),
    Difference(
        GHOSTTY,
        "cursor|row",
        rb"\x1b\[\d*Z",
        "CBT goes back from a pending wrap; in xterm.js it does not",
        b"0123456789\x1b[Z",
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
        "row",
        rb"\x1b\[\?(47|1047|1049)h.*\x1b\[\?1049h",
        "1049 erases the alternate screen also when it is on",
        b"\x1b[?1049hX\x1b[?1049h",
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
        "row \\d+: .*'bg'",
        rb"\x1b\[[0-9;:]*m.*\x1b\[\?(47|1047|1049)[hl]",
        "the alternate screen begins without the background of the pen",
        b"\x1b[41m\x1b[?1049h",
    ),
    Difference(
        GHOSTTY,
        "row \\d+: .*'bg'",
        rb"\x1b\[[0-9;:]*m.*\x1b\[\d*[ST]",
        "SU and SD take the background of the pen; in xterm.js they do not",
        b"\x1b[41m\x1b[T",
    ),
    Difference(
        GHOSTTY,
        "row",
        rb"\x1b\[\?7l.*(\xcc[\x80-\xbf]|\xe2\x83\x9d)",
        "puts a combining character on the last but one when wrapping is off",
        b"\x1b[?7l012345678e\xcc\x81",
    ),
    Difference(
        XTERM,
        "cursor|row",
        rb"\x1b\[[0-9;]*r.*\x1b#8",
        "DECALN keeps the region; VT510: it goes",
        b"\x1b[5r\x1b#8\x1b[?6h",
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
        "row|pending|cursor",
        rb"(\x1b7|\x1b\[s|\x1b\[\?10(48|49)h).*(\x1b8|\x1b\[u|\x1b\[\?10(48|49)l)",
        "DECRC brings a pending wrap back; in xterm.js it does not",
        b"0123456789\x1b7\r\x1b8",
    ),
    Difference(
        GHOSTTY,
        "row|cursor",
        rb"\x1b\[[0-9;]*r.*\x1b\[\?(47|1047|1049)[hl]",
        "one region for both screens; xterm.js has one each",
        b"\x1b[3r\x1b[?1047h\x1b[?6hX",
    ),
    Difference(
        GHOSTTY,
        "row|cursor",
        rb"\x1b\[\?45h.*(\x1b\[[0-9\r\n\x08]*D|\x08)",
        "with reverse wrapping the first step back only takes the wrap away; in xterm.js it is a step",
        b"\x1b[?45h0123456789\x1b[2D",
    ),
    Difference(
        GHOSTTY,
        "row|pending|cursor",
        rb"\x1b\[\d*[LM]",
        "IL and DL outside the region leave the wrap pending; in xterm.js they do not",
        b"\x1b[3r0123456789\x1b[MX",
    ),
    Difference(
        GHOSTTY,
        "row",
        rb"\?(47|1047|1049)h.*\?(47|1047|1049)l.*\?(47|1047|1049)h",
        "1047 clears the alternate screen when it comes, not when it goes; xterm.js: 1047 and 1049 when they go",
        b"\x1b[?1047hX\x1b[?1049l\x1b[?47h",
    ),
    Difference(
        GHOSTTY,
        "row",
        rb"\x1b\[\?7l.*[\xe3-\xf0].*(\xcc[\x80-\xbf]|\xe2\x83\x9d)",
        "puts a combining character on the last but one when wrapping is off, after wide ones",
        b"\x1b[?7l\x1b[6;9H\xe6\x96\x87e\xcc\xa3",
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
        GHOSTTY,
        "row|cursor|pending",
        rb"\x1b\[\?(47|1047|1049)[hl]",
        "takes a pending wrap back when the screen changes; xterm.js does not",
        b"0123456789\x1b[?1047h\x1b[?1047le",
    ),
    Difference(
        GHOSTTY,
        "row|cursor",
        rb"\x1b\[\?7l.*[\xe3-\xf0].*\x1b\[\d*b",
        "REP repeats a wide character that did not fit; in xterm.js the one before",
        b"\x1b[?7lubYkegmou\xe4\xb8\xad\x1b[2b",
    ),
    Difference(
        GHOSTTY,
        "row",
        rb"\x1b\[4h.*[\xe3-\xf0]",
        "a wide character that wraps is not inserted in insert mode",
        b"\xe2\x82\xaczzzzzzzzzz\x1b[4h\x1b[1;10f\xe6\x96\x87",
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
        GHOSTTY,
        "cursor|row",
        rb"\x1b\[\?6h.*\x1b#8",
        "DECALN ends origin mode; in xterm.js it does not",
        b"\x1b[?6h\x1b#8\x1b[2r",
    ),
    Difference(
        XTERM,
        "row",
        rb"\x1b\[1\"q.*\x1b\[[0-9:;]*m.*\x1b\[\?\d*[JK]",
        "SGR 0 ends DECSCA's protection; VT510: it has no effect on it",
        b'\x1b[1"q\x1b[0mB\x1b[?2K',
    ),
    Difference(
        GHOSTTY,
        "row",
        rb"\x1b#8",
        "DECALN takes every attribute but colours from the pen",
        b"\x1b[4m\x1b#8X",
    ),
)
