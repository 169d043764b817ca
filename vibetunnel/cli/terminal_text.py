"""Text as a terminal may get it: what comes from a session or from another user must not steer it. Pure."""

import re
from typing import IO, Any

# Control characters except tab and newline; line separators; marks, embeddings, overrides and isolates that change the
# direction of text, so that what is shown is not what is there (Unicode TR36 §2.4, CVE-2021-42574).
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")  # as output.styled() makes it; foreign text has lost its escapes in plain()


def safe(text: str, stream: IO[Any]) -> str:
    """`text` without these characters if `stream` is a terminal. A pipe or a file gets it unchanged."""
    if not stream.isatty():
        return text
    return "".join(each if _STYLE.fullmatch(each) else _UNSAFE.sub("", each) for each in _STYLE.split(text))
