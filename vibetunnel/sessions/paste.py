"""What a pasted text types. The client's `web/src/paste.ts` does the same; `tests/vectors/paste.json` tests both."""

from __future__ import annotations

import re

BEGIN, END = "\x1b[200~", "\x1b[201~"  # around a paste, for a program that asked for brackets (mode 2004)

# C0, DEL and C1, without tab, line feed and carriage return. An ESC or CSI in the text could end the bracket.
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def pasted(text: str, *, bracketed: bool) -> bytes:
    """The input for a paste of `text`: without control characters, and with a carriage return at each line's end."""
    clean = _CONTROLS.sub("", text)
    lines = clean.replace("\r\n", "\r").replace("\n", "\r")
    return (f"{BEGIN}{lines}{END}" if bracketed else lines).encode()
