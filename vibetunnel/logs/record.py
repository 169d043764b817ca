"""One record of a log as a line of JSON, and back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from vibetunnel.logs.redact import LONGEST, Id, redact, visible

MOST = 24  # values of one record, and of one list

Value = str | int | float | bool | list[str] | None
Record = Callable[[], dict[str, Value]]  # captures its values where it is made; called in the writer's thread

log = logging.getLogger(__name__)


def encode(when: float, record: Record) -> bytes:
    """The line of a record, with its newline; values of None are left out.

    when  seconds since the epoch

    Never raises: a record that cannot be encoded becomes a line that says so.
    """
    moment = stamp(when)
    try:
        fields = record()
        cleaned = {redact(name): _redacted(value) for name, value in list(fields.items())[:MOST] if value is not None}
        return msgspec.json.encode({"time": moment, **cleaned}) + b"\n"
    except Exception:  # the edge of the writer's thread: the records after this one must still be written
        log.exception("a record cannot be written")
        return msgspec.json.encode({"time": moment, "action": "lost", "result": "error", "records": 1}) + b"\n"


def decode(line: bytes) -> dict[str, Any] | None:
    """The record of a line; None: the line has no record."""
    try:
        found = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None


def stamp(when: float) -> str:
    """Seconds since the epoch in ISO 8601 with milliseconds. Stamps sort as their times do."""
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _redacted(value: Value) -> Value:
    if isinstance(value, Id):
        return visible(value[:LONGEST])
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redact(each) for each in value[:MOST]]
    return value
