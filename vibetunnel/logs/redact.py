"""Text made fit for a log: without secrets, on one line, and not too long."""

from __future__ import annotations

import functools
import re

LONGEST = 256  # characters of one value
REMOVED = "[removed]"
SHORTEST_SECRET = 11  # characters; a one-time code

# Secrets of this project, and others that look alike:
# - JWTs;
# - 64 hexadecimal digits (the installation's secret);
# - 22 or at least 40 characters of base64url with capitals, small letters and digits (tokens, tickets, codes of links);
# - 22 of them in the path of a link, where one code of 40 has no digit;
# - one-time codes.
# UUIDs (no capitals) and fingerprints of keys do not match.
_SECRET = re.compile(
    r"(SHA256:[\w+/]{43})"
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]{4,}\.?[\w-]*"
    r"|(?<![0-9A-Za-z])[0-9a-f]{64}(?![0-9A-Za-z])"
    r"|(?<![\w-])(?=[\w-]*[a-z])(?=[\w-]*[A-Z])(?=[\w-]*[0-9])(?:[\w-]{22}|[\w-]{40,})(?![\w-])"
    r"|(?<=/share/)[\w-]{22}(?![\w-])"
    r"|(?<![\w-])[0-9A-HJKMNP-TV-Z]{5}-[0-9A-HJKMNP-TV-Z]{5}(?![\w-])",
    re.ASCII,
)


class Id(str):
    """A name that this project made. It is not secret, even if it looks like a secret."""

    __slots__ = ()


def redact(text: str) -> str:
    r"""`text` without secrets, at most LONGEST characters, safe to print on a terminal.

    Control characters and characters that change the direction of writing become escapes such as \x1b and \u202e.
    """
    return _redact(text) if len(text) <= LONGEST else clean(text, LONGEST)


@functools.lru_cache(maxsize=2048)  # the same few names, paths and addresses come again and again
def _redact(text: str) -> str:
    return clean(text, LONGEST)


def clean(text: str, longest: int) -> str:
    """As redact(), at most `longest` characters."""
    # No secret is longer than the part that is cleaned. Cleaning the rest would cost time, and it is cut off anyway.
    whole = len(text) <= longest
    text = text if whole else text[: 4 * longest]
    if len(text) >= SHORTEST_SECRET:
        text = _SECRET.sub(lambda found: found[1] or REMOVED, text)
    text = visible(text)
    return text if whole and len(text) <= longest else f"{text[:longest]}…"


def visible(text: str) -> str:
    """`text` with escapes for the characters that are not printable."""
    return text if text.isprintable() else "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
