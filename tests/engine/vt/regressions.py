"""Sequences that once differed from an oracle without a reason, minimised: rows, columns, bytes."""

REGRESSIONS = [
    (6, 10, b"x\x1b[99b"),
    (8, 12, b"\xe4\xb8\xad\x1b[99b"),
    (4, 20, b"\xe4\xb8\xad\x1b[99b\x1b[?1049h"),
    (8, 12, b"\x1b[4:5;38;5;215m\x1b#8"),
    (3, 7, b"\x1b[7m\x1b#8"),
    (4, 20, b"\x1b[0;48;5;255;2m\x1b#8"),
    (3, 7, b"\x1b]8;id=x;http://b\x1b\\\x1b[!px"),
    (6, 10, b"\x1b(0\x1b(@q"),
]
