"""Write the table of character widths: vt_width.h for the terminal engine, web/src/widths.ts for the browser.

Run         python ext/vt/make_widths.py, with a Python of the Unicode version that is wanted; both files name it.
            They are committed, so that a build does not depend on the machine's Python, and so that the server and
            its viewers wrap lines at the same places.
Rules       those of xterm.js's Unicode 11 provider. No column: Mn, Me, Cf except the soft hyphen, and the Hangul vowels
            and finals that join the consonant before them. Two columns: East Asian Wide and Fullwidth. One column: all
            others, including ambiguous ones and regional indicators. Joiners and variation selectors change nothing.
"""

import unicodedata
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = HERE / "vt_width.h"
SCRIPT = HERE.parents[1] / "vibetunnel" / "web" / "src" / "widths.ts"

CODES = 0x110000
BLOCK = 256  # code points that share an entry of the first stage
SOFT_HYPHEN = 0xAD
JOINING_JAMO = range(0x1160, 0x1200)
# EastAsianWidth.txt: unassigned code points of these ranges are wide. Python's answer for them depends on its version.
IDEOGRAPHIC = (
    range(0x3400, 0x4DC0),
    range(0x4E00, 0xA000),
    range(0xF900, 0xFB00),
    range(0x20000, 0x2FFFE),
    range(0x30000, 0x3FFFE),
)


def width(code: int) -> int:
    """Columns of one code point: 0, 1 or 2; 0 for control characters."""
    char = chr(code)
    category = unicodedata.category(char)
    if category == "Cc" or code in JOINING_JAMO:
        return 0
    if category in ("Mn", "Me", "Cf") and code != SOFT_HYPHEN:
        return 0
    if category == "Cn":
        return 2 if any(code in area for area in IDEOGRAPHIC) else 1
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def rows(numbers: list[int], per_line: int, indent: str) -> str:
    """Numbers separated by commas, `per_line` a line."""
    lines = [numbers[at : at + per_line] for at in range(0, len(numbers), per_line)]
    return "".join(f"{indent}{', '.join(map(str, line))},\n" for line in lines)


def header(widths: list[int]) -> str:
    """The two-stage table in C: an index of blocks, and blocks of two bits a code point."""
    index: list[int] = []
    blocks: dict[bytes, int] = {}
    for first in range(0, CODES, BLOCK):
        block = widths[first : first + BLOCK]
        packed = bytes(sum(block[at + i] << 2 * i for i in range(4)) for at in range(0, BLOCK, 4))
        index.append(blocks.setdefault(packed, len(blocks)))
    version = unicodedata.unidata_version
    return (
        f"/* Columns of each code point, Unicode {version}: written by make_widths.py, do not edit. */\n"
        "#ifndef VT_WIDTH_H\n#define VT_WIDTH_H\n\n#include <stdint.h>\n\n"
        f"/* The block of {BLOCK} code points that a code point is in. */\n"
        f"static const uint8_t vt_width_index[{len(index)}] = {{\n{rows(index, 22, '    ')}}};\n\n"
        "/* Two bits a code point, the first in the lowest bits. */\n"
        f"static const uint8_t vt_width_blocks[{len(blocks)}][{BLOCK // 4}] = {{\n"
        + "".join(f"    {{\n{rows(list(block), 22, '        ')}    }},\n" for block in blocks)
        + "};\n\n"
        "/* Columns of a code point below 0x110000: 0, 1 or 2. */\n"
        "static inline int vt_width_of(uint32_t code)\n{\n"
        "    return vt_width_blocks[vt_width_index[code >> 8]][(code & 255) >> 2] >> ((code & 3) << 1) & 3;\n}\n\n"
        "#endif\n"
    )


def base36(number: int) -> str:
    """A number as JavaScript's parseInt(text, 36) reads it."""
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    return base36(number // 36) + digits[number % 36] if number >= 36 else digits[number]


def script(widths: list[int]) -> str:
    """The same table in TypeScript: runs of equal width, each its length in base 36, a comma and its width."""
    runs = [f"{base36(len(list(group)))},{value}" for value, group in groupby(widths)]
    lines = [""]
    for run in runs:
        if len(lines[-1]) + len(run) > 110:
            lines.append("")
        lines[-1] += run + " "
    text = " +\n".join(f'  "{line}"' for line in lines)
    version = unicodedata.unidata_version
    return (
        f"/** Columns of each code point, Unicode {version}: written by ext/vt/make_widths.py, do not edit. */\n\n"
        "// Runs of code points of equal width: length in base 36, width.\n"
        f"const RUNS =\n{text};\n\n"
        f"const starts = new Uint32Array({len(runs)});\n"
        f"const widths = new Uint8Array({len(runs)});\n"
        "let start = 0;\n"
        'for (const [at, run] of RUNS.trimEnd().split(" ").entries()) {\n'
        '  const [length = "", columns = ""] = run.split(",");\n'
        "  starts[at] = start;\n"
        "  widths[at] = Number(columns);\n"
        "  start += parseInt(length, 36);\n"
        "}\n\n"
        "/** How many columns a code point takes: 0 for what joins the character before it. */\n"
        "export function width(code: number): 0 | 1 | 2 {\n"
        "  if (code >= 0x20 && code < 0x7f) return 1;\n"
        "  let low = 0;\n"
        "  let high = starts.length - 1;\n"
        "  while (low < high) {\n"
        "    const middle = (low + high + 1) >> 1;\n"
        "    if ((starts[middle] ?? 0) <= code) low = middle;\n"
        "    else high = middle - 1;\n"
        "  }\n"
        "  const columns = widths[low];\n"
        "  return columns === 0 || columns === 2 ? columns : 1;\n"
        "}\n"
    )


def main() -> None:
    """Write both files."""
    widths = [width(code) for code in range(CODES)]
    HEADER.write_text(header(widths), encoding="ascii")
    SCRIPT.write_text(script(widths), encoding="ascii")


if __name__ == "__main__":
    main()
