"""Writes ext/vt/vt_marks.c and web/src/marks.ts: the combining marks that number the rows and columns of a tile.

They are those of kitty's Unicode placeholders: the marks above (class 230) of Unicode 6.0, without decomposition, but
for those that normalisation may join to a letter. Run it from the root of the repository; its output is committed.
"""

import unicodedata
from pathlib import Path

JOINED = "0300 0301 0302 0303 0304 0306 0307 0308 0309 030A 030B 030C 030F 0311 0313 0314 0342 0653 0654"
LATER = (  # ranges that Unicode got after 6.0
    (0x0890, 0x08FF), (0x09FE, 0x09FE), (0x1AB0, 0x1AFF), (0x1CF4, 0x1CF9), (0x1DE7, 0x1DFD), (0xA674, 0xA67B),
    (0xA69E, 0xA69F), (0xFE27, 0xFE2F), (0x10376, 0x1037A), (0x10AE5, 0x10AE5), (0x10D24, 0x11FFF), (0x16B30, 0x16B36),
    (0x1DF00, 0x1FFFF),
)  # fmt: skip
COUNT = 297


def marks() -> list[int]:
    """The code points, in the order of the numbers that they stand for."""
    joined = {int(code, 16) for code in JOINED.split()}
    return [
        code
        for code in range(0x20000)
        if unicodedata.combining(chr(code)) == 230
        and unicodedata.category(chr(code)) == "Mn"
        and not unicodedata.decomposition(chr(code))
        and code not in joined
        and not any(first <= code <= last for first, last in LATER)
    ]


def lines(found: list[int], indent: str) -> str:
    rows = [found[at : at + 13] for at in range(0, len(found), 13)]
    return "".join(f"{indent}{', '.join(f'0x{code:04X}' for code in row)},\n" for row in rows)


def main() -> None:
    found = marks()
    if len(found) != COUNT:
        raise SystemExit(f"expected {COUNT} marks, found {len(found)}: ranges of a newer Unicode are missing in LATER")
    Path("ext/vt/vt_marks.c").write_text(
        "/* The combining marks that number rows and columns of tiles. Written by make_marks.py. */\n"
        '#include "vt_pictures.h"\n\n'
        f"const uint32_t vt_tile_marks[VT_MARKS] = {{\n{lines(found, '    ')}}};\n",
        encoding="utf-8",
    )
    Path("vibetunnel/web/src/marks.ts").write_text(
        "/** The combining marks that number rows and columns of tiles. Written by ext/vt/make_marks.py. */\n\n"
        "// prettier-ignore\n"
        f"export const MARKS: readonly number[] = [\n{lines(found, '  ')}];\n",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
