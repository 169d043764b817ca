"""Characters of 8 bits: the set in GR, and 0x7F in a set of 96 characters; as in cases.py.

Sources: ECMA-35, the VT510 manual, xterm's control sequence list. Each case was shown to xterm 379 too.
"""

from __future__ import annotations

from .cases import GHOSTTY, XTERM, Case

NO_BYTES = {XTERM: "takes no bytes for a set in GR", GHOSTTY: "takes no bytes for a set in GR"}
BRITISH = {XTERM: "takes it for British", GHOSTTY: "takes it for British"}
NO_SET = {GHOSTTY: "has no such set"}
PRINTS = {XTERM: "ignores 0x7F", GHOSTTY: "has no such set"}
UTF8 = "é".encode()


def _bytes(name: str, data: bytes, text: str, **more: object) -> Case:
    cursor = more.pop("cursor", (0, len(text)))
    return Case(name, data, text, cursor, differs=NO_BYTES, **more)  # type: ignore[arg-type]


def right() -> list[Case]:
    return [
        _bytes("LS1R: bytes are of G1", b"\x1b)0\x1b~\xf1q\xe1", "─q▒"),
        _bytes("LS2R: bytes are of G2", b"\x1b*>\x1b~\x1b}\xe1", "α"),
        _bytes("LS3R: bytes are of G3", b"\x1b/A\x1b|\xe1\xff", "áÿ"),
        _bytes("G2 is in GR at first, xterm", b"\x1b.A\xe9", "é"),
        _bytes("a set in GR makes UTF-8 bytes of 8 bits, xterm", b"\x1b.A" + UTF8 + b"\x1b*B" + UTF8, "Ã©é"),
        Case("with ASCII in GR bytes are UTF-8, xterm", b"\x1b.A\x1b|" + UTF8, "é", (0, 1)),
        _bytes("DECNRCM: bytes are of 8 bits, xterm", b"\x1b[?42h" + UTF8 + b"\x1b[?42l" + UTF8, "Ã©é"),
        _bytes("DECNRCM: a national set in GR", b"\x1b[?42h\x1b)K\x1b~@\xc0\xffb", "@§b"),
        _bytes("in GR 0xA0 and 0xFF are no characters of 94, ECMA-35", b"\x1b)0\x1b~a\xa0\xdf\xffb", "a _b"),
        _bytes("in GR 0xFF is none of DEC supplemental, xterm", b"\x1b)<\x1b~\xa0\xff", "\xa0⸮"),
        _bytes("in GR C1 controls are nothing, xterm", b"\x1b.Aa\x85b\x9b5Cc\xc2\x9bd", "ab5CcÂd"),
        _bytes("a single shift is for GL", b"\x1b)0\x1b~\x1b.A\x1bN\xf1q", "─q"),
        _bytes("REP repeats a byte", b"\x1b)0\x1b~\xf1\x1b[2bx", "───x"),
        _bytes("DECRC restores GR", b"\x1b.A\x1b7\x1b|\x1b8\xe9", "é"),
        _bytes("DECRSPS restores GR", b"\x1bP1$t1;1;1;@;@;@;0;1;O;BBBB\x1b\\\x1b)0\xe1", "▒"),
        _bytes("DECSTR puts G2 into GR", b"\x1b~\x1b[!p\x1b.A\xe9", "é"),
        _bytes("a byte ends a sequence", b"\x1b.A\x1b[3\xe9x", "x"),
        _bytes("a byte that wraps", b"\x1b.A12345678\xe9\xe9\xe9", "12345678éé/é", cursor=(1, 1), wrapped=(0,)),
    ]


def latin() -> list[Case]:
    return [
        Case("ESC ( A is Latin-1 without DECNRCM, xterm", b"\x1b(Aa#~\x7f", "á£þ", (0, 3), differs=BRITISH),
        Case("ESC ( A is British at level 1, xterm", b'\x1b[61"p\x1b(Aa#', "a£", (0, 2)),
        Case("ESC - A: 0x7F is a character, ECMA-35", b"\x1b-A\x0ea\x7fb", "áÿâ", (0, 3), differs=PRINTS),
        Case("ESC . A: 0x7F after SS2", b"\x1b.A\x1bN\x7fb", "ÿb", (0, 2), differs=PRINTS),
        Case("0x7F leaves a single shift of 94 characters", b"\x1b*0\x1bN\x7fqq", "─q", (0, 2), differs=PRINTS),
        Case("ESC - A is British with DECNRCM, xterm", b"\x1b[?42h\x1b-A\x0ea#", "a£", (0, 2), differs=NO_SET),
    ]


CASES = {"right half": right(), "latin": latin()}
