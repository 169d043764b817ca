"""Which part of a resource a request asks for (RFC 9110 §14). Pure."""

from __future__ import annotations

import re

_ONE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)


class NotSatisfiable(Exception):
    """The range begins after the end of the resource."""


def requested(header: str, size: int) -> tuple[int, int] | None:
    """(first byte, byte after the last one) of a Range header; None: the whole resource is to be sent.

    A server may answer any Range with the whole. This one does so if the header is malformed, or has several ranges.
    Raises NotSatisfiable.
    """
    found = _ONE.fullmatch(header)
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:  # the last bytes
        if not size or not int(found[2]):
            raise NotSatisfiable
        return max(0, size - int(found[2])), size
    begin, end = int(found[1]), int(found[2]) + 1 if found[2] else size
    if found[2] and end <= begin:
        return None
    if begin >= size:
        raise NotSatisfiable
    return begin, min(end, size)
