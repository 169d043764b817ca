"""The messages of VibeTunnel's WebSocket v3 as bytes. Integers are little-endian. Pure."""

from __future__ import annotations

import enum
import struct
from typing import NamedTuple

MAGIC = 0x5654
VERSION = 3
EVERY_SESSION = ""  # as a session's id: the events of the server

_HEAD = struct.Struct("<HBBI")  # magic, version, type, bytes of the session's id
_LENGTH = struct.Struct("<I")
_SUBSCRIPTION = struct.Struct("<III")
_SIZE = struct.Struct("<II")


class V3Type(enum.IntEnum):
    """What a message is."""

    HELLO = 1
    WELCOME = 2
    SUBSCRIBE = 10
    UNSUBSCRIBE = 11
    STDOUT = 20
    SNAPSHOT_VT = 21
    EVENT = 22
    ERROR = 23
    INPUT_TEXT = 30
    INPUT_KEY = 31
    RESIZE = 32
    KILL = 33
    RESET_SIZE = 34
    PING = 40
    PONG = 41
    VIEWING = 50


class Flag(enum.IntFlag):
    """What a subscription asks for."""

    STDOUT = 1
    SNAPSHOTS = 2
    EVENTS = 4


class V3Message(NamedTuple):
    """One message. kind: a V3Type, or a number that this version does not know."""

    kind: int
    session_id: str
    payload: bytes


class Subscription(NamedTuple):
    """The payload of SUBSCRIBE. The intervals between snapshots are in milliseconds; 0: none."""

    flags: Flag
    min_interval_ms: int
    max_interval_ms: int

    @property
    def interval_s(self) -> float:
        """The time between two snapshots: a change never waits longer than either interval allows."""
        shortest = self.min_interval_ms
        return (min(shortest, self.max_interval_ms) if self.max_interval_ms else shortest) / 1000


def encode(kind: V3Type, session_id: str = "", payload: bytes = b"") -> bytes:
    name = session_id.encode()
    return b"".join((_HEAD.pack(MAGIC, VERSION, kind, len(name)), name, _LENGTH.pack(len(payload)), payload))


def decode(data: bytes) -> V3Message | None:
    """Read a message. None: it is malformed, and is dropped without an answer."""
    if len(data) < _HEAD.size + _LENGTH.size:
        return None
    magic, version, kind, length = _HEAD.unpack_from(data)
    at = _HEAD.size + length
    if magic != MAGIC or version != VERSION or at + _LENGTH.size > len(data):
        return None
    (size,) = _LENGTH.unpack_from(data, at)
    payload = data[at + _LENGTH.size : at + _LENGTH.size + size]
    if len(payload) < size:
        return None
    try:
        return V3Message(kind, data[_HEAD.size : at].decode(), payload)
    except UnicodeDecodeError:
        return None


def subscription(payload: bytes) -> Subscription | None:
    """Read the payload of SUBSCRIBE. None: it is too short."""
    if len(payload) < _SUBSCRIPTION.size:
        return None
    flags, shortest, longest = _SUBSCRIPTION.unpack_from(payload)
    return Subscription(Flag(flags & 7), shortest, longest)


def size(payload: bytes) -> tuple[int, int] | None:
    """Read the payload of RESIZE: (cols, rows). None: it is too short."""
    return _SIZE.unpack_from(payload) if len(payload) >= _SIZE.size else None
