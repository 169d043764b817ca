"""Write what both terminals know of Unicode: vt_unicode.[ch] for the engine, web/src/unicode-tables.ts for browsers.

Run         `make unicode`, after an update of the wcwidth package, whose tables these are. The files are committed, so
            that a build does not depend on what is installed, and so that the server and its viewers agree.
Width       as wcwidth's wcswidth() has it: none for what joins the character before it, two for wide characters,
            and one for a spacing mark, which widens a narrow character to two columns.
Cluster     UAX 29's rules as two tables: from the state after a code point and the class of the next one, whether the
            two join, and the next state. One exception: a skin tone joins only an emoji, as in wcwidth and Ghostty.
"""

import sys
from collections.abc import Sequence
from enum import IntEnum
from itertools import groupby
from pathlib import Path

from wcwidth import list_versions, table_grapheme, wcwidth
from wcwidth.table_mc import CATEGORY_MC
from wcwidth.table_vs15 import VS15_WIDE_TO_NARROW
from wcwidth.table_vs16 import VS16_NARROW_TO_WIDE

HERE = Path(__file__).resolve().parent
HEADER = HERE / "vt_unicode.h"
TABLES_C = HERE / "vt_unicode.c"
SCRIPT = HERE.parents[1] / "vibetunnel" / "web" / "src" / "unicode-tables.ts"

VERSION = list_versions()[-1]
CODES = 0x110000
BLOCK = 128  # code points that share an entry of the first stage
SOFT_HYPHEN = 0xAD
VS15, VS16 = 0xFE0E, 0xFE0F
TONES = range(0x1F3FB, 0x1F400)
CLASSES = 32  # places for them in a row of the rules: as many as a property byte can name
STEP_JOINS = 16  # more than any state
VS_BASE = 0x80  # of a property byte: VS16 makes it wide, or VS15 narrow


class Class(IntEnum):
    """What a code point is to the rules. The order is that of the tables."""

    OTHER = 0
    BREAK = 1  # joins nothing: the soft hyphen
    IGNORED = 2  # a control of no width: kept with the character before it, and ends its cluster
    EXTEND = 3
    INCB_EXTEND = 4
    LINKER = 5
    ZWJ = 6
    SPACING = 7
    PREPEND = 8
    REGIONAL = 9
    L = 10
    V = 11
    T = 12
    LV = 13
    LVT = 14
    PICTOGRAPH = 15
    TONE = 16
    CONSONANT = 17
    TEXT = 18  # variation selector 15
    EMOJI = 19  # variation selector 16


class State(IntEnum):
    """What the next code point follows."""

    NONE = 0  # a control function, or nothing that can be joined
    OTHER = 1
    PREPEND = 2
    REGIONAL = 3  # the first of a pair
    L = 4
    V = 5
    T = 6
    PICTOGRAPH = 7  # and what extends it
    PICTOGRAPH_ZWJ = 8
    LINKED = 9  # a linker, and what extends it
    LINKED_PICTOGRAPH = 10
    LINKED_PICTOGRAPH_ZWJ = 11


TABLES = {
    Class.EXTEND: table_grapheme.GRAPHEME_EXTEND,
    Class.INCB_EXTEND: table_grapheme.INCB_EXTEND,
    Class.LINKER: table_grapheme.INCB_LINKER,
    Class.SPACING: table_grapheme.GRAPHEME_SPACINGMARK,
    Class.PREPEND: table_grapheme.GRAPHEME_PREPEND,
    Class.REGIONAL: table_grapheme.GRAPHEME_REGIONAL_INDICATOR,
    Class.L: table_grapheme.GRAPHEME_L,
    Class.V: table_grapheme.GRAPHEME_V,
    Class.T: table_grapheme.GRAPHEME_T,
    Class.LV: table_grapheme.GRAPHEME_LV,
    Class.LVT: table_grapheme.GRAPHEME_LVT,
    Class.PICTOGRAPH: table_grapheme.EXTENDED_PICTOGRAPHIC,
    Class.CONSONANT: table_grapheme.INCB_CONSONANT,
    Class.ZWJ: ((0x200D, 0x200D),),
    Class.TONE: ((TONES.start, TONES.stop - 1),),
    Class.TEXT: ((VS15, VS15),),
    Class.EMOJI: ((VS16, VS16),),
}
JOINS_ALL = {
    Class.IGNORED,
    Class.EXTEND,
    Class.INCB_EXTEND,
    Class.LINKER,
    Class.ZWJ,
    Class.SPACING,
    Class.TEXT,
    Class.EMOJI,
}
JOINS = {
    Class.REGIONAL: {State.REGIONAL},
    Class.L: {State.L},
    Class.LV: {State.L},
    Class.LVT: {State.L},
    Class.V: {State.L, State.V},
    Class.T: {State.V, State.T},
    Class.PICTOGRAPH: {State.PICTOGRAPH_ZWJ, State.LINKED_PICTOGRAPH_ZWJ},
    Class.TONE: {State.PICTOGRAPH, State.LINKED_PICTOGRAPH},
    Class.CONSONANT: {State.LINKED, State.LINKED_PICTOGRAPH, State.LINKED_PICTOGRAPH_ZWJ},
}
BEGINS = {
    Class.PREPEND: State.PREPEND,
    Class.L: State.L,
    Class.V: State.V,
    Class.LV: State.V,
    Class.T: State.T,
    Class.LVT: State.T,
    Class.PICTOGRAPH: State.PICTOGRAPH,
}


def joins(kind: Class) -> set[State]:
    """The states after which a code point of this class joins the one before it (GB6 to GB13)."""
    if kind == Class.BREAK:
        return set()
    if kind in JOINS_ALL:
        return set(State) - {State.NONE}
    return JOINS.get(kind, set()) | {State.PREPEND}


def follows(state: State, kind: Class) -> State:
    """The state after such a code point."""
    pictograph = state in (State.PICTOGRAPH, State.LINKED_PICTOGRAPH)
    linked = state in (State.LINKED, State.LINKED_PICTOGRAPH, State.LINKED_PICTOGRAPH_ZWJ) or kind == Class.LINKER
    if kind in (Class.BREAK, Class.IGNORED):
        return State.NONE
    if kind == Class.REGIONAL:
        return State.OTHER if state == State.REGIONAL else State.REGIONAL
    if kind == Class.EXTEND:
        return State.PICTOGRAPH if pictograph else State.OTHER
    if kind == Class.ZWJ and pictograph:
        return State.LINKED_PICTOGRAPH_ZWJ if linked else State.PICTOGRAPH_ZWJ
    if kind in (Class.INCB_EXTEND, Class.LINKER, Class.TEXT, Class.EMOJI, Class.TONE, Class.ZWJ):
        if pictograph:
            return State.LINKED_PICTOGRAPH if linked else State.PICTOGRAPH
        return State.LINKED if linked and kind != Class.TONE else State.OTHER
    return BEGINS.get(kind, State.OTHER)


def codes(table: Sequence[tuple[int, int]]) -> set[int]:
    """The code points of a table of wcwidth."""
    return {code for first, last in table for code in range(first, last + 1)}


def step(state: State, kind: Class) -> int:
    """The next state, and whether the code point joins."""
    return follows(state, kind) | (STEP_JOINS if state in joins(kind) else 0)


def properties() -> list[int]:
    """A byte for each code point: its width in bits 0 and 1, its class in bits 2 to 6, VS_BASE."""
    found = [max(wcwidth(chr(code)), 0) for code in range(CODES)]
    for code in codes(CATEGORY_MC[VERSION]):
        found[code] = found[code] or 1
    for code in codes(table_grapheme.GRAPHEME_CONTROL):
        found[code] |= (Class.IGNORED if found[code] == 0 else Class.BREAK) << 2
    for kind, table in TABLES.items():
        for code in codes(table):
            found[code] = found[code] & 3 | kind << 2
    for code in codes(VS16_NARROW_TO_WIDE["9.0.0"]) | codes(VS15_WIDE_TO_NARROW["9.0.0"]):
        found[code] |= VS_BASE
    return found


def rows(numbers: Sequence[int], per_line: int, indent: str) -> str:
    """Numbers separated by commas, `per_line` a line."""
    lines = [numbers[at : at + per_line] for at in range(0, len(numbers), per_line)]
    return "".join(f"{indent}{','.join(map(str, line))},\n" for line in lines)


def mask(states: set[State]) -> int:
    """A bit for each state."""
    return sum(1 << state for state in states)


GENERATED = f"Unicode {VERSION}: written by make_unicode.py, do not edit."


def header() -> str:
    """The names in C."""
    classes = "".join(f"    VT_CLASS_{kind.name} = {kind.value},\n" for kind in Class)
    states = "".join(f"    VT_AFTER_{state.name} = {state.value},\n" for state in State)
    return (
        f"/* Widths and grapheme clusters, {GENERATED} */\n"
        "#ifndef VT_UNICODE_H\n#define VT_UNICODE_H\n\n#include <stdint.h>\n\n"
        f"enum {{ /* classes of code points */\n{classes}}};\n\n"
        f"enum {{ /* what the next code point follows */\n{states}}};\n\n"
        "#pragma GCC visibility push(hidden) /* no address has to be looked up */\n"
        f"extern const uint8_t vt_unicode_index[{CODES // BLOCK}]; /* the block of {BLOCK} code points */\n"
        f"extern const uint8_t vt_unicode_blocks[][{BLOCK}];   /* a byte a code point, as below */\n"
        f"extern const uint16_t vt_unicode_joins[{len(Class)}];    /* the states that a class joins, as bits */\n"
        f"extern const uint8_t vt_unicode_steps[{len(State)}][{CLASSES}]; /* by state and class: VT_STEP_... */\n"
        "#pragma GCC visibility pop\n\n"
        "/* Of a code point below 0x110000: width (bits 0, 1), class (bits 2 to 6), VT_VS_BASE. */\n"
        "static inline uint8_t vt_properties(uint32_t code)\n{\n"
        f"    return vt_unicode_blocks[vt_unicode_index[code / {BLOCK}]][code % {BLOCK}];\n}}\n"
        "static inline int vt_width_of(uint32_t code) { return vt_properties(code) & 3; }\n"
        "#define VT_CLASS_OF(properties) ((properties) >> 2 & 31)\n"
        f"#define VT_VS_BASE {VS_BASE} /* a variation selector changes the width */\n"
        "#define VT_STEP(state, properties) (vt_unicode_steps[state][VT_CLASS_OF(properties)])\n"
        f"#define VT_STEP_STATE {STEP_JOINS - 1} /* of a step: the next state */\n"
        f"#define VT_STEP_JOINS {STEP_JOINS}\n"
        "#define VT_JOINS(state, properties) (VT_STEP(state, properties) & VT_STEP_JOINS)\n"
        "#define VT_FOLLOWS(state, properties) (VT_STEP(state, properties) & VT_STEP_STATE)\n\n"
        "#endif\n"
    )


def tables(found: list[int]) -> str:
    """The tables in C: an index of blocks, the blocks, and the rules."""
    blocks: dict[tuple[int, ...], int] = {}
    cut = [tuple(found[first : first + BLOCK]) for first in range(0, CODES, BLOCK)]
    index = [blocks.setdefault(block, len(blocks)) for block in cut]
    if len(blocks) > 256:
        sys.exit(f"{len(blocks)} blocks: the index needs more than a byte; choose a larger BLOCK")
    return (
        f"/* Widths and grapheme clusters, {GENERATED} */\n"
        '#include "vt_unicode.h"\n\n'
        f"const uint8_t vt_unicode_index[{len(index)}] = {{\n{rows(index, 30, '')}}};\n\n"
        f"const uint8_t vt_unicode_blocks[][{BLOCK}] = {{\n"
        + "".join(f"{{\n{rows(block, 32, '')}}},\n" for block in blocks)
        + "};\n\n"
        f"const uint16_t vt_unicode_joins[{len(Class)}] = {{\n"
        f"{rows([mask(joins(kind)) for kind in Class], 20, '    ')}}};\n\n"
        f"const uint8_t vt_unicode_steps[{len(State)}][{CLASSES}] = {{\n"
        + "".join(f"    {{{','.join(str(step(state, kind)) for kind in Class)}}},\n" for state in State)
        + "};\n"
    )


def base36(number: int) -> str:
    """A number as JavaScript's parseInt(text, 36) reads it."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return base36(number // 36) + digits[number % 36] if number >= 36 else digits[number]


def script(found: list[int]) -> str:
    """The same tables in TypeScript: runs of equal bytes, each its length, a comma and the byte, both in base 36."""
    runs = [f"{base36(len(list(group)))},{base36(value)}" for value, group in groupby(found)]
    lines = [""]
    for run in runs:
        if len(lines[-1]) + len(run) > 110:
            lines.append("")
        lines[-1] += run + " "
    text = " +\n".join(f'  "{line}"' for line in lines)
    follow = "".join(f"  [{', '.join(str(int(follows(state, kind))) for kind in Class)}],\n" for state in State)
    return (
        f"/** Widths and grapheme clusters, {GENERATED} */\n\n"
        "/** Classes of code points that unicode.ts must know. */\n"
        f"export const REGIONAL = {Class.REGIONAL.value};\n"
        f"export const TEXT = {Class.TEXT.value};\n"
        f"export const EMOJI = {Class.EMOJI.value};\n"
        "/** Of a code point's properties: a variation selector changes its width. */\n"
        f"export const VS_BASE = {VS_BASE};\n\n"
        "/** For each class, the states that it joins, as bits. */\n"
        f"export const JOINS: readonly number[] = [{', '.join(str(mask(joins(kind))) for kind in Class)}];\n\n"
        "/** The state after a code point, by the state before it and its class. */\n"
        f"export const FOLLOWS: readonly (readonly number[])[] = [\n{follow}];\n\n"
        "// Runs of code points of equal properties: length and properties in base 36.\n"
        f"const RUNS =\n{text};\n\n"
        f"const starts = new Uint32Array({len(runs)});\n"
        f"const bytes = new Uint8Array({len(runs)});\n"
        "let start = 0;\n"
        'for (const [at, run] of RUNS.trimEnd().split(" ").entries()) {\n'
        '  const [length = "", value = ""] = run.split(",");\n'
        "  starts[at] = start;\n"
        "  bytes[at] = parseInt(value, 36);\n"
        "  start += parseInt(length, 36);\n"
        "}\n\n"
        "/** A code point's width in bits 0 and 1, its class in bits 2 to 6, VS_BASE. */\n"
        "export function properties(code: number): number {\n"
        "  let low = 0;\n"
        "  let high = starts.length - 1;\n"
        "  while (low < high) {\n"
        "    const middle = (low + high + 1) >> 1;\n"
        "    if ((starts[middle] ?? 0) <= code) low = middle;\n"
        "    else high = middle - 1;\n"
        "  }\n"
        "  return bytes[low] ?? 0;\n"
        "}\n"
    )


def generated() -> dict[Path, str]:
    """Each file with its text."""
    found = properties()
    return {HEADER: header(), TABLES_C: tables(found), SCRIPT: script(found)}


if __name__ == "__main__":
    for path, text in generated().items():
        path.write_text(text, encoding="ascii")
