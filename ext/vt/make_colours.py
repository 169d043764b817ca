"""Write the table of X11's colour names: vt_colour_names.h for the terminal engine.

Run         python ext/vt/make_colours.py RGB_TXT, the file that X servers name colours by (Debian: x11-common). The
            header is committed, so that a build does not depend on the machine.
Rules       names are compared without spaces and in lower case, as XParseColor compares them.
"""

import sys
from pathlib import Path

HEADER = Path(__file__).resolve().parent / "vt_colour_names.h"
WIDTH = 118  # columns of a line


def named(text: str) -> dict[str, int]:
    """Name -> 0xRRGGBB, sorted by name."""
    found = {}
    for line in text.splitlines():
        if line.startswith("!"):  # a comment
            continue
        red, green, blue, *words = line.split()
        found["".join(words).lower()] = int(red) << 16 | int(green) << 8 | int(blue)
    return dict(sorted(found.items()))


def header(colours: dict[str, int]) -> str:
    lines = ["   "]
    for name, rgb in colours.items():
        entry = f' {{"{name}", 0x{rgb:06X}}},'
        if len(lines[-1]) + len(entry) > WIDTH:
            lines.append("   ")
        lines[-1] += entry
    return (
        "/* X11's colour names: written by make_colours.py, do not edit. */\n"
        "#ifndef VT_COLOUR_NAMES_H\n#define VT_COLOUR_NAMES_H\n\n#include <stdint.h>\n\n"
        "static const struct {\n    const char *name;\n    uint32_t rgb;\n"
        "} colour_names[] = { /* sorted by name */\n" + "\n".join(lines) + "\n};\n\n#endif\n"
    )


if __name__ == "__main__":
    HEADER.write_text(header(named(Path(sys.argv[1]).read_text(encoding="ascii"))), encoding="ascii")
