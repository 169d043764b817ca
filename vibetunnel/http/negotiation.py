"""Which form of a resource a request's headers ask for: content codings and entity tags (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Container

CODINGS = ("br", "gzip")  # the preferred one first

_TAG = re.compile(r'\*|(?:W/)?("[^"]*")')


def choose_coding(accepted: str, offered: Container[str]) -> str:
    """The preferred one of our codings that an Accept-Encoding header allows; "" for none."""
    weights: dict[str, float] = {}
    for part in accepted.split(","):
        coding, _, parameter = part.strip().lower().partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            weights[coding.strip()] = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            weights[coding.strip()] = 0.0
    anything = weights.get("*", 0.0)
    return next((each for each in CODINGS if each in offered and weights.get(each, anything) > 0), "")


def has_tag(if_none_match: str, tag: str) -> bool:
    """Whether an If-None-Match header names the entity tag, by weak comparison (RFC 9110 §13.1.2)."""
    named = list(_TAG.finditer(if_none_match))
    return bool(named) and (named[0][0] == "*" or any(each[1] == tag for each in named))
