"""Random output with the right numbers of parameters, as a list of pieces, each of a feature that can be left out.

With sloppy numbers terminals differ for no reason worth knowing: libghostty drops a sequence with surplus parameters,
xterm.js takes the first.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection

SIZES = ((6, 10), (6, 10), (4, 20), (3, 7), (8, 12), (5, 9))

WIDE = "中文字あ한😀"
COMBINING = "\u0301\u0323\u20dd"
CLUSTERS = (
    "🇩🇪",
    "👩\u200d👩\u200d👧",
    "👍🏽",
    "☎\ufe0f",
    "1\ufe0f\u20e3",
    "\u0915\u094d\u0937",
    "\u1100\u1161",
    "🇩",
)
OTHER = "éß€┌─┐αя"
RIGHT_HALF = (
    *("\x1b*0", "\x1b.A", "\x1b*B", "\x1b~", "\x1b}", "\x1b|", "\x1b)0\x1b~"),
    *(
        "\x1b[?42h",
        "\x1b[?42l",
        "\x1b[?42h\x1b*K",
        "\udcf1",
        "\udca1",
        "\udcff",
        "\udcdf",
        "\udc9b5C",
        "\x1bN\udcf1",
        "\udcf1\x1b[2b",
    ),
)
ODD_COLOURS = (
    "38;2;1; 48;2;1 38;5 48;5; 38;5;300 48;2;1;2;300 38:2:1:2:3 48:2:1:2 38:5 48;2:1:2:3 38;3;1 38;2;1;;3;1".split()
)


def _count(r: random.Random, most: int = 12) -> str:
    return r.choice(("", "1", "1", "2", "2", "3", str(r.randint(1, most)), "99"))


def _ascii(r: random.Random) -> str:
    return "".join(
        r.choice("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789 _~|") for _ in range(r.choice((1, 2, 3, 5, 9, 14)))
    )


def _unicode(r: random.Random) -> str:
    found = ""
    for _ in range(r.choice((1, 2, 4))):
        found += r.choice((r.choice(WIDE), r.choice(WIDE), r.choice(OTHER), "e" + r.choice(COMBINING), "x"))
    return found


def _colour(r: random.Random, base: int) -> str:
    return r.choice(
        (
            str(base + r.randrange(8)),
            str(base + 60 + r.randrange(8)),
            f"{base + 8};5;{r.randrange(256)}",
            f"{base + 8};2;{r.randrange(256)};{r.randrange(256)};{r.randrange(256)}",
            f"{base + 8}:2::{r.randrange(256)}:{r.randrange(256)}:{r.randrange(256)}",
            f"{base + 8}:5:{r.randrange(256)}",
            str(base + 9),
        )
    )


def _sgr(r: random.Random) -> str:
    one = (
        lambda: "0",
        lambda: r.choice("1 2 3 4 5 7 8 9 21 22 23 24 25 27 28 29 53 55".split()),
        lambda: _colour(r, 30),
        lambda: _colour(r, 40),
        lambda: f"4:{r.randrange(6)}",
        lambda: f"4;58;5;{r.randrange(256)}",
        lambda: f"4;58:2::{r.randrange(255)}:{r.randrange(255)}:{r.randrange(255)}",
        lambda: "59",
    )
    return "\x1b[" + ";".join(r.choice(one)() for _ in range(r.choice((1, 1, 1, 2, 3)))) + "m"


def _region(r: random.Random, rows: int) -> str:
    return r.choice((f"\x1b[{r.randint(1, rows)};{r.randint(1, rows)}r", f"\x1b[{r.randint(1, rows)}r", "\x1b[r"))


def _margins(r: random.Random, cols: int) -> str:
    return r.choice(("\x1b[?69h", "\x1b[?69h", "\x1b[?69l", f"\x1b[{r.randint(1, cols)};{r.randint(1, cols)}s"))


def _rectangle(r: random.Random, rows: int, cols: int) -> str:
    def area() -> str:
        return ";".join(r.choice(("", "0", str(r.randint(1, most)), "99")) for most in (rows, cols, rows, cols))

    attributes = ";".join(r.choice("0 1 4 5 7 22 24 25 27".split()) for _ in range(r.randint(0, 3)))
    return r.choice(
        (
            f"\x1b[{r.choice((35, 65, 233, 0, 127, 20013))};{area()}$x",
            f"\x1b[{area()}${r.choice('z{{')}",
            f"\x1b[{area()};1;{r.randint(0, rows)};{r.randint(0, cols)};1$v",
            f"\x1b[{area()};{attributes}${r.choice('rt')}",
            f"\x1b[{r.randint(0, 3)}*x",
        )
    )


def _report(r: random.Random, rows: int, cols: int) -> str:
    area = f"{r.randint(1, rows)};{r.randint(1, cols)};{r.randint(1, rows)};{r.randint(1, cols)}"
    return r.choice(
        (
            f"\x1b[?{r.choice((6, 15, 25, 26, 53, 56, 62, 63, 75, 85))}n",
            f"\x1b[{r.choice((1, 2))}$w",
            f"\x1b[7;1;{area}*y",
            f"\x1b[{area}#|",
            f"\x1bP$q{r.choice(('m', 'r', 's', 't', ' q', chr(34) + 'p', chr(34) + 'q', '$|', '*|', '*x', 'x'))}\x1b\\",
            "\x1b[>1t\x1b[20t\x1b[21t\x1b[>1T",
            "\x1b]5;1;#123456;1;?\x1b\\",
        )
    )


def _aside(r: random.Random) -> str:
    modes = r.choice(("1", "5", "25", "2004", "1047", "1049", "7;25", "6", "1048", "69"))
    pens = r.choice(("", "1", "30;31", "4;7", "0"))
    return r.choice((f"\x1b[?{modes}s", f"\x1b[?{modes}r", f"\x1b[{pens}#{{", "\x1b[#}", "\x1b[22;1t", "\x1b[23;1t"))


def _presentation(r: random.Random, rows: int, cols: int) -> str:
    tabs = "/".join(str(r.randint(0, cols + 1)) for _ in range(r.randint(0, 3)))
    place = f"{r.randint(0, rows + 1)};{r.randint(1, cols)};1"
    cursor = f"{place};{r.choice('@ABO')};{r.choice('@A')};{r.choice('@ABDH')};{r.randint(0, 4)};2;O;BBBB"
    return r.choice((f"\x1bP1$t{cursor}\x1b\\", f"\x1bP2$t{tabs}\x1b\\"))


def _mode(r: random.Random, *modes: str) -> str:
    return f"\x1b[{r.choice(modes)}{r.choice('hl')}"


def _string(r: random.Random) -> str:
    body = r.choice(
        (
            "0;title",
            "2;т中",
            "7;file:///tmp",
            "9;note",
            "112",
            "4;1;rgb:11/22/33",
            "133;A",
            "1337;x=y",
            "9;4;1;50",
            "22;>wait",
            "99;;x",
            "",
        )
    )
    end = r.choice(("\x07", "\x1b\\"))
    return r.choice((f"\x1b]{body}{end}", "\x1bP$qm\x1b\\", "\x1b_Gx\x1b\\", "\x1b^pm\x1b\\", "\x1bXsos\x1b\\"))


# Feature: weight, and what makes a piece of it for a screen of rows x cols.
Make = Callable[[random.Random, int, int], str]
FEATURES: dict[str, tuple[int, Make]] = {
    "ascii": (30, lambda r, rows, cols: _ascii(r)),
    "unicode": (12, lambda r, rows, cols: _unicode(r)),
    "line": (4, lambda r, rows, cols: "z" * cols),
    "control": (14, lambda r, rows, cols: r.choice("\r\n\r\n\n\b\t\x0b\x0c")),
    "escape": (6, lambda r, rows, cols: "\x1b" + r.choice("DEMMM")),
    "move": (14, lambda r, rows, cols: f"\x1b[{_count(r)}{r.choice('ABCDEFG`adeIZ')}"),
    "place": (10, lambda r, rows, cols: f"\x1b[{r.randint(1, rows)};{r.randint(1, cols)}{r.choice('HHHf')}"),
    "home": (2, lambda r, rows, cols: r.choice(("\x1b[H", "\x1b[99;99H", f"\x1b[{rows}H", f"\x1b[;{cols}H"))),
    "erase": (8, lambda r, rows, cols: f"\x1b[{r.choice(('', '0', '1', '2'))}{r.choice('JK')}"),
    "erase scrollback": (1, lambda r, rows, cols: "\x1b[3J"),
    "edit": (12, lambda r, rows, cols: f"\x1b[{_count(r)}{r.choice('XX@@PPLM')}"),
    "scroll": (5, lambda r, rows, cols: f"\x1b[{_count(r, 7)}{r.choice('ST')}"),
    "zero count": (2, lambda r, rows, cols: f"\x1b[0{r.choice('ABCDEFG`adeIZX@PLMS')}"),
    "repeat": (2, lambda r, rows, cols: f"{r.choice('ax中')}\x1b[{_count(r)}b"),
    "late repeat": (2, lambda r, rows, cols: f"\x1b[{r.randint(0, 9)}b"),
    "region": (6, lambda r, rows, cols: _region(r, rows)),
    "origin": (3, lambda r, rows, cols: _mode(r, "?6")),
    "autowrap": (2, lambda r, rows, cols: _mode(r, "?7")),
    "insert": (3, lambda r, rows, cols: _mode(r, "4")),
    "newline": (1, lambda r, rows, cols: _mode(r, "20")),
    "reverse wrap": (1, lambda r, rows, cols: _mode(r, "?45")),
    "margins": (6, lambda r, rows, cols: _margins(r, cols)),
    "save": (5, lambda r, rows, cols: r.choice(("\x1b7", "\x1b8", "\x1b7", "\x1b8", "\x1b[?1048h", "\x1b[?1048l"))),
    "sco save": (1, lambda r, rows, cols: r.choice(("\x1b[s", "\x1b[u"))),
    "alternate": (4, lambda r, rows, cols: _mode(r, "?47", "?1047", "?1049", "?1049")),
    "tab stops": (2, lambda r, rows, cols: r.choice(("\x1bH", "\x1b[0g", "\x1b[3g"))),
    "charset": (3, lambda r, rows, cols: r.choice(("\x1b(0", "\x1b(B", "\x1b)0", "\x1b)B", "\x0e", "\x0f"))),
    "locking shift": (1, lambda r, rows, cols: r.choice(("\x1b+0", "\x1bn", "\x1bo", "\x0f"))),
    "single shift": (1, lambda r, rows, cols: r.choice(("\x1b*0\x1bNq\x1b*B", "\x1b+0\x1bOq"))),
    "style": (16, lambda r, rows, cols: _sgr(r)),
    "link": (2, lambda r, rows, cols: r.choice(("\x1b]8;;http://a\x07", "\x1b]8;id=x;http://b\x1b\\", "\x1b]8;;\x07"))),
    "protect": (2, lambda r, rows, cols: f'\x1b[{r.randrange(3)}"q'),
    "selective erase": (2, lambda r, rows, cols: f"\x1b[?{r.randrange(3)}{r.choice('JK')}"),
    "rectangle": (3, lambda r, rows, cols: _rectangle(r, rows, cols)),
    "column index": (1, lambda r, rows, cols: r.choice(("\x1b6", "\x1b9"))),
    "guard": (1, lambda r, rows, cols: r.choice(("\x1bV", "\x1bW"))),
    "aside": (2, lambda r, rows, cols: _aside(r)),
    "presentation": (1, lambda r, rows, cols: _presentation(r, rows, cols)),
    "level": (1, lambda r, rows, cols: f'\x1b[{r.choice((61, 62, 63, 64))};{r.randint(0, 2)}"p'),
    "report": (2, lambda r, rows, cols: _report(r, rows, cols)),
    "settings": (
        1,
        lambda r, rows, cols: r.choice(
            ("\x1b[3#y", "\x1b[20#y", "\x1b F", "\x1b G", "\x1b[>0t", "\x1b[>1t", "\x1b[>0;1T", "\x1b]1;6162\x07")
        ),
    ),
    "columns": (1, lambda r, rows, cols: _mode(r, "?3", "?40", "?4", "?18")),
    "row size": (1, lambda r, rows, cols: f"\x1b#{r.choice('3456')}"),
    "align": (1, lambda r, rows, cols: "\x1b#8"),
    "soft reset": (1, lambda r, rows, cols: "\x1b[!p"),
    "reset": (1, lambda r, rows, cols: "\x1bc"),
    "string": (3, lambda r, rows, cols: _string(r)),
    "query": (
        1,
        lambda r, rows, cols: r.choice(
            ("\x1b[6n", "\x1b[c", "\x1b[>c", "\x1b[?2026$p", "\x1b[14t", "\x1b[18t", "\x1b[?u", "\x1b[?4m")
        ),
    ),
    "mode": (
        2,
        lambda r, rows, cols: _mode(r, "?1", "?5", "?12", "?25", "?1000", "?1002", "?1006", "?1004", "?2004", "?66"),
    ),
    "cursor style": (1, lambda r, rows, cols: f"\x1b[{r.randrange(7)} q"),
    "cut short": (1, lambda r, rows, cols: r.choice(("\x1b[3\x18", "\x1b[1;\x1a", "\x1b]0;x\x18", "\x1b[2\x1b[C"))),
    "control inside": (1, lambda r, rows, cols: f"\x1b[2{r.choice(chr(13) + chr(10) + chr(8))}{r.choice('ABCD')}"),
    "c1": (1, lambda r, rows, cols: r.choice("\x84\x85\x8d")),
    "bad utf-8": (
        1,
        lambda r, rows, cols: r.choice("\udc80 \udcff \udce4\udcb8 \udcc0\udcaf \udcf0\udc9f\udc98".split()),
    ),
    "cluster": (3, lambda r, rows, cols: r.choice(CLUSTERS)),
    "narrowed": (1, lambda r, rows, cols: "⌚\ufe0e"),
    "national set": (1, lambda r, rows, cols: r.choice(("\x1b[?42h\x1b(K", "\x1b(R", "\x1b)<", "\x1b-A", "\x1b(>"))),
    "lone combining": (1, lambda r, rows, cols: r.choice(COMBINING)),
    "delete": (1, lambda r, rows, cols: "\x7f"),
    "keys": (
        1,
        lambda r, rows, cols: r.choice(
            ("\x1b[>4;1m", "\x1b[>4;2m", "\x1b[>4m", "\x1b[>4n", "\x1b[>5u", "\x1b[<u", "\x1b[=3;2u")
        ),
    ),
    "in-band resize": (1, lambda r, rows, cols: _mode(r, "?2048")),
    "reverse wrap any": (1, lambda r, rows, cols: _mode(r, "?1045")),
    "tab wrap": (1, lambda r, rows, cols: _mode(r, "?41")),
    "old scroll": (1, lambda r, rows, cols: r.choice((f"\x1b[{_count(r, 7)}^", "\x1b[0T", "\x1b[1;2;3;4;5T"))),
    "odd colour": (1, lambda r, rows, cols: f"\x1b[{r.choice(ODD_COLOURS)}m"),
    "latin": (1, lambda r, rows, cols: r.choice(("\x1b(A", "\x1b(Ax", "\x1b)A", "\x1b-A\x0e\x7f"))),
    "right half": (2, lambda r, rows, cols: r.choice(RIGHT_HALF)),
}


def generate(
    seed: int, without: Collection[str] = (), length: int = 20, size: tuple[int, int] | None = None
) -> tuple[int, int, list[bytes]]:
    """Rows, columns and pieces; the same for the same arguments."""
    r = random.Random(seed)
    rows, cols = r.choice(SIZES)
    if size:
        rows, cols = size
    names = [name for name in FEATURES if name not in without]
    # Some features at a time: rare ones then meet each other, and those that hide others are not always there.
    names = [name for name in names if name == "ascii" or r.random() < 0.6]
    weights = [FEATURES[name][0] for name in names]
    chosen = r.choices(names, weights, k=r.randint(2, length))
    return rows, cols, [FEATURES[name][1](r, rows, cols).encode("utf-8", "surrogateescape") for name in chosen]
